//! Which options an update applies.

use std::collections::BTreeMap;
use std::path::Path;

use super::*;
use crate::config::diff::diff;
use crate::config::load::load;
use crate::config::model::Settings;
use crate::config::schema;
use crate::testing::paused;

const BASE: [(&str, &str); 5] =
    [("con_inst", "1"), ("enable", "1"), ("username", "u"), ("domain", "a.test"), ("con_alias", "wan")];

/// Another value than that of `BASE` or the default, for each option of a connection.
const OTHER: [(&str, &str); 16] = [
    ("con_inst", "2"),
    ("enable", "0"),
    ("con_alias", "home"),
    ("username", "v"),
    ("password", "p"),
    ("domain", "b.test"),
    ("resource", "r"),
    ("usetls", "0"),
    ("interval", "30"),
    ("attempt", "3"),
    ("initial_retry_interval", "5"),
    ("retry_interval_multiplier", "1500"),
    ("retry_max_interval", "600"),
    ("serveralgorithm", "DNS"),
    ("tls_ca", "/etc/ca.pem"),
    ("tls_verify", "0"),
];

fn file(options: &BTreeMap<&str, &str>) -> Settings {
    let options: String = options.iter().flat_map(|(option, value)| [" option ", option, " ", value, "\n"]).collect();
    let text = format!("config xmpp 'xmpp'\n option enable 1\nconfig connection\n{options}");
    load(Path::new("xmpp"), text.as_bytes()).unwrap().settings
}

/// What the connection uses of the options that need no new stream.
fn in_use(connection: &Connection) -> String {
    let State::Online { online, .. } = &connection.state else { panic!("not online") };
    let alias = &connection.context.status.all()[&ID].alias;
    format!("{alias} {:?} {:?}", online.keepalive, connection.search.policy)
}

/// Whether an update to these settings changes what a connection uses.
async fn has_effect(before: ConnectionSettings, after: ConnectionSettings) -> bool {
    let context = connection(before.retry).context;
    let (mut connection, mut ctx) = (Connection::new(before, context), Context::new());
    let (session, _server) = session().await;
    connection.go_online(session, &address(), &mut ctx);
    let used = in_use(&connection);
    Handler::<Update<_>>::handle(&mut connection, Update(after), &mut ctx);
    in_use(&connection) != used
}

/// `diff` decides which options these are. One that `in_use` does not show has to be added there.
#[test]
fn each_option_that_is_applied_in_place_has_an_effect() {
    paused(async {
        let base = BTreeMap::from(BASE);
        let before = file(&base);
        let others = BTreeMap::from(OTHER);
        let mut applied = Vec::new();
        for option in schema::CONNECTION.options.iter().map(|option| option.name) {
            let other = others.get(option).unwrap_or_else(|| panic!("no other value for '{option}'"));
            let mut options = base.clone();
            options.insert(option, other);
            let after = file(&options);
            for update in diff(&before.connections, &before.general, &after).update {
                assert!(has_effect(before.connections[&ID].clone(), update).await, "{option} is not applied");
                applied.push(option);
            }
        }
        assert!(applied.contains(&"interval") && !applied.contains(&"domain"), "{applied:?}");
    });
}
