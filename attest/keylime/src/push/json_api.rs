// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The form of all bodies: JSON:API 1.1, as much of it as Keylime writes.

use serde::{Deserialize, Serialize};

/// The content type of all bodies.
pub const JSON_API: &str = "application/vnd.api+json";

/// A body with one resource.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Document<A> {
    /// The resource.
    pub data: Resource<A>,
    /// What is said beside it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub meta: Option<Meta>,
    /// Where this answer is from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub links: Option<Links>,
    /// The form's version; requests do without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jsonapi: Option<JsonApi>,
}

/// A body with any number of resources.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Collection<A> {
    /// The resources.
    pub data: Vec<Resource<A>>,
    /// Where this answer is from.
    pub links: Links,
    /// The form's version.
    pub jsonapi: JsonApi,
}

/// One resource.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resource<A> {
    /// `session` or `attestation`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its name, where it has one beside its link.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// What it is.
    pub attributes: A,
    /// Where it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub links: Option<Links>,
}

/// Where something is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Links {
    /// A path on this server.
    #[serde(rename = "self")]
    pub this: String,
}

/// What is said beside an attestation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Meta {
    /// The seconds after which the agent shall begin the next one.
    pub seconds_to_next_attestation: u64,
}

/// The form's version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JsonApi {
    /// `1.1`.
    pub version: String,
}

impl Default for JsonApi {
    fn default() -> Self {
        JsonApi { version: "1.1".to_owned() }
    }
}

/// A body of refusals.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Errors {
    /// The refusals, at least one.
    pub errors: Vec<ApiError>,
    /// The form's version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jsonapi: Option<JsonApi>,
}

/// A refusal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiError {
    /// The HTTP status, as text.
    pub status: String,
    /// A word that programs know it by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// What went wrong.
    pub detail: String,
    /// Where in the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<ErrorSource>,
}

/// A place in the request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorSource {
    /// A JSON pointer (RFC 6901).
    pub pointer: String,
}

impl<A> Document<A> {
    /// Puts one resource of a kind into a body.
    pub fn new(kind: &str, attributes: A) -> Self {
        let data = Resource { kind: kind.to_owned(), id: None, attributes, links: None };
        Document { data, meta: None, links: None, jsonapi: Some(JsonApi::default()) }
    }
}
