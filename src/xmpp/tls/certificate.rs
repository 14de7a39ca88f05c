//! Describes certificates in messages. The validity is also checked, for pinned certificates.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

use super::der::{self, Reader, tag};
use crate::calendar::date;
use crate::text::presentable;

/// Maximum number of names that a message lists; further ones are counted.
const MAX_NAMES: usize = 5;

/// The fields of a certificate (RFC 5280 4.1) that messages show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Certificate {
    /// The X.509 version, 1 to 3.
    pub(super) version: u8,
    /// The distinguished name of the issuer, as `CN=..., O=...`.
    pub(super) issuer: String,
    /// The distinguished name of the subject.
    pub(super) subject: String,
    /// First second of the validity, since 1970.
    pub(super) not_before: i64,
    /// Last second of the validity, since 1970.
    pub(super) not_after: i64,
    /// The public key.
    pub(super) key: Key,
    /// The algorithm of the issuer's signature.
    pub(super) signature: String,
    /// DNS names and IP addresses of the subjectAltName.
    pub(super) names: Vec<String>,
    /// Whether issuer and subject are the same.
    pub(super) self_issued: bool,
}

impl Certificate {
    /// Parses a certificate in DER. Returns `None` if it is malformed.
    pub(super) fn read(der: &[u8]) -> Option<Self> {
        let mut tbs = Reader::new(der).enter(tag::SEQUENCE)?.enter(tag::SEQUENCE)?;
        let version = match tbs.enter(0xa0) {
            Some(mut version) => version.expect(tag::INTEGER)?.last()?.checked_add(1)?,
            None => 1,
        };
        tbs.expect(tag::INTEGER)?;
        let signature = algorithm(tbs.enter(tag::SEQUENCE)?.expect(tag::OID)?);
        let issuer = tbs.expect(tag::SEQUENCE)?;
        let mut validity = tbs.enter(tag::SEQUENCE)?;
        let mut time = || validity.next().and_then(|(tag, contents)| der::time(tag, contents));
        let (not_before, not_after) = (time()?, time()?);
        let subject = tbs.expect(tag::SEQUENCE)?;
        let key = Key::read(tbs.expect(tag::SEQUENCE)?)?;
        Some(Self {
            version,
            issuer: distinguished_name(issuer),
            subject: distinguished_name(subject),
            not_before,
            not_after,
            key,
            signature,
            names: names(tbs).unwrap_or_default(),
            self_issued: issuer == subject,
        })
    }
}

/// `names a.test, b.test, valid 2026-01-01 to 2027-01-01, key RSA 2048 bits, issuer 'CN=ca'`
impl fmt::Display for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.names.is_empty() {
            write!(f, "no names (its subject '{}' does not count)", self.subject)?;
        } else {
            let shown: Vec<_> = self.names.iter().take(MAX_NAMES).map(|name| presentable(name)).collect();
            write!(f, "names {}", shown.join(", "))?;
            if self.names.len() > MAX_NAMES {
                write!(f, " and {} more", self.names.len() - MAX_NAMES)?;
            }
        }
        let (from, to) = (date(self.not_before), date(self.not_after));
        write!(f, ", valid {from} to {to}, key {}, issuer '{}'", self.key, self.issuer)
    }
}

/// The type of a public key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Key {
    /// RSA, with the length of the modulus in bits.
    Rsa(usize),
    /// The name of another type.
    Other(String),
}

impl Key {
    /// Parses the contents of a `SubjectPublicKeyInfo`.
    pub(super) fn read(info: &[u8]) -> Option<Self> {
        let mut info = Reader::new(info);
        let algorithm = info.enter(tag::SEQUENCE)?;
        let kind = key_type(algorithm)?;
        if kind != "RSA" {
            return Some(Self::Other(kind));
        }
        let bits = info.expect(tag::BIT_STRING)?.get(1..)?;
        let modulus = Reader::new(bits).enter(tag::SEQUENCE)?.expect(tag::INTEGER)?;
        let zeros = modulus.iter().take_while(|&&byte| byte == 0).count();
        let top = modulus.get(zeros).map_or(0, |byte| byte.leading_zeros() as usize);
        Some(Self::Rsa((modulus.len() - zeros) * 8 - top))
    }

