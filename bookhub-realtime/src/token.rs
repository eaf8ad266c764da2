//! Reconnect tokens: which connection this was, whose, with which topics, up to where.
//!
//! HMAC-SHA-256 (RFC 2104) over a versioned payload. A token says where a client was, never who it
//! is: a resume is authorized anew. Takes the time as an argument; does no I/O.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use hmac::{Hmac, KeyInit as _, Mac as _};
use secrecy::{ExposeSecret as _, SecretBox};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use crate::{
    position::EventId,
    topic::{Filter, TopicPattern},
};

const VERSION: &str = "r1";

/// What a token says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Claims {
    #[serde(rename = "c")]
    pub(crate) connection: String,
    #[serde(rename = "s", default, skip_serializing_if = "Option::is_none")]
    pub(crate) subject: Option<String>,
    #[serde(rename = "t")]
    pub(crate) topics: Vec<TopicPattern>,
    #[serde(rename = "p")]
    pub(crate) position: EventId,
    /// Seconds since 1970 at which the token ends.
    #[serde(rename = "x")]
    pub(crate) expires_at: u64,
}

impl Claims {
    pub(crate) fn topics_of(filter: &Filter) -> Vec<TopicPattern> {
        filter.patterns().cloned().collect()
    }
}

/// Why a token was not accepted. All end in the same `resync` for the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TokenError {
    #[error("the token is damaged or of another key")]
    Forged,
    #[error("the token has expired")]
    Expired,
}

/// The keys that sign and verify reconnect tokens: one that signs, and retired ones whose tokens
/// are still accepted.
pub(crate) struct TokenKeys {
    /// The signing key first.
    keys: Vec<Key>,
    lifetime: Duration,
}

struct Key {
    id: String,
    secret: SecretBox<[u8; 32]>,
}

impl TokenKeys {
    /// Keys derived from the hub's secrets, the current one first.
    pub(crate) fn new<'a>(secrets: impl Iterator<Item = &'a [u8]>, lifetime: Duration) -> Self {
        Self { keys: secrets.map(Key::derive).collect(), lifetime }
    }

    pub(crate) const fn lifetime(&self) -> Duration {
        self.lifetime
    }

    /// When a token issued now ends, in seconds since 1970.
    pub(crate) fn expiry(&self, now: SystemTime) -> u64 {
        unix_seconds(now) + self.lifetime.as_secs()
    }

    /// The signed token.
    pub(crate) fn sign(&self, claims: &Claims) -> String {
        let payload = serde_json::to_vec(claims).expect("claims are plain strings and numbers");
        let key = &self.keys[0];
        let signed = format!("{VERSION}.{}.{}", key.id, BASE64.encode(payload));
        let tag = key.mac(signed.as_bytes()).finalize().into_bytes();
        format!("{signed}.{}", BASE64.encode(tag))
    }

    /// What the token says, if one of the keys signed it and it has not expired.
    pub(crate) fn verify(&self, token: &str, now: SystemTime) -> Result<Claims, TokenError> {
        let (signed, tag) = token.rsplit_once('.').ok_or(TokenError::Forged)?;
        let mut parts = signed.split('.');
        let (Some(VERSION), Some(key_id), Some(payload), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(TokenError::Forged);
        };
        let key = self.keys.iter().find(|key| key.id == key_id).ok_or(TokenError::Forged)?;
        let tag = BASE64.decode(tag).map_err(|_| TokenError::Forged)?;
        // Compares in constant time.
        key.mac(signed.as_bytes()).verify_slice(&tag).map_err(|_| TokenError::Forged)?;
        let payload = BASE64.decode(payload).map_err(|_| TokenError::Forged)?;
        let claims: Claims = serde_json::from_slice(&payload).map_err(|_| TokenError::Forged)?;
        if claims.expires_at <= unix_seconds(now) {
            return Err(TokenError::Expired);
        }
        Ok(claims)
    }
}

impl Key {
    fn derive(secret: &[u8]) -> Self {
        let derived = |purpose: &[u8]| -> [u8; 32] {
            let mut mac = keyed(secret);
            mac.update(purpose);
            mac.finalize().into_bytes().into()
        };
        let id = BASE64.encode(&derived(b"bookhub-realtime reconnect key id")[..6]);
        let secret = SecretBox::new(Box::new(derived(b"bookhub-realtime reconnect key")));
        Self { id, secret }
    }

    fn mac(&self, message: &[u8]) -> Hmac<Sha256> {
        let mut mac = keyed(self.secret.expose_secret());
        mac.update(message);
        mac
    }
}

impl std::fmt::Debug for TokenKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let ids: Vec<&str> = self.keys.iter().map(|key| key.id.as_str()).collect();
        f.debug_struct("TokenKeys").field("ids", &ids).finish_non_exhaustive()
    }
}

fn keyed(secret: &[u8]) -> Hmac<Sha256> {
    Hmac::<Sha256>::new_from_slice(secret).expect("HMAC takes keys of any length")
}

pub(crate) fn unix_seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_hours(24);

    fn keys(secrets: &[&str]) -> TokenKeys {
        TokenKeys::new(secrets.iter().map(|secret| secret.as_bytes()), DAY)
    }

    fn claims(keys: &TokenKeys, now: SystemTime) -> Claims {
        Claims {
            connection: "c1".to_owned(),
            subject: Some("ali".to_owned()),
            topics: vec!["books".parse().unwrap(), "orders.*".parse().unwrap()],
            position: "e-15".parse().unwrap(),
            expires_at: keys.expiry(now),
        }
    }

    #[test]
    fn a_token_says_what_was_signed() {
        let (keys, now) = (keys(&["secret"]), SystemTime::now());
        let claims = claims(&keys, now);
        assert_eq!(keys.verify(&keys.sign(&claims), now), Ok(claims));
    }

    #[test]
    fn a_token_with_any_bit_flipped_is_refused() {
        let (keys, now) = (keys(&["secret"]), SystemTime::now());
        let token = keys.sign(&claims(&keys, now)).into_bytes();
        for (index, bit) in (0..token.len()).flat_map(|index| (0..8).map(move |bit| (index, bit))) {
            let mut flipped = token.clone();
            flipped[index] ^= 1 << bit;
            if let Ok(flipped) = String::from_utf8(flipped) {
                assert_eq!(keys.verify(&flipped, now), Err(TokenError::Forged), "{index}.{bit}");
            }
        }
    }

    #[test]
    fn a_token_of_another_key_is_refused_and_one_of_a_retired_key_is_not() {
        let now = SystemTime::now();
        let old = keys(&["old"]);
        let token = old.sign(&claims(&old, now));
        assert_eq!(keys(&["new"]).verify(&token, now), Err(TokenError::Forged));
        assert!(keys(&["new", "old"]).verify(&token, now).is_ok());
    }

    #[test]
    fn a_token_ends_after_its_lifetime() {
        let (keys, now) = (keys(&["secret"]), SystemTime::now());
        let token = keys.sign(&claims(&keys, now));
        assert!(keys.verify(&token, now + DAY - Duration::from_secs(2)).is_ok());
        assert_eq!(keys.verify(&token, now + DAY), Err(TokenError::Expired));
    }

    #[test]
    fn debug_output_names_no_secret() {
        let shown = format!("{:?}", keys(&["secret"]));
        assert!(!shown.contains("secret"), "{shown}");
    }
}
