use std::{
    future::pending,
    sync::atomic::{AtomicI64, Ordering},
};

use async_trait::async_trait;
use futures_util::FutureExt as _;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::*;
use crate::{
    audit::{AuditLog, differences},
    book::{Book, BookDraft, BookId},
    error::BookWriteError,
    query::{AuditPage, AuditQuery},
    store::{BookStore, MemoryStore},
};

/// What becomes of a process at one of its calls of the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// It dies.
    Death,
    /// It loses the database for this one call.
    Loss,
}

/// A process whose fate comes at one of its calls of the database: before the database has heard of it,
/// or before the process has heard what the database says.
#[derive(Debug)]
struct Process {
    database: Arc<MemoryStore>,
    fate: Fate,
    left: AtomicI64,
    is_heard: bool,
}

impl Process {
    fn new(fate: Fate, call: i64, is_heard: bool) -> Arc<Self> {
        Arc::new(Self {
            database: MemoryStore::shared(),
            fate,
            left: AtomicI64::new(call),
            is_heard,
        })
    }

    async fn call<T, E: From<StoreError>>(
        &self,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        if self.left.fetch_sub(1, Ordering::Relaxed) != 0 {
            return work.await;
        }
        if self.is_heard {
            drop(work.await);
        }
        match self.fate {
            Fate::Death => pending().await,
            Fate::Loss => Err(StoreError::unavailable("connection reset").into()),
        }
    }

    /// What the trail says, with what is not known from `age` seconds on.
    async fn entries(&self, age: i64) -> Vec<Arc<AuditEntry>> {
        let clock = Clock::from_fn(move || now() + SignedDuration::from_secs(age));
        let log = AuditLog::with_clock(self.database.clone(), clock);
        log.list(&AuditQuery::default()).await.unwrap().entries
    }
}

#[async_trait]
impl AuditStore for Process {
    async fn note_audit(&self, entries: Vec<AuditEntry>) -> Result<(), StoreError> {
        self.call(self.database.note_audit(entries)).await
    }

    async fn confirm_audit(&self, entry: AuditEntry) -> Result<(), StoreError> {
        self.call(self.database.confirm_audit(entry)).await
    }

    async fn confirm_noted_audit(&self, ids: &[AuditId]) -> Result<(), StoreError> {
        self.call(self.database.confirm_noted_audit(ids)).await
    }

    async fn withdraw_audit(&self, ids: &[AuditId]) -> Result<(), StoreError> {
        self.call(self.database.withdraw_audit(ids)).await
    }

    async fn audit_entries(
        &self,
        query: &AuditQuery,
        unknown_before: Timestamp,
    ) -> Result<AuditPage, StoreError> {
        self.database.audit_entries(query, unknown_before).await
    }
}

fn now() -> Timestamp {
    Timestamp::from_second(1_700_000_000).unwrap()
}

fn book() -> Book {
    let json = json!({"title": "Emma", "author": "Jane Austen", "genre": "Classics", "year": 1815, "price": 199});
    let draft = BookDraft::from_json(json.as_object().unwrap()).unwrap();
    Book::new(BookId::generate(now()), draft, now())
}

/// A change that needs three calls: to note it, to make it, to say that it was made.
async fn create(process: &Arc<Process>, book: Book) -> Result<Arc<Book>, BookWriteError> {
    let trail = Trail::new(process.clone(), Clock::from_fn(now));
    let changes = differences(None, Some(&book));
    let entry = trail.entry(Action::BookCreated, &book, changes.clone());
    let process = Arc::clone(process);
    let write = async move { process.call(process.database.insert_book(book)).await };
    trail.around(entry, write, |_| Some(changes)).await
}

/// The same for two at once.
async fn create_two(process: &Arc<Process>, books: Vec<Book>) -> Result<(), StoreError> {
    let trail = Trail::new(process.clone(), Clock::from_fn(now));
    let entry =
        |book| trail.entry(Action::BookCreated, book, differences(None, Some::<&Book>(book)));
    let entries = books.iter().map(entry).collect();
    let process = Arc::clone(process);
    let write = async move { process.call(process.database.insert_books(books)).await };
    trail.around_all(entries, write).await.map(drop)
}

