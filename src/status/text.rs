//! The status for people: the answer to `xmppd status`.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::document::{Table, Value};
use crate::terminal::{Colour, paint, wrap};
use crate::text::{OneLine, in_words};

/// Width of the first column, characters.
const LABEL: usize = 18;

/// Width of the second column, characters: a line fits a terminal of 80.
const WIDTH: usize = 80 - LABEL;

/// Renders the [document](super::document()) in lines of at most 80 characters, with colours if `colour` is set. Values that
/// come from outside cannot add lines or control a terminal.
#[must_use]
pub fn render(document: &Table, now: SystemTime, colour: bool) -> String {
    let mut page = Page { text: String::new(), now, colour };
    let connections = match document.get("connections") {
        Some(Value::Array(connections)) => connections.as_slice(),
        _ => &[],
    };
    page.heading("CONNECTION", "STATE");
    if connections.is_empty() {
        page.row("none", "the file has no section 'connection'");
    }
    for connection in connections {
        if let Value::Table(connection) = connection {
            page.connection(connection);
        }
    }
    page.text.push('\n');
    page.heading("DAEMON", "");
    page.row("version", text(document, "version"));
    if let Some(Value::Table(daemon)) = document.get("daemon") {
        page.daemon(daemon);
    }
    page.text
}

struct Page {
    text: String,
    now: SystemTime,
    colour: bool,
}

impl Page {
    fn heading(&mut self, label: &str, value: &str) {
        self.line(label, value, Some(Colour::Bold));
    }

    /// Adds a value, on as many lines as it needs, with a label before the first one.
    fn row(&mut self, label: &str, value: &str) {
        self.coloured(label, value, None);
    }

    fn coloured(&mut self, label: &str, value: &str, colour: Option<Colour>) {
        let value = OneLine(value).to_string();
        for (n, part) in wrap(&value, WIDTH).into_iter().enumerate() {
            self.line(if n == 0 { label } else { "" }, part, colour);
        }
    }

    fn line(&mut self, label: &str, value: &str, colour: Option<Colour>) {
        let line = format!("{label:LABEL$}{}", paint(value, colour.filter(|_| self.colour)));
        self.text += line.trim_end();
        self.text.push('\n');
    }

    fn connection(&mut self, connection: &Table) {
        let label = OneLine(&label(connection)).to_string();
        let shown: String = if label.chars().count() < LABEL {
            label
        } else {
            label.chars().take(LABEL - 4).chain("...".chars()).collect()
        };
        let (state, colour) = self.state(connection);
        self.coloured(&shown, &state, colour);
        if let Some(why) = connection.get("refused").and_then(Value::text) {
            self.coloured("", &format!("section refused: {why}"), Some(Colour::Red));
        }
        if text(connection, "status") == "Disabled" {
            return;
        }
        if let Some(stream) = stream(connection) {
            self.row("", &stream);
        }
        if let Some(error) = connection.get("error").and_then(Value::text) {
            self.row("", &format!("last error: {error}"));
        }
        if count(connection, "connection") > 0 {
            self.row("", &requests(connection));
        }
        let restarts = count(connection, "restarts");
        if restarts > 0 {
            self.row("", &format!("restarted after a crash: {restarts}"));
        }
        if let Some(crash) = connection.get("crash").and_then(Value::text) {
            let ago = self.ago(connection, "crashed").unwrap_or_default();
            self.row("", &format!("last crash {ago} ago: {crash}"));
        }
    }

    /// What a connection is doing, since when, and what comes next.
    fn state(&self, connection: &Table) -> (String, Option<Colour>) {
        let word = text(connection, "status");
        let (state, colour) = match word {
            "Enabled" => ("online", Some(Colour::Green)),
            "Connecting" => ("connecting", Some(Colour::Yellow)),
            "Dormant" => ("waiting before a retry", Some(Colour::Yellow)),
            "Disabled" => return ("disabled".to_owned(), None),
            "ServerNotPresent" => ("no server reached", Some(Colour::Red)),
            "Error_AuthenticationFailure" => ("login refused by the server", Some(Colour::Red)),
            "Error_Misconfigured" => ("misconfigured", Some(Colour::Red)),
            _ => ("failed", Some(Colour::Red)),
        };
        let since = self.ago(connection, "since").map(|since| format!(" for {since}"));
        let next = match connection.get("next_attempt_in") {
            // Rounded up: a wait that is not over is never "0 s".
            Some(Value::Double(wait)) => {
                format!("; next try in {}", in_words(Duration::from_secs_f64(wait.max(0.0).ceil())))
            }
            _ => String::new(),
        };
        let line = format!("{state}{}{next}", since.unwrap_or_default());
        (line, colour)
    }

