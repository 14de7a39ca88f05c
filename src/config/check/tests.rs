use std::path::Path;

use zeroize::Zeroizing;

use super::check;
use crate::config::load::load;
use crate::config::model::Settings;
use crate::file::{Contents, read};

fn checked(text: &str) -> (bool, String) {
    let contents = Contents { text: Zeroizing::new(text.into()), mode: 0o600, modified: std::time::UNIX_EPOCH };
    let report = check(Path::new("f"), &contents);
    (report.is_accepted(), report.to_string())
}

#[test]
fn only_errors_make_a_file_unacceptable() {
    assert_eq!(checked(""), (true, "f: no problems\n".to_owned()));
    assert_eq!(checked("x\n"), (false, "error: f:1:1: invalid command\n   1 | x\n     | ^\n".to_owned()));
    let warning = "warning: f:1: section 'a' (wine): unknown section type, ignored; \
        expected xmpp, connection or connection_server\n   1 | config wine a\n     | ^^^^^^^^^^^^^\n";
    assert_eq!(checked("config wine a\n"), (true, warning.to_owned()));
    let (is_accepted, text) = checked("config wine a\nconfig xmpp 'xmpp'\noption id a-b\n");
    assert!(!is_accepted && text.starts_with(warning) && text.contains("\nerror: f:3: "), "{text}");
}

#[test]
fn older_generations_are_named() {
    let second = "config cwmp 'xmpp'\noption id 1\nconfig xmpp_connection\noption connection_instance 1\n";
    let note = "note: f: second generation (cwmp_xmpp), accepted as it is; present names: \
        connection_instance -> con_inst, cwmp -> xmpp, xmpp_connection -> connection\n";
    let (is_accepted, text) = checked(second);
    assert!(is_accepted && text.starts_with(note) && text.ends_with("\nf: no problems\n"), "{text}");
    let third = "config xmpp 'xmpp'\noption enable 0\noption conn_req_connection a\nconfig connection 'a'\n";
    let note = "note: f: third generation (connections by section name), accepted as it is; present names: \
        conn_req_connection -> id\n";
    let (is_accepted, text) = checked(third);
    assert!(is_accepted && text.starts_with(note) && text.ends_with("\nf: no problems\n"), "{text}");
}

#[test]
fn the_shipped_file_and_the_samples_have_no_problems() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("config");
    let mut files = vec![directory.join("xmpp")];
    files.extend(std::fs::read_dir(directory.join("samples")).unwrap().map(|entry| entry.unwrap().path()));
    assert!(files.len() >= 4);
    for file in files {
        // The permissions are those of the checkout.
        let contents = Contents { mode: 0o600, ..read(&file).unwrap() };
        assert_eq!(check(&file, &contents).to_string(), format!("{}: no problems\n", file.display()));
    }
}

#[test]
fn the_shipped_file_starts_nothing() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/xmpp");
    let loaded = load(&file, &std::fs::read(&file).unwrap()).unwrap();
    assert_eq!(loaded.settings, Settings::default());
}

/// The report without its notes.
fn report(text: &str) -> String {
    checked(text).1
}

#[test]
fn the_place_of_a_problem_is_marked() {
    let text = "config xmpp 'xmpp'\n\toption loglevel\t'LUOD'\nconfig connection  'wan'\n\toption resuorce \"a b\"\n";
    let expected = "\
error: f:2: section 'xmpp' (xmpp), option 'loglevel' is 'LUOD': expected EMERG, ALERT, CRITIC, ERROR, WARNING, NOTICE, \
INFO, DEBUG or a number from 0 to 4
   2 |     option loglevel    'LUOD'
     |                        ^^^^^^
warning: f:4: section 'wan' (connection), option 'resuorce': unknown option, ignored; did you mean 'resource'?
   4 |     option resuorce ...
     |            ^^^^^^^^
";
    assert_eq!(report(text), expected);
}

#[test]
fn an_option_that_is_missing_is_marked_at_its_section() {
    let text = "# first\n\nconfig connection 'wan'\n\toption enable 1\n\toption username u\n";
    let expected = "\
error: f:3: section 'wan' (connection), option 'domain': required
   3 | config connection 'wan'
     | ^^^^^^^^^^^^^^^^^^^^^^^
";
    assert_eq!(report(text), expected);
}

#[test]
fn the_place_of_a_syntax_error_is_marked() {
    let expected = "error: f:2:13: EOF with unterminated ' (opened at line 2, column 11)\n   2 | option id 'a\n     |           ^\n";
    assert_eq!(report("config xmpp 'xmpp'\noption id 'a\n"), expected);
    assert_eq!(report("\nwhat\n"), "error: f:2:1: invalid command\n   2 | what\n     | ^\n");
}

#[test]
fn no_line_with_a_password_is_shown() {
    for text in [
        "config connection\n\toption password 'top-secret\n",
        "config connection\n\toption password 'top\ntop-secret' what\n",
        "config connection\n\toption password top-secret what\n",
        "config connection\n\tlist password 'top-secret'\n",
        "config connection\n\to password 'top-secret' what\n",
        "config cpe 'cpe'\n\to passwd 'top-secret' what\n",
        "config connection\n\tl geheim 'top-secret' what\n",
        "config connection\n\toption pass'wo'rd top-secret what\n",
        "config connection\n\toption pa\\ssword top-secret what\n",
        "config connection\n\toption password 'x\no top-secret' what\n",
        "config connection\n\toption password \"x\\\"\noption id top-secret\" what\n",
        "config connection\n\toption password x\\\noption id top-secret\n",
        "config connection\n\toption username 'a b'; option password 'top-secret'\n",
        "config connection\n\toption interval x;option password 'top-secret'\n",
        "config connection\n\toption interval x; o geheim top-secret\n",
        "config connection\n\toption passwrd 'top-secret\n",
        "config connection\n\toption passwrd top-secret what\n",
        "config connection\n\toption \"password\" 'top-secret\u{7}' what\n",
        &format!("config connection\n\toption enable 1\n\toption password 'top-secret{}'\n", "x".repeat(300)),
    ] {
        let report = report(text);
        assert!(report.contains("error: ") && !report.contains("top-secret"), "{report}");
    }
}

