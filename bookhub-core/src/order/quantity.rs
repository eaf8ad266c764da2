//! How many copies somebody orders.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    error::BadValue,
    json::{self, FromJson},
};

/// How many copies of a book are ordered: 1 to 1,000.
///
/// ```
/// use bookhub_core::Quantity;
///
/// assert_eq!(Quantity::new(3).unwrap().count(), 3);
/// assert!(Quantity::new(0).is_err());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "i64", into = "u32")]
pub struct Quantity(u32);

impl Quantity {
    /// As many copies as one order may take of a book.
    pub const MAX: u32 = 1_000;

    /// Accepts a number of copies or says why not.
    pub fn new(copies: i64) -> Result<Self, BadValue> {
        match u32::try_from(copies) {
            Ok(copies) if (1..=Self::MAX).contains(&copies) => Ok(Self(copies)),
            _ => Err(BadValue::new(format!("Must be from 1 to {}.", Self::MAX))),
        }
    }

    /// Both numbers together, of items of one book.
    pub(crate) fn plus(self, more: Self) -> Result<Self, BadValue> {
        Self::new(i64::from(self.0) + i64::from(more.0)).map_err(|_| {
            let most = Self::MAX;
            BadValue::new(format!(
                "Makes more than {most} copies of this book together with the items before it."
            ))
        })
    }

    /// The number of copies.
    #[must_use]
    pub const fn count(self) -> u32 {
        self.0
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Quantity {
    type Err = BadValue;

    fn from_str(text: &str) -> Result<Self, BadValue> {
        let copies = text.trim().parse();
        Self::new(copies.map_err(|_| BadValue::new(format!("Must be {}.", Self::EXPECTED)))?)
    }
}

impl TryFrom<i64> for Quantity {
    type Error = BadValue;

    fn try_from(copies: i64) -> Result<Self, BadValue> {
        Self::new(copies)
    }
}

impl From<Quantity> for u32 {
    fn from(quantity: Quantity) -> Self {
        quantity.0
    }
}

impl FromJson for Quantity {
    const EXPECTED: &'static str = "a whole number of copies, 1 or more";

    fn from_json(value: &Value) -> Result<Self, BadValue> {
        Self::new(json::whole::<Self>(value)?)
    }
}
