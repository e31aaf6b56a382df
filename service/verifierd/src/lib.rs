// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Registration, challenges, evidence, verdicts over HTTPS.
#![forbid(unsafe_code)]
