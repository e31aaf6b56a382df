// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `evtpm quote check`: one attestation of a TPM, verified by a key that the operator names.

use std::io::Write;
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::{ArgGroup, Args};
use evtpm_crypto::RustCrypto;
use evtpm_describe::Field;
use evtpm_protocol::{nv_name, object_name};
use evtpm_tpm_wire::{Supported, TpmaNv, TpmsNvPublic, TpmtPublic, from_bytes};
use evtpm_verify::tpm::{CertifyEvidence, Issued, QualifyingData, TrustedAk};
use serde_json::json;

use super::quote::LIMIT;
use super::sheet;
use crate::output::{Palette, Style, hex};
use crate::verify::args::HexBytes;
use crate::verify::chain::attestation_key;
use crate::verify::moment;
use crate::{Outcome, file};

/// Verify one attestation of a TPM by its attestation key: that a key is in this TPM (TPM2_Certify), how a key was made there
/// (TPM2_CertifyCreation), or what an NV index holds (TPM2_NV_Certify).
///
/// The attestation key is taken on your word, and has to keep the rules for such keys; a certified key has to be a storage key that never
/// leaves its TPM, or the attestation key itself. For quotes, with their registers and logs, there is `evtpm verify`.
///
/// Exit codes: 0 verified; 1 refused; 2 the command line is wrong; 3 a file cannot be read, or --ak is no attestation key.
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("subject").required(true).args(["object", "nv_public"])))]
pub(crate) struct Check {
    /// What the TPM signed (TPMS_ATTEST), bare or behind its size.
    file: PathBuf,
    /// Its signature (TPMT_SIGNATURE).
    #[arg(long, value_name = "FILE")]
    signature: PathBuf,
    /// The attestation key (TPM2B_PUBLIC or TPMT_PUBLIC).
    #[arg(long, value_name = "FILE")]
    ak: PathBuf,
    /// The qualifying data that the attestation was asked with [default: none]
    #[arg(long, value_name = "HEX")]
    nonce: Option<HexBytes>,
    /// The key that is certified (TPM2B_PUBLIC or TPMT_PUBLIC).
    #[arg(long, value_name = "FILE")]
    object: Option<PathBuf>,
    /// The data of its creation (TPM2B_CREATION_DATA or TPMS_CREATION_DATA): the attestation is one of the creation.
    #[arg(long, value_name = "FILE", requires = "object")]
    creation_data: Option<PathBuf>,
    /// The NV index whose contents are certified (TPM2B_NV_PUBLIC or TPMS_NV_PUBLIC).
    #[arg(long, value_name = "FILE")]
    nv_public: Option<PathBuf>,
    /// Where to write the contents, once they are verified; the file must not exist yet.
    #[arg(long, value_name = "FILE", requires = "nv_public")]
    contents: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// The files, read.
struct Attestation {
    key: TrustedAk,
    message: Vec<u8>,
    signature: Vec<u8>,
    nonce: Vec<u8>,
    subject: Subject,
}

enum Subject {
    Key(Vec<u8>),
    Creation { key: Vec<u8>, data: Vec<u8> },
    Index(Vec<u8>),
}

/// What was verified.
struct Found {
    fields: Vec<Field>,
    contents: Option<Vec<u8>>,
}

pub(super) fn run(check: &Check) -> Result<Outcome> {
    match check.read()?.verify() {
        Ok(Found { mut fields, contents }) => {
            if let (Some(path), Some(contents)) = (&check.contents, contents) {
                evtpm_io::file::write_new(path, &contents)?;
            }
            fields.insert(0, Field::new("verified", true).note("by the attestation key that you named"));
            sheet::print("attestation of a TPM", fields, check.json)?;
            Ok(Outcome::Good)
        }
        Err(reason) if check.json => {
            super::print_json(&json!({ "verified": false, "reason": reason }))?;
            Ok(Outcome::NotTrusted)
        }
        Err(reason) => {
            let refused = Palette::of_stdout().paint(Style::Bad, "refused");
            writeln!(std::io::stdout(), "{refused}: {reason}")?;
            Ok(Outcome::NotTrusted)
        }
    }
}

impl Check {
    fn read(&self) -> Result<Attestation> {
        let read = |path: &PathBuf| super::read(path, LIMIT);
        let bare = |path: &PathBuf| read(path).map(|bytes| file::without_size(&bytes).to_vec());
        let ak = attestation_key(&read(&self.ak)?).with_context(|| self.ak.display().to_string())?;
        let subject = match (&self.object, &self.creation_data, &self.nv_public) {
            (Some(key), Some(data), _) => Subject::Creation { key: bare(key)?, data: bare(data)? },
            (Some(key), None, _) => Subject::Key(bare(key)?),
            (None, _, Some(index)) => Subject::Index(bare(index)?),
            (None, _, None) => anyhow::bail!("nothing that is certified was named"),
        };
        Ok(Attestation {
            key: TrustedAk::named(ak),
            message: bare(&self.file)?,
            signature: read(&self.signature)?,
            nonce: self.nonce.as_ref().map(|HexBytes(bytes)| bytes.clone()).unwrap_or_default(),
            subject,
        })
    }
}

impl Attestation {
    fn verify(&self) -> Result<Found, String> {
        let fields = match &self.subject {
            Subject::Key(area) => self.key(area)?,
            Subject::Creation { key, data } => self.creation(key, data)?,
            Subject::Index(public) => return self.index(public),
        };
        Ok(Found { fields, contents: None })
    }

