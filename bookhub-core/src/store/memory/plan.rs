//! How a page is made: which of two ways puts the books that were found in order.
//! Must not know how they were found.
//!
//! *Walk* along the order and keep what was found: quick if much was found, because the page is
//! soon full. *Gather* all that was found and select the page: quick if little was found. Where
//! neither is clear, walk on a budget, because what was found may stand at the far end of the
//! order, and gather when it is used up.

use std::sync::Arc;

use roaring::RoaringBitmap;

use super::{
    catalogue::{Catalogue, Record},
    sorted::{compare, compare_to_cursor},
    state::State,
};
use crate::query::{BookPage, BookQuery, Cursor, Direction, Total};

/// How many steps of a walk cost as much as to gather one book.
const STEPS_PER_BOOK: u64 = 12;

/// One page, its total and its position, from one state.
pub(super) fn page(state: &State, query: &BookQuery) -> BookPage {
    let catalogue = &state.catalogue;
    let wanted = query.limit().get() + 1;
    let (count, mut records) = match catalogue.terms.select(query) {
        None => {
            let slots = catalogue.sorted.walk(query).take(wanted);
            (catalogue.len() as u64, slots.filter_map(|slot| catalogue.record(slot)).collect())
        }
        Some(found) => (found.len(), in_order(catalogue, query, &found, wanted)),
    };
    let more = records.len() == wanted;
    records.truncate(query.limit().get());
    let last = records.last().filter(|_| more);
    let next = last.map(|record| Cursor::behind(&record.book, query.sort()));
    BookPage {
        next,
        books: records.into_iter().map(|record| Arc::clone(&record.book)).collect(),
        total: Total::exactly(count),
        position: state.history.head(),
    }
}

/// The first `wanted` of the books that were found, from behind the cursor of `query` on.
fn in_order<'a>(
    catalogue: &'a Catalogue,
    query: &BookQuery,
    found: &RoaringBitmap,
    wanted: usize,
) -> Vec<&'a Arc<Record>> {
    let (matches, books) = (found.len(), catalogue.len() as u64);
    // A walk takes about `books / matches` steps for each book of the page.
    let steps = books / matches.max(1) * wanted as u64;
    if steps > matches * STEPS_PER_BOOK {
        return gather(catalogue, query, found, wanted);
    }
    let budget = matches * STEPS_PER_BOOK + steps;
    walk(catalogue, query, found, wanted, budget)
        .unwrap_or_else(|| gather(catalogue, query, found, wanted))
}

/// Follows the order until the page is full; `None` if that takes more than `budget` steps.
fn walk<'a>(
    catalogue: &'a Catalogue,
    query: &BookQuery,
    found: &RoaringBitmap,
    wanted: usize,
    mut budget: u64,
) -> Option<Vec<&'a Arc<Record>>> {
    let mut page = Vec::with_capacity(wanted);
    for slot in catalogue.sorted.walk(query) {
        budget = budget.checked_sub(1)?;
        if found.contains(slot) {
            page.extend(catalogue.record(slot));
            if page.len() == wanted {
                break;
            }
        }
    }
    Some(page)
}

/// Looks at every book that was found and selects the page.
fn gather<'a>(
    catalogue: &'a Catalogue,
    query: &BookQuery,
    found: &RoaringBitmap,
    wanted: usize,
) -> Vec<&'a Arc<Record>> {
    let ascending = query.sort().direction == Direction::Ascending;
    let is_behind = |record: &&Arc<Record>| {
        query.after().is_none_or(|cursor| {
            let order = compare_to_cursor(record, cursor);
            if ascending { order.is_gt() } else { order.is_lt() }
        })
    };
    let in_order = |one: &&Arc<Record>, other: &&Arc<Record>| {
        let order = compare(one, other, query.sort().by);
        if ascending { order } else { order.reverse() }
    };
    let records = found.iter().filter_map(|slot| catalogue.record(slot));
    let mut records: Vec<_> = records.filter(is_behind).collect();
    if records.len() > wanted {
        records.select_nth_unstable_by(wanted - 1, in_order);
        records.truncate(wanted);
    }
    records.sort_unstable_by(in_order);
    records
}
