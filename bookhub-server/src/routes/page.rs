//! The pages: each one file that needs nothing from elsewhere, with a policy that lets nothing else in.

use std::sync::LazyLock;

use axum::{
    http::{HeaderValue, header},
    response::{Html, IntoResponse, Response},
};
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use bytes::Bytes;
use sha2::{Digest as _, Sha256};

const STYLE: &str = include_str!("../../assets/page.css");

static CATALOGUE: LazyLock<Page> = LazyLock::new(|| {
    Page::of(include_str!("../../assets/index.html"), include_str!("../../assets/page.js"))
});

static SETUP: LazyLock<Page> = LazyLock::new(|| {
    Page::of(include_str!("../../assets/setup.html"), include_str!("../../assets/setup.js"))
});

/// `GET /`: the live catalogue.
pub(crate) async fn index() -> Response {
    CATALOGUE.answer("no-cache")
}

/// `GET /setup`: where the first administrator is made.
pub(crate) async fn setup() -> Response {
    SETUP.answer("no-store")
}

struct Page {
    text: Bytes,
    policy: Option<HeaderValue>,
}

impl Page {
    fn of(page: &str, script: &str) -> Self {
        let hash = |text: &str| BASE64.encode(Sha256::digest(text));
        let policy = format!(
            "default-src 'none'; script-src 'sha256-{}'; style-src 'sha256-{}'; \
             img-src 'self' data: https://covers.openlibrary.org; \
             connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
            hash(script),
            hash(STYLE),
        );
        let text = page.replace("{{style}}", STYLE).replace("{{script}}", script);
        Self { text: text.into(), policy: HeaderValue::try_from(policy).ok() }
    }

    fn answer(&self, caching: &'static str) -> Response {
        let caching = [(header::CACHE_CONTROL, caching)];
        let mut response = (caching, Html(self.text.clone())).into_response();
        let policy = self.policy.clone().map(|policy| (header::CONTENT_SECURITY_POLICY, policy));
        response.headers_mut().extend(policy);
        response
    }
}
