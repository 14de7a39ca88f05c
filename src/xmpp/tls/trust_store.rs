//! What is trusted, read from `tls_ca` or the system's store: once for all connections that trust the same, again when the
//! files have changed, and never on the thread that serves the streams.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, Shared};
use rustls::RootCertStore;
use rustls::crypto::CryptoProvider;
use tokio::sync::oneshot;

use super::TlsSetupError;
use super::trust_file::TrustFile;
use super::verifier::{Given, Trust, Verifier};

/// A longer file is not a list of certificates, bytes. The system's are about 250 KB.
const MAX_FILE: u64 = 8 << 20;

/// How often a store that changes while it is read is read again.
const MAX_READINGS: usize = 3;

/// The trust stores in use. Clones share them; a store lives as long as a connection that uses it.
#[derive(Clone)]
pub struct TrustStores {
    slots: Arc<Mutex<BTreeMap<Option<PathBuf>, Slot>>>,
    provider: Arc<CryptoProvider>,
}

type Outcome = Result<Arc<Verifier>, TlsSetupError>;

/// The store of one `tls_ca`, or of the system.
#[derive(Default)]
struct Slot {
    /// The last one that was read, with the state of its files.
    known: Option<(u64, Weak<Verifier>)>,
    /// The look at the files that is under way; all that ask meanwhile wait for this one.
    looking: Option<Shared<BoxFuture<'static, Outcome>>>,
}

impl Default for TrustStores {
    fn default() -> Self {
        Self { slots: Arc::default(), provider: Arc::new(rustls::crypto::ring::default_provider()) }
    }
}

impl TrustStores {
    /// The cryptography of all connections.
    pub(super) fn provider(&self) -> Arc<CryptoProvider> {
        Arc::clone(&self.provider)
    }

    /// The verifier for the certificates of `ca`, or of the system's store: the same one for as long as the files do not
    /// change. They are looked at on a thread of its own, not one of the runtime's few, which key derivations may hold.
    ///
    /// # Errors
    /// [`TlsSetupError`] if there is nothing to trust.
    pub async fn get(&self, ca: Option<&Path>) -> Outcome {
        let looking = {
            let mut slots = self.lock();
            slots.retain(|_, slot| slot.is_used());
            let slot = slots.entry(ca.map(Path::to_owned)).or_default();
            match &slot.looking {
                Some(looking) if looking.peek().is_none() => looking.clone(),
                _ => slot.looking.insert(self.look(ca, slot.known.clone())?).clone(),
            }
        };
        looking.await
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Option<PathBuf>, Slot>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts a look at the files.
    fn look(
        &self,
        ca: Option<&Path>,
        known: Option<(u64, Weak<Verifier>)>,
    ) -> Result<Shared<BoxFuture<'static, Outcome>>, TlsSetupError> {
        let (stores, ca) = (self.clone(), ca.map(Path::to_owned));
        let (done, outcome) = oneshot::channel();
        let look = move || {
            let paths = Paths::of(ca.as_deref());
            let (state, read) = paths.read_if_changed(known, &stores.provider);
            if let Some(slot) = stores.lock().get_mut(&ca) {
                slot.looking = None;
                slot.known = read.as_ref().ok().map(|verifier| (state, Arc::downgrade(verifier)));
            }
            // Nobody may be waiting any more.
            let _ = done.send(read);
        };
        std::thread::Builder::new()
            .name("trust store".to_owned())
            .spawn(look)
            .map_err(|error| TlsSetupError::Thread(error.to_string()))?;
        let lost = |_| Err(TlsSetupError::Thread("reading the trusted certificates has failed".to_owned()));
        Ok(outcome.map(move |outcome| outcome.unwrap_or_else(lost)).boxed().shared())
    }
}

impl Slot {
    fn is_used(&self) -> bool {
        let is_looked_at = self.looking.as_ref().is_some_and(|looking| looking.peek().is_none());
        is_looked_at || self.known.as_ref().is_some_and(|(_, verifier)| verifier.strong_count() > 0)
    }
}

/// Reads a verifier at once, on this thread.
///
/// # Errors
/// [`TlsSetupError`] if there is nothing to trust.
pub(super) fn read(ca: Option<&Path>, provider: &Arc<CryptoProvider>) -> Outcome {
    Paths::of(ca).read(provider)
}

/// The files of a store.
struct Paths {
    ca: Option<PathBuf>,
    /// Files, and directories of files.
    paths: Vec<PathBuf>,
}

