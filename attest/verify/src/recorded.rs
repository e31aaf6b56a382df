// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The evidence folder for the tests of this crate: its items, and recorded boots with the logs, quotes and keys of `vm-boot`.

mod items;

use std::path::{Path, PathBuf};

use evtpm_logs::{HashId, PcrSet};

use crate::tpm::{AkPublic, Issued, Quote, QuoteEvidence, Selection, TrustedAk};
use crate::{UnixTime, tpm};
pub(crate) use items::{Item, items};

pub(crate) const NOW: UnixTime = UnixTime(1_790_000_000);

/// Returns the evidence folder, or says why the test is skipped.
pub(crate) fn evidence() -> Option<PathBuf> {
    let root = std::env::var_os("EVTPM_EVIDENCE")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/evidence"), PathBuf::from);
    if root.is_dir() {
        return Some(root);
    }
    println!("skipped: no evidence folder (EVTPM_EVIDENCE)");
    None
}

/// One snapshot of a recorded boot.
pub(crate) struct Snapshot {
    /// Boot and snapshot, `direct/odd`.
    pub(crate) name: String,
    folder: PathBuf,
}

/// One quote of a snapshot.
pub(crate) struct RecordedQuote {
    /// `ecdsa`, `rsassa` or `rsapss`.
    pub(crate) scheme: &'static str,
    pub(crate) ak: Vec<u8>,
    pub(crate) message: Vec<u8>,
    pub(crate) signature: Vec<u8>,
    pub(crate) values: Vec<Vec<u8>>,
    pub(crate) nonce: Vec<u8>,
    pub(crate) asked: Selection,
}

/// Returns all snapshots that have quotes, in order of their names.
pub(crate) fn snapshots() -> Vec<Snapshot> {
    let Some(root) = evidence().map(|root| root.join("vm-boot")) else { return Vec::new() };
    let folders = |path: &Path| -> Vec<PathBuf> {
        std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()).collect()
    };
    let mut found = Vec::new();
    for folder in folders(&root).iter().flat_map(|boot| folders(boot)) {
        if folder.join("ecdsa.msg").is_file() {
            let name = folder.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
            found.push(Snapshot { name, folder });
        }
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    found
}

/// Returns one snapshot by name.
pub(crate) fn snapshot(name: &str) -> Option<Snapshot> {
    snapshots().into_iter().find(|snapshot| snapshot.name == name)
}

impl Snapshot {
    pub(crate) fn boot(&self) -> &str {
        self.name.split('/').next().unwrap()
    }

    pub(crate) fn event_log(&self) -> Vec<u8> {
        std::fs::read(self.folder.join("bios.bin")).unwrap()
    }

    pub(crate) fn ima_list(&self) -> Vec<u8> {
        std::fs::read(self.folder.join("ima.bin")).unwrap()
    }

    /// Reads a file of the boot's folder.
    pub(crate) fn boot_file(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.folder.parent().unwrap().join(name)).unwrap()
    }

    pub(crate) fn quotes(&self) -> Vec<RecordedQuote> {
        ["ecdsa", "rsassa", "rsapss"].into_iter().filter_map(|scheme| self.quote(scheme)).collect()
    }

    pub(crate) fn quote(&self, scheme: &'static str) -> Option<RecordedQuote> {
        let file = |kind: &str| std::fs::read(self.folder.join(format!("{scheme}.{kind}")));
        let nonce = String::from_utf8(std::fs::read(self.folder.join("nonce.hex")).unwrap()).unwrap();
        let message = file("msg").ok()?;
        Some(RecordedQuote {
            scheme,
            ak: self.boot_file(&format!("keys/ak-{scheme}.pub")),
            message,
            signature: file("sig").unwrap(),
            values: pcr_values(&file("pcrs").unwrap()),
            nonce: hex::decode(nonce.trim()).unwrap(),
            asked: asked(scheme),
        })
    }
}

impl RecordedQuote {
    pub(crate) fn trusted_ak(&self) -> TrustedAk {
        TrustedAk::named(AkPublic::from_tpm2b(&self.ak).unwrap())
    }

    pub(crate) fn verify(&self) -> Result<Quote, tpm::Error> {
        let values: Vec<&[u8]> = self.values.iter().map(Vec::as_slice).collect();
        let evidence = QuoteEvidence { message: &self.message, signature: &self.signature, values: &values };
        self.trusted_ak().verify(evidence, Issued::recorded(&self.nonce), &self.asked, NOW)
    }
}

/// What the recording program asked for, by the key's scheme.
fn asked(scheme: &str) -> Selection {
    let pcrs = |mask| PcrSet::from_mask(mask).unwrap();
    let banks: &[(HashId, u32)] = match scheme {
        "ecdsa" => &[(HashId::SHA256, 0x7FFF)],
        "rsassa" => &[(HashId::SHA1, 0x400), (HashId::SHA256, 0x7FF)],
        _ => &[(HashId::SHA384, 0x81_07FF)],
    };
    banks.iter().fold(Selection::new(), |all, (bank, mask)| all.with(*bank, pcrs(*mask)).unwrap())
}

/// Reads tpm2-tools' dump of PCR values, which is its structures as they lie in memory: a `TPML_PCR_SELECTION` of 16
/// entries of 8 bytes, a count, and lists of up to eight digests of 2 + 64 bytes.
pub(crate) fn pcr_values(dump: &[u8]) -> Vec<Vec<u8>> {
    let word = |at: usize| u32::from_le_bytes(dump[at..at + 4].try_into().unwrap()) as usize;
    let mut values = Vec::new();
    for list in 0..word(132) {
        let start = 136 + list * (4 + 8 * 66);
        for digest in 0..word(start) {
            let at = start + 4 + digest * 66;
            let size = usize::from(u16::from_le_bytes([dump[at], dump[at + 1]]));
            values.push(dump[at + 2..at + 2 + size].to_vec());
        }
    }
    values
}
