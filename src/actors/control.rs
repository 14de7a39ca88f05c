//! The control socket: one line of request, the answer, the end. `xmppd status` and `xmppd reconnect` speak to it.

use std::io;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use actix::{Actor, ActorFutureExt, AsyncContext, Context, StreamHandler, WrapFuture};
use futures_util::stream::unfold;
use rustix::fs::Mode;
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with};
use rustix::process::umask;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};

use super::fault_injection;
use super::registry::ConnectionRegistry;
use crate::status::{StatusTable, render};

/// How long a client may take to say what it wants and to read the answer.
const CLIENT_LIMIT: Duration = Duration::from_secs(5);

/// How long is waited before a client is accepted where that failed.
const ACCEPT_AGAIN: Duration = Duration::from_secs(1);

/// How long is waited before the socket is opened where that failed.
const OPEN_AGAIN: Duration = Duration::from_secs(5);

/// The longest request.
const MAX_REQUEST: u64 = 256;

/// The actor that owns the socket.
pub struct Control {
    socket: PathBuf,
    status: StatusTable,
    connections: ConnectionRegistry,
    /// The file of the socket, once it is open; it is removed at the end.
    ours: Option<FileId>,
    /// A failure to open the socket is logged.
    failure_logged: bool,
}

impl Control {
    /// An actor that opens the socket when it is started.
    #[must_use]
    pub fn new(socket: PathBuf, status: StatusTable, connections: ConnectionRegistry) -> Self {
        Self { socket, status, connections, ours: None, failure_logged: false }
    }

    /// Opens the socket. Where that fails the daemon's work goes on without it, and it is tried again, unless another
    /// xmppd listens there.
    fn listen(&mut self, ctx: &mut Context<Self>) {
        let path = &self.socket;
        let error = match open(path) {
            Ok(listener) => {
                if self.failure_logged {
                    crate::notice!("control socket: it works again");
                }
                self.ours = file_id(path);
                ctx.add_stream(Box::pin(unfold(Door { listener, failing: false }, |mut door| async move {
                    let client = door.client().await;
                    Some((client, door))
                })));
                return;
            }
            Err(error) => error,
        };
        if !std::mem::replace(&mut self.failure_logged, true) {
            tracing::warn!("control socket {}: {error}; 'xmppd status' will not work", path.display());
        }
        if error.kind() != io::ErrorKind::AddrInUse {
            ctx.run_later(OPEN_AGAIN, Self::listen);
        }
    }
}

/// Opens the socket for root alone. An old one that nobody listens on any more is replaced.
fn open(path: &Path) -> io::Result<UnixListener> {
    if let Some(directory) = path.parent() {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    }
    match is_listened_on(path) {
        Ok(()) => return Err(io::Error::new(io::ErrorKind::AddrInUse, "another xmppd listens there")),
        // What is no socket refuses connections too, and is not ours to remove.
        Err(Errno::CONNREFUSED) => {
            if !std::fs::symlink_metadata(path)?.file_type().is_socket() {
                return Err(io::Error::new(io::ErrorKind::AlreadyExists, "there is something else than a socket"));
            }
            std::fs::remove_file(path)?;
        }
        Err(_) => {}
    }
    // It is born with its mode: nobody gets in between. Nothing else makes files here while the mask holds.
    let mask = umask(Mode::RWXG | Mode::RWXO | Mode::XUSR);
    let listener = UnixListener::bind(path);
    umask(mask);
    listener
}

/// Knocks at the socket without waiting: one that listens may be stopped, with a full queue of clients.
fn is_listened_on(path: &Path) -> Result<(), Errno> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    match connect(&socket, &SocketAddrUnix::new(path)?) {
        Err(Errno::AGAIN) => Ok(()),
        outcome => outcome,
    }
}

/// Device and inode.
type FileId = (u64, u64);

fn file_id(path: &Path) -> Option<FileId> {
    std::fs::symlink_metadata(path).ok().map(|metadata| (metadata.dev(), metadata.ino()))
}

