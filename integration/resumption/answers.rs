//! Answers to `<resume/>` seen from servers, and what follows.

use std::io;

use futures_util::future::join_all;

use super::CPE;
use crate::harness::scripted_server::BIND;
use crate::harness::{Daemon, LIMIT, Peer, ScriptedServer, Section, Setup, until};

const SM: &str = "<sm xmlns='urn:xmpp:sm:3'/>";

/// The server's answer, and the log text of the failed attempt, if it is one.
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
    Case { answer: "</stream:stream>", words: Some("the server closed the stream") },
    Case { answer: "<resumed xmlns='urn:xmpp:sm:3' previd='abc'/>", words: Some("<resumed/> without a count (h)") },
    Case { answer: "<resumed xmlns='urn:xmpp:sm:3' previd='abc' h='x'/>", words: Some("that is no number") },
    Case { answer: "<resumed xmlns='urn:xmpp:sm:3' previd='other' h='0'/>", words: Some("for another stream") },
    Case { answer: "<message><body>x</body></message>", words: Some("<message/> instead of <resumed/> or <failed/>") },
    Case { answer: "<r xmlns='urn:xmpp:sm:3'/>", words: Some("<r/> instead of <resumed/> or <failed/>") },
    Case { answer: "<x xmlns='urn:x'/>", words: Some("an unknown or malformed element instead of <resumed/>") },
    Case { answer: "", words: Some("no answer within 10 s") },
    Case { answer: "<failed xmlns='urn:xmpp:sm:3'/>", words: None },
];

/// Performs a login, up to the features with stream management.
pub(super) async fn log_in(peer: &mut Peer) -> io::Result<()> {
    peer.authenticate(&format!("{BIND}{SM}")).await
}

/// Binds a resource on a stream that can be resumed.
pub(super) async fn begin_session(peer: &mut Peer) -> io::Result<()> {
    peer.bind(CPE).await?;
    peer.element("enable").await?;
    peer.send("<enabled xmlns='urn:xmpp:sm:3' id='abc' resume='true'/>").await?;
    peer.expect("<presence").await?;
    peer.expect("</presence>").await.map(drop)
}

/// The first connection breaks; the second one gets the answer; the resource is bound on the third, or on the second if
/// the standard allows it.
async fn serve(number: usize, mut peer: Peer, answer: &str) -> io::Result<()> {
    log_in(&mut peer).await?;
    if number == 1 {
        peer.element("resume").await?;
        peer.send(answer).await?;
        if !answer.starts_with("<failed") {
            return peer.expect_end().await.map(drop);
        }
    }
    begin_session(&mut peer).await?;
    if number == 0 { Ok(()) } else { peer.expect_end().await.map(drop) }
}

/// Starts a daemon that is never long offline. It has no bus: starting one blocks the thread, and with it the servers of the
/// daemons that were started before, which wait for answers for 10 s only.
pub(super) fn start(script: &ScriptedServer) -> Daemon {
    let section =
        Section::connection(1, CPE, script).option("initial_retry_interval", 1).option("retry_max_interval", 1);
    let setup = Setup::new([&Section::general(&[]), &section, &Section::server(1, script)]);
    setup.ubus.leave_out();
    setup.start()
}

async fn a_resource_is_bound_anew(case: &'static Case) {
    let script = ScriptedServer::start("a.test", |number, peer| serve(number, peer, case.answer)).await;
    let mut daemon = start(&script);
    let twice_online = || (daemon.log().since(0, &["online as"]).len() == 2).then_some(());
    // One of the cases takes 10 s by itself.
    until("the second bound resource", 2 * LIMIT, twice_online).await;
    let failed = daemon.log().since(0, &["attempt failed"]);
    if let Some(words) = case.words {
        assert_eq!(failed.len(), 1, "{failed:?}");
        assert!(failed[0].contains("resuming the previous stream: ") && failed[0].contains(words), "{failed:?}");
        assert_eq!(daemon.log().since(0, &["previous stream given up"]).len(), 1);
    } else {
        assert_eq!(failed, [""; 0]);
    }
    assert!(daemon.stop().await.success());
    let seen = script.seen();
    let (resumes, binds) = (if case.words.is_some() { 3 } else { 2 }, 2);
    assert_eq!(seen.len(), resumes, "{seen:?}");
    assert_eq!(seen.iter().filter(|seen| seen.received.contains("<resume")).count(), 1);
    assert_eq!(seen.iter().filter(|seen| seen.received.contains("xmpp-bind")).count(), binds);
}

#[tokio::test]
async fn an_invalid_answer_to_a_resumption_ends_in_a_new_session() {
    join_all(CASES.iter().map(a_resource_is_bound_anew)).await;
}
