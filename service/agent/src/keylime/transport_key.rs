// SPDX-License-Identifier: Apache-2.0 OR MIT
//! NK, the RSA key under which the halves of the payload key travel. PCR 16 says that it is this machine's.

use anyhow::{Context, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use evtpm_crypto::padding::oaep;
use evtpm_crypto::{Crypto, HashAlg, Rng, RsaKey, RustCrypto};
use zeroize::Zeroizing;

/// Bytes of the modulus: Keylime's agents have RSA-2048.
const MODULUS: usize = 256;
const PRIME: usize = MODULUS / 2;
const EXPONENT: u32 = 65537;

/// What stands before the modulus in a SubjectPublicKeyInfo of RSA-2048 with a modulus whose highest bit is set:
/// SEQUENCE { SEQUENCE { rsaEncryption, NULL }, BIT STRING { SEQUENCE { INTEGER … (RFC 8017, "ASN.1 Object Identifiers").
const SPKI_BEFORE: [u8; 33] = [
    0x30, 0x82, 0x01, 0x22, 0x30, 0x0D, 0x06, 0x09, 0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x01, 0x05, 0x00,
    0x03, 0x82, 0x01, 0x0F, 0x00, 0x30, 0x82, 0x01, 0x0A, 0x02, 0x82, 0x01, 0x01, 0x00,
];
/// What stands behind it: INTEGER 65537.
const SPKI_BEHIND: [u8; 5] = [0x02, 0x03, 0x01, 0x00, 0x01];

/// The key, and its public part as it is shown.
pub struct TransportKey {
    modulus: [u8; MODULUS],
    prime: Zeroizing<[u8; PRIME]>,
    pem: String,
}

impl std::fmt::Debug for TransportKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TransportKey").field("pem", &self.pem).finish_non_exhaustive()
    }
}

impl TransportKey {
    /// Makes a key.
    ///
    /// # Errors
    /// When the system gives no randomness.
    pub fn generate(rng: &mut dyn Rng) -> Result<Self> {
        let (mut modulus, mut prime) = ([0; MODULUS], Zeroizing::new([0; PRIME]));
        RustCrypto::rsa_generate(EXPONENT, rng, &mut modulus, &mut *prime).context("making the transport key")?;
        Ok(Self::of(modulus, prime))
    }

    /// Takes up a key that was kept.
    ///
    /// # Errors
    /// When the numbers have another size, or do not belong together.
    pub fn from_numbers(modulus: &[u8], prime: &[u8]) -> Result<Self> {
        let modulus: [u8; MODULUS] = modulus.try_into().context("the transport key's modulus has another size")?;
        let prime: [u8; PRIME] = prime.try_into().context("the transport key's prime has another size")?;
        let key = RsaKey { modulus: &modulus, exponent: EXPONENT, prime: &prime };
        RustCrypto::rsa_check(key, &mut <RustCrypto as Crypto>::RsaMemory::default())
            .context("the transport key's prime does not belong to its modulus")?;
        Ok(Self::of(modulus, Zeroizing::new(prime)))
    }

    fn of(modulus: [u8; MODULUS], prime: Zeroizing<[u8; PRIME]>) -> Self {
        TransportKey { pem: pem(&[&SPKI_BEFORE[..], &modulus, &SPKI_BEHIND].concat()), modulus, prime }
    }

    /// Returns modulus and prime, to be kept where nobody else can read them.
    pub(super) fn numbers(&self) -> (&[u8], &[u8]) {
        (&self.modulus, &*self.prime)
    }

    /// Returns the public key in PEM, whose digest goes into PCR 16 letter by letter.
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// Opens what was encrypted under the public key (RSA-OAEP with SHA-1 and no label, as Keylime does).
    ///
    /// # Errors
    /// When it was not.
    pub fn open(&self, ciphertext: &[u8], rng: &mut dyn Rng) -> Result<Zeroizing<Vec<u8>>> {
        anyhow::ensure!(
            ciphertext.len() == MODULUS,
            "the encrypted key has {} bytes instead of {MODULUS}",
            ciphertext.len()
        );
        let key = RsaKey { modulus: &self.modulus, exponent: EXPONENT, prime: &*self.prime };
        let mut block = Zeroizing::new(ciphertext.to_vec());
        RustCrypto::rsa_private(key, &mut block, rng, &mut <RustCrypto as Crypto>::RsaMemory::default())
            .context("the encrypted key is not under our transport key")?;
        let mut message = Zeroizing::new(vec![0; MODULUS]);
        let size = oaep::decode::<<RustCrypto as Crypto>::Hasher>(HashAlg::Sha1, &[], &mut block, &mut message)
            .context("the encrypted key is not under our transport key")?;
        message.truncate(size);
        Ok(message)
    }
}

/// Writes a SubjectPublicKeyInfo in PEM, 64 letters a line (RFC 7468).
fn pem(spki: &[u8]) -> String {
    let text = STANDARD.encode(spki);
    let mut pem = String::from("-----BEGIN PUBLIC KEY-----\n");
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let (line, left) = rest.split_at(rest.len().min(64));
        pem.push_str(line);
        pem.push('\n');
        rest = left;
    }
    pem.push_str("-----END PUBLIC KEY-----\n");
    pem
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::random::SystemRng;

    /// Encrypts as the tenant and the verifier do.
    pub(in super::super) fn seal(key: &TransportKey, message: &[u8]) -> Vec<u8> {
        let mut block = vec![0; MODULUS];
        oaep::encode::<<RustCrypto as Crypto>::Hasher>(HashAlg::Sha1, &[], message, &mut SystemRng, &mut block)
            .unwrap();
        RustCrypto::rsa_public(&key.modulus, EXPONENT, &mut block).unwrap();
        block
    }

    #[test]
    fn what_is_under_the_key_opens_and_nothing_else() {
        let key = TransportKey::generate(&mut SystemRng).unwrap();
        let mut sealed = seal(&key, &[7; 32]);
        assert_eq!(*key.open(&sealed, &mut SystemRng).unwrap(), vec![7; 32]);

        sealed[100] ^= 1;
        assert!(key.open(&sealed, &mut SystemRng).is_err());
        assert!(key.open(&sealed[1..], &mut SystemRng).is_err());
    }

    #[test]
    fn a_kept_key_is_the_same_key() {
        let key = TransportKey::generate(&mut SystemRng).unwrap();
        let (modulus, prime) = key.numbers();
        assert_eq!(TransportKey::from_numbers(modulus, prime).unwrap().pem(), key.pem());
        let mut other = prime.to_vec();
        other[5] ^= 1;
        assert!(TransportKey::from_numbers(modulus, &other).is_err());
    }
}
