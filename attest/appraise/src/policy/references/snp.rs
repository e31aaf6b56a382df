// SPDX-License-Identifier: Apache-2.0 OR MIT
//! CoRIMs of SEV-SNP: the profile of draft-deeglaze-amd-sev-snp-corim-profile ("AMD SEV-SNP measurements", by the numbers of the
//! report's fields), and the launch measurements that Microsoft's `igvm` writes.

use std::collections::BTreeMap;

use evtpm_snp::{Generation, TcbVersion};
use evtpm_verify::reference::{Component, Environment, Reference, Svn};

use super::{Member, ReferenceError, ReferenceOptions, add, agreed, agreed_list, only, sized, unfit, unknown_class};
use crate::policy::{Bytes, ProductName, SnpPolicy, TcbFloor};

/// 1.3.6.1.4.1.3704.3.1 and .2: a processor by its chip, or by the provider whose key (VLEK) it has. The draft writes the encoding
/// with tag and length.
const BY_CHIP: [&[u8]; 2] = [b"\x2b\x06\x01\x04\x01\x9c\x78\x03\x01", b"\x06\x09\x2b\x06\x01\x04\x01\x9c\x78\x03\x01"];
const BY_PROVIDER: [&[u8]; 2] =
    [b"\x2b\x06\x01\x04\x01\x9c\x78\x03\x02", b"\x06\x09\x2b\x06\x01\x04\x01\x9c\x78\x03\x02"];

const SECTION: &str = "snp";

/// What one environment names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Launch {
    measurements: Vec<Bytes<48>>,
    /// Whether its processor is one that signs with a key of its own (VCEK).
    is_by_chip: bool,
    /// Everything else, which all environments have to agree on.
    rest: Rest,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Rest {
    vmpl: Option<u32>,
    guest_svn: Option<u32>,
    tcb: Option<TcbVersion>,
    id_keys: Vec<Bytes<48>>,
    author_keys: Vec<Bytes<48>>,
    host_data: Vec<Bytes<32>>,
    chips: Vec<Bytes<64>>,
    providers: Vec<String>,
    is_by_provider: bool,
}

impl Launch {
    /// Reads an environment of the draft's profile.
    pub(super) fn read(environment: &Environment, options: &ReferenceOptions) -> Result<Self, ReferenceError> {
        let mut launch = Self::default();
        let class = environment.class.as_deref().ok_or_else(|| unknown_class(environment))?;
        launch.is_by_chip = BY_CHIP.contains(&class);
        match &environment.instance {
            None if launch.is_by_chip => {}
            Some(chip) if launch.is_by_chip => {
                let chip = chip.as_slice().try_into().map_err(|_| unknown_class(environment))?;
                launch.rest.chips.push(Bytes(chip));
            }
            instance if BY_PROVIDER.contains(&class) => {
                launch.rest.is_by_provider = true;
                let name = instance.clone().map(String::from_utf8).transpose();
                launch.rest.providers.extend(name.map_err(|_| unknown_class(environment))?);
            }
            _ => return Err(unknown_class(environment)),
        }
        let mut seen = Vec::new();
        for reference in &environment.references {
            if seen.contains(&&reference.component) {
                return Err(unfit(reference));
            }
            seen.push(&reference.component);
            launch.field(reference, options)?;
        }
        Ok(launch)
    }

    /// One field of the report; those that no rule is about are refused.
    fn field(&mut self, reference: &Reference, options: &ReferenceOptions) -> Result<(), ReferenceError> {
        let refused = || unfit(reference);
        let Component::Numbered(number) = reference.component else { return Err(refused()) };
        let raw = reference.raw_value.as_deref();
        let read = match number {
            1 | 647 => Member::Svn,
            5 => Member::RawInt,
            642 if raw.is_some() => Member::RawValue,
            641..=644 => Member::Digests,
            3328 => Member::RawValue,
            _ => return Err(refused()),
        };
        only(reference, &[read])?;
        match number {
            1 => {
                let version = floor(reference, options)?;
                self.rest.guest_svn = Some(u32::try_from(version).map_err(|_| refused())?);
            }
            5 => self.rest.vmpl = Some(reference.raw_int.and_then(|level| level.try_into().ok()).ok_or_else(refused)?),
            641 => self.measurements = sized(&reference.digests).ok_or_else(refused)?,
            // The draft has digests here, and says SHA-384 of what has 32 bytes: those of SHA-256 and the bytes themselves are read.
            642 => {
                let bytes = raw.and_then(|value| value.try_into().ok()).map(|value| vec![Bytes(value)]);
                self.rest.host_data = bytes.or_else(|| sized(&reference.digests)).ok_or_else(refused)?;
            }
            643 => self.rest.id_keys = sized(&reference.digests).ok_or_else(refused)?,
            644 => self.rest.author_keys = sized(&reference.digests).ok_or_else(refused)?,
            647 => self.rest.tcb = Some(TcbVersion(floor(reference, options)?)),
            3328 => {
                let chip = raw.and_then(|value| value.try_into().ok()).ok_or_else(refused)?;
                add(&mut self.rest.chips, [Bytes(chip)]);
            }
            _ => return Err(refused()),
        }
        Ok(())
    }

