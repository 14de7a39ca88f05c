//! Many requests: those that arrive during a call share it, and none leaves anything behind.

use std::time::Instant;

use crate::harness::proc::{children, descriptors, stat_field};
use crate::harness::stanzas::{assert_result, good_request};
use crate::harness::{CPE1, Fixture, LIMIT};

async fn fixture() -> Fixture {
    Fixture::with(|settings| {
        settings.set("connreq_limit", 0);
        settings.set("loglevel", "WARNING");
    })
    .await
}

#[tokio::test]
async fn five_hundred_requests_during_one_call_are_one_call() {
    const REQUESTS: usize = 500;
    let mut fixture = fixture().await;
    fixture.daemon.ubus().hold();
    let requests: Vec<String> = (0..REQUESTS).map(|_| good_request(CPE1)).collect();
    fixture.acs.send(&requests.concat()).await;
    fixture.daemon.ubus().wait_calls(1, LIMIT).await;
    // The server passes on in order: when the ping is answered the connection has all of the requests.
    assert_eq!(fixture.unsolicited(CPE1).await, [""; 0]);
    fixture.daemon.ubus().release();
    for _ in 0..REQUESTS {
        assert_result(&fixture.acs.expect("<iq ").await);
    }
    assert_eq!(fixture.daemon.ubus().calls().len(), 1);
    assert_eq!(fixture.daemon.count(1, "accepted").await, REQUESTS as u64);
    fixture.assert_same_streams().await;
}

/// How many requests: `XMPPD_TEST_REQUESTS`.
fn wanted() -> u32 {
    std::env::var("XMPPD_TEST_REQUESTS").map_or(1500, |text| text.parse().unwrap())
}

/// The page faults of all children that a process has waited for (`cminflt`). No process is started without some.
fn faults_of_children(pid: rustix::process::Pid) -> u64 {
    stat_field(pid, 11)
}

#[tokio::test]
async fn requests_one_after_the_other_leave_nothing_behind_and_start_no_process() {
    const WARM_UP: u32 = 300;
    let mut fixture = fixture().await;
    let pid = fixture.daemon.pid();
    let mut before = None;
    let start = Instant::now();
    for n in 0..WARM_UP + wanted() {
        if n == WARM_UP {
            before = Some((descriptors(pid).len(), fixture.daemon.allocated().await));
        }
        assert_result(&fixture.acs.ask(&good_request(CPE1)).await);
    }
    let (descriptors_before, allocated_before) = before.unwrap();
    assert_eq!(descriptors(pid).len(), descriptors_before);
    let (before, after) = (allocated_before.unwrap(), fixture.daemon.allocated().await.unwrap());
    // Buffers and tables that grow by doubling; a byte for each request would be more.
    assert!(after <= before + u64::from(wanted().min(2000)), "{before} bytes, then {after}");
    assert_eq!((children(pid), faults_of_children(pid)), (Vec::new(), 0), "a process was started");
    assert_eq!(fixture.daemon.count(1, "accepted").await, u64::from(WARM_UP + wanted()));
    eprintln!("{} requests in {:.1} s, {before} bytes, then {after}", wanted(), start.elapsed().as_secs_f64());
    fixture.assert_same_streams().await;
}
