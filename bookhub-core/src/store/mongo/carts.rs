//! The store's carts, in MongoDB: a document for each user, in which a book is a field.

use async_trait::async_trait;
use mongodb::{
    Collection,
    bson::{DateTime, Document, RawDocumentBuf, doc},
    options::ReturnDocument,
};

use super::{MongoStore, by_id, documents, error, schema};
use crate::{
    cart::{Cart, CartLine},
    error::StoreError,
    store::CartStore,
    user::UserId,
};

#[async_trait]
impl CartStore for MongoStore {
    async fn cart(&self, user: UserId) -> Result<Cart, StoreError> {
        let found = self.answer(self.carts().find_one(by_id(user.uuid()))).await?;
        Ok(found.map(|raw| documents::cart(&raw)).unwrap_or_default())
    }

    async fn put_cart(&self, user: UserId, cart: Cart) -> Result<(), StoreError> {
        let store = self.clone();
        self.write_untold(async move {
            let (carts, id) = (store.carts(), by_id(user.uuid()));
            if cart.lines().is_empty() {
                store.answer(carts.delete_one(id)).await?;
            } else {
                let items = cart.lines().iter().map(item);
                let set =
                    doc! { "items": items.collect::<Document>(), "updatedAt": DateTime::now() };
                store.upsert_cart(id, doc! { "$set": set }).await?;
            }
            Ok(())
        })
        .await
    }

    async fn merge_cart(&self, user: UserId, cart: Cart) -> Result<Cart, StoreError> {
        if cart.lines().is_empty() {
            return self.cart(user).await;
        }
        let store = self.clone();
        self.write_untold(async move {
            let greater = cart.lines().iter().map(item);
            let greater = greater.map(|(book, copies)| (format!("items.{book}"), copies));
            let change = doc! {
                "$max": greater.collect::<Document>(),
                "$set": { "updatedAt": DateTime::now() },
            };
            let merged = store.upsert_cart(by_id(user.uuid()), change).await?;
            Ok(merged.map(|raw| documents::cart(&raw)).unwrap_or_default())
        })
        .await
    }
}

/// A line as a field.
fn item(line: &CartLine) -> (String, mongodb::bson::Bson) {
    (line.book.to_string(), i64::from(line.quantity.count()).into())
}

impl MongoStore {
    pub(super) fn carts(&self) -> Collection<RawDocumentBuf> {
        self.database.collection(schema::CARTS)
    }

    /// Changes a cart, or makes it; returns what it is then.
    async fn upsert_cart(
        &self,
        id: Document,
        change: Document,
    ) -> Result<Option<RawDocumentBuf>, StoreError> {
        let carts = self.carts();
        loop {
            let changed = carts.find_one_and_update(id.clone(), change.clone()).upsert(true);
            match self.outcome(changed.return_document(ReturnDocument::After)).await? {
                Ok(cart) => return Ok(cart),
                // Another device has made it this moment.
                Err(failure) if error::is_duplicate(&failure) => {}
                Err(failure) => return Err(error::of_store(failure)),
            }
        }
    }
}
