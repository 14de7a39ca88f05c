//! The clock on the wall jumps, as NTP makes it do on a device that wakes up in the past: no wait, no limit and no keepalive
//! goes by it. What goes by it is whether a certificate is valid, and that alone.

use connreq::{Answer, Credentials};

use super::{CPE, Device, accepted, request};
use crate::harness::{Clock, LIMIT, Options, Prosody, Server, Setup, Validity, Wire};

const DAY: f64 = 86_400.0;

/// How far the daemon's clock is from ours: it dates its states by it.
async fn ahead(device: &Device) -> f64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs_f64();
    device.daemon.wait_for_value(1, "status", "Enabled").await.number::<f64>("since") - now
}

#[tokio::test]
async fn nothing_moves_when_it_jumps_by_a_day() {
    let directory = tempfile::tempdir().unwrap();
    let clock = Clock::right(directory.path());
    let mut device = Device::start(&[("interval", "1")], |setup| setup.traced().clock(&clock)).await;
    for (jump, days) in [("+1d", 1.0), ("-1d", -1.0), ("+0", 0.0)] {
        let port = device.port();
        clock.set(jump);
        // A second without more to do than the keepalive.
        device.daemon.assert_not_busy(jump).await;
        accepted(&mut device.acs).await;
        // An edit is taken at once, by whatever way.
        device.edits(&format!("committed at {jump}")).await;
        let text = device.text_with("con_alias", &format!("written at {jump}"));
        device.daemon.xmpp().write_in_place(&text);
        device.daemon.wait_for_value(1, "alias", &format!("written at {jump}")).await;
        assert!(device.port().is_some() && device.port() == port, "{jump}: the stream was lost");
        // A lost stream comes back, and is dated by that clock.
        let mark = device.daemon.log().mark();
        device.server.end_session(CPE);
        device.daemon.log().wait(mark, &["online as", CPE], LIMIT).await;
        device.server.wait_client(CPE, LIMIT).await;
        let ahead = ahead(&device).await;
        assert!((ahead - days * DAY).abs() < DAY / 2.0, "{jump}: the daemon does not believe in it: {ahead}");
        accepted(&mut device.acs).await;
    }
    assert!(device.daemon.stop().await.0.success());
}

#[tokio::test]
async fn waits_and_lock_outs_do_not_go_by_it() {
    let directory = tempfile::tempdir().unwrap();
    let clock = Clock::right(directory.path());
    // After `conflict` 300 s are waited.
    let mut device = Device::start(&[("retry_max_interval", "1000")], |setup| setup.clock(&clock)).await;
    for _ in 0..5 {
        let wrong = Credentials::new("cpe-user", "wrong");
        let answer = device.acs.request(&CPE.parse().unwrap(), &wrong, LIMIT).await;
        assert!(matches!(&answer, Answer::Error { condition, .. } if condition == "not-authorized"), "{answer:?}");
    }
    for jump in ["+1d", "-1d", "+0"] {
        clock.set(jump);
        let answer = request(&mut device.acs).await;
        assert!(matches!(&answer, Answer::Error { condition, .. } if condition == "service-unavailable"), "{answer:?}");
    }
    assert_eq!(device.daemon.count(1, "refused_locked").await, 3);

    let _other = Wire::login(device.server.account_of(CPE)).await;
    device.daemon.wait_for_log(&["stream lost", "conflict"], LIMIT).await;
    let mark = device.daemon.log().mark();
    for jump in ["+1d", "-1d", "+0"] {
        clock.set(jump);
        let next = device.daemon.status(1).await.next_attempt();
        assert!(next.is_some_and(|next| (200.0..=301.0).contains(&next)), "{jump}: {next:?}");
    }
    assert_eq!(device.daemon.log().since(mark, &["attempt"]), [""; 0]);
}

#[tokio::test]
async fn certificates_are_valid_by_it() {
    let directory = tempfile::tempdir().unwrap();
    let clock = Clock::right(directory.path());
    let options = Options { validity: Validity::Today, ..Options::default() };
    let server = Prosody::start_with(&["a.test"], options).await;
    let mut device = Device::beside(server, &[], |setup: Setup| setup.clock(&clock)).await;
    clock.set("+1d");
    // The stream that is up stays, the next one is another matter.
    accepted(&mut device.acs).await;
    device.server.end_session(CPE);
    let words = ["attempt failed", "the server's certificate is not accepted", "expired"];
    device.daemon.wait_for_log(&words, LIMIT).await;
    device.daemon.wait_for_value(1, "status", "Error_Misconfigured").await;
    let mark = device.daemon.log().mark();
    clock.set("+0");
    device.daemon.log().wait(mark, &["online as", CPE], LIMIT).await;
    accepted(&mut device.acs).await;
}
