//! An established stream as a source of events: stanzas in, stanzas out, and one last event that says how it ended.

use std::time::Duration;

use futures_util::stream::{Stream, unfold};
use tokio::sync::mpsc::UnboundedReceiver;

use super::connect::Session;
use super::incoming::{Element, Known, Said};
use super::outgoing::{Iq, Presence, StreamCondition, StreamError};
use super::transport::Buffered;
use super::xml_stream::{Received, StreamFault, XmlStream};

/// How long the server may take to answer `</stream:stream>` with its own (RFC 6120 4.4).
pub const CLOSE_LIMIT: Duration = Duration::from_secs(2);

/// How long a last word to a broken stream may take.
const LAST_WORD_LIMIT: Duration = Duration::from_secs(1);

/// What the connection has to say.
#[derive(Debug)]
pub enum Out {
    /// A stanza.
    Iq(Iq),
    /// The initial presence.
    Presence(Presence),
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
    StreamError(Said),
    /// It broke.
    #[error(transparent)]
    Fault(#[from] StreamFault),
}

/// The events of a session, until its last. What is sent into `outgoing` is written; if its sender is dropped, the stream
/// is closed.
pub fn events(session: Session, outgoing: UnboundedReceiver<Out>) -> impl Stream<Item = Event> {
    let wire = Wire { stream: session.stream, outgoing, ended: false };
    unfold(wire, |mut wire| async move {
        let event = wire.event().await?;
        Some((event, wire))
    })
}

struct Wire {
    stream: XmlStream<Buffered>,
    outgoing: UnboundedReceiver<Out>,
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
            Err(fault) => {
                self.ended = true;
                self.last_word(&fault).await;
                Some(Event::Ended(End::Fault(fault)))
            }
        }
    }

    async fn next(&mut self) -> Result<Event, StreamFault> {
        loop {
            tokio::select! {
                biased;
                out = self.outgoing.recv() => match out {
                    Some(Out::Iq(iq)) => self.stream.queue(&iq)?,
                    Some(Out::Presence(presence)) => self.stream.queue(&presence)?,
                    Some(Out::Close) | None => return Ok(self.close().await),
                },
                received = self.stream.next() => match received? {
                    Received::Header { .. } => {}
                    Received::Element(element) => match *element {
                        Element::Known(Known::StreamError(error)) => {
                            self.answer_footer().await;
                            return Ok(Event::Ended(End::StreamError(error.said)));
                        }
                        other => return Ok(Event::Element(Box::new(other))),
                    },
                    Received::Footer => {
                        self.answer_footer().await;
                        return Ok(Event::Ended(End::ClosedByServer));
                    }
                },
            }
        }
    }

    /// Our `</stream:stream>`, the server's, and the connection's end (RFC 6120 4.4).
    async fn close(&mut self) -> Event {
        self.stream.close();
        let footer = async {
            while let Ok(received) = self.stream.next().await {
                if matches!(received, Received::Footer) {
                    break;
                }
            }
        };
        let _ = tokio::time::timeout(CLOSE_LIMIT, footer).await;
        let _ = tokio::time::timeout(LAST_WORD_LIMIT, self.stream.shutdown()).await;
        Event::Ended(End::Closed)
    }

    async fn answer_footer(&mut self) {
        self.stream.close();
        let farewell = async {
            let _ = self.stream.flush().await;
            let _ = self.stream.shutdown().await;
        };
        let _ = tokio::time::timeout(LAST_WORD_LIMIT, farewell).await;
    }

    /// Says why we leave, where there is something to say (RFC 6120 4.9.1.1).
    async fn last_word(&mut self, fault: &StreamFault) {
        let condition = match fault {
            StreamFault::TooLarge => StreamCondition::PolicyViolation,
            StreamFault::NotXml(_) => StreamCondition::NotWellFormed,
            _ => return,
        };
        if self.stream.queue(&StreamError { condition }).is_ok() {
            self.answer_footer().await;
        }
    }
}