    fn daemon(&mut self, daemon: &Table) {
        let uptime = u64::try_from(count(daemon, "uptime")).unwrap_or_default();
        self.row("running for", &in_words(Duration::from_secs(uptime)));
        if let Some(Value::Table(config)) = daemon.get("config") {
            self.config(config, is(daemon, "enabled"));
        }
        if let Some(Value::Table(restarts)) = daemon.get("restarts") {
            let crashed = restarts.entries().filter(|(_, count)| count.integer() > Some(0));
            let list: Vec<_> = crashed.map(|(actor, count)| format!("{actor} {}", integer(count))).collect();
            self.row("restarts", &if list.is_empty() { "none".to_owned() } else { list.join(", ") });
        }
        if let Some(Value::Table(crashes)) = daemon.get("crashes") {
            for (actor, crash) in crashes.entries() {
                if let Value::Table(crash) = crash {
                    let ago = self.ago(crash, "time").unwrap_or_default();
                    self.row("", &format!("{actor} crashed {ago} ago: {}", text(crash, "reason")));
                }
            }
        }
        if let Some(Value::Table(bus)) = daemon.get("ubus") {
            let since = self.ago(bus, "since").unwrap_or_default();
            match bus.get("error").and_then(Value::text) {
                _ if is(bus, "connected") => self.row("ubus", &format!("connected for {since}")),
                Some(error) => self.row("ubus", &format!("not connected for {since}: {error}")),
                None => self.row("ubus", "connecting"),
            }
        }
    }

    fn config(&mut self, config: &Table, is_enabled: bool) {
        self.row("configuration", text(config, "file"));
        if let Some(ago) = self.ago(config, "taken_up") {
            self.row("", &format!("taken up {ago} ago"));
        }
        if let Some(ago) = self.ago(config, "refused") {
            let error = text(config, "error");
            let colour = (!is(config, "in_effect")).then_some(Colour::Red);
            self.coloured("", &format!("refused {ago} ago: {error}"), colour);
        }
        if !is_enabled {
            self.coloured("", "no connection runs: 'enable' of the section 'xmpp' is 0", Some(Colour::Yellow));
        }
    }

    /// How long ago a time was; none if it never was.
    fn ago(&self, table: &Table, name: &str) -> Option<String> {
        let seconds = table.get(name).and_then(Value::integer).and_then(|time| u64::try_from(time).ok())?;
        let time = UNIX_EPOCH + Duration::from_secs(seconds);
        (seconds > 0).then(|| in_words(self.now.duration_since(time).unwrap_or_default()))
    }
}

/// Number and alias; the name of a section without a number.
fn label(connection: &Table) -> String {
    match count(connection, "connection") {
        0 => text(connection, "section").to_owned(),
        number => format!("{number} {}", text(connection, "alias")),
    }
}

/// Who the connection is, and where; none if neither is known.
fn stream(connection: &Table) -> Option<String> {
    let jid = connection.get("jid").and_then(Value::text);
    let address = connection.get("address").and_then(Value::text);
    Some(match (jid, address) {
        (Some(jid), Some(address)) if text(connection, "status") == "Enabled" => {
            let tls = if is(connection, "tls") { "with TLS" } else { "without TLS" };
            format!("{jid} at {address}, {tls}")
        }
        (Some(jid), Some(address)) => format!("was {jid}; last address: {address}"),
        (Some(jid), None) => format!("was {jid}"),
        (None, Some(address)) => format!("last address: {address}"),
        (None, None) => return None,
    })
}

/// The connection requests by outcome.
fn requests(connection: &Table) -> String {
    if !is(connection, "accepts_requests") {
        return "accepts no requests: 'id' of section 'xmpp' does not name it".to_owned();
    }
    let refusals =
        connection.entries().filter_map(|(name, value)| Some((name.strip_prefix("refused_")?, value.integer()?)));
    let refused: Vec<_> = refusals.filter(|(_, count)| *count > 0).collect();
    let mut parts = Vec::new();
    for (name, what) in [("accepted", "accepted"), ("notify_failed", "not notified")] {
        if count(connection, name) > 0 {
            parts.push(format!("{} {what}", count(connection, name)));
        }
    }
    if !refused.is_empty() {
        let total: i64 = refused.iter().map(|(_, count)| count).sum();
        let reasons: Vec<_> = refused.iter().map(|(reason, count)| format!("{count} {reason}")).collect();
        parts.push(format!("{total} refused ({})", reasons.join(", ")));
    }
    format!("requests: {}", if parts.is_empty() { "none".to_owned() } else { parts.join(", ") })
}

fn text<'a>(table: &'a Table, name: &str) -> &'a str {
    table.get(name).and_then(Value::text).unwrap_or_default()
}

fn is(table: &Table, name: &str) -> bool {
    table.get(name) == Some(&Value::Bool(true))
}

fn count(table: &Table, name: &str) -> i64 {
    table.get(name).map(integer).unwrap_or_default()
}

fn integer(value: &Value) -> i64 {
    value.integer().unwrap_or_default()
}
