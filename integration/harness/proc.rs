//! What the kernel says of processes.

use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use rustix::process::{Pid, Signal, kill_process};

use super::wait::{LIMIT, until};

/// One line of /proc/PID/stat, as far as it is of interest here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stat {
    /// Its number.
    pub pid: i32,
    /// Its program's name.
    pub name: String,
    /// `R`, `S`, `Z` for a zombie, ...
    pub state: char,
    /// Its parent.
    pub parent: i32,
    /// Its process group.
    pub group: i32,
}

/// All processes that there are.
pub fn all() -> Vec<Stat> {
    let entries = fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).filter_map(stat).collect()
}

fn stat(pid: i32) -> Option<Stat> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (name, rest) = text.split_once('(')?.1.rsplit_once(") ")?;
    let mut fields = rest.split(' ');
    let state = fields.next()?.chars().next()?;
    let (parent, group) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    Some(Stat { pid, name: name.to_owned(), state, parent, group })
}

/// The children of a process, zombies too.
pub fn children(pid: Pid) -> Vec<Stat> {
    all().into_iter().filter(|stat| stat.parent == pid.as_raw_nonzero().get()).collect()
}

/// Waits until a process has no child any more, running or not.
pub async fn wait_childless(pid: Pid, what: &str) {
    until(&format!("{what}: no child left"), LIMIT, || children(pid).is_empty().then_some(())).await;
}

/// Waits until nobody of this process group runs. (A zombie is its parent's affair, which may be whoever collects orphans.)
pub async fn wait_group_gone(group: i32, what: &str) {
    let runs = |stat: &Stat| stat.group == group && !matches!(stat.state, 'Z' | 'X');
    until(&format!("{what}: the end of process group {group}"), LIMIT, || (!all().iter().any(runs)).then_some(()))
        .await;
}

/// What a process has open, by descriptor.
pub fn descriptors(pid: Pid) -> Vec<(String, PathBuf)> {
    let Ok(entries) = fs::read_dir(format!("/proc/{}/fd", pid.as_raw_nonzero())) else { return Vec::new() };
    let open = |entry: fs::DirEntry| Some((entry.file_name().into_string().ok()?, fs::read_link(entry.path()).ok()?));
    entries.filter_map(Result::ok).filter_map(open).collect()
}

/// Waits until a process has so many descriptors open.
pub async fn wait_descriptors(pid: Pid, count: usize, what: &str) {
    until(&format!("{what}: {count} descriptors"), LIMIT, || (descriptors(pid).len() == count).then_some(())).await;
}

/// Whether a process runs.
pub fn is_running(pid: i32) -> bool {
    stat(pid).is_some_and(|stat| !matches!(stat.state, 'Z' | 'X'))
}

/// Ends a process that was left behind on purpose.
pub fn kill(pid: i32) {
    let _ = kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL);
}

#[test]
fn a_child_is_seen_until_it_is_collected() {
    let own = rustix::process::getpid();
    let mut child = std::process::Command::new("true").spawn().unwrap();
    let pid = i32::try_from(child.id()).unwrap();
    assert!(children(own).iter().any(|child| child.pid == pid));
    let start = std::time::Instant::now();
    while is_running(pid) {
        assert!(start.elapsed() < LIMIT);
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    assert!(children(own).iter().any(|child| child.pid == pid && child.state == 'Z'));
    child.wait().unwrap();
    assert!(!children(own).iter().any(|child| child.pid == pid));
}

/// How many sockets of this network namespace are connected, or being connected, to this address.
pub fn tcp_clients_of(address: SocketAddr) -> usize {
    // The words of an address are in the machine's order, as the kernel has them in memory.
    let words = |octets: &[u8]| {
        octets
            .chunks(4)
            .map(|word| u32::from_ne_bytes(word.try_into().unwrap()))
            .fold(String::new(), |text, word| format!("{text}{word:08X}"))
    };
    let (table, ip) = match address.ip() {
        IpAddr::V4(ip) => ("/proc/self/net/tcp", words(&ip.octets())),
        IpAddr::V6(ip) => ("/proc/self/net/tcp6", words(&ip.octets())),
    };
    let remote = format!("{ip}:{:04X}", address.port());
    let table = fs::read_to_string(table).unwrap();
    // 01 is ESTABLISHED, 02 is SYN_SENT.
    let is_client = |fields: &[&str]| fields.get(2) == Some(&&*remote) && matches!(fields[3], "01" | "02");
    table.lines().filter(|line| is_client(&line.split_whitespace().collect::<Vec<_>>())).count()
}
