//! Many documents, a few with each question.

use futures_util::TryStreamExt as _;
use mongodb::{
    Collection,
    bson::{Bson, Document, RawDocumentBuf, doc},
};

use super::MongoStore;
use crate::error::StoreError;

/// How many documents are looked at with one question.
const FEW: i64 = 500;

/// The documents of a collection that are like a filter, one after the other by their ids and each only
/// once. However many there are, each question is about a few of them, and no more than some fields.
pub(super) struct Few<'a> {
    collection: &'a Collection<RawDocumentBuf>,
    filter: Document,
    fields: Document,
    found: std::vec::IntoIter<RawDocumentBuf>,
    after: Option<Bson>,
    is_end: bool,
}

impl<'a> Few<'a> {
    pub(super) fn of(
        collection: &'a Collection<RawDocumentBuf>,
        filter: Document,
        fields: Document,
    ) -> Self {
        let found = Vec::new().into_iter();
        Self { collection, filter, fields, found, after: None, is_end: false }
    }

    pub(super) async fn next(
        &mut self,
        store: &MongoStore,
    ) -> Result<Option<RawDocumentBuf>, StoreError> {
        if self.found.len() == 0 && !self.is_end {
            let mut filter = self.filter.clone();
            filter
                .extend(self.after.take().map(|id| ("_id".to_owned(), doc! { "$gt": id }.into())));
            let found = self.collection.find(filter).projection(self.fields.clone());
            let found = found.sort(doc! { "_id": 1 }).limit(FEW);
            let found = async { found.await?.try_collect::<Vec<_>>().await };
            let found = store.answer(found).await?;
            self.is_end = i64::try_from(found.len()).unwrap_or(FEW) < FEW;
            let last = found.last().and_then(|raw| raw.get("_id").ok().flatten());
            self.after = last.and_then(|id| Bson::try_from(id).ok());
            self.found = found.into_iter();
        }
        Ok(self.found.next())
    }
}
