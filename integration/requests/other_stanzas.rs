//! Stanzas that are not connection requests.

use super::assert_notified;
use crate::harness::stanzas::{CONNECTION_REQUEST, assert_result, assert_unavailable, iq, ping};
use crate::harness::{CPE1, CPE2, Fixture, Server, Status};

const DISCO_INFO: &str = "http://jabber.org/protocol/disco#info";

#[tokio::test]
async fn a_ping_is_answered_to_all_senders() {
    let mut fixture = Fixture::with(|settings| settings.set("allowed_jid", "somebody@a.test")).await;
    assert_result(&fixture.ask_once(&ping(CPE1)).await);
}

#[tokio::test]
async fn disco_info_is_answered_only_to_allowed_senders() {
    let mut fixture = Fixture::with(|settings| {
        settings.set("id", 1);
        settings.set("allowed_jid", "acs@a.test");
    })
    .await;
    let question = |to: &str| iq("get", to, &format!("<query xmlns='{DISCO_INFO}'/>"));
    for (to, accepts) in [(CPE1, true), (CPE2, false)] {
        let answer = fixture.ask_once(&question(to)).await;
        assert!(answer.contains(" type='result'"), "{answer}");
        assert_eq!(answer.matches("<identity ").count(), 1, "{answer}");
        for part in [" category='client'", " type='bot'", " name='xmppd'"] {
            assert!(answer.contains(part), "no {part} in {answer}");
        }
        let mut features: Vec<_> = answer.split("<feature var='").skip(1).map(|rest| rest.split('\'').next()).collect();
        features.sort_unstable();
        let mut expected = vec![Some(DISCO_INFO), Some("urn:xmpp:ping")];
        if accepts {
            expected.push(Some(CONNECTION_REQUEST));
        }
        expected.sort_unstable();
        assert_eq!(features, expected, "{answer}");
    }
    let mut stranger = fixture.prosody.raw_client("stranger@a.test/r").await;
    assert_unavailable(&stranger.ask(&question(CPE1)).await);
    let node = iq("get", CPE1, &format!("<query xmlns='{DISCO_INFO}' node='x'/>"));
    assert_unavailable(&fixture.ask_once(&node).await);
}

#[tokio::test]
async fn any_other_request_is_answered_as_unavailable_once() {
    let mut fixture = Fixture::start().await;
    for payload in [
        "<query xmlns='jabber:iq:version'/>",
        "<query xmlns='jabber:iq:roster'><item jid='evil@a.test'/></query>",
        "<connectionRequest xmlns='urn:broadband-forum-org:cwmp:xmppConnReq-1-1'/>",
        "<ping xmlns='urn:x'/>",
    ] {
        for kind in ["get", "set"] {
            assert_unavailable(&fixture.ask_once(&iq(kind, CPE1, payload)).await);
        }
    }
    assert_unavailable(&fixture.ask_once(&iq("set", CPE1, "<ping xmlns='urn:xmpp:ping'/>")).await);
    assert_notified(&fixture, 0);
    fixture.assert_same_streams().await;
}

#[tokio::test]
async fn messages_presence_and_answers_are_not_answered() {
    let mut fixture = Fixture::start().await;
    let before = fixture.daemon.count(1, "received").await;
    let request = format!(
        "<connectionRequest xmlns='{CONNECTION_REQUEST}'><username>cpe-user</username>\
         <password>cpe-secret</password></connectionRequest>"
    );
    let mut sent = 0;
    for kind in ["chat", "normal", "headline", "error"] {
        let message = format!("<message to='{CPE1}' type='{kind}' id='m'><body>hello</body>{request}</message>");
        fixture.acs.send(&message).await;
        sent += 1;
    }
    fixture.acs.send(&format!("<presence to='{CPE1}'/><presence to='{CPE1}' type='unavailable'/>")).await;
    sent += 2;
    for kind in ["result", "error"] {
        fixture.acs.send(&iq(kind, CPE1, &request)).await;
        sent += 1;
    }
    // What the server answers to a subscription request does not matter; the CPE does not answer.
    fixture.acs.send("<presence to='cpe1@a.test' type='subscribe'/>").await;
    assert_eq!(fixture.unsolicited(CPE1).await, [""; 0]);
    let all = |status: &Status| status.number::<u64>("received") > before + sent;
    fixture.daemon.wait_for_status(1, "all of them received", all).await;
    assert_eq!(fixture.daemon.count(1, "ignored").await, 2);
    assert_eq!(fixture.daemon.count(1, "accepted").await, 0);
    assert_notified(&fixture, 0);
    fixture.assert_same_streams().await;
}
