//! An order as a document: what was ordered, how far it has come, and what is still to do for it.

use jiff::Timestamp;
use mongodb::bson::{self, DateTime};
use serde::{Deserialize, Serialize};

use super::{SCHEMA, count, date, plain, timestamp, uuid};
use crate::{
    book::{Author, BookId, Genre, Title},
    error::StoreError,
    money::Price,
    order::{
        Address, Customer, CustomerName, Fingerprint, IdempotencyKey, Order, OrderId, OrderItem,
        OrderStatus, Phone, Quantity, Refusal,
    },
    store::NewOrder,
    user::{Email, UserId},
};

/// How far an order has come, as clients and the database see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(in super::super) enum Status {
    /// Its copies are being taken.
    Pending,
    /// They could not all be taken.
    Rejected,
    Placed,
    Shipped,
    Delivered,
    Cancelled,
}

impl Status {
    /// What clients see of it; nothing of an order that was never placed.
    pub(in super::super) const fn shown(self) -> Option<OrderStatus> {
        match self {
            Self::Pending | Self::Rejected => None,
            Self::Placed => Some(OrderStatus::Placed),
            Self::Shipped => Some(OrderStatus::Shipped),
            Self::Delivered => Some(OrderStatus::Delivered),
            Self::Cancelled => Some(OrderStatus::Cancelled),
        }
    }
}

/// What is still to be done for an order, whoever does it. Each can be done again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(in super::super) enum Todo {
    /// Hold its copies, and decide: placed, or rejected.
    Decide,
    /// Give back what is held for it.
    Release,
    /// Put the copies of a cancelled one back.
    Return,
    /// Take away the marks of holding and returning.
    Forget,
}

impl Todo {
    pub(in super::super) const fn name(self) -> &'static str {
        match self {
            Self::Decide => "decide",
            Self::Release => "release",
            Self::Return => "return",
            Self::Forget => "forget",
        }
    }
}

/// A refusal as it is kept: as JSON, so that it is told again as it was.
pub(in super::super) fn text_of(refusal: &Refusal) -> String {
    serde_json::to_string(refusal).unwrap_or_default()
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in super::super) struct OrderDocument {
    #[serde(rename = "_id")]
    pub(in super::super) id: bson::Uuid,
    schema: i32,
    user: bson::Uuid,
    pub(in super::super) items: Vec<ItemDocument>,
    customer: CustomerDocument,
    pub(in super::super) status: Status,
    /// In paise.
    total: i64,
    created_at: DateTime,
    updated_at: DateTime,
    pub(in super::super) version: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in super::super) todo: Option<Todo>,
    /// When that was begun.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    todo_since: Option<DateTime>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    refusal: Option<String>,
    /// The user and the key by which a repeat is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in super::super) key: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    fingerprint: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in super::super) struct ItemDocument {
    book: bson::Uuid,
    title: Title,
    author: Author,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    genre: Option<Genre>,
    /// In paise.
    price: i64,
    quantity: i64,
}

impl ItemDocument {
    pub(in super::super) fn book(&self) -> BookId {
        BookId::from_uuid(plain(self.book))
    }

    pub(in super::super) const fn copies(&self) -> i64 {
        self.quantity
    }
}

#[derive(Debug, Serialize, Deserialize)]
struct CustomerDocument {
    name: CustomerName,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    email: Option<Email>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    phone: Option<Phone>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    address: Option<Address>,
}

impl OrderDocument {
    /// An order whose copies are to be taken.
    pub(in super::super) fn pending(
        order: &NewOrder,
        items: Vec<OrderItem>,
        now: Timestamp,
    ) -> Self {
        Self {
            todo: Some(Todo::Decide),
            todo_since: Some(date(now)),
            ..Self::of(order, items, Status::Pending)
        }
    }

    /// An order that is refused at the first look.
    pub(in super::super) fn rejected(order: &NewOrder, refusal: &Refusal) -> Self {
        let refusal = Some(text_of(refusal));
        Self { refusal, ..Self::of(order, Vec::new(), Status::Rejected) }
    }

    fn of(order: &NewOrder, items: Vec<OrderItem>, status: Status) -> Self {
        let Order { total, items, customer, .. } = order.placed(items);
        let item = |item: OrderItem| ItemDocument {
            book: uuid(item.book.uuid()),
            title: item.title,
            author: item.author,
            genre: item.genre,
            price: count(item.price.paise()),
            quantity: item.quantity.count().into(),
        };
        let Customer { name, email, phone, address } = customer;
        let known = order.idempotency.as_ref();
        Self {
            id: uuid(order.id.uuid()),
            schema: SCHEMA,
            user: uuid(order.user.uuid()),
            items: items.into_iter().map(item).collect(),
            customer: CustomerDocument { name, email, phone, address },
            status,
            total: count(total.paise()),
            created_at: date(order.created_at),
            updated_at: date(order.created_at),
            version: 1,
            todo: None,
            todo_since: None,
            refusal: None,
            key: known.map(|(key, _)| key_of(order.user, key)),
            fingerprint: known.map(|(_, fingerprint)| fingerprint.to_string()),
        }
    }

