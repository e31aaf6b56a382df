// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Reference values that feed a policy: CoRIMs of Arm CCA, NVIDIA's manifests, and manifests of files.
//!
//! Of CoRIM the profiles `tag:arm.com,2025:cca_platform#1.0.0` and `tag:arm.com,2025:cca_realm#1.0.0` are read
//! (draft-ydb-rats-cca-endorsements): software components with their signers, the platform's configuration, the realm's initial and
//! extensible measurements and its personalisation value. A CoRIM of any other profile is refused rather than guessed at.

use core::fmt;

use evtpm_logs::HashId;
use evtpm_verify::{
    Vendor, Verified,
    reference::{Reference, ReferenceValues},
    rim::ReferenceMeasurements,
};

use super::{
    AtLeastOne, Bytes, CcaPolicy, FileDigest, HexBytes, ImaPolicy, Index, LifecycleState, NvidiaPolicy, Policy,
};

const PLATFORM: &str = "tag:arm.com,2025:cca_platform#1.0.0";
const REALM: &str = "tag:arm.com,2025:cca_realm#1.0.0";

/// Why reference values cannot feed a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReferenceError {
    /// Nobody here knows what values of this profile mean.
    Profile {
        /// The profile.
        profile: String,
    },
    /// A value is not what its profile asks for.
    Value {
        /// What was measured.
        component: String,
    },
    /// A section needs values that none of the documents has.
    Incomplete {
        /// What is missing.
        what: &'static str,
    },
    /// A line of a manifest is no digest with a path.
    Line {
        /// The line's number.
        number: usize,
    },
}

impl fmt::Display for ReferenceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Profile { profile } => write!(f, "CoRIM profile \"{profile}\": expected {PLATFORM} or {REALM}"),
            Self::Value { component } => write!(f, "CoRIM: the value of {component} is not what its profile asks for"),
            Self::Incomplete { what } => write!(f, "the reference values have no {what}"),
            Self::Line { number } => {
                write!(f, "manifest, line {number}: expected a digest and a path, as sha256sum prints")
            }
        }
    }
}

impl core::error::Error for ReferenceError {}

impl Policy {
    /// Adds verified reference values: what they name is accepted besides what was.
    pub fn add_references(&mut self, documents: &[Verified<ReferenceValues, Vendor>]) -> Result<(), ReferenceError> {
        let mut gathered = Gathered::default();
        for document in documents {
            gathered.add(document)?;
        }
        let mut added = Self::empty(self.hardware);
        added.cca = Some(gathered.into_policy(self.cca.as_ref())?);
        self.merge(added);
        Ok(())
    }

    /// Adds the measurements of a device's manifest: each of its values is accepted besides those that were.
    pub fn add_measurements(&mut self, manifest: &Verified<ReferenceMeasurements, Vendor>) {
        let one = || NvidiaPolicy { min_devices: 1, ..NvidiaPolicy::default() };
        let rules = &mut self.nvidia.get_or_insert_with(one).measurements;
        for (index, values) in &manifest.active {
            for value in values.iter().cloned().map(HexBytes) {
                rules.entry(Index(*index)).or_insert_with(|| AtLeastOne::new(value.clone())).insert(value);
            }
        }
    }

    /// Adds the files of a manifest, lines as `sha256sum` and its like print: a digest, then a path.
    pub fn add_manifest(&mut self, text: &str) -> Result<usize, ReferenceError> {
        let lines = (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty() && !line.starts_with('#'));
        let entries: Vec<(String, FileDigest)> =
            lines.map(|(number, line)| entry(line).ok_or(ReferenceError::Line { number })).collect::<Result<_, _>>()?;
        let count = entries.len();
        let files = &mut self.ima.get_or_insert_with(ImaPolicy::default).files;
        for (path, digest) in entries {
            let known = files.entry(path).or_insert_with(|| AtLeastOne::new(digest.clone()));
            known.insert(digest);
        }
        Ok(count)
    }
}

/// One line of a manifest; the length of the digest tells its algorithm.
fn entry(line: &str) -> Option<(String, FileDigest)> {
    let (digits, path) = line.split_once(' ')?;
    let digest = hex::decode(digits).ok()?;
    let algorithm = match digest.len() {
        20 => HashId::SHA1,
        32 => HashId::SHA256,
        48 => HashId::SHA384,
        64 => HashId::SHA512,
        _ => return None,
    };
    // coreutils: a second character says whether the file was read as text (space) or binary (asterisk).
    let path = path.strip_prefix([' ', '*']).unwrap_or(path);
    (!path.is_empty()).then(|| (path.to_owned(), FileDigest { algorithm, digest }))
}

/// What the documents name, component by component.
#[derive(Default)]
struct Gathered {
    implementations: Vec<Bytes<32>>,
    components: Vec<HexBytes>,
    signers: Vec<HexBytes>,
    configs: Vec<HexBytes>,
    measurements: Vec<HexBytes>,
    rems: [Vec<HexBytes>; 4],
    personalizations: Vec<Bytes<64>>,
}

