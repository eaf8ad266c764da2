//! What a book costs.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::Value;

use crate::{
    error::BadValue,
    json::{self, FromJson},
};

/// What a book costs, in rupees with at most two decimals: 0 to 10,000,000.
///
/// ```
/// use bookhub_core::Price;
///
/// let price: Price = "899.50".parse().unwrap();
/// assert_eq!(price.paise(), 89_950);
/// assert_eq!(price.to_string(), "899.5");
/// assert_eq!(serde_json::to_string(&price).unwrap(), "899.5");
/// assert!("899.555".parse::<Price>().is_err());
/// assert!("-1".parse::<Price>().is_err());
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Price(u32);

impl Price {
    /// The highest price.
    pub const MAX: Self = Self(10_000_000 * 100);

    /// A price of so many paise, a hundredth of a rupee each.
    pub fn from_paise(paise: u64) -> Result<Self, BadValue> {
        match u32::try_from(paise) {
            Ok(paise) if paise <= Self::MAX.0 => Ok(Self(paise)),
            _ => Err(BadValue::new("Must be at most 10000000 rupees.")),
        }
    }

    /// How many paise it is.
    #[must_use]
    pub const fn paise(self) -> u64 {
        self.0 as u64
    }

    /// The price that a JSON number says, taken by its shortest decimal text and not by its binary
    /// approximation.
    fn from_float(rupees: f64) -> Result<Self, BadValue> {
        rupees.to_string().parse()
    }
}

impl FromStr for Price {
    type Err = BadValue;

    fn from_str(text: &str) -> Result<Self, BadValue> {
        Self::from_paise(super::parse(text)?)
    }
}

impl fmt::Display for Price {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        super::show(self.paise(), f)
    }
}

impl Serialize for Price {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        super::serialize(self.paise(), serializer)
    }
}

impl<'de> Deserialize<'de> for Price {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PriceVisitor)
    }
}

struct PriceVisitor;

impl de::Visitor<'_> for PriceVisitor {
    type Value = Price;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Price::EXPECTED)
    }

    fn visit_u64<E: de::Error>(self, rupees: u64) -> Result<Price, E> {
        Price::from_paise(rupees.saturating_mul(100)).map_err(E::custom)
    }

    fn visit_i64<E: de::Error>(self, rupees: i64) -> Result<Price, E> {
        rupees.to_string().parse().map_err(E::custom)
    }

    fn visit_f64<E: de::Error>(self, rupees: f64) -> Result<Price, E> {
        Price::from_float(rupees).map_err(E::custom)
    }
}

impl FromJson for Price {
    const EXPECTED: &'static str =
        "a number of rupees with at most two decimals, such as 899 or 899.5";

    fn from_json(value: &Value) -> Result<Self, BadValue> {
        match value {
            Value::Number(number) => match (number.as_i64(), number.as_f64()) {
                (Some(rupees), _) => rupees.to_string().parse(),
                (None, Some(rupees)) => Self::from_float(rupees),
                (None, None) => Err(json::wrong_type::<Self>(value)),
            },
            _ => Err(json::wrong_type::<Self>(value)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from_json(text: &str) -> Result<Price, BadValue> {
        Price::from_json(&serde_json::from_str(text).unwrap())
    }

    #[test]
    fn json_numbers_count_by_their_decimal_text() {
        for (text, paise) in [
            ("0", 0),
            ("-0.0", 0),
            ("899", 89_900),
            ("899.0", 89_900),
            ("899.5", 89_950),
            ("0.29", 29),
            ("1.15", 115),
            ("4.35", 435),
            ("1e2", 10_000),
            ("9999999.99", 999_999_999),
            ("10000000", 1_000_000_000),
        ] {
            assert_eq!(from_json(text).map(Price::paise), Ok(paise), "{text}");
        }
        for text in ["-1", "-0.01", "899.555", "0.001", "10000000.01", "1e300", "\"899\"", "null"] {
            assert!(from_json(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_price_survives_json() {
        for paise in (0..200_000).chain(999_990_000..=1_000_000_000) {
            let price = Price::from_paise(paise).unwrap();
            let json = serde_json::to_string(&price).unwrap();
            assert_eq!(serde_json::from_str::<Price>(&json).unwrap(), price);
            assert_eq!(json, price.to_string());
            assert_eq!(json.parse(), Ok(price));
        }
    }
}