    pub(in super::super) fn id(&self) -> OrderId {
        OrderId::from_uuid(plain(self.id))
    }

    pub(in super::super) fn created_at(&self) -> Timestamp {
        timestamp(self.created_at)
    }

    pub(in super::super) fn is_of(&self, fingerprint: Fingerprint) -> bool {
        self.fingerprint.as_deref() == Some(&fingerprint.to_string())
    }

    /// The order, if it was placed.
    pub(in super::super) fn shown(&self) -> Result<Option<Order>, StoreError> {
        self.status.shown().map(|status| self.order(status)).transpose()
    }

    /// The order as it was when it was placed.
    pub(in super::super) fn as_placed(&self) -> Result<Order, StoreError> {
        let order = self.order(OrderStatus::Placed)?;
        Ok(Order { updated_at: order.created_at, version: 1, ..order })
    }

    fn order(&self, status: OrderStatus) -> Result<Order, StoreError> {
        let id = self.id();
        let bad =
            |problem: &dyn std::fmt::Display| StoreError::Corrupt(format!("order {id}: {problem}"));
        let item = |item: &ItemDocument| {
            let paise = u64::try_from(item.price).map_err(|error| bad(&error))?;
            Ok::<_, StoreError>(OrderItem {
                book: item.book(),
                title: item.title.clone(),
                author: item.author.clone(),
                genre: item.genre.clone(),
                price: Price::from_paise(paise).map_err(|error| bad(&error))?,
                quantity: Quantity::new(item.quantity).map_err(|error| bad(&error))?,
            })
        };
        let items = self.items.iter().map(item).collect::<Result<Vec<_>, _>>()?;
        let CustomerDocument { name, email, phone, address } = &self.customer;
        let customer = Customer {
            name: name.clone(),
            email: email.clone(),
            phone: phone.clone(),
            address: address.clone(),
        };
        let user = UserId::from_uuid(plain(self.user));
        let placed = Order::new(id, user, items, customer, timestamp(self.created_at));
        let version = u64::try_from(self.version).map_err(|error| bad(&error))?;
        Ok(Order { status, updated_at: timestamp(self.updated_at), version, ..placed })
    }

    pub(in super::super) fn refusal(&self) -> Result<Refusal, StoreError> {
        let text = self.refusal.as_deref().unwrap_or_default();
        serde_json::from_str(text)
            .map_err(|error| StoreError::Corrupt(format!("order {}, refusal: {error}", self.id())))
    }
}

/// By what a repeat of this user is known.
pub(in super::super) fn key_of(user: UserId, key: &IdempotencyKey) -> String {
    format!("{user}/{}", key.as_str())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{Book, BookDraft};

    #[test]
    fn an_item_keeps_its_genre_and_one_of_long_ago_is_read_without() {
        let now = Timestamp::UNIX_EPOCH;
        let json = json!({"title": "Emma", "author": "Jane Austen", "genre": "Classics", "year": 1815, "price": 199});
        let draft = BookDraft::from_json(json.as_object().unwrap()).unwrap();
        let emma = Book::new(BookId::generate(now), draft, now);
        let items = vec![OrderItem::of(&emma, Quantity::new(2).unwrap())];
        let order = NewOrder {
            id: OrderId::generate(now),
            user: UserId::generate(now),
            lines: Vec::new(),
            customer: Customer {
                name: CustomerName::new("Alice").unwrap(),
                email: None,
                phone: None,
                address: None,
            },
            idempotency: None,
            created_at: now,
        };
        let pending = OrderDocument::pending(&order, items.clone(), now);
        let mut written = bson::serialize_to_document(&pending).unwrap();
        let read = |document| bson::deserialize_from_document::<OrderDocument>(document).unwrap();
        assert_eq!(read(written.clone()).as_placed().unwrap().items, items);
        let item = written.get_array_mut("items").unwrap()[0].as_document_mut().unwrap();
        item.remove("genre");
        let old = OrderItem { genre: None, ..items[0].clone() };
        assert_eq!(read(written).as_placed().unwrap().items, [old]);
    }
}
