// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Reports of SEV-SNP that are judged once, as Keylime judges them: chain, signature, and what REPORT_DATA covers.
//!
//! Keylime fetches the chip's certificate; here it comes with the operator's collateral. What the report says is for the
//! caller to judge: no policy is asked, except whether a simulated root counts.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use evtpm_crypto::{Crypto, HashAlg, RustCrypto, constant_time_eq};
use evtpm_keylime::tee::{SnpReportClaims, TeeEvidence};
use evtpm_snp::{GuestPolicy, PlatformInfo};
use evtpm_verify::UnixTime;
use evtpm_verify::snp::{self, SnpClaims};
use evtpm_verify::{Root, Verified};

use crate::app::App;
use crate::keylime::evidence::Failure;
use crate::policies::DEFAULT;

/// The first parameter that is missing, by its name on the wire.
pub(super) fn missing(data: &TeeEvidence) -> Option<&'static str> {
    let required = [
        ("nonce", &data.nonce),
        ("tee-pubkey-x-b64", &data.tee_pubkey_x),
        ("tee-pubkey-y-b64", &data.tee_pubkey_y),
        ("tee", &data.tee_evidence.tee),
        ("snp-report", &data.tee_evidence.evidence.snp_report),
    ];
    required.into_iter().find(|(_, value)| value.is_empty()).map(|(name, _)| name)
}

/// Believes a report that covers key and nonce.
pub(super) fn judge(app: &App, data: &TeeEvidence, at: UnixTime) -> Result<SnpReportClaims, Failure> {
    if data.tee_evidence.tee != "snp" {
        return Err(Failure::new("tee.invalid.tee", format!("`{}` is not `snp`", data.tee_evidence.tee)));
    }
    let invalid = |what: &'static str| {
        move |error: base64::DecodeError| Failure::new("tee.invalid_input", format!("{what} is not base64: {error}"))
    };
    let report = STANDARD.decode(&data.tee_evidence.evidence.snp_report).map_err(invalid("snp-report"))?;
    let nonce = STANDARD.decode(&data.nonce).map_err(invalid("nonce"))?;
    let x = URL_SAFE_NO_PAD.decode(&data.tee_pubkey_x).map_err(invalid("tee-pubkey-x-b64"))?;
    let y = URL_SAFE_NO_PAD.decode(&data.tee_pubkey_y).map_err(invalid("tee-pubkey-y-b64"))?;

    let report = snp::verify(&report, &app.collateral, &app.anchors, at);
    let report = report.map_err(|error| Failure::new("tee.invalid_signature", error))?;
    check_root(app, &report)?;
    let expected = RustCrypto::hash(HashAlg::Sha512, &[&x, &y, &nonce]);
    if !constant_time_eq(report.report.report_data(), expected.as_bytes()) {
        return Err(Failure::new("tee.freshness_hash_failed", "REPORT_DATA freshness hash incorrect"));
    }
    Ok(claims(&report))
}

/// A simulated root counts where the policy `default` names it, as everywhere (verification rule 14).
fn check_root(app: &App, report: &Verified<SnpClaims>) -> Result<(), Failure> {
    let Root::Simulated { name } = report.root() else { return Ok(()) };
    let policy = app.policies.named(DEFAULT);
    let named = policy.as_ref().and_then(|policy| policy.policy.snp.as_ref()).map(|snp| &snp.simulated);
    if named.is_some_and(|named| named.contains(name)) {
        return Ok(());
    }
    Err(Failure::new("tee.invalid_signature", format!("no policy names the simulated root {name}")))
}

fn claims(claims: &SnpClaims) -> SnpReportClaims {
    let report = &claims.report;
    let (tcb, policy, platform) = (claims.reported_tcb(), report.policy(), report.platform_info());
    let (policy_abi_major, policy_abi_minor) = policy.abi();
    SnpReportClaims {
        measurement: report.measurement().0.to_vec(),
        report_data: report.report_data().to_vec(),
        host_data: report.host_data().to_vec(),
        platform_smt_enabled: platform.contains(PlatformInfo::SMT),
        platform_tsme_enabled: platform.contains(PlatformInfo::TSME),
        reported_tcb_bootloader: tcb.bootloader,
        reported_tcb_tee: tcb.tee,
        reported_tcb_snp: tcb.snp,
        reported_tcb_microcode: tcb.microcode,
        policy_abi_major,
        policy_abi_minor,
        policy_smt_allowed: policy.contains(GuestPolicy::SMT),
        policy_migrate_ma: policy.migrate_ma(),
        policy_debug_allowed: policy.debug(),
        policy_single_socket: policy.contains(GuestPolicy::SINGLE_SOCKET),
    }
}

