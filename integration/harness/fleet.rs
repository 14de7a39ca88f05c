//! Several connections of one daemon to one server, each with its own account: connection 3 is `cpe3@a.test/wan`.

use connreq::{Answer, Credentials, Requester};

use super::prosody::Prosody;
use super::sessions::Session;
use super::wait::LIMIT;

/// The full JID of a connection.
pub fn jid(id: u32) -> String {
    format!("cpe{id}@a.test/wan")
}

/// The present session of one connection.
pub fn session(prosody: &Prosody, id: u32) -> Option<Session> {
    prosody.sessions().remove(&jid(id))
}

/// Waits until the connection is online on another TCP connection than this one.
pub async fn wait_reconnected(prosody: &Prosody, id: u32, before: &Session) -> Session {
    super::until(&format!("connection {id} back online"), LIMIT, || {
        session(prosody, id).filter(|now| now.port != before.port || now.since > before.since)
    })
    .await
}

/// Sends a connection request with valid credentials.
pub async fn request(acs: &mut Requester, id: u32) -> Answer {
    let secret = Credentials::new("cpe-user", "cpe-secret");
    acs.request(&jid(id).parse().unwrap(), &secret, LIMIT).await
}

/// Sends a connection request and fails unless it is accepted.
pub async fn accepted(acs: &mut Requester, id: u32) {
    let answer = request(acs, id).await;
    assert!(matches!(answer, Answer::Result { .. }), "connection {id}: {answer:?}");
}

/// Sends a connection request and fails unless it is refused with this condition.
pub async fn refused(acs: &mut Requester, id: u32, expected: &str) {
    let answer = request(acs, id).await;
    assert!(matches!(&answer, Answer::Error { condition, .. } if condition == expected), "connection {id}: {answer:?}");
}
