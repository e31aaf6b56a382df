// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What a guest of Confidential Containers sends: a report that is accepted has the size of one, and a key that is written
//! again is read as the same.

use evtpm_api::kbs::{Attestation, TeeKey};

pub(super) fn attestation(input: &[u8]) -> bool {
    let Ok(attestation) = serde_json::from_slice::<Attestation>(input) else { return false };
    let key = &attestation.runtime_data.tee_pubkey;
    let again = serde_json::to_vec(key).and_then(|written| serde_json::from_slice::<TeeKey>(&written));
    assert_eq!(again.ok().as_ref(), Some(key));
    let report = attestation.tee_evidence.primary_evidence.attestation_report.to_bytes();
    report.is_ok_and(|report| {
        assert_eq!(report.len(), evtpm_snp::Report::SIZE);
        true
    })
}

pub(super) fn attestation_seeds() -> Vec<Vec<u8>> {
    let bytes = |count: usize| format!("[{}]", vec!["7"; count].join(","));
    let tcb = r#"{"fmc":null,"bootloader":3,"tee":0,"snp":8,"microcode":115}"#;
    let version = r#"{"major":1,"minor":55,"build":8}"#;
    let report = format!(
        r#"{{"version":3,"guest_svn":1,"policy":196608,"family_id":{b16},"image_id":{b16},"vmpl":2,"sig_algo":1,
            "current_tcb":{tcb},"plat_info":1,"key_info":0,"report_data":{b64},"measurement":{b48},"host_data":{b32},
            "id_key_digest":{b48},"author_key_digest":{b48},"report_id":{b32},"report_id_ma":{b32},"reported_tcb":{tcb},
            "cpuid_fam_id":25,"cpuid_mod_id":1,"cpuid_step":1,"chip_id":{b64},"committed_tcb":{tcb},"current":{version},
            "committed":{version},"launch_tcb":{tcb},"signature":{{"r":{b72},"s":{b72}}}}}"#,
        b16 = bytes(16),
        b32 = bytes(32),
        b48 = bytes(48),
        b64 = bytes(64),
        b72 = bytes(72),
    );
    let keys = [
        r#"{"kty":"EC","crv":"P-256","alg":"ECDH-ES+A256KW","x":"AA","y":"AA"}"#,
        r#"{"kty":"RSA","alg":"RSA-OAEP-256","n":"AA","e":"AQAB"}"#,
    ];
    let attestation = |key: &str| {
        format!(
            r#"{{"init-data":null,"runtime-data":{{"nonce":"00","tee-pubkey":{key}}},"tee-evidence":{{"primary_evidence":
                {{"attestation_report":{report},"cert_chain":[{{"cert_type":"VCEK","data":[48]}}]}},
                "additional_evidence":""}}}}"#
        )
    };
    keys.map(|key| attestation(key).into_bytes()).to_vec()
}
