// SPDX-License-Identifier: Apache-2.0 OR MIT
//! ML-KEM and ML-DSA structures (Part 2, "ML-KEM", "ML-DSA", "TPM2B_SHARED_SECRET", "TPM2B_KEM_CIPHERTEXT").
use crate::{
    Bytes, HashAlg, Large, Marshal, Overflow, Rc, Reader, Secret, TpmaMlParameterSet, TpmtSymDefObject, Unmarshal,
    Writer, YesNo, structure,
};

/// The size of the greatest public key of ML-KEM, of ML-KEM-1024.
pub const MAX_MLKEM_PUBLIC: usize = 1568;
/// The size of the greatest ciphertext of ML-KEM, of ML-KEM-1024.
pub const MAX_MLKEM_CIPHERTEXT: usize = 1568;
/// The size of the greatest public key of ML-DSA, of ML-DSA-87.
pub const MAX_MLDSA_PUBLIC: usize = 2592;

/// A public key of ML-KEM (`TPM2B_PUBLIC_KEY_MLKEM`).
pub type Tpm2bPublicKeyMlkem = Large<MAX_MLKEM_PUBLIC>;
/// A private key of ML-KEM, the seed `d || z` (`TPM2B_PRIVATE_KEY_MLKEM`).
pub type Tpm2bPrivateKeyMlkem = Secret<64>;
/// A public key of ML-DSA (`TPM2B_PUBLIC_KEY_MLDSA`).
pub type Tpm2bPublicKeyMldsa = Large<MAX_MLDSA_PUBLIC>;
/// A private key of ML-DSA, the seed `xi` (`TPM2B_PRIVATE_KEY_MLDSA`).
pub type Tpm2bPrivateKeyMldsa = Secret<32>;
/// A ciphertext of a key encapsulation, in a response (`TPM2B_KEM_CIPHERTEXT`).
pub type Tpm2bKemCiphertext = Large<MAX_MLKEM_CIPHERTEXT>;
/// A ciphertext of a key encapsulation, in a command (`TPM2B_KEM_CIPHERTEXT`).
pub type Tpm2bKemCiphertextIn<'a> = Bytes<'a, MAX_MLKEM_CIPHERTEXT>;
/// What a key encapsulation shares (`TPM2B_SHARED_SECRET`).
pub type Tpm2bSharedSecret = Secret<64>;

/// Declares a parameter set: a number that the profile may know, `TPM_RC_PARMS` if not.
macro_rules! parameter_sets {
    ($($(#[$meta:meta])* pub enum $name:ident { $($(#[$mark:meta])* $variant:ident = $value:literal if $bit:ident,)* })*) => { $(
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $($(#[$mark])* $variant,)*
        }

        impl $name {
            /// Each parameter set, in ascending order.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// Returns the number.
            pub const fn number(self) -> u16 {
                match self {
                    $(Self::$variant => $value,)*
                }
            }

            /// Returns the attribute that tells whether a TPM has it.
            pub const fn attribute(self) -> TpmaMlParameterSet {
                match self {
                    $(Self::$variant => TpmaMlParameterSet::$bit,)*
                }
            }
        }

        impl<'a> Unmarshal<'a> for $name {
            fn unmarshal(reader: &mut Reader<'a>) -> Result<Self, Rc> {
                let set = match reader.read::<u16>()? {
                    $($value => Self::$variant,)*
                    _ => return Err(Rc::PARMS),
                };
                if reader.supported().ml_parameter_sets.contains(set.attribute()) { Ok(set) } else { Err(Rc::PARMS) }
            }
        }

        impl Marshal for $name {
            fn marshal(&self, writer: &mut Writer<'_>) -> Result<(), Overflow> {
                writer.write(&self.number())
            }
        }
    )* };
}

parameter_sets! {
    /// A parameter set of ML-KEM (`TPMI_MLKEM_PARMS`).
    pub enum TpmiMlkemParms {
        /// `TPM_MLKEM_512`.
        MlKem512 = 1 if ML_KEM_512,
        /// `TPM_MLKEM_768`.
        MlKem768 = 2 if ML_KEM_768,
        /// `TPM_MLKEM_1024`.
        MlKem1024 = 3 if ML_KEM_1024,
    }

    /// A parameter set of ML-DSA (`TPMI_MLDSA_PARMS`).
    pub enum TpmiMldsaParms {
        /// `TPM_MLDSA_44`.
        MlDsa44 = 1 if ML_DSA_44,
        /// `TPM_MLDSA_65`.
        MlDsa65 = 2 if ML_DSA_65,
        /// `TPM_MLDSA_87`.
        MlDsa87 = 3 if ML_DSA_87,
    }
}

structure! {
    /// The parameters of an ML-KEM key (`TPMS_MLKEM_PARMS`).
    #[derive(Copy)]
    pub struct TpmsMlkemParms {
        /// The cipher of a parent.
        pub symmetric: Option<TpmtSymDefObject>,
        /// The parameter set.
        pub parameter_set: TpmiMlkemParms,
    }

    /// The parameters of an ML-DSA key (`TPMS_MLDSA_PARMS`).
    #[derive(Copy)]
    pub struct TpmsMldsaParms {
        /// The parameter set.
        pub parameter_set: TpmiMldsaParms,
        /// Whether the key signs message representatives that were computed outside of the TPM.
        pub allow_external_mu: YesNo,
    }

    /// The parameters of a HashML-DSA key (`TPMS_HASH_MLDSA_PARMS`).
    #[derive(Copy)]
    pub struct TpmsHashMldsaParms {
        /// The parameter set.
        pub parameter_set: TpmiMldsaParms,
        /// "the pre-hash function PH".
        pub hash_alg: HashAlg,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Supported, from_bytes};

    #[test]
    fn a_parameter_set_that_the_profile_lacks_is_a_parms_error() {
        let mut supported = Supported::ALL;
        supported.ml_parameter_sets = supported.ml_parameter_sets.without(TpmaMlParameterSet::ML_DSA_87);
        assert_eq!(from_bytes::<TpmiMldsaParms>(&[0, 3], &supported), Err(Rc::PARMS));
        assert_eq!(from_bytes(&[0, 2], &supported), Ok(TpmiMldsaParms::MlDsa65));
        assert_eq!(from_bytes(&[0, 3], &supported), Ok(TpmiMlkemParms::MlKem1024));
        for none in [[0, 0], [0, 4], [1, 1]] {
            assert_eq!(from_bytes::<TpmiMlkemParms>(&none, &Supported::ALL), Err(Rc::PARMS));
        }
    }
}
