// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Logs against quotes: one negative test for each rule, and every recorded boot.

use evtpm_logs::ima::{AsciiList, BinaryList, TemplateDigests, extend};
use evtpm_logs::tcg::{EventType, Preimage};
use evtpm_logs::{EventLog, HashId, Hashes, PcrBank, PcrIndex, PcrSet};

use super::*;
use crate::recorded::{Snapshot, evidence, snapshot, snapshots};
use crate::tpm::Quote;
use crate::tpm::soft_tpm::quote_of;

fn pcr(index: u32) -> PcrIndex {
    PcrIndex::new(index).unwrap()
}

fn pcrs(mask: u32) -> PcrSet {
    PcrSet::from_mask(mask).unwrap()
}

/// PCR 10, and 11 for the boot whose IMA policy uses both.
fn continued(boot: &str) -> PcrSet {
    if boot == "policy-mixed" { pcrs(0xC00) } else { pcrs(0x400) }
}

/// A recorded snapshot with the quote by one of its keys.
struct Case {
    snapshot: Snapshot,
    quote: Quote,
    event_log: Vec<u8>,
    ima_list: Vec<u8>,
}

impl Case {
    fn recorded(name: &str, scheme: &'static str) -> Option<Self> {
        let snapshot = snapshot(name)?;
        let quote = snapshot.quote(scheme).unwrap().verify().unwrap();
        let (event_log, ima_list) = (snapshot.event_log(), snapshot.ima_list());
        Some(Case { snapshot, quote, event_log, ima_list })
    }

    fn boot(&self) -> Result<MeasuredBoot<'_>, Error> {
        MeasuredBoot::verify(self.quote.clone(), &self.event_log, continued(self.snapshot.boot()))
    }

    fn runtime(&self, rules: RuntimeRules) -> Result<MeasuredRuntime<'_>, Error> {
        MeasuredRuntime::verify(self.boot()?, &self.ima_list, rules)
    }
}

const STRICT: RuntimeRules = RuntimeRules { allow_violations: false };
const LENIENT: RuntimeRules = RuntimeRules { allow_violations: true };

/// Reads "ok   ecdsa quote covers 5000 of 5025 ima entries" out of a boot's `check.txt`.
fn recorded_coverage(snapshot: &Snapshot, scheme: &str) -> (usize, usize) {
    let text = String::from_utf8(snapshot.boot_file("check.txt")).unwrap();
    let section = text.split("-- ").find(|section| section.starts_with(&format!("{}\n", snapshot.name))).unwrap();
    let line = section.lines().find(|line| line.contains(&format!("{scheme} quote covers"))).unwrap();
    let words: Vec<&str> = line.split_whitespace().collect();
    (words[4].parse().unwrap(), words[6].parse().unwrap())
}

#[test]
fn every_recorded_quote_is_explained_by_its_logs() {
    let mut explained = 0;
    for snapshot in snapshots().iter().filter(|snapshot| snapshot.boot() != "grub-nolog") {
        for recorded in snapshot.quotes() {
            let name = format!("{} {}", snapshot.name, recorded.scheme);
            let case = Case::recorded(&snapshot.name, recorded.scheme).unwrap();
            let runtime = case.runtime(LENIENT).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(runtime.boot().explained(), case.quote.pcrs(), "{name}");
            assert_eq!(runtime.boot().open(), PcrSet::EMPTY);

            let (covers, total) = recorded_coverage(snapshot, recorded.scheme);
            assert_eq!(runtime.covered_entries() + runtime.uncovered_entries(), total, "{name}");
            if snapshot.boot() == "policy-mixed" {
                // Where PCR 11 is not quoted, its entries behind the last of PCR 10 are not covered.
                let rest = BinaryList::new(&case.ima_list).skip(runtime.covered_entries());
                let quoted = |entry: &evtpm_logs::ima::Entry<'_>| case.quote.pcrs().contains(entry.pcr);
                assert!(covers < total || !rest.map(Result::unwrap).any(|entry| quoted(&entry)), "{name}");
            } else {
                assert_eq!(runtime.covered_entries(), covers, "{name}");
            }
            let padded: Vec<_> = runtime.weak_banks().collect();
            let weak = snapshot.boot() == "secureboot" && recorded.scheme == "rsapss";
            assert_eq!(padded, if weak { vec![HashId::SHA384] } else { vec![] }, "{name}");
            explained += 1;
        }
    }
    assert!(explained == 0 || explained >= 118, "{explained}");
}

