//! ISBNs: the number on the back of a book, 13 digits with a check digit.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize, Serializer};

use crate::{
    error::BadValue,
    json::{self, FromJson},
};

/// The number of a book: 13 digits, the last of them checked. Read from ISBN-10 or ISBN-13, with
/// or without hyphens and spaces.
///
/// ```
/// use bookhub_core::Isbn;
///
/// let isbn: Isbn = "0-547-92822-X".parse().unwrap();
/// assert_eq!(isbn.to_string(), "9780547928227");
/// assert_eq!("978 0547928227".parse(), Ok(isbn));
/// assert!("9780547928228".parse::<Isbn>().is_err());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct Isbn(u64);

impl Isbn {
    /// Any number, to bound a range of ISBNs with.
    pub(crate) const fn raw(number: u64) -> Self {
        Self(number)
    }

    /// The 13 digits as a number.
    #[must_use]
    pub const fn number(self) -> u64 {
        self.0
    }
}

impl FromStr for Isbn {
    type Err = BadValue;

    fn from_str(text: &str) -> Result<Self, BadValue> {
        let plain: String = text.trim().chars().filter(|c| !is_separator(*c)).collect();
        let refused = |why: &str| {
            let way_out = "copy the 10 or 13 digits from the back of the book, or leave it out";
            Err(BadValue::new(format!("{why}: {way_out}.")))
        };
        if !matches!(plain.len(), 10 | 13) {
            return refused("Must be an ISBN of 10 or 13 digits");
        }
        let digits = match plain.parse::<isbn::Isbn>() {
            Ok(isbn::Isbn::_10(ten)) => isbn::Isbn13::from(ten).to_string(),
            Ok(isbn::Isbn::_13(thirteen)) => thirteen.to_string(),
            Err(_) => return refused("Is not a valid ISBN (its check digit does not fit)"),
        };
        match digits.parse() {
            Ok(number) if digits.starts_with("978") || digits.starts_with("979") => {
                Ok(Self(number))
            }
            _ => refused("Must start with 978 or 979 if it has 13 digits"),
        }
    }
}

/// Whether a character only groups digits: a space, or a hyphen of any length.
fn is_separator(c: char) -> bool {
    c.is_whitespace() || matches!(c, '-' | '\u{2010}'..='\u{2015}' | '\u{2212}')
}

impl fmt::Debug for Isbn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Isbn({self})")
    }
}

impl fmt::Display for Isbn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:013}", self.0)
    }
}

impl Serialize for Isbn {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl TryFrom<String> for Isbn {
    type Error = BadValue;

    fn try_from(text: String) -> Result<Self, BadValue> {
        text.parse()
    }
}

impl FromJson for Isbn {
    const EXPECTED: &'static str = "a text with an ISBN of 10 or 13 digits";

    fn from_json(value: &serde_json::Value) -> Result<Self, BadValue> {
        json::text::<Self>(value)?.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_lengths_with_any_grouping_are_one_number() {
        for text in ["080442957X", "0-8044-2957-x", "978-0-8044-2957-3", " 978–0804429573 "] {
            assert_eq!(text.parse::<Isbn>().unwrap().to_string(), "9780804429573", "{text}");
        }
    }

    #[test]
    fn broken_numbers_are_refused() {
        let broken = [
            "",
            "-",
            "123",
            "080442957",
            "0804429570",
            "X804429570",
            "9780804429574",
            "1230804429575",
            "97808044295731",
            "978080442957X",
            "٩٧٨٠٨٠٤٤٢٩٥٧٣",
            "isbn",
        ];
        for text in broken {
            assert!(text.parse::<Isbn>().is_err(), "{text}");
        }
    }
}
