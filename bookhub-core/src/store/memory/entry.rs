//! What stands in an ordered index: a key, and the book it is the key of.

use std::{cmp::Ordering, iter, sync::Arc};

use crate::{book::BookId, query::SortKey, search::sort_key};

/// A book in an order: by its key, then by its id.
#[derive(Clone)]
pub(super) struct Entry<K> {
    pub(super) key: K,
    pub(super) id: BookId,
    pub(super) slot: u32,
}

/// A text with its first bytes as a number, so that most comparisons do not follow the pointer.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct TextKey {
    head: u64,
    pub(super) text: Arc<str>,
}

impl TextKey {
    /// The key by which a title or author is sorted.
    pub(super) fn of(text: &str) -> Self {
        sort_key(text).as_str().into()
    }
}

impl From<&str> for TextKey {
    fn from(text: &str) -> Self {
        let mut head = [0; 8];
        iter::zip(&mut head, text.bytes()).for_each(|(to, from)| *to = from);
        Self { head: u64::from_be_bytes(head), text: text.into() }
    }
}

impl Ord for TextKey {
    fn cmp(&self, other: &Self) -> Ordering {
        self.head.cmp(&other.head).then_with(|| self.text.cmp(&other.text))
    }
}

impl PartialOrd for TextKey {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// What an order sorts by.
pub(super) trait Key: Ord + Clone {
    /// The key in a cursor, if it is of this kind.
    fn of_cursor(key: &SortKey) -> Option<Self>;
}

impl Key for i64 {
    fn of_cursor(key: &SortKey) -> Option<Self> {
        if let SortKey::Created(time) = key { Some(*time) } else { None }
    }
}

impl Key for TextKey {
    fn of_cursor(key: &SortKey) -> Option<Self> {
        if let SortKey::Text(text) = key { Some(text.as_ref().into()) } else { None }
    }
}

impl Key for u32 {
    fn of_cursor(key: &SortKey) -> Option<Self> {
        if let SortKey::Price(paise) = key { Some(*paise) } else { None }
    }
}

impl Key for i16 {
    fn of_cursor(key: &SortKey) -> Option<Self> {
        if let SortKey::Year(year) = key { Some(*year) } else { None }
    }
}

impl<K: Ord> Ord for Entry<K> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key.cmp(&other.key).then_with(|| self.id.cmp(&other.id))
    }
}

impl<K: Ord> PartialOrd for Entry<K> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<K: Ord> PartialEq for Entry<K> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl<K: Ord> Eq for Entry<K> {}
