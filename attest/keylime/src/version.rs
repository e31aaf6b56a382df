// SPDX-License-Identifier: Apache-2.0 OR MIT
//! API versions: `2.6`, and `v2.6` in a path.

use core::fmt;
use core::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A version of Keylime's API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ApiVersion {
    /// Changes when old clients would misunderstand.
    pub major: u16,
    /// Changes when something is added.
    pub minor: u16,
}

impl ApiVersion {
    /// The pull model's versions that have `/keys` and `/quotes`, oldest first.
    pub const PULL: [ApiVersion; 6] = [v(2, 1), v(2, 2), v(2, 3), v(2, 4), v(2, 5), v(2, 6)];
    /// The push model.
    pub const PUSH: ApiVersion = v(3, 0);
}

const fn v(major: u16, minor: u16) -> ApiVersion {
    ApiVersion { major, minor }
}

/// This is not a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MalformedVersion {
    /// What came instead of MAJOR.MINOR.
    pub actual: String,
}

impl fmt::Display for MalformedVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is not an API version (expected MAJOR.MINOR)", self.actual)
    }
}

impl core::error::Error for MalformedVersion {}

impl fmt::Display for ApiVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

impl FromStr for ApiVersion {
    type Err = MalformedVersion;

    /// Takes `2.6`, `v2.6`, `v3` (which is 3.0), and no other spelling of a number (`+2`, `02`).
    fn from_str(text: &str) -> Result<Self, MalformedVersion> {
        let digits = text.strip_prefix('v').unwrap_or(text);
        let (major, minor) = digits.split_once('.').unwrap_or((digits, "0"));
        match (number(major), number(minor)) {
            (Some(major), Some(minor)) => Ok(ApiVersion { major, minor }),
            _ => Err(MalformedVersion { actual: text.to_owned() }),
        }
    }
}

fn number(digits: &str) -> Option<u16> {
    let canonical = digits.bytes().all(|byte| byte.is_ascii_digit()) && (digits == "0" || !digits.starts_with('0'));
    canonical.then(|| digits.parse().ok()).flatten()
}

impl Serialize for ApiVersion {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ApiVersion {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_ordered_as_numbers() {
        assert!("2.6".parse::<ApiVersion>().unwrap() < "v2.10".parse().unwrap());
        assert_eq!("v3".parse(), Ok(ApiVersion::PUSH));
    }

    #[test]
    fn another_spelling_is_refused() {
        for text in ["", "v", "2.", ".6", "2.06", "+2.6", "2.6.1", "vv2", "2.99999"] {
            assert_eq!(text.parse::<ApiVersion>(), Err(MalformedVersion { actual: text.to_owned() }));
        }
    }

    #[test]
    fn a_version_is_text_in_json() {
        assert_eq!(serde_json::to_string(&ApiVersion::PULL[5]).unwrap(), "\"2.6\"");
        assert_eq!(serde_json::from_str::<ApiVersion>("\"2.6\"").unwrap(), ApiVersion::PULL[5]);
    }
}
