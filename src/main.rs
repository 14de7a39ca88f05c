//! Starts xmppd, handles signals, and sets the exit status.

use std::process::ExitCode;
use std::time::Duration;

use actix_rt::System;
use clap::Parser;
use futures_util::FutureExt;
use rustix::process::{Resource, Rlimit, setrlimit};
use tokio::runtime::Builder;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::Instant;
use xmppd::actors::messages::Reload;
use xmppd::actors::tree::Tree;
use xmppd::cli::{self, Cli, Invocation};
use xmppd::config::model::LogLevel;
use xmppd::config::startup::Startup;
use xmppd::logging;
use xmppd::logging::level::LevelHandle;
use xmppd::supervision::lifecycle::Stop;
use xmppd::supervision::panics::log_panics;
use xmppd::supervision::spec::ExitReason;
use xmppd::{critical, notice, service_manager, shutdown};

fn main() -> ExitCode {
    match cli::begin(Cli::parse()) {
        Invocation::Run(startup) => run(startup),
        Invocation::Exit(code) => code,
    }
}

fn run(startup: Startup) -> ExitCode {
    let level = logging::start(LogLevel::default(), startup.log, &startup.syslog_socket).ok();
    log_panics();
    disable_core_dumps();
    let runtime = Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(KEY_THREADS)
        .max_io_events_per_tick(IO_EVENTS)
        .build();
    let system = match runtime {
        Ok(runtime) => System::with_tokio_rt(move || runtime),
        Err(error) => {
            critical!("xmppd cannot start: {error}");
            return ExitCode::from(cli::FAILED);
        }
    };
    let code = match system.block_on(run_until_exit(startup, level)) {
        Ok(ExitReason::Shutdown | ExitReason::Normal) => {
            notice!("stopped");
            cli::SUCCESS
        }
        Ok(reason) => {
            critical!("xmppd ends: {reason}");
            cli::CRASHED
        }
        Err(error) => {
            critical!("xmppd cannot start: {error}");
            cli::FAILED
        }
    };
    force_exit_after(shutdown::EXIT, code);
    drop(system);
    ExitCode::from(code)
}

/// Maximum number of concurrent SCRAM key derivations; each takes a thread. Nothing else may use these threads: a server that
/// asks for many iterations keeps them busy for a long time.
const KEY_THREADS: usize = 4;

/// Maximum number of I/O events that are taken with one system call. Room for each is allocated for good; tokio's default is 1024.
const IO_EVENTS: usize = 64;

/// Disables core dumps, which would contain passwords. A limit of one byte, unlike a limit of 0, also holds where cores are
/// piped to a program (core(5)).
fn disable_core_dumps() {
    let one_byte = Rlimit { current: Some(1), maximum: Some(1) };
    if let Err(error) = setrlimit(Resource::Core, one_byte) {
        tracing::warn!("core dumps cannot be disabled: a crash of the process may write passwords to disk: {error}");
    }
}

/// Exits the process after `limit` in case dropping the runtime takes longer: it waits for its threads, and a key derivation
/// cannot be interrupted.
fn force_exit_after(limit: Duration, code: u8) {
    let exit = move || {
        std::thread::sleep(limit);
        std::process::exit(code.into());
    };
    // Without this thread the exit takes as long as the derivation.
    let _ = std::thread::Builder::new().spawn(exit);
}

/// Runs the actors until a signal stops them or they crashed too often.
async fn run_until_exit(
    startup: Startup,
    level: Option<LevelHandle>,
) -> Result<ExitReason, Box<dyn std::error::Error>> {
    let mut signals = Signals::new()?;
    notice!("xmppd {} started: config={}", env!("CARGO_PKG_VERSION"), startup.config.display());
    let tree = Tree::new(startup, level);
    let (config, connections) = (tree.config(), tree.connection_addresses());
    let (root, running) = tree.root()?.run();
    let end = running.wait().fuse();
    futures_util::pin_mut!(end);
    let mut stopping = None;
    loop {
        tokio::select! {
            reason = &mut end => return Ok(reason),
            () = timeout_since(stopping) => {
                tracing::warn!("shutdown timed out: aborting open connections");
                return Ok(ExitReason::Shutdown);
            }
            signal = signals.next() => match signal {
                HANGUP => {
                    tracing::info!("{HANGUP}: reading the configuration files, shortening retry waits");
                    config.do_send(Reload);
                    connections.reconnect_all();
                }
                _ if stopping.is_some() => {
                    tracing::warn!("{signal} while stopping: aborting open connections");
                    return Ok(ExitReason::Shutdown);
                }
                _ => {
                    notice!("{signal}: stopping");
                    service_manager::stopping();
                    stopping = Some(Instant::now());
                    root.do_send(Stop);
                }
            },
        }
    }
}

/// Completes when the actors have taken too long to stop; never while they are not stopping.
async fn timeout_since(stopping: Option<Instant>) {
    match stopping {
        Some(since) => tokio::time::sleep_until(since + shutdown::ACTORS).await,
        None => std::future::pending().await,
    }
}

const HANGUP: &str = "SIGHUP";

/// The signals that the daemon handles.
struct Signals {
    hangup: Signal,
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self {
            hangup: signal(SignalKind::hangup())?,
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// Waits for the next signal and returns its name.
    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.hangup.recv() => HANGUP,
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}
