//! The dashboard: how the shop is, at a glance. What was sold is a projection of the feed, kept in the
//! process, so that an answer costs the same however many orders there are. Must not know who may see it.
//!
//! All orders are read once ([`tally`]) and counted ([`figures`]); from then on the feed says what is
//! added and what is taken away. Where the feed has lost something they are counted anew, while the
//! older figures are served.

mod figures;
mod names;
mod shelves;
mod stats;
mod tally;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, HashMap},
    convert::Infallible,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures_util::{FutureExt as _, StreamExt as _, stream::BoxStream};
use tokio::{
    sync::watch,
    task::coop::{consume_budget, unconstrained},
    time::{sleep, timeout},
    try_join,
};

pub use self::stats::{
    BookSales, DashboardStats, DaySales, GenreSales, LowBook, Sales, ShopTotals,
};
use self::{
    figures::{Period, Sold},
    names::Name,
    shelves::Shelves,
    tally::Tally,
};
use crate::{
    book::Genre,
    change::Change,
    clock::Clock,
    error::{DashboardError, FeedError, StoreError},
    query::{BookQuery, DashboardQuery, GenreCount, PageSize},
    search::GenreKey,
    store::Store,
};

/// How long somebody waits who asks before the orders were counted for the first time.
const PATIENCE: Duration = Duration::from_secs(3);

/// How long to wait before they are counted anew after a failure.
const RETRY: Duration = Duration::from_secs(1);

/// How many books are shown that are soon sold out.
const MOST_LOW: usize = 20;

type Changes = BoxStream<'static, Result<Arc<Change>, FeedError>>;

/// How the shop is. Cheap to clone; somebody has to [`follow`](Self::follow).
///
/// ```
/// use bookhub_core::{Catalog, Dashboard, DashboardQuery, MemoryStore, Orders};
/// # use bookhub_core::{BookDraft, OrderDraft, UserId};
/// # use serde_json::json;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let store = MemoryStore::shared();
/// # let json = json!({"title": "Emma", "author": "Jane Austen", "genre": "Classics", "year": 1815, "price": 199, "stock": 3});
/// # let draft = BookDraft::from_json(json.as_object().unwrap()).unwrap();
/// let emma = Catalog::new(store.clone()).create(draft).await.unwrap();
/// # let alice = UserId::generate(jiff::Timestamp::now());
/// # let json = json!({"items": [{"bookId": emma.id, "quantity": 2}], "customer": {"name": "Alice"}});
/// # let draft = OrderDraft::from_json(json.as_object().unwrap()).unwrap();
/// Orders::new(store.clone()).place(alice, draft, None).await.unwrap();
///
/// let dashboard = Dashboard::new(store);
/// let following = tokio::spawn(dashboard.clone().follow());
/// let stats = dashboard.stats(&DashboardQuery::default()).await.unwrap();
/// assert_eq!((stats.totals.books, stats.period.orders), (1, 1));
/// assert_eq!(stats.top_books[0].revenue, "398".parse().unwrap());
/// assert_eq!(stats.low_stock[0].stock.count(), 1);
/// # following.abort();
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Dashboard {
    store: Arc<dyn Store>,
    clock: Clock,
    shelves: Arc<Shelves>,
    /// What was sold; nothing until it was counted for the first time.
    tally: Arc<Mutex<Tally>>,
    is_counted: watch::Sender<bool>,
}

