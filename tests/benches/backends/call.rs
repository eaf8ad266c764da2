//! The questions in the words of the database, as the shop's store says them.

use anyhow::Result;
use bookhub_core::{Book, BookQuery, Direction, GenreKey, SortBy, SortKey, sort_key, terms};
use mongodb::bson::{Bson, DateTime, Document, Uuid, doc};

use crate::question::Question;

/// Up to how many hits of a search the shop counts, and one more.
const MOST_COUNTED: u64 = 10_001;

/// What the driver is called with.
#[derive(Clone, Debug)]
pub(crate) enum Call {
    Get(Document),
    List { filter: Document, order: Document, count: Count, most: i64 },
    Update { session: Document, user: Document, id: Document, change: Document, entry: Document },
}

/// How it is counted what is listed.
#[derive(Clone, Debug)]
pub(crate) enum Count {
    Estimated,
    Exact(Document),
    UpTo(Document, u64),
}

impl Call {
    pub(crate) fn new(question: Question, session: &Bson, user: &Bson) -> Result<Self> {
        Ok(match question {
            Question::Get(id) => Self::Get(by_id(id.uuid())),
            Question::List(parameters) => {
                let query = Question::query(&parameters)?;
                let filter = filter(&query);
                let order = match query.sort().direction {
                    Direction::Ascending => 1,
                    Direction::Descending => -1,
                };
                let order = doc! { field(query.sort().by): order, "_id": order };
                let count = match query.search() {
                    _ if filter.is_empty() => Count::Estimated,
                    None => Count::Exact(filter.clone()),
                    Some(_) => Count::UpTo(filter.clone(), MOST_COUNTED),
                };
                let most = i64::try_from(query.limit().get())? + 1;
                Self::List { filter: behind(filter, &query)?, order, count, most }
            }
            Question::Update(book, price) => Self::Update {
                session: doc! { "_id": session, "endedAt": { "$exists": false } },
                user: doc! { "_id": user },
                id: by_id(book.id.uuid()),
                change: change(&book, i64::try_from(price * 100)?),
                entry: entry(&book, i64::try_from(price)?, user),
            },
        })
    }
}

fn filter(query: &BookQuery) -> Document {
    let mut all = Vec::new();
    if let Some(search) = query.search() {
        all.extend(search.words().iter().map(|word| doc! { "terms": word }));
        let prefix = search.prefix().unwrap_or_default();
        all.push(doc! { "terms": { "$regex": format!("^{prefix}") } });
    }
    all.extend(query.genre().map(|genre| doc! { "genreKey": genre.as_str() }));
    match all.len() {
        0 | 1 => all.pop().unwrap_or_default(),
        _ => doc! { "$and": all },
    }
}

/// The same, behind the cursor: of what is listed newest first, without a filter.
fn behind(filter: Document, query: &BookQuery) -> Result<Document> {
    let Some(cursor) = query.after() else { return Ok(filter) };
    let SortKey::Created(time) = cursor.key() else { anyhow::bail!("no such question") };
    let (time, id) = (DateTime::from_millis(*time), uuid(cursor.id().uuid()));
    let or =
        [doc! { "createdAt": { "$lt": time } }, doc! { "createdAt": time, "_id": { "$lt": id } }];
    Ok(doc! { "$and": [{ "createdAt": { "$lte": time } }, { "$or": or }] })
}

/// Another price; the shop writes all that is said of a book.
fn change(book: &Book, paise: i64) -> Document {
    let content = &book.content;
    let mut set = doc! {
        "schema": 1,
        "title": content.title.as_str(),
        "author": content.author.as_str(),
        "genre": content.genre.as_str(),
        "year": i64::from(content.year.number()),
        "price": paise,
        "terms": terms(content),
        "titleKey": sort_key(content.title.as_str()),
        "authorKey": sort_key(content.author.as_str()),
        "genreKey": GenreKey::of(&content.genre).as_str(),
    };
    let mut unset = Document::new();
    match content.isbn {
        Some(isbn) => set.insert("isbn", isbn.to_string()),
        None => unset.insert("isbn", ""),
    };
    unset.extend(doc! { "coverUrl": "", "description": "" });
    set.insert("updatedAt", DateTime::now());
    doc! { "$set": set, "$unset": unset, "$inc": { "version": 1_i64 } }
}

/// What the audit trail says of that, but for its id.
fn entry(book: &Book, price: i64, user: &Bson) -> Document {
    let before = i64::try_from(book.content.price.paise() / 100).unwrap_or_default();
    let name = book.content.title.as_str();
    doc! {
        "schema": 1,
        "at": DateTime::now(),
        "actor": { "kind": "user", "id": user, "username": "admin" },
        "actorKey": "admin",
        "action": "book.updated",
        "target": { "kind": "book", "id": uuid(book.id.uuid()), "name": name },
        "changes": [{ "field": "price", "before": before, "after": price }],
        "outcome": "unknown",
    }
}

const fn field(by: SortBy) -> &'static str {
    match by {
        SortBy::Created => "createdAt",
        SortBy::Title => "titleKey",
        SortBy::Author => "authorKey",
        SortBy::Price => "price",
        SortBy::Year => "year",
    }
}

fn by_id(id: uuid::Uuid) -> Document {
    doc! { "_id": uuid(id) }
}

fn uuid(id: uuid::Uuid) -> Uuid {
    Uuid::from_bytes(id.into_bytes())
}
