//! Once through the rows of a file: what each would do, and, unless it is only a check, that it is done.

use std::{
    collections::{HashMap, HashSet},
    mem,
    sync::Arc,
};

use roaring::RoaringTreemap;

use super::{
    options::Existing,
    plan::{Met, Step, isbn},
    report::{ImportReport, Outcome},
    undo::Journal,
};
use crate::{
    book::{Book, BookId, BookPatch},
    catalog::Catalog,
    error::{CatalogError, ImportError, Invalid, StoreError},
    isbn::Isbn,
    rows::{BookRow, BookRows, RowFormat},
};

/// How many rows are looked up and written together, at most.
const BATCH: usize = 500;

/// How many bytes of them, more or less.
const BATCH_BYTES: usize = 1 << 20;

/// Whether it writes.
#[derive(Debug)]
pub(super) enum Mode {
    Check,
    Write,
    /// The first row that fails ends it, and what was written is noted, to be undone.
    AllOrNothing(Journal),
}

/// Why it goes no further.
#[derive(Debug)]
pub(super) enum Stop {
    Header(Invalid),
    /// What became of the rows of the batch is not known.
    Store(StoreError),
    /// A row failed, which the report tells.
    Row,
}

impl From<Invalid> for Stop {
    fn from(invalid: Invalid) -> Self {
        Self::Header(invalid)
    }
}

#[derive(Debug)]
pub(super) struct Pass {
    catalog: Catalog,
    rows: BookRows,
    existing: Existing,
    mode: Mode,
    report: ImportReport,
    /// The rows that were read and not looked at yet: no two of them with one ISBN.
    batch: Vec<BookRow>,
    isbns: HashSet<Isbn>,
    /// How many bytes have come since the last batch.
    bytes: usize,
    /// The ISBNs of the books that a check would have created.
    claimed: RoaringTreemap,
}

impl Pass {
    pub(super) fn new(catalog: Catalog, format: RowFormat, existing: Existing, mode: Mode) -> Self {
        let rows = BookRows::new(format);
        let rows = if existing == Existing::Update { rows.of_changes() } else { rows };
        Self {
            catalog,
            rows,
            existing,
            mode,
            report: ImportReport::default(),
            batch: Vec::new(),
            isbns: HashSet::new(),
            bytes: 0,
            claimed: RoaringTreemap::new(),
        }
    }

    pub(super) async fn read(&mut self, bytes: &[u8]) -> Result<(), Stop> {
        self.bytes += bytes.len();
        let rows = self.rows.read(bytes)?;
        self.add(rows).await?;
        if self.bytes >= BATCH_BYTES { self.flush().await } else { Ok(()) }
    }

    pub(super) async fn finish(&mut self) -> Result<(), Stop> {
        let rows = self.rows.finish()?;
        self.add(rows).await?;
        self.flush().await
    }

    pub(super) async fn read_all(&mut self, pieces: Vec<Vec<u8>>) -> Result<(), Stop> {
        for piece in pieces {
            self.read(&piece).await?;
        }
        self.finish().await
    }

    pub(super) fn rows_read(&self) -> u64 {
        self.report.rows() + self.batch.len() as u64
    }

    pub(super) const fn report(&self) -> &ImportReport {
        &self.report
    }

    pub(super) fn into_report(self) -> ImportReport {
        self.report
    }

    /// Takes back what was written, since it cannot be all.
    pub(super) async fn undo(self, stop: Stop) -> ImportError {
        let Mode::AllOrNothing(journal) = self.mode else {
            return ImportError::Rejected(Box::new(self.report));
        };
        let left = journal.undo(&self.catalog).await;
        let cause = match stop {
            Stop::Store(cause) => Some(cause),
            Stop::Header(_) | Stop::Row => None,
        };
        ImportError::Undone { cause, report: Box::new(self.report.of_nothing()), left }
    }

    async fn add(&mut self, rows: Vec<BookRow>) -> Result<(), Stop> {
        for row in rows {
            // A row may tell of the book that one before it creates: so that one is created first.
            if isbn(&row).is_some_and(|isbn| self.isbns.contains(&isbn))
                || self.batch.len() == BATCH
            {
                self.flush().await?;
            }
            self.isbns.extend(isbn(&row));
            self.batch.push(row);
        }
        Ok(())
    }

