//! Names of things: UUIDs, one type for each kind of thing so that they cannot be mixed up.

use std::{fmt, str::FromStr, sync::Mutex};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::{ContextV7, Uuid};

use crate::{
    error::BadValue,
    json::{self, FromJson},
};

/// Defines an identifier around a UUID.
macro_rules! id_type {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// The name that is this UUID.
            #[must_use]
            pub const fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }

            /// The UUID that is the name.
            #[must_use]
            pub const fn uuid(self) -> Uuid {
                self.0
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = BadValue;

            fn from_str(text: &str) -> Result<Self, BadValue> {
                parse(text).map(Self)
            }
        }
    };
}

id_type! {
    /// The name of a book: a UUIDv7, so that later books have greater names.
    ///
    /// ```
    /// use bookhub_core::BookId;
    ///
    /// let now = jiff::Timestamp::now();
    /// assert!(BookId::generate(now) < BookId::generate(now));
    /// assert!("not-a-uuid".parse::<BookId>().is_err());
    /// ```
    BookId
}

id_type! {
    /// The name of an account: a UUIDv7.
    ///
    /// ```
    /// use bookhub_core::UserId;
    ///
    /// let id = UserId::generate(jiff::Timestamp::now());
    /// assert_eq!(id.to_string().parse(), Ok(id));
    /// ```
    UserId
}

id_type! {
    /// The name of an order: a UUIDv7, so that later orders have greater names.
    ///
    /// ```
    /// use bookhub_core::OrderId;
    ///
    /// let now = jiff::Timestamp::now();
    /// assert!(OrderId::generate(now) < OrderId::generate(now));
    /// ```
    OrderId
}

id_type! {
    /// The name of an entry in the audit trail: a UUIDv7, so that later entries have greater names.
    ///
    /// ```
    /// use bookhub_core::AuditId;
    ///
    /// let now = jiff::Timestamp::now();
    /// assert!(AuditId::generate(now) < AuditId::generate(now));
    /// ```
    AuditId
}

id_type! {
    /// The name of a session: 122 random bits, impossible to guess. Whoever knows it is logged in,
    /// so it is not printed by `Debug` of anything that is logged as a matter of course.
    ///
    /// ```
    /// use bookhub_core::SessionId;
    ///
    /// assert_ne!(SessionId::generate(), SessionId::generate());
    /// ```
    SessionId
}

impl BookId {
    /// A new name, greater than all that this process generated before for the same time.
    #[must_use]
    pub fn generate(now: Timestamp) -> Self {
        Self(version_7(now))
    }
}

impl UserId {
    /// A new name.
    #[must_use]
    pub fn generate(now: Timestamp) -> Self {
        Self(version_7(now))
    }
}

impl OrderId {
    /// A new name, greater than all that this process generated before for the same time.
    #[must_use]
    pub fn generate(now: Timestamp) -> Self {
        Self(version_7(now))
    }
}

impl AuditId {
    /// A new name, greater than all that this process generated before for the same time.
    #[must_use]
    pub fn generate(now: Timestamp) -> Self {
        Self(version_7(now))
    }
}

impl SessionId {
    /// A new name, from the operating system's random source.
    #[must_use]
    pub fn generate() -> Self {
        Self(Uuid::new_v4())
    }
}

impl FromJson for BookId {
    const EXPECTED: &'static str = "the id of a book, such as 01890a5d-ac96-774b-bcce-b302099a8057";

    fn from_json(value: &serde_json::Value) -> Result<Self, BadValue> {
        json::text::<Self>(value)?.parse()
    }
}

/// Counts within a millisecond, for the whole process.
static CONTEXT: Mutex<ContextV7> = Mutex::new(ContextV7::new());

fn version_7(now: Timestamp) -> Uuid {
    let seconds = u64::try_from(now.as_second()).unwrap_or(0);
    let nanoseconds = u32::try_from(now.subsec_nanosecond()).unwrap_or(0);
    Uuid::new_v7(uuid::Timestamp::from_unix(&CONTEXT, seconds, nanoseconds))
}

/// Accepts only the hyphenated form, so that a thing has one name and not four.
pub(crate) fn parse(text: &str) -> Result<Uuid, BadValue> {
    let refused = || BadValue::new("Must be an id such as 01890a5d-ac96-774b-bcce-b302099a8057.");
    if text.len() != 36 {
        return Err(refused());
    }
    Uuid::parse_str(text).map_err(|_| refused())
}
