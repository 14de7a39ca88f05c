//! The server's side of SCRAM (RFC 5802), for honest and dishonest servers.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ring::{digest, hmac, pbkdf2};

const SALT: &[u8] = b"a salt of the test";
const ITERATIONS: u32 = 4096;

/// The behavior of the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Honesty {
    /// Knows the password, and proves it.
    Honest,
    /// Accepts any login with a wrong signature.
    WrongSignature,
    /// Accepts any login without a signature.
    NoSignature,
}

/// The exchange of one login.
pub struct Exchange {
    hash: Hash,
    password: String,
    /// The expected value of the client's `c`: the GS2 header and the channel binding data.
    binding: Vec<u8>,
    client_first: String,
    server_first: String,
    /// Iterations of PBKDF2 asked of the client.
    pub iterations: u32,
}

impl Exchange {
    /// Starts an exchange with this mechanism and the account's password.
    pub fn new(mechanism: &str, password: &str) -> Self {
        Self {
            hash: match mechanism.trim_end_matches("-PLUS") {
                "SCRAM-SHA-512" => (pbkdf2::PBKDF2_HMAC_SHA512, hmac::HMAC_SHA512, &digest::SHA512),
                "SCRAM-SHA-256" => (pbkdf2::PBKDF2_HMAC_SHA256, hmac::HMAC_SHA256, &digest::SHA256),
                _ => (pbkdf2::PBKDF2_HMAC_SHA1, hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &digest::SHA1_FOR_LEGACY_USE_ONLY),
            },
            password: password.to_owned(),
            binding: Vec::new(),
            client_first: String::new(),
            server_first: String::new(),
            iterations: ITERATIONS,
        }
    }

    /// Returns the answer to the client's first message. `exporter` is the `tls-exporter` channel binding (RFC 9266).
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

    /// Returns the answer to the client's last message, or why an honest server must refuse it.
    pub fn success(&self, last: &str, honesty: Honesty) -> Result<String, String> {
        if honesty == Honesty::NoSignature {
            return Ok(String::new());
        }
        let (proof, signature) = self.derive(last);
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

    /// Returns the expected proof of the client and the server's signature (RFC 5802 3).
    fn derive(&self, last: &str) -> (Vec<u8>, Vec<u8>) {
        let without_proof = last.split(",p=").next().unwrap_or_default();
        let message = format!("{},{},{without_proof}", self.client_first, self.server_first);
        let (pbkdf2, hmac, digest) = self.hash;
        let sign = |key: &[u8], text: &[u8]| hmac::sign(&hmac::Key::new(hmac, key), text).as_ref().to_vec();
        let mut salted = vec![0; digest.output_len()];
        let iterations = self.iterations.try_into().unwrap();
        pbkdf2::derive(pbkdf2, iterations, SALT, self.password.as_bytes(), &mut salted);
        let client_key = sign(&salted, b"Client Key");
        let signature = sign(digest::digest(digest, &client_key).as_ref(), message.as_bytes());
        let proof = client_key.iter().zip(signature).map(|(key, signature)| key ^ signature).collect();
        (proof, sign(&sign(&salted, b"Server Key"), message.as_bytes()))
    }
}

type Hash = (pbkdf2::Algorithm, hmac::Algorithm, &'static digest::Algorithm);

fn attribute(message: &str, name: char) -> Option<&str> {
    message.split(',').find_map(|part| part.strip_prefix(name)?.strip_prefix('='))
}

/// With the client of another implementation.
#[test]
fn a_client_rejects_a_server_without_the_right_signature() {
    for (mechanism, client) in [("SCRAM-SHA-256", true), ("SCRAM-SHA-1", false)] {
        let run = |password: &str, honesty| {
            use sasl::client::Mechanism;
            use sasl::client::mechanisms::Scram;
            use sasl::common::ChannelBinding;
            use sasl::common::scram::{Sha1, Sha256};
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
