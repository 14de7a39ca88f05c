//! Every row of the table of other stanzas, by everybody who may send one, on each server.

use super::expected::{Answer, BAD_REQUEST, INFO, INFO_WITHOUT_REQUESTS, RESULT, UNAVAILABLE};
use super::play::{ACS, DISCO_INFO, GOOD, Play, SENDERS, Sender};
use crate::harness::stanzas::{assert_result, id, iq, ping};
use crate::harness::{CPE1, CPE2, Server, Status, on_each_server};

on_each_server!(
    pings_and_questions_what_there_is,
    any_other_request,
    requests_with_no_child_or_several,
    messages_and_presence,
    subscription_requests,
);

async fn pings_and_questions_what_there_is<S: Server>() {
    let mut play = Play::<S>::start().await;
    for sender in SENDERS {
        for (to, info) in [(CPE1, INFO), (CPE2, INFO_WITHOUT_REQUESTS)] {
            play.stanza(sender, to, &ping(to), RESULT, &[]).await;
            let info = if sender.allowed { info } else { UNAVAILABLE };
            let question = |more| iq("get", to, &format!("<query xmlns='{DISCO_INFO}'{more}/>"));
            play.stanza(sender, to, &question(""), info, &[]).await;
            play.stanza(sender, to, &question(" node='x'"), UNAVAILABLE, &[]).await;
        }
    }
}

async fn any_other_request<S: Server>() {
    let mut play = Play::<S>::start().await;
    for sender in SENDERS {
        for payload in [
            "<query xmlns='jabber:iq:version'/>",
            "<query xmlns='jabber:iq:roster'><item jid='evil@a.test'/></query>",
            "<connectionRequest xmlns='urn:broadband-forum-org:cwmp:xmppConnReq-1-1'><username>cpe-user</username>\
             <password>cpe-secret</password></connectionRequest>",
            "<ping xmlns='urn:x'/>",
        ] {
            for kind in ["get", "set"] {
                play.stanza(sender, CPE1, &iq(kind, CPE1, payload), UNAVAILABLE, &[]).await;
            }
        }
        for payload in ["<ping xmlns='urn:xmpp:ping'/>", "<query xmlns='http://jabber.org/protocol/disco#info'/>"] {
            play.stanza(sender, CPE1, &iq("set", CPE1, payload), UNAVAILABLE, &[]).await;
        }
    }
    play.no_secrets();
}

/// They are no connection requests, whatever is among the children. What a server answers itself does not come here.
async fn requests_with_no_child_or_several<S: Server>() {
    let mut play = Play::<S>::start().await;
    let request = GOOD.payload();
    for sender in SENDERS.into_iter().filter(|sender| S::PASSES_MALFORMED_IQS || sender.is_component()) {
        for payload in [
            "",
            "text",
            "<a xmlns='x'/><b xmlns='x'/>",
            &format!("{request}{request}"),
            &format!("{request}<a xmlns='x'/>"),
        ] {
            for kind in ["get", "set"] {
                play.stanza(sender, CPE1, &iq(kind, CPE1, payload), BAD_REQUEST, &[]).await;
            }
        }
    }
    assert_eq!(play.daemon.ubus().calls(), []);
    play.no_secrets();
}

async fn messages_and_presence<S: Server>() {
    let mut play = Play::<S>::start().await;
    let request = GOOD.payload();
    for sender in SENDERS {
        for kind in ["chat", "normal", "groupchat", "headline", "error"] {
            let message = format!("<message type='{kind}' id='m' to='{CPE1}'><body>b</body>{request}</message>");
            play.stanza(sender, CPE1, &message, Answer::None, &[]).await;
        }
        for kind in ["", " type='unavailable'"] {
            let presence = format!("<presence id='p'{kind} to='{CPE1}'>{request}</presence>");
            play.stanza(sender, CPE1, &presence, Answer::None, &[]).await;
        }
    }
    assert_eq!(play.daemon.ubus().calls(), []);
    play.no_secrets();
}

/// They reach the connection once from each account, and the servers have words of their own for their senders: so it is
/// by the counts that the connection is seen to say nothing.
async fn subscription_requests<S: Server>() {
    let mut play = Play::<S>::start().await;
    let senders =
        SENDERS.into_iter().filter(|sender| !["acs@b.test/other", "acs.component.test/any"].contains(&sender.jid));
    for sender in senders.collect::<Vec<Sender>>() {
        let before = play.daemon.status(1).await;
        play.send(sender, "<presence type='subscribe' to='cpe1@a.test'/>").await;
        let count = |status: &Status, name: &str| status.number::<u64>(name);
        let received = count(&before, "received") + 1;
        play.daemon.wait_for_status(1, "the presence received", |status| count(status, "received") == received).await;
        let ping = ping(CPE1);
        play.send(sender, &ping).await;
        let answer = play.wire(sender).expect(&id(&ping)).await;
        assert_result(&answer);
        let after = play.daemon.status(1).await;
        assert_eq!(count(&after, "transmitted"), count(&before, "transmitted") + 1, "{}", sender.jid);
    }
    play.nothing_more(ACS, CPE1).await;
}
