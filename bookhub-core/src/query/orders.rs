//! Which orders somebody asks for ([`OrderQuery`]), what they get ([`OrderPage`]), and where the
//! next page begins ([`OrderCursor`]).

use std::{fmt, sync::Arc};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use uuid::Uuid;

use super::{PageSize, cursor::checksum, read_query, unknown};
use crate::{
    error::{BadValue, Invalid},
    order::{Order, OrderId, OrderStatus},
    user::UserId,
};

/// Which orders somebody wants to see, newest first: of whom, with which status, how many, and
/// after which.
///
/// ```
/// use bookhub_core::{OrderQuery, OrderStatus};
///
/// let query = OrderQuery::parse([("status", "placed"), ("limit", "10")]).unwrap();
/// assert_eq!(query.status(), Some(OrderStatus::Placed));
/// assert_eq!((query.user(), query.limit().get()), (None, 10));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OrderQuery {
    user: Option<UserId>,
    status: Option<OrderStatus>,
    limit: PageSize,
    after: Option<OrderCursor>,
}

impl OrderQuery {
    /// Reads the parameters of a query: `user`, `status`, `limit` and `cursor`, each at most once.
    /// A blank `user` or `status` asks for nothing.
    pub fn parse<N: AsRef<str>, V: AsRef<str>>(
        parameters: impl IntoIterator<Item = (N, V)>,
    ) -> Result<Self, Invalid> {
        read_query(parameters, Self::read)
    }

    fn read(&mut self, name: &str, value: &str) -> Result<(), BadValue> {
        let said = !value.trim().is_empty();
        match name {
            "user" => self.user = said.then(|| value.parse()).transpose()?,
            "status" => self.status = said.then(|| value.parse()).transpose()?,
            "limit" => self.limit = value.parse()?,
            "cursor" => self.after = Some(OrderCursor::parse(value)?),
            _ => return Err(unknown("user, status, limit, cursor")),
        }
        Ok(())
    }

    /// This query, but only orders of this user.
    #[must_use]
    pub fn with_user(mut self, user: UserId) -> Self {
        self.user = Some(user);
        self
    }

    /// This query, but only orders with this status.
    #[must_use]
    pub fn with_status(mut self, status: OrderStatus) -> Self {
        self.status = Some(status);
        self
    }

    /// This query with pages of this size.
    #[must_use]
    pub fn with_limit(mut self, limit: PageSize) -> Self {
        self.limit = limit;
        self
    }

    /// This query from behind a cursor on.
    #[must_use]
    pub fn after_cursor(mut self, cursor: OrderCursor) -> Self {
        self.after = Some(cursor);
        self
    }

    /// Of whom; `None` for everybody.
    #[must_use]
    pub fn user(&self) -> Option<UserId> {
        self.user
    }

    /// With which status; `None` for any.
    #[must_use]
    pub fn status(&self) -> Option<OrderStatus> {
        self.status
    }

    /// At most how many.
    #[must_use]
    pub fn limit(&self) -> PageSize {
        self.limit
    }

    /// After which place in the order of time.
    #[must_use]
    pub fn after(&self) -> Option<OrderCursor> {
        self.after
    }

    /// Whether `order` is among the orders asked for, on whatever page. This is the definition
    /// that every backend implements with indexes.
    #[must_use]
    pub fn matches(&self, order: &Order) -> bool {
        self.user.is_none_or(|user| user == order.user)
            && self.status.is_none_or(|status| status == order.status)
    }
}

/// One page of the answer to an [`OrderQuery`].
///
/// ```
/// use bookhub_core::{MemoryStore, OrderQuery, OrderStore};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let page = MemoryStore::new().orders(&OrderQuery::default()).await.unwrap();
/// assert!(page.orders.is_empty() && page.next.is_none());
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderPage {
    /// The orders, newest first.
    pub orders: Vec<Arc<Order>>,
    /// Where the next page begins; `None` if this is the last one.
    pub next: Option<OrderCursor>,
}

/// A place among the orders: right behind one of them, on the way to older ones.
///
/// ```
/// use bookhub_core::{OrderCursor, OrderId};
///
/// let now = jiff::Timestamp::now();
/// let cursor = OrderCursor::new(now.as_millisecond(), OrderId::generate(now));
/// assert_eq!(OrderCursor::parse(&cursor.to_string()), Ok(cursor));
/// assert!(OrderCursor::parse("made-up").is_err());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct OrderCursor {
    created: i64,
    id: OrderId,
}

impl OrderCursor {
    /// The place behind the order `id` that was placed at this millisecond of Unix time.
    #[must_use]
    pub const fn new(created: i64, id: OrderId) -> Self {
        Self { created, id }
    }

    /// The place behind `order`.
    #[must_use]
    pub fn behind(order: &Order) -> Self {
        Self::new(order.created_at.as_millisecond(), order.id)
    }

    /// Reads a cursor.
    pub fn parse(text: &str) -> Result<Self, BadValue> {
        Self::decode(text).ok_or_else(|| {
            let way_out = "take the one of the last page's link, or leave it out to start anew";
            BadValue::new(format!("Is no cursor of this shop's orders: {way_out}."))
        })
    }

    /// When the order in front of it was placed, in milliseconds of Unix time.
    #[must_use]
    pub const fn created(self) -> i64 {
        self.created
    }

    /// The order in front of it.
    #[must_use]
    pub const fn id(self) -> OrderId {
        self.id
    }

    /// The checksum (4 bytes), the time (8), the id (16).
    fn decode(text: &str) -> Option<Self> {
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).ok()?;
        let (sum, rest) = bytes.split_first_chunk::<4>()?;
        let (created, id) = rest.split_first_chunk::<8>()?;
        let id = OrderId::from_uuid(Uuid::from_bytes(id.try_into().ok()?));
        (*sum == checksum(rest)).then(|| Self::new(i64::from_be_bytes(*created), id))
    }
}

impl fmt::Display for OrderCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rest = [&self.created.to_be_bytes()[..], self.id.uuid().as_bytes()].concat();
        let bytes = [&checksum(&rest)[..], &rest].concat();
        f.write_str(&BASE64_URL_SAFE_NO_PAD.encode(bytes))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn each_wrong_parameter_is_named() {
        for (name, value) in [
            ("user", "alice"),
            ("status", "lost"),
            ("limit", "0"),
            ("cursor", ""),
            ("cursor", "made-up"),
            ("sort", "newest"),
        ] {
            let invalid = OrderQuery::parse([(name, value)]).unwrap_err();
            assert_eq!(invalid.errors()[0].field, name, "{value}");
        }
        assert!(OrderQuery::parse([("limit", "1"), ("limit", "1")]).is_err());
        let nothing = OrderQuery::parse([("user", " "), ("status", "")]);
        assert_eq!(nothing, Ok(OrderQuery::default()));
    }

    proptest! {
        #[test]
        fn a_cursor_survives_its_text(created: i64, id: u128) {
            let cursor = OrderCursor::new(created, OrderId::from_uuid(Uuid::from_u128(id)));
            prop_assert_eq!(OrderCursor::parse(&cursor.to_string()), Ok(cursor));
        }

        #[test]
        fn any_text_is_read_without_panic(text in "[A-Za-z0-9_-]{0,80}|\\PC{0,40}") {
            prop_assert!(OrderCursor::parse(&text).is_err());
        }
    }
}
