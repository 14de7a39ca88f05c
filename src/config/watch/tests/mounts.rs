//! What is mounted over a file or a directory, and file systems that inotify does not report. Each test runs in a mount
//! namespace of its own, which takes root.

use std::process::{Child, Command, Stdio};

use tokio::time::Instant;

use super::*;

/// Set in the process that has its own namespace.
const INSIDE: &str = "XMPPD_TEST_MOUNTS";

/// Runs the test of that name again in its own mount namespace, unless this is that process already: then true.
fn is_inside(name: &str) -> bool {
    if std::env::var_os(INSIDE).is_some() {
        return true;
    }
    if !rustix::process::geteuid().is_root() {
        eprintln!("left out: config::watch::tests::mounts::{name} needs root for a mount namespace");
        return false;
    }
    let test = format!("config::watch::tests::mounts::{name}");
    let mut command = Command::new("unshare");
    command.arg("-m").arg(std::env::current_exe().unwrap()).args(["--exact", &test, "--nocapture"]);
    let output = command.env(INSIDE, "1").output().unwrap();
    let printed = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && printed.contains("1 passed"), "{printed}");
    false
}

fn run(program: &str, arguments: &[&Path]) {
    assert!(Command::new(program).args(arguments).status().unwrap().success(), "{program} {arguments:?}");
}

fn bind(from: &Path, over: &Path) {
    run("mount", &[Path::new("--bind"), from, over]);
}

fn unmount(path: &Path) {
    run("umount", &[path]);
}

/// `docker run -v FILE:/etc/config/xmpp`
#[tokio::test]
async fn the_file_is_a_mount_of_its_own() {
    if !is_inside("the_file_is_a_mount_of_its_own") {
        return;
    }
    let root = tempfile::tempdir().unwrap();
    let (config, host) = (root.path().join("config"), root.path().join("host"));
    fs::create_dir(&config).unwrap();
    fs::write(&host, "old").unwrap();
    fs::write(config.join("xmpp"), "below").unwrap();
    bind(&host, &config.join("xmpp"));
    let mut rig = Rig::at(root, &config).await;
    for text in ["from outside", "again"] {
        fs::write(&host, text).unwrap();
        rig.expect(Xmpp, text).await;
        rig.expect_nothing().await;
    }
    fs::write(&rig.xmpp, "from inside").unwrap();
    rig.expect(Xmpp, "from inside").await;
    rig.assert_no_timers();
    unmount(&rig.xmpp);
    rig.expect(Xmpp, "below").await;
    fs::write(&host, "nothing").unwrap();
    rig.expect_nothing().await;
    bind(&host, &rig.xmpp);
    rig.expect(Xmpp, "nothing").await;
    fs::write(&host, "followed").unwrap();
    rig.expect(Xmpp, "followed").await;
    rig.assert_no_timers();
    unmount(&rig.xmpp);
}

#[tokio::test]
async fn a_directory_is_mounted_over() {
    if !is_inside("a_directory_is_mounted_over") {
        return;
    }
    let mut rig = Rig::new().await;
    let other = rig.root.path().join("other");
    fs::create_dir(&other).unwrap();
    fs::write(other.join("xmpp"), "bound").unwrap();
    bind(&other, &rig.directory());
    rig.until("bound").await;
    commit(&rig.xmpp, "committed");
    rig.expect(Xmpp, "committed").await;
    run("mount", &[Path::new("-t"), Path::new("tmpfs"), Path::new("none"), &rig.directory()]);
    rig.expect_missing(Cwmp).await;
    rig.expect_missing(Xmpp).await;
    fs::write(&rig.xmpp, "in memory").unwrap();
    rig.expect(Xmpp, "in memory").await;
    rig.expect_nothing().await;
    rig.assert_no_timers();
    unmount(&rig.directory());
    rig.until("committed").await;
    unmount(&rig.directory());
    rig.until("old").await;
    // What is mounted elsewhere is nothing.
    bind(&other, &other);
    rig.expect_nothing().await;
    unmount(&other);
}

/// A process that is killed with the test.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A FUSE file system shows a directory that others write to, as network file systems do: no event tells of it.
#[tokio::test]
async fn a_file_on_a_network_file_system_is_looked_at_every_30_s() {
    if !is_inside("a_file_on_a_network_file_system_is_looked_at_every_30_s") {
        return;
    }
    let root = tempfile::tempdir().unwrap();
    let (config, server) = (root.path().join("config"), root.path().join("server"));
    fs::create_dir(&config).unwrap();
    fs::create_dir(&server).unwrap();
    fs::write(server.join("xmpp"), "old").unwrap();
    let mut bindfs = Command::new("bindfs");
    // Attributes are not cached: this is about the look, not about the file system.
    bindfs.args(["-f", "-o", "attr_timeout=0,entry_timeout=0,ac_attr_timeout=0"]).arg(&server).arg(&config);
    let bindfs = Killed(bindfs.stdout(Stdio::null()).spawn().expect("bindfs; scripts/install-deps.sh installs it"));
    let deadline = std::time::Instant::now() + Duration::from_secs(20);
    while !config.join("xmpp").exists() {
        assert!(std::time::Instant::now() < deadline, "bindfs does not start");
        std::thread::sleep(Duration::from_millis(5));
    }
    let mut rig = Rig::at(root, &config).await;
    assert!(rig.watch.look_at.is_some());
    tokio::time::pause();
    for text in ["in place", "again"] {
        let before = Instant::now();
        fs::write(server.join("xmpp"), text).unwrap();
        let Reading { file, contents } = rig.watch.next().await;
        assert_eq!((file, contents.unwrap().text.as_slice()), (Xmpp, text.as_bytes()));
        // The timer is virtual, the file's age is not: it may be read 200 times before it counts as settled.
        assert!(before.elapsed() < Duration::from_secs(30 + 11), "{:?}", before.elapsed());
    }
    commit(&server.join("xmpp"), "committed");
    rig.until("committed").await;
    fs::remove_file(server.join("xmpp")).unwrap();
    rig.expect_missing(Xmpp).await;
    unmount(&config);
    drop(bindfs);
}

/// Without `/proc` nothing tells of mounts: the files are looked at.
#[tokio::test]
async fn without_a_mount_table_files_are_looked_at() {
    if !is_inside("without_a_mount_table_files_are_looked_at") {
        return;
    }
    run("mount", &[Path::new("-t"), Path::new("tmpfs"), Path::new("none"), Path::new("/proc")]);
    let mut rig = Rig::new().await;
    let other = rig.root.path().join("other");
    fs::create_dir(&other).unwrap();
    fs::write(other.join("xmpp"), "bound").unwrap();
    bind(&other, &rig.directory());
    tokio::time::pause();
    rig.until("bound").await;
}
