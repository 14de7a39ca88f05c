//! Prosody as a [`Server`].

use std::path::PathBuf;
use std::process::ExitStatus;

use rustix::process::Signal;

use super::{Options, Prosody};
use crate::harness::ca::{Ca, Validity};
use crate::harness::server::{Endpoint, LoginCounts, Server, ServerOptions};
use crate::harness::sessions::EventKind;
use crate::harness::wait::LIMIT;

impl Endpoint for Prosody {
    fn port(&self) -> u16 {
        self.ports.starttls
    }

    fn ca_pem(&self) -> PathBuf {
        self.ca.pem()
    }
}

impl Server for Prosody {
    const FORWARDS_MALFORMED_IQS: bool = false;

    async fn launch(hosts: &[&str], wanted: ServerOptions) -> Self {
        let disabled: Vec<String> = wanted.disabled_mechanisms.iter().map(|name| format!("{name:?}")).collect();
        let options = Options {
            smacks: wanted.smacks,
            require_tls: wanted.require_tls,
            tls12_only: wanted.tls12_only,
            components: wanted.components,
            lua: format!("disable_sasl_mechanisms = {{ {} }}", disabled.join("; ")),
            ..Options::default()
        };
        Self::start_with(hosts, options).await
    }

    fn acknowledgement_requests(&self) -> usize {
        self.log().lines().filter(|line| line.contains("Received ack request")).count()
    }

    fn hibernates(&self, full_jid: &str) -> bool {
        self.sessions().get(full_jid).is_some_and(|session| session.hibernating)
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
        let path = self.account_file(bare_jid);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let escaped = password.replace('\\', "\\\\").replace('"', "\\\"");
        let new = path.with_extension("new");
        std::fs::write(&new, format!("return {{ [\"password\"] = \"{escaped}\"; }};\n")).unwrap();
        std::fs::rename(new, path).unwrap();
    }

    fn delete_account(&self, bare_jid: &str) {
        self.shell(&["user", "delete", bare_jid]);
    }

    fn change_password(&self, full_jid: &str, password: &str) {
        self.shell(&["user", "password", full_jid.split('/').next().unwrap(), password]);
    }

    fn end_session(&self, full_jid: &str) {
        self.shell(&["c2s", "close", full_jid]);
    }

    fn renew_certificates(&self, validity: Validity) {
        for host in &self.hosts {
            self.ca.server_cert(self.directory.path(), &[host], validity);
        }
    }

    async fn reload(&mut self) {
        self.shell(&["config", "reload"]);
    }

    fn client_port(&self, full_jid: &str) -> Option<u16> {
        self.sessions().remove(full_jid).filter(|session| !session.hibernating).map(|session| session.port)
    }

    fn login_counts(&self, full_jid: &str) -> LoginCounts {
        let events = self.events();
        let run = events.iter().rposition(|event| event.kind == EventKind::Started).unwrap_or(0);
        let count = |kind: &EventKind| events[run..].iter().filter(|e| e.jid == full_jid && e.kind == *kind).count();
        LoginCounts { bound: count(&EventKind::Bind), resumed: count(&EventKind::Resume) }
    }

    fn freeze(&mut self) {
        self.running().signal(Signal::STOP);
    }

    fn thaw(&mut self) {
        self.running().signal(Signal::CONT);
    }

    async fn kill(&mut self) {
        self.process.take().expect("Prosody is not running").end(Signal::KILL, LIMIT).await;
    }

    async fn stop(&mut self) -> ExitStatus {
        self.process.take().expect("Prosody is not running").end(Signal::TERM, LIMIT).await
    }

    async fn start_again(&mut self) {
        assert!(self.process.is_none(), "Prosody is running already");
        assert!(self.try_start().await, "Prosody does not start again:\n{}", self.log());
    }
}
