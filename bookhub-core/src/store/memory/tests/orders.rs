//! Whatever is ordered, cancelled and counted, no copy is lost or sold twice; keys are forgotten.

use std::sync::Arc;

use jiff::Timestamp;
use proptest::{collection::vec, prelude::*};

use super::book;
use crate::{
    Book, BookId, BookStore, Customer, CustomerName, Fingerprint, IdempotencyKey, MemoryStore,
    NewOrder, Order, OrderId, OrderLine, OrderQuery, OrderStatus, OrderStore, OrderWriteError,
    PageSize, Quantity, Stock, UserId,
};

const STOCK: i64 = 10;

/// Something that somebody does. Books and orders are named by a number that wraps around.
#[derive(Clone, Debug)]
enum Operation {
    /// Order so many copies of each book, perhaps with a key.
    Place([i64; 3], Option<u8>),
    Move(usize, OrderStatus),
    Adjust(usize, i64),
}

fn operation() -> impl Strategy<Value = Operation> {
    let key = proptest::option::of(0..4_u8);
    let status = proptest::sample::select(OrderStatus::ALL.to_vec());
    prop_oneof![
        4 => ([0..6_i64, 0..6, 0..6], key).prop_map(|(lines, key)| Operation::Place(lines, key)),
        3 => (any::<usize>(), status).prop_map(|(order, to)| Operation::Move(order, to)),
        2 => (0..3_usize, -6..6_i64).prop_map(|(book, delta)| Operation::Adjust(book, delta)),
    ]
}

fn new_order(lines: &[(BookId, i64)], key: Option<u8>, created_at: Timestamp) -> NewOrder {
    let line = |(book, count)| {
        let quantity = Quantity::new(count).unwrap();
        OrderLine { book, quantity, expected_price: None }
    };
    let name = CustomerName::new("Alice").unwrap();
    let key = key.map(|key| IdempotencyKey::new(&key.to_string()).unwrap());
    NewOrder {
        id: OrderId::generate(created_at),
        user: UserId::from_uuid(uuid::Uuid::nil()),
        lines: lines.iter().copied().map(line).collect(),
        customer: Customer { name, email: None, phone: None, address: None },
        idempotency: key.map(|key| (key, Fingerprint::from_bytes([0; 32]))),
        created_at,
    }
}

async fn orders(store: &MemoryStore) -> Vec<Arc<Order>> {
    let query = OrderQuery::default().with_limit(PageSize::MAX);
    store.orders(&query).await.unwrap().orders
}

async fn run(operations: Vec<Operation>) {
    let (store, now) = (MemoryStore::new(), Timestamp::UNIX_EPOCH);
    let mut books = Vec::new();
    for title in ["one", "two", "three"] {
        let book = Book { stock: Stock::new(STOCK).unwrap(), ..book(title) };
        books.push(store.insert_book(book).await.unwrap().id);
    }
    let mut had = [STOCK; 3];
    for operation in operations {
        match operation {
            Operation::Place(counts, key) => {
                let lines = books.iter().copied().zip(counts).filter(|(_, count)| *count > 0);
                let lines: Vec<_> = lines.collect();
                if !lines.is_empty() {
                    match store.place_order(new_order(&lines, key, now)).await {
                        Ok(_) | Err(OrderWriteError::OutOfStock(_)) => {}
                        Err(error) => panic!("{error}"),
                    }
                }
            }
            Operation::Move(number, to) => {
                let all = orders(&store).await;
                if let Some(place) = number.checked_rem(all.len()) {
                    let order = &all[place];
                    let moved = store.set_order_status(order.id, order.version, to, now).await;
                    assert_eq!(moved.is_ok(), order.status.may_become(to));
                }
            }
            Operation::Adjust(place, delta) => {
                if store.adjust_stock(books[place], delta).await.is_ok() {
                    had[place] += delta;
                }
            }
        }
        let all = orders(&store).await;
        for (id, had) in books.iter().zip(had) {
            let sold = all.iter().filter(|order| order.status != OrderStatus::Cancelled);
            let sold = sold.flat_map(|order| &order.items).filter(|item| item.book == *id);
            let sold: u32 = sold.map(|item| item.quantity.count()).sum();
            let left = store.book(*id).await.unwrap().0.unwrap().stock.count();
            assert_eq!(i64::from(left) + i64::from(sold), had);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn no_copy_is_lost_or_sold_twice(operations in vec(operation(), 1..60)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(run(operations));
    }
}

#[tokio::test]
async fn copies_that_come_back_never_exceed_what_a_book_may_have() {
    let store = MemoryStore::new();
    let full = Book { stock: Stock::new(Stock::MAX.into()).unwrap(), ..book("Emma") };
    let emma = store.insert_book(full).await.unwrap().id;
    let now = Timestamp::UNIX_EPOCH;
    let order = store.place_order(new_order(&[(emma, 2)], None, now)).await.unwrap();
    store.adjust_stock(emma, 1).await.unwrap();
    store.set_order_status(order.id, 1, OrderStatus::Cancelled, now).await.unwrap();
    let stock = store.book(emma).await.unwrap().0.unwrap().stock;
    assert_eq!(stock.count(), Stock::MAX);
}
