//! How a repeated order is known: by the key its buyer's program gave it, and by what it asks for.

use std::{borrow::Cow, fmt};

use jiff::SignedDuration;

use crate::{error::BadValue, text::text_type};

text_type! {
    /// The name that a program gives an order before it is placed, so that a repeat places none: 1
    /// to 200 visible ASCII characters. Quoted and bare it is the same key.
    ///
    /// ```
    /// use bookhub_core::IdempotencyKey;
    ///
    /// assert_eq!(IdempotencyKey::new("\"abc\""), IdempotencyKey::new("abc"));
    /// assert!(IdempotencyKey::new("a b").is_err());
    /// ```
    IdempotencyKey, key, "a text of 1 to 200 visible ASCII characters"
}

impl IdempotencyKey {
    /// For how long a key is remembered after its order.
    pub const LIFETIME: SignedDuration = SignedDuration::from_hours(24);
}

fn key(text: &str) -> Result<Cow<'_, str>, BadValue> {
    let text = text.trim();
    let quoted = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
    let text = quoted.unwrap_or(text);
    // A quotation mark inside would make two texts of one key, or one key of two texts.
    let visible = text.bytes().all(|b| b.is_ascii_graphic() && b != b'"');
    if visible && (1..=200).contains(&text.len()) {
        Ok(text.into())
    } else {
        Err(BadValue::new(
            "Must be 1 to 200 visible ASCII characters, without quotation marks inside.",
        ))
    }
}

/// What an order asks for, in 32 bytes: two orders that ask for the same have the same, and no
/// others do.
///
/// ```
/// use bookhub_core::Fingerprint;
///
/// let fingerprint = Fingerprint::from_bytes([171; 32]);
/// assert!(fingerprint.to_string().starts_with("abab"));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// The fingerprint that is these bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes that are the fingerprint.
    #[must_use]
    pub const fn bytes(self) -> [u8; 32] {
        self.0
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_visible_and_have_one_form() {
        for good in ["a", "8e03978e-40d5-43dd-bc93-6894a57f9324", "{}\\'~!", &"x".repeat(200)] {
            let key = IdempotencyKey::new(good).unwrap();
            assert_eq!(IdempotencyKey::new(&format!(" \"{good}\" ")).unwrap(), key);
            assert_eq!(IdempotencyKey::new(key.as_str()).unwrap(), key);
        }
        for bad in ["", "\"", "\"\"", "\"a", "a\"b", "\"\"a\"\"", "a b", "é", "a\u{7f}"] {
            assert!(IdempotencyKey::new(bad).is_err(), "{bad:?}");
        }
        assert!(IdempotencyKey::new(&"x".repeat(201)).is_err());
    }
}
