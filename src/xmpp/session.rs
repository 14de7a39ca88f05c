//! An established stream as a source of events: stanzas in, stanzas out, and one last event that says how it ended.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use futures_util::stream::{Stream, unfold};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::Instant;

use super::connect::{Session, SessionStart};
use super::incoming::{Element, ErrorCondition, Known};
use super::outgoing::{
    Acknowledgement, AcknowledgementRequest, Enable, Stanza, StreamCondition, StreamError as OutStreamError,
};
use super::stream_management::{Management, TooHigh};
use super::transport::Buffered;
use super::xml_stream::{Next, Received, StreamFault, XmlStream};
use crate::shutdown;

/// How long a farewell to a stream that is over already may take: our `</stream:stream>`, a stream error, the end of TLS.
const FAREWELL_LIMIT: Duration = Duration::from_secs(1);

/// What the connection wants of its stream.
#[derive(Debug)]
pub enum StreamCommand {
    /// Send a stanza.
    Stanza(Stanza),
    /// Ask for an acknowledgement (`<r/>`): with stream management the keepalive's request, too.
    AskAcknowledgement,
    /// The server's counts make no sense: leave.
    Abort(TooHigh),
    /// Close the stream in good order.
    Close,
}

/// What happens on a stream.
#[derive(Debug)]
pub enum Event {
    /// A whole element came in.
    Element(Box<Element>),
    /// The stream is over. Nothing follows.
    Ended(End),
}

/// How a stream ended.
#[derive(Debug, thiserror::Error)]
pub enum End {
    /// We closed it.
    #[error("closed")]
    Closed,
    /// The server closed it.
    #[error("the server closed the stream")]
    ClosedByServer,
    /// The server closed it and said why.
    #[error("the server ends the stream: {0}")]
    StreamError(ErrorCondition),
    /// It broke.
    #[error(transparent)]
    Fault(#[from] StreamFault),
    /// The server's acknowledgements make no sense.
    #[error(transparent)]
    Count(#[from] TooHigh),
}

impl End {
    /// Whether the server may still hold the stream for us (XEP-0198 5): only the connection under it is gone.
    #[must_use]
    pub fn is_resumable(&self) -> bool {
        matches!(self, Self::Fault(StreamFault::Io(_) | StreamFault::Closed | StreamFault::Silent(_)))
    }
}

/// The counts of a stream, shared with whoever resumes it.
pub type SharedManagement = Rc<RefCell<Management>>;

/// The events of a session, until its last. What is sent into `outgoing` is written; if its sender is dropped, nothing more
/// is written and nothing more happens, until this is dropped. What comes is counted here; what goes is counted by the
/// sender, so that nothing is lost with the queue.
pub fn events(
    session: Session,
    outgoing: UnboundedReceiver<StreamCommand>,
    management: SharedManagement,
) -> impl Stream<Item = Event> {
    let manage = matches!(session.start, SessionStart::Bound { manageable: true, .. });
    let wire = Wire { stream: session.stream, outgoing, management, manage, ended: false };
    unfold(wire, |mut wire| async move {
        let event = wire.event().await?;
        Some((event, wire))
    })
}

struct Wire {
    stream: XmlStream<Buffered>,
    outgoing: UnboundedReceiver<StreamCommand>,
    management: SharedManagement,
    /// Stream management is still to be asked for.
    manage: bool,
    ended: bool,
}

impl Wire {
    async fn event(&mut self) -> Option<Event> {
        if self.ended {
            return None;
        }
        match self.next().await {
            Ok(event) => {
                self.ended = matches!(event, Event::Ended(_));
                Some(event)
            }
            Err(end) => {
                self.ended = true;
                self.last_word(&end).await;
                Some(Event::Ended(end))
            }
        }
    }

    async fn next(&mut self) -> Result<Event, End> {
        if std::mem::take(&mut self.manage) {
            self.stream.queue(&Enable { resume: "true" })?;
        }
        loop {
            // Commands first: what waits in their queue takes less memory than what is queued as bytes.
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

    async fn carry_out(&mut self, command: Option<StreamCommand>) -> Result<Option<Event>, End> {
        match command {
            Some(StreamCommand::Stanza(stanza)) => self.stream.queue(&stanza)?,
            Some(StreamCommand::AskAcknowledgement) => self.stream.queue(&AcknowledgementRequest)?,
            Some(StreamCommand::Abort(error)) => return Err(error.into()),
            Some(StreamCommand::Close) => return Ok(Some(self.close().await)),
            // The connection has left the stream. A farewell would end the session that it may want to resume.
            None => std::future::pending().await,
        }
        Ok(None)
    }

    async fn received(&mut self, received: Received) -> Result<Option<Event>, End> {
        let end = match received {
            Received::Header { .. } => return Ok(None),
            Received::Element(element) => match *element {
                Element::Known(Known::StreamError(error)) => End::StreamError(error.condition),
                element => return self.received_element(element),
            },
            Received::Footer => End::ClosedByServer,
        };
        self.answer_footer().await;
        Ok(Some(Event::Ended(end)))
    }

    /// Keeps the counts; what is left is for the connection.
    fn received_element(&mut self, element: Element) -> Result<Option<Event>, End> {
        match &element {
            Element::Known(Known::ManagementEnabled { id, resume }) => {
                let resumable = matches!(resume.as_deref(), Some("true" | "1"));
                self.management.borrow_mut().enabled(id.clone().filter(|_| resumable));
            }
            Element::Known(Known::ManagementFailed) => self.management.borrow_mut().failed(),
            Element::Known(Known::Acknowledgement { h }) => {
                if self.management.borrow().is_on() {
                    self.management.borrow_mut().acknowledged(*h)?;
                }
            }
            Element::Known(Known::AcknowledgementRequest) => {
                let h = self.management.borrow().handled();
                if self.management.borrow().is_on() {
                    self.stream.queue(&Acknowledgement { h })?;
                }
            }
            Element::Known(Known::Iq(_) | Known::Message { .. } | Known::Presence { .. }) => {
                self.management.borrow_mut().received();
                return Ok(Some(Event::Element(Box::new(element))));
            }
            Element::Known(_) | Element::Unknown => return Ok(Some(Event::Element(Box::new(element)))),
        }
        Ok(None)
    }

    /// Sends our `</stream:stream>`, waits for the server's, and ends the connection (RFC 6120 4.4).
    async fn close(&mut self) -> Event {
        let deadline = Instant::now() + shutdown::STREAM;
        if self.management.borrow().is_on() {
            // So that the server does not redirect what we have handled (XEP-0198 4).
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
        Event::Ended(End::Closed)
    }

    async fn answer_footer(&mut self) {
        self.stream.close();
        let farewell = async {
            let _ = self.stream.flush().await;
            let _ = self.stream.shutdown().await;
        };
        let _ = tokio::time::timeout(FAREWELL_LIMIT, farewell).await;
    }

    /// Says why we leave, where there is something to say (RFC 6120 4.9.1.1).
    async fn last_word(&mut self, end: &End) {
        let condition = match end {
            End::Fault(StreamFault::TooLarge) => StreamCondition::PolicyViolation,
            End::Fault(StreamFault::NotXml(_)) => StreamCondition::NotWellFormed,
            End::Fault(StreamFault::Restricted) => StreamCondition::RestrictedXml,
            End::Count(_) => StreamCondition::UndefinedCondition,
            _ => return,
        };
        if self.stream.queue(&OutStreamError { condition }).is_ok() {
            self.answer_footer().await;
        }
    }
}

#[cfg(test)]
mod tests;
