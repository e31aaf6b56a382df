// SPDX-License-Identifier: Apache-2.0 OR MIT
//! ECC structures (Part 2, "ECC").
use crate::{Buf, EccCurve, Secret, Tpm2b, TpmtEccScheme, TpmtKdfScheme, TpmtSymDefObject, structure};

/// The size of the greatest coordinate that a supported curve has, of P-521 (BN_P638 is known by its number alone).
pub const MAX_ECC_KEY: usize = 66;

/// A coordinate or another number below the field's modulus (`TPM2B_ECC_PARAMETER`).
pub type Tpm2bEccParameter = Buf<MAX_ECC_KEY>;
/// A private key (`TPM2B_ECC_PARAMETER` in a sensitive area).
pub type Tpm2bEccPrivate = Secret<MAX_ECC_KEY>;
/// A point behind its size (`TPM2B_ECC_POINT`).
pub type Tpm2bEccPoint = Tpm2b<TpmsEccPoint>;

structure! {
    /// A point (`TPMS_ECC_POINT`).
    #[derive(Copy, Default)]
    pub struct TpmsEccPoint {
        /// The x coordinate.
        pub x: Tpm2bEccParameter,
        /// The y coordinate.
        pub y: Tpm2bEccParameter,
    }

    /// The parameters of an ECC key (`TPMS_ECC_PARMS`).
    #[derive(Copy)]
    pub struct TpmsEccParms {
        /// The cipher of a parent.
        pub symmetric: Option<TpmtSymDefObject>,
        /// The scheme.
        pub scheme: Option<TpmtEccScheme>,
        /// The curve.
        pub curve_id: EccCurve,
        /// The key derivation function.
        pub kdf: Option<TpmtKdfScheme>,
    }

    /// The parameters of a curve (`TPMS_ALGORITHM_DETAIL_ECC`).
    pub struct TpmsAlgorithmDetailEcc {
        /// The curve.
        pub curve_id: EccCurve,
        /// The size of a key in bits.
        pub key_size: u16,
        /// The recommended key derivation function.
        pub kdf: Option<TpmtKdfScheme>,
        /// The mandatory signature scheme.
        pub sign: Option<TpmtEccScheme>,
        /// The modulus.
        pub p: Tpm2bEccParameter,
        /// The coefficient of the linear term.
        pub a: Tpm2bEccParameter,
        /// The constant term.
        pub b: Tpm2bEccParameter,
        /// The x coordinate of the generator.
        pub g_x: Tpm2bEccParameter,
        /// The y coordinate of the generator.
        pub g_y: Tpm2bEccParameter,
        /// The order of the generator.
        pub n: Tpm2bEccParameter,
        /// The cofactor; empty is 1.
        pub h: Tpm2bEccParameter,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Rc, Supported, from_bytes};

    #[test]
    fn an_omitted_point_still_has_its_two_sizes() {
        assert_eq!(from_bytes::<Tpm2bEccPoint>(&[0, 0], &Supported::ALL), Err(Rc::SIZE));
        assert_eq!(from_bytes(&[0, 4, 0, 0, 0, 0], &Supported::ALL), Ok(Tpm2b(TpmsEccPoint::default())));
    }

    #[test]
    fn a_coordinate_over_the_greatest_is_a_size_error() {
        assert_eq!(from_bytes::<Tpm2bEccParameter>(&[0, 67], &Supported::ALL), Err(Rc::SIZE));
    }
}
