//! Mounts over a file or a directory, and file systems whose changes inotify does not report. Each test runs in its own
//! mount namespace, for which it needs root.

use std::process::{Child, Command, Stdio};

use tokio::time::Instant;

use super::*;

/// The environment variable that is set in the process with its own namespace.
const INSIDE: &str = "XMPPD_TEST_MOUNTS";

/// Whether this process has its own mount namespace. If not, runs the test of this name in a process that has.
fn is_inside(name: &str) -> bool {
    if std::env::var_os(INSIDE).is_some() {
        return true;
    }
    if !rustix::process::geteuid().is_root() {
        eprintln!("skipped: config::watch::tests::namespaces::{name} needs root for a mount namespace");
        return false;
    }
    let test = format!("config::watch::tests::namespaces::{name}");
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
    let mut watched = Watched::at(root, &config).await;
    for text in ["from outside", "again"] {
        fs::write(&host, text).unwrap();
        watched.expect(Xmpp, text).await;
        watched.expect_nothing().await;
    }
    fs::write(&watched.xmpp, "from inside").unwrap();
    watched.expect(Xmpp, "from inside").await;
    watched.assert_no_timers();
    unmount(&watched.xmpp);
    watched.expect(Xmpp, "below").await;
    fs::write(&host, "nothing").unwrap();
    watched.expect_nothing().await;
    bind(&host, &watched.xmpp);
    watched.expect(Xmpp, "nothing").await;
    fs::write(&host, "followed").unwrap();
    watched.expect(Xmpp, "followed").await;
    watched.assert_no_timers();
    unmount(&watched.xmpp);
}

#[tokio::test]
async fn a_directory_is_mounted_over() {
    if !is_inside("a_directory_is_mounted_over") {
        return;
    }
    let mut watched = Watched::new().await;
    let other = watched.root.path().join("other");
    fs::create_dir(&other).unwrap();
    fs::write(other.join("xmpp"), "bound").unwrap();
    bind(&other, &watched.directory());
    watched.wait_for("bound").await;
    commit(&watched.xmpp, "committed");
    watched.expect(Xmpp, "committed").await;
    run("mount", &[Path::new("-t"), Path::new("tmpfs"), Path::new("none"), &watched.directory()]);
    watched.expect_missing(Cwmp).await;
    watched.expect_missing(Xmpp).await;
    fs::write(&watched.xmpp, "in memory").unwrap();
    watched.expect(Xmpp, "in memory").await;
    watched.expect_nothing().await;
    watched.assert_no_timers();
    unmount(&watched.directory());
    watched.wait_for("committed").await;
    unmount(&watched.directory());
    watched.wait_for("old").await;
    // A mount elsewhere changes nothing.
    bind(&other, &other);
    watched.expect_nothing().await;
    unmount(&other);
}

/// Without `/proc` nothing reports mounts.
#[tokio::test]
async fn files_are_polled_without_a_mount_table() {
    if !is_inside("files_are_polled_without_a_mount_table") {
        return;
    }
    run("mount", &[Path::new("-t"), Path::new("tmpfs"), Path::new("none"), Path::new("/proc")]);
    let mut watched = Watched::new().await;
    let other = watched.root.path().join("other");
    fs::create_dir(&other).unwrap();
    fs::write(other.join("xmpp"), "bound").unwrap();
    bind(&other, &watched.directory());
    tokio::time::pause();
    watched.wait_for("bound").await;
}

mod fuse {
    use super::*;

    /// A process that is killed when the test ends.
    struct KillOnDrop(Child);

    impl Drop for KillOnDrop {
        fn drop(&mut self) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }

    /// A FUSE file system whose directory others write to, as on network file systems: no event reports that.
    #[tokio::test]
    async fn a_file_on_a_network_file_system_is_polled_every_30_s() {
        if !is_inside("fuse::a_file_on_a_network_file_system_is_polled_every_30_s") {
            return;
        }
        let root = tempfile::tempdir().unwrap();
        let (config, server) = (root.path().join("config"), root.path().join("server"));
        fs::create_dir(&config).unwrap();
        fs::create_dir(&server).unwrap();
        fs::write(server.join("xmpp"), "old").unwrap();
        let mut bindfs = Command::new("bindfs");
        // Attributes must not be cached, because this tests the poll, not the file system.
        bindfs.args(["-f", "-o", "attr_timeout=0,entry_timeout=0,ac_attr_timeout=0"]).arg(&server).arg(&config);
        let bindfs =
            KillOnDrop(bindfs.stdout(Stdio::null()).spawn().expect("bindfs; scripts/install-deps.sh installs it"));
        let deadline = std::time::Instant::now() + Duration::from_secs(20);
        while !config.join("xmpp").exists() {
            assert!(std::time::Instant::now() < deadline, "bindfs did not start within 20 s");
            std::thread::sleep(Duration::from_millis(5));
        }
        let mut watched = Watched::at(root, &config).await;
        assert!(watched.watch.events.timer().is_some());
        tokio::time::pause();
        for text in ["in place", "again"] {
            let before = Instant::now();
            fs::write(server.join("xmpp"), text).unwrap();
            let (file, contents) = watched.watch.next().await;
            assert_eq!((file, contents.unwrap().text.as_slice()), (Xmpp, text.as_bytes()));
            // The timer is virtual, the file's age is not: it may be deferred 200 times.
            assert!(before.elapsed() < Duration::from_secs(30 + 11), "{:?}", before.elapsed());
        }
        commit(&server.join("xmpp"), "committed");
        watched.wait_for("committed").await;
        fs::remove_file(server.join("xmpp")).unwrap();
        watched.expect_missing(Xmpp).await;
        unmount(&config);
        drop(bindfs);
    }
}
