//! How far an order has come, and where it may go from there.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    error::BadValue,
    json::{self, FromJson},
};

/// How far an order has come: placed, shipped, delivered; or cancelled before it was shipped.
///
/// ```
/// use bookhub_core::OrderStatus;
///
/// assert!(OrderStatus::Placed.may_become(OrderStatus::Shipped));
/// assert!(!OrderStatus::Shipped.may_become(OrderStatus::Cancelled));
/// assert_eq!("cancelled".parse(), Ok(OrderStatus::Cancelled));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OrderStatus {
    /// Its copies are put aside.
    Placed,
    /// It is on its way.
    Shipped,
    /// It has arrived: the end.
    Delivered,
    /// Its copies are for sale again: the end.
    Cancelled,
}

impl OrderStatus {
    /// Every status.
    pub const ALL: [Self; 4] = [Self::Placed, Self::Shipped, Self::Delivered, Self::Cancelled];

    /// Whether an order may go from this status to `next`.
    #[must_use]
    pub const fn may_become(self, next: Self) -> bool {
        matches!(
            (self, next),
            (Self::Placed, Self::Shipped | Self::Cancelled) | (Self::Shipped, Self::Delivered)
        )
    }

    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Placed => "placed",
            Self::Shipped => "shipped",
            Self::Delivered => "delivered",
            Self::Cancelled => "cancelled",
        }
    }
}

impl fmt::Display for OrderStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for OrderStatus {
    type Err = BadValue;

    fn from_str(text: &str) -> Result<Self, BadValue> {
        let named = Self::ALL.into_iter().find(|status| status.as_str() == text);
        named.ok_or_else(|| BadValue::new(format!("Must be {}.", Self::EXPECTED)))
    }
}

impl FromJson for OrderStatus {
    const EXPECTED: &'static str = "placed, shipped, delivered or cancelled";

    fn from_json(value: &Value) -> Result<Self, BadValue> {
        json::text::<Self>(value)?.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_never_goes_back() {
        for from in OrderStatus::ALL {
            for to in OrderStatus::ALL {
                assert!(!(from.may_become(to) && to.may_become(from)), "{from} and {to}");
            }
        }
        for end in [OrderStatus::Delivered, OrderStatus::Cancelled] {
            assert!(OrderStatus::ALL.iter().all(|next| !end.may_become(*next)), "{end}");
        }
    }

    #[test]
    fn names_are_those_of_json() {
        for status in OrderStatus::ALL {
            assert_eq!(serde_json::to_value(status).unwrap(), status.as_str());
            assert_eq!(status.as_str().parse(), Ok(status));
        }
    }
}
