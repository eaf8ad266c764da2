#![doc = include_str!("../README.md")]

mod accounts;
mod audit;
mod book;
mod cart;
mod carts;
mod catalog;
mod change;
mod clock;
#[cfg(any(test, feature = "testing"))]
pub mod contract;
mod dashboard;
mod error;
mod id;
mod imports;
mod isbn;
mod json;
mod money;
mod order;
mod orders;
mod query;
mod rows;
mod sample;
mod search;
mod store;
mod text;
mod user;

pub use accounts::{
    AccountDeletion, Accounts, AccountsConfig, Ensured, HashCost, Login, ProfileUpdate, RolePatch,
    Signup, refuse_guessable,
};
pub use audit::{
    Action, Actor, AuditChange, AuditEntry, AuditId, AuditLog, AuditTarget, Outcome, TargetKind,
};
pub use book::{
    Author, Book, BookContent, BookDraft, BookId, BookPatch, CoverUrl, Description, Genre,
    ShownBook, Stock, StockAdjustment, StockReason, Title, Year,
};
pub use cart::{Cart, CartLine};
pub use carts::{Carts, FilledCart};
pub use catalog::Catalog;
pub use change::{Change, ChangeKind, Epoch, Position};
pub use clock::Clock;
pub use dashboard::{
    BookSales, Dashboard, DashboardStats, DaySales, GenreSales, LowBook, Sales, ShopTotals,
};
pub use error::{
    AccountsError, BadValue, BookWriteError, CatalogError, DashboardError, FeedError, FieldError,
    ImportError, Invalid, OrderWriteError, OrdersError, StoreError, UserWriteError,
};
pub use imports::{Existing, Import, ImportOptions, ImportReport, RowProblem};
pub use isbn::Isbn;
pub use money::{Amount, Price};
pub use order::{
    Address, Customer, CustomerName, Fingerprint, IdempotencyKey, Order, OrderDraft, OrderId,
    OrderItem, OrderLine, OrderPatch, OrderStatus, Phone, PriceChange, Quantity, Shortage,
};
pub use orders::Orders;
pub use query::{
    AuditPage, AuditQuery, BookPage, BookQuery, Cursor, DashboardQuery, Direction, GenreCount,
    LowStock, OrderCursor, OrderPage, OrderQuery, PageSize, Sort, SortBy, SortKey, Total, UserPage,
    UserQuery,
};
pub use rows::{BookRow, BookRows, RowError, RowFormat};
pub use sample::{load_sample, sample_catalogue};
pub use search::{GenreKey, SearchQuery, normalise, sort_key, terms};
pub use store::{
    Account, AuditStore, BookStore, BookUpdate, CartStore, Changed, Feed, MemoryConfig,
    MemoryStore, NewOrder, OrderStore, PasswordHash, SessionStore, Settled, Store, UserStore,
};
#[cfg(feature = "mongo")]
pub use store::{MongoConfig, MongoStore};
pub use user::{Email, Password, Role, Session, SessionId, TypedPassword, User, UserId, Username};
