// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `TPM2_PolicyCapability` (Part 3, "TPM2_PolicyCapability").

use super::comparison::holds;
use crate::commands::Execute;
use crate::{Platform, Tpm};
use evtpm_crypto::Crypto;
use evtpm_tpm_wire::commands::{GetCapability, PolicyCapability, PolicyCapabilityHandles};
use evtpm_tpm_wire::{Buf, Cc, Marshal, Rc, Subject, TpmCap, TpmEo, TpmsCapabilityData};

/// The size of the largest property, a `TPMS_TAGGED_POLICY`.
const MAX_PROPERTY: usize = 4 + 2 + 64;

impl Execute for PolicyCapability {
    fn run<P: Platform>(self, tpm: &mut Tpm<P>, handles: PolicyCapabilityHandles) -> Result<(), Rc> {
        let mut evaluation = tpm.evaluation(handles.policy_session)?;
        if !evaluation.is_trial() {
            // "If property is TPM_CAP_PCRS, then the TPM returns TPM_RC_VALUE."
            if self.capability == TpmCap::Pcrs {
                return Err(Rc::VALUE.at(Subject::Parameter(4)));
            }
            match property(tpm, self.capability, self.property)? {
                Some(value) => check(&self, value.as_bytes())?,
                // "If the requested TPM property does not exist, the TPM will return TPM_RC_POLICY unless the operation is
                // TPM_EO_NEQ."
                None if self.operation == TpmEo::Neq => {}
                None => return Err(Rc::POLICY),
            }
        }

        // "args ≔ H_policyAlg (operandB.buffer ∥ offset ∥ operation ∥ capability ∥ property)"
        let parts: [&[u8]; 5] = [
            self.operand_b.as_bytes(),
            &self.offset.to_be_bytes(),
            &self.operation.number().to_be_bytes(),
            &self.capability.number().to_be_bytes(),
            &self.property.to_be_bytes(),
        ];
        let arguments = P::Crypto::hash(evaluation.hash()?, &parts);
        evaluation.extend(|digest| digest.extend::<P::Crypto>(Cc::POLICY_CAPABILITY, &[arguments.as_bytes()]))?;

        tpm.keep_evaluation(evaluation);
        Ok(())
    }
}

fn check(command: &PolicyCapability, value: &[u8]) -> Result<(), Rc> {
    let rest = value.get(usize::from(command.offset)..).ok_or(Rc::VALUE.at(Subject::Parameter(2)))?;
    let operand = command.operand_b.as_bytes();
    let compared = rest.get(..operand.len()).ok_or(Rc::SIZE.at(Subject::Parameter(1)))?;
    if holds(command.operation, compared, operand) { Ok(()) } else { Err(Rc::POLICY) }
}

/// Finds a property as `TPM2_GetCapability` tells it: the first item from there on, if it is the one that was asked for.
///
/// Its errors are for what could not exist in any TPM; as the reference, they are not taken for what does not exist.
fn property<P: Platform>(tpm: &mut Tpm<P>, capability: TpmCap, property: u32) -> Result<Option<Buf<MAX_PROPERTY>>, Rc> {
    let command = GetCapability { capability, property, property_count: 1 };
    // Its first two parameters are our fourth and fifth.
    let told = command.run(tpm, ()).map_err(|rc| match rc.subject() {
        Some(Subject::Parameter(number)) => rc.base().at(Subject::Parameter(number.saturating_add(3))),
        _ => rc,
    })?;
    Ok(match told.capability_data {
        TpmsCapabilityData::Algs(list) => list.first().filter(|item| u32::from(item.alg.0) == property).and_then(bytes),
        TpmsCapabilityData::Handles(list) => list.first().filter(|item| item.0 == property).and_then(bytes),
        TpmsCapabilityData::Commands(list) => {
            list.first().filter(|item| item.command_index() == property).and_then(bytes)
        }
        TpmsCapabilityData::TpmProperties(list) => {
            list.first().filter(|item| item.property.0 == property).and_then(bytes)
        }
        TpmsCapabilityData::PcrProperties(list) => list.first().filter(|item| item.tag.0 == property).and_then(bytes),
        TpmsCapabilityData::EccCurves(list) => {
            list.first().filter(|item| u32::from(**item) == property).and_then(bytes)
        }
        TpmsCapabilityData::AuthPolicies(list) => list.first().filter(|item| item.handle.0 == property).and_then(bytes),
        TpmsCapabilityData::PpCommands(list) | TpmsCapabilityData::AuditCommands(list) => {
            list.first().filter(|code| code.0 == property).and_then(bytes)
        }
        TpmsCapabilityData::Act(list) => list.first().filter(|item| item.handle.0 == property).and_then(bytes),
        TpmsCapabilityData::Pcrs(_) => None,
    })
}

