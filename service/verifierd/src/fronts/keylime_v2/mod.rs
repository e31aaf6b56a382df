// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Keylime's REST interface, versions 2.1 to 2.6: the registrar's two ports (version 3 with them) and the verifier's.

mod boot_policies;
mod once;
mod policies;
mod registrar;
mod reply;
mod tee;
mod verifier;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn;
use axum::routing::{get, post, put};

use crate::app::App;

/// The largest request of an agent.
const AGENT_BODY: usize = 64 << 10;
/// The largest request of somebody who shows no certificate: a policy and a list of some ten thousand files.
const ANYBODY_BODY: usize = 16 << 20;
/// The largest request of a tenant: runtime policies of 20 MiB are known, in base64 in JSON.
const TENANT_BODY: usize = 64 << 20;

/// What agents may ask, on a port without TLS.
pub(crate) fn registrar_for_agents() -> Router<Arc<App>> {
    Router::new()
        .route("/version", get(registrar::version))
        .merge(super::keylime_v3::roots())
        .route("/{version}/agents", post(registrar::register_by_body))
        .route("/{version}/agents/{id}", post(registrar::register).put(registrar::activate))
        .route("/{version}/agents/{id}/activate", post(registrar::activate).put(registrar::activate))
        .layer(DefaultBodyLimit::max(AGENT_BODY))
        .fallback(reply::not_found)
}

/// What tenants may ask the registrar, besides what agents may.
pub(crate) fn registrar_for_tenants() -> Router<Arc<App>> {
    Router::new()
        .route("/version", get(registrar::version))
        .merge(super::keylime_v3::roots())
        .route("/{version}/agents", get(registrar::list).post(registrar::register_by_body))
        .route("/{version}/agents/", get(registrar::list))
        .route(
            "/{version}/agents/{id}",
            get(registrar::show).delete(registrar::remove).post(registrar::register).put(registrar::activate),
        )
        .route("/{version}/agents/{id}/activate", post(registrar::activate).put(registrar::activate))
        .layer(DefaultBodyLimit::max(AGENT_BODY))
        .fallback(reply::not_found)
}

/// What tenants may ask the verifier, and what anybody may.
pub(crate) fn verifier() -> Router<Arc<App>> {
    let for_anybody = Router::new()
        .route("/version", get(registrar::version))
        .route("/versions", get(registrar::version))
        .route("/{version}/verify/identity", get(once::identity))
        .route("/{version}/verify/evidence", post(once::evidence))
        .layer(DefaultBodyLimit::max(ANYBODY_BODY));
    for_tenants().merge(for_anybody).fallback(reply::not_found)
}

fn for_tenants() -> Router<Arc<App>> {
    Router::new()
        .route("/{version}/agents", get(verifier::list))
        .route("/{version}/agents/", get(verifier::list))
        .route("/{version}/agents/{id}", get(verifier::show).post(verifier::add).delete(verifier::remove))
        .route("/{version}/agents/{id}/reactivate", put(verifier::reactivate))
        .route("/{version}/agents/{id}/stop", put(verifier::stop))
        .route("/{version}/allowlists", get(policies::list))
        .route("/{version}/allowlists/", get(policies::list))
        .route(
            "/{version}/allowlists/{name}",
            get(policies::show).post(policies::create).put(policies::change).delete(policies::remove),
        )
        .route("/{version}/mbpolicies", get(boot_policies::list))
        .route("/{version}/mbpolicies/", get(boot_policies::list))
        .route(
            "/{version}/mbpolicies/{name}",
            get(boot_policies::show)
                .post(boot_policies::create)
                .put(boot_policies::change)
                .delete(boot_policies::remove),
        )
        .layer(DefaultBodyLimit::max(TENANT_BODY))
        .layer(from_fn(reply::only_with_certificate))
}
