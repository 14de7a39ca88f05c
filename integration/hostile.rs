//! Hostile and broken servers: the connection reports what happened and uses the next server, and nothing else is
//! affected.

mod fault;
mod login;
mod stanzas;

use std::collections::BTreeSet;
use std::io;

use fault::{Fault, OTHER_JID, Stage, reached};
use tempfile::TempDir;
use tokio::sync::watch;

use crate::harness::stanzas::{assert_result, ping};
use crate::harness::{
    ACS, Daemon, Endpoint, LIMIT, Peer, Prosody, RawClient, ScriptedServer, Section, Server, Session, Status, proc,
    until,
};

/// One connection for each fault, whose second server is correct; and one connection that uses the correct server only.
struct Fixture {
    prosody: Prosody,
    scripts: Vec<ScriptedServer>,
    /// Holds connections after a failed attempt, so that the error stays visible in the status.
    _lobby: ScriptedServer,
    _files: TempDir,
    daemon: Daemon,
    acs: RawClient,
    unaffected: Session,
    stage: watch::Sender<Stage>,
}

const UNAFFECTED: &str = "unaffected@a.test/wan";

fn jid(id: usize) -> String {
    format!("cpe{id}@a.test/wan")
}

impl Fixture {
    async fn new(faults: impl IntoIterator<Item = Fault>) -> Self {
        Self::at(Stage::Flood, faults).await
    }

    async fn at(begin: Stage, faults: impl IntoIterator<Item = Fault>) -> Self {
        let (stage, told) = watch::channel(begin);
        let prosody = Prosody::start(&["a.test"]).await;
        prosody.account("unaffected@a.test");
        let waiting = told.clone();
        let lobby = ScriptedServer::start("a.test", move |_, peer| wait_over(waiting.clone(), peer)).await;
        let faults: Vec<Fault> = faults.into_iter().collect();
        let mut scripts = Vec::new();
        for (n, &fault) in faults.iter().enumerate() {
            prosody.account(&format!("cpe{}@a.test", n + 1));
            scripts.push(script(fault, jid(n + 1), told.clone()).await);
        }
        let files = tempfile::tempdir().unwrap();
        let bundle = files.path().join("all.pem");
        let authorities = scripts.iter().map(Endpoint::ca_pem).chain([prosody.ca_pem()]);
        let pem: Vec<String> = authorities.map(|file| std::fs::read_to_string(file).unwrap()).collect();
        std::fs::write(&bundle, pem.concat()).unwrap();

        let last = u32::try_from(faults.len()).unwrap() + 1;
        let mut sections = vec![Section::general(&[last])];
        for (id, (fault, script)) in (1..).zip(faults.iter().zip(&scripts)) {
            sections.push(
                Section::connection(id, &jid(id as usize), &prosody)
                    .option("tls_ca", bundle.display())
                    .option("usetls", fault.usetls())
                    .option("attempt", 1),
            );
            let ports = [script.port(), lobby.port(), prosody.port()];
            for (instance, port) in (1..).zip(ports) {
                sections.push(Section::server(id, &prosody).option("con_srv_inst", instance).option("port", port));
            }
        }
        sections.push(Section::connection(last, UNAFFECTED, &prosody));
        sections.push(Section::server(last, &prosody).option("con_srv_inst", 1));
        let acs = prosody.raw_client(ACS).await;
        let daemon = Daemon::start(&sections);
        let unaffected = prosody.wait_online(UNAFFECTED, LIMIT).await;
        Self { prosody, scripts, _lobby: lobby, _files: files, daemon, acs, unaffected, stage }
    }