fn bytes(item: &impl Marshal) -> Option<Buf<MAX_PROPERTY>> {
    let mut buffer = [0; MAX_PROPERTY];
    Buf::new(item.to_bytes(&mut buffer).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::ea::testing::{digest, policy, started_policy};
    use crate::testing::TestCrypto;
    use evtpm_crypto::HashAlg;
    use evtpm_tpm_wire::Tpm2bOperand;

    /// `TPM_PT_REVISION`.
    const REVISION: u32 = 0x102;

    fn command(operand: u32, operation: TpmEo, property: u32) -> PolicyCapability {
        let operand_b = Tpm2bOperand::new(&operand.to_be_bytes()).unwrap();
        PolicyCapability { operand_b, offset: 4, operation, capability: TpmCap::TpmProperties, property }
    }

    #[test]
    fn a_property_is_compared_behind_its_tag() {
        let (mut tpm, session) = started_policy();
        let handles = PolicyCapabilityHandles { policy_session: policy(session) };
        let revision = tpm.profile.identity.revision;
        assert_eq!(tpm.send(&command(revision, TpmEo::UnsignedLt, REVISION), handles), Err(Rc::POLICY));
        tpm.send(&command(revision, TpmEo::Eq, REVISION), handles).unwrap();
        let parts: [&[u8]; 3] = [&revision.to_be_bytes(), &[0, 4, 0, 0, 0, 0, 0, 6], &REVISION.to_be_bytes()];
        let arguments = TestCrypto::hash(HashAlg::Sha256, &parts);
        let expected = TestCrypto::hash(HashAlg::Sha256, &[&[0; 32], &[0, 0, 1, 0x9B], arguments.as_bytes()]);
        assert_eq!(digest(&mut tpm, session), expected.as_bytes());
    }

    #[test]
    fn what_does_not_exist_is_only_unequal() {
        let (mut tpm, session) = started_policy();
        let handles = PolicyCapabilityHandles { policy_session: policy(session) };
        assert_eq!(tpm.send(&command(0, TpmEo::Eq, 0x1FF), handles), Err(Rc::POLICY));
        tpm.send(&command(0, TpmEo::Neq, 0x1FF), handles).unwrap();
        let banks = PolicyCapability { capability: TpmCap::Pcrs, ..command(0, TpmEo::Neq, 0) };
        assert_eq!(tpm.send(&banks, handles), Err(Rc::VALUE.at(Subject::Parameter(4))));
    }

    #[test]
    fn what_cannot_exist_is_an_error() {
        let (mut tpm, session) = started_policy();
        let handles = PolicyCapabilityHandles { policy_session: policy(session) };
        for (capability, property, expected) in [
            (TpmCap::Handles, 0x7000_0000, Rc::HANDLE.at(Subject::Parameter(5))),
            (TpmCap::AuthPolicies, 0x8000_0000, Rc::VALUE.at(Subject::Parameter(5))),
            (TpmCap::Act, 0x4000_0001, Rc::VALUE.at(Subject::Parameter(5))),
            (TpmCap::VendorProperty, 0, Rc::VALUE.at(Subject::Parameter(4))),
        ] {
            let command = PolicyCapability { capability, ..command(0, TpmEo::Neq, property) };
            assert_eq!(tpm.send(&command, handles), Err(expected), "{capability:?}");
        }
    }

    #[test]
    fn an_operand_past_the_end_is_an_error() {
        let (mut tpm, session) = started_policy();
        let handles = PolicyCapabilityHandles { policy_session: policy(session) };
        let late = |offset| PolicyCapability { offset, ..command(0, TpmEo::Eq, REVISION) };
        assert_eq!(tpm.send(&late(5), handles), Err(Rc::SIZE.at(Subject::Parameter(1))));
        assert_eq!(tpm.send(&late(9), handles), Err(Rc::VALUE.at(Subject::Parameter(2))));
    }
}
