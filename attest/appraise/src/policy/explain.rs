// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A policy in sentences: what a machine has to be, section by section, and what nobody asks.

use core::fmt::Display;

use serde::Serialize;

use super::{
    AzurePolicy, BootPolicy, CcaPolicy, CsvPolicy, Endorser, HardwareRule, ImaPolicy, IntelPlatform, Mode, NitroPolicy,
    NvidiaPolicy, Policy, PsaPolicy, RegoPolicy, RevocationRule, S390Policy, SgxPolicy, SnpPolicy, TcbField, TdxPolicy,
    TpmPolicy, ViolationRule,
};

/// What one section asks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Paragraph {
    /// The section's name.
    pub section: &'static str,
    /// Its rules as sentences.
    pub sentences: Vec<String>,
}

impl Policy {
    /// Says in sentences what the policy asks for.
    pub fn explain(&self) -> Vec<Paragraph> {
        let mut paragraphs = vec![Paragraph { section: "policy", sentences: self.general() }];
        let mut add = |section, sentences: Option<Vec<String>>| {
            paragraphs.extend(sentences.map(|sentences| Paragraph { section, sentences }));
        };
        add("snp", self.snp.as_ref().map(snp));
        add("tdx", self.tdx.as_ref().map(tdx));
        add("sgx", self.sgx.as_ref().map(sgx));
        add("azure", self.azure.as_ref().map(azure));
        add("nitro", self.nitro.as_ref().map(nitro));
        add("cca", self.cca.as_ref().map(cca));
        add("psa", self.psa.as_ref().map(psa));
        add("nvidia", self.nvidia.as_ref().map(nvidia));
        add("s390", self.s390.as_ref().map(s390));
        add("csv", self.csv.as_ref().map(csv));
        add("tpm", self.tpm.as_ref().map(tpm));
        add("boot", self.boot.as_ref().map(boot));
        add("ima", self.ima.as_ref().map(ima));
        add("rego", self.rego.as_ref().map(rego));
        paragraphs
    }

    fn general(&self) -> Vec<String> {
        let mut said = Sentences::new();
        said.if_some((!self.name.is_empty()).then_some(&self.name), |name| format!("It is called \"{name}\"."));
        said.when(self.hardware == HardwareRule::None, "No hardware is asked for: you vouch for the machine.");
        said.when(self.mode == Mode::Audit, "It is only tried out: findings are reported, and nothing is decided.");
        said.when(self.boot.is_none(), "Whatever firmware and boot loader start is accepted: there is no [boot].");
        said.when(self.ima.is_none(), "Whatever the running system opens is accepted: there is no [ima].");
        said.0
    }
}

/// Sentences that gather.
struct Sentences(Vec<String>);

impl Sentences {
    const fn new() -> Self {
        Self(Vec::new())
    }

    fn say(&mut self, sentence: impl Into<String>) {
        self.0.push(sentence.into());
    }

    fn when(&mut self, holds: bool, sentence: &str) {
        if holds {
            self.say(sentence);
        }
    }

    fn if_some<T>(&mut self, value: Option<T>, sentence: impl FnOnce(T) -> String) {
        self.0.extend(value.map(sentence));
    }

    /// A list of accepted values, of which none accepts any.
    fn one_of<T: Display>(&mut self, what: &str, accepted: &[T]) {
        match accepted {
            [] => {}
            [one] => self.say(format!("{what} has to be {one}.")),
            [first, ..] => self.say(format!("{what} has to be one of {} values, {first} among them.", accepted.len())),
        }
    }

    fn recorded(&mut self, allowed: bool) {
        self.when(allowed, "Evidence that answers no challenge of this verifier is accepted: it may be old.");
    }

    fn revocation(&mut self, rule: RevocationRule) {
        self.say(match rule {
            RevocationRule::Optional => "A chain whose revocation nobody checked is accepted, and mentioned.",
            RevocationRule::Required => "Revocation of the chain has to have been checked by a current list.",
        });
    }
}

fn rego(rules: &RegoPolicy) -> Vec<String> {
    let mut said = Sentences::new();
    let lines = rules.module.text().lines().count();
    said.say(format!("A Rego module of {lines} lines judges the verified claims, beside the other sections and never instead of them."));
    said.when(rules.module.has_deny(), "Each reason of its rule `deny` is held against the machine.");
    said.when(rules.module.has_allow(), "Its rule `allow` has to be true.");
    said.0
}

