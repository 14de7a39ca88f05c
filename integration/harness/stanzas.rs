//! Builds stanzas, and checks their answers.

use super::raw_client::attribute;

/// The namespace of a connection request.
pub const CONNECTION_REQUEST: &str = "urn:broadband-forum-org:cwmp:xmppConnReq-1-0";

/// An IQ with a random id.
pub fn iq(kind: &str, to: &str, payload: &str) -> String {
    format!("<iq type='{kind}' id='q{:016x}' to='{to}'>{payload}</iq>", rand::random::<u64>())
}

/// The payload of a connection request with this content.
pub fn request_payload(content: &str) -> String {
    format!("<connectionRequest xmlns='{CONNECTION_REQUEST}'>{content}</connectionRequest>")
}

/// A connection request with this content.
pub fn connection_request_of(to: &str, content: &str) -> String {
    iq("get", to, &request_payload(content))
}

/// A connection request with these credentials.
pub fn connection_request(to: &str, username: &str, password: &str) -> String {
    connection_request_of(to, &format!("<username>{username}</username><password>{password}</password>"))
}

/// A connection request with the credentials that the harness configures.
pub fn good_request(to: &str) -> String {
    connection_request(to, "cpe-user", "cpe-secret")
}

/// A ping (XEP-0199).
pub fn ping(to: &str) -> String {
    iq("get", to, "<ping xmlns='urn:xmpp:ping'/>")
}

/// The id of an IQ built here.
pub fn id(iq: &str) -> String {
    attribute(iq, "id")
}

/// Fails unless this is a result without a child.
#[track_caller]
pub fn assert_result(answer: &str) {
    assert!(attribute(answer, "type") == "result" && answer.ends_with("/>") && !answer[1..].contains('<'), "{answer}");
}

/// Fails unless this is an error whose only child is `<error>`, and its only child is this condition.
#[track_caller]
pub fn assert_error(answer: &str, kind: &str, condition: &str, code: Option<u16>) {
    let (_, content) = answer.split_once('>').unwrap();
    let (error, children) = content.split_once('>').unwrap_or_else(|| panic!("no child: {answer}"));
    let condition = format!("<{condition} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>");
    assert_eq!(attribute(answer, "type"), "error", "{answer}");
    assert!(error.starts_with("<error "), "{answer}");
    assert_eq!(attribute(error, "type"), kind, "{answer}");
    assert_eq!(error.contains(" code="), code.is_some(), "{answer}");
    if let Some(code) = code {
        assert_eq!(attribute(error, "code"), code.to_string(), "{answer}");
    }
    assert_eq!(children, condition, "{answer}");
}

/// Fails unless this is `service-unavailable`, the answer to all senders that are not allowed.
#[track_caller]
pub fn assert_unavailable(answer: &str) {
    assert_error(answer, "cancel", "service-unavailable", Some(503));
}

/// Fails unless this is `not-authorized`, the answer to wrong credentials.
#[track_caller]
pub fn assert_not_authorized(answer: &str) {
    assert_error(answer, "cancel", "not-authorized", Some(401));
}

#[test]
fn unexpected_answers_are_rejected() {
    let condition = "<service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>";
    let error = format!("<iq id='1' type='error'><error code='503' type='cancel'>{condition}</error></iq>");
    assert_unavailable(&error);
    assert_result("<iq id='1' type='result'/>");
    for wrong in [
        "<iq id='1' type='result'/>".to_owned(),
        error.replace("503", "401"),
        error.replace("cancel", "modify"),
        error.replace(" code='503'", ""),
        error.replace("service-unavailable", "not-authorized"),
        error.replace("<error", "<q xmlns='x'/><error"),
        error.replace("</error>", "<password>p</password></error>"),
        error.replace(condition, &format!("<text/>{condition}")),
    ] {
        assert!(std::panic::catch_unwind(|| assert_unavailable(&wrong)).is_err(), "{wrong}");
    }
    for wrong in [error.as_str(), "<iq id='1' type='result'><q/></iq>"] {
        assert!(std::panic::catch_unwind(|| assert_result(wrong)).is_err(), "{wrong}");
    }
}
