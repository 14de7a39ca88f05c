//! The servers of a pass, and which one is next. Pure.

use std::fmt;

use crate::config::model::{ConnectionSettings, ServerAlgorithm};
use crate::xmpp::resolve::{Query, ResolveError};
use crate::xmpp::servers::{ResolvedServer, Target};

/// The servers of the present pass, and what the next pass looks up.
#[derive(Default)]
pub(super) struct ServerList {
    servers: Vec<ResolvedServer>,
    present: usize,
    /// Whether the present pass, or between passes the next one, is the fallback: the domain's own addresses.
    fallback: bool,
    /// Failed passes through the list since the last fallback or stream.
    failed_passes: u32,
}

impl ServerList {
    /// The server that is attempted or connected, or was last.
    pub(super) fn present(&self) -> Option<&ResolvedServer> {
        self.servers.get(self.present)
    }

    /// Whether the present server is the last one of the pass.
    pub(super) fn is_last(&self) -> bool {
        self.present + 1 >= self.servers.len()
    }

    /// Begins a pass through these servers.
    pub(super) fn begin_pass(&mut self, servers: Vec<ResolvedServer>) {
        self.servers = servers;
        self.present = 0;
    }

    /// Moves on to the next server of the pass.
    pub(super) fn advance(&mut self) {
        self.present += 1;
    }

    /// Inserts the target of `see-other-host` behind the present server and moves on to it. If it fails, the rest of the pass
    /// follows.
    pub(super) fn redirect(&mut self, servers: Vec<ResolvedServer>) {
        let next = (self.present + 1).min(self.servers.len());
        self.servers.splice(next..next, servers);
        self.present = next;
    }

    /// Drops the servers, which were looked up too long ago.
    pub(super) fn clear(&mut self) {
        self.begin_pass(Vec::new());
    }

    /// A stream was established: the list gets all its passes again before the fallback.
    pub(super) fn online(&mut self) {
        (self.fallback, self.failed_passes) = (false, 0);
    }

    /// All servers of the pass have failed. After `attempts` passes through the list (0: one) the fallback gets one
    /// (RFC 6120 3.2.2).
    pub(super) fn pass_failed(&mut self, attempts: u32) {
        if self.fallback {
            (self.fallback, self.failed_passes) = (false, 0);
        } else {
            self.failed_passes = self.failed_passes.saturating_add(1);
            self.fallback = self.failed_passes >= attempts.max(1);
        }
    }

    /// The lookup failed. If no SRV lookup was answered, list and fallback alternate, because some forwarders never answer
    /// such queries. There is no fallback for a domain that says, or may say, that it has no service (RFC 2782). Any other
    /// failure counts as a failed pass.
    pub(super) fn lookup_failed(&mut self, error: &ResolveError, settings: &ConnectionSettings) {
        self.clear();
        match error {
            ResolveError::SrvFailed { .. } => (self.fallback, self.failed_passes) = (true, 0),
            ResolveError::NoService(_) => {}
            ResolveError::Failed { .. } if !self.fallback && settings.algorithm == ServerAlgorithm::DnsSrv => {}
            _ => self.pass_failed(settings.retry.attempts),
        }
    }

    /// What the next pass looks up.
    pub(super) fn query(&self, settings: &ConnectionSettings, ascii_domain: &str) -> Query {
        let domain = || Query::Targets(vec![Target::domain(ascii_domain)]);
        match settings.algorithm {
            _ if self.fallback => domain(),
            ServerAlgorithm::Dns => domain(),
            ServerAlgorithm::DnsSrv => Query::Srv { domain: ascii_domain.to_owned(), use_tls: settings.use_tls },
            ServerAlgorithm::ServerTable => match Target::table(&settings.servers) {
                table if table.is_empty() => domain(),
                table => Query::Targets(table),
            },
        }
    }
}

