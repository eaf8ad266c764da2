//! How an answer tells of a limit: `RateLimit` and `RateLimit-Policy`, as the IETF's draft
//! "RateLimit header fields for HTTP" (draft-ietf-httpapi-ratelimit-headers-10) has them.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, HeaderValue};

static LIMIT: HeaderName = HeaderName::from_static("ratelimit");
static POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// A limit, and where somebody stands with it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Standing {
    /// The name of the limit.
    pub(super) policy: &'static str,
    /// How many there are in a window.
    pub(super) quota: usize,
    pub(super) window: Duration,
    /// How many are left.
    pub(super) left: usize,
    /// When there are more.
    pub(super) reset: Duration,
}

impl Standing {
    /// Adds it to what the headers say of other limits.
    pub(crate) fn put(self, headers: &mut HeaderMap) {
        let Self { policy, quota, window, left, reset } = self;
        let texts = [
            (&POLICY, format!("\"{policy}\";q={quota};w={}", window.as_secs())),
            (&LIMIT, format!("\"{policy}\";r={left};t={}", seconds(reset))),
        ];
        for (name, text) in texts {
            if let Ok(value) = HeaderValue::try_from(text) {
                headers.append(name, value);
            }
        }
    }

    /// After how many seconds it is worth to try again.
    pub(crate) const fn retry_after(&self) -> u64 {
        let seconds = seconds(self.reset);
        if seconds == 0 { 1 } else { seconds }
    }
}

/// Whole seconds, rounded up: who waits so long has waited long enough.
const fn seconds(span: Duration) -> u64 {
    span.as_secs() + (span.subsec_nanos() > 0) as u64
}
