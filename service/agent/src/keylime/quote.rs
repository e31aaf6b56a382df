// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Quotes as Keylime wants them: PCR 16 holds the transport key's digest, and the values travel beside the quote.

use anyhow::{Context, Result};
use evtpm_client::Transport;
use evtpm_crypto::{Crypto, HashAlg as Hash, Rng, RustCrypto};
use evtpm_keylime::quote::{BankSelection, PcrBlob, QuoteText};
use evtpm_tpm_wire::{HashAlg, PcrIndex, PcrSelect, TpmlPcrSelection, TpmsPcrSelection, TpmtHa};

use crate::keys::{Keys, bytes_of};

/// The bank that is quoted: that of the attestation key's scheme.
pub(super) const BANK: HashAlg = HashAlg::Sha256;
/// Its name in Keylime.
pub(super) const BANK_NAME: &str = "sha256";

/// The PCR that is ours: "debug" in the PC Client profile, so everybody may reset it.
const KEY_PCR: PcrIndex = PcrIndex::Pcr16;

/// Quotes the PCRs of `select`, and the one that binds the transport key.
pub(super) fn quote<T: Transport, R: Rng>(
    keys: &mut Keys<T, R>,
    nonce: &[u8],
    select: PcrSelect,
    transport_key: &str,
) -> Result<QuoteText> {
    let digest = RustCrypto::hash(Hash::Sha256, &[transport_key.as_bytes()]);
    let digest = TpmtHa::new(BANK, digest.as_bytes()).context("a digest has the size of its algorithm")?;
    keys.tpm.pcr_reset(KEY_PCR).context("resetting PCR 16")?;
    keys.tpm.pcr_extend(KEY_PCR, &[digest]).context("extending PCR 16")?;

    quote_registers(keys, nonce, select.with(KEY_PCR))
}

/// Quotes the PCRs of `select`.
pub(super) fn quote_registers<T: Transport, R: Rng>(
    keys: &mut Keys<T, R>,
    nonce: &[u8],
    select: PcrSelect,
) -> Result<QuoteText> {
    let selection = TpmlPcrSelection::from_slice(&[TpmsPcrSelection { hash: BANK, select }])
        .map_err(|_| anyhow::anyhow!("one bank fits into a selection"))?;
    let (quote, values) = keys.consistent_quote(nonce, &selection)?;
    let values = values.iter().map(|value| value.digest.as_bytes().to_vec()).collect();
    let bank = BankSelection { hash: BANK.id().0, select: select.bits() };
    Ok(QuoteText {
        message: quote.attest.as_bytes().to_vec(),
        signature: bytes_of(&quote.signature)?,
        pcrs: PcrBlob::new(vec![bank], values).context("the TPM does not have all PCRs of the SHA-256 bank")?,
    })
}

/// Reads a mask: a hexadecimal number with a bit for each PCR.
pub(super) fn select(mask: &str) -> Option<PcrSelect> {
    let digits = mask.strip_prefix("0x").unwrap_or(mask);
    let canonical = !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    let [low, middle, high, above] = canonical.then(|| u32::from_str_radix(digits, 16).ok()).flatten()?.to_le_bytes();
    (above == 0).then_some(PcrSelect::from_bits([low, middle, high]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mask_has_a_bit_for_each_pcr() {
        assert_eq!(select("0x400"), Some(PcrSelect::of(&[PcrIndex::Pcr10])));
        assert_eq!(select("0x0"), Some(PcrSelect::NONE));
        assert_eq!(select("ffffff"), Some(PcrSelect::ALL));
    }

    #[test]
    fn a_mask_with_other_letters_or_more_pcrs_is_refused() {
        for mask in ["", "0x", "+1", "0x1000000", "0xfffffffff", "g", "0x0x1"] {
            assert_eq!(select(mask), None, "{mask}");
        }
    }
}
