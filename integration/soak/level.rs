//! Whether a series of measurements stays where it is. Pure.

use std::fmt;

/// What a process holds at one moment, when it has nothing to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sample {
    /// `VmRSS`, kB.
    pub rss: u64,
    /// `RssAnon`, kB: the part of it that is not the program's file.
    pub anon: u64,
    /// Open descriptors.
    pub descriptors: u64,
    /// Threads; those of the pool that derives keys come and go.
    pub threads: u64,
    /// Children, zombies too.
    pub children: u64,
}

impl fmt::Display for Sample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rss, anon, descriptors, threads, children } = self;
        write!(f, "RSS {rss} kB (anon {anon}), {descriptors} descriptors, {threads} threads, {children} children")
    }
}

/// How much `RssAnon` may grow over the last two thirds of a series, in kB: what the allocator moves. glibc's has an arena for
/// each thread, and what those that derive keys leave in theirs grows by steps of some hundred kB before it stays (650 kB in
/// all, seen).
const ANON_ALLOWANCE: f64 = 1024.0;
/// The same of `VmRSS`, in which the program's own pages count as soon as they are used for the first time.
const RSS_ALLOWANCE: f64 = 2048.0;

/// The fewest samples that say anything.
pub const FEWEST: usize = 9;

/// What is not level, in words; nothing if everything is.
///
/// The first third is warm-up: pools, caches and the allocator's arenas fill. After it memory has to keep its level, but for
/// its allowance, and of what is counted there may be no more at the end than there was; of threads, than there ever were.
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

/// From the first to the last value, as far as both halves agree: a step of the allocator is in one of them.
#[allow(clippy::cast_precision_loss, reason = "a few dozen values")]
fn growth(values: &[u64]) -> f64 {
    let (first, second) = values.split_at(values.len() / 2);
    slope(first).min(slope(second)) * values.len().saturating_sub(1) as f64
}

/// The median of the slopes between any two values (Theil and Sen): one that stands out does not move it.
#[allow(clippy::cast_precision_loss, reason = "kB of memory, and a few dozen values")]
fn slope(values: &[u64]) -> f64 {
    let mut slopes = Vec::new();
    for (n, &earlier) in values.iter().enumerate() {
        for (m, &later) in values.iter().enumerate().skip(n + 1) {
            slopes.push((later as f64 - earlier as f64) / (m - n) as f64);
        }
    }
    slopes.sort_by(f64::total_cmp);
    slopes.get(slopes.len() / 2).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Thirty samples of a process that holds 8 MB, of which the n-th is changed like this.
    fn series(change: impl Fn(u64, &mut Sample)) -> Vec<Sample> {
        let sample = |n| {
            let mut sample = Sample { rss: 8000, anon: 1000, descriptors: 40, threads: 3, children: 0 };
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
    fn what_stays_is_level() {
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
    fn what_leaks_is_not() {
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

    #[test]
    fn one_of_what_is_counted_is_enough() {
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
