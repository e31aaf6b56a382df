// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The policy document, in both of its forms.

use evtpm_appraise::Policy;

/// Reads a document as JSON and as TOML; what was read is written, and read as the same again.
pub(super) fn document(input: &[u8]) -> bool {
    let Ok(text) = str::from_utf8(input) else { return false };
    let (json, toml) = (Policy::from_json(text), Policy::from_toml(text));
    for policy in [&json, &toml].into_iter().flatten() {
        let again = policy.to_toml().and_then(|text| Policy::from_toml(&text));
        assert_eq!(again.as_ref(), Ok(policy));
    }
    json.is_ok() || toml.is_ok()
}

pub(super) fn document_seeds() -> Vec<Vec<u8>> {
    let digest = "ab".repeat(48);
    let json = format!(r#"{{"version":1,"snp":{{"measurements":["{digest}"],"products":["Turin"]}}}}"#);
    let toml = format!(
        r#"
version = 1
name = "a policy"
[snp]
measurements = ["{digest}"]
products = ["Milan", "Genoa"]
simulated = ["SIMULATED ARK-Milan"]
min_guest_svn = 2
revocation = "required"
[snp.tcb.Milan]
microcode = 219
[tpm]
banks = ["sha256"]
[boot]
pcrs = [0, 7]
secure_boot = true
command_lines = [{{ exact = "quiet" }}, {{ pattern = "root=UUID=* ro" }}]
[ima]
excludes = ["/tmp/**"]
violations = "report"
[rego]
module = "package evtpm\ndeny contains file.path if {{ some file in input.ima.files; startswith(file.path, \"/opt/\") }}"
"#
    );
    vec![json.into_bytes(), toml.into_bytes()]
}
