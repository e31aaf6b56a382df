// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The moment that evidence is judged at, as an operator writes it (RFC 3339, "Internet Date/Time Format").

use evtpm_verify::UnixTime;

/// Reads `2026-02-06T00:00:00Z`, the same with an offset, or seconds since 1970; fractions of a second are cut off.
pub(crate) fn parse(text: &str) -> Result<UnixTime, String> {
    if let Ok(seconds) = text.parse() {
        return Ok(UnixTime(seconds));
    }
    rfc3339(text).ok_or_else(|| "neither a time like 2026-02-06T00:00:00Z nor seconds since 1970".to_owned())
}

fn rfc3339(text: &str) -> Option<UnixTime> {
    let (local, rest) = text.split_at_checked("2026-02-06T00:00:00".len())?;
    let local: der::DateTime = format!("{}Z", local.to_ascii_uppercase()).parse().ok()?;
    let offset = match rest.strip_prefix('.') {
        Some(fraction) => {
            let offset = fraction.trim_start_matches(|digit: char| digit.is_ascii_digit());
            (offset.len() < fraction.len()).then_some(offset)?
        }
        None => rest,
    };
    local.unix_duration().as_secs().checked_sub_signed(east_of_utc(offset)?).map(UnixTime)
}

/// Reads `Z`, `+02:00` or `-05:30` as seconds.
fn east_of_utc(offset: &str) -> Option<i64> {
    if offset.eq_ignore_ascii_case("z") {
        return Some(0);
    }
    let (sign, rest) = match offset.split_at_checked(1)? {
        ("+", rest) => (1, rest),
        ("-", rest) => (-1, rest),
        _ => return None,
    };
    let (hours, minutes) = rest.split_once(':')?;
    let number = |text: &str, limit: i64| {
        let digits = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse().ok().filter(|number: &i64| digits && *number < limit)
    };
    Some(sign * (number(hours, 24)? * 3600 + number(minutes, 60)? * 60))
}

/// The time of day.
pub(crate) fn now() -> UnixTime {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    UnixTime(since.map_or(0, |since| since.as_secs()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_moment_may_be_written_in_many_ways() {
        for text in [
            "1770336000",
            "2026-02-06T00:00:00Z",
            "2026-02-06t00:00:00z",
            "2026-02-06T00:00:00.999Z",
            "2026-02-06T02:00:00+02:00",
            "2026-02-05T18:30:00-05:30",
        ] {
            assert_eq!(parse(text), Ok(UnixTime(1_770_336_000)), "{text}");
        }
    }

    #[test]
    fn what_is_no_moment_is_refused() {
        for text in [
            "",
            "yesterday",
            "-1",
            "2026-02-06",
            "2026-02-06T00:00:00",
            "2026-02-30T00:00:00Z",
            "2026-02-06T00:00:00.Z",
            "2026-02-06T00:00:00+2:00",
            "2026-02-06T00:00:00+25:00",
            "2026-02-06T00:00:00Zulu",
            "1970-01-01T00:00:00+01:00",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