fn snp(rules: &SnpPolicy) -> Vec<String> {
    let mut said = Sentences::new();
    said.one_of("The launch measurement", &rules.measurements);
    for Endorser { issuer, feeds, min_svn } in &rules.endorsers {
        let feeds = feeds.join(", ");
        let or = if rules.measurements.is_empty() { "" } else { "Instead, " };
        said.say(format!(
            "{or}a launch is accepted that {issuer} endorses as {feeds}, with a security version of at least {min_svn}."
        ));
    }
    said.one_of("The processor's product line", &rules.products);
    for name in &rules.simulated {
        said.say(format!("The SIMULATED root \"{name}\" is accepted: no hardware stands behind it."));
    }
    said.say(format!("The report has to be made for VMPL {}.", rules.vmpl));
    said.when(rules.allow_debug, "A guest that the host may debug is accepted.");
    said.when(rules.allow_migration, "A guest with a migration agent is accepted.");
    said.when(rules.allow_vlek, "A report signed by a provider's key is accepted.");
    for (product, floor) in &rules.tcb {
        let fmc = floor.fmc.map(|fmc| format!("FMC {fmc}, ")).unwrap_or_default();
        said.say(format!(
            "On {product} the firmware has to be at least {fmc}boot loader {}, TEE {}, SNP {}, microcode {}.",
            floor.bootloader, floor.tee, floor.snp, floor.microcode
        ));
    }
    said.when(rules.tcb.is_empty(), "Any patch level of the firmware is accepted.");
    for field in &rules.tcb_fields {
        said.say(match field {
            TcbField::Committed => "The same holds for the firmware below which the platform cannot go any more.",
            TcbField::Launch => "The same holds for the firmware that launched the guest.",
            TcbField::Current => "The same holds for the firmware that runs.",
        });
    }
    for bit in &rules.mitigations {
        said.say(format!(
            "The firmware needs the mitigation of bit {}, now and when the guest was launched.",
            u8::from(*bit)
        ));
    }
    for flag in &rules.platform_required {
        said.say(format!("The platform needs {flag}."));
    }
    for flag in &rules.platform_refused {
        said.say(format!("The platform must not have {flag}."));
    }
    said.when(
        rules.min_guest_svn > 0,
        &format!("The guest's security version has to be at least {}.", rules.min_guest_svn),
    );
    said.one_of("The digest of the key that signed the ID block", &rules.id_keys);
    said.one_of("The digest of the author key", &rules.author_keys);
    said.one_of("What the host gave at launch", &rules.host_data);
    said.one_of("The chip", &rules.chips);
    said.one_of("The provider", &rules.providers);
    said.revocation(rules.revocation);
    said.0
}

fn tdx(rules: &TdxPolicy) -> Vec<String> {
    let mut said = Sentences::new();
    said.one_of("MRTD", &rules.measurements);
    for (number, accepted) in [&rules.rtmr0, &rules.rtmr1, &rules.rtmr2, &rules.rtmr3].into_iter().enumerate() {
        said.one_of(&format!("RTMR {number}"), accepted);
    }
    said.one_of("The TDX module's measurement", &rules.modules);
    said.one_of("MRCONFIGID", &rules.config_ids);
    said.one_of("MROWNER", &rules.owners);
    said.one_of("TDATTRIBUTES", &rules.attributes);
    said.one_of("XFAM", &rules.xfam);
    said.one_of("REPORTDATA", &rules.report_data);
    said.when(rules.allow_debug, "A TD that the host may debug is accepted.");
    said.recorded(rules.allow_recorded);
    intel(&rules.platform, &mut said);
    said.0
}

fn sgx(rules: &SgxPolicy) -> Vec<String> {
    let mut said = Sentences::new();
    said.one_of("MRENCLAVE", &rules.enclaves);
    said.one_of("MRSIGNER", &rules.signers);
    said.when(rules.enclaves.is_empty(), "Any enclave of the signer is accepted.");
    said.one_of("ISVPRODID", &rules.products);
    said.say(format!("ISVSVN has to be at least {}.", rules.min_security_version));
    said.one_of("REPORTDATA", &rules.report_data);
    said.when(rules.allow_debug, "An enclave that the host may debug is accepted.");
    said.recorded(rules.allow_recorded);
    intel(&rules.platform, &mut said);
    said.0
}

