//! The trusted certificates of all connections: shared by those that trust the same, and read again after a change of
//! the files, on a thread of their own.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread;

use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, Shared};
use rustls::crypto::CryptoProvider;
use tokio::sync::oneshot;

use super::setup_error::TlsSetupError;
use super::trust_paths::TrustPaths;
use super::verifier::CertificateVerifier;

/// How often a store that changes while it is read is read in total.
const MAX_READINGS: usize = 3;

type Lookup = Result<Arc<CertificateVerifier>, TlsSetupError>;

/// The trust stores in use. Clones share them. A store lives as long as a connection uses it.
#[derive(Clone)]
pub struct TrustStores {
    stores: Arc<Mutex<BTreeMap<Option<PathBuf>, Store>>>,
    provider: Arc<CryptoProvider>,
}

/// The store of one `tls_ca`, or of the system.
#[derive(Default)]
struct Store {
    last: Option<LastReading>,
    /// The lookup in progress, shared by all that ask meanwhile.
    lookup: Option<Shared<BoxFuture<'static, Lookup>>>,
}

#[derive(Clone)]
struct LastReading {
    /// The fingerprint of the files that were read.
    fingerprint: u64,
    verifier: Weak<CertificateVerifier>,
}

impl Default for TrustStores {
    fn default() -> Self {
        Self { stores: Arc::default(), provider: Arc::new(rustls::crypto::ring::default_provider()) }
    }
}

impl TrustStores {
    /// The cryptography of all connections.
    pub(super) fn provider(&self) -> Arc<CryptoProvider> {
        Arc::clone(&self.provider)
    }

    /// Returns the verifier for the certificates of `ca`, or of the system's store. It is the same one until the files
    /// change.
    ///
    /// The files are looked at on a new thread: key derivations may occupy all threads of the runtime.
    ///
    /// # Errors
    /// There is no usable certificate.
    pub async fn get(&self, ca: Option<&Path>) -> Lookup {
        let lookup = {
            let mut stores = self.lock();
            stores.retain(|_, store| store.is_used());
            let store = stores.entry(ca.map(Path::to_owned)).or_default();
            match &store.lookup {
                Some(lookup) if lookup.peek().is_none() => lookup.clone(),
                _ => store.lookup.insert(self.start_lookup(ca, store.last.clone())?).clone(),
            }
        };
        lookup.await
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Option<PathBuf>, Store>> {
        self.stores.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn start_lookup(
        &self,
        ca: Option<&Path>,
        last: Option<LastReading>,
    ) -> Result<Shared<BoxFuture<'static, Lookup>>, TlsSetupError> {
        let (stores, ca) = (self.clone(), ca.map(Path::to_owned));
        let (sender, receiver) = oneshot::channel();
        let work = move || {
            let (fingerprint, result) = read_if_changed(&TrustPaths::of(ca.as_deref()), last, &stores.provider);
            if let Some(store) = stores.lock().get_mut(&ca) {
                store.lookup = None;
                let last = |verifier| LastReading { fingerprint, verifier: Arc::downgrade(verifier) };
                store.last = result.as_ref().ok().map(last);
            }
            // Fails if all that asked have given up.
            let _ = sender.send(result);
        };
        thread::Builder::new()
            .name("trust store".to_owned())
            .spawn(work)
            .map_err(|error| TlsSetupError::Thread(error.to_string()))?;
        let panicked = |_| Err(TlsSetupError::Thread("the thread has panicked".to_owned()));
        Ok(receiver.map(move |result| result.unwrap_or_else(panicked)).boxed().shared())
    }
}

impl Store {
    fn is_used(&self) -> bool {
        let in_progress = self.lookup.as_ref().is_some_and(|lookup| lookup.peek().is_none());
        in_progress || self.last.as_ref().is_some_and(|last| last.verifier.strong_count() > 0)
    }
}

/// Returns the fingerprint of the files, and the verifier: the last one if the files have not changed since.
fn read_if_changed(paths: &TrustPaths, last: Option<LastReading>, provider: &Arc<CryptoProvider>) -> (u64, Lookup) {
    let mut fingerprint = paths.fingerprint();
    if let Some(last) = last
        && last.fingerprint == fingerprint
        && let Some(verifier) = last.verifier.upgrade()
    {
        return (fingerprint, Ok(verifier));
    }
    let mut result = paths.read(provider);
    for _ in 1..MAX_READINGS {
        let after = paths.fingerprint();
        if after == fingerprint {
            break;
        }
        (fingerprint, result) = (after, paths.read(provider));
    }
    (fingerprint, result.map(Arc::new))
}
