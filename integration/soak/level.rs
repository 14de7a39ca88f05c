//! Decides whether a series of measurements is level. Pure.

use std::fmt;

/// The resources of an idle process at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sample {
    /// `VmRSS`, kB.
    pub rss: u64,
    /// `RssAnon`, kB: without pages of the program's file.
    pub anon: u64,
    /// Open descriptors.
    pub descriptors: u64,
    /// Threads; those that derive keys come and go.
    pub threads: u64,
    /// Children, zombies included.
    pub children: u64,
    /// Bytes allocated; `None` if the program does not count them.
    pub allocated: Option<u64>,
}

impl fmt::Display for Sample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rss, anon, descriptors, threads, children, allocated } = self;
        write!(f, "RSS {rss} kB (anon {anon}), {descriptors} descriptors, {threads} threads, {children} children")?;
        allocated.map_or(Ok(()), |bytes| write!(f, ", {bytes} bytes allocated"))
    }
}

/// Allowed growth of `RssAnon` over the last two thirds of a series, kB. glibc has an arena for each thread, and those
/// of the threads that derive keys grow by steps of several hundred kB before they are level (650 kB in all was seen).
const ANON_ALLOWANCE: f64 = 1024.0;
/// The same for `VmRSS`, which grows when a page of the program is first used.
const RSS_ALLOWANCE: f64 = 2048.0;

/// Allowed growth of the allocated bytes over the last two thirds of a series: queues and tables that have not reached
/// their maximum. It does not depend on the allocator's arenas, so small leaks show here: over the 300 cycles of `make
/// test`, about 80 bytes per login.
const ALLOCATED_ALLOWANCE: f64 = 16.0 * 1024.0;
/// Minimum number of comparable samples. A stream that is being closed holds more than a megabyte (its parser's
/// buffer), so only samples with the fewest descriptors are compared.
const COMPARABLE: usize = 4;

/// Minimum number of samples.
pub const FEWEST: usize = 9;

/// Describes what is not level; empty if everything is.
///
/// The first third is warm-up: pools, caches and the allocator's arenas fill. After it, memory must not grow beyond its
/// allowance, and counts must not be higher at the end than before; threads not higher than their maximum.
pub fn not_level(samples: &[Sample]) -> Vec<String> {
    assert!(samples.len() >= FEWEST, "{} samples say nothing", samples.len());
    let (warm_up, rest) = samples.split_at(samples.len() / 3);
    let mut wrong = Vec::new();
    for (name, value, allowance) in [
        ("RSS", (|sample| sample.rss) as fn(&Sample) -> u64, RSS_ALLOWANCE),
        ("RssAnon", |sample| sample.anon, ANON_ALLOWANCE),
    ] {
        let growth = growth(&rest.iter().map(value).collect::<Vec<_>>());
        if growth > allowance {
            wrong.push(format!("{name} grows by {growth:.0} kB after the warm-up, more than {allowance:.0} kB"));
        }
    }
    let last = rest.last().copied().unwrap_or_default();
    wrong.extend(added_bytes(rest));
    for (name, value) in
        [("descriptors", (|sample| sample.descriptors) as fn(&Sample) -> u64), ("children", |sample| sample.children)]
    {
        let before = warm_up.iter().map(value).min().unwrap_or_default();
        if value(&last) > before {
            wrong.push(format!("{} {name} at the end, {before} in the warm-up", value(&last)));
        }
    }
    let threads = warm_up.iter().map(|sample| sample.threads).max().unwrap_or_default();
    if last.threads > threads {
        wrong.push(format!("{} threads at the end, at most {threads} in the warm-up", last.threads));
    }
    wrong
}

/// Describes a growth of the allocated bytes, by the slope of the whole series.
#[allow(clippy::cast_precision_loss, reason = "a few dozen values")]
fn added_bytes(samples: &[Sample]) -> Option<String> {
    let fewest = samples.iter().map(|sample| sample.descriptors).min()?;
    let comparable = |(n, sample): (usize, &Sample)| {
        (sample.descriptors == fewest).then_some(()).and(sample.allocated).map(|bytes| (n, bytes))
    };
    if samples.iter().all(|sample| sample.allocated.is_none()) {
        return None;
    }
    let points: Vec<(usize, u64)> = samples.iter().enumerate().filter_map(comparable).collect();
    if points.len() < COMPARABLE {
        return Some(format!("{} comparable samples of what is allocated, expected {COMPARABLE}", points.len()));
    }
    let growth = slope(&points) * samples.len().saturating_sub(1) as f64;
    (growth > ALLOCATED_ALLOWANCE)
        .then(|| format!("{growth:.0} allocated bytes are added after the warm-up, more than {ALLOCATED_ALLOWANCE:.0}"))
}

/// The growth from the first to the last value on which both halves agree: a step of the allocator is in only one of
/// them.
#[allow(clippy::cast_precision_loss, reason = "a few dozen values")]
fn growth(values: &[u64]) -> f64 {
    let points: Vec<(usize, u64)> = values.iter().copied().enumerate().collect();
    let (first, second) = points.split_at(points.len() / 2);
    slope(first).min(slope(second)) * values.len().saturating_sub(1) as f64
}

