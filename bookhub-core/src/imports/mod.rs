//! The import of a file of books: each row by itself, or all of them or none. Must not know from where
//! the bytes come.

mod options;
mod pass;
mod plan;
mod report;
mod undo;

pub use options::{Existing, ImportOptions};
pub use report::{ImportReport, RowProblem};

use self::pass::{Mode, Pass, Stop};
use crate::{catalog::Catalog, error::ImportError, rows::RowFormat};

/// How the bytes are kept that have to be.
const PIECE: usize = 64 << 10;

/// An import that is under way: bytes go in as they come, a report comes out.
///
/// **Each row by itself** (the default): good rows are in the catalogue soon after they have come, in
/// batches, and what is wrong with the others is in the report. Memory is bounded by a batch.
///
/// **All or nothing** ([`ImportOptions::atomic`]): everything is checked first, and kept until then. If
/// anything is wrong, nothing is written. Else it is written as above, and taken back if a row
/// fails after all, since somebody else took its ISBN or the store failed. There is no transaction:
/// readers see the books come (and go again), and a process that ends in the middle of writing leaves
/// what it had written.
///
/// ```
/// use bookhub_core::{Catalog, Import, ImportOptions, MemoryStore, RowFormat};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let catalog = Catalog::new(MemoryStore::shared());
/// let mut import = Import::new(catalog, RowFormat::Csv, ImportOptions::default());
/// import.read(b"title,author,genre,year,price\nEmma,Jane Aus").await.unwrap();
/// import.read(b"ten,Classics,1815,199\nBad,,Classics,0,1\n").await.unwrap();
/// let report = import.finish().await.unwrap();
/// assert_eq!((report.created, report.failed), (1, 1));
/// assert_eq!((report.errors[0].row, report.errors[0].problem.details.len()), (3, 2));
/// # }
/// ```
#[derive(Debug)]
pub struct Import {
    catalog: Catalog,
    format: RowFormat,
    options: ImportOptions,
    /// The one that writes, or that only checks.
    pass: Pass,
    /// All that has come, where nothing is written before all has come.
    kept: Vec<Vec<u8>>,
    kept_bytes: usize,
}

impl Import {
    /// The most bytes of a file that goes in all or nothing.
    pub const MAX_ATOMIC_BYTES: usize = 64 << 20;

    /// The most rows of a file that goes in all or nothing.
    pub const MAX_ATOMIC_ROWS: u64 = 100_000;

    /// An import into this catalogue.
    #[must_use]
    pub fn new(catalog: Catalog, format: RowFormat, options: ImportOptions) -> Self {
        let mode = match options.atomic || options.dry_run {
            true => Mode::Check,
            false => Mode::Write,
        };
        let pass = Pass::new(catalog.clone(), format, options.existing, mode);
        Self { catalog, format, options, pass, kept: Vec::new(), kept_bytes: 0 }
    }

    /// Takes in the next bytes. After a failure nothing more may be taken in.
    pub async fn read(&mut self, bytes: &[u8]) -> Result<(), ImportError> {
        if self.is_kept() {
            self.kept_bytes += bytes.len();
            if self.kept_bytes > Self::MAX_ATOMIC_BYTES {
                return Err(ImportError::TooLarge);
            }
            self.keep(bytes);
        }
        self.pass.read(bytes).await.map_err(|stop| self.stopped(stop))?;
        if self.is_kept() && self.pass.rows_read() > Self::MAX_ATOMIC_ROWS {
            return Err(ImportError::TooLarge);
        }
        Ok(())
    }

    /// All bytes have come: does what is left to do. Dropped before it has returned, an import that is
    /// all or nothing may be half done: run it to its end.
    pub async fn finish(mut self) -> Result<ImportReport, ImportError> {
        self.pass.finish().await.map_err(|stop| self.stopped(stop))?;
        if self.options.dry_run {
            return Ok(ImportReport { dry_run: true, ..self.pass.into_report() });
        }
        if !self.options.atomic {
            return Ok(self.pass.into_report());
        }
        if self.pass.report().failed > 0 {
            return Err(ImportError::Rejected(Box::new(self.pass.into_report().of_nothing())));
        }
        let mode = Mode::AllOrNothing(undo::Journal::default());
        let mut pass = Pass::new(self.catalog, self.format, self.options.existing, mode);
        match pass.read_all(self.kept).await {
            Ok(()) => Ok(pass.into_report()),
            Err(stop) => Err(pass.undo(stop).await),
        }
    }

    /// The rest of the file will not come. What has been written stays, and is in the report.
    #[must_use]
    pub fn cut_off(self) -> ImportError {
        let is_check = self.is_check();
        let report = self.pass.into_report();
        ImportError::CutOff(Box::new(if is_check { report.of_nothing() } else { report }))
    }

    /// In pieces of a size that costs no more than the bytes, however small they come.
    fn keep(&mut self, bytes: &[u8]) {
        match self.kept.last_mut() {
            Some(last) if last.len() + bytes.len() <= PIECE => last.extend_from_slice(bytes),
            _ => {
                let mut piece = Vec::with_capacity(PIECE.max(bytes.len()));
                piece.extend_from_slice(bytes);
                self.kept.push(piece);
            }
        }
    }

    const fn is_kept(&self) -> bool {
        self.options.atomic && !self.options.dry_run
    }

    const fn is_check(&self) -> bool {
        self.options.atomic || self.options.dry_run
    }

    fn stopped(&self, stop: Stop) -> ImportError {
        let report = Box::new(self.pass.report().clone());
        match stop {
            Stop::Header(invalid) => ImportError::Invalid(invalid),
            Stop::Store(cause) if self.is_check() => ImportError::Unchecked(cause),
            Stop::Store(cause) => ImportError::Stopped { cause, report },
            // Only where all or nothing is written does a row stop the others.
            Stop::Row => ImportError::Rejected(report),
        }
    }
}

#[cfg(test)]
mod tests;
