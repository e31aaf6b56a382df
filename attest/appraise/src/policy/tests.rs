// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What can be written as a policy, and what cannot.

use super::*;

const MINIMAL: &str = r#"
version = 1
[snp]
measurements = ["MEASUREMENT"]
"#;

fn toml(text: &str) -> Result<Policy, PolicyError> {
    Policy::from_toml(&text.replace("MEASUREMENT", &"3e".repeat(48)))
}

fn refusal(text: &str) -> String {
    toml(text).unwrap_err().detail
}

#[test]
fn the_smallest_policy_is_a_measurement() {
    let policy = toml(MINIMAL).unwrap();
    assert_eq!(policy, Policy::new(SnpPolicy::new([0x3e; 48])));
    let snp = policy.snp.unwrap();
    assert!(!snp.allow_debug && !snp.allow_migration && !snp.allow_vlek);
}

#[test]
fn a_policy_without_a_measurement_cannot_be_written() {
    assert!(refusal("version = 1").contains("snp"));
    assert!(refusal("version = 1\n[snp]\nproducts = [\"Milan\"]").contains("measurements"));
    assert!(refusal("version = 1\n[snp]\nmeasurements = []").contains("neither measurements nor"));
    assert!(Policy::from_json("{}").is_err());
    assert!(Policy::from_toml("").is_err());
}

#[test]
fn a_policy_without_hardware_says_so_and_asks_for_something_else() {
    let without = "version = 1\nhardware = \"none\"\n";
    assert!(refusal(without).contains("no rule"));
    assert!(refusal(&format!("{without}[boot]\n")).contains("no rule"), "a boot that only has to be explained");
    assert!(
        refusal(&format!("{without}[boot]\nsecure_boot = true\n[snp]\nmeasurements = [\"MEASUREMENT\"]"))
            .contains("none")
    );
    let policy = toml(&format!("{without}[boot]\nsecure_boot = true")).unwrap();
    assert_eq!((policy.hardware, policy.snp), (HardwareRule::None, None));
}

#[test]
fn an_unknown_rule_is_an_error() {
    assert!(refusal(&format!("{MINIMAL}alow_debug = true")).contains("alow_debug"));
    assert!(refusal(&format!("{MINIMAL}[snp.tcb.Milan]\nmicrcode = 1")).contains("micrcode"));
    assert!(refusal(&format!("{MINIMAL}[snp.tcb.Rome]\nmicrocode = 1")).contains("Rome"));
    assert!(refusal(&format!("{MINIMAL}[firmware]\n")).contains("firmware"));
}

#[test]
fn an_unknown_version_is_an_error() {
    assert!(refusal(&MINIMAL.replace("version = 1", "version = 2")).contains("version 2"));
    assert!(refusal(&MINIMAL.replace("version = 1", "")).contains("version"));
}

#[test]
fn a_full_policy_reads_as_it_is_written() {
    let text = format!(
        r#"{MINIMAL}
products = ["Milan", "Genoa"]
simulated = ["SIMULATED ARK-Milan"]
allow_vlek = true
min_guest_svn = 2
providers = ["CN=cc-us-east-2.amazonaws.com"]
revocation = "required"
[snp.tcb.Milan]
bootloader = 4
snp = 24
microcode = 219
[tpm]
banks = ["sha256"]
bindings = ["nv-report"]
[[tpm.pcrs]]
pcr = 7
values = ["sha256:{}"]
[boot]
pcrs = [0, 7]
secure_boot = true
command_lines = [{{ exact = "root=/dev/vda1 quiet" }}, {{ pattern = "root=UUID=* ro quiet" }}]
[ima]
excludes = ["/tmp/**"]
violations = "report"
[ima.files]
"/usr/bin/true" = ["sha256:{}"]
"#,
        "07".repeat(32),
        "a1".repeat(32)
    );
    let policy = toml(&text).unwrap();
    let boot = policy.boot.as_ref().unwrap();
    assert_eq!(boot.command_lines.len(), 2);
    assert_eq!(boot.pcrs.iter().map(|pcr| u32::from(*pcr)).collect::<Vec<_>>(), [0, 7]);
    assert_eq!(policy.snp.as_ref().unwrap().revocation, RevocationRule::Required);
    assert!(policy.ima.as_ref().unwrap().boot_aggregate);
    assert_eq!(Policy::from_toml(&policy.to_toml().unwrap()), Ok(policy.clone()));
    assert_eq!(Policy::from_json(&policy.to_json().unwrap()), Ok(policy));
}

#[test]
fn both_forms_of_one_policy_have_one_identifier() {
    let policy = toml(MINIMAL).unwrap();
    let json = Policy::from_json(&policy.to_json().unwrap()).unwrap();
    assert_eq!(json.id(), policy.id());
    let mut other = policy.clone();
    other.snp.as_mut().unwrap().vmpl = 1;
    assert_ne!(other.id(), policy.id());
}

#[test]
fn values_of_the_wrong_size_are_errors() {
    assert!(refusal("version = 1\n[snp]\nmeasurements = [\"3e\"]").contains("expected 48 bytes"));
    assert!(refusal(&format!("{MINIMAL}[boot]\npcrs = [24]")).contains("PCR 24"));
    assert!(refusal(&format!("{MINIMAL}[tpm]\nbanks = [\"md5\"]")).contains("md5"));
    assert!(refusal(&format!("{MINIMAL}[ima]\nsigners = [\"00\"]")).contains("public key"));
    assert!(refusal(&format!("{MINIMAL}[ima]\nexcludes = [\"**\"]")).contains("everything"));
}
