//! Starts xmppd. The exit status says how it ended.

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
use xmppd::config::Startup;
use xmppd::config::model::LogLevel;
use xmppd::logging::{self, LevelHandle};
use xmppd::shutdown;
use xmppd::supervision::{ExitReason, Stop, log_panics};

fn main() -> ExitCode {
    match cli::begin(Cli::parse()) {
        Invocation::Run(startup) => run(startup),
        Invocation::Exit(code) => code,
    }
}

fn run(startup: Startup) -> ExitCode {
    let level = logging::start(LogLevel::default()).ok();
    log_panics();
    disable_core_dumps();
    let runtime = Builder::new_current_thread().enable_all().max_blocking_threads(KEY_THREADS).build();
    let system = match runtime {
        Ok(runtime) => System::with_tokio_rt(move || runtime),
        Err(error) => {
            tracing::error!("xmppd cannot start: {error}");
            return ExitCode::from(cli::FAILED);
        }
    };
    let code = match system.block_on(run_until_exit(startup, level)) {
        Ok(ExitReason::Shutdown | ExitReason::Normal) => {
            tracing::info!("stopped");
            cli::SUCCESS
        }
        Ok(reason) => {
            tracing::error!("xmppd ends: {reason}");
            cli::CRASHED
        }
        Err(error) => {
            tracing::error!("xmppd cannot start: {error}");
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

/// Disables core dumps, which would contain passwords. A limit of one byte, unlike a limit of 0, also holds where cores are
/// piped to a program (core(5)).
fn disable_core_dumps() {
    let one_byte = Rlimit { current: Some(1), maximum: Some(1) };
    if let Err(error) = setrlimit(Resource::Core, one_byte) {
        tracing::warn!("core dumps cannot be disabled: a crash of the process may write passwords to disk: {error}");
    }
}

/// Exits the process after `limit`, in case dropping what is left takes longer: the runtime waits for its threads, and a
/// key derivation cannot be interrupted.
fn force_exit_after(limit: Duration, code: u8) {
    let exit = move || {
        std::thread::sleep(limit);
        std::process::exit(code.into());
    };
    // Without this thread the exit takes as long as the derivation.
    let _ = std::thread::Builder::new().spawn(exit);
}

/// Runs the actors until they are stopped by a signal, or end because they crashed too often.
async fn run_until_exit(
    startup: Startup,
    level: Option<LevelHandle>,
) -> Result<ExitReason, Box<dyn std::error::Error>> {
    let mut signals = Signals::new()?;
    tracing::info!("xmppd {} starts with {}", env!("CARGO_PKG_VERSION"), startup.config.display());
    let tree = Tree::new(startup, level);
    let (config, connections) = (tree.reload(), tree.connections());
    let (root, running) = tree.root()?.run();
    let end = running.wait().fuse();
    futures_util::pin_mut!(end);
    let mut stopping = None;
    loop {
        tokio::select! {
            reason = &mut end => return Ok(reason),
            () = timeout_since(stopping) => {
                tracing::warn!("not all has stopped in time: what is not closed yet is cut off");
                return Ok(ExitReason::Shutdown);
            }
            signal = signals.next() => {
                if signal == SignalKind::hangup() {
                    tracing::info!("SIGHUP: reading the configuration, and cutting the waits before retries short");
                    config.do_send(Reload);
                    connections.reconnect_all();
                } else if stopping.is_some() {
                    tracing::warn!("asked to stop again: what is not closed yet is cut off");
                    return Ok(ExitReason::Shutdown);
                } else {
                    tracing::info!("asked to stop");
                    stopping = Some(Instant::now());
                    root.do_send(Stop);
                }
            },
        }
    }
}

/// Waits until the actors have taken too long to stop, if they are stopping.
async fn timeout_since(stopping: Option<Instant>) {
    match stopping {
        Some(since) => tokio::time::sleep_until(since + shutdown::ACTORS).await,
        None => std::future::pending().await,
    }
}

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

    /// Waits for the next signal.
    async fn next(&mut self) -> SignalKind {
        tokio::select! {
            _ = self.hangup.recv() => SignalKind::hangup(),
            _ = self.terminate.recv() => SignalKind::terminate(),
            _ = self.interrupt.recv() => SignalKind::interrupt(),
        }
    }
}