#[test]
fn violations_are_refused_unless_the_rules_let_them_pass() {
    let Some(case) = Case::recorded("direct/odd", "ecdsa") else { return };
    assert_eq!(
        case.runtime(STRICT).unwrap_err(),
        Error::Violation { record: 60, claimed_path: "/data/v1".to_owned(), total: 2 }
    );
    let runtime = case.runtime(LENIENT).unwrap();
    assert_eq!(runtime.violations(), 2);
    assert!(runtime.entries().all(|entry| !entry.is_violation()));
    let Some(clean) = Case::recorded("direct/small", "ecdsa") else { return };
    assert_eq!(clean.runtime(STRICT).unwrap().violations(), 0);
}

#[test]
fn a_boot_whose_log_never_reached_linux_is_refused_for_that_reason() {
    let Some(case) = Case::recorded("grub-nolog/odd", "ecdsa") else { return };
    assert_eq!(case.boot().unwrap_err(), Error::EmptyEventLog { pcrs: pcrs(0x43FF) });
}

#[test]
fn a_changed_digest_is_refused_by_bank_and_register() {
    let Some(mut case) = Case::recorded("direct/odd", "ecdsa") else { return };
    let event = EventLog::parse(&case.event_log).unwrap().events().nth(8).unwrap().unwrap();
    let digest = event.digests().find(HashId::SHA256).unwrap();
    let at = case.event_log.windows(32).rposition(|window| window == digest).unwrap();
    assert!(at > event.at.offset);
    let register = EventLog::parse(&case.event_log)
        .unwrap()
        .events()
        .map(Result::unwrap)
        .filter(|event| event.at.offset < at)
        .last()
        .unwrap()
        .pcr;
    case.event_log[at] ^= 1;
    let error = case.boot().unwrap_err();
    assert!(
        matches!(error, Error::Replay { bank: HashId::SHA256, pcr: index, all, .. }
            if index == pcr(register) && all == pcrs(1 << register)),
        "{error}"
    );
}

#[test]
fn a_bank_that_is_not_quoted_does_not_have_to_be_true() {
    let Some(mut case) = Case::recorded("direct/odd", "ecdsa") else { return };
    let event = EventLog::parse(&case.event_log).unwrap().events().next().unwrap().unwrap();
    let digest = event.digests().find(HashId::SHA1).unwrap().to_vec();
    let at = case.event_log.windows(20).position(|window| window == digest).unwrap();
    case.event_log[at] ^= 1;
    assert!(case.boot().is_ok());
}

#[test]
fn data_that_no_digest_covers_are_never_a_fact() {
    let Some(mut case) = Case::recorded("direct/odd", "ecdsa") else { return };
    let action = b"Calling EFI Application from Boot Option";
    let at = case.event_log.windows(action.len()).position(|window| window == action).unwrap();
    case.event_log[at] = b'X';
    let boot = case.boot().unwrap();
    let event = boot.events().find(|event| event.claimed_data().starts_with(b"Xalling")).unwrap();
    assert_eq!(event.preimage(), None);
    assert!(event.proven().is_none());
    let facts = boot.events().filter(|event| event.preimage().is_some()).count();
    assert!(facts >= 15, "{facts}");
}

#[test]
fn an_event_left_out_added_or_moved_is_refused() {
    let Some(case) = Case::recorded("direct/odd", "ecdsa") else { return };
    let log = EventLog::parse(&case.event_log).unwrap();
    let starts: Vec<usize> = log.events().map(|event| event.unwrap().at.offset).collect();
    let (from, to) = (starts[3], starts[4]);
    let event = case.event_log[from..to].to_vec();
    let mut without = case.event_log.clone();
    without.drain(from..to);
    let mut twice = case.event_log.clone();
    twice.splice(from..from, event.clone());
    let mut moved = without.clone();
    let next = starts[5] - event.len();
    moved.splice(next..next, event);
    for changed in [without, twice, moved] {
        let error = MeasuredBoot::verify(case.quote.clone(), &changed, pcrs(0x400)).unwrap_err();
        assert!(matches!(error, Error::Replay { pcr: index, .. } if index == pcr(7)), "{error}");
    }
}

