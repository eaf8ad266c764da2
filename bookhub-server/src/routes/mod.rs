//! The routes: one file a noun. They parse and authorize, call a service, and shape the answer;
//! they never publish.

pub(crate) mod audit;
pub(crate) mod auth;
pub(crate) mod books;
pub(crate) mod cart;
pub(crate) mod covers;
pub(crate) mod dashboard;
pub(crate) mod export;
pub(crate) mod health;
pub(crate) mod import;
pub(crate) mod listing;
pub(crate) mod metrics;
pub(crate) mod orders;
pub(crate) mod page;
pub(crate) mod shared;
pub(crate) mod users;
