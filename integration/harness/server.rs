//! The common interface of the real servers, so that a test can run on each of them.

use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;

use connreq::tls::Trust;
use connreq::{Account, Requester};

use super::ca::{Ca, Validity};
use super::prosody::PASSWORD;
use super::raw_client::RawClient;
use super::wait::{LIMIT, until};

/// A server that a connection can be configured for.
pub trait Endpoint {
    /// The port for STARTTLS or no TLS, on 127.0.0.1.
    fn port(&self) -> u16;

    /// The CA that issued its certificate, as a PEM file.
    fn ca_pem(&self) -> PathBuf;
}

/// How often a full JID came online since the server was started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoginCounts {
    /// Resources bound.
    pub bound: usize,
    /// Streams resumed (XEP-0198 5).
    pub resumed: usize,
}

/// Options that both servers have.
#[derive(Debug, Clone, Copy)]
pub struct ServerOptions {
    /// Stream management with resumption (XEP-0198).
    pub smacks: bool,
    /// STARTTLS is required.
    pub require_tls: bool,
    /// TLS 1.3 is disabled.
    pub tls12_only: bool,
    /// SASL mechanisms to disable.
    pub disabled_mechanisms: &'static [&'static str],
    /// Domains of external components (XEP-0114), which connect with [`PASSWORD`].
    pub components: &'static [&'static str],
}

impl Default for ServerOptions {
    fn default() -> Self {
        Self { smacks: false, require_tls: true, tls12_only: false, disabled_mechanisms: &[], components: &[] }
    }
}

/// A real server.
pub trait Server: Endpoint + Sized {
    /// Whether it forwards an IQ with no child or with several. Both servers forward those of a component.
    const FORWARDS_MALFORMED_IQS: bool;

    /// Starts a server for these hosts.
    async fn launch(hosts: &[&str], wanted: ServerOptions) -> Self;

    /// The number of acknowledgements requested by clients (XEP-0198 4).
    fn acknowledgement_requests(&self) -> usize;

    /// Returns whether the server has noticed the loss of this full JID's connection and waits for its resumption.
    fn hibernates(&self, full_jid: &str) -> bool;

    /// The direct TLS port (XEP-0368), on all [`ports::loopbacks`](super::ports::loopbacks).
    fn direct_tls_port(&self) -> u16;

    /// The port for external components (XEP-0114), on 127.0.0.1.
    fn component_port(&self) -> u16;

    /// The CA that issued the hosts' certificates.
    fn ca(&self) -> &Ca;

    /// Creates an account, or sets its password; sessions stay. ejabberd must be running.
    fn add_account(&self, bare_jid: &str, password: &str);

    /// Deletes an account and ends its sessions. The server must be running.
    fn delete_account(&self, bare_jid: &str);

    /// Changes the password of an account that has one session, and ends the session. The server must be running.
    fn change_password(&self, full_jid: &str, password: &str);

    /// Ends the session of this full JID.
    fn end_session(&self, full_jid: &str);

    /// Issues new certificates for the hosts, from the same CA. They are used after the next [reload](Self::reload) or
    /// start.
    fn renew_certificates(&self, validity: Validity);

    /// Makes a running server read its configuration and certificates again. Streams stay.
    async fn reload(&mut self);

    /// The port of the client that has this full JID, as the server sees it.
    fn client_port(&self, full_jid: &str) -> Option<u16>;

    /// How often this full JID came online.
    fn login_counts(&self, full_jid: &str) -> LoginCounts;

    /// SIGSTOP: connections stay, nothing is answered.
    fn freeze(&mut self);

    /// SIGCONT
    fn thaw(&mut self);

    /// SIGKILL: streams are not closed.
    async fn kill(&mut self);

    /// SIGTERM: streams are closed.
    async fn stop(&mut self) -> ExitStatus;

    /// Starts it again, on the same ports and with the same data.
    async fn start_again(&mut self);

    /// Waits until this full JID is online. Returns the client's port.
    async fn wait_client(&self, full_jid: &str, limit: Duration) -> u16 {
        until(&format!("{full_jid} online"), limit, || self.client_port(full_jid)).await
    }

    /// Creates an account with [`PASSWORD`], or resets its password.
    fn account(&self, bare_jid: &str) {
        self.add_account(bare_jid, PASSWORD);
    }

    /// The data for a login with the harness's password to this server.
    fn account_of(&self, jid: &str) -> Account {
        Account {
            jid: jid.parse().expect("a JID"),
            password: PASSWORD.into(),
            server: Some(format!("127.0.0.1:{}", self.port())),
            trust: Trust::File(self.ca_pem()),
        }
    }

    /// Creates the account and logs in as an ACS.
    async fn acs(&self, jid: &str) -> Requester {
        self.account(jid.split('/').next().unwrap());
        match Requester::connect(self.account_of(jid), LIMIT).await {
            Ok(requester) => requester,
            Err(error) => panic!("{jid} cannot log in: {error}"),
        }
    }

    /// Creates the account and logs in with a raw client.
    async fn raw_client(&self, full_jid: &str) -> RawClient {
        self.account(full_jid.split('/').next().unwrap());
        RawClient::login(self.account_of(full_jid)).await
    }

    /// Connects as one of the configured components.
    async fn component(&self, domain: &str) -> RawClient {
        RawClient::component(self.component_port(), domain, PASSWORD).await
    }
}

/// Defines a test for each server from each of these functions: `async fn name<S: Server>()`.
macro_rules! on_each_server {
    ($($name:ident),+ $(,)?) => {
        mod on_prosody {
            $(#[tokio::test]
            async fn $name() {
                super::$name::<$crate::harness::Prosody>().await;
            })+
        }
        mod on_ejabberd {
            $(#[tokio::test]
            async fn $name() {
                super::$name::<$crate::harness::Ejabberd>().await;
            })+
        }
    };
}
pub(crate) use on_each_server;
