// SPDX-License-Identifier: Apache-2.0 OR MIT
//! CoRIMs of SEV-SNP: the profile of draft-deeglaze-amd-sev-snp-corim-profile ("AMD SEV-SNP measurements", by the numbers of the
//! report's fields), and the launch measurements that Microsoft's `igvm` writes.

use evtpm_snp::{Generation, TcbVersion};
use evtpm_verify::reference::{Component, Environment, Reference, Svn};

use super::{ReferenceError, ReferenceOptions, add, or_known, sized, unfit, unknown_class};
use crate::policy::{Bytes, ProductName, SnpPolicy, TcbFloor};

/// 1.3.6.1.4.1.3704.3.1 and .2: a processor by its chip, or by the provider whose key (VLEK) it has. The draft writes the encoding
/// with tag and length.
const BY_CHIP: [&[u8]; 2] = [b"\x2b\x06\x01\x04\x01\x9c\x78\x03\x01", b"\x06\x09\x2b\x06\x01\x04\x01\x9c\x78\x03\x01"];
const BY_PROVIDER: [&[u8]; 2] =
    [b"\x2b\x06\x01\x04\x01\x9c\x78\x03\x02", b"\x06\x09\x2b\x06\x01\x04\x01\x9c\x78\x03\x02"];

/// What one environment names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Launch {
    measurements: Vec<Bytes<48>>,
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
        match &environment.instance {
            None if BY_CHIP.contains(&class) => {}
            Some(chip) if BY_CHIP.contains(&class) => {
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
            if seen.contains(&&reference.component) || reference.says_more {
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
        let measurements = sized(&reference.digests).filter(|_| is_measurement && !reference.says_more);
        match measurements {
            Some(measurements) if is_snp => Ok(Self { measurements, rest: Rest::default() }),
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
        if launches.iter().any(|launch| launch.rest != rest) {
            return Err(ReferenceError::Mixed { section: "snp" });
        }
        let mut measurements = Vec::new();
        launches.into_iter().for_each(|launch| add(&mut measurements, launch.measurements));
        let measurements = or_known(measurements, known.map(|known| known.measurements.as_slice()));
        let missing = |what| ReferenceError::Incomplete { what };
        if measurements.is_empty() && known.is_none_or(|known| known.endorsers.is_empty()) {
            return Err(missing("launch measurement"));
        }
        let mut products = known.map(|known| known.products.clone()).unwrap_or_default();
        add(&mut products, options.products.iter().copied());
        let mut tcb = known.map(|known| known.tcb.clone()).unwrap_or_default();
        if let Some(version) = rest.tcb {
            if products.is_empty() {
                return Err(missing("product line, which its patch levels would be of"));
            }
            tcb.extend(products.iter().map(|product| (*product, levels(version, *product))));
        }
        Ok(Some(SnpPolicy {
            products,
            simulated: known.map(|known| known.simulated.clone()).unwrap_or_default(),
            endorsers: known.map(|known| known.endorsers.clone()).unwrap_or_default(),
            measurements,
            vmpl: rest.vmpl.or(known.map(|known| known.vmpl)).unwrap_or_default(),
            allow_debug: false,
            allow_migration: false,
            allow_vlek: rest.is_by_provider,
            min_guest_svn: rest.guest_svn.or(known.map(|known| known.min_guest_svn)).unwrap_or_default(),
            tcb,
            tcb_fields: known.map(|known| known.tcb_fields.clone()).unwrap_or_default(),
            mitigations: known.map(|known| known.mitigations.clone()).unwrap_or_default(),
            platform_required: known.map(|known| known.platform_required.clone()).unwrap_or_default(),
            platform_refused: known.map(|known| known.platform_refused.clone()).unwrap_or_default(),
            id_keys: or_known(rest.id_keys, known.map(|known| known.id_keys.as_slice())),
            author_keys: or_known(rest.author_keys, known.map(|known| known.author_keys.as_slice())),
            host_data: or_known(rest.host_data, known.map(|known| known.host_data.as_slice())),
            chips: or_known(rest.chips, known.map(|known| known.chips.as_slice())),
            providers: or_known(rest.providers, known.map(|known| known.providers.as_slice())),
            revocation: known.map(|known| known.revocation).unwrap_or_default(),
        }))
    }
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
