//! Starts xmppd, and says with its exit status how it ended.

use std::process::ExitCode;

use actix_rt::System;
use clap::Parser;
use futures_util::FutureExt;
use rustix::process::{Resource, Rlimit, setrlimit};
use tokio::runtime::Builder;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::Instant;
use xmppd::actors::config::{ReconnectAll, Reload};
use xmppd::actors::house::House;
use xmppd::actors::tree;
use xmppd::cli::{self, Cli, Wish};
use xmppd::config::Startup;
use xmppd::config::model::LogLevel;
use xmppd::logging;
use xmppd::shutdown;
use xmppd::supervision::{ExitReason, Stop, log_panics};

fn main() -> ExitCode {
    match cli::begin(Cli::parse()) {
        Wish::Run(startup) => run(startup),
        Wish::Exit(code) => code,
    }
}

fn run(startup: Startup) -> ExitCode {
    let level = logging::start(LogLevel::default()).ok();
    log_panics();
    write_no_core();
    let house = House::new(startup, level);
    let runtime = Builder::new_current_thread().enable_all().max_blocking_threads(KEY_THREADS).build();
    let system = match runtime {
        Ok(runtime) => System::with_tokio_rt(move || runtime),
        Err(error) => {
            tracing::error!("xmppd cannot start: {error}");
            return ExitCode::from(cli::FAILED);
        }
    };
    let code = match system.block_on(live(house)) {
        Ok(ExitReason::Shutdown | ExitReason::Normal) => {
            tracing::info!("stopped");
            cli::WELL
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
    end_soon(code);
    drop(system);
    ExitCode::from(code)
}

/// So many logins at a time have their keys derived, each on a thread; the others wait for their turn. A hundred connections
/// that come back at once are not to be a hundred threads. Nothing else may need one of them: a server that asks for many
/// iterations keeps them for long.
const KEY_THREADS: usize = 4;

/// A core would hold the passwords. Of one byte there is none; and unlike a limit of 0 this one holds as well where cores
/// are piped to a program (core(5)).
fn write_no_core() {
    let none = Rlimit { current: Some(1), maximum: Some(1) };
    if let Err(error) = setrlimit(Resource::Core, none) {
        tracing::warn!("a crash of the process might leave a core, and with it passwords: {error}");
    }
}

/// Ends the process, however long what is left takes to be dropped: a server may have asked for so many iterations that the
/// keys of a login are still being derived, on a thread that nobody can interrupt and the system waits for.
fn end_soon(code: u8) {
    let end = move || {
        std::thread::sleep(shutdown::EXIT);
        std::process::exit(code.into());
    };
    // Without this thread it takes as long as it takes.
    let _ = std::thread::Builder::new().spawn(end);
}

async fn live(house: House) -> Result<ExitReason, Box<dyn std::error::Error>> {
    let mut signals = Signals::new()?;
    tracing::info!("xmppd {} starts with {}", env!("CARGO_PKG_VERSION"), house.startup.config.display());
    let (root, running) = tree::root(&house)?.run();
    let end = running.wait().fuse();
    futures_util::pin_mut!(end);
    let mut stopping = None;
    loop {
        tokio::select! {
            reason = &mut end => return Ok(reason),
            () = too_long_since(stopping) => {
                tracing::warn!("not all has stopped in time: what is not closed yet is cut off");
                return Ok(ExitReason::Shutdown);
            }
            signal = signals.next() => match signal {
                Caught::HangUp => {
                    tracing::info!("SIGHUP: reading the configuration, and cutting the waits before retries short");
                    if let Some(config) = &house.rooms().config {
                        config.do_send(Reload);
                        config.do_send(ReconnectAll);
                    }
                }
                Caught::Terminate if stopping.is_some() => {
                    tracing::warn!("asked to stop again: what is not closed yet is cut off");
                    return Ok(ExitReason::Shutdown);
                }
                Caught::Terminate => {
                    tracing::info!("asked to stop");
                    stopping = Some(Instant::now());
                    root.do_send(Stop);
                }
            },
        }
    }
}

/// Waits until stopping takes too long, if it has begun.
async fn too_long_since(begun: Option<Instant>) {
    match begun {
        Some(begun) => tokio::time::sleep_until(begun + shutdown::ACTORS).await,
        None => std::future::pending().await,
    }
}

struct Signals {
    hang_up: Signal,
    terminate: Signal,
    interrupt: Signal,
}

enum Caught {
    HangUp,
    Terminate,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self {
            hang_up: signal(SignalKind::hangup())?,
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    async fn next(&mut self) -> Caught {
        tokio::select! {
            _ = self.hang_up.recv() => Caught::HangUp,
            _ = self.terminate.recv() => Caught::Terminate,
            _ = self.interrupt.recv() => Caught::Terminate,
        }
    }
}
