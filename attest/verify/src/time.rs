// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The moment that evidence is judged at: always an argument, so that a verdict can be repeated.

use core::fmt;

/// Seconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixTime(pub u64);

impl fmt::Display for UnixTime {
    /// Shows the moment as RFC 3339 does, in UTC.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match der::DateTime::from_unix_duration(core::time::Duration::from_secs(self.0)) {
            Ok(moment) => write!(f, "{moment}"),
            Err(_) => write!(f, "{} s after 1970", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_reads_as_rfc_3339() {
        assert_eq!(UnixTime(1_767_225_600).to_string(), "2026-01-01T00:00:00Z");
    }

    #[test]
    fn a_moment_past_the_year_9999_still_prints() {
        assert_eq!(UnixTime(u64::MAX).to_string(), "18446744073709551615 s after 1970");
    }
}
