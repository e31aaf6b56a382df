// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Attestation results: EAR encoding, signing, checking.
//!
//! The document followed is draft-ietf-rats-ear ("EAT Attestation Results"), as JWT (RFC 7519, RFC 7515) with ES256 or
//! ES384 (RFC 7518, 3.4). Each layer of the attester is a submodule: `snp`, `tdx`, `sgx`, `azure`, `nitro`, `cca-platform`,
//! `cca-realm`, `psa`, `nvidia`, `s390`, `tpm`, `boot`, `runtime`.
//!
//! Our extensions, all optional for whoever reads a result:
//!
//! | claim | where | what |
//! |---|---|---|
//! | `ear.evtpm.verdict` | top | `trusted`, `untrusted`, `unknown`, `stale`, `unreachable` or `audit` |
//! | `ear.evtpm.would-be` | top | with `audit`, what the verdict would be if the policy were not only tried out |
//! | `ear.evtpm.root` | top | the root that the report's chain ends in: `{"amd": "Milan"}` or `{"simulated": "<name>"}` |
//! | `ear.evtpm.root` | submodule | the same of a layer with a root of its own: `"intel"`, `"aws"`, `"nvidia"`, `{"named": "<name>"}` |
//! | `ear.evtpm.identity` | top | SHA-256 of the launch identity, the same at every boot of one machine |
//! | `ear.evtpm.findings` | submodule | every objection: code, severity, expected, actual, sentence, suggestion |
//!
//! A result over a simulated root carries `ear.evtpm.root` with `simulated`, a warning for the `snp` submodule, and the
//! finding `snp.root`: whichever of them a relying party looks at, it sees that no hardware stands behind the result.
#![forbid(unsafe_code)]

mod ear;
mod error;
mod jwt;
mod key;

pub use ear::{Context, Ear, PROFILE, RootClaim, Submodule, VerifierId};
pub use error::Error;
pub use key::{Algorithm, Jwk, SigningKey, VerifyingKey};
