//! Connects to `ubusd` again and again, and carries the messages of a [session](crate::ubus::session).

use std::io;
use std::time::Duration;

use bytes::BytesMut;
use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, sleep_until, timeout};

use crate::document::Table;
use crate::ubus::call::{Call, CallError, MAX_CALLS};
use crate::ubus::connection::Dial;
use crate::ubus::message::{FrameError, Message, kind};
use crate::ubus::object::{Incoming, Object};
use crate::ubus::session::{AnswerTo, BusSession, Effect, IncomingCall};
use crate::ubus::state::BusState;
use crate::ubus::status::StatusCode;

/// How long `ubusd` may take to accept a connection and to send its HELLO.
const CONNECT_LIMIT: Duration = Duration::from_secs(2);

/// The wait before the first reconnection; each further one is twice as long.
const FIRST_WAIT: Duration = Duration::from_secs(1);
/// The longest wait, and the only one as long as there has been no bus. A connection that held for so long starts anew with
/// the first wait.
pub(super) const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// When more than this waits to be written, nothing more is read or begun.
pub(super) const MAX_OUTPUT: usize = 256 << 10;

/// A larger input buffer is given back when it is empty.
const KEPT_INPUT: usize = 64 << 10;

/// What a client asks for.
pub(super) enum ClientCommand {
    /// A call.
    Call(Call),
    /// An event, if there is a connection.
    Event { id: &'static str, data: Table },
}

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
enum Ended {
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("{0}")]
    Frame(#[from] FrameError),
    #[error("closed by the peer")]
    Closed,
    #[error("the peer does not begin with HELLO")]
    NoHello,
    #[error("no HELLO within {} s", CONNECT_LIMIT.as_secs())]
    Slow,
    /// All clients are gone.
    #[error("stopped")]
    Stopped,
}

/// What keeps the connection up, and serves it.
pub(super) struct Driver<D> {
    dial: D,
    object: Object,
    commands: mpsc::Receiver<ClientCommand>,
    incoming: mpsc::Sender<Incoming>,
    /// The last wait before a reconnection.
    wait: Option<Duration>,
    connected_before: bool,
    /// The WARNING was logged: nothing more is until the bus is back.
    loss_logged: bool,
    state: watch::Sender<BusState>,
}

impl<D: Dial> Driver<D> {
    /// `incoming` gets the requests for `object`, and `state` what becomes of the connection.
    pub(super) fn new(
        dial: D,
        object: Object,
        commands: mpsc::Receiver<ClientCommand>,
        incoming: mpsc::Sender<Incoming>,
        state: watch::Sender<BusState>,
    ) -> Self {
        let (wait, connected_before, loss_logged) = (None, false, false);
        Self { dial, object, commands, incoming, wait, connected_before, loss_logged, state }
    }

    /// Runs until all clients are gone.
    pub(super) async fn run(mut self) {
        let mut waiting = None;
        loop {
            match self.connect().await {
                Ok((stream, input)) => {
                    self.log_connected();
                    let began = Instant::now();
                    let mut session = BusSession::new(self.object);
                    if let Some(call) = waiting.take() {
                        session.call(call);
                    }
                    let ended = self.serve(stream, input, &mut session).await;
                    session.fail_all(&CallError::Lost(ended.to_string()));
                    if matches!(ended, Ended::Stopped) {
                        return;
                    }
                    if began.elapsed() >= LONGEST_WAIT {
                        self.wait = None;
                    }
                    self.log_lost(&ended);
                }
                Err(error) => {
                    self.log_lost(&error);
                    if let Some(call) = waiting.take() {
                        Call::end(call, Err(CallError::NoBus(error.to_string())));
                    }
                }
            }
            let Some(call) = self.pause().await else { return };
            waiting = call;
        }
    }

    /// Waits before the next attempt, or until a call needs one. None: all clients are gone.
    async fn pause(&mut self) -> Option<Option<Call>> {
        let wait = match self.wait {
            _ if !self.connected_before => LONGEST_WAIT,
            None => FIRST_WAIT,
            Some(wait) => LONGEST_WAIT.min(2 * wait),
        };
        self.wait = Some(wait);
        let over = sleep_until(Instant::now() + wait);
        tokio::pin!(over);
        loop {
            tokio::select! {
                () = &mut over => return Some(None),
                command = self.commands.recv() => match command? {
                    ClientCommand::Call(call) if !call.outcome.is_closed() => return Some(Some(call)),
                    // An event that cannot be sent now would be out of date later.
                    ClientCommand::Call(_) | ClientCommand::Event { .. } => {}
                },
            }
        }
    }

