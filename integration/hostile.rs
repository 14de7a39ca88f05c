//! A server that does what no honest server does: the connection to it says what happened and goes on to the next server,
//! and nobody else notices.

mod login;
#[cfg(servers)]
mod stanzas;

use std::io;
use std::time::Duration;

use tempfile::TempDir;
use tokio::sync::watch;

use crate::harness::prosody::PASSWORD;
use crate::harness::script::{BIND, MECHANISMS, STARTTLS};
use crate::harness::stanzas::{assert_result, ping};
use crate::harness::{
    ACS, Daemon, Endpoint, Honesty, LIMIT, Peer, Prosody, Script, Section, Session, Status, Wire, until,
};

const HEADER: &str = "<?xml version='1.0'?><stream:stream xmlns='jabber:client' \
     xmlns:stream='http://etherx.jabber.org/streams' version='1.0' id='s' from='a.test'>";
const PLAIN: &str = "<mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>PLAIN</mechanism></mechanisms>";
/// Somebody's JID.
const OTHER_JID: &str = "someone@elsewhere.test/else";

/// How far a login goes in good order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Accepted,
    HeaderRead,
    StartTlsRead,
    Proceeded,
    Encrypted,
    AuthRead,
    LoggedIn,
    BindOffered,
    Bound,
}

/// What the server does.
#[derive(Debug, Clone, Copy)]
enum Fault {
    /// Goes so far and says nothing more.
    Silent(Step),
    /// Goes so far and closes the connection.
    Closes(Step),
    /// Goes so far and sends this in place of what is awaited.
    Says(Step, fn() -> Vec<u8>),
    /// Sends its header a byte a second.
    Trickles,
    /// Offers this and no STARTTLS.
    Offers(&'static str),
    /// Does not know the password.
    Impostor,
    /// Binds somebody else's JID, and is honest from then on.
    BindsAnother,
    /// Is honest, and sends this into the stream; then, an ordinary ping.
    Floods(fn() -> Vec<u8>),
}

impl Fault {
    async fn play(self, peer: &mut Peer, jid: &str, mut stage: watch::Receiver<Stage>) -> io::Result<()> {
        match self {
            Self::Silent(step) => {
                reach(peer, step, jid).await?;
                // A handshake may hold anything.
                while peer.expect_end().await.is_err() {}
                Ok(())
            }
            Self::Closes(step) => reach(peer, step, jid).await,
            Self::Says(step, bytes) => {
                reach(peer, step, jid).await?;
                // The client may leave in the middle of it.
                let _ = peer.send(bytes()).await;
                peer.expect_end().await.map(drop)
            }
            Self::Trickles => {
                for byte in HEADER.bytes() {
                    if peer.send([byte]).await.is_err() {
                        break;
                    }
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
                Ok(())
            }
            Self::Offers(features) => {
                peer.open(features).await?;
                peer.expect_end().await.map(drop)
            }
            Self::Impostor => {
                peer.open(STARTTLS).await?;
                peer.starttls().await?;
                peer.open(MECHANISMS).await?;
                peer.scram("whatever", Honesty::WrongSignature).await?;
                peer.expect_end().await.map(drop)
            }
            Self::BindsAnother => {
                reach(peer, Step::BindOffered, jid).await?;
                peer.bind(OTHER_JID).await?;
                alive(peer).await?;
                reached(&mut stage, Stage::Over).await;
                Ok(())
            }
            Self::Floods(bytes) => {
                reach(peer, Step::Bound, jid).await?;
                peer.expect("<presence").await?;
                reached(&mut stage, Stage::Flood).await;
                if peer.send(bytes()).await.is_err() || alive(peer).await.is_err() {
                    // It left, as it may. What it said before is to be seen.
                    return peer.expect_end().await.map(drop);
                }
                reached(&mut stage, Stage::Over).await;
                Ok(())
            }
        }
    }

    fn usetls(self) -> u8 {
        u8::from(!matches!(self, Self::Offers(PLAIN)))
    }
}

/// A login in good order, up to this step.
async fn reach(peer: &mut Peer, step: Step, jid: &str) -> io::Result<()> {
    if step == Step::Accepted {
        return Ok(());
    }
    if step == Step::HeaderRead {
        peer.expect("<stream:stream").await?;
        return peer.expect(">").await.map(drop);
    }
    peer.open(STARTTLS).await?;
    if matches!(step, Step::StartTlsRead | Step::Proceeded) {
        peer.expect("<starttls").await?;
        peer.expect(">").await?;
        if step == Step::Proceeded {
            peer.send("<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>").await?;
        }
        return Ok(());
    }
    peer.starttls().await?;
    if step == Step::Encrypted {
        return Ok(());
    }
    peer.open(MECHANISMS).await?;
    if step == Step::AuthRead {
        return peer.element("auth").await.map(drop);
    }
    peer.scram(PASSWORD, Honesty::Honest).await?;
    if step == Step::LoggedIn {
        return Ok(());
    }
    peer.open(BIND).await?;
    if step == Step::BindOffered {
        return Ok(());
    }
    peer.bind(jid).await
}

/// The client answers what comes behind all that was sent.
async fn alive(peer: &mut Peer) -> io::Result<()> {
    peer.send("<iq type='get' id='alive' from='a.test'><ping xmlns='urn:xmpp:ping'/></iq>").await?;
    peer.expect("alive").await?;
    peer.expect(">").await.map(drop)
}

/// How far a scene is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd)]
enum Stage {
    Begin,
    Flood,
    Over,
}

async fn reached(stage: &mut watch::Receiver<Stage>, wanted: Stage) {
    let _ = stage.wait_for(|stage| *stage >= wanted).await;
}

/// One connection for each fault, which has a good server behind the hostile one; and one that knows the good one alone.
struct Scene {
    prosody: Prosody,
    scripts: Vec<Script>,
    /// Where those are kept in the meantime whose attempt has failed, so that what they say of it can be looked at.
    _lobby: Script,
    _files: TempDir,
    daemon: Daemon,
    acs: Wire,
    bystander: Session,
    stage: watch::Sender<Stage>,
}

const BYSTANDER: &str = "bystander@a.test/wan";

fn jid(id: usize) -> String {
    format!("cpe{id}@a.test/wan")
}

impl Scene {
    async fn new(faults: impl IntoIterator<Item = Fault>) -> Self {
        Self::at(Stage::Flood, faults).await
    }