#[test]
fn an_event_of_one_weak_bank_alone_is_no_fact_where_two_are_quoted() {
    let event = |digests: &[(HashId, &[u8])], data: &[u8]| {
        let mut bytes = [4_u32.to_le_bytes(), EventType::EFI_ACTION.0.to_le_bytes()].concat();
        bytes.extend(u32::try_from(digests.len()).unwrap().to_le_bytes());
        for (bank, digest) in digests {
            bytes.extend(bank.0.to_le_bytes());
            bytes.extend(*digest);
        }
        bytes.extend(u32::try_from(data.len()).unwrap().to_le_bytes());
        [bytes, data.to_vec()].concat()
    };
    let header = b"Spec ID Event03\0\0\0\0\0\x00\x02\x00\x02\x02\0\0\0\x04\0\x14\0\x0b\0\x20\0\0";
    let mut log = [[0_u32.to_le_bytes(), 3_u32.to_le_bytes()].concat(), vec![0; 20]].concat();
    log.extend(u32::try_from(header.len()).unwrap().to_le_bytes());
    log.extend(header);
    let sha1 = CryptoHashes.hash(HashId::SHA1, &[b"forged"]).unwrap();
    log.extend(event(&[(HashId::SHA1, sha1.as_bytes())], b"forged"));

    let banks = EventLog::parse(&log).unwrap().replay(&[HashId::SHA1, HashId::SHA256], &CryptoHashes).unwrap();
    let pcr4 = pcrs(1 << 4);
    let both = quote_of(&[(&banks[0], pcr4), (&banks[1], pcr4)]);
    let boot = MeasuredBoot::verify(both, &log, PcrSet::EMPTY).unwrap();
    assert_eq!(boot.events().map(|event| event.preimage()).collect::<Vec<_>>(), [None]);
    let weak = quote_of(&[(&banks[0], pcr4)]);
    let boot = MeasuredBoot::verify(weak, &log, PcrSet::EMPTY).unwrap();
    assert_eq!(boot.events().next().unwrap().preimage(), Some(Preimage::EventData(b"forged")));
}

#[test]
fn a_quoted_bank_that_the_log_lacks_is_refused() {
    let mut log = [4_u32.to_le_bytes(), 5_u32.to_le_bytes()].concat();
    log.extend([0xAA; 20]);
    log.extend(0_u32.to_le_bytes());
    let bank = PcrBank::at_startup(HashId::SHA256).unwrap();
    let quote = quote_of(&[(&bank, pcrs(1))]);
    assert_eq!(
        MeasuredBoot::verify(quote, &log, PcrSet::EMPTY).unwrap_err(),
        Error::BankNotLogged { bank: HashId::SHA256 }
    );
}

#[test]
fn events_behind_the_separator_are_marked_by_its_digest() {
    let Some(case) = Case::recorded("direct/odd", "ecdsa") else { return };
    let boot = case.boot().unwrap();
    let late: Vec<_> = boot.events().filter(|event| event.after_separator()).map(|event| event.pcr().value()).collect();
    // ExitBootServices is PCR 5's; PCR 4's kernel came before its separator, as `-kernel` boots it from the firmware.
    assert_eq!(late, [5, 5]);
}

#[test]
fn a_changed_path_or_digest_in_the_list_is_refused() {
    let Some(mut case) = Case::recorded("direct/small", "ecdsa") else { return };
    let at = case.ima_list.windows(12).position(|window| window == b"/bin/busybox").unwrap();
    for position in [at, at - 10] {
        case.ima_list[position] ^= 1;
        let error = case.runtime(STRICT).unwrap_err();
        assert!(matches!(error, Error::ImaReplay { bank: HashId::SHA256, entries: 50, .. }), "{error}");
        case.ima_list[position] ^= 1;
    }
    assert!(case.runtime(STRICT).is_ok());
}

