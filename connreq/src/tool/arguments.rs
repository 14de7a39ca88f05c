//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;
use xmpp::jid::{Jid, ResourcePart};

use super::super::tls::Trust;

/// From one round's start to the next one's, unless another is given.
const INTERVAL: Duration = Duration::from_secs(1);
const HOUR: f64 = 3600.0;

/// Send TR-069 Annex K connection requests, and print the answers.
#[derive(Debug, Parser)]
#[command(
    name = "connreq",
    version,
    after_help = "Passwords are never arguments: they are read from a file, from the environment (CONNREQ_PASSWORD for the\n\
        account, CONNREQ_SECRET for the connection request), or else asked for on the terminal.\n\n\
        Exit status, the worst that happened:\n  \
        0  every request was accepted\n  \
        1  at least one was refused, by the CPE or by a server on the way\n  \
        2  at least one had no answer in time\n  \
        3  no login, or the connection to the server was lost\n  \
        4  the command line or a file that it names is wrong; nothing was sent\n  \
        5  stopped before everything was asked and answered"
)]
pub(super) struct Arguments {
    /// CPEs to ask: full JIDs, with the resource.
    #[arg(value_name = "TO")]
    pub(super) to: Vec<String>,
    /// File with further CPEs, one a line, # begins a comment; - is standard input.
    #[arg(long, value_name = "FILE")]
    pub(super) targets: Option<PathBuf>,
    /// Resource of those CPEs that are given without one.
    #[arg(long, value_name = "NAME", value_parser = resource)]
    pub(super) resource: Option<ResourcePart>,

    /// The ACS's account; with a resource, that one is asked for.
    #[arg(long, help_heading = "Login")]
    pub(super) jid: Jid,
    /// File with the account's password.
    #[arg(long, value_name = "FILE", help_heading = "Login")]
    pub(super) password_file: Option<PathBuf>,
    /// Server to connect to, instead of the one that DNS names.
    #[arg(long, value_name = "HOST:PORT", value_parser = server, help_heading = "Login")]
    pub(super) server: Option<String>,
    /// PEM file with the certificates to trust, instead of the system's.
    #[arg(long, value_name = "FILE", conflicts_with = "insecure", help_heading = "Login")]
    ca: Option<PathBuf>,
    /// Accept any server certificate (for tests).
    #[arg(long, help_heading = "Login")]
    insecure: bool,
    /// How long the login may take.
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = limit, help_heading = "Login")]
    pub(super) login_timeout: Duration,

    /// Connection request user name, as the CPEs know it.
    #[arg(long, value_name = "NAME", default_value = "", hide_default_value = true, help_heading = "Requests")]
    pub(super) connreq_user: String,
    /// File with the connection request password.
    #[arg(long, value_name = "FILE", help_heading = "Requests")]
    pub(super) connreq_secret_file: Option<PathBuf>,
    /// How long an answer may take.
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = limit, help_heading = "Requests")]
    pub(super) timeout: Duration,
    /// Requests under way at the same time.
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=1000),
        help_heading = "Requests")]
    pub(super) concurrency: u16,
    /// Requests sent in a second at most; without it as fast as answers come.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=10000), help_heading = "Requests")]
    rate: Option<u16>,
    /// Rounds, each CPE once in each; 1 without --interval, until SIGINT with it.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..), help_heading = "Requests")]
    count: Option<u64>,
    /// From one round's start to the next one's; 1 unless given.
    #[arg(long, value_name = "SECONDS", value_parser = pause, help_heading = "Requests")]
    interval: Option<Duration>,

    /// JSON lines: an object for each answer, and one for the summary at the end.
    #[arg(long, help_heading = "Output")]
    pub(super) json: bool,
    /// The summary alone: no line for each answer, no progress bar.
    #[arg(long, short, help_heading = "Output")]
    pub(super) quiet: bool,
}

/// When what is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pace {
    /// None: until it is stopped.
    pub(super) rounds: Option<u64>,
    /// From one round's start to the next one's.
    pub(super) interval: Duration,
    /// Requests under way at the same time.
    pub(super) concurrency: usize,
    /// From one request to the next one, at least.
    pub(super) gap: Duration,
}

impl Arguments {
    /// What these arguments say about it.
    pub(super) fn pace(&self) -> Pace {
        Pace {
            rounds: self.count.or(if self.interval.is_some() { None } else { Some(1) }),
            interval: self.interval.unwrap_or(INTERVAL),
            concurrency: self.concurrency.into(),
            gap: self.rate.map_or(Duration::ZERO, |rate| Duration::from_secs(1) / u32::from(rate)),
        }
    }

    /// What the server's certificate is checked against.
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
    // An IPv6 address stands in brackets: a colon in it is not the port's.
    let is_host =
        |host: &str| !host.is_empty() && (!host.contains(':') || (host.starts_with('[') && host.ends_with(']')));
    match text.rsplit_once(':') {
        Some((host, port)) if is_host(host) && is_port(port) => Ok(text.to_owned()),
        _ => Err("expected a host and a port, such as xmpp.isp.example:5222 or [2001:db8::1]:5222".to_owned()),
    }
}

fn limit(text: &str) -> Result<Duration, String> {
    seconds(text, 0.001, HOUR)
}

fn pause(text: &str) -> Result<Duration, String> {
    seconds(text, 0.0, 7.0 * 24.0 * HOUR)
}

fn seconds(text: &str, least: f64, most: f64) -> Result<Duration, String> {
    let seconds = text.parse::<f64>().ok().filter(|seconds| (least..=most).contains(seconds));
    seconds
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .ok_or_else(|| format!("expected seconds, from {least} to {most}"))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn parse(arguments: &[&str]) -> Result<Arguments, clap::Error> {
        Arguments::try_parse_from(["connreq", "--jid", "acs@x"].iter().chain(arguments))
    }

    #[test]
    fn the_definition_holds_together_and_its_help_does_not_wrap() {
        Arguments::command().debug_assert();
        let help = Arguments::command().render_help().to_string();
        assert_eq!(help.lines().find(|line| line.chars().count() > 120), None);
    }

    #[test]
    fn the_page_has_every_option_and_every_exit_status() {
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
    fn rounds_follow_from_count_and_interval() {
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
    fn seconds_are_numbers_within_their_range() {
        assert_eq!(limit("1.5"), Ok(Duration::from_millis(1500)));
        assert_eq!(limit("3600"), Ok(Duration::from_secs(3600)));
        for wrong in ["", "0", "-1", "3601", "ten", "NaN", "inf", "1s", "1e99"] {
            assert_eq!(limit(wrong), Err("expected seconds, from 0.001 to 3600".to_owned()), "{wrong}");
        }
        assert_eq!(pause("0"), Ok(Duration::ZERO));
        assert_eq!(pause("604801"), Err("expected seconds, from 0 to 604800".to_owned()));
    }

    #[test]
    fn a_server_is_a_host_and_a_port() {
        for right in ["localhost:5222", "192.0.2.1:1", "[2001:db8::1]:65535"] {
            assert_eq!(server(right), Ok(right.to_owned()));
        }
        for wrong in ["", ":", "a", "a:", ":1", "a:0", "a:+1", "a:65536", "a:1:2", "2001:db8::1", "2001:db8::1:5222"] {
            assert!(server(wrong).is_err_and(|error| error.starts_with("expected a host and a port")), "{wrong}");
        }
    }

    #[test]
    fn what_is_out_of_range_is_refused() {
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
