//! What can be done to the shop, by its name in the audit trail.

use std::{fmt, str::FromStr};

use serde::{Serialize, Serializer};

use crate::error::BadValue;

/// What somebody did.
///
/// ```
/// use bookhub_core::Action;
///
/// assert_eq!("book.stock_adjusted".parse(), Ok(Action::BookStockAdjusted));
/// assert!("book.read".parse::<Action>().is_err());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Action {
    /// A book was put into the catalogue.
    BookCreated,
    /// A book was edited.
    BookUpdated,
    /// A book was taken out of the catalogue.
    BookDeleted,
    /// The stock of a book was corrected, for a reason.
    BookStockAdjusted,
    /// An order was moved along.
    OrderStatusChanged,
    /// An account was made that may run the shop.
    UserCreated,
    /// A user may do more or less than before.
    UserRoleChanged,
    /// A user has another password.
    UserPasswordChanged,
    /// An account was deleted.
    UserDeleted,
}

impl Action {
    /// Every action.
    pub const ALL: [Self; 9] = [
        Self::BookCreated,
        Self::BookUpdated,
        Self::BookDeleted,
        Self::BookStockAdjusted,
        Self::OrderStatusChanged,
        Self::UserCreated,
        Self::UserRoleChanged,
        Self::UserPasswordChanged,
        Self::UserDeleted,
    ];

    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BookCreated => "book.created",
            Self::BookUpdated => "book.updated",
            Self::BookDeleted => "book.deleted",
            Self::BookStockAdjusted => "book.stock_adjusted",
            Self::OrderStatusChanged => "order.status_changed",
            Self::UserCreated => "user.created",
            Self::UserRoleChanged => "user.role_changed",
            Self::UserPasswordChanged => "user.password_changed",
            Self::UserDeleted => "user.deleted",
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Action {
    type Err = BadValue;

    fn from_str(text: &str) -> Result<Self, BadValue> {
        let named = Self::ALL.into_iter().find(|action| action.as_str() == text);
        named.ok_or_else(|| {
            let names = Self::ALL.map(Self::as_str).join(", ");
            BadValue::new(format!("Must be one of {names}."))
        })
    }
}

impl Serialize for Action {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_action_is_known_by_its_name() {
        for action in Action::ALL {
            assert_eq!(action.as_str().parse(), Ok(action));
            assert_eq!(serde_json::to_value(action).unwrap(), action.as_str());
        }
    }
}
