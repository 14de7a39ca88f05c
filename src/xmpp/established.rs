//! An established stream as a source of events; the last one says how the stream ended.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use futures_util::stream::{Stream, unfold};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::Instant;

use super::bind::SessionStart;
use super::error_condition::ErrorCondition;
use super::incoming::{Element, KnownElement};
use super::login::Session;
use super::outgoing::{Acknowledgement, AcknowledgementRequest, Enable, OutgoingStreamError, Stanza, StreamCondition};
use super::stream_management::{Management, TooHigh};
use super::transport::Buffered;
use super::xml_stream::{Next, Received, StreamFault, XmlStream};
use crate::shutdown;

/// Time limit for the farewell on a stream that is already over: `</stream:stream>`, a stream error, the end of TLS.
const FAREWELL_LIMIT: Duration = Duration::from_secs(1);

/// A command of the connection to its stream.
#[derive(Debug)]
pub enum StreamCommand {
    /// Send a stanza. Boxed, because the queue has room for 32 commands even when it is empty.
    Stanza(Box<Stanza>),
    /// Ask for an acknowledgement (`<r/>`); with stream management, the keepalive's probe as well.
    AskAcknowledgement,
    /// The server acknowledged too much: end the stream with an error.
    Abort(TooHigh),
    /// Close the stream.
    Close,
}

/// An event on a stream.
#[derive(Debug)]
pub enum StreamEvent {
    /// An element was received.
    Element(Box<Element>),
    /// The stream is over. Nothing follows.
    Ended(StreamEnd),
}