fn intel(rules: &IntelPlatform, said: &mut Sentences) {
    said.one_of("The state of the platform's TCB", &rules.tcb);
    said.when(rules.allow_unchecked_tcb, "A platform whose TCB nobody judged is accepted, with a warning.");
    said.one_of("An advisory that applies to the platform", &rules.advisories);
    said.one_of("The kind of platform (FMSPC)", &rules.fmspcs);
    said.revocation(rules.revocation);
}

fn azure(rules: &AzurePolicy) -> Vec<String> {
    let mut said = Sentences::new();
    said.if_some(rules.secure_boot, |on| format!("Secure Boot has to be {}.", if on { "on" } else { "off" }));
    said.when(rules.allow_console, "The host may have a console of the guest.");
    said.when(rules.allow_persisted_tpm, "A vTPM whose state is kept by the host is accepted.");
    said.one_of("The virtual machine's identifier", &rules.vm_ids);
    said.one_of("What the guest had put in", &rules.user_data);
    said.0
}

fn nitro(rules: &NitroPolicy) -> Vec<String> {
    let mut said = Sentences::new();
    said.one_of("PCR 0, the image,", &rules.measurements);
    for (number, accepted) in &rules.pcrs {
        said.one_of(&format!("PCR {number}"), accepted);
    }
    said.one_of("What the enclave had put in", &rules.user_data);
    said.when(rules.allow_debug, "An enclave in debug mode is accepted, whatever it runs.");
    said.recorded(rules.allow_recorded);
    said.0
}

fn cca(rules: &CcaPolicy) -> Vec<String> {
    let mut said = Sentences::new();
    said.one_of("The realm's initial measurement", &rules.measurements);
    for (number, accepted) in [&rules.rem0, &rules.rem1, &rules.rem2, &rules.rem3].into_iter().enumerate() {
        said.one_of(&format!("REM {number}"), accepted);
    }
    said.one_of("The personalisation value", &rules.personalizations);
    said.one_of("The platform's implementation", &rules.implementations);
    said.one_of("The platform's life cycle", &rules.lifecycle);
    said.one_of("The platform's configuration", &rules.configs);
    said.one_of("The digest of every software component", &rules.components);
    said.one_of("The signer of every software component", &rules.signers);
    said.recorded(rules.allow_recorded);
    said.0
}

fn psa(rules: &PsaPolicy) -> Vec<String> {
    let mut said = Sentences::new();
    said.one_of("The implementation", &rules.implementations);
    said.one_of("The instance", &rules.instances);
    said.one_of("The life cycle", &rules.lifecycle);
    said.one_of("The digest of every software component", &rules.components);
    said.one_of("The signer of every software component", &rules.signers);
    said.when(!rules.allow_nonsecure_caller, "Only a secure partition may have asked for the token.");
    said.recorded(rules.allow_recorded);
    said.0
}

fn nvidia(rules: &NvidiaPolicy) -> Vec<String> {
    let mut said = Sentences::new();
    said.say(format!("There have to be at least {} devices.", rules.min_devices));
    let count = rules.measurements.len();
    said.when(count > 0, &format!("{count} measurements of each device have to have the values that are listed."));
    said.when(
        rules.require_manifests,
        "The measurements of each device have to be those of NVIDIA's manifests of its driver and its VBIOS.",
    );
    said.one_of("The driver's version", &rules.driver_versions);
    said.one_of("The VBIOS's version", &rules.vbios_versions);
    said.recorded(rules.allow_recorded);
    said.revocation(rules.revocation);
    said.0
}

fn s390(rules: &S390Policy) -> Vec<String> {
    let mut said = Sentences::new();
    said.one_of("The tag of the image", &rules.image_tags);
    said.one_of("What the guest had put in", &rules.user_data);
    said.one_of("What the machine added", &rules.additional_data);
    said.recorded(rules.allow_recorded);
    said.0
}

fn csv(rules: &CsvPolicy) -> Vec<String> {
    let mut said = Sentences::new();
    said.one_of("The launch digest", &rules.measurements);
    for (number, accepted) in &rules.registers {
        said.one_of(&format!("Register {number}"), accepted);
    }
    said.one_of("The guest's identifier", &rules.vm_ids);
    said.one_of("The guest's version", &rules.vm_versions);
    said.one_of("The digest of the owner's key", &rules.owner_keys);
    said.one_of("The report data", &rules.report_data);
    said.when(rules.require_csv3, "The guest has to be one of CSV3.");
    said.when(rules.allow_debug, "A guest that the host may debug is accepted.");
    said.when(rules.allow_visible_registers, "A guest whose registers the host sees is accepted.");
    said.when(rules.allow_migration, "A guest that may be sent to another platform is accepted.");
    said.recorded(rules.allow_recorded);
    said.0
}

