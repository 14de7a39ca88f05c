//! Section `config xmpp 'xmpp'`.

use std::time::Duration;

use jid::Jid;

use super::{assert_refused, loaded, problems};
use crate::config::model::{ConnectionId, General, LogLevel, Notify};

fn general(options: &str) -> Result<General, String> {
    let text = format!("config xmpp 'xmpp'\n{options}\n");
    let loaded = loaded(&text);
    if loaded.has_errors() { Err(problems(&text)) } else { Ok(loaded.settings.general) }
}

#[test]
fn a_section_without_options_has_the_defaults() {
    assert_eq!(general("").unwrap(), General::default());
}

#[test]
fn each_spelling_of_a_bool_is_accepted() {
    for word in ["1", "true", "YES", "On", "enabled"] {
        assert!(general(&format!("option enable '{word}'")).unwrap().enable, "{word}");
    }
    for word in ["0", "false", "No", "OFF", "disabled"] {
        assert!(!general(&format!("option enable '{word}'")).unwrap().enable, "{word}");
    }
    let words = "expected 1, 0, true, false, yes, no, on, off, enabled or disabled";
    assert_refused(general, "enable", &["2", "y", " 1", "-1", "maybe"], words);
}

#[test]
fn ids_are_a_list_or_a_string() {
    let ids = |options: &str| {
        let ids = general(options).unwrap().accepts_requests;
        ids.into_iter().map(|ConnectionId(id)| id).collect::<Vec<_>>()
    };
    assert!(ids("option id '0'").is_empty());
    assert_eq!(ids("option id '2'"), [2]);
    assert_eq!(ids("option id ' 3,1 , 0\t2'"), [1, 2, 3]);
    assert_eq!(ids("list id 4294967295\nlist id '2 1'\nlist id ''"), [1, 2, u32::MAX]);
    let message = general("option id '1 a-b 4294967296'").unwrap_err();
    let words = "expected con_inst numbers or section names of connections, or 0 for none";
    assert_eq!(
        message,
        format!(
            "2: section 'xmpp' (xmpp), option 'id' is 'a-b': {words}\n\
             2: section 'xmpp' (xmpp), option 'id' is '4294967296': {words}\n"
        )
    );
}

#[test]
fn allowed_senders_are_a_list_or_a_string() {
    let jids = |options: &str| general(options).unwrap().allowed;
    let expected = ["acs@a.test", "a.test", "acs@a.test/r"].map(|jid| Jid::new(jid).unwrap());
    assert_eq!(jids("option allowed_jid 'ACS@A.test, a.test.,acs@a.test./r'"), expected);
    assert_eq!(jids("option allowed_jid 'acs@a.test a.test\tacs@a.test/r'"), expected);
    let items = "list allowed_jid 'acs@a.test'\nlist allowed_jid ' a.test '\nlist allowed_jid 'acs@a.test/r'";
    assert_eq!(jids(items), expected);
    assert_eq!(jids("list allowed_jid 'a@b/r, s'"), [Jid::new("a@b/r, s").unwrap()]);
    assert!(jids("list allowed_jid ''").is_empty());
    assert!(jids("option allowed_jid ''").is_empty());
}

#[test]
fn an_invalid_jid_is_named_and_refuses_the_section() {
    let message = general("option loglevel 4\noption allowed_jid 'a@b acs@'").unwrap_err();
    let words = "'acs@' is not a JID of up to 256 characters";
    assert_eq!(message, format!("3: section 'xmpp' (xmpp), option 'allowed_jid': {words}\n"));
    let long = format!("list allowed_jid '{}@a.test'", "x".repeat(250));
    assert!(general(&long).unwrap_err().contains("is not a JID of up to 256 characters"));
    let at_most = format!("list allowed_jid '{}@a.test'", "x".repeat(249));
    assert_eq!(general(&at_most).unwrap().allowed.len(), 1);
    let many = |count: usize| format!("option allowed_jid '{}'", "a@b,".repeat(count));
    assert_eq!(general(&many(32)).unwrap().allowed.len(), 32);
    assert!(general(&many(33)).unwrap_err().contains("33 JIDs, expected at most 32"));
    // An empty list would allow everyone.
    assert!(general("option allowed_jid ','").unwrap_err().contains("contains no JID"));
}

#[test]
fn log_levels_are_names_or_numbers() {
    for (text, level) in [
        ("EMERG", LogLevel::Emergency),
        ("alert", LogLevel::Alert),
        ("Critic", LogLevel::Critical),
        ("ERROR", LogLevel::Error),
        ("WARNING", LogLevel::Warning),
        ("NOTICE", LogLevel::Notice),
        ("INFO", LogLevel::Info),
        ("DEBUG", LogLevel::Debug),
        ("0", LogLevel::Critical),
        ("1", LogLevel::Warning),
        ("2", LogLevel::Notice),
        ("3", LogLevel::Info),
        ("4", LogLevel::Debug),
    ] {
        assert_eq!(general(&format!("option loglevel '{text}'")).unwrap().log_level, level);
    }
    let words = "expected EMERG, ALERT, CRITIC, ERROR, WARNING, NOTICE, INFO, DEBUG or a number from 0 to 4";
    assert_refused(general, "loglevel", &["5", "-1", "LOUD"], words);
}

#[test]
fn each_option_of_notify_and_of_the_limit_is_checked() {
    assert_eq!(general("option notify ubus").unwrap().notify, Notify::Ubus);
    let command = "option notify command\noption notify_command \"/bin/tell 'a b' c\"";
    let words = ["/bin/tell", "a b", "c"].map(str::to_owned).to_vec();
    assert_eq!(general(command).unwrap().notify, Notify::Command(words));
    assert_refused(general, "notify", &["mail"], "expected ubus or command");
    let expected = "expected a program and its arguments, each quote closed";
    assert_refused(general, "notify_command", &["a \"b", " ", "\"\" a"], expected);
    assert_eq!(
        general("option notify command").unwrap_err(),
        "1: section 'xmpp' (xmpp), option 'notify_command': required with notify 'command'\n"
    );
    let one = general("option notify_timeout_ms 100\noption connreq_limit 0\noption connreq_period 86400").unwrap();
    assert_eq!(one.notify_timeout, Duration::from_millis(100));
    assert_eq!((one.limit, one.period), (0, Duration::from_secs(86400)));
    assert_refused(general, "notify_timeout_ms", &["99", "10001", "1.5"], "expected a number from 100 to 10000");
    assert_refused(general, "connreq_limit", &["-1", "65536", "+5"], "expected a number from 0 to 65535");
    assert_refused(general, "connreq_period", &["0", "86401"], "expected a number from 1 to 86400");
}
