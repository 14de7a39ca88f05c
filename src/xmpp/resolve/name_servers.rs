//! Looks up names at the name servers of a `resolv.conf`.

use std::future::Future;
use std::net::IpAddr;
use std::pin::pin;
use std::time::Duration;

use domain::base::iana::Rtype;
use futures_util::FutureExt;
use futures_util::future::{Either, select};
use tokio::time::timeout;

use super::exchange::exchange;
use super::failover::{Failures, QueryPolicy, ServerStates, ask_in_turn};
use super::message::{DnsQuestion, MAX_ALIASES, Name, RecordData};
use super::resolv_conf::ResolvConf;

/// Maximum duration of a lookup: the SRV records of one name, or the addresses of one host, from all name servers.
const LOOKUP_LIMIT: Duration = Duration::from_secs(8);

/// How long to wait for the second of A and AAAA after the first has yielded addresses (RFC 8305 3).
const RESOLUTION_DELAY: Duration = Duration::from_millis(50);

/// The name servers of a `resolv.conf`, with what is known about them.
#[derive(Debug)]
pub(super) struct NameServers {
    pub(super) conf: ResolvConf,
    states: ServerStates,
}

/// Runs a lookup within its time limit. Boxed: a server that is named by its address needs no room for it.
async fn limited<T>(lookup: impl Future<Output = Result<T, String>>) -> Result<T, String> {
    let too_late = |_| Err(format!("no answer within {} s", LOOKUP_LIMIT.as_secs()));
    timeout(LOOKUP_LIMIT, lookup.boxed_local()).await.unwrap_or_else(too_late)
}

impl NameServers {
    pub(super) fn new(conf: ResolvConf) -> Self {
        Self { states: ServerStates::new(conf.servers.len()), conf }
    }

    /// Returns the SRV records of a name, possibly none.
    ///
    /// # Errors
    /// The failures of the name servers.
    pub(super) async fn srv(&self, name: Name) -> Result<Vec<RecordData>, String> {
        limited(self.lookup(DnsQuestion { name, kind: Rtype::SRV })).await
    }

    /// Returns the addresses of a host (A-labels; `absolute`: the same as a name), possibly none. A name without a dot
    /// is looked up in the search list.
    ///
    /// # Errors
    /// The failures of the name servers.
    pub(super) async fn addresses(&self, ascii: &str, absolute: Name) -> Result<Vec<IpAddr>, String> {
        limited(self.search(ascii, absolute)).await
    }

