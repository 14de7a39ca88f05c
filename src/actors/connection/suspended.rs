//! A lost stream that is still to be resumed, and which failed attempts give it up. The decision is pure.

use super::bound_resource::BoundResource;
use crate::xmpp::attempt::{AttemptError, Cause, Step};
use crate::xmpp::xml_stream::StreamFault;

/// The resource of a lost stream that may be resumed.
pub(super) struct SuspendedStream {
    pub(super) resource: BoundResource,
    /// An attempt to resume it was cut off.
    cut_off: bool,
}

impl SuspendedStream {
    /// The stream of this resource was lost. None if it cannot be resumed.
    pub(super) fn new(resource: BoundResource) -> Option<Self> {
        resource.suspend().map(|resource| Self { resource, cut_off: false })
    }

    /// An attempt has failed. None if the stream is given up.
    pub(super) fn attempt_failed(mut self, error: &AttemptError) -> Option<Self> {
        match after_failure(error, self.cut_off) {
            AfterFailure::Unchanged => {}
            AfterFailure::OnceMore => self.cut_off = true,
            AfterFailure::GivenUp => {
                tracing::info!("previous stream given up: the next attempt binds a resource");
                return None;
            }
        }
        Some(self)
    }
}

/// What a failed attempt means for the stream that it was to resume.
#[derive(Debug, PartialEq, Eq)]
enum AfterFailure {
    /// Nothing: the attempt did not fail at the request to resume it.
    Unchanged,
    /// The connection broke before the server's answer: the server is asked once more.
    OnceMore,
    /// The server is not asked again.
    GivenUp,
}

/// Decides what a failed attempt means; `cut_off`: an earlier one was cut off.
///
/// Some servers never answer with `<failed/>`: each further request to resume would end its attempt. If they do not answer at
/// all or answer something else, one request shows it. If they end the connection, that looks like a reset on the way to them,
/// which may not happen again.
fn after_failure(error: &AttemptError, cut_off: bool) -> AfterFailure {
    match (error.step, &error.cause) {
        (Step::Resume, Cause::Stream(StreamFault::Io(_) | StreamFault::Closed)) if !cut_off => AfterFailure::OnceMore,
        (Step::Resume, _) => AfterFailure::GivenUp,
        _ => AfterFailure::Unchanged,
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    fn failed(step: Step, cause: impl Into<Cause>) -> AttemptError {
        AttemptError { step, cause: cause.into() }
    }

    fn reset() -> StreamFault {
        StreamFault::Io(io::ErrorKind::ConnectionReset.into())
    }

    #[test]
    fn a_connection_that_breaks_is_another_chance_once() {
        for fault in [reset, || StreamFault::Closed] {
            let error = failed(Step::Resume, fault());
            assert_eq!(after_failure(&error, false), AfterFailure::OnceMore, "{error}");
            assert_eq!(after_failure(&error, true), AfterFailure::GivenUp, "{error}");
        }
    }

    #[test]
    fn an_answer_or_none_is_no_reason_to_ask_again() {
        for error in [
            failed(Step::Resume, Cause::Timeout),
            failed(Step::Resume, StreamFault::Footer),
            failed(Step::Resume, StreamFault::NotXml("x".to_owned())),
            failed(Step::Resume, Cause::BadResumption("<resumed/> without a count (h)")),
        ] {
            assert_eq!(after_failure(&error, false), AfterFailure::GivenUp, "{error}");
        }
    }

    #[test]
    fn a_failure_before_the_question_decides_nothing() {
        for step in [Step::Connect, Step::Tls, Step::Stream, Step::Login, Step::Bind] {
            for cut_off in [false, true] {
                assert_eq!(after_failure(&failed(step, reset()), cut_off), AfterFailure::Unchanged, "{step}");
            }
        }
    }
}
