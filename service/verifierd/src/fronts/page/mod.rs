// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The page: a few files that the program carries, and nothing from anywhere else.
//!
//! Its scripts may run only from here, and may put text into the page but no markup ("Trusted Types"): what a machine says about
//! itself cannot become part of the page.

mod assets;
mod session;

use std::sync::Arc;

use axum::Router;
use axum::routing::get;

use crate::app::App;

pub(crate) use session::{close, open, show};

/// The paths of the page.
pub(crate) fn router() -> Router<Arc<App>> {
    Router::new().route("/", get(assets::index)).route("/page/{name}", get(assets::file))
}
