// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The tamper sweep: single-bit changes of what is signed or hashed in every item of the evidence folder that is verified, none of
//! which is believed. `cargo xtask sweep` tries a thousand of each.
//!
//! Each kind of the index says in a file of its own what is signed or hashed, and how a verifier is asked; an item that nobody can
//! verify stands in [`NOT_VERIFIED`] with the reason.

mod arm;
mod azure;
mod certificates;
mod devices;
mod intel;
mod lists;
mod logs;
mod made_here;
mod quotes;
mod snp;

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Mutex;
use std::{fs, thread};

use evtpm_crypto::entropy::NoiseSource;
use evtpm_testing_support::Noise;

use crate::UnixTime;
use crate::recorded::{Item, evidence, items};
use crate::x509::Certificate;

/// How many changes are tried of each subject, unless `EVTPM_CHANGES` says another number; of one that has fewer bits, each of them.
const CHANGES: usize = 30;

/// What a kind of the index has that is signed or hashed.
type Subjects = fn(&Item) -> Vec<Subject>;

const TABLE: &[(&str, Subjects)] = &[
    ("amd-ca", certificates::of_item),
    ("amd-crl", lists::amd),
    ("arm-cca", arm::realm),
    ("arm-psa", arm::psa),
    ("az-vtpm", azure::subjects),
    ("ccel", logs::confidential),
    ("corim", |_| Vec::new()),
    ("csv", devices::csv),
    ("dcap", intel::subjects),
    ("dcap-collateral", lists::intel),
    ("ima", logs::ima),
    ("launch-measurement", |_| Vec::new()),
    ("nitro", devices::nitro),
    ("nvidia", devices::nvidia),
    ("nvidia-ca", certificates::of_item),
    ("nvidia-rim", devices::manifests),
    ("result-token", |_| Vec::new()),
    ("s390-se", lists::ibm),
    ("snp", snp::subjects),
    ("tcg-eventlog", logs::firmware),
    ("tpm-ek-ca", certificates::of_item),
    ("tpm-quote", quotes::subjects),
];

/// Items without a verdict to be had, and why.
const NOT_VERIFIED: &[(&str, &str)] = &[
    ("ccel/cel-canonical", "a log without registers beside it"),
    ("corim/veraison-arm-cca", "nobody signed them; those that we sign are in `made_here`"),
    ("corim/veraison-signed", "the key is not in the item; those that we sign are in `made_here`"),
    ("dcap/sgx-v3-eppid", "its certificate has to be fetched"),
    ("ima/keylime-dm-events", "names of devices, not a list"),
    ("launch-measurement/sev-snp-measure", "what a launch is predicted from, signed by nobody: evtpm-measure's tests"),
    ("nvidia/hopper-bad-signature", "refused as it is"),
    ("result-token/nras-detached-eat", "the key is not in the item; tokens that we sign are in evtpm-result's tests"),
    ("s390-se/pvattest-vectors", "the measurement key is not in the item; those that we measure are in `made_here`"),
    ("snp/lit-msg-report-rsp", "its endorsement key is not in the item"),
    ("tcg-eventlog/malformed-short-no-action", "refused as it is"),
];

/// Tells whether bytes are believed.
type Believes = Box<dyn Fn(&[u8]) -> bool + Send + Sync>;

/// Bytes with the parts of them that are signed or hashed.
struct Subject {
    name: String,
    bytes: Vec<u8>,
    parts: Vec<Range<usize>>,
    believes: Believes,
    /// Tells whether changed bytes are another way to write the same document (white space in XML); counted apart.
    is_same: Option<Believes>,
}

impl Subject {
    /// Takes bytes that are signed from the first to the last.
    fn new(name: String, bytes: Vec<u8>, believes: impl Fn(&[u8]) -> bool + Send + Sync + 'static) -> Self {
        let whole = 0..bytes.len();
        Self { name, bytes, parts: vec![whole], believes: Box::new(believes), is_same: None }
    }

