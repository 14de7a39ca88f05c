//! A certificate authority for one test.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    date_time_ymd,
};
use tempfile::TempDir;

/// When a certificate is valid.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Validity {
    /// From 2000 to 2300.
    #[default]
    Now,
    /// Until the end of 2001.
    Expired,
    /// From 2200.
    NotYet,
    /// From twelve hours ago until twelve hours from now.
    Today,
}

/// The files of a certificate and its key.
#[derive(Debug, Clone)]
pub struct ServerCert {
    /// PEM
    pub certificate: PathBuf,
    /// PEM
    pub key: PathBuf,
}

/// A CA. Its files are deleted when it is dropped.
pub struct Ca {
    directory: TempDir,
    issuer: Issuer<'static, KeyPair>,
}

impl Ca {
    /// Creates a CA.
    pub fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "xmppd test CA");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        std::fs::write(directory.path().join("ca.pem"), certificate.pem()).unwrap();
        Self { directory, issuer: Issuer::new(params, key) }
    }

    /// The CA's certificate as a PEM file.
    pub fn pem(&self) -> PathBuf {
        self.directory.path().join("ca.pem")
    }

    /// Issues a certificate for these names (or IP addresses). The files are written into `directory` and named after the
    /// first name.
    pub fn server_cert(&self, directory: &Path, names: &[&str], validity: Validity) -> ServerCert {
        let names: Vec<String> = names.iter().map(|name| ascii(name)).collect();
        let stem = names[0].clone();
        let mut params = CertificateParams::new(names).unwrap();
        params.distinguished_name.push(DnType::CommonName, stem.as_str());
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        (params.not_before, params.not_after) = match validity {
            Validity::Now => (date_time_ymd(2000, 1, 1), date_time_ymd(2300, 1, 1)),
            Validity::Expired => (date_time_ymd(2000, 1, 1), date_time_ymd(2001, 12, 31)),
            Validity::NotYet => (date_time_ymd(2200, 1, 1), date_time_ymd(2300, 1, 1)),
            Validity::Today => {
                let half_a_day = Duration::from_secs(12 * 60 * 60);
                let now = date_time_ymd(1970, 1, 1) + SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
                (now - half_a_day, now + half_a_day)
            }
        };
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let files = ServerCert {
            certificate: directory.join(format!("{stem}.crt")),
            key: directory.join(format!("{stem}.key")),
        };
        std::fs::write(&files.certificate, certificate.pem()).unwrap();
        std::fs::write(&files.key, key.serialize_pem()).unwrap();
        files
    }
}

/// Converts a domain to A-labels, the form used in certificates and DNS.
pub fn ascii(domain: &str) -> String {
    idna::domain_to_ascii(domain).expect("a domain")
}
