// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Reference values that feed a policy: CoRIMs, NVIDIA's manifests, and manifests of files.
//!
//! What a CoRIM's values mean is for its profile to say; docs/POLICY.md lists those that are known here and what is read of each. A
//! CoRIM of any other profile, and a value that restricts what no policy can, is refused rather than guessed at: nothing wider is
//! accepted than its author meant.

mod arm;
mod snp;
mod tdx;

use core::fmt;

use evtpm_logs::HashId;
use evtpm_verify::{
    Vendor, Verified,
    reference::{Digests, Environment, Reference, ReferenceValues},
    rim::ReferenceMeasurements,
};

use super::{AtLeastOne, Bytes, FileDigest, HexBytes, ImaPolicy, Index, NvidiaPolicy, Policy, ProductName};

/// draft-ydb-rats-cca-endorsements.
const CCA_PLATFORM: &str = "tag:arm.com,2025:cca_platform#1.0.0";
const CCA_REALM: &str = "tag:arm.com,2025:cca_realm#1.0.0";
/// draft-fdb-rats-psa-endorsements.
const PSA: &str = "tag:arm.com,2025:psa#1.0.0";
/// draft-deeglaze-amd-sev-snp-corim-profile, its revision 02 and what its editor made of it since.
const SNP: [&str; 2] = ["tag:amd.com,2024:snp-corim-profile", "tag:amd.com,2025:snp-corim-profile"];
/// draft-cds-rats-intel-corim-profile.
const INTEL: &str = "2.16.840.1.113741.1.16.1";
/// What Microsoft's `igvm` writes of the files that it measures.
const LAUNCH: &str = "tag:microsoft.com,2026:launch-measurement/v1";

/// What the operator says to reference values that leave it open.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReferenceOptions {
    /// The product lines of AMD whose processors are accepted, and whose firmware the patch levels are of; besides those that the
    /// policy has.
    pub products: Vec<ProductName>,
    /// Whether a security version that is named exactly is the lowest that is accepted: a policy has no other rule for it.
    pub svn_floors: bool,
}

/// Why reference values cannot feed a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReferenceError {
    /// Nobody here knows what values of this profile mean.
    Profile {
        /// The profile.
        profile: String,
    },
    /// A value is not what its profile asks for, or no rule of a policy is about it.
    Value {
        /// What was measured.
        component: String,
    },
    /// A security version is named exactly, and a policy can only say which is the lowest.
    ExactVersion {
        /// What has the version.
        component: String,
    },
    /// Environments, or one and the section that is there, restrict different things, so that one section would accept what
    /// neither of them does.
    Mixed {
        /// The section.
        section: &'static str,
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
            Self::Profile { profile } => write!(
                f,
                "CoRIM profile \"{profile}\": expected one of {CCA_PLATFORM}, {CCA_REALM}, {PSA}, {}, {}, {INTEL}, {LAUNCH}",
                SNP[0], SNP[1]
            ),
            Self::Value { component } => write!(
                f,
                "CoRIM: the value of {component} is not what its profile asks for, or restricts what no rule of a policy is about"
            ),
            Self::ExactVersion { component } => write!(
                f,
                "CoRIM: {component} has to be of exactly one security version, and a policy can only say which is the lowest"
            ),
            Self::Mixed { section } => {
                write!(
                    f,
                    "CoRIM: its environments, or they and the section [{section}] that the policy has, restrict different things, \
                     which one section cannot tell apart"
                )
            }
            Self::Incomplete { what } => write!(f, "the reference values have no {what}"),
            Self::Line { number } => {
                write!(f, "manifest, line {number}: expected a digest and a path, as sha256sum prints")
            }
        }
    }
}

impl core::error::Error for ReferenceError {}

impl Policy {
    /// Adds verified reference values: what they name is accepted besides what was, and nothing that was accepted is refused now.
    ///
    /// What they restrict besides, a section that is there has to restrict alike: otherwise it would accept what neither of both
    /// authors does. What only the section restricts holds for the added values too.
    pub fn add_references(
        &mut self,
        documents: &[Verified<ReferenceValues, Vendor>],
        options: &ReferenceOptions,
    ) -> Result<(), ReferenceError> {
        self.add_values(documents.iter().map(|document| &**document), options)
    }

    fn add_values<'a>(
        &mut self,
        documents: impl IntoIterator<Item = &'a ReferenceValues>,
        options: &ReferenceOptions,
    ) -> Result<(), ReferenceError> {
        let (mut cca, mut psa) = (arm::Cca::default(), arm::Psa::default());
        let (mut snp, mut tdx) = (Vec::new(), tdx::Gathered::default());
        for document in documents {
            for environment in &document.environments {
                read_whole(document.profile.as_deref(), environment)?;
                match document.profile.as_deref() {
                    Some(CCA_PLATFORM) => cca.platform(environment)?,
                    Some(CCA_REALM) => cca.realm(environment)?,
                    Some(PSA) => psa.add(environment)?,
                    Some(profile) if SNP.contains(&profile) => snp.push(snp::Launch::read(environment, options)?),
                    Some(INTEL) => tdx.intel(environment)?,
                    Some(LAUNCH) if environment.vendor.as_deref() == Some("AMD") => {
                        snp.push(snp::Launch::measured(environment)?);
                    }
                    Some(LAUNCH) => tdx.measured(environment)?,
                    other => return Err(ReferenceError::Profile { profile: other.unwrap_or("none").to_owned() }),
                }
            }
        }
        let cca = cca.into_policy(self.cca.as_ref())?;
        let psa = psa.into_policy(self.psa.as_ref())?;
        let snp = snp::Launch::into_policy(snp, self.snp.as_ref(), options)?;
        let tdx = tdx.into_policy(self.tdx.as_ref())?;
        self.cca = cca.or_else(|| self.cca.take());
        self.psa = psa.or_else(|| self.psa.take());
        self.snp = snp.or_else(|| self.snp.take());
        self.tdx = tdx.or_else(|| self.tdx.take());
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
            let known = files.entry(path).or_insert_with(|| AtLeastOne::new(digest));
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
    FileDigest::new(algorithm, &digest).filter(|_| !path.is_empty()).map(|digest| (path.to_owned(), digest))
}

