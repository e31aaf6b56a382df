// SPDX-License-Identifier: Apache-2.0 OR MIT
//! One entry of an IMA list: what was measured, and what is hashed for it.

use crate::bytes::Cursor;
use crate::ima::{Field, ImaSignature, Template};
use crate::{At, Digest, Error, HashId, Hashes, PcrIndex};

/// The largest name in the `ima` template (`IMA_EVENT_NAME_LEN_MAX`).
const EVENT_NAME_MAX: usize = 255;

/// One entry, borrowed from its list; parsed without allocation.
#[derive(Debug, Clone, Copy)]
pub struct Entry<'a> {
    /// Where the entry is.
    pub at: At,
    /// The register that the kernel extended.
    pub pcr: PcrIndex,
    /// The template's name as the list has it.
    pub template_name: &'a [u8],
    /// The template hash as the list has it: SHA-1, or of the bank in a list per bank.
    pub template_hash: &'a [u8],
    template: Template,
    data: TemplateData<'a>,
    facts: Facts<'a>,
}

/// What is hashed.
#[derive(Debug, Clone, Copy)]
enum TemplateData<'a> {
    /// The fields with their lengths, as they are in the list.
    Fields(&'a [u8]),
    /// The `ima` template: the digest, and the name padded with zeros to 256 bytes, both without length.
    Legacy { digest: &'a [u8], name: &'a [u8] },
}

/// The fields that verifiers look at.
#[derive(Debug, Clone, Copy, Default)]
struct Facts<'a> {
    digest: Option<FileDigest<'a>>,
    path: &'a [u8],
    signature: Option<&'a [u8]>,
    buffer: Option<&'a [u8]>,
}

/// What kind of digest `d-ngv2` holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DigestKind {
    /// Of the file's content.
    Content,
    /// fs-verity's digest of the file.
    Verity,
}

/// A file's digest with its algorithm as the kernel names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileDigest<'a> {
    /// What was hashed.
    pub kind: DigestKind,
    /// The algorithm's name, `sha256`.
    pub algorithm: &'a str,
    /// The digest.
    pub bytes: &'a [u8],
}

impl<'a> FileDigest<'a> {
    /// Reads a digest as `d-ng` and `d-modsig` have it, behind its algorithm's name; `None` if the field is empty.
    pub fn parse(value: &'a [u8], at: At) -> Result<Option<Self>, Error> {
        digest_ng(value, at)
    }
}

impl<'a> Entry<'a> {
    /// Builds an entry of the `ima` template.
    pub(crate) fn legacy(head: Head<'a>, digest: &'a [u8], name: &'a [u8]) -> Result<Self, Error> {
        let at = head.at;
        if name.len() > EVENT_NAME_MAX {
            return Err(Error::TooLong { at, what: "event name", length: name.len(), limit: EVENT_NAME_MAX });
        }
        let name_is_clean = !name.contains(&0);
        if !name_is_clean {
            return Err(Error::Malformed { at, expected: "a name without NUL" });
        }

        let file = FileDigest { kind: DigestKind::Content, algorithm: "sha1", bytes: digest };
        let facts = Facts { digest: Some(file), path: name, ..Facts::default() };
        Ok(head.with(TemplateData::Legacy { digest, name }, facts))
    }

    /// Builds an entry of any other template from its data.
    pub(crate) fn from_fields(head: Head<'a>, data: &'a [u8], data_at: At) -> Result<Self, Error> {
        let mut cursor = Cursor::new(data, data_at.record, data_at.offset);
        let mut facts = Facts::default();
        for field in head.template.fields() {
            let at = cursor.at();
            let value = cursor.prefixed("template field", data.len())?;
            facts.take(*field, value, at)?;
        }
        if !cursor.is_empty() {
            return Err(Error::Malformed { at: cursor.at(), expected: "the end of the template data" });
        }

        Ok(head.with(TemplateData::Fields(data), facts))
    }