    /// Reads an environment of Microsoft's profile: a measurement, and nothing else.
    pub(super) fn measured(environment: &Environment) -> Result<Self, ReferenceError> {
        let is_snp = environment.model.as_deref() == Some("SEV-SNP");
        let [reference] = environment.references.as_slice() else { return Err(unknown_class(environment)) };
        let is_measurement = reference.component == Component::Named("MEASUREMENT".to_owned());
        only(reference, &[Member::Digests])?;
        match sized(&reference.digests).filter(|_| is_measurement) {
            Some(measurements) if is_snp => Ok(Self { measurements, ..Self::default() }),
            _ => Err(unfit(reference)),
        }
    }

    /// The section, if any document names something for it.
    pub(super) fn into_policy(
        launches: Vec<Self>,
        known: Option<&SnpPolicy>,
        options: &ReferenceOptions,
    ) -> Result<Option<SnpPolicy>, ReferenceError> {
        let Some(Self { rest, .. }) = launches.first().cloned() else { return Ok(None) };
        // A launch that its author expects under a processor's own key must not pass under a provider's.
        let mixes_keys = |known: &SnpPolicy| match known.allow_vlek {
            true => launches.iter().any(|launch| launch.is_by_chip),
            false => rest.is_by_provider,
        };
        if launches.iter().any(|launch| launch.rest != rest) || known.is_some_and(mixes_keys) {
            return Err(ReferenceError::Mixed { section: SECTION });
        }
        let mut section = known.cloned().unwrap_or_default();
        launches.into_iter().for_each(|launch| add(&mut section.measurements, launch.measurements));
        if section.accepts_any_launch() {
            return Err(ReferenceError::Incomplete { what: "launch measurement" });
        }
        add(&mut section.products, options.products.iter().copied());
        if let Some(version) = rest.tcb {
            section.tcb = floors(version, &section.products, known)?;
        }
        let known_list = |list: fn(&SnpPolicy) -> &Vec<Bytes<48>>| known.map(|known| list(known).as_slice());
        Ok(Some(SnpPolicy {
            vmpl: agreed(SECTION, rest.vmpl, known.map(|known| known.vmpl))?.unwrap_or_default(),
            min_guest_svn: agreed(SECTION, rest.guest_svn, known.map(|known| known.min_guest_svn))?.unwrap_or_default(),
            allow_vlek: section.allow_vlek || rest.is_by_provider,
            id_keys: agreed_list(SECTION, rest.id_keys, known_list(|known| &known.id_keys))?,
            author_keys: agreed_list(SECTION, rest.author_keys, known_list(|known| &known.author_keys))?,
            host_data: agreed_list(SECTION, rest.host_data, known.map(|known| known.host_data.as_slice()))?,
            chips: agreed_list(SECTION, rest.chips, known.map(|known| known.chips.as_slice()))?,
            providers: agreed_list(SECTION, rest.providers, known.map(|known| known.providers.as_slice()))?,
            ..section
        }))
    }
}

/// The floors of the product lines: those that the policy has have to be the same, and a line that it accepts without floor keeps none.
fn floors(
    version: TcbVersion,
    products: &[ProductName],
    known: Option<&SnpPolicy>,
) -> Result<BTreeMap<ProductName, TcbFloor>, ReferenceError> {
    if products.is_empty() {
        return Err(ReferenceError::Incomplete { what: "product line, which its patch levels would be of" });
    }
    let mut floors = known.map(|known| known.tcb.clone()).unwrap_or_default();
    for product in products {
        let levels = levels(version, *product);
        let is_accepted = known.is_some_and(|known| known.products.contains(product));
        match floors.insert(*product, levels) {
            Some(floor) if floor != levels => return Err(ReferenceError::Mixed { section: SECTION }),
            None if is_accepted => return Err(ReferenceError::Mixed { section: SECTION }),
            _ => {}
        }
    }
    Ok(floors)
}

/// The lowest security version that is accepted.
fn floor(reference: &Reference, options: &ReferenceOptions) -> Result<u64, ReferenceError> {
    match reference.svn {
        Some(Svn::Minimum(version)) => Ok(version),
        Some(Svn::Exact(version)) if options.svn_floors => Ok(version),
        Some(Svn::Exact(_)) => Err(ReferenceError::ExactVersion { component: reference.component.to_string() }),
        None => Err(unfit(reference)),
    }
}

fn levels(version: TcbVersion, product: ProductName) -> TcbFloor {
    let generation = match product {
        ProductName::Milan => Generation::Milan,
        ProductName::Genoa => Generation::Genoa,
        ProductName::Turin => Generation::Turin,
        ProductName::Venice => Generation::Venice,
    };
    version.decode(generation).into()
}
