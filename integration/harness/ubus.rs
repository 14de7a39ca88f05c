//! A `ubus` that accepts one call only, writes down what it was called with, and can be told to fail or to be slow.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::wait::until;

/// The arguments with which the CWMP client is told of a connection request.
pub const INFORM: [&str; 6] = ["-t", "1", "call", "tr069", "inform", r#"{"event":"6 connection request"}"#];

/// Each call becomes a file named after its time, with the arguments NUL-separated; it is there before the call goes on.
/// `NAME.end` follows when the call returns, and holds its exit status.
const SCRIPT: &str = r#"#!/bin/sh
state='@STATE@'
call="$state/calls/$(date +%s.%N).$$"
printf '%s\0' "$@" > "$state/part.$$"
mv "$state/part.$$" "$call"
finish() { printf '%s' "$1" > "$state/part.$$"; mv "$state/part.$$" "$call.end"; exit "$1"; }
[ "$#" -eq 6 ] && [ "$1" = -t ] && [ "$2" = 1 ] && [ "$3" = call ] && [ "$4" = tr069 ] && [ "$5" = inform ] &&
	[ "$6" = '{"event":"6 connection request"}' ] || { echo "ubus: unexpected arguments: $*" >&2; finish 64; }
[ ! -e "$state/delay" ] || sleep "$(cat "$state/delay")"
while [ -e "$state/hold" ]; do sleep 0.02; done
[ ! -e "$state/does" ] || . "$state/does"
[ ! -e "$state/exit" ] || finish "$(cat "$state/exit")"
finish 0
"#;

/// The script, in a directory for PATH.
pub struct Ubus {
    directory: PathBuf,
}

/// One call.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// When it began, in seconds since 1970.
    pub time: f64,
    /// What it was called with, after the program's name.
    pub arguments: Vec<String>,
    /// Its exit status; none while it runs, and when it was killed.
    pub status: Option<i32>,
}

impl Ubus {
    /// Puts one into `directory`, which is made.
    pub fn new(directory: &Path) -> Self {
        fs::create_dir_all(directory.join("calls")).unwrap();
        fs::create_dir_all(directory.join("bin")).unwrap();
        let script = directory.join("bin/ubus");
        fs::write(&script, SCRIPT.replace("@STATE@", &directory.display().to_string())).unwrap();
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
        Self { directory: directory.to_owned() }
    }

    /// What is to come first in PATH.
    pub fn bin(&self) -> PathBuf {
        self.directory.join("bin")
    }

    /// From now on calls end with this status.
    pub fn fail_with(&self, status: u8) {
        fs::write(self.directory.join("exit"), status.to_string()).unwrap();
    }

    /// From now on calls take this long.
    pub fn take(&self, time: Duration) {
        fs::write(self.directory.join("delay"), time.as_secs_f64().to_string()).unwrap();
    }

    /// From now on calls do not end before [`release`](Self::release).
    pub fn hold(&self) {
        fs::write(self.directory.join("hold"), "").unwrap();
    }

    /// Lets all calls end that are held.
    pub fn release(&self) {
        fs::remove_file(self.directory.join("hold")).unwrap();
    }

    /// From now on calls do this, as lines of shell, when they have looked at their arguments. `$state` is a directory of
    /// its own, `finish STATUS` is what ends a call.
    pub fn does(&self, text: &str) {
        fs::write(self.directory.join("does"), format!("{text}\n")).unwrap();
    }

    /// A file in the directory that is called `$state` there.
    pub fn file(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// Whether the program may be executed.
    pub fn executable(&self, may: bool) {
        let mode = if may { 0o755 } else { 0o644 };
        fs::set_permissions(self.bin().join("ubus"), fs::Permissions::from_mode(mode)).unwrap();
    }

    /// Takes the program away.
    pub fn uninstall(&self) {
        fs::remove_file(self.bin().join("ubus")).unwrap();
    }

    /// From now on calls succeed at once, as at the beginning.
    pub fn behave(&self) {
        for name in ["exit", "delay", "hold", "does"] {
            let _ = fs::remove_file(self.directory.join(name));
        }
    }

    /// All calls so far, in order.
    pub fn calls(&self) -> Vec<Call> {
        let calls = self.directory.join("calls");
        let mut names: Vec<String> = fs::read_dir(&calls)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| Path::new(name).extension().is_none_or(|extension| extension != "end"))
            .collect();
        names.sort();
        names.iter().map(|name| read(&calls.join(name), name)).collect()
    }

    /// Waits until there are `count` calls, and gives them; more than that fails the test.
    pub async fn wait_calls(&self, count: usize, limit: Duration) -> Vec<Call> {
        let calls =
            until(&format!("{count} calls of ubus"), limit, || Some(self.calls()).filter(|calls| calls.len() >= count))
                .await;
        assert_eq!(calls.len(), count, "{calls:?}");
        calls
    }
}

fn read(path: &Path, name: &str) -> Call {
    let text = fs::read_to_string(path).unwrap();
    let mut arguments: Vec<String> = text.split('\0').map(str::to_owned).collect();
    arguments.pop();
    let status = fs::read_to_string(path.with_file_name(format!("{name}.end"))).ok();
    let time = name.rsplit_once('.').expect("time.pid").0;
    Call { time: time.parse().unwrap(), arguments, status: status.map(|status| status.parse().unwrap()) }
}
