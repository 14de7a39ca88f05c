//! What xmppd supports, as error messages name it.

/// The keys that a certificate may have.
pub(super) const KEYS: &str = "RSA (2048 to 8192 bits), ECDSA P-256 or P-384, or Ed25519 keys";

/// The signatures that a certificate may have.
pub(super) const SIGNATURES: &str =
    "RSA, RSA-PSS or ECDSA with SHA-256, SHA-384 or SHA-512 and a key of P-256 or P-384, or Ed25519";

/// Everything that the two sides of a handshake have to agree on.
pub(super) fn describe() -> String {
    format!(
        "xmppd supports TLS 1.2 and 1.3, ECDHE key exchange with X25519, P-256 or P-384, AES-GCM or ChaCha20-Poly1305, \
         and certificates with {KEYS}"
    )
}
