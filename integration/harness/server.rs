//! What the real servers have in common, so that one test runs on each of them.

use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;

use connreq::tls::Trust;
use connreq::{Account, Requester};

use super::ca::{Ca, Validity};
use super::prosody::PASSWORD;
use super::wait::{LIMIT, until};
use super::wire::Wire;

/// Something that a connection can be pointed to.
pub trait Endpoint {
    /// STARTTLS, or no TLS at all, on 127.0.0.1.
    fn port(&self) -> u16;

    /// The authority that signed its certificate, as a PEM file.
    fn ca_pem(&self) -> PathBuf;
}

/// How often a full JID came online in the server's present run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entries {
    /// A resource was bound.
    pub bound: usize,
    /// A stream was resumed (XEP-0198 5).
    pub resumed: usize,
}

/// What a test may want of either server.
#[derive(Debug, Clone, Copy)]
pub struct Wanted {
    /// Stream management with resumption (XEP-0198).
    pub smacks: bool,
    /// No stream without STARTTLS.
    pub require_tls: bool,
    /// No TLS 1.3.
    pub tls12_only: bool,
    /// SASL mechanisms that are not offered.
    pub disabled_mechanisms: &'static [&'static str],
    /// Domains of external components (XEP-0114), which connect with [`PASSWORD`].
    pub components: &'static [&'static str],
}

impl Default for Wanted {
    fn default() -> Self {
        Self { smacks: false, require_tls: true, tls12_only: false, disabled_mechanisms: &[], components: &[] }
    }
}

/// A real server.
pub trait Server: Endpoint + Sized {
    /// Whether an IQ with no child, or with several, gets through it. One of a component does in any case.
    const PASSES_MALFORMED_IQS: bool;

    /// Starts one that serves these hosts.
    async fn launch(hosts: &[&str], wanted: Wanted) -> Self;

    /// How often a client asked for an acknowledgement (XEP-0198 4), in all.
    fn acknowledgement_requests(&self) -> usize;

    /// Whether the server knows that the connection of this full JID is lost, and waits for it to be resumed.
    fn hibernates(&self, full_jid: &str) -> bool;

    /// Direct TLS (XEP-0368), on 127.0.0.1 and `::1`.
    fn direct_tls_port(&self) -> u16;

    /// External components (XEP-0114), on 127.0.0.1.
    fn component_port(&self) -> u16;

    /// The authority that signed the hosts' certificates.
    fn ca(&self) -> &Ca;

    /// Creates an account, or sets its password; the server is running.
    fn add_account(&self, bare_jid: &str, password: &str);

    /// Deletes an account; the server is running, and ends its sessions.
    fn delete_account(&self, bare_jid: &str);

    /// Changes the password of an account that has one session; the server is running, and ends the session.
    fn change_password(&self, full_jid: &str, password: &str);

    /// Ends the session of this full JID.
    fn end_session(&self, full_jid: &str);

    /// Gives the hosts other certificates, of the same authority. They are shown from the next [reload](Self::reload) or
    /// start on.
    fn renew_certificates(&self, validity: Validity);

    /// Has a server that is running read its configuration and certificates again. The streams stay.
    async fn reload(&mut self);

    /// The port of the client that holds this full JID at present, as the server sees it.
    fn client_port(&self, full_jid: &str) -> Option<u16>;

    /// How often this full JID came online.
    fn entries(&self, full_jid: &str) -> Entries;

    /// SIGSTOP: connections stay, nothing is answered.
    fn freeze(&mut self);

    /// SIGCONT
    fn thaw(&mut self);

    /// SIGKILL: no stream is ended.
    async fn kill(&mut self);

    /// SIGTERM: the streams are ended.
    async fn stop(&mut self) -> ExitStatus;

    /// Starts it again, on the same ports and with the same data.
    async fn start_again(&mut self);

    /// Waits until this full JID is online; gives the client's port.
    async fn wait_client(&self, full_jid: &str, limit: Duration) -> u16 {
        until(&format!("{full_jid} online"), limit, || self.client_port(full_jid)).await
    }

    /// How an account with the harness's password reaches this server.
    fn account_of(&self, jid: &str) -> Account {
        Account {
            jid: jid.parse().expect("a JID"),
            password: PASSWORD.into(),
            server: Some(format!("127.0.0.1:{}", self.port())),
            trust: Trust::File(self.ca_pem()),
        }
    }

    /// Creates the account and logs in with it, as an ACS does.
    async fn acs(&self, jid: &str) -> Requester {
        self.add_account(jid.split('/').next().unwrap(), PASSWORD);
        match Requester::connect(self.account_of(jid), LIMIT).await {
            Ok(requester) => requester,
            Err(error) => panic!("{jid} cannot log in: {error}"),
        }
    }

    /// Creates the account and logs in with it, as a client that says exactly what it is told to.
    async fn raw(&self, full_jid: &str) -> Wire {
        self.add_account(full_jid.split('/').next().unwrap(), PASSWORD);
        Wire::login(self.account_of(full_jid)).await
    }

    /// Connects as one of the wanted components.
    async fn component(&self, domain: &str) -> Wire {
        Wire::component(self.component_port(), domain, PASSWORD).await
    }
}

/// Makes a test of each of these functions on each of the servers: `async fn name<S: Server>()`.
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
