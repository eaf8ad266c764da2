//! In which order books are listed.

use std::{fmt, str::FromStr};

use crate::error::BadValue;

/// By what books are sorted.
///
/// ```
/// use bookhub_core::{Sort, SortBy};
///
/// assert_eq!("-year".parse::<Sort>().unwrap().by, SortBy::Year);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SortBy {
    /// When they came into the catalogue.
    Created,
    /// The [`sort_key`](crate::sort_key) of the title.
    Title,
    /// The [`sort_key`](crate::sort_key) of the author.
    Author,
    /// What they cost.
    Price,
    /// When they came out.
    Year,
}

/// Which end of the order comes first.
///
/// ```
/// use bookhub_core::{Direction, Sort};
///
/// assert_eq!("-price".parse::<Sort>().unwrap().direction, Direction::Descending);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// The smallest first.
    Ascending,
    /// The greatest first.
    Descending,
}

/// The order of a list of books. Books that are equal in it are sorted by id, in the same direction.
///
/// ```
/// use bookhub_core::Sort;
///
/// for name in ["newest", "oldest", "title", "-title", "author", "-author", "price", "-year"] {
///     assert_eq!(name.parse::<Sort>().unwrap().to_string(), name);
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Sort {
    /// By what.
    pub by: SortBy,
    /// Which end first.
    pub direction: Direction,
}

impl Sort {
    /// What came into the catalogue last comes first.
    pub const NEWEST: Self = Self { by: SortBy::Created, direction: Direction::Descending };

    /// Every order there is, with its name.
    pub const ALL: [(&'static str, Self); 10] = [
        ("newest", Self::NEWEST),
        ("oldest", Self { by: SortBy::Created, direction: Direction::Ascending }),
        ("title", Self { by: SortBy::Title, direction: Direction::Ascending }),
        ("-title", Self { by: SortBy::Title, direction: Direction::Descending }),
        ("author", Self { by: SortBy::Author, direction: Direction::Ascending }),
        ("-author", Self { by: SortBy::Author, direction: Direction::Descending }),
        ("price", Self { by: SortBy::Price, direction: Direction::Ascending }),
        ("-price", Self { by: SortBy::Price, direction: Direction::Descending }),
        ("year", Self { by: SortBy::Year, direction: Direction::Ascending }),
        ("-year", Self { by: SortBy::Year, direction: Direction::Descending }),
    ];

    /// Its place among [`ALL`](Self::ALL).
    pub(super) fn number(self) -> u8 {
        let place = Self::ALL.iter().position(|(_, sort)| *sort == self);
        place.and_then(|place| u8::try_from(place).ok()).unwrap_or(0)
    }
}

impl Default for Sort {
    fn default() -> Self {
        Self::NEWEST
    }
}

impl fmt::Display for Sort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(Self::ALL[usize::from(self.number())].0)
    }
}

impl FromStr for Sort {
    type Err = BadValue;

    fn from_str(text: &str) -> Result<Self, BadValue> {
        let known = Self::ALL.iter().find(|(name, _)| *name == text);
        known.map(|(_, sort)| *sort).ok_or_else(|| {
            let names = Self::ALL.map(|(name, _)| name).join(", ");
            BadValue::new(format!("Must be one of {names}."))
        })
    }
}
