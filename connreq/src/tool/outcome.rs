//! The outcome of one request, and its texts.

use std::time::Duration;

use crate::requester::{Answer, NoAnswer};

/// The outcome of one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The CPE will contact its ACS.
    Accepted { rtt: Duration },
    /// The CPE, or a server on the way, refused.
    Refused { condition: String, text: Option<String>, rtt: Duration },
    /// No answer within the time limit.
    TimedOut,
    /// The session was lost before an answer came.
    Lost,
    /// There was no session to send it over.
    NotSent,
    /// The run was stopped before an answer came.
    Interrupted,
}

impl From<Answer> for Outcome {
    fn from(answer: Answer) -> Self {
        match answer {
            Answer::Result { rtt } => Self::Accepted { rtt },
            Answer::Error { condition, text, rtt } => Self::Refused { condition, text, rtt },
            Answer::None(NoAnswer::TimedOut) => Self::TimedOut,
            Answer::None(NoAnswer::Lost) => Self::Lost,
        }
    }
}

impl Outcome {
    /// Returns the round trip time, if there was an answer.
    pub(super) fn rtt(&self) -> Option<Duration> {
        match self {
            Self::Accepted { rtt } | Self::Refused { rtt, .. } => Some(*rtt),
            _ => None,
        }
    }

    /// Returns the name used in JSON.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Accepted { .. } => "accepted",
            Self::Refused { .. } => "refused",
            Self::TimedOut => "timeout",
            Self::Lost => "lost",
            Self::NotSent => "not-sent",
            Self::Interrupted => "interrupted",
        }
    }

    /// Returns the description for people, without the text of an error.
    pub(super) fn description(&self) -> String {
        match self {
            Self::Accepted { .. } => "accepted".to_owned(),
            Self::Refused { condition, .. } => refusal(condition),
            Self::TimedOut => "no answer in time".to_owned(),
            Self::Lost => "no answer, the connection to the server was lost".to_owned(),
            Self::NotSent => "not sent, no connection to the server".to_owned(),
            Self::Interrupted => "no answer when the run was stopped".to_owned(),
        }
    }
}

/// Describes a refusal: `refused: service-unavailable (503)`.
pub(super) fn refusal(condition: &str) -> String {
    match code(condition) {
        Some(code) => format!("refused: {condition} ({code})"),
        None => format!("refused: {condition}"),
    }
}

/// Returns the legacy code of a condition of RFC 6120 8.3.3, as used by Annex K (XEP-0086).
pub(super) fn code(condition: &str) -> Option<u16> {
    Some(match condition {
        "bad-request" | "jid-malformed" | "unexpected-request" => 400,
        "not-authorized" => 401,
        "forbidden" => 403,
        "item-not-found" | "recipient-unavailable" | "remote-server-not-found" => 404,
        "not-allowed" => 405,
        "not-acceptable" => 406,
        "registration-required" | "subscription-required" => 407,
        "conflict" => 409,
        "gone" | "redirect" => 302,
        "internal-server-error" | "resource-constraint" | "undefined-condition" => 500,
        "feature-not-implemented" => 501,
        "service-unavailable" => 503,
        "remote-server-timeout" => 504,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_has_its_code_where_there_is_one() {
        assert_eq!(refusal("service-unavailable"), "refused: service-unavailable (503)");
        assert_eq!(refusal("not-authorized"), "refused: not-authorized (401)");
        assert_eq!(refusal("policy-violation"), "refused: policy-violation");
    }
}
