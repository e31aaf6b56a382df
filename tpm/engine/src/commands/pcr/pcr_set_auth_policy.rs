// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `TPM2_PCR_SetAuthPolicy` (Part 3, "TPM2_PCR_SetAuthPolicy").

use crate::commands::Execute;
use crate::state::rule;
use crate::{Platform, Tpm};
use evtpm_crypto::Digest;
use evtpm_tpm_wire::commands::{PcrSetAuthPolicy, PcrSetAuthPolicyHandles};
use evtpm_tpm_wire::{Rc, Subject};

impl Execute for PcrSetAuthPolicy {
    fn run<P: Platform>(self, tpm: &mut Tpm<P>, _: PcrSetAuthPolicyHandles) -> Result<(), Rc> {
        // "If the size of the data buffer in authPolicy is not the size of a digest produced by hashAlg, the TPM shall return
        // TPM_RC_SIZE."
        if self.auth_policy.len() != self.hash_alg.map_or(0, |alg| alg.digest_size()) {
            return Err(Rc::SIZE.at(Subject::Parameter(1)));
        }
        // "If the TPM implementation does not allow a policy for pcrNum, the TPM shall return TPM_RC_VALUE."
        if !rule(self.pcr_num).grouped {
            return Err(Rc::VALUE.at(Subject::Parameter(3)));
        }

        let digest = Digest::from_slice(self.auth_policy.as_bytes()).ok_or(Rc::SIZE.at(Subject::Parameter(1)))?;

        tpm.state.pcrs.policy = self.hash_alg.map(|alg| (alg, digest));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Locality;
    use crate::commands::ea::testing::{authorized, started_policy};
    use crate::testing::{TestTpm, started};
    use evtpm_tpm_wire::commands::{ChangePps, ChangePpsHandles, PcrReset, PcrResetHandles};
    use evtpm_tpm_wire::{HashAlg, PcrIndex, Tpm2bDigest, TpmiRhPlatform};

    fn set(tpm: &mut TestTpm, policy: &[u8], hash_alg: Option<HashAlg>, pcr_num: PcrIndex) -> Result<(), Rc> {
        let command = PcrSetAuthPolicy { auth_policy: Tpm2bDigest::new(policy).unwrap(), hash_alg, pcr_num };
        tpm.send(&command, PcrSetAuthPolicyHandles { auth_handle: TpmiRhPlatform::Platform })
    }

    fn reset_by_password(tpm: &mut TestTpm) -> Result<(), Rc> {
        let handles = PcrResetHandles { pcr_handle: PcrIndex::Pcr21 };
        tpm.send_at(Locality::TWO, &PcrReset {}, handles, &[])
    }

    #[test]
    fn one_policy_is_the_policy_of_the_whole_group() {
        let (mut tpm, session) = started_policy();
        set(&mut tpm, &[0; 32], Some(HashAlg::Sha256), PcrIndex::Pcr20).unwrap();
        let handles = PcrResetHandles { pcr_handle: PcrIndex::Pcr21 };
        // Locality 0 may not reset the PCR, which the TPM says only to somebody who is authorized.
        assert_eq!(authorized(&mut tpm, session, &[], &PcrReset {}, handles), Err(Rc::LOCALITY));
        set(&mut tpm, &[1; 32], Some(HashAlg::Sha256), PcrIndex::Pcr22).unwrap();
        let refused = Rc::POLICY_FAIL.at(Subject::Session(1));
        assert_eq!(authorized(&mut tpm, session, &[], &PcrReset {}, handles), Err(refused));
    }

    #[test]
    fn a_password_does_not_do_what_the_policy_is_for() {
        let mut tpm = started();
        set(&mut tpm, &[0; 32], Some(HashAlg::Sha256), PcrIndex::Pcr20).unwrap();
        assert_eq!(reset_by_password(&mut tpm), Err(Rc::AUTH_TYPE.at(Subject::Session(1))));
        tpm.send(&ChangePps {}, ChangePpsHandles { auth_handle: TpmiRhPlatform::Platform }).unwrap();
        assert_eq!(reset_by_password(&mut tpm), Ok(()));
    }

    #[test]
    fn a_group_without_policy_refuses_a_policy_session_and_other_pcrs_have_none() {
        let (mut tpm, session) = started_policy();
        let grouped = PcrResetHandles { pcr_handle: PcrIndex::Pcr22 };
        let refused = authorized(&mut tpm, session, &[], &PcrReset {}, grouped);
        assert_eq!(refused, Err(Rc::POLICY_FAIL.at(Subject::Session(1))));
        let other = PcrResetHandles { pcr_handle: PcrIndex::Pcr16 };
        let refused = authorized(&mut tpm, session, &[], &PcrReset {}, other);
        assert_eq!(refused, Err(Rc::AUTH_UNAVAILABLE.at(Subject::Session(1))));
    }

    #[test]
    fn a_policy_of_another_size_or_for_another_pcr_is_refused() {
        let mut tpm = started();
        let size = Err(Rc::SIZE.at(Subject::Parameter(1)));
        assert_eq!(set(&mut tpm, &[0; 20], Some(HashAlg::Sha256), PcrIndex::Pcr20), size);
        assert_eq!(set(&mut tpm, &[0; 32], None, PcrIndex::Pcr20), size);
        let value = Err(Rc::VALUE.at(Subject::Parameter(3)));
        assert_eq!(set(&mut tpm, &[0; 32], Some(HashAlg::Sha256), PcrIndex::Pcr19), value);
    }
}