#[test]
fn a_list_shorter_than_the_quote_is_refused_and_a_longer_one_is_cut() {
    let Some(mut case) = Case::recorded("direct/small", "ecdsa") else { return };
    let starts: Vec<usize> = BinaryList::new(&case.ima_list).map(|entry| entry.unwrap().at.offset).collect();
    let appended = case.ima_list[starts[2]..starts[3]].to_vec();
    case.ima_list.extend(appended);
    let runtime = case.runtime(STRICT).unwrap();
    assert_eq!((runtime.covered_entries(), runtime.uncovered_entries()), (50, 1));
    assert_eq!(runtime.entries().count(), 50);
    let mut shown = Vec::new();
    runtime.each_file(&Keyring::new(), |entry, signature| shown.push((entry.path(), signature)));
    let files: Vec<_> = runtime.files(&Keyring::new()).map(|file| (file.path, file.signature)).collect();
    assert_eq!((shown.len(), &shown), (49, &files));

    case.ima_list.truncate(starts[49]);
    assert!(matches!(case.runtime(STRICT), Err(Error::ImaReplay { entries: 49, .. })));
}

#[test]
fn two_banks_must_agree_on_one_prefix() {
    let Some(case) = Case::recorded("direct/small", "ecdsa") else { return };
    let algorithms = [HashId::SHA1, HashId::SHA256];
    let banks = EventLog::parse(&case.event_log).unwrap().replay(&algorithms, &CryptoHashes).unwrap();
    let quote = |ends: [usize; 2]| {
        let mut after = banks.clone();
        for (bank, end) in after.iter_mut().zip(ends) {
            for entry in BinaryList::new(&case.ima_list).take(end) {
                extend(bank, &entry.unwrap(), TemplateDigests::OfBank, &CryptoHashes).unwrap();
            }
        }
        quote_of(&[(&after[0], pcrs(0x400)), (&after[1], pcrs(0x7FF))])
    };
    let verify = |quote: Quote| {
        let boot = MeasuredBoot::verify(quote, &case.event_log, pcrs(0x400)).unwrap();
        MeasuredRuntime::verify(boot, &case.ima_list, STRICT).map(|runtime| runtime.covered_entries())
    };
    assert!(matches!(verify(quote([50, 49])), Err(Error::ImaReplay { bank: HashId::SHA1, .. })));
    assert_eq!(verify(quote([49, 49])), Ok(49));
}

#[test]
fn entries_of_a_register_that_is_not_quoted_are_not_shown() {
    let Some(case) = Case::recorded("policy-mixed/small", "rsassa") else { return };
    let runtime = case.runtime(STRICT).unwrap();
    assert!(runtime.entries().all(|entry| entry.pcr == pcr(10)));
    assert!(runtime.entries().count() < runtime.covered_entries());
}

#[test]
fn an_unknown_template_fails_closed() {
    let Some(mut case) = Case::recorded("direct/small", "ecdsa") else { return };
    let at = case.ima_list.windows(7).rposition(|window| window == b"ima-sig").unwrap();
    case.ima_list[at..at + 7].copy_from_slice(b"ima-sih");
    assert!(matches!(
        case.runtime(STRICT),
        Err(Error::ImaList(evtpm_logs::Error::UnknownTemplate { name, .. })) if name == "ima-sih"
    ));
}

#[test]
fn a_quote_without_imas_register_proves_no_list() {
    let Some(case) = Case::recorded("direct/small", "ecdsa") else { return };
    let bank = EventLog::parse(&case.event_log).unwrap().replay(&[HashId::SHA256], &CryptoHashes).unwrap().remove(0);
    let quote = quote_of(&[(&bank, pcrs(0xFF))]);
    let boot = MeasuredBoot::verify(quote, &case.event_log, pcrs(0x400)).unwrap();
    assert_eq!(
        MeasuredRuntime::verify(boot, &case.ima_list, STRICT).unwrap_err(),
        Error::ImaNotQuoted { pcrs: PcrSet::EMPTY }
    );
}

/// Replays an event log and a list as a TPM would have, and quotes SHA-256 PCR 0 to 10.
fn quote_after(event_log: &[u8], list: &[u8]) -> Quote {
    let mut bank = EventLog::parse(event_log).unwrap().replay(&[HashId::SHA256], &CryptoHashes).unwrap().remove(0);
    for entry in BinaryList::new(list) {
        extend(&mut bank, &entry.unwrap(), TemplateDigests::OfBank, &CryptoHashes).unwrap();
    }
    quote_of(&[(&bank, pcrs(0x7FF))])
}

