// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Names in the critical data that device-mapper has measured (Linux, "dm-ima").

use crate::{At, Error};

/// The longest name (`DM_NAME_LEN`, its NUL not counted).
const MAX_NAME: usize = 127;

/// The name of a mapped device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeviceName<'a>(&'a [u8]);

impl<'a> DeviceName<'a> {
    /// Takes a name of letters, digits and `#+-.:=@_`, the characters that libdevmapper leaves as they are.
    ///
    /// Every other character would have been escaped: a name with one is an attempt to end a field early.
    ///
    /// ```
    /// use evtpm_logs::ima::DeviceName;
    ///
    /// assert_eq!(DeviceName::parse(b"my.dev_1+tag@host#2")?.as_bytes(), b"my.dev_1+tag@host#2");
    /// assert!(DeviceName::parse(b"test\\device").is_err());
    /// # Ok::<(), evtpm_logs::Error>(())
    /// ```
    pub fn parse(name: &'a [u8]) -> Result<Self, Error> {
        let at = At { record: 0, offset: 0 };
        if name.len() > MAX_NAME {
            return Err(Error::TooLong { at, what: "device name", length: name.len(), limit: MAX_NAME });
        }
        let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"#+-.:=@_".contains(byte);
        if name.is_empty() || !name.iter().all(plain) {
            return Err(Error::Malformed { at, expected: "a device name of letters, digits and #+-.:=@_" });
        }
        Ok(Self(name))
    }

    /// Returns the name.
    #[must_use]
    pub const fn as_bytes(&self) -> &'a [u8] {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_between_the_letters_of_ascii_are_no_letters() {
        for name in ["test[0]", "test^dev", "test`dev", "a,b", "a;b", "", "a b"] {
            assert!(DeviceName::parse(name.as_bytes()).is_err(), "{name}");
        }
    }

    #[test]
    fn a_name_of_127_characters_is_the_longest() {
        assert!(DeviceName::parse(&[b'a'; 127]).is_ok());
        assert!(DeviceName::parse(&[b'a'; 128]).is_err());
    }
}
