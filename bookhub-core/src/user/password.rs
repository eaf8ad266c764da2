//! Passwords, chosen and typed. Must not know how they are hashed.

use secrecy::{ExposeSecret, SecretString};
use unicode_normalization::UnicodeNormalization;

use crate::{
    error::BadValue,
    json::{self, FromJson},
};

/// A password that somebody chooses: 8 to 128 characters. Never printed; wiped when dropped.
///
/// ```
/// use bookhub_core::Password;
///
/// let password = Password::new("correct horse battery").unwrap();
/// assert!(!format!("{password:?}").contains("horse"));
/// assert!(Password::new("short").is_err());
/// ```
#[derive(Clone, Debug)]
pub struct Password(SecretString);

impl Password {
    /// The most characters a password may have.
    pub const MAX_CHARS: usize = 128;

    /// Accepts a password or says why not. Composed and decomposed letters count as the same.
    pub fn new(text: &str) -> Result<Self, BadValue> {
        match text.chars().count() {
            0..8 => Err(BadValue::new("Must have at least 8 characters: a few words will do.")),
            8..=Self::MAX_CHARS => Ok(Self(fold(text))),
            _ => Err(BadValue::new(format!("Must have at most {} characters.", Self::MAX_CHARS))),
        }
    }

    pub(crate) fn secret(&self) -> &SecretString {
        &self.0
    }
}

impl FromJson for Password {
    const EXPECTED: &'static str = "a text of 8 to 128 characters";

    fn from_json(value: &serde_json::Value) -> Result<Self, BadValue> {
        Self::new(json::text::<Self>(value)?)
    }
}

/// What somebody typed as their password, right or wrong. Never printed; wiped when dropped.
///
/// ```
/// use bookhub_core::TypedPassword;
///
/// assert!(!format!("{:?}", TypedPassword::new("hunter2")).contains("hunter2"));
/// ```
#[derive(Clone, Debug)]
pub struct TypedPassword(SecretString);

impl TypedPassword {
    /// Takes any text.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(fold(text))
    }

    pub(crate) fn secret(&self) -> &SecretString {
        &self.0
    }

    /// Whether it is longer than any password.
    pub(crate) fn is_too_long(&self) -> bool {
        self.0.expose_secret().len() > Password::MAX_CHARS * 16
    }
}

impl FromJson for TypedPassword {
    const EXPECTED: &'static str = "a text";

    fn from_json(value: &serde_json::Value) -> Result<Self, BadValue> {
        json::text::<Self>(value).map(Self::new)
    }
}

/// Keyboards write é in two ways: both are the same password.
fn fold(text: &str) -> SecretString {
    text.nfkc().collect::<String>().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_compared_by_letters_not_bytes() {
        let [one, other] = ["cafe\u{301} 123", "café 123"]
            .map(|text| Password::new(text).unwrap().secret().expose_secret().to_owned());
        assert_eq!(one, other);
    }
}
