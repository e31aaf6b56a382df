// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `TPM2_ECC_Parameters` (Part 3, "TPM2_ECC_Parameters").

use crate::algorithm;
use crate::commands::Execute;
use crate::{Platform, Tpm};
use evtpm_tpm_wire::commands::{EccParameters, EccParametersResponse};
use evtpm_tpm_wire::{Overflow, Rc, Subject, Tpm2bEccParameter, TpmsAlgorithmDetailEcc};

impl Execute for EccParameters {
    fn run<P: Platform>(self, _: &mut Tpm<P>, (): ()) -> Result<EccParametersResponse, Rc> {
        let curve = algorithm::curve(self.curve_id).ok_or(Rc::VALUE.at(Subject::Parameter(1)))?;
        let number = |bytes| Tpm2bEccParameter::new(bytes).map_err(|Overflow| Rc::FAILURE);
        let known = curve.parameters();
        let parameters = TpmsAlgorithmDetailEcc {
            curve_id: self.curve_id,
            key_size: u16::try_from(curve.order_bits()).map_err(|_| Rc::FAILURE)?,
            // No scheme and no key derivation function is tied to a curve of these.
            kdf: None,
            sign: None,
            p: number(known.p)?,
            a: number(known.a)?,
            b: number(known.b)?,
            g_x: number(known.gx)?,
            g_y: number(known.gy)?,
            n: number(known.n)?,
            h: number(&[known.h])?,
        };
        Ok(EccParametersResponse { parameters })
    }
}
