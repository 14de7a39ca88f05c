//! Ticks at a fixed interval, each of which wakes the process once.
//!
//! A timer of tokio wakes it up to four times, because its deadline moves through the levels of a wheel.

use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use futures_util::stream::{Stream, unfold};
use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Yields once in each interval, and once for all those that were missed.
///
/// # Errors
/// The process has no descriptor left.
#[allow(deprecated, reason = "its replacement is unsafe; an OwnedFd keeps its descriptor open and never changes it")]
pub fn ticks(interval: Duration) -> io::Result<impl Stream<Item = ()>> {
    let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC)?;
    timer.set(Expiration::Interval(TimeSpec::from_duration(interval)), TimerSetTimeFlags::empty())?;
    let timer = AsyncFd::with_interest(OwnedFd::from(timer), Interest::READABLE)?;
    Ok(unfold(timer, |timer| async move {
        let mut missed = [0; 8];
        timer.async_io(Interest::READABLE, |fd| Ok(rustix::io::read(fd, &mut missed)?)).await.ok()?;
        Some(((), timer))
    }))
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::time::Instant;

    use futures_util::{FutureExt, StreamExt};

    use super::*;

    #[tokio::test]
    async fn a_tick_comes_in_each_interval_and_missed_ones_come_once() {
        let interval = Duration::from_millis(100);
        let begin = Instant::now();
        let mut ticks = pin!(ticks(interval).unwrap());
        for _ in 0..3 {
            ticks.next().await.unwrap();
        }
        assert!(begin.elapsed() >= 3 * interval);
        // Three are missed. The next one may come meanwhile.
        std::thread::sleep(interval * 7 / 2);
        ticks.next().await.unwrap();
        assert!((0..2).filter(|_| ticks.next().now_or_never().is_some()).count() < 2);
    }
}
