//! A set of slots that is cheap to copy on write, and the operations a search needs on such sets.
//! Must not know what the slots stand for.
//!
//! Most terms are rare, a few are in every second book. So a posting is one slot, or a short
//! sorted list, or bitmaps of 65,536 slots each: whatever its size, adding a slot to a shared
//! posting copies 8 KiB at most.

use std::sync::Arc;

use roaring::{MultiOps, RoaringBitmap};

/// The longest list that is copied as a whole.
const LONGEST_LIST: usize = 512;

/// Slots of the books that have something in common; never empty.
#[derive(Clone)]
pub(super) enum Posting {
    One(u32),
    List(Arc<[u32]>),
    Chunks(Arc<Vec<Chunk>>),
}

/// The slots whose upper 16 bits are `key`.
#[derive(Clone)]
pub(super) struct Chunk {
    key: u16,
    slots: Arc<RoaringBitmap>,
}

impl Posting {
    /// A posting of some slots, sorted; `None` if there are none.
    pub(super) fn of(slots: &[u32]) -> Option<Self> {
        match slots {
            [] => None,
            [slot] => Some(Self::One(*slot)),
            _ if slots.len() <= LONGEST_LIST => Some(Self::List(slots.into())),
            _ => {
                let mut chunks = Vec::new();
                extend_chunks(&mut chunks, slots);
                Some(Self::Chunks(Arc::new(chunks)))
            }
        }
    }

    /// The posting with these slots more, sorted.
    pub(super) fn extend(&mut self, slots: &[u32]) {
        let old = match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::List(list) => list,
            Self::Chunks(chunks) => return extend_chunks(Arc::make_mut(chunks), slots),
        };
        let mut all = [old, slots].concat();
        all.sort_unstable();
        all.dedup();
        if let Some(extended) = Self::of(&all) {
            *self = extended;
        }
    }

    /// The posting with one slot less; `None` if it was the last one.
    pub(super) fn without(mut self, slot: u32) -> Option<Self> {
        match &mut self {
            Self::One(one) => return (*one != slot).then_some(self),
            Self::List(list) => match (list.binary_search(&slot), &**list) {
                (Ok(0), [_, other]) | (Ok(1), [other, _]) => return Some(Self::One(*other)),
                (Ok(place), _) => *list = [&list[..place], &list[place + 1..]].concat().into(),
                (Err(_), _) => {}
            },
            Self::Chunks(chunks) => {
                let chunks = Arc::make_mut(chunks);
                if let Ok(place) = chunks.binary_search_by_key(&key(slot), |chunk| chunk.key) {
                    let slots = Arc::make_mut(&mut chunks[place].slots);
                    slots.remove(slot);
                    if slots.is_empty() {
                        chunks.remove(place);
                    }
                }
                if chunks.is_empty() {
                    return None;
                }
            }
        }
        Some(self)
    }

    /// How many slots there are.
    pub(super) fn len(&self) -> u64 {
        match self {
            Self::One(_) => 1,
            Self::List(list) => list.len() as u64,
            Self::Chunks(chunks) => chunks.iter().map(|chunk| chunk.slots.len()).sum(),
        }
    }

    /// The smallest slot.
    pub(super) fn first(&self) -> Option<u32> {
        match self {
            Self::One(one) => Some(*one),
            Self::List(list) => list.first().copied(),
            Self::Chunks(chunks) => chunks.first().and_then(|chunk| chunk.slots.min()),
        }
    }
}

fn key(slot: u32) -> u16 {
    (slot >> 16) as u16
}

fn extend_chunks(chunks: &mut Vec<Chunk>, slots: &[u32]) {
    for slots in slots.chunk_by(|one, next| key(*one) == key(*next)) {
        let key = key(slots[0]);
        match chunks.binary_search_by_key(&key, |chunk| chunk.key) {
            Ok(place) => Arc::make_mut(&mut chunks[place].slots).extend(slots),
            Err(place) => {
                let slots = Arc::new(slots.iter().copied().collect());
                chunks.insert(place, Chunk { key, slots });
            }
        }
    }
}

/// Slots that are in any of some postings.
#[derive(Default)]
pub(super) struct AnyOf<'a> {
    pub(super) postings: Vec<&'a Posting>,
    pub(super) slots: Vec<u32>,
}