impl Paths {
    /// `tls_ca`, or the system's: those of `SSL_CERT_FILE` and `SSL_CERT_DIR`, or those that are there of the common ones.
    fn of(ca: Option<&Path>) -> Self {
        let paths = ca.map_or_else(system_paths, |path| vec![path.to_owned()]);
        Self { ca: ca.map(Path::to_owned), paths }
    }

    /// As it stands in messages.
    fn name(&self) -> String {
        match &self.ca {
            Some(path) => format!("tls_ca {}", path.display()),
            None => "the system's store".to_owned(),
        }
    }

    /// The state of the files, and the verifier: the known one if they are in the state that it was read in.
    fn read_if_changed(&self, known: Option<(u64, Weak<Verifier>)>, provider: &Arc<CryptoProvider>) -> (u64, Outcome) {
        let mut state = self.state();
        if let Some((before, verifier)) = known
            && before == state
            && let Some(verifier) = verifier.upgrade()
        {
            return (state, Ok(verifier));
        }
        let mut read = self.read(provider);
        for _ in 1..MAX_READINGS {
            let after = self.state();
            if after == state {
                break;
            }
            (state, read) = (after, self.read(provider));
        }
        (state, read)
    }

    /// A number that differs when a file was written, replaced, added or removed.
    fn state(&self) -> u64 {
        let mut state = DefaultHasher::new();
        for path in &self.paths {
            for path in std::iter::once(path.clone()).chain(entries(path).unwrap_or_default()) {
                let metadata = std::fs::metadata(&path).ok().map(|data| {
                    (
                        data.dev(),
                        data.ino(),
                        data.size(),
                        (data.mtime(), data.mtime_nsec()),
                        (data.ctime(), data.ctime_nsec()),
                    )
                });
                (path, metadata).hash(&mut state);
            }
        }
        state.finish()
    }

    fn read(&self, provider: &Arc<CryptoProvider>) -> Outcome {
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
        // One certificate in a bundle, in a file of its own and behind a link is one.
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
        let trust = Trust::Given(Given { roots, pinned, source: self.name() });
        Ok(Arc::new(Verifier { trust, provider: Arc::clone(provider) }))
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

/// The entries of a directory, sorted; an error for anything else.
fn entries(path: &Path) -> io::Result<Vec<PathBuf>> {
    let entries: io::Result<Vec<_>> = std::fs::read_dir(path)?.map(|entry| Ok(entry?.path())).collect();
    let mut entries = entries?;
    entries.sort_unstable();
    Ok(entries)
}

/// What `path` holds: a file, or the regular files of a directory that have something to do with certificates.
pub(super) fn read_path(path: &Path) -> Result<Vec<(PathBuf, TrustFile)>, String> {
    let metadata = std::fs::metadata(path).map_err(|error| error.to_string())?;
    if !metadata.is_dir() {
        return Ok(vec![(path.to_owned(), read_file(path, &metadata)?)]);
    }
    let mut files = Vec::new();
    let mut seen = std::collections::BTreeSet::new();
    for entry in entries(path).map_err(|error| error.to_string())? {
        let Ok(metadata) = std::fs::metadata(&entry) else { continue };
        if !metadata.is_file() || !seen.insert((metadata.dev(), metadata.ino())) {
            continue;
        }
        match read_file(&entry, &metadata) {
            // Other files lie there, too.
            Ok(file) if file.certificates.is_empty() => {}
            Ok(file) => files.push((entry, file)),
            Err(error) => tracing::warn!("{}: {error}; skipped", entry.display()),
        }
    }
    Ok(files)
}

fn read_file(path: &Path, metadata: &std::fs::Metadata) -> Result<TrustFile, String> {
    if !metadata.is_file() {
        return Err("it is not a regular file".to_owned());
    }
    let mut bytes = Vec::new();
    let read = std::fs::File::open(path).and_then(|file| file.take(MAX_FILE + 1).read_to_end(&mut bytes));
    read.map_err(|error| error.to_string())?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(format!("it is longer than {MAX_FILE} bytes"));
    }
    Ok(TrustFile::parse(&bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The certificates of `tls_ca` are pinned, those of the system's store are not.
    #[test]
    fn only_tls_ca_pins() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ca.pem");
        let key = rcgen::KeyPair::generate().unwrap();
        let params = rcgen::CertificateParams::new(["a.test".to_owned()]).unwrap();
        std::fs::write(&path, params.self_signed(&key).unwrap().pem()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        for (ca, pinned) in [(Some(path.clone()), 1), (None, 0)] {
            let verifier = Paths { ca, paths: vec![path.clone()] }.read(&provider).unwrap();
            let Trust::Given(given) = &verifier.trust else { panic!("nothing is verified") };
            assert_eq!((given.roots.len(), given.pinned.len()), (1, pinned));
        }
    }
}
