// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What administrators ask and say: machines, policies, keys, tokens, the audit log.

mod audit;
mod events;
mod fleet;
mod inspection;
mod keys;
mod machines;
mod openapi;
mod policies;
mod routes;
mod tokens;

pub(crate) use events::metrics;
pub(crate) use routes::router;
