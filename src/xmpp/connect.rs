//! Opens a TCP connection to a server: the first step of an attempt. [`log_in`](super::login::log_in) does the rest.

use tokio::time::timeout;

use super::attempt::{AttemptError, Cause, Step};
use super::race::race;
use super::servers::{ResolvedServer, ServerAddress};
use super::step_time::STEP_LIMIT;
use super::transport::Transport;

/// Connects to the first address of the server that accepts a connection (RFC 8305 5).
///
/// # Errors
/// [`Cause::NotConnected`]
pub async fn connect(server: &ResolvedServer) -> Result<(ServerAddress, Transport), AttemptError> {
    let connect = |address| async move {
        let connection = timeout(STEP_LIMIT, Transport::connect(address)).await;
        Ok(connection.map_err(|_| Cause::Timeout)??)
    };
    match race(&server.sockets(), connect).await {
        Ok((socket, transport)) => Ok((ServerAddress { host: server.target.host.clone(), socket }, transport)),
        Err(lost) => Err(AttemptError { step: Step::Connect, cause: Cause::NotConnected(lost) }),
    }
}
