//! The carts of users, and what is in them by what the catalogue says now.
//! Must not know who may see which.

use std::sync::Arc;

use crate::{
    book::Book,
    cart::{Cart, CartLine},
    error::StoreError,
    money::Amount,
    store::Store,
    user::UserId,
};

/// The carts that the shop keeps for its users. Cheap to clone.
///
/// ```
/// use bookhub_core::{Cart, Carts, MemoryStore};
/// # use bookhub_core::{BookDraft, Catalog, UserId};
/// # use serde_json::json;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), bookhub_core::StoreError> {
/// let store = MemoryStore::shared();
/// # let json = json!({"title": "Emma", "author": "Jane Austen", "genre": "Classics", "year": 1815, "price": 199, "stock": 3});
/// # let draft = BookDraft::from_json(json.as_object().unwrap()).unwrap();
/// # let emma = Catalog::new(store.clone()).create(draft).await.unwrap();
/// # let alice = UserId::generate(jiff::Timestamp::now());
/// let carts = Carts::new(store);
/// let json = json!({"items": [{"bookId": emma.id, "quantity": 2}]});
/// let cart = Cart::from_json(json.as_object().unwrap()).unwrap();
///
/// let filled = carts.put(alice, cart).await?;
/// assert_eq!(filled.total().to_string(), "398");
/// assert_eq!(carts.cart(alice).await?, filled);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Carts {
    store: Arc<dyn Store>,
}

/// A cart with its books as they are now.
///
/// ```
/// use bookhub_core::FilledCart;
///
/// assert_eq!(FilledCart::default().total().paise(), 0);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FilledCart {
    /// Each line, and its book unless that is gone.
    pub lines: Vec<(CartLine, Option<Arc<Book>>)>,
}

impl FilledCart {
    /// What all that is still there costs together.
    #[must_use]
    pub fn total(&self) -> Amount {
        let amount = |(line, book): &(CartLine, Option<Arc<Book>>)| {
            let price = book.as_ref()?.content.price;
            Some(Amount::of(price, line.quantity.count()))
        };
        self.lines.iter().filter_map(amount).sum()
    }
}

impl Carts {
    /// The carts in `store`.
    #[must_use]
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self { store }
    }

    /// The cart of `user`; an empty one at first.
    pub async fn cart(&self, user: UserId) -> Result<FilledCart, StoreError> {
        self.filled(self.store.cart(user).await?).await
    }

    /// Puts another cart in the place of that of `user`.
    pub async fn put(&self, user: UserId, cart: Cart) -> Result<FilledCart, StoreError> {
        self.store.put_cart(user, cart.clone()).await?;
        self.filled(cart).await
    }

    /// Adds what a guest had in a cart before they logged in as `user`; see [`Cart::merged_with`].
    pub async fn merge(&self, user: UserId, cart: Cart) -> Result<FilledCart, StoreError> {
        // What would not fit is not sent.
        let both = self.store.cart(user).await?.merged_with(&cart);
        let fits = cart.lines().iter().filter(|line| both.quantity(line.book).is_some());
        let merged = self.store.merge_cart(user, Cart::of(fits.copied())).await?;
        self.filled(merged).await
    }

    async fn filled(&self, cart: Cart) -> Result<FilledCart, StoreError> {
        let ids: Vec<_> = cart.lines().iter().map(|line| line.book).collect();
        let books = if ids.is_empty() { Vec::new() } else { self.store.books_by_id(&ids).await? };
        let book = |line: &CartLine| books.iter().find(|book| book.id == line.book).cloned();
        let lines = cart.lines().iter().map(|line| (*line, book(line))).collect();
        Ok(FilledCart { lines })
    }
}
