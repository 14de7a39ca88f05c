//! The ACS's library against a real server.

use std::time::Duration;

use connreq::tls::Trust;
use connreq::{Answer, Credentials, LoginError, NoAnswer, Requester, SessionLost};
use xmpp::parsers::iq::Iq;
use xmpp::parsers::ping::Ping;

use crate::harness::{LIMIT, Prosody, Server};

fn credentials() -> Credentials {
    Credentials::new("cpe-user", "cpe-secret")
}

#[tokio::test]
async fn a_request_follows_the_schema_and_its_result_is_returned() {
    let prosody = Prosody::start(&["a.test", "b.test"]).await;
    let mut cpe = prosody.raw_client("cpe@b.test/wan").await;
    let mut acs = prosody.acs("acs@a.test/r").await;
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
async fn an_answer_needs_the_id_and_sender_of_the_request() {
    let prosody = Prosody::start(&["a.test"]).await;
    let mut cpe = prosody.raw_client("cpe@a.test/wan").await;
    let mut other = prosody.raw_client("other@a.test/x").await;
    let mut acs = prosody.acs("acs@a.test/r").await;
    let to = cpe.jid().parse().unwrap();
    let secret = credentials();
    let (answer, ()) = tokio::join!(acs.request(&to, &secret, Duration::from_secs(2)), async {
        let request = cpe.expect("<connectionRequest").await;
        let id = crate::harness::raw_client::attribute(&request, "id");
        other.send(&format!("<iq type='result' id='{id}' to='acs@a.test/r'/>")).await;
        cpe.send("<iq type='result' id='x' to='acs@a.test/r'/>").await;
    });
    assert_eq!(answer, Answer::None(NoAnswer::TimedOut));
    // The server did deliver them: the session is alive, and what was sent before this answer has arrived before it.
    let ping = Iq::from_get("", Ping);
    assert!(matches!(acs.ask(ping, LIMIT).await, Ok(Some(Iq::Result { .. }))));
}

#[tokio::test]
async fn a_server_answers_a_ping() {
    let prosody = Prosody::start(&["a.test"]).await;
    let mut acs = prosody.acs("acs@a.test").await;
    let ping = Iq::from_get("", Ping).with_to("a.test".parse().unwrap());
    assert!(matches!(acs.ask(ping, LIMIT).await, Ok(Some(Iq::Result { .. }))));
}

#[tokio::test]
async fn incoming_messages_are_returned() {
    let prosody = Prosody::start(&["a.test"]).await;
    let mut acs = prosody.acs("acs@a.test/r").await;
    let mut other = prosody.raw_client("other@a.test/x").await;
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
async fn a_certificate_of_another_ca_is_rejected() {
    let prosody = Prosody::start(&["a.test"]).await;
    let other = crate::harness::Ca::new();
    prosody.account("acs@a.test");
    let mut account = prosody.account_of("acs@a.test");
    account.trust = Trust::File(other.pem());
    let refused = Requester::connect(account.clone(), LIMIT).await;
    assert!(matches!(refused, Err(LoginError::Unreachable(_))), "{:?}", refused.err());
    account.trust = Trust::Anything;
    assert!(Requester::connect(account, LIMIT).await.is_ok());
}

#[tokio::test]
async fn a_lost_session_is_reported_and_not_restarted() {
    let mut prosody = Prosody::start(&["a.test"]).await;
    let mut acs = prosody.acs("acs@a.test/r").await;
    prosody.kill().await;
    // The end may be seen while reading, or while writing.
    let answer = acs.request(&"cpe@a.test/wan".parse().unwrap(), &credentials(), LIMIT).await;
    assert_eq!(answer, Answer::None(NoAnswer::Lost));
    prosody.start_again().await;
    let lost = acs.ask(Iq::from_get("", Ping), LIMIT).await;
    assert!(matches!(lost, Err(SessionLost)), "{lost:?}");
    let other = prosody.acs("other@a.test/r").await;
    let there: Vec<String> = prosody.sessions().into_keys().collect();
    assert_eq!(there, [other.jid().to_string()]);
}
