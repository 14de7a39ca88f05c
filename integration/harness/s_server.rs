//! `openssl s_server` behind STARTTLS of XMPP: a TLS server with any certificate, version and cipher suite.

use std::net::TcpStream as Probe;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::io::{self, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;

use super::ca::ServerCert;
use super::process::{self, Process};
use super::server::Endpoint;
use super::wait::{LIMIT, until};
use super::{ports, scripted_server::STARTTLS};

/// A running server. It completes handshakes and sends nothing after them.
pub struct SServer {
    port: u16,
    ca: PathBuf,
    accepting: AbortHandle,
    _process: Process,
}

impl SServer {
    /// Starts a server with this certificate and these additional arguments. `ca` is for its clients to trust.
    pub async fn start(cert: &ServerCert, ca: &Path, arguments: &[&str]) -> Self {
        let inner = ports::free();
        let mut command = process::command("openssl");
        command
            .args(["s_server", "-quiet", "-accept", &inner.to_string(), "-cert"])
            .arg(&cert.certificate)
            .arg("-key")
            .arg(&cert.key)
            .args(arguments)
            // It exits when its standard input is closed.
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let mut process = Process::start("openssl s_server", &mut command);
        until("openssl s_server", LIMIT, || {
            assert!(process.exited().is_none(), "openssl s_server has ended");
            Probe::connect(("127.0.0.1", inner)).ok()
        })
        .await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let accepting = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(forward(client, inner));
            }
        });
        Self { port, ca: ca.to_owned(), accepting: accepting.abort_handle(), _process: process }
    }
}

/// Offers STARTTLS, and forwards what follows.
async fn forward(mut client: TcpStream, inner: u16) -> io::Result<()> {
    read_until(&mut client, "<stream:stream", &[">"]).await?;
    let header = "<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' \
                  version='1.0' id='s'><stream:features>";
    client.write_all(format!("{header}{STARTTLS}</stream:features>").as_bytes()).await?;
    read_until(&mut client, "<starttls", &["/>", "</starttls>"]).await?;
    client.write_all(b"<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>").await?;
    let mut server = TcpStream::connect(("127.0.0.1", inner)).await?;
    io::copy_bidirectional(&mut client, &mut server).await.map(drop)
}

/// Reads up to the first of `ends` after `start`.
async fn read_until(client: &mut TcpStream, start: &str, ends: &[&str]) -> io::Result<()> {
    let mut read = String::new();
    while !read.find(start).is_some_and(|at| ends.iter().any(|end| read[at..].contains(end))) {
        read.push(char::from(client.read_u8().await?));
    }
    Ok(())
}

impl Endpoint for SServer {
    fn port(&self) -> u16 {
        self.port
    }

    fn ca_pem(&self) -> PathBuf {
        self.ca.clone()
    }
}

impl Drop for SServer {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}
