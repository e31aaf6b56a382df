// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Claims in COSE_Sign1 (RFC 8392, "Creating a CWT"; RFC 9052, "Signing with One Signer").

use coset::cbor::value::Value;
use coset::{AsCborValue, CborSerializable, CoseSign1, CoseSign1Builder, HeaderBuilder, RegisteredLabelWithPrivate};
use evtpm_crypto::Rng;

use crate::token::{Format, Token, cose_name};
use crate::{Algorithm, Error, SigningKey};

/// The tag of a CWT, which may stand before the tag of its COSE message.
const CWT_TAG: u64 = 61;
/// The tag of COSE_Sign1.
const SIGN1_TAG: u64 = 18;

/// Signs a payload.
pub(crate) fn sign(payload: Vec<u8>, key: &SigningKey, rng: &mut dyn Rng) -> Result<Vec<u8>, Error> {
    let algorithm = match key.algorithm() {
        Algorithm::Es256 => coset::iana::Algorithm::ES256,
        Algorithm::Es384 => coset::iana::Algorithm::ES384,
        Algorithm::EdDsa => coset::iana::Algorithm::EdDSA,
    };
    let header = HeaderBuilder::new().algorithm(algorithm).key_id(key.verifying_key().id().into_bytes()).build();
    let message = CoseSign1Builder::new()
        .protected(header)
        .payload(payload)
        .try_create_signature(&[], |message| key.sign(message, rng))?
        .build();
    let value = message.to_cbor_value().map_err(malformed)?;
    Value::Tag(SIGN1_TAG, Box::new(value)).to_vec().map_err(malformed)
}

/// Takes a token apart; only what is in the protected header counts.
pub(crate) fn parse(bytes: &[u8]) -> Result<Token, Error> {
    let mut value = Value::from_slice(bytes).map_err(malformed)?;
    for expected in [CWT_TAG, SIGN1_TAG] {
        value = match value {
            Value::Tag(tag, inner) if tag == expected => *inner,
            other => other,
        };
    }
    let message = CoseSign1::from_cbor_value(value).map_err(malformed)?;
    let header = &message.protected.header;
    if !header.crit.is_empty() || !message.unprotected.crit.is_empty() {
        return Err(Error::Malformed { what: "header", detail: "critical parameters that are not understood".into() });
    }
    let algorithm = match &header.alg {
        Some(RegisteredLabelWithPrivate::Assigned(algorithm)) => cose_name(coset::iana::EnumI64::to_i64(algorithm)),
        Some(RegisteredLabelWithPrivate::PrivateUse(number)) => cose_name(*number),
        Some(RegisteredLabelWithPrivate::Text(name)) => name.clone(),
        None => return Err(Error::Malformed { what: "header", detail: "no signed algorithm".into() }),
    };
    let Some(payload) = message.payload.clone() else {
        return Err(Error::Malformed { what: "payload", detail: "it is detached".into() });
    };
    let key_id = (!header.key_id.is_empty()).then(|| String::from_utf8_lossy(&header.key_id).into_owned());
    Ok(Token {
        format: Format::Cwt,
        algorithm,
        key_id,
        message: message.tbs_data(&[]),
        signature: message.signature,
        payload,
    })
}

fn malformed(error: coset::CoseError) -> Error {
    Error::Malformed { what: "token", detail: error.to_string() }
}
