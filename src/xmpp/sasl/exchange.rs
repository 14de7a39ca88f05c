//! Our side of one exchange (RFC 4616, RFC 5802). The mechanisms' arithmetic is the `sasl` crate's; the checks that it
//! leaves to its user are here.

use sasl::client::mechanisms::Scram;
use sasl::common::ChannelBinding;
use sasl::common::scram::{Sha1, Sha256};

use super::SaslError;
use super::choice::Mechanism;
use crate::config::model::Password;
use crate::supervision::blocking;

/// The most PBKDF2 iterations that a server may ask for. Servers ask for 4,096 to 100,000; a hostile one could otherwise
/// keep a small CPU busy for hours.
const MAX_ITERATIONS: u32 = 500_000;

type BoxedMechanism = Box<dyn sasl::client::Mechanism + Send>;

/// Our side of one exchange.
pub(super) enum Exchange {
    Plain(Vec<u8>),
    /// The mechanism is away while its answer is calculated.
    Scram {
        mechanism: Option<BoxedMechanism>,
        nonce: String,
        responded: bool,
        verified: bool,
    },
}

impl Exchange {
    pub(super) fn new(
        mechanism: Mechanism,
        binding: ChannelBinding,
        username: &str,
        password: &Password,
    ) -> Result<Self, SaslError> {
        let password = prepare(password.expose());
        let scram_name = escape(&prepare(username));
        let no_nonce = |_| SaslError::Protocol("no random numbers".to_owned());
        let mechanism: BoxedMechanism = match mechanism {
            Mechanism::Plain => {
                return Ok(Self::Plain([b"\0", prepare(username).as_bytes(), b"\0", password.as_bytes()].concat()));
            }
            Mechanism::ScramSha256 | Mechanism::ScramSha256Plus => {
                Box::new(Scram::<Sha256>::new(scram_name, password.into_owned(), binding).map_err(no_nonce)?)
            }
            Mechanism::ScramSha1 | Mechanism::ScramSha1Plus => {
                Box::new(Scram::<Sha1>::new(scram_name, password.into_owned(), binding).map_err(no_nonce)?)
            }
        };
        Ok(Self::Scram { mechanism: Some(mechanism), nonce: String::new(), responded: false, verified: false })
    }

    pub(super) fn initial(&mut self) -> Vec<u8> {
        match self {
            Self::Plain(message) => std::mem::take(message),
            Self::Scram { mechanism, nonce, .. } => {
                let message = mechanism.as_mut().map(|mechanism| mechanism.initial()).unwrap_or_default();
                attribute(&message, 'r').unwrap_or_default().clone_into(nonce);
                message
            }
        }
    }

    pub(super) async fn respond(&mut self, challenge: &[u8]) -> Result<Vec<u8>, SaslError> {
        let Self::Scram { mechanism, nonce, responded, verified } = self else {
            return Err(SaslError::Protocol("a challenge, which PLAIN has none of".to_owned()));
        };
        if *responded {
            // The server's last message may come as a challenge, with an empty success behind it (RFC 6120 6.3.10).
            verify(mechanism, challenge)?;
            *verified = true;
            return Ok(Vec::new());
        }
        // The nonce has to continue ours (RFC 5802 5.1), or somebody replays an old exchange.
        let server_nonce = attribute(challenge, 'r').unwrap_or_default();
        if nonce.is_empty() || !server_nonce.starts_with(nonce.as_str()) || server_nonce == nonce {
            return Err(SaslError::Impostor("its nonce does not continue ours"));
        }
        // RFC 5802 5.1: an extension that must be understood, and is not.
        if attribute(challenge, 'm').is_some() {
            return Err(SaslError::Protocol("a mandatory extension of SCRAM".to_owned()));
        }
        let iterations = attribute(challenge, 'i').and_then(|text| text.parse::<u32>().ok());
        match iterations {
            Some(1..=MAX_ITERATIONS) => {}
            _ => return Err(SaslError::Protocol(format!("an iteration count outside 1..{MAX_ITERATIONS}"))),
        }
        *responded = true;
        derive(mechanism, challenge.to_vec()).await
    }

    pub(super) fn finish(&mut self, data: &[u8]) -> Result<(), SaslError> {
        match self {
            Self::Plain(_) | Self::Scram { verified: true, .. } => Ok(()),
            Self::Scram { mechanism, .. } => verify(mechanism, data),
        }
    }
}

/// The answer to the server's first message. PBKDF2 may keep a small CPU busy for a second: not on the one thread that all
/// connections share.
async fn derive(mechanism: &mut Option<BoxedMechanism>, challenge: Vec<u8>) -> Result<Vec<u8>, SaslError> {
    let mut taken = mechanism.take().ok_or_else(lost)?;
    let derived = blocking(move || {
        let response = taken.response(&challenge);
        (taken, response)
    });
    // A panic in it is one of the connection's own.
    let (taken, response) = derived.await.map_err(|error| SaslError::Protocol(error.to_string()))?;
    *mechanism = Some(taken);
    response.map_err(|error| SaslError::Protocol(error.to_string()))
}

