// SPDX-License-Identifier: Apache-2.0 OR MIT
//! CoRIMs of Arm CCA (draft-ydb-rats-cca-endorsements) and of PSA (draft-fdb-rats-psa-endorsements): an implementation, the software
//! components that it runs with their signers, and what a realm measures.

use std::collections::BTreeMap;

use evtpm_verify::reference::{Component, Environment, Reference};

use super::{Member, ReferenceError, add, agreed_list, besides, digests, is_same, only, unfit, unknown_class};
use crate::policy::{AtLeastOne, Bytes, CcaPolicy, HexBytes, LifecycleState, PsaPolicy};

/// What the documents name of platforms and realms.
#[derive(Default)]
pub(super) struct Cca {
    platforms: Platforms,
    realms: Vec<Realm>,
}

/// What one realm measures: its initial contents, and everything else, which all realms have to agree on.
#[derive(Default)]
struct Realm {
    measurements: Vec<HexBytes>,
    rest: Rest,
}

#[derive(Default, PartialEq, Eq)]
struct Rest {
    rems: [Vec<HexBytes>; 4],
    personalizations: Vec<Bytes<64>>,
}

impl Cca {
    const SECTION: &str = "cca";

    pub(super) fn platform(&mut self, environment: &Environment) -> Result<(), ReferenceError> {
        let platform = self.platforms.of(environment)?;
        for reference in &environment.references {
            match &reference.component {
                Component::Named(name) if name == "cca.software-component" => platform.component(reference)?,
                Component::Named(name) if name == "cca.platform-config" => {
                    only(reference, &[Member::RawValue])?;
                    add(&mut platform.configs, reference.raw_value.clone().map(HexBytes));
                }
                _ => return Err(unfit(reference)),
            }
        }
        Ok(())
    }

    pub(super) fn realm(&mut self, environment: &Environment) -> Result<(), ReferenceError> {
        let mut realm = Realm::default();
        let [rem0, rem1, rem2, rem3] = &mut realm.rest.rems;
        for reference in &environment.references {
            let Component::Named(name) = &reference.component else { return Err(unfit(reference)) };
            let register = match name.as_str() {
                "cca.rim" => &mut realm.measurements,
                "cca.rem0" => &mut *rem0,
                "cca.rem1" => &mut *rem1,
                "cca.rem2" => &mut *rem2,
                "cca.rem3" => &mut *rem3,
                "cca.rpv" => {
                    only(reference, &[Member::RawValue])?;
                    let value = reference.raw_value.as_deref().and_then(|value| value.try_into().ok());
                    add(&mut realm.rest.personalizations, [Bytes(value.ok_or_else(|| unfit(reference))?)]);
                    continue;
                }
                _ => return Err(unfit(reference)),
            };
            only(reference, &[Member::Digests])?;
            add(register, digests(reference)?);
        }
        self.realms.push(realm);
        Ok(())
    }

    /// The section, if any document names something for it.
    pub(super) fn into_policy(self, known: Option<&CcaPolicy>) -> Result<Option<CcaPolicy>, ReferenceError> {
        if self.realms.is_empty() && self.platforms.0.is_empty() {
            return Ok(None);
        }
        let known_platform = known.map(|known| KnownPlatform {
            implementations: &known.implementations,
            components: &known.components,
            signers: &known.signers,
            configs: &known.configs,
        });
        let (implementations, platform) = self.platforms.joined(Self::SECTION, known_platform)?;
        let mut measurements = known.map(|known| known.measurements.to_vec()).unwrap_or_default();
        let mut rest = None;
        for realm in self.realms {
            if rest.as_ref().is_some_and(|rest| *rest != realm.rest) {
                return Err(ReferenceError::Mixed { section: Self::SECTION });
            }
            add(&mut measurements, realm.measurements);
            rest = Some(realm.rest);
        }
        let Rest { rems: [rem0, rem1, rem2, rem3], personalizations } = rest.unwrap_or_default();
        let missing = |what| ReferenceError::Incomplete { what };
        let rem = |stated, list: fn(&CcaPolicy) -> &Vec<HexBytes>| {
            agreed_list(Self::SECTION, stated, known.map(|known| list(known).as_slice()))
        };
        let known_personalizations = known.map(|known| known.personalizations.as_slice());
        Ok(Some(CcaPolicy {
            measurements: measurements.try_into().map_err(|_| missing("initial measurement of a realm"))?,
            rem0: rem(rem0, |known| &known.rem0)?,
            rem1: rem(rem1, |known| &known.rem1)?,
            rem2: rem(rem2, |known| &known.rem2)?,
            rem3: rem(rem3, |known| &known.rem3)?,
            personalizations: agreed_list(Self::SECTION, personalizations, known_personalizations)?,
            implementations: implementations.try_into().map_err(|_| missing("implementation of a platform"))?,
            lifecycle: known.map_or_else(secured, |known| known.lifecycle.clone()),
            configs: platform.configs,
            components: platform.components,
            signers: platform.signers,
            allow_recorded: known.is_some_and(|known| known.allow_recorded),
        }))
    }
}

