//! Many connections of one daemon: the memory of each, how long their logins take, and wake-ups when all are idle.

use std::path::Path;
use std::time::Duration;

use super::figures::{Figures, Goal, ms};
use super::lab::{Candidate, LIMIT, Lab, general, now};
use super::usage::{self, Cpu};
use crate::harness::fleet::jid;
use crate::harness::{Daemon, Endpoint, Section, Server, until};

/// Where certificates are trusted without `tls_ca`.
const SYSTEM_STORE: &str = "/etc/ssl/certs/ca-certificates.crt";

/// The anonymous memory of each further connection.
pub async fn memory(lab: &Lab, figures: &mut Figures) {
    let many = u32::try_from(lab.repetitions(100, 3)).unwrap();
    let store = tempfile::NamedTempFile::new().unwrap();
    let mut pem = std::fs::read(SYSTEM_STORE).unwrap_or_default();
    pem.extend(std::fs::read(lab.prosody.ca_pem()).unwrap());
    std::fs::write(store.path(), pem).unwrap();
    for (name, store) in
        [("further connection, tls_ca", None), ("further connection, the system's store", Some(store.path()))]
    {
        let one = resident(lab, 1, store).await;
        let all = resident(lab, many, store).await;
        let each = all.saturating_sub(one) as f64 / f64::from(many - 1);
        figures.add(name, "KiB", Goal::AtMost(40.0), Candidate::Xmppd, each);
    }
}

async fn resident(lab: &Lab, count: u32, store: Option<&Path>) -> u64 {
    let daemon = online(lab, count, store).await;
    lab.settle().await;
    let resident = usage::anonymous(daemon.pid());
    end(lab, daemon, count).await;
    resident
}

/// Starts a daemon with this many connections, which accept requests, and waits until they are online. Without a store of
/// trusted certificates each names the server's CA.
pub async fn online(lab: &Lab, count: u32, store: Option<&Path>) -> Daemon {
    accounts(lab, count);
    let start = now();
    let daemon = launch(lab, count, store);
    wait(lab, start, count).await;
    daemon
}

fn accounts(lab: &Lab, count: u32) {
    for id in 1..=count {
        lab.prosody.account(jid(id).split('/').next().unwrap());
    }
}

/// Waits for this many presences; returns their times.
async fn wait(lab: &Lab, start: f64, count: u32) -> Vec<f64> {
    let all = |seen: &Vec<f64>| seen.len() >= count as usize;
    until("all connections online", LIMIT, || Some(lab.presences_since(start)).filter(all)).await
}

fn launch(lab: &Lab, count: u32, store: Option<&Path>) -> Daemon {
    let all: Vec<u32> = (1..=count).collect();
    let mut sections = vec![general(&all)];
    for id in 1..=count {
        let connection = Section::connection(id, &jid(id), &lab.prosody);
        sections.extend([
            if store.is_some() { connection.without("tls_ca") } else { connection },
            Section::server(id, &lab.prosody),
        ]);
    }
    let setup = lab.setup(&sections);
    match store {
        Some(store) => setup.env("SSL_CERT_FILE", store).start(),
        None => setup.start(),
    }
}

/// Ends it, and waits until the server has noticed.
pub async fn end(lab: &Lab, daemon: Daemon, count: u32) {
    drop(daemon);
    for id in 1..=count {
        lab.prosody.wait_gone(&jid(id), LIMIT).await;
    }
}

/// Many logins at once: how long until all are online, and what daemon and server use for them.
pub async fn logins(lab: &Lab, figures: &mut Figures) {
    let rows: [[&'static str; 3]; 2] = [
        ["500 connections online", "CPU of xmppd for these 500", "CPU of the server for these 500"],
        ["2,000 connections online", "CPU of xmppd for these 2,000", "CPU of the server for these 2,000"],
    ];
    for ([online, own, servers], count) in rows.into_iter().zip([lab.repetitions(500, 5), lab.repetitions(2000, 10)]) {
        let count = u32::try_from(count).unwrap();
        accounts(lab, count);
        let server = lab.prosody.process_id();
        let before = Cpu::of(server);
        let start = now();
        let daemon = launch(lab, count, None);
        let seen = wait(lab, start, count).await;
        let (daemons, server) = (Cpu::of(daemon.pid()), Cpu::of(server) - before);
        let mut add = |name, value| figures.add(name, "s", Goal::None, Candidate::Xmppd, value);
        add(online, seen.last().unwrap() - start);
        add(own, daemons.total_ms() / 1000.0);
        add(servers, ms(server.own) / 1000.0);
        let points = (1..).zip(&seen).map(|(number, time)| (time - start, f64::from(number)));
        figures.plot("logins", &format!("{count} connections"), points);
        if online.starts_with("500") {
            idle(lab, figures, &daemon).await;
        }
        end(lab, daemon, count).await;
    }
}

async fn idle(lab: &Lab, figures: &mut Figures, daemon: &Daemon) {
    lab.settle().await;
    let time = Duration::from_secs(lab.repetitions(60, 1) as u64);
    let wakeups = usage::wakeups(daemon.pid(), time).await;
    figures.add("wake-ups, 500 connections idle", "a minute", Goal::None, Candidate::Xmppd, wakeups);
}
