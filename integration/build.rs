//! Checks that the servers and tools for the tests are installed. If one is missing, the tests that need them are not
//! compiled. Instead, each is listed as an ignored test, so that the test summary counts it.

#![allow(missing_docs, clippy::unwrap_used, clippy::panic, reason = "a build script fails by panicking")]

mod sources;

use std::collections::BTreeMap;
use std::env;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

/// What `scripts/install-deps.sh` installs.
const PROGRAMS: [&str; 13] = [
    "prosody",
    "erl",
    "ejabberdctl",
    "dnsmasq",
    "openssl",
    "ip",
    "setpriv",
    "faketime",
    "strace",
    "bindfs",
    "python3",
    "busybox",
    "make",
];

/// A module with its tests and child modules, by name. A test is an entry without entries.
#[derive(Default)]
struct Module(BTreeMap<String, Module>);

impl Module {
    fn write(&self, reason: &str, text: &mut String) {
        for (name, module) in &self.0 {
            if module.0.is_empty() {
                let _ = writeln!(text, "#[test]\n#[ignore = {reason:?}]\nfn {name}() {{}}");
            } else {
                let _ = writeln!(text, "mod {name} {{");
                module.write(reason, text);
                let _ = writeln!(text, "}}");
            }
        }
    }
}

fn main() {
    println!("cargo::rustc-check-cfg=cfg(servers)");
    println!("cargo::rerun-if-env-changed=PATH");
    let path = env::var_os("PATH").unwrap_or_default();
    let directories: Vec<PathBuf> = env::split_paths(&path).filter(|directory| directory.is_dir()).collect();
    let find = |program: &&str| directories.iter().map(|directory| directory.join(program)).find(|file| file.is_file());
    let missing: Vec<&str> = PROGRAMS.into_iter().filter(|program| find(program).is_none()).collect();
    let (tests, files) = sources::find(Path::new("main.rs"));
    let mut skipped = String::new();
    if missing.is_empty() {
        println!("cargo::rustc-cfg=servers");
        PROGRAMS.iter().filter_map(find).for_each(|file| println!("cargo::rerun-if-changed={}", file.display()));
        println!("cargo::rerun-if-changed=build.rs");
    } else {
        for path in directories.iter().chain(&files) {
            println!("cargo::rerun-if-changed={}", path.display());
        }
        let mut root = Module::default();
        for test in tests.iter().filter(|test| test.conditions.iter().any(|condition| condition == "servers")) {
            test.name.split("::").fold(&mut root, |module, name| module.0.entry(name.to_owned()).or_default());
        }
        let reason = format!("not installed: {} (run `make deps`)", missing.join(", "));
        root.write(&reason, &mut skipped);
        println!("cargo::warning=integration tests that need servers are skipped; {reason}");
    }
    fs::write(Path::new(&env::var_os("OUT_DIR").unwrap()).join("skipped.rs"), skipped).unwrap();
}