#[test]
fn a_list_of_another_boot_is_refused_by_its_boot_aggregate() {
    let (Some(case), Some(other)) = (Case::recorded("app-good/q", "ecdsa"), Case::recorded("app-cmdline/q", "ecdsa"))
    else {
        return;
    };
    let quote = quote_after(&case.event_log, &other.ima_list);
    let boot = MeasuredBoot::verify(quote, &case.event_log, pcrs(0x400)).unwrap();
    assert!(matches!(
        MeasuredRuntime::verify(boot, &other.ima_list, STRICT),
        Err(Error::BootAggregate { algorithm: HashId::SHA256, .. })
    ));
    assert!(matches!(case.runtime(STRICT).unwrap().aggregate(), Aggregate::Verified { algorithm: HashId::SHA256, .. }));
}

#[test]
fn a_list_that_does_not_begin_with_boot_aggregate_is_refused() {
    let Some(case) = Case::recorded("app-good/q", "ecdsa") else { return };
    let second = BinaryList::new(&case.ima_list).nth(1).unwrap().unwrap().at.offset;
    let list = &case.ima_list[second..];
    let quote = quote_after(&case.event_log, list);
    let boot = MeasuredBoot::verify(quote, &case.event_log, pcrs(0x400)).unwrap();
    assert_eq!(MeasuredRuntime::verify(boot, list, STRICT).unwrap_err(), Error::NoBootAggregate);
}

#[test]
fn a_bank_that_the_quote_lacks_leaves_boot_aggregate_unchecked_and_says_so() {
    let Some(case) = Case::recorded("direct/small", "rsapss") else { return };
    assert_eq!(case.runtime(STRICT).unwrap().aggregate(), Aggregate::NotCovered { algorithm: HashId::SHA256 });
}

/// Reads the command line and the initrd's digest out of a boot's inputs.
fn inputs(snapshot: &Snapshot) -> (String, String) {
    let inputs: serde_json::Value = serde_json::from_slice(&snapshot.boot_file("inputs.json")).unwrap();
    let initrd = inputs["expected_digests"]
        .as_array()
        .unwrap()
        .iter()
        .find(|digest| digest["what"].as_str().unwrap().starts_with("initrd") && digest["in_log"] == true);
    let command_line = inputs["proc_cmdline"].as_str().unwrap().to_owned();
    (command_line, initrd.map(|digest| digest["sha256"].as_str().unwrap().to_owned()).unwrap_or_default())
}

#[test]
fn the_efi_stub_measures_command_line_and_initrd_as_the_machine_had_them() {
    for name in ["direct/odd", "app-good/q", "app-cmdline/q", "uki/odd", "sdboot/odd"] {
        let Some(case) = Case::recorded(name, "ecdsa") else { return };
        let boot = case.boot().unwrap();
        let (command_line, initrd) = inputs(&case.snapshot);
        let lines = boot.command_lines();
        let digest = lines.iter().find(|line| matches!(line, CommandLine::Digest { .. })).unwrap();
        if name != "uki/odd" {
            assert!(digest.is(&command_line), "{name}");
        }
        assert!(!digest.is(&format!("{command_line} ")), "{name}");
        let digests: Vec<String> = boot.initrd_digests(HashId::SHA256).map(|digest| digest.to_string()).collect();
        assert_eq!(digests, [initrd], "{name}");
    }
}

#[test]
fn another_command_line_is_told_apart() {
    let (Some(good), Some(other)) = (Case::recorded("app-good/q", "ecdsa"), Case::recorded("app-cmdline/q", "ecdsa"))
    else {
        return;
    };
    let (command_line, _) = inputs(&good.snapshot);
    assert!(good.boot().unwrap().command_lines().iter().all(|line| line.is(&command_line)));
    assert!(!other.boot().unwrap().command_lines().iter().any(|line| line.is(&command_line)));
}

#[test]
fn boot_loaders_measure_the_text_of_the_command_line() {
    let text = |name: &str| -> Option<Vec<(u8, String)>> {
        let case = Case::recorded(name, "ecdsa")?;
        let lines = case.boot().unwrap().command_lines();
        Some(
            lines
                .into_iter()
                .filter_map(|line| match line {
                    CommandLine::Text { pcr, text } => Some((pcr.value(), text)),
                    CommandLine::Digest { .. } => None,
                })
                .collect(),
        )
    };
    let Some(grub) = text("secureboot/odd") else { return };
    let expected = "/vmlinuz console=ttyS0 ima_policy=tcb root=/dev/ram0 rdinit=/init quiet";
    assert_eq!(grub, [(8, expected.to_owned())]);
    let systemd = text("sdboot/odd").unwrap();
    assert_eq!(systemd.len(), 1);
    assert!(systemd[0].0 == 12 && systemd[0].1.starts_with("initrd=\\initrd console=ttyS0"), "{systemd:?}");
}

