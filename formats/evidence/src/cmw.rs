// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Conceptual message wrappers (draft-ietf-rats-msg-wrap, "Conceptual Message Wrappers"): messages with their types, in
//! JSON or CBOR, and collections of them.

mod cbor;
mod json;

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use minicbor::Encoder;

use crate::Error;

const WHAT: &str = "CMW";
/// How deep collections may lie in each other ("implementations MAY limit the allowed depth of nesting").
const MAX_DEPTH: usize = 4;
/// The most members of one collection.
const MAX_MEMBERS: usize = 256;
/// The most characters of a type or a label.
const MAX_TEXT: usize = 1024;
/// The label that is reserved for the type of a collection.
const KIND: &str = "__cmwc_t";

/// A wrapper; nothing of what it wraps is looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cmw {
    /// A message with its type.
    Record(Record),
    /// A message whose type is a CBOR tag; only in CBOR.
    Tag {
        /// The tag, which stands for a CoAP content format (RFC 9277, appendix B).
        number: u64,
        /// The message.
        value: Vec<u8>,
    },
    /// Messages under labels.
    Collection(Collection),
}

/// A message with its type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The type.
    pub content: ContentType,
    /// The message.
    pub value: Vec<u8>,
    /// Which kinds of conceptual messages it holds.
    pub indicator: Option<u32>,
}

/// What a message is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ContentType {
    /// A media type, with its parameters.
    Media(String),
    /// A CoAP content format; only in CBOR.
    Coap(u16),
}

/// Messages under labels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Collection {
    /// What the labels mean: a URI or an object identifier.
    pub kind: Option<String>,
    /// The messages, in the order in which they stand.
    pub members: Vec<(Label, Cmw)>,
}

/// The name of a member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Label {
    /// A text.
    Text(String),
    /// A number; only in CBOR.
    Number(i64),
}

/// Bits of [`Record::indicator`].
pub mod indicator {
    /// Reference values.
    pub const REFERENCE_VALUES: u32 = 1;
    /// Endorsements.
    pub const ENDORSEMENTS: u32 = 1 << 1;
    /// Evidence.
    pub const EVIDENCE: u32 = 1 << 2;
    /// Attestation results.
    pub const ATTESTATION_RESULTS: u32 = 1 << 3;
    /// A policy.
    pub const APPRAISAL_POLICY: u32 = 1 << 4;
    /// The bits that the draft has.
    pub(super) const ALL: u32 = 0x1f;
}

impl Cmw {
    /// Decodes a wrapper that fills all of `bytes`; the first byte tells the encoding, as in the draft's "Demuxing".
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        match bytes.trim_ascii_start().first() {
            Some(b'[' | b'{') => json::parse(bytes),
            _ => cbor::parse(bytes),
        }
    }

    /// Encodes in JSON; what only CBOR can say is an error.
    pub fn to_json(&self) -> Result<String, Error> {
        json::encode(self)
    }

    /// Encodes in CBOR, with heads as short as they can be; members keep their order.
    pub fn to_cbor(&self) -> Result<Vec<u8>, Error> {
        let mut encoder = Encoder::new(Vec::new());
        let written = cbor::encode(self, &mut encoder);
        written.map_err(|error| Error::Malformed { what: WHAT, detail: error.to_string() })?;
        Ok(encoder.into_writer())
    }
}

impl Record {
    /// Checks what both encodings ask of a record.
    fn new(content: ContentType, value: Vec<u8>, indicator: Option<u32>) -> Result<Self, Error> {
        if let ContentType::Media(text) = &content {
            let is_type = text.split_once('/').is_some_and(|(kind, rest)| !kind.is_empty() && !rest.is_empty());
            let is_plain = text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic());
            if !is_type || !is_plain || text.len() > MAX_TEXT {
                return Err(malformed("a type that is no media type"));
            }
        }
        // "The value MUST be non-zero", and only five bits are registered.
        match indicator {
            Some(bits) if bits == 0 || bits & !indicator::ALL != 0 => {
                Err(Error::Unknown { what: "indicator of a CMW", value: bits.into() })
            }
            _ => Ok(Self { content, value, indicator }),
        }
    }
}

/// Collects members while they are decoded.
#[derive(Default)]
struct Members {
    kind: Option<String>,
    members: Vec<(Label, Cmw)>,
}

impl Members {
    /// Tells whether there is room for one more.
    fn check(&self, label: &Label) -> Result<(), Error> {
        if self.members.len() >= MAX_MEMBERS {
            return Err(malformed("a collection of more than 256 members"));
        }
        if matches!(label, Label::Text(text) if text.len() > MAX_TEXT) {
            return Err(malformed("a label of more than 1024 bytes"));
        }
        // "each with a label that is unique within the scope of the Collection"
        if self.members.iter().any(|(known, _)| known == label) {
            return Err(Error::Twice { what: "label of a CMW collection" });
        }
        Ok(())
    }

    fn set_kind(&mut self, kind: String) -> Result<(), Error> {
        if self.kind.replace(kind).is_some() {
            return Err(Error::Twice { what: KIND });
        }
        Ok(())
    }

    fn finish(self) -> Result<Cmw, Error> {
        // "A Collection MUST have at least one CMW entry."
        if self.members.is_empty() {
            return Err(malformed("a collection without members"));
        }
        Ok(Cmw::Collection(Collection { kind: self.kind, members: self.members }))
    }
}

/// One level further down, if there is one.
fn deeper(depth: usize) -> Result<usize, Error> {
    depth.checked_sub(1).ok_or_else(|| malformed("collections more than 4 deep"))
}

fn malformed(detail: &str) -> Error {
    Error::Malformed { what: WHAT, detail: detail.to_string() }
}

#[cfg(test)]
mod tests;
