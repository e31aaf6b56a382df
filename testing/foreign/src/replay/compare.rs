// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Which parts of two answers to the same command must be equal.

use std::collections::BTreeMap;
use std::fmt::{Debug, LowerHex};

use evtpm_crypto::{Crypto, RustCrypto};
use evtpm_protocol::{crypto_hash, object_name, verify_signature};
use evtpm_tpm_wire::commands::{
    ContextSaveResponse, CreatePrimaryResponse, CreateResponse, GetCapabilityResponse, GetRandomResponse, LoadResponse,
    QuoteResponse, ReadPublicResponse, StartAuthSessionResponse,
};
use evtpm_tpm_wire::{
    Cc, PublicBody, Tpm2bName, TpmAlgId, TpmPt, TpmaCc, TpmsAlgProperty, TpmsAttest, TpmsCapabilityData,
    TpmsCreationData, TpmsTaggedProperty, TpmtPublic, TpmuAttest, from_bytes,
};

use super::{PERMISSIVE, Replay, Twin, parameters};
use crate::packet::{Answer, Request, marshal};

/// Properties in which one maker's TPM differs from another's, and why.
pub const PROPERTIES: &[(TpmPt, &str)] = &[
    (TpmPt::MANUFACTURER, "the maker"),
    (TpmPt::FIRMWARE_VERSION_1, "the maker's version"),
    (TpmPt::FIRMWARE_VERSION_2, "the maker's version"),
    (TpmPt::MAX_COMMAND_SIZE, "swtpm lowers it to the buffer of the device in front; ours is that of the engine"),
    (TpmPt::MAX_RESPONSE_SIZE, "swtpm lowers it to the buffer of the device in front; ours is that of the engine"),
    (TpmPt::TOTAL_COMMANDS, "the number of implemented commands"),
];

/// Algorithms that the recorded TPM has and ours has not, and why.
pub const ALGORITHMS: &[(TpmAlgId, &str)] = &[
    (TpmAlgId::TDES, "withdrawn (NIST SP 800-131A)"),
    (TpmAlgId::SM2, "not implemented"),
    (TpmAlgId::ECMQV, "optional: \"support for TPM_ALG_ECDH is required\" of two-phase key exchange"),
    (TpmAlgId::CAMELLIA, "not implemented"),
];

/// Commands that the recorded TPM has and ours has not, and why.
pub const COMMANDS: &[(Cc, &str)] = &[];