    async fn at(begin: Stage, faults: impl IntoIterator<Item = Fault>) -> Self {
        let (stage, told) = watch::channel(begin);
        let prosody = Prosody::start(&["a.test"]).await;
        prosody.account("bystander@a.test");
        let waiting = told.clone();
        let lobby = Script::start("a.test", move |_, peer| wait_over(waiting.clone(), peer)).await;
        let faults: Vec<Fault> = faults.into_iter().collect();
        let mut scripts = Vec::new();
        for (n, &fault) in faults.iter().enumerate() {
            prosody.account(&format!("cpe{}@a.test", n + 1));
            scripts.push(script(fault, jid(n + 1), told.clone()).await);
        }
        let files = tempfile::tempdir().unwrap();
        let bundle = files.path().join("all.pem");
        let authorities = scripts.iter().map(Endpoint::ca_pem).chain([prosody.ca().pem()]);
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
        sections.push(Section::connection(last, BYSTANDER, &prosody));
        sections.push(Section::server(last, &prosody).option("con_srv_inst", 1));
        let daemon = Daemon::start(&sections);
        let acs = prosody.wire(ACS).await;
        let bystander = prosody.wait_online(BYSTANDER, LIMIT).await;
        Self { prosody, scripts, _lobby: lobby, _files: files, daemon, acs, bystander, stage }
    }