/// The mechanism went with a calculation that was given up.
fn lost() -> SaslError {
    SaslError::Protocol("a second message while the first is being answered".to_owned())
}

fn verify(mechanism: &mut Option<BoxedMechanism>, data: &[u8]) -> Result<(), SaslError> {
    let mechanism = mechanism.as_mut().ok_or_else(lost)?;
    mechanism.success(data).map_err(|_| SaslError::Impostor("its signature is missing or wrong"))
}

/// `SASLprep` (RFC 4013). What it does not allow goes out as it is: the server decides.
fn prepare(text: &str) -> std::borrow::Cow<'_, str> {
    stringprep::saslprep(text).unwrap_or(std::borrow::Cow::Borrowed(text))
}

/// RFC 5802 5.1: `=` and `,` in a user name.
fn escape(username: &str) -> String {
    username.replace('=', "=3D").replace(',', "=2C")
}

/// The value of one attribute of a SCRAM message.
fn attribute(message: &[u8], name: char) -> Option<&str> {
    let message = std::str::from_utf8(message).ok()?;
    message.split(',').find_map(|part| part.strip_prefix(name)?.strip_prefix('='))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scram(username: &str) -> Exchange {
        let password = Password::from("pencil".to_owned());
        Exchange::new(Mechanism::ScramSha256, ChannelBinding::None, username, &password).unwrap()
    }

    #[tokio::test]
    async fn a_panic_while_the_answer_is_calculated_is_not_taken_for_a_server_that_refuses() {
        struct Broken;

        impl sasl::client::Mechanism for Broken {
            fn name(&self) -> &'static str {
                "BROKEN"
            }

            fn from_credentials(_: sasl::common::Credentials) -> Result<Self, sasl::client::MechanismError> {
                Ok(Self)
            }

            fn response(&mut self, _: &[u8]) -> Result<Vec<u8>, sasl::client::MechanismError> {
                std::panic::resume_unwind(Box::new("in PBKDF2"))
            }
        }

        let mechanism: Option<BoxedMechanism> = Some(Box::new(Broken));
        let mut exchange = Exchange::Scram { mechanism, nonce: "ours".to_owned(), responded: false, verified: false };
        let task = tokio::spawn(async move { exchange.respond(b"r=ours+theirs,s=c2FsdA==,i=4096").await });
        assert!(task.await.unwrap_err().is_panic());
    }

    #[test]
    fn a_user_name_with_a_comma_and_an_equals_sign_is_escaped() {
        let mut exchange = scram("a,b=c");
        let message = String::from_utf8(exchange.initial()).unwrap();
        assert!(message.starts_with("n,,n=a=2Cb=3Dc,r="), "{message}");
    }

    #[tokio::test]
    async fn a_nonce_that_is_not_ours_is_an_impostors() {
        let mut exchange = scram("u");
        exchange.initial();
        let challenge = b"r=somebodyelses,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
        assert!(matches!(exchange.respond(challenge).await, Err(SaslError::Impostor(_))));
    }

    async fn challenge(exchange: &mut Exchange, iterations: &str) -> Result<Vec<u8>, SaslError> {
        let message = exchange.initial();
        let nonce = attribute(&message, 'r').unwrap().to_owned();
        exchange.respond(format!("r={nonce}more,s=W22ZaJ0SNY7soEsUEjb6gQ==,i={iterations}").as_bytes()).await
    }

    #[tokio::test]
    async fn a_mandatory_extension_is_not_ignored() {
        assert!(matches!(challenge(&mut scram("u"), "10,m=x").await, Err(SaslError::Protocol(_))));
    }

    #[tokio::test]
    async fn iteration_counts_are_bounded() {
        for iterations in ["0", "-1", "500001", "4294967296", "x"] {
            assert!(
                matches!(challenge(&mut scram("u"), iterations).await, Err(SaslError::Protocol(_))),
                "{iterations}"
            );
        }
        assert!(challenge(&mut scram("u"), "1").await.is_ok());
    }

    #[tokio::test]
    async fn a_wrong_or_missing_signature_is_an_impostors() {
        for last in ["v=rmF9pqV8S7suAoZWja4dJRkFsKQ=", "", "e=other-error"] {
            let mut exchange = scram("u");
            challenge(&mut exchange, "10").await.unwrap();
            assert!(matches!(exchange.finish(last.as_bytes()), Err(SaslError::Impostor(_))), "{last}");
        }
        let mut early = scram("u");
        early.initial();
        assert!(matches!(early.finish(b"v=AA=="), Err(SaslError::Impostor(_))), "success without a challenge");
    }

    #[tokio::test]
    async fn plain_is_rfc_4616() {
        let password = Password::from("p\u{e9}".to_owned());
        let mut exchange = Exchange::new(Mechanism::Plain, ChannelBinding::None, "u", &password).unwrap();
        assert_eq!(exchange.initial(), "\0u\0p\u{e9}".as_bytes());
        assert!(exchange.respond(b"x").await.is_err());
    }
}
