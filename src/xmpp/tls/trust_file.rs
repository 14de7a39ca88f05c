//! Parses files of trusted certificates, in PEM or DER.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::{CertificateDer, TrustAnchor};

use super::der::{Reader, dotted, tag};
use crate::text::presentable;

/// A trusted certificate, and the trust anchor that is made of it.
#[derive(Debug, Clone)]
pub(super) struct Trusted {
    pub(super) der: CertificateDer<'static>,
    pub(super) anchor: TrustAnchor<'static>,
}

/// The contents of a file.
#[derive(Debug, Default)]
pub(super) struct TrustFile {
    /// The certificates, in the order of the file.
    pub(super) certificates: Vec<Trusted>,
    /// The blocks that are not used.
    pub(super) skipped: Vec<Skipped>,
}

/// A block of the file that is not used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Skipped {
    /// The line where it begins, from 1; none in a DER file.
    line: Option<usize>,
    /// What it is, and why it is not used.
    what: String,
    /// Private keys and parameters often accompany a certificate: they cause no warning.
    pub(super) is_usual: bool,
}

impl fmt::Display for Skipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "line {line}: {}", self.what),
            None => f.write_str(&self.what),
        }
    }
}

impl TrustFile {
    /// Returns why the file is unusable, or `None` if it holds a certificate.
    pub(super) fn unusable(&self) -> Option<String> {
        let first = self.skipped.first().map(|skipped| format!(": {skipped}")).unwrap_or_default();
        self.certificates.is_empty().then(|| format!("it holds no certificate{first}"))
    }

    /// Parses the contents of a file. A text without a PEM block yields neither certificates nor skipped blocks.
    pub(super) fn parse(bytes: &[u8]) -> Self {
        let mut file = Self::default();
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        match bytes {
            [] => file.skip(None, "it is empty"),
            [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => file.skip(None, "it is UTF-16 text; expected ASCII or UTF-8"),
            // A SEQUENCE with a length of more than one byte: this cannot be text.
            [0x30, 0x80..=0xff, ..] => file.der(bytes),
            _ => file.pem(bytes),
        }
        file
    }

    fn skip(&mut self, line: Option<usize>, what: impl Into<String>) {
        self.skipped.push(Skipped { line, what: what.into(), is_usual: false });
    }

    fn der(&mut self, bytes: &[u8]) {
        let mut rest = Reader::new(bytes);
        while !rest.rest().is_empty() {
            let before = rest.rest();
            let Some((_, contents)) = rest.next() else {
                return self.skip(None, "it is DER that is cut off, or followed by something else");
            };
            let der = before.get(..before.len() - rest.rest().len()).unwrap_or_default();
            if !self.add(der) {
                return self.skip(None, format!("it is DER, but {}; expected certificates", kind_of(contents)));
            }
        }
    }

    /// Adds a certificate. Returns false if it is not one.
    fn add(&mut self, der: &[u8]) -> bool {
        let der = CertificateDer::from(der.to_vec());
        let anchor = webpki::anchor_from_trusted_cert(&der).map(|anchor| anchor.to_owned());
        anchor.is_ok_and(|anchor| {
            self.certificates.push(Trusted { der: der.clone(), anchor });
            true
        })
    }

    fn pem(&mut self, bytes: &[u8]) {
        let separator = if bytes.contains(&b'\n') { b'\n' } else { b'\r' };
        let mut open: Option<Block> = None;
        for (line, number) in bytes.split(|&byte| byte == separator).map(<[u8]>::trim_ascii).zip(1..) {
            if let Some(label) = line.strip_prefix(b"-----BEGIN ") {
                if let Some(block) = open.take() {
                    self.skip(Some(block.line), format!("the {} has no END line", block.label));
                }
                match label.strip_suffix(b"-----") {
                    Some(label) => {
                        let label = presentable(&String::from_utf8_lossy(label));
                        open = Some(Block { label, line: number, base64: Vec::new() });
                    }
                    None => self.skip(Some(number), "the BEGIN line is damaged"),
                }
            } else if line.starts_with(b"-----END ") {
                if let Some(block) = open.take() {
                    self.block(&block);
                }
            } else if let Some(block) = &mut open {
                block.base64.extend(line.iter().filter(|byte| !byte.is_ascii_whitespace()));
            }
        }
        if let Some(block) = open {
            let what = format!("the {} has no END line: the file is cut off there", block.label);
            self.skip(Some(block.line), what);
        }
    }

    fn block(&mut self, Block { label, line, base64 }: &Block) {
        let is_certificate = matches!(label.as_str(), "CERTIFICATE" | "X509 CERTIFICATE" | "TRUSTED CERTIFICATE");
        if !is_certificate {
            let is_usual = label.ends_with(" KEY") || label.ends_with(" PARAMETERS");
            let what = format!("{label} is not a certificate");
            return self.skipped.push(Skipped {
                line: Some(*line),
                what,
                is_usual: is_usual || label.ends_with("KEY"),
            });
        }
        let Ok(der) = STANDARD.decode(base64) else {
            return self.skip(Some(*line), format!("the {label} is not base64"));
        };
        let mut der = der.as_slice();
        if label == "TRUSTED CERTIFICATE" {
            let mut reader = Reader::new(der);
            reader.next();
            let settings = reader.rest();
            der = &der[..der.len() - settings.len()];
            if excludes_servers(settings) {
                return self
                    .skip(Some(*line), format!("the {label} is not used: its trust settings exclude TLS servers"));
            }
        }
        if !self.add(der) {
            self.skip(Some(*line), format!("the {label} is not an X.509 certificate"));
        }
    }
}

/// A block of a PEM file.
struct Block {
    label: String,
    line: usize,
    base64: Vec<u8>,
}

/// Whether OpenSSL's trust settings (`X509_CERT_AUX`: trusted purposes, and in `[0]` rejected ones) exclude TLS
/// servers.
fn excludes_servers(settings: &[u8]) -> bool {
    let Some(mut settings) = Reader::new(settings).enter(tag::SEQUENCE) else { return false };
    let holds_servers = |mut purposes: Reader<'_>| {
        let mut all = std::iter::from_fn(|| purposes.expect(tag::OID)).filter_map(dotted);
        all.any(|purpose| purpose == "1.3.6.1.5.5.7.3.1" || purpose == "2.5.29.37.0")
    };
    let trusted = settings.enter(tag::SEQUENCE).is_none_or(holds_servers);
    let rejected = settings.enter(0xa0).is_some_and(holds_servers);
    rejected || !trusted
}

