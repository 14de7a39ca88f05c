//! What any sender can do through the server: each request is answered once, costs no disproportionate resources, and
//! affects no stream.

use crate::harness::fleet::{accepted, jid, session};
use crate::harness::prosody::PASSWORD;
use crate::harness::stanzas::{connection_request_of, good_request, iq, request_payload};
use crate::harness::{Daemon, Prosody, RawClient, Server, Session, Settings, raw_client};

/// A connection that accepts requests only from `acs@a.test`, and another sender.
struct Fixture {
    prosody: Prosody,
    daemon: Daemon,
    before: Session,
    stranger: RawClient,
}

impl Fixture {
    async fn new() -> Self {
        let prosody = Prosody::start(&["a.test"]).await;
        let mut fleet = Settings::fleet(1, &[1], &prosody);
        fleet.set("allowed_jid", "acs@a.test");
        let (daemon, mut sessions) = fleet.start(&prosody).await;
        let stranger = prosody.raw_client("stranger@a.test/x").await;
        Self { prosody, daemon, before: sessions.remove(&1).unwrap(), stranger }
    }

    /// The other sender sends a request with this payload, and another one after it: both are refused once.
    async fn one_refusal(&mut self, payload: &str) {
        self.all_refused(&[iq("get", &jid(1), payload), other_request()]).await;
    }

    /// Sends all of these at once and waits for one refusal of each.
    async fn all_refused(&mut self, requests: &[String]) {
        self.stranger.send(&requests.concat()).await;
        // A connection request passes the router, so a later request may be answered before it.
        for answer in self.stranger.answers(requests).await {
            assert_refused(&answer);
        }
        // Nothing else follows.
        let last = [other_request()];
        self.stranger.send(&last[0]).await;
        assert_refused(&self.stranger.answers(&last).await[0]);
    }

    /// Fails unless the connection answers on its original TCP connection.
    async fn assert_unaffected(mut self) {
        let mut acs = self.prosody.acs("acs@a.test/r").await;
        accepted(&mut acs, 1).await;
        assert_eq!(session(&self.prosody, 1).as_ref(), Some(&self.before), "the same TCP connection");
        assert!(self.daemon.running());
        self.daemon.log().assert_without(&["ERROR", PASSWORD, "cpe-secret"]);
        self.daemon.log().assert_short_lines(2000);
    }
}

/// A request that every sender is refused.
fn other_request() -> String {
    iq("get", &jid(1), "<q xmlns='x'/>")
}

fn assert_refused(answer: &str) {
    assert_eq!(raw_client::attribute(answer, "type"), "error");
    assert_eq!(raw_client::attribute(answer, "from"), jid(1));
    assert_eq!(answer.matches("<service-unavailable").count(), 1, "{answer}");
    assert!(answer.len() < 1000, "what was sent is not sent back: {} bytes", answer.len());
}

/// The other sender's payloads are each refused once, and affect nothing.
async fn each_is_refused(payloads: impl IntoIterator<Item = String>) {
    let mut fixture = Fixture::new().await;
    for payload in payloads {
        fixture.one_refusal(&payload).await;
    }
    fixture.assert_unaffected().await;
}

fn nested(count: usize) -> String {
    format!("{}{}", "<a>".repeat(count), "</a>".repeat(count))
}

#[tokio::test]
async fn thirty_thousand_nested_children_are_skipped() {
    each_is_refused([format!("<q xmlns='x'>{}</q>", nested(30_000))]).await;
}

#[tokio::test]
async fn thirty_thousand_nested_children_are_skipped_repeatedly() {
    each_is_refused((0..10).map(|_| format!("<q xmlns='x'>{}</q>", nested(30_000)))).await;
}

/// Thirty thousand siblings instead of nested ones.
#[tokio::test]
async fn thirty_thousand_children_are_skipped() {
    each_is_refused([format!("<q xmlns='x'>{}</q>", "<a/>".repeat(30_000))]).await;
}

/// Inside of an element that xmppd parses.
#[tokio::test]
async fn nested_children_in_a_connection_request_are_skipped() {
    let contents = [nested(30_000), format!("<username>{}</username>", nested(30_000))];
    each_is_refused(contents.map(|content| request_payload(&content))).await;
}

#[tokio::test]
async fn an_attribute_of_100_kb_is_skipped() {
    // Expat, Prosody's parser, may hold back a large tag until it has received as many bytes again (from 2.6, and in
    // Debian's 2.5.0-1+deb12u5): the spaces.
    each_is_refused([format!("<q xmlns='x' a='{}'/>{}", "a".repeat(100_000), " ".repeat(110_000))]).await;
}

#[tokio::test]
async fn a_text_of_200_kb_is_skipped() {
    let texts = ["t".repeat(200_000), "&lt;".repeat(50_000)];
    each_is_refused(texts.map(|text| format!("<q xmlns='x'>{text}</q>"))).await;
}

#[tokio::test]
async fn a_user_name_of_200_kb_is_refused() {
    let long = "u".repeat(200_000);
    each_is_refused([request_payload(&format!("<username>{long}</username><password>p</password>"))]).await;
}

/// Messages and presence are not answered; a request after them is.
#[tokio::test]
async fn deep_messages_and_presence_are_skipped() {
    let mut fixture = Fixture::new().await;
    let (to, deep) = (jid(1), nested(30_000));
    fixture.stranger.send(&format!("<message to='{to}'><body>b</body><q xmlns='x'>{deep}</q></message>")).await;
    fixture.stranger.send(&format!("<presence to='{to}'><q xmlns='x'>{deep}</q></presence>")).await;
    fixture.one_refusal("<q xmlns='x'/>").await;
    fixture.assert_unaffected().await;
}

#[tokio::test]
async fn a_thousand_stanzas_at_once_are_answered() {
    let mut fixture = Fixture::new().await;
    let requests: Vec<String> = (0..1000).map(|_| other_request()).collect();
    fixture.all_refused(&requests).await;
    fixture.assert_unaffected().await;
}

#[tokio::test]
async fn a_thousand_connection_requests_at_once_are_answered() {
    let mut fixture = Fixture::new().await;
    let requests: Vec<String> = (0..1000).map(|_| good_request(&jid(1))).collect();
    fixture.all_refused(&requests).await;
    assert!(fixture.daemon.ubus().calls().is_empty());
    fixture.assert_unaffected().await;
}

/// From the ACS itself: unknown elements in a request are skipped, since the schema may grow.
#[tokio::test]
async fn unknown_nested_elements_in_a_request_are_skipped() {
    let fixture = Fixture::new().await;
    let mut acs = fixture.prosody.raw_client("acs@a.test/w").await;
    let content = format!("<username>cpe-user</username>{}<password>cpe-secret</password>", nested(30_000));
    let answer = acs.ask(&connection_request_of(&jid(1), &content)).await;
    assert_eq!(raw_client::attribute(&answer, "type"), "result", "{answer}");
    fixture.assert_unaffected().await;
}