/// How a stream ended.
#[derive(Debug, thiserror::Error)]
pub enum StreamEnd {
    /// It was closed by a command.
    #[error("closed")]
    Closed,
    /// The server closed it.
    #[error("the server closed the stream")]
    ClosedByServer,
    /// The server closed it with a stream error.
    #[error("the server ends the stream: {0}")]
    StreamError(ErrorCondition),
    /// It broke.
    #[error(transparent)]
    Fault(#[from] StreamFault),
    /// The server acknowledged too much.
    #[error(transparent)]
    Count(#[from] TooHigh),
}

impl StreamEnd {
    /// Whether the server may keep the stream for resumption (XEP-0198 5): only its transport is gone.
    #[must_use]
    pub fn is_resumable(&self) -> bool {
        matches!(self, Self::Fault(StreamFault::Io(_) | StreamFault::Closed | StreamFault::Silent(_)))
    }
}

/// The counts of a stream, shared with the bound resource, which may resume it.
pub type SharedManagement = Rc<RefCell<Management>>;

/// The events of a session. Carries out what is sent into `outgoing`; once its sender is dropped, nothing is written any more,
/// and no event comes. Received stanzas are counted here; sent ones by the sender, so that none is lost with the queue.
pub fn events(
    session: Session,
    outgoing: UnboundedReceiver<StreamCommand>,
    management: SharedManagement,
) -> impl Stream<Item = StreamEvent> {
    let enable_pending = matches!(session.start, SessionStart::Bound { manageable: true, .. });
    let stream = EstablishedStream { stream: session.stream, outgoing, management, enable_pending, ended: false };
    unfold(stream, |mut stream| async move {
        let event = stream.event().await?;
        Some((event, stream))
    })
}

struct EstablishedStream {
    stream: XmlStream<Buffered>,
    outgoing: UnboundedReceiver<StreamCommand>,
    management: SharedManagement,
    /// Whether stream management is still to be enabled.
    enable_pending: bool,
    ended: bool,
}

impl EstablishedStream {
    async fn event(&mut self) -> Option<StreamEvent> {
        if self.ended {
            return None;
        }
        match self.next().await {
            Ok(event) => {
                self.ended = matches!(event, StreamEvent::Ended(_));
                Some(event)
            }
            Err(end) => {
                self.ended = true;
                self.send_stream_error(&end).await;
                Some(StreamEvent::Ended(end))
            }
        }
    }

    async fn next(&mut self) -> Result<StreamEvent, StreamEnd> {
        if std::mem::take(&mut self.enable_pending) {
            self.stream.queue(&Enable { resume: "true" })?;
        }
        loop {
            // Commands first: they take less memory in their queue than as bytes.
            let next = self.stream.next_or(|cx| self.outgoing.poll_recv(cx)).await?;
            let event = match next {
                Next::Item(command) => self.carry_out(command).await?,
                Next::Received(received) => self.received(received).await?,
            };
            if let Some(event) = event {
                return Ok(event);
            }
        }
    }

    async fn carry_out(&mut self, command: Option<StreamCommand>) -> Result<Option<StreamEvent>, StreamEnd> {
        match command {
            Some(StreamCommand::Stanza(stanza)) => self.stream.queue(&stanza)?,
            Some(StreamCommand::AskAcknowledgement) => self.stream.queue(&AcknowledgementRequest)?,
            Some(StreamCommand::Abort(error)) => return Err(error.into()),
            Some(StreamCommand::Close) => return Ok(Some(self.close().await)),
            // The connection dropped the stream. A farewell would end the session that it may resume.
            None => std::future::pending().await,
        }
        Ok(None)
    }

    async fn received(&mut self, received: Received) -> Result<Option<StreamEvent>, StreamEnd> {
        let end = match received {
            Received::Header { .. } => return Ok(None),
            Received::Element(element) => match *element {
                Element::Known(KnownElement::StreamError(error)) => StreamEnd::StreamError(error.condition),
                element => return self.received_element(element),
            },
            Received::Footer => StreamEnd::ClosedByServer,
        };
        self.answer_footer().await;
        Ok(Some(StreamEvent::Ended(end)))
    }

    /// Handles what concerns stream management; returns everything else.
    fn received_element(&mut self, element: Element) -> Result<Option<StreamEvent>, StreamEnd> {
        match &element {
            Element::Known(KnownElement::ManagementEnabled { id, resume }) => {
                let resumable = matches!(resume.as_deref(), Some("true" | "1"));
                self.management.borrow_mut().enabled(id.clone().filter(|_| resumable));
            }
            Element::Known(KnownElement::ManagementFailed) => self.management.borrow_mut().failed(),
            Element::Known(KnownElement::Acknowledgement { h }) => {
                if self.management.borrow().is_on() {
                    self.management.borrow_mut().acknowledged(*h)?;
                }
            }
            Element::Known(KnownElement::AcknowledgementRequest) => {
                let h = self.management.borrow().handled();
                if self.management.borrow().is_on() {
                    self.stream.queue(&Acknowledgement { h })?;
                }
            }
            Element::Known(KnownElement::Iq(_) | KnownElement::Message { .. } | KnownElement::Presence { .. }) => {
                self.management.borrow_mut().received();
                return Ok(Some(StreamEvent::Element(Box::new(element))));
            }
            Element::Known(_) | Element::Unknown => return Ok(Some(StreamEvent::Element(Box::new(element)))),
        }
        Ok(None)
    }

    /// Sends `</stream:stream>`, waits for the server's, and ends the transport (RFC 6120 4.4).
    async fn close(&mut self) -> StreamEvent {
        let deadline = Instant::now() + shutdown::STREAM;
        if self.management.borrow().is_on() {
            // Otherwise the server may redirect stanzas that were handled (XEP-0198 4).
            let h = self.management.borrow().handled();
            let _ = self.stream.queue(&Acknowledgement { h });
        }
        self.stream.close();
        let footer = async {
            while let Ok(received) = self.stream.next().await {
                if matches!(received, Received::Footer) {
                    break;
                }
            }
        };
        let _ = tokio::time::timeout(shutdown::FOOTER, footer).await;
        let _ = tokio::time::timeout_at(deadline, self.stream.shutdown()).await;
        StreamEvent::Ended(StreamEnd::Closed)
    }

    async fn answer_footer(&mut self) {
        self.stream.close();
        let farewell = async {
            let _ = self.stream.flush().await;
            let _ = self.stream.shutdown().await;
        };
        let _ = tokio::time::timeout(FAREWELL_LIMIT, farewell).await;
    }

    /// Sends a stream error, if the end is the server's fault (RFC 6120 4.9.1.1).
    async fn send_stream_error(&mut self, end: &StreamEnd) {
        let condition = match end {
            StreamEnd::Fault(StreamFault::TooLarge) => StreamCondition::PolicyViolation,
            StreamEnd::Fault(StreamFault::NotXml(_)) => StreamCondition::NotWellFormed,
            StreamEnd::Fault(StreamFault::Restricted) => StreamCondition::RestrictedXml,
            StreamEnd::Count(_) => StreamCondition::UndefinedCondition,
            _ => return,
        };
        if self.stream.queue(&OutgoingStreamError { condition }).is_ok() {
            self.answer_footer().await;
        }
    }
}

#[cfg(test)]
mod tests;
