//! Many connections, whose server restarts.

use std::time::Duration;

use crate::harness::uci::DOMAIN;
use crate::harness::{Connection, LIMIT, Lab, Server, until};

const COUNT: usize = 200;
/// The first retry wait: the times of return are spread over it.
const FIRST_WAIT: u64 = 10;

fn all_online(server: &Server, accounts: &[String], limit: Duration) {
    until("all connections online", limit, || {
        let sessions = server.sessions();
        let online =
            |account: &&String| sessions.get(&format!("{account}@{DOMAIN}/wan")).is_some_and(|now| now.kind == "bind");
        (accounts.iter().filter(online).count() == COUNT).then_some(())
    });
}

/// All are back within the first retry wait and what their logins take, not all at once, and each answers.
#[test]
fn two_hundred_connections_come_back_after_a_restart_of_the_server() {
    let lab = Lab::new();
    let _router = lab.router(&[]);
    let _names = lab.names(&[("xmpp.isp.test", 10)], &[("xmpp.isp.test", &lab.core(10))]);
    let acs = lab.acs();
    let accounts: Vec<String> = (1..=COUNT).map(|number| format!("cpe{number}")).collect();
    let server = lab.server("xmpp", 10, &accounts.join(" "), "");
    let connections: Vec<Connection> = accounts
        .iter()
        .map(|account| {
            let connection =
                Connection::new(account).option("interval", 30).option("initial_retry_interval", FIRST_WAIT);
            connection.option("retry_max_interval", FIRST_WAIT)
        })
        .collect();
    let cpe = lab.cpe(&connections);
    cpe.wait_lines(0, COUNT, "online as", Duration::from_secs(90));
    all_online(&server, &accounts, Duration::from_secs(90));

    let mark = cpe.mark();
    server.stop();
    cpe.wait_lines(mark, COUNT, "stream lost", Duration::from_secs(30));
    server.start_again();
    all_online(&server, &accounts, Duration::from_secs(FIRST_WAIT + 30));
    // The server knows it first.
    cpe.wait_lines(mark, COUNT, "online as", LIMIT);
    let back = cpe.log().since(mark, &["online as"]);
    assert_eq!(back.len(), COUNT);
    let spread = back[COUNT - 1].at - back[0].at;
    assert!(spread > Duration::from_secs(2), "all came back within {spread:?}");
    let names: Vec<&str> = accounts.iter().map(String::as_str).collect();
    acs.ask_with(&lab.core(10), &["--timeout", "20"], &names).assert_accepted(COUNT as u64);
    assert!(cpe.statuses().iter().all(|status| status["status"] == "Enabled" && status["restarts"] == 0));
}
