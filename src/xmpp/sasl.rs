//! Logging in (RFC 6120 6): which mechanism, and the exchange. The mechanisms' arithmetic is the `sasl` crate's; the
//! checks that it leaves to its user are here.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use sasl::client::mechanisms::Scram;
use sasl::common::ChannelBinding;
use sasl::common::scram::{Sha1, Sha256};

use super::incoming::{Element, Features, Known, Said};
use super::outgoing::{SaslAuth, SaslResponse};
use super::transport::Buffered;
use super::xml_stream::{Received, StreamFault, XmlStream};
use crate::config::model::Password;

/// The most PBKDF2 iterations that a server may ask for. Servers ask for 4,096 to 100,000; a hostile one could otherwise
/// keep a small CPU busy for hours.
const MAX_ITERATIONS: u32 = 500_000;

/// Why a login failed.
#[derive(Debug, thiserror::Error)]
pub enum SaslError {
    /// The server says no.
    #[error("the server refuses the login: {0}")]
    Refused(Said),
    /// Nothing that may be used is offered.
    #[error("no usable login mechanism among those that the server offers ({0})")]
    NoMechanism(String),
    /// The server does not know the password: it is not the account's server.
    #[error("the server could not prove that it knows the account's password ({0}); it may be an impostor")]
    Impostor(&'static str),
    /// The server does not follow the protocol.
    #[error("the server's part of the login makes no sense: {0}")]
    Protocol(String),
    /// A stream error instead of an answer.
    #[error("the server ends the stream: {0}")]
    StreamError(Said),
    /// The stream itself failed.
    #[error(transparent)]
    Stream(#[from] StreamFault),
}

/// The mechanisms that are used, best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mechanism {
    /// RFC 7677 with channel binding.
    ScramSha256Plus,
    /// RFC 5802 with channel binding.
    ScramSha1Plus,
    /// RFC 7677
    ScramSha256,
    /// RFC 5802
    ScramSha1,
    /// RFC 4616; over TLS alone.
    Plain,
}

impl Mechanism {
    /// The registered name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::ScramSha256Plus => "SCRAM-SHA-256-PLUS",
            Self::ScramSha1Plus => "SCRAM-SHA-1-PLUS",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::ScramSha1 => "SCRAM-SHA-1",
            Self::Plain => "PLAIN",
        }
    }

    fn binds(self) -> bool {
        matches!(self, Self::ScramSha256Plus | Self::ScramSha1Plus)
    }
}

/// The GS2 channel binding flag (RFC 5802 6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flag {
    /// `p`: the channel is bound.
    Bound,
    /// `y`: we could have, the server seems unable to. A server that is able sees that somebody took it off its list.
    ServerCannot,
    /// `n`: we could not.
    Unused,
}

/// Chooses among what the server offers. `bindings` is the server's list of channel bindings (XEP-0440) where it sent one;
/// `can_bind` says that this TLS connection has a `tls-exporter` value.
#[must_use]
pub fn choose(offered: &[String], bindings: Option<&[String]>, can_bind: bool, tls: bool) -> Option<(Mechanism, Flag)> {
    let has = |mechanism: Mechanism| offered.iter().any(|name| name == mechanism.name());
    let plus = has(Mechanism::ScramSha256Plus) || has(Mechanism::ScramSha1Plus);
    // Without a list we take a server that offers -PLUS over TLS 1.3 at its word: tls-exporter is the one binding that is
    // defined there (RFC 9266).
    let exporter = bindings.is_none_or(|list| list.iter().any(|name| name == "tls-exporter"));
    let flag = match (can_bind, plus) {
        (true, true) if exporter => Flag::Bound,
        (true, false) => Flag::ServerCannot,
        _ => Flag::Unused,
    };
    let best = [
        Mechanism::ScramSha256Plus,
        Mechanism::ScramSha1Plus,
        Mechanism::ScramSha256,
        Mechanism::ScramSha1,
        Mechanism::Plain,
    ];
    let usable = |mechanism: &Mechanism| match mechanism {
        Mechanism::Plain => tls,
        plus if plus.binds() => flag == Flag::Bound,
        _ => true,
    };
    let chosen = best.into_iter().filter(usable).find(|mechanism| has(*mechanism))?;
    // A server with -PLUS for another hash alone: nothing is bound then, and nothing is claimed.
    let flag = if flag == Flag::Bound && !chosen.binds() { Flag::Unused } else { flag };
    Some((chosen, flag))
}

