//! What callers send about books, read from JSON with every problem found: a new book
//! ([`BookDraft`]), changes to one ([`BookPatch`]), a correction of its stock
//! ([`StockAdjustment`]). The HTTP API and the command line read the same.

use serde_json::{Map, Value};

use super::{
    Author, Book, BookContent, CoverUrl, Description, Genre, Stock, StockReason, Title, Year,
};
use crate::{
    error::{BadValue, Invalid},
    isbn::Isbn,
    json::{self, Fields, FromJson},
    money::Price,
};

pub(crate) const EDITABLE: &[&str] =
    &["title", "author", "genre", "year", "price", "isbn", "coverUrl", "description", "stock"];
pub(crate) const READ_ONLY: &[&str] =
    &["id", "version", "stockVersion", "createdAt", "updatedAt", "isNew", "isUpdated"];

/// A book that somebody wants to put into the catalogue.
///
/// ```
/// use bookhub_core::BookDraft;
/// use serde_json::json;
///
/// let json = json!({"title": "", "author": "Jane Austen", "year": 0, "price": "199", "id": 1});
/// let invalid = BookDraft::from_json(json.as_object().unwrap()).unwrap_err();
/// let fields: Vec<_> = invalid.errors().iter().map(|error| error.field.as_ref()).collect();
/// assert_eq!(fields, ["id", "title", "genre", "year", "price"]);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BookDraft {
    /// What is said about the book.
    pub content: BookContent,
    /// How many copies there are to sell.
    pub stock: Stock,
}

impl BookDraft {
    /// Reads a draft. `title`, `author`, `genre`, `year` and `price` must be there; `stock` is 0 if
    /// absent; `isbn`, `coverUrl` and `description` may be absent or `null`.
    pub fn from_json(object: &Map<String, Value>) -> Result<Self, Invalid> {
        let mut fields = Fields::of(object, EDITABLE, READ_ONLY);
        let title = fields.required::<Title>("title");
        let author = fields.required::<Author>("author");
        let genre = fields.required::<Genre>("genre");
        let year = fields.required::<Year>("year");
        let price = fields.required::<Price>("price");
        let isbn = fields.nullable::<Isbn>("isbn").flatten();
        let cover_url = fields.nullable::<CoverUrl>("coverUrl").flatten();
        let description = fields.nullable::<Description>("description").flatten();
        let description = description.filter(is_said);
        let stock = fields.present::<Stock>("stock").unwrap_or_default();
        let draft = || {
            let (title, author, genre, year, price) = (title?, author?, genre?, year?, price?);
            let content =
                BookContent { title, author, genre, year, price, isbn, cover_url, description };
            Some(Self { content, stock })
        };
        let draft = draft();
        fields.finish(draft)
    }
}

/// Changes that somebody wants to make to a book: only the fields that are there.
///
/// ```
/// use bookhub_core::BookPatch;
/// use serde_json::json;
///
/// let patch = BookPatch::from_json(json!({"price": 249.5, "isbn": null}).as_object().unwrap());
/// let patch = patch.unwrap();
/// assert_eq!(patch.price.unwrap().to_string(), "249.5");
/// assert_eq!(patch.isbn, Some(None));
/// assert_eq!(patch.title, None);
/// assert!(BookPatch::from_json(json!({}).as_object().unwrap()).is_err());
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BookPatch {
    /// Another title.
    pub title: Option<Title>,
    /// Another author.
    pub author: Option<Author>,
    /// Another genre.
    pub genre: Option<Genre>,
    /// Another year.
    pub year: Option<Year>,
    /// Another price.
    pub price: Option<Price>,
    /// Another ISBN, or none.
    pub isbn: Option<Option<Isbn>>,
    /// Another cover, or none.
    pub cover_url: Option<Option<CoverUrl>>,
    /// Another description, or none.
    pub description: Option<Option<Description>>,
    /// The stock as it was counted, whatever it was before.
    pub stock: Option<Stock>,
}

impl BookPatch {
    /// Reads a patch. Every field may be absent, but not all of them; `isbn`, `coverUrl` and
    /// `description` may be `null` to remove what is there.
    pub fn from_json(object: &Map<String, Value>) -> Result<Self, Invalid> {
        let mut fields = Fields::of(object, EDITABLE, READ_ONLY);
        let patch = Self {
            title: fields.present("title"),
            author: fields.present("author"),
            genre: fields.present("genre"),
            year: fields.present("year"),
            price: fields.present("price"),
            isbn: fields.nullable("isbn"),
            cover_url: fields.nullable("coverUrl"),
            description: fields.nullable("description").map(|text| text.filter(is_said)),
            stock: fields.present("stock"),
        };
        if fields.all_good() && patch == Self::default() {
            let known = EDITABLE.join(", ");
            fields.refuse("body", format!("Changes nothing: give one or more of {known}."));
        }
        fields.finish(Some(patch))
    }