#[test]
fn a_changed_program_and_an_added_one_are_seen_by_path_and_digest() {
    let files = |name: &str| -> Option<Vec<(String, String)>> {
        let case = Case::recorded(name, "ecdsa")?;
        let runtime = case.runtime(STRICT).unwrap();
        Some(
            runtime
                .files(&Keyring::new())
                .map(|file| {
                    let digest = file.digest.unwrap();
                    (String::from_utf8(file.path.to_vec()).unwrap(), hex::encode(digest.bytes))
                })
                .collect(),
        )
    };
    let Some(good) = files("app-good/q") else { return };
    let new = |name: &str| -> Vec<String> {
        files(name).unwrap().into_iter().filter(|file| !good.contains(file)).map(|(path, _)| path).collect()
    };
    let modified = new("app-modified/q");
    let dropped = new("app-dropper/q");
    assert!(!modified.is_empty() && modified.iter().any(|path| good.iter().any(|(known, _)| known == path)));
    assert!(!dropped.is_empty() && dropped.iter().any(|path| good.iter().all(|(known, _)| known != path)));
}

fn spki(pem: &[u8]) -> Vec<u8> {
    use der::{DecodePem, Encode};
    x509_cert::spki::SubjectPublicKeyInfoOwned::from_pem(pem).unwrap().to_der().unwrap()
}

#[test]
fn file_signatures_are_valid_only_by_a_key_of_the_keyring() {
    let Some(case) = Case::recorded("debian/small", "ecdsa") else { return };
    let mut keyring = Keyring::new();
    keyring.add(&spki(&case.snapshot.boot_file("keys/ima-signer.pem"))).unwrap();
    let runtime = case.runtime(STRICT).unwrap();
    let count = |keyring: &Keyring, wanted: fn(SignatureState) -> bool| {
        let signed = runtime.files(keyring).filter(|file| file.entry.raw_signature().is_some());
        signed.take(40).filter(|file| wanted(file.signature)).count()
    };
    let valid = count(&keyring, |state| matches!(state, SignatureState::Valid { .. }));
    assert_eq!(valid, 23);
    let unknown = count(&Keyring::new(), |state| matches!(state, SignatureState::UnknownKey { .. }));
    assert_eq!(unknown, 23);
}

#[test]
fn an_rsa_file_signature_verifies_and_another_digest_does_not() {
    use base64::Engine as _;
    let Some(evidence) = evidence() else { return };
    let vectors = std::fs::read(evidence.join("ima/keylime-ima-sig/vectors.json")).unwrap();
    let vectors: serde_json::Value = serde_json::from_slice(&vectors).unwrap();
    let ring: serde_json::Value = serde_json::from_str(vectors["IMA_KEYRING_STRING"].as_str().unwrap()).unwrap();
    let key =
        |n: usize| base64::engine::general_purpose::STANDARD.decode(ring["pubkeys"][n].as_str().unwrap()).unwrap();
    let mut keyring = Keyring::new();
    assert_eq!(u64::from(keyring.add(&key(0)).unwrap()), ring["keyids"][0].as_u64().unwrap());
    let states = |keyring: &Keyring, text: &str| -> Vec<SignatureState> {
        AsciiList::new(text.as_bytes()).map(|record| keyring.check(&record.unwrap().entry().unwrap())).collect()
    };
    let text = vectors["SIGNATURES"].as_str().unwrap();
    assert_eq!(
        states(&keyring, text),
        [SignatureState::Valid { key_id: 4_081_397_027 }, SignatureState::UnknownKey { key_id: 1_394_556_965 }]
    );
    // The second key is on secp256k1, which no TPM has.
    assert_eq!(keyring.add(&key(1)).unwrap(), 1_394_556_965);
    assert_eq!(states(&keyring, text)[1], SignatureState::Valid { key_id: 1_394_556_965 });
    let states = |text: &str| states(&keyring, text);
    assert_eq!(states(&text.replace("b8ae0b8d", "b8ae0b8c"))[1], SignatureState::Invalid { key_id: 1_394_556_965 });
    assert_eq!(states(&text.replace("d33d5d13", "d33d5d12"))[0], SignatureState::Invalid { key_id: 4_081_397_027 });
    assert_eq!(states(vectors["BAD_SIGNATURES"].as_str().unwrap()), [SignatureState::Malformed]);
}

