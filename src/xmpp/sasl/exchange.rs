//! Our side of one exchange: PLAIN (RFC 4616) or SCRAM.

use std::time::Duration;

use secrecy::zeroize::Zeroizing;

use super::SaslError;
use super::choice::Mechanism;
use super::scram::{Binding, ClientFirst, Verifier};
use crate::config::model::Password;
use crate::supervision::blocking;

/// How long deriving the keys may take, the wait for a thread included. It does not count against the time that the server
/// has: a million iterations take a slow CPU a minute.
const DERIVATION_LIMIT: Duration = Duration::from_secs(120);

/// Our side of one exchange. What it holds of the password is wiped when it is dropped.
pub(super) enum Exchange {
    Plain { message: Zeroizing<Vec<u8>> },
    Scram { password: Zeroizing<String>, state: State },
}

pub(super) enum State {
    /// Our first message is about to be answered.
    First(ClientFirst),
    /// Our last message is.
    Last(Verifier),
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
            Some(hash) => Self::Scram { password, state: State::First(ClientFirst::new(hash, binding, &username)) },
        }
    }

    pub(super) fn initial(&self) -> Zeroizing<Vec<u8>> {
        match self {
            Self::Plain { message } => message.clone(),
            Self::Scram { state: State::First(first), .. } => Zeroizing::new(first.message().into_bytes()),
            Self::Scram { .. } => Zeroizing::default(),
        }
    }

    /// Answers a challenge.
    pub(super) async fn respond(&mut self, challenge: &[u8]) -> Result<Vec<u8>, SaslError> {
        let Self::Scram { password, state } = self else {
            return Err(SaslError::Protocol("a challenge, which PLAIN has none of".to_owned()));
        };
        match std::mem::replace(state, State::Failed) {
            State::First(first) => {
                let server_first = first.receive(challenge)?;
                let password = password.clone();
                let work = blocking(move || server_first.respond(&password));
                let derived = tokio::time::timeout(DERIVATION_LIMIT, work).await.map_err(|_| SaslError::TooSlow)?;
                let (message, verifier) = derived.map_err(|error| SaslError::Protocol(error.to_string()))?;
                *state = State::Last(verifier);
                Ok(message.into_bytes())
            }
            // The server's last message may come as a challenge, with an empty success behind it (RFC 6120 6.3.10).
            State::Last(verifier) if verifier.accepts(challenge) => {
                *state = State::Verified;
                Ok(Vec::new())
            }
            State::Last(_) => Err(WRONG_SIGNATURE),
            State::Verified | State::Failed => Err(SaslError::Protocol("a challenge after the last one".to_owned())),
        }
    }

    /// Checks what the server says with its success.
    pub(super) fn finish(&self, data: &[u8]) -> Result<(), SaslError> {
        match self {
            Self::Plain { .. } | Self::Scram { state: State::Verified, .. } => Ok(()),
            Self::Scram { state: State::Last(verifier), .. } if verifier.accepts(data) => Ok(()),
            Self::Scram { .. } => Err(WRONG_SIGNATURE),
        }
    }
}

const WRONG_SIGNATURE: SaslError = SaslError::Impostor("its signature is missing or wrong");

/// `SASLprep` (RFC 4013). What it does not allow goes out as it is: the server decides.
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
    async fn a_nonce_that_is_not_ours_is_an_impostors() {
        let theirs = b"r=somebodyelses,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
        assert!(matches!(scram().respond(theirs).await, Err(SaslError::Impostor(_))));
    }

    #[tokio::test]
    async fn a_mandatory_extension_is_not_ignored() {
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
    async fn a_wrong_or_missing_signature_is_an_impostors() {
        for last in ["v=rmF9pqV8S7suAoZWja4dJRkFsKQ=", "", "e=other-error"] {
            let mut exchange = scram();
            challenge(&mut exchange, "i=10").await.unwrap();
            assert!(matches!(exchange.finish(last.as_bytes()), Err(SaslError::Impostor(_))), "{last}");
            assert!(matches!(exchange.respond(last.as_bytes()).await, Err(SaslError::Impostor(_))), "{last}");
        }
        assert!(matches!(scram().finish(b"v=AA=="), Err(SaslError::Impostor(_))), "success without a challenge");
    }

    #[tokio::test]
    async fn plain_is_rfc_4616() {
        let mut exchange = exchange(Mechanism::Plain, "p\u{e9}");
        assert_eq!(**exchange.initial(), *"\0u\0p\u{e9}".as_bytes());
        assert!(exchange.respond(b"x").await.is_err());
    }
}
