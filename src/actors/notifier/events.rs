//! The events on ubus, with a limit for each kind, so that a flood of requests does not become a flood of events.

use std::time::Duration;

use tokio::time::Instant;

use crate::actors::messages::Announce;
use crate::document::{Table, Value};
use crate::status::StatusChange;
use crate::text::truncate;

/// Events of one kind that may be sent at once.
const BURST: u32 = 20;

/// The time after which one more may be sent.
const INTERVAL: Duration = Duration::from_millis(200);

/// The longest JID (RFC 7622): a sender that a server did not check may be longer.
const LONGEST_JID: usize = 3071;

/// The limits of all kinds of events.
#[derive(Default)]
pub(super) struct Events {
    connection: Bucket,
    request: Bucket,
    config: Bucket,
}

impl Events {
    /// Sends an event if the limit of its kind allows for it. `send` says whether there was room for it; those that were
    /// left out are counted in the next one.
    pub(super) fn announce(&mut self, what: &Announce, now: Instant, send: impl FnOnce(&'static str, Table) -> bool) {
        let (bucket, id) = match what {
            Announce::Status(_) => (&mut self.connection, "xmppd.connection"),
            Announce::Request { .. } => (&mut self.request, "xmppd.request"),
            Announce::Config(_) => (&mut self.config, "xmppd.config"),
        };
        bucket.pass(now, |left_out| {
            let data = data(what);
            send(id, if left_out > 0 { data.with("left_out", left_out) } else { data })
        });
    }
}

fn data(what: &Announce) -> Table {
    match what {
        Announce::Status(change) => status_event(change),
        Announce::Request { connection, from, outcome } => Table::new()
            .with("connection", connection.0)
            .with("from", truncate(from, LONGEST_JID))
            .with("outcome", *outcome),
        Announce::Config(outcome) => outcome.clone(),
    }
}

fn status_event(change: &StatusChange) -> Table {
    let text = |text: &Option<String>| Value::from(text.as_deref().unwrap_or_default());
    Table::new()
        .with("connection", change.connection.0)
        .with("alias", change.alias.as_str())
        .with("status", change.status.to_string())
        .with("previous", change.previous.to_string())
        .with("jid", text(&change.jid))
        .with("error", text(&change.error))
}

/// A token bucket.
#[derive(Default)]
struct Bucket {
    /// Tokens that were taken, and when one of them was last put back.
    taken: u32,
    since: Option<Instant>,
    left_out: u64,
}

impl Bucket {
    /// Takes a token for an event, if there is one. `send` is given how many were left out before it.
    fn pass(&mut self, now: Instant, send: impl FnOnce(u64) -> bool) {
        self.refill(now);
        if self.taken < BURST && send(self.left_out) {
            self.taken += 1;
            self.left_out = 0;
        } else {
            self.left_out += 1;
        }
    }

    fn refill(&mut self, now: Instant) {
        let since = self.since.get_or_insert(now);
        let earned = now.saturating_duration_since(*since).as_millis() / INTERVAL.as_millis();
        match u32::try_from(earned) {
            Ok(earned) if earned < self.taken => {
                self.taken -= earned;
                *since += INTERVAL * earned;
            }
            _ => (self.taken, *since) = (0, now),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::model::ConnectionId;

    fn request() -> Announce {
        Announce::Request { connection: ConnectionId(1), from: "acs@a.test/r".to_owned(), outcome: "accepted" }
    }

    /// Sends a request's event; what was sent.
    fn announced(events: &mut Events, now: Instant) -> Option<Table> {
        let mut sent = None;
        events.announce(&request(), now, |id, data| {
            assert_eq!(id, "xmppd.request");
            sent = Some(data);
            true
        });
        sent
    }

    #[test]
    fn a_flood_is_cut_and_what_was_left_out_is_counted_in_the_next_event() {
        let (mut events, start) = (Events::default(), Instant::now());
        let plain = Table::new().with("connection", 1_u32).with("from", "acs@a.test/r").with("outcome", "accepted");
        for _ in 0..BURST {
            assert_eq!(announced(&mut events, start), Some(plain.clone()));
        }
        for _ in 0..7 {
            assert_eq!(announced(&mut events, start), None);
        }
        // Another kind is not concerned.
        let mut sent = false;
        events.announce(&Announce::Config(Table::new()), start, |_, _| {
            sent = true;
            true
        });
        assert!(sent);
        let later = start + INTERVAL;
        assert_eq!(announced(&mut events, later), Some(plain.clone().with("left_out", 7_u32)));
        assert_eq!(announced(&mut events, later), None);
        let much_later = later + INTERVAL * (BURST + 1);
        assert_eq!(announced(&mut events, much_later), Some(plain.clone().with("left_out", 1_u32)));
        let sent = (0..2 * BURST).filter_map(|_| announced(&mut events, much_later)).count();
        assert_eq!(sent, BURST as usize - 1);
    }

    #[test]
    fn over_a_minute_of_a_flood_the_rate_is_kept() {
        let (mut events, start) = (Events::default(), Instant::now());
        let times = (0..60_000).map(|millis| start + Duration::from_millis(millis));
        let sent = times.filter_map(|now| announced(&mut events, now)).count();
        assert_eq!(sent, BURST as usize + 299);
    }

    #[test]
    fn what_finds_no_room_is_counted_as_well() {
        let (mut events, now) = (Events::default(), Instant::now());
        events.announce(&request(), now, |_, _| false);
        let sent = announced(&mut events, now).unwrap();
        assert_eq!(sent.get("left_out"), Some(&Value::Int32(1)));
    }
}