/// Checks that two successful answers are equal where they should be.
pub(super) fn answers(replay: &Replay, request: &Request<'_>, answers: &Twin<Answer<'_>>) -> Result<(), String> {
    let Twin { recorded, ours } = answers;
    equal("the handle", &recorded.handle, &ours.handle)?;
    equal("the number of sessions", &recorded.sessions.len(), &ours.sessions.len())?;
    for (theirs, mine) in recorded.sessions.iter().zip(&ours.sessions) {
        equal("the session's attributes", &theirs.session_attributes, &mine.session_attributes)?;
        equal("the size of the nonce", &theirs.nonce.len(), &mine.nonce.len())?;
    }
    match request.code() {
        Cc::GET_CAPABILITY => capability(recorded, ours),
        Cc::GET_RANDOM => {
            let [theirs, mine] = [recorded, ours].map(parameters::<GetRandomResponse>);
            equal("the number of bytes", &theirs.random_bytes.len(), &mine.random_bytes.len())
        }
        Cc::START_AUTH_SESSION => {
            let [theirs, mine] = [recorded, ours].map(parameters::<StartAuthSessionResponse>);
            equal("the size of the nonce", &theirs.nonce_tpm.len(), &mine.nonce_tpm.len())
        }
        Cc::CREATE_PRIMARY => {
            let [theirs, mine] = [recorded, ours].map(parameters::<CreatePrimaryResponse>);
            equal("the public area", &skeleton(&theirs.out_public.0), &skeleton(&mine.out_public.0))?;
            named("the name", &mine.name, &mine.out_public.0)?;
            // The parent of a primary object is its hierarchy, so nothing in here is random.
            equal("the creation data", &theirs.creation_data, &mine.creation_data)?;
            equal("the creation hash", &theirs.creation_hash, &mine.creation_hash)?;
            equal("the hierarchy of the ticket", &theirs.creation_ticket.hierarchy, &mine.creation_ticket.hierarchy)
        }
        Cc::CREATE => {
            let [theirs, mine] = [recorded, ours].map(parameters::<CreateResponse>);
            equal("the public area", &skeleton(&theirs.out_public.0), &skeleton(&mine.out_public.0))?;
            let parent = &replay.key(request.handles[0]).name;
            equal("the parent", mine.creation_data.0.parent_name.as_bytes(), parent.ours.as_bytes())?;
            let without_parent = |data: TpmsCreationData| TpmsCreationData {
                parent_name: Tpm2bName::EMPTY,
                parent_qualified_name: Tpm2bName::EMPTY,
                ..data
            };
            let [theirs_data, mine_data] = [theirs.creation_data.0, mine.creation_data.0].map(without_parent);
            equal("the creation data", &theirs_data, &mine_data)?;
            equal("the hierarchy of the ticket", &theirs.creation_ticket.hierarchy, &mine.creation_ticket.hierarchy)
        }
        Cc::LOAD => {
            let [theirs, mine] = [recorded, ours].map(parameters::<LoadResponse>);
            let (_, public) = &replay.created[request.parameters];
            named("the name", &theirs.name, &public.recorded)?;
            named("the name", &mine.name, &public.ours)
        }
        Cc::READ_PUBLIC => {
            let [theirs, mine] = [recorded, ours].map(parameters::<ReadPublicResponse>);
            let key = replay.key(request.handles[0]);
            equal("the recorded public area", &theirs.out_public.0.0, &key.public.recorded)?;
            equal("the public area", &mine.out_public.0.0, &key.public.ours)?;
            equal("the name", &mine.name, &key.name.ours)?;
            equal("the size of the qualified name", &theirs.qualified_name.len(), &mine.qualified_name.len())
        }
        Cc::CONTEXT_SAVE => {
            let [theirs, mine] = [recorded, ours].map(parameters::<ContextSaveResponse>);
            equal("what was saved", &theirs.context.saved_handle, &mine.context.saved_handle)?;
            equal("the hierarchy", &theirs.context.hierarchy, &mine.context.hierarchy)
        }
        Cc::QUOTE => quotes(replay, request, answers),
        _ => equal("the parameters", recorded.parameters, ours.parameters),
    }
}

fn equal<T: PartialEq + Debug + ?Sized>(what: &str, recorded: &T, ours: &T) -> Result<(), String> {
    if recorded == ours { Ok(()) } else { Err(format!("{what}: recorded {recorded:02x?}, ours {ours:02x?}")) }
}

fn named(what: &str, name: &Tpm2bName, public: &TpmtPublic) -> Result<(), String> {
    equal(what, name, &object_name::<RustCrypto>(public).map_err(|error| format!("{what}: {error:?}"))?)
}

/// Splits a public area into the sizes of what is random in it and the rest.
#[must_use]
pub fn skeleton(public: &TpmtPublic) -> (Vec<usize>, TpmtPublic) {
    let mut public = public.clone();
    let sizes = match &mut public.body {
        PublicBody::Rsa { unique, .. } => vec![std::mem::take(unique).len()],
        PublicBody::Ecc { unique, .. } => {
            vec![std::mem::take(&mut unique.x).len(), std::mem::take(&mut unique.y).len()]
        }
        PublicBody::KeyedHash { unique, .. } | PublicBody::SymCipher { unique, .. } => {
            vec![std::mem::take(unique).len()]
        }
        PublicBody::Mldsa { unique, .. } | PublicBody::HashMldsa { unique, .. } => {
            vec![std::mem::take(unique).len()]
        }
        PublicBody::Mlkem { unique, .. } => vec![std::mem::take(unique).len()],
    };
    (sizes, public)
}

