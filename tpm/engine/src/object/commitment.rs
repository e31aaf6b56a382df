// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The ephemeral keys of operations in two commands, recomputed whenever they are needed (Part 1, "Commit Random Value").

use crate::algorithm;
use crate::state::{Hierarchy, Object, State};
use crate::ticket::PROOF_HASH;
use core::marker::PhantomData;
use evtpm_crypto::{Crypto, CryptoError, EccCurve, EccPrivate, EntropyError, HashAlg, Rng, StreamingHash, kdfa};

impl<H: StreamingHash> State<H> {
    /// Makes the ephemeral key of a value of the commit counter, for a signing key or for none.
    ///
    /// "r := KDFa(nameAlg, commitRandom, "ECDAA Commit", name, commitCount, bits)": nullProof is such a random value that
    /// "on each TPM Reset, the TPM will select". The generation of a key takes 64 bits more than the order has, so that
    /// "r mod n" is not biased.
    pub(crate) fn committed<C: Crypto>(
        &self,
        curve: EccCurve,
        signer: Option<&Object>,
        count: u64,
    ) -> Result<EccPrivate, CryptoError> {
        let mut derived = Derived::<C> {
            alg: signer.and_then(|key| key.public.name_alg).and_then(algorithm::hash).unwrap_or(PROOF_HASH),
            secret: self.hierarchies.of(Hierarchy::Null).proof.as_bytes(),
            name: signer.map_or(&[], |key| key.name.as_bytes()),
            count,
            crypto: PhantomData,
        };
        EccPrivate::generate(curve, &mut derived)
    }
}

/// The bits for one key.
struct Derived<'a, C> {
    alg: HashAlg,
    secret: &'a [u8],
    name: &'a [u8],
    count: u64,
    crypto: PhantomData<C>,
}

impl<C: Crypto> Rng for Derived<'_, C> {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), EntropyError> {
        let too_long = EntropyError::RequestTooLong { limit: 0, actual: out.len() };
        let bits = u32::try_from(out.len().saturating_mul(8)).map_err(|_| too_long)?;
        kdfa::<C>(self.alg, self.secret, b"ECDAA Commit", self.name, &self.count.to_be_bytes(), bits, out)
            .map_err(|_| too_long)
    }
}