/// Logs in on a stream whose features have come.
///
/// # Errors
/// [`SaslError`].
pub async fn authenticate(
    stream: &mut XmlStream<Buffered>,
    features: &Features,
    username: &str,
    password: &Password,
) -> Result<Mechanism, SaslError> {
    let offered = features.mechanisms.as_ref().map(|list| list.names.as_slice()).unwrap_or_default();
    let bindings = features.channel_bindings.as_ref().map(|list| list.names.as_slice());
    let transport = stream.io().get_ref();
    let exporter = transport.channel_binding();
    let chosen = choose(offered, bindings, exporter.is_some(), transport.is_tls());
    let (mechanism, flag) = chosen.ok_or_else(|| SaslError::NoMechanism(offered.join(", ")))?;
    tracing::debug!(mechanism = mechanism.name(), ?flag, "logging in");
    let binding = match (flag, exporter) {
        (Flag::Bound, Some(data)) => ChannelBinding::TlsExporter(data),
        (Flag::ServerCannot, _) => ChannelBinding::Unsupported,
        _ => ChannelBinding::None,
    };
    let exchange = Exchange::new(mechanism, binding, username, password)?;
    let (refused, mechanism) = match run(stream, mechanism, exchange).await {
        Ok(()) => return Ok(mechanism),
        // A server that rejects the binding does so at the first message; a wrong password shows only at the second.
        Err((SaslError::Refused(said), false)) => match unbound(offered, bindings, mechanism, flag) {
            Some(mechanism) => (said, mechanism),
            None => return Err(SaslError::Refused(said)),
        },
        Err((error, _)) => return Err(error),
    };
    tracing::debug!(%refused, mechanism = mechanism.name(), "the server rejects the channel binding; trying without, once");
    let exchange = Exchange::new(mechanism, ChannelBinding::None, username, password)?;
    run(stream, mechanism, exchange).await.map_err(|(error, _)| error)?;
    Ok(mechanism)
}

/// What is tried once where a server refuses an exchange at its first message: the flag `y` or the type of the binding may
/// be what it rejects. Servers without a list of bindings (XEP-0440) offer -PLUS over TLS 1.3 and know `tls-unique` alone,
/// which is not defined there. A list that names ours is taken at its word: nobody in between can talk us out of it.
fn unbound(offered: &[String], bindings: Option<&[String]>, mechanism: Mechanism, flag: Flag) -> Option<Mechanism> {
    match flag {
        Flag::ServerCannot => Some(mechanism),
        Flag::Bound if bindings.is_none() => choose(offered, None, false, false).map(|(mechanism, _)| mechanism),
        Flag::Bound | Flag::Unused => None,
    }
}

/// One exchange. An error says as well whether the server had sent a challenge before.
async fn run(
    stream: &mut XmlStream<Buffered>,
    mechanism: Mechanism,
    mut exchange: Exchange,
) -> Result<(), (SaslError, bool)> {
    let initial = encode(&exchange.initial());
    let auth = SaslAuth { mechanism: mechanism.name().to_owned(), data: initial };
    stream.queue(&auth).map_err(|fault| (fault.into(), false))?;
    let mut challenged = false;
    loop {
        let step = step(stream, &mut exchange).await;
        match step.map_err(|error| (error, challenged))? {
            Step::Done => return Ok(()),
            Step::Challenged => challenged = true,
        }
    }
}

enum Step {
    Challenged,
    Done,
}

async fn step(stream: &mut XmlStream<Buffered>, exchange: &mut Exchange) -> Result<Step, SaslError> {
    let element = match stream.next().await? {
        Received::Element(element) => *element,
        Received::Footer => return Err(StreamFault::Closed.into()),
        Received::Header { .. } => return Ok(Step::Challenged),
    };
    match element {
        Element::Known(Known::SaslChallenge { data }) => {
            let response = exchange.respond(&decode(&data)?).await?;
            stream.queue(&SaslResponse { data: encode(&response) })?;
            Ok(Step::Challenged)
        }
        Element::Known(Known::SaslSuccess { data }) => {
            exchange.finish(&decode(&data)?)?;
            Ok(Step::Done)
        }
        Element::Known(Known::SaslFailure { said }) => Err(SaslError::Refused(said)),
        Element::Known(Known::StreamError(error)) => Err(SaslError::StreamError(error.said)),
        _ => Err(SaslError::Protocol("neither challenge nor success nor failure".to_owned())),
    }
}

/// RFC 6120 6.4.2: `=` stands for data of no length.
fn encode(data: &[u8]) -> String {
    if data.is_empty() { "=".to_owned() } else { BASE64.encode(data) }
}

