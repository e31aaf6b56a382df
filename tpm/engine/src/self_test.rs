// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Known-answer tests for the algorithms that the profile has (Part 1, "Self-Test").

use crate::algorithm;
use crate::failure::{Failure, Phase};
use crate::snapshot::Archive;
use crate::state::State;
use crate::{Platform, Tpm};
use evtpm_crypto::kat::{self, KnownAnswer};
use evtpm_crypto::{CipherMode, StreamingHash};
use evtpm_tpm_wire::{EccCurve, Rc, Supported, TpmAlgId};

/// Which known-answer tests have passed, a bit for each in the order of [`KnownAnswer::ALL`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Tested(u64);

impl Tested {
    fn bit(test: KnownAnswer) -> u64 {
        KnownAnswer::ALL.iter().position(|known| *known == test).map_or(0, |position| {
            u32::try_from(position).ok().and_then(|position| 1u64.checked_shl(position)).unwrap_or(0)
        })
    }

    fn contains(self, test: KnownAnswer) -> bool {
        self.0 & Self::bit(test) != 0
    }

    /// Passes which tests have passed.
    pub(crate) fn pass<A: Archive>(&mut self, archive: &mut A) -> Result<(), A::Error> {
        archive.pass(&mut self.0)
    }

    fn add(&mut self, test: KnownAnswer) {
        self.0 |= Self::bit(test);
    }
}

impl<P: Platform> Tpm<P> {
    /// Runs the known-answer tests of an algorithm, or of all; a wrong answer is the end of this TPM.
    pub(crate) fn self_test(&mut self, wanted: impl Fn(KnownAnswer) -> bool, again: bool) -> Result<(), Rc> {
        let supported = self.profile.supported;
        for test in KnownAnswer::ALL.into_iter().filter(|test| wanted(*test) && has(&supported, *test)) {
            if again || !self.state.tested.contains(test) {
                let passed = kat::run::<P::Crypto>(test, self.work.memory()?);
                passed.map_err(|_| self.fail(Failure::SelfTest))?;
                self.state.tested.add(test);
            }
        }
        Ok(())
    }

    /// Tells the reason of a failure, as `TPM2_GetTestResult` reports it.
    pub(crate) const fn test_result(&self) -> (Rc, u32) {
        match self.phase {
            Phase::Failed(failure) => (Rc::FAILURE, failure.number()),
            Phase::Initialized | Phase::Operational => (Rc::SUCCESS, 0),
        }
    }
}

impl<H: StreamingHash> State<H> {
    /// Tells whether every test of an algorithm has passed.
    pub(crate) fn is_tested(&self, supported: &Supported, alg: TpmAlgId) -> bool {
        let mut tests = KnownAnswer::ALL.into_iter().filter(|test| covers(*test, alg) && has(supported, *test));
        tests.all(|test| self.tested.contains(test))
    }
}

/// Tells whether a profile has what a test covers; what all profiles are built on, it always has.
///
/// ECDAA is tested on its own curve; a profile with the scheme but without that curve has tested what the scheme is made of.
fn has(supported: &Supported, test: KnownAnswer) -> bool {
    match test {
        KnownAnswer::Hash(hash) => supported.algorithms.contains(algorithm::wire_hash(hash).id()),
        KnownAnswer::Ecdh(curve) | KnownAnswer::Ecdsa(curve) => {
            EccCurve::ALL.iter().any(|on| algorithm::curve(*on) == Some(curve) && supported.curves.contains(*on))
        }
        KnownAnswer::Ecdaa => supported.curves.contains(EccCurve::BnP256),
        KnownAnswer::X25519 | KnownAnswer::Ed25519 => supported.curves.contains(EccCurve::Curve25519),
        KnownAnswer::MlKem => supported.algorithms.contains(TpmAlgId::MLKEM),
        KnownAnswer::MlDsa => supported.algorithms.contains(TpmAlgId::MLDSA),
        _ => true,
    }
}

/// Tells whether a test says something about an algorithm.
pub(crate) fn covers(test: KnownAnswer, alg: TpmAlgId) -> bool {
    match test {
        KnownAnswer::Hash(hash) => algorithm::wire_hash(hash).id() == alg,
        KnownAnswer::Hmac => matches!(alg, TpmAlgId::HMAC | TpmAlgId::KEYEDHASH),
        KnownAnswer::Kdf => {
            matches!(
                alg,
                TpmAlgId::KDF1_SP800_108 | TpmAlgId::KDF1_SP800_56A | TpmAlgId::KDF2 | TpmAlgId::XOR | TpmAlgId::MGF1
            )
        }
        KnownAnswer::Aes(mode) => matches!(alg, TpmAlgId::AES | TpmAlgId::SYMCIPHER) || mode_id(mode) == alg,
        KnownAnswer::Cmac => alg == TpmAlgId::CMAC,
        KnownAnswer::Ecdh(_) => {
            matches!(alg, TpmAlgId::ECC | TpmAlgId::ECDH)
        }
        KnownAnswer::Ecdsa(_) => {
            matches!(alg, TpmAlgId::ECC | TpmAlgId::ECDSA)
        }
        KnownAnswer::Schnorr => alg == TpmAlgId::ECSCHNORR,
        KnownAnswer::Ecdaa => alg == TpmAlgId::ECDAA,
        KnownAnswer::Rsa => {
            matches!(alg, TpmAlgId::RSA | TpmAlgId::RSASSA | TpmAlgId::RSAPSS | TpmAlgId::RSAES | TpmAlgId::OAEP)
        }
        KnownAnswer::X25519 => matches!(alg, TpmAlgId::ECDH | TpmAlgId::HKDF),
        KnownAnswer::Ed25519 => matches!(alg, TpmAlgId::EDDSA | TpmAlgId::HASH_EDDSA),
        KnownAnswer::MlKem => alg == TpmAlgId::MLKEM,
        KnownAnswer::MlDsa => matches!(alg, TpmAlgId::MLDSA | TpmAlgId::HASH_MLDSA),
        KnownAnswer::Drbg => false,
    }
}

const fn mode_id(mode: CipherMode) -> TpmAlgId {
    match mode {
        CipherMode::Ctr => TpmAlgId::CTR,
        CipherMode::Ofb => TpmAlgId::OFB,
        CipherMode::Cbc => TpmAlgId::CBC,
        CipherMode::Cfb => TpmAlgId::CFB,
        CipherMode::Ecb => TpmAlgId::ECB,
    }
}
