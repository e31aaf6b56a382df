// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Signatures in an IMA entry other than that of `security.ima`: one appended to the file, and the portable one of EVM.

mod modsig;

use evtpm_crypto::{Crypto, HashAlg, RustCrypto};
use evtpm_logs::ima::{DigestKind, Entry, Field, FileDigest, ImaSignature};

use super::keyring::{Keyring, SignatureState, hash};

/// Tells whether the entry's template has room for one of them.
pub(super) fn may_stand_in(entry: &Entry<'_>) -> bool {
    let template = entry.template();
    template.fields().iter().any(|field| matches!(field, Field::Modsig | Field::EvmSignature))
}

fn field<'a>(entry: &Entry<'a>, wanted: Field) -> Option<&'a [u8]> {
    entry.fields().find_map(|(field, value)| (field == wanted).then_some(value))
}

/// Checks the signature behind the file's content, which is over the content without it: `modsig` and `d-modsig`.
pub(super) fn appended(keyring: &Keyring, entry: &Entry<'_>) -> SignatureState {
    let Some(message) = field(entry, Field::Modsig).filter(|message| !message.is_empty()) else {
        return SignatureState::None;
    };
    let digest = field(entry, Field::ModsigDigest).map(|value| FileDigest::parse(value, entry.at));
    let Some(Ok(Some(digest))) = digest else { return SignatureState::Malformed };
    modsig::check(keyring, message, &digest)
}

/// Checks a portable signature of EVM (Linux, "evm_crypto.c", `EVM_XATTR_PORTABLE_DIGSIG`): over the protected attributes, owner,
/// group and mode, all of which the entry has.
///
/// It vouches for the content through `security.ima` alone, which has to hold the entry's digest, or a signature of it.
pub(super) fn portable(keyring: &Keyring, entry: &Entry<'_>) -> SignatureState {
    let Some(raw) = field(entry, Field::EvmSignature).filter(|raw| !raw.is_empty()) else {
        return SignatureState::None;
    };
    // An HMAC is by a key that only the machine has.
    let Ok(signature) = ImaSignature::parse(raw, entry.at) else { return SignatureState::Malformed };
    if signature.kind != 5 {
        return SignatureState::Unchecked;
    }
    let (Some(signed), Some(hash)) = (Protected::of(entry), signature.hash_name().and_then(hash)) else {
        return SignatureState::Unchecked;
    };
    let digest = signed.digest(hash);
    let key_id = signature.key_id;
    match keyring.judge(key_id, Some(hash), digest.as_bytes(), signature.signature) {
        SignatureState::Valid { .. } if !signed.vouches_for_content(keyring, entry) => {
            SignatureState::Invalid { key_id }
        }
        state => state,
    }
}

/// What a portable signature covers.
struct Protected<'a> {
    /// The values of the protected attributes, one behind the other, as they are hashed.
    values: &'a [u8],
    /// The value of `security.ima`.
    ima: &'a [u8],
    owner: u32,
    group: u32,
    mode: u16,
}

impl<'a> Protected<'a> {
    /// Reads the fields; `None` if one is missing or they do not fit together.
    fn of(entry: &Entry<'a>) -> Option<Self> {
        let names = field(entry, Field::XattrNames)?.strip_suffix(&[0])?;
        let (lengths, rest) = field(entry, Field::XattrLengths)?.as_chunks::<4>();
        let values = field(entry, Field::XattrValues)?;
        let (mut remaining, mut ima) = (values, None);
        let mut names = names.split(|byte| *byte == b'|');
        for length in lengths {
            let (value, behind) = remaining.split_at_checked(usize::try_from(u32::from_le_bytes(*length)).ok()?)?;
            if names.next()? == b"security.ima" {
                ima = Some(value);
            }
            remaining = behind;
        }
        let is_whole = rest.is_empty() && remaining.is_empty() && names.next().is_none();
        let number = |field_name| number(field(entry, field_name)?);
        Some(Self {
            values,
            ima: ima.filter(|_| is_whole)?,
            owner: number(Field::Uid)?,
            group: number(Field::Gid)?,
            mode: u16::try_from(number(Field::Mode)?).ok()?,
        })
    }

    fn digest(&self, hash: HashAlg) -> evtpm_crypto::Digest {
        // `struct h_misc` of a 64-bit machine: inode and generation, both zero here, then owner, group, mode, and two bytes of padding.
        let parts: [&[u8]; 6] = [
            self.values,
            &[0; 12],
            &self.owner.to_le_bytes(),
            &self.group.to_le_bytes(),
            &self.mode.to_le_bytes(),
            &[0; 2],
        ];
        RustCrypto::hash(hash, &parts)
    }

    /// `security.ima` is a digest (04, its algorithm, its bytes) or a signature of one.
    fn vouches_for_content(&self, keyring: &Keyring, entry: &Entry<'_>) -> bool {
        // A digest of fs-verity is one of the file's Merkle tree, which `security.ima` has in another form.
        let Some(content) = entry.digest().filter(|digest| digest.kind == DigestKind::Content) else { return false };
        if let [4, algorithm, digest @ ..] = self.ima {
            let name = ImaSignature { version: 2, kind: 3, hash_algorithm: *algorithm, key_id: 0, signature: &[] };
            return name.hash_name() == Some(content.algorithm) && *digest == *content.bytes;
        }
        let Ok(signature) = ImaSignature::parse(self.ima, entry.at) else { return false };
        let by = hash(content.algorithm).filter(|_| signature.hash_name() == Some(content.algorithm));
        let verdict = keyring.judge(signature.key_id, by, content.bytes, signature.signature);
        (signature.kind, signature.version) == (3, 2) && matches!(verdict, SignatureState::Valid { .. })
    }
}

/// Reads a little-endian number of at most four bytes.
fn number(value: &[u8]) -> Option<u32> {
    let mut bytes = [0; 4];
    bytes.get_mut(..value.len())?.copy_from_slice(value);
    (!value.is_empty()).then_some(u32::from_le_bytes(bytes))
}

#[cfg(test)]
mod tests;