impl<'a> AnyOf<'a> {
    pub(super) fn of(postings: impl IntoIterator<Item = &'a Posting>) -> Self {
        Self { postings: postings.into_iter().collect(), slots: Vec::new() }
    }

    /// At most so many slots.
    pub(super) fn bound(&self) -> u64 {
        self.slots.len() as u64 + self.postings.iter().map(|posting| posting.len()).sum::<u64>()
    }

    /// All of the slots.
    pub(super) fn union(&self) -> RoaringBitmap {
        let mut found = self.chunks().union();
        found.extend(self.single(|_| true));
        found
    }

    /// Those of the slots that are in `others` too.
    pub(super) fn intersection(&self, others: &RoaringBitmap) -> RoaringBitmap {
        // Few against many: look each one up. Many against many: bitmap against bitmap.
        if others.len() > 1024 && self.postings.len() > 1 {
            return self.union() & others;
        }
        let mut found = self.chunks().map(|chunk| others & chunk).union();
        found.extend(self.single(|slot| others.contains(slot)));
        found
    }

    /// The bitmaps among the postings.
    fn chunks(&self) -> impl Iterator<Item = &RoaringBitmap> {
        let chunks = self.postings.iter().filter_map(|posting| match posting {
            Posting::Chunks(chunks) => Some(chunks.iter()),
            _ => None,
        });
        chunks.flatten().map(|chunk| &*chunk.slots)
    }

    /// The slots that are in no bitmap, if they are wanted; sorted.
    fn single(&self, wanted: impl Fn(u32) -> bool) -> Vec<u32> {
        let lists = self.postings.iter().map(|posting| match posting {
            Posting::One(one) => std::slice::from_ref(one),
            Posting::List(list) => list,
            Posting::Chunks(_) => &[],
        });
        let slots = lists.flatten().chain(&self.slots).copied();
        let mut single: Vec<_> = slots.filter(|slot| wanted(*slot)).collect();
        single.sort_unstable();
        single
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    /// Slots in a few chunks, close enough to each other to meet.
    fn slots() -> impl Strategy<Value = Vec<u32>> {
        prop::collection::vec(
            (0..3_u32, 0..500_u32).prop_map(|(chunk, low)| chunk << 16 | low),
            1..1500,
        )
    }

    /// Built in batches of some size.
    fn posting(slots: &[u32], batch: usize) -> Posting {
        let mut batches = slots.chunks(batch).map(|slots| BTreeSet::from_iter(slots.to_vec()));
        let first: Vec<_> = batches.next().unwrap().into_iter().collect();
        let mut posting = Posting::of(&first).unwrap();
        batches.for_each(|slots| posting.extend(&slots.into_iter().collect::<Vec<_>>()));
        posting
    }

    fn list(posting: &Posting) -> Vec<u32> {
        AnyOf::of([posting]).union().iter().collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn a_posting_is_a_set(added in slots(), removed in slots(), batch in 1..900_usize) {
            let mut model: BTreeSet<u32> = added.iter().copied().collect();
            let mut posting = Some(posting(&added, batch));
            let before = posting.clone().unwrap();
            for slot in &removed {
                model.remove(slot);
                posting = posting.and_then(|posting| posting.without(*slot));
            }
            prop_assert_eq!(posting.is_none(), model.is_empty());
            if let Some(posting) = posting {
                prop_assert_eq!(list(&posting), model.iter().copied().collect::<Vec<_>>());
                prop_assert_eq!(posting.len(), model.len() as u64);
                prop_assert_eq!(posting.first(), model.first().copied());
            }
            // The copy that was taken before is as it was.
            let added: BTreeSet<u32> = added.into_iter().collect();
            prop_assert_eq!(list(&before), added.into_iter().collect::<Vec<_>>());
        }

        #[test]
        fn intersections_are_those_of_sets(one in slots(), two in slots(), three in slots(), extra in slots()) {
            let (a, b) = (posting(&one, 7), posting(&two, 999));
            let any = AnyOf { postings: vec![&a, &b], slots: extra.clone() };
            let others: RoaringBitmap = three.iter().copied().collect();
            let union: BTreeSet<u32> = one.into_iter().chain(two).chain(extra).collect();
            let both = union.iter().copied().filter(|slot| others.contains(*slot));
            prop_assert_eq!(any.intersection(&others), both.collect::<RoaringBitmap>());
            prop_assert!(any.bound() >= union.len() as u64);
        }
    }
}
