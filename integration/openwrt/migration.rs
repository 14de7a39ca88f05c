//! `/etc/uci-defaults/90-xmppd`: files of older daemons mean the same after it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use xmppd::config::load::load;
use xmppd::config::loaded::Loaded;

use super::device::Device;
use crate::generations::{FIRST, SECOND, THIRD};
use crate::harness::process;
use crate::harness::program;

const FILE: &str = "etc/config/xmpp";
const KEPT: &str = "etc/config/xmpp-before-xmppd";
const SCRIPT: &str = "/etc/uci-defaults/90-xmppd";

fn migrate(device: &Device) -> String {
    // As at the first boot.
    device.succeed(&format!("cd /etc/uci-defaults && ( . .{} ); status=$?; uci commit; exit $status", &SCRIPT[17..]))
}

fn loaded(text: &str) -> Loaded {
    load(Path::new("f"), text.as_bytes()).unwrap()
}

/// Fails unless the present file means the same as this one, has the present names, and passes `xmppd check`.
fn assert_means(device: &Device, original: &str) {
    let text = device.read(FILE);
    let (before, after) = (loaded(original), loaded(&text));
    assert_eq!(after.settings, before.settings, "{original}\n---\n{text}");
    assert!(after.older_names.is_empty(), "{:?}\n{text}", after.older_names);
    let mut check = process::command(program::xmppd());
    let output = check.arg("check").arg(device.path(FILE)).output().unwrap();
    assert!(output.status.success(), "{}\n{text}", String::from_utf8_lossy(&output.stdout));
    assert_eq!(fs::metadata(device.path(FILE)).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn the_files_that_each_generation_ships_mean_the_same() {
    for (generation, file) in [("first", FIRST), ("second", SECOND), ("third", THIRD)] {
        let device = Device::new();
        device.write(FILE, file);
        let said = migrate(&device);
        assert_means(&device, file);
        let is_present = generation == "first";
        assert_eq!(said.is_empty(), is_present, "{said}");
        assert_eq!(device.read(KEPT), if is_present { "" } else { file }, "{generation}");
        assert_eq!(device.read(FILE) == file, is_present, "{generation}");
        // A second run finds nothing to do.
        let migrated = device.read(FILE);
        assert_eq!(migrate(&device), "");
        assert_eq!(device.read(FILE), migrated);
        assert!(!device.path("etc/config/xmpp-before-xmppd-1").exists());
    }
}

#[test]
fn the_file_of_the_second_generation_takes_the_place_of_the_default_one() {
    let device = Device::new();
    device.write("etc/config/cwmp_xmpp", SECOND);
    let said = migrate(&device);
    assert!(said.contains("/etc/config/cwmp_xmpp was migrated to /etc/config/xmpp"), "{said}");
    assert_means(&device, SECOND);
    assert_eq!(device.read("etc/config/cwmp_xmpp-before-xmppd"), SECOND);
    assert!(!device.path("etc/config/cwmp_xmpp").exists());
    assert_eq!(migrate(&device), "");
    assert_means(&device, SECOND);
}

#[test]
fn a_file_with_an_account_is_not_replaced() {
    let device = Device::new();
    device.write("etc/config/cwmp_xmpp", SECOND);
    device.write(FILE, FIRST);
    let said = migrate(&device);
    assert!(said.contains("/etc/config/cwmp_xmpp is not migrated, because /etc/config/xmpp has an account"), "{said}");
    assert_eq!((device.read(FILE).as_str(), device.read("etc/config/cwmp_xmpp").as_str()), (FIRST, SECOND));
}

#[test]
fn a_file_that_uci_cannot_read_is_left_alone() {
    let device = Device::new();
    device.write(FILE, "config xmpp_connection 'a\n");
    let said = migrate(&device);
    assert!(said.contains("uci cannot read it"), "{said}");
    assert_eq!(device.read(FILE), "config xmpp_connection 'a\n");
    fs::remove_file(device.path(FILE)).unwrap();
    device.write("etc/config/cwmp", "");
    assert_eq!(migrate(&device), "");
}

#[test]
fn an_earlier_copy_is_kept() {
    let device = Device::new();
    device.write(FILE, SECOND);
    migrate(&device);
    device.write(FILE, THIRD);
    migrate(&device);
    assert_eq!(device.read(KEPT), SECOND);
    assert_eq!(device.read("etc/config/xmpp-before-xmppd-1"), THIRD);
    // uci does not complain about their names.
    assert_eq!(device.succeed("uci commit"), "");
}

/// What the generations have in common is mixed, and names are ambiguous.
const MIXED: [&str; 12] = [
    // A section's name that is a number, by both kinds of reference.
    "config xmpp 'xmpp'\n\toption conn_req_connection '2 wan'\nconfig connection 'wan'\n\toption con_inst 2\n\
     \toption username u\n\toption domain d\nconfig connection '2'\n\toption con_inst 5\n\toption username u\n\
     \toption domain d\nconfig connection_server\n\toption con_name 2\n\toption server_address a\n\toption enable 1\n\
     config connection_server\n\toption con_id 2\n\toption server_address b\n\toption enable 1\n",
    // The same without con_inst: its place in the file counts.
    "config xmpp 'xmpp'\n\tlist conn_req_connection '1'\n\tlist conn_req_connection '2'\nconfig connection '2'\n\
     \toption username u\n\toption domain d\nconfig connection '1'\n\toption username u\n\toption domain d\n",
    // Two names of one option: the first one counts.
    "config xmpp 'xmpp'\n\toption id 1\n\toption conn_req_connection 2\nconfig xmpp_connection\n\toption xmpp_id 4\n\
     \toption connection_instance 1\n\toption username u\n\toption domain d\nconfig xmpp_connection_server\n\
     \toption con_name x\n\toption id_connection 1\n\toption connection_server_instance 9\n",
    // 'enable' of the third generation, in all its cases.
    "config xmpp 'xmpp'\n\toption conn_req_connection ''\nconfig connection 'a'\n\toption enable 1\n\toption username u\n\
     \toption domain d\nconfig connection_server\n\toption con_name a\n",
    "config xmpp 'xmpp'\nconfig connection 'a'\n\toption enable 0\n\toption username u\n\toption domain d\n\
     config connection_server\n\toption con_name a\n",
    "config xmpp 'xmpp'\n\toption enable 0\n\toption conn_req_connection a\nconfig connection 'a'\n\toption enable yes\n\
     \toption username u\n\toption domain d\n",
    "config xmpp 'xmpp'\n\toption id 1\nconfig xmpp_connection 'a'\n\toption enable 1\n\toption username u\n\
     \toption domain d\n",
    "config xmpp 'xmpp'\n\toption id 1\n\toption conn_req_connection 1\nconfig xmpp_connection 'a'\n\
     \toption username u\n\toption domain d\n",
    // The general section by another type, and one of a connection by the name 'xmpp'.
    "config anything 'xmpp'\n\toption enable 1\n\tlist allowed_jid 'a@b/x y'\n\tlist allowed_jid b\n\
     config xmpp_connection\n\toption username u\n\toption domain d\n",
    "config xmpp_connection 'xmpp'\n\toption username u\n\toption domain d\n",
    // A value that reads like a section, blanks, quotes, a line break, and a type that is not known.
    "config xmpp 'xmpp'\n\toption enable 1\nconfig xmpp_connection 'a'\n\toption username u\n\toption domain d\n\
     \toption password 'x'\\''\"\\ \n\nxmpp.b=xmpp_connection\nxmpp.xmpp.id=7'\nconfig other 'o'\n\toption con_name a\n",
    "config connection 'a'\n\toption connection_alias 'b c'\n\toption con_alias ''\n\toption username u\n\
     \toption domain d\nconfig xmpp_connection_server 's'\n\toption id_connection a\n\
     \toption connection_server_alias z\n\toption priority 7\n\toption weight 3\n",
];

#[test]
fn mixed_files_mean_the_same() {
    for file in MIXED {
        let device = Device::new();
        device.write(FILE, file);
        let said = migrate(&device);
        assert!(said.contains("was migrated"), "{said}\n{file}");
        assert_means(&device, file);
        assert_eq!(device.read(KEPT), file);
        assert_eq!(migrate(&device), "");
    }
}
