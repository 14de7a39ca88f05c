//! What anybody may send through the server: it is answered once, costs nothing out of proportion, and cuts nobody's
//! stream.

use std::collections::BTreeSet;

use crate::harness::fleet::{accepted, jid, session};
use crate::harness::prosody::PASSWORD;
use crate::harness::{Daemon, Fleet, LIMIT, Prosody, Session, Wire, wire};

/// One connection that takes requests of `acs@a.test` alone, and a stranger.
struct Scene {
    prosody: Prosody,
    daemon: Daemon,
    before: Session,
    stranger: Wire,
}

impl Scene {
    async fn new() -> Self {
        let prosody = Prosody::start(&["a.test"]).await;
        let mut fleet = Fleet::new(1, &[1], &prosody);
        fleet.general = fleet.general.option("allowed_jid", "acs@a.test");
        let (daemon, mut sessions) = fleet.start(&prosody).await;
        let stranger = prosody.wire("stranger@a.test/x").await;
        Self { prosody, daemon, before: sessions.remove(&1).unwrap(), stranger }
    }

    /// The stranger sends a request with this in it, and one more behind it: both are refused, and once each.
    async fn one_refusal(&mut self, payload: &str) {
        let to = jid(1);
        self.stranger.send(&format!("<iq type='get' id='big' to='{to}'>{payload}</iq>")).await;
        self.stranger.send(&format!("<iq type='get' id='next' to='{to}'><q xmlns='x'/></iq>")).await;
        // A connection request takes the way through the router, so that what came after it may be answered before.
        let mut missing = BTreeSet::from(["big".to_owned(), "next".to_owned()]);
        while !missing.is_empty() {
            let answer = self.stranger.next(LIMIT).await.expect("an answer");
            let id = wire::attribute(&answer, "id");
            is_service_unavailable(&answer, &id);
            assert!(missing.remove(&id), "answered twice: {answer}");
        }
        self.nothing_more().await;
    }

    /// The next thing that comes is the answer to what is asked now.
    async fn nothing_more(&mut self) {
        self.stranger.send(&format!("<iq type='get' id='last' to='{}'><q xmlns='x'/></iq>", jid(1))).await;
        is_service_unavailable(&self.stranger.next(LIMIT).await.expect("an answer"), "last");
    }

    /// Nothing happened to the connection, and it answers.
    async fn unharmed(mut self) {
        let mut acs = self.prosody.requester("acs@a.test/r").await;
        accepted(&mut acs, 1).await;
        assert_eq!(session(&self.prosody, 1).as_ref(), Some(&self.before), "the same TCP connection");
        assert!(self.daemon.running());
        assert_eq!(self.daemon.log().since(0, &["ERROR"]), Vec::<String>::new());
        let longest = self.daemon.log().lines().iter().map(String::len).max();
        assert!(longest < Some(2000), "a stranger's words in the log: {longest:?} bytes in one line");
        for secret in [PASSWORD, "cpe-secret"] {
            assert_eq!(self.daemon.log().since(0, &[secret]), Vec::<String>::new());
        }
    }
}

fn is_service_unavailable(answer: &str, id: &str) {
    assert_eq!((wire::attribute(answer, "id"), wire::attribute(answer, "type")), (id.to_owned(), "error".to_owned()));
    assert_eq!(wire::attribute(answer, "from"), jid(1));
    assert_eq!(answer.matches("<service-unavailable").count(), 1, "{answer}");
    assert!(answer.len() < 1000, "what was sent is not sent back: {} bytes", answer.len());
}

fn nested(count: usize) -> String {
    format!("{}{}", "<a>".repeat(count), "</a>".repeat(count))
}

#[tokio::test]
async fn thirty_thousand_nested_children() {
    let mut scene = Scene::new().await;
    scene.one_refusal(&format!("<q xmlns='x'>{}</q>", nested(30_000))).await;
    scene.unharmed().await;
}

#[tokio::test]
async fn thirty_thousand_nested_children_time_and_again() {
    let mut scene = Scene::new().await;
    for _ in 0..10 {
        scene.one_refusal(&format!("<q xmlns='x'>{}</q>", nested(30_000))).await;
    }
    scene.unharmed().await;
}

/// Thirty thousand side by side, too.
#[tokio::test]
async fn thirty_thousand_children() {
    let mut scene = Scene::new().await;
    scene.one_refusal(&format!("<q xmlns='x'>{}</q>", "<a/>".repeat(30_000))).await;
    scene.unharmed().await;
}

