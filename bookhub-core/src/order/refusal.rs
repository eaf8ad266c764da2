//! Why an order cannot be placed as it is: for each book what was wanted and what there is.

use serde::{Deserialize, Serialize};

use super::Quantity;
use crate::{
    book::{BookId, Stock, Title},
    money::Price,
};

/// A book of which there are fewer copies than somebody wants.
///
/// ```
/// use bookhub_core::{Quantity, Shortage, Stock};
///
/// let book = "01890a5d-ac96-774b-bcce-b302099a8057".parse().unwrap();
/// let wanted = Quantity::new(2).unwrap();
/// let gone = Shortage { book, title: None, wanted, available: Stock::default() };
/// assert!(serde_json::to_string(&gone).unwrap().ends_with(r#""wanted":2,"available":0}"#));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Shortage {
    /// Which book.
    #[serde(rename = "bookId")]
    pub book: BookId,
    /// Its title; `None` if there is no such book.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<Title>,
    /// How many copies the order would take.
    pub wanted: Quantity,
    /// How many copies there are; 0 if there is no such book.
    pub available: Stock,
}

/// A book that costs something else than its buyer saw.
///
/// ```
/// use bookhub_core::PriceChange;
///
/// let book = "01890a5d-ac96-774b-bcce-b302099a8057".parse().unwrap();
/// let dearer =
///     PriceChange { book, expected: "199".parse().unwrap(), current: "249.5".parse().unwrap() };
/// let json = serde_json::to_string(&dearer).unwrap();
/// assert!(json.ends_with(r#""expected":199,"current":249.5}"#));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PriceChange {
    /// Which book.
    #[serde(rename = "bookId")]
    pub book: BookId,
    /// What the buyer saw.
    pub expected: Price,
    /// What it costs now.
    pub current: Price,
}

/// Why an order is not placed, as a store keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Refusal {
    PriceChanged(Vec<PriceChange>),
    OutOfStock(Vec<Shortage>),
}
