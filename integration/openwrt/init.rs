//! The init script. `data/openwrt` has the messages that the functions of the real procd.sh sent, with the real jshn and
//! `validate_data`, for the same files; the stand-ins must send the same.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;

use serde_json::{Value, json};

use super::device::Device;
use crate::harness::program;

fn recording(name: &str) -> Value {
    let path = program::project().join("integration/data/openwrt").join(name);
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

/// Runs an action. Returns the message to procd, and what was said.
fn message(device: &Device, action: &str, method: &str) -> (Value, String) {
    let said = device.init(action);
    let calls = device.read("tmp/ubus-calls");
    let call = calls.lines().last().unwrap_or_else(|| panic!("no call: {said}"));
    let message = call.strip_prefix(&format!("call service {method} ")).unwrap_or_else(|| panic!("{call}"));
    (serde_json::from_str(message).unwrap_or_else(|error| panic!("{error}: {message}")), said)
}

fn started(device: &Device) -> (Value, String) {
    message(device, "start", "set")
}

fn jail(message: &Value) -> &Value {
    &message["instances"]["instance1"]["jail"]
}

#[test]
fn the_default_file_starts_xmppd_in_its_jail() {
    let device = Device::new();
    device.write("etc/resolv.conf", "");
    assert_eq!(started(&device), (recording("default.json"), String::new()));
    let mode = fs::metadata(device.path("var/run/xmppd")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
}

#[test]
fn what_xmppd_needs_is_in_the_jail() {
    let device = Device::new();
    device.write("etc/hosts", "");
    device.write("etc/my.pem", "");
    // netifd's list of name servers, which is replaced at each change.
    device.write("tmp/resolv.conf.d/resolv.conf.auto", "");
    symlink("/tmp/resolv.conf.d/resolv.conf.auto", device.path("tmp/resolv.conf")).unwrap();
    symlink("/tmp/resolv.conf", device.path("etc/resolv.conf")).unwrap();
    device.write(
        "etc/config/xmpp",
        "config xmpp 'xmpp'\nconfig connection\n\toption tls_ca /etc/my.pem\n\
         config xmpp_connection b\n\toption tls_ca /etc/ssl/x\nconfig connection c\n\toption tls_ca '/etc/none.pem'\n",
    );
    assert_eq!(started(&device), (recording("jail.json"), String::new()));
    assert_eq!(jail(&started(&device).0)["log"], Value::Null);
    fs::create_dir_all(device.path("dev")).unwrap();
    let _log = UnixListener::bind(device.path("dev/log")).unwrap();
    assert_eq!(jail(&started(&device).0)["log"], true);
}

#[test]
fn a_program_that_notifies_the_cwmp_client_is_not_jailed() {
    let device = Device::new();
    device.write("etc/resolv.conf", "");
    device
        .write("etc/config/xmpp", "config xmpp 'xmpp'\n\toption notify command\n\toption notify_command '/bin/x a'\n");
    assert_eq!(started(&device), (recording("command.json"), String::new()));
}

#[test]
fn an_invalid_file_is_named_and_xmppd_is_started_all_the_same() {
    let device = Device::new();
    device.write("etc/resolv.conf", "");
    for file in ["config xmpp 'xmpp'\n\toption notify bogus\n", "config foo bar baz 'x\n"] {
        device.write("etc/config/xmpp", file);
        let (message, said) = started(&device);
        assert_eq!(message, recording("default.json"));
        assert!(said.contains("/etc/config/xmpp: the section 'xmpp' is invalid"), "{said}");
    }
    fs::remove_file(device.path("usr/sbin/xmppd")).unwrap();
    let said = device.init("start");
    assert!(said.contains("/usr/sbin/xmppd is missing: not started"), "{said}");
    assert!(device.read("tmp/ubus-calls").lines().last().unwrap().contains(r#""instances":{}"#));
}

#[test]
fn reload_sends_sighup_and_check_reports_the_problems() {
    let device = Device::new();
    assert_eq!(message(&device, "reload", "signal").0, recording("reload.json"));
    assert_eq!(message(&device, "stop", "delete").0, json!({"name": "xmppd"}));
    device.init("check");
    assert_eq!(device.read("tmp/xmppd-calls"), "check /etc/config/xmpp\n");
}
