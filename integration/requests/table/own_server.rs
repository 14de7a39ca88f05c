//! A request without `from` comes from the account's own server, for the account (RFC 6120 8.1.2.1). No client can send
//! one through a real server.

use super::expected::{RESULT, UNAVAILABLE, element};
use crate::harness::stanzas::{good_request, id};
use crate::harness::{CPE1, Daemon, LIMIT, ScriptedServer, Section, until};

#[tokio::test]
async fn a_request_without_from_is_allowed_if_the_account_is_listed() {
    for (allowed, listed) in
        [("", false), ("acs@a.test", false), ("a.test", false), (CPE1, false), ("cpe1@a.test", true)]
    {
        let request = good_request(CPE1);
        let sent = request.clone();
        let script = ScriptedServer::start("a.test", move |_, mut peer| {
            let sent = sent.clone();
            async move {
                peer.log_in(CPE1).await?;
                peer.send(sent).await?;
                peer.expect("</stream:stream>").await.map(drop)
            }
        })
        .await;
        let general = Section::general(&[1]).option("allowed_jid", allowed);
        let mut daemon =
            Daemon::start([&general, &Section::connection(1, CPE1, &script), &Section::server(1, &script)]);
        let answer = until("an answer", LIMIT, || {
            let received = script.seen().first()?.received.clone();
            let (_, after) = received.split_once("<presence")?;
            after.find("<iq ").map(|start| after[start..].to_owned()).filter(|answer| answer.ends_with("</iq>"))
        })
        .await;
        // It has neither `from` nor `to`: a duplicate attribute could not be parsed.
        let addressed = answer.replacen("<iq ", "<iq from='x' to='y' ", 1);
        let expected = if listed { RESULT } else { UNAVAILABLE }.element(&id(&request), "x", "y");
        assert!(element(&addressed) == expected, "{allowed:?}: {answer}");
        assert_eq!(daemon.count(1, if listed { "accepted" } else { "refused_sender" }).await, 1, "{allowed:?}");
        assert_eq!(daemon.ubus().calls().len(), usize::from(listed), "{allowed:?}");
        let words = if listed { "accepted" } else { "refused: no sender, and allowed_jid does not list this account" };
        let lines = daemon.log().since(0, &["NOTICE", &format!("connection request from cpe1@a.test {words}")]);
        assert_eq!(lines.len(), 1, "{allowed:?}");
        daemon.stop_and_assert_not_logged(&["cpe-secret"]).await;
    }
}