#[test]
fn secure_boot_is_what_the_firmware_measured_first() {
    for (name, expected) in [("secureboot/odd", true), ("direct/odd", false), ("uki/odd", false)] {
        let Some(case) = Case::recorded(name, "ecdsa") else { return };
        assert_eq!(case.boot().unwrap().secure_boot(), Some(expected), "{name}");
    }
}

#[test]
fn an_image_called_a_text_is_no_marker() {
    // The log may call anything a text whose hash it knows, also the bytes that an image's digest covers.
    let image = b"MZ: all that the Authenticode digest of a program covers";
    let digest = CryptoHashes.hash(HashId::SHA1, &[image]).unwrap();
    let mut log = [4_u32.to_le_bytes(), EventType::EFI_ACTION.0.to_le_bytes()].concat();
    log.extend(digest.as_bytes());
    log.extend(u32::try_from(image.len()).unwrap().to_le_bytes());
    log.extend(image);
    let bank = EventLog::parse(&log).unwrap().replay(&[HashId::SHA1], &CryptoHashes).unwrap().remove(0);
    let boot = MeasuredBoot::verify(quote_of(&[(&bank, pcrs(0x10))]), &log, PcrSet::EMPTY).unwrap();
    let event = boot.events().next().unwrap();
    assert!(event.proven().is_some() && !event.is_marker());

    let Some(case) = Case::recorded("direct/odd", "ecdsa") else { return };
    // Seven separators of the firmware's registers, one action each of PCR 4 and twice of PCR 5.
    assert_eq!(case.boot().unwrap().events().filter(|event| event.is_marker()).count(), 8 + 3);
}

/// What a boot proves, in an order that is proven too: by register.
fn facts(boot: &MeasuredBoot<'_>) -> Vec<(u8, String)> {
    let mut facts: Vec<_> =
        boot.events().filter_map(|event| Some((event.pcr().value(), format!("{:?}", event.preimage()?)))).collect();
    facts.sort();
    facts
}

#[test]
fn no_flipped_bit_of_an_event_log_makes_a_new_fact() {
    let Some(mut case) = Case::recorded("direct/odd", "ecdsa") else { return };
    let known = facts(&case.boot().unwrap());
    let mut refused = 0;
    for bit in (0..case.event_log.len() * 8).step_by(29) {
        case.event_log[bit / 8] ^= 1 << (bit % 8);
        match case.boot() {
            Ok(boot) => assert!(facts(&boot).iter().all(|fact| known.contains(fact)), "bit {bit}"),
            Err(_) => refused += 1,
        }
        case.event_log[bit / 8] ^= 1 << (bit % 8);
    }
    assert!(refused > 200, "{refused}");
}

#[test]
fn no_flipped_bit_of_an_ima_list_makes_a_new_fact() {
    let Some(mut case) = Case::recorded("direct/small", "ecdsa") else { return };
    let files = |case: &Case| -> Option<Vec<Vec<u8>>> {
        let runtime = case.runtime(STRICT).ok()?;
        Some(
            runtime
                .entries()
                .flat_map(|entry| entry.fields().map(|(_, value)| value.to_vec()).collect::<Vec<_>>())
                .collect(),
        )
    };
    let known = files(&case).unwrap();
    let mut refused = 0;
    for bit in (0..case.ima_list.len() * 8).step_by(37) {
        case.ima_list[bit / 8] ^= 1 << (bit % 8);
        match files(&case) {
            Some(files) => assert_eq!(files, known, "bit {bit}"),
            None => refused += 1,
        }
        case.ima_list[bit / 8] ^= 1 << (bit % 8);
    }
    assert!(refused > 800, "{refused}");
}

