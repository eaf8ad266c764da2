//! The books that were sold, under small numbers: what is kept of a book for each day is no more than
//! such a number and two figures. Must not know what was sold.

use std::collections::HashMap;

use crate::{
    book::{Author, BookId, Title},
    order::OrderItem,
};

/// The books that are still spoken of.
#[derive(Debug, Default)]
pub(super) struct Names {
    slots: HashMap<BookId, u32>,
    /// By slot, each with how often it is spoken of.
    names: Vec<Option<(Name, u32)>>,
    free: Vec<u32>,
}

/// A book as it was when it was sold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Name {
    pub(super) book: BookId,
    pub(super) title: Title,
    pub(super) author: Author,
}

impl Names {
    /// How many slots there are.
    pub(super) fn len(&self) -> usize {
        self.names.len()
    }

    /// How many books there are.
    #[cfg(test)]
    pub(super) fn kept(&self) -> usize {
        self.slots.len()
    }

    /// The slot of a book, a free one at first: it is to be kept.
    pub(super) fn slot(&mut self, item: &OrderItem) -> u32 {
        let new = || {
            let (book, title, author) = (item.book, item.title.clone(), item.author.clone());
            let name = Some((Name { book, title, author }, 0));
            if let Some(slot) = self.free.pop() {
                self.names[slot as usize] = name;
                return slot;
            }
            self.names.push(name);
            u32::try_from(self.names.len() - 1).unwrap_or(u32::MAX)
        };
        *self.slots.entry(item.book).or_insert_with(new)
    }

    /// The slot of a book that has one.
    pub(super) fn find(&self, book: BookId) -> Option<u32> {
        self.slots.get(&book).copied()
    }

    /// What is in a slot.
    pub(super) fn name(&self, slot: u32) -> Option<&Name> {
        self.names.get(slot as usize)?.as_ref().map(|(name, _)| name)
    }

    /// Somebody more speaks of what is in a slot.
    pub(super) fn keep(&mut self, slot: u32) {
        if let Some(Some((_, count))) = self.names.get_mut(slot as usize) {
            *count += 1;
        }
    }

    /// Somebody speaks of it no more; the last frees the slot.
    pub(super) fn drop(&mut self, slot: u32) {
        let Some(place) = self.names.get_mut(slot as usize) else { return };
        let Some((name, count)) = place else { return };
        *count = count.saturating_sub(1);
        if *count == 0 {
            self.slots.remove(&name.book);
            *place = None;
            self.free.push(slot);
        }
    }
}
