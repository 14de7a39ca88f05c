//! The messages of SCRAM (RFC 5802, RFC 7677), client's side, with SHA-1, SHA-256 and SHA-512. Pure except for the
//! nonce.

use std::num::NonZeroU32;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use rand::RngExt as _;
use ring::{digest, hmac, pbkdf2};
use secrecy::zeroize::Zeroizing;

use super::error::SaslError;

/// Maximum number of PBKDF2 iterations, so that a hostile server cannot occupy a small CPU for hours. 600,000 are
/// recommended for SHA-256.
const MAX_ITERATIONS: u32 = 1_000_000;

/// The hash functions for SCRAM.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hash {
    Sha1,
    Sha256,
    Sha512,
}

impl Hash {
    fn digest(self) -> &'static digest::Algorithm {
        match self {
            Self::Sha1 => &digest::SHA1_FOR_LEGACY_USE_ONLY,
            Self::Sha256 => &digest::SHA256,
            Self::Sha512 => &digest::SHA512,
        }
    }

    fn hmac(self) -> hmac::Algorithm {
        match self {
            Self::Sha1 => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
            Self::Sha256 => hmac::HMAC_SHA256,
            Self::Sha512 => hmac::HMAC_SHA512,
        }
    }

    fn pbkdf2(self) -> pbkdf2::Algorithm {
        match self {
            Self::Sha1 => pbkdf2::PBKDF2_HMAC_SHA1,
            Self::Sha256 => pbkdf2::PBKDF2_HMAC_SHA256,
            Self::Sha512 => pbkdf2::PBKDF2_HMAC_SHA512,
        }
    }
}

/// The channel binding (RFC 5802 6).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Binding {
    /// `p`: bound by the value of `tls-exporter` (RFC 9266).
    TlsExporter(Vec<u8>),
    /// `y`: we support binding, the server seems not to.
    ServerCannot,
    /// `n`: not bound.
    Unused,
}

impl Binding {
    fn gs2_header(&self) -> &'static str {
        match self {
            Self::TlsExporter(_) => "p=tls-exporter,,",
            Self::ServerCannot => "y,,",
            Self::Unused => "n,,",
        }
    }

    /// The attribute `c`: header and binding data.
    fn encode(&self) -> String {
        let data = if let Self::TlsExporter(data) = self { data.as_slice() } else { &[] };
        BASE64.encode([self.gs2_header().as_bytes(), data].concat())
    }
}

/// An exchange after the client's first message.
pub(super) struct ClientFirst {
    hash: Hash,
    binding: Binding,
    nonce: String,
    bare: String,
}

impl ClientFirst {
    /// Begins an exchange with a nonce of 144 random bits. `username`: after `SASLprep`, not escaped.
    pub(super) fn new(hash: Hash, binding: Binding, username: &str) -> Self {
        Self::with_nonce(hash, binding, username, BASE64.encode(rand::rng().random::<[u8; 18]>()))
    }

    fn with_nonce(hash: Hash, binding: Binding, username: &str, nonce: String) -> Self {
        // RFC 5802 5.1
        let username = username.replace('=', "=3D").replace(',', "=2C");
        let bare = format!("n={username},r={nonce}");
        Self { hash, binding, nonce, bare }
    }

    /// The client-first-message.
    pub(super) fn message(&self) -> String {
        format!("{}{}", self.binding.gs2_header(), self.bare)
    }

    /// Checks the server-first-message.
    ///
    /// # Errors
    /// [`SaslError::Impostor`]: the nonce does not continue ours. [`SaslError::Protocol`]: the message is malformed.
    pub(super) fn receive(self, message: &[u8]) -> Result<ServerFirst, SaslError> {
        let text =
            std::str::from_utf8(message).map_err(|_| SaslError::Protocol("a challenge not in UTF-8".to_owned()))?;
        let nonce = attribute(text, 'r').unwrap_or_default();
        // RFC 5802 5.1: prevents the replay of an earlier exchange.
        if !nonce.starts_with(&self.nonce) || nonce == self.nonce {
            return Err(SaslError::Impostor("its nonce does not continue ours"));
        }
        // RFC 5802 5.1: an extension that must be supported.
        if attribute(text, 'm').is_some() {
            return Err(SaslError::Protocol("a mandatory extension of SCRAM".to_owned()));
        }
        let salt = attribute(text, 's').and_then(|salt| BASE64.decode(salt).ok());
        let salt = salt.ok_or_else(|| SaslError::Protocol("a challenge without a salt".to_owned()))?;
        let iterations = attribute(text, 'i').and_then(|count| count.parse::<NonZeroU32>().ok());
        let iterations = iterations.filter(|count| count.get() <= MAX_ITERATIONS);
        let iterations =
            iterations.ok_or_else(|| SaslError::Protocol(format!("an iteration count outside 1..{MAX_ITERATIONS}")))?;
        let reply = format!("c={},r={nonce}", self.binding.encode());
        let signed = format!("{},{text},{reply}", self.bare);
        Ok(ServerFirst { hash: self.hash, salt, iterations, reply, signed })
    }
}

/// An exchange after the server's first message.
pub(super) struct ServerFirst {
    hash: Hash,
    salt: Vec<u8>,
    iterations: NonZeroU32,
    /// The client-final-message without its proof.
    reply: String,
    /// The `AuthMessage`, which both sides sign.
    signed: String,
}

impl ServerFirst {
    /// Derives the keys from the password (after `SASLprep`). Returns the client-final-message, and a verifier for the
    /// server's. Blocks for up to minutes: call it outside the main thread.
    pub(super) fn respond(self, password: &str) -> (String, SignatureVerifier) {
        let (digest, hmac) = (self.hash.digest(), self.hash.hmac());
        let mut salted = Zeroizing::new(vec![0; digest.output_len()]);
        pbkdf2::derive(self.hash.pbkdf2(), self.iterations, &self.salt, password.as_bytes(), &mut salted);
        let salted = hmac::Key::new(hmac, &salted);
        let client_key = hmac::sign(&salted, b"Client Key");
        let stored_key = digest::digest(digest, client_key.as_ref());
        let signature = hmac::sign(&hmac::Key::new(hmac, stored_key.as_ref()), self.signed.as_bytes());
        let proof: Vec<u8> = client_key.as_ref().iter().zip(signature.as_ref()).map(|(key, sign)| key ^ sign).collect();
        let server_key = hmac::Key::new(hmac, hmac::sign(&salted, b"Server Key").as_ref());
        let message = format!("{},p={}", self.reply, BASE64.encode(proof));
        (message, SignatureVerifier { server_key, signed: self.signed })
    }
}

/// Verifies that the server knows the password, or keys derived from it.
pub(super) struct SignatureVerifier {
    server_key: hmac::Key,
    signed: String,
}

impl SignatureVerifier {
    /// Whether the server-final-message has the right signature. Takes constant time.
    pub(super) fn accepts(&self, message: &[u8]) -> bool {
        let signature = std::str::from_utf8(message).ok().and_then(|text| attribute(text, 'v'));
        let signature = signature.and_then(|signature| BASE64.decode(signature).ok());
        signature.is_some_and(|bytes| hmac::verify(&self.server_key, self.signed.as_bytes(), &bytes).is_ok())
    }
}

/// The value of one attribute of a message.
fn attribute(message: &str, name: char) -> Option<&str> {
    message.split(',').find_map(|part| part.strip_prefix(name)?.strip_prefix('='))
}

#[cfg(test)]
mod tests;
