//! All orders with their index, and what buyers were told, as one value that is cheap to clone.
//! Must not know how a change becomes known.

use std::sync::Arc;

use imbl::{HashMap, OrdSet};
use jiff::Timestamp;
use uuid::Uuid;

use crate::{
    error::OrderWriteError,
    order::{Fingerprint, IdempotencyKey, Order, OrderId, OrderStatus, Refusal},
    query::{OrderCursor, OrderPage, OrderQuery},
    store::NewOrder,
    user::UserId,
};

/// The orders.
#[derive(Clone, Default)]
pub(super) struct Ledger {
    orders: HashMap<OrderId, Arc<Order>>,
    /// Every order on each of its shelves, by time.
    shelves: OrdSet<(Shelf, OrderCursor)>,
    answers: HashMap<(UserId, IdempotencyKey), (Fingerprint, Answer)>,
    expiring: OrdSet<(Timestamp, UserId, IdempotencyKey)>,
}

/// Orders that are listed together: those of one user or of all, with one status or with any.
type Shelf = (Option<UserId>, Option<OrderStatus>);

/// What somebody who ordered was told.
#[derive(Clone)]
pub(super) enum Answer {
    /// The order as it was placed.
    Placed(Arc<Order>),
    Refused(Refusal),
}

impl Answer {
    /// The answer as the store gives it.
    pub(super) fn told(self) -> Result<Arc<Order>, OrderWriteError> {
        match self {
            Self::Placed(order) => Ok(order),
            Self::Refused(refusal) => Err(refusal.into()),
        }
    }
}

impl Ledger {
    pub(super) fn order(&self, id: OrderId) -> Option<&Arc<Order>> {
        self.orders.get(&id)
    }

    /// Every order.
    pub(super) fn all(&self) -> impl Iterator<Item = Arc<Order>> + use<> {
        self.orders.clone().into_iter().map(|(_, order)| order)
    }

    /// One page of the orders that are asked for.
    pub(super) fn page(&self, query: &OrderQuery) -> OrderPage {
        let shelf = (query.user(), query.status());
        let first = OrderCursor::new(i64::MIN, OrderId::from_uuid(Uuid::nil()));
        let last = OrderCursor::new(i64::MAX, OrderId::from_uuid(Uuid::max()));
        let places = (shelf, first)..(shelf, query.after().unwrap_or(last));
        let mut places = self.shelves.range(places).rev().map(|(_, place)| *place);
        let found: Vec<_> = places.by_ref().take(query.limit().get()).collect();
        let more = places.next().is_some();
        OrderPage {
            orders: found.iter().filter_map(|place| self.order(place.id()).cloned()).collect(),
            next: found.last().copied().filter(|_| more),
        }
    }

    /// Keeps an order in place of the one with its id.
    pub(super) fn put(&mut self, order: Arc<Order>) {
        if let Some(old) = self.orders.get(&order.id).cloned() {
            for shelf in shelves(&old) {
                self.shelves.remove(&(shelf, OrderCursor::behind(&old)));
            }
        }
        for shelf in shelves(&order) {
            self.shelves.insert((shelf, OrderCursor::behind(&order)));
        }
        self.orders.insert(order.id, order);
    }

    /// What the order with this key was told, and what it asked for.
    pub(super) fn answer(
        &self,
        user: UserId,
        key: &IdempotencyKey,
    ) -> Option<&(Fingerprint, Answer)> {
        self.answers.get(&(user, key.clone()))
    }

    /// Remembers what `order` is told, if it has a key.
    pub(super) fn remember(&mut self, order: &NewOrder, answer: &Answer) {
        if let Some((key, fingerprint)) = &order.idempotency {
            let end = order.created_at.checked_add(IdempotencyKey::LIFETIME);
            self.expiring.insert((end.unwrap_or(Timestamp::MAX), order.user, key.clone()));
            self.answers.insert((order.user, key.clone()), (*fingerprint, answer.clone()));
        }
    }

    /// Forgets the keys that had expired at `now`.
    pub(super) fn forget(&mut self, now: Timestamp) {
        while let Some(oldest) = self.expiring.get_min().filter(|(end, ..)| *end <= now).cloned() {
            self.expiring.remove(&oldest);
            let (_, user, key) = oldest;
            self.answers.remove(&(user, key));
        }
    }
}

/// Where an order is listed.
fn shelves(order: &Order) -> [Shelf; 4] {
    let (user, status) = (Some(order.user), Some(order.status));
    [(None, None), (user, None), (None, status), (user, status)]
}
