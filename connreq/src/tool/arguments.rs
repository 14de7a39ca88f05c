//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;
use xmpp::jid::{Jid, ResourcePart};

use crate::tls::Trust;

/// Default time between the starts of two rounds.
const DEFAULT_INTERVAL: Duration = Duration::from_secs(1);
const HOUR: f64 = 3600.0;

/// Send TR-069 Annex K connection requests and print the answers.
#[derive(Debug, Parser)]
#[command(
    name = "connreq",
    version,
    after_help = "Passwords are read from a file, from the environment (CONNREQ_PASSWORD for the\n\
        account, CONNREQ_SECRET for the connection request), or from the terminal; never\n\
        from the command line.\n\n\
        Exit status, the highest that applies:\n  \
        0  every request was accepted\n  \
        1  at least one was refused, by the CPE or by a server on the way\n  \
        2  at least one was not answered in time\n  \
        3  no login, or the connection to the server was lost\n  \
        4  the command line, or a file that it names, is wrong; nothing was sent\n  \
        5  stopped before every request had its outcome"
)]
pub(super) struct Arguments {
    /// CPEs to send requests to: full JIDs, with the resource.
    #[arg(value_name = "TO")]
    pub(super) to: Vec<String>,
    /// File with further CPEs, one per line; - is stdin.
    #[arg(long, value_name = "FILE")]
    pub(super) targets: Option<PathBuf>,
    /// Resource for CPEs given without one.
    #[arg(long, value_name = "NAME", value_parser = resource)]
    pub(super) resource: Option<ResourcePart>,

    /// The ACS's account, with or without a resource.
    #[arg(long, help_heading = "Login")]
    pub(super) jid: Jid,
    /// File with the account's password.
    #[arg(long, value_name = "FILE", help_heading = "Login")]
    pub(super) password_file: Option<PathBuf>,
    /// Server to connect to [default: by DNS].
    #[arg(long, value_name = "HOST:PORT", value_parser = server, help_heading = "Login")]
    pub(super) server: Option<String>,
    /// Certificates to trust [default: the system's].
    #[arg(long, value_name = "FILE", conflicts_with = "insecure", help_heading = "Login")]
    ca: Option<PathBuf>,
    /// Accept any server certificate (for tests).
    #[arg(long, help_heading = "Login")]
    insecure: bool,
    /// Maximum time for the login.
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = time_limit, help_heading = "Login")]
    pub(super) login_timeout: Duration,

    /// Connection request user name of the CPEs.
    #[arg(long, value_name = "NAME", default_value = "", hide_default_value = true, help_heading = "Requests")]
    pub(super) connreq_user: String,
    /// File with the connection request password.
    #[arg(long, value_name = "FILE", help_heading = "Requests")]
    pub(super) connreq_secret_file: Option<PathBuf>,
    /// Maximum time for an answer.
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = time_limit, help_heading = "Requests")]
    pub(super) timeout: Duration,
    /// Maximum pending requests.
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=1000),
        help_heading = "Requests")]
    pub(super) concurrency: u16,
    /// Maximum requests per second [default: none].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=10000), help_heading = "Requests")]
    rate: Option<u16>,
    /// Rounds [default: 1; with --interval endless].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..), help_heading = "Requests")]
    count: Option<u64>,
    /// Time from round to round [default: 1].
    #[arg(long, value_name = "SECONDS", value_parser = interval, help_heading = "Requests")]
    interval: Option<Duration>,

    /// Print JSON lines: one for each answer, one for the summary.
    #[arg(long, help_heading = "Output")]
    pub(super) json: bool,
    /// Print the summary only: no answers, no progress bar.
    #[arg(long, short, help_heading = "Output")]
    pub(super) quiet: bool,
}

/// When requests are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pace {
    /// Without a number, the run lasts until it is stopped.
    pub(super) rounds: Option<u64>,
    /// Time between the starts of two rounds.
    pub(super) interval: Duration,
    /// Maximum number of pending requests.
    pub(super) concurrency: usize,
    /// Minimum time between two requests.
    pub(super) gap: Duration,
}

impl Arguments {
    /// Returns when requests are sent.
    pub(super) fn pace(&self) -> Pace {
        Pace {
            rounds: self.count.or(if self.interval.is_some() { None } else { Some(1) }),
            interval: self.interval.unwrap_or(DEFAULT_INTERVAL),
            concurrency: self.concurrency.into(),
            gap: self.rate.map_or(Duration::ZERO, |rate| Duration::from_secs(1) / u32::from(rate)),
        }
    }

    /// Returns what the server's certificate is checked against.
    pub(super) fn trust(&self) -> Trust {
        match &self.ca {
            _ if self.insecure => Trust::Anything,
            Some(path) => Trust::File(path.clone()),
            None => Trust::System,
        }
    }
}

