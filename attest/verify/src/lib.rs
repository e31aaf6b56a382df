// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Signatures, chains, freshness and bindings: bytes become verified claims.
#![forbid(unsafe_code)]
