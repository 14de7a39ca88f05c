use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc;

use futures_util::future::join_all;
use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair};
use tempfile::TempDir;

use super::*;

/// A file with the certificate of a CA.
fn ca_file() -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ca.pem");
    replace_ca(&path);
    (directory, path)
}

/// Replaces the file with one of another CA.
fn replace_ca(path: &std::path::Path) {
    let mut params = CertificateParams::new(["a.test".to_owned()]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let pem = params.self_signed(&KeyPair::generate().unwrap()).unwrap().pem();
    let new = path.with_extension("new");
    std::fs::write(&new, pem).unwrap();
    std::fs::rename(new, path).unwrap();
}

fn lazy(stores: &TrustStores, path: &std::path::Path, verify: bool) -> LazyTls {
    LazyTls::new(TlsSettings { ca: Some(path.to_owned()), verify }, stores.clone())
}

#[tokio::test]
async fn an_unchanged_store_is_read_once() {
    let (_directory, path) = ca_file();
    let stores = TrustStores::default();
    let first = stores.get(Some(&path)).await.unwrap();
    let all = join_all((0..100).map(|_| stores.get(Some(&path)))).await;
    assert!(all.into_iter().all(|verifier| Arc::ptr_eq(&verifier.unwrap(), &first)));
}

#[tokio::test]
async fn simultaneous_lookups_share_one_reading() {
    let (_directory, path) = ca_file();
    let stores = TrustStores::default();
    let all: Vec<_> =
        join_all((0..100).map(|_| stores.get(Some(&path)))).await.into_iter().map(Result::unwrap).collect();
    assert!(all.iter().all(|verifier| Arc::ptr_eq(verifier, &all[0])));
    std::fs::remove_file(&path).unwrap();
    let failed = join_all((0..100).map(|_| stores.get(Some(&path)))).await;
    assert!(failed.iter().all(|failed| failed.as_ref().is_err_and(|error| error.to_string().contains("No such file"))));
}

#[tokio::test]
async fn a_changed_file_is_read_again_and_an_unused_store_is_dropped() {
    let (_directory, path) = ca_file();
    let stores = TrustStores::default();
    let before = stores.get(Some(&path)).await.unwrap();
    replace_ca(&path);
    let after = stores.get(Some(&path)).await.unwrap();
    assert!(!Arc::ptr_eq(&before, &after));
    let weak = Arc::downgrade(&after);
    drop(after);
    assert!(weak.upgrade().is_none(), "the store is still held");
}

#[tokio::test]
async fn sessions_are_discarded_when_the_trusted_certificates_change() {
    let (_directory, path) = ca_file();
    let (stores, other) = (TrustStores::default(), ca_file());
    let tls = lazy(&stores, &path, true);
    let first = tls.get().await.unwrap();
    let same = |a: &Tls, b: &Tls| Arc::ptr_eq(&a.starttls, &b.starttls) && Arc::ptr_eq(&a.direct, &b.direct);
    assert!(same(&first, &tls.get().await.unwrap()));
    lazy(&stores, &other.1, true).get().await.unwrap();
    assert!(same(&first, &tls.get().await.unwrap()));
    replace_ca(&path);
    let second = tls.get().await.unwrap();
    assert!(!same(&first, &second));
    tls.forget();
    let third = tls.get().await.unwrap();
    assert!(!same(&second, &third) && Arc::ptr_eq(&second.verifier, &third.verifier));
    // Without verification no file is needed.
    let unverified = lazy(&stores, std::path::Path::new("/nonexistent"), false);
    assert!(same(&unverified.get().await.unwrap(), &unverified.get().await.unwrap()));
}

#[test]
fn the_store_is_read_while_the_blocking_threads_are_busy() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().max_blocking_threads(1).build().unwrap();
    let (release, held) = mpsc::channel::<()>();
    runtime.spawn_blocking(move || held.recv());
    let (_directory, path) = ca_file();
    runtime.block_on(async { TrustStores::default().get(Some(&path)).await }).unwrap();
    drop(release);
}

#[tokio::test]
async fn a_lookup_after_an_abandoned_one_completes() {
    let (_directory, path) = ca_file();
    let stores = TrustStores::default();
    {
        let abandoned = stores.get(Some(&path));
        tokio::pin!(abandoned);
        assert!(futures_util::poll!(&mut abandoned).is_pending() || stores.get(Some(&path)).await.is_ok());
    }
    stores.get(Some(&path)).await.unwrap();
}
