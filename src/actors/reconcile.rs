//! Makes the running connections match the desired settings: asks their supervisor what runs, and sends it the difference.
//!
//! What runs is asked at each reload, so that a request that failed is repeated at the next one.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use actix::{Addr, MailboxError};
use futures_util::future::join_all;

use super::registry::Slot;
use crate::config::diff::{Changes, diff};
use crate::config::model::{ConnectionId, ConnectionSettings, General, Settings};
use crate::supervision::decision::SupervisionError;
use crate::supervision::messages::{Children, NewChild, RestartChild, StartChild, StopChild, UpdateChild};
use crate::supervision::spec::ChildState;
use crate::supervision::supervisor::Supervisor;

/// The supervisor of the connections.
pub(super) type ConnectionSupervisor = Supervisor<ConnectionId, ConnectionSettings>;

/// A connection for its supervisor.
pub(super) type ConnectionChild = NewChild<ConnectionId, ConnectionSettings>;

/// Sends requests to the supervisor of the connections.
#[derive(Clone)]
pub(super) struct Reconciler {
    pub(super) supervisor: Slot<Addr<ConnectionSupervisor>>,
    pub(super) new_child: Arc<dyn Fn(ConnectionSettings) -> ConnectionChild + Send + Sync>,
}

const STOP: &str = "request to stop";

/// A request that the supervisor did not carry out.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct FailedRequest {
    pub(super) connection: ConnectionId,
    request: &'static str,
    reason: String,
}

impl FailedRequest {
    /// Whether it was a request to stop a connection.
    pub(super) fn is_stop(&self) -> bool {
        self.request == STOP
    }
}

impl fmt::Display for FailedRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { connection, request, reason } = self;
        write!(f, "connection {connection}: {request} failed: {reason}; repeated at the next reload")
    }
}

/// The requests that were sent.
pub(super) struct Sent {
    pub(super) changes: Changes,
    /// Completes when all are answered, which takes as long as stopping the connections.
    pub(super) failed: Pin<Box<dyn Future<Output = Vec<FailedRequest>>>>,
}

impl Reconciler {
    /// Sends the requests that lead from what runs to `desired`: stop, restart, update in place, start, in this order, without
    /// waiting for the answers. `before` are the general settings that applied until now.
    ///
    /// # Errors
    /// The supervisor crashed. Its next run starts the desired connections.
    pub(super) async fn apply(self, before: General, desired: Settings) -> Result<Sent, MailboxError> {
        let supervisor = self.supervisor.get().ok_or(MailboxError::Closed)?;
        let (running, down) = running(&supervisor).await?;
        let mut changes = diff(&running, &before, &desired);
        // Any change of its section starts a connection that was given up.
        let (again, update) = changes.update.into_iter().partition(|connection| down.contains(&connection.id));
        changes.update = update;
        changes.restart.extend::<Vec<_>>(again);
        let mut answers: Vec<Pin<Box<dyn Future<Output = Option<FailedRequest>>>>> = Vec::new();
        for id in &changes.stop {
            answers.push(Box::pin(answer(*id, STOP, supervisor.send(StopChild(*id)))));
        }
        for connection in &changes.restart {
            let request = supervisor.send(RestartChild((self.new_child)(connection.clone())));
            answers.push(Box::pin(answer(connection.id, "request to restart", request)));
        }
        for connection in &changes.update {
            let request = supervisor.send(UpdateChild { id: connection.id, settings: connection.clone() });
            answers.push(Box::pin(answer(connection.id, "request to update", request)));
        }
        for connection in &changes.start {
            let request = supervisor.send(StartChild((self.new_child)(connection.clone())));
            answers.push(Box::pin(answer(connection.id, "request to start", request)));
        }
        let failed = Box::pin(async { join_all(answers).await.into_iter().flatten().collect() });
        Ok(Sent { changes, failed })
    }
}

type RunningConnections = BTreeMap<ConnectionId, ConnectionSettings>;

/// The connections of the supervisor with their present settings, and those that are given up.
async fn running(
    supervisor: &Addr<ConnectionSupervisor>,
) -> Result<(RunningConnections, BTreeSet<ConnectionId>), MailboxError> {
    let (mut running, mut down) = (BTreeMap::new(), BTreeSet::new());
    for (child, settings) in supervisor.send(Children::default()).await? {
        match child.state {
            ChildState::Running | ChildState::Restarting => {}
            ChildState::GivenUp => _ = down.insert(child.id),
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
) -> Option<FailedRequest> {
    let reason = match answer.await {
        Ok(Ok(())) => return None,
        Ok(Err(error)) => error.to_string(),
        Err(_) => "the supervisor of the connections crashed".to_owned(),
    };
    Some(FailedRequest { connection, request, reason })
}

#[cfg(test)]
mod tests;