    /// Waits until status and log of the connections, from 1, contain these texts.
    async fn all_say(&self, errors: &[&[&str]]) {
        // A connection stays in the lobby for 10 s only. While one error is waited for, those of the others are seen as well.
        let mut seen = BTreeSet::new();
        for (id, words) in (1..).zip(errors) {
            until(&format!("connection {id}: the error {words:?}"), LIMIT, || {
                let statuses = self.daemon.statuses_now()?;
                let fits = |(id, words): &(u32, &&[&str])| {
                    let error = statuses.get(id).and_then(|status| status.get("error"));
                    error.is_some_and(|error| words.iter().all(|word| error.contains(word)))
                };
                seen.extend((1..).zip(errors).filter(fits).map(|(id, _)| id));
                seen.contains(&id).then_some(())
            })
            .await;
        }
        for (id, words) in (1..).zip(errors) {
            let connection = format!("connection {id} (");
            self.daemon.wait_for_log(&[&[&*connection, "WARNING"], *words].concat(), LIMIT).await;
        }
    }

    /// Fails unless the unaffected connection answers on its original TCP connection.
    async fn unaffected_answers(&mut self) {
        assert!(self.daemon.running());
        assert_result(&self.acs.ask(&ping(UNAFFECTED)).await);
        assert_eq!(self.prosody.sessions().get(UNAFFECTED), Some(&self.unaffected));
    }

    /// Ends the holding stage, and fails unless all connections are online at the correct server and answer.
    async fn ends_well(mut self) {
        self.unaffected_answers().await;
        self.stage.send_replace(Stage::Over);
        let good = format!("127.0.0.1:{}", self.prosody.port());
        for id in 1..=self.scripts.len() {
            let number = u32::try_from(id).unwrap();
            let there = |status: &Status| status.word() == "Enabled" && status.get("address") == Some(&*good);
            self.daemon.wait_for_status(number, "the good server", there).await;
            assert_result(&self.acs.ask(&ping(&jid(id))).await);
        }
        self.unaffected_answers().await;
        self.daemon.log().assert_without(&["ERROR", "panic"]);
        self.daemon.log().assert_short_lines(2000);
    }

    /// Returns a line of /proc/PID/status, in KiB.
    fn memory(&self, name: &str) -> u64 {
        proc::number(&proc::read(self.daemon.pid(), "status"), name)
    }
}

async fn wait_over(mut stage: watch::Receiver<Stage>, peer: Peer) -> io::Result<()> {
    reached(&mut stage, Stage::Over).await;
    drop(peer);
    Ok(())
}

/// The first connection gets the fault; later ones are held, so that the status can be read.
async fn script(fault: Fault, jid: String, stage: watch::Receiver<Stage>) -> ScriptedServer {
    ScriptedServer::start("a.test", move |number, mut peer| {
        let (jid, stage) = (jid.clone(), stage.clone());
        async move { if number == 0 { fault.play(&mut peer, &jid, stage).await } else { wait_over(stage, peer).await } }
    })
    .await
}

/// Fails unless the connection leaves each of these servers, with these texts, and uses the next one.
async fn all_fail(cases: &[(Fault, &[&str])]) {
    let fixture = Fixture::new(cases.iter().map(|(fault, _)| *fault)).await;
    let errors: Vec<&[&str]> = cases.iter().map(|(_, words)| *words).collect();
    fixture.all_say(&errors).await;
    fixture.ends_well().await;
}

/// Fails if a connection leaves any of these servers. Returns what each connection sent.
async fn none_fails(faults: &[Fault]) -> Vec<String> {
    let fixture = Fixture::new(faults.iter().copied()).await;
    let mut received = Vec::new();
    for (id, (fault, script)) in (1..).zip(faults.iter().zip(&fixture.scripts)) {
        // The ping was answered, after megabytes that a busy machine reads slowly.
        let answered = || script.seen().first().is_some_and(|seen| seen.received.contains("alive")).then_some(());
        until(&format!("an answer after {fault:?}"), 3 * LIMIT, answered).await;
        let status = fixture.daemon.statuses().await.remove(&id).unwrap();
        assert_eq!((status.word(), status.get("error")), ("Enabled", None), "{status:?}");
        let whose = if matches!(fault, Fault::BindsAnother) { OTHER_JID.to_owned() } else { jid(id as usize) };
        assert_eq!(status.get("jid"), Some(&*whose));
        received.push(script.seen()[0].received.clone());
    }
    assert_eq!(fixture.daemon.log().since(0, &["WARNING"]), [""; 0]);
    fixture.ends_well().await;
    received
}
