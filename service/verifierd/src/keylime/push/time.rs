// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Times as they are written in JSON:API's bodies.

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Writes milliseconds since 1970 as RFC 3339 has it.
pub(crate) fn rfc3339(milliseconds: u64) -> String {
    let time = OffsetDateTime::from_unix_timestamp_nanos(i128::from(milliseconds) * 1_000_000);
    // Only a time far beyond the year 9999 cannot be written.
    time.ok().and_then(|time| time.format(&Rfc3339).ok()).unwrap_or_else(|| "9999-12-31T23:59:59Z".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_written_in_utc_with_its_milliseconds() {
        assert_eq!(rfc3339(1_731_428_477_250), "2024-11-12T16:21:17.25Z");
        assert_eq!(rfc3339(u64::MAX), "9999-12-31T23:59:59Z");
    }
}