    /// What `book` would say after the patch.
    #[must_use]
    pub fn applied_to(&self, book: &Book) -> BookContent {
        let mut content = book.content.clone();
        set(&mut content.title, self.title.as_ref());
        set(&mut content.author, self.author.as_ref());
        set(&mut content.genre, self.genre.as_ref());
        set(&mut content.year, self.year.as_ref());
        set(&mut content.price, self.price.as_ref());
        set(&mut content.isbn, self.isbn.as_ref());
        set(&mut content.cover_url, self.cover_url.as_ref());
        set(&mut content.description, self.description.as_ref());
        content
    }
}

/// A correction of a book's stock by so many copies, and why.
///
/// ```
/// use bookhub_core::StockAdjustment;
/// use serde_json::json;
///
/// let json = json!({"delta": -2, "reason": "water damage"});
/// let adjustment = StockAdjustment::from_json(json.as_object().unwrap()).unwrap();
/// assert_eq!(adjustment.delta, -2);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StockAdjustment {
    /// How many copies came, or went if negative.
    pub delta: i64,
    /// Why.
    pub reason: StockReason,
}

impl StockAdjustment {
    /// Reads a correction; `delta` and `reason` must be there, and `delta` must not be 0.
    pub fn from_json(object: &Map<String, Value>) -> Result<Self, Invalid> {
        let mut fields = Fields::of(object, &["delta", "reason"], &[]);
        let delta = fields.required::<Delta>("delta");
        let reason = fields.required::<StockReason>("reason");
        let adjustment = delta.zip(reason).map(|(Delta(delta), reason)| Self { delta, reason });
        fields.finish(adjustment)
    }
}

/// A number of copies that came or went.
struct Delta(i64);

impl FromJson for Delta {
    const EXPECTED: &'static str = "a whole number of copies, negative if they go";

    fn from_json(value: &Value) -> Result<Self, BadValue> {
        let most = i64::from(Stock::MAX);
        match json::whole::<Self>(value)? {
            0 => Err(BadValue::new("Must not be 0: give the number of copies that came or went.")),
            delta if (-most..=most).contains(&delta) => Ok(Self(delta)),
            _ => Err(BadValue::new(format!("Must be from -{most} to {most}."))),
        }
    }
}

/// An empty description is the same as none.
fn is_said(description: &Description) -> bool {
    !description.as_str().is_empty()
}

fn set<T: Clone>(old: &mut T, new: Option<&T>) {
    if let Some(new) = new {
        old.clone_from(new);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn good() -> Value {
        json!({"title": "Emma", "author": "Jane Austen", "genre": "Classics", "year": 1815, "price": 199})
    }

    fn draft(json: &Value) -> Result<BookDraft, Invalid> {
        BookDraft::from_json(json.as_object().unwrap())
    }

    fn patch(json: &Value) -> Result<BookPatch, Invalid> {
        BookPatch::from_json(json.as_object().unwrap())
    }

    #[test]
    fn each_wrong_value_is_named_by_its_field() {
        for (field, value) in [
            ("title", json!("")),
            ("title", json!("a\u{0}b")),
            ("title", json!(7)),
            ("author", json!(null)),
            ("genre", json!(["x"])),
            ("year", json!(0)),
            ("year", json!(3000)),
            ("year", json!(1999.5)),
            ("year", json!("1999")),
            ("year", json!(1e300)),
            ("price", json!(-1)),
            ("price", json!(1.555)),
            ("price", json!("199")),
            ("isbn", json!("123")),
            ("isbn", json!("")),
            ("coverUrl", json!("javascript:alert(1)")),
            ("description", json!("x".repeat(10_001))),
            ("stock", json!(-1)),
            ("stock", json!(null)),
            ("stock", json!(u64::MAX)),
            ("id", json!("x")),
            ("version", json!(1)),
            ("colour", json!("red")),
        ] {
            let mut json = good();
            json[field] = value.clone();
            let invalid = draft(&json).unwrap_err();
            assert_eq!(invalid.errors().len(), 1, "{invalid}");
            assert_eq!(invalid.errors()[0].field, field, "{value}");
            assert!(patch(&json!({ field: value })).is_err(), "{field}");
        }
    }

    #[test]
    fn required_fields_are_asked_for_and_others_have_defaults() {
        let invalid = draft(&json!({})).unwrap_err();
        let fields: Vec<_> = invalid.errors().iter().map(|error| error.field.as_ref()).collect();
        assert_eq!(fields, ["title", "author", "genre", "year", "price"]);
        let draft = draft(&good()).unwrap();
        assert_eq!(draft.stock, Stock::default());
        assert_eq!(draft.content.isbn, None);
    }

    #[test]
    fn null_and_blank_clear_what_is_optional() {
        let patch = patch(&json!({"isbn": null, "coverUrl": null, "description": " "})).unwrap();
        assert_eq!(patch.isbn, Some(None));
        assert_eq!(patch.cover_url, Some(None));
        assert_eq!(patch.description, Some(None));
    }

    #[test]
    fn problems_are_listed_to_a_limit() {
        let json: Map<_, _> = (0..1000).map(|i| (format!("field{i}"), json!(1))).collect();
        assert!(BookPatch::from_json(&json).unwrap_err().errors().len() <= 60);
    }
}
