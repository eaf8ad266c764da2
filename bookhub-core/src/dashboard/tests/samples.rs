//! Orders that nobody placed.

use jiff::{SignedDuration, Timestamp};
use proptest::{collection::vec, option, prelude::*};

use crate::{BookId, Customer, CustomerName, Order, OrderId, OrderItem, Price, Quantity, UserId};

/// The moment from which days are counted back: shortly after midnight.
pub(super) fn now() -> Timestamp {
    "2026-11-28T00:10:00Z".parse().unwrap()
}

/// Hours before now, and items: which book, whose genre is known or not, and how many copies.
pub(super) type Sample = (i64, Vec<(u8, Option<u8>, i64)>);

pub(super) fn sample() -> impl Strategy<Value = Sample> {
    // Also of days that are no longer kept, and of the future of a server whose clock is fast.
    let hours = prop_oneof![4 => -30..90_i64, 1 => 0..9_000_i64];
    (hours, vec((0..14_u8, option::of(0..3_u8), 1..5_i64), 1..4))
}

pub(super) fn order((hours, items): &Sample) -> Order {
    let created_at = now() - SignedDuration::from_hours(*hours);
    let item = |(book, genre, copies): &(u8, Option<u8>, i64)| OrderItem {
        book: BookId::from_uuid(uuid::Uuid::from_u128((*book).into())),
        title: format!("Book {book}").parse().unwrap(),
        author: "Jane Austen".parse().unwrap(),
        genre: genre.map(|genre| format!("Genre {genre}").parse().unwrap()),
        price: Price::from_paise(u64::from(*book % 3) * 1_050).unwrap(),
        quantity: Quantity::new(*copies).unwrap(),
    };
    let name = CustomerName::new("Alice").unwrap();
    let customer = Customer { name, email: None, phone: None, address: None };
    let (id, user) = (OrderId::generate(now()), UserId::generate(now()));
    // Each item is of another book.
    let mut items: Vec<_> = items.iter().map(item).collect();
    items.sort_by_key(|item| item.book);
    items.dedup_by_key(|item| item.book);
    Order::new(id, user, items, customer, created_at)
}
