//! The server's view of its clients' sessions, as `prosody/mod_sessions_view.lua` writes it.

use std::collections::BTreeMap;

/// One line of the view.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// Seconds since 1970.
    pub time: f64,
    /// What happened.
    pub kind: Kind,
    /// The full JID; `-` for [`Kind::Started`].
    pub jid: String,
    /// The client's port: the same one again without an end in between is the same TCP connection.
    pub port: u16,
    /// The session's name within the server.
    pub session: String,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// The server accepts connections; no session of an earlier run is left.
    Started,
    /// A resource was bound.
    Bind,
    /// A session ended.
    Unbind(End),
    /// A connection was lost whose session can be resumed.
    Hibernate,
    /// A session goes on, on a new connection.
    Resume,
}

/// How a session ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// The client sent `</stream:stream>` of its own accord.
    ByClient,
    /// The server ended it, with this stream error.
    ByServer(String),
    /// The connection was gone without a word.
    Lost,
}

/// A session that is there.
#[derive(Debug, Clone, PartialEq)]
pub struct Session {
    /// The client's port.
    pub port: u16,
    /// The session's name within the server: kept when it is resumed.
    pub id: String,
    /// When it was bound, in seconds since 1970.
    pub since: f64,
    /// Whether its connection is lost at present.
    pub hibernating: bool,
}

/// Reads the view; a line that is still being written is left for the next time.
pub fn parse(text: &str) -> Vec<Event> {
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    whole.lines().map(parse_line).collect()
}

fn parse_line(line: &str) -> Event {
    let fields: Vec<&str> = line.split('\t').collect();
    let &[time, kind, jid, port, session, detail] = fields.as_slice() else {
        panic!("not a line of the view: {line:?}");
    };
    let kind = match (kind, detail) {
        ("started", _) => Kind::Started,
        ("bind", _) => Kind::Bind,
        ("hibernate", _) => Kind::Hibernate,
        ("resume", _) => Kind::Resume,
        ("unbind", "closed-by-client") => Kind::Unbind(End::ByClient),
        ("unbind", "connection-lost") => Kind::Unbind(End::Lost),
        ("unbind", detail) => match detail.strip_prefix("closed-by-server ") {
            Some(condition) => Kind::Unbind(End::ByServer(condition.to_owned())),
            None => panic!("not an end that is known: {line:?}"),
        },
        _ => panic!("not an event that is known: {line:?}"),
    };
    Event {
        time: time.parse().unwrap(),
        kind,
        jid: jid.to_owned(),
        port: port.parse().unwrap(),
        session: session.to_owned(),
    }
}

/// Who is there after these events, by full JID.
pub fn present(events: &[Event]) -> BTreeMap<String, Session> {
    let mut sessions: BTreeMap<String, Session> = BTreeMap::new();
    for event in events {
        match &event.kind {
            Kind::Started => sessions.clear(),
            Kind::Bind => {
                let session =
                    Session { port: event.port, id: event.session.clone(), since: event.time, hibernating: false };
                sessions.insert(event.jid.clone(), session);
            }
            Kind::Unbind(_) => {
                sessions.remove(&event.jid);
            }
            Kind::Hibernate | Kind::Resume => {
                if let Some(session) = sessions.get_mut(&event.jid) {
                    session.hibernating = event.kind == Kind::Hibernate;
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
    assert_eq!(events[5].kind, Kind::Unbind(End::ByServer("conflict".to_owned())));
    let sessions = present(&events);
    assert_eq!(sessions.len(), 1);
    let session = &sessions["a@a.test/r"];
    assert_eq!((session.port, session.id.as_str(), session.hibernating), (4001, "id1", false));
}
