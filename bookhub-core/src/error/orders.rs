//! What [`Orders`](crate::Orders) answers when it cannot do what was asked.

use super::{OrderWriteError, StoreError};
use crate::order::{OrderId, OrderStatus, PriceChange, Shortage};

/// Why an order could not be placed, found or moved.
///
/// ```
/// use bookhub_core::{MemoryStore, Orders, OrdersError};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let orders = Orders::new(MemoryStore::shared());
/// let id = "01890a5d-ac96-774b-bcce-b302099a8057".parse().unwrap();
/// assert!(matches!(orders.order(id).await, Err(OrdersError::NotFound(missing)) if missing == id));
/// # }
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OrdersError {
    /// The caller named an order that does not exist. Nothing to retry.
    #[error("There is no order {0}.")]
    NotFound(OrderId),
    /// The caller wants more copies than there are, of each of these books. Order fewer.
    #[error("Out of stock")]
    OutOfStock(Vec<Shortage>),
    /// The caller saw other prices than those of today, of each of these books. Look at the new
    /// ones and order again, with another key.
    #[error("Prices have changed: look at the new ones and order again.")]
    PriceChanged(Vec<PriceChange>),
    /// The caller gave the key of an earlier order to one that asks for something else. Use
    /// another key.
    #[error("This key belongs to an order that asks for something else: use another key.")]
    KeyReused,
    /// The caller's first order with this key is not decided yet. Ask again in a second.
    #[error("The order with this key is being placed: ask again in a second.")]
    InFlight,
    /// The caller wants to move an order to a status that does not follow on the one it has.
    #[error("An order that is {from} cannot become {to}.")]
    NotAllowed {
        /// The status it has.
        from: OrderStatus,
        /// The status that was asked for.
        to: OrderStatus,
    },
    /// The order was changed by somebody else at the same time, again and again. Try again.
    #[error("The order was changed in the meantime: try again.")]
    Conflict,
    /// The store failed; the caller is not at fault and may retry.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl OrdersError {
    /// What a failed write of the order `id` means to the caller.
    pub(crate) fn of_write(id: OrderId, error: OrderWriteError) -> Self {
        match error {
            OrderWriteError::OutOfStock(shortages) => Self::OutOfStock(shortages),
            OrderWriteError::PriceChanged(changes) => Self::PriceChanged(changes),
            OrderWriteError::KeyReused => Self::KeyReused,
            OrderWriteError::InFlight => Self::InFlight,
            OrderWriteError::NotFound => Self::NotFound(id),
            OrderWriteError::VersionConflict { .. } => Self::Conflict,
            OrderWriteError::NotAllowed { from, to } => Self::NotAllowed { from, to },
            OrderWriteError::Store(error) => Self::Store(error),
        }
    }
}
