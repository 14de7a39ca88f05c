//! Everything that can happen to xmppd, at random, for a given time.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::deeds::{Deed, Random, draw, edited, jid, junk};
use super::meter::Meter;
use super::{Progress, fleet, options, start, through, wanted};
use crate::harness::prosody::PASSWORD;
use crate::harness::stanzas::{connection_request, good_request, id};
use crate::harness::{
    ACS, Daemon, Fleet, Gate, LIMIT, Options, Prosody, Section, Server as _, Wire, fleet as harness, uci,
};

/// How many connections there are.
const CONNECTIONS: u32 = 6;
/// Requests that are sent at once.
const BURST: u64 = 20;
/// How many times the whole is measured.
const SAMPLES: u32 = 15;
/// How far crashes are apart at least: fewer than the five within a minute that are too many.
const BETWEEN_CRASHES: Duration = Duration::from_secs(15);
/// A domain of which these users may ask: so many that nobody is locked out when the credentials change.
const ALLOWED: &str = "allowed.test";
/// How many of them have the right credentials.
const ACSES: usize = 25;
/// How many of them have not, and are locked out now and then.
const LOCKED: usize = 3;
/// A domain whose users may not.
const STRANGERS: &str = "strangers.test";

struct Mix {
    prosody: Prosody,
    /// The file to which it always comes back.
    base: Fleet,
    daemon: Daemon,
    gates: [Gate; 2],
    acs: Wire,
    allowed: Wire,
    strangers: Wire,
    random: Random,
    crashed: Instant,
    counts: BTreeMap<Deed, u64>,
    requests: u64,
    answers: u64,
}

impl Mix {
    async fn start(seed: u64) -> Self {
        let components = &[ALLOWED, STRANGERS];
        let prosody = Prosody::start_with(&["a.test"], Options { smacks: true, components, ..options() }).await;
        let gates = [Gate::before(prosody.port()).await, Gate::before(prosody.port()).await];
        let mut base = fleet(CONNECTIONS, &prosody).with("interval", "2");
        base.general = base.general.list("allowed_jid", "acs@a.test");
        for user in (0..ACSES).map(|n| format!("acs{n}")).chain((0..LOCKED).map(|n| format!("u{n}"))) {
            base.general = base.general.list("allowed_jid", format!("{user}@{ALLOWED}"));
        }
        through(&mut base, [1, 2], gates[0].port());
        through(&mut base, [3, 4], gates[1].port());
        let daemon = start(&base).await;
        let acs = prosody.wire(ACS).await;
        let allowed = Wire::component(prosody.component_port(), ALLOWED, PASSWORD).await;
        let strangers = Wire::component(prosody.component_port(), STRANGERS, PASSWORD).await;
        Self {
            prosody,
            base,
            daemon,
            gates,
            acs,
            allowed,
            strangers,
            random: Random(seed),
            crashed: Instant::now(),
            counts: BTreeMap::new(),
            requests: 0,
            answers: 0,
        }
    }

    /// One thing happens; it is not waited for what comes of it.
    async fn step(&mut self) {
        let deed = draw(&mut self.random);
        let gate = self.random.below(2);
        if deed == Deed::Crash && self.crashed.elapsed() < BETWEEN_CRASHES {
            return;
        }
        *self.counts.entry(deed).or_default() += 1;
        match deed {
            Deed::Request => {
                let to = jid(&mut self.random, CONNECTIONS);
                self.ask_as_anyone(&to).await;
            }
            Deed::Burst => self.burst().await,
            Deed::WrongCredentials | Deed::Stranger => self.ask_wrongly(deed).await,
            Deed::Junk => {
                let to = jid(&mut self.random, CONNECTIONS);
                let junk = junk(&mut self.random, &to);
                self.acs.send(&junk).await;
            }
            Deed::Status => drop(self.daemon.statuses().await),
            Deed::Reconnect => drop(self.daemon.ask("reconnect").await),
            Deed::HangUp => self.daemon.signal(Signal::HUP),
            Deed::ControlJunk => self.disturb_control(),
            Deed::Cut => self.gates[gate].cut(),
            Deed::Close => self.gates[gate].close(),
            Deed::Hold => self.gates[gate].hold(),
            Deed::Shut => {
                self.gates[gate].shut();
                self.gates[gate].cut();
            }
            Deed::Kick => drop(self.prosody.wire(&jid(&mut self.random, CONNECTIONS)).await),
            Deed::Edit => {
                let file = edited(&mut self.random, &self.base);
                self.write(&file.text());
            }
            Deed::Break => self.write("config xmpp 'xmpp\n"),
            Deed::Credentials => self.daemon.cwmp().commit(&uci::text([&Section::cpe("cpe-user", "another")])),
            Deed::NotifyFails => self.daemon.ubus().fail_with(1),
            Deed::NotifySlow => {
                let time = self.random.one(&[200, 2500]);
                self.daemon.ubus().take(Duration::from_millis(time));
            }
            Deed::NotifyWell => self.daemon.ubus().behave(),
            Deed::Crash => self.crash().await,
        }
        let pause = self.random.below(30) as u64;
        self.hear(Duration::from_millis(pause)).await;
    }

