//! The orders as a store keeps them: what is asked of it, and with what.

use std::sync::Arc;

use async_trait::async_trait;
use futures_util::stream::BoxStream;
use jiff::Timestamp;

use crate::{
    book::{Book, BookId},
    error::{OrderWriteError, StoreError},
    order::{
        Customer, Fingerprint, IdempotencyKey, Order, OrderDraft, OrderId, OrderItem, OrderLine,
        OrderStatus, PriceChange, Refusal, Shortage,
    },
    query::{OrderPage, OrderQuery},
    user::UserId,
};

/// The orders. An order and the stock of its books move together: whoever reads them when the call
/// has returned sees both or neither.
///
/// In the feed each order that was placed or moved is one change, and each book whose stock moved
/// is one `BookUpdated`, with `stock` and `stock_version` moved and `version` as it was. In what
/// order these stand among each other is not promised.
///
/// ```
/// use bookhub_core::{MemoryStore, OrderId, OrderStore};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let id = OrderId::generate(jiff::Timestamp::now());
/// assert!(MemoryStore::new().order(id).await.unwrap().is_none());
/// # }
/// ```
#[async_trait]
pub trait OrderStore: Send + Sync {
    /// Takes the copies of all books of the order, or of none, freezes their prices, and keeps the
    /// order. Fails with `PriceChanged`, which is looked for first, or `OutOfStock`.
    ///
    /// A repeat, of the same user with the same key and fingerprint, takes no copies: it gets what
    /// the first one got, a refusal too; if the order was placed, then as it was at that time,
    /// whatever became of it. It fails with `KeyReused` if the fingerprint is another one, and
    /// with `InFlight` while the first is not decided. Keys of different users never meet. They
    /// are remembered for [`IdempotencyKey::LIFETIME`].
    async fn place_order(&self, order: NewOrder) -> Result<Arc<Order>, OrderWriteError>;

    /// The order `id` as it is.
    async fn order(&self, id: OrderId) -> Result<Option<Arc<Order>>, StoreError>;

    /// One page of orders, the newest first: by `created_at`, then by id, both descending. An order
    /// that exists all the while is on exactly one page of a walk along the cursors, unless it
    /// moves to another status than the one asked for.
    async fn orders(&self, query: &OrderQuery) -> Result<OrderPage, StoreError>;

    /// Every order, in whatever order. One that is there all the while is found once, as it is at
    /// some moment of the walk; one that is placed meanwhile is found or not.
    fn all_orders(&self) -> BoxStream<'static, Result<Arc<Order>, StoreError>>;

    /// Moves the order `id` to `status` if its version is `expected` and its status may become
    /// that one; `at` becomes its `updated_at`. `Cancelled` puts the copies back, once; books that
    /// are gone are passed over, and no stock exceeds [`Stock::MAX`](crate::Stock::MAX). Fails with
    /// `NotFound`, `VersionConflict`, which is looked for first, or `NotAllowed`.
    async fn set_order_status(
        &self,
        id: OrderId,
        expected: u64,
        status: OrderStatus,
        at: Timestamp,
    ) -> Result<Arc<Order>, OrderWriteError>;

    /// Finishes or undoes what writers that died have begun before `before`. A backend whose
    /// writes are atomic has nothing to do.
    async fn settle_orders(&self, before: Timestamp) -> Result<Settled, StoreError>;
}

/// An order that is to be placed.
///
/// ```
/// use bookhub_core::{NewOrder, OrderDraft, OrderId, UserId};
/// # let book = "01890a5d-ac96-774b-bcce-b302099a8057";
/// # let json = serde_json::json!({"items": [{"bookId": book, "quantity": 1}], "customer": {"name": "Alice"}});
/// # let draft = OrderDraft::from_json(json.as_object().unwrap()).unwrap();
///
/// let now = jiff::Timestamp::now();
/// let (id, alice) = (OrderId::generate(now), UserId::generate(now));
/// let order = NewOrder::of_draft(id, alice, draft, None, now);
/// assert!(order.idempotency.is_none());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewOrder {
    /// Its name for ever.
    pub id: OrderId,
    /// Who orders.
    pub user: UserId,
    /// What to buy, each line another book.
    pub lines: Vec<OrderLine>,
    /// Who gets it.
    pub customer: Customer,
    /// By what a repeat is known, and what it must ask for.
    pub idempotency: Option<(IdempotencyKey, Fingerprint)>,
    /// When it is placed.
    pub created_at: Timestamp,
}

impl NewOrder {
    /// The order that `draft` describes.
    #[must_use]
    pub fn of_draft(
        id: OrderId,
        user: UserId,
        draft: OrderDraft,
        key: Option<IdempotencyKey>,
        created_at: Timestamp,
    ) -> Self {
        let idempotency = key.map(|key| (key, draft.fingerprint()));
        let OrderDraft { lines, customer } = draft;
        Self { id, user, lines, customer, idempotency, created_at }
    }

    /// Why it cannot be placed, with the books as they are, if it cannot: changed prices first.
    pub(super) fn refusal<'a>(&self, book: impl Fn(BookId) -> Option<&'a Book>) -> Option<Refusal> {
        let changes = self.lines.iter().filter_map(|line| {
            let (expected, current) = (line.expected_price?, book(line.book)?.content.price);
            (expected != current).then_some(PriceChange { book: line.book, expected, current })
        });
        let changes: Vec<_> = changes.collect();
        if !changes.is_empty() {
            return Some(Refusal::PriceChanged(changes));
        }
        let shortages = self.lines.iter().map(|line| line.shortage(book(line.book)));
        let shortages: Vec<_> =
            shortages.filter(|short| short.available.count() < short.wanted.count()).collect();
        (!shortages.is_empty()).then_some(Refusal::OutOfStock(shortages))
    }

    /// The order as it is when it is placed with these items.
    #[must_use]
    pub fn placed(&self, items: Vec<OrderItem>) -> Order {
        Order::new(self.id, self.user, items, self.customer.clone(), self.created_at)
    }
}

/// What [`OrderStore::settle_orders`] found to do.
///
/// ```
/// use bookhub_core::{MemoryStore, OrderStore, Settled};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let settled = MemoryStore::new().settle_orders(jiff::Timestamp::now()).await.unwrap();
/// assert_eq!(settled, Settled::default());
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Settled {
    /// How many orders, or moves of orders, were finished.
    pub finished: u64,
    /// How many were undone.
    pub undone: u64,
}

impl OrderLine {
    /// What there is of what it wants.
    pub(super) fn shortage(&self, book: Option<&Book>) -> Shortage {
        Shortage {
            book: self.book,
            title: book.map(|book| book.content.title.clone()),
            wanted: self.quantity,
            available: book.map(|book| book.stock).unwrap_or_default(),
        }
    }
}
