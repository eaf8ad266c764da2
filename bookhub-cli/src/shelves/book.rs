//! A book as it is shown: the text for programs, and a view for people. The text of a server is
//! passed on as it came, so that fields of a newer one are not lost.

use serde::Deserialize;
use serde_json::{Number, value::RawValue};

/// A book.
#[derive(Debug, Deserialize)]
#[serde(try_from = "Box<RawValue>")]
pub(crate) struct Book {
    /// Its JSON.
    pub(crate) json: Box<RawValue>,
    pub(crate) view: BookView,
}

/// What people see of a book.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct BookView {
    pub(crate) id: String,
    pub(crate) title: String,
    pub(crate) author: String,
    pub(crate) genre: String,
    pub(crate) year: Number,
    pub(crate) price: Number,
    pub(crate) stock: Number,
    pub(crate) version: u64,
    pub(crate) isbn: Option<String>,
    pub(crate) cover_url: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) created_at: Option<String>,
    pub(crate) updated_at: Option<String>,
}

impl TryFrom<Box<RawValue>> for Book {
    type Error = serde_json::Error;

    fn try_from(json: Box<RawValue>) -> serde_json::Result<Self> {
        let view = serde_json::from_str(json.get())?;
        Ok(Self { json, view })
    }
}
