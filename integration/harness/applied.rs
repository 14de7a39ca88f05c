//! Compares what runs with the settings: the daemon's status, the server's sessions, and the answers to the ACS.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use super::fixture::Fixture;
use super::settings::Settings;
use super::stanzas::{assert_result, assert_unavailable, good_request, ping};
use super::uci::Section;
use super::wait::LIMIT;

/// The state of all connections.
#[derive(Debug, PartialEq, Eq)]
pub struct State {
    /// Status word, alias, and the full JID if it is online, by connection.
    statuses: BTreeMap<u32, (String, String, Option<String>)>,
    /// The full JIDs of the server's sessions, without the ACS.
    sessions: BTreeSet<String>,
}

impl State {
    /// The state that the settings ask for, if all connections can log in.
    fn expected(settings: &Settings) -> Self {
        let status = |section: &Section| {
            let id = id(section);
            let online = (on(&settings.general) && on(section)).then(|| jid(section));
            let word = if online.is_some() { "Enabled" } else { "Disabled" };
            let alias = section.get("con_alias").map_or_else(|| format!("cpe-{id}"), str::to_owned);
            (id, (word.to_owned(), alias, online))
        };
        let statuses: BTreeMap<_, _> = settings.connections.iter().map(status).collect();
        let sessions = statuses.values().filter_map(|(.., jid)| jid.clone()).collect();
        Self { statuses, sessions }
    }

    async fn actual(fixture: &Fixture) -> Self {
        let all = fixture.daemon.statuses().await;
        let status = |status: &super::Status| {
            let online = status.word() == "Enabled";
            (status.word().to_owned(), status["alias"].clone(), online.then(|| status["jid"].clone()))
        };
        let sessions = fixture.prosody.sessions().into_keys().filter(|jid| jid.starts_with("cpe")).collect();
        Self { statuses: all.iter().map(|(id, of)| (*id, status(of))).collect(), sessions }
    }
}

impl Fixture {
    /// Waits until exactly these settings are applied. Then fails unless each connection that is online answers a ping, and
    /// accepts requests if the settings say so.
    pub async fn wait_applied(&mut self, settings: &Settings) {
        let expected = State::expected(settings);
        let start = Instant::now();
        loop {
            let actual = State::actual(self).await;
            if actual == expected {
                break;
            }
            assert!(start.elapsed() < LIMIT, "the settings are not applied: {actual:#?}, not {expected:#?}");
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        for section in settings.connections.iter().filter(|section| on(&settings.general) && on(section)) {
            let jid = jid(section);
            assert_result(&self.acs.ask(&ping(&jid)).await);
            let answer = self.ask_once(&good_request(&jid)).await;
            if accepts_requests(&settings.general, id(section)) {
                assert_result(&answer);
            } else {
                assert_unavailable(&answer);
            }
        }
    }

    /// As [`wait_applied`](Self::wait_applied), for the settings of the file.
    pub async fn wait_file_applied(&mut self) {
        let settings = self.settings.clone();
        self.wait_applied(&settings).await;
    }
}

fn on(section: &Section) -> bool {
    section.get("enable") == Some("1")
}

fn id(section: &Section) -> u32 {
    section.get("con_inst").unwrap().parse().unwrap()
}

fn jid(section: &Section) -> String {
    let option = |name| section.get(name).unwrap();
    format!("{}@{}/{}", option("username"), option("domain"), option("resource"))
}

/// Returns whether `id` names the connection and `allowed_jid` allows the ACS.
fn accepts_requests(general: &Section, connection: u32) -> bool {
    let named = general.get("id").unwrap().split(' ').any(|id| id == connection.to_string());
    named && general.get("allowed_jid").is_none_or(|allowed| allowed == "acs@a.test")
}
