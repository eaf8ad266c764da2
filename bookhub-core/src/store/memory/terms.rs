//! Which books have a word, the beginning of a word, a genre, a year: the sets that a query
//! intersects. Must not know in which order books are shown.
//!
//! Beginnings of one to three characters are terms of their own, so that the first keystrokes of
//! a search, which find most of the catalogue, cost least; longer ones are a range of words. ISBNs
//! are not among the words (each is a word of its own): their beginnings are terms up to seven
//! digits and a range of numbers from there on. Years are terms, and so are decades and centuries:
//! any range of years is a few of them.

use std::{borrow::Borrow, ops::Bound, sync::Arc};

use imbl::OrdMap;
use roaring::RoaringBitmap;

use super::posting::{AnyOf, Posting};
use crate::{
    book::{BookContent, Year},
    isbn::Isbn,
    query::BookQuery,
    search::{GenreKey, words},
};

/// Beginnings of words up to this length have a posting of their own.
const WORD_START: usize = 3;
/// Beginnings of ISBNs up to this length have a posting of their own.
const ISBN_START: u32 = 7;
const ISBN_DIGITS: u32 = 13;

/// The sets of slots.
#[derive(Clone, Default)]
pub(super) struct Terms {
    words: OrdMap<Arc<str>, Posting>,
    starts: OrdMap<u64, Posting>,
    isbns: OrdMap<Isbn, u32>,
    genres: OrdMap<GenreKey, Posting>,
    years: OrdMap<(Span, i16), Posting>,
}

/// A piece of time; each divides the next.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Span {
    Year,
    Decade,
    Century,
}

impl Span {
    const ALL: [Self; 3] = [Self::Year, Self::Decade, Self::Century];

    fn years(self) -> i16 {
        match self {
            Self::Year => 1,
            Self::Decade => 10,
            Self::Century => 100,
        }
    }
}

impl Terms {
    /// Gives an ISBN to the book in a slot.
    pub(super) fn claim(&mut self, isbn: Option<Isbn>, slot: u32) {
        if let Some(isbn) = isbn {
            self.isbns.insert(isbn, slot);
        }
    }

    /// Puts books under their terms; those of all of them together, because to find the place of
    /// a term costs more than to add a slot there.
    pub(super) fn insert<'a>(&mut self, books: impl Iterator<Item = (&'a BookContent, u32)>) {
        let (mut in_words, mut in_starts) = (Vec::new(), Vec::new());
        let (mut in_genres, mut in_years) = (Vec::new(), Vec::new());
        for (content, slot) in books {
            let words = words(content);
            in_starts.extend(starts(&words, content.isbn).map(|start| (start, slot)));
            in_words.extend(words.into_iter().map(|word| (Arc::<str>::from(word), slot)));
            in_genres.push((GenreKey::of(&content.genre), slot));
            in_years.extend(spans(content.year).map(|span| (span, slot)));
        }
        add(&mut self.words, in_words);
        add(&mut self.starts, in_starts);
        add(&mut self.genres, in_genres);
        add(&mut self.years, in_years);
    }

    /// Takes a book away from its terms.
    pub(super) fn remove(&mut self, content: &BookContent, slot: u32) {
        let words = words(content);
        starts(&words, content.isbn).for_each(|start| take(&mut self.starts, &start, slot));
        if let Some(isbn) = content.isbn {
            self.isbns.remove(&isbn);
        }
        words.iter().for_each(|word| take(&mut self.words, word.as_str(), slot));
        take(&mut self.genres, &GenreKey::of(&content.genre), slot);
        spans(content.year).for_each(|span| take(&mut self.years, &span, slot));
    }

    /// The book with this ISBN.
    pub(super) fn by_isbn(&self, isbn: Isbn) -> Option<u32> {
        self.isbns.get(&isbn).copied()
    }

    /// Each genre with how many books it has and one of them.
    pub(super) fn genres(&self) -> impl Iterator<Item = (u64, u32)> {
        self.genres.values().filter_map(|posting| Some((posting.len(), posting.first()?)))
    }

    /// The slots of the books that `query` asks for; `None` if it asks for all.
    pub(super) fn select(&self, query: &BookQuery) -> Option<RoaringBitmap> {
        let mut wanted = self.wanted(query);
        wanted.sort_by_cached_key(AnyOf::bound);
        let (smallest, others) = wanted.split_first()?;
        let mut found = smallest.union();
        for other in others {
            if found.is_empty() {
                break;
            }
            found = other.intersection(&found);
        }
        Some(found)
    }

    /// The sets in all of which a book must be.
    fn wanted(&self, query: &BookQuery) -> Vec<AnyOf<'_>> {
        let mut wanted = Vec::new();
        if let Some(search) = query.search() {
            wanted.extend(search.words().iter().map(|word| self.having(word)));
            wanted.push(search.prefix().map_or_else(AnyOf::default, |start| self.starting(start)));
        }
        if let Some(genre) = query.genre() {
            wanted.push(AnyOf::of(self.genres.get(genre)));
        }
        if query.year_min().is_some() || query.year_max().is_some() {
            wanted.push(self.between(query.year_min(), query.year_max()));
        }
        wanted
    }

    /// The books with this word.
    fn having(&self, word: &str) -> AnyOf<'_> {
        let mut found = AnyOf::of(self.words.get(word));
        if word.len() == ISBN_DIGITS as usize
            && let Ok(isbn) = word.parse()
        {
            found.slots.extend(self.by_isbn(isbn));
        }
        found
    }

    /// The books with a word that begins so.
    fn starting(&self, start: &str) -> AnyOf<'_> {
        if let Some(packed) = pack(start) {
            return AnyOf::of(self.starts.get(&packed));
        }
        let words = self.words.range::<_, str>((Bound::Included(start), Bound::Unbounded));
        let words = words.take_while(|(word, _)| word.starts_with(start));
        let mut found = AnyOf::of(words.map(|(_, posting)| posting));
        let length = start.len() as u32;
        let is_digits = start.bytes().all(|byte| byte.is_ascii_digit());
        if is_digits
            && length <= ISBN_DIGITS
            && let Ok(number) = start.parse()
        {
            if length <= ISBN_START {
                found.postings.extend(self.starts.get(&pack_isbn(number, length)));
            } else {
                let step = 10_u64.pow(ISBN_DIGITS - length);
                let range = Isbn::raw(number * step)..Isbn::raw((number + 1) * step);
                found.slots.extend(self.isbns.range(range).map(|(_, slot)| *slot));
            }
        }
        found
    }

    /// The books of these years, by the fewest spans.
    fn between(&self, min: Option<i16>, max: Option<i16>) -> AnyOf<'_> {
        let years = || self.years.range((Span::Year, i16::MIN)..=(Span::Year, i16::MAX));
        let (Some(first), Some(last)) = (years().next(), years().next_back()) else {
            return AnyOf::default();
        };
        let mut year = min.unwrap_or(i16::MIN).max(first.0.1);
        let max = max.unwrap_or(i16::MAX).min(last.0.1);
        let mut found = AnyOf::default();
        while year <= max {
            let fits =
                |span: &Span| year.rem_euclid(span.years()) == 0 && year + span.years() - 1 <= max;
            let span = Span::ALL.into_iter().rev().find(fits).unwrap_or(Span::Year);
            found.postings.extend(self.years.get(&(span, year.div_euclid(span.years()))));
            year += span.years();
        }
        found
    }
}

