//! Random actions for a given time.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::actions::{Action, Random, draw, edited, jid, junk};
use super::meter::Meter;
use super::{Progress, connect_through, fleet, from_environment, options, start};
use crate::harness::prosody::PASSWORD;
use crate::harness::stanzas::{connection_request, good_request, id};
use crate::harness::{
    ACS, Daemon, Endpoint, FaultProxy, LIMIT, Options, Prosody, RawClient, Section, Server as _, Settings,
    fleet as harness, uci,
};

/// Number of connections.
const CONNECTIONS: u32 = 6;
/// Requests sent at once.
const BURST: u64 = 20;
/// Number of measurements.
const SAMPLES: u32 = 15;
/// Minimum time between crashes, to stay below five within a minute.
const BETWEEN_CRASHES: Duration = Duration::from_secs(15);
/// A domain whose users are allowed: so many that none is locked out when the credentials change.
const ALLOWED: &str = "allowed.test";
/// Number of users with the right credentials.
const ACSES: usize = 25;
/// Number of users with wrong ones, which are locked out now and then.
const LOCKED: usize = 3;
/// A domain whose users are not allowed.
const STRANGERS: &str = "strangers.test";

struct Mix {
    prosody: Prosody,
    /// The original settings.
    base: Settings,
    daemon: Daemon,
    proxies: [FaultProxy; 2],
    acs: RawClient,
    allowed: RawClient,
    strangers: RawClient,
    random: Random,
    crashed: Instant,
    counts: BTreeMap<Action, u64>,
    requests: u64,
    answers: u64,
}

