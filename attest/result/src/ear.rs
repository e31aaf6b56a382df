// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The attestation result itself (draft-ietf-rats-ear, "EAT Attestation Result").

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use evtpm_appraise::{
    Appraisal, Explanation, Finding, Layer, LayerAppraisal, Root, Tier, TrustVector, UnixTime, Vendor, Verdict,
};
use evtpm_crypto::{Rng, constant_time_eq};
use serde::{Deserialize, Serialize};

use crate::{Error, Format, SigningKey, Token, VerifyingKey, cbor, cwt, jwt, policy_ids};

/// The profile of draft-ietf-rats-ear-04.
pub const PROFILE: &str = "tag:ietf.org,2026:rats/ear#04";
/// The profile of the drafts before, whose names of claims have dots and hyphens; such results are read too.
pub const EARLIER_PROFILE: &str = "tag:github.com,2023:veraison/ear";

/// How far another clock may be ahead.
const CLOCK_SKEW_SECONDS: u64 = 60;

/// An attestation result: the claims of a token.
///
/// The order of its members is fixed, so that one appraisal in one context always gives the same bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ear {
    /// The profile.
    pub eat_profile: String,
    /// When the result was issued, in seconds since 1970.
    pub iat: u64,
    /// When the result expires, in seconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exp: Option<u64>,
    /// The nonce of whoever asked for the result, in base64url.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub eat_nonce: Option<String>,
    /// Who made the result.
    #[serde(rename = "ear_verifier_id", alias = "ear.verifier-id")]
    pub verifier_id: VerifierId,
    /// The layers of the attester.
    pub submods: BTreeMap<String, Submodule>,
    /// The verdict over all layers.
    #[serde(rename = "ear.evtpm.verdict", default, skip_serializing_if = "Option::is_none")]
    pub verdict: Option<Verdict>,
    /// What the verdict would be, if the policy were not only tried out.
    #[serde(rename = "ear.evtpm.would-be", default, skip_serializing_if = "Option::is_none")]
    pub would_be: Option<Verdict>,
    /// The root that the report's chain ends in.
    #[serde(rename = "ear.evtpm.root", default, skip_serializing_if = "Option::is_none")]
    pub root: Option<RootClaim>,
    /// SHA-256 of the launch identity, in hexadecimal.
    #[serde(rename = "ear.evtpm.identity", default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<String>,
}

/// Who made a result.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerifierId {
    /// The maker of the verifier.
    pub developer: String,
    /// The verifier's build.
    pub build: String,
}

/// The root of trust in a result.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RootClaim {
    /// A product line of AMD.
    Amd(String),
    /// A simulated root: no hardware stands behind the result.
    Simulated(String),
    /// Intel's root of SGX and TDX.
    Intel,
    /// The root of AWS Nitro enclaves.
    Aws,
    /// NVIDIA's root of device identities.
    Nvidia,
    /// Hygon's root key.
    Hygon,
    /// A key that the verifier's owner named; no vendor stands behind it.
    Named(String),
}

impl From<&Vendor> for RootClaim {
    fn from(vendor: &Vendor) -> Self {
        match vendor {
            Vendor::Intel => Self::Intel,
            Vendor::Aws => Self::Aws,
            // No result is about a manifest; the device that it is compared with has a root of its own.
            Vendor::Nvidia | Vendor::NvidiaRim => Self::Nvidia,
            Vendor::Hygon => Self::Hygon,
            Vendor::Named { name } => Self::Named(name.clone()),
        }
    }
}

impl From<&Root> for RootClaim {
    fn from(root: &Root) -> Self {
        match root {
            Root::Amd(product) => Self::Amd(product.name().to_owned()),
            Root::Simulated { name } => Self::Simulated(name.clone()),
        }
    }
}

/// What a result says of one layer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Submodule {
    /// The tier of the layer.
    #[serde(rename = "ear_status", alias = "ear.status")]
    pub status: Tier,
    /// The trust vector.
    #[serde(rename = "ear_trustworthiness_vector", alias = "ear.trustworthiness-vector", default)]
    pub vector: TrustVector,
    /// The policy that the layer was judged by.
    #[serde(
        rename = "ear_appraisal_policy_ids",
        alias = "ear.appraisal-policy-id",
        with = "policy_ids",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub policy_id: Option<String>,
    /// The root of the layer's evidence, where it is another vendor's than the report's.
    #[serde(rename = "ear.evtpm.root", default, skip_serializing_if = "Option::is_none")]
    pub root: Option<RootClaim>,
    /// The objections.
    #[serde(rename = "ear.evtpm.findings", default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<Explanation>,
}

/// What a result says besides the appraisal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Context<'a> {
    /// When the result is issued.
    pub issued: UnixTime,
    /// For how many seconds it may be relied upon; `None` for as long as the relying party likes.
    pub lifetime: Option<u64>,
    /// The policy's identifier.
    pub policy_id: &'a str,
    /// The nonce of whoever asked for the result.
    pub nonce: Option<&'a [u8]>,
    /// The verifier's build.
    pub build: &'a str,
}

