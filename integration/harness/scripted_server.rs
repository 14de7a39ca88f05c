//! A server scripted by the test, byte by byte, for what a real server would not send.

mod peer;

use std::future::Future;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, SupportedProtocolVersion};
use tokio::net::TcpListener;
use tokio::task::AbortHandle;
use tokio_rustls::TlsAcceptor;

use super::ca::{Ca, ServerCert, Validity};
use super::server::Endpoint;
use super::wait::until;

pub use peer::Peer;

/// The mechanisms of an ordinary server without channel binding.
pub const MECHANISMS: &str = "<mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>\
    <mechanism>SCRAM-SHA-256</mechanism><mechanism>SCRAM-SHA-1</mechanism><mechanism>PLAIN</mechanism></mechanisms>";
/// The feature STARTTLS, required.
pub const STARTTLS: &str = "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'><required/></starttls>";
/// The features after the login.
pub const BIND: &str = "<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/>";

/// A scripted server. Dropping it closes all connections.
pub struct ScriptedServer {
    ca: Ca,
    port: u16,
    seen: Arc<Mutex<Vec<Seen>>>,
    tasks: Arc<Mutex<Vec<AbortHandle>>>,
}

/// The record of one connection.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    /// All that the client sent, decrypted.
    pub received: String,
    /// The result of the script once it has ended; an error if the client did not do what was expected.
    pub end: Option<Result<(), String>>,
}

impl ScriptedServer {
    /// Serves `domain` on a free port of 127.0.0.1. Runs `script` for each connection, counted from 0, and closes the
    /// connection when it returns.
    pub async fn start<F, Fut>(domain: &str, script: F) -> Self
    where
        F: Fn(usize, Peer) -> Fut + 'static,
        Fut: Future<Output = io::Result<()>> + Send + 'static,
        F: Send,
    {
        Self::start_with(domain, rustls::ALL_VERSIONS, script).await
    }

    /// As [`start`](Self::start), with these versions of TLS.
    pub async fn start_with<F, Fut>(domain: &str, versions: &[&'static SupportedProtocolVersion], script: F) -> Self
    where
        F: Fn(usize, Peer) -> Fut + Send + 'static,
        Fut: Future<Output = io::Result<()>> + Send + 'static,
    {
        let ca = Ca::new();
        let directory = tempfile::tempdir().unwrap();
        let acceptor = acceptor(&ca.server_cert(directory.path(), &[domain], Validity::Now), versions);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen: Arc<Mutex<Vec<Seen>>> = Arc::default();
        let tasks: Arc<Mutex<Vec<AbortHandle>>> = Arc::default();
        let (list, running) = (Arc::clone(&seen), Arc::clone(&tasks));
        let domain = domain.to_owned();
        let accepting = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let number = list.lock().unwrap().len();
                list.lock().unwrap().push(Seen::default());
                let peer = Peer::new(stream, acceptor.clone(), domain.clone(), number, Arc::clone(&list));
                let run = script(number, peer);
                let list = Arc::clone(&list);
                let task = tokio::spawn(async move {
                    let end = run.await.map_err(|error| error.to_string());
                    list.lock().unwrap()[number].end = Some(end);
                });
                running.lock().unwrap().push(task.abort_handle());
            }
        });
        tasks.lock().unwrap().push(accepting.abort_handle());
        Self { ca, port, seen, tasks }
    }

    /// The records of all connections so far.
    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// Waits until the script of this connection, counted from 0, has ended; fails if it ended with an error.
    pub async fn wait_finished(&self, connection: usize, limit: Duration) -> Seen {
        let seen = until(&format!("the end of the script of connection {connection}"), limit, || {
            self.seen().get(connection).filter(|seen| seen.end.is_some()).cloned()
        })
        .await;
        assert_eq!(seen.end, Some(Ok(())), "received: {:?}", seen.received);
        seen
    }
}

impl Endpoint for ScriptedServer {
    fn port(&self) -> u16 {
        self.port
    }

    fn ca_pem(&self) -> PathBuf {
        self.ca.pem()
    }
}

impl Drop for ScriptedServer {
    fn drop(&mut self) {
        for task in &*self.tasks.lock().unwrap() {
            task.abort();
        }
        if std::thread::panicking() {
            eprintln!("--- the scripted server's connections: {:#?}", self.seen());
        }
    }
}

fn acceptor(certificate: &ServerCert, versions: &[&'static SupportedProtocolVersion]) -> TlsAcceptor {
    let chain = CertificateDer::pem_file_iter(&certificate.certificate).unwrap().map(Result::unwrap).collect();
    let key = PrivateKeyDer::from_pem_file(&certificate.key).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_protocol_versions(versions)
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}
