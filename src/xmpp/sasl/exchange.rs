//! The client's side of an exchange: PLAIN (RFC 4616) or SCRAM.

use std::time::Duration;

use secrecy::zeroize::Zeroizing;

use super::choice::Mechanism;
use super::error::SaslError;
use super::scram::{Binding, ClientFirst, SignatureVerifier};
use crate::blocking::blocking;
use crate::config::model::Password;

/// Maximum time for deriving the keys, including the wait for a thread. A million iterations take a minute on a slow
/// CPU.
const DERIVATION_LIMIT: Duration = Duration::from_secs(120);

/// The client's side of an exchange. The password is wiped when this is dropped.
pub(super) enum Exchange {
    Plain { message: Zeroizing<Vec<u8>> },
    Scram { password: Zeroizing<String>, state: ScramState },
}

pub(super) enum ScramState {
    /// The first message is sent.
    First(ClientFirst),
    /// The last message is sent.
    Last(SignatureVerifier),
    /// The server has proven that it knows the password.
    Verified,
    /// After an error.
    Failed,
}

impl Exchange {
    pub(super) fn new(mechanism: Mechanism, binding: Binding, username: &str, password: &Password) -> Self {
        let password = prepare(password.expose());
        let username = prepare(username);
        match mechanism.hash() {
            None => {
                let message = [b"\0", username.as_bytes(), b"\0", password.as_bytes()].concat();
                Self::Plain { message: Zeroizing::new(message) }
            }
            Some(hash) => {
                Self::Scram { password, state: ScramState::First(ClientFirst::new(hash, binding, &username)) }
            }
        }
    }

    /// The initial response.
    pub(super) fn initial(&self) -> Zeroizing<Vec<u8>> {
        match self {
            Self::Plain { message } => message.clone(),
            Self::Scram { state: ScramState::First(first), .. } => Zeroizing::new(first.message().into_bytes()),
            Self::Scram { .. } => Zeroizing::default(),
        }
    }

    /// Answers a challenge.
    pub(super) async fn respond(&mut self, challenge: &[u8]) -> Result<Vec<u8>, SaslError> {
        let Self::Scram { password, state } = self else {
            return Err(SaslError::Protocol("a challenge in a login with PLAIN".to_owned()));
        };
        match std::mem::replace(state, ScramState::Failed) {
            ScramState::First(first) => {
                let server_first = first.receive(challenge)?;
                let password = password.clone();
                let work = blocking(move || server_first.respond(&password));
                let derived = tokio::time::timeout(DERIVATION_LIMIT, work).await.map_err(|_| SaslError::TooSlow)?;
                let (message, verifier) = derived.map_err(|error| SaslError::Protocol(error.to_string()))?;
                *state = ScramState::Last(verifier);
                Ok(message.into_bytes())
            }
            // The server may send its last message as a challenge, followed by an empty success (RFC 6120 6.3.10).
            ScramState::Last(verifier) if verifier.accepts(challenge) => {
                *state = ScramState::Verified;
                Ok(Vec::new())
            }
            ScramState::Last(_) => Err(WRONG_SIGNATURE),
            ScramState::Verified | ScramState::Failed => {
                Err(SaslError::Protocol("a challenge after the last one".to_owned()))
            }
        }
    }

    /// Checks the data that came with the server's success.
    pub(super) fn finish(&self, data: &[u8]) -> Result<(), SaslError> {
        match self {
            Self::Plain { .. } | Self::Scram { state: ScramState::Verified, .. } => Ok(()),
            Self::Scram { state: ScramState::Last(verifier), .. } if verifier.accepts(data) => Ok(()),
            Self::Scram { .. } => Err(WRONG_SIGNATURE),
        }
    }
}

const WRONG_SIGNATURE: SaslError = SaslError::Impostor("its signature is missing or wrong");

/// Applies `SASLprep` (RFC 4013). Text that it prohibits is sent unchanged: the server decides.
fn prepare(text: &str) -> Zeroizing<String> {
    Zeroizing::new(stringprep::saslprep(text).map_or_else(|_| text.to_owned(), std::borrow::Cow::into_owned))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exchange(mechanism: Mechanism, password: &str) -> Exchange {
        Exchange::new(mechanism, Binding::Unused, "u", &Password::from(password.to_owned()))
    }

    fn scram() -> Exchange {
        exchange(Mechanism::ScramSha256, "pencil")
    }

    async fn challenge(exchange: &mut Exchange, rest: &str) -> Result<Vec<u8>, SaslError> {
        let message = String::from_utf8(exchange.initial().to_vec()).unwrap();
        let nonce = message.split_once("r=").unwrap().1;
        exchange.respond(format!("r={nonce}more,s=W22ZaJ0SNY7soEsUEjb6gQ==,{rest}").as_bytes()).await
    }

    #[tokio::test]
    async fn a_foreign_nonce_reveals_an_impostor() {
        let theirs = b"r=foreign,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
        assert!(matches!(scram().respond(theirs).await, Err(SaslError::Impostor(_))));
    }

    #[tokio::test]
    async fn a_mandatory_extension_is_refused() {
        assert!(matches!(challenge(&mut scram(), "i=10,m=x").await, Err(SaslError::Protocol(_))));
    }

    #[tokio::test]
    async fn iteration_counts_are_bounded() {
        for iterations in ["0", "-1", "1000001", "4294967296", "x"] {
            let refused = challenge(&mut scram(), &format!("i={iterations}")).await;
            assert!(matches!(refused, Err(SaslError::Protocol(_))), "{iterations}");
        }
        assert!(challenge(&mut scram(), "i=1").await.is_ok());
    }

    #[tokio::test]
    async fn a_wrong_or_missing_signature_reveals_an_impostor() {
        for last in ["v=rmF9pqV8S7suAoZWja4dJRkFsKQ=", "", "e=other-error"] {
            let mut exchange = scram();
            challenge(&mut exchange, "i=10").await.unwrap();
            assert!(matches!(exchange.finish(last.as_bytes()), Err(SaslError::Impostor(_))), "{last}");
            assert!(matches!(exchange.respond(last.as_bytes()).await, Err(SaslError::Impostor(_))), "{last}");
        }
        assert!(matches!(scram().finish(b"v=AA=="), Err(SaslError::Impostor(_))), "success without a challenge");
    }

    #[tokio::test]
    async fn plain_sends_its_message_and_answers_no_challenge() {
        let mut exchange = exchange(Mechanism::Plain, "p\u{e9}");
        assert_eq!(**exchange.initial(), *"\0u\0p\u{e9}".as_bytes());
        assert!(exchange.respond(b"x").await.is_err());
    }
}