    /// Whether this is an RSA key of a size that ring does not support.
    pub(super) fn is_out_of_range(&self) -> bool {
        matches!(self, Self::Rsa(bits) if !(2048..=8192).contains(bits))
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rsa(bits) => write!(f, "RSA {bits} bits"),
            Self::Other(name) => f.write_str(name),
        }
    }
}

/// Returns the name of a key's type, from the fields of its `AlgorithmIdentifier`; dotted for rare ones.
pub(super) fn key_type(mut algorithm: Reader<'_>) -> Option<String> {
    let kind = der::dotted(algorithm.expect(tag::OID)?)?;
    let curve = || match algorithm.clone().expect(tag::OID).and_then(der::dotted).as_deref() {
        Some("1.2.840.10045.3.1.7") => "P-256".to_owned(),
        Some("1.3.132.0.34") => "P-384".to_owned(),
        Some("1.3.132.0.35") => "P-521".to_owned(),
        other => other.unwrap_or("without a named curve").to_owned(),
    };
    Some(match kind.as_str() {
        "1.2.840.113549.1.1.1" => "RSA".to_owned(),
        "1.2.840.10045.2.1" => format!("ECDSA {}", curve()),
        "1.3.101.112" => "Ed25519".to_owned(),
        "1.3.101.113" => "Ed448".to_owned(),
        "1.2.840.10040.4.1" => "DSA".to_owned(),
        other => format!("of type {other}"),
    })
}

/// Returns the name of a signature algorithm; dotted for rare ones.
pub(super) fn algorithm(oid: &[u8]) -> String {
    let dotted = der::dotted(oid).unwrap_or_else(|| "unknown".to_owned());
    match dotted.as_str() {
        "1.2.840.113549.1.1.4" => "RSA MD5",
        "1.2.840.113549.1.1.5" => "RSA SHA-1",
        "1.2.840.113549.1.1.10" => "RSA-PSS",
        "1.2.840.113549.1.1.11" => "RSA SHA-256",
        "1.2.840.113549.1.1.12" => "RSA SHA-384",
        "1.2.840.113549.1.1.13" => "RSA SHA-512",
        "1.2.840.10045.4.1" => "ECDSA SHA-1",
        "1.2.840.10045.4.3.2" => "ECDSA SHA-256",
        "1.2.840.10045.4.3.3" => "ECDSA SHA-384",
        "1.2.840.10045.4.3.4" => "ECDSA SHA-512",
        "1.3.101.112" => "Ed25519",
        "1.3.101.113" => "Ed448",
        _ => return dotted,
    }
    .to_owned()
}

/// Formats the contents of a `Name` as `CN=..., O=...`, on one line.
pub(super) fn distinguished_name(name: &[u8]) -> String {
    let mut parts = Vec::new();
    let mut sets = Reader::new(name);
    while let Some(mut set) = sets.enter(tag::SET) {
        while let Some(mut attribute) = set.enter(tag::SEQUENCE) {
            let kind = attribute.expect(tag::OID).and_then(der::dotted);
            let value = attribute.next().and_then(|(tag, contents)| der::text(tag, contents));
            let (Some(kind), Some(value)) = (kind, value) else { continue };
            let kind = match kind.as_str() {
                "2.5.4.3" => "CN",
                "2.5.4.6" => "C",
                "2.5.4.7" => "L",
                "2.5.4.8" => "ST",
                "2.5.4.10" => "O",
                "2.5.4.11" => "OU",
                other => other,
            };
            parts.push(format!("{kind}={value}"));
        }
    }
    presentable(&parts.join(", "))
}