/// Within what is understood otherwise.
#[tokio::test]
async fn nested_children_in_a_connection_request() {
    let mut scene = Scene::new().await;
    let (open, close) =
        ("<connectionRequest xmlns='urn:broadband-forum-org:cwmp:xmppConnReq-1-0'>", "</connectionRequest>");
    scene.one_refusal(&format!("{open}{}{close}", nested(30_000))).await;
    scene.one_refusal(&format!("{open}<username>{}</username>{close}", nested(30_000))).await;
    scene.unharmed().await;
}

#[tokio::test]
async fn an_attribute_of_100_kb() {
    let mut scene = Scene::new().await;
    scene.one_refusal(&format!("<q xmlns='x' a='{}'/>", "a".repeat(100_000))).await;
    scene.unharmed().await;
}

#[tokio::test]
async fn a_text_of_200_kb() {
    let mut scene = Scene::new().await;
    scene.one_refusal(&format!("<q xmlns='x'>{}</q>", "t".repeat(200_000))).await;
    scene.one_refusal(&format!("<q xmlns='x'>{}</q>", "&lt;".repeat(50_000))).await;
    scene.unharmed().await;
}

#[tokio::test]
async fn a_user_name_of_200_kb() {
    let mut scene = Scene::new().await;
    let long = "u".repeat(200_000);
    scene
        .one_refusal(&format!(
            "<connectionRequest xmlns='urn:broadband-forum-org:cwmp:xmppConnReq-1-0'>\
             <username>{long}</username><password>p</password></connectionRequest>"
        ))
        .await;
    scene.unharmed().await;
}

/// Messages and presence are answered by nobody; what comes after them is.
#[tokio::test]
async fn deep_messages_and_presence_are_skipped() {
    let mut scene = Scene::new().await;
    let (to, deep) = (jid(1), nested(30_000));
    scene.stranger.send(&format!("<message to='{to}'><body>b</body><q xmlns='x'>{deep}</q></message>")).await;
    scene.stranger.send(&format!("<presence to='{to}'><q xmlns='x'>{deep}</q></presence>")).await;
    scene.one_refusal("<q xmlns='x'/>").await;
    scene.unharmed().await;
}

/// Sends all of these at once and waits for one answer to each.
async fn all_refused(scene: &mut Scene, stanza: impl Fn(usize) -> String) {
    const COUNT: usize = 1000;
    let all: String = (0..COUNT).map(stanza).collect();
    scene.stranger.send(&all).await;
    let mut missing: BTreeSet<String> = (0..COUNT).map(|n| format!("n{n}")).collect();
    while !missing.is_empty() {
        let answer = scene.stranger.next(LIMIT).await.unwrap_or_else(|| panic!("{} not answered", missing.len()));
        let id = wire::attribute(&answer, "id");
        is_service_unavailable(&answer, &id);
        assert!(missing.remove(&id), "answered twice: {answer}");
    }
    scene.nothing_more().await;
}

#[tokio::test]
async fn a_thousand_stanzas_at_once() {
    let mut scene = Scene::new().await;
    all_refused(&mut scene, |n| format!("<iq type='get' id='n{n}' to='{}'><q xmlns='x'/></iq>", jid(1))).await;
    scene.unharmed().await;
}

#[tokio::test]
async fn a_thousand_connection_requests_at_once() {
    let mut scene = Scene::new().await;
    all_refused(&mut scene, |n| {
        format!(
            "<iq type='get' id='n{n}' to='{}'>\
             <connectionRequest xmlns='urn:broadband-forum-org:cwmp:xmppConnReq-1-0'>\
             <username>cpe-user</username><password>cpe-secret</password></connectionRequest></iq>",
            jid(1)
        )
    })
    .await;
    assert!(scene.daemon.ubus().calls().is_empty());
    scene.unharmed().await;
}

/// The same from the ACS itself: what it does not know in a request it skips (the schema may grow).
#[tokio::test]
async fn deep_strangers_in_a_request_of_the_acs_are_skipped() {
    let scene = Scene::new().await;
    let mut acs = scene.prosody.wire("acs@a.test/w").await;
    let answer = acs
        .ask(&format!(
            "<iq type='get' id='deep' to='{}'><connectionRequest xmlns='urn:broadband-forum-org:cwmp:xmppConnReq-1-0'>\
             <username>cpe-user</username>{}<password>cpe-secret</password></connectionRequest></iq>",
            jid(1),
            nested(30_000)
        ))
        .await;
    assert_eq!(wire::attribute(&answer, "type"), "result", "{answer}");
    scene.unharmed().await;
}