#[cfg(test)]
mod tests {
    use evtpm_appraise::Policy;
    use evtpm_appraise::policy::SnpPolicy;
    use evtpm_keylime::tee::{SnpEvidence, TypedEvidence};
    use evtpm_protocol::templates::EkTemplate;
    use evtpm_sp_sim::{Authority, Platform, Product, Role};
    use evtpm_testing_support::{Noise, TestPlatform, boot_on, client, host};
    use evtpm_tpm_wire::{Handle, Marshal as _, TpmSu, TpmiRhHierarchy};
    use evtpm_verify::snp::Anchors;

    use super::*;
    use crate::app::now;
    use crate::app::testing::TestApp;
    use crate::policies::Compiled;

    const ROOT: &str = "SIMULATED ARK-Milan";

    /// The report of an e-vTPM. What it covers, the endorsement key, is taken for two coordinates and a nonce.
    fn evidence() -> TeeEvidence {
        let mut machine = boot_on(host(Platform::new(Product::Milan, [9; 32])), TestPlatform::new(Noise::Good(7)));
        let mut tpm = client(&mut machine);
        tpm.startup(TpmSu::Clear).unwrap();
        let report = tpm.nv_read(Handle(EkTemplate::L2.certificate_index()), &[]).unwrap();
        let ek = tpm.create_primary(TpmiRhHierarchy::Endorsement, &[], &EkTemplate::L2.public()).unwrap();
        let mut buffer = [0; 512];
        let area = ek.public.to_bytes(&mut buffer).unwrap();
        let covered = [&u16::try_from(area.len()).unwrap().to_be_bytes(), area].concat();
        TeeEvidence {
            tee_evidence: TypedEvidence {
                tee: "snp".into(),
                evidence: SnpEvidence { snp_report: STANDARD.encode(report) },
            },
            nonce: STANDARD.encode(&covered[64..]),
            tee_pubkey_x: URL_SAFE_NO_PAD.encode(&covered[..32]),
            tee_pubkey_y: URL_SAFE_NO_PAD.encode(&covered[32..64]),
        }
    }

    fn app(name: &str, simulated: &[&str]) -> TestApp {
        TestApp::changed(name, |app| {
            let root = Authority::new(Product::Milan).certificate(Role::Ark).unwrap();
            app.anchors = Anchors::none().and_simulated(ROOT, &root).unwrap();
            let mut chip = host(Platform::new(Product::Milan, [9; 32]));
            app.collateral.add_table(&chip.processor().certificate_table().unwrap()).unwrap();
            let mut snp = SnpPolicy::new(evtpm_testing_support::predicted_measurement().0);
            snp.simulated = simulated.iter().map(|&name| name.to_owned()).collect();
            let policy = Compiled::new(Policy::new(snp)).unwrap();
            app.policies.replace(vec![(DEFAULT.to_owned(), policy)], Vec::new());
        })
    }

    #[test]
    fn a_report_over_key_and_nonce_is_believed_and_says_what_was_launched() {
        let app = app("tee-good", &[ROOT]);
        let claims = judge(&app, &evidence(), now()).unwrap();
        assert_eq!(claims.measurement, evtpm_testing_support::predicted_measurement().0);
        assert!(!claims.policy_debug_allowed);
    }

    #[test]
    fn another_nonce_a_changed_report_another_tee_and_an_unnamed_simulated_root_are_not_valid() {
        let app = app("tee-bad", &[ROOT]);
        let event = |change: fn(&mut TeeEvidence)| {
            let mut evidence = evidence();
            change(&mut evidence);
            judge(&app, &evidence, now()).unwrap_err().event_id
        };
        assert_eq!(event(|evidence| evidence.nonce = STANDARD.encode("another")), "tee.freshness_hash_failed");
        let changed = |evidence: &mut TeeEvidence| {
            let report = &mut evidence.tee_evidence.evidence.snp_report;
            let mut bytes = STANDARD.decode(&*report).unwrap();
            bytes[0x90] ^= 1;
            *report = STANDARD.encode(bytes);
        };
        assert_eq!(event(changed), "tee.invalid_signature");
        assert_eq!(event(|evidence| evidence.tee_evidence.tee = "tdx".into()), "tee.invalid.tee");
        assert_eq!(event(|evidence| evidence.tee_pubkey_x = "===".into()), "tee.invalid_input");
        let unnamed = self::app("tee-unnamed", &[]);
        let failure = judge(&unnamed, &evidence(), now()).unwrap_err();
        assert!(failure.context.contains(ROOT), "{}", failure.context);
    }

    #[test]
    fn what_is_missing_is_named() {
        assert_eq!(missing(&evidence()), None);
        assert_eq!(missing(&TeeEvidence { nonce: String::new(), ..evidence() }), Some("nonce"));
        assert_eq!(missing(&TeeEvidence { tee_evidence: TypedEvidence::default(), ..evidence() }), Some("tee"));
    }
}
