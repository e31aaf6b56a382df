// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `launch-measurement`: launch digests predicted from the metadata of OVMF files and the digest after their own pages.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};
use evtpm_measure::ovmf::{self, Firmware, KernelHashes, Machine, Section, Vmm};
use evtpm_snp::LaunchDigest;
use serde::Deserialize;

use crate::evidence::findings::Findings;
use crate::evidence::index::{Item, Store};
use crate::output::hex;

/// `vectors.json`.
#[derive(Debug, Deserialize)]
struct Vectors {
    ovmf: BTreeMap<String, Ovmf>,
    cpu_sigs: BTreeMap<String, String>,
    vectors: Vec<Vector>,
}

#[derive(Debug, Deserialize)]
struct Ovmf {
    sev_es_reset_block_eip: Option<u32>,
    sev_hash_table_rv: Option<(u32, u32)>,
    metadata: Metadata,
    sha256: String,
    ovmf_launch_digest: String,
}

#[derive(Debug, Deserialize)]
struct Metadata {
    sections: Vec<MetadataSection>,
}

#[derive(Debug, Deserialize)]
struct MetadataSection {
    gpa: u32,
    size: u32,
    #[serde(rename = "type")]
    kind: u32,
}

#[derive(Debug, Deserialize)]
struct Vector {
    origin: String,
    /// Mode, processors, processor model, firmware, kernel, initrd, command line, guest features.
    args: [String; 8],
    vmm: String,
    ovmf_launch_digest: Option<String>,
    expected: String,
}

pub(super) fn check(item: &Item, store: &Store, findings: &mut Findings) -> Result<()> {
    item.expects_nothing(findings)?;
    let vectors: Vectors = store.json("vectors.json")?;
    for vector in &vectors.vectors {
        let what = vector.origin.rsplit("::").next().unwrap_or(&vector.origin);
        match predicted(vector, &vectors).with_context(|| what.to_owned())? {
            Some(digest) => findings.equal(what, &vector.expected.to_ascii_lowercase(), &digest),
            None => findings.not_checkable(&format!("{what} hashes the firmware's bytes, which are not in the item")),
        }
    }
    Ok(())
}

/// Predicts a digest; `None` where that takes the bytes of the firmware.
fn predicted(vector: &Vector, vectors: &Vectors) -> Result<Option<String>> {
    let [mode, processors, model, file, kernel, initrd, command_line, features] = &vector.args;
    let ovmf = vectors.ovmf.get(file).with_context(|| format!("no metadata of {file}"))?;
    match (mode.trim_start_matches("SevMode."), kernel.as_str()) {
        ("SEV_SNP", _) => {}
        // Without kernel hashes and processor states a SEV launch digest is the digest of the file.
        ("SEV", "None") => return Ok(Some(ovmf.sha256.clone())),
        ("SEV" | "SEV_ES", _) => return Ok(None),
        (other, _) => bail!("unknown mode {other}"),
    }
    let kernel = match (kernel.as_str(), initrd.as_str()) {
        ("None", _) => None,
        ("/dev/null", "/dev/null" | "None") => {
            Some(KernelHashes::new(&[], &[], if command_line == "None" { "" } else { command_line }))
        }
        (kernel, _) => bail!("the kernel {kernel} is not in the item"),
    };
    let vmm = match vector.vmm.to_ascii_lowercase().as_str() {
        "qemu" => Vmm::Qemu { cpu_signature: signature(model, vectors)? },
        "ec2" => Vmm::Ec2,
        "gce" => Vmm::Gce,
        other => bail!("unknown hypervisor {other}"),
    };
    let machine = Machine {
        vmm,
        processors: processors.parse().context("processors")?,
        sev_features: number(features).context("guest features")?,
        kernel: kernel.as_ref(),
    };
    let pages = vector.ovmf_launch_digest.as_ref().unwrap_or(&ovmf.ovmf_launch_digest);
    let pages = <[u8; 48]>::try_from(::hex::decode(pages)?).ok().context("the digest of the pages has not 48 bytes")?;
    let launch = ovmf::launch_after(LaunchDigest(pages), &facts(ovmf)?, &machine)?;
    Ok(Some(hex(&launch.digest().0)))
}

fn facts(ovmf: &Ovmf) -> Result<Firmware> {
    let section = |raw: &MetadataSection| Section::new(raw.gpa, raw.size, raw.kind);
    let sections = ovmf.metadata.sections.iter().map(section).collect::<Result<Vec<_>, _>>()?;
    Ok(Firmware::from_facts(sections, ovmf.sev_es_reset_block_eip, ovmf.sev_hash_table_rv.map(|(gpa, _)| gpa)))
}

fn signature(model: &str, vectors: &Vectors) -> Result<u32> {
    let text = vectors.cpu_sigs.get(model).with_context(|| format!("no signature of the processor model {model}"))?;
    u32::try_from(number(text)?).context("the signature is too large")
}

fn number(text: &str) -> Result<u64> {
    let parsed = text.strip_prefix("0x").map_or_else(|| text.parse(), |digits| u64::from_str_radix(digits, 16));
    parsed.with_context(|| format!("{text:?} is no number"))
}
