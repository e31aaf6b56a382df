// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What an agent can show, what its tenant wants to see: the evidence that is asked for.

use evtpm_keylime::push::{
    CertificationCapabilities, CertificationKey, CertificationParameters, EvidenceState, EvidenceSupported,
    LogParameters,
};
use evtpm_logs::PcrSet;

/// What the tenant wants to see.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted<'a> {
    pub(super) pcrs: PcrSet,
    /// In the order in which they are liked.
    pub(super) hashes: &'a [String],
    pub(super) signatures: &'a [String],
    /// The agent's attestation key, base64.
    pub(super) ak: &'a str,
    /// Where IMA's list stands, if it is judged; `None` if it is not.
    pub(super) ima_from: Option<u64>,
    /// Whether the firmware's log is judged.
    pub(super) boot_log: bool,
}

/// The media types.
const TEXT: &str = "text/plain";
const BINARY: &str = "application/octet-stream";

/// Chooses; an error is a sentence on what the agent has to be able to do.
pub(super) fn choose(
    wanted: Wanted<'_>,
    supported: &[EvidenceSupported],
    challenge: &str,
) -> Result<Vec<EvidenceState>, String> {
    let quote = supported.iter().find_map(|item| match item {
        EvidenceSupported::Certification { evidence_type, capabilities } if evidence_type == "tpm_quote" => {
            quote_parameters(wanted, capabilities, challenge).map(|parameters| (capabilities, parameters))
        }
        _ => None,
    });
    let (capabilities, chosen_parameters) = quote.ok_or_else(|| {
        let (pcrs, hashes, schemes) = (wanted.pcrs, wanted.hashes.join(", "), wanted.signatures.join(", "));
        format!(
            "evidence must have 'tpm_quote' with capabilities which satisfy agent policy: \
             component_version 2.0, PCRs {pcrs} of a bank of {hashes}, signed as one of {schemes}"
        )
    })?;
    let mut evidence = vec![EvidenceState::Certification {
        evidence_type: "tpm_quote".to_owned(),
        capabilities: capabilities.clone(),
        chosen_parameters,
        data: None,
    }];
    if wanted.boot_log {
        evidence.push(log(supported, "uefi_log", BINARY, None)?);
    }
    if let Some(from) = wanted.ima_from {
        evidence.push(log(supported, "ima_log", TEXT, Some(from))?);
    }
    Ok(evidence)
}

/// The first key, scheme and bank that go together, in the tenant's order.
fn quote_parameters(
    wanted: Wanted<'_>,
    capabilities: &CertificationCapabilities,
    challenge: &str,
) -> Option<CertificationParameters> {
    if capabilities.component_version.as_deref() != Some("2.0") {
        return None;
    }
    let mut keys: Vec<&CertificationKey> = capabilities.certification_keys.iter().collect();
    keys.sort_by_key(|key| {
        let (is_ak, is_called_ak) =
            (key.public.as_deref() == Some(wanted.ak), key.server_identifier.as_deref() == Some("ak"));
        (!is_ak, !is_called_ak)
    });
    let pcrs: Vec<u32> = wanted.pcrs.iter().map(|pcr| u32::from(pcr.value())).collect();
    let has_bank = |hash: &String| {
        let bank = capabilities.available_subjects.as_ref()?.get(hash)?.as_ref()?;
        pcrs.iter().all(|pcr| bank.contains(pcr)).then_some(())
    };
    let fits = |allowed: Option<&Vec<String>>, name: &String| allowed.is_none_or(|allowed| allowed.contains(name));
    keys.into_iter().find_map(|key| {
        let can_sign = |scheme: &&String| {
            capabilities.signature_schemes.contains(scheme)
                && fits(key.allowable_signature_schemes.as_ref(), scheme)
                && is_of_kind(key, scheme)
        };
        let can_hash = |hash: &&String| {
            fits(capabilities.hash_algorithms.as_ref(), hash)
                && fits(key.allowable_hash_algorithms.as_ref(), hash)
                && has_bank(hash).is_some()
        };
        let scheme = wanted.signatures.iter().find(can_sign)?;
        let hash = wanted.hashes.iter().find(can_hash)?;
        Some(CertificationParameters {
            challenge: challenge.to_owned(),
            signature_scheme: scheme.clone(),
            hash_algorithm: hash.clone(),
            selected_subjects: [(hash.clone(), pcrs.clone())].into(),
            certification_key: key.clone(),
        })
    })
}

/// Tells whether a key's algorithm (`rsa`, `ecc`, also with a size behind) is that of a scheme.
fn is_of_kind(key: &CertificationKey, scheme: &str) -> bool {
    let kind = if scheme.starts_with("rsa") { "rsa" } else { "ec" };
    key.key_algorithm.as_deref().is_none_or(|algorithm| algorithm.starts_with(kind))
}