/// Compares two quotes: what was quoted is equal, and each signature is good under the key that made it.
fn quotes(replay: &Replay, request: &Request<'_>, answers: &Twin<Answer<'_>>) -> Result<(), String> {
    let [theirs, mine] = [&answers.recorded, &answers.ours].map(parameters::<QuoteResponse>);
    let key = replay.key(request.handles[0]);
    let mut quoted = Vec::new();
    for (quote, public) in [(&theirs, &key.public.recorded), (&mine, &key.public.ours)] {
        let attest: TpmsAttest<'_> = from_bytes(quote.quoted.as_bytes(), &PERMISSIVE).map_err(|rc| rc.to_string())?;
        let TpmuAttest::Quote(info) = &attest.attested else {
            return Err(format!("not a quote: {:?}", attest.attested));
        };
        let signature = quote.signature.as_ref().ok_or("there is no signature")?;
        let hash = crypto_hash(signature.hash_alg()).map_err(|error| format!("{error:?}"))?;
        let digest = RustCrypto::hash(hash, &[quote.quoted.as_bytes()]);
        verify_signature::<RustCrypto>(public, digest.as_bytes(), signature).map_err(|error| format!("{error:?}"))?;
        quoted.push((info.clone(), attest.extra_data, attest.clock_info.safe, hash, marshal(signature).len()));
    }
    equal("what was quoted", &quoted[0], &quoted[1])
}

/// Compares two lists of capabilities, except for the listed differences.
fn capability(recorded: &Answer<'_>, ours: &Answer<'_>) -> Result<(), String> {
    let [theirs, mine] = [recorded, ours].map(parameters::<GetCapabilityResponse>);
    // As many entries as were asked for; whoever has more commands has more data, and says so.
    let both_list_commands = matches!(
        (&theirs.capability_data, &mine.capability_data),
        (TpmsCapabilityData::Commands(_), TpmsCapabilityData::Commands(_))
    );
    let mine_has_more = mine.more_data.is_yes();
    if !both_list_commands {
        equal("more data", &theirs.more_data, &mine.more_data)?;
    }
    match (&theirs.capability_data, &mine.capability_data) {
        (TpmsCapabilityData::TpmProperties(theirs), TpmsCapabilityData::TpmProperties(mine)) => {
            let value = |property: &TpmsTaggedProperty| {
                let differs = PROPERTIES.iter().any(|(known, _)| *known == property.property);
                (property.property, (!differs).then_some(property.value))
            };
            equal("properties", &theirs.iter().map(value).collect(), &mine.iter().map(value).collect::<Vec<_>>())
        }
        (TpmsCapabilityData::Algs(theirs), TpmsCapabilityData::Algs(mine)) => {
            let pair = |property: &TpmsAlgProperty| (property.alg.0, property.alg_properties);
            subset("algorithm", theirs.iter().map(pair), mine.iter().map(pair), |alg| {
                ALGORITHMS.iter().any(|(known, _)| known.0 == alg)
            })
        }
        (TpmsCapabilityData::Commands(theirs), TpmsCapabilityData::Commands(mine)) => {
            let pair = |attributes: &TpmaCc| (attributes.0 & COMMAND_INDEX, *attributes);
            let last = mine.last().map_or(0, |attributes| attributes.0 & COMMAND_INDEX);
            let comparable = theirs.iter().map(pair).filter(|(code, _)| !mine_has_more || *code <= last);
            subset("command", comparable, mine.iter().map(pair), |code| {
                COMMANDS.iter().any(|(known, _)| known.0 == code)
            })
        }
        (theirs, mine) => equal("the capability", theirs, mine),
    }
}

/// `commandIndex` of TPMA_CC.
const COMMAND_INDEX: u32 = 0xFFFF;

/// Checks that ours has what theirs has with the same attributes, except what is known to be absent, and that what is
/// said to be absent is.
fn subset<K: Ord + Copy + LowerHex, A: PartialEq + Debug>(
    what: &str,
    theirs: impl Iterator<Item = (K, A)>,
    mine: impl Iterator<Item = (K, A)>,
    is_absent: impl Fn(K) -> bool,
) -> Result<(), String> {
    let mine: BTreeMap<K, A> = mine.collect();
    let fault = |(id, attributes): (K, A)| match mine.get(&id) {
        None => (!is_absent(id)).then(|| format!("{id:#x} is absent")),
        Some(_) if is_absent(id) => Some(format!("{id:#x} is not absent any more")),
        Some(ours) => (attributes != *ours).then(|| format!("{id:#x}: recorded {attributes:02x?}, ours {ours:02x?}")),
    };
    let faults: Vec<String> = theirs.filter_map(fault).collect();
    if faults.is_empty() { Ok(()) } else { Err(format!("{what}: {}", faults.join(", "))) }
}