    /// Status and log of this connection have these words for what happened.
    async fn says(&self, id: usize, words: &[&str]) -> Status {
        let id = u32::try_from(id).unwrap();
        let mut all = vec![format!("connection {id} ("), "WARNING".to_owned()];
        all.extend(words.iter().map(ToString::to_string));
        let all: Vec<&str> = all.iter().map(String::as_str).collect();
        self.daemon.wait_for_log(&all, LIMIT).await;
        let fits =
            |status: &Status| status.get("error").is_some_and(|error| words.iter().all(|word| error.contains(word)));
        self.daemon.wait_for_status(id, &format!("the error {words:?}"), fits).await
    }

    /// The other connection answers, on the TCP connection that it always had.
    async fn bystander_answers(&mut self) {
        assert!(self.daemon.running());
        assert_result(&self.acs.ask(&ping(BYSTANDER)).await);
        assert_eq!(self.prosody.sessions().get(BYSTANDER), Some(&self.bystander));
    }

    /// All that was to be seen was seen: everybody ends up at the good server, and answers there.
    async fn ends_well(mut self) {
        self.bystander_answers().await;
        self.stage.send_replace(Stage::Over);
        let good = format!("127.0.0.1:{}", self.prosody.port());
        for id in 1..=self.scripts.len() {
            let number = u32::try_from(id).unwrap();
            let there = |status: &Status| status.word() == "Enabled" && status.get("address") == Some(&*good);
            self.daemon.wait_for_status(number, "the good server", there).await;
            assert_result(&self.acs.ask(&ping(&jid(id))).await);
        }
        self.bystander_answers().await;
        assert_eq!(self.daemon.log().since(0, &["ERROR"]), [""; 0]);
        assert_eq!(self.daemon.log().since(0, &["panic"]), [""; 0]);
        let longest = self.daemon.log().lines().iter().map(String::len).max();
        assert!(longest < Some(2000), "a server's words in the log: {longest:?} bytes in one line");
    }

    /// One of the lines of /proc/PID/status, in KiB.
    fn memory(&self, name: &str) -> u64 {
        let path = format!("/proc/{}/status", self.daemon.pid().as_raw_nonzero());
        let status = std::fs::read_to_string(path).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).expect("the line");
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }
}

async fn wait_over(mut stage: watch::Receiver<Stage>, peer: Peer) -> io::Result<()> {
    reached(&mut stage, Stage::Over).await;
    drop(peer);
    Ok(())
}

/// The first connection meets the fault; those that follow are kept, so that the status can be looked at.
async fn script(fault: Fault, jid: String, stage: watch::Receiver<Stage>) -> Script {
    Script::start("a.test", move |number, mut peer| {
        let (jid, stage) = (jid.clone(), stage.clone());
        async move { if number == 0 { fault.play(&mut peer, &jid, stage).await } else { wait_over(stage, peer).await } }
    })
    .await
}

/// Each of these servers is left, with these words, and the next one is used.
async fn all_fail(cases: &[(Fault, &[&str])]) {
    let scene = Scene::new(cases.iter().map(|(fault, _)| *fault)).await;
    for (id, (_, words)) in (1..).zip(cases) {
        scene.says(id, words).await;
    }
    scene.ends_well().await;
}

/// None of these servers is left. Gives what each connection sent.
async fn none_fails(faults: &[Fault]) -> Vec<String> {
    let scene = Scene::new(faults.iter().copied()).await;
    let mut received = Vec::new();
    for (id, (fault, script)) in (1..).zip(faults.iter().zip(&scene.scripts)) {
        // An ordinary ping was answered.
        let answered = || script.seen().first().is_some_and(|seen| seen.received.contains("alive")).then_some(());
        until(&format!("an answer after {fault:?}"), LIMIT, answered).await;
        let status = scene.daemon.statuses().await.remove(&id).unwrap();
        assert_eq!((status.word(), status.get("error")), ("Enabled", None), "{status:?}");
        let whose = if matches!(fault, Fault::BindsAnother) { OTHER_JID.to_owned() } else { jid(id as usize) };
        assert_eq!(status.get("jid"), Some(&*whose));
        received.push(script.seen()[0].received.clone());
    }
    assert_eq!(scene.daemon.log().since(0, &["WARNING"]), [""; 0]);
    scene.ends_well().await;
    received
}
