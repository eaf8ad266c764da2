//! The flags of `bookhub seed`.

use crate::input::Source;

/// Fill the catalogue with sample books, or with those of a file
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Books whose ISBN is there already are skipped: a second run changes nothing. (A book without an
ISBN is added each time.) A file needs a header: title, author, genre, year and price are columns
that must be there; isbn, stock, coverUrl and description may be.

Examples:
  bookhub seed
  bookhub seed --dry-run
  bookhub seed --file books.csv --output json")]
pub(crate) struct SeedArgs {
    /// A CSV file to take the books from, or - for standard input
    #[arg(long, short, value_name = "FILE")]
    pub(crate) file: Option<Source>,
    /// Only say what would be done
    #[arg(long)]
    pub(crate) dry_run: bool,
}
