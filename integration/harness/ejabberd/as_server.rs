//! ejabberd as a [`Server`].

use std::path::PathBuf;
use std::process::ExitStatus;

use rustix::process::Signal;
use serde_json::json;

use super::{Ejabberd, Options, parts};
use crate::harness::ca::{Ca, Validity};
use crate::harness::server::{Endpoint, LoginCounts, Server, ServerOptions};
use crate::harness::wait::{LIMIT, until};

impl Endpoint for Ejabberd {
    fn port(&self) -> u16 {
        self.ports.starttls
    }

    fn ca_pem(&self) -> PathBuf {
        self.ca.pem()
    }
}

impl Server for Ejabberd {
    const FORWARDS_MALFORMED_IQS: bool = true;

    async fn launch(hosts: &[&str], wanted: ServerOptions) -> Self {
        let options = Options {
            smacks: wanted.smacks,
            require_tls: wanted.require_tls,
            without_tls: if wanted.tls12_only { vec!["no_tlsv1_3"] } else { Vec::new() },
            disabled_mechanisms: wanted.disabled_mechanisms.to_vec(),
            components: wanted.components,
            ..Options::default()
        };
        Self::start_with(hosts, options).await
    }

    fn acknowledgement_requests(&self) -> usize {
        let request = |line: &&str| line.contains("Received XML") && line.contains("<r xmlns='urn:xmpp:sm:3'");
        self.log().lines().filter(request).count()
    }

    fn hibernates(&self, full_jid: &str) -> bool {
        let log = self.log();
        let last = |line: &&str| line.contains(full_jid) && (line.contains("Closing c2s") || line.contains("Resumed"));
        log.lines().rfind(last).is_some_and(|line| line.contains("waiting"))
    }

    fn direct_tls_port(&self) -> u16 {
        self.ports.direct_tls
    }

    fn component_port(&self) -> u16 {
        self.ports.component
    }

    fn ca(&self) -> &Ca {
        &self.ca
    }

    fn add_account(&self, bare_jid: &str, password: &str) {
        let (user, host, _) = parts(bare_jid);
        if self.ask("register", &json!({"user": user, "host": host, "password": password})).is_err() {
            let change = json!({"user": user, "host": host, "newpass": password});
            self.ask("change_password", &change).unwrap_or_else(|error| panic!("{bare_jid}: {error}"));
        }
        self.accounts.borrow_mut().insert(bare_jid.to_owned(), password.to_owned());
    }

    fn delete_account(&self, bare_jid: &str) {
        let (user, host, _) = parts(bare_jid);
        self.ask("unregister", &json!({"user": user, "host": host})).unwrap();
        self.accounts.borrow_mut().remove(bare_jid);
    }

    fn change_password(&self, full_jid: &str, password: &str) {
        self.add_account(full_jid.split('/').next().unwrap(), password);
        self.kick(full_jid);
    }

    fn end_session(&self, full_jid: &str) {
        self.kick(full_jid);
    }

    fn renew_certificates(&self, validity: Validity) {
        let hosts: Vec<&str> = self.hosts.iter().map(String::as_str).collect();
        let certificate = self.ca.server_cert(self.directory.path(), &hosts, validity);
        let both = [&certificate.certificate, &certificate.key].map(|file| std::fs::read_to_string(file).unwrap());
        std::fs::write(self.file("certificate.pem"), both.concat()).unwrap();
    }

    async fn reload(&mut self) {
        self.ask("reload_config", &json!({})).unwrap();
    }

    fn client_port(&self, full_jid: &str) -> Option<u16> {
        let sessions = self.ask("connected_users_info", &json!({})).expect("the API answers");
        let session = sessions.as_array()?.iter().find(|session| session["jid"] == full_jid)?;
        u16::try_from(session["port"].as_u64()?).ok()
    }

    fn login_counts(&self, full_jid: &str) -> LoginCounts {
        let log = self.log();
        let count = |what: &str| {
            let line = format!("{what} {full_jid}");
            log[self.log_before..].lines().filter(|logged| logged.ends_with(&line)).count()
        };
        LoginCounts { bound: count("Opened c2s session for"), resumed: count("Resumed session for") }
    }

    fn freeze(&mut self) {
        self.running().signal(Signal::STOP);
    }

    fn thaw(&mut self) {
        self.running().signal(Signal::CONT);
    }

    /// Waits until the accounts are on the disk, which may take a second, and kills the server.
    async fn kill(&mut self) {
        until("the accounts on the disk", LIMIT, || self.accounts_are_written().then_some(())).await;
        self.process.take().expect("ejabberd is not running").end(Signal::KILL, LIMIT).await;
    }

    async fn stop(&mut self) -> ExitStatus {
        self.process.take().expect("ejabberd is not running").end(Signal::TERM, LIMIT).await
    }

    async fn start_again(&mut self) {
        assert!(self.process.is_none(), "ejabberd is running already");
        assert!(self.try_start().await, "ejabberd does not start again:\n{}", self.log());
    }
}
