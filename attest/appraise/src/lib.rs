// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Policy over verified claims: findings and a trust vector.
#![forbid(unsafe_code)]