fn resource(text: &str) -> Result<ResourcePart, String> {
    ResourcePart::new(text).map(std::borrow::Cow::into_owned).map_err(|error| error.to_string())
}

fn server(text: &str) -> Result<String, String> {
    let is_port =
        |port: &str| port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok_and(|port| port > 0);
    // An IPv6 address needs brackets, since the last colon starts the port.
    let is_host =
        |host: &str| !host.is_empty() && (!host.contains(':') || (host.starts_with('[') && host.ends_with(']')));
    match text.rsplit_once(':') {
        Some((host, port)) if is_host(host) && is_port(port) => Ok(text.to_owned()),
        _ => Err("expected a host and a port, such as xmpp.isp.example:5222 or [2001:db8::1]:5222".to_owned()),
    }
}

fn time_limit(text: &str) -> Result<Duration, String> {
    seconds(text, 0.001, HOUR)
}

fn interval(text: &str) -> Result<Duration, String> {
    seconds(text, 0.0, 7.0 * 24.0 * HOUR)
}

fn seconds(text: &str, least: f64, most: f64) -> Result<Duration, String> {
    let seconds = text.parse::<f64>().ok().filter(|seconds| (least..=most).contains(seconds));
    seconds
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .ok_or_else(|| format!("expected seconds from {least} to {most}"))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn parse(arguments: &[&str]) -> Result<Arguments, clap::Error> {
        Arguments::try_parse_from(["connreq", "--jid", "acs@x"].iter().chain(arguments))
    }

    #[test]
    fn the_definition_is_consistent_and_its_help_fits_80_columns() {
        Arguments::command().debug_assert();
        let help = Arguments::command().render_help().to_string();
        assert_eq!(help.lines().find(|line| line.chars().count() > 80), None);
    }

    #[test]
    fn the_manual_page_has_every_option_and_exit_status() {
        let page = include_str!("../../../docs/connreq.1");
        let command = Arguments::command();
        let names: Vec<&str> = command.get_arguments().filter_map(clap::Arg::get_long).collect();
        assert!(names.len() > 15, "{names:?}");
        for name in names {
            assert!(page.contains(&format!(".It Fl -{name}")) || page.contains(&format!(", Fl -{name}")), "--{name}");
            assert!(page.contains(&format!(".Op Fl -{name}")) || ["ca", "insecure", "jid"].contains(&name), "--{name}");
        }
        let statuses = page.split(".Sh EXIT STATUS").nth(1).unwrap();
        for status in 0..=5 {
            assert!(statuses.contains(&format!("\n.It {status}\n")), "{status}");
        }
    }

    #[test]
    fn count_and_interval_set_the_rounds() {
        let second = Duration::from_secs(1);
        for (arguments, rounds, interval) in [
            (&[][..], Some(1), second),
            (&["--count", "3"], Some(3), second),
            (&["--interval", "0.5"], None, second / 2),
            (&["--interval", "60", "--count", "2"], Some(2), second * 60),
        ] {
            let pace = parse(arguments).unwrap().pace();
            assert_eq!((pace.rounds, pace.interval), (rounds, interval), "{arguments:?}");
        }
        assert_eq!(parse(&[]).unwrap().pace().gap, Duration::ZERO);
        assert_eq!(parse(&["--rate", "4"]).unwrap().pace().gap, second / 4);
    }

    #[test]
    fn seconds_outside_their_range_are_rejected() {
        assert_eq!(time_limit("1.5"), Ok(Duration::from_millis(1500)));
        assert_eq!(time_limit("3600"), Ok(Duration::from_secs(3600)));
        for wrong in ["", "0", "-1", "3601", "ten", "NaN", "inf", "1s", "1e99"] {
            assert_eq!(time_limit(wrong), Err("expected seconds from 0.001 to 3600".to_owned()), "{wrong}");
        }
        assert_eq!(interval("0"), Ok(Duration::ZERO));
        assert_eq!(interval("604801"), Err("expected seconds from 0 to 604800".to_owned()));
    }

    #[test]
    fn a_server_needs_host_and_port() {
        for right in ["localhost:5222", "192.0.2.1:1", "[2001:db8::1]:65535"] {
            assert_eq!(server(right), Ok(right.to_owned()));
        }
        for wrong in ["", ":", "a", "a:", ":1", "a:0", "a:+1", "a:65536", "a:1:2", "2001:db8::1", "2001:db8::1:5222"] {
            assert!(server(wrong).is_err_and(|error| error.starts_with("expected a host and a port")), "{wrong}");
        }
    }

    #[test]
    fn values_out_of_range_are_rejected() {
        for wrong in [
            &["--concurrency", "0"][..],
            &["--concurrency", "1001"],
            &["--rate", "0"],
            &["--count", "0"],
            &["--resource", ""],
            &["--ca", "x", "--insecure"],
            &["--password", "x"],
        ] {
            assert!(parse(wrong).is_err(), "{wrong:?}");
        }
    }
}