impl Gathered {
    fn add(&mut self, document: &ReferenceValues) -> Result<(), ReferenceError> {
        for reference in &document.references {
            match document.profile.as_deref() {
                Some(PLATFORM) => self.platform(reference)?,
                Some(REALM) => self.realm(reference)?,
                other => return Err(ReferenceError::Profile { profile: other.unwrap_or("none").to_owned() }),
            }
        }
        Ok(())
    }

    fn platform(&mut self, reference: &Reference) -> Result<(), ReferenceError> {
        let class = reference.class.as_deref().and_then(|class| class.try_into().ok());
        let implementation = Bytes(class.ok_or_else(|| unfit(reference))?);
        add(&mut self.implementations, vec![implementation]);
        match reference.component.as_deref() {
            Some("cca.software-component") => {
                add(&mut self.components, digests(reference)?);
                add(&mut self.signers, reference.signers.iter().cloned().map(HexBytes).collect());
            }
            Some("cca.platform-config") => {
                self.configs.extend(reference.raw_value.clone().map(HexBytes));
            }
            _ => return Err(unfit(reference)),
        }
        Ok(())
    }

    fn realm(&mut self, reference: &Reference) -> Result<(), ReferenceError> {
        let [rem0, rem1, rem2, rem3] = &mut self.rems;
        let register = match reference.component.as_deref() {
            Some("cca.rim") => &mut self.measurements,
            Some("cca.rem0") => rem0,
            Some("cca.rem1") => rem1,
            Some("cca.rem2") => rem2,
            Some("cca.rem3") => rem3,
            Some("cca.rpv") => {
                let value = reference.raw_value.as_deref().and_then(|value| value.try_into().ok());
                self.personalizations.push(Bytes(value.ok_or_else(|| unfit(reference))?));
                return Ok(());
            }
            _ => return Err(unfit(reference)),
        };
        register.extend(digests(reference)?);
        Ok(())
    }

    /// What the documents lack, the policy may have already.
    fn into_policy(self, known: Option<&CcaPolicy>) -> Result<CcaPolicy, ReferenceError> {
        let missing = |what| ReferenceError::Incomplete { what };
        let or_known = |values: Vec<HexBytes>, known: Option<&[HexBytes]>| match (values.is_empty(), known) {
            (true, Some(known)) => known.to_vec(),
            _ => values,
        };
        let measurements = or_known(self.measurements, known.map(|known| known.measurements.as_ref()));
        let implementations = match (self.implementations.is_empty(), known) {
            (true, Some(known)) => known.implementations.to_vec(),
            _ => self.implementations,
        };
        let [rem0, rem1, rem2, rem3] = self.rems;
        Ok(CcaPolicy {
            measurements: measurements.try_into().map_err(|_| missing("initial measurement of a realm"))?,
            rem0: or_known(rem0, known.map(|known| known.rem0.as_slice())),
            rem1: or_known(rem1, known.map(|known| known.rem1.as_slice())),
            rem2: or_known(rem2, known.map(|known| known.rem2.as_slice())),
            rem3: or_known(rem3, known.map(|known| known.rem3.as_slice())),
            personalizations: match (self.personalizations.is_empty(), known) {
                (true, Some(known)) => known.personalizations.clone(),
                _ => self.personalizations,
            },
            implementations: implementations.try_into().map_err(|_| missing("implementation of a platform"))?,
            lifecycle: AtLeastOne::new(LifecycleState::Secured),
            configs: or_known(self.configs, known.map(|known| known.configs.as_slice())),
            components: or_known(self.components, known.map(|known| known.components.as_slice())),
            signers: or_known(self.signers, known.map(|known| known.signers.as_slice())),
            allow_recorded: false,
        })
    }
}

/// Adds what is not there yet.
fn add<T: PartialEq>(list: &mut Vec<T>, values: Vec<T>) {
    for value in values {
        if !list.contains(&value) {
            list.push(value);
        }
    }
}

fn digests(reference: &Reference) -> Result<Vec<HexBytes>, ReferenceError> {
    let digests: Vec<HexBytes> = reference.digests.iter().map(|(_, value)| HexBytes(value.clone())).collect();
    if digests.is_empty() { Err(unfit(reference)) } else { Ok(digests) }
}

fn unfit(reference: &Reference) -> ReferenceError {
    ReferenceError::Value {
        component: reference.component.clone().unwrap_or_else(|| "a component without name".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::policy;

    #[test]
    fn a_manifest_adds_files_to_those_that_are_known() {
        let mut policy = policy();
        let text =
            format!("# release 12\n{}  /usr/bin/new file\n\n{} */usr/bin/sh\n", "0c".repeat(32), "0d".repeat(48));
        assert_eq!(policy.add_manifest(&text), Ok(2));
        let files = policy.ima.unwrap().files;
        assert_eq!(files["/usr/bin/new file"][0].digest, [0x0c; 32]);
        assert_eq!((files["/usr/bin/sh"].len(), files["/usr/bin/sh"][1].algorithm), (2, HashId::SHA384));
    }

    #[test]
    fn a_line_that_is_none_is_named() {
        for line in ["0c  /x", "zz  /x", "nothing", &format!("{} ", "0c".repeat(32))] {
            let text = format!("# first\n{line}\n");
            assert_eq!(policy().add_manifest(&text), Err(ReferenceError::Line { number: 2 }), "{line}");
        }
    }
}
