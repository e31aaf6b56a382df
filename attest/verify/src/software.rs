// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Measured software components of verified PSA and CCA platform tokens.

use evtpm_evidence::software::SoftwareComponent;

/// One software component that a verified token lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Component {
    /// What it is, `BL` or `M1`.
    pub kind: Option<String>,
    /// The digest of it.
    pub measurement: Vec<u8>,
    /// Its version.
    pub version: Option<String>,
    /// The digest of the key that signed it.
    pub signer: Vec<u8>,
}

impl Component {
    /// Copies what a token lists, whose signature was checked.
    pub(crate) fn all(listed: &[SoftwareComponent<'_>]) -> Vec<Self> {
        let copy = |component: &SoftwareComponent<'_>| Self {
            kind: component.kind.map(str::to_owned),
            measurement: component.measurement.to_vec(),
            version: component.version.map(str::to_owned),
            signer: component.signer.to_vec(),
        };
        listed.iter().map(copy).collect()
    }
}
