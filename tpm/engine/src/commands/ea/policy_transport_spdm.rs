// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `TPM2_PolicyTransportSPDM` (Part 3, "TPM2_PolicyTransportSPDM").

use crate::commands::Execute;
use crate::{Platform, Tpm};
use evtpm_tpm_wire::commands::{PolicyTransportSpdm, PolicyTransportSpdmHandles};
use evtpm_tpm_wire::{HashAlg, Rc, Reader, Subject, Supported, Tpm2bName};

impl Execute for PolicyTransportSpdm {
    fn run<P: Platform>(self, tpm: &mut Tpm<P>, handles: PolicyTransportSpdmHandles) -> Result<(), Rc> {
        let mut evaluation = tpm.evaluation(handles.policy_session)?;
        if !evaluation.is_trial() {
            // "If policySession→checkSecureChannel is SET ..., the TPM shall return TPM_RC_VALUE."
            if evaluation.policy.secure_channel {
                return Err(Rc::VALUE);
            }
            let supported = &tpm.profile.supported;
            check_name(&self.req_key_name, supported).map_err(|rc| rc.at(Subject::Parameter(1)))?;
            check_name(&self.tpm_key_name, supported).map_err(|rc| rc.at(Subject::Parameter(2)))?;
        }

        evaluation.extend(|digest| digest.transport_spdm::<P::Crypto>(&self.req_key_name, &self.tpm_key_name))?;
        // Of the keys the session remembers nothing: this TPM has no SPDM channel whose keys could be compared, so an
        // authorization ends with TPM_RC_CHANNEL before it comes to them.
        evaluation.policy.secure_channel = true;

        tpm.keep_evaluation(evaluation);
        Ok(())
    }
}

/// "it is required to be a valid object Name using nameAlg other than TPM_ALG_NULL", unless it is empty.
fn check_name(name: &Tpm2bName, supported: &Supported) -> Result<(), Rc> {
    if name.is_empty() {
        return Ok(());
    }
    let mut reader = Reader::new(name.as_bytes(), supported);
    // Of a Name that is shorter than an algorithm, the reference says TPM_RC_SIZE.
    let alg = reader.read::<HashAlg>().map_err(|rc| if rc == Rc::INSUFFICIENT { Rc::SIZE } else { Rc::HASH })?;
    if reader.remaining().len() == alg.digest_size() { Ok(()) } else { Err(Rc::SIZE) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::ea::testing::{authorized, digest, policy, started_policy, started_trial};
    use crate::testing::TestCrypto;
    use crate::testing::TestTpm;
    use evtpm_protocol::PolicyDigest;
    use evtpm_tpm_wire::commands::{ClockSet, ClockSetHandles, SetPrimaryPolicy, SetPrimaryPolicyHandles};
    use evtpm_tpm_wire::{Handle, Tpm2bDigest, TpmiRhHierarchyAuth, TpmiRhHierarchyPolicy, TpmiRhProvision};

    fn restrict(tpm: &mut TestTpm, session: Handle, requester: &[u8], own: &[u8]) -> Result<(), Rc> {
        let (req_key_name, tpm_key_name) = (Tpm2bName::new(requester).unwrap(), Tpm2bName::new(own).unwrap());
        let handles = PolicyTransportSpdmHandles { policy_session: policy(session) };
        tpm.send(&PolicyTransportSpdm { req_key_name, tpm_key_name }, handles)
    }

    fn sha256_name() -> [u8; 34] {
        let mut name = [7; 34];
        name[..2].copy_from_slice(&[0, 0x0B]);
        name
    }

    #[test]
    fn without_a_channel_nothing_is_authorized() {
        let (mut tpm, session) = started_policy();
        restrict(&mut tpm, session, &[], &[]).unwrap();
        let auth_policy = Tpm2bDigest::new(&digest(&mut tpm, session)).unwrap();
        let owner =
            SetPrimaryPolicyHandles { auth_handle: TpmiRhHierarchyPolicy::Hierarchy(TpmiRhHierarchyAuth::Owner) };
        tpm.send(&SetPrimaryPolicy { auth_policy, hash_alg: Some(HashAlg::Sha256) }, owner).unwrap();
        let handles = ClockSetHandles { auth: TpmiRhProvision::Owner };
        let refused = authorized(&mut tpm, session, &[], &ClockSet { new_time: 1 }, handles);
        assert_eq!(refused, Err(Rc::CHANNEL.at(Subject::Session(1))));
    }

    #[test]
    fn the_digest_holds_the_names_and_is_restricted_once() {
        let (mut tpm, session) = started_policy();
        let name = sha256_name();
        restrict(&mut tpm, session, &[], &name).unwrap();
        let start = PolicyDigest::new(HashAlg::Sha256).unwrap();
        let expected = start.transport_spdm::<TestCrypto>(&Tpm2bName::EMPTY, &Tpm2bName::new(&name).unwrap());
        assert_eq!(digest(&mut tpm, session), expected.as_bytes());
        assert_eq!(restrict(&mut tpm, session, &[], &[]), Err(Rc::VALUE));
    }

    #[test]
    fn what_is_no_name_is_refused_by_its_position() {
        let (mut tpm, session) = started_policy();
        let name = sha256_name();
        let cases: [(&[u8], Rc); 4] =
            [(&[0], Rc::SIZE), (&[0, 0x10, 1], Rc::HASH), (&name[..33], Rc::SIZE), (&[0x80, 0, 0, 1], Rc::HASH)];
        for (wrong, rc) in cases {
            assert_eq!(restrict(&mut tpm, session, wrong, &[]), Err(rc.at(Subject::Parameter(1))));
            assert_eq!(restrict(&mut tpm, session, &name, wrong), Err(rc.at(Subject::Parameter(2))));
        }
    }

    #[test]
    fn a_trial_session_takes_anything() {
        let (mut tpm, session) = started_trial();
        assert_eq!(restrict(&mut tpm, session, &[1], &[]), Ok(()));
        assert_eq!(restrict(&mut tpm, session, &[], &[]), Ok(()));
    }
}
