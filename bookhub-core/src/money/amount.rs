//! What several copies cost together.

use std::{fmt, iter::Sum, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::Price;
use crate::error::BadValue;

/// An amount of money in rupees with at most two decimals: 0 to 10,000,000,000,000. All orders of
/// the shop together stay below it, and every JSON reader can tell each of its paise.
///
/// ```
/// use bookhub_core::{Amount, Price};
///
/// let price: Price = "899.50".parse().unwrap();
/// let total: Amount = [Amount::of(price, 2), Amount::of(price, 1)].into_iter().sum();
/// assert_eq!(total.to_string(), "2698.5");
/// assert_eq!(serde_json::to_string(&total).unwrap(), "2698.5");
/// assert_eq!(total.paise(), 269_850);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Amount(u64);

impl Amount {
    /// The highest amount.
    pub const MAX: Self = Self(10_000_000_000_000 * 100);

    /// An amount of so many paise, a hundredth of a rupee each.
    pub fn from_paise(paise: u64) -> Result<Self, BadValue> {
        if paise <= Self::MAX.0 {
            Ok(Self(paise))
        } else {
            Err(BadValue::new("Must be at most 10000000000000 rupees."))
        }
    }

    /// What so many copies cost at this price; [`MAX`](Self::MAX) if it is more.
    #[must_use]
    pub const fn of(price: Price, copies: u32) -> Self {
        Self::at_most(price.paise().saturating_mul(copies as u64))
    }

    /// How many paise it is.
    #[must_use]
    pub const fn paise(self) -> u64 {
        self.0
    }

    const fn at_most(paise: u64) -> Self {
        if paise < Self::MAX.0 { Self(paise) } else { Self::MAX }
    }
}

impl Sum for Amount {
    /// All of them together; [`MAX`](Self::MAX) if it is more.
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        Self::at_most(amounts.fold(0, |sum: u64, amount| sum.saturating_add(amount.0)))
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        super::show(self.0, f)
    }
}

impl FromStr for Amount {
    type Err = BadValue;

    fn from_str(text: &str) -> Result<Self, BadValue> {
        Self::from_paise(super::parse(text)?)
    }
}

impl Serialize for Amount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        super::serialize(self.0, serializer)
    }
}

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = serde_json::Number::deserialize(deserializer)?;
        // By the shortest decimal text of the number, not by its binary approximation.
        let text = match number.as_u64() {
            Some(rupees) => rupees.to_string(),
            None => number.as_f64().map(|rupees| rupees.to_string()).unwrap_or_default(),
        };
        text.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn an_amount_survives_json(paise in 0..=Amount::MAX.paise()) {
            let amount = Amount::from_paise(paise).unwrap();
            let json = serde_json::to_string(&amount).unwrap();
            prop_assert_eq!(serde_json::from_str::<Amount>(&json).unwrap(), amount);
            prop_assert_eq!(amount.to_string().parse(), Ok(amount));
        }
    }

    #[test]
    fn a_sum_ends_at_the_highest_amount() {
        assert_eq!([Amount::MAX, Amount::MAX].into_iter().sum::<Amount>(), Amount::MAX);
        assert_eq!(Amount::of(Price::MAX, u32::MAX), Amount::MAX);
        assert!(Amount::from_paise(u64::MAX).is_err());
        assert!(serde_json::from_str::<Amount>("-1").is_err());
        assert!(serde_json::from_str::<Amount>("1e300").is_err());
    }
}
