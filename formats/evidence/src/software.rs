// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Measured software components, as PSA and CCA platform tokens list them (RFC 9783, "Software Components").

use crate::Error;
use crate::cbor::{Key, Map};

/// One component, not verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SoftwareComponent<'a> {
    /// What it is, `BL` or `M1`.
    pub kind: Option<&'a str>,
    /// The digest of it.
    pub measurement: &'a [u8],
    /// Its version.
    pub version: Option<&'a str>,
    /// The digest of the key that signed it.
    pub signer: &'a [u8],
    /// The hash algorithm of the measurement.
    pub hash_algorithm: Option<&'a str>,
}

impl<'a> SoftwareComponent<'a> {
    /// Parses one member of a token's list.
    pub fn parse(encoded: &'a [u8]) -> Result<Self, Error> {
        let map = Map::parse("software component", encoded)?;
        Ok(Self {
            kind: map.text(Key::Number(1))?,
            measurement: map.required("measurement value", map.bytes(Key::Number(2)))?,
            version: map.text(Key::Number(4))?,
            signer: map.required("signer identifier", map.bytes(Key::Number(5)))?,
            hash_algorithm: map.text(Key::Number(6))?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_component_without_measurement_or_signer_is_refused() {
        let whole = [0xA2, 0x02, 0x41, 0x07, 0x05, 0x41, 0x08];
        let parsed = SoftwareComponent::parse(&whole).unwrap();
        assert_eq!((parsed.measurement, parsed.signer, parsed.kind), ([7].as_slice(), [8].as_slice(), None));
        assert_eq!(
            SoftwareComponent::parse(&[0xA1, 0x02, 0x41, 0x07]),
            Err(Error::Missing { what: "signer identifier" })
        );
        assert_eq!(
            SoftwareComponent::parse(&[0xA1, 0x05, 0x41, 0x07]),
            Err(Error::Missing { what: "measurement value" })
        );
    }
}
