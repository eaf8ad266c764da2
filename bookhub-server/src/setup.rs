//! How a shop without an administrator gets its first one: by a link that is printed at the start.
//! What it proves is that somebody reads the log.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

/// The link, as long as there is no administrator. It follows from the secret, so that every server
/// of the shop knows it, whichever printed it; and as the last administrator cannot go, it is of no
/// use once it was used.
#[derive(Clone)]
pub(crate) struct Setup {
    token: String,
}

impl Setup {
    pub(crate) fn new(secret: &[u8]) -> Self {
        let digest =
            Sha256::new().chain_update(b"bookhub setup link\0").chain_update(secret).finalize();
        Self { token: BASE64.encode(digest) }
    }

    /// Where it leads to. Browsers do not send what stands behind the `#`.
    pub(crate) fn path(&self) -> String {
        format!("/setup#{}", self.token)
    }

    pub(crate) fn is_shown_by(&self, token: &str) -> bool {
        token.as_bytes().ct_eq(self.token.as_bytes()).into()
    }
}
