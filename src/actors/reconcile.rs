//! Brings the connections that run to the desired settings: asks their supervisor what runs, and sends it the difference.
//!
//! What runs is always asked anew, so that a request that was refused or lost is made again at the next reload.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use actix::{Addr, MailboxError};
use futures_util::future::join_all;

use super::registry::Slot;
use crate::config::model::{Connection, ConnectionId, General, Settings};
use crate::config::{Changes, diff};
use crate::supervision::{
    Child, ChildState, Children, RestartChild, StartChild, StopChild, SupervisionError, Supervisor, UpdateChild,
};

/// The supervisor of the connections.
pub(super) type ConnectionSupervisor = Supervisor<ConnectionId, Connection>;

/// A connection for its supervisor.
pub(super) type ConnectionChild = Child<ConnectionId, Connection>;

/// Sends the supervisor of the connections what has to be done.
#[derive(Clone)]
pub(super) struct Reconciler {
    pub(super) supervisor: Slot<Addr<ConnectionSupervisor>>,
    pub(super) new_child: Arc<dyn Fn(Connection) -> ConnectionChild + Send + Sync>,
}

const STOP: &str = "the request to stop";

/// A request that the supervisor did not carry out.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refused {
    pub(super) connection: ConnectionId,
    request: &'static str,
    reason: String,
}

impl Refused {
    /// Whether it was a request to stop a connection.
    pub(super) fn is_stop(&self) -> bool {
        self.request == STOP
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { connection, request, reason } = self;
        write!(f, "connection {connection}: {request} failed: {reason}; it is made again at the next reload")
    }
}

/// The requests that were sent.
pub(super) struct Sent {
    pub(super) changes: Changes,
    /// Completes when all are answered, which takes as long as the connections that are stopped.
    pub(super) refused: Pin<Box<dyn Future<Output = Vec<Refused>>>>,
}

impl Reconciler {
    /// Sends the requests that lead from what runs to `desired`: stop, restart, update in place, spawn, in this order,
    /// none waiting for another. `before` are the general settings that applied until now.
    ///
    /// # Errors
    /// The supervisor crashed. Its next incarnation starts the desired connections.
    pub(super) async fn apply(self, before: General, desired: Settings) -> Result<Sent, MailboxError> {
        let supervisor = self.supervisor.get().ok_or(MailboxError::Closed)?;
        let (running, down) = running(&supervisor).await?;
        let mut changes = diff(&running, &before, &desired);
        // A connection that was given up is started again when its section changes, however little.
        let (again, update) = changes.update.into_iter().partition(|connection| down.contains(&connection.id));
        changes.update = update;
        changes.restart.extend::<Vec<_>>(again);
        let mut answers: Vec<Pin<Box<dyn Future<Output = Option<Refused>>>>> = Vec::new();
        for id in &changes.stop {
            answers.push(Box::pin(answer(*id, STOP, supervisor.send(StopChild(*id)))));
        }
        for connection in &changes.restart {
            let request = supervisor.send(RestartChild((self.new_child)(connection.clone())));
            answers.push(Box::pin(answer(connection.id, "the request to restart", request)));
        }
        for connection in &changes.update {
            let request = supervisor.send(UpdateChild { id: connection.id, settings: connection.clone() });
            answers.push(Box::pin(answer(connection.id, "the request to update", request)));
        }
        for connection in &changes.spawn {
            let request = supervisor.send(StartChild((self.new_child)(connection.clone())));
            answers.push(Box::pin(answer(connection.id, "the request to start", request)));
        }
        let refused = Box::pin(async { join_all(answers).await.into_iter().flatten().collect() });
        Ok(Sent { changes, refused })
    }
}

type Running = BTreeMap<ConnectionId, Connection>;

/// The connections that the supervisor has, with the settings that they run by, and those of them that stay down.
async fn running(supervisor: &Addr<ConnectionSupervisor>) -> Result<(Running, BTreeSet<ConnectionId>), MailboxError> {
    let (mut running, mut down) = (BTreeMap::new(), BTreeSet::new());
    for (child, settings) in supervisor.send(Children::default()).await? {
        match child.state {
            ChildState::Running | ChildState::Restarting => {}
            ChildState::Ended | ChildState::GivenUp => _ = down.insert(child.id),
            ChildState::Stopping => continue,
        }
        running.insert(child.id, settings);
    }
    Ok((running, down))
}

async fn answer(
    connection: ConnectionId,
    request: &'static str,
    answer: impl Future<Output = Result<Result<(), SupervisionError<ConnectionId>>, MailboxError>>,
) -> Option<Refused> {
    let reason = match answer.await {
        Ok(Ok(())) => return None,
        Ok(Err(error)) => error.to_string(),
        Err(_) => "the supervisor of the connections crashed".to_owned(),
    };
    Some(Refused { connection, request, reason })
}

#[cfg(test)]
mod tests;
