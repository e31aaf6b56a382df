// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Debian's tpm2-tools against our server, over both protocols: what machines, scripts and installers do with a TPM.
//! docs/foreign/tpm2-tools.md has the results.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking, in its helpers too")]

use evtpm_crypto::{Crypto, HashAlg, RustCrypto};
use evtpm_engine::Profile;
use evtpm_snp::Report;
use evtpm_sp_sim::Product;
use evtpm_sp_simd::Channel;
use evtpm_svsm::GuestChannel;
use evtpm_testing_foreign::server::{mssim, swtpm};
use evtpm_testing_foreign::tools::{Tools, installed};
use evtpm_testing_support::{POLICY, chip, launch, predicted_measurement};
use evtpm_tpmd::devices::engine::EngineDevice;
use evtpm_tpmd::devices::svsm::SvsmDevice;

/// A started TPM of its own behind the swtpm protocol.
fn started() -> Option<Tools> {
    installed().then(|| {
        let tools = Tools::new(swtpm(Box::new(EngineDevice::new(Profile::pc_client()).unwrap())));
        tools.run("startup -c");
        tools
    })
}

fn sha256(bytes: &[u8]) -> String {
    let digest = RustCrypto::hash(HashAlg::Sha256, &[bytes]);
    digest.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The value that follows `key:` in a tool's YAML.
fn value<'a>(output: &'a str, key: &str) -> &'a str {
    let found = output.lines().find_map(|line| line.trim().strip_prefix(key)?.strip_prefix(':'));
    found.unwrap_or_else(|| panic!("no {key} in\n{output}")).trim()
}

macro_rules! started {
    () => {
        match started() {
            Some(tools) => tools,
            None => return,
        }
    };
}

#[test]
fn startup_self_test_and_shutdown_over_swtpm() {
    let tools = started!();
    tools.run("selftest");
    tools.run("selftest --fulltest");
    assert_eq!(value(&tools.run("gettestresult"), "status"), "success");
    tools.run("shutdown --clear");
    tools.run("startup --clear");
}

#[test]
fn startup_random_and_capabilities_over_mssim() {
    if !installed() {
        return;
    }
    let tools = Tools::new(mssim(Box::new(EngineDevice::new(Profile::pc_client()).unwrap())));
    tools.run("startup -c");
    tools.run("getrandom -o random.bin 32");
    assert_eq!(tools.read("random.bin").len(), 32);
    let fixed = tools.run("getcap properties-fixed");
    assert!(fixed.contains("TPM2_PT_FAMILY_INDICATOR") && fixed.contains("\"2.0\""), "{fixed}");
}

#[test]
fn every_list_of_capabilities_is_printed() {
    let tools = started!();
    let lists = tools.run("getcap -l");
    for list in lists.lines().map(|line| line.trim_start_matches("- ").trim()) {
        let printed = tools.run(&format!("getcap {list}"));
        let may_be_empty = list.starts_with("handles-") || list == "vendor";
        assert!(may_be_empty || !printed.is_empty(), "{list}");
    }
    assert!(tools.run("getcap commands").contains("TPM2_CC_Quote:"));
    assert!(tools.run("getcap ecc-curves").contains("TPM2_ECC_NIST_P384: 0x4"));
    let algorithms = tools.run("getcap algorithms");
    assert!(algorithms.contains("sha256:") && algorithms.contains("ecdsa:"), "{algorithms}");
    assert!(tools.run("getcap properties-variable").contains("ownerAuthSet:              0"));
}

#[test]
fn extend_event_and_reset_change_a_pcr_as_computed() {
    let tools = started!();
    let digest = sha256(b"measured");
    tools.run(&format!("pcrextend 23:sha256={digest}"));
    let bytes = RustCrypto::hash(HashAlg::Sha256, &[b"measured"]);
    let extended = sha256(&[&[0; 32], bytes.as_bytes()].concat());
    let read = tools.run("pcrread sha256:23");
    assert_eq!(value(&read, "23").to_lowercase(), format!("0x{extended}"));

    tools.run("pcrreset 23");
    assert_eq!(value(&tools.run("pcrread sha256:23"), "23"), format!("0x{}", "0".repeat(64)));
    tools.write("event", b"measured");
    let event = tools.run("pcrevent 23 event");
    assert!(event.contains(&digest), "{event}");
    assert_eq!(value(&tools.run("pcrread sha256:23"), "23").to_lowercase(), format!("0x{extended}"));

    // PCR 0 can be reset at no locality, PCR 17 not at locality 0.
    assert!(tools.refuse("pcrreset 0").contains("0x907"));
    assert!(tools.refuse("pcrreset 17").contains("0x907"));
    let all = tools.run("pcrread");
    assert_eq!(all.matches("0x").count(), 4 * 24, "{all}");
}

