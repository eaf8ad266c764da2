//! The store on real databases: the one contract of every backend, and what only a database can do
//! to a shop. `tests/run` builds the databases.

mod accounts;
#[path = "../api/mod.rs"]
mod api;
mod api_on_mongodb;
mod checkouts;
mod cli;
mod contract;
mod dashboard;
mod history;
mod imports;
mod loss;
mod orders;
#[cfg(feature = "mongod")]
mod plans;
mod servers;
mod trail;
