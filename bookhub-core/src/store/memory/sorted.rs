//! The books in every order in which they are shown: one ordered set for each sort key, read
//! forwards and backwards. A cursor is a seek. Must not know which books are asked for.

use std::{cmp::Ordering, iter, ops::Bound, sync::Arc};

use imbl::OrdSet;
use uuid::Uuid;

use super::{
    catalogue::Record,
    entry::{Entry, Key, TextKey},
};
use crate::{
    book::BookId,
    query::{BookQuery, Cursor, Direction, SortBy, SortKey},
};

/// The five orders.
#[derive(Clone, Default)]
pub(super) struct Sorted {
    created: OrdSet<Entry<i64>>,
    title: OrdSet<Entry<TextKey>>,
    author: OrdSet<Entry<TextKey>>,
    price: OrdSet<Entry<u32>>,
    year: OrdSet<Entry<i16>>,
}

impl Sorted {
    /// Puts books into every order.
    pub(super) fn insert(&mut self, books: &[(u32, Arc<Record>)]) {
        add(&mut self.created, books, created);
        add(&mut self.title, books, |record| record.title.clone());
        add(&mut self.author, books, |record| record.author.clone());
        add(&mut self.price, books, price);
        add(&mut self.year, books, year);
    }

    /// Takes a book out of every order.
    pub(super) fn remove(&mut self, record: &Record, slot: u32) {
        let id = record.book.id;
        self.created.remove(&Entry { key: created(record), id, slot });
        self.title.remove(&Entry { key: record.title.clone(), id, slot });
        self.author.remove(&Entry { key: record.author.clone(), id, slot });
        self.price.remove(&Entry { key: price(record), id, slot });
        self.year.remove(&Entry { key: year(record), id, slot });
    }

    /// Moves a book from where it was to where it is now.
    pub(super) fn replace(&mut self, old: &Record, new: &Record, slot: u32) {
        let id = new.book.id;
        shift(&mut self.title, &old.title, &new.title, id, slot);
        shift(&mut self.author, &old.author, &new.author, id, slot);
        shift(&mut self.price, &price(old), &price(new), id, slot);
        shift(&mut self.year, &year(old), &year(new), id, slot);
    }

    /// The slots in the order of `query`, from behind its cursor on. In the order of years, only
    /// those of the years asked for.
    pub(super) fn walk(&self, query: &BookQuery) -> Box<dyn Iterator<Item = u32> + '_> {
        match query.sort().by {
            SortBy::Created => along(&self.created, query, everything()),
            SortBy::Title => along(&self.title, query, everything()),
            SortBy::Author => along(&self.author, query, everything()),
            SortBy::Price => along(&self.price, query, everything()),
            SortBy::Year => {
                let bound = |year: Option<i16>| year.map_or(Bound::Unbounded, Bound::Included);
                along(&self.year, query, (bound(query.year_min()), bound(query.year_max())))
            }
        }
    }
}

/// No bounds.
fn everything<K>() -> (Bound<K>, Bound<K>) {
    (Bound::Unbounded, Bound::Unbounded)
}

/// The slots of one order between two keys, from behind the cursor on.
fn along<'a, K: Key>(
    order: &'a OrdSet<Entry<K>>,
    query: &BookQuery,
    (min, max): (Bound<K>, Bound<K>),
) -> Box<dyn Iterator<Item = u32> + 'a> {
    let ascending = query.sort().direction == Direction::Ascending;
    let mut from = min.map(|key| Entry { key, id: BookId::from_uuid(Uuid::nil()), slot: 0 });
    let mut to = max.map(|key| Entry { key, id: BookId::from_uuid(Uuid::max()), slot: 0 });
    let cursor = query.after().and_then(|cursor| {
        K::of_cursor(cursor.key()).map(|key| Entry { key, id: cursor.id(), slot: 0 })
    });
    if let Some(cursor) = cursor {
        if ascending && !is_beyond(&cursor, &from, Ordering::Less) {
            from = Bound::Excluded(cursor);
        } else if !ascending && !is_beyond(&cursor, &to, Ordering::Greater) {
            to = Bound::Excluded(cursor);
        }
    }
    if is_empty(&from, &to) {
        return Box::new(iter::empty());
    }
    let entries = order.range((from, to)).map(|entry| entry.slot);
    if ascending { Box::new(entries) } else { Box::new(entries.rev()) }
}

/// Whether `entry` lies on that side of a bound.
fn is_beyond<K: Ord>(entry: &Entry<K>, bound: &Bound<Entry<K>>, side: Ordering) -> bool {
    match bound {
        Bound::Included(edge) | Bound::Excluded(edge) => entry.cmp(edge) == side,
        Bound::Unbounded => false,
    }
}

/// Whether nothing can lie between two bounds.
fn is_empty<K: Ord>(from: &Bound<Entry<K>>, to: &Bound<Entry<K>>) -> bool {
    match (from, to) {
        (Bound::Unbounded, _) | (_, Bound::Unbounded) => false,
        (Bound::Included(from), Bound::Included(to)) => from > to,
        (
            Bound::Included(from) | Bound::Excluded(from),
            Bound::Included(to) | Bound::Excluded(to),
        ) => from >= to,
    }
}

/// How two books stand to each other in the ascending order of `by`.
pub(super) fn compare(one: &Record, other: &Record, by: SortBy) -> Ordering {
    let order = match by {
        SortBy::Created => created(one).cmp(&created(other)),
        SortBy::Title => one.title.cmp(&other.title),
        SortBy::Author => one.author.cmp(&other.author),
        SortBy::Price => price(one).cmp(&price(other)),
        SortBy::Year => year(one).cmp(&year(other)),
    };
    order.then_with(|| one.book.id.cmp(&other.book.id))
}

/// How a book stands to a cursor, in ascending order.
pub(super) fn compare_to_cursor(record: &Record, cursor: &Cursor) -> Ordering {
    let order = match (cursor.key(), cursor.sort().by) {
        (SortKey::Created(time), _) => created(record).cmp(time),
        (SortKey::Text(text), SortBy::Author) => record.author.text.cmp(text),
        (SortKey::Text(text), _) => record.title.text.cmp(text),
        (SortKey::Price(paise), _) => price(record).cmp(paise),
        (SortKey::Year(number), _) => year(record).cmp(number),
    };
    order.then_with(|| record.book.id.cmp(&cursor.id()))
}

/// Adds books from the first to the last in the order, so that neighbours come one after another.
fn add<K: Key>(
    order: &mut OrdSet<Entry<K>>,
    books: &[(u32, Arc<Record>)],
    key: impl Fn(&Record) -> K,
) {
    let entry = |(slot, record): &(u32, Arc<Record>)| Entry {
        key: key(record),
        id: record.book.id,
        slot: *slot,
    };
    let mut entries: Vec<_> = books.iter().map(entry).collect();
    entries.sort_unstable();
    entries.into_iter().for_each(|entry| drop(order.insert(entry)));
}

fn shift<K: Key>(order: &mut OrdSet<Entry<K>>, old: &K, new: &K, id: BookId, slot: u32) {
    if old != new {
        order.remove(&Entry { key: old.clone(), id, slot });
        order.insert(Entry { key: new.clone(), id, slot });
    }
}

fn created(record: &Record) -> i64 {
    record.book.created_at.as_millisecond()
}

fn price(record: &Record) -> u32 {
    u32::try_from(record.book.content.price.paise()).unwrap_or(u32::MAX)
}

fn year(record: &Record) -> i16 {
    record.book.content.year.number()
}
