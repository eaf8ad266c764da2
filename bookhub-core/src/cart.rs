//! Carts: what somebody means to buy. Must not know what it costs, nor whether there is any.

use serde::Serialize;
use serde_json::{Map, Value};

use crate::{book::BookId, error::Invalid, json::Fields, order::Quantity};

/// What somebody means to buy: so many copies of each of some books.
///
/// ```
/// use bookhub_core::Cart;
/// use serde_json::json;
///
/// let emma = "01890a5d-ac96-774b-bcce-b302099a8057";
/// let json = json!({"items": [{"bookId": emma, "quantity": 1}, {"bookId": emma, "quantity": 2}]});
/// let cart = Cart::from_json(json.as_object().unwrap()).unwrap();
/// assert_eq!(cart.lines().len(), 1);
/// assert_eq!(cart.lines()[0].quantity.count(), 3);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cart {
    lines: Vec<CartLine>,
}

/// Copies of one book in a cart.
///
/// ```
/// use bookhub_core::{CartLine, Quantity};
///
/// let book = "01890a5d-ac96-774b-bcce-b302099a8057".parse().unwrap();
/// let line = CartLine { book, quantity: Quantity::new(2).unwrap() };
/// assert!(serde_json::to_string(&line).unwrap().ends_with(r#"8057","quantity":2}"#));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct CartLine {
    /// Which book.
    #[serde(rename = "bookId")]
    pub book: BookId,
    /// How many copies.
    pub quantity: Quantity,
}

impl Cart {
    /// As many books as a cart holds: as many as one order may list.
    pub const MOST_LINES: usize = crate::order::OrderDraft::MOST_ITEMS;

    /// Reads `items`, each with `bookId` and `quantity`; none of them empties the cart. Items of the
    /// same book become one line.
    pub fn from_json(object: &Map<String, Value>) -> Result<Self, Invalid> {
        let mut fields = Fields::of(object, &["items"], &["total"]);
        let items = fields.list("items", 0..=Self::MOST_LINES, CartLine::from_json);
        let cart = items.map(|items| merge(items, &mut fields));
        fields.finish(cart)
    }

    /// A cart of these lines, each of another book.
    pub(crate) fn of(lines: impl IntoIterator<Item = CartLine>) -> Self {
        Self { lines: lines.into_iter().collect() }
    }

    /// What is in it, each line another book.
    #[must_use]
    pub fn lines(&self) -> &[CartLine] {
        &self.lines
    }

    /// How many copies of this book are in it.
    #[must_use]
    pub fn quantity(&self, book: BookId) -> Option<Quantity> {
        self.lines.iter().find(|line| line.book == book).map(|line| line.quantity)
    }

    /// Both carts in one: of each book the greater number of copies, so that it does not matter how
    /// often a cart is merged. What does not fit any more is left out of `other`.
    ///
    /// ```
    /// use bookhub_core::Cart;
    /// # use serde_json::json;
    /// # let cart = |items| Cart::from_json(json!({"items": items}).as_object().unwrap()).unwrap();
    /// # let [emma, emil] = ["01890a5d-ac96-774b-bcce-b302099a8057", "01890a5d-ac96-774b-bcce-b302099a8058"];
    /// let kept = cart(json!([{"bookId": emma, "quantity": 2}]));
    /// let brought = cart(json!([{"bookId": emil, "quantity": 1}, {"bookId": emma, "quantity": 1}]));
    ///
    /// let both = kept.merged_with(&brought);
    /// assert_eq!(both.lines().iter().map(|line| line.quantity.count()).collect::<Vec<_>>(), [2, 1]);
    /// assert_eq!(both.clone().merged_with(&brought), both);
    /// ```
    #[must_use]
    pub fn merged_with(mut self, other: &Self) -> Self {
        for line in &other.lines {
            if let Some(kept) = self.lines.iter_mut().find(|kept| kept.book == line.book) {
                kept.quantity = kept.quantity.max(line.quantity);
            } else if self.lines.len() < Self::MOST_LINES {
                self.lines.push(*line);
            }
        }
        self
    }
}

impl CartLine {
    fn from_json(object: &Map<String, Value>) -> Result<Self, Invalid> {
        const SHOWN: &[&str] = &["book", "title", "author", "price"];
        let mut fields = Fields::of(object, &["bookId", "quantity"], SHOWN);
        let (book, quantity) = (fields.required("bookId"), fields.required("quantity"));
        let line = book.zip(quantity).map(|(book, quantity)| Self { book, quantity });
        fields.finish(line)
    }
}

/// One line for each book, in the order in which the books are first named.
fn merge(items: Vec<CartLine>, fields: &mut Fields<'_>) -> Cart {
    let mut lines: Vec<CartLine> = Vec::with_capacity(items.len());
    for (place, item) in items.into_iter().enumerate() {
        match lines.iter_mut().find(|line| line.book == item.book) {
            Some(line) => match line.quantity.plus(item.quantity) {
                Ok(sum) => line.quantity = sum,
                Err(problem) => fields.refuse(format!("items[{place}].quantity"), problem),
            },
            None => lines.push(item),
        }
    }
    Cart { lines }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const EMMA: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

    fn fields(json: &Value) -> Vec<String> {
        let errors = Cart::from_json(json.as_object().unwrap()).unwrap_err().into_errors();
        errors.into_iter().map(|error| error.field.into_owned()).collect()
    }

    #[test]
    fn what_is_wrong_is_named_by_the_way_to_it() {
        let item = |book: Value, quantity: Value| json!({"bookId": book, "quantity": quantity});
        let of = |items: Value| fields(&json!({ "items": items }));
        assert_eq!(of(json!([item(json!("x"), json!(1))])), ["items[0].bookId"]);
        assert_eq!(of(json!([item(json!(EMMA), json!(0))])), ["items[0].quantity"]);
        let most = item(json!(EMMA), json!(Quantity::MAX));
        assert_eq!(of(json!([most, item(json!(EMMA), json!(1))])), ["items[1].quantity"]);
        assert_eq!(of(json!([{"bookId": EMMA, "quantity": 1, "price": 1}])), ["items[0].price"]);
        assert_eq!(of(json!(vec![most; Cart::MOST_LINES + 1])), ["items"]);
        assert_eq!(fields(&json!({})), ["items"]);
        assert_eq!(fields(&json!({"items": [], "total": 1})), ["total"]);
    }

    #[test]
    fn a_full_cart_takes_no_other_book() {
        let line = |number: u128| {
            let book = BookId::from_uuid(uuid::Uuid::from_u128(number));
            CartLine { book, quantity: Quantity::new(1).unwrap() }
        };
        let full = Cart::of((0..Cart::MOST_LINES as u128).map(line));
        let more =
            Cart::of([line(1_000), CartLine { quantity: Quantity::new(9).unwrap(), ..line(7) }]);
        let both = full.merged_with(&more);
        assert_eq!(both.lines().len(), Cart::MOST_LINES);
        assert_eq!(both.quantity(line(7).book), Quantity::new(9).ok());
        assert_eq!(both.quantity(line(1_000).book), None);
    }
}
