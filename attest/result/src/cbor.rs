// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The claims of a result in CBOR, under the numbers of the draft and, for our extensions, private ones (RFC 8392, 9.1).
//!
//! What is written is deterministic (RFC 8949, 4.2.1): one result has one encoding.

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use coset::CborSerializable;
use coset::cbor::value::Value;
use evtpm_appraise::{Tier, TrustClaim, TrustVector};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::{Ear, Error, Submodule, VerifierId};

const EXP: i64 = 4;
const IAT: i64 = 6;
const NONCE: i64 = 10;
const PROFILE: i64 = 265;
const SUBMODS: i64 = 266;
const STATUS: i64 = 1000;
const VECTOR: i64 = 1001;
const POLICY_IDS: i64 = 1003;
const VERIFIER_ID: i64 = 1004;
const VERDICT: i64 = -72000;
const WOULD_BE: i64 = -72001;
const ROOT: i64 = -72002;
const IDENTITY: i64 = -72003;
const FINDINGS: i64 = -72004;

/// Members of "verifier-id".
const DEVELOPER: i64 = 0;
const BUILD: i64 = 1;

/// Encodes the claims.
pub(crate) fn encode(ear: &Ear) -> Result<Vec<u8>, Error> {
    let mut claims = Claims::default();
    claims.add(EXP, ear.exp)?;
    claims.add(IAT, Some(ear.iat))?;
    if let Some(nonce) = &ear.eat_nonce {
        let nonce = URL_SAFE_NO_PAD.decode(nonce).map_err(|error| malformed("eat_nonce", error))?;
        claims.0.push((NONCE.into(), Value::Bytes(nonce)));
    }
    claims.add(PROFILE, Some(&ear.eat_profile))?;
    let mut submods = Vec::new();
    for (name, submodule) in &ear.submods {
        submods.push((Value::Text(name.clone()), Value::Map(appraisal(submodule)?.0)));
    }
    claims.0.push((SUBMODS.into(), Value::Map(submods)));
    let verifier = [(DEVELOPER, &ear.verifier_id.developer), (BUILD, &ear.verifier_id.build)];
    let verifier = verifier.map(|(key, text)| (key.into(), Value::Text(text.clone())));
    claims.0.push((VERIFIER_ID.into(), Value::Map(verifier.into())));
    claims.add(VERDICT, ear.verdict)?;
    claims.add(WOULD_BE, ear.would_be)?;
    claims.add(ROOT, ear.root.as_ref())?;
    claims.add(IDENTITY, ear.identity.as_ref())?;
    sorted(Value::Map(claims.0))?.to_vec().map_err(|error| malformed("result", error))
}

fn appraisal(submodule: &Submodule) -> Result<Claims, Error> {
    let mut claims = Claims::default();
    let status = TIERS.iter().find(|(tier, _)| *tier == submodule.status).map(|(_, number)| *number);
    claims.add(STATUS, status)?;
    let vector = submodule.vector.claims().into_iter().zip(0_i64..).filter(|(claim, _)| *claim != TrustClaim::NONE);
    let vector = vector.map(|(claim, key)| (key.into(), i64::from(claim.0).into())).collect();
    claims.0.push((VECTOR.into(), Value::Map(vector)));
    claims.add(POLICY_IDS, submodule.policy_id.as_ref().map(core::slice::from_ref))?;
    claims.add(ROOT, submodule.root.as_ref())?;
    claims.add(FINDINGS, Some(&submodule.findings).filter(|findings| !findings.is_empty()))?;
    Ok(claims)
}

/// The tiers as numbers: each the least of its values in the vector.
const TIERS: [(Tier, i64); 4] =
    [(Tier::None, 0), (Tier::Affirming, 2), (Tier::Warning, 32), (Tier::Contraindicated, 96)];

/// Decodes the claims; what is unknown is passed over ("A receiver MUST ignore any unknown claim").
pub(crate) fn decode(payload: &[u8]) -> Result<Ear, Error> {
    let value = Value::from_slice(payload).map_err(|error| malformed("result", error))?;
    let mut claims = Claims::of("result", value)?;
    let nonce: Option<Value> = claims.take("eat_nonce", NONCE)?;
    let nonce = match nonce {
        Some(Value::Bytes(nonce)) => Some(URL_SAFE_NO_PAD.encode(nonce)),
        Some(_) => return Err(malformed("eat_nonce", "no byte string")),
        None => None,
    };
    let mut verifier = Claims::of("ear_verifier_id", claims.demand("ear_verifier_id", VERIFIER_ID)?)?;
    let mut submods = BTreeMap::new();
    for (name, value) in map("submods", claims.demand("submods", SUBMODS)?)? {
        let Value::Text(name) = name else { return Err(malformed("submods", "a name that is no text")) };
        if submods.insert(name, submodule(value)?).is_some() {
            return Err(malformed("submods", "one name twice"));
        }
    }
    Ok(Ear {
        eat_profile: claims.demand("eat_profile", PROFILE)?,
        iat: claims.demand("iat", IAT)?,
        exp: claims.take("exp", EXP)?,
        eat_nonce: nonce,
        verifier_id: VerifierId {
            developer: verifier.demand("developer", DEVELOPER)?,
            build: verifier.demand("build", BUILD)?,
        },
        submods,
        verdict: claims.take("ear.evtpm.verdict", VERDICT)?,
        would_be: claims.take("ear.evtpm.would-be", WOULD_BE)?,
        root: claims.take("ear.evtpm.root", ROOT)?,
        identity: claims.take("ear.evtpm.identity", IDENTITY)?,
    })
}