#[test]
fn an_attestation_key_is_activated_and_quotes() {
    for (ek, ak, scheme) in [("ecc", "ecc", "ecdsa"), ("rsa", "rsa", "rsassa"), ("rsa", "rsa", "rsapss")] {
        let tools = started!();
        tools.run(&format!("createek -G {ek} -c ek.ctx -u ek.pub"));
        tools.run(&format!("createak -C ek.ctx -G {ak} -g sha256 -s {scheme} -c ak.ctx -u ak.pub -n ak.name -f pem"));
        let name = hex(&tools.read("ak.name"));
        let shown = tools.run("readpublic -c ak.ctx");
        assert_eq!(value(&shown, "name"), name, "{ak}");

        tools.write("secret", b"a secret of 28 bytes, or so.");
        // No TPM makes the credential: the tool does it in software, from the public area and the Name.
        tools.run(&format!("makecredential -T none -u ek.pub -s secret -n {name} -o credential"));
        activate(&tools);
        tools.run(&format!("makecredential -u ek.pub -s secret -n {name} -o credential"));
        activate(&tools);

        tools.run("pcrextend 8:sha256=ab".replace("ab", &"ab".repeat(32)).as_str());
        let pcrs = "-l sha256:0,8+sha1:8 -q 0123456789abcdef -m message -s signature -o pcrs -g sha256";
        tools.run(&format!("quote -c ak.ctx --scheme {scheme} {pcrs}"));
        tools.run("flushcontext -t");
        tools.run("loadexternal -C n -G ak -u ak.pub -c public.ctx".replace("-G ak", &format!("-G {ak}")).as_str());
        tools.run("verifysignature -c public.ctx -g sha256 -m message -s signature");
        // tpm2_checkquote 5.4 does not verify RSAPSS, whichever TPM signs.
        if scheme != "rsapss" {
            let check = "checkquote -u ak.pub -m message -s signature -f pcrs -g sha256";
            tools.run(&format!("{check} -q 0123456789abcdef"));
            tools.refuse(&format!("{check} -q 0123456789abcdee"));
        }
    }
}

