// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Tokens of Arm's CCA and PSA, by the keys beside them.

use evtpm_crypto::{EccCurve, EccPoint};
use evtpm_evidence::jwk::{Jwk, JwkKey};
use evtpm_evidence::{cca, psa};

use super::{Item, Subject, place};
use crate::x509::PublicKey;

pub(super) fn psa(item: &Item) -> Vec<Subject> {
    let key = PublicKey::from_spki(item.file("public.pem").unwrap()).unwrap();
    vec![Subject::new(item.part("token.cbor"), item.file("token.cbor").unwrap().to_vec(), move |bytes| {
        psa::Token::parse(bytes).is_ok_and(|token| crate::psa::verify(&token, &key, "key").is_ok())
    })]
}

/// The whole token, and the platform's alone, which is a fact of its own.
pub(super) fn realm(item: &Item) -> Vec<Subject> {
    let bytes = item.file("token.cbor").unwrap();
    let token = cca::Token::parse(bytes).unwrap();
    // A list may name keys that did not sign.
    let signed = |key: &PublicKey| crate::cca::verify_platform(&token, key, "key").is_ok();
    let key = keys(item).into_iter().find(signed).expect("the platform's key");
    let start = place(bytes, token.platform.envelope.payload()).start;
    let end = place(bytes, token.platform.envelope.signature()).end;
    let verified = |with_realm: bool| {
        let key = key.clone();
        move |bytes: &[u8]| {
            let Ok(token) = cca::Token::parse(bytes) else { return false };
            crate::cca::verify_platform(&token, &key, "key")
                .is_ok_and(|platform| !with_realm || crate::cca::verify_realm(&token, &platform).is_ok())
        }
    };
    let whole = Subject::new(item.part("token.cbor"), bytes.to_vec(), verified(true));
    let platform = Subject::new(item.part("platform"), bytes.to_vec(), verified(false)).in_part(start..end);
    // One token is bound to another realm's key: only its platform is believed.
    if (whole.believes)(bytes) { vec![whole, platform] } else { vec![platform] }
}

/// The keys that an item has for its token: a PEM key, JWKs, alone or in a list of platforms.
fn keys(item: &Item) -> Vec<PublicKey> {
    #[derive(serde::Deserialize)]
    struct Named {
        pkey: Jwk,
    }
    let jwks = item.files.iter().flat_map(|(_, json)| match serde_json::from_slice::<Vec<Named>>(json) {
        Ok(list) => list.into_iter().map(|named| named.pkey).collect(),
        Err(_) => serde_json::from_slice::<Jwk>(json).into_iter().collect::<Vec<_>>(),
    });
    let public = |key: Jwk| match key.key() {
        Ok(JwkKey::Ecc { curve, x, y }) => {
            let curve = if curve == "P-256" { EccCurve::P256 } else { EccCurve::P384 };
            Some(PublicKey::Ecc(EccPoint::new(curve, &x, &y).unwrap()))
        }
        _ => None,
    };
    let pem = item.file("cca_platform_pub.pem").map(|pem| PublicKey::from_spki(pem).unwrap());
    jwks.filter_map(public).chain(pem).collect()
}
