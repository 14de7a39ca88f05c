use proptest::prelude::*;
use sasl::common::Password;
use sasl::common::scram::{ScramProvider, Sha1, Sha256};

use super::*;

fn begun(hash: Hash, nonce: &str) -> ClientFirst {
    ClientFirst::with_nonce(hash, Binding::Unused, "user", nonce.to_owned())
}

/// RFC 5802 5 and RFC 7677 3. No RFC has an example for SHA-512: this one was computed with Python's hashlib and hmac.
#[test]
fn the_examples_of_the_standards_are_reproduced() {
    let cases = [
        (
            Hash::Sha1,
            "fyko+d2lbbFgONRv9qkxdawL",
            "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096",
            "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
            "v=rmF9pqV8S7suAoZWja4dJRkFsKQ=",
        ),
        (
            Hash::Sha256,
            "rOprNGfwEbeRWgbNEkqO",
            "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
            "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
             p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
            "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
        ),
        (
            Hash::Sha512,
            "rOprNGfwEbeRWgbNEkqO",
            "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=Yin2FuHTt/M0kJWb0t9OI32n2VmOGi3m+JfjOvuDF88=,i=4096",
            "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
             p=/3obeUE1tHCJjbQttd+ChF5ox2IU1rNjj2wVDnbQ5LdNT126oy4QgLz2tHw/Uj7Gwb6PRuHOS3HC+45exxT58A==",
            "v=5AwW78p+EVPirB3A5lrHcvrN8pVKRlR3opLuRoxXrN9ubKokkPzVPzWNNNuBbrtZrv5mpfKZ7+QCDSZWeZQEqw==",
        ),
    ];
    for (hash, nonce, challenge, response, last) in cases {
        let first = begun(hash, nonce);
        assert_eq!(first.message(), format!("n,,n=user,r={nonce}"));
        let (message, verifier) =
            first.receive(challenge.as_bytes()).unwrap_or_else(|e| panic!("{e}")).respond("pencil");
        assert_eq!(message, response);
        assert!(verifier.accepts(last.as_bytes()), "{hash:?}");
        assert!(
            !verifier.accepts(last.replace("v=", "v=A").as_bytes())
                && !verifier.accepts(b"v=")
                && !verifier.accepts(b"")
        );
    }
}

/// RFC 5802 5.1
#[test]
fn a_nonce_without_the_servers_part_is_refused() {
    for nonce in ["ours", "our", "other", ""] {
        let challenge = format!("r={nonce},s=QSXCR+Q6sek8bf92,i=4096");
        let received = begun(Hash::Sha256, "ours").receive(challenge.as_bytes());
        assert!(matches!(received, Err(SaslError::Impostor(_))), "{nonce}");
    }
    assert!(begun(Hash::Sha256, "ours").receive(b"r=ours1,s=QSXCR+Q6sek8bf92,i=4096").is_ok());
}

#[test]
fn the_binding_is_part_of_both_messages() {
    let data = vec![1, 2, 3];
    for (binding, header, encoded) in [
        (Binding::TlsExporter(data), "p=tls-exporter,,", BASE64.encode(b"p=tls-exporter,,\x01\x02\x03")),
        (Binding::ServerCannot, "y,,", "eSws".to_owned()),
        (Binding::Unused, "n,,", "biws".to_owned()),
    ] {
        let first = ClientFirst::with_nonce(Hash::Sha256, binding, "a,b=c", "x".to_owned());
        assert_eq!(first.message(), format!("{header}n=a=2Cb=3Dc,r=x"));
        let (message, _) = first.receive(b"r=xy,s=AA==,i=1").unwrap_or_else(|e| panic!("{e}")).respond("p");
        assert!(message.starts_with(&format!("c={encoded},r=xy,p=")), "{message}");
    }
}

#[test]
fn nonces_differ() {
    let nonce = || ClientFirst::new(Hash::Sha256, Binding::Unused, "u").nonce;
    assert_ne!(nonce(), nonce());
    assert_eq!(nonce().len(), 24);
}

/// RFC 5802 3, computed by another implementation.
fn oracle<H: ScramProvider>(password: &str, salt: &[u8], iterations: u32, signed: &str) -> (Vec<u8>, Vec<u8>) {
    let salted = H::derive(&Password::Plain(password.to_owned()), salt, iterations).unwrap();
    let client_key = H::hmac(b"Client Key", &salted).unwrap();
    let signature = H::hmac(signed.as_bytes(), &H::hash(&client_key)).unwrap();
    let proof = client_key.iter().zip(signature).map(|(key, signature)| key ^ signature).collect();
    (proof, H::hmac(signed.as_bytes(), &H::hmac(b"Server Key", &salted).unwrap()).unwrap())
}

proptest! {
    #[test]
    fn proof_and_signature_equal_those_of_another_implementation(
        sha256: bool,
        username in "[^\0]{1,20}",
        password in "[^\0]{1,80}",
        salt in proptest::collection::vec(any::<u8>(), 1..40),
        iterations in 1_u32..40,
        other in "[!-+.-~]{1,20}",
    ) {
        let hash = if sha256 { Hash::Sha256 } else { Hash::Sha1 };
        let first = ClientFirst::new(hash, Binding::Unused, &username);
        let (nonce, bare) = (first.nonce.clone(), first.bare.clone());
        let challenge = format!("r={nonce}{other},s={},i={iterations}", BASE64.encode(&salt));
        let (message, verifier) = first.receive(challenge.as_bytes()).unwrap_or_else(|e| panic!("{e}")).respond(&password);
        let (reply, proof) = message.split_once(",p=").unwrap();
        let signed = format!("{bare},{challenge},{reply}");
        let expected = if sha256 {
            oracle::<Sha256>(&password, &salt, iterations, &signed)
        } else {
            oracle::<Sha1>(&password, &salt, iterations, &signed)
        };
        prop_assert_eq!(BASE64.decode(proof).unwrap(), expected.0);
        let last = format!("v={}", BASE64.encode(expected.1));
        prop_assert!(verifier.accepts(last.as_bytes()));
    }

    #[test]
    fn any_message_is_answered_or_refused(message in proptest::collection::vec(any::<u8>(), 0..100), nonce: bool) {
        let message = if nonce { [b"r=xy,s=AA==,i=1,".as_slice(), &message].concat() } else { message };
        if let Ok(server_first) = begun(Hash::Sha1, "x").receive(&message) {
            prop_assert!(nonce || message.starts_with(b"r=x"));
            let (_, verifier) = server_first.respond("p");
            prop_assert!(!verifier.accepts(&message));
        }
    }
}