/// Two moments of one boot: the quotes of both, and what the list grew by between them.
fn grown(boot: &str, earlier: &str, later: &str) -> Option<(Case, Case, Vec<u8>)> {
    let earlier = Case::recorded(&format!("{boot}/{earlier}"), "ecdsa")?;
    let later = Case::recorded(&format!("{boot}/{later}"), "ecdsa")?;
    let covered = earlier.runtime(LENIENT).unwrap().covered_entries();
    let mut list = BinaryList::new(&later.ima_list);
    assert!(list.by_ref().take(covered).all(|entry| entry.is_ok()));
    let rest = later.ima_list[list.offset()..].to_vec();
    Some((earlier, later, rest))
}

#[test]
fn a_later_quote_needs_only_what_the_list_grew_by() {
    for (boot, earlier, later) in
        [("direct", "small", "n500"), ("direct", "n500", "n5000"), ("debian", "small", "late")]
    {
        let Some((first, second, rest)) = grown(boot, earlier, later) else { return };
        let progress = first.runtime(LENIENT).unwrap().progress();
        let continued = progress.follow(second.quote.clone(), &rest, LENIENT).unwrap();
        let whole = second.runtime(LENIENT).unwrap();
        assert_eq!(continued.progress(), &whole.progress(), "{boot}: both ways lead to one place");
        assert_eq!(continued.violations(), whole.violations());
        let keyring = Keyring::new();
        let before = first.runtime(LENIENT).unwrap().files(&keyring).count();
        assert_eq!(before + continued.files(&keyring).count(), whole.files(&keyring).count(), "{boot}");
    }
}

#[test]
fn what_the_list_grew_by_cannot_be_left_out_changed_or_be_of_another_boot() {
    let Some((first, second, rest)) = grown("direct", "small", "n500") else { return };
    let progress = first.runtime(LENIENT).unwrap().progress();
    let follow = |quote: &Quote, rest: &[u8]| progress.follow(quote.clone(), rest, LENIENT).map(drop);
    assert_eq!(follow(&second.quote, &rest), Ok(()));
    assert!(matches!(follow(&second.quote, &[]), Err(Error::ImaReplay { .. })));
    let mut changed = rest.clone();
    // In the first entry's template data, behind its register, template hash and template name.
    changed[60] ^= 1;
    assert!(follow(&second.quote, &changed).is_err());
    let other = Case::recorded("sdboot/small", "ecdsa").unwrap();
    assert!(matches!(follow(&other.quote, &rest), Err(Error::Moved { .. } | Error::OtherSelection)));
}

#[test]
fn a_violation_that_is_new_is_refused_unless_the_rules_let_it_pass() {
    let Some((first, second, rest)) = grown("direct", "small", "odd") else { return };
    let progress = first.runtime(LENIENT).unwrap().progress();
    let strict = progress.follow(second.quote.clone(), &rest, STRICT).map(drop);
    assert!(matches!(strict, Err(Error::Violation { total: 2, .. })), "{strict:?}");
    assert_eq!(progress.follow(second.quote.clone(), &rest, LENIENT).unwrap().violations(), 2);
}

#[test]
fn progress_is_read_as_it_was_written_and_no_part_of_it_is() {
    let Some(case) = Case::recorded("direct/n500", "ecdsa") else { return };
    let progress = case.runtime(LENIENT).unwrap().progress();
    let bytes = progress.to_bytes();
    assert_eq!(Progress::from_bytes(&bytes), Some(progress));
    for length in (0..bytes.len()).filter(|length| *length != 24) {
        assert_eq!(Progress::from_bytes(&bytes[..length]), None, "{length} bytes");
    }
    let boot = case.boot().unwrap().progress();
    assert_eq!(Progress::from_bytes(&boot.to_bytes()), Some(boot));
}

#[test]
fn without_an_event_log_only_the_list_s_register_is_explained() {
    let Some(case) = Case::recorded("direct/n500", "ecdsa") else { return };
    let boot = MeasuredBoot::unlogged(case.quote.clone(), pcrs(0x400)).unwrap();
    let runtime = MeasuredRuntime::verify(boot, &case.ima_list, LENIENT).unwrap();
    assert_eq!(runtime.boot().explained(), pcrs(0x400));
    assert!(matches!(runtime.aggregate(), Aggregate::NotCovered { .. }));
    assert_eq!(runtime.covered_entries(), case.runtime(LENIENT).unwrap().covered_entries());
}
