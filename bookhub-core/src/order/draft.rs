//! What somebody wants to buy, read from JSON with every problem found.

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::{Customer, Fingerprint, Quantity};
use crate::{book::BookId, error::Invalid, json::Fields, money::Price};

const READ_ONLY: &[&str] =
    &["id", "userId", "status", "total", "version", "createdAt", "updatedAt"];

/// An order that somebody wants to place.
///
/// ```
/// use bookhub_core::OrderDraft;
/// use serde_json::json;
///
/// let book = "01890a5d-ac96-774b-bcce-b302099a8057";
/// let json = json!({
///     "items": [{"bookId": book, "quantity": 1}, {"bookId": book, "quantity": 0, "colour": "red"}],
///     "customer": {"name": ""},
/// });
/// let invalid = OrderDraft::from_json(json.as_object().unwrap()).unwrap_err();
/// let fields: Vec<_> = invalid.errors().iter().map(|error| error.field.as_ref()).collect();
/// assert_eq!(fields, ["items[1].colour", "items[1].quantity", "customer.name"]);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderDraft {
    /// What to buy: 1 to [`MOST_ITEMS`](Self::MOST_ITEMS), each of another book.
    pub lines: Vec<OrderLine>,
    /// Who gets it.
    pub customer: Customer,
}

/// Copies of one book that somebody wants to buy.
///
/// ```
/// use bookhub_core::{OrderLine, Quantity};
///
/// let book = "01890a5d-ac96-774b-bcce-b302099a8057".parse().unwrap();
/// let line = OrderLine { book, quantity: Quantity::new(2).unwrap(), expected_price: None };
/// assert_eq!(line.quantity.count(), 2);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderLine {
    /// Which book.
    pub book: BookId,
    /// How many copies.
    pub quantity: Quantity,
    /// What the buyer saw that a copy costs; `None` if they take it as it is.
    pub expected_price: Option<Price>,
}

impl OrderDraft {
    /// As many items as one order may list.
    pub const MOST_ITEMS: usize = 100;

    /// Reads `items`, each with `bookId`, `quantity`, and `price`, which may be absent or `null`;
    /// and `customer`. Items of the same book become one line.
    pub fn from_json(object: &Map<String, Value>) -> Result<Self, Invalid> {
        let mut fields = Fields::of(object, &["items", "customer"], READ_ONLY);
        let items = fields.list("items", 1..=Self::MOST_ITEMS, OrderLine::from_json);
        let customer = fields.object("customer", Customer::from_json);
        let lines = items.map(|items| merge(items, &mut fields));
        let draft = lines.zip(customer).map(|(lines, customer)| Self { lines, customer });
        fields.finish(draft)
    }

    /// What the draft asks for, whatever the order of its items and fields was.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        let mut lines: Vec<_> = self.lines.iter().collect();
        lines.sort_by_key(|line| line.book);
        let mut hash = Sha256::new();
        hash.update((lines.len() as u64).to_be_bytes());
        for OrderLine { book, quantity, expected_price } in lines {
            add(&mut hash, Some(book.uuid().as_bytes()));
            add(&mut hash, Some(&quantity.count().to_be_bytes()));
            let price = expected_price.map(|price| price.paise().to_be_bytes());
            add(&mut hash, price.as_ref().map(|price| &price[..]));
        }
        let Customer { name, email, phone, address } = &self.customer;
        add(&mut hash, Some(name.as_str().as_bytes()));
        add(&mut hash, email.as_ref().map(|email| email.as_str().as_bytes()));
        add(&mut hash, phone.as_ref().map(|phone| phone.as_str().as_bytes()));
        add(&mut hash, address.as_ref().map(|address| address.as_str().as_bytes()));
        Fingerprint::from_bytes(hash.finalize().into())
    }
}

impl OrderLine {
    fn from_json(object: &Map<String, Value>) -> Result<Self, Invalid> {
        let mut fields =
            Fields::of(object, &["bookId", "quantity", "price"], &["title", "author", "genre"]);
        let book = fields.required("bookId");
        let quantity = fields.required("quantity");
        let expected_price = fields.nullable("price").flatten();
        let line = book.zip(quantity);
        fields.finish(line.map(|(book, quantity)| Self { book, quantity, expected_price }))
    }
}

