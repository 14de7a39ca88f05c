//! A bus: `ubusd` with a CWMP client on it that writes down how it is called, and the `ubus` program.
//!
//! Stand-ins in Python, with a codec of their own, do what the real programs do. `XMPPD_TEST_UBUSD` and `XMPPD_TEST_UBUS`
//! name the real ones, which then take their place.

use std::cell::{Cell, RefCell};
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::{Value, json};

use super::process::{self, Process};
use super::wait::{LIMIT, until};

/// A bus in a directory of its own.
pub struct Ubus {
    directory: PathBuf,
    ubusd: RefCell<Option<Process>>,
    client: RefCell<Option<Process>>,
    /// It is started together with the daemon.
    wanted: Cell<bool>,
}

/// One call of the CWMP client.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// When it arrived, in seconds since 1970.
    pub time: f64,
    /// The method of `tr069`.
    pub method: String,
    /// Its arguments.
    pub arguments: Value,
    /// The status that ended it; none until then.
    pub status: Option<i32>,
}

impl Call {
    /// Whether it announces a connection request, in the only words that all CWMP clients take.
    pub fn announces_a_request(&self) -> bool {
        self.method == "inform" && self.arguments == json!({"event": "6 CONNECTION REQUEST"})
    }
}

/// One of the scripts.
fn script(name: &str) -> Command {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("harness/ubus");
    let mut command = process::command("python3");
    // Without what is installed for the user, and without writing into the sources.
    command.arg("-sB").arg(directory.join(name));
    command
}

impl Ubus {
    /// Prepares one in `directory`, which is made.
    pub fn new(directory: &Path) -> Self {
        fs::create_dir_all(directory.join("calls")).unwrap();
        let ubus = Self {
            directory: directory.to_owned(),
            ubusd: RefCell::default(),
            client: RefCell::default(),
            wanted: Cell::new(true),
        };
        ubus.behave();
        ubus
    }

    /// The socket of `ubusd`.
    pub fn socket(&self) -> PathBuf {
        self.directory.join("ubus.sock")
    }

    /// A directory that the daemon does not watch.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Does not start it together with the daemon.
    pub fn leave_out(&self) {
        self.wanted.set(false);
    }

    /// Starts what is wanted and does not run yet, and waits until the CWMP client can be called.
    pub fn start_with_daemon(&self) {
        if self.wanted.get() && self.ubusd.borrow().is_none() {
            self.start_ubusd();
            self.start_client();
        }
    }

    /// Starts `ubusd`, and waits until it can be connected to.
    pub fn start_ubusd(&self) {
        let mut command = if let Some(program) = std::env::var_os("XMPPD_TEST_UBUSD") {
            let mut command = process::command(program);
            command.arg("-s").arg(self.socket());
            command
        } else {
            let mut command = script("ubusd.py");
            command.arg(self.socket()).arg(self.violations());
            command
        };
        self.ubusd.replace(Some(Process::start("ubusd", &mut command)));
        wait_for_file(&self.socket());
    }

    /// Kills `ubusd`.
    pub fn kill_ubusd(&self) {
        self.ubusd.replace(None);
        let _ = fs::remove_file(self.socket());
    }

    /// Sends `ubusd` a signal.
    pub fn signal_ubusd(&self, signal: Signal) {
        self.ubusd.borrow_mut().as_mut().expect("ubusd runs").signal(signal);
    }

    /// Starts the CWMP client, and waits until it can be called.
    pub fn start_client(&self) {
        let _ = fs::remove_file(self.directory.join("ready"));
        let mut command = script("cwmp_client.py");
        command.arg(self.socket()).arg(&self.directory).stderr(Stdio::null());
        self.client.replace(Some(Process::start("the CWMP client", &mut command)));
        wait_for_file(&self.directory.join("ready"));
    }

    /// Kills the CWMP client.
    pub fn kill_client(&self) {
        self.client.replace(None);
    }

    /// Waits until the CWMP client is on the bus again, after `ubusd` was started anew.
    pub async fn client_ready(&self) {
        until("the CWMP client on the bus", LIMIT, || {
            let list = self.run(&["list", "tr069"]);
            list.status.success().then_some(())
        })
        .await;
    }

    /// The `ubus` program with these arguments.
    pub fn run(&self, arguments: &[&str]) -> Output {
        self.program(arguments).output().unwrap()
    }

    /// `ubus call`: what it printed, or its exit status with what it said.
    pub fn call(&self, path: &str, method: &str, arguments: &Value) -> Result<Value, (i32, String)> {
        let output = self.run(&["-t", "20", "call", path, method, &arguments.to_string()]);
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        if !output.status.success() {
            return Err((output.status.code().unwrap_or(-1), text(&output.stderr)));
        }
        let text = text(&output.stdout);
        Ok(if text.trim().is_empty() { Value::Null } else { serde_json::from_str(&text).unwrap() })
    }

