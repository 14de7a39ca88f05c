//! The credentials of a connection request.

use super::assert_notified;
use crate::harness::prosody::PASSWORD;
use crate::harness::stanzas::{
    CONNECTION_REQUEST, assert_error, assert_not_authorized, assert_result, connection_request, connection_request_of,
    good_request, iq,
};
use crate::harness::uci::{self, Section};
use crate::harness::{CPE1, CPE2, Fixture, LIMIT, Options};

/// A wrong password.
const WRONG: &str = "open-sesame";

#[tokio::test]
async fn wrong_credentials_are_not_authorized_and_notify_nothing() {
    let mut fixture = Fixture::start().await;
    let wrong = [
        connection_request(CPE1, "cpe-user", WRONG),
        connection_request(CPE1, "CPE-user", "cpe-secret"),
        connection_request(CPE1, "cpe-user", "cpe-secret "),
        connection_request(CPE1, "", ""),
    ];
    for request in wrong {
        let answer = fixture.ask_once(&request).await;
        assert_not_authorized(&answer);
        assert!(!answer.contains(WRONG) && !answer.contains("cpe-secret"), "{answer}");
    }
    assert_notified(&fixture, 0);
    assert_eq!(fixture.daemon.count(1, "refused_credentials").await, 4);
    // The right ones are accepted.
    assert_result(&fixture.ask_once(&good_request(CPE1)).await);
    assert_notified(&fixture, 1);
    fixture.daemon.stop_and_assert_not_logged(&["cpe-secret", WRONG, PASSWORD]).await;
    let refused = fixture.daemon.log().since(0, &["NOTICE", "connection 1", "acs@a.test/r", "refused"]);
    assert_eq!(refused.len(), 4, "{refused:?}");
}

#[tokio::test]
async fn without_configured_credentials_no_request_is_authorized() {
    let cpe = Section::named("cpe", "cpe");
    let missing = [
        None,
        Some(uci::text([&cpe.clone().option("userid", "cpe-user")])),
        Some(uci::text([&cpe.clone().option("passwd", "cpe-secret")])),
        Some(uci::text([&cpe.clone().option("userid", "cpe-user").option("passwd", "")])),
        Some(uci::text([&Section::named("cpe", "other").option("userid", "cpe-user").option("passwd", "cpe-secret")])),
    ];
    for text in missing {
        let (shown, options) = (format!("{text:?}"), Options::default());
        let mut fixture = Fixture::start_with(
            options,
            |_| {},
            |setup| {
                match text {
                    Some(text) => setup.cwmp.write_in_place(&text),
                    None => setup.cwmp.remove(),
                }
                setup
            },
        )
        .await;
        for (user, password) in [("cpe-user", "cpe-secret"), ("", ""), ("cpe-user", "")] {
            assert_not_authorized(&fixture.ask_once(&connection_request(CPE1, user, password)).await);
        }
        assert_notified(&fixture, 0);
        fixture.daemon.stop_and_assert_not_logged(&["cpe-secret"]).await;
        let file = fixture.daemon.cwmp().path().display().to_string();
        let said = fixture.daemon.log().since(0, &["WARNING", &file, "no connection request can be authorized"]);
        assert_eq!(said.len(), 1, "{shown}: {said:?}");
    }
}

#[tokio::test]
async fn an_invalid_connection_request_is_a_bad_request() {
    let mut fixture = Fixture::start().await;
    let (user, password) = ("<username>cpe-user</username>", "<password>cpe-secret</password>");
    for content in [
        String::new(),
        password.to_owned(),
        user.to_owned(),
        format!("{user}{user}{password}"),
        format!("{user}{password}{password}"),
        format!("<username>cpe-<b/>user</username>{password}"),
        format!("<username xmlns='urn:x'>cpe-user</username>{password}"),
    ] {
        let answer = fixture.ask_once(&connection_request_of(CPE1, &content)).await;
        assert_error(&answer, "modify", "bad-request", None);
    }
    // (A real server rejects an IQ with no child or with several.)
    assert_notified(&fixture, 0);
    assert_eq!(fixture.daemon.count(1, "refused_malformed").await, 7);
    fixture.daemon.stop_and_assert_not_logged(&["cpe-secret"]).await;
}

#[tokio::test]
async fn a_request_may_be_written_in_other_forms() {
    let mut fixture = Fixture::start().await;
    let forms = [
        good_request(CPE1).replace(" type='get'", " type='set'"),
        connection_request_of(CPE1, "<password>cpe-secret</password><username>cpe-user</username>"),
        connection_request_of(CPE1, "\n  <username>cpe-user</username>\n  <password>cpe-secret</password>\n"),
        connection_request_of(
            CPE1,
            "<more>x</more><username>&#99;pe-user</username><password>cpe&#x2d;secret</password><username xmlns='x'/>",
        ),
        iq(
            "get",
            CPE2,
            &format!(
                "<c:connectionRequest xmlns:c='{CONNECTION_REQUEST}'><c:username>cpe-user</c:username>\
                 <c:password>cpe-secret</c:password></c:connectionRequest>"
            ),
        ),
    ];
    for (n, request) in forms.iter().enumerate() {
        assert_result(&fixture.ask_once(request).await);
        fixture.daemon.ubus().wait_calls(n + 1, LIMIT).await;
    }
}