/// Returns the names of the subjectAltName (RFC 5280 4.2.1.6), from what follows the public key.
fn names(mut tbs: Reader<'_>) -> Option<Vec<String>> {
    let mut extensions = loop {
        let (tag, contents) = tbs.next()?;
        if tag == 0xa3 {
            break Reader::new(contents).enter(tag::SEQUENCE)?;
        }
    };
    while let Some(mut extension) = extensions.enter(tag::SEQUENCE) {
        if extension.expect(tag::OID)? != [0x55, 0x1d, 0x11] {
            continue;
        }
        let value = loop {
            let (tag, contents) = extension.next()?;
            if tag == tag::OCTET_STRING {
                break contents;
            }
        };
        let mut all = Reader::new(value).enter(tag::SEQUENCE)?;
        return Some(std::iter::from_fn(|| all.next()).filter_map(|(tag, name)| general_name(tag, name)).collect());
    }
    None
}

fn general_name(tag: u8, name: &[u8]) -> Option<String> {
    match (tag, name.len()) {
        (0x82, _) => Some(String::from_utf8_lossy(name).into_owned()),
        (0x87, 4) => Some(Ipv4Addr::from(<[u8; 4]>::try_from(name).ok()?).to_string()),
        (0x87, 16) => Some(Ipv6Addr::from(<[u8; 16]>::try_from(name).ok()?).to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rcgen::{CertificateParams, DnType, KeyPair, date_time_ymd};

    use super::*;

    fn certificate(names: &[&str]) -> Vec<u8> {
        let mut params = CertificateParams::new(names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>()).unwrap();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, "a\nb");
        params.distinguished_name.push(DnType::OrganizationName, "Lab");
        (params.not_before, params.not_after) = (date_time_ymd(2026, 1, 2), date_time_ymd(2300, 3, 4));
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec()
    }

    #[test]
    fn a_certificate_is_described_on_one_line() {
        let read = Certificate::read(&certificate(&["a.test", "192.0.2.1", "2001:db8::1"])).unwrap();
        assert_eq!(
            read.to_string(),
            "names a.test, 192.0.2.1, 2001:db8::1, valid 2026-01-02 to 2300-03-04, key ECDSA P-256, \
             issuer 'CN=a\\nb, O=Lab'"
        );
        assert_eq!((read.version, read.signature.as_str(), read.self_issued), (3, "ECDSA SHA-256", true));
    }

    #[test]
    fn names_beyond_the_maximum_are_counted() {
        let names: Vec<String> = (0..7).map(|number| format!("{number}.test")).collect();
        let text =
            Certificate::read(&certificate(&names.iter().map(String::as_str).collect::<Vec<_>>())).unwrap().to_string();
        assert!(text.starts_with("names 0.test, 1.test, 2.test, 3.test, 4.test and 2 more, valid"), "{text}");
        let text = Certificate::read(&certificate(&[])).unwrap().to_string();
        assert!(text.starts_with("no names (its subject 'CN=a\\nb, O=Lab' does not count), valid"), "{text}");
    }

    proptest! {
        #[test]
        fn no_bytes_cause_a_panic(bytes: Vec<u8>) {
            Certificate::read(&bytes);
            Key::read(&bytes);
            distinguished_name(&bytes);
            names(Reader::new(&bytes));
        }

        /// The description of a certificate with a changed byte, or cut, is one line.
        #[test]
        fn a_damaged_certificate_is_described_on_one_line(at: prop::sample::Index, byte: u8, end: prop::sample::Index) {
            let mut der = certificate(&["a.test"]);
            let at = at.index(der.len());
            der[at] = byte;
            for der in [&der[..], &der[..end.index(der.len())]] {
                if let Some(certificate) = Certificate::read(der) {
                    prop_assert!(!certificate.to_string().contains(char::is_control));
                }
            }
        }
    }
}