/// Where clients come in.
struct Door {
    listener: UnixListener,
    /// The last one could not.
    failing: bool,
}

impl Door {
    /// Waits for a client. When there is no descriptor for it, it is kept waiting until there is: that must not become a
    /// busy loop.
    async fn client(&mut self) -> UnixStream {
        loop {
            let error = match self.listener.accept().await {
                Ok((client, _)) => {
                    if std::mem::take(&mut self.failing) {
                        crate::notice!("control socket: it works again");
                    }
                    return client;
                }
                Err(error) => error,
            };
            if !std::mem::replace(&mut self.failing, true) {
                tracing::warn!("control socket: {error}; 'xmppd status' has to wait");
            }
            tokio::time::sleep(ACCEPT_AGAIN).await;
        }
    }
}

impl Actor for Control {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        fault_injection::register(&"control", ctx);
        fault_injection::start(&"control");
        self.listen(ctx);
    }

    fn stopped(&mut self, _: &mut Context<Self>) {
        let path = &self.socket;
        // It may have been removed, and another xmppd may have opened its own since.
        if self.ours.is_some() && self.ours == file_id(path) {
            let _ = std::fs::remove_file(path);
        }
    }
}

impl StreamHandler<UnixStream> for Control {
    fn handle(&mut self, client: UnixStream, ctx: &mut Context<Self>) {
        let (status, connections) = (self.status.clone(), self.connections.clone());
        let conversation = tokio::time::timeout(CLIENT_LIMIT, converse(client, status, connections));
        ctx.spawn(conversation.into_actor(self).map(|ended, _, _| {
            if let Ok(Err(error)) = ended {
                tracing::debug!("control socket: {error}");
            }
        }));
    }

    fn finished(&mut self, _: &mut Context<Self>) {}
}

async fn converse(client: UnixStream, status: StatusTable, connections: ConnectionRegistry) -> io::Result<()> {
    let mut client = BufReader::new(client);
    let mut request = String::new();
    (&mut client).take(MAX_REQUEST).read_line(&mut request).await?;
    let answer = answer(request.trim(), &status, &connections);
    client.write_all(answer.as_bytes()).await?;
    client.shutdown().await
}

fn answer(request: &str, status: &StatusTable, connections: &ConnectionRegistry) -> String {
    let words: Vec<&str> = request.split_whitespace().collect();
    match words.as_slice() {
        ["status"] => render(&status.all(), tokio::time::Instant::now()),
        ["reconnect"] => {
            connections.reconnect_all();
            "ok\n".to_owned()
        }
        _ => fault_injection::handle_request(request).unwrap_or_else(|| {
            format!("error: '{}' is no request; expected status or reconnect\n", request.escape_debug())
        }),
    }
}

super::stops_at_once!(Control, "control");
fault_injection::handles_crash!(Control);

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[tokio::test]
    async fn only_a_socket_that_nobody_listens_on_is_replaced() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("new/xmppd.sock");
        let first = open(&path).unwrap();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(&directory.path().join("new"))), (0o600, 0o700));
        assert_eq!(open(&path).unwrap_err().kind(), io::ErrorKind::AddrInUse);
        drop(first);
        assert!(path.exists());
        open(&path).unwrap();
        let file = directory.path().join("xmpp");
        std::fs::write(&file, "config xmpp 'xmpp'\n").unwrap();
        assert_eq!(open(&file).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert!(file.exists());
    }

    #[tokio::test]
    async fn one_that_listens_and_takes_no_clients_is_not_waited_for() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("xmppd.sock");
        let _listener = open(&path).unwrap();
        // As many clients as its queue takes, and one more.
        let mut clients = Vec::new();
        loop {
            let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
            let client = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None).unwrap();
            match connect(&client, &SocketAddrUnix::new(&path).unwrap()) {
                Ok(()) => clients.push(client),
                Err(error) => break assert_eq!(error, Errno::AGAIN, "after {} clients", clients.len()),
            }
        }
        assert_eq!(open(&path).unwrap_err().kind(), io::ErrorKind::AddrInUse);
    }
}
