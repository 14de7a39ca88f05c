//! Reads information about processes from /proc.

use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use rustix::process::{Pid, Signal, kill_process};

use super::wait::{LIMIT, until};

/// Fields of /proc/PID/stat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stat {
    /// Process id.
    pub pid: i32,
    /// Name of the program.
    pub name: String,
    /// `R`, `S`, `Z` for a zombie, ...
    pub state: char,
    /// Process id of the parent.
    pub parent: i32,
    /// Process group.
    pub group: i32,
}

/// All processes.
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

/// A file of a running process, such as `status`.
pub fn read(pid: Pid, file: &str) -> String {
    let path = format!("/proc/{}/{file}", pid.as_raw_nonzero());
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The number in the line `NAME:` of such a file; of memory, KiB.
pub fn number(text: &str, name: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    line.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or_else(|| panic!("no {name}: {text}"))
}

/// A numeric field of /proc/PID/stat, by its number in proc(5), from 4 on.
pub fn stat_field(pid: Pid, number: usize) -> u64 {
    let stat = read(pid, "stat");
    // The name, in parentheses, may contain anything; the third field follows it.
    let mut fields = stat.rsplit_once(") ").map_or("", |(_, rest)| rest).split(' ');
    fields.nth(number - 3).and_then(|field| field.parse().ok()).unwrap_or_else(|| panic!("no field {number}: {stat}"))
}

/// The children of a process, zombies included.
pub fn children(pid: Pid) -> Vec<Stat> {
    all().into_iter().filter(|stat| stat.parent == pid.as_raw_nonzero().get()).collect()
}

/// Waits until a process has no children, zombies included.
pub async fn wait_no_children(pid: Pid, what: &str) {
    until(&format!("{what}: no child left"), LIMIT, || children(pid).is_empty().then_some(())).await;
}

/// Waits until no process of this group runs. Zombies do not count: their parent may be any process that collects orphans.
pub async fn wait_group_gone(group: i32, what: &str) {
    let runs = |stat: &Stat| stat.group == group && !matches!(stat.state, 'Z' | 'X');
    until(&format!("{what}: the end of process group {group}"), LIMIT, || (!all().iter().any(runs)).then_some(()))
        .await;
}

/// The open files of a process, by descriptor.
pub fn descriptors(pid: Pid) -> Vec<(String, PathBuf)> {
    let Ok(entries) = fs::read_dir(format!("/proc/{}/fd", pid.as_raw_nonzero())) else { return Vec::new() };
    let open = |entry: fs::DirEntry| Some((entry.file_name().into_string().ok()?, fs::read_link(entry.path()).ok()?));
    entries.filter_map(Result::ok).filter_map(open).collect()
}

/// Waits until a process has exactly `count` descriptors open.
pub async fn wait_descriptors(pid: Pid, count: usize, what: &str) {
    until(&format!("{what}: {count} descriptors"), LIMIT, || (descriptors(pid).len() == count).then_some(())).await;
}

/// Returns whether a process runs.
pub fn is_running(pid: i32) -> bool {
    stat(pid).is_some_and(|stat| !matches!(stat.state, 'Z' | 'X'))
}

/// Kills a process that a test has left behind on purpose.
pub fn kill(pid: i32) {
    let _ = kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL);
}

#[test]
fn a_child_is_listed_until_it_is_waited_for() {
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

/// Counts the sockets of this network namespace that are connected, or connecting, to this address.
pub fn tcp_clients_of(address: SocketAddr) -> usize {
    // The kernel prints an address as words in the byte order of the machine.
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