/// Guesses by its first field what a DER file without a certificate is.
fn kind_of(contents: &[u8]) -> &'static str {
    match Reader::new(contents).next() {
        Some((tag::OID, oid)) if dotted(oid).is_some_and(|oid| oid.starts_with("1.2.840.113549.1.7.")) => {
            "a PKCS #7 file (openssl pkcs7 -inform DER -print_certs makes PEM of it)"
        }
        Some((tag::INTEGER, [3])) => "a PKCS #12 file (openssl pkcs12 -nokeys makes PEM of it)",
        Some((tag::INTEGER, _)) => "a private key",
        _ => "not an X.509 certificate",
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rcgen::{CertificateParams, KeyPair};

    use super::*;

    fn certificate() -> rcgen::Certificate {
        CertificateParams::new(["a.test".to_owned()]).unwrap().self_signed(&KeyPair::generate().unwrap()).unwrap()
    }

    fn parsed(bytes: impl AsRef<[u8]>) -> (usize, Vec<String>) {
        let file = TrustFile::parse(bytes.as_ref());
        (file.certificates.len(), file.skipped.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn pem_is_parsed_in_all_its_forms() {
        let pem = certificate().pem().replace("\r\n", "\n");
        let none: Vec<String> = Vec::new();
        for text in [
            pem.clone(),
            pem.replace('\n', "\r\n"),
            pem.replace('\n', "\r"),
            pem.replace('\n', " \n  "),
            format!("\u{feff}{pem}"),
        ] {
            assert_eq!(parsed(&text), (1, none.clone()), "{text:?}");
        }
        assert_eq!(parsed(format!("{pem}text\n{pem}")), (2, none.clone()));
        let twice_begun = format!("-----BEGIN CERTIFICATE-----\nAAAA\n{pem}");
        assert_eq!(parsed(twice_begun), (1, vec!["line 1: the CERTIFICATE has no END line".to_owned()]));
        let damaged = pem.replace("CERTIFICATE-----", "CERTIFICATE---");
        assert_eq!(parsed(format!("\n{damaged}{pem}")), (1, vec!["line 2: the BEGIN line is damaged".to_owned()]));
        assert_eq!(parsed("-----END CERTIFICATE-----\n0 text\n"), (0, none));
    }

    #[test]
    fn der_is_parsed_in_all_its_forms() {
        let der = certificate().der().to_vec();
        assert_eq!(parsed(&der), (1, vec![]));
        assert_eq!(parsed([&der[..], &der].concat()), (2, vec![]));
        assert_eq!(parsed(&der[..der.len() - 1]).0, 0);
        assert_eq!(parsed([&der[..], b"x"].concat()).0, 1);
        let (none, skipped) = parsed([0x30, 0x81, 3, 2, 1, 3]);
        assert!(none == 0 && skipped[0].contains("PKCS #12"), "{skipped:?}");
    }

    #[test]
    fn private_keys_are_usual() {
        let key = KeyPair::generate().unwrap().serialize_pem();
        let file = TrustFile::parse((key + &certificate().pem()).as_bytes());
        assert!(file.certificates.len() == 1 && file.skipped.iter().all(|skipped| skipped.is_usual));
    }

    proptest! {
        #[test]
        fn no_bytes_cause_a_panic(bytes: Vec<u8>) {
            TrustFile::parse(&bytes);
            TrustFile::parse(&[&[0x30, 0x82][..], &bytes].concat());
            excludes_servers(&bytes);
        }

        #[test]
        fn a_damaged_line_affects_one_certificate(at: prop::sample::Index, with in "[ -~]{0,70}") {
            let pem = certificate().pem();
            let mut lines: Vec<&str> = pem.lines().collect();
            let at = at.index(lines.len());
            lines[at] = &with;
            let file = format!("{pem}\n{}\n{pem}", lines.join("\n"));
            prop_assert!(TrustFile::parse(file.as_bytes()).certificates.len() >= 2);
        }
    }
}
