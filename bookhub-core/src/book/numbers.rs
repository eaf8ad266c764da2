//! The small numbers of a book: year and stock.

use std::{fmt, str::FromStr};

use jiff::{Timestamp, tz::TimeZone};
use serde::{Deserialize, Serialize};

use crate::{
    error::BadValue,
    json::{self, FromJson},
};

/// The year in which a work came out: −3000 to next year; negative before our era, and never 0,
/// which no calendar has.
///
/// ```
/// use bookhub_core::Year;
///
/// assert_eq!(Year::new(-380).unwrap().to_string(), "-380");
/// assert!(Year::new(0).is_err());
/// assert!(Year::new(3000).is_err());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "i64", into = "i16")]
pub struct Year(i16);

impl Year {
    /// The first year there is.
    pub const FIRST: i16 = -3000;

    /// Accepts a year up to the one after the current one.
    pub fn new(year: i64) -> Result<Self, BadValue> {
        Self::new_at(year, Timestamp::now())
    }

    /// Accepts a year up to the one after that of `now`.
    pub fn new_at(year: i64, now: Timestamp) -> Result<Self, BadValue> {
        let next = TimeZone::UTC.to_datetime(now).year().saturating_add(1);
        if year == 0 {
            return Err(BadValue::new("Must not be 0: 1 BC is -1, and 1 AD follows it."));
        }
        match i16::try_from(year) {
            Ok(year) if (Self::FIRST..=next).contains(&year) => Ok(Self(year)),
            _ => Err(BadValue::new(format!("Must be from {} to {next} (next year).", Self::FIRST))),
        }
    }

    /// The year as a number.
    #[must_use]
    pub const fn number(self) -> i16 {
        self.0
    }
}

impl fmt::Display for Year {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Year {
    type Err = BadValue;

    fn from_str(text: &str) -> Result<Self, BadValue> {
        let year = text.trim().parse();
        Self::new(year.map_err(|_| BadValue::new(format!("Must be {}.", Self::EXPECTED)))?)
    }
}

impl TryFrom<i64> for Year {
    type Error = BadValue;

    fn try_from(year: i64) -> Result<Self, BadValue> {
        Self::new(year)
    }
}

impl From<Year> for i16 {
    fn from(year: Year) -> Self {
        year.0
    }
}

impl FromJson for Year {
    const EXPECTED: &'static str = "a whole number such as 1954, or -380 for 380 BC";

    fn from_json(value: &serde_json::Value) -> Result<Self, BadValue> {
        Self::new(json::whole::<Self>(value)?)
    }
}

/// How many copies of a book there are to sell: 0 to 1,000,000,000.
///
/// ```
/// use bookhub_core::Stock;
///
/// let stock = Stock::new(3).unwrap();
/// assert_eq!(stock.moved_by(-2).unwrap().count(), 1);
/// assert_eq!(stock.moved_by(-4), None);
/// ```
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(try_from = "i64", into = "u32")]
pub struct Stock(u32);

impl Stock {
    /// As many copies as a book may have.
    pub const MAX: u32 = 1_000_000_000;

    /// With so many copies, or fewer, a book is soon sold out.
    pub const LOW: u32 = 5;

    /// Accepts a number of copies or says why not.
    pub fn new(copies: i64) -> Result<Self, BadValue> {
        match u32::try_from(copies) {
            Ok(copies) if copies <= Self::MAX => Ok(Self(copies)),
            _ => Err(BadValue::new(format!("Must be from 0 to {}.", Self::MAX))),
        }
    }

    /// The number of copies.
    #[must_use]
    pub const fn count(self) -> u32 {
        self.0
    }

    /// Whether a book is soon sold out.
    #[must_use]
    pub const fn is_low(self) -> bool {
        self.0 <= Self::LOW
    }

    /// The stock after `delta` copies came (or went, if negative); `None` if that is no stock.
    #[must_use]
    pub fn moved_by(self, delta: i64) -> Option<Self> {
        i64::from(self.0).checked_add(delta).and_then(|copies| Self::new(copies).ok())
    }
}

impl fmt::Display for Stock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Stock {
    type Err = BadValue;

    fn from_str(text: &str) -> Result<Self, BadValue> {
        let copies = text.trim().parse();
        Self::new(copies.map_err(|_| BadValue::new(format!("Must be {}.", Self::EXPECTED)))?)
    }
}

impl TryFrom<i64> for Stock {
    type Error = BadValue;

    fn try_from(copies: i64) -> Result<Self, BadValue> {
        Self::new(copies)
    }
}

impl From<Stock> for u32 {
    fn from(stock: Stock) -> Self {
        stock.0
    }
}

impl FromJson for Stock {
    const EXPECTED: &'static str = "a whole number of copies, 0 or more";

    fn from_json(value: &serde_json::Value) -> Result<Self, BadValue> {
        Self::new(json::whole::<Self>(value)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn years_reach_to_the_next_one() {
        let now: Timestamp = "2026-11-23T12:00:00Z".parse().unwrap();
        for year in [-3000, -1, 1, 2026, 2027] {
            assert!(Year::new_at(year, now).is_ok(), "{year}");
        }
        for year in [i64::MIN, -3001, 0, 2028, 3000, 65_536 + 2000, i64::MAX] {
            assert!(Year::new_at(year, now).is_err(), "{year}");
        }
    }

    #[test]
    fn stock_never_leaves_its_range() {
        let most = Stock::new(Stock::MAX.into()).unwrap();
        assert_eq!(most.moved_by(1), None);
        assert_eq!(most.moved_by(i64::MAX), None);
        assert_eq!(most.moved_by(i64::MIN), None);
        assert_eq!(most.moved_by(-i64::from(Stock::MAX)), Some(Stock::default()));
        assert!(Stock::new(-1).is_err());
    }
}