    /// Returns the file's digest; none for templates without one, and for entries whose digest is empty.
    #[must_use]
    pub const fn digest(&self) -> Option<FileDigest<'a>> {
        self.facts.digest
    }

    /// Returns the path or event name; the kernel replaces spaces by underscores and keeps every other byte.
    #[must_use]
    pub const fn path(&self) -> &'a [u8] {
        self.facts.path
    }

    /// Returns the raw `security.ima` signature, if the entry has one.
    #[must_use]
    pub const fn raw_signature(&self) -> Option<&'a [u8]> {
        self.facts.signature
    }

    /// Returns the decoded signature, if the entry has one.
    pub fn signature(&self) -> Option<Result<ImaSignature<'a>, Error>> {
        self.facts.signature.map(|raw| ImaSignature::parse(raw, self.at))
    }

    /// Returns the measured bytes of an `ima-buf` entry.
    #[must_use]
    pub const fn buffer(&self) -> Option<&'a [u8]> {
        self.facts.buffer
    }

    /// Returns the template.
    #[must_use]
    pub const fn template(&self) -> Template {
        self.template
    }

    /// Returns the fields with their raw values, in the template's order.
    pub fn fields(&self) -> impl Iterator<Item = (Field, &'a [u8])> + use<'a> {
        let Entry { template, data, at, .. } = *self;
        let mut cursor = match data {
            TemplateData::Fields(data) => Cursor::new(data, at.record, at.offset),
            TemplateData::Legacy { .. } => Cursor::new(&[], at.record, at.offset),
        };
        (0..template.fields().len()).map_while(move |position| {
            let field = *template.fields().get(position)?;
            let value = match (data, field) {
                (TemplateData::Legacy { digest, .. }, Field::Digest) => digest,
                (TemplateData::Legacy { name, .. }, _) => name,
                (TemplateData::Fields(data), _) => cursor.prefixed("template field", data.len()).ok()?,
            };
            Some((field, value))
        })
    }

    /// Tells whether the kernel saw the file change while it was measured: the list has zeros for the hash, the
    /// register was extended with ones, and no digest covers the entry's data.
    #[must_use]
    pub fn is_violation(&self) -> bool {
        self.template_hash.iter().all(|byte| *byte == 0)
    }

    /// Hashes the template data with one bank's algorithm.
    pub fn hash<H: Hashes>(&self, algorithm: HashId, hashes: &H) -> Result<Digest, Error> {
        let digest = match self.data {
            TemplateData::Fields(data) => hashes.hash(algorithm, &[data]),
            TemplateData::Legacy { digest, name } => {
                let padding = [0; EVENT_NAME_MAX + 1];
                let padding = padding.get(name.len()..).unwrap_or_default();
                hashes.hash(algorithm, &[digest, name, padding])
            }
        };
        digest.ok_or(Error::UnsupportedHash { algorithm })
    }

    /// Checks that the list's template hash is the hash of the template data; a violation has nothing to check.
    pub fn check_template_hash<H: Hashes>(&self, hashes: &H) -> Result<(), Error> {
        if self.is_violation() {
            return Ok(());
        }
        let Some(actual) = Digest::new(self.template_hash) else { return Ok(()) };
        // The list has one bank's template hashes and does not say which bank that is: their size leaves a choice.
        let (usual, others): (_, &[HashId]) = match self.template_hash.len() {
            32 => (HashId::SHA256, &[HashId::SM3_256, HashId::SHA3_256]),
            48 => (HashId::SHA384, &[HashId::SHA3_384]),
            64 => (HashId::SHA512, &[HashId::SHA3_512]),
            _ => (HashId::SHA1, &[]),
        };
        let expected = self.hash(usual, hashes)?;
        if actual == expected || others.iter().any(|other| self.hash(*other, hashes) == Ok(actual)) {
            return Ok(());
        }
        Err(Error::TemplateHash { at: self.at, expected: expected.into(), actual: actual.into() })
    }
}