    async fn flush(&mut self) -> Result<(), Stop> {
        self.bytes = 0;
        let rows = mem::take(&mut self.batch);
        let isbns: Vec<_> = mem::take(&mut self.isbns).into_iter().collect();
        let there = match isbns.is_empty() {
            true => Vec::new(),
            false => self.catalog.by_isbn(&isbns).await.map_err(of_store)?,
        };
        let there: HashMap<_, _> =
            there.into_iter().filter_map(|book| Some((book.content.isbn?, book))).collect();
        let steps: Vec<_> = rows.iter().map(|row| self.plan(row, &there)).collect();
        let outcomes = match self.mode {
            Mode::Check => steps.into_iter().map(Step::foreseen).collect(),
            Mode::Write | Mode::AllOrNothing(_) => self.write(&rows, steps).await?,
        };
        for (row, outcome) in rows.iter().zip(outcomes) {
            self.report.count(row.line, outcome);
        }
        match self.mode {
            Mode::AllOrNothing(_) if self.report.failed > 0 => Err(Stop::Row),
            _ => Ok(()),
        }
    }

    fn plan(&mut self, row: &BookRow, there: &HashMap<Isbn, Arc<Book>>) -> Step {
        let isbn = isbn(row);
        let meets = match isbn {
            Some(isbn) if self.claimed.contains(isbn.number()) => Some(Met::Row),
            Some(isbn) => there.get(&isbn).cloned().map(Met::Book),
            None => None,
        };
        let step = Step::of(row, isbn, meets, self.existing);
        if let (Mode::Check, Step::Create(_), Some(isbn)) = (&self.mode, &step, isbn) {
            self.claimed.insert(isbn.number());
        }
        step
    }

    async fn write(&mut self, rows: &[BookRow], steps: Vec<Step>) -> Result<Vec<Outcome>, Stop> {
        let mut outcomes: Vec<_> = steps.iter().map(|_| Outcome::Skipped).collect();
        let (mut places, mut books, mut updates) = (Vec::new(), Vec::new(), Vec::new());
        for (place, step) in steps.into_iter().enumerate() {
            match step {
                Step::Create(draft) => {
                    places.push(place);
                    books.push(self.catalog.new_book(draft));
                }
                Step::Update(Met::Book(book), patch) => updates.push((place, book, patch)),
                Step::Update(Met::Row, _) | Step::Skip => {}
                Step::Fail(error) => outcomes[place] = Outcome::Failed(error),
            }
        }
        if let Mode::AllOrNothing(journal) = &mut self.mode {
            journal.creates(books.iter().map(|book| book.id));
        }
        let created = self.catalog.insert_many(books).await.map_err(of_store)?;
        for (place, created) in places.into_iter().zip(created) {
            outcomes[place] = match created {
                Ok(_) => Outcome::Created,
                // Somebody else has taken it a moment ago.
                Err(CatalogError::IsbnTaken { book, .. }) if self.is_lenient() => {
                    self.meet(book, &rows[place]).await?
                }
                Err(error) => Outcome::Failed(error.into()),
            };
        }
        for (place, book, patch) in updates {
            outcomes[place] = self.update(book, &patch).await?;
        }
        Ok(outcomes)
    }

    /// Whether rows whose ISBN is there are good.
    fn is_lenient(&self) -> bool {
        self.existing != Existing::Error
    }

    /// What becomes of a row that met another book at the last moment.
    async fn meet(&mut self, book: BookId, row: &BookRow) -> Result<Outcome, Stop> {
        let patch = row.fields.as_ref().ok().and_then(|fields| BookPatch::from_json(fields).ok());
        let (Existing::Update, Some(patch)) = (self.existing, patch) else {
            return Ok(Outcome::Skipped);
        };
        match self.catalog.get(book).await {
            Ok((book, _)) => self.update(book, &patch).await,
            Err(error) => failed(error),
        }
    }

    async fn update(&mut self, book: Arc<Book>, patch: &BookPatch) -> Result<Outcome, Stop> {
        let id = book.id;
        // What is to be undone is what was seen: who else edits it stops all.
        let expected = match &mut self.mode {
            Mode::AllOrNothing(journal) => {
                let version = book.version;
                journal.updates(book, patch);
                Some(version)
            }
            Mode::Check | Mode::Write => None,
        };
        let updated = self.catalog.update(id, patch, expected).await;
        let outcome = updated.map_or_else(failed, |_| Ok(Outcome::Updated))?;
        if let (Mode::AllOrNothing(journal), Outcome::Failed(_)) = (&mut self.mode, &outcome) {
            journal.forget_last();
        }
        Ok(outcome)
    }
}

fn failed(error: CatalogError) -> Result<Outcome, Stop> {
    match error {
        CatalogError::Store(cause) => Err(Stop::Store(cause)),
        error => Ok(Outcome::Failed(error.into())),
    }
}

fn of_store(error: CatalogError) -> Stop {
    match error {
        CatalogError::Store(cause) => Stop::Store(cause),
        error => Stop::Store(StoreError::Corrupt(error.to_string())),
    }
}
