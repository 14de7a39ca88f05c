//! The limits of stopping, derived from the promise to the user inwards. Each ends before the one around it, so that each
//! stage can act on its own timeout before it is aborted.

use std::time::Duration;

/// The process exits within this time after the first SIGTERM or SIGINT.
pub const PROCESS: Duration = Duration::from_secs(3);

/// Time that each stage leaves to the one around it, for a slow CPU with many connections.
const MARGIN: Duration = Duration::from_millis(200);

/// How long dropping the runtime may take before the process exits without it.
pub const EXIT: Duration = Duration::from_millis(100);

/// How long the actors may take in total before all open connections are aborted.
pub const ACTORS: Duration = PROCESS.saturating_sub(EXIT).saturating_sub(MARGIN);

/// How long one connection may take before its supervisor kills it.
pub const CONNECTION: Duration = ACTORS.saturating_sub(MARGIN);

/// How long closing a stream may take before the connection aborts it and stops.
pub const STREAM: Duration = CONNECTION.saturating_sub(MARGIN);

/// How long the server may take to answer `</stream:stream>` with its own (RFC 6120 4.4). What remains of [`STREAM`] is for
/// ending TLS and TCP.
pub const FOOTER: Duration = STREAM.saturating_sub(Duration::from_millis(300));

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_limit_is_the_documented_one() {
        let limits = [FOOTER, STREAM, CONNECTION, ACTORS, PROCESS].map(|limit| limit.as_millis());
        assert_eq!(limits, [2000, 2300, 2500, 2700, 3000]);
    }
}
