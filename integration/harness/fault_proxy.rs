//! A TCP proxy between xmppd and its server that simulates network faults.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustix::net::sockopt::set_socket_linger;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::AbortHandle;

use super::wait::until;

/// What happens to a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flow {
    /// Data is forwarded in both directions.
    Pass,
    /// Nothing is forwarded, not even a FIN: both sides see a half-open connection.
    Stall,
    /// Like `Stall`, but only from the client to the server.
    StallClient,
    /// Both sides get a RST.
    Reset,
    /// Both sides get a FIN.
    Close,
}

/// What happens to new connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum NewConnections {
    Accept,
    /// They get a RST.
    Refuse,
    /// They are accepted and stalled.
    Stall,
}

/// A proxy that listens on one port and connects to another. Dropping it closes all connections.
pub struct FaultProxy {
    address: SocketAddr,
    new_connections: watch::Sender<NewConnections>,
    flows: Arc<Mutex<Vec<watch::Sender<Flow>>>>,
    listener: AbortHandle,
}

impl FaultProxy {
    /// Starts a proxy to `port` of 127.0.0.1, on a free port of 127.0.0.1.
    pub async fn to_port(port: u16) -> Self {
        Self::listen_at(SocketAddr::from(([127, 0, 0, 1], 0)), port).await
    }

    /// Starts a proxy to `port` of 127.0.0.1 that listens at `address`.
    pub async fn listen_at(address: SocketAddr, port: u16) -> Self {
        let listener = TcpListener::bind(address).await.unwrap_or_else(|error| panic!("{address}: {error}"));
        let address = listener.local_addr().unwrap();
        let flows: Arc<Mutex<Vec<watch::Sender<Flow>>>> = Arc::default();
        let (new_connections, policy) = watch::channel(NewConnections::Accept);
        let list = Arc::clone(&flows);
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let initial = match *policy.borrow() {
                    NewConnections::Accept => Flow::Pass,
                    NewConnections::Stall => Flow::Stall,
                    NewConnections::Refuse => {
                        reset(&client);
                        continue;
                    }
                };
                let (sender, flow) = watch::channel(initial);
                list.lock().unwrap().push(sender);
                tokio::spawn(forward(client, port, flow));
            }
        });
        Self { address, new_connections, flows, listener: task.abort_handle() }
    }

    /// The address on which it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The port on which it listens.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// The number of connections accepted so far; refused ones do not count.
    pub fn connections(&self) -> usize {
        self.flows.lock().unwrap().len()
    }

    /// Waits until at least `count` connections were accepted.
    pub async fn wait_connections(&self, count: usize, limit: Duration) {
        until(&format!("{count} connections at the proxy"), limit, || (self.connections() >= count).then_some(()))
            .await;
    }

    /// Resets new connections.
    pub fn refuse_new(&self) {
        self.new_connections.send_replace(NewConnections::Refuse);
    }

    /// Forwards new connections to the server.
    pub fn accept_new(&self) {
        self.new_connections.send_replace(NewConnections::Accept);
    }

    /// Stops forwarding on the present connections, in both directions.
    pub fn stall(&self) {
        self.set_flow(Flow::Stall);
    }

    /// Stops forwarding from clients to the server on the present connections.
    pub fn stall_client(&self) {
        self.set_flow(Flow::StallClient);
    }

    /// Forwards on the present connections again, including what was held back.
    pub fn resume(&self) {
        self.set_flow(Flow::Pass);
    }

    /// Stalls present and new connections: a network that drops all packets.
    pub fn go_silent(&self) {
        self.new_connections.send_replace(NewConnections::Stall);
        self.stall();
    }

    /// Ends [`go_silent`](Self::go_silent).
    pub fn restore(&self) {
        self.accept_new();
        self.resume();
    }

    /// Ends the present connections with a RST to both sides.
    pub fn reset_connections(&self) {
        self.set_flow(Flow::Reset);
    }

    /// Ends the present connections with a FIN to both sides.
    pub fn close_connections(&self) {
        self.set_flow(Flow::Close);
    }

    fn set_flow(&self, flow: Flow) {
        for connection in &*self.flows.lock().unwrap() {
            connection.send_replace(flow);
        }
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.listener.abort();
        self.close_connections();
    }
}

async fn forward(client: TcpStream, port: u16, flow: watch::Receiver<Flow>) {
    // A client whose server is down gets a RST, as it would without the proxy.
    let Ok(server) = TcpStream::connect(("127.0.0.1", port)).await else { return reset(&client) };
    for stream in [&client, &server] {
        let _ = stream.set_nodelay(true);
    }
    let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
    let up = pump(from_client, to_server, flow.clone(), &[Flow::Stall, Flow::StallClient]);
    let down = pump(from_server, to_client, flow, &[Flow::Stall]);
    // Both sockets are closed here, at the same time.
    let _ = tokio::join!(up, down);
}

/// Forwards in one direction until a side ends or the flow says so. Pauses while the flow is one of `stalled`.
async fn pump(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut flow: watch::Receiver<Flow>,
    stalled: &[Flow],
) -> OwnedReadHalf {
    let mut buffer = [0; 16 * 1024];
    loop {
        let now = *flow.borrow_and_update();
        match now {
            Flow::Reset => {
                reset(from.as_ref());
                reset(to.as_ref());
                // Dropping it would send a FIN before the RST.
                to.forget();
                return from;
            }
            Flow::Close => break,
            _ => {}
        }
        let read = tokio::select! {
            changed = flow.changed() => match changed {
                Ok(()) => continue,
                Err(_) => break,
            },
            read = from.read(&mut buffer), if !stalled.contains(&now) => read,
        };
        match read {
            Ok(0) | Err(_) => {
                let _ = to.shutdown().await;
                break;
            }
            Ok(length) => {
                if to.write_all(&buffer[..length]).await.is_err() {
                    break;
                }
            }
        }
    }
    from
}

/// Makes the close of this socket send a RST.
fn reset(stream: &TcpStream) {
    let _ = set_socket_linger(stream, Some(Duration::ZERO));
}
