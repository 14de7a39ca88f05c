//! Each row of the table of other stanzas, from all senders, on each server.

use super::expected::{Answer, BAD_REQUEST, INFO, INFO_WITHOUT_REQUESTS, RESULT, UNAVAILABLE};
use super::fixture::{ACS, DISCO_INFO, Fixture, GOOD, SENDERS, Sender};
use crate::harness::stanzas::{assert_result, id, iq, ping};
use crate::harness::{CPE1, CPE2, Server, Status, on_each_server};

on_each_server!(
    pings_and_disco_requests,
    other_requests,
    requests_with_no_child_or_several,
    messages_and_presence,
    subscription_requests,
);

async fn pings_and_disco_requests<S: Server>() {
    let mut fixture = Fixture::<S>::start().await;
    for sender in SENDERS {
        for (to, info) in [(CPE1, INFO), (CPE2, INFO_WITHOUT_REQUESTS)] {
            fixture.stanza(sender, to, &ping(to), RESULT, &[]).await;
            let info = if sender.allowed { info } else { UNAVAILABLE };
            let question = |more| iq("get", to, &format!("<query xmlns='{DISCO_INFO}'{more}/>"));
            fixture.stanza(sender, to, &question(""), info, &[]).await;
            fixture.stanza(sender, to, &question(" node='x'"), UNAVAILABLE, &[]).await;
        }
    }
}

async fn other_requests<S: Server>() {
    let mut fixture = Fixture::<S>::start().await;
    for sender in SENDERS {
        for payload in [
            "<query xmlns='jabber:iq:version'/>",
            "<query xmlns='jabber:iq:roster'><item jid='evil@a.test'/></query>",
            "<connectionRequest xmlns='urn:broadband-forum-org:cwmp:xmppConnReq-1-1'><username>cpe-user</username>\
             <password>cpe-secret</password></connectionRequest>",
            "<ping xmlns='urn:x'/>",
        ] {
            for kind in ["get", "set"] {
                fixture.stanza(sender, CPE1, &iq(kind, CPE1, payload), UNAVAILABLE, &[]).await;
            }
        }
        for payload in ["<ping xmlns='urn:xmpp:ping'/>", "<query xmlns='http://jabber.org/protocol/disco#info'/>"] {
            fixture.stanza(sender, CPE1, &iq("set", CPE1, payload), UNAVAILABLE, &[]).await;
        }
    }
    fixture.no_secrets();
}

/// They are not connection requests, whatever the children are. Stanzas that a server rejects do not get here.
async fn requests_with_no_child_or_several<S: Server>() {
    let mut fixture = Fixture::<S>::start().await;
    let request = GOOD.payload();
    for sender in SENDERS.into_iter().filter(|sender| S::FORWARDS_MALFORMED_IQS || sender.is_component()) {
        for payload in [
            "",
            "text",
            "<a xmlns='x'/><b xmlns='x'/>",
            &format!("{request}{request}"),
            &format!("{request}<a xmlns='x'/>"),
        ] {
            for kind in ["get", "set"] {
                fixture.stanza(sender, CPE1, &iq(kind, CPE1, payload), BAD_REQUEST, &[]).await;
            }
        }
    }
    assert_eq!(fixture.daemon.ubus().calls(), []);
    fixture.no_secrets();
}

async fn messages_and_presence<S: Server>() {
    let mut fixture = Fixture::<S>::start().await;
    let request = GOOD.payload();
    for sender in SENDERS {
        for kind in ["chat", "normal", "groupchat", "headline", "error"] {
            let message = format!("<message type='{kind}' id='m' to='{CPE1}'><body>b</body>{request}</message>");
            fixture.stanza(sender, CPE1, &message, Answer::None, &[]).await;
        }
        for kind in ["", " type='unavailable'"] {
            let presence = format!("<presence id='p'{kind} to='{CPE1}'>{request}</presence>");
            fixture.stanza(sender, CPE1, &presence, Answer::None, &[]).await;
        }
    }
    assert_eq!(fixture.daemon.ubus().calls(), []);
    fixture.no_secrets();
}

/// They reach the connection once from each account, and the servers answer their senders. The counts show that the
/// connection does not answer.
async fn subscription_requests<S: Server>() {
    let mut fixture = Fixture::<S>::start().await;
    let senders =
        SENDERS.into_iter().filter(|sender| !["acs@b.test/other", "acs.component.test/any"].contains(&sender.jid));
    for sender in senders.collect::<Vec<Sender>>() {
        let before = fixture.daemon.status(1).await;
        fixture.send(sender, "<presence type='subscribe' to='cpe1@a.test'/>").await;
        let count = |status: &Status, name: &str| status.number::<u64>(name);
        let received = count(&before, "received") + 1;
        fixture
            .daemon
            .wait_for_status(1, "the presence received", |status| count(status, "received") == received)
            .await;
        let ping = ping(CPE1);
        fixture.send(sender, &ping).await;
        let answer = fixture.raw_client(sender).expect(&id(&ping)).await;
        assert_result(&answer);
        let after = fixture.daemon.status(1).await;
        assert_eq!(count(&after, "transmitted"), count(&before, "transmitted") + 1, "{}", sender.jid);
    }
    fixture.nothing_more(ACS, CPE1).await;
}
