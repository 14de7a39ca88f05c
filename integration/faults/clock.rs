//! The wall clock jumps, as when NTP corrects a device that booted in the past. Waits, limits and keepalive are
//! unaffected; only the validity of certificates depends on it.

use connreq::{Answer, Credentials};

use super::{CPE, Device, accepted, request};
use crate::harness::{Clock, LIMIT, Options, Prosody, RawClient, Server, Setup, Validity};

const DAY: f64 = 86_400.0;

/// Returns how far the daemon's clock is ahead, by the dates of its states.
async fn ahead(device: &Device) -> f64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs_f64();
    device.daemon.wait_for_value(1, "status", "Enabled").await.number::<f64>("since") - now
}

#[tokio::test]
async fn a_jump_by_a_day_has_no_effect() {
    let directory = tempfile::tempdir().unwrap();
    let clock = Clock::correct(directory.path());
    // Time enough for the server's answers on a busy machine.
    let mut device = Device::start(&[("interval", "3")], |setup| setup.traced().clock(&clock)).await;
    for (jump, days) in [("+1d", 1.0), ("-1d", -1.0), ("+0", 0.0)] {
        let port = device.port();
        clock.set(jump);
        let mark = device.daemon.log().mark();
        // In the next second nothing happens, and then the keepalive goes on.
        device.daemon.assert_not_busy(jump).await;
        device.daemon.log().wait(mark, &["the server answered after"], LIMIT).await;
        device.daemon.assert_not_busy(&format!("{jump}, after the keepalive")).await;
        accepted(&mut device.acs).await;
        // An edit is applied at once, with either way of writing.
        device.edits(&format!("committed at {jump}")).await;
        let text = device.text_with("con_alias", &format!("written at {jump}"));
        device.daemon.xmpp().write_in_place(&text);
        device.daemon.wait_for_value(1, "alias", &format!("written at {jump}")).await;
        assert!(device.port().is_some() && device.port() == port, "{jump}: the stream was lost");
        // A lost stream is replaced, and dated by the new time.
        let mark = device.daemon.log().mark();
        device.server.end_session(CPE);
        device.daemon.log().wait(mark, &["online as", CPE], LIMIT).await;
        device.server.wait_client(CPE, LIMIT).await;
        let ahead = ahead(&device).await;
        assert!((ahead - days * DAY).abs() < DAY / 2.0, "{jump}: the daemon does not believe in it: {ahead}");
        accepted(&mut device.acs).await;
    }
    assert!(device.daemon.stop().await.success());
}

#[tokio::test]
async fn waits_and_lockouts_ignore_the_wall_clock() {
    let directory = tempfile::tempdir().unwrap();
    let clock = Clock::correct(directory.path());
    // `conflict` is followed by a wait of 300 s.
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

    let _other = RawClient::login(device.server.account_of(CPE)).await;
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
async fn certificates_are_checked_against_the_wall_clock() {
    let directory = tempfile::tempdir().unwrap();
    let clock = Clock::correct(directory.path());
    let options = Options { validity: Validity::Today, ..Options::default() };
    let server = Prosody::start_with(&["a.test"], options).await;
    let mut device = Device::beside(server, &[], |setup: Setup| setup.clock(&clock)).await;
    clock.set("+1d");
    // The present stream stays up; the next one checks the certificate.
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
