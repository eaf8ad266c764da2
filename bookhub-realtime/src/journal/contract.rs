//! What every journal promises, as tests over one that is made afresh.

use std::sync::Arc;

use futures_util::StreamExt as _;

use super::{
    Journal, JournalEntry, JournalError, MemoryJournal, NewEvent, Tail, TailFrom, TailItem,
};
use crate::{position::Position, topic::Topic};

/// A test of each promise for one journal; the expression makes one that keeps so many entries.
macro_rules! journal_contract {
    ($name:ident, $make:expr) => {
        mod $name {
            #[tokio::test]
            async fn entries_come_in_order_and_go_on_with_what_is_new() {
                super::entries_come_in_order_and_go_on_with_what_is_new($make).await;
            }

            #[tokio::test]
            async fn a_key_appends_once_while_its_entry_is_kept() {
                super::a_key_appends_once_while_its_entry_is_kept($make).await;
            }

            #[tokio::test]
            async fn trimmed_entries_are_never_passed_over() {
                super::trimmed_entries_are_never_passed_over($make).await;
            }

            #[tokio::test]
            async fn the_last_entries_begin_where_they_say() {
                super::the_last_entries_begin_where_they_say($make).await;
            }

            #[tokio::test]
            async fn many_writers_make_one_order() {
                super::many_writers_make_one_order($make).await;
            }
        }
    };
}

journal_contract!(memory, super::MemoryJournal::new);

fn event(data: usize) -> NewEvent {
    let topic: Topic = "news".parse().unwrap();
    NewEvent::new(&topic, "said", &data).unwrap()
}

async fn append(journal: &impl Journal, data: usize) -> Position {
    journal.append(event(data)).await.unwrap()
}

/// The next entry; `None` for the word that the present is reached.
async fn next(tail: &mut Tail) -> Option<Arc<JournalEntry>> {
    match tail.items.next().await.expect("a journal does not end").expect("nothing fails") {
        TailItem::Entry(entry) => Some(entry),
        TailItem::Present => None,
    }
}

async fn entries_come_in_order_and_go_on_with_what_is_new<J: Journal>(make: fn(usize) -> J) {
    let journal = make(100);
    let first = append(&journal, 1).await;
    let second = append(&journal, 2).await;
    assert!(first < second);
    let mut tail = journal.tail(TailFrom::After(first)).await.unwrap();
    assert_eq!(tail.after, first);
    let entry = next(&mut tail).await.unwrap();
    assert_eq!((entry.position, &*entry.name, &*entry.data), (second, "said", b"2".as_slice()));
    assert_eq!(next(&mut tail).await, None, "the present");
    let third = append(&journal, 3).await;
    assert_eq!(next(&mut tail).await.unwrap().position, third);
}

async fn a_key_appends_once_while_its_entry_is_kept<J: Journal>(make: fn(usize) -> J) {
    let journal = make(2);
    let keyed = || event(1).with_key("story 7").unwrap();
    let first = journal.append(keyed()).await.unwrap();
    assert_eq!(journal.append(keyed()).await.unwrap(), first);
    append(&journal, 2).await;
    assert_eq!(journal.append(keyed()).await.unwrap(), first);
    append(&journal, 3).await;
    let again = journal.append(keyed()).await.unwrap();
    assert!(again > first, "forgotten with its entry");
}

async fn trimmed_entries_are_never_passed_over<J: Journal>(make: fn(usize) -> J) {
    let journal = make(3);
    let mut positions = vec![append(&journal, 0).await];
    let mut slow = journal.tail(TailFrom::After(positions[0])).await.unwrap();
    for data in 1..8 {
        positions.push(append(&journal, data).await);
    }
    let missed = loop {
        match slow.items.next().await.expect("it says so") {
            Ok(TailItem::Present) => {}
            Ok(TailItem::Entry(entry)) => panic!("{entry:?} comes after a gap"),
            Err(error) => break error,
        }
    };
    let late = journal.tail(TailFrom::After(positions[3])).await.unwrap_err();
    for error in [missed, late] {
        let JournalError::Trimmed { oldest } = error else { panic!("{error}") };
        assert_eq!(oldest, positions[4]);
    }
    let mut tail = journal.tail(TailFrom::After(positions[4])).await.unwrap();
    assert_eq!(next(&mut tail).await.unwrap().position, positions[5]);
}

async fn the_last_entries_begin_where_they_say<J: Journal>(make: fn(usize) -> J) {
    let journal = make(3);
    let empty = journal.tail(TailFrom::Last(5)).await.unwrap();
    assert_eq!(empty.after, Position::default());
    let mut positions = Vec::new();
    for data in 0..5 {
        positions.push(append(&journal, data).await);
    }
    for (count, after) in [(2, positions[2]), (3, positions[1]), (9, positions[1])] {
        let mut tail = journal.tail(TailFrom::Last(count)).await.unwrap();
        assert_eq!(tail.after, after);
        assert!(next(&mut tail).await.unwrap().position > after);
    }
}

async fn many_writers_make_one_order<J: Journal>(make: fn(usize) -> J) {
    let journal = Arc::new(make(1000));
    let mut tails = Vec::new();
    for _ in 0..2 {
        tails.push(journal.tail(TailFrom::Last(0)).await.unwrap());
    }
    let writers: Vec<_> = (0..4)
        .map(|writer| {
            let journal = Arc::clone(&journal);
            tokio::spawn(async move {
                for data in 0..50 {
                    append(&*journal, writer * 50 + data).await;
                    tokio::task::yield_now().await;
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
    let mut orders = Vec::new();
    for mut tail in tails {
        let mut order = Vec::new();
        while order.len() < 200 {
            order.extend(next(&mut tail).await);
        }
        assert!(order.is_sorted_by(|a, b| a.position < b.position));
        orders.push(order);
    }
    assert_eq!(orders[0], orders[1]);
}
