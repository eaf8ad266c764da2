//! What changes are about, and how two states of it differ. Only fields that are listed here can
//! come into the trail.

use serde::Serialize;
use serde_json::Value;

use super::{AuditChange, AuditTarget, TargetKind};
use crate::{book::Book, order::Order, user::User};

/// A thing whose changes are in the trail.
pub(crate) trait Subject: Serialize {
    /// The fields of its JSON that somebody decides. What the shop itself keeps (ids, versions, times)
    /// says nothing that the entry does not.
    const FIELDS: &'static [&'static str];

    /// This thing, as an entry names it.
    fn target(&self) -> AuditTarget;
}

impl Subject for Book {
    const FIELDS: &'static [&'static str] =
        &["title", "author", "genre", "year", "price", "isbn", "coverUrl", "description", "stock"];

    fn target(&self) -> AuditTarget {
        let name = Some(self.content.title.to_string());
        AuditTarget { kind: TargetKind::Book, id: self.id.uuid(), name }
    }
}

impl Subject for Order {
    const FIELDS: &'static [&'static str] = &["status"];

    fn target(&self) -> AuditTarget {
        AuditTarget { kind: TargetKind::Order, id: self.id.uuid(), name: None }
    }
}

impl Subject for User {
    const FIELDS: &'static [&'static str] = &["username", "email", "role"];

    fn target(&self) -> AuditTarget {
        let name = Some(self.username.to_string());
        AuditTarget { kind: TargetKind::User, id: self.id.uuid(), name }
    }
}

/// In what a thing differs from what it was. What was not there before, or is not afterwards, differs
/// in all it has.
pub(crate) fn differences<T: Subject>(before: Option<&T>, after: Option<&T>) -> Vec<AuditChange> {
    let shown = |thing: Option<&T>| serde_json::to_value(thing).unwrap_or_default();
    let (before, after) = (shown(before), shown(after));
    let value = |thing: &Value, field| thing.get(field).filter(|value| !value.is_null()).cloned();
    let changes = T::FIELDS.iter().map(|field| AuditChange {
        field: (*field).into(),
        before: value(&before, field),
        after: value(&after, field),
    });
    changes.filter(|change| change.before != change.after).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::book::{BookDraft, BookId};

    fn book(more: &Value) -> Book {
        let mut json = json!({"title": "Emma", "author": "Jane Austen", "genre": "Classics", "year": 1815, "price": 199.5});
        json.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let draft = BookDraft::from_json(json.as_object().unwrap()).unwrap();
        let now = jiff::Timestamp::now();
        Book::new(BookId::generate(now), draft, now)
    }

    #[test]
    fn only_what_differs_is_told_and_as_the_api_shows_it() {
        let before = book(&json!({"isbn": "9780141439587"}));
        let after = book(&json!({"description": "A comedy", "price": 200, "stock": 3}));
        assert_eq!(
            json!(differences(Some(&before), Some(&after))),
            json!([
                {"field": "price", "before": 199.5, "after": 200},
                {"field": "isbn", "before": "9780141439587"},
                {"field": "description", "after": "A comedy"},
                {"field": "stock", "before": 0, "after": 3},
            ])
        );
        assert_eq!(differences(Some(&before), Some(&before)), []);
    }

    #[test]
    fn what_comes_and_goes_is_told_whole() {
        let emma = book(&json!({}));
        let (came, went) = (differences(None, Some(&emma)), differences(Some(&emma), None));
        let fields = ["title", "author", "genre", "year", "price", "stock"];
        assert!(came.iter().map(|change| &*change.field).eq(fields), "{came:?}");
        assert!(came.iter().all(|change| change.before.is_none() && change.after.is_some()));
        assert!(went.iter().map(|change| &change.before).eq(came.iter().map(|c| &c.after)));
        assert!(went.iter().all(|change| change.after.is_none()));
    }
}
