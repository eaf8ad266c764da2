//! Where the books are: behind a server (`api.rs`) or in a database (`database.rs`). The commands ask
//! [`Shelves`], and need not know which it is.

mod api;
mod book;
mod database;

use std::fmt;

use async_trait::async_trait;
use serde_json::{Map, Value};

pub(crate) use self::{
    book::{Book, BookView},
    database::Database,
};
use crate::error::Result;

/// What every refusal of wrong fields begins with.
pub(crate) const INVALID_BOOK: &str = "Invalid book data";

/// The catalogue, wherever it is: the same answers, and the same refusals by the same names.
#[async_trait]
pub(crate) trait Shelves: fmt::Debug + Send + Sync {
    /// Where it is, for people.
    fn name(&self) -> String;

    /// A page of the books that the parameters of the API's list ask for: the first one, or the one
    /// of which the page before has said where it is.
    async fn page(&self, parameters: &[(&str, String)], next: Option<&Next>) -> Result<Page>;

    async fn book(&self, id: &str) -> Result<Book>;

    async fn create(&self, fields: &Map<String, Value>) -> Result<Book>;

    /// Changes the fields that are given, only if the book is at `version` where one is given.
    async fn update(
        &self,
        id: &str,
        fields: &Map<String, Value>,
        version: Option<u64>,
    ) -> Result<Book>;

    async fn delete(&self, id: &str) -> Result<()>;
}

/// One page of books.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) books: Vec<Book>,
    /// How many there are on all pages, and whether that is exact.
    pub(crate) total: Option<(u64, bool)>,
    pub(crate) next: Option<Next>,
}

/// Where the next page is; only the shelves that have said it know what it means.
#[derive(Debug)]
pub(crate) struct Next(String);