fn log(
    supported: &[EvidenceSupported],
    name: &str,
    format: &str,
    starting_offset: Option<u64>,
) -> Result<EvidenceState, String> {
    let found = supported.iter().find_map(|item| match item {
        EvidenceSupported::Log { evidence_type, capabilities } if evidence_type == name => {
            let has_format = capabilities.formats.iter().flatten().any(|offered| offered == format);
            (has_format && (starting_offset.is_none() || capabilities.supports_partial_access)).then_some(capabilities)
        }
        _ => None,
    });
    let capabilities = found.ok_or_else(|| {
        format!("evidence must have '{name}' with format '{format}', which can be read from an entry on where it grows")
    })?;
    Ok(EvidenceState::Log {
        evidence_type: name.to_owned(),
        chosen_parameters: LogParameters { starting_offset, entry_count: None, format: format.to_owned() },
        capabilities: capabilities.clone(),
        data: None,
    })
}

#[cfg(test)]
mod tests {
    use evtpm_keylime::push::LogCapabilities;

    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    /// An agent with an RSA key, banks of SHA-1 and SHA-256, and an IMA list of 20 entries.
    fn supported() -> Vec<EvidenceSupported> {
        let key = CertificationKey {
            key_class: "asymmetric".into(),
            key_algorithm: Some("rsa".into()),
            key_size: 2048,
            server_identifier: Some("ak".into()),
            allowable_signature_schemes: Some(names(&["rsassa"])),
            allowable_hash_algorithms: Some(names(&["sha256"])),
            ..CertificationKey::default()
        };
        let capabilities = CertificationCapabilities {
            component_version: Some("2.0".into()),
            signature_schemes: names(&["rsassa", "ecdsa"]),
            hash_algorithms: Some(names(&["sha1", "sha256"])),
            available_subjects: Some(
                [("sha1".to_owned(), Some((0..24).collect())), ("sha256".to_owned(), Some((0..17).collect()))].into(),
            ),
            certification_keys: vec![CertificationKey { public: Some("other".into()), ..key.clone() }, key],
        };
        let log = LogCapabilities {
            entry_count: Some(20),
            supports_partial_access: true,
            appendable: true,
            formats: Some(names(&["text/plain"])),
            ..LogCapabilities::default()
        };
        vec![
            EvidenceSupported::Certification { evidence_type: "tpm_quote".into(), capabilities },
            EvidenceSupported::Log { evidence_type: "ima_log".into(), capabilities: log },
        ]
    }

    fn chosen(
        pcrs: u32,
        hashes: &[&str],
        signatures: &[&str],
        ima_from: Option<u64>,
    ) -> Result<Vec<EvidenceState>, String> {
        let (hashes, signatures) = (names(hashes), names(signatures));
        let wanted = Wanted {
            pcrs: PcrSet::from_mask(pcrs).unwrap(),
            hashes: &hashes,
            signatures: &signatures,
            ak: "other",
            ima_from,
            boot_log: false,
        };
        choose(wanted, &supported(), "challenge")
    }

    fn quote(evidence: &[EvidenceState]) -> &CertificationParameters {
        match evidence {
            [EvidenceState::Certification { chosen_parameters, .. }, ..] => chosen_parameters,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_tenant_s_first_hash_and_scheme_that_the_key_can_are_chosen() {
        let evidence = chosen(0x401, &["sha1", "sha256"], &["ecdsa", "rsassa"], None).unwrap();
        let parameters = quote(&evidence);
        assert_eq!((parameters.hash_algorithm.as_str(), parameters.signature_scheme.as_str()), ("sha256", "rsassa"));
        assert_eq!(parameters.selected_subjects, [("sha256".to_owned(), vec![0, 10])].into());
        assert_eq!(parameters.certification_key.public.as_deref(), Some("other"), "the key that is the agent's");
        assert_eq!(evidence.len(), 1, "no log is asked for that nobody judges");
    }

    #[test]
    fn what_the_agent_cannot_show_is_said() {
        assert!(chosen(0x20000, &["sha256"], &["rsassa"], None).unwrap_err().contains("PCRs 17"));
        assert!(chosen(1, &["sha512"], &["rsassa"], None).is_err());
        assert!(chosen(1, &["sha256"], &["ecdsa"], None).is_err());
        let mut supported = supported();
        supported.pop();
        let (hashes, signatures) = (names(&["sha256"]), names(&["rsassa"]));
        let pcrs = PcrSet::from_mask(1).unwrap();
        let wanted =
            Wanted { pcrs, hashes: &hashes, signatures: &signatures, ak: "", ima_from: Some(0), boot_log: true };
        assert!(choose(wanted, &supported, "").unwrap_err().contains("uefi_log"));
    }

    #[test]
    fn a_list_is_asked_for_from_where_it_stands() {
        let evidence = chosen(1, &["sha256"], &["rsassa"], Some(20)).unwrap();
        let [_, EvidenceState::Log { chosen_parameters, .. }] = evidence.as_slice() else { panic!("{evidence:?}") };
        assert_eq!((chosen_parameters.starting_offset, chosen_parameters.format.as_str()), (Some(20), "text/plain"));
    }
}
