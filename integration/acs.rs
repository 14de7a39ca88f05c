//! The ACS's side by itself: its library against a real server.

use std::time::Duration;

use connreq::tls::Trust;
use connreq::{Answer, Credentials, LoginError, Lost, Requester, Silence};
use xmpp::parsers::iq::Iq;
use xmpp::parsers::ping::Ping;

use crate::harness::{LIMIT, Prosody};

fn credentials() -> Credentials {
    Credentials::new("cpe-user", "cpe-secret")
}

#[tokio::test]
async fn a_request_is_written_as_the_schema_has_it_and_its_result_told() {
    let prosody = Prosody::start(&["a.test", "b.test"]).await;
    let mut cpe = prosody.wire("cpe@b.test/wan").await;
    let mut acs = prosody.requester("acs@a.test/r").await;
    let to = cpe.jid().parse().unwrap();
    let secret = credentials();
    let (answer, request) = tokio::join!(acs.request(&to, &secret, LIMIT), cpe.accept());
    assert!(matches!(answer, Answer::Result { rtt } if rtt < LIMIT), "{answer:?}");
    for part in [
        " type='get'",
        " from='acs@a.test/r'",
        " to='cpe@b.test/wan'",
        "<connectionRequest xmlns='urn:broadband-forum-org:cwmp:xmppConnReq-1-0'>\
         <username>cpe-user</username><password>cpe-secret</password></connectionRequest>",
    ] {
        assert!(request.contains(part), "no {part} in {request}");
    }
    acs.close().await;
}

#[tokio::test]
async fn an_answer_of_somebody_else_or_to_something_else_does_not_count() {
    let prosody = Prosody::start(&["a.test"]).await;
    let mut cpe = prosody.wire("cpe@a.test/wan").await;
    let mut other = prosody.wire("other@a.test/x").await;
    let mut acs = prosody.requester("acs@a.test/r").await;
    let to = cpe.jid().parse().unwrap();
    let secret = credentials();
    let (answer, ()) = tokio::join!(acs.request(&to, &secret, Duration::from_secs(2)), async {
        let request = cpe.expect("<connectionRequest").await;
        let id = crate::harness::wire::attribute(&request, "id");
        other.send(&format!("<iq type='result' id='{id}' to='acs@a.test/r'/>")).await;
        cpe.send("<iq type='result' id='x' to='acs@a.test/r'/>").await;
    });
    assert_eq!(answer, Answer::None(Silence::TimedOut));
    // The server did deliver them: the session is alive, and what was sent before this answer has arrived before it.
    let ping = Iq::from_get("", Ping);
    assert!(matches!(acs.ask(ping, LIMIT).await, Ok(Some(Iq::Result { .. }))));
}

#[tokio::test]
async fn the_server_is_asked_and_answers() {
    let prosody = Prosody::start(&["a.test"]).await;
    let mut acs = prosody.requester("acs@a.test").await;
    let ping = Iq::from_get("", Ping).with_to("a.test".parse().unwrap());
    assert!(matches!(acs.ask(ping, LIMIT).await, Ok(Some(Iq::Result { .. }))));
}

#[tokio::test]
async fn what_arrives_unasked_can_be_seen() {
    let prosody = Prosody::start(&["a.test"]).await;
    let mut acs = prosody.requester("acs@a.test/r").await;
    let mut other = prosody.wire("other@a.test/x").await;
    other.send("<message to='acs@a.test/r' type='chat'><body>hello</body></message>").await;
    loop {
        // Its own presence comes first.
        let stanza = acs.incoming(LIMIT).await.unwrap().expect("the message");
        if let xmpp::parsers::stanza::Stanza::Message(message) = stanza {
            assert_eq!(message.from.unwrap().to_string(), "other@a.test/x");
            break;
        }
    }
}

#[tokio::test]
async fn a_certificate_of_another_authority_is_not_accepted() {
    let prosody = Prosody::start(&["a.test"]).await;
    let other = crate::harness::Ca::new();
    prosody.account("acs@a.test");
    let mut account = prosody.access("acs@a.test");
    account.trust = Trust::File(other.pem());
    let refused = Requester::connect(account.clone(), LIMIT).await;
    assert!(matches!(refused, Err(LoginError::Unreachable(_))), "{:?}", refused.err());
    account.trust = Trust::Anything;
    assert!(Requester::connect(account, LIMIT).await.is_ok());
}

#[tokio::test]
async fn a_server_that_goes_away_is_told_and_no_second_login_follows() {
    let mut prosody = Prosody::start(&["a.test"]).await;
    let mut acs = prosody.requester("acs@a.test/r").await;
    prosody.kill().await;
    // The end may be seen while reading, or while writing.
    let answer = acs.request(&"cpe@a.test/wan".parse().unwrap(), &credentials(), LIMIT).await;
    assert_eq!(answer, Answer::None(Silence::Lost));
    prosody.start_again().await;
    let lost = acs.ask(Iq::from_get("", Ping), LIMIT).await;
    assert!(matches!(lost, Err(Lost)), "{lost:?}");
    let other = prosody.requester("other@a.test/r").await;
    let there: Vec<String> = prosody.sessions().into_keys().collect();
    assert_eq!(there, [other.jid().to_string()]);
}
