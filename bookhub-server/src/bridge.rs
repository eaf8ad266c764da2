//! From the store's change feed to the hub: the only place that publishes. An event exists because
//! a change was committed.

use std::{future::poll_fn, sync::Arc, task::Poll, time::Duration};

use bookhub_core::{
    Accounts, Amount, Author, Book, BookId, Change, ChangeKind, CoverUrl, FeedError, Genre, Order,
    OrderId, OrderItem, OrderStatus, Position, Price, Stock, Store, Title, UserId, Year,
};
use bookhub_realtime::{Hub, PublishError, Topic};
use futures_util::{StreamExt as _, stream::BoxStream};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::json;
use tokio::{
    sync::oneshot,
    task::{JoinSet, coop::unconstrained},
    time::sleep,
};

use crate::{logins, metrics};

/// How long to wait before the feed is opened again after a failure.
const RETRY: Duration = Duration::from_millis(500);

/// The topic of the catalogue.
pub(crate) fn books_topic() -> Topic {
    "books".parse().expect("a plain word names a topic")
}

/// The topic of the orders of one user.
pub(crate) fn orders_topic(user: UserId) -> Topic {
    format!("orders.{user}").parse().expect("an identifier is a part of a topic")
}

/// What comes next in the feed.
enum Next {
    Change(Arc<Change>),
    /// Nothing happened up to there that anybody hears of.
    Silence(Position),
    Failure(FeedError),
    End,
}

async fn next(
    store: &dyn Store,
    changes: &mut BoxStream<'static, Result<Arc<Change>, FeedError>>,
    after: Position,
) -> Next {
    // Not by tokio's budget: what is ready must not look like silence.
    let next = poll_fn(|cx| {
        // Looked up first: what comes to be meanwhile is not passed over.
        let seen = store.seen();
        match changes.poll_next_unpin(cx) {
            Poll::Ready(Some(Ok(change))) => Poll::Ready(Next::Change(change)),
            Poll::Ready(Some(Err(error))) => Poll::Ready(Next::Failure(error)),
            Poll::Ready(None) => Poll::Ready(Next::End),
            Poll::Pending if seen > after => Poll::Ready(Next::Silence(seen)),
            Poll::Pending => Poll::Pending,
        }
    });
    unconstrained(next).await
}

/// The hub's name for a position of the store.
pub(crate) const fn realtime(position: Position) -> bookhub_realtime::Position {
    bookhub_realtime::Position::new(position.number())
}

/// Publishes on a hub what the feed of a store says.
pub(crate) struct Bridge {
    hub: Hub,
    accounts: Accounts,
    books: Topic,
    /// What is done beside, and ends with it.
    chores: JoinSet<()>,
}

impl Bridge {
    pub(crate) fn new(hub: Hub, accounts: Accounts) -> Self {
        Self { hub, accounts, books: books_topic(), chores: JoinSet::new() }
    }

    /// Follows the feed for ever and publishes each change at its own position. Once it has come to
    /// `present`, the hub knows what clients may ask for, and `ready` is told.
    pub(crate) async fn run(
        mut self,
        store: Arc<dyn Store>,
        present: Position,
        ready: oneshot::Sender<()>,
    ) {
        let mut after = Position::START;
        let mut ready = Some(ready);
        loop {
            let mut changes = store.changes(after);
            loop {
                if after >= present {
                    ready.take().map(|ready| ready.send(()));
                }
                match next(&*store, &mut changes, after).await {
                    Next::Change(change) => {
                        self.publish(&change);
                        after = change.position;
                    }
                    Next::Silence(upto) => {
                        self.pass(upto);
                        after = upto;
                    }
                    Next::Failure(FeedError::HistoryExpired { oldest }) => {
                        // A store that has a past begins so.
                        tracing::info!(
                            "clients who have seen less than the feed remembers fetch anew"
                        );
                        self.lose(realtime(oldest));
                        self.check_logins();
                        after = oldest;
                        break;
                    }
                    Next::Failure(error) => {
                        tracing::error!(%error, "the change feed failed and is opened again");
                        sleep(RETRY).await;
                        break;
                    }
                    Next::End => {
                        sleep(RETRY).await;
                        break;
                    }
                }
            }
        }
    }

    /// What was lost may have ended logins: their connections end now.
    fn check_logins(&mut self) {
        let (hub, accounts) = (self.hub.clone(), self.accounts.clone());
        // Whoever was at it begins again.
        self.chores = JoinSet::new();
        self.chores.spawn(async move { logins::check(&hub, &accounts).await });
    }