/// The median of the slopes between any two values (Theil and Sen), which ignores outliers.
#[allow(clippy::cast_precision_loss, reason = "kB of memory, and a few dozen values")]
fn slope(points: &[(usize, u64)]) -> f64 {
    let mut slopes = Vec::new();
    for (place, (n, earlier)) in points.iter().enumerate() {
        for (m, later) in &points[place + 1..] {
            slopes.push((*later as f64 - *earlier as f64) / (m - n) as f64);
        }
    }
    slopes.sort_by(f64::total_cmp);
    slopes.get(slopes.len() / 2).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Thirty samples of a process that holds 8 MB, changed by this function.
    fn series(change: impl Fn(u64, &mut Sample)) -> Vec<Sample> {
        let sample = |n| {
            let mut sample =
                Sample { rss: 8000, anon: 1000, descriptors: 40, threads: 3, children: 0, allocated: Some(500_000) };
            change(n, &mut sample);
            sample
        };
        (0..30).map(sample).collect()
    }

    fn memory(change: impl Fn(u64) -> u64) -> Vec<Sample> {
        series(|n, sample| {
            sample.rss += change(n);
            sample.anon += change(n);
        })
    }

    #[test]
    fn constant_resources_are_level() {
        type Change = fn(u64) -> u64;
        let changes: [(&str, Change); 5] = [
            ("nothing moves", |_| 0),
            ("the warm-up fills pools", |n| 300 * n.min(9)),
            ("noise of a page or fifty", |n| n * 7919 % 50 * 4),
            ("one step of the allocator", |n| if n > 20 { 2000 } else { 0 }),
            ("one value that stands out", |n| if n == 29 { 5000 } else { 0 }),
        ];
        for (name, change) in changes {
            assert_eq!(not_level(&memory(change)), [""; 0], "{name}");
        }
        let pool = series(|n, sample| sample.threads += n % 3);
        assert_eq!(not_level(&pool), [""; 0], "threads come and go");
    }

    #[test]
    fn leaks_are_not_level() {
        let fast = not_level(&memory(|n| 150 * n));
        assert!(fast.len() == 2 && fast[0].starts_with("RSS grows by 2850 kB"), "{fast:?}");
        for (name, wrong) in [
            ("slow", not_level(&memory(|n| 80 * n))),
            ("with noise", not_level(&memory(|n| 80 * n + n * 7919 % 50 * 4))),
            ("in steps", not_level(&memory(|n| n / 4 * 320))),
            (
                "beside the program's own pages, which are taken away",
                not_level(&series(|n, sample| {
                    sample.anon += 80 * n;
                    sample.rss -= n;
                })),
            ),
        ] {
            assert!(wrong.len() == 1 && wrong[0].starts_with("RssAnon grows by "), "{name}: {wrong:?}");
        }
    }

    /// Nineteen intervals after the warm-up: a leak of 1 kB per interval is found, one of 0.8 kB is below the
    /// allowance.
    #[test]
    fn a_small_leak_shows_in_the_allocated_bytes() {
        type Change = fn(u64) -> u64;
        let level: [(&str, Change); 4] = [
            ("0.8 kB an interval", |n| 800 * n),
            ("noise", |n| n * 7919 % 50 * 400),
            ("a table that doubles once", |n| if n > 15 { 8192 } else { 0 }),
            ("one value that stands out", |n| if n == 29 { 1_000_000 } else { 0 }),
        ];
        for (name, change) in level {
            let series = series(|n, sample| sample.allocated = Some(500_000 + change(n)));
            assert_eq!(not_level(&series), [""; 0], "{name}");
        }
        let closing = series(|n, sample| {
            sample.descriptors += (29 - n) % 3;
            sample.allocated = Some(500_000 + (29 - n) % 3 * 1_000_000);
        });
        assert_eq!(not_level(&closing), [""; 0], "streams that are still being closed");
        let leaks: [(&str, Change); 3] = [
            ("1 kB an interval", |n| 1024 * n),
            ("with noise", |n| 1500 * n + n * 7919 % 50 * 100),
            ("in steps", |n| n / 4 * 6000),
        ];
        for (name, change) in leaks {
            let wrong = not_level(&series(|n, sample| sample.allocated = Some(500_000 + change(n))));
            assert!(wrong.len() == 1 && wrong[0].contains("allocated bytes are added"), "{name}: {wrong:?}");
        }
    }

    #[test]
    fn a_single_leaked_descriptor_thread_or_child_is_found() {
        for (name, change) in [
            ("41 descriptors", (|sample| sample.descriptors += 1) as fn(&mut Sample)),
            ("4 threads", |sample| sample.threads += 1),
            ("1 children", |sample| sample.children += 1),
        ] {
            let leak = series(|n, sample| {
                if n >= 25 {
                    change(sample);
                }
            });
            let wrong = not_level(&leak);
            assert!(wrong.len() == 1 && wrong[0].starts_with(name), "{wrong:?}");
        }
    }
}
