// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Seconds since 1970 as the UTCTime and GeneralizedTime of certificates (RFC 5280, "Validity").

use alloc::format;
use alloc::vec::Vec;

use crate::der;

/// Seconds since 1970-01-01 00:00:00 UTC, not before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixTime(pub u64);

impl UnixTime {
    /// Returns the same day and time `years` later; 29 February becomes 1 March.
    #[must_use]
    pub fn plus_years(self, years: u64) -> Self {
        let (year, month, day) = self.date();
        Self(days_before(year + years, month, day) * DAY + self.0 % DAY)
    }

    /// Encodes the time: "CAs MUST always encode certificate validity dates through the year 2049 as UTCTime".
    pub(crate) fn to_der(self) -> Vec<u8> {
        let (year, month, day) = self.date();
        let (hour, minute, second) = (self.0 % DAY / 3600, self.0 % 3600 / 60, self.0 % 60);
        let rest = format!("{month:02}{day:02}{hour:02}{minute:02}{second:02}Z");
        if year <= 2049 {
            der::primitive(der::UTC_TIME, format!("{:02}{rest}", year % 100).as_bytes())
        } else {
            der::primitive(der::GENERALIZED_TIME, format!("{year:04}{rest}").as_bytes())
        }
    }

    /// Returns year, month and day in the Gregorian calendar.
    fn date(self) -> (u64, u64, u64) {
        let days = self.0 / DAY;
        let mut year = 1970 + days / 366;
        while days_before(year + 1, 1, 1) <= days {
            year += 1;
        }
        let month = (1..=12).rev().find(|month| days_before(year, *month, 1) <= days).unwrap_or(1);
        (year, month, days - days_before(year, month, 1) + 1)
    }
}

const DAY: u64 = 86_400;

/// Returns the number of days from 1970-01-01 to the given one.
fn days_before(year: u64, month: u64, day: u64) -> u64 {
    const BEFORE_MONTH: [u64; 12] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];
    let leap_years_through = |year: u64| year / 4 - year / 100 + year / 400;
    let is_leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let leap_days = leap_years_through(year - 1) - leap_years_through(1969) + u64::from(is_leap && month > 2);
    let months: u64 = (1..).zip(BEFORE_MONTH).find(|(number, _)| *number == month).map_or(0, |(_, days)| days);
    (year - 1970) * 365 + leap_days + months + day - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(time: u64) -> Vec<u8> {
        UnixTime(time).to_der()[2..].to_vec()
    }

    #[test]
    fn known_times_have_their_known_texts() {
        assert_eq!(text(0), b"700101000000Z");
        assert_eq!(text(951_782_400), b"000229000000Z");
        assert_eq!(text(1_603_387_385), b"201022172305Z");
        assert_eq!(text(2_524_607_999), b"491231235959Z");
        assert_eq!(text(2_524_608_000), b"20500101000000Z");
        assert_eq!(text(4_107_542_400), b"21000301000000Z");
    }

    #[test]
    fn years_are_added_on_the_calendar() {
        assert_eq!(UnixTime(1_770_253_473).plus_years(7), UnixTime(1_991_178_273));
        assert_eq!(UnixTime(951_782_400).plus_years(1).to_der()[2..], *b"010301000000Z");
    }

    #[test]
    fn every_day_follows_the_one_before() {
        let mut previous = UnixTime(0).date();
        for day in 1..60_000 {
            let date = UnixTime(day * DAY).date();
            assert!(date > previous && date.2 <= 31, "{date:?}");
            assert_eq!(days_before(date.0, date.1, date.2), day);
            previous = date;
        }
    }
}
