//! A TCP proxy between xmppd and its server, on which the network can be made to fail.

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
    /// What comes in goes out.
    Pass,
    /// Nothing goes out, and no end of either side is passed on: half-open for both.
    Hold,
    /// As `Hold`, for what the client says alone.
    HoldClient,
    /// Both sides get a RST.
    Reset,
    /// Both sides get a FIN.
    Close,
}

/// What happens to those who connect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Door {
    Open,
    Shut,
    /// Nothing of theirs goes out, either.
    Lost,
}

/// A gate; closed with all of its connections when it is dropped.
pub struct Gate {
    address: SocketAddr,
    door: watch::Sender<Door>,
    connections: Arc<Mutex<Vec<watch::Sender<Flow>>>>,
    listener: AbortHandle,
}

impl Gate {
    /// A gate on a free port of 127.0.0.1 before this port of 127.0.0.1.
    pub async fn before(port: u16) -> Self {
        Self::at(SocketAddr::from(([127, 0, 0, 1], 0)), port).await
    }

    /// A gate at this address before this port of 127.0.0.1.
    pub async fn at(address: SocketAddr, port: u16) -> Self {
        let listener = TcpListener::bind(address).await.unwrap_or_else(|error| panic!("{address}: {error}"));
        let address = listener.local_addr().unwrap();
        let connections: Arc<Mutex<Vec<watch::Sender<Flow>>>> = Arc::default();
        let (door, shut) = watch::channel(Door::Open);
        let list = Arc::clone(&connections);
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let door = *shut.borrow();
                if door == Door::Shut {
                    reset(&client);
                    continue;
                }
                let (flow, told) = watch::channel(if door == Door::Lost { Flow::Hold } else { Flow::Pass });
                list.lock().unwrap().push(flow);
                tokio::spawn(carry(client, port, told));
            }
        });
        Self { address, door, connections, listener: task.abort_handle() }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The port on which it listens.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// How many connections came so far; those that met a shut door do not count.
    pub fn connections(&self) -> usize {
        self.connections.lock().unwrap().len()
    }

    /// Waits until so many connections came.
    pub async fn wait_connections(&self, count: usize, limit: Duration) {
        until(&format!("{count} connections at the gate"), limit, || (self.connections() >= count).then_some(())).await;
    }

    /// Whoever connects from now on gets a RST.
    pub fn shut(&self) {
        self.door.send_replace(Door::Shut);
    }

    /// Whoever connects from now on reaches the server.
    pub fn open(&self) {
        self.door.send_replace(Door::Open);
    }

    /// From now on nothing is passed on on the present connections, in neither direction.
    pub fn hold(&self) {
        self.turn(Flow::Hold);
    }

    /// The network is gone without a word: nothing is passed on, on the present connections and on new ones.
    pub fn lose(&self) {
        self.door.send_replace(Door::Lost);
        self.hold();
    }

    /// The network is back: what was held is passed on.
    pub fn find(&self) {
        self.open();
        self.resume();
    }

    /// From now on nothing of what the client says reaches the server on the present connections.
    pub fn hold_client(&self) {
        self.turn(Flow::HoldClient);
    }

    /// Passes on what was held.
    pub fn resume(&self) {
        self.turn(Flow::Pass);
    }

    /// Ends the present connections with a RST to both sides.
    pub fn cut(&self) {
        self.turn(Flow::Reset);
    }

    /// Ends the present connections with a FIN to both sides.
    pub fn close(&self) {
        self.turn(Flow::Close);
    }

    fn turn(&self, flow: Flow) {
        for connection in &*self.connections.lock().unwrap() {
            connection.send_replace(flow);
        }
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.listener.abort();
        self.close();
    }
}

async fn carry(client: TcpStream, port: u16, flow: watch::Receiver<Flow>) {
    // With nobody behind it the client is to be told at once.
    let Ok(server) = TcpStream::connect(("127.0.0.1", port)).await else { return reset(&client) };
    for stream in [&client, &server] {
        let _ = stream.set_nodelay(true);
    }
    let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
    let up = pump(from_client, to_server, flow.clone(), &[Flow::Hold, Flow::HoldClient]);
    let down = pump(from_server, to_client, flow, &[Flow::Hold]);
    // The sockets are closed here, both of them together.
    let _ = tokio::join!(up, down);
}

/// Carries what comes until one side ends or the gate is told to; while the flow is one of `still` it waits.
async fn pump(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut flow: watch::Receiver<Flow>,
    still: &[Flow],
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
            read = from.read(&mut buffer), if !still.contains(&now) => read,
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

/// Closing this socket sends a RST.
fn reset(stream: &TcpStream) {
    let _ = set_socket_linger(stream, Some(Duration::ZERO));
}