impl Ear {
    /// Makes a result out of an appraisal.
    pub fn new(appraisal: &Appraisal, context: &Context<'_>) -> Self {
        let mut submods: BTreeMap<String, Submodule> = appraisal
            .layers()
            .iter()
            .map(|layer| {
                let root = appraisal.vendor(layer.layer()).map(RootClaim::from);
                (layer.layer().name().to_owned(), Submodule { root, ..Submodule::of(layer, context.policy_id) })
            })
            .collect();
        if submods.is_empty() {
            // A result has at least one submodule; of an attester that did not answer, nothing can be said.
            submods.insert(Layer::Snp.name().to_owned(), Submodule::silent(context.policy_id));
        }
        Self {
            eat_profile: PROFILE.to_owned(),
            iat: context.issued.0,
            exp: context.lifetime.map(|lifetime| context.issued.0.saturating_add(lifetime)),
            eat_nonce: context.nonce.map(|nonce| URL_SAFE_NO_PAD.encode(nonce)),
            verifier_id: VerifierId { developer: "evtpm".to_owned(), build: context.build.to_owned() },
            submods,
            verdict: Some(appraisal.verdict()),
            would_be: appraisal.would_be(),
            root: appraisal.root().map(RootClaim::from),
            identity: appraisal.identity().map(|identity| identity.digest().to_string()),
        }
    }

    /// Writes the claims as JSON.
    pub fn to_json(&self) -> Result<String, Error> {
        serde_json::to_string(self).map_err(|error| Error::Malformed { what: "result", detail: error.to_string() })
    }

    /// Signs the result as a JWT; `rng` hardens the signature's nonce and changes nothing else.
    pub fn sign(&self, key: &SigningKey, rng: &mut dyn Rng) -> Result<String, Error> {
        jwt::sign(self.to_json()?.as_bytes(), key, rng)
    }

    /// Signs the result as a CWT.
    pub fn sign_cwt(&self, key: &SigningKey, rng: &mut dyn Rng) -> Result<Vec<u8>, Error> {
        cwt::sign(cbor::encode(self)?, key, rng)
    }

    /// Reads the claims of a token of either form, whoever signed it.
    pub fn unverified(token: &Token) -> Result<Self, Error> {
        match token.format {
            Format::Jwt => serde_json::from_slice(&token.payload)
                .map_err(|error| Error::Malformed { what: "result", detail: error.to_string() }),
            Format::Cwt => cbor::decode(&token.payload),
        }
    }

    /// Checks a token of either form: signature by this very key, profile, time of issue, expiry, and that it answers
    /// `nonce`.
    pub fn check(token: &[u8], key: &VerifyingKey, nonce: Option<&[u8]>, now: UnixTime) -> Result<Self, Error> {
        let token = Token::parse(token)?;
        token.verify(key)?;
        let ear = Self::unverified(&token)?;
        if ![PROFILE, EARLIER_PROFILE].contains(&ear.eat_profile.as_str()) {
            return Err(Error::Profile { expected: PROFILE, actual: ear.eat_profile });
        }
        if ear.submods.is_empty() {
            return Err(Error::Malformed { what: "result", detail: "no submodule".into() });
        }
        let issued = UnixTime(ear.iat);
        if issued.0 > now.0.saturating_add(CLOCK_SKEW_SECONDS) {
            return Err(Error::NotYetIssued { issued, now });
        }
        match ear.exp.map(UnixTime) {
            Some(expires) if now >= expires => return Err(Error::Expired { expires, now }),
            _ => {}
        }
        if let Some(nonce) = nonce {
            let answered = ear.eat_nonce.as_ref().and_then(|text| URL_SAFE_NO_PAD.decode(text).ok());
            if !answered.is_some_and(|answered| constant_time_eq(&answered, nonce)) {
                return Err(Error::Nonce);
            }
        }
        Ok(ear)
    }

    /// Returns the worst tier of all layers.
    pub fn status(&self) -> Tier {
        self.submods.values().map(|submodule| submodule.status).max().unwrap_or(Tier::None)
    }

    /// Returns the name of the simulated root, if no hardware stands behind the result.
    pub fn simulated_root(&self) -> Option<&str> {
        match &self.root {
            Some(RootClaim::Simulated(name)) => Some(name),
            _ => None,
        }
    }
}

impl Submodule {
    fn of(layer: &LayerAppraisal, policy_id: &str) -> Self {
        Self {
            status: layer.status(),
            vector: layer.vector(),
            policy_id: Some(policy_id.to_owned()),
            root: None,
            findings: layer.findings().iter().map(Finding::explain).collect(),
        }
    }

    fn silent(policy_id: &str) -> Self {
        Self {
            status: Tier::None,
            vector: TrustVector::default(),
            policy_id: Some(policy_id.to_owned()),
            root: None,
            findings: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests;
