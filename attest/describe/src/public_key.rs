// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A TPM key's public area (Part 2, "TPMT_PUBLIC").

use evtpm_crypto::RustCrypto;
use evtpm_protocol::object_name;
use evtpm_tpm_wire::{PublicBody, Supported, TpmaObject, TpmtPublic, from_bytes};
use hex::encode as hex;

use crate::attestation::hash_name;
use crate::{Error, Field};

/// The attributes by the names that Part 2 has for them.
const ATTRIBUTES: [(TpmaObject, &str); 11] = [
    (TpmaObject::FIXED_TPM, "fixedTPM"),
    (TpmaObject::ST_CLEAR, "stClear"),
    (TpmaObject::FIXED_PARENT, "fixedParent"),
    (TpmaObject::SENSITIVE_DATA_ORIGIN, "sensitiveDataOrigin"),
    (TpmaObject::USER_WITH_AUTH, "userWithAuth"),
    (TpmaObject::ADMIN_WITH_POLICY, "adminWithPolicy"),
    (TpmaObject::NO_DA, "noDA"),
    (TpmaObject::ENCRYPTED_DUPLICATION, "encryptedDuplication"),
    (TpmaObject::RESTRICTED, "restricted"),
    (TpmaObject::DECRYPT, "decrypt"),
    (TpmaObject::SIGN, "sign"),
];

/// Describes TPM2B_PUBLIC.
pub fn public_key(bytes: &[u8]) -> Result<Vec<Field>, Error> {
    let malformed = |code| Error::Tpm { what: "TPM2B_PUBLIC", code };
    let area = bytes.get(2..).unwrap_or_default();
    let public: TpmtPublic = from_bytes(area, &Supported::ALL).map_err(malformed)?;
    let attributes = public.object_attributes;
    let set = ATTRIBUTES.iter().filter(|(bit, _)| attributes.contains(*bit)).map(|(_, name)| *name);
    let mut fields = body(&public.body);
    fields.push(Field::new("attributes", format!("{:#010x}", attributes.0)).note(set.collect::<Vec<_>>().join(", ")));
    fields.push(Field::new("name_alg", public.name_alg.map_or_else(|| "none".to_owned(), hash_name)));
    if let Ok(name) = object_name::<RustCrypto>(&public) {
        fields.push(Field::new("name", hex(name.as_bytes())));
    }
    fields.push(Field::new("auth_policy", hex(public.auth_policy.as_bytes())));
    Ok(fields)
}

fn body(body: &PublicBody) -> Vec<Field> {
    match body {
        PublicBody::Rsa { parms, unique } => {
            vec![Field::new("type", format!("RSA-{}", parms.key_bits.0)), Field::new("modulus", hex(unique.as_bytes()))]
        }
        PublicBody::Ecc { parms, unique } => vec![
            Field::new("type", format!("ECC {:?}", parms.curve_id)),
            Field::new("x", hex(unique.x.as_bytes())),
            Field::new("y", hex(unique.y.as_bytes())),
        ],
        PublicBody::KeyedHash { .. } => vec![Field::new("type", "keyed hash")],
        PublicBody::SymCipher { .. } => vec![Field::new("type", "symmetric cipher")],
        _ => vec![Field::new("type", "another kind")],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_public_area_is_refused() {
        assert!(public_key(&[]).is_err());
        assert!(public_key(&[0, 4, 0, 0x23, 0, 0x0B]).unwrap_err().to_string().starts_with("not a TPM2B_PUBLIC"));
    }
}
