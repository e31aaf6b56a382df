// SPDX-License-Identifier: Apache-2.0 OR MIT
//! CoRIMs of Arm CCA (draft-ydb-rats-cca-endorsements) and of PSA (draft-fdb-rats-psa-endorsements): an implementation, the software
//! components that it runs with their signers, and what a realm measures.

use evtpm_verify::reference::{Component, Environment, Reference};

use super::{ReferenceError, add, digests, or_known, unfit, unknown_class};
use crate::policy::{AtLeastOne, Bytes, CcaPolicy, HexBytes, LifecycleState, PsaPolicy};

/// What the documents name of platforms and realms.
#[derive(Default, PartialEq, Eq)]
pub(super) struct Cca {
    platforms: Psa,
    configs: Vec<HexBytes>,
    measurements: Vec<HexBytes>,
    rems: [Vec<HexBytes>; 4],
    personalizations: Vec<Bytes<64>>,
}

impl Cca {
    pub(super) fn platform(&mut self, environment: &Environment) -> Result<(), ReferenceError> {
        self.platforms.implementation(environment)?;
        for reference in &environment.references {
            match &reference.component {
                Component::Named(name) if name == "cca.software-component" => self.platforms.component(reference)?,
                Component::Named(name) if name == "cca.platform-config" => {
                    add(&mut self.configs, reference.raw_value.clone().map(HexBytes));
                }
                _ => return Err(unfit(reference)),
            }
        }
        Ok(())
    }

    pub(super) fn realm(&mut self, environment: &Environment) -> Result<(), ReferenceError> {
        let [rem0, rem1, rem2, rem3] = &mut self.rems;
        for reference in &environment.references {
            let Component::Named(name) = &reference.component else { return Err(unfit(reference)) };
            let register = match name.as_str() {
                "cca.rim" => &mut self.measurements,
                "cca.rem0" => &mut *rem0,
                "cca.rem1" => &mut *rem1,
                "cca.rem2" => &mut *rem2,
                "cca.rem3" => &mut *rem3,
                "cca.rpv" => {
                    let value = reference.raw_value.as_deref().and_then(|value| value.try_into().ok());
                    add(&mut self.personalizations, [Bytes(value.ok_or_else(|| unfit(reference))?)]);
                    continue;
                }
                _ => return Err(unfit(reference)),
            };
            add(register, digests(reference)?);
        }
        Ok(())
    }

    /// The section, if any document names something for it.
    pub(super) fn into_policy(self, known: Option<&CcaPolicy>) -> Result<Option<CcaPolicy>, ReferenceError> {
        if self == Self::default() {
            return Ok(None);
        }
        let missing = |what| ReferenceError::Incomplete { what };
        let measurements = or_known(self.measurements, known.map(|known| &*known.measurements));
        let implementations = or_known(self.platforms.implementations, known.map(|known| &*known.implementations));
        let [rem0, rem1, rem2, rem3] = self.rems;
        Ok(Some(CcaPolicy {
            measurements: measurements.try_into().map_err(|_| missing("initial measurement of a realm"))?,
            rem0: or_known(rem0, known.map(|known| known.rem0.as_slice())),
            rem1: or_known(rem1, known.map(|known| known.rem1.as_slice())),
            rem2: or_known(rem2, known.map(|known| known.rem2.as_slice())),
            rem3: or_known(rem3, known.map(|known| known.rem3.as_slice())),
            personalizations: or_known(self.personalizations, known.map(|known| known.personalizations.as_slice())),
            implementations: implementations.try_into().map_err(|_| missing("implementation of a platform"))?,
            lifecycle: AtLeastOne::new(LifecycleState::Secured),
            configs: or_known(self.configs, known.map(|known| known.configs.as_slice())),
            components: or_known(self.platforms.components, known.map(|known| known.components.as_slice())),
            signers: or_known(self.platforms.signers, known.map(|known| known.signers.as_slice())),
            allow_recorded: false,
        }))
    }
}

/// What the documents name of devices.
#[derive(Default, PartialEq, Eq)]
pub(super) struct Psa {
    implementations: Vec<Bytes<32>>,
    components: Vec<HexBytes>,
    signers: Vec<HexBytes>,
}

impl Psa {
    pub(super) fn add(&mut self, environment: &Environment) -> Result<(), ReferenceError> {
        self.implementation(environment)?;
        for reference in &environment.references {
            let is_component = reference.component == Component::Named("psa.software-component".to_owned());
            // "cryptokeys … MUST have exactly one entry": the signer.
            if !is_component || reference.signers.len() != 1 {
                return Err(unfit(reference));
            }
            self.component(reference)?;
        }
        Ok(())
    }

    fn implementation(&mut self, environment: &Environment) -> Result<(), ReferenceError> {
        let class = environment.class.as_deref().and_then(|class| class.try_into().ok());
        add(&mut self.implementations, [Bytes(class.ok_or_else(|| unknown_class(environment))?)]);
        Ok(())
    }

    fn component(&mut self, reference: &Reference) -> Result<(), ReferenceError> {
        add(&mut self.components, digests(reference)?);
        add(&mut self.signers, reference.signers.iter().cloned().map(HexBytes));
        Ok(())
    }

    /// The section, if any document names something for it.
    pub(super) fn into_policy(self, known: Option<&PsaPolicy>) -> Result<Option<PsaPolicy>, ReferenceError> {
        if self == Self::default() {
            return Ok(None);
        }
        let missing = ReferenceError::Incomplete { what: "implementation of a device" };
        Ok(Some(PsaPolicy {
            implementations: self.implementations.try_into().map_err(|_| missing)?,
            instances: known.map(|known| known.instances.clone()).unwrap_or_default(),
            lifecycle: AtLeastOne::new(LifecycleState::Secured),
            components: or_known(self.components, known.map(|known| known.components.as_slice())),
            signers: or_known(self.signers, known.map(|known| known.signers.as_slice())),
            allow_nonsecure_caller: known.is_none_or(|known| known.allow_nonsecure_caller),
            allow_recorded: false,
        }))
    }
}