    /// One request, by one of the ACSs; gives its id.
    async fn ask_as_anyone(&mut self, to: &str) -> String {
        let request = good_request(to);
        let from = format!("<iq from='acs{}@{ALLOWED}/r'", self.random.below(ACSES));
        self.allowed.send(&request.replacen("<iq", &from, 1)).await;
        self.requests += 1;
        id(&request)
    }

    async fn burst(&mut self) {
        let requests: Vec<String> = (0..BURST).map(|_| good_request(&jid(&mut self.random, CONNECTIONS))).collect();
        self.acs.send(&requests.concat()).await;
        self.requests += BURST;
    }

    async fn ask_wrongly(&mut self, deed: Deed) {
        let (wire, domain, users) = match deed {
            Deed::Stranger => (&mut self.strangers, STRANGERS, 1_000_000),
            _ => (&mut self.allowed, ALLOWED, LOCKED),
        };
        let from = format!("<iq from='u{}@{domain}/r'", self.random.below(users));
        let request = connection_request(&jid(&mut self.random, CONNECTIONS), "cpe-user", "wrong");
        wire.send(&request.replacen("<iq", &from, 1)).await;
        self.requests += 1;
    }

    /// Reads what comes, for at least so long.
    async fn hear(&mut self, time: Duration) {
        tokio::time::sleep(time).await;
        for wire in [&mut self.acs, &mut self.allowed, &mut self.strangers] {
            while wire.next(Duration::from_millis(2)).await.is_some() {
                self.answers += 1;
            }
        }
    }

    fn write(&mut self, text: &str) {
        if self.random.below(2) == 0 {
            self.daemon.xmpp().write_in_place(text);
        } else {
            self.daemon.xmpp().commit(text);
        }
    }

    fn disturb_control(&mut self) {
        // It is not there while its actor is restarted.
        let Ok(mut socket) = UnixStream::connect(self.daemon.socket()) else { return };
        let words: &[u8] = self.random.one(&[&b""[..], b"stat", b"status\n", b"no such request\n", &[b'x'; 1000]]);
        let _ = socket.write_all(words);
    }

    /// Only an xmppd with the test hooks does that.
    async fn crash(&mut self) {
        self.crashed = Instant::now();
        let who = self.random.one(&["connection 1", "connection 4", "config", "router", "notifier"]);
        self.daemon.ask(&format!("crash {who}")).await;
    }

    /// Everything is well again, as it was at the beginning.
    async fn recover(&mut self) {
        self.daemon.ubus().behave();
        for gate in &self.gates {
            gate.open();
            gate.resume();
        }
        self.daemon.cwmp().commit(&uci::text([&Section::cpe("cpe-user", "cpe-secret")]));
        self.daemon.xmpp().commit(&self.base.text());
        for id in self.base.ids() {
            self.grants(id).await;
        }
        self.hear(Duration::from_millis(50)).await;
    }

    /// Asks until a request is granted: what the connection is on its way out of may swallow some.
    async fn grants(&mut self, connection: u32) {
        let start = Instant::now();
        loop {
            let id = self.ask_as_anyone(&harness::jid(connection)).await;
            let id = format!("id='{id}'");
            let asked = Instant::now();
            while asked.elapsed() < Duration::from_secs(1) {
                let Some(answer) = self.allowed.next(Duration::from_millis(200)).await else { continue };
                self.answers += 1;
                if answer.contains(&id) {
                    if answer.contains("type='result'") {
                        return;
                    }
                    break;
                }
            }
            let status = self.daemon.ask("status").await;
            assert!(start.elapsed() < 3 * LIMIT, "connection {connection} grants nothing any more:\n{status}");
            self.daemon.ask("reconnect").await;
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

#[tokio::test]
#[ignore = "takes as long as it is told to: make soak"]
async fn everything_at_random_leaves_nothing_behind() {
    let time = Duration::from_secs(wanted("SOAK_SECONDS", 60));
    let seed = wanted("SOAK_SEED", rand::random::<u32>().into());
    eprintln!("soak: {} s of everything, SOAK_SEED={seed}", time.as_secs());
    let mut mix = Mix::start(seed).await;
    let (pid, mut meter, mut progress) = (mix.daemon.pid(), Meter::of(mix.daemon.pid()), Progress::new());
    for n in 1..=SAMPLES {
        while progress.start.elapsed() < time * n / SAMPLES {
            mix.step().await;
        }
        mix.recover().await;
        let sample = meter.measure_daemon(&mix.daemon).await;
        let (deeds, requests) = (mix.counts.values().sum::<u64>(), mix.requests);
        progress.say(|| format!("{deeds} deeds, {requests} requests, {sample}"));
    }
    assert!(mix.daemon.running() && mix.daemon.pid() == pid);
    let (requests, answers) = (mix.requests, mix.answers);
    eprintln!("soak: {requests} requests, {answers} answers, {:?}", mix.counts);
    eprintln!("soak: {} s, {}", progress.start.elapsed().as_secs(), meter.verdict().await);
}
