//! By what somebody is known: username and email address.

use std::{borrow::Cow, fmt, hash, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::{
    error::BadValue,
    json::{self, FromJson},
    text::{at_most, text_type},
};

/// The name by which somebody logs in: 3 to 32 of `A-Z a-z 0-9 . _ -`. Names that differ only in
/// letter case are the same name.
///
/// ```
/// use bookhub_core::Username;
///
/// assert_eq!(Username::new("Alice"), Username::new("alice"));
/// assert!(Username::new("al").is_err());
/// ```
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Username(Box<str>);

impl Username {
    /// Accepts a name or says why not.
    pub fn new(text: &str) -> Result<Self, BadValue> {
        let text = text.trim();
        let plain = text.bytes().all(|b| b.is_ascii_alphanumeric() || b".-_".contains(&b));
        if plain && (3..=32).contains(&text.len()) {
            Ok(Self(text.into()))
        } else {
            Err(BadValue::new(format!("Must be {}.", Self::EXPECTED)))
        }
    }

    /// The name as its owner writes it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The form in which names are compared.
    #[must_use]
    pub fn key(&self) -> String {
        self.0.to_ascii_lowercase()
    }
}

impl PartialEq for Username {
    fn eq(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}

impl Eq for Username {}

impl hash::Hash for Username {
    fn hash<H: hash::Hasher>(&self, state: &mut H) {
        self.key().hash(state);
    }
}

impl fmt::Display for Username {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl FromStr for Username {
    type Err = BadValue;

    fn from_str(text: &str) -> Result<Self, BadValue> {
        Self::new(text)
    }
}

impl TryFrom<String> for Username {
    type Error = BadValue;

    fn try_from(text: String) -> Result<Self, BadValue> {
        Self::new(&text)
    }
}

impl From<Username> for String {
    fn from(name: Username) -> Self {
        name.0.into()
    }
}

impl FromJson for Username {
    const EXPECTED: &'static str =
        "a text of 3 to 32 letters, digits, dots, hyphens or underscores (A-Z a-z 0-9 . - _)";

    fn from_json(value: &serde_json::Value) -> Result<Self, BadValue> {
        Self::new(json::text::<Self>(value)?)
    }
}

text_type! {
    /// An email address, kept as written and compared without letter case.
    ///
    /// ```
    /// use bookhub_core::Email;
    ///
    /// assert_eq!(Email::new("Alice@Example.org").unwrap().key(), "alice@example.org");
    /// assert!(Email::new("alice").is_err());
    /// ```
    Email, email, "an email address such as alice@example.org"
}

impl Email {
    /// The form in which addresses are compared.
    #[must_use]
    pub fn key(&self) -> String {
        self.as_str().to_lowercase()
    }
}

fn email(text: &str) -> Result<Cow<'_, str>, BadValue> {
    let text = text.trim();
    at_most(text, 254)?;
    let plain = text.chars().all(|c| !c.is_whitespace() && !c.is_control() && c != ',');
    let good = text.rsplit_once('@').is_some_and(|(local, domain)| {
        let local_is_good = (1..=64).contains(&local.len()) && !local.contains(['@', '<', '>']);
        let labels = || domain.split('.');
        let is_label = |label: &str| {
            !label.is_empty() && label.chars().all(|c| c.is_alphanumeric() || c == '-')
        };
        local_is_good && labels().count() > 1 && labels().all(is_label)
    });
    if plain && good {
        Ok(text.into())
    } else {
        Err(BadValue::new("Must be an email address such as alice@example.org."))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_names_are_names() {
        for good in ["abc", "A.b-c_9", &"x".repeat(32)] {
            assert!(Username::new(good).is_ok(), "{good}");
        }
        for bad in ["", "ab", "a b c", "аbc", "a@b.c", "a\nbc", &"x".repeat(33)] {
            assert!(Username::new(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn addresses_look_like_addresses() {
        for good in ["a@b.c", "first.last+tag@example.co.in", "ü@bücher.example"] {
            assert!(Email::new(good).is_ok(), "{good}");
        }
        for bad in ["", "@", "a@b", "a@.b", "a@b.", "a@@b.c", "a b@c.d", "A <a@b.c>", "a@b.c,d@e.f"]
        {
            assert!(Email::new(bad).is_err(), "{bad:?}");
        }
    }
}
