//! The servers of a connection, and whose turn it is.

use std::fmt;

use crate::config::model::{Connection as Settings, ServerAlgorithm};
use crate::xmpp::resolve::Query;
use crate::xmpp::retry::Next;
use crate::xmpp::servers::{Address, Target};

/// The flat list of addresses of this round, and the one that it is the turn of.
#[derive(Default)]
pub(super) struct ServerList {
    pub(super) addresses: Vec<Address>,
    pub(super) present: usize,
    /// With `ServerTable`: the table was used up, so that the domain itself is next (RFC 6120 3.2).
    pub(super) fallback: bool,
    /// `see-other-host`
    pub(super) redirect: Option<Target>,
    /// The list is what `see-other-host` named, not what the settings or DNS name.
    elsewhere: bool,
}

impl ServerList {
    pub(super) fn present(&self) -> Option<&Address> {
        self.addresses.get(self.present)
    }

    pub(super) fn is_last(&self) -> bool {
        self.present + 1 >= self.addresses.len()
    }

    /// With `ServerTable` table and domain take turns; where we were sent in between is neither.
    pub(super) fn used_up(&mut self) {
        self.fallback ^= !self.elsewhere;
    }

    /// Where we were sent is tried once: a server that sends its clients to a host that is away, or a word that is out of
    /// date, must not keep them from their own servers for as long as all attempts at one address take.
    pub(super) fn no_second_try_elsewhere(&self, next: Next) -> Next {
        match next {
            Next::Again(wait) if self.elsewhere && self.is_last() => Next::NewRound(wait),
            Next::Again(wait) if self.elsewhere => Next::NextAddress(wait),
            next => next,
        }
    }

    /// What is looked up for the next round; a redirection is followed once.
    pub(super) fn query(&mut self, settings: &Settings, ascii_domain: &str) -> Query {
        let redirect = self.redirect.take();
        self.elsewhere = redirect.is_some();
        if let Some(target) = redirect {
            return Query::Targets(vec![target]);
        }
        match settings.algorithm {
            ServerAlgorithm::DnsSrv => Query::Srv { domain: ascii_domain.to_owned(), use_tls: settings.use_tls },
            ServerAlgorithm::ServerTable => {
                let table = Target::table(&settings.servers);
                if self.fallback || table.is_empty() {
                    Query::Targets(vec![Target::domain(ascii_domain)])
                } else {
                    Query::Targets(table)
                }
            }
        }
    }
}

/// A list of addresses in the log.
pub(super) struct Listed<'a>(pub(super) &'a [Address]);

impl fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, address) in self.0.iter().enumerate() {
            write!(f, "{}{address}", if n == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::load;
    use crate::config::model::ConnectionId;

    fn settings(options: &str) -> Settings {
        let text = format!(
            "config connection\n option username u\n option domain a.test\n option enable 1\n {options}\n\
             config connection_server\n option con_id 1\n option enable 1\n option server_address one.a.test\n"
        );
        let loaded = load(Path::new("xmpp"), text.as_bytes()).unwrap();
        assert_eq!(loaded.problems, []);
        loaded.settings.connections[&ConnectionId(1)].clone()
    }

    #[test]
    fn the_table_and_the_domain_take_turns() {
        let settings = settings("option serveralgorithm ServerTable");
        let mut servers = ServerList::default();
        assert_eq!(servers.query(&settings, "a.test"), Query::Targets(Target::table(&settings.servers)));
        servers.fallback = true;
        assert_eq!(servers.query(&settings, "a.test"), Query::Targets(vec![Target::domain("a.test")]));
    }

    #[test]
    fn without_a_row_the_domain_is_all_there_is() {
        let mut settings = settings("option serveralgorithm ServerTable");
        settings.servers[0].enable = false;
        let query = ServerList::default().query(&settings, "a.test");
        assert_eq!(query, Query::Targets(vec![Target::domain("a.test")]));
    }

    #[test]
    fn a_redirection_is_followed_once() {
        let settings = settings("option usetls 0");
        let elsewhere = Target::domain("other.test");
        let mut servers = ServerList { redirect: Some(elsewhere.clone()), ..ServerList::default() };
        assert_eq!(servers.query(&settings, "a.test"), Query::Targets(vec![elsewhere]));
        let records = Query::Srv { domain: "a.test".to_owned(), use_tls: false };
        assert_eq!(servers.query(&settings, "a.test"), records);
    }
}