#[tokio::test]
async fn whenever_a_process_dies_a_change_that_was_made_has_an_entry() {
    for (call, is_heard) in (0..4).flat_map(|call| [(call, false), (call, true)]) {
        let case = format!("call {call}, heard: {is_heard}");
        let (process, book) = (Process::new(Fate::Death, call, is_heard), book());
        let id = book.id;
        let answer = create(&process, book).now_or_never();
        let is_made = process.database.book(id).await.unwrap().0.is_some();
        let (early, late) = (process.entries(60).await, process.entries(61).await);
        assert_eq!(is_made, call > 1 || call == 1 && is_heard, "{case}");
        assert!(late.len() <= 1, "{case}");
        assert!(!is_made || late[0].target.id == id.uuid(), "{case}");
        let is_done = late.iter().any(|entry| entry.outcome == Outcome::Done);
        assert!(is_made || !is_done, "{case}: what was not made is not said to be");
        assert_eq!(early.len(), usize::from(is_done), "{case}: it may be under way");
        assert!(answer.is_none() || is_done, "{case}: whoever is told of it finds it");
    }
}

#[tokio::test]
async fn whenever_the_database_is_lost_a_change_that_was_made_has_an_entry() {
    for (call, is_heard) in (0..4).flat_map(|call| [(call, false), (call, true)]) {
        let case = format!("call {call}, heard: {is_heard}");
        let (process, book) = (Process::new(Fate::Loss, call, is_heard), book());
        let id = book.id;
        let answer = create(&process, book).await;
        let is_made = process.database.book(id).await.unwrap().0.is_some();
        assert_eq!(answer.is_ok(), call > 1, "{case}: what was done stays so");
        assert_eq!(is_made, call > 1 || call == 1 && is_heard, "{case}");
        // Whoever has the database again says what became of it, where that is known.
        let outcome = match call {
            0 => None,
            1 => Some(Outcome::Unknown),
            _ => Some(Outcome::Done),
        };
        loop {
            let entries = process.entries(61).await;
            assert!(entries.len() <= 1 && !(is_made && entries.is_empty()), "{case}");
            if entries.first().map(|entry| entry.outcome) == outcome {
                break;
            }
            sleep(Duration::from_millis(10)).await;
        }
    }
}

#[tokio::test]
async fn whenever_a_process_dies_each_of_many_changes_has_an_entry() {
    for (call, is_heard) in (0..4).flat_map(|call| [(call, false), (call, true)]) {
        let case = format!("call {call}, heard: {is_heard}");
        let process = Process::new(Fate::Death, call, is_heard);
        let books = vec![book(), book()];
        let ids: Vec<_> = books.iter().map(|book| book.id).collect();
        drop(create_two(&process, books).now_or_never());
        let made = process.database.books_by_id(&ids).await.unwrap().len();
        let entries = process.entries(61).await;
        assert!(made == 0 || made == 2 && entries.len() == 2, "{case}");
        let done = entries.iter().filter(|entry| entry.outcome == Outcome::Done).count();
        assert_eq!(done, if call > 2 || call == 2 && is_heard { 2 } else { 0 }, "{case}");
    }
}

#[tokio::test]
async fn a_change_that_is_refused_leaves_no_entry() {
    let process = Process::new(Fate::Death, -1, false);
    let trail = Trail::new(process.clone(), Clock::from_fn(now));
    let entry = trail.entry(Action::BookDeleted, &book(), Vec::new());
    let refused = trail.around(entry.clone(), async { Err(BookWriteError::NotFound) }, |()| None);
    assert!(matches!(refused.await, Err(BookWriteError::NotFound)));
    let nothing = trail.around(entry, async { Ok::<_, BookWriteError>(()) }, |()| None);
    assert!(nothing.await.is_ok());
    assert_eq!(process.entries(61).await, []);
}

#[tokio::test]
async fn a_change_goes_on_though_nobody_waits_for_it() {
    let process = Process::new(Fate::Death, -1, false);
    let trail = Trail::new(process.clone(), Clock::from_fn(now));
    let entry = trail.entry(Action::BookDeleted, &book(), Vec::new());
    let (answer, is_answered) = tokio::sync::oneshot::channel();
    let write = async move {
        is_answered.await.map_err(|error| BookWriteError::Store(StoreError::unavailable(error)))
    };
    let waiting = trail.around(entry, write, |()| Some(Vec::new())).now_or_never();
    assert!(waiting.is_none());
    answer.send(()).unwrap();
    while process.entries(0).await.is_empty() {
        tokio::task::yield_now().await;
    }
    assert_eq!(process.entries(0).await[0].outcome, Outcome::Done);
}
