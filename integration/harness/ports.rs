//! Free ports, which stay free while a server restarts.

use std::collections::BTreeSet;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpListener};
use std::sync::{LazyLock, Mutex};

use rand::RngExt as _;

/// Below the range of ephemeral ports, so that a restarted server finds its port free.
const RANGE: std::ops::Range<u16> = 20_000..32_000;

/// The ports already returned by this process.
static USED: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());

/// The addresses that servers listen at: 127.0.0.1, and `::1` if this machine has IPv6.
pub fn loopbacks() -> &'static [IpAddr] {
    static FOUND: LazyLock<Vec<IpAddr>> = LazyLock::new(|| usable(|address| TcpListener::bind((address, 0)).map(drop)));
    &FOUND
}

/// Returns the loopback addresses, without `::1` if it cannot be bound because there is no IPv6.
fn usable(bind: impl Fn(IpAddr) -> io::Result<()>) -> Vec<IpAddr> {
    let v6 = bind(Ipv6Addr::LOCALHOST.into());
    // Switched off, or not in the kernel. After any other error, looking for a free port says what is wrong.
    let missing = v6.is_err_and(|error| {
        error.kind() == ErrorKind::AddrNotAvailable
            || error.raw_os_error() == Some(rustix::io::Errno::AFNOSUPPORT.raw_os_error())
    });
    [IpAddr::from(Ipv4Addr::LOCALHOST), Ipv6Addr::LOCALHOST.into()].into_iter().take(2 - usize::from(missing)).collect()
}

/// Returns a port that is free at all [`loopbacks`], and that no other test of this process gets.
pub fn free() -> u16 {
    let mut problem = "all of them were given to other tests".to_owned();
    for _ in 0..1000 {
        let port = rand::rng().random_range(RANGE);
        let taken = loopbacks().iter().find_map(|&address| Some((address, TcpListener::bind((address, port)).err()?)));
        match taken {
            None if USED.lock().unwrap().insert(port) => return port,
            None => {}
            Some((address, error)) => problem = format!("the last one failed at {address}: {error}"),
        }
    }
    panic!("no free port found in 1000 tries of {RANGE:?}: {problem}");
}

#[test]
fn without_ipv6_the_ports_are_those_of_ipv4() {
    let v4 = IpAddr::from(Ipv4Addr::LOCALHOST);
    let v6 = IpAddr::from(Ipv6Addr::LOCALHOST);
    let found = |error: fn() -> Option<io::Error>| {
        usable(|address| if address == v6 { error().map_or(Ok(()), Err) } else { Ok(()) })
    };
    assert_eq!(found(|| None), [v4, v6]);
    assert_eq!(found(|| Some(ErrorKind::AddrNotAvailable.into())), [v4]);
    assert_eq!(found(|| Some(rustix::io::Errno::AFNOSUPPORT.into())), [v4]);
    assert_eq!(found(|| Some(ErrorKind::PermissionDenied.into())), [v4, v6]);
}
