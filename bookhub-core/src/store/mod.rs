//! What a backend must do: one narrow trait for each kind of thing, and what they promise
//! together. Must not know the rules of the shop, which the services keep.
//!
//! Every backend passes the one suite of `bookhub_core::contract` (feature `testing`).

mod account;
mod audit;
mod changed;
mod memory;
#[cfg(feature = "mongo")]
mod mongo;
mod order;
mod reader;

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use futures_util::stream::BoxStream;
use jiff::Timestamp;

pub use account::{Account, PasswordHash};
pub use audit::AuditStore;
pub use changed::Changed;
pub use memory::{MemoryConfig, MemoryStore};
#[cfg(feature = "mongo")]
pub use mongo::{MongoConfig, MongoStore};
pub use order::{NewOrder, OrderStore, Settled};

use crate::{
    book::{Book, BookContent, BookId, Stock},
    cart::Cart,
    change::{Change, Epoch, Position},
    error::{BookWriteError, FeedError, StoreError, UserWriteError},
    isbn::Isbn,
    query::{BookPage, BookQuery, GenreCount, LowStock, UserPage, UserQuery},
    user::{Role, Session, SessionId, UserId, Username},
};

/// All that the shop keeps.
///
/// - **Atomic:** each call that writes changes one thing, entirely or not at all; an order is one
///   thing with the stock of its books ([`OrderStore`]). There are no transactions over several
///   calls, and none are needed.
/// - **Fed:** each write that clients hear about is in the [`Feed`] exactly once, in commit order;
///   a write that failed or changed nothing is not.
/// - **Seen at once:** when a write has returned, every later read includes it.
/// - **Cancelled:** when the future of a call is dropped, a write was done or not; it is never
///   half done, and if it was done it is in the feed.
///
/// ```
/// use std::sync::Arc;
/// use bookhub_core::{MemoryStore, Store};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let store: Arc<dyn Store> = MemoryStore::shared();
/// assert!(store.health().await.is_ok());
/// # }
/// ```
#[async_trait]
pub trait Store:
    BookStore
    + CartStore
    + OrderStore
    + UserStore
    + SessionStore
    + AuditStore
    + Feed
    + fmt::Debug
    + 'static
{
    /// Whether the store works at this moment; quick, for a health check.
    async fn health(&self) -> Result<(), StoreError>;

    /// The secret from which the shop's keys derive where nobody has set one: the one that is kept,
    /// or else `new`, which is kept from then on.
    async fn secret(&self, new: [u8; 32]) -> Result<[u8; 32], StoreError>;
}

/// The books. The store keeps their ISBNs unique, counts their versions, and answers queries
/// exactly as [`BookQuery::matches`], [`SortKey`](crate::SortKey) and [`Cursor`](crate::Cursor) define.
///
/// ```
/// use bookhub_core::{BookStore, MemoryStore};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let id = "01890a5d-ac96-774b-bcce-b302099a8057".parse().unwrap();
/// let (book, _) = MemoryStore::new().book(id).await.unwrap();
/// assert!(book.is_none());
/// # }
/// ```
#[async_trait]
pub trait BookStore: Send + Sync {
    /// The book `id` as it is, and a position up to which every change of it is included.
    async fn book(&self, id: BookId) -> Result<(Option<Arc<Book>>, Position), StoreError>;

    /// Those of these books that there are, in whatever order.
    async fn books_by_id(&self, ids: &[BookId]) -> Result<Vec<Arc<Book>>, StoreError>;

    /// The books that have one of these ISBNs, in whatever order.
    async fn books_by_isbn(&self, isbns: &[Isbn]) -> Result<Vec<Arc<Book>>, StoreError>;

    /// One page of books. Every change up to its position is included in it; a book that exists
    /// all the while is on exactly one page of a walk along the cursors, whatever else comes and
    /// goes, unless its own sort key changes.
    async fn books(&self, query: &BookQuery) -> Result<BookPage, StoreError>;

    /// The genres that books have, by [`GenreKey`](crate::GenreKey), and how many books each has.
    async fn genres(&self) -> Result<Vec<GenreCount>, StoreError>;

