//! The list of system calls in `config/openwrt/seccomp`. It is derived from a traced run through what xmppd does on a
//! device: `scripts/derive-seccomp.sh` writes it, and the test compares.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::harness::stanzas::{assert_not_authorized, assert_result, connection_request, ping};
use crate::harness::{
    ACS, CPE1, CPE2, Dns, Endpoint as _, LIMIT, Options, Prosody, Record, Section, Server as _, Setup, Trace, program,
    uci,
};

/// Starting a program fails with `EACCES`: no program is in the jail. So a `notify_command` that is configured while xmppd
/// runs fails with a message, and xmppd is not killed. (Its own start comes before the filter, which is installed in the
/// process.)
const REFUSED: [&str; 2] = ["execve", "execveat"];
const EACCES: u32 = 13;

/// Calls that are made by the harness's start of the program, or that a run may do without: memory, threads, time, panics.
const ALWAYS: [&str; 31] = [
    "brk",
    "clock_gettime",
    "clock_nanosleep",
    "exit",
    "exit_group",
    "futex",
    "getpid",
    "getrandom",
    "gettid",
    "gettimeofday",
    "madvise",
    "membarrier",
    "mmap",
    "mprotect",
    "mremap",
    "munmap",
    "poll",
    "prctl",
    "restart_syscall",
    "rseq",
    "rt_sigaction",
    "rt_sigprocmask",
    "rt_sigreturn",
    "sched_getaffinity",
    "sched_yield",
    "set_robust_list",
    "set_tid_address",
    "sigaltstack",
    "tgkill",
    "uname",
    "write",
];

/// What another architecture or C library calls for the same purpose. procd skips names that the kernel does not have.
const VARIANTS: [(&str, &[&str]); 42] = [
    ("access", &["faccessat", "faccessat2"]),
    ("arch_prctl", &["set_thread_area", "set_tls", "cacheflush"]),
    ("chmod", &["fchmod", "fchmodat", "fchmodat2"]),
    ("clock_gettime", &["clock_gettime64"]),
    ("clock_nanosleep", &["clock_nanosleep_time64", "nanosleep"]),
    ("clone3", &["clone"]),
    ("epoll_create1", &["epoll_create"]),
    ("epoll_wait", &["epoll_pwait", "epoll_pwait2"]),
    ("fcntl", &["fcntl64"]),
    ("fstat", &["fstat64", "newfstatat", "fstatat64", "statx"]),
    ("futex", &["futex_time64"]),
    ("getdents64", &["getdents"]),
    ("geteuid", &["geteuid32"]),
    ("getsockopt", &["socketcall"]),
    ("getuid", &["getuid32"]),
    ("inotify_init1", &["inotify_init"]),
    ("lseek", &["_llseek"]),
    ("mkdir", &["mkdirat"]),
    ("mmap", &["mmap2"]),
    ("newfstatat", &["fstatat64", "stat", "stat64", "lstat", "lstat64", "statx"]),
    ("openat", &["open"]),
    ("pipe2", &["pipe"]),
    ("poll", &["ppoll", "ppoll_time64"]),
    ("pread64", &["preadv"]),
    ("prlimit64", &["getrlimit", "setrlimit", "ugetrlimit"]),
    ("readlink", &["readlinkat"]),
    ("recvfrom", &["recv"]),
    ("recvmsg", &["recvmmsg", "recvmmsg_time64"]),
    ("rename", &["renameat", "renameat2"]),
    ("rt_sigreturn", &["sigreturn"]),
    ("sched_getaffinity", &["sched_getscheduler"]),
    ("sendto", &["send"]),
    ("sendmsg", &["sendmmsg"]),
    ("statfs", &["statfs64"]),
    ("statx", &["stat", "stat64", "lstat", "lstat64", "fstat", "fstat64", "newfstatat", "fstatat64"]),
    ("timerfd_settime", &["timerfd_settime64"]),
    ("unlink", &["unlinkat"]),
    ("tgkill", &["tkill"]),
    ("vfork", &["fork"]),
    ("wait4", &["waitpid", "waitid"]),
    ("writev", &["pwritev"]),
    ("fsync", &["fdatasync"]),
];

fn file() -> PathBuf {
    program::project().join("config/openwrt/seccomp/xmppd.json")
}