    /// Restricts the changes to parts of the bytes.
    fn in_parts(self, parts: impl IntoIterator<Item = Range<usize>>) -> Self {
        Self { parts: parts.into_iter().collect(), ..self }
    }

    /// Restricts the changes to one part of the bytes.
    fn in_part(self, part: Range<usize>) -> Self {
        self.in_parts(core::iter::once(part))
    }

    /// Returns what went wrong.
    fn sweep(&self, changes: usize) -> Vec<String> {
        if !(self.believes)(&self.bytes) {
            return vec![format!("{}: refused as it is", self.name)];
        }
        let (mut wrong, mut same, chosen) = (Vec::new(), 0, self.chosen(changes));
        for (byte, bit) in &chosen {
            let mut changed = self.bytes.clone();
            changed[*byte] ^= 1 << bit;
            if self.is_same.as_ref().is_some_and(|is_same| is_same(&changed)) {
                same += 1;
            } else if (self.believes)(&changed) {
                wrong.push(format!("{}: bit {bit} of byte {byte}", self.name));
            }
        }
        if same * 10 > chosen.len() {
            wrong.push(format!("{}: {same} changes of {} make the same document", self.name, chosen.len()));
        }
        wrong
    }

    /// Chooses bits of the parts, the same ones in every run.
    fn chosen(&self, changes: usize) -> BTreeSet<(usize, u8)> {
        let bytes: Vec<usize> = self.parts.iter().cloned().flatten().collect();
        if bytes.len() * 8 <= changes {
            return bytes.iter().flat_map(|byte| (0..8).map(|bit| (*byte, bit))).collect();
        }
        // FNV-1a of the subject's name.
        let seed = self
            .name
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        let mut noise = Noise::Good(seed);
        let mut chosen = BTreeSet::new();
        while chosen.len() < changes {
            let mixed = noise.sample().unwrap();
            let byte = bytes[usize::try_from(mixed >> 3).unwrap() % bytes.len()];
            chosen.insert((byte, (mixed & 7) as u8));
        }
        chosen
    }
}

/// Reads another item's file, as a service would send it along.
fn neighbour(path: &str) -> Vec<u8> {
    fs::read(evidence().unwrap().join(path)).unwrap()
}

/// A day after the last of the certificates begins to be valid.
fn begin(chain: &[Certificate]) -> UnixTime {
    UnixTime(chain.iter().map(|certificate| certificate.validity().0.0).max().unwrap() + 24 * 60 * 60)
}

/// Where a part lies that was borrowed from the whole.
fn place(whole: &[u8], part: &[u8]) -> Range<usize> {
    let start = part.as_ptr().addr().checked_sub(whole.as_ptr().addr()).unwrap();
    assert!(start + part.len() <= whole.len());
    start..start + part.len()
}

/// Finds bytes in the whole.
fn position(whole: &[u8], part: &[u8]) -> Range<usize> {
    let start = whole.windows(part.len()).position(|window| window == part).unwrap();
    start..start + part.len()
}

#[test]
fn nothing_that_is_signed_or_hashed_survives_a_flipped_bit() {
    let mut subjects = made_here::subjects();
    for item in items() {
        let (_, of_kind) = TABLE.iter().find(|(kind, _)| *kind == item.kind).expect("a kind without a row");
        let found = of_kind(&item);
        let excused = NOT_VERIFIED.iter().any(|(name, _)| *name == item.name());
        assert_eq!(found.is_empty(), excused, "{}", item.name());
        subjects.extend(found);
    }
    subjects.extend(quotes::recorded_boots());
    let changes = evtpm_testing_support::changes(CHANGES);
    let (count, queue, wrong) = (subjects.len(), Mutex::new(subjects), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                loop {
                    let Some(subject) = queue.lock().unwrap().pop() else { return };
                    let found = subject.sweep(changes);
                    println!("{changes} changes of {}", subject.name);
                    wrong.lock().unwrap().extend(found);
                }
            });
        }
    });
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "{count} subjects; believed after a change:\n{}", wrong.join("\n"));
}
