//! What servers have been seen to answer to `<resume/>`, and what follows.

use std::io;

use futures_util::future::join_all;

use super::CPE;
use crate::harness::prosody::PASSWORD;
use crate::harness::script::{BIND, MECHANISMS, STARTTLS};
use crate::harness::{Daemon, Honesty, LIMIT, Peer, Script, Section, until};

const SM: &str = "<sm xmlns='urn:xmpp:sm:3'/>";

/// What the server sends, and what the log says of the failed attempt; none where there is no failed attempt.
struct Case {
    answer: &'static str,
    words: Option<&'static str>,
}

const CASES: [Case; 10] = [
    Case {
        answer: "<stream:error><undefined-condition xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>\
                 </stream:stream>",
        words: Some("the server ends the stream: undefined-condition"),
    },
    Case { answer: "</stream:stream>", words: Some("the server closed the connection") },
    Case { answer: "<resumed xmlns='urn:xmpp:sm:3' previd='abc'/>", words: Some("<resumed/> without a count (h)") },
    Case { answer: "<resumed xmlns='urn:xmpp:sm:3' previd='abc' h='x'/>", words: Some("that is no number") },
    Case { answer: "<resumed xmlns='urn:xmpp:sm:3' previd='other' h='0'/>", words: Some("for another stream") },
    Case { answer: "<message><body>x</body></message>", words: Some("<message/> instead of <resumed/> or <failed/>") },
    Case { answer: "<r xmlns='urn:xmpp:sm:3'/>", words: Some("<r/> instead of <resumed/> or <failed/>") },
    Case { answer: "<x xmlns='urn:x'/>", words: Some("an unknown or malformed element instead of <resumed/>") },
    Case { answer: "", words: Some("no answer within 10 s") },
    Case { answer: "<failed xmlns='urn:xmpp:sm:3'/>", words: None },
];

async fn log_in(peer: &mut Peer) -> io::Result<()> {
    peer.open(STARTTLS).await?;
    peer.starttls().await?;
    peer.open(MECHANISMS).await?;
    peer.scram(PASSWORD, Honesty::Honest).await?;
    peer.open(&format!("{BIND}{SM}")).await
}

/// The first connection breaks, the second one gets the answer, and the resource is bound on the third, or on the second
/// where the standard allows it.
async fn play(number: usize, mut peer: Peer, answer: &str) -> io::Result<()> {
    log_in(&mut peer).await?;
    if number == 1 {
        peer.element("resume").await?;
        peer.send(answer).await?;
        if !answer.starts_with("<failed") {
            return peer.expect_end().await.map(drop);
        }
    }
    peer.bind(CPE).await?;
    peer.element("enable").await?;
    peer.send("<enabled xmlns='urn:xmpp:sm:3' id='abc' resume='true'/>").await?;
    peer.expect("<presence").await?;
    peer.expect("</presence>").await?;
    if number == 0 { Ok(()) } else { peer.expect_end().await.map(drop) }
}

async fn a_resource_is_bound_anew(case: &'static Case) {
    let script = Script::start("a.test", |number, peer| play(number, peer, case.answer)).await;
    let section =
        Section::connection(1, CPE, &script).option("initial_retry_interval", 1).option("retry_max_interval", 1);
    let mut daemon = Daemon::start([&Section::general(&[]), &section, &Section::server(1, &script)]);
    until("the second bound resource", LIMIT, || (daemon.log().since(0, &["online as"]).len() == 2).then_some(()))
        .await;
    let failed = daemon.log().since(0, &["attempt failed"]);
    if let Some(words) = case.words {
        assert_eq!(failed.len(), 1, "{failed:?}");
        assert!(failed[0].contains("resuming the previous stream: ") && failed[0].contains(words), "{failed:?}");
        assert_eq!(daemon.log().since(0, &["previous stream given up"]).len(), 1);
    } else {
        assert_eq!(failed, [""; 0]);
    }
    assert!(daemon.stop().await.0.success());
    let seen = script.seen();
    let (resumes, binds) = (if case.words.is_some() { 3 } else { 2 }, 2);
    assert_eq!(seen.len(), resumes, "{seen:?}");
    assert_eq!(seen.iter().filter(|seen| seen.received.contains("<resume")).count(), 1);
    assert_eq!(seen.iter().filter(|seen| seen.received.contains("xmpp-bind")).count(), binds);
}

#[tokio::test]
async fn what_is_no_answer_to_a_resumption_is_tried_once() {
    join_all(CASES.iter().map(a_resource_is_bound_anew)).await;
}
