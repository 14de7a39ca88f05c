//! Helpers for tests.

use std::cell::RefCell;
use std::convert::Infallible;
use std::future::Future;
use std::rc::Rc;
use std::sync::Once;
use std::time::Duration;

use futures_util::FutureExt as _;
use nix::time::{ClockId, clock_gettime};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng as _, TryRng};
use xso::AsXml;

use crate::config::model::LogLevel;
use crate::logging;
use crate::xmpp::incoming::Element;
use crate::xmpp::ns;
use crate::xmpp::xml_stream::{Received, XmlStream};

/// Runs a test in an actix system with tokio's paused clock: time advances only while all tasks are waiting.
pub(crate) fn paused<F: Future>(test: F) -> F::Output {
    let runtime =
        || tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().expect("a runtime");
    actix_rt::System::with_tokio_rt(runtime).block_on(test)
}

/// Asserts that the processor time of some work is linear in n: at eight times n it is eight times as long, or a little more.
/// With a square it would be 64 times. At n it should take some milliseconds at least.
///
/// It is measured up to five times, and the shortest times count: a virtual machine also counts time that its host took away.
pub(crate) fn assert_linear<I>(n: usize, input: impl Fn(usize) -> I, work: impl Fn(I)) {
    let mut shortest = [Duration::MAX; 2];
    let is_linear = (0..5).any(|_| {
        for (shortest, n) in shortest.iter_mut().zip([n, 8 * n]) {
            let input = input(n);
            *shortest = timed(|| work(input)).min(*shortest);
        }
        let [small, large] = shortest;
        large < 24 * small
    });
    let [small, large] = shortest;
    assert!(is_linear, "{small:?} for {n}, {large:?} for eight times as much");
}

/// Returns the processor time that some work takes, which a busy machine does not change much.
fn timed(work: impl FnOnce()) -> Duration {
    let time = || Duration::from(clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).expect("a time"));
    let start = time();
    work();
    time().saturating_sub(start)
}

/// Waits for `event`, at most ten minutes.
pub(crate) async fn soon<F: Future>(event: F) -> F::Output {
    tokio::time::timeout(Duration::from_secs(600), event).await.expect("the event did not happen within ten minutes")
}

/// The random numbers of one test: those of a fixed seed, or of the one in the environment variable `SEED`.
pub(crate) fn seeded_rng() -> impl Rng {
    Seeded
}

struct Seeded;

impl TryRng for Seeded {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        SEEDED.with_borrow_mut(TryRng::try_next_u32)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        SEEDED.with_borrow_mut(TryRng::try_next_u64)
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        SEEDED.with_borrow_mut(|rng| rng.try_fill_bytes(bytes))
    }
}

thread_local! {
    static SEEDED: RefCell<StdRng> = RefCell::new(StdRng::seed_from_u64(match std::env::var("SEED") {
        Ok(seed) => seed.parse().expect("SEED is a number"),
        Err(_) => 1,
    }));
    static CAPTURED: RefCell<Option<Log>> = const { RefCell::new(None) };
}

/// The log of one thread, which is that of one test.
///
/// One global subscriber separates the threads: with a subscriber for each thread, a thread without one could disable a
/// callsite for all.
#[derive(Clone, Default)]
pub(crate) struct Log(Rc<RefCell<Vec<String>>>);

impl Log {
    /// Starts to capture the log of this thread.
    pub(crate) fn capture() -> Self {
        static SUBSCRIBER: Once = Once::new();
        SUBSCRIBER.call_once(|| {
            let keep = |severity, text: &str| {
                CAPTURED.with_borrow(|log| {
                    if let Some(Log(lines)) = log {
                        lines.borrow_mut().push(logging::bare_line(severity, text));
                    }
                });
            };
            let (subscriber, _) = logging::subscriber(LogLevel::Debug, keep);
            tracing::subscriber::set_global_default(subscriber).expect("no other subscriber");
            tracing::callsite::rebuild_interest_cache();
        });
        let log = Self::default();
        CAPTURED.set(Some(log.clone()));
        log
    }

    /// Returns the lines of this level so far. ALERT and CRITIC have level ERROR, NOTICE has INFO.
    pub(crate) fn lines(&self, level: tracing::Level) -> Vec<String> {
        let names = match level {
            tracing::Level::ERROR => &["ALERT", "CRITIC", "ERROR"][..],
            tracing::Level::WARN => &["WARNING"],
            tracing::Level::INFO => &["NOTICE", "INFO"],
            _ => &["DEBUG"],
        };
        let is_of_level = |line: &&String| line.split(' ').nth(1).is_some_and(|name| names.contains(&name));
        self.0.borrow().iter().filter(is_of_level).cloned().collect()
    }
}

/// Parses an element as a server's first one.
pub(crate) fn received(text: &str) -> Element {
    let text = format!("<stream:stream xmlns='{}' xmlns:stream='{}'>{text}", ns::CLIENT, ns::STREAM);
    let mut stream = XmlStream::new(tokio::io::join(text.as_bytes(), tokio::io::sink()));
    let mut next = || stream.next().now_or_never().expect("a complete element").expect("a well-formed stream");
    assert!(matches!(next(), Received::Header { .. }));
    match next() {
        Received::Element(element) => *element,
        other => panic!("{other:?}"),
    }
}

/// Encodes an element as it is sent after the stream's header.
pub(crate) fn written(element: &impl AsXml) -> String {
    let mut stream = XmlStream::new(tokio::io::join(&[][..], Vec::new()));
    stream.open("a.test").expect("a valid name");
    let flush = |stream: &mut XmlStream<_>| stream.flush().now_or_never().expect("there is room").expect("written");
    flush(&mut stream);
    let header = stream.io().writer().len();
    stream.queue(element).expect("a valid element");
    flush(&mut stream);
    String::from_utf8(stream.into_io().into_inner().1.split_off(header)).expect("UTF-8")
}
