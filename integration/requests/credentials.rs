//! What a connection request has to know.

use super::assert_told;
use crate::harness::prosody::PASSWORD;
use crate::harness::stanzas::{
    CONNECTION_REQUEST, assert_error, assert_not_authorized, assert_result, connection_request, connection_request_of,
    good_request, iq,
};
use crate::harness::uci::{self, Section};
use crate::harness::{CPE1, CPE2, LIMIT, Options, Scene};

/// Given by an ACS that does not know better.
const WRONG: &str = "open-sesame";

#[tokio::test]
async fn wrong_user_or_password_is_not_authorized_and_nothing_is_run() {
    let mut scene = Scene::start().await;
    let wrong = [
        connection_request(CPE1, "cpe-user", WRONG),
        connection_request(CPE1, "CPE-user", "cpe-secret"),
        connection_request(CPE1, "cpe-user", "cpe-secret "),
        connection_request(CPE1, "", ""),
    ];
    for request in wrong {
        let answer = scene.ask_once(&request).await;
        assert_not_authorized(&answer);
        assert!(!answer.contains(WRONG) && !answer.contains("cpe-secret"), "{answer}");
    }
    assert_told(&scene, 0);
    assert_eq!(scene.daemon.count(1, "refused_credentials").await, 4);
    // Right ones are answered all the same.
    assert_result(&scene.ask_once(&good_request(CPE1)).await);
    assert_told(&scene, 1);
    scene.daemon.stop_and_look_for(&["cpe-secret", WRONG, PASSWORD]).await;
    let refused = scene.daemon.log().since(0, &["NOTICE", "connection 1", "acs@a.test/r", "refused"]);
    assert_eq!(refused.len(), 4, "{refused:?}");
}

#[tokio::test]
async fn nobody_is_authorized_where_no_credentials_are_configured() {
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
        let mut scene = Scene::start_with(
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
            assert_not_authorized(&scene.ask_once(&connection_request(CPE1, user, password)).await);
        }
        assert_told(&scene, 0);
        scene.daemon.stop_and_look_for(&["cpe-secret"]).await;
        let file = scene.daemon.cwmp().path().display().to_string();
        let said = scene.daemon.log().since(0, &["WARNING", &file, "no connection request can be authorized"]);
        assert_eq!(said.len(), 1, "{shown}: {said:?}");
    }
}

#[tokio::test]
async fn what_is_no_connection_request_is_a_bad_request() {
    let mut scene = Scene::start().await;
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
        let answer = scene.ask_once(&connection_request_of(CPE1, &content)).await;
        assert_error(&answer, "modify", "bad-request", None);
    }
    // (An IQ with no child or with several does not come through: the server itself refuses it.)
    assert_told(&scene, 0);
    assert_eq!(scene.daemon.count(1, "refused_malformed").await, 7);
    scene.daemon.stop_and_look_for(&["cpe-secret"]).await;
}

#[tokio::test]
async fn what_differs_in_form_alone_is_the_same_request() {
    let mut scene = Scene::start().await;
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
        assert_result(&scene.ask_once(request).await);
        scene.daemon.ubus().wait_calls(n + 1, LIMIT).await;
    }
}