    fn publish(&self, change: &Change) {
        let at = realtime(change.position);
        let published = match &change.kind {
            ChangeKind::BookCreated(book) => self.tell_of_book(at, "created", &Payload::of(book)),
            ChangeKind::BookUpdated(book) => self.tell_of_book(at, "updated", &Payload::of(book)),
            ChangeKind::BookDeleted(id) => self.tell_of_book(at, "deleted", &json!({ "id": id })),
            ChangeKind::OrderPlaced(order) => self.tell_of_order(at, "placed", order),
            ChangeKind::OrderUpdated(order) => self.tell_of_order(at, "updated", order),
            ChangeKind::SessionEnded { session } => {
                let session = session.to_string();
                self.hub.revoke(|identity| identity.session() == Some(&session));
                Ok(())
            }
            ChangeKind::RoleChanged { user, .. } | ChangeKind::UserDeleted { user } => {
                let user = user.to_string();
                self.hub.revoke(|identity| identity.subject() == Some(&user));
                Ok(())
            }
            _ => Ok(()),
        };
        match published.and_then(|()| self.hub.advance(at)) {
            Ok(()) => {}
            // Nothing comes twice, and nothing behind a silence that was told.
            Err(error @ PublishError::OutOfOrder { .. }) => {
                tracing::error!(%error, ?at, "a change came out of order, and is not told");
            }
            Err(error) => {
                tracing::error!(%error, ?at, "a change could not be published: clients fetch anew");
                self.lose(at);
            }
        }
    }

    /// Moves the hub on to where the feed is, so that nobody asks it for a position it has not come to.
    fn pass(&self, upto: Position) {
        match self.hub.advance(realtime(upto)) {
            Ok(()) | Err(PublishError::OutOfOrder { .. }) => {}
            Err(error) => tracing::error!(%error, "the hub does not move on"),
        }
    }

    /// Has all who have not seen everything up to there fetch it anew.
    fn lose(&self, upto: bookhub_realtime::Position) {
        if let Err(error) = self.hub.raise_tail(upto) {
            tracing::error!(%error, "the hub takes no changes");
        }
    }

    fn tell_of_book(
        &self,
        at: bookhub_realtime::Position,
        what: &str,
        data: &impl Serialize,
    ) -> Result<(), PublishError> {
        self.tell(at, &self.books, &format!("book:{what}"), data)?;
        metrics::book_event(&format!("book:{what}"));
        Ok(())
    }

    /// Tells its user, and whoever may follow the orders of all.
    fn tell_of_order(
        &self,
        at: bookhub_realtime::Position,
        what: &str,
        order: &Order,
    ) -> Result<(), PublishError> {
        let topic = orders_topic(order.user);
        self.tell(at, &topic, &format!("order:{what}"), &OrderPayload::of(order))
    }

    fn tell(
        &self,
        at: bookhub_realtime::Position,
        topic: &Topic,
        event: &str,
        data: &impl Serialize,
    ) -> Result<(), PublishError> {
        let position = self.hub.publish_at(at, topic, event, data)?;
        tracing::debug!(id = %self.hub.id(position), event, "published");
        Ok(())
    }
}

/// What an event says of a book: what lists show, and the versions that settle which is newer.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Payload<'a> {
    id: BookId,
    title: &'a Title,
    author: &'a Author,
    price: Price,
    #[serde(skip_serializing_if = "Option::is_none")]
    cover_url: Option<&'a CoverUrl>,
    genre: &'a Genre,
    year: Year,
    stock: Stock,
    version: u64,
    stock_version: u64,
    created_at: Timestamp,
    updated_at: Timestamp,
}

impl<'a> Payload<'a> {
    fn of(book: &'a Book) -> Self {
        let content = &book.content;
        Self {
            id: book.id,
            title: &content.title,
            author: &content.author,
            price: content.price,
            cover_url: content.cover_url.as_ref(),
            genre: &content.genre,
            year: content.year,
            stock: book.stock,
            version: book.version,
            stock_version: book.stock_version,
            created_at: book.created_at,
            updated_at: book.updated_at,
        }
    }
}

/// What an event says of an order: all but who gets it, which is for those who ask for the order.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct OrderPayload<'a> {
    id: OrderId,
    user_id: UserId,
    items: &'a [OrderItem],
    status: OrderStatus,
    total: Amount,
    created_at: Timestamp,
    updated_at: Timestamp,
    version: u64,
}

impl<'a> OrderPayload<'a> {
    fn of(order: &'a Order) -> Self {
        Self {
            id: order.id,
            user_id: order.user,
            items: &order.items,
            status: order.status,
            total: order.total,
            created_at: order.created_at,
            updated_at: order.updated_at,
            version: order.version,
        }
    }
}