    fn asked(&self) -> Issued<QualifyingData> {
        Issued::recorded(&self.nonce)
    }

    /// The attestation key itself, or a storage key beside it.
    fn key(&self, area: &[u8]) -> Result<Vec<Field>, String> {
        let name = name_of(area)?;
        let verified = if name == self.key.name() {
            self.key.possession(&self.message, &self.signature, self.asked(), moment::now()).map(drop)
        } else {
            let size = u16::try_from(area.len()).map_err(|_| "the certified key is too long".to_owned())?;
            let public = [size.to_be_bytes().as_slice(), area].concat();
            let evidence = CertifyEvidence { message: &self.message, signature: &self.signature, public: &public };
            self.key.certify(evidence, self.asked(), moment::now()).map(drop)
        };
        verified.map_err(|error| error.to_string())?;
        let what = if name == self.key.name() { "the attestation key itself" } else { "a storage key of its TPM" };
        Ok(vec![Field::new("certified", what), Field::new("name", hex(&name))])
    }

    fn creation(&self, area: &[u8], data: &[u8]) -> Result<Vec<Field>, String> {
        let name = name_of(area)?;
        let verified = self.key.creation(&self.message, &self.signature, (&name, data), self.asked(), moment::now());
        verified.map_err(|error| error.to_string())?;
        let fields =
            [("certified", "a creation in its TPM".to_owned()), ("name", hex(&name)), ("creation_data", hex(data))];
        Ok(fields.map(|(name, value)| Field::new(name, value)).to_vec())
    }

    fn index(&self, bytes: &[u8]) -> Result<Found, String> {
        let public: TpmsNvPublic =
            from_bytes(bytes, &Supported::ALL).map_err(|code| format!("no public area of an NV index ({code:?})"))?;
        let name = nv_name::<RustCrypto>(&public).map_err(|error| error.to_string())?;
        let verified =
            self.key.nv_contents(&self.message, &self.signature, name.as_bytes(), self.asked(), moment::now());
        let certified = verified.map_err(|error| error.to_string())?;
        let is_whole = certified.offset == 0 && certified.contents.len() == usize::from(public.data_size);
        let size = if is_whole { String::new() } else { format!("a part of {} bytes", public.data_size) };
        let fields = vec![
            Field::new("certified", "the contents of an NV index"),
            Field::new("nv_index", format!("{:#010x}", public.nv_index.handle().0)),
            Field::new("name", hex(name.as_bytes())),
            Field::new("attributes", format!("{:#010x}", public.attributes.0)),
            Field::new("write_locked", public.attributes.contains(TpmaNv::WRITELOCKED)),
            Field::new("offset", certified.offset),
            Field::new("contents", hex(&certified.contents)).note(size),
        ];
        Ok(Found { fields, contents: Some(certified.contents) })
    }
}

/// Computes the Name of a key; what does not name a hash of its own has none.
fn name_of(area: &[u8]) -> Result<Vec<u8>, String> {
    let public: TpmtPublic =
        from_bytes(area, &Supported::ALL).map_err(|code| format!("no public area of a key ({code:?})"))?;
    let name = object_name::<RustCrypto>(&public).map_err(|error| error.to_string())?;
    Ok(name.as_bytes().to_vec())
}