    async fn search(&self, ascii: &str, absolute: Name) -> Result<Vec<IpAddr>, String> {
        let mut failure = None;
        for name in self.conf.candidates(ascii, absolute) {
            match self.both_families(name).await {
                Ok(found) if found.is_empty() => {}
                Ok(found) => return Ok(found),
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        failure.map_or(Ok(vec![]), Err)
    }

    /// Looks up AAAA and A in parallel. One that fails does not affect the other.
    async fn both_families(&self, name: Name) -> Result<Vec<IpAddr>, String> {
        let v6 = pin!(self.family(name.clone(), Rtype::AAAA));
        let v4 = pin!(self.family(name, Rtype::A));
        match select(v6, v4).await {
            Either::Left((v6, v4)) => {
                let v4 = second(&v6, v4).await;
                merge(v6, v4)
            }
            Either::Right((v4, v6)) => {
                let v6 = second(&v4, v6).await;
                merge(v6, v4)
            }
        }
    }

    async fn family(&self, name: Name, kind: Rtype) -> Family {
        let address = |data| if let RecordData::Address(address) = data { Some(address) } else { None };
        let found = self.lookup(DnsQuestion { name, kind }).await.map_err(|reason| format!("{kind}: {reason}"))?;
        Ok(found.into_iter().filter_map(address).collect())
    }

    /// Returns the records of a name, possibly none. Follows its aliases.
    async fn lookup(&self, mut question: DnsQuestion) -> Result<Vec<RecordData>, String> {
        let servers = &self.conf.servers;
        let turn = self.conf.timeout.min(LOOKUP_LIMIT / u32::try_from(servers.len()).unwrap_or(u32::MAX));
        let policy = QueryPolicy { turn, attempts: self.conf.attempts };
        for _ in 0..MAX_ALIASES {
            let ask = |server: usize| {
                let (socket, question) = (servers[server].socket(), question.clone());
                async move { exchange(socket?, &question).await }
            };
            let answer = ask_in_turn(&self.states, policy, ask).await.map_err(|failures| self.describe(&failures))?;
            let (owner, found) = question.follow(&answer);
            if !found.is_empty() || owner == question.name {
                return Ok(found);
            }
            question.name = owner;
        }
        Err(format!("more than {MAX_ALIASES} aliases"))
    }

    fn describe(&self, failures: &Failures) -> String {
        let failures = self.conf.servers.iter().zip(failures).map(|(server, failure)| match failure {
            Some(failure) => format!("{failure} ({server})"),
            None => format!("no answer ({server})"),
        });
        failures.collect::<Vec<_>>().join(", ")
    }
}

/// The addresses of one family.
type Family = Result<Vec<IpAddr>, String>;

/// Waits for the second family: at most [`RESOLUTION_DELAY`] if the first has an address.
async fn second(first: &Family, second: impl Future<Output = Family>) -> Family {
    if first.as_ref().is_ok_and(|found| !found.is_empty()) {
        timeout(RESOLUTION_DELAY, second).await.unwrap_or_else(|_| Ok(vec![]))
    } else {
        second.await
    }
}

/// Returns the addresses of both families. A failure counts only if there are none.
fn merge(v6: Family, v4: Family) -> Family {
    match (v6, v4) {
        (Ok(v6), Ok(v4)) => Ok([v6, v4].concat()),
        (Ok(found), Err(_)) | (Err(_), Ok(found)) if !found.is_empty() => Ok(found),
        (Err(v6), Err(v4)) => Err(format!("{v6}; {v4}")),
        (Err(reason), Ok(_)) | (Ok(_), Err(reason)) => Err(reason),
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use tokio::time::{Instant, sleep};

    use super::*;
    use crate::testing::paused;

    /// Returns the result of the second lookup, which takes `takes` ms, and the time of the wait in ms.
    async fn waited(first: &Family, takes: u64) -> (Family, u128) {
        let start = Instant::now();
        let lookup = async {
            sleep(Duration::from_millis(takes)).await;
            Ok(vec![Ipv4Addr::LOCALHOST.into()])
        };
        (second(first, lookup).await, start.elapsed().as_millis())
    }

    #[test]
    fn the_second_family_has_50_ms_after_an_address() {
        paused(async {
            let answer = || Ok(vec![Ipv4Addr::LOCALHOST.into()]);
            let first: Family = Ok(vec![Ipv6Addr::LOCALHOST.into()]);
            assert_eq!(waited(&first, 40).await, (answer(), 40));
            assert_eq!(waited(&first, 60).await, (Ok(vec![]), 50));
            // Without an address there is no limit.
            for first in [Ok(vec![]), Err("AAAA: REFUSED".to_owned())] {
                assert_eq!(waited(&first, 5000).await, (answer(), 5000));
            }
        });
    }

    #[test]
    fn addresses_of_one_family_suffice() {
        let (v6, v4) = (vec![IpAddr::from(Ipv6Addr::LOCALHOST)], vec![IpAddr::from(Ipv4Addr::LOCALHOST)]);
        let failed = |what: &str| Err(what.to_owned());
        assert_eq!(merge(Ok(v6.clone()), Ok(v4.clone())), Ok([v6.clone(), v4.clone()].concat()));
        assert_eq!(merge(failed("AAAA"), Ok(v4.clone())), Ok(v4));
        assert_eq!(merge(Ok(v6.clone()), failed("A")), Ok(v6));
        assert_eq!(merge(Ok(vec![]), Ok(vec![])), Ok(vec![]));
        // The failed lookup might have found an address.
        assert_eq!(merge(failed("AAAA"), Ok(vec![])), failed("AAAA"));
        assert_eq!(merge(Ok(vec![]), failed("A")), failed("A"));
        assert_eq!(merge(failed("AAAA"), failed("A")), failed("AAAA; A"));
    }
}
