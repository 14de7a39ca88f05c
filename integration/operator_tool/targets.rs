//! Many CPEs at once, from the arguments and from files.

use std::io::Write;
use std::process::Stdio;

use crate::harness::connreq::{connreq, run, start};
use crate::harness::{LIMIT, Prosody, RawClient, Server, Settings};

/// Three real CPEs, one of which accepts no requests; an offline one, and one that does not answer.
#[tokio::test]
async fn answers_of_many_cpes_are_counted() {
    let prosody = Prosody::start(&["a.test"]).await;
    let (daemon, _) = Settings::fleet(3, &[1, 3], &prosody).start(&prosody).await;
    let _silent = prosody.raw_client("silent@a.test/wan").await;
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("fleet");
    std::fs::write(&file, "# the fleet\ncpe2@a.test # takes none\n\ncpe3@a.test/wan\nsilent@a.test/wan\n").unwrap();
    let file = file.display().to_string();
    let arguments = ["--targets", &file, "--resource", "wan", "--timeout", "4", "cpe1@a.test", "gone@a.test/wan"];
    let json = run(connreq(&prosody, &arguments).arg("--json")).await;
    assert_eq!((json.code, json.stderr.as_str()), (2, ""), "{json:?}");
    let lines = json.json();
    let (answers, summary) = (&lines[..lines.len() - 1], &lines[lines.len() - 1]);
    let mut outcomes: Vec<String> = answers
        .iter()
        .map(|answer| {
            assert_eq!((&answer["type"], &answer["round"]), (&"answer".into(), &1.into()));
            assert!(answer["time"].as_f64().unwrap() > 1.7e9, "{answer}");
            assert_eq!(answer["ms"].is_number(), answer["outcome"] != "timeout", "{answer}");
            let text = |name: &str| answer[name].as_str().unwrap_or("-").to_owned();
            format!("{} {} {} {}", text("jid"), text("outcome"), text("condition"), answer["code"])
        })
        .collect();
    outcomes.sort();
    assert_eq!(
        outcomes,
        [
            "cpe1@a.test/wan accepted - null",
            "cpe2@a.test/wan refused service-unavailable 503",
            "cpe3@a.test/wan accepted - null",
            "gone@a.test/wan refused service-unavailable 503",
            "silent@a.test/wan timeout - null",
        ]
    );
    for (name, count) in [("targets", 5), ("rounds", 1), ("sent", 5), ("accepted", 2), ("refused", 2), ("timeout", 1)] {
        assert_eq!(summary[name], count, "{name} in {summary}");
    }
    assert_eq!(summary["type"], "summary");
    assert_eq!(summary["conditions"]["service-unavailable"], 2);
    assert_eq!(summary["exit"], 2);
    let at = |name: &str| summary["ms"][name].as_f64().unwrap();
    assert!(at("min") <= at("p50") && at("p50") <= at("p90") && at("p90") <= at("p99") && at("p99") <= at("max"));
    assert_eq!(daemon.ubus().calls().iter().filter(|call| call.status == Some(0)).count(), daemon.ubus().calls().len());

    let text = run(connreq(&prosody, &arguments).arg("--quiet")).await;
    assert_eq!((text.code, text.stderr.as_str()), (2, ""));
    let lines: Vec<&str> = text.stdout.lines().collect();
    assert!(lines[0].starts_with("--- 5 targets: 5 requests sent in "), "{text:?}");
    assert_eq!(
        lines[1..4],
        [
            "accepted                            2   40.0 %",
            "refused: service-unavailable (503)  2   40.0 %",
            "no answer in time                   1   20.0 %",
        ]
    );
    assert!(lines[4].starts_with("answers in ms: min ") && lines.len() == 5, "{text:?}");
}

/// Two requests are pending before either is answered; the third waits for an answer.
#[tokio::test]
async fn concurrency_limits_the_pending_requests() {
    let prosody = Prosody::start(&["a.test"]).await;
    let mut cpes: Vec<RawClient> = Vec::new();
    for number in 1..=3 {
        cpes.push(prosody.raw_client(&format!("cpe{number}@a.test/wan")).await);
    }
    let jids: Vec<String> = cpes.iter().map(|cpe| cpe.jid().to_owned()).collect();
    let arguments: Vec<&str> = ["--concurrency", "2"].into_iter().chain(jids.iter().map(String::as_str)).collect();
    let running = start(&mut connreq(&prosody, &arguments));
    let first = cpes[0].expect("<connectionRequest").await;
    let second = cpes[1].expect("<connectionRequest").await;
    // Only the answers to these pings arrive meanwhile.
    for number in 0..50 {
        let ping = format!("<iq type='get' id='p{number}' to='a.test'><ping xmlns='urn:xmpp:ping'/></iq>");
        cpes[2].send(&ping).await;
        let next = cpes[2].next(LIMIT).await.unwrap();
        assert!(next.contains(&format!("id='p{number}'")), "{next}");
    }
    for (cpe, request) in [(1, second), (0, first)] {
        let attribute = |name| crate::harness::raw_client::attribute(&request, name);
        let answer = format!("<iq type='result' id='{}' to='{}'/>", attribute("id"), attribute("from"));
        cpes[cpe].send(&answer).await;
        if cpe == 1 {
            cpes[2].accept().await;
        }
    }
    let output = running.end(LIMIT).await;
    assert_eq!((output.code, output.stderr.as_str()), (0, ""), "{output:?}");
    let order: Vec<&str> = output.stdout.lines().filter_map(|line| line.split("  accepted").next()).take(3).collect();
    assert_eq!((order[0], output.stdout.matches("accepted in").count()), (jids[1].as_str(), 3), "{output:?}");
    // A single login.
    let logins = prosody.events().iter().filter(|event| event.jid.starts_with("acs@")).count();
    assert_eq!(logins, 2, "bound once, unbound once");
}

