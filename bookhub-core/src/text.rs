//! What all short and long texts of the shop have in common. Must not know what they are for.

use unicode_normalization::char::is_combining_mark;

use crate::error::BadValue;

/// Defines a domain type around a text, with `$parse` as its only way in.
macro_rules! text_type {
    ($(#[$doc:meta])* $name:ident, $parse:expr, $expected:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Deserialize)]
        #[serde(try_from = "String")]
        pub struct $name(std::sync::Arc<str>);

        impl $name {
            /// Accepts a text or says why not.
            pub fn new(text: &str) -> Result<Self, $crate::error::BadValue> {
                let parse: fn(&str) -> Result<std::borrow::Cow<'_, str>, $crate::error::BadValue> =
                    $parse;
                parse(text).map(|text| Self(text.into()))
            }

            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                std::fmt::Debug::fmt(&self.0, f)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(&self.0)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::error::BadValue;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::new(text)
            }
        }

        impl TryFrom<String> for $name {
            type Error = $crate::error::BadValue;

            fn try_from(text: String) -> Result<Self, Self::Error> {
                Self::new(&text)
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl $crate::json::FromJson for $name {
            const EXPECTED: &'static str = $expected;

            fn from_json(value: &serde_json::Value) -> Result<Self, $crate::error::BadValue> {
                Self::new($crate::json::text::<Self>(value)?)
            }
        }
    };
}

pub(crate) use text_type;

/// A line of text, trimmed: 1 to `most` characters, at least one of them visible, none a control
/// character.
pub(crate) fn line(text: &str, most: usize) -> Result<&str, BadValue> {
    let text = text.trim();
    if !text.chars().any(is_visible) {
        return Err(BadValue::new(format!("Must not be empty: give 1 to {most} characters.")));
    }
    at_most(text, most)?;
    if text.chars().any(char::is_control) {
        return Err(BadValue::new(
            "Must be one line without control characters: remove line breaks, tabs and the like.",
        ));
    }
    Ok(text)
}

/// Refuses more than `most` characters.
pub(crate) fn at_most(text: &str, most: usize) -> Result<(), BadValue> {
    let length = text.chars().count();
    if length > most {
        let sentence =
            format!("Must have at most {most} characters: shorten it by {}.", length - most);
        return Err(BadValue::new(sentence));
    }
    Ok(())
}

/// Whether a character by itself leaves something to see.
fn is_visible(c: char) -> bool {
    let invisible = c.is_whitespace()
        || c.is_control()
        || is_combining_mark(c)
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
    !invisible
}