/// The servers of the pass, for the log.
impl fmt::Display for ServerList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, server) in self.servers.iter().enumerate() {
            write!(f, "{}{server}", if n == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::load::load;
    use crate::config::model::ConnectionId;

    fn settings(options: &str) -> ConnectionSettings {
        let text = format!(
            "config connection\n option username u\n option domain a.test\n option enable 1\n {options}\n\
             config connection_server\n option con_id 1\n option enable 1\n option server_address one.a.test\n"
        );
        let loaded = load(Path::new("xmpp"), text.as_bytes()).unwrap();
        assert_eq!(loaded.problems, []);
        loaded.settings.connections[&ConnectionId(1)].clone()
    }

    fn domain() -> Query {
        Query::Targets(vec![Target::domain("a.test")])
    }

    fn list(algorithm: &str) -> (ConnectionSettings, Query) {
        let settings = settings(&format!("option serveralgorithm {algorithm}"));
        let query = ServerList::default().query(&settings, "a.test");
        (settings, query)
    }

    fn servers(hosts: &[&str]) -> Vec<ResolvedServer> {
        hosts.iter().map(|host| ResolvedServer::new(Target::domain(host), &[[127, 0, 0, 1].into()])).collect()
    }

    /// The hosts of the pass from the present one on.
    fn rest(servers: &ServerList) -> Vec<&str> {
        servers.servers[servers.present..].iter().map(|server| server.target.host.as_str()).collect()
    }

    fn failed() -> ResolveError {
        ResolveError::Failed { name: "a.test".to_owned(), reason: "SERVFAIL".to_owned() }
    }

    fn srv_failed() -> ResolveError {
        ResolveError::SrvFailed { domain: "a.test".to_owned(), reason: "REFUSED".to_owned() }
    }

    #[test]
    fn each_algorithm_has_its_list() {
        let (settings, query) = list("ServerTable");
        assert_eq!(query, Query::Targets(Target::table(&settings.servers)));
        assert_eq!(list("DNS-SRV").1, Query::Srv { domain: "a.test".to_owned(), use_tls: true });
        assert_eq!(list("DNS").1, domain());
    }

    #[test]
    fn without_a_row_the_domain_itself_is_used() {
        let (mut settings, _) = list("ServerTable");
        settings.servers[0].enable = false;
        assert_eq!(ServerList::default().query(&settings, "a.test"), domain());
    }

    /// `attempt` passes through the list, one fallback, and so on.
    #[test]
    fn the_fallback_follows_as_many_passes_as_attempt_says() {
        for algorithm in ["ServerTable", "DNS-SRV"] {
            let (settings, query) = list(algorithm);
            for (attempts, passes) in [(0, 1), (1, 1), (3, 3), (16, 16)] {
                let mut servers = ServerList::default();
                for _ in 0..3 {
                    for pass in 1..=passes {
                        assert_eq!(
                            servers.query(&settings, "a.test"),
                            query,
                            "{algorithm}, attempt {attempts}, {pass}"
                        );
                        servers.pass_failed(attempts);
                    }
                    assert_eq!(servers.query(&settings, "a.test"), domain(), "{algorithm}, attempt {attempts}");
                    servers.pass_failed(attempts);
                }
            }
        }
    }

    #[test]
    fn failed_srv_lookups_and_the_fallback_alternate() {
        let (settings, query) = list("DNS-SRV");
        let mut servers = ServerList::default();
        for _ in 0..3 {
            assert_eq!(servers.query(&settings, "a.test"), query);
            servers.lookup_failed(&srv_failed(), &settings);
            assert_eq!(servers.query(&settings, "a.test"), domain());
            servers.lookup_failed(&failed(), &settings);
        }
        servers.lookup_failed(&srv_failed(), &settings);
        servers.pass_failed(16);
        assert_eq!(servers.query(&settings, "a.test"), query, "the domain's pass failed later");
    }

    #[test]
    fn a_table_that_cannot_be_looked_up_is_a_failed_pass() {
        for error in [failed(), ResolveError::NoAddress("one.a.test".to_owned())] {
            let (settings, query) = list("ServerTable");
            let mut servers = ServerList::default();
            for _ in 0..16 {
                assert_eq!(servers.query(&settings, "a.test"), query);
                servers.lookup_failed(&error, &settings);
            }
            assert_eq!(servers.query(&settings, "a.test"), domain());
        }
    }

    /// The lookup that failed may hide that the domain has no service.
    #[test]
    fn a_domain_without_a_service_is_asked_for_it_again() {
        let (settings, query) = list("DNS-SRV");
        for error in [ResolveError::NoService("a.test".to_owned()), failed()] {
            let mut servers = ServerList::default();
            for _ in 0..20 {
                servers.lookup_failed(&error, &settings);
                assert_eq!(servers.query(&settings, "a.test"), query);
            }
        }
    }

    #[test]
    fn a_stream_resets_the_count_of_passes() {
        let (settings, query) = list("DNS-SRV");
        let mut servers = ServerList::default();
        servers.pass_failed(2);
        servers.online();
        servers.pass_failed(2);
        assert_eq!(servers.query(&settings, "a.test"), query);
        servers.pass_failed(2);
        assert_eq!(servers.query(&settings, "a.test"), domain());
        servers.online();
        assert_eq!(servers.query(&settings, "a.test"), query);
    }

    #[test]
    fn a_redirect_comes_before_the_rest_of_the_pass() {
        let mut list = ServerList::default();
        list.begin_pass(servers(&["a", "b", "c"]));
        list.advance();
        list.redirect(servers(&["x"]));
        assert_eq!(rest(&list), ["x", "c"]);
        list.redirect(servers(&["y"]));
        assert_eq!(rest(&list), ["y", "c"]);
        list.advance();
        assert!(list.is_last());
        list.redirect(servers(&["z"]));
        assert_eq!((rest(&list), list.is_last()), (vec!["z"], true));
    }

    #[test]
    fn a_redirect_is_the_only_server_after_the_list_was_dropped() {
        let mut list = ServerList::default();
        list.begin_pass(servers(&["a", "b"]));
        list.clear();
        assert!(list.is_last() && list.present().is_none());
        list.redirect(servers(&["x"]));
        assert_eq!((rest(&list), list.is_last()), (vec!["x"], true));
    }

    #[test]
    fn servers_are_printed_in_their_order() {
        let mut list = ServerList::default();
        list.begin_pass(servers(&["a", "127.0.0.1"]));
        assert_eq!(list.to_string(), "a (127.0.0.1:5222), 127.0.0.1:5222");
    }
}