    /// `ubus listen`, with its output in a file.
    pub fn listen(&self, pattern: &str) -> Listener {
        let file = self.directory.join(format!("events-{:08x}", rand::random::<u32>()));
        let mut command = self.program(&["listen", pattern]);
        command.stdout(fs::File::create(&file).unwrap());
        Listener { _process: Process::start("ubus listen", &mut command), file }
    }

    fn program(&self, arguments: &[&str]) -> Command {
        let mut command = match std::env::var_os("XMPPD_TEST_UBUS") {
            Some(program) => process::command(program),
            None => script("ubus.py"),
        };
        command.arg("-s").arg(self.socket()).args(arguments);
        command
    }

    fn violations(&self) -> PathBuf {
        self.directory.join("violations")
    }

    /// How calls are answered from now on, see `cwmp_client.py`.
    pub fn answer(&self, behaviour: &Value) {
        let new = self.directory.join("behaviour.new");
        fs::write(&new, behaviour.to_string()).unwrap();
        fs::rename(new, self.directory.join("behaviour")).unwrap();
    }

    fn set(&self, name: &str, value: Value) {
        let mut behaviour: Value =
            serde_json::from_slice(&fs::read(self.directory.join("behaviour")).unwrap()).unwrap();
        behaviour[name] = value;
        self.answer(&behaviour);
    }

    /// From now on calls end with this status, and without a table.
    pub fn fail_with(&self, status: u8) {
        self.set("replies", json!([]));
        self.set("status", status.into());
    }

    /// From now on calls take this long.
    pub fn take(&self, time: Duration) {
        self.set("delay", time.as_secs_f64().into());
    }

    /// From now on calls do not end before [`release`](Self::release).
    pub fn hold(&self) {
        self.set("hold", true.into());
    }

    /// Lets all calls end that are held.
    pub fn release(&self) {
        self.set("hold", false.into());
    }

    /// From now on calls succeed at once, as at the beginning.
    pub fn behave(&self) {
        self.answer(&json!({"kind": "icwmp2022"}));
    }

    /// All calls so far, in order.
    pub fn calls(&self) -> Vec<Call> {
        let calls = self.directory.join("calls");
        let mut names: Vec<String> = fs::read_dir(&calls)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| {
                Path::new(name).extension().is_none_or(|extension| extension != "end" && extension != "part")
            })
            .collect();
        names.sort();
        names.iter().map(|name| read(&calls.join(name), name)).collect()
    }

    /// Waits until there are `count` calls, and gives them; more than that fails the test.
    pub async fn wait_calls(&self, count: usize, limit: Duration) -> Vec<Call> {
        let what = format!("{count} calls of the CWMP client");
        let calls = until(&what, limit, || Some(self.calls()).filter(|calls| calls.len() >= count)).await;
        assert_eq!(calls.len(), count, "{calls:?}");
        calls
    }
}

impl Drop for Ubus {
    fn drop(&mut self) {
        let violations = fs::read_to_string(self.violations()).unwrap_or_default();
        assert!(violations.is_empty() || std::thread::panicking(), "libubus would not have sent this: {violations}");
    }
}

/// A `ubus listen`.
pub struct Listener {
    _process: Process,
    file: PathBuf,
}

impl Listener {
    /// The events so far: `{"id": data}` each.
    pub fn events(&self) -> Vec<Value> {
        let text = fs::read_to_string(&self.file).unwrap();
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// Waits for an event that satisfies the condition, and gives its data.
    pub async fn wait(&self, id: &str, holds: impl Fn(&Value) -> bool) -> Value {
        until(&format!("an event {id}"), LIMIT, || {
            self.events().into_iter().filter_map(|event| event.get(id).cloned()).find(|data| holds(data))
        })
        .await
    }
}

/// Without a test's runtime: it is waited for before there is a daemon.
fn wait_for_file(path: &Path) {
    let start = Instant::now();
    while !path.exists() {
        assert!(start.elapsed() < LIMIT, "not within {LIMIT:?}: {}", path.display());
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn read(path: &Path, name: &str) -> Call {
    let call: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    let status = fs::read_to_string(path.with_file_name(format!("{name}.end"))).ok();
    let time = name.rsplit_once('.').expect("time.seq").0;
    Call {
        time: time.parse().unwrap(),
        method: call[0].as_str().unwrap().to_owned(),
        arguments: call[1].clone(),
        status: status.map(|status| status.parse().unwrap()),
    }
}
