// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `evtpm ek-check` as Keylime's tenant calls it, for e-vTPMs of a simulated chip and for others.
#![expect(clippy::unwrap_used, reason = "clippy.toml allows it in test functions, and these are their helpers")]

use std::path::PathBuf;
use std::process::{Command, Output};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use evtpm_evidence::ek_certificate::EkCertificate;
use evtpm_protocol::templates::EkTemplate;
use evtpm_sp_sim::{Authority, Product, Role};
use evtpm_testing_support::{boot, chip, client, predicted_measurement};
use evtpm_tpm_wire::{Handle, PublicBody, TpmSu, TpmiRhHierarchy, Writer};

/// The folder of one test: a policy that names one measurement, the root, the chip's certificates.
struct Keylime(PathBuf);

/// What an agent says of itself.
struct Agent {
    ek: Vec<u8>,
    certificate: Vec<u8>,
}

impl Keylime {
    fn new(name: &str, measurement: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("evtpm-ek-check-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let policy = format!(
            "version = 1\nname = \"e-vTPM\"\n\n[snp]\nmeasurements = [\"{measurement}\"]\nsimulated = [\"SIMULATED ARK-Milan\"]\n"
        );
        std::fs::write(folder.join("policy.toml"), policy).unwrap();
        let authority = Authority::new(Product::Milan);
        std::fs::write(folder.join("root.der"), authority.certificate(Role::Ark).unwrap()).unwrap();
        std::fs::write(folder.join("ask.der"), authority.certificate(Role::Ask).unwrap()).unwrap();
        let mut host = chip(Product::Milan);
        let vcek = host.processor().endorsement_certificate(evtpm_snp::SigningKey::Vcek).unwrap();
        std::fs::write(folder.join("vcek.der"), vcek).unwrap();
        Keylime(folder)
    }

    fn check(&self, agent: &Agent) -> Output {
        Command::new(env!("CARGO_BIN_EXE_evtpm"))
            .args(["ek-check", "--policy", "policy.toml", "--certificates", "vcek.der", "--certificates", "ask.der"])
            .args(["--trust-simulated", "SIMULATED ARK-Milan=root.der"])
            .current_dir(&self.0)
            .env("AGENT_UUID", "vm-7")
            .env("EK_TPM", STANDARD.encode(&agent.ek))
            .env("EK_CERT", STANDARD.encode(&agent.certificate))
            .output()
            .unwrap()
    }
}

impl Drop for Keylime {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

/// An agent on an e-vTPM, whose report is in its certificate.
fn agent() -> Agent {
    let mut machine = boot(chip(Product::Milan));
    let mut tpm = client(&mut machine);
    tpm.startup(TpmSu::Clear).unwrap();
    let report = tpm.nv_read(Handle(EkTemplate::L2.certificate_index()), &[]).unwrap();
    let ek = tpm.create_primary(TpmiRhHierarchy::Endorsement, &[], &EkTemplate::L2.public()).unwrap();
    let PublicBody::Ecc { unique, .. } = &ek.public.body else { return Agent { ek: vec![], certificate: vec![] } };
    let [x, y] = [unique.x.as_bytes(), unique.y.as_bytes()].map(|number| number.try_into().unwrap());
    let mut buffer = [0; 512];
    let mut writer = Writer::new(&mut buffer);
    writer.sized(&ek.public).unwrap();
    let certificate = EkCertificate::of_p256(x, y, &report).to_der().unwrap();
    Agent { ek: writer.into_written().to_vec(), certificate }
}

fn said(output: &Output) -> (Option<i32>, String) {
    (output.status.code(), String::from_utf8_lossy(&[&output.stdout[..], &output.stderr].concat()).into_owned())
}

#[test]
fn a_launch_that_the_policy_names_is_accepted() {
    let (code, text) = said(&Keylime::new("good", &predicted_measurement().to_string()).check(&agent()));
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("vm-7"), "{text}");
}

#[test]
fn another_launch_is_refused() {
    let (code, text) = said(&Keylime::new("launch", &"5a".repeat(48)).check(&agent()));
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("measurement"), "{text}");
}

#[test]
fn a_key_that_the_report_does_not_bind_is_refused() {
    let mut agent = agent();
    // The last byte of the public area is one of the point's.
    *agent.ek.last_mut().unwrap() ^= 1;
    let (code, text) = said(&Keylime::new("key", &predicted_measurement().to_string()).check(&agent));
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("refused: endorsement key"), "{text}");
}

#[test]
fn an_agent_without_a_report_is_refused() {
    let agent = Agent { certificate: Vec::new(), ..agent() };
    let (code, text) = said(&Keylime::new("none", &predicted_measurement().to_string()).check(&agent));
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("EK_CERT is empty"), "{text}");
}
