//! Dates of the proleptic Gregorian calendar, and times in UTC.

use std::time::{SystemTime, UNIX_EPOCH};

/// Returns days since 1970 in the proleptic Gregorian calendar (Howard Hinnant, "chrono-Compatible Low-Level Date
/// Algorithms").
pub(crate) fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// Returns year, month and day of a time in seconds since 1970.
fn civil(seconds: i64) -> (i64, i64, i64) {
    let days = seconds.div_euclid(86_400).saturating_add(719_468);
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

/// Seconds since 1970; 0 for an earlier time.
fn seconds_of(time: SystemTime) -> i64 {
    i64::try_from(time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()).unwrap_or(i64::MAX)
}

/// Formats the time of day, `09:27:28`.
fn time_of_day(seconds: i64) -> String {
    let seconds = seconds.rem_euclid(86_400);
    format!("{:02}:{:02}:{:02}", seconds / 3600, seconds % 3600 / 60, seconds % 60)
}

/// Formats the date of a time in seconds since 1970, `2026-11-25`.
pub(crate) fn date(seconds: i64) -> String {
    let (year, month, day) = civil(seconds);
    format!("{year:04}-{month:02}-{day:02}")
}

/// Formats a time in UTC (RFC 3339; the `dateTime` of TR-181), `2026-11-25T09:27:28Z`.
pub(crate) fn date_time(time: SystemTime) -> String {
    let seconds = seconds_of(time);
    format!("{}T{}Z", date(seconds), time_of_day(seconds))
}

/// Formats a time in UTC (RFC 3164 4.1.2), `Nov  5 09:27:28`.
pub(crate) fn syslog_time(time: SystemTime) -> String {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let seconds = seconds_of(time);
    let (_, month, day) = civil(seconds);
    let month = usize::try_from(month - 1).ok().and_then(|index| MONTHS.get(index)).unwrap_or(&"Jan");
    format!("{month} {day:2} {}", time_of_day(seconds))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn times() {
        for (seconds, expected, syslog) in [
            (0, "1970-01-01T00:00:00Z", "Jan  1 00:00:00"),
            (951_782_399, "2000-02-28T23:59:59Z", "Feb 28 23:59:59"),
            (951_782_400, "2000-02-29T00:00:00Z", "Feb 29 00:00:00"),
            (1_764_124_956, "2025-11-26T02:42:36Z", "Nov 26 02:42:36"),
            (4_107_542_400, "2100-03-01T00:00:00Z", "Mar  1 00:00:00"),
        ] {
            let time = UNIX_EPOCH + Duration::from_secs(seconds);
            assert_eq!((&*date_time(time), &*syslog_time(time)), (expected, syslog));
        }
    }
}