/// The list for these calls.
fn list(calls: &BTreeSet<String>) -> BTreeSet<String> {
    let mut list: BTreeSet<String> = calls.clone();
    list.extend(ALWAYS.map(str::to_owned));
    let variants = VARIANTS.iter().filter(|(name, _)| list.contains(*name));
    let variants: Vec<String> = variants.flat_map(|(_, names)| names.iter().map(|name| (*name).to_owned())).collect();
    list.extend(variants);
    list.into_iter().filter(|name| !REFUSED.contains(&name.as_str())).collect()
}

fn document(list: &BTreeSet<String>) -> Value {
    json!({
        "defaultAction": "SCMP_ACT_KILL_PROCESS",
        "syscalls": [
            {"names": list, "action": "SCMP_ACT_ALLOW"},
            {"names": REFUSED, "action": "SCMP_ACT_ERRNO", "errnoRet": EACCES},
        ],
    })
}

/// One connection whose servers are in the DNS and whose certificate is in the system's store, and one with a server of its own
/// and a directory of CAs.
fn setup(prosody: &Prosody, dns: &Dns) -> Setup {
    let general = Section::general(&[1, 2]).list("allowed_jid", "acs@a.test");
    let by_dns = Section::connection(1, CPE1, prosody).option("serveralgorithm", "DNS-SRV");
    let sections = [general, by_dns, Section::connection(2, CPE2, prosody), Section::server(2, prosody)];
    let setup = Setup::new(&sections);
    let ca = format!("\toption tls_ca '{}'\n", prosody.ca_pem().display());
    let directory = setup.directory().join("ca");
    fs::create_dir(&directory).unwrap();
    fs::copy(prosody.ca_pem(), directory.join("ca.pem")).unwrap();
    let directory = format!("\toption tls_ca '{}'\n", directory.display());
    setup.xmpp.write_in_place(&uci::text(&sections).replacen(&ca, "", 1).replacen(&ca, &directory, 1));
    let store = setup.directory().join("store.pem");
    fs::copy(prosody.ca_pem(), &store).unwrap();
    // Links are followed by reading them.
    let [resolv_conf, credentials] = ["resolv.conf", "credentials"].map(|name| setup.directory().join(name));
    let by_dns = setup.directory().join("name-servers");
    // One that is named by its interface, and answers nothing.
    let servers = fs::read_to_string(dns.resolv_conf_file()).unwrap();
    fs::write(&by_dns, format!("nameserver fe80::1%lo\n{servers}")).unwrap();
    symlink(by_dns, &resolv_conf).unwrap();
    fs::rename(setup.cwmp.path(), &credentials).unwrap();
    symlink(&credentials, setup.cwmp.path()).unwrap();
    let trace = emulated_trace(setup.directory());
    let setup = setup.env("SSL_CERT_FILE", store).env("XMPPD_RESOLV_CONF", resolv_conf);
    if is_emulated() { setup.env("QEMU_STRACE", "1").env("QEMU_LOG_FILENAME", trace) } else { setup.traced() }
}

/// Whether the program under test is one for another processor (`scripts/test-cross.sh`). strace would show the calls of the
/// emulator, which can show those of the program.
fn is_emulated() -> bool {
    std::env::var_os("XMPPD_TEST_EMULATED").is_some()
}

fn emulated_trace(directory: &Path) -> PathBuf {
    directory.join("emulated-calls")
}

