//! The server's side of SCRAM (RFC 5802), honest or not.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use sasl::common::Password;
use sasl::common::scram::{ScramProvider, Sha1, Sha256};

const SALT: &[u8] = b"a salt of the test";
const ITERATIONS: u32 = 4096;

/// What the server is up to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Honesty {
    /// It knows the password, and proves it.
    Honest,
    /// It lets everybody in, and its signature is wrong.
    WrongSignature,
    /// It lets everybody in, and gives no signature.
    NoSignature,
}

/// One exchange.
pub struct Exchange {
    sha256: bool,
    password: Password,
    /// What the client's `c` has to be: the GS2 header, and the channel binding behind it.
    binding: Vec<u8>,
    client_first: String,
    server_first: String,
    /// What the client has to do for an answer.
    pub iterations: u32,
}

impl Exchange {
    /// For this mechanism and the account's password.
    pub fn new(mechanism: &str, password: &str) -> Self {
        Self {
            sha256: mechanism.starts_with("SCRAM-SHA-256"),
            password: Password::Plain(password.to_owned()),
            binding: Vec::new(),
            client_first: String::new(),
            server_first: String::new(),
            iterations: ITERATIONS,
        }
    }

    /// The answer to the client's first message; `exporter` is what `tls-exporter` gives on this connection (RFC 9266).
    pub fn challenge(&mut self, first: &str, exporter: Option<&[u8]>) -> Result<String, String> {
        let bare = first.splitn(3, ',').nth(2).ok_or_else(|| format!("no GS2 header in {first:?}"))?;
        self.binding = first.as_bytes()[..first.len() - bare.len()].to_vec();
        if first.starts_with("p=") {
            let exporter = exporter.filter(|_| first.starts_with("p=tls-exporter,"));
            self.binding.extend(exporter.ok_or_else(|| format!("no such binding here: {first:?}"))?);
        }
        let nonce = attribute(bare, 'r').ok_or_else(|| format!("no nonce in {first:?}"))?;
        bare.clone_into(&mut self.client_first);
        self.server_first = format!("r={nonce}ofthetest,s={},i={}", BASE64.encode(SALT), self.iterations);
        Ok(self.server_first.clone())
    }

    /// The answer to the client's last message; an error if an honest server has to refuse it.
    pub fn success(&self, last: &str, honesty: Honesty) -> Result<String, String> {
        if honesty == Honesty::NoSignature {
            return Ok(String::new());
        }
        let (proof, signature) = if self.sha256 { self.derive::<Sha256>(last) } else { self.derive::<Sha1>(last) };
        if attribute(last, 'c') != Some(&BASE64.encode(&self.binding)) {
            return Err(format!("another channel is bound: {last:?}"));
        }
        let given = attribute(last, 'p').and_then(|text| BASE64.decode(text).ok());
        match honesty {
            Honesty::Honest if given.as_deref() != Some(&proof) => Err("the password is wrong".to_owned()),
            Honesty::Honest => Ok(format!("v={}", BASE64.encode(signature))),
            _ => Ok(format!("v={}", BASE64.encode(signature.iter().map(|byte| !byte).collect::<Vec<_>>()))),
        }
    }

    /// RFC 5802 3: the client's proof as it has to be, and the server's signature.
    fn derive<H: ScramProvider>(&self, last: &str) -> (Vec<u8>, Vec<u8>) {
        let without_proof = last.split(",p=").next().unwrap_or_default();
        let message = format!("{},{},{without_proof}", self.client_first, self.server_first);
        let salted = H::derive(&self.password, SALT, ITERATIONS).unwrap();
        let client_key = H::hmac(b"Client Key", &salted).unwrap();
        let signature = H::hmac(message.as_bytes(), &H::hash(&client_key)).unwrap();
        let proof = client_key.iter().zip(signature).map(|(key, signature)| key ^ signature).collect();
        let server_key = H::hmac(b"Server Key", &salted).unwrap();
        (proof, H::hmac(message.as_bytes(), &server_key).unwrap())
    }
}

fn attribute(message: &str, name: char) -> Option<&str> {
    message.split(',').find_map(|part| part.strip_prefix(name)?.strip_prefix('='))
}

/// The example of RFC 7677 3 has another salt; what is checked here is that both sides agree, and that lies are lies.
#[test]
fn only_the_right_password_is_proven() {
    for (mechanism, client) in [("SCRAM-SHA-256", true), ("SCRAM-SHA-1", false)] {
        let run = |password: &str, honesty| {
            use sasl::client::Mechanism;
            use sasl::client::mechanisms::Scram;
            use sasl::common::ChannelBinding;
            let mut client: Box<dyn Mechanism> = if client {
                Box::new(Scram::<Sha256>::new("user", password, ChannelBinding::None).unwrap())
            } else {
                Box::new(Scram::<Sha1>::new("user", password, ChannelBinding::None).unwrap())
            };
            let mut server = Exchange::new(mechanism, "secret");
            let challenge = server.challenge(std::str::from_utf8(&client.initial()).unwrap(), None).unwrap();
            let response = String::from_utf8(client.response(challenge.as_bytes()).unwrap()).unwrap();
            server.success(&response, honesty).map(|success| client.success(success.as_bytes()).is_ok())
        };
        assert_eq!(run("secret", Honesty::Honest), Ok(true));
        assert!(run("another", Honesty::Honest).is_err());
        assert_eq!(run("secret", Honesty::WrongSignature), Ok(false));
        assert_eq!(run("secret", Honesty::NoSignature), Ok(false));
    }
}
