// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `TPM2_TestParms` (Part 3, "TPM2_TestParms").

use crate::commands::Execute;
use crate::object::attributes::has_known_kdf;
use crate::{Platform, Tpm};
use evtpm_tpm_wire::commands::TestParms;
use evtpm_tpm_wire::{Rc, Subject, TpmtPublicParms};

impl Execute for TestParms {
    fn run<P: Platform>(self, _: &mut Tpm<P>, (): ()) -> Result<(), Rc> {
        // "In the context of object creation, TPM2_LoadExternal(), or TPM2_TestParms(), TPM_RC_KDF indicates the TPM does not
        // support the requested KDF."
        if let TpmtPublicParms::Ecc(parms) = &self.parameters
            && !has_known_kdf(parms)
        {
            return Err(Rc::KDF.at(Subject::Parameter(1)));
        }
        // "the TPM will return ... the appropriate unmarshaling error if a parameter is not valid": it was, so all else is.
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Profile;
    use crate::testing::started_as;
    use evtpm_tpm_wire::{EccCurve, HashAlg, TpmsEccParms, TpmtKdfScheme};

    #[test]
    fn a_curve_has_one_key_derivation() {
        let mut tpm = started_as(Profile::pqc());
        for (kdf, expected) in [
            (None, Ok(())),
            (Some(TpmtKdfScheme::Hkdf(HashAlg::Sha256)), Ok(())),
            (Some(TpmtKdfScheme::Hkdf(HashAlg::Sha384)), Err(Rc::KDF.at(Subject::Parameter(1)))),
            (Some(TpmtKdfScheme::Mgf1(HashAlg::Sha256)), Err(Rc::KDF.at(Subject::Parameter(1)))),
        ] {
            let parms = TpmsEccParms { symmetric: None, scheme: None, curve_id: EccCurve::NistP256, kdf };
            assert_eq!(tpm.send(&TestParms { parameters: TpmtPublicParms::Ecc(parms) }, ()), expected, "{kdf:?}");
        }
    }
}
