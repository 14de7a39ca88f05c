//! The server's address changes in DNS.

use super::{CPE, Home};
use crate::harness::{Connection, LIMIT};

/// A stream that works is not touched by a change in DNS; once it is lost, the new address is found.
#[test]
fn a_server_that_moves_while_it_is_up_is_followed() {
    let home = Home::start(Connection::new("cpe1").option("interval", 2));
    let before = home.session();
    let mark = home.cpe.mark();
    home.rename(&home.lab.core(11));
    home.router.wait_data(&home.lab.core(10), 3, LIMIT);
    home.server.assert_same(&before);

    home.server.disconnect(&home.lab.core_network());
    home.server.connect(&home.lab.core_network(), &home.lab.core(11));
    let address = format!("({}:5222)", home.lab.core(11));
    home.cpe.wait(mark, &["stream resumed as", CPE, &address]);
    home.server.wait_resumed(&before);
    home.acs.ask(&home.lab.core(11)).assert_accepted(1);
}

#[test]
fn a_server_that_moves_while_it_is_down_is_found() {
    let home = Home::start(Connection::new("cpe1"));
    let mark = home.cpe.mark();
    home.server.stop();
    home.cpe.wait(mark, &["stream lost"]);
    // Tried at the old address.
    home.cpe.wait(mark, &["attempt failed", &home.lab.core(10)]);
    home.server.disconnect(&home.lab.core_network());
    home.server.connect(&home.lab.core_network(), &home.lab.core(12));
    home.rename(&home.lab.core(12));
    home.server.start_again();
    home.server.wait_started();
    home.cpe.wait(mark, &["online as", CPE, &format!("({}:5222)", home.lab.core(12))]);
    assert_eq!(home.session().kind, "bind");
    home.acs.ask(&home.lab.core(12)).assert_accepted(1);
}
