//! A root directory in which the shell scripts of the package run.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::LazyLock;

use tempfile::TempDir;

use crate::harness::notify_command::{install, write_executable};
use crate::harness::{process, program};

/// OpenWrt's uci, statically linked: the program that `XMPPD_TEST_UCI` names, or one that is built.
fn uci() -> &'static Path {
    static PROGRAM: LazyLock<PathBuf> = LazyLock::new(|| {
        if let Some(program) = std::env::var_os("XMPPD_TEST_UCI") {
            return program.into();
        }
        let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join("uci");
        if !program.exists() {
            let script = program::project().join("integration/openwrt/build-uci.sh");
            let output = Command::new(script).arg(&program).stdin(Stdio::null()).output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        }
        program
    });
    &PROGRAM
}

/// Runs a goal of the package's Makefile. Returns what it printed.
pub fn make(goal: &str, destination: &Path, programs: &Path) -> String {
    let project = program::project().canonicalize().unwrap();
    let buildroot = project.join("integration/openwrt/buildroot");
    let variable = |name: &str, value: &Path| format!("{name}={}", value.display());
    let mut command = Command::new("make");
    command.arg("-s").arg("-f").arg(project.join("config/openwrt/Makefile")).arg(goal).args([
        variable("TOPDIR", &buildroot),
        variable("INCLUDE_DIR", &buildroot),
        variable("PKG_BUILD_DIR", &project),
        variable("PKG_INSTALL_DIR", programs),
        variable("DESTDIR", destination),
    ]);
    // A `make` that runs the tests passes its own flags on.
    let output = command.env_remove("MAKEFLAGS").env_remove("MAKELEVEL").stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "make {goal}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// A device.
pub struct Device {
    root: TempDir,
}

impl Device {
    /// One with the packages installed. `/usr/sbin/xmppd` only records its arguments.
    pub fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let device = Self { root };
        for directory in ["bin", "sbin", "dev", "tmp", "lib/functions", "etc", "var/run"] {
            fs::create_dir_all(device.path(directory)).unwrap();
        }
        let programs = tempfile::tempdir().unwrap();
        write_executable(&programs.path().join("bin/xmppd"), "#!/bin/sh\necho \"$*\" >> /tmp/xmppd-calls\n");
        make("install-xmppd", device.root.path(), programs.path());
        make("install-xmppd-bbfdm", device.root.path(), programs.path());
        install(uci(), &device.path("sbin/uci"));
        device.install_busybox();
        // A file, because a device cannot be made without privileges.
        fs::write(device.path("dev/null"), "").unwrap();
        let standins = program::project().join("integration/openwrt/standins");
        for (name, path) in [
            ("rc.common", "etc/rc.common"),
            ("functions.sh", "lib/functions.sh"),
            ("procd.sh", "lib/functions/procd.sh"),
            ("network.sh", "lib/functions/network.sh"),
        ] {
            fs::copy(standins.join(name), device.path(path)).unwrap();
        }
        write_executable(&device.path("bin/ubus"), "#!/bin/sh\necho \"$*\" >> /tmp/ubus-calls\n");
        device
    }

    /// Debian's package `busybox` is linked dynamically, `busybox-static` is not.
    fn install_busybox(&self) {
        let find = "command -v busybox";
        let output = Command::new("sh").args(["-c", find]).output().unwrap();
        let busybox = PathBuf::from(String::from_utf8(output.stdout).unwrap().trim());
        install(&busybox, &self.path("bin/busybox"));
        let libraries = Command::new("ldd").arg(&busybox).output().unwrap();
        let libraries = String::from_utf8_lossy(&libraries.stdout).into_owned();
        for library in libraries.split_whitespace().filter(|word| word.starts_with('/')) {
            // Executed as well: one of them is the dynamic linker.
            install(Path::new(library), &self.path(library));
        }
        let output = Command::new(&busybox).arg("--list").output().unwrap();
        for applet in String::from_utf8(output.stdout).unwrap().lines().filter(|name| *name != "busybox") {
            symlink("busybox", self.path("bin").join(applet)).unwrap();
        }
    }

    /// A path below the root.
    pub fn path(&self, path: &str) -> PathBuf {
        self.root.path().join(path.trim_start_matches('/'))
    }

    /// Writes a file that only root can read.
    pub fn write(&self, path: &str, contents: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, contents).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
    }

    /// The contents of a file; empty if there is none.
    pub fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).unwrap_or_default()
    }

    /// Runs a command line with busybox's shell, as root of the device.
    pub fn run(&self, command: &str) -> Output {
        let mut run = if needs_user_namespace() {
            let mut unshare = process::command("unshare");
            unshare.args(["--map-root-user", "chroot"]);
            unshare
        } else {
            process::command("chroot")
        };
        run.arg(self.root.path()).args(["/bin/busybox", "ash", "-c", command]);
        run.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/bin");
        run.stdin(Stdio::null()).output().unwrap()
    }

    /// As [`run`](Self::run), for a command that succeeds. Returns what it said on both outputs.
    pub fn succeed(&self, command: &str) -> String {
        let output = self.run(command);
        let text = [output.stdout, output.stderr].concat();
        let text = String::from_utf8(text).unwrap();
        assert!(output.status.success(), "{command}: {}\n{text}", output.status);
        text
    }

    /// As the first line of an init script has it.
    pub fn init(&self, action: &str) -> String {
        self.succeed(&format!("sh /etc/rc.common /etc/init.d/xmppd {action}"))
    }
}

/// Root can change its root directory, and so can a user whose `chroot` has the capability (Dockerfile.test): containers do
/// not allow user namespaces.
fn needs_user_namespace() -> bool {
    static CHROOT_FAILS: LazyLock<bool> =
        LazyLock::new(|| !process::command("chroot").args(["/", "true"]).output().unwrap().status.success());
    *CHROOT_FAILS
}