#[tokio::test]
async fn targets_are_read_from_standard_input() {
    let prosody = Prosody::start(&["a.test"]).await;
    let (mut reader, mut writer) = std::io::pipe().unwrap();
    writer.write_all(b"x@a.test/wan\ny@a.test/wan\nX@a.test/wan\n").unwrap();
    drop(writer);
    let output = run(connreq(&prosody, &["--targets", "-"]).stdin(Stdio::from(reader.try_clone().unwrap()))).await;
    let _ = std::io::Read::read(&mut reader, &mut [0]);
    assert_eq!(output.code, 1, "{output:?}");
    assert_eq!(output.stderr, "connreq: warning: standard input:3: duplicate of standard input:1: x@a.test/wan\n");
    assert!(output.stdout.contains("--- 2 targets: 2 requests sent in "), "{output:?}");
}

/// Nothing is sent.
#[tokio::test]
async fn every_invalid_target_is_reported_before_anything_is_sent() {
    let prosody = Prosody::start(&["a.test"]).await;
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("fleet");
    let huge = directory.path().join("huge");
    std::fs::File::create(&huge).unwrap().set_len((64 << 20) + 1).unwrap();
    let huge = huge.display().to_string();
    std::fs::write(&file, "cpe1@a.test/wan\ncpe2@@a.test/wan\ncpe3@a.test\n").unwrap();
    let name = file.display().to_string();
    let wrong = run(&mut connreq(&prosody, &["--targets", &name, "cpe4@a.test/wan"])).await;
    assert_eq!((wrong.code, wrong.stdout.as_str()), (4, ""));
    let lines: Vec<&str> = wrong.stderr.lines().collect();
    assert_eq!(lines.len(), 2, "{wrong:?}");
    assert!(lines[0].starts_with(&format!("connreq: {name}:2: 'cpe2@@a.test/wan' is not a JID (")), "{wrong:?}");
    assert!(lines[1].starts_with(&format!("connreq: {name}:3: 'cpe3@a.test' has no resource; expected")), "{wrong:?}");
    for (arguments, words) in [
        (&[][..], "no CPE given"),
        (&["--targets", "/nonexistent/fleet"], "/nonexistent/fleet: No such file"),
        (&["--targets", &huge], "huge: more than 67108864 bytes: expected a list of CPEs"),
        (&["--targets", "/dev/zero"], "/dev/zero: more than 67108864 bytes: expected a list of CPEs"),
        (&["cpe@a.test"], "JID 1: 'cpe@a.test' has no resource; expected a full JID"),
        (&["--password", "x", "cpe@a.test/wan"], "--password"),
        (&["--timeout", "0", "cpe@a.test/wan"], "expected seconds from 0.001 to 3600"),
        (&["--connreq-secret-file", "/nonexistent/secret", "cpe@a.test/wan"], "/nonexistent/secret: No such file"),
    ] {
        let output = run(&mut connreq(&prosody, arguments)).await;
        assert_eq!((output.code, output.stdout.as_str()), (4, ""), "{arguments:?}: {output:?}");
        assert!(output.stderr.contains(words), "{arguments:?}: {output:?}");
    }
    let mut other = crate::harness::process::command(crate::harness::program::connreq());
    let other = run(other.args(["--jid", "isp.example", "--ca", "/nonexistent/ca", "cpe@a.test/wan"])).await;
    assert_eq!(other.code, 4);
    assert!(other.stderr.contains("--jid isp.example: no user name"), "{other:?}");
    let mut other = crate::harness::process::command(crate::harness::program::connreq());
    let other = run(other.args(["--jid", "acs@isp.example", "--ca", "/nonexistent/ca", "cpe@a.test/wan"])).await;
    assert_eq!(other.code, 4);
    assert!(other.stderr.starts_with("connreq: --ca: /nonexistent/ca: "), "{other:?}");
    assert!(prosody.events().iter().all(|event| !event.jid.starts_with("acs@")), "{:?}", prosody.events());
}

/// More than any queue on the way holds.
#[tokio::test]
async fn a_large_list_of_cpes_needs_one_login() {
    let prosody = Prosody::start(&["a.test"]).await;
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("fleet");
    let jids: Vec<String> = (0..600).map(|number| format!("cpe{number}@a.test")).collect();
    std::fs::write(&file, jids.join("\n")).unwrap();
    let file = file.display().to_string();
    let arguments = ["--targets", &file, "--resource", "wan", "--concurrency", "200", "--timeout", "100", "--json"];
    let output = run(&mut connreq(&prosody, &arguments)).await;
    assert_eq!((output.code, output.stderr.as_str()), (1, ""));
    let mut lines = output.json();
    let summary = lines.pop().unwrap();
    assert_eq!((&summary["sent"], &summary["refused"]), (&600.into(), &600.into()), "{summary}");
    let asked: std::collections::BTreeSet<&str> = lines.iter().filter_map(|line| line["jid"].as_str()).collect();
    assert_eq!(asked.len(), 600);
    assert_eq!(prosody.events().iter().filter(|event| event.jid.starts_with("acs@")).count(), 2);
}
