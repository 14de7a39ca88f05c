//! A connection to `ubusd` that is kept up: calls, an object of our own, events.

mod driver;

use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::timeout;

use self::driver::{ClientCommand, Driver};
use super::call::{Call, CallError, MAX_CALLS};
use super::connection::Dial;
use super::object::{Incoming, Object};
use super::state::BusState;
use crate::document::Table;

/// A handle for calls and events.
#[derive(Clone)]
pub struct Client {
    commands: mpsc::Sender<ClientCommand>,
    states: watch::Receiver<BusState>,
}

impl Client {
    /// Calls a method within `limit`; gives the tables of its answer, of which there may be none or several. Where there is
    /// no connection one is made at once.
    ///
    /// # Errors
    /// [`CallError`]
    pub async fn call(
        &self,
        path: &str,
        method: &str,
        arguments: Table,
        limit: Duration,
    ) -> Result<Vec<Table>, CallError> {
        let (outcome, ended) = oneshot::channel();
        let call = Call { path: path.to_owned(), method: method.to_owned(), arguments, outcome };
        let call = async {
            self.commands.send(ClientCommand::Call(call)).await.map_err(|_| CallError::Stopped)?;
            ended.await.unwrap_or(Err(CallError::Stopped))
        };
        timeout(limit, call).await.unwrap_or(Err(CallError::Timeout(limit)))
    }

    /// Follows the state of the connection.
    #[must_use]
    pub fn states(&self) -> watch::Receiver<BusState> {
        self.states.clone()
    }

    /// Sends an event, if there is a connection. Returns whether there was room for it.
    #[must_use]
    pub fn event(&self, id: &'static str, data: Table) -> bool {
        self.commands.try_send(ClientCommand::Event { id, data }).is_ok()
    }
}

/// A client, the future that does its work and ends when all clients are gone, and the requests for `object`.
pub fn client<D: Dial>(dial: D, object: Object) -> (Client, impl Future<Output = ()>, mpsc::Receiver<Incoming>) {
    let (commands, received) = mpsc::channel(2 * MAX_CALLS);
    let (incoming, requests) = mpsc::channel(MAX_CALLS);
    let (state, states) = watch::channel(BusState::Unknown);
    let driver = Driver::new(dial, object, received, incoming, state);
    (Client { commands, states }, driver.run(), requests)
}

#[cfg(test)]
mod tests;