/// What the documents name of devices.
#[derive(Default)]
pub(super) struct Psa(Platforms);

impl Psa {
    const SECTION: &str = "psa";

    pub(super) fn add(&mut self, environment: &Environment) -> Result<(), ReferenceError> {
        let device = self.0.of(environment)?;
        for reference in &environment.references {
            let is_component = reference.component == Component::Named("psa.software-component".to_owned());
            // "cryptokeys … MUST have exactly one entry": the signer.
            if !is_component || reference.signers.len() != 1 {
                return Err(unfit(reference));
            }
            device.component(reference)?;
        }
        Ok(())
    }

    /// The section, if any document names something for it.
    pub(super) fn into_policy(self, known: Option<&PsaPolicy>) -> Result<Option<PsaPolicy>, ReferenceError> {
        if self.0.0.is_empty() {
            return Ok(None);
        }
        let known_device = known.map(|known| KnownPlatform {
            implementations: &known.implementations,
            components: &known.components,
            signers: &known.signers,
            configs: &[],
        });
        let (implementations, device) = self.0.joined(Self::SECTION, known_device)?;
        let missing = |_| ReferenceError::Incomplete { what: "implementation of a device" };
        Ok(Some(PsaPolicy {
            implementations: implementations.try_into().map_err(missing)?,
            instances: known.map(|known| known.instances.clone()).unwrap_or_default(),
            lifecycle: known.map_or_else(secured, |known| known.lifecycle.clone()),
            components: device.components,
            signers: device.signers,
            allow_nonsecure_caller: known.is_none_or(|known| known.allow_nonsecure_caller),
            allow_recorded: known.is_some_and(|known| known.allow_recorded),
        }))
    }
}

fn secured() -> AtLeastOne<LifecycleState> {
    AtLeastOne::new(LifecycleState::Secured)
}

/// What runs on each implementation.
#[derive(Default)]
struct Platforms(BTreeMap<Bytes<32>, Platform>);

#[derive(Clone, Default, PartialEq, Eq)]
struct Platform {
    components: Vec<HexBytes>,
    signers: Vec<HexBytes>,
    configs: Vec<HexBytes>,
}

/// What a section accepts of platforms.
struct KnownPlatform<'a> {
    implementations: &'a [Bytes<32>],
    components: &'a [HexBytes],
    signers: &'a [HexBytes],
    configs: &'a [HexBytes],
}

impl Platforms {
    /// The platform of an environment, whose class is the implementation.
    fn of(&mut self, environment: &Environment) -> Result<&mut Platform, ReferenceError> {
        let class = environment.class.as_deref().and_then(|class| class.try_into().ok());
        Ok(self.0.entry(Bytes(class.ok_or_else(|| unknown_class(environment))?)).or_default())
    }

    /// All implementations with what each of them may run. More components of the same implementations are alternatives; other
    /// implementations have to run the same ones.
    fn joined(
        self,
        section: &'static str,
        known: Option<KnownPlatform<'_>>,
    ) -> Result<(Vec<Bytes<32>>, Platform), ReferenceError> {
        let (mut implementations, platforms): (Vec<_>, Vec<_>) = self.0.into_iter().unzip();
        let platform = platforms.first().cloned().unwrap_or_default();
        if platforms.iter().any(|other| *other != platform) {
            return Err(ReferenceError::Mixed { section });
        }
        let Some(known) = known else { return Ok((implementations, platform)) };
        let join = if is_same(&implementations, known.implementations) { besides } else { agreed_list };
        let joined = Platform {
            components: join(section, platform.components, Some(known.components))?,
            signers: join(section, platform.signers, Some(known.signers))?,
            configs: agreed_list(section, platform.configs, Some(known.configs))?,
        };
        let stated = core::mem::replace(&mut implementations, known.implementations.to_vec());
        add(&mut implementations, stated);
        Ok((implementations, joined))
    }
}

impl Platform {
    fn component(&mut self, reference: &Reference) -> Result<(), ReferenceError> {
        only(reference, &[Member::Digests, Member::Signers])?;
        add(&mut self.components, digests(reference)?);
        add(&mut self.signers, reference.signers.iter().cloned().map(HexBytes));
        Ok(())
    }
}
