//! Starts xmppd, and says with its exit status how it ended.

use std::process::ExitCode;

use clap::Parser;
use futures_util::FutureExt;
use tokio::signal::unix::{Signal, SignalKind, signal};
use xmppd::actors::config::{ReconnectAll, Reload};
use xmppd::actors::house::House;
use xmppd::actors::tree;
use xmppd::cli::{self, Cli, Wish};
use xmppd::config::Startup;
use xmppd::config::model::LogLevel;
use xmppd::logging;
use xmppd::supervision::{ExitReason, Stop};

fn main() -> ExitCode {
    match cli::begin(Cli::parse()) {
        Wish::Run(startup) => run(startup),
        Wish::Exit(code) => code,
    }
}

fn run(startup: Startup) -> ExitCode {
    let level = logging::start(LogLevel::default()).ok();
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!("internal error at {place}; what follows is up to the supervisor");
    }));
    let house = House::new(startup, level);
    match actix_rt::System::new().block_on(live(house)) {
        Ok(ExitReason::Shutdown | ExitReason::Normal) => {
            tracing::info!("stopped");
            ExitCode::SUCCESS
        }
        Ok(reason) => {
            tracing::error!("xmppd ends: {reason}");
            ExitCode::from(cli::CRASHED)
        }
        Err(error) => {
            tracing::error!("xmppd cannot start: {error}");
            ExitCode::from(cli::FAILED)
        }
    }
}

async fn live(house: House) -> Result<ExitReason, Box<dyn std::error::Error>> {
    let mut signals = Signals::new()?;
    tracing::info!("xmppd {} starts with {}", env!("CARGO_PKG_VERSION"), house.startup.config.display());
    let (root, running) = tree::root(&house)?.run();
    let end = running.wait().fuse();
    futures_util::pin_mut!(end);
    let mut stopping = false;
    loop {
        tokio::select! {
            reason = &mut end => return Ok(reason),
            signal = signals.next() => match signal {
                Caught::HangUp => {
                    tracing::info!("SIGHUP: reading the configuration, and not waiting any longer where that is possible");
                    if let Some(config) = &house.rooms().config {
                        config.do_send(Reload);
                        config.do_send(ReconnectAll);
                    }
                }
                Caught::Terminate if stopping => {
                    tracing::warn!("asked to stop again: what is not closed yet is cut off");
                    return Ok(ExitReason::Shutdown);
                }
                Caught::Terminate => {
                    tracing::info!("asked to stop");
                    stopping = true;
                    root.do_send(Stop);
                }
            },
        }
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