/// Opens the credential in the file with both keys; the endorsement key wants its policy.
fn activate(tools: &Tools) {
    tools.run("startauthsession --policy-session -S session");
    tools.run("policysecret -S session -c e");
    tools.run("activatecredential -c ak.ctx -C ek.ctx -i credential -o opened -P session:session");
    tools.run("flushcontext session");
    assert_eq!(tools.read("opened"), tools.read("secret"));
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn an_nv_index_is_defined_written_read_and_undefined() {
    let tools = started!();
    tools.write("data", b"thirty-two bytes for the index..");
    tools.run("nvdefine 0x1500016 -C o -s 32 -a ownerread|ownerwrite|authread|authwrite -p index");
    tools.run("nvwrite 0x1500016 -C o -i data");
    tools.run("nvread 0x1500016 -C 0x1500016 -P index -s 32 -o read");
    assert_eq!(tools.read("read"), tools.read("data"));
    assert!(tools.refuse("nvread 0x1500016 -C 0x1500016 -P wrong -s 32").contains("0x98E"));
    let public = tools.run("nvreadpublic 0x1500016");
    assert!(public.contains("ownerwrite|authwrite|ownerread|authread|written"), "{public}");
    tools.run("nvundefine 0x1500016 -C o");
    assert!(tools.refuse("nvread 0x1500016 -C o").contains("0x18B"));

    tools.run("nvdefine 0x1500017 -C o -a nt=counter|ownerread|ownerwrite");
    tools.run("nvincrement 0x1500017 -C o");
    tools.run("nvread 0x1500017 -C o -s 8 -o first");
    tools.run("nvincrement 0x1500017 -C o");
    tools.run("nvread 0x1500017 -C o -s 8 -o second");
    let count = |file| u64::from_be_bytes(tools.read(file).try_into().unwrap());
    assert_eq!(count("second"), count("first") + 1);

    tools.run("nvdefine 0x1500018 -C o -a nt=extend|ownerread|ownerwrite");
    tools.run("nvextend 0x1500018 -C o -i data");
    tools.run("nvread 0x1500018 -C o -s 32 -o extended");
    assert_eq!(hex(&tools.read("extended")), sha256(&[[0; 32].as_slice(), &tools.read("data")].concat()));

    tools.run("nvdefine 0x1500019 -C o -a nt=bits|ownerread|ownerwrite");
    tools.run("nvsetbits 0x1500019 -C o -i 0x81");
    tools.run("nvread 0x1500019 -C o -s 8 -o bits");
    assert_eq!(tools.read("bits"), [0, 0, 0, 0, 0, 0, 0, 0x81]);
    tools.run("nvdefine 0x150001a -C o -s 32 -a ownerread|ownerwrite|read_stclear|writedefine");
    tools.run("nvwrite 0x150001a -C o -i data");
    tools.run("nvwritelock 0x150001a -C o");
    assert!(tools.refuse("nvwrite 0x150001a -C o -i data").contains("0x148"));
    tools.run("nvreadlock 0x150001a -C o");
    assert!(tools.refuse("nvread 0x150001a -C o -s 32").contains("0x148"));
}

#[test]
fn a_sealed_secret_opens_while_the_pcrs_are_right() {
    let tools = started!();
    tools.write("secret", b"what the disk is locked with");
    tools.run("createprimary -C o -G ecc -c primary.ctx");
    tools.run("startauthsession -S trial");
    tools.run("policypcr -S trial -l sha256:7,23 -L pcr.policy");
    tools.run("flushcontext trial");
    tools.run("create -C primary.ctx -i secret -L pcr.policy -u sealed.pub -r sealed.priv");
    tools.run("load -C primary.ctx -u sealed.pub -r sealed.priv -c sealed.ctx");
    tools.run("unseal -c sealed.ctx -p pcr:sha256:7,23 -o opened");
    assert_eq!(tools.read("opened"), tools.read("secret"));

    tools.run("pcrextend 23:sha256=00".replace("00", &"11".repeat(32)).as_str());
    assert!(tools.refuse("unseal -c sealed.ctx -p pcr:sha256:7,23").contains("0x99D"));
    tools.run("pcrreset 23");
    tools.run("unseal -c sealed.ctx -p pcr:sha256:7,23 -o opened");

    tools.run("create -C primary.ctx -i secret -p password -u simple.pub -r simple.priv -c simple.ctx");
    tools.run("unseal -c simple.ctx -p password -o opened");
    assert_eq!(tools.read("opened"), tools.read("secret"));
    assert!(tools.refuse("unseal -c simple.ctx -p wrong").contains("0x98E"));
    tools.run("changeauth -C primary.ctx -c simple.ctx -p password -r changed.priv changed");
    tools.run("load -C primary.ctx -u simple.pub -r changed.priv -c changed.ctx");
    tools.run("unseal -c changed.ctx -p changed -o opened");
}

#[test]
fn policies_come_out_as_computed() {
    let tools = started!();
    let code = |name: &[u8]| [&[0; 32], name].concat();
    tools.run("startauthsession -S trial");
    tools.run("policycommandcode -S trial -L digest TPM2_CC_Duplicate");
    assert_eq!(hex(&tools.read("digest")), sha256(&code(&[0, 0, 1, 0x6c, 0, 0, 1, 0x4b])));
    tools.run("policyrestart -S trial");
    tools.run("policyauthvalue -S trial -L digest");
    assert_eq!(hex(&tools.read("digest")), sha256(&code(&[0, 0, 1, 0x6b])));
    tools.run("policyrestart -S trial");
    tools.run("policypassword -S trial -L digest");
    assert_eq!(hex(&tools.read("digest")), sha256(&code(&[0, 0, 1, 0x6b])));
    tools.run("policyrestart -S trial");
    tools.run("policylocality -S trial -L digest zero");
    assert_eq!(hex(&tools.read("digest")), sha256(&code(&[0, 0, 1, 0x6f, 1])));
    tools.run("policyrestart -S trial");
    tools.run("policynvwritten -S trial -L digest s");
    assert_eq!(hex(&tools.read("digest")), sha256(&code(&[0, 0, 1, 0x8f, 1])));
    tools.run("policyrestart -S trial");
    tools.run("policysecret -S trial -c e -L ek.policy");
    // "PolicyA" of the EK Credential Profile.
    assert_eq!(hex(&tools.read("ek.policy")), "837197674484b3f81a90cc8d46a5d724fd52d76e06520b64f2a1da1b331469aa");
    tools.run("policyrestart -S trial");
    tools.run("policyor -S trial -L or.policy sha256:ek.policy,digest");
    let alternatives = [tools.read("ek.policy"), tools.read("digest")].concat();
    assert_eq!(hex(&tools.read("or.policy")), sha256(&[code(&[0, 0, 1, 0x71]), alternatives].concat()));
}

#[test]
fn keys_sign_and_others_verify() {
    let tools = started!();
    tools.write("message", b"to be signed");
    tools.run("createprimary -C o -G ecc -c primary.ctx");
    for (kind, scheme) in [("ecc", "ecdsa"), ("rsa2048", "rsassa"), ("rsa2048", "rsapss"), ("ecc384", "ecdsa")] {
        tools.run(&format!("create -C primary.ctx -G {kind} -u key.pub -r key.priv -c key.ctx"));
        tools.run(&format!("sign -c key.ctx -g sha256 -s {scheme} -o signature message"));
        tools.run("verifysignature -c key.ctx -g sha256 -m message -s signature");
        tools.write("forged", b"never signed");
        assert!(tools.refuse("verifysignature -c key.ctx -g sha256 -m forged -s signature").contains("0x2DB"));
        // Nobody manages slots here: what a tool loads stays.
        tools.run("flushcontext -t");
    }
    tools.run("create -C primary.ctx -G hmac -c mac.ctx -u mac.pub -r mac.priv");
    tools.run("hmac -c mac.ctx -o first message");
    tools.run("hmac -c mac.ctx -o second message");
    assert_eq!((tools.read("first").len(), tools.read("first")), (32, tools.read("second")));
}

#[test]
fn objects_are_made_persistent_flushed_and_cleared() {
    let tools = started!();
    tools.run("createprimary -C o -G ecc -c primary.ctx");
    tools.run("evictcontrol -C o -c primary.ctx 0x81000001");
    assert!(tools.run("getcap handles-persistent").contains("0x81000001"));
    let shown = tools.run("readpublic -c 0x81000001 -o kept.pub -f pem");
    assert!(shown.contains("ecc"), "{shown}");
    tools.run("evictcontrol -C o -c 0x81000001");
    assert!(!tools.run("getcap handles-persistent").contains("0x81000001"));

    tools.run("startauthsession --policy-session -S session");
    tools.run("flushcontext session");
    tools.run("flushcontext -t");
    tools.run("flushcontext -l");
    assert_eq!(tools.run("getcap handles-transient").trim(), "");

    tools.run("changeauth -c o owner");
    assert!(tools.refuse("createprimary -C o -c primary.ctx").contains("0x9A2"));
    tools.run("createprimary -C o -P owner -c primary.ctx");
    tools.run("clear");
    tools.run("createprimary -C o -c primary.ctx");
    tools.run("dictionarylockout --setup-parameters --max-tries=3 --recovery-time=10 --lockout-recovery-time=10");
    tools.run("dictionarylockout --clear-lockout");
}

#[test]
fn hashes_are_as_computed_and_tickets_are_given() {
    let tools = started!();
    let long: Vec<u8> = (0..5000u32).map(|number| number.to_le_bytes()[0]).collect();
    for data in [b"short".as_slice(), &long] {
        tools.write("data", data);
        tools.run("hash -C o -g sha256 -o digest -t ticket data");
        assert_eq!(hex(&tools.read("digest")), sha256(data));
        assert!(!tools.read("ticket").is_empty());
    }
}

#[test]
fn a_symmetric_key_encrypts_and_decrypts() {
    let tools = started!();
    tools.write("plain", b"forty-eight bytes of text, three blocks of AES..");
    tools.run("createprimary -C o -G ecc -c primary.ctx");
    tools.run("create -C primary.ctx -G aes128cbc -c cbc.ctx -u cbc.pub -r cbc.priv");
    tools.run("create -C primary.ctx -G aes256cfb -c cfb.ctx -u cfb.pub -r cfb.priv");
    for key in ["cbc.ctx", "cfb.ctx"] {
        tools.run(&format!("encryptdecrypt -c {key} -o cipher plain"));
        assert_ne!(tools.read("cipher"), tools.read("plain"));
        tools.run(&format!("encryptdecrypt -d -c {key} -o decrypted cipher"));
        assert_eq!(tools.read("decrypted"), tools.read("plain"));
    }
}

#[test]
fn rsa_encrypts_and_decrypts() {
    let tools = started!();
    tools.write("plain", b"a short message");
    tools.run("createprimary -C o -G ecc -c primary.ctx");
    tools.run("create -C primary.ctx -G rsa2048 -c key.ctx -u key.pub -r key.priv");
    for scheme in ["rsaes", "oaep"] {
        tools.run(&format!("rsaencrypt -c key.ctx -s {scheme} -o cipher plain"));
        assert_eq!(tools.read("cipher").len(), 256);
        tools.run(&format!("rsadecrypt -c key.ctx -s {scheme} -o decrypted cipher"));
        assert_eq!(tools.read("decrypted"), tools.read("plain"), "{scheme}");
    }
}

#[test]
fn a_key_moves_to_another_parent() {
    let tools = started!();
    tools.write("message", b"to be signed");
    tools.run("startauthsession -S trial");
    tools.run("policycommandcode -S trial -L dup.policy TPM2_CC_Duplicate");
    tools.run("flushcontext trial");
    tools.run("createprimary -C o -G ecc -c old.ctx");
    tools.run("createprimary -C o -G rsa -g sha256 -c new.ctx");
    tools.run("readpublic -c new.ctx -o new.pub");
    let attributes = "sensitivedataorigin|userwithauth|sign";
    tools.run(&format!("create -C old.ctx -G ecc -L dup.policy -a {attributes} -c key.ctx -u key.pub -r key.priv"));
    tools.run("sign -c key.ctx -g sha256 -o signature message");

    tools.run("startauthsession --policy-session -S session");
    tools.run("policycommandcode -S session TPM2_CC_Duplicate");
    tools.run("duplicate -C new.ctx -c key.ctx -G null -p session:session -r dup.priv -s dup.seed");
    tools.run("flushcontext session");
    tools.run("flushcontext -t");
    tools.run("import -C new.ctx -u key.pub -i dup.priv -s dup.seed -r moved.priv");
    tools.run("load -C new.ctx -u key.pub -r moved.priv -c moved.ctx");
    tools.run("verifysignature -c moved.ctx -g sha256 -m message -s signature");
    tools.run("sign -c moved.ctx -g sha256 -o again message");
}

#[test]
fn the_report_is_read_from_a_confidential_machine() {
    if !installed() {
        return;
    }
    let mut host = chip(Product::Milan);
    let launched = launch(&mut host, POLICY);
    let guest = GuestChannel::new(launched.secrets.vmpck[0], 0, 0);
    let device = SvsmDevice::new(Profile::svsm(), Channel::new(host, launched.guest), guest).unwrap();
    let tools = Tools::new(mssim(Box::new(device)));
    tools.run("startup -c");

    for (index, kind) in [("0x1c0000a", "ecc"), ("0x1c00002", "rsa")] {
        tools.run(&format!("nvread {index} -C {index} -o report"));
        let report = Report::parse(&tools.read("report")).unwrap();
        assert_eq!(report.measurement(), predicted_measurement());
        assert_eq!(report.vmpl(), 0);
        tools.run(&format!("createek -G {kind} -c ek.ctx -u ek.pub"));
        let public = RustCrypto::hash(HashAlg::Sha512, &[&tools.read("ek.pub")]);
        assert_eq!(report.report_data(), public.as_bytes(), "{kind}");
        // Nothing satisfies the policy that undefining asks for, platform authorization included.
        tools.run("startauthsession --policy-session -S session");
        tools.run("policycommandcode -S session TPM2_CC_NV_UndefineSpaceSpecial");
        let refusal = tools.refuse(&format!("nvundefine {index} -C p -S session"));
        assert!(refusal.contains("0x99D"), "{refusal}");
        tools.run("flushcontext session");
        tools.write("forged", [0; 8]);
        let refusal = tools.refuse(&format!("nvwrite {index} -C p -i forged"));
        assert!(refusal.contains("0x148"), "TPM_RC_NV_LOCKED: {refusal}");
    }
    assert_eq!(tools.run("getekcertificate -X -o rsa.report -o ecc.report").trim(), "");
    assert_eq!(tools.read("ecc.report").len(), Report::SIZE);
}
