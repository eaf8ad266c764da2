//! Many write at once.

use std::{collections::HashMap, sync::Arc};

use futures_util::future::join_all;

use super::{
    books::with_isbn,
    samples::{all_fed, any_book, book, insert, isbn, rename, retitle, take},
};
use crate::{Book, BookId, BookWriteError, Change, ChangeKind, Position, Store};

const WRITERS: i64 = 16;

/// Of many edits that start from the same version, one is done and the others are told.
pub async fn one_of_many_edits_of_a_version_wins(store: Arc<dyn Store>) {
    let emma = insert(&*store, any_book()).await;
    let results = together(WRITERS, |writer| {
        let (store, emma) = (Arc::clone(&store), Arc::clone(&emma));
        async move {
            let update = retitle(&emma, &format!("Emma {writer}"));
            store.update_book(emma.id, 1, update).await
        }
    });
    let (won, lost): (Vec<_>, Vec<_>) = results.await.into_iter().partition(Result::is_ok);
    assert_eq!(won.len(), 1);
    let is_conflict =
        |result: &Result<_, _>| matches!(result, Err(BookWriteError::VersionConflict { .. }));
    assert!(lost.iter().all(is_conflict), "{lost:?}");
    let (now, _) = store.book(emma.id).await.expect("read");
    assert_eq!(now.expect("a book"), won[0].as_ref().expect("won").after);
}

/// No sale is lost, and none is made of what is not there.
pub async fn moves_of_stock_all_count(store: Arc<dyn Store>) {
    let emma = insert(&*store, any_book()).await;
    let results = together(WRITERS, |_| {
        let (store, id) = (Arc::clone(&store), emma.id);
        async move { store.adjust_stock(id, -1).await.is_ok() }
    });
    let sold = results.await.into_iter().filter(|sold| *sold).count();
    assert_eq!(sold, 5);
    let (now, _) = store.book(emma.id).await.expect("read");
    let now = now.expect("a book");
    assert_eq!((now.stock.count(), now.stock_version, now.version), (0, 6, 1));
}

/// Of many books with one ISBN that come at once, one gets it.
pub async fn an_isbn_is_taken_once_however_many_try(store: Arc<dyn Store>) {
    let results = together(WRITERS, |_| {
        let store = Arc::clone(&store);
        async move { store.insert_book(with_isbn(any_book(), Some(isbn(1)))).await.is_ok() }
    });
    assert_eq!(results.await.into_iter().filter(|inserted| *inserted).count(), 1);
    assert_eq!(store.books(&Default::default()).await.expect("listed").total.count, 1);
}

/// While many write, every reader gets each change once, in one order, which is that of each
/// book's versions; and what the feed tells is what the store has in the end.
pub async fn a_feed_under_load_is_complete_and_in_order(store: Arc<dyn Store>) {
    let mut early = store.changes(store.head().await.expect("a head"));
    together(WRITERS, |writer| write_some(Arc::clone(&store), writer)).await;
    let fed = all_fed(&*store, Position::START).await;
    assert_eq!(fed.len(), WRITERS as usize * 5);
    assert_eq!(take(&mut early, fed.len()).await, fed);
    assert!(fed.is_sorted_by(|one, next| one.position < next.position));
    let told = replay(&HashMap::new(), &fed);
    for (id, book) in told {
        assert_eq!(store.book(id).await.expect("read").0, Some(book));
    }
    let page = store.books(&Default::default()).await.expect("listed");
    assert_eq!(page.total.count, WRITERS as u64 + 1);
}

/// Whoever reads a page while others write, and follows the feed from its position, misses
/// nothing.
pub async fn a_page_and_the_feed_behind_it_make_the_present(store: Arc<dyn Store>) {
    let writing = tokio::spawn({
        let store = Arc::clone(&store);
        async move { together(8, |writer| write_some(Arc::clone(&store), writer)).await.len() }
    });
    let mut pages = Vec::new();
    while !writing.is_finished() {
        pages.push(
            store.books(&"100".parse().map(limited).expect("a limit")).await.expect("listed"),
        );
        tokio::task::yield_now().await;
    }
    writing.await.expect("written");
    let present = store.books(&"100".parse().map(limited).expect("a limit")).await.expect("listed");
    let present: HashMap<_, _> = present.books.into_iter().map(|book| (book.id, book)).collect();
    let step = (pages.len() / 20).max(1);
    for page in pages.into_iter().step_by(step) {
        let seen: HashMap<_, _> = page.books.into_iter().map(|book| (book.id, book)).collect();
        let mut fed = all_fed(&*store, page.position).await;
        fed.retain(|change| change.kind.book().is_some_and(|id| !is_marker(change, id)));
        assert_eq!(replay(&seen, &fed), present);
    }
}

fn limited(limit: crate::PageSize) -> crate::BookQuery {
    crate::BookQuery::default().with_limit(limit)
}

/// Five writes: two books, one of them renamed, sold and deleted.
async fn write_some(store: Arc<dyn Store>, writer: i64) {
    let stays = insert(&*store, book(&format!("Stays {writer}"), "Writer", writer)).await;
    let goes = insert(&*store, book(&format!("Goes {writer}"), "Writer", writer)).await;
    rename(&*store, &stays, &format!("Stayed {writer}")).await;
    store.adjust_stock(stays.id, -1).await.expect("sold");
    store.delete_book(goes.id, None).await.expect("deleted");
}

/// What the changes make of the books that were there.
fn replay(
    seen: &HashMap<BookId, Arc<Book>>,
    changes: &[Arc<Change>],
) -> HashMap<BookId, Arc<Book>> {
    let mut books = seen.clone();
    for change in changes {
        match &change.kind {
            ChangeKind::BookCreated(book) => {
                // A page may include a change that its position does not: stores without
                // snapshots read the position first.
                books.entry(book.id).or_insert_with(|| Arc::clone(book));
            }
            ChangeKind::BookUpdated(book) => {
                let newer = |old: &Arc<Book>| {
                    (old.version, old.stock_version) <= (book.version, book.stock_version)
                };
                if books.get(&book.id).is_none_or(newer) {
                    books.insert(book.id, Arc::clone(book));
                }
            }
            ChangeKind::BookDeleted(id) => {
                books.remove(id);
            }
            _ => {}
        }
    }
    books
}

/// Whether a change is about a book that [`all_fed`] wrote.
fn is_marker(change: &Change, _: BookId) -> bool {
    matches!(&change.kind, ChangeKind::BookCreated(book) if book.content.author.as_str() == "Nobody")
}

/// The results of many tasks that run at the same time.
pub(super) async fn together<T, F>(tasks: i64, task: impl Fn(i64) -> F) -> Vec<T>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let tasks = (0..tasks).map(|number| tokio::spawn(task(number)));
    join_all(tasks).await.into_iter().map(|result| result.expect("a task that ends")).collect()
}