fn add<K: Ord + Clone>(terms: &mut OrdMap<K, Posting>, mut entries: Vec<(K, u32)>) {
    entries.sort_unstable();
    let mut slots = Vec::new();
    for entries in entries.chunk_by(|(one, _), (next, _)| one == next) {
        slots.clear();
        slots.extend(entries.iter().map(|(_, slot)| *slot));
        let term = &entries[0].0;
        if let Some(posting) = terms.get_mut(term) {
            posting.extend(&slots);
        } else if let Some(posting) = Posting::of(&slots) {
            terms.insert(term.clone(), posting);
        }
    }
}

fn take<K, Q>(terms: &mut OrdMap<K, Posting>, term: &Q, slot: u32)
where
    K: Ord + Clone + Borrow<Q>,
    Q: Ord + ?Sized,
{
    if let Some((term, posting)) = terms.remove_with_key(term)
        && let Some(rest) = posting.without(slot)
    {
        terms.insert(term, rest);
    }
}

/// The beginnings under which words and an ISBN are found, each once.
fn starts(words: &[String], isbn: Option<Isbn>) -> impl Iterator<Item = u64> {
    let mut starts = Vec::with_capacity(words.len() * WORD_START + ISBN_START as usize);
    for word in words {
        let ends = word.char_indices().skip(1).map(|(end, _)| end).chain([word.len()]);
        starts.extend(ends.take(WORD_START).filter_map(|end| pack(&word[..end])));
    }
    if let Some(isbn) = isbn {
        for length in 1..=ISBN_START {
            let number = isbn.number() / 10_u64.pow(ISBN_DIGITS - length);
            let short =
                (length as usize <= WORD_START).then(|| pack(&number.to_string())).flatten();
            starts.push(short.unwrap_or_else(|| pack_isbn(number, length)));
        }
    }
    starts.sort_unstable();
    starts.dedup();
    starts.into_iter()
}

/// One to three characters in one number; `None` for more, or none.
fn pack(start: &str) -> Option<u64> {
    let mut chars = start.chars();
    let packed = chars.by_ref().take(WORD_START).fold(0, |packed, c| packed << 21 | u64::from(c));
    (chars.next().is_none() && packed != 0).then_some(packed)
}

/// The first digits of an ISBN in one number, different from all that [`pack`] makes.
fn pack_isbn(number: u64, length: u32) -> u64 {
    1 << 63 | u64::from(length) << 48 | number
}

/// The spans of time in which a book came out.
fn spans(year: Year) -> impl Iterator<Item = (Span, i16)> {
    Span::ALL.into_iter().map(move |span| (span, year.number().div_euclid(span.years())))
}
