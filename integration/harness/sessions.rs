//! Parses the events of Prosody's client sessions, as `prosody/mod_sessions_view.lua` writes them.

use std::collections::BTreeMap;

/// One line of the file.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// Seconds since 1970.
    pub time: f64,
    /// What happened.
    pub kind: EventKind,
    /// The full JID; `-` for [`EventKind::Started`].
    pub jid: String,
    /// The client's port, which identifies the TCP connection as long as the session lasts.
    pub port: u16,
    /// The server's name for the session.
    pub session: String,
}

/// A kind of event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EventKind {
    /// The server was started: earlier sessions are gone.
    Started,
    /// A resource was bound.
    Bind,
    /// A session ended.
    Unbind(SessionEnd),
    /// The connection was lost, and the session can be resumed.
    Hibernate,
    /// A session was resumed on a new connection.
    Resume,
}

/// How a session ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SessionEnd {
    /// The client sent `</stream:stream>` first.
    ByClient,
    /// The server ended it, with this stream error.
    ByServer(String),
    /// The connection was lost.
    Lost,
}

/// A present session.
#[derive(Debug, Clone, PartialEq)]
pub struct Session {
    /// The client's port.
    pub port: u16,
    /// The server's name for the session, which a resumption keeps.
    pub id: String,
    /// When it was bound, in seconds since 1970.
    pub since: f64,
    /// Whether its connection is lost.
    pub hibernating: bool,
}

/// Parses all complete lines.
pub fn parse(text: &str) -> Vec<Event> {
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    whole.lines().map(parse_line).collect()
}

fn parse_line(line: &str) -> Event {
    let fields: Vec<&str> = line.split('\t').collect();
    let &[time, kind, jid, port, session, detail] = fields.as_slice() else {
        panic!("invalid line: {line:?}");
    };
    let kind = match (kind, detail) {
        ("started", _) => EventKind::Started,
        ("bind", _) => EventKind::Bind,
        ("hibernate", _) => EventKind::Hibernate,
        ("resume", _) => EventKind::Resume,
        ("unbind", "closed-by-client") => EventKind::Unbind(SessionEnd::ByClient),
        ("unbind", "connection-lost") => EventKind::Unbind(SessionEnd::Lost),
        ("unbind", detail) => match detail.strip_prefix("closed-by-server ") {
            Some(condition) => EventKind::Unbind(SessionEnd::ByServer(condition.to_owned())),
            None => panic!("unknown end: {line:?}"),
        },
        _ => panic!("unknown event: {line:?}"),
    };
    Event {
        time: time.parse().unwrap(),
        kind,
        jid: jid.to_owned(),
        port: port.parse().unwrap(),
        session: session.to_owned(),
    }
}

/// Returns the sessions present after these events, by full JID.
pub fn present(events: &[Event]) -> BTreeMap<String, Session> {
    let mut sessions: BTreeMap<String, Session> = BTreeMap::new();
    for event in events {
        match &event.kind {
            EventKind::Started => sessions.clear(),
            EventKind::Bind => {
                let session =
                    Session { port: event.port, id: event.session.clone(), since: event.time, hibernating: false };
                sessions.insert(event.jid.clone(), session);
            }
            EventKind::Unbind(_) => {
                sessions.remove(&event.jid);
            }
            EventKind::Hibernate | EventKind::Resume => {
                if let Some(session) = sessions.get_mut(&event.jid) {
                    session.hibernating = event.kind == EventKind::Hibernate;
                    session.port = event.port;
                }
            }
        }
    }
    sessions
}

#[test]
fn a_resumed_session_stays_the_same_on_another_port() {
    let text = "1.0\tstarted\t-\t0\t-\t-\n\
                2.0\tbind\ta@a.test/r\t4000\tid1\t-\n\
                3.0\thibernate\ta@a.test/r\t4000\tid1\t-\n\
                4.0\tresume\ta@a.test/r\t4001\tid1\t-\n\
                5.0\tbind\tb@a.test/r\t4002\tid2\t-\n\
                6.0\tunbind\tb@a.test/r\t4002\tid2\tclosed-by-server conflict\n\
                7.0\tunb";
    let events = parse(text);
    assert_eq!(events.len(), 6);
    assert_eq!(events[5].kind, EventKind::Unbind(SessionEnd::ByServer("conflict".to_owned())));
    let sessions = present(&events);
    assert_eq!(sessions.len(), 1);
    let session = &sessions["a@a.test/r"];
    assert_eq!((session.port, session.id.as_str(), session.hibernating), (4001, "id1", false));
}
