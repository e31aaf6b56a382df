// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The dialogue with configfs, against a kernel of a few lines that counts generations as Linux does.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use super::*;

/// Plays configfs with one entry; the report repeats what it was asked.
#[derive(Debug, Default)]
struct Kernel {
    entry: Option<String>,
    options: BTreeMap<String, Vec<u8>>,
    generation: u64,
    /// How many more reads of the report somebody disturbs by a write of his own.
    disturbances: usize,
    /// Attributes that the driver does not show.
    hidden: Vec<&'static str>,
    known_versions: Vec<&'static str>,
    certificates: Vec<u8>,
}

#[derive(Debug, Clone)]
struct Shared(Arc<Mutex<Kernel>>);

impl Shared {
    fn new(kernel: Kernel) -> Self {
        Self(Arc::new(Mutex::new(kernel)))
    }
}

fn kernel() -> Kernel {
    Kernel { generation: u64::MAX - 3, known_versions: vec!["0", "1"], ..Kernel::default() }
}

fn missing() -> io::Error {
    ErrorKind::NotFound.into()
}

impl Entries for Shared {
    fn make(&mut self, entry: &str) -> io::Result<()> {
        self.0.lock().unwrap().entry = Some(entry.to_owned());
        Ok(())
    }

    fn write(&mut self, entry: &str, attribute: &str, value: &[u8]) -> io::Result<()> {
        let mut kernel = self.0.lock().unwrap();
        if kernel.entry.as_deref() != Some(entry) || kernel.hidden.contains(&attribute) {
            return Err(missing());
        }
        kernel.generation = kernel.generation.wrapping_add(1);
        kernel.options.insert(attribute.to_owned(), value.to_owned());
        Ok(())
    }

    fn read(&mut self, entry: &str, attribute: &str) -> io::Result<Vec<u8>> {
        let mut kernel = self.0.lock().unwrap();
        if kernel.entry.as_deref() != Some(entry) || kernel.hidden.contains(&attribute) {
            return Err(missing());
        }
        let option = |name: &str| kernel.options.get(name).cloned().unwrap_or_default();
        match attribute {
            "generation" => Ok(format!("{}\n", kernel.generation).into_bytes()),
            "outblob" => {
                let version = option("service_manifest_version");
                if !kernel.known_versions.iter().any(|known| known.as_bytes() == version) {
                    return Err(ErrorKind::InvalidInput.into());
                }
                let report = [option("service_provider"), option("service_guid"), version, option("inblob")].concat();
                if kernel.disturbances > 0 {
                    kernel.disturbances -= 1;
                    kernel.generation = kernel.generation.wrapping_add(1);
                }
                Ok(report)
            }
            "manifestblob" => Ok(b"manifest".to_vec()),
            "auxblob" => Ok(kernel.certificates.clone()),
            _ => Err(missing()),
        }
    }

    fn remove(&mut self, entry: &str) -> io::Result<()> {
        let mut kernel = self.0.lock().unwrap();
        if kernel.entry.take().as_deref() == Some(entry) { Ok(()) } else { Err(missing()) }
    }
}

const NONCE: [u8; NONCE_SIZE] = [b'n'; NONCE_SIZE];

#[test]
fn the_svsm_is_asked_for_its_vtpm_with_the_nonce() {
    let mut tsm = Tsm::open(Shared::new(kernel())).unwrap().unwrap();
    let answer = tsm.vtpm_report(&NONCE, 1).unwrap().unwrap();
    let asked = format!("svsmc476f1eb-0123-45a5-9641-b4e7dde5bfe31{}", "n".repeat(64));
    assert_eq!(String::from_utf8(answer.report).unwrap(), asked);
    assert_eq!((answer.manifest, answer.certificates), (b"manifest".to_vec(), vec![]));
}

#[test]
fn a_report_that_somebody_disturbed_is_asked_for_again() {
    let shared = Shared::new(Kernel { disturbances: ATTEMPTS - 1, ..kernel() });
    let mut tsm = Tsm::open(shared.clone()).unwrap().unwrap();
    assert!(tsm.vtpm_report(&NONCE, 1).unwrap().is_some());
    assert_eq!(shared.0.lock().unwrap().disturbances, 0);

    shared.0.lock().unwrap().disturbances = usize::MAX;
    let error = tsm.vtpm_report(&NONCE, 1).unwrap_err().to_string();
    assert!(error.contains("somebody else wrote"), "{error}");
}

#[test]
fn a_manifest_that_the_svsm_does_not_know_is_no_error() {
    let mut tsm = Tsm::open(Shared::new(Kernel { known_versions: vec!["0"], ..kernel() })).unwrap().unwrap();
    assert!(tsm.vtpm_report(&NONCE, 1).unwrap().is_none());
    assert!(tsm.vtpm_report(&NONCE, 0).unwrap().is_some());
}

#[test]
fn without_an_svsm_nobody_is_asked_and_no_entry_stays() {
    let shared = Shared::new(Kernel { hidden: vec!["service_provider", "manifestblob"], ..kernel() });
    assert!(Tsm::open(shared.clone()).unwrap().is_none());
    assert_eq!(shared.0.lock().unwrap().entry, None);
}

#[test]
fn the_entry_goes_with_the_agent() {
    let shared = Shared::new(kernel());
    let tsm = Tsm::open(shared.clone()).unwrap().unwrap();
    assert!(shared.0.lock().unwrap().entry.as_ref().is_some_and(|name| name.starts_with("evtpm-agent-")));
    drop(tsm);
    assert_eq!(shared.0.lock().unwrap().entry, None);
}

#[test]
fn a_buffer_of_zeros_is_no_certificate_table() {
    for (table, kept) in [(vec![0; 0x4000], 0), (Vec::new(), 0), (vec![1; 48], 48)] {
        let mut tsm = Tsm::open(Shared::new(Kernel { certificates: table, ..kernel() })).unwrap().unwrap();
        assert_eq!(tsm.vtpm_report(&NONCE, 1).unwrap().unwrap().certificates.len(), kept);
    }
}

#[test]
fn a_folder_that_does_not_exist_means_that_there_is_no_svsm() {
    assert!(Tsm::open(Configfs("/nowhere/tsm/report".into())).unwrap().is_none());
}

#[test]
fn a_plain_folder_is_not_mistaken_for_configfs() {
    let root = std::env::temp_dir().join(format!("evtpm-tsm-{}", std::process::id()));
    std::fs::create_dir(&root).unwrap();
    assert!(Tsm::open(Configfs(root.clone())).unwrap().is_none());
    assert_eq!(std::fs::read_dir(&root).unwrap().count(), 0, "nothing is left behind");

    // Attributes are written where they are, and never made.
    let mut entries = Configfs(root.clone());
    entries.make("entry").unwrap();
    std::fs::write(root.join("entry/inblob"), b"").unwrap();
    entries.write("entry", "inblob", b"nonce").unwrap();
    assert_eq!(entries.read("entry", "inblob").unwrap(), b"nonce");
    assert_eq!(entries.write("entry", "service_guid", b"").unwrap_err().kind(), ErrorKind::NotFound);
    std::fs::write(root.join("entry/outblob"), vec![0; MAX_BLOB as usize + 1]).unwrap();
    assert_eq!(entries.read("entry", "outblob").unwrap_err().kind(), ErrorKind::InvalidData);
    std::fs::remove_dir_all(root).unwrap();
}
