// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Nonces: random, single use, expiring (verification rules 4 and 17).

use core::fmt;

use evtpm_crypto::{Crypto, HashAlg, Rng, RustCrypto};

use crate::UnixTime;
use crate::tpm::Error;

/// A challenge of 32 random bytes.
///
/// It cannot be copied, so the quote that consumes it is the only one that it freshens.
#[derive(PartialEq, Eq)]
pub struct Nonce([u8; Nonce::SIZE]);

impl Nonce {
    /// The number of random bytes; rule 4 asks for at least 16.
    pub const SIZE: usize = 32;
}

impl fmt::Debug for Nonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Nonce(..)")
    }
}

/// What the TPM signs as `extraData`.
#[derive(PartialEq, Eq)]
pub struct QualifyingData(Vec<u8>);

impl QualifyingData {
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for QualifyingData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("QualifyingData(..)")
    }
}

/// How fresh an answer can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Freshness {
    /// The verifier made the nonce itself, and this is the first answer to it.
    Challenged,
    /// The nonce came with the evidence: the quote is whole, but may be old.
    Recorded,
}

/// Something that this verifier gave out, good for one answer until it expires.
#[derive(Debug, PartialEq, Eq)]
pub struct Issued<T> {
    value: T,
    source: Source,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    Issued { expires: UnixTime },
    Answered,
    Evidence,
}

impl Issued<Nonce> {
    /// Makes a nonce that is worth nothing from the time `expires` on.
    pub fn issue(rng: &mut dyn Rng, expires: UnixTime) -> Result<Self, Error> {
        let mut bytes = [0; Nonce::SIZE];
        rng.fill(&mut bytes).map_err(Error::Entropy)?;
        Ok(Issued { value: Nonce(bytes), source: Source::Issued { expires } })
    }

    /// Returns the bytes to send to the attester.
    #[must_use]
    pub const fn challenge(&self) -> &[u8; Nonce::SIZE] {
        &self.value.0
    }

    /// Lets the TPM sign the nonce as it is.
    #[must_use]
    pub fn plain(self) -> Issued<QualifyingData> {
        Issued { value: QualifyingData(self.value.0.to_vec()), source: self.source }
    }

    /// Lets the TPM sign the nonce written in hexadecimal, for protocols whose nonces are text.
    #[must_use]
    pub fn in_hexadecimal(self) -> Issued<QualifyingData> {
        let text = self.value.0.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        Issued { value: QualifyingData(text.into_bytes()), source: self.source }
    }

    /// Binds the nonce to the connection that it is answered on: SHA-256(label ‖ nonce ‖ binding), where the binding
    /// is the connection's `tls-exporter` (RFC 9266).
    #[must_use]
    pub fn on_channel(self, label: &[u8], binding: &[u8]) -> Issued<QualifyingData> {
        let digest = RustCrypto::hash(HashAlg::Sha256, &[label, &self.value.0, binding]);
        Issued { value: QualifyingData(digest.as_bytes().to_vec()), source: self.source }
    }
}

impl Issued<QualifyingData> {
    /// Takes the qualifying data of recorded evidence from whoever recorded it; the quote will be
    /// [`Freshness::Recorded`].
    #[must_use]
    pub fn recorded(extra_data: &[u8]) -> Self {
        Issued { value: QualifyingData(extra_data.to_vec()), source: Source::Evidence }
    }

    /// Takes the qualifying data of a quote that answered a challenge of this verifier before, from its own record of it.
    #[must_use]
    pub fn answered(extra_data: &[u8]) -> Self {
        Issued { value: QualifyingData(extra_data.to_vec()), source: Source::Answered }
    }

    /// Takes back what this verifier gave out and kept in its own records, where whoever keeps it lets it be taken once.
    #[must_use]
    pub fn kept(extra_data: &[u8], expires: UnixTime) -> Self {
        Issued { value: QualifyingData(extra_data.to_vec()), source: Source::Issued { expires } }
    }

    /// Gives up the qualifying data if they are still good.
    pub(crate) fn consume(self, at: UnixTime) -> Result<(QualifyingData, Freshness), Error> {
        match self.source {
            Source::Issued { expires } if at >= expires => Err(Error::NonceExpired { expired: expires, at }),
            Source::Issued { .. } | Source::Answered => Ok((self.value, Freshness::Challenged)),
            Source::Evidence => Ok((self.value, Freshness::Recorded)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tpm::testing::{Counter, StuckRng};

    const LATER: UnixTime = UnixTime(1_000);

    #[test]
    fn two_challenges_are_never_equal() {
        let mut rng = Counter::new();
        let first = Issued::<Nonce>::issue(&mut rng, LATER).unwrap();
        let second = Issued::<Nonce>::issue(&mut rng, LATER).unwrap();
        assert_ne!(first.challenge(), second.challenge());
        assert!(first.challenge().len() >= 16);
    }

    #[test]
    fn without_entropy_there_is_no_nonce() {
        assert!(matches!(Issued::<Nonce>::issue(&mut StuckRng, LATER), Err(Error::Entropy(_))));
    }

    #[test]
    fn an_expired_nonce_is_refused_from_its_last_second_on() {
        let issue = || Issued::<Nonce>::issue(&mut Counter::new(), LATER).unwrap().plain();
        assert!(matches!(issue().consume(UnixTime(999)), Ok((_, Freshness::Challenged))));
        assert_eq!(issue().consume(LATER), Err(Error::NonceExpired { expired: LATER, at: LATER }));
    }

    #[test]
    fn a_kept_nonce_is_as_good_as_it_was_and_expires_as_it_did() {
        let kept = || Issued::kept(&[7; 32], LATER);
        assert!(matches!(kept().consume(UnixTime(999)), Ok((_, Freshness::Challenged))));
        assert_eq!(kept().consume(LATER), Err(Error::NonceExpired { expired: LATER, at: LATER }));
    }

    #[test]
    fn a_nonce_in_hexadecimal_is_twice_as_long() {
        let nonce = Issued::<Nonce>::issue(&mut Counter::new(), LATER).unwrap();
        let first = format!("{:02x}", nonce.challenge()[0]);
        let (data, _) = nonce.in_hexadecimal().consume(UnixTime(0)).unwrap();
        assert_eq!((data.as_bytes().len(), &data.as_bytes()[..2]), (64, first.as_bytes()));
    }

    #[test]
    fn another_connection_has_other_qualifying_data() {
        let on = |binding: &[u8]| {
            let nonce = Issued::<Nonce>::issue(&mut Counter::new(), LATER).unwrap();
            nonce.on_channel(b"label", binding).consume(UnixTime(0)).unwrap().0
        };
        assert_ne!(on(&[1; 32]), on(&[2; 32]));
        assert_eq!(on(&[1; 32]), on(&[1; 32]));
    }

    #[test]
    fn debug_output_shows_no_nonce() {
        let nonce = Issued::<Nonce>::issue(&mut Counter::new(), LATER).unwrap();
        assert!(format!("{nonce:?}").contains("Nonce(..)"));
    }
}
