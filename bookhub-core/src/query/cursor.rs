//! Where a page ended, as an opaque text that a client sends back to get the next one.

use std::{fmt, sync::Arc};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use uuid::Uuid;

use super::{Sort, SortBy};
use crate::{book::Book, error::BadValue, id::BookId, search::sort_key};

/// A place in an order of books: right behind a book that is, or once was, in the catalogue. It
/// holds what the book was sorted by, so the next page is found even if the book is gone.
///
/// ```
/// use bookhub_core::{Cursor, Sort};
/// # use bookhub_core::{Book, BookDraft, BookId};
/// # let json = serde_json::json!({"title": "Emma", "author": "Jane Austen", "genre": "Classics", "year": 1815, "price": 199});
/// # let draft = BookDraft::from_json(json.as_object().unwrap()).unwrap();
/// # let now = jiff::Timestamp::now();
/// # let emma = Book::new(BookId::generate(now), draft, now);
///
/// let by_title: Sort = "title".parse().unwrap();
/// let text = Cursor::behind(&emma, by_title).to_string();
/// assert_eq!(Cursor::parse(&text, by_title).unwrap().id(), emma.id);
/// assert!(Cursor::parse(&text, Sort::NEWEST).is_err());
/// assert!(Cursor::parse("made-up", by_title).is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    sort: Sort,
    key: SortKey,
    id: BookId,
}

/// What a book is sorted by.
///
/// ```
/// use bookhub_core::SortKey;
///
/// assert!(SortKey::Price(19_900) < SortKey::Price(89_950));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SortKey {
    /// When it came into the catalogue, in milliseconds of Unix time.
    Created(i64),
    /// The [`sort_key`] of its title or author.
    Text(Arc<str>),
    /// What it costs, in paise.
    Price(u32),
    /// When it came out.
    Year(i16),
}

impl SortKey {
    /// What `book` is sorted by.
    #[must_use]
    pub fn of(book: &Book, by: SortBy) -> Self {
        let content = &book.content;
        match by {
            SortBy::Created => Self::Created(book.created_at.as_millisecond()),
            SortBy::Title => Self::Text(sort_key(content.title.as_str()).into()),
            SortBy::Author => Self::Text(sort_key(content.author.as_str()).into()),
            SortBy::Price => Self::Price(u32::try_from(content.price.paise()).unwrap_or(u32::MAX)),
            SortBy::Year => Self::Year(content.year.number()),
        }
    }

    fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Created(time) => time.to_be_bytes().into(),
            Self::Text(text) => text.as_bytes().into(),
            Self::Price(paise) => paise.to_be_bytes().into(),
            Self::Year(year) => year.to_be_bytes().into(),
        }
    }

    fn from_bytes(bytes: &[u8], by: SortBy) -> Option<Self> {
        Some(match by {
            SortBy::Created => Self::Created(i64::from_be_bytes(bytes.try_into().ok()?)),
            SortBy::Title | SortBy::Author => Self::Text(str::from_utf8(bytes).ok()?.into()),
            SortBy::Price => Self::Price(u32::from_be_bytes(bytes.try_into().ok()?)),
            SortBy::Year => Self::Year(i16::from_be_bytes(bytes.try_into().ok()?)),
        })
    }
}

impl Cursor {
    /// The place right behind `book` in this order.
    #[must_use]
    pub fn behind(book: &Book, sort: Sort) -> Self {
        Self { sort, key: SortKey::of(book, sort.by), id: book.id }
    }

    /// Reads a cursor that was made for `sort`.
    pub fn parse(text: &str, sort: Sort) -> Result<Self, BadValue> {
        let way_out = "take the one of the last page's link, or leave it out to start anew";
        let cursor = Self::decode(text)
            .ok_or_else(|| BadValue::new(format!("Is no cursor of this shop: {way_out}.")))?;
        if cursor.sort != sort {
            let made_for = cursor.sort;
            return Err(BadValue::new(format!("Was made for sort={made_for}: {way_out}.")));
        }
        Ok(cursor)
    }

    /// The order it was made for.
    #[must_use]
    pub fn sort(&self) -> Sort {
        self.sort
    }

    /// What the book in front of it was sorted by.
    #[must_use]
    pub fn key(&self) -> &SortKey {
        &self.key
    }

    /// The book in front of it.
    #[must_use]
    pub fn id(&self) -> BookId {
        self.id
    }

    /// The checksum (4 bytes), the sort (1), the id (16), the key (the rest).
    fn decode(text: &str) -> Option<Self> {
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).ok()?;
        let (sum, rest) = bytes.split_first_chunk::<4>()?;
        let (&[sort], key) = rest.split_first_chunk::<1>()?;
        let (id, key) = key.split_first_chunk::<16>()?;
        if *sum != checksum(rest) {
            return None;
        }
        let (_, sort) = *Sort::ALL.get(usize::from(sort))?;
        let key = SortKey::from_bytes(key, sort.by)?;
        Some(Self { sort, key, id: BookId::from_uuid(Uuid::from_bytes(*id)) })
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = vec![self.sort.number()];
        rest.extend(self.id.uuid().as_bytes());
        rest.extend(self.key.bytes());
        let bytes = [&checksum(&rest)[..], &rest].concat();
        f.write_str(&BASE64_URL_SAFE_NO_PAD.encode(bytes))
    }
}

/// FNV-1a: tells a cursor from a made-up or cut-off text. Not a protection: a cursor gives nobody
/// anything that the first page does not.
pub(super) fn checksum(bytes: &[u8]) -> [u8; 4] {
    let step = |sum: u32, byte: &u8| (sum ^ u32::from(*byte)).wrapping_mul(0x0100_0193);
    bytes.iter().fold(0x811c_9dc5, step).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn keys() -> impl Strategy<Value = (SortKey, SortBy)> {
        prop_oneof![
            any::<i64>().prop_map(|time| (SortKey::Created(time), SortBy::Created)),
            "\\PC{0,120}".prop_map(|text| (SortKey::Text(text.into()), SortBy::Title)),
            any::<u32>().prop_map(|paise| (SortKey::Price(paise), SortBy::Price)),
            any::<i16>().prop_map(|year| (SortKey::Year(year), SortBy::Year)),
        ]
    }

    proptest! {
        #[test]
        fn a_cursor_survives_its_text((key, by) in keys(), id: u128) {
            let id = BookId::from_uuid(Uuid::from_u128(id));
            for (_, sort) in Sort::ALL.into_iter().filter(|(_, sort)| sort.by == by) {
                let cursor = Cursor { sort, key: key.clone(), id };
                prop_assert_eq!(Cursor::parse(&cursor.to_string(), sort), Ok(cursor));
            }
        }

        #[test]
        fn any_text_is_read_without_panic(text in "[A-Za-z0-9_-]{0,80}|\\PC{0,40}") {
            prop_assert!(Cursor::parse(&text, Sort::NEWEST).is_err());
        }
    }
}
