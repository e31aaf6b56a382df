// SPDX-License-Identifier: Apache-2.0 OR MIT
//! CoRIMs of TDX: of the Intel profile (draft-cds-rats-intel-corim-profile) the measurements of the TDX module and of TDs, and the
//! launch measurements that Microsoft's `igvm` writes.
//!
//! The profile has a class for the module, and none for a TD; as in Microsoft's it is the class "TDX" of the vendor "Intel" here. Its
//! RTMRs are CoRIM's own integrity registers, by their numbers.

use evtpm_verify::reference::{Component, Environment, Reference};

use super::{Member, ReferenceError, add, agreed_list, besides, only, sized, unfit, unknown_class};
use crate::policy::{Bytes, TdxPolicy};

/// 2.16.840.1.113741.1.2.3.4.3: the TDX module.
const SEAM: &[u8] = b"\x60\x86\x48\x01\x86\xf8\x4d\x01\x02\x03\x04\x03";

const SECTION: &str = "tdx";

/// What the documents name.
#[derive(Default)]
pub(super) struct Gathered {
    measurements: Vec<Bytes<48>>,
    /// The RTMRs, which all TDs have to agree on.
    rtmrs: Option<[Vec<Bytes<48>>; 4]>,
    modules: Vec<Bytes<48>>,
}

impl Gathered {
    /// Reads an environment of the Intel profile.
    pub(super) fn intel(&mut self, environment: &Environment) -> Result<(), ReferenceError> {
        let class = environment.class.as_deref();
        let is_module = class == Some(SEAM);
        let is_td = class.is_none() && is_tdx(environment);
        if !(is_module || is_td) {
            return Err(unknown_class(environment));
        }
        let [reference] = environment.references.as_slice() else { return Err(unknown_class(environment)) };
        only(reference, &[Member::Tee, Member::Registers])?;
        let measured = sized(&reference.tee).filter(|_| reference.component == Component::Whole);
        let measured = measured.ok_or_else(|| unfit(reference))?;
        if is_td {
            return self.td(measured, registers(reference)?);
        }
        only(reference, &[Member::Tee])?;
        add(&mut self.modules, measured);
        Ok(())
    }

    /// Reads an environment of Microsoft's profile: MRTD, and nothing else.
    pub(super) fn measured(&mut self, environment: &Environment) -> Result<(), ReferenceError> {
        let [reference] = environment.references.as_slice() else { return Err(unknown_class(environment)) };
        if !is_tdx(environment) {
            return Err(unknown_class(environment));
        }
        only(reference, &[Member::Digests])?;
        let is_mrtd = reference.component == Component::Named("MRTD".to_owned());
        let measured = sized(&reference.digests).filter(|_| is_mrtd).ok_or_else(|| unfit(reference))?;
        self.td(measured, Default::default())
    }

    fn td(&mut self, measured: Vec<Bytes<48>>, rtmrs: [Vec<Bytes<48>>; 4]) -> Result<(), ReferenceError> {
        if self.rtmrs.as_ref().is_some_and(|known| *known != rtmrs) {
            return Err(ReferenceError::Mixed { section: SECTION });
        }
        self.rtmrs = Some(rtmrs);
        add(&mut self.measurements, measured);
        Ok(())
    }

    /// The section, if any document names something for it.
    pub(super) fn into_policy(self, known: Option<&TdxPolicy>) -> Result<Option<TdxPolicy>, ReferenceError> {
        if self.measurements.is_empty() && self.modules.is_empty() {
            return Ok(None);
        }
        let [rtmr0, rtmr1, rtmr2, rtmr3] = self.rtmrs.unwrap_or_default();
        let mut measurements = known.map(|known| known.measurements.to_vec()).unwrap_or_default();
        add(&mut measurements, self.measurements);
        let missing = |_| ReferenceError::Incomplete { what: "measurement of a TD (MRTD)" };
        let blank = TdxPolicy::new(measurements.try_into().map_err(missing)?);
        let section = known.cloned().unwrap_or_else(|| blank.clone());
        let list = |list: fn(&TdxPolicy) -> &Vec<Bytes<48>>| known.map(|known| list(known).as_slice());
        Ok(Some(TdxPolicy {
            rtmr0: agreed_list(SECTION, rtmr0, list(|known| &known.rtmr0))?,
            rtmr1: agreed_list(SECTION, rtmr1, list(|known| &known.rtmr1))?,
            rtmr2: agreed_list(SECTION, rtmr2, list(|known| &known.rtmr2))?,
            rtmr3: agreed_list(SECTION, rtmr3, list(|known| &known.rtmr3))?,
            modules: besides(SECTION, self.modules, list(|known| &known.modules))?,
            measurements: blank.measurements,
            ..section
        }))
    }
}

fn is_tdx(environment: &Environment) -> bool {
    environment.vendor.as_deref() == Some("Intel") && environment.model.as_deref() == Some("TDX")
}

/// RTMR 0 to 3; a register of another number is none of a TD's.
fn registers(reference: &Reference) -> Result<[Vec<Bytes<48>>; 4], ReferenceError> {
    let mut rtmrs: [Vec<Bytes<48>>; 4] = Default::default();
    for (number, digests) in &reference.registers {
        let place = usize::try_from(*number).ok().and_then(|number| rtmrs.get_mut(number));
        *place.ok_or_else(|| unfit(reference))? = sized(digests).ok_or_else(|| unfit(reference))?;
    }
    Ok(rtmrs)
}
