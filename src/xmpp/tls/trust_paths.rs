//! The files of trusted certificates: where they are, whether they have changed, and reading them.

use std::collections::BTreeSet;
use std::fs::{self, File, Metadata};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::crypto::CryptoProvider;

use super::setup_error::TlsSetupError;
use super::trust_file::TrustFile;
use super::verifier::{CertificateVerifier, Trust, TrustedCertificates};

/// Maximum size of a file, bytes. The system's bundle has about 250 KB.
const MAX_FILE: u64 = 8 << 20;

/// Where the trusted certificates of a connection are.
pub(super) struct TrustPaths {
    ca: Option<PathBuf>,
    /// Files, and directories of files.
    paths: Vec<PathBuf>,
}

impl TrustPaths {
    /// The paths for a `tls_ca`. Without one, those of the system: `SSL_CERT_FILE` and `SSL_CERT_DIR`, or else the
    /// usual ones that exist.
    pub(super) fn of(ca: Option<&Path>) -> Self {
        let paths = ca.map_or_else(system_paths, |path| vec![path.to_owned()]);
        Self { ca: ca.map(Path::to_owned), paths }
    }

    /// The source as messages name it.
    fn name(&self) -> String {
        match &self.ca {
            Some(path) => format!("tls_ca {}", path.display()),
            None => "the system's store".to_owned(),
        }
    }

    /// Returns a hash of the files' metadata. It changes when a file is written, replaced, added or removed.
    pub(super) fn fingerprint(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        for path in &self.paths {
            for path in std::iter::once(path.clone()).chain(entries(path).unwrap_or_default()) {
                let metadata = fs::metadata(&path).ok().map(|data| {
                    (
                        data.dev(),
                        data.ino(),
                        data.size(),
                        (data.mtime(), data.mtime_nsec()),
                        (data.ctime(), data.ctime_nsec()),
                    )
                });
                (path, metadata).hash(&mut hasher);
            }
        }
        hasher.finish()
    }

    /// Reads the certificates. Those of `tls_ca` are pinned as well.
    ///
    /// # Errors
    /// There is no usable certificate.
    pub(super) fn read(&self, provider: &Arc<CryptoProvider>) -> Result<CertificateVerifier, TlsSetupError> {
        let (mut roots, mut pinned, mut unusable) = (RootCertStore::empty(), Vec::new(), Vec::new());
        let mut certificates = Vec::new();
        for path in &self.paths {
            match read_path(path) {
                Ok(files) => {
                    for (file, contents) in files {
                        let place = if file == *path && self.ca.is_some() {
                            String::new()
                        } else {
                            format!("{}: ", file.display())
                        };
                        for skipped in contents.skipped.iter().filter(|skipped| !skipped.is_usual) {
                            if contents.unusable().is_none() {
                                tracing::warn!("{}: {place}{skipped}; skipped", self.name());
                            }
                        }
                        unusable.extend(contents.unusable().map(|why| format!("{place}{why}")));
                        certificates.extend(contents.certificates);
                    }
                }
                Err(error) if self.ca.is_some() => unusable.push(error),
                Err(error) => unusable.push(format!("{}: {error}", path.display())),
            }
        }
        // The system's directories hold the same certificate several times: in the bundle, in its own file, by a link.
        certificates.sort_unstable_by(|a, b| a.der.as_ref().cmp(b.der.as_ref()));
        certificates.dedup_by(|a, b| a.der == b.der);
        for certificate in certificates {
            roots.roots.push(certificate.anchor);
            if self.ca.is_some() {
                pinned.push(certificate.der);
            }
        }
        if roots.is_empty() {
            let why = unusable.into_iter().next().unwrap_or_else(|| "it holds no certificate".to_owned());
            return Err(match &self.ca {
                Some(path) => TlsSetupError::TrustFile { path: path.clone(), why },
                None => TlsSetupError::SystemStore(why),
            });
        }
        tracing::debug!("{}: {} trusted certificates read", self.name(), roots.len());
        roots.roots.shrink_to_fit();
        pinned.shrink_to_fit();
        let trust = Trust::Certificates(TrustedCertificates { roots, pinned, source: self.name() });
        Ok(CertificateVerifier { trust, provider: Arc::clone(provider) })
    }
}

fn system_paths() -> Vec<PathBuf> {
    let file = std::env::var_os("SSL_CERT_FILE").map(PathBuf::from);
    let directories = std::env::var_os("SSL_CERT_DIR").map(|paths| std::env::split_paths(&paths).collect::<Vec<_>>());
    let (file, directories) = if file.is_some() || directories.is_some() {
        (file, directories.unwrap_or_default())
    } else {
        let found = openssl_probe::probe();
        (found.cert_file, found.cert_dir)
    };
    file.into_iter().chain(directories).filter(|path| !path.as_os_str().is_empty()).collect()
}

/// The entries of a directory, sorted.
fn entries(path: &Path) -> io::Result<Vec<PathBuf>> {
    let entries: io::Result<Vec<_>> = fs::read_dir(path)?.map(|entry| Ok(entry?.path())).collect();
    let mut entries = entries?;
    entries.sort_unstable();
    Ok(entries)
}

/// Reads a file, or the files of a directory that hold a certificate.
///
/// # Errors
/// `path` cannot be read. Unreadable files of a directory are skipped with a WARNING.
pub(super) fn read_path(path: &Path) -> Result<Vec<(PathBuf, TrustFile)>, String> {
    let metadata = fs::metadata(path).map_err(|error| error.to_string())?;
    if !metadata.is_dir() {
        return Ok(vec![(path.to_owned(), read_file(path, &metadata)?)]);
    }
    let mut files = Vec::new();
    let mut seen = BTreeSet::new();
    for entry in entries(path).map_err(|error| error.to_string())? {
        let Ok(metadata) = fs::metadata(&entry) else { continue };
        if !metadata.is_file() || !seen.insert((metadata.dev(), metadata.ino())) {
            continue;
        }
        match read_file(&entry, &metadata) {
            // Such directories hold other files as well.
            Ok(file) if file.certificates.is_empty() => {}
            Ok(file) => files.push((entry, file)),
            Err(error) => tracing::warn!("{}: {error}; skipped", entry.display()),
        }
    }
    Ok(files)
}

fn read_file(path: &Path, metadata: &Metadata) -> Result<TrustFile, String> {
    if !metadata.is_file() {
        return Err("it is not a regular file".to_owned());
    }
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(MAX_FILE + 1).read_to_end(&mut bytes));
    read.map_err(|error| error.to_string())?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(format!("it is longer than {MAX_FILE} bytes"));
    }
    Ok(TrustFile::parse(&bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_tls_ca_pins() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ca.pem");
        let key = rcgen::KeyPair::generate().unwrap();
        let params = rcgen::CertificateParams::new(["a.test".to_owned()]).unwrap();
        fs::write(&path, params.self_signed(&key).unwrap().pem()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        for (ca, pinned) in [(Some(path.clone()), 1), (None, 0)] {
            let verifier = TrustPaths { ca, paths: vec![path.clone()] }.read(&provider).unwrap();
            let Trust::Certificates(trusted) = &verifier.trust else { panic!("nothing is verified") };
            assert_eq!((trusted.roots.len(), trusted.pinned.len()), (1, pinned));
        }
    }
}
