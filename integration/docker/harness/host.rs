//! A container.

use std::io::Write as _;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use super::engine::{Output, docker, run};
use super::log::Log;

/// A container that is created with these properties.
pub struct Plan {
    arguments: Vec<String>,
    networks: Vec<(String, String)>,
    files: Vec<(String, String)>,
    image: String,
    name: String,
}

impl Plan {
    /// A container of this name, from this image, on this network with this address.
    pub fn new(name: &str, image: &str, label: &str, network: &str, address: &str) -> Self {
        let tag = std::env::var("XMPPD_HARNESS_TAG").expect("XMPPD_HARNESS_TAG; `make docker-test` sets it");
        let mut plan = Self {
            arguments: Vec::new(),
            networks: Vec::new(),
            files: Vec::new(),
            image: format!("xmppd-harness/{image}:{tag}"),
            name: name.to_owned(),
        };
        plan = plan.arguments(["--init", "--name", name, "--label", label, "--network", network]);
        plan.address(address)
    }

    /// More arguments of `docker container create`.
    #[must_use]
    pub fn arguments<const N: usize>(mut self, arguments: [&str; N]) -> Self {
        self.arguments.extend(arguments.map(str::to_owned));
        self
    }

    #[must_use]
    fn address(self, address: &str) -> Self {
        self.arguments([if address.contains(':') { "--ip6" } else { "--ip" }, address])
    }

    /// An environment variable.
    #[must_use]
    pub fn env(self, name: &str, value: &str) -> Self {
        self.arguments(["--env", &format!("{name}={value}")])
    }

    /// A further network, with the host's address there.
    #[must_use]
    pub fn network(mut self, network: &str, address: &str) -> Self {
        self.networks.push((network.to_owned(), address.to_owned()));
        self
    }

    /// A file, which only root can read.
    #[must_use]
    pub fn file(mut self, path: &str, text: &str) -> Self {
        self.files.push((path.to_owned(), text.to_owned()));
        self
    }

    /// Creates and starts it.
    pub fn start(&self) -> Host {
        let mut create = vec!["container".to_owned(), "create".to_owned()];
        create.extend(self.arguments.iter().cloned());
        create.push(self.image.clone());
        docker(&create);
        for (network, address) in &self.networks {
            docker(&["network", "connect", "--ip", address, network, &self.name]);
        }
        for (path, text) in &self.files {
            let mut file = tempfile::NamedTempFile::new().unwrap();
            file.write_all(text.as_bytes()).unwrap();
            docker(&["container", "cp", file.path().to_str().unwrap(), &format!("{}:{path}", self.name)]);
        }
        Host { log: Mutex::new(Arc::new(start(&self.name))), name: self.name.clone() }
    }
}

/// Starts a container, and follows what it prints from now on: the engine also keeps what it printed before it was stopped.
fn start(name: &str) -> Log {
    let now = SystemTime::now();
    docker(&["container", "start", name]);
    Log::of(name, now)
}

/// A started container.
pub struct Host {
    name: String,
    log: Mutex<Arc<Log>>,
}

impl Host {
    /// Its name, by which the engine knows it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it prints, since it was last started.
    pub fn log(&self) -> Arc<Log> {
        Arc::clone(&self.log.lock().unwrap())
    }

    /// Runs a command in it, which must succeed.
    pub fn exec(&self, command: &[&str]) -> String {
        docker(&[&["container", "exec", &self.name], command].concat())
    }

    /// Runs a command in it.
    pub fn try_exec(&self, command: &[&str], limit: Duration) -> Output {
        run(&[&["container", "exec", &self.name], command].concat(), None, limit)
    }

    /// Runs a command in it with this standard input; it must succeed.
    pub fn pipe(&self, command: &[&str], input: &str) {
        let words = [&["container", "exec", "--interactive", &self.name], command].concat();
        let output = run(&words, Some(input), super::LIMIT);
        assert!(output.code == Some(0), "{command:?} in {}: {output:?}\n{input}", self.name);
    }

    /// Stops it. What runs in it gets SIGTERM, and 5 s.
    pub fn stop(&self) {
        docker(&["container", "stop", "--time", "5", &self.name]);
    }

    /// Kills what runs in it.
    pub fn kill(&self) {
        docker(&["container", "kill", &self.name]);
    }

    /// Starts it again, with its files.
    pub fn start_again(&self) {
        *self.log.lock().unwrap() = Arc::new(start(&self.name));
    }

    /// Takes it off a network.
    pub fn disconnect(&self, network: &str) {
        docker(&["network", "disconnect", network, &self.name]);
    }

    /// Puts it on a network, with this address.
    pub fn connect(&self, network: &str, address: &str) {
        docker(&["network", "connect", "--ip", address, network, &self.name]);
    }
}