/// One line for each book, in the order in which the books are first named.
fn merge(items: Vec<OrderLine>, fields: &mut Fields<'_>) -> Vec<OrderLine> {
    let mut lines: Vec<OrderLine> = Vec::with_capacity(items.len());
    for (place, item) in items.into_iter().enumerate() {
        let Some(line) = lines.iter_mut().find(|line| line.book == item.book) else {
            lines.push(item);
            continue;
        };
        match line.quantity.plus(item.quantity) {
            Ok(sum) => line.quantity = sum,
            Err(problem) => fields.refuse(format!("items[{place}].quantity"), problem),
        }
        match (line.expected_price, item.expected_price) {
            (Some(one), Some(other)) if one != other => fields.refuse(
                format!("items[{place}].price"),
                "Differs from that of an item of the same book before it: give one price.",
            ),
            (seen, also_seen) => line.expected_price = seen.or(also_seen),
        }
    }
    lines
}

/// Adds a part that may be absent, so that no two lists of parts look the same.
fn add(hash: &mut Sha256, part: Option<&[u8]>) {
    hash.update([u8::from(part.is_some())]);
    let part = part.unwrap_or_default();
    hash.update((part.len() as u64).to_be_bytes());
    hash.update(part);
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, option, prelude::*};
    use serde_json::json;

    use super::*;

    const EMMA: &str = "01890a5d-ac96-774b-bcce-b302099a8057";
    const EMIL: &str = "01890a5d-ac96-774b-bcce-b302099a8058";

    fn draft(json: &Value) -> Result<OrderDraft, Invalid> {
        OrderDraft::from_json(json.as_object().unwrap())
    }

    fn of(items: &Value) -> Result<OrderDraft, Invalid> {
        draft(&json!({"items": items, "customer": {"name": "Alice"}}))
    }

    fn fields(draft: Result<OrderDraft, Invalid>) -> Vec<String> {
        let errors = draft.unwrap_err().into_errors();
        errors.into_iter().map(|error| error.field.into_owned()).collect()
    }

    #[test]
    fn each_wrong_value_is_named_by_the_way_to_it() {
        let good = json!({"bookId": EMMA, "quantity": 1});
        for (field, value) in [
            ("bookId", json!("emma")),
            ("bookId", json!(7)),
            ("quantity", json!(0)),
            ("quantity", json!(1001)),
            ("quantity", json!(1.5)),
            ("quantity", json!("1")),
            ("quantity", json!(null)),
            ("price", json!(-1)),
            ("price", json!("199")),
            ("title", json!("Emma")),
            ("colour", json!("red")),
        ] {
            let mut wrong = good.clone();
            wrong[field] = value.clone();
            assert_eq!(fields(of(&json!([good, wrong]))), [format!("items[1].{field}")], "{value}");
        }
        for (field, value) in [
            ("name", json!("")),
            ("email", json!("alice")),
            ("phone", json!("x")),
            ("address", json!("a\u{0}b")),
            ("id", json!(1)),
        ] {
            let mut customer = json!({"name": "Alice"});
            customer[field] = value;
            let json = json!({"items": [good], "customer": customer});
            assert_eq!(fields(draft(&json)), [format!("customer.{field}")]);
        }
        assert_eq!(fields(of(&json!([good, 7]))), ["items[1]"]);
        assert_eq!(fields(of(&json!([{}]))), ["items[0].bookId", "items[0].quantity"]);
        assert_eq!(fields(draft(&json!({"items": [good], "customer": 7}))), ["customer"]);
        assert_eq!(fields(draft(&json!({"total": 1}))), ["total", "items", "customer"]);
    }

    #[test]
    fn an_order_has_1_to_100_items() {
        let item = json!({"bookId": EMMA, "quantity": 1});
        for bad in [json!([]), json!({}), json!(null), json!(vec![&item; 101])] {
            assert_eq!(fields(of(&bad)), ["items"]);
        }
        assert_eq!(of(&json!(vec![&item; 100])).unwrap().lines[0].quantity.count(), 100);
    }

    #[test]
    fn items_of_one_book_are_one_line() {
        let lines = of(&json!([
            {"bookId": EMMA, "quantity": 2},
            {"bookId": EMIL, "quantity": 1},
            {"bookId": EMMA, "quantity": 3, "price": 199},
        ]));
        let lines = lines.unwrap().lines;
        assert_eq!(lines.len(), 2);
        assert_eq!((lines[0].book.to_string().as_str(), lines[0].quantity.count()), (EMMA, 5));
        assert_eq!(lines[0].expected_price, "199".parse().ok());

        let much = json!({"bookId": EMMA, "quantity": 501});
        assert_eq!(fields(of(&json!([much, much]))), ["items[1].quantity"]);
        let two = |price| json!({"bookId": EMMA, "quantity": 1, "price": price});
        assert_eq!(fields(of(&json!([two(199), two(200)]))), ["items[1].price"]);
    }

    #[test]
    fn problems_are_listed_to_a_limit() {
        let item: Map<_, _> = (0..100).map(|i| (format!("field{i}"), json!(1))).collect();
        assert!(of(&json!(vec![&item; 100])).unwrap_err().errors().len() <= 60);
    }

    #[test]
    fn a_fingerprint_tells_what_is_asked_for_and_not_how() {
        let customer = json!({"name": "Alice", "phone": "112"});
        let asked = |items| draft(&json!({"items": items, "customer": customer})).unwrap();
        let one = asked(json!([{"bookId": EMMA, "quantity": 2}, {"bookId": EMIL, "quantity": 1}]));
        let same = [
            json!([{"quantity": 1, "bookId": EMIL}, {"bookId": EMMA, "quantity": 2}]),
            json!([{"bookId": EMMA, "quantity": 1}, {"bookId": EMIL, "quantity": 1}, {"bookId": EMMA, "quantity": 1}]),
        ];
        for items in same {
            assert_eq!(asked(items).fingerprint(), one.fingerprint());
        }
        let others = [
            json!([{"bookId": EMMA, "quantity": 1}, {"bookId": EMIL, "quantity": 2}]),
            json!([{"bookId": EMMA, "quantity": 2, "price": 1}, {"bookId": EMIL, "quantity": 1}]),
            json!([{"bookId": EMMA, "quantity": 2}]),
        ];
        for items in others {
            assert_ne!(asked(items).fingerprint(), one.fingerprint());
        }
        let mut moved = one.clone();
        (moved.customer.phone, moved.customer.address) = (None, "112".parse().ok());
        assert_ne!(moved.fingerprint(), one.fingerprint());
    }

    /// Any JSON at all, with names that mean something here more often than not.
    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            "[0-9a-f]{0,8}|\\PC{0,12}".prop_map(Value::from),
            Just(json!(EMMA)),
            (0..3_i64).prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 40, 6, |inner| {
            let name = "items|customer|bookId|quantity|price|name|email|phone|address|[a-z]{0,3}";
            prop_oneof![
                vec(inner.clone(), 0..6).prop_map(Value::from),
                vec((name, inner), 0..6)
                    .prop_map(|fields| Value::Object(fields.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn any_json_is_read_without_panic(items in any_json(), customer in any_json()) {
            let json = json!({"items": items, "customer": customer});
            if let Err(invalid) = draft(&json) {
                prop_assert!(!invalid.errors().is_empty());
            }
            if let Value::Object(object) = items {
                let _ = OrderDraft::from_json(&object);
            }
        }

        #[test]
        fn quantities_of_one_book_are_summed(
            items in vec((0..4_u128, 1..400_i64, option::of(Just(199))), 1..8),
        ) {
            let id = |book| BookId::from_uuid(uuid::Uuid::from_u128(book));
            let json: Vec<_> = items.iter().map(|(book, quantity, price)| {
                json!({"bookId": id(*book), "quantity": quantity, "price": price})
            }).collect();
            let sum = |book| -> i64 {
                items.iter().filter(|item| id(item.0) == book).map(|item| item.1).sum()
            };
            match of(&json!(json)) {
                Ok(draft) => for line in &draft.lines {
                    prop_assert_eq!(i64::from(line.quantity.count()), sum(line.book));
                },
                Err(_) => prop_assert!((0..4).any(|book| sum(id(book)) > 1_000)),
            }
        }
    }
}