impl Dashboard {
    /// The dashboard of the shop in `store`, by the clock of this machine.
    #[must_use]
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self::with_clock(store, Clock::system())
    }

    /// The dashboard of the shop in `store`, by this clock.
    #[must_use]
    pub fn with_clock(store: Arc<dyn Store>, clock: Clock) -> Self {
        Self {
            shelves: Arc::new(Shelves::new(Arc::clone(&store), clock.clone())),
            store,
            clock,
            tally: Arc::default(),
            is_counted: watch::Sender::new(false),
        }
    }

    /// Counts all orders, and follows the feed for ever; to be called once, in a task of its own.
    pub async fn follow(self) {
        loop {
            let Err(error) = self.count_and_follow().await;
            match error {
                FeedError::HistoryExpired { .. } => {
                    tracing::info!("the feed has lost something: all orders are counted anew");
                }
                FeedError::Store(error) => {
                    tracing::warn!(%error, "the orders are counted later for the dashboard");
                }
            }
            sleep(RETRY).await;
        }
    }

    /// How the shop is, and what it sold in the period that `query` asks for. Orders of this moment may
    /// not be in it yet.
    pub async fn stats(&self, query: &DashboardQuery) -> Result<DashboardStats, DashboardError> {
        let mut is_counted = self.is_counted.subscribe();
        match timeout(PATIENCE, is_counted.wait_for(|is_counted| *is_counted)).await {
            Ok(Ok(_)) => {}
            _ => return Err(DashboardError::Counting),
        }
        let one = BookQuery::default().with_limit(PageSize::new(1).unwrap_or_default());
        let (books, users, low, genres) = try_join!(
            self.store.books(&one),
            self.store.count_users(),
            self.store.low_stock(MOST_LOW),
            self.shelves.genres(),
        )?;
        let Period { from, to, all, period, days, top, genres: sold } = self.period(query);
        Ok(DashboardStats {
            days: query.days(),
            from,
            to,
            totals: ShopTotals { books: books.total.count, users, sales: all },
            period,
            revenue_by_day: days
                .into_iter()
                .map(|(date, sales)| DaySales { date, sales })
                .collect(),
            top_books: self.named(top).await?,
            by_genre: by_genre(&genres, sold),
            low_stock: low.books.iter().map(|book| LowBook::of(book)).collect(),
            low_stock_count: low.count,
        })
    }

    async fn count_and_follow(&self) -> Result<Infallible, FeedError> {
        self.shelves.lose();
        // A position from before the walk: what happens during it is told behind.
        let mut changes = self.store.changes(self.store.head().await?);
        let tally = self.count(&mut changes).await?;
        *self.tally() = tally;
        self.is_counted.send_replace(true);
        loop {
            let change = next(&mut changes).await?;
            self.hear(&mut self.tally(), &change);
        }
    }

    /// Walks over all orders and hears meanwhile what happens.
    async fn count(&self, changes: &mut Changes) -> Result<Tally, FeedError> {
        let mut tally = Tally::begin();
        // What is too old by now is not kept for a moment.
        tally.figures.forget(self.clock.now());
        let mut orders = self.store.all_orders();
        loop {
            tokio::select! {
                biased;
                change = next(changes) => self.hear(&mut tally, &*change?),
                order = orders.next() => match order {
                    Some(order) => tally.found(&*order?),
                    None => break,
                },
            }
            // Others have something to do, too.
            consume_budget().await;
        }
        // Everything that the walk has met was committed by now.
        self.store.head().await?;
        while let Some(change) = unconstrained(next(changes)).now_or_never() {
            self.hear(&mut tally, &*change?);
        }
        tally.end();
        Ok(tally)
    }

    fn hear(&self, tally: &mut Tally, change: &Change) {
        self.shelves.heard(&change.kind);
        tally.figures.forget(self.clock.now());
        tally.heard(&change.kind);
    }

    fn period(&self, query: &DashboardQuery) -> Period {
        let (now, mut tally) = (self.clock.now(), self.tally());
        tally.figures.forget(now);
        tally.figures.period(now, query.days())
    }

    /// Books with the names that they have now, as far as they are there.
    async fn named(&self, sold: Vec<(Name, Sold)>) -> Result<Vec<BookSales>, StoreError> {
        let ids: Vec<_> = sold.iter().map(|(name, _)| name.book).collect();
        let books = self.store.books_by_id(&ids).await?;
        let books: HashMap<_, _> = books.iter().map(|book| (book.id, &book.content)).collect();
        let named = sold.into_iter().map(|(Name { book, title, author }, sold)| {
            let (title, author) = match books.get(&book) {
                Some(content) => (content.title.clone(), content.author.clone()),
                None => (title, author),
            };
            BookSales { book, title, author, copies: sold.copies, revenue: sold.revenue() }
        });
        Ok(named.collect())
    }

    fn tally(&self) -> MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn next(changes: &mut Changes) -> Result<Arc<Change>, FeedError> {
    let ended = || Err(StoreError::unavailable("its feed has ended").into());
    changes.next().await.unwrap_or_else(ended)
}

/// What the catalogue has of each genre, and what was sold of it.
fn by_genre(
    catalogue: &[GenreCount],
    mut sold: BTreeMap<GenreKey, (Genre, Sold)>,
) -> Vec<GenreSales> {
    let sales = |genre, books, sold: Sold| {
        let (copies, revenue) = (sold.copies, sold.revenue());
        GenreSales { genre, books, copies, revenue }
    };
    let mut shelves: BTreeMap<_, _> = catalogue
        .iter()
        .map(|shelf| {
            let key = GenreKey::of(&shelf.genre);
            let sold = sold.remove(&key).map(|(_, sold)| sold).unwrap_or_default();
            (key, sales(shelf.genre.clone(), shelf.count, sold))
        })
        .collect();
    shelves.extend(sold.into_iter().map(|(key, (genre, sold))| (key, sales(genre, 0, sold))));
    shelves.into_values().collect()
}
