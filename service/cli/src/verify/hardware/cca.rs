// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Arm CCA tokens: the platform below the key that its owner named, and the realm below the platform.

use evtpm_appraise::Layer;
use evtpm_evidence::cca::Token;
use evtpm_verify::cca::{self, PlatformClaims, RealmClaims};
use serde_json::{Value, json};

use super::Verification;
use super::args::Hardware;
use super::psa::component;
use crate::output::hex;
use crate::verify::facts::Fact;

pub(super) fn verify(verification: &mut Verification, hardware: &Hardware) -> Option<()> {
    let named = hardware.cca.as_ref()?;
    let token = match Token::parse(&named.bytes) {
        Ok(token) => token,
        Err(error) => {
            verification.refuse("CCA token", Layer::CcaPlatform, &error);
            return None;
        }
    };
    let platform = match cca::verify_platform(&token, &named.key, &named.name) {
        Ok(platform) => platform,
        Err(error) => {
            verification.refuse("platform token", Layer::CcaPlatform, &error);
            verification.not_reached("realm token", "platform token");
            return None;
        }
    };
    let detail = format!("up to {}", platform.root());
    verification
        .prove("platform token", detail, platform_facts(&platform), |claims| claims.with_cca_platform(&platform));
    verification.gap(true, "whose the CCA platform's key is: it is yours to vouch for");
    let realm = match cca::verify_realm(&token, &platform) {
        Ok(realm) => realm,
        Err(error) => {
            verification.refuse("realm token", Layer::CcaRealm, &error);
            return None;
        }
    };
    let challenge = verification.answer(hardware, Layer::CcaRealm, &realm.challenge)?;
    let detail = "signed by the key that the platform's challenge is the hash of".to_owned();
    verification.prove("realm token", detail, realm_facts(&realm), |claims| claims.with_cca_realm(&realm, challenge));
    Some(())
}

fn platform_facts(platform: &PlatformClaims) -> Vec<Fact> {
    vec![
        Fact::new("implementation_id", hex(&platform.implementation_id)),
        Fact::new("instance_id", hex(&platform.instance_id)),
        Fact::new("lifecycle", format!("{:#06x}", platform.lifecycle)),
        Fact::new("platform_config", hex(&platform.config)),
        Fact::new("components", platform.components.iter().map(component).collect::<Vec<Value>>()),
    ]
}

fn realm_facts(realm: &RealmClaims) -> Vec<Fact> {
    let rems = realm.extensible_measurements.iter().map(|value| json!(hex(value)));
    vec![
        Fact::new("rim", hex(&realm.initial_measurement)),
        Fact::new("rems", rems.collect::<Vec<Value>>()),
        Fact::new("personalization", hex(&realm.personalization)),
        Fact::new("realm_challenge", hex(&realm.challenge)),
    ]
}