    async fn connect(&self) -> Result<(D::Stream, BytesMut), Ended> {
        let connect = async {
            let mut stream = self.dial.dial().await?;
            let mut input = BytesMut::new();
            loop {
                match Message::take(&mut input)? {
                    Some(message) if message.kind == kind::HELLO => return Ok((stream, input)),
                    Some(_) => return Err(Ended::NoHello),
                    None if stream.read_buf(&mut input).await? == 0 => return Err(Ended::Closed),
                    None => {}
                }
            }
        };
        timeout(CONNECT_LIMIT, connect).await.unwrap_or(Err(Ended::Slow))
    }

    async fn serve(&mut self, stream: D::Stream, mut input: BytesMut, session: &mut BusSession) -> Ended {
        let (mut reader, mut writer) = tokio::io::split(stream);
        let mut answers = FuturesUnordered::new();
        let mut publish_again = None;
        // What came together with HELLO.
        if let Err(ended) = self.take_all(&mut input, session, &mut answers, &mut publish_again) {
            return ended;
        }
        loop {
            let room = session.out.len() < MAX_OUTPUT;
            input.reserve(1024);
            tokio::select! {
                read = reader.read_buf(&mut input), if room => {
                    let taken = match read {
                        Ok(0) => Err(Ended::Closed),
                        Ok(_) => self.take_all(&mut input, session, &mut answers, &mut publish_again),
                        Err(error) => Err(error.into()),
                    };
                    if let Err(ended) = taken {
                        return ended;
                    }
                }
                written = writer.write(&session.out), if !session.out.is_empty() => match written {
                    Ok(0) => return Ended::Closed,
                    Ok(written) => drop(session.out.drain(..written)),
                    Err(error) => return error.into(),
                },
                command = self.commands.recv(), if room => match command {
                    Some(ClientCommand::Call(call)) => session.call(call),
                    Some(ClientCommand::Event { id, data }) => session.event(id, data),
                    None => return Ended::Stopped,
                },
                Some((to, answer)) = answers.next() => session.answer(to, answer),
                () = until(publish_again) => {
                    publish_again = None;
                    session.publish();
                }
            }
        }
    }

    /// Takes all complete messages off the input.
    fn take_all(
        &mut self,
        input: &mut BytesMut,
        session: &mut BusSession,
        answers: &mut FuturesUnordered<BoxFuture<'static, CallAnswer>>,
        publish_again: &mut Option<Instant>,
    ) -> Result<(), Ended> {
        while let Some(message) = Message::take(input)? {
            match session.receive(message) {
                Some(Effect::Invoked(invocation)) => {
                    if let Err((to, status)) = self.hand_over(invocation, answers) {
                        session.answer(to, Err(status));
                    }
                }
                Some(Effect::Published) => tracing::debug!("ubus: object published: path={}", self.object.path),
                Some(Effect::PublishRefused(status)) => {
                    let path = self.object.path;
                    tracing::warn!("ubus: the object is refused: {status} path={path}; another xmppd may have it");
                    *publish_again = Some(Instant::now() + LONGEST_WAIT);
                }
                None => {}
            }
        }
        if input.is_empty() && input.capacity() > KEPT_INPUT {
            *input = BytesMut::new();
        }
        Ok(())
    }

    fn hand_over(
        &mut self,
        invocation: IncomingCall,
        answers: &mut FuturesUnordered<BoxFuture<'static, CallAnswer>>,
    ) -> Result<(), (AnswerTo, StatusCode)> {
        let IncomingCall { method, arguments, answer_to } = invocation;
        if !self.object.methods.iter().any(|known| known.name == method) {
            return Err((answer_to, StatusCode::METHOD_NOT_FOUND));
        }
        let arguments = arguments.map_err(|_| (answer_to, StatusCode::INVALID_ARGUMENT))?;
        if answers.len() >= MAX_CALLS {
            return Err((answer_to, StatusCode::NO_MEMORY));
        }
        let (answer, answered) = oneshot::channel();
        if self.incoming.try_send(Incoming { method, arguments, answer }).is_err() {
            return Err((answer_to, StatusCode::UNKNOWN_ERROR));
        }
        answers.push(Box::pin(async move { (answer_to, answered.await.unwrap_or(Err(StatusCode::UNKNOWN_ERROR))) }));
        Ok(())
    }

    fn log_connected(&mut self) {
        self.state.send_replace(BusState::Connected);
        if std::mem::take(&mut self.loss_logged) {
            crate::notice!("ubus: connected again");
        } else {
            tracing::info!("ubus: connected");
        }
        self.connected_before = true;
    }

    fn log_lost(&mut self, error: &Ended) {
        self.state.send_replace(BusState::Lost(error.to_string()));
        if !std::mem::replace(&mut self.loss_logged, true) {
            tracing::warn!("ubus: no connection: {error}; xmppd offers nothing there until it is back");
        }
    }
}

type CallAnswer = (AnswerTo, Result<Table, StatusCode>);

/// Waits for a point in time, or without end.
async fn until(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => std::future::pending().await,
    }
}
