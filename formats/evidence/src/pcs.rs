// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Documents of Intel's provisioning certification service (*Intel PCS API*): what they begin with, and answers that carry them.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::Error;

/// What TCB information and enclave identities have in common.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Facts {
    /// `SGX`, `TDX`, `QE` or `TD_QE`; nothing in TCB information of version 2, which is about SGX alone.
    #[serde(default)]
    pub id: String,
    /// When the document was made, RFC 3339.
    pub issue_date: String,
    /// When it will be replaced, RFC 3339.
    pub next_update: String,
    /// The number that rises with each recovery event.
    #[serde(rename = "tcbEvaluationDataNumber")]
    pub evaluation_data_number: u32,
    /// The kind of platform; none in an enclave's identity.
    pub fmspc: Option<String>,
}

/// The levels that TCB information of version 3 lists, the newest first.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Levels {
    /// The kind of platform.
    pub fmspc: String,
    /// The levels.
    pub tcb_levels: Vec<Level>,
}

/// One level.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct Level {
    /// What a platform has to have at least.
    pub tcb: Tcb,
}

/// Security versions.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct Tcb {
    /// Of the processor's components.
    #[serde(rename = "sgxtcbcomponents")]
    pub components: [Component; 16],
    /// Of the provisioning enclave.
    #[serde(rename = "pcesvn")]
    pub pce: u16,
    /// Of the TDX components; none where the information is about SGX.
    #[serde(rename = "tdxtcbcomponents")]
    pub td_components: Option<[Component; 16]>,
}

/// One component.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
pub struct Component {
    /// Its security version.
    pub svn: u8,
}

/// An answer of the service: a document with the signature over its exact text.
#[derive(Clone, Debug)]
pub struct Answer<'a> {
    /// The document, byte for byte.
    pub document: &'a str,
    /// The signature, hexadecimal.
    pub signature: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Members<'a> {
    #[serde(borrow)]
    tcb_info: Option<&'a RawValue>,
    #[serde(borrow)]
    enclave_identity: Option<&'a RawValue>,
    signature: String,
}

impl Facts {
    /// Reads the beginning of a document.
    pub fn parse(text: &str) -> Result<Self, Error> {
        serde_json::from_str(text).map_err(|error| Error::Malformed { what: "PCS document", detail: error.to_string() })
    }
}

impl Levels {
    /// Reads the levels of TCB information.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let malformed = |detail| Error::Malformed { what: "levels of TCB information", detail };
        serde_json::from_str(text).map_err(|error| malformed(error.to_string()))
    }
}

impl<'a> Answer<'a> {
    /// Splits an answer into document and signature.
    pub fn parse(text: &'a str) -> Result<Self, Error> {
        let malformed = |detail: String| Error::Malformed { what: "PCS answer", detail };
        let members: Members<'a> = serde_json::from_str(text).map_err(|error| malformed(error.to_string()))?;
        let document = match (members.tcb_info, members.enclave_identity) {
            (Some(document), None) | (None, Some(document)) => document.get(),
            _ => return Err(malformed("neither TCB information nor an enclave's identity".to_string())),
        };
        Ok(Self { document, signature: members.signature })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_keeps_its_text() {
        let answer = Answer::parse(r#"{"tcbInfo":{"id" : "SGX"},"signature":"00ff"}"#).unwrap();
        assert_eq!((answer.document, answer.signature.as_str()), (r#"{"id" : "SGX"}"#, "00ff"));
    }

    #[test]
    fn an_answer_with_two_documents_is_refused() {
        assert!(Answer::parse(r#"{"tcbInfo":{},"enclaveIdentity":{},"signature":""}"#).is_err());
        assert!(Answer::parse(r#"{"signature":""}"#).is_err());
    }
}
