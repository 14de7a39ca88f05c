//! The files of the package.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::{Value, json};

use super::device::make;
use crate::harness::program;

/// The files below a directory, with their modes.
fn files(directory: &Path, prefix: &str, found: &mut BTreeMap<String, u32>) {
    for entry in fs::read_dir(directory).unwrap().map(Result::unwrap) {
        let name = format!("{prefix}/{}", entry.file_name().to_string_lossy());
        if entry.file_type().unwrap().is_dir() {
            files(&entry.path(), &name, found);
        } else {
            found.insert(name, entry.metadata().unwrap().permissions().mode() & 0o777);
        }
    }
}

fn installed(package: &str) -> BTreeMap<String, u32> {
    let (root, programs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    fs::create_dir(programs.path().join("bin")).unwrap();
    fs::write(programs.path().join("bin/xmppd"), "").unwrap();
    make(&format!("install-{package}"), root.path(), programs.path());
    let mut found = BTreeMap::new();
    files(root.path(), "", &mut found);
    found
}

fn document(name: &str) -> String {
    fs::read_to_string(program::project().join(name)).unwrap()
}

fn json(name: &str) -> Value {
    serde_json::from_str(&document(name)).unwrap()
}

#[test]
fn the_page_lists_what_the_packages_install() {
    let page = document("docs/openwrt.md");
    let page = page.split("\n## ").next().unwrap();
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `/"));
    let listed: BTreeSet<String> = rows.map(|row| format!("/{}", row.split('`').next().unwrap())).collect();
    let mut files = installed("xmppd");
    let modes = [("/usr/sbin/xmppd", 0o755), ("/etc/init.d/xmppd", 0o755), ("/etc/config/xmpp", 0o600)];
    for (path, mode) in modes {
        assert_eq!(files.get(path), Some(&mode), "{path}");
    }
    assert!(files.iter().all(|(path, mode)| *mode == 0o644 || modes.iter().any(|(known, _)| known == path)));
    files.extend(installed("xmppd-bbfdm"));
    assert_eq!(files.into_keys().collect::<BTreeSet<_>>(), listed);
}

#[test]
fn each_file_of_the_directory_is_installed() {
    let mut shipped = BTreeMap::new();
    files(&program::project().join("config/openwrt"), "", &mut shipped);
    let makefile = document("config/openwrt/Makefile");
    for path in shipped.keys().filter(|path| *path != "/Makefile") {
        assert!(makefile.contains(&format!("$(PKG_BUILD_DIR)/config/openwrt{path} $(1)/")), "{path}");
    }
}

#[test]
fn an_upgrade_keeps_the_configuration() {
    let nowhere = tempfile::tempdir().unwrap();
    assert_eq!(make("conffiles-xmppd", nowhere.path(), nowhere.path()), "/etc/config/xmpp\n");
    let version = document("config/openwrt/Makefile");
    let version = version.lines().find_map(|line| line.strip_prefix("PKG_VERSION:=")).unwrap();
    assert_eq!(version, env!("CARGO_PKG_VERSION"));
}

#[test]
fn access_lists_name_methods_of_the_object() {
    let rpcd = json("config/openwrt/rpcd/xmppd.json");
    assert_eq!(rpcd["xmppd"]["read"]["ubus"], json!({"xmppd": ["status", "tr181", "check"]}));
    assert_eq!(rpcd["xmppd"]["write"]["ubus"], json!({"xmppd": ["reconnect", "reload"]}));
    let ubusd = json("config/openwrt/acl.d/xmppd.json");
    assert_eq!(ubusd["access"], json!({"xmppd": {"methods": ["status", "tr181", "check"]}}));
    assert!(document("config/openwrt/Makefile").contains(&format!("USERID:=:{}\n", ubusd["group"].as_str().unwrap())));
    let page = document("docs/ubus.md");
    for method in ["status", "tr181", "check", "reconnect", "reload"] {
        assert!(page.contains(&format!("| `{method}` |")), "{method}");
    }
}

#[test]
fn no_capability_is_left() {
    let capabilities = json("config/openwrt/capabilities/xmppd.json");
    let sets = capabilities.as_object().unwrap();
    // A set that is missing is left as it is.
    assert_eq!(sets.keys().collect::<Vec<_>>(), ["ambient", "bounding", "effective", "inheritable", "permitted"]);
    assert!(sets.values().all(|set| *set == json!([])));
}
