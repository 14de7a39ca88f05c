//! Replaced passwords are wiped from the daemon's memory.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;

use crate::harness::uci::{self, Section};
use crate::harness::{LIMIT, Setup};

/// Counts the occurrences of a word in the memory of a process.
fn occurrences(pid: i32, word: &[u8]) -> usize {
    let memory = File::open(format!("/proc/{pid}/mem")).unwrap();
    let maps = fs::read_to_string(format!("/proc/{pid}/maps")).unwrap();
    let mut found = 0;
    for map in maps.lines().filter(|map| map.split(' ').nth(1).is_some_and(|mode| mode.starts_with("rw"))) {
        let (from, to) = map.split(' ').next().unwrap().split_once('-').unwrap();
        let number = |hex: &str| u64::from_str_radix(hex, 16).unwrap();
        let mut bytes = vec![0; usize::try_from(number(to) - number(from)).unwrap()];
        if memory.read_exact_at(&mut bytes, number(from)).is_ok() {
            found += bytes.windows(word.len()).filter(|window| *window == word).count();
        }
    }
    found
}

/// Neither the file's text nor anything parsed from it keeps a copy of the old password.
#[tokio::test]
async fn a_replaced_password_is_wiped() {
    let sections = |password: &str, alias: &str| {
        let connection = Section::named("connection", "c")
            .option("username", "u")
            .option("domain", "d.test")
            .option("con_alias", alias)
            .option("password", password);
        uci::text([&Section::general(&[1]), &connection])
    };
    let setup = Setup::new([]);
    setup.xmpp.write_in_place(&sections("correct horse battery staple", "first"));
    setup.cwmp.write_in_place(&uci::text([&Section::cpe("cpe-user", "tr0ub4dor and three")]));
    let daemon = setup.start();
    daemon.wait_for_value(1, "alias", "first").await;
    daemon.wait_for_log(&["credentials applied"], LIMIT).await;
    let pid = daemon.pid().as_raw_nonzero().get();
    // Passwords in use are found, which shows that the search works.
    let count = |word: &str| occurrences(pid, word.as_bytes());
    assert!(count("correct horse battery staple") > 0 && count("tr0ub4dor and three") > 0);
    daemon.set_credentials("cpe-user", "another").await;
    daemon.xmpp().commit(&sections("another", "second"));
    daemon.wait_for_value(1, "alias", "second").await;
    assert_eq!((count("correct horse battery staple"), count("tr0ub4dor and three")), (0, 0));
}
