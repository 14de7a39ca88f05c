//! Whether what runs is what the file says: as the daemon tells it, as the server sees it, and as the ACS meets it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use super::scene::{Scene, Settings};
use super::stanzas::{assert_result, assert_unavailable, good_request, ping};
use super::uci::Section;
use super::wait::LIMIT;

/// What runs.
#[derive(Debug, PartialEq, Eq)]
pub struct Running {
    /// By connection, what its status says: the word, the alias, the full JID if it is online.
    statuses: BTreeMap<u32, (String, String, Option<String>)>,
    /// The full JIDs that the server has sessions of, the ACS apart.
    sessions: BTreeSet<String>,
}

impl Running {
    /// What is to run where all connections can log in.
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

    async fn actual(scene: &Scene) -> Self {
        let all = scene.daemon.statuses().await;
        let status = |status: &super::Status| {
            let online = status.word() == "Enabled";
            (status.word().to_owned(), status["alias"].clone(), online.then(|| status["jid"].clone()))
        };
        let sessions = scene.prosody.sessions().into_keys().filter(|jid| jid.starts_with("cpe")).collect();
        Self { statuses: all.iter().map(|(id, of)| (*id, status(of))).collect(), sessions }
    }
}

impl Scene {
    /// Waits until what runs is what these settings say, and nothing of other ones is left; then asks each connection that
    /// is online, on whichever stream, whether it is there and whether it takes requests.
    pub async fn wait_running(&mut self, settings: &Settings) {
        let expected = Running::expected(settings);
        let start = Instant::now();
        loop {
            let actual = Running::actual(self).await;
            if actual == expected {
                break;
            }
            assert!(start.elapsed() < LIMIT, "what runs is not what the file says: {actual:#?}, not {expected:#?}");
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        for section in settings.connections.iter().filter(|section| on(&settings.general) && on(section)) {
            let jid = jid(section);
            assert_result(&self.acs.ask(&ping(&jid)).await);
            let answer = self.ask_once(&good_request(&jid)).await;
            if takes_requests(&settings.general, id(section)) {
                assert_result(&answer);
            } else {
                assert_unavailable(&answer);
            }
        }
    }

    /// As [`wait_running`](Self::wait_running), for the settings of the file.
    pub async fn wait_file_runs(&mut self) {
        let settings = self.settings.clone();
        self.wait_running(&settings).await;
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

/// Whether `id` names the connection and `allowed_jid` the ACS, or nobody.
fn takes_requests(general: &Section, connection: u32) -> bool {
    let named = general.get("id").unwrap().split(' ').any(|id| id == connection.to_string());
    named && general.get("allowed_jid").is_none_or(|allowed| allowed == "acs@a.test")
}
