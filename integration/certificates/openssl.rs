//! Certificates created by `openssl`, in a directory of their own.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::harness::ServerCert;

/// Runs `openssl`; fails with its output.
pub(super) fn openssl(directory: &Path, arguments: &[&str]) {
    let output = Command::new("openssl").args(arguments).current_dir(directory).stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "openssl {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// A key's parameters, as `openssl req -newkey` takes them.
pub(super) const RSA: &[&str] = &["-newkey", "rsa:2048"];
pub(super) const P256: &[&str] = &["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"];
pub(super) const P384: &[&str] = &["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-384"];
pub(super) const P521: &[&str] = &["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-521"];
pub(super) const ED25519: &[&str] = &["-newkey", "ed25519"];

/// The certificates of one test.
pub(super) struct Workshop {
    directory: TempDir,
}

impl Workshop {
    pub(super) fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap() }
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(super) fn directory(&self) -> &Path {
        self.directory.path()
    }

    pub(super) fn files(&self, stem: &str) -> ServerCert {
        ServerCert { certificate: self.path(&format!("{stem}.crt")), key: self.path(&format!("{stem}.key")) }
    }

    /// Runs `openssl req -x509`. The certificate is self-signed unless `issuer` is the stem of an earlier one.
    pub(super) fn request(
        &self,
        stem: &str,
        name: &str,
        key: &[&str],
        issuer: Option<&str>,
        more: &[&str],
    ) -> ServerCert {
        let (subject, crt, private) = (format!("/CN={name}"), format!("{stem}.crt"), format!("{stem}.key"));
        let mut arguments =
            vec!["req", "-x509", "-nodes", "-days", "365", "-subj", &subject, "-out", &crt, "-keyout", &private];
        arguments.extend(key);
        let (ca, ca_key) = (issuer.map(|stem| format!("{stem}.crt")), issuer.map(|stem| format!("{stem}.key")));
        if let (Some(ca), Some(ca_key)) = (&ca, &ca_key) {
            arguments.extend(["-CA", ca, "-CAkey", ca_key]);
        }
        arguments.extend(more);
        openssl(self.directory(), &arguments);
        self.files(stem)
    }

    /// A self-signed CA.
    pub(super) fn authority(&self, stem: &str, key: &[&str]) -> PathBuf {
        self.request(stem, stem, key, None, &[]).certificate
    }

    /// A server's certificate for the domain `name`, issued by an earlier CA.
    pub(super) fn issued(&self, stem: &str, name: &str, key: &[&str], issuer: &str, more: &[&str]) -> ServerCert {
        let names = format!("subjectAltName=DNS:{name}");
        let more = [&["-addext", &names, "-addext", "basicConstraints=CA:FALSE"], more].concat();
        self.request(stem, name, key, Some(issuer), &more)
    }

    /// A server's self-signed certificate, as `openssl req -x509` makes it: with `CA:TRUE`.
    pub(super) fn own(&self, stem: &str, name: &str, more: &[&str]) -> ServerCert {
        let names = format!("subjectAltName=DNS:{name}");
        self.request(stem, name, RSA, None, &[&["-addext", &names], more].concat())
    }

    /// Concatenates these files.
    pub(super) fn joined(&self, name: &str, parts: &[&Path]) -> PathBuf {
        let all: Vec<u8> = parts.iter().flat_map(|part| std::fs::read(part).unwrap()).collect();
        self.written(name, all)
    }

    pub(super) fn written(&self, name: &str, contents: impl AsRef<[u8]>) -> PathBuf {
        std::fs::write(self.path(name), contents).unwrap();
        self.path(name)
    }
}
