// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Attestation results: EAR encoding, signing, checking.
//!
//! The document followed is draft-ietf-rats-ear ("EAT Attestation Results"), as JWT (RFC 7519, RFC 7515) and as CWT
//! (RFC 8392, RFC 9052), with ES256, ES384 or Ed25519. Each layer of the attester is a submodule: `snp`, `tdx`, `sgx`, `azure`, `nitro`, `cca-platform`,
//! `cca-realm`, `psa`, `nvidia`, `s390`, `tpm`, `boot`, `runtime`.
//!
//! Our extensions, all optional for whoever reads a result:
//!
//! | claim | in CBOR | where | what |
//! |---|---|---|---|
//! | `ear.evtpm.verdict` | -72000 | top | `trusted`, `untrusted`, `unknown`, `stale`, `unreachable` or `audit` |
//! | `ear.evtpm.would-be` | -72001 | top | with `audit`, what the verdict would be if the policy were not only tried out |
//! | `ear.evtpm.root` | -72002 | top | the root that the report's chain ends in: `{"amd": "Milan"}` or `{"simulated": "<name>"}` |
//! | `ear.evtpm.root` | -72002 | submodule | the same of a layer with a root of its own: `"intel"`, `"aws"`, `"nvidia"`, `{"named": "<name>"}` |
//! | `ear.evtpm.identity` | -72003 | top | SHA-256 of the launch identity, the same at every boot of one machine |
//! | `ear.evtpm.findings` | -72004 | submodule | every objection: code, severity, expected, actual, sentence, suggestion |
//!
//! A result over a simulated root carries `ear.evtpm.root` with `simulated`, a warning for the `snp` submodule, and the
//! finding `snp.root`: whichever of them a relying party looks at, it sees that no hardware stands behind the result.
#![forbid(unsafe_code)]

mod algorithm;
mod cbor;
mod cwt;
mod ear;
mod error;
mod jwk;
mod jwt;
mod key;
mod policy_ids;
mod token;

pub use algorithm::Algorithm;
pub use ear::{Context, EARLIER_PROFILE, Ear, PROFILE, RootClaim, Submodule, VerifierId};
pub use error::Error;
pub use jwk::Jwk;
pub use key::{SigningKey, VerifyingKey};
pub use token::{Format, Token};
