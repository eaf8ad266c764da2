//! A query in the words of the database. Each has an index to begin with.

use mongodb::bson::{Document, doc};

use super::documents::{sort_field, sort_value};
use crate::query::{BookQuery, Direction};

/// What a book must be like to be found: all the pages together.
pub(super) fn filter(query: &BookQuery) -> Document {
    let mut all = Vec::new();
    if let Some(search) = query.search() {
        all.extend(search.words().iter().map(|word| doc! { "terms": word }));
        all.push(match search.prefix() {
            // Terms have no characters that mean something in a pattern.
            Some(prefix) => doc! { "terms": { "$regex": format!("^{prefix}") } },
            None => doc! { "_id": { "$in": [] } },
        });
    }
    if let Some(genre) = query.genre() {
        all.push(doc! { "genreKey": genre.as_str() });
    }
    if let Some(min) = query.year_min() {
        all.push(doc! { "year": { "$gte": i64::from(min) } });
    }
    if let Some(max) = query.year_max() {
        all.push(doc! { "year": { "$lte": i64::from(max) } });
    }
    joined(all)
}

/// The books of a filter that stand behind the query's cursor.
pub(super) fn page_filter(filter: &Document, query: &BookQuery) -> Document {
    let Some(cursor) = query.after() else {
        return filter.clone();
    };
    let field = sort_field(query.sort().by);
    let value = sort_value(cursor.key());
    let id = super::documents::uuid(cursor.id().uuid());
    let (behind, not_before) = match query.sort().direction {
        Direction::Ascending => ("$gt", "$gte"),
        Direction::Descending => ("$lt", "$lte"),
    };
    let mut all = vec![
        // What the index is entered by; the rest settles who of those equal comes first.
        doc! { field: { not_before: value.clone() } },
        doc! { "$or": [
            { field: { behind: value.clone() } },
            { field: value, "_id": { behind: id } },
        ] },
    ];
    if !filter.is_empty() {
        all.push(filter.clone());
    }
    joined(all)
}

/// The order of the query.
pub(super) fn order(query: &BookQuery) -> Document {
    let way = match query.sort().direction {
        Direction::Ascending => 1,
        Direction::Descending => -1,
    };
    doc! { sort_field(query.sort().by): way, "_id": way }
}

fn joined(mut all: Vec<Document>) -> Document {
    match all.len() {
        0 => Document::new(),
        1 => all.remove(0),
        _ => doc! { "$and": all },
    }
}
