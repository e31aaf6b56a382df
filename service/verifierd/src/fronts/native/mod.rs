// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The agents' own protocol: three steps to register, two to attest, two to a key.

mod attestation;
mod keys;
mod registration;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post, put};

use crate::app::App;

/// The largest request, except for evidence.
const SMALL_BODY: usize = 64 << 10;

/// The largest evidence: logs of 64 MiB in base64 would be a hundred thousand times what a machine logs in a day.
const EVIDENCE_BODY: usize = 16 << 20;

/// The paths below the API's prefix.
pub(crate) fn router() -> Router<Arc<App>> {
    let evidence = Router::new()
        .route("/attesters/{id}/evidence", put(attestation::evidence))
        .layer(DefaultBodyLimit::max(EVIDENCE_BODY));
    let rest = Router::new()
        .route("/registrations", post(registration::open))
        .route("/registrations/{id}/evidence", put(registration::evidence))
        .route("/registrations/{id}/proof", put(registration::proof))
        .route("/attesters/{id}/challenges", post(attestation::challenge))
        .route("/attesters/{id}/keys/{name}/challenges", post(keys::challenge))
        .route("/attesters/{id}/keys/{name}", put(keys::release))
        .route("/attesters/{id}/leases", get(keys::leases))
        .layer(DefaultBodyLimit::max(SMALL_BODY));
    evidence.merge(rest)
}
