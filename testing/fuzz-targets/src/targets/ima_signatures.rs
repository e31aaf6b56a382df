// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The signatures in an IMA list that are structures of their own: CMS messages behind a file's content, and EVM's portable ones.

use evtpm_logs::ima::BinaryList;
use evtpm_verify::logs::{Keyring, SignatureState};

const EC_PLAIN: &[u8] = include_bytes!("../../../vectors/ima-modsig/ec-plain.p7s");
const EC_ATTRIBUTES: &[u8] = include_bytes!("../../../vectors/ima-modsig/ec-attributes.p7s");
const RSA_PLAIN: &[u8] = include_bytes!("../../../vectors/ima-modsig/rsa-plain.p7s");
const KEYS: [&[u8]; 2] =
    [include_bytes!("../../../vectors/ima-modsig/ec.spki"), include_bytes!("../../../vectors/ima-modsig/rsa.spki")];

/// Takes the first byte as a choice of the template and the rest as its data, and checks the signatures of such an entry: a keyring
/// without keys believes none.
pub(super) fn check(input: &[u8]) -> bool {
    let Some((choice, data)) = input.split_first() else { return false };
    let template: &[u8] = if choice & 1 == 0 { b"ima-modsig" } else { b"evm-sig" };
    let list = [10_u32.to_le_bytes().as_slice(), &[1; 20], &sized(template), &sized(data)].concat();
    let Some(Ok(entry)) = BinaryList::new(&list).next() else { return false };
    let mut keyring = Keyring::new();
    assert!(!matches!(keyring.check(&entry), SignatureState::Valid { .. }));
    for key in KEYS {
        let _identifier = keyring.add(key);
    }
    !matches!(keyring.check(&entry), SignatureState::None | SignatureState::Malformed)
}

/// OpenSSL's messages about a file, and a portable signature by a key that is in no keyring.
pub(super) fn seeds() -> Vec<Vec<u8>> {
    let digest = [b"sha256:\0".as_slice(), &[0xC0; 32]].concat();
    let modsig = [EC_PLAIN, EC_ATTRIBUTES, RSA_PLAIN].map(|message| {
        let fields: [&[u8]; 5] = [&digest, b"/m.ko\0", b"", &digest, message];
        [vec![0], fields.map(sized).concat()].concat()
    });
    let ima = [[4, 4].as_slice(), &[0xC0; 32]].concat();
    let signature = [[5, 2, 4, 1, 2, 3, 4, 0, 8].as_slice(), &[0x30, 6, 2, 1, 1, 2, 1, 1]].concat();
    let lengths = [8_u32, 34].map(u32::to_le_bytes).concat();
    let values = [b"selinux\0".as_slice(), &ima].concat();
    let names = b"security.selinux|security.ima\0";
    let numbers: [&[u8]; 3] = [&[0; 4], &[0; 4], &[0xED, 0x81]];
    let fields: [&[u8]; 6] = [&digest, b"/bin/sh\0", &signature, names, &lengths, &values];
    let evm = fields.iter().chain(&numbers).flat_map(|field| sized(field));
    modsig.into_iter().chain([[1].into_iter().chain(evm).collect()]).collect()
}

fn sized(value: &[u8]) -> Vec<u8> {
    let length = u32::try_from(value.len()).unwrap_or(u32::MAX);
    [length.to_le_bytes().as_slice(), value].concat()
}