    /// The books of which [`Stock::LOW`] copies or fewer are left, at most `most` of them, and how
    /// many there are, 10,000 of which may stand for more: the fewest copies first, then by [`sort_key`](crate::sort_key) of the title,
    /// then by id.
    async fn low_stock(&self, most: usize) -> Result<LowStock, StoreError>;

    /// Puts a book into the catalogue. Fails with `IsbnTaken`.
    async fn insert_book(&self, book: Book) -> Result<Arc<Book>, BookWriteError>;

    /// Puts many books into the catalogue, in this order. Each of them is a write of its own that
    /// succeeds or fails by itself; only a failure of the store fails the rest.
    async fn insert_books(
        &self,
        books: Vec<Book>,
    ) -> Result<Vec<Result<Arc<Book>, BookWriteError>>, StoreError>;

    /// Changes the book `id` if its version is `expected`: one conditional write. New content adds
    /// 1 to `version` and sets `updated_at`, a new stock adds 1 to `stock_version`. Fails with
    /// `NotFound`, `VersionConflict` or `IsbnTaken`.
    async fn update_book(
        &self,
        id: BookId,
        expected: u64,
        update: BookUpdate,
    ) -> Result<Changed<Book>, BookWriteError>;

    /// Moves the stock of the book `id` by `delta` and adds 1 to `stock_version`, whatever the
    /// book's version is. Fails with `NotFound` or `StockOutOfRange`.
    async fn adjust_stock(&self, id: BookId, delta: i64) -> Result<Arc<Book>, BookWriteError>;

    /// Takes the book `id` out of the catalogue, if its version is `expected` where one is given;
    /// returns it as it was. Its ISBN is free again. Fails with `NotFound` or `VersionConflict`.
    async fn delete_book(
        &self,
        id: BookId,
        expected: Option<u64>,
    ) -> Result<Arc<Book>, BookWriteError>;
}

/// What a write changes about a book.
///
/// ```
/// use bookhub_core::{BookUpdate, Stock};
///
/// let counted = BookUpdate { content: None, stock: Some(Stock::new(5).unwrap()), updated_at: jiff::Timestamp::now() };
/// assert!(counted.content.is_none());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BookUpdate {
    /// All of the new content, if it changes.
    pub content: Option<BookContent>,
    /// The new stock, if it changes.
    pub stock: Option<Stock>,
    /// When the new content was written.
    pub updated_at: Timestamp,
}

impl BookUpdate {
    /// What becomes of `book`.
    #[must_use]
    pub fn applied_to(&self, book: &Book) -> Book {
        let mut after = book.clone();
        if let Some(content) = &self.content {
            after.content.clone_from(content);
            after.version += 1;
            after.updated_at = self.updated_at;
        }
        if let Some(stock) = self.stock {
            after.stock = stock;
            after.stock_version += 1;
        }
        after
    }
}

/// The carts of users. Nobody else hears of them: they are not in the feed.
///
/// ```
/// use bookhub_core::{CartStore, MemoryStore, UserId};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let alice = UserId::generate(jiff::Timestamp::now());
/// assert!(MemoryStore::new().cart(alice).await.unwrap().lines().is_empty());
/// # }
/// ```
#[async_trait]
pub trait CartStore: Send + Sync {
    /// The cart of `user`; an empty one if there is none.
    async fn cart(&self, user: UserId) -> Result<Cart, StoreError>;

    /// Puts a cart in the place of that of `user`; an empty one takes it away.
    async fn put_cart(&self, user: UserId, cart: Cart) -> Result<(), StoreError>;

    /// Merges a cart into that of `user`, of each book the greater number of copies, and returns
    /// what it is then. Of merges at the same time none is lost; in what order the books stand
    /// afterwards is not promised.
    async fn merge_cart(&self, user: UserId, cart: Cart) -> Result<Cart, StoreError>;
}

/// The accounts. The store keeps usernames and email addresses unique by their keys.
///
/// ```
/// use bookhub_core::{MemoryStore, UserStore, Username};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let alice = Username::new("alice").unwrap();
/// assert!(MemoryStore::new().account_by_name(&alice).await.unwrap().is_none());
/// # }
/// ```
#[async_trait]
pub trait UserStore: Send + Sync {
    /// The account `id`.
    async fn account(&self, id: UserId) -> Result<Option<Arc<Account>>, StoreError>;

