//! Notifies the CWMP client on ubus: calls `tr069` `inform` and interprets the answer.

use std::time::Duration;

use super::error::NotifyError;
use crate::document::{Table, Value};
use crate::text::truncate;
use crate::ubus::{CallError, Client};

/// The event code as TR-069 spells it (Amendment 6, Table 7). icwmp of 2022 and later compares it exactly; older icwmp
/// looks at the leading `6`, easycwmp ignores case.
const EVENT: &str = "6 CONNECTION REQUEST";

/// Some releases of icwmp answer this with a negative status after they have queued the event.
const QUEUED: &str = "Session already running";

/// Maximum length of the client's message in the log, in bytes.
const MAX_MESSAGE: usize = 200;

/// Notifies the CWMP client within `limit`.
///
/// # Errors
/// [`NotifyError`]: the event was refused, or its outcome is unknown.
pub async fn notify(client: &Client, limit: Duration) -> Result<(), NotifyError> {
    interpret(client.call("tr069", "inform", Table::new().with("event", EVENT), limit).await)
}

/// Interprets an answer. icwmp refuses with a negative `status` in its reply and STATUS 0, so the status of the call
/// alone does not suffice. Each of several replies may refuse.
fn interpret(answer: Result<Vec<Table>, CallError>) -> Result<(), NotifyError> {
    answer?.iter().try_for_each(interpret_reply)
}

fn interpret_reply(reply: &Table) -> Result<(), NotifyError> {
    let Some(status) = reply.get("status") else { return Ok(()) };
    let number = status.integer().or_else(|| status.text()?.trim().parse().ok());
    let info = reply.get("info").and_then(Value::text).unwrap_or_default();
    match number {
        Some(0..) => Ok(()),
        Some(_) if info.starts_with(QUEUED) => Ok(()),
        Some(status) if info.is_empty() => Err(NotifyError::ClientSays(format!("status {status}"))),
        Some(_) => Err(NotifyError::ClientSays(truncate(info, MAX_MESSAGE).to_owned())),
        None => Err(NotifyError::NoStatus),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ubus::StatusCode;

    fn reply(status: impl Into<Value>, info: &str) -> Table {
        let table = Table::new().with("status", status);
        if info.is_empty() { table } else { table.with("info", info) }
    }

    fn outcome(replies: Vec<Table>) -> String {
        interpret(Ok(replies)).map_or_else(|error| error.to_string(), |()| "accepted".to_owned())
    }

    #[test]
    fn a_negative_status_in_a_reply_is_a_refusal() {
        let unknown = "not able to get the event code";
        for (replies, expected) in [
            (vec![], "accepted"),
            (vec![Table::new()], "accepted"),
            (vec![Table::new().with("info", "Session started")], "accepted"),
            (vec![reply(0_u32, "")], "accepted"),
            (vec![reply(1_u32, "Session started")], "accepted"),
            (vec![reply(Value::Int64(i64::MAX), "")], "accepted"),
            (vec![reply(Value::Int16(0), "")], "accepted"),
            (vec![reply("1", "")], "accepted"),
            (vec![reply("0", unknown)], "accepted"),
            (vec![reply(-1_i64, "Session already running, the event is queued")], "accepted"),
            (vec![reply("-1", "Session already running")], "accepted"),
            (vec![reply(-1_i64, unknown)], "the CWMP client says: not able to get the event code"),
            (vec![reply("-1", unknown)], "the CWMP client says: not able to get the event code"),
            (vec![reply(Value::Int16(-2), "no")], "the CWMP client says: no"),
            (vec![reply(Value::Int64(-3), "session already running")], "the CWMP client says: session already running"),
            (vec![reply(-1_i64, "")], "the CWMP client says: status -1"),
            (vec![Table::new().with("status", -1_i64).with("info", 7_u32)], "the CWMP client says: status -1"),
            (vec![reply("ok", "")], "the CWMP client's answer has a status that is no number"),
            (vec![reply(true, "")], "the CWMP client's answer has a status that is no number"),
            (vec![reply(Value::Double(-1.0), "")], "the CWMP client's answer has a status that is no number"),
            (vec![reply(Vec::new(), "")], "the CWMP client's answer has a status that is no number"),
            (vec![reply(1_u32, ""), reply(-1_i64, unknown)], "the CWMP client says: not able to get the event code"),
            (vec![reply(-1_i64, unknown), reply(1_u32, "")], "the CWMP client says: not able to get the event code"),
            (vec![reply(1_u32, ""), reply(1_u32, "")], "accepted"),
        ] {
            assert_eq!(outcome(replies.clone()), expected, "{replies:?}");
        }
    }

    #[test]
    fn failures_of_the_call_are_reported() {
        for (error, expected) in [
            (CallError::Status(StatusCode::INVALID_ARGUMENT), "the call on ubus failed: Invalid argument"),
            (CallError::Status(StatusCode(6)), "the call on ubus failed: Permission denied"),
            (CallError::NoObject("tr069".to_owned()), "no object 'tr069' on ubus"),
            (CallError::NoBus("x: Not found".to_owned()), "ubus cannot be reached: x: Not found"),
            (CallError::Lost("closed by the peer".to_owned()), "the connection to ubus was lost: closed by the peer"),
            (CallError::Timeout(Duration::from_millis(1500)), "no answer on ubus within 1500 ms"),
        ] {
            assert_eq!(interpret(Err(error)).unwrap_err().to_string(), expected);
        }
    }

    #[test]
    fn the_clients_message_is_truncated() {
        assert_eq!(
            outcome(vec![reply(-1_i64, &"\u{e4}".repeat(300))]),
            format!("the CWMP client says: {}", "\u{e4}".repeat(100))
        );
    }
}
