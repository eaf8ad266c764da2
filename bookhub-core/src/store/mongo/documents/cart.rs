//! Carts.

use mongodb::bson::RawDocument;

use super::{book::whole, named};
use crate::{
    cart::{Cart, CartLine},
    order::Quantity,
};

/// Reads a cart. A line that makes no sense is reported, and left out; so are those beyond the last that
/// it may have, which merges at the same time can bring about.
pub(in super::super) fn cart(raw: &RawDocument) -> Cart {
    let items = raw.get_document("items").into_iter().flatten();
    let lines = items.filter_map(|item| {
        let line = item.map_err(|error| error.to_string()).and_then(|(book, copies)| {
            let book = book.as_str().parse().map_err(|_| format!("{book:?} is no book"))?;
            let quantity = Quantity::new(whole(copies)?).map_err(|error| error.to_string())?;
            Ok(CartLine { book, quantity })
        });
        let problem = |problem: &String| {
            let user = named(raw);
            tracing::error!(problem, user, "a line of a cart makes no sense, and is left out");
        };
        line.inspect_err(problem).ok()
    });
    Cart::of(lines.take(Cart::MOST_LINES))
}