/// What stands before an entry's template data.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Head<'a> {
    pub(crate) at: At,
    pub(crate) pcr: PcrIndex,
    pub(crate) template_name: &'a [u8],
    pub(crate) template_hash: &'a [u8],
    pub(crate) template: Template,
}

impl<'a> Head<'a> {
    const fn with(self, data: TemplateData<'a>, facts: Facts<'a>) -> Entry<'a> {
        let Head { at, pcr, template_name, template_hash, template } = self;
        Entry { at, pcr, template_name, template_hash, template, data, facts }
    }
}

impl<'a> Facts<'a> {
    fn take(&mut self, field: Field, value: &'a [u8], at: At) -> Result<(), Error> {
        match field {
            Field::DigestNg => self.digest = digest_ng(value, at)?,
            Field::ModsigDigest => drop(digest_ng(value, at)?),
            Field::DigestNgV2 => self.digest = digest_ng_v2(value, at)?,
            Field::Digest => {
                self.digest = Some(FileDigest { kind: DigestKind::Content, algorithm: "sha1", bytes: value });
            }
            Field::NameNg | Field::Name => self.path = name(value, at)?,
            Field::Signature => self.signature = Some(value).filter(|value| !value.is_empty()),
            Field::Buffer => self.buffer = Some(value),
            Field::Uid | Field::Gid | Field::Mode if !matches!(value.len(), 0 | 1 | 2 | 4 | 8) => {
                return Err(Error::Malformed { at, expected: "an integer of 1, 2, 4 or 8 bytes" });
            }
            _ => {}
        }
        Ok(())
    }
}

/// `name\0`: the kernel measures the terminating NUL of strings.
fn name(value: &[u8], at: At) -> Result<&[u8], Error> {
    match value.strip_suffix(&[0]) {
        Some(name) if !name.contains(&0) => Ok(name),
        _ => Err(Error::Malformed { at, expected: "a name that ends in its only NUL" }),
    }
}

/// `sha256:\0` and the digest.
fn digest_ng(value: &[u8], at: At) -> Result<Option<FileDigest<'_>>, Error> {
    if value.is_empty() {
        return Ok(None);
    }
    let malformed = Error::Malformed { at, expected: "\"algorithm:\", a NUL, and a digest of that algorithm" };
    let Some(colon) = value.iter().position(|byte| *byte == b':') else { return Err(malformed) };
    let (Some(algorithm), Some([b':', 0, bytes @ ..])) = (value.get(..colon), value.get(colon..)) else {
        return Err(malformed);
    };
    let Some(algorithm) = core::str::from_utf8(algorithm).ok().filter(|name| is_algorithm_name(name)) else {
        return Err(malformed);
    };
    // A known algorithm has one length; a made-up length would make two digests out of one.
    let size = HashId::from_name(algorithm).and_then(HashId::digest_size);
    if size.is_some_and(|size| size != bytes.len() && !is_violation_digest(bytes)) {
        return Err(malformed);
    }

    Ok(Some(FileDigest { kind: DigestKind::Content, algorithm, bytes }))
}

/// `ima:sha256:\0` or `verity:sha256:\0` and the digest.
fn digest_ng_v2(value: &[u8], at: At) -> Result<Option<FileDigest<'_>>, Error> {
    if value.is_empty() {
        return Ok(None);
    }
    let (kind, rest) = if let Some(rest) = value.strip_prefix(b"ima:") {
        (DigestKind::Content, rest)
    } else if let Some(rest) = value.strip_prefix(b"verity:") {
        (DigestKind::Verity, rest)
    } else {
        return Err(Error::Malformed { at, expected: "\"ima:\" or \"verity:\"" });
    };
    Ok(digest_ng(rest, at)?.map(|digest| FileDigest { kind, ..digest }))
}

fn is_algorithm_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 16
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

/// Kernels before 5.16 log a violation with 20 zero bytes whatever the algorithm.
fn is_violation_digest(bytes: &[u8]) -> bool {
    bytes.len() == 20 && bytes.iter().all(|byte| *byte == 0)
}
