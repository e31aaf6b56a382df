// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What a TPM attests, field by field (Part 2, "Attestation Structures").

use evtpm_logs::HashId;
use evtpm_tpm_wire::{
    HashAlg, Reader, Supported, TpmlPcrSelection, TpmsAttest, TpmsClockInfo, TpmtSignature, TpmuAttest, YesNo,
    from_bytes,
};
use hex::encode as hex;
use serde_json::{Map, Value, json};

use crate::{Error, Field};

/// Describes TPMS_ATTEST, bare or behind its size.
pub fn attestation(bytes: &[u8]) -> Result<Vec<Field>, Error> {
    Ok(fields(&parse(bytes)?))
}

/// Reads TPMS_ATTEST, or TPM2B_ATTEST, which begins with its size where the other has TPM_GENERATED_VALUE.
fn parse(bytes: &[u8]) -> Result<TpmsAttest<'_>, Error> {
    let bare = match bytes.split_first_chunk::<2>() {
        Some((size, rest)) if usize::from(u16::from_be_bytes(*size)) == rest.len() => rest,
        _ => bytes,
    };
    from_bytes(bare, &Supported::ALL).map_err(|code| Error::Tpm { what: "TPMS_ATTEST", code })
}

fn fields(attest: &TpmsAttest<'_>) -> Vec<Field> {
    let mut fields = vec![
        Field::new("type", kind(&attest.attested)),
        Field::new("qualified_signer", hex(attest.qualified_signer.as_bytes())).note("Qualified Name of the key"),
        Field::new("extra_data", hex(attest.extra_data.as_bytes())).note("the nonce, as a rule"),
    ];
    fields.extend(clock(&attest.clock_info));
    fields.push(Field::new("firmware_version", format!("{:#018x}", attest.firmware_version)));
    fields.extend(attested(&attest.attested));
    fields
}

