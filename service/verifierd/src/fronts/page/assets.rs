// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The page's files, and the headers that they are served with.

use std::sync::LazyLock;

use axum::extract::Path;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use evtpm_crypto::{Crypto, HashAlg, RustCrypto};

use crate::hex::hex;

/// Scripts and styles from this server alone, no markup made by scripts, no frame around the page, no form that leaves it.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'";

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const JS: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";

/// One file.
struct File {
    name: &'static str,
    kind: &'static str,
    content: &'static str,
}

macro_rules! files {
    ($($kind:ident $name:literal,)+) => {
        &[$(File { name: $name, kind: $kind, content: include_str!(concat!("assets/", $name)) },)+]
    };
}

const FILES: &[File] = files! {
    HTML "index.html",
    CSS "style.css",
    SVG "icon.svg",
    JS "app.js",
    JS "api.js",
    JS "dom.js",
    JS "words.js",
    JS "login.js",
    JS "fleet.js",
    JS "machine.js",
    JS "chain.js",
    JS "evidence.js",
    JS "policies.js",
    JS "keys.js",
    JS "audit.js",
};

/// The files' digests, in their order.
static TAGS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let tag = |file: &File| {
        let digest = RustCrypto::hash(HashAlg::Sha256, &[file.content.as_bytes()]);
        format!("\"{}\"", hex(digest.as_bytes().get(..16).unwrap_or_default()))
    };
    FILES.iter().map(tag).collect()
});

/// `GET /`
pub(super) async fn index(headers: HeaderMap) -> Response {
    serve("index.html", &headers)
}

/// `GET /page/{name}`
pub(super) async fn file(Path(name): Path<String>, headers: HeaderMap) -> Response {
    serve(&name, &headers)
}

fn serve(name: &str, asked: &HeaderMap) -> Response {
    let found = FILES.iter().zip(TAGS.iter()).find(|(file, _)| file.name == name);
    let Some((file, tag)) = found else { return StatusCode::NOT_FOUND.into_response() };
    let headers = [
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
        // Asked for again each time, and answered without the file if it is the same.
        (CACHE_CONTROL, "no-cache"),
        (ETAG, tag.as_str()),
    ];
    if asked.get(IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == tag.as_bytes()) {
        return (StatusCode::NOT_MODIFIED, headers).into_response();
    }
    (headers, [(CONTENT_TYPE, file.kind)], file.content).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_known_by_its_tag_is_not_sent_again() {
        let first = serve("index.html", &HeaderMap::new());
        assert_eq!(first.status(), StatusCode::OK);
        let mut asked = HeaderMap::new();
        asked.insert(IF_NONE_MATCH, first.headers()[ETAG].clone());
        assert_eq!(serve("index.html", &asked).status(), StatusCode::NOT_MODIFIED);
        assert_eq!(serve("app.js", &asked).status(), StatusCode::OK);
    }

    #[test]
    fn every_file_comes_with_the_policy_and_nothing_else_comes() {
        for file in FILES {
            let answer = serve(file.name, &HeaderMap::new());
            assert_eq!(answer.headers()[CONTENT_SECURITY_POLICY], POLICY, "{}", file.name);
            assert_eq!(answer.headers()[CONTENT_TYPE], file.kind, "{}", file.name);
        }
        assert_eq!(serve("../Cargo.toml", &HeaderMap::new()).status(), StatusCode::NOT_FOUND);
    }

    #[test]
    fn nothing_of_the_page_comes_from_elsewhere_or_makes_markup_of_text() {
        for file in FILES {
            for forbidden in
                ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", " onclick=", "style=\""]
            {
                assert!(!file.content.contains(forbidden), "{}: {forbidden}", file.name);
            }
            let addresses = file.content.split("://").count() - 1;
            let namespaces = file.content.matches("http://www.w3.org/2000/svg").count();
            assert_eq!(addresses, namespaces, "{}: an address of another server", file.name);
        }
    }
}
