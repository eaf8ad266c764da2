//! The store in memory keeps the contract, and what only it promises.

mod orders;

use std::sync::Arc;

use futures_util::StreamExt;

use crate::{
    Author, Book, BookContent, BookDraft, BookId, BookQuery, BookStore, Feed, FeedError, Genre,
    MemoryConfig, MemoryStore, PageSize, Position, Price, SearchQuery, Store, Title, Year,
    contract, store_contract,
};

async fn empty_store() -> Arc<dyn Store> {
    MemoryStore::shared()
}

store_contract!(empty_store().await);

#[tokio::test]
async fn many_lists_of_operations_do_what_they_do_to_a_plain_list() {
    contract::replay_lists(MemoryStore::shared(), 256).await;
}

fn book(title: &str) -> Book {
    let content = BookContent {
        title: Title::new(title).unwrap(),
        author: Author::new("Author").unwrap(),
        genre: Genre::new("Genre").unwrap(),
        year: Year::new(2000).unwrap(),
        price: Price::from_paise(100).unwrap(),
        isbn: None,
        cover_url: None,
        description: None,
    };
    let now = jiff::Timestamp::from_second(1_700_000_000).unwrap();
    let draft = BookDraft { content, stock: crate::Stock::default() };
    Book::new(BookId::generate(now), draft, now)
}

#[tokio::test]
async fn a_reader_whose_history_expired_is_told_from_where_it_can_read() {
    let store = MemoryStore::with_config(MemoryConfig { history: 3, ..MemoryConfig::default() });
    let mut slow = store.changes(Position::START);
    for number in 0..5 {
        store.insert_book(book(&format!("Book {number}"))).await.unwrap();
    }
    for changes in [&mut slow, &mut store.changes(Position::new(1))] {
        let expired = changes.next().await.unwrap();
        assert!(
            matches!(expired, Err(FeedError::HistoryExpired { oldest }) if oldest.number() == 2),
            "{expired:?}"
        );
        assert!(changes.next().await.is_none(), "a feed ends after an error");
    }
    let kept: Vec<_> = store.changes(Position::new(2)).take(3).collect().await;
    assert!(kept.iter().all(Result::is_ok));
}

#[tokio::test]
async fn a_store_without_history_feeds_nothing_but_goes_on() {
    let store = MemoryStore::with_config(MemoryConfig { history: 0, ..MemoryConfig::default() });
    store.insert_book(book("Emma")).await.unwrap();
    assert_eq!(store.head().await.unwrap(), Position::new(1));
    assert!(store.changes(Position::START).next().await.unwrap().is_err());
}

#[tokio::test]
async fn a_feed_ends_with_its_store_after_the_last_change() {
    let store = MemoryStore::new();
    let mut changes = store.changes(Position::START);
    store.insert_book(book("Emma")).await.unwrap();
    drop(store);
    assert!(changes.next().await.unwrap().is_ok());
    assert!(changes.next().await.is_none());
}

#[tokio::test]
async fn a_position_ahead_of_the_head_waits_for_it() {
    let store = MemoryStore::new();
    let mut changes = store.changes(Position::new(2));
    for title in ["one", "two", "three"] {
        store.insert_book(book(title)).await.unwrap();
    }
    assert_eq!(changes.next().await.unwrap().unwrap().position, Position::new(3));
}

#[tokio::test]
async fn changes_are_dated_by_the_clock_of_the_store() {
    let noon: jiff::Timestamp = "2026-11-23T12:00:00Z".parse().unwrap();
    let clock = crate::Clock::from_fn(move || noon);
    let store = MemoryStore::with_config(MemoryConfig { clock, ..MemoryConfig::default() });
    store.insert_book(book("Emma")).await.unwrap();
    let change = store.changes(Position::START).next().await.unwrap().unwrap();
    assert_eq!(change.at, noon);
}

/// A walk along the order would have to pass everything else first: it must give up and gather.
#[tokio::test]
async fn what_stands_at_the_far_end_of_the_order_is_found() {
    let store = MemoryStore::new();
    let mut books: Vec<_> = (0..2000).map(|number| book(&format!("common {number}"))).collect();
    books.extend((0..20).map(|number| book(&format!("zebra {number:02}"))));
    store.insert_books(books).await.unwrap();
    let query = BookQuery::default()
        .with_search(SearchQuery::parse("zebra").unwrap())
        .with_sort("title".parse().unwrap())
        .with_limit(PageSize::new(1).unwrap());
    let page = store.books(&query).await.unwrap();
    assert_eq!(page.books[0].content.title.as_str(), "zebra 00");
    assert_eq!(page.total.count, 20);
    let page = store.books(&query.after_cursor(page.next.unwrap())).await.unwrap();
    assert_eq!(page.books[0].content.title.as_str(), "zebra 01");
}

#[tokio::test]
async fn a_slot_is_used_again_without_a_trace_of_its_last_book() {
    let store = MemoryStore::new();
    for round in 0..200 {
        let created = store.insert_book(book(&format!("round {round}"))).await.unwrap();
        store.delete_book(created.id, None).await.unwrap();
    }
    let last = store.insert_book(book("emma")).await.unwrap();
    let snapshot = store.snapshot();
    assert!(snapshot.catalogue.record(1).is_none(), "one slot is enough");
    for (text, count) in [("round", 0), ("1", 0), ("r", 0), ("emma", 1), ("e", 1)] {
        let query = BookQuery::default().with_search(SearchQuery::parse(text).unwrap());
        assert_eq!(store.books(&query).await.unwrap().total.count, count, "{text}");
    }
    assert_eq!(store.genres().await.unwrap()[0].count, 1);
    assert_eq!(store.books(&BookQuery::default()).await.unwrap().books, [last]);
}