const fn kind(attested: &TpmuAttest<'_>) -> &'static str {
    match attested {
        TpmuAttest::Certify(_) => "TPM_ST_ATTEST_CERTIFY",
        TpmuAttest::Creation(_) => "TPM_ST_ATTEST_CREATION",
        TpmuAttest::Quote(_) => "TPM_ST_ATTEST_QUOTE",
        TpmuAttest::CommandAudit(_) => "TPM_ST_ATTEST_COMMAND_AUDIT",
        TpmuAttest::SessionAudit(_) => "TPM_ST_ATTEST_SESSION_AUDIT",
        TpmuAttest::Time(_) => "TPM_ST_ATTEST_TIME",
        TpmuAttest::Nv(_) => "TPM_ST_ATTEST_NV",
        TpmuAttest::NvDigest(_) => "TPM_ST_ATTEST_NV_DIGEST",
    }
}

fn clock(clock: &TpmsClockInfo) -> [Field; 4] {
    let is_safe = clock.safe == YesNo::Yes;
    [
        Field::new("clock", clock.clock).note("milliseconds with power"),
        Field::new("reset_count", clock.reset_count),
        Field::new("restart_count", clock.restart_count),
        Field::new("safe", is_safe).note(if is_safe { "" } else { "a greater clock may have been reported before" }),
    ]
}

fn attested(attested: &TpmuAttest<'_>) -> Vec<Field> {
    match attested {
        TpmuAttest::Certify(info) => vec![
            Field::new("name", hex(info.name.as_bytes())),
            Field::new("qualified_name", hex(info.qualified_name.as_bytes())),
        ],
        TpmuAttest::Creation(info) => vec![
            Field::new("object_name", hex(info.object_name.as_bytes())),
            Field::new("creation_hash", hex(info.creation_hash.as_bytes())),
        ],
        TpmuAttest::Quote(info) => vec![
            Field::new("pcr_select", selection(&info.pcr_select)),
            Field::new("pcr_digest", hex(info.pcr_digest.as_bytes())),
        ],
        TpmuAttest::CommandAudit(info) => vec![
            Field::new("audit_counter", info.audit_counter),
            Field::new("digest_alg", format!("{:#06x}", info.digest_alg.0)),
            Field::new("audit_digest", hex(info.audit_digest.as_bytes())),
            Field::new("command_digest", hex(info.command_digest.as_bytes())),
        ],
        TpmuAttest::SessionAudit(info) => vec![
            Field::new("exclusive_session", info.exclusive_session == YesNo::Yes),
            Field::new("session_digest", hex(info.session_digest.as_bytes())),
        ],
        TpmuAttest::Time(info) => {
            let mut fields = vec![Field::new("time", info.time.time).note("milliseconds since the last power-up")];
            fields.extend(clock(&info.time.clock_info));
            fields.push(Field::new("attested_firmware_version", format!("{:#018x}", info.firmware_version)));
            fields
        }
        TpmuAttest::Nv(info) => vec![
            Field::new("index_name", hex(info.index_name.as_bytes())),
            Field::new("offset", info.offset),
            Field::new("nv_contents", hex(info.nv_contents.as_bytes())),
        ],
        TpmuAttest::NvDigest(info) => vec![
            Field::new("index_name", hex(info.index_name.as_bytes())),
            Field::new("nv_digest", hex(info.nv_digest.as_bytes())),
        ],
    }
}

/// `{"sha256": [0, 1, 7]}`.
fn selection(selection: &TpmlPcrSelection) -> Value {
    let banks = selection.iter().map(|bank| {
        let pcrs: Vec<u8> = bank.select.iter().map(|pcr| pcr.number()).collect();
        (hash_name(bank.hash), json!(pcrs))
    });
    Value::Object(banks.collect::<Map<_, _>>())
}

/// Describes TPMT_SIGNATURE.
pub fn signature(bytes: &[u8]) -> Result<Vec<Field>, Error> {
    let mut reader = Reader::permissive(bytes);
    let signature: TpmtSignature = reader.read().map_err(|code| Error::Tpm { what: "TPMT_SIGNATURE", code })?;
    let scheme = match signature {
        TpmtSignature::Rsassa(_) => "RSASSA",
        TpmtSignature::Rsapss(_) => "RSAPSS",
        TpmtSignature::Ecdsa(_) => "ECDSA",
        TpmtSignature::Ecdaa(_) => "ECDAA",
        TpmtSignature::Sm2(_) => "SM2",
        TpmtSignature::Ecschnorr(_) => "ECSCHNORR",
        TpmtSignature::Eddsa(_) => "EDDSA",
        TpmtSignature::HashEddsa(_) => "HASH_EDDSA",
        TpmtSignature::Mldsa(_) => "MLDSA",
        TpmtSignature::HashMldsa(_) => "HASH_MLDSA",
        TpmtSignature::Hmac(_) => "HMAC",
    };
    let mut fields =
        vec![Field::new("signature_scheme", scheme), Field::new("signature_hash", hash_name(signature.hash_alg()))];
    match &signature {
        TpmtSignature::Rsassa(rsa) | TpmtSignature::Rsapss(rsa) => {
            fields.push(Field::new("signature", hex(rsa.sig.as_bytes())));
        }
        TpmtSignature::Ecdsa(ecc)
        | TpmtSignature::Ecdaa(ecc)
        | TpmtSignature::Sm2(ecc)
        | TpmtSignature::Ecschnorr(ecc) => {
            fields.push(Field::new("signature_r", hex(ecc.signature_r.as_bytes())));
            fields.push(Field::new("signature_s", hex(ecc.signature_s.as_bytes())));
        }
        TpmtSignature::Eddsa(eddsa) | TpmtSignature::HashEddsa(eddsa) => {
            fields.push(Field::new("signature", hex(eddsa.as_bytes())));
        }
        TpmtSignature::Mldsa(mldsa) => fields.push(Field::new("signature", hex(mldsa.as_bytes()))),
        TpmtSignature::HashMldsa(mldsa) => fields.push(Field::new("signature", hex(mldsa.signature.as_bytes()))),
        TpmtSignature::Hmac(hmac) => fields.push(Field::new("signature", hex(hmac.digest()))),
    }
    Ok(fields)
}

/// Names a hash as logs do, of which SHAKE256 is none.
pub(crate) fn hash_name(alg: HashAlg) -> String {
    match alg {
        HashAlg::Shake256_512 => "shake256-512".to_owned(),
        hash => HashId(hash.id().0).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A quote of PCR 0 and 7 in SHA-256 as a TPM writes it.
    fn quote() -> Vec<u8> {
        let mut bytes = [b"\xffTCG\x80\x18".as_slice(), &[0, 2, 0, 11], &[0, 3, 1, 2, 3]].concat();
        bytes.extend([0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 1, 0, 0, 0, 2, 1]);
        bytes.extend([0; 8]);
        bytes.extend([0, 0, 0, 1, 0, 11, 3, 0x81, 0, 0, 0, 4, 5, 6, 7, 8]);
        bytes
    }

    fn value(fields: &[Field], name: &str) -> Option<Value> {
        fields.iter().find(|field| field.name == name).map(|field| field.value.clone())
    }

    #[test]
    fn a_quote_is_shown_with_and_without_its_size() {
        let bare = quote();
        let sized = [u16::try_from(bare.len()).unwrap().to_be_bytes().as_slice(), &bare].concat();
        for bytes in [bare, sized] {
            let fields = fields(&parse(&bytes).unwrap());
            assert_eq!(value(&fields, "type"), Some(json!("TPM_ST_ATTEST_QUOTE")));
            assert_eq!(value(&fields, "pcr_select"), Some(json!({ "sha256": [0, 7] })));
            assert_eq!(value(&fields, "extra_data"), Some(json!("010203")));
            assert_eq!(value(&fields, "pcr_digest"), Some(json!("05060708")));
            assert_eq!(value(&fields, "reset_count"), Some(json!(1)));
        }
    }

    #[test]
    fn other_bytes_are_refused_by_name() {
        let error = parse(&[0; 40]).unwrap_err().to_string();
        assert!(error.contains("TPMS_ATTEST"), "{error}");
        assert!(super::signature(&[0; 4]).is_err());
    }

    #[test]
    fn a_signature_is_shown_by_its_scheme() {
        let fields = super::signature(&[0, 0x18, 0, 11, 0, 1, 0xAA, 0, 1, 0xBB]).unwrap();
        assert_eq!(value(&fields, "signature_scheme"), Some(json!("ECDSA")));
        assert_eq!(value(&fields, "signature_s"), Some(json!("bb")));
    }
}