fn decode(text: &str) -> Result<Vec<u8>, SaslError> {
    let text = text.trim();
    if text == "=" {
        return Ok(Vec::new());
    }
    BASE64.decode(text).map_err(|error| SaslError::Protocol(format!("not base64 ({error})")))
}

type BoxedMechanism = Box<dyn sasl::client::Mechanism + Send>;

/// Our side of one exchange.
enum Exchange {
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
    fn new(
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

    fn initial(&mut self) -> Vec<u8> {
        match self {
            Self::Plain(message) => std::mem::take(message),
            Self::Scram { mechanism, nonce, .. } => {
                let message = mechanism.as_mut().map(|mechanism| mechanism.initial()).unwrap_or_default();
                attribute(&message, 'r').unwrap_or_default().clone_into(nonce);
                message
            }
        }
    }

    async fn respond(&mut self, challenge: &[u8]) -> Result<Vec<u8>, SaslError> {
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

    fn finish(&mut self, data: &[u8]) -> Result<(), SaslError> {
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
    let derived = tokio::task::spawn_blocking(move || {
        let response = taken.response(&challenge);
        (taken, response)
    });
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

    fn names(list: &[&str]) -> Vec<String> {
        list.iter().map(|&name| name.to_owned()).collect()
    }

    const ALL: [&str; 6] =
        ["PLAIN", "ANONYMOUS", "SCRAM-SHA-1", "SCRAM-SHA-1-PLUS", "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS"];

    /// Offered, bindings, whether we can bind, whether there is TLS; and what is chosen.
    type Case<'a> = (&'a [&'a str], Option<&'a [&'a str]>, bool, bool, Option<(Mechanism, Flag)>);

    #[test]
    fn the_best_that_is_possible_is_chosen() {
        use Mechanism::*;
        let plain = ["PLAIN", "SCRAM-SHA-1", "SCRAM-SHA-256"];
        let exporter = ["tls-server-end-point", "tls-exporter"];
        let other = ["tls-server-end-point"];
        let cases: [Case<'_>; 11] = [
            (&ALL, Some(&exporter), true, true, Some((ScramSha256Plus, Flag::Bound))),
            (&ALL, None, true, true, Some((ScramSha256Plus, Flag::Bound))),
            (&ALL, Some(&other), true, true, Some((ScramSha256, Flag::Unused))),
            (&ALL, Some(&exporter), false, true, Some((ScramSha256, Flag::Unused))),
            (&plain, None, true, true, Some((ScramSha256, Flag::ServerCannot))),
            (&plain, None, false, true, Some((ScramSha256, Flag::Unused))),
            (&["SCRAM-SHA-1", "PLAIN"], None, false, false, Some((ScramSha1, Flag::Unused))),
            (&["SCRAM-SHA-1-PLUS"], Some(&exporter), true, true, Some((ScramSha1Plus, Flag::Bound))),
            (&["PLAIN"], None, false, true, Some((Plain, Flag::Unused))),
            (&["PLAIN"], None, false, false, None),
            (&["ANONYMOUS", "X-OAUTH2"], None, true, true, None),
        ];
        for (offered, bindings, can_bind, tls, expected) in cases {
            let bindings = bindings.map(names);
            assert_eq!(
                choose(&names(offered), bindings.as_deref(), can_bind, tls),
                expected,
                "{offered:?} {bindings:?} {can_bind} {tls}"
            );
        }
    }

    #[test]
    fn a_binding_that_is_refused_is_given_up_only_where_the_server_named_none() {
        let both = names(&["SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", "PLAIN"]);
        let (plus, bare) = (Mechanism::ScramSha256Plus, Mechanism::ScramSha256);
        assert_eq!(unbound(&both, None, plus, Flag::Bound), Some(bare));
        assert_eq!(unbound(&both, Some(&names(&["tls-exporter"])), plus, Flag::Bound), None);
        assert_eq!(unbound(&names(&["SCRAM-SHA-256-PLUS", "PLAIN"]), None, plus, Flag::Bound), None, "never PLAIN");
        assert_eq!(unbound(&both, None, bare, Flag::ServerCannot), Some(bare));
        assert_eq!(unbound(&both, None, bare, Flag::Unused), None);
    }

    fn scram(username: &str) -> Exchange {
        let password = Password::from("pencil".to_owned());
        Exchange::new(Mechanism::ScramSha256, ChannelBinding::None, username, &password).unwrap()
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

    #[test]
    fn data_of_no_length_is_an_equals_sign() {
        assert_eq!(encode(b""), "=");
        assert_eq!(decode("=").unwrap(), b"");
        assert_eq!(decode(" YQ== ").unwrap(), b"a");
        assert!(decode("*").is_err());
    }
}
