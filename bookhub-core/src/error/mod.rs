//! Everything that can go wrong in this crate, as types: who caused it and what to do about it.
//! Must not know HTTP: the server maps each variant to a status and a stable code in one place.

mod accounts;
mod catalog;
mod dashboard;
mod imports;
mod input;
mod orders;
mod store;

pub use accounts::AccountsError;
pub use catalog::CatalogError;
pub use dashboard::DashboardError;
pub use imports::ImportError;
pub use input::{BadValue, FieldError, Invalid};
pub use orders::OrdersError;
pub(crate) use store::WriteError;
pub use store::{BookWriteError, FeedError, OrderWriteError, StoreError, UserWriteError};
