//! The control socket: one line of request, the answer, the end. `xmppd status`, `xmppd tr181`,
//! `xmppd reload` and `xmppd reconnect` use it.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use actix::{Actor, ActorFutureExt, AsyncContext, Context, StreamHandler, WrapFuture};
use futures_util::stream::unfold;
use rustix::fs::{Mode, fchmod};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, connect, listen, socket_with};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};

use super::fault_injection;
use super::queries::Queries;
use super::supervised::{stops_at_once, supervised};
use crate::config::model::ConnectionId;
use crate::file::create_private_directory;
use crate::text::OneLine;

/// How long a client may take to say what it wants and to read the answer.
const CLIENT_LIMIT: Duration = Duration::from_secs(5);

/// How long is waited before a client is accepted where that failed.
const ACCEPT_AGAIN: Duration = Duration::from_secs(1);

/// How long is waited before the socket is opened where that failed.
const OPEN_AGAIN: Duration = Duration::from_secs(5);

/// How many clients may wait to be accepted.
const BACKLOG: i32 = 128;

/// The longest request.
const MAX_REQUEST: u64 = 256;

/// The actor that owns the socket.
pub struct Control {
    socket: PathBuf,
    queries: Queries,
    /// The file of the socket, once it is open; it is removed at the end.
    ours: Option<FileId>,
    /// A failure to open the socket is logged.
    failure_logged: bool,
}

impl Control {
    /// An actor that opens the socket when it is started.
    #[must_use]
    pub fn new(socket: PathBuf, queries: Queries) -> Self {
        Self { socket, queries, ours: None, failure_logged: false }
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

/// Opens the socket for root alone. An old one without a listener is replaced.
fn open(path: &Path) -> io::Result<UnixListener> {
    if let Some(directory) = path.parent() {
        create_private_directory(directory)?;
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
    // The file is created with the mode of the socket, so that it is never open to others. A umask would be that of all threads.
    let socket = stream_socket()?;
    fchmod(&socket, Mode::RUSR | Mode::WUSR)?;
    bind(&socket, &SocketAddrUnix::new(path)?)?;
    listen(&socket, BACKLOG)?;
    UnixListener::from_std(socket.into())
}

/// A socket that never blocks, bound to nothing.
fn stream_socket() -> Result<OwnedFd, Errno> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)
}

/// Knocks at the socket without waiting: one that listens may be stopped, with a full queue of clients.
fn is_listened_on(path: &Path) -> Result<(), Errno> {
    let socket = stream_socket()?;
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
        let conversation = tokio::time::timeout(CLIENT_LIMIT, converse(client, self.queries.clone()));
        ctx.spawn(conversation.into_actor(self).map(|ended, _, _| {
            if let Ok(Err(error)) = ended {
                tracing::debug!("control socket: {error}");
            }
        }));
    }

    fn finished(&mut self, _: &mut Context<Self>) {}
}

async fn converse(client: UnixStream, queries: Queries) -> io::Result<()> {
    let mut client = BufReader::new(client);
    let mut request = String::new();
    (&mut client).take(MAX_REQUEST).read_line(&mut request).await?;
    let answer = answer(request.trim(), &queries).await;
    client.write_all(answer.as_bytes()).await?;
    client.shutdown().await
}

async fn answer(request: &str, queries: &Queries) -> String {
    let words: Vec<&str> = request.split_whitespace().collect();
    let answer = match words.as_slice() {
        ["status"] => status("text", None, queries),
        ["status", form @ ("text" | "colour" | "json"), connection @ ..] if connection.len() < 2 => {
            status(form, connection.first().copied(), queries)
        }
        ["tr181", path @ ..] if path.len() < 2 => {
            queries.tr181_lines(path.first().copied().unwrap_or_default()).map_err(|error| error.to_string())
        }
        ["reconnect"] => queries.reconnect(None).map(|()| "ok\n".to_owned()).map_err(|error| error.to_string()),
        ["reload"] => {
            let report = queries.reload().await.map(|report| report.to_string());
            report.ok_or_else(|| "the configuration could not be read: its actor crashed".to_owned())
        }
        _ => fault_injection::handle_request(request).ok_or_else(|| {
            format!("'{}' is no request; expected status, tr181, reload or reconnect", request.escape_debug())
        }),
    };
    answer.unwrap_or_else(|error| format!("error: {error}\n"))
}

/// The status of all connections or one, as text, as text with colours, or as JSON.
///
/// # Errors
/// That there is no such connection.
fn status(form: &str, connection: Option<&str>, queries: &Queries) -> Result<String, String> {
    let only = connection.map(connection_id).transpose()?;
    let status = match form {
        "json" => queries.status(only).map(|document| format!("{document}\n")),
        form => queries.status_text(only, form == "colour"),
    };
    status.map_err(|error| error.to_string())
}

fn connection_id(text: &str) -> Result<ConnectionId, String> {
    let number = text.parse().map_err(|_| format!("there is no connection '{}'", OneLine(text)))?;
    Ok(ConnectionId(number))
}

supervised!(Control);
stops_at_once!(Control, "control");

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::time::Instant;

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
        // A process that another test has just forked keeps a copy of the descriptor until it executes its program.
        let start = Instant::now();
        while is_listened_on(&path) != Err(Errno::CONNREFUSED) {
            assert!(start.elapsed() < Duration::from_secs(60), "the socket is still open");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
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
