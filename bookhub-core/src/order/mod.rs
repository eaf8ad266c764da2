//! Orders: what one is ([`Order`]), what somebody wants to buy ([`OrderDraft`]), how far it has
//! come ([`OrderStatus`]), and why it was refused. Must not know how orders are kept.

mod customer;
mod draft;
mod key;
mod patch;
mod quantity;
mod refusal;
mod status;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use customer::{Address, Customer, CustomerName, Phone};
pub use draft::{OrderDraft, OrderLine};
pub use key::{Fingerprint, IdempotencyKey};
pub use patch::OrderPatch;
pub use quantity::Quantity;
pub(crate) use refusal::Refusal;
pub use refusal::{PriceChange, Shortage};
pub use status::OrderStatus;

pub use crate::id::OrderId;
use crate::{
    book::{Author, Book, BookId, Genre, Title},
    money::{Amount, Price},
    user::UserId,
};

/// An order as it was at one moment. As JSON it has the fields of the HTTP API.
///
/// ```
/// use bookhub_core::{Order, OrderId, OrderItem, OrderStatus, Quantity, UserId};
/// # use bookhub_core::{Book, BookDraft, BookId, Customer, CustomerName};
/// # let json = serde_json::json!({"title": "Emma", "author": "Jane Austen", "genre": "Classics", "year": 1815, "price": 199.5});
/// # let draft = BookDraft::from_json(json.as_object().unwrap()).unwrap();
/// # let now = jiff::Timestamp::now();
/// # let emma = Book::new(BookId::generate(now), draft, now);
/// # let name = CustomerName::new("Alice").unwrap();
/// # let customer = Customer { name, email: None, phone: None, address: None };
/// # let alice = UserId::generate(now);
///
/// let items = vec![OrderItem::of(&emma, Quantity::new(2).unwrap())];
/// let order = Order::new(OrderId::generate(now), alice, items, customer, now);
/// assert_eq!(order.total.to_string(), "399");
/// assert_eq!((order.status, order.version), (OrderStatus::Placed, 1));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Order {
    /// Its name for ever.
    pub id: OrderId,
    /// Who ordered.
    #[serde(rename = "userId")]
    pub user: UserId,
    /// What was ordered; each item is another book.
    pub items: Vec<OrderItem>,
    /// Who gets it.
    pub customer: Customer,
    /// How far it has come.
    pub status: OrderStatus,
    /// What all items cost together.
    pub total: Amount,
    /// When it was placed.
    pub created_at: Timestamp,
    /// When its status last changed; `created_at` at first.
    pub updated_at: Timestamp,
    /// Counts the changes; 1 at first.
    pub version: u64,
}

impl Order {
    /// The order of these items, placed at `now`.
    #[must_use]
    pub fn new(
        id: OrderId,
        user: UserId,
        items: Vec<OrderItem>,
        customer: Customer,
        now: Timestamp,
    ) -> Self {
        Self {
            id,
            user,
            total: items.iter().map(OrderItem::amount).sum(),
            items,
            customer,
            status: OrderStatus::Placed,
            created_at: now,
            updated_at: now,
            version: 1,
        }
    }

    /// The order after its status changed to `status` at `now`.
    #[must_use]
    pub fn moved_to(&self, status: OrderStatus, now: Timestamp) -> Self {
        Self { status, updated_at: now, version: self.version + 1, ..self.clone() }
    }
}

/// Copies of one book in an order, as the book was when it was ordered.
///
/// ```
/// use bookhub_core::{OrderItem, Quantity};
/// # use bookhub_core::{Book, BookDraft, BookId};
/// # let json = serde_json::json!({"title": "Emma", "author": "Jane Austen", "genre": "Classics", "year": 1815, "price": 199.5});
/// # let draft = BookDraft::from_json(json.as_object().unwrap()).unwrap();
/// # let now = jiff::Timestamp::now();
/// # let emma = Book::new(BookId::generate(now), draft, now);
///
/// let item = OrderItem::of(&emma, Quantity::new(2).unwrap());
/// assert_eq!(item.amount().to_string(), "399");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OrderItem {
    /// Which book.
    #[serde(rename = "bookId")]
    pub book: BookId,
    /// Its title at that time.
    pub title: Title,
    /// Its author at that time.
    pub author: Author,
    /// Its genre at that time; orders of long ago do not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub genre: Option<Genre>,
    /// What a copy cost at that time.
    pub price: Price,
    /// How many copies.
    pub quantity: Quantity,
}

impl OrderItem {
    /// So many copies of `book` as it is.
    #[must_use]
    pub fn of(book: &Book, quantity: Quantity) -> Self {
        let content = &book.content;
        Self {
            book: book.id,
            title: content.title.clone(),
            author: content.author.clone(),
            genre: Some(content.genre.clone()),
            price: content.price,
            quantity,
        }
    }

    /// What the copies cost together.
    #[must_use]
    pub fn amount(&self) -> Amount {
        Amount::of(self.price, self.quantity.count())
    }
}