fn tpm(rules: &TpmPolicy) -> Vec<String> {
    let mut said = Sentences::new();
    let banks: Vec<String> = rules.banks.iter().map(ToString::to_string).collect();
    said.when(!banks.is_empty(), &format!("The quote has to cover the banks {}.", banks.join(", ")));
    said.one_of("The way in which hardware vouches for the key", &rules.bindings);
    said.when(
        rules.require_shared_challenge,
        "A report that leads to no key of the TPM has to answer the nonce of the quote.",
    );
    said.when(rules.allow_named_ak, "An attestation key that only the operator vouches for is accepted.");
    said.recorded(rules.allow_recorded);
    for rule in &rules.pcrs {
        said.one_of(&format!("PCR {}", rule.pcr.0), &rule.values);
    }
    said.0
}

fn boot(rules: &BootPolicy) -> Vec<String> {
    let mut said = Sentences::new();
    let pcrs: Vec<String> = rules.pcrs.iter().map(|pcr| pcr.0.to_string()).collect();
    said.say(format!("The event log has to explain the PCRs {}.", pcrs.join(", ")));
    said.if_some(rules.secure_boot, |on| format!("Secure Boot has to be {}.", if on { "on" } else { "off" }));
    said.one_of("The kernel's command line", &rules.command_lines);
    said.one_of("Every boot loader or kernel that firmware starts (PCR 4)", &rules.applications);
    said.one_of("Every kernel or initial RAM disk that is loaded (PCR 9)", &rules.loaded);
    said.when(rules.command_lines.is_empty(), "Any command line is accepted.");
    said.when(rules.applications.is_empty(), "Any boot loader and kernel is accepted.");
    said.0
}

fn ima(rules: &ImaPolicy) -> Vec<String> {
    let mut said = Sentences::new();
    said.say(format!(
        "A file passes if its path is one of {} with a listed digest, its digest one of {}, its signer one of {}, or its \
         path one of {} that are not judged.",
        rules.files.len(),
        rules.digests.len(),
        rules.signers.len(),
        rules.excludes.len()
    ));
    for pattern in &rules.excludes {
        said.say(format!("Files below {pattern} are not judged."));
    }
    said.say(match rules.violations {
        ViolationRule::Fail => "A file that changed while it was measured fails the machine.",
        ViolationRule::Report => "Files that changed while they were measured are only counted.",
    });
    said.when(!rules.boot_aggregate, "The list need not be tied to the boot by its boot_aggregate.");
    said.0
}

#[cfg(test)]
mod tests {
    use crate::testing::policy;

    #[test]
    fn a_policy_reads_as_sentences() {
        let mut policy = policy();
        policy.name = "fleet".into();
        let all = policy.explain();
        let sections: Vec<_> = all.iter().map(|paragraph| paragraph.section).collect();
        assert_eq!(sections, ["policy", "snp", "tpm", "boot", "ima"]);
        let said: Vec<String> = all.into_iter().flat_map(|paragraph| paragraph.sentences).collect();
        assert!(said.iter().all(|sentence| sentence.ends_with('.')), "{said:#?}");
        for sentence in [
            "It is called \"fleet\".".to_owned(),
            format!("The launch measurement has to be {}.", "3e".repeat(48)),
            "On Milan the firmware has to be at least boot loader 4, TEE 0, SNP 24, microcode 219.".to_owned(),
            "Secure Boot has to be on.".to_owned(),
            "A file that changed while it was measured fails the machine.".to_owned(),
        ] {
            assert!(said.contains(&sentence), "{sentence}: {said:#?}");
        }
    }

    #[test]
    fn what_a_policy_lets_pass_is_said_too() {
        let (mut policy, mut loose) = (policy(), Vec::new());
        policy.ima = None;
        crate::testing::snp(&mut policy).allow_debug = true;
        policy.explain().into_iter().for_each(|paragraph| loose.extend(paragraph.sentences));
        assert!(loose.iter().any(|sentence| sentence.contains("there is no [ima]")));
        assert!(loose.iter().any(|sentence| sentence.contains("the host may debug")));
    }
}
