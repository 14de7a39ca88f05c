//! Happy Eyeballs: races connections to the addresses of one server (RFC 8305 5). The caller makes the connections.

use std::fmt;
use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;

/// Head start of an address before the next one is tried in parallel (RFC 8305 5: "Connection Attempt Delay").
pub const ATTEMPT_DELAY: Duration = Duration::from_millis(250);

/// Connects to the addresses in order, each [`ATTEMPT_DELAY`] after the previous one, or as soon as one fails. The first
/// connection wins; the other attempts are dropped, which closes them.
///
/// # Errors
/// [`RaceLost`] if all addresses fail.
pub async fn race<T, E, F>(
    addresses: &[SocketAddr],
    connect: impl Fn(SocketAddr) -> F,
) -> Result<(SocketAddr, T), RaceLost<E>>
where
    F: Future<Output = Result<T, E>>,
{
    let mut waiting = addresses.iter();
    let mut running = FuturesUnordered::new();
    let mut failed = Vec::new();
    loop {
        if let Some(&address) = waiting.next() {
            let connection = connect(address);
            running.push(async move { (address, connection.await) });
        }
        tokio::select! {
            biased;
            ended = running.next() => match ended {
                Some((address, Ok(connection))) => return Ok((address, connection)),
                Some((address, Err(error))) => failed.push((address, error)),
                None => return Err(RaceLost(failed)),
            },
            () = tokio::time::sleep(ATTEMPT_DELAY), if waiting.len() > 0 => {}
        }
    }
}

/// All addresses of a server with the reasons why they failed, in the order of the failures.
#[derive(Debug)]
pub struct RaceLost<E>(pub Vec<(SocketAddr, E)>);

impl<E: fmt::Display> fmt::Display for RaceLost<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0[..] {
            [] => f.write_str("no address"),
            // The log line names the address.
            [(_, error)] => write!(f, "{error}"),
            all => {
                for (n, (address, error)) in all.iter().enumerate() {
                    write!(f, "{}{address}: {error}", if n == 0 { "" } else { "; " })?;
                }
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::rc::Rc;

    use tokio::time::{Instant, sleep};

    use super::*;
    use crate::testing::paused;

    /// The behaviour of an address, after a number of milliseconds.
    #[derive(Debug, Clone, Copy)]
    enum Address {
        Accepts(u64),
        Refuses(u64),
        Silent,
    }
    use Address::{Accepts, Refuses, Silent};

    /// Removes its attempt from the list of open ones when dropped.
    struct Open(Rc<RefCell<Vec<u16>>>, u16);

    impl Drop for Open {
        fn drop(&mut self) {
            self.0.borrow_mut().retain(|port| *port != self.1);
        }
    }

    #[derive(Debug, PartialEq, Eq)]
    struct Raced {
        /// Index of the winner.
        winner: Option<u16>,
        /// How long the race took, in milliseconds.
        took: u128,
        /// Start of the attempt at each address, in milliseconds.
        began: Vec<u128>,
        error: String,
    }

    /// Races addresses whose port is their index.
    fn raced(addresses: &[Address]) -> Raced {
        paused(async {
            let list: Vec<SocketAddr> =
                (0..).zip(addresses).map(|(port, _)| SocketAddr::from(([192, 0, 2, 1], port))).collect();
            let start = Instant::now();
            let began: RefCell<Vec<u128>> = RefCell::default();
            let open: Rc<RefCell<Vec<u16>>> = Rc::default();
            let connect = |address: SocketAddr| {
                let port = address.port();
                began.borrow_mut().push(start.elapsed().as_millis());
                open.borrow_mut().push(port);
                let attempt = Open(Rc::clone(&open), port);
                let behaviour = addresses[usize::from(port)];
                async move {
                    let (Accepts(after) | Refuses(after)) = behaviour else { return std::future::pending().await };
                    sleep(Duration::from_millis(after)).await;
                    if matches!(behaviour, Accepts(_)) { Ok(attempt) } else { Err("refused") }
                }
            };
            let result = tokio::time::timeout(Duration::from_secs(3600), race(&list, connect)).await.expect("an end");
            let took = start.elapsed().as_millis();
            let (winner, error) = match &result {
                Ok((address, connection)) => {
                    assert_eq!(address.port(), connection.1);
                    // The losers' connections are closed by now.
                    assert_eq!(*open.borrow(), [connection.1]);
                    (Some(address.port()), String::new())
                }
                Err(error) => (None, error.to_string()),
            };
            Raced { winner, took, began: began.take(), error }
        })
    }

    fn won(winner: u16, took: u128, began: &[u128]) -> Raced {
        Raced { winner: Some(winner), took, began: began.to_vec(), error: String::new() }
    }

    #[test]
    fn the_first_address_has_a_head_start() {
        assert_eq!(raced(&[Accepts(0), Accepts(0)]), won(0, 0, &[0]));
        assert_eq!(raced(&[Accepts(249), Accepts(0)]), won(0, 249, &[0]));
    }

    #[test]
    fn a_silent_address_costs_a_quarter_of_a_second() {
        assert_eq!(raced(&[Silent, Accepts(10)]), won(1, 260, &[0, 250]));
        let nine_silent = [&[Silent; 9][..], &[Accepts(10)]].concat();
        let began: Vec<u128> = (0..10).map(|n| 250 * n).collect();
        assert_eq!(raced(&nine_silent), won(9, 2260, &began));
    }

    #[test]
    fn a_failure_starts_the_next_attempt_at_once() {
        assert_eq!(raced(&[Refuses(0), Accepts(10)]), won(1, 10, &[0, 0]));
        assert_eq!(raced(&[Refuses(100), Refuses(100), Accepts(0)]), won(2, 200, &[0, 100, 200]));
        let nine_refuse = [&[Refuses(1); 9][..], &[Accepts(0)]].concat();
        assert_eq!(raced(&nine_refuse).took, 9);
    }

    #[test]
    fn each_attempt_restarts_the_delay() {
        assert_eq!(raced(&[Refuses(300), Silent, Silent, Accepts(0)]), won(3, 550, &[0, 250, 300, 550]));
    }

    #[test]
    fn a_slow_address_may_still_win() {
        assert_eq!(raced(&[Accepts(600), Silent, Silent, Silent]), won(0, 600, &[0, 250, 500]));
    }

    #[test]
    fn a_lost_race_names_every_address_and_its_reason() {
        let all = raced(&[Refuses(700), Refuses(0)]);
        let error = "192.0.2.1:1: refused; 192.0.2.1:0: refused".to_owned();
        assert_eq!(all, Raced { winner: None, took: 700, began: vec![0, 250], error });
        assert_eq!(raced(&[Refuses(5)]).error, "refused");
        assert_eq!(raced(&[]).error, "no address");
    }
}