#[test]
fn the_present_form_shows_no_line_with_a_password() {
    let text = "config connection\n\toption xmpp_id 1; option password 'top-secret'\n\to xmpp_id 2\n";
    let report = report(text);
    assert!(!report.contains("top-secret") && report.contains("+    o con_inst 2\n"), "{report}");
}

/// The name of a password may be misspelt.
#[test]
fn the_value_of_an_unknown_option_is_not_shown() {
    for text in ["config connection\n\toption passwrd 'top-secret'\n", "config connection\n\tlist 'pass' top-secret\n"]
    {
        let report = report(text);
        assert!(report.contains("unknown option") && report.contains(" ...\n"), "{report}");
        assert!(!report.contains("top-secret"), "{report}");
    }
}

#[test]
fn a_misspelt_word_is_recognized() {
    for (text, expected) in [
        ("config connecton\n", "connection or connection_server; did you mean 'connection'?\n"),
        ("config connection\n\toption serveralgorithm SRV-DNS\n", "DNS-SRV, DNS or ServerTable\n"),
        ("config connection\n\toption serveralgorithm DNSSRV\n", "DNS or ServerTable; did you mean 'DNS-SRV'?\n"),
        ("config connection\n\toption enable ture\n", "enabled or disabled; did you mean 'true'?\n"),
        ("config xmpp 'xmpp'\n\toption id wna\nconfig connection wan\n", "1 ('wan'); did you mean 'wan'?\n"),
        ("config connection wan\nconfig connection_server\n\toption con_id lan\n", "1 ('wan'); did you mean 'wan'?\n"),
    ] {
        assert!(report(text).contains(expected), "{}", report(text));
    }
}

/// A valid file with one connection, which `xmppd check` finds nothing wrong with.
const WISE: &str = "config xmpp 'xmpp'\n\toption enable 1\n\toption id 1\n\toption allowed_jid a@b\n\
    config connection\n\toption enable 1\n\toption username u\n\toption password p\n\toption domain b\n";

#[test]
fn what_is_unwise_is_advised_against() {
    assert_eq!(report(WISE), "f: no problems\n");
    for (from, to, expected) in [
        ("\toption allowed_jid a@b\n", "", "f:1: section 'xmpp' (xmpp), option 'allowed_jid': every sender with"),
        (
            "option domain b",
            "option domain b\n\toption usetls 0",
            "f:10: section '@connection[0]' (connection), option 'usetls': ",
        ),
        (
            "option domain b",
            "option domain b\n\toption tls_verify 0",
            "option 'tls_verify': the server's certificate is not",
        ),
        ("option domain b", "option domain b\n\toption interval 14", "option 'interval': less than 15 s"),
        (
            "option domain b",
            "option domain b\n\toption interval 301",
            "option 'interval': NAT mappings expire after 60",
        ),
        ("option domain b", "option domain b\n\toption interval 0", "option 'interval': without keepalive"),
        (
            "option password p",
            "option password ''",
            "f:5: section '@connection[0]' (connection), option 'password': empty",
        ),
        (
            "option domain b",
            "option domain b\n\toption serveralgorithm ServerTable",
            "option 'serveralgorithm': no section",
        ),
        (
            "config connection\n\toption enable 1",
            "config connection\n\toption enable 0",
            "f:3: section 'xmpp' (xmpp), option 'id': connection 1 is disabled",
        ),
    ] {
        let (is_accepted, text) = checked(&WISE.replacen(from, to, 1));
        assert!(is_accepted && text.starts_with("advice: ") && text.contains(expected), "{text}");
        assert_eq!(text.matches("advice: ").count(), 1, "{text}");
        // Nothing runs.
        let off = WISE.replacen(from, to, 1).replacen("option enable 1", "option enable 0", 1);
        assert_eq!(report(&off), "f: no problems\n");
    }
    for interval in ["15", "300", "-1"] {
        assert_eq!(report(&format!("{WISE}\toption interval {interval}\n")), "f: no problems\n");
    }
}

#[test]
fn the_present_form_of_older_names_is_a_diff() {
    let third = "config xmpp 'xmpp'\n\toption conn_req_connection 'a'\nconfig connection 'a'\nconfig connection_server\n\
        \toption 'con_name' 'a'\n\toption server_address con_name\n";
    let expected = "\
   2 -    option conn_req_connection 'a'
   2 +    option id 'a'
   5 -    option 'con_name' 'a'
   5 +    option 'con_id' 'a'
";
    assert!(report(third).contains(expected), "{}", report(third));
    let second = "config cwmp 'xmpp'\n\nconfig xmpp_connection\n";
    let expected =
        "   1 -config cwmp 'xmpp'\n   1 +config xmpp 'xmpp'\n   3 -config xmpp_connection\n   3 +config connection\n";
    assert!(report(second).contains(expected), "{}", report(second));
}