/// Login, requests, edits, reloads, all that can be asked on ubus and on the control socket, an outage, and the end. Returns
/// the names of the system calls.
async fn traced_run() -> BTreeSet<String> {
    let mut prosody = Prosody::start_with(&["a.test"], Options::default()).await;
    for account in ["cpe1@a.test", "cpe2@a.test"] {
        prosody.account(account);
    }
    let dns = Dns::start(&[
        Record::starttls("a.test", "xmpp.a.test", prosody.port(), 1, 0),
        Record::host("xmpp.a.test", &["127.0.0.1"]),
    ])
    .await;
    let mut daemon = setup(&prosody, &dns).start();
    for (id, jid) in [(1, CPE1), (2, CPE2)] {
        prosody.wait_online(jid, LIMIT).await;
        daemon.wait_for_value(id, "status", "Enabled").await;
    }
    let mut acs = prosody.raw_client(ACS).await;
    assert_result(&acs.ask(&ping(CPE1)).await);
    assert_result(&acs.ask(&connection_request(CPE1, "cpe-user", "cpe-secret")).await);
    assert_not_authorized(&acs.ask(&connection_request(CPE2, "cpe-user", "wrong")).await);
    for request in ["status", "status json", "tr181", "reload", "reconnect", "nonsense"] {
        daemon.ask(request).await;
    }
    for method in ["status", "tr181", "reconnect", "reload", "check"] {
        daemon.ubus().call("xmppd", method, &json!({})).unwrap();
    }
    // A commit, a file that is refused, one that is replaced, and a program that notifies the CWMP client.
    let text = fs::read_to_string(daemon.xmpp().path()).unwrap();
    let notify = "config xmpp 'xmpp'\n\toption notify 'command'\n\toption notify_command '/bin/true'\n";
    let by_command = text.replace("config xmpp 'xmpp'\n", notify);
    for (text, line) in [
        (text.replace("option usetls '1'", "option interval '60'"), "update connection"),
        ("config 'x\n".to_owned(), "keeping the current settings"),
        (text, "update connection"),
        (by_command, "general settings applied"),
    ] {
        let mark = daemon.log().mark();
        daemon.xmpp().commit(&text);
        daemon.log().wait(mark, &["config/xmpp", line], LIMIT).await;
    }
    assert_result(&acs.ask(&connection_request(CPE1, "cpe-user", "cpe-secret")).await);
    let mark = daemon.log().mark();
    daemon.signal(Signal::HUP);
    daemon.log().wait(mark, &["SIGHUP"], LIMIT).await;
    prosody.kill().await;
    daemon.wait_for_status(1, "not online", |status| status.word() != "Enabled").await;
    prosody.start_again().await;
    daemon.ask("reconnect").await;
    for (id, jid) in [(1, CPE1), (2, CPE2)] {
        prosody.wait_online(jid, LIMIT).await;
        daemon.wait_for_value(id, "status", "Enabled").await;
    }
    assert!(daemon.stop().await.success());
    let trace = if is_emulated() { Trace::at(emulated_trace(daemon.directory())) } else { daemon.trace() };
    let name = |call: &String| call.split_once('(').unwrap().0.rsplit(' ').next().unwrap().to_owned();
    // Of a thread that is killed when it begins a call, strace does not know which (`????`), and the emulator's threads may write
    // into each other's lines.
    let is_name = |name: &String| name.starts_with(|first: char| first.is_ascii_lowercase() || first == '_');
    trace.calls().iter().map(name).filter(is_name).collect()
}

/// The file, and the names that it allows.
fn shipped() -> (Value, BTreeSet<String>) {
    let shipped: Value = serde_json::from_str(&fs::read_to_string(file()).unwrap()).unwrap();
    let names = shipped["syscalls"][0]["names"].as_array().unwrap();
    let names = names.iter().map(|name| name.as_str().unwrap().to_owned()).collect();
    (shipped, names)
}

/// The list is derived on one processor, and has to have what the others call for the same purposes.
fn check_emulated(called: &BTreeSet<String>) {
    assert!(called.len() > 30, "{called:?}");
    let (_, names) = shipped();
    let missing: Vec<_> = called.difference(&names).filter(|name| !REFUSED.contains(&name.as_str())).collect();
    assert!(missing.is_empty(), "missing {missing:?}");
}

#[tokio::test]
async fn the_list_is_what_a_run_needs() {
    let called = traced_run().await;
    if is_emulated() {
        return check_emulated(&called);
    }
    let expected = list(&called);
    if std::env::var_os("XMPPD_DERIVE_SECCOMP").is_some() {
        fs::write(file(), format!("{:#}\n", document(&expected)).replace("  ", "\t")).unwrap();
    }
    let (shipped, names) = shipped();
    let missing: Vec<_> = expected.difference(&names).collect();
    let superfluous: Vec<_> = names.difference(&expected).collect();
    assert!(missing.is_empty() && superfluous.is_empty(), "missing {missing:?}, superfluous {superfluous:?}");
    assert_eq!(shipped, document(&names));
}