/// Adds what is not there yet.
fn add<T: PartialEq>(list: &mut Vec<T>, values: impl IntoIterator<Item = T>) {
    for value in values {
        if !list.contains(&value) {
            list.push(value);
        }
    }
}

/// Refuses an environment whose author restricts what is not read of it.
fn read_whole(profile: Option<&str>, environment: &Environment) -> Result<(), ReferenceError> {
    // Rules are about instances of processors alone: their chips and providers.
    let is_processor = profile.is_some_and(|profile| SNP.contains(&profile));
    if environment.says_more || (environment.instance.is_some() && !is_processor) {
        return Err(unknown_class(environment));
    }
    let is_read_past = |reference: &&Reference| {
        // A platform's configuration is compared as a whole, which is stricter than under its mask.
        let is_stricter = reference.is_masked && profile == Some(CCA_PLATFORM);
        reference.says_more && !is_stricter
    };
    environment.references.iter().find(is_read_past).map_or(Ok(()), |reference| Err(unfit(reference)))
}

/// What a reference may have values of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Member {
    Digests,
    Svn,
    RawValue,
    RawInt,
    Registers,
    Tee,
    Signers,
}

/// Refuses a reference with values besides those that are read of it.
fn only(reference: &Reference, read: &[Member]) -> Result<(), ReferenceError> {
    let stated = [
        (Member::Digests, !reference.digests.is_empty()),
        (Member::Svn, reference.svn.is_some()),
        (Member::RawValue, reference.raw_value.is_some()),
        (Member::RawInt, reference.raw_int.is_some()),
        (Member::Registers, !reference.registers.is_empty()),
        (Member::Tee, !reference.tee.is_empty()),
        (Member::Signers, !reference.signers.is_empty()),
    ];
    let is_left = stated.iter().any(|(member, is_stated)| *is_stated && !read.contains(member));
    if is_left { Err(unfit(reference)) } else { Ok(()) }
}

/// What the documents state has to be what the policy states, if there is one; what they leave open, the policy may restrict.
fn agreed<T: PartialEq>(
    section: &'static str,
    stated: Option<T>,
    known: Option<T>,
) -> Result<Option<T>, ReferenceError> {
    match (stated, known) {
        (Some(stated), Some(known)) if stated != known => Err(ReferenceError::Mixed { section }),
        (stated, known) => Ok(known.or(stated)),
    }
}

/// The same for lists, of which an empty one leaves it open.
fn agreed_list<T: Clone + PartialEq>(
    section: &'static str,
    stated: Vec<T>,
    known: Option<&[T]>,
) -> Result<Vec<T>, ReferenceError> {
    match known {
        None => Ok(stated),
        Some(known) if stated.is_empty() || is_same(&stated, known) => Ok(known.to_vec()),
        Some(_) => Err(ReferenceError::Mixed { section }),
    }
}

fn is_same<T: PartialEq>(one: &[T], other: &[T]) -> bool {
    one.iter().all(|value| other.contains(value)) && other.iter().all(|value| one.contains(value))
}

/// What is accepted besides what the policy accepts, unless that is anything.
fn besides<T: Clone + PartialEq>(
    section: &'static str,
    stated: Vec<T>,
    known: Option<&[T]>,
) -> Result<Vec<T>, ReferenceError> {
    if known.is_some_and(<[T]>::is_empty) && !stated.is_empty() {
        return Err(ReferenceError::Mixed { section });
    }
    let mut all = known.map(<[T]>::to_vec).unwrap_or_default();
    add(&mut all, stated);
    Ok(all)
}

fn digests(reference: &Reference) -> Result<Vec<HexBytes>, ReferenceError> {
    let digests: Vec<HexBytes> = reference.digests.iter().map(|(_, value)| HexBytes(value.clone())).collect();
    if digests.is_empty() { Err(unfit(reference)) } else { Ok(digests) }
}

/// Digests of one length, of which there has to be one at least; the algorithm goes with the length.
fn sized<const N: usize>(digests: &Digests) -> Option<Vec<Bytes<N>>> {
    let values: Option<Vec<Bytes<N>>> =
        digests.iter().map(|(_, value)| value.as_slice().try_into().ok().map(Bytes)).collect();
    values.filter(|values| !values.is_empty())
}

fn unfit(reference: &Reference) -> ReferenceError {
    ReferenceError::Value { component: reference.component.to_string() }
}

/// An environment of no class, of one that its profile does not know, or of which more is said than can be judged.
fn unknown_class(environment: &Environment) -> ReferenceError {
    let class = environment.class.as_deref().map(hex::encode);
    let named = environment.model.clone().or(class).unwrap_or_else(|| "none".to_owned());
    ReferenceError::Value { component: format!("the environment of class {named}") }
}

#[cfg(test)]
mod corim_tests;

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
        assert_eq!(files["/usr/bin/new file"][0].digest.as_bytes(), [0x0c; 32]);
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