impl Mix {
    async fn start(seed: u64) -> Self {
        let components = &[ALLOWED, STRANGERS];
        let prosody = Prosody::start_with(&["a.test"], Options { smacks: true, components, ..options() }).await;
        let proxies = [FaultProxy::to_port(prosody.port()).await, FaultProxy::to_port(prosody.port()).await];
        let mut base = fleet(CONNECTIONS, &prosody).with("interval", "2");
        base.general = base.general.list("allowed_jid", "acs@a.test");
        for user in (0..ACSES).map(|n| format!("acs{n}")).chain((0..LOCKED).map(|n| format!("u{n}"))) {
            base.general = base.general.list("allowed_jid", format!("{user}@{ALLOWED}"));
        }
        connect_through(&mut base, [1, 2], proxies[0].port());
        connect_through(&mut base, [3, 4], proxies[1].port());
        let daemon = start(&base).await;
        let acs = prosody.raw_client(ACS).await;
        let allowed = RawClient::component(prosody.component_port(), ALLOWED, PASSWORD).await;
        let strangers = RawClient::component(prosody.component_port(), STRANGERS, PASSWORD).await;
        Self {
            prosody,
            base,
            daemon,
            proxies,
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

    /// Performs a random action, without waiting for its effects.
    async fn step(&mut self) {
        let action = draw(&mut self.random);
        let proxy = self.random.below(2);
        if action == Action::Crash && self.crashed.elapsed() < BETWEEN_CRASHES {
            return;
        }
        *self.counts.entry(action).or_default() += 1;
        match action {
            Action::Request => {
                let to = jid(&mut self.random, CONNECTIONS);
                self.ask_as_anyone(&to).await;
            }
            Action::Burst => self.burst().await,
            Action::WrongCredentials | Action::Stranger => self.ask_wrongly(action).await,
            Action::Junk => {
                let to = jid(&mut self.random, CONNECTIONS);
                let junk = junk(&mut self.random, &to);
                self.acs.send(&junk).await;
            }
            Action::Status => drop(self.daemon.statuses().await),
            Action::Reconnect => drop(self.daemon.ask("reconnect").await),
            Action::HangUp => self.daemon.signal(Signal::HUP),
            Action::ControlJunk => self.disturb_control(),
            Action::Cut => self.proxies[proxy].reset_connections(),
            Action::Close => self.proxies[proxy].close_connections(),
            Action::Hold => self.proxies[proxy].stall(),
            Action::Shut => {
                self.proxies[proxy].refuse_new();
                self.proxies[proxy].reset_connections();
            }
            Action::Kick => drop(self.prosody.raw_client(&jid(&mut self.random, CONNECTIONS)).await),
            Action::Edit => {
                let file = edited(&mut self.random, &self.base);
                self.write(&file.text());
            }
            Action::Break => self.write("config xmpp 'xmpp\n"),
            Action::Credentials => self.daemon.cwmp().commit(&uci::text([&Section::cpe("cpe-user", "another")])),
            Action::NotifyFails => self.daemon.ubus().fail_with(1),
            Action::NotifySlow => {
                let time = self.random.pick(&[200, 2500]);
                self.daemon.ubus().take(Duration::from_millis(time));
            }
            Action::NotifyWell => self.daemon.ubus().behave(),
            Action::Crash => self.crash().await,
        }
        let pause = self.random.below(30) as u64;
        self.receive(Duration::from_millis(pause)).await;
    }

    /// Sends a request as one of the ACSs. Returns its id.
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

    async fn ask_wrongly(&mut self, action: Action) {
        let (wire, domain, users) = match action {
            Action::Stranger => (&mut self.strangers, STRANGERS, 1_000_000),
            _ => (&mut self.allowed, ALLOWED, LOCKED),
        };
        let from = format!("<iq from='u{}@{domain}/r'", self.random.below(users));
        let request = connection_request(&jid(&mut self.random, CONNECTIONS), "cpe-user", "wrong");
        wire.send(&request.replacen("<iq", &from, 1)).await;
        self.requests += 1;
    }

    /// Reads what arrives, for at least this long.
    async fn receive(&mut self, time: Duration) {
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
        // The socket is missing while its actor restarts.
        let Ok(mut socket) = UnixStream::connect(self.daemon.socket()) else { return };
        let words: &[u8] = self.random.pick(&[&b""[..], b"stat", b"status\n", b"no such request\n", &[b'x'; 1000]]);
        let _ = socket.write_all(words);
    }

    /// Needs an xmppd with test hooks.
    async fn crash(&mut self) {
        self.crashed = Instant::now();
        let who = self.random.pick(&["connection 1", "connection 4", "config", "router", "notifier"]);
        self.daemon.ask(&format!("crash {who}")).await;
    }

    /// Restores everything, and waits until all works as at the beginning.
    async fn recover(&mut self) {
        self.daemon.ubus().behave();
        for proxy in &self.proxies {
            proxy.accept_new();
            proxy.resume();
        }
        self.daemon.cwmp().commit(&uci::text([&Section::cpe("cpe-user", "cpe-secret")]));
        self.daemon.xmpp().commit(&self.base.text());
        for id in self.base.ids() {
            self.grants(id).await;
        }
        self.receive(Duration::from_millis(50)).await;
    }

    /// Repeats a request until it is granted: a connection that is restarting may lose some.
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
            let status = self.daemon.ask("status json").await;
            assert!(start.elapsed() < 3 * LIMIT, "connection {connection} grants nothing any more:\n{status}");
            self.daemon.ask("reconnect").await;
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

#[tokio::test]
#[ignore = "takes as long as it is told to: make soak"]
async fn random_actions_do_not_leak() {
    let time = Duration::from_secs(from_environment("SOAK_SECONDS", 60));
    let seed = from_environment("SOAK_SEED", rand::random::<u32>().into());
    eprintln!("soak: {} s of everything, SOAK_SEED={seed}", time.as_secs());
    let mut mix = Mix::start(seed).await;
    let (pid, mut meter, mut progress) = (mix.daemon.pid(), Meter::of(mix.daemon.pid()), Progress::new());
    for n in 1..=SAMPLES {
        while progress.start.elapsed() < time * n / SAMPLES {
            mix.step().await;
        }
        mix.recover().await;
        let sample = meter.measure_daemon(&mix.daemon).await;
        let (actions, requests) = (mix.counts.values().sum::<u64>(), mix.requests);
        progress.print(|| format!("{actions} actions, {requests} requests, {sample}"));
    }
    assert!(mix.daemon.running() && mix.daemon.pid() == pid);
    let (requests, answers) = (mix.requests, mix.answers);
    eprintln!("soak: {requests} requests, {answers} answers, {:?}", mix.counts);
    eprintln!("soak: {} s, {}", progress.start.elapsed().as_secs(), meter.verdict().await);
}
