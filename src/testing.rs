//! What the tests of several modules need.

use futures_util::FutureExt as _;
use xso::AsXml;

use crate::xmpp::incoming::Element;
use crate::xmpp::ns;
use crate::xmpp::xml_stream::{Received, XmlStream};

use std::{
    cell::RefCell,
    future::Future,
    io,
    sync::{Arc, Mutex, Once},
    time::Duration,
};

/// Runs a test in an actix system whose clock is tokio's paused one: time passes only while everything waits for it.
pub(crate) fn paused<F: Future>(test: F) -> F::Output {
    let runtime =
        || tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().expect("a runtime");
    actix_rt::System::with_tokio_rt(runtime).block_on(test)
}

/// Waits for `event`, but not for ever.
pub(crate) async fn soon<F: Future>(event: F) -> F::Output {
    tokio::time::timeout(Duration::from_secs(600), event).await.expect("it did not happen within ten minutes")
}

thread_local! {
    static CAPTURED: RefCell<Option<Log>> = const { RefCell::new(None) };
}

/// What one thread, that is one test, logs.
///
/// The subscriber is the process's, and sorts by thread: with one for each thread, tracing lets a thread that has none
/// decide for all of them that nobody is interested in a line.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    /// Gathers what this thread logs from now on.
    pub(crate) fn capture() -> Self {
        static SUBSCRIBER: Once = Once::new();
        SUBSCRIBER.call_once(|| {
            let subscriber = tracing_subscriber::fmt()
                .with_max_level(tracing::Level::TRACE)
                .with_ansi(false)
                .without_time()
                .with_writer(|| CAPTURED.with_borrow(|log| log.clone().unwrap_or_default()))
                .finish();
            tracing::subscriber::set_global_default(subscriber).expect("no other subscriber");
            tracing::callsite::rebuild_interest_cache();
        });
        let log = Self::default();
        CAPTURED.set(Some(log.clone()));
        log
    }

    /// The lines of this level so far, from the message on.
    pub(crate) fn lines(&self, level: tracing::Level) -> Vec<String> {
        let text = String::from_utf8(self.0.lock().expect("the log").clone()).expect("a log in UTF-8");
        let of_level = |line: &&str| line.trim_start().starts_with(level.as_str());
        text.lines().filter(of_level).map(|line| line.trim().to_owned()).collect()
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("the log").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The first element of a server's stream that goes on like this.
pub(crate) fn received(text: &str) -> Element {
    let text = format!("<stream:stream xmlns='{}' xmlns:stream='{}'>{text}", ns::CLIENT, ns::STREAM);
    let mut stream = XmlStream::new(tokio::io::join(text.as_bytes(), tokio::io::sink()));
    let mut next = || stream.next().now_or_never().expect("it is all there").expect("a well-formed stream");
    assert!(matches!(next(), Received::Header { .. }));
    match next() {
        Received::Element(element) => *element,
        other => panic!("{other:?}"),
    }
}

/// What a server sees of an element, after the stream's header.
pub(crate) fn written(element: &impl AsXml) -> String {
    let mut stream = XmlStream::new(tokio::io::join(&[][..], Vec::new()));
    stream.open("a.test").expect("a name that XML can hold");
    let flush = |stream: &mut XmlStream<_>| stream.flush().now_or_never().expect("there is room").expect("written");
    flush(&mut stream);
    let header = stream.io().writer().len();
    stream.queue(element).expect("what XML can hold");
    flush(&mut stream);
    String::from_utf8(stream.into_io().into_inner().1.split_off(header)).expect("UTF-8")
}