    /// The account with this username, in whatever letter case.
    async fn account_by_name(&self, name: &Username) -> Result<Option<Arc<Account>>, StoreError>;

    /// Makes an account. Fails with `UsernameTaken` or `EmailTaken`.
    async fn insert_account(&self, account: Account) -> Result<Arc<Account>, UserWriteError>;

    /// Replaces the account of the same id if its version is that of `account`, and adds 1 to it.
    /// A change of role is in the feed. Fails with `NotFound`, `VersionConflict`, `UsernameTaken`
    /// or `EmailTaken`.
    async fn update_account(&self, account: Account) -> Result<Arc<Account>, UserWriteError>;

    /// How many accounts there are.
    async fn count_users(&self) -> Result<u64, StoreError>;

    /// One page of the users that a query asks for, by the keys of their names.
    async fn users(&self, query: &UserQuery) -> Result<UserPage, StoreError>;

    /// Gives the user `id` a role, unless they have it, and adds 1 to the account's version; that is
    /// in the feed. Fails with `NotFound`, or with `LastAdmin` if no other admin would be left,
    /// however many do so at the same time.
    async fn set_role(&self, id: UserId, role: Role) -> Result<Changed<Account>, UserWriteError>;

    /// Deletes the account `id`, with its cart and its sessions, and returns it as it was last; that is
    /// in the feed as one change, which its sessions are not. Its names are free again; its orders stay.
    /// Fails with `NotFound`, or with `LastAdmin` if no other admin would be left, however many go or are
    /// demoted at the same time.
    async fn delete_account(&self, id: UserId) -> Result<Arc<Account>, UserWriteError>;
}

/// The sessions. One that has expired may vanish at any time, and without a change in the feed.
///
/// ```
/// use bookhub_core::{MemoryStore, SessionId, SessionStore};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// assert!(!MemoryStore::new().end_session(SessionId::generate()).await.unwrap());
/// # }
/// ```
#[async_trait]
pub trait SessionStore: Send + Sync {
    /// Keeps a session.
    async fn open_session(&self, session: Session) -> Result<(), StoreError>;

    /// The session `id`, which may have expired.
    async fn session(&self, id: SessionId) -> Result<Option<Session>, StoreError>;

    /// Ends a session; returns whether there was one.
    async fn end_session(&self, id: SessionId) -> Result<bool, StoreError>;

    /// Ends all sessions of `user` but one; each is a change of its own. Returns how many.
    async fn end_sessions(
        &self,
        user: UserId,
        except: Option<SessionId>,
    ) -> Result<usize, StoreError>;

    /// Forgets the sessions that had expired at `now`; returns how many.
    async fn purge_sessions(&self, now: Timestamp) -> Result<usize, StoreError>;
}

/// The changes that were committed, in the order in which they were.
///
/// ```
/// use bookhub_core::{Feed, MemoryStore, Position};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// assert_eq!(MemoryStore::new().head().await.unwrap(), Position::START);
/// # }
/// ```
#[async_trait]
pub trait Feed: Send + Sync {
    /// Which life of the feed this is. Positions of another one mean nothing here.
    async fn epoch(&self) -> Result<Epoch, StoreError>;

    /// The oldest position behind which every change is kept.
    async fn oldest(&self) -> Result<Position, StoreError>;

    /// Up to where the feed has come by now: whoever has read it until there is nothing more has
    /// every change up to here.
    fn seen(&self) -> Position;

    /// The position of the present: every change that was committed before the call is at or before
    /// it and has been seen, every later one is behind it.
    async fn head(&self) -> Result<Position, StoreError>;

    /// Every change behind `after`, each exactly once and in commit order: first those that
    /// happened already, then, as long as the stream is polled, those that happen.
    ///
    /// It ends after an error; `HistoryExpired` if changes behind `after` are no longer kept, at
    /// once or when a slow reader falls off. A position ahead of the head waits until the head has
    /// passed it. Dropping the stream ends it; reading it late costs nobody else anything.
    fn changes(&self, after: Position) -> BoxStream<'static, Result<Arc<Change>, FeedError>>;
}
