// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What a boot sent to the host: unpacked into its folder, and looked at.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use anyhow::{Context as _, bail};
use evtpm_vm::{cpio, plan};

use super::machine;
use super::verifier::Verdict;

/// The files of a boot by name.
#[derive(Debug)]
pub(crate) struct Results {
    files: BTreeMap<String, Vec<u8>>,
}

impl Results {
    /// Reads the archive in a boot's folder and unpacks it beside it.
    pub(crate) fn read(folder: &Path) -> anyhow::Result<Self> {
        let archive = File::open(folder.join(machine::RESULTS))?;
        let entries = cpio::read(BufReader::new(archive)).context("the guest did not finish (see serial.log)")?;
        let files: BTreeMap<String, Vec<u8>> = entries.into_iter().map(|entry| (entry.name, entry.content)).collect();
        let unpacked = folder.join("results");
        std::fs::create_dir_all(&unpacked)?;
        for (name, content) in &files {
            // The guest is not trusted with paths.
            if name.contains('/') || name.starts_with('.') {
                bail!("the guest sent a file called {name:?}");
            }
            std::fs::write(unpacked.join(name), content)?;
        }
        let results = Self { files };
        results.file(plan::DONE)?;
        Ok(results)
    }

    /// A file's bytes.
    pub(crate) fn file(&self, name: &str) -> anyhow::Result<&[u8]> {
        self.files.get(name).map(Vec::as_slice).with_context(|| format!("the guest sent no {name}"))
    }

    /// A file as text.
    pub(crate) fn text(&self, name: &str) -> anyhow::Result<&str> {
        str::from_utf8(self.file(name)?).with_context(|| name.to_owned())
    }

    /// The values of one bank, by PCR.
    pub(crate) fn pcrs(&self, bank: &str) -> anyhow::Result<BTreeMap<u8, &str>> {
        let parse = |line: &'_ str| -> Option<(u8, usize)> {
            let (pcr, _) = line.split_once(' ')?;
            Some((pcr.parse().ok()?, pcr.len() + 1))
        };
        let text = self.text(&format!("pcr-{bank}.txt"))?;
        let pcrs: BTreeMap<u8, &str> =
            text.lines().filter_map(|line| Some((parse(line)?.0, line.get(parse(line)?.1..)?))).collect();
        if pcrs.len() != 24 {
            bail!("bank {bank} has {} PCRs instead of 24", pcrs.len());
        }
        Ok(pcrs)
    }

    /// Whether the guest sent a file.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.files.contains_key(name)
    }

    /// What the agent heard from the verifier.
    pub(crate) fn verdict(&self) -> anyhow::Result<Verdict> {
        let said = self.text("agent.out")?;
        serde_json::from_str(said).with_context(|| {
            let status = self.text("agent.status").unwrap_or_default();
            format!("no verdict: {status}{}", self.text("agent.err").unwrap_or_default())
        })
    }

    /// Lines of the kernel's log in which the TPM driver or IMA complain about the TPM.
    pub(crate) fn complaints(&self) -> anyhow::Result<Vec<String>> {
        Ok(complaints(&String::from_utf8_lossy(self.file("kernel.log")?)))
    }
}

/// Records look like `6,339,5140900,-;message`: the first number's low three bits are the priority, 4 is a warning.
fn complaints(log: &str) -> Vec<String> {
    const WARNING: u8 = 4;
    let complains = |line: &&str| {
        let Some((prefix, message)) = line.split_once(';') else { return false };
        let priority: u8 = prefix.split(',').next().and_then(|number| number.parse().ok()).unwrap_or(0);
        let message = message.to_lowercase();
        // `ima: Can not allocate sha384` is kernel 6.1 missing a module of its own; what IMA says about us names the TPM.
        message.contains("tpm") && (priority & 7 <= WARNING || message.contains("no tpm chip"))
    };
    log.lines().filter(complains).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn complaints_of_the_driver_and_of_ima_are_found() {
        let log = "\
6,1,10,-;tpm_crb MSFT0101:00: Disabling hwrng
4,2,11,-;tpm tpm0: A TPM error (256) occurred attempting the self test
3,3,12,-;ima: Can not allocate sha384 (reason: -2)
6,4,13,-;ima: No TPM chip found, activating TPM-bypass!
 SUBSYSTEM=tpm
";
        let found = complaints(log);
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].starts_with("4,2") && found[1].starts_with("6,4"));
    }
}