fn submodule(value: Value) -> Result<Submodule, Error> {
    let mut claims = Claims::of("submodule", value)?;
    let status: i64 = claims.demand("ear_status", STATUS)?;
    let status = TIERS.iter().find(|(_, number)| *number == status).map(|(tier, _)| *tier);
    let vector: Option<Value> = claims.take("ear_trustworthiness_vector", VECTOR)?;
    Ok(Submodule {
        status: status.ok_or_else(|| malformed("ear_status", "no tier"))?,
        vector: vector.map(trust_vector).transpose()?.unwrap_or_default(),
        policy_id: claims.take("ear_appraisal_policy_ids", POLICY_IDS)?.and_then(|PolicyIds(id)| id),
        root: claims.take("ear.evtpm.root", ROOT)?,
        findings: claims.take("ear.evtpm.findings", FINDINGS)?.unwrap_or_default(),
    })
}

/// A list, or the one text of earlier drafts.
#[derive(Deserialize)]
struct PolicyIds(#[serde(with = "crate::policy_ids")] Option<String>);

fn trust_vector(value: Value) -> Result<TrustVector, Error> {
    const WHAT: &str = "ear_trustworthiness_vector";
    let mut claims = Claims::of(WHAT, value)?;
    let mut take = |key| claims.take::<i8>(WHAT, key).map(|claim| TrustClaim(claim.unwrap_or_default()));
    let vector = TrustVector {
        instance_identity: take(0)?,
        configuration: take(1)?,
        executables: take(2)?,
        file_system: take(3)?,
        hardware: take(4)?,
        runtime_opaque: take(5)?,
        storage_opaque: take(6)?,
        sourced_data: take(7)?,
    };
    if claims.0.is_empty() { Ok(vector) } else { Err(malformed(WHAT, "a claim that the draft does not have")) }
}

/// A map of claims, by number.
#[derive(Default)]
struct Claims(Vec<(Value, Value)>);

impl Claims {
    fn of(what: &'static str, value: Value) -> Result<Self, Error> {
        map(what, value).map(Self)
    }

    fn add(&mut self, key: i64, value: Option<impl Serialize>) -> Result<(), Error> {
        let Some(value) = value else { return Ok(()) };
        self.0.push((key.into(), Value::serialized(&value).map_err(|error| malformed("result", error))?));
        Ok(())
    }

    /// Takes a claim out; a second one of its number is refused.
    fn take<T: DeserializeOwned>(&mut self, what: &'static str, key: i64) -> Result<Option<T>, Error> {
        let key = Value::from(key);
        let mut found = self.0.extract_if(.., |(name, _)| *name == key);
        let (first, second) = (found.next(), found.next());
        drop(found);
        match (first, second) {
            (None, _) => Ok(None),
            (Some((_, value)), None) => value.deserialized().map(Some).map_err(|error| malformed(what, error)),
            (Some(_), Some(_)) => Err(malformed(what, "it is there twice")),
        }
    }

    fn demand<T: DeserializeOwned>(&mut self, what: &'static str, key: i64) -> Result<T, Error> {
        self.take(what, key)?.ok_or_else(|| malformed(what, "it is missing"))
    }
}

fn map(what: &'static str, value: Value) -> Result<Vec<(Value, Value)>, Error> {
    value.into_map().map_err(|_| malformed(what, "no map"))
}

/// Orders the members of every map by their encoded keys.
fn sorted(value: Value) -> Result<Value, Error> {
    Ok(match value {
        Value::Array(items) => Value::Array(items.into_iter().map(sorted).collect::<Result<_, _>>()?),
        Value::Map(members) => {
            let mut keyed = Vec::new();
            for (key, value) in members {
                let encoded = key.clone().to_vec().map_err(|error| malformed("result", error))?;
                keyed.push((encoded, key, sorted(value)?));
            }
            keyed.sort_by(|left, right| left.0.cmp(&right.0));
            Value::Map(keyed.into_iter().map(|(_, key, value)| (key, value)).collect())
        }
        other => other,
    })
}

fn malformed(what: &'static str, detail: impl ToString) -> Error {
    Error::Malformed { what, detail: detail.to_string() }
}
