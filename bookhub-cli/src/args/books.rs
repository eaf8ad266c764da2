//! The flags of `bookhub books …`.

use bookhub_core::Sort;
use clap::{
    Subcommand, ValueEnum,
    builder::{NonEmptyStringValueParser, PossibleValuesParser},
};
use serde_json::Number;

use crate::input::Source;

#[derive(Debug, Subcommand)]
pub(crate) enum BooksCommand {
    List(ListArgs),
    Get(GetArgs),
    Add(AddArgs),
    Edit(EditArgs),
    Rm(RemoveArgs),
}

/// List books, the newest first
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  bookhub books list
  bookhub books list --search \"tolk\" --sort title
  bookhub books list --genre Fantasy --year-min 1950 --year-max 1999 --limit 10
  bookhub books list --all --output ndjson > books.ndjson")]
pub(crate) struct ListArgs {
    /// Words of the title, the author or the ISBN; the last one may be cut short
    #[arg(long, short, value_name = "WORDS")]
    pub(crate) search: Option<String>,
    /// Only books of this genre
    #[arg(long, short, value_name = "GENRE")]
    pub(crate) genre: Option<String>,
    /// Only books of this year or later
    #[arg(long, value_name = "YEAR", allow_negative_numbers = true)]
    pub(crate) year_min: Option<i64>,
    /// Only books of this year or earlier
    #[arg(long, value_name = "YEAR", allow_negative_numbers = true)]
    pub(crate) year_max: Option<i64>,
    /// In which order; - turns it round
    #[arg(
        long,
        value_name = "ORDER",
        allow_hyphen_values = true,
        value_parser = PossibleValuesParser::new(Sort::ALL.map(|(name, _)| name))
    )]
    pub(crate) sort: Option<String>,
    /// At most how many books [default: 24]
    #[arg(
        long,
        short = 'n',
        value_name = "N",
        allow_negative_numbers = true,
        value_parser = clap::value_parser!(u64).range(1..)
    )]
    pub(crate) limit: Option<u64>,
    /// All books, however many
    #[arg(long, conflicts_with = "limit")]
    pub(crate) all: bool,
}

/// Show one book whole
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  bookhub books get 01890a5d-ac96-774b-bcce-b302099a8057
  bookhub books get 01890a5d-ac96-774b-bcce-b302099a8057 --output json")]
pub(crate) struct GetArgs {
    /// Which book
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    pub(crate) id: String,
}

/// Add a book
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  bookhub books add --title Emma --author \"Jane Austen\" --genre Classics --year 1815 --price 199.50
  bookhub books add --json book.json
  echo '{\"title\":\"Emma\",...}' | bookhub books add --json -")]
pub(crate) struct AddArgs {
    #[command(flatten)]
    pub(crate) fields: FieldArgs,
}

/// Change a book: only the fields that are given
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  bookhub books edit 01890a5d-ac96-774b-bcce-b302099a8057 --price 249
  bookhub books edit 01890a5d-ac96-774b-bcce-b302099a8057 --clear isbn --if-version 3
  bookhub books edit 01890a5d-ac96-774b-bcce-b302099a8057 --json changes.json")]
pub(crate) struct EditArgs {
    /// Which book
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    pub(crate) id: String,
    #[command(flatten)]
    pub(crate) fields: FieldArgs,
    /// A field to empty; several times for several fields
    #[arg(long, value_enum, value_name = "FIELD", conflicts_with = "json")]
    pub(crate) clear: Vec<Clearable>,
    /// Only if the book is still at this version
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub(crate) if_version: Option<u64>,
}

/// Remove books
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  bookhub books rm 01890a5d-ac96-774b-bcce-b302099a8057
  bookhub books rm --yes ID1 ID2 ID3")]
pub(crate) struct RemoveArgs {
    /// Which books
    #[arg(required = true, value_name = "ID", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) ids: Vec<String>,
    /// Do not ask
    #[arg(long, short)]
    pub(crate) yes: bool,
}

/// A flag for each field of a book, or all of them as JSON.
#[derive(Debug, clap::Args)]
pub(crate) struct FieldArgs {
    /// What is printed on the front
    #[arg(long)]
    pub(crate) title: Option<String>,
    /// Who wrote it
    #[arg(long)]
    pub(crate) author: Option<String>,
    /// On which shelf it stands
    #[arg(long)]
    pub(crate) genre: Option<String>,
    /// When it came out; negative before our era
    #[arg(long, value_parser = number, allow_negative_numbers = true)]
    pub(crate) year: Option<Number>,
    /// What a copy costs, in rupees
    #[arg(long, value_parser = number, allow_negative_numbers = true)]
    pub(crate) price: Option<Number>,
    /// How many copies there are
    #[arg(long, value_parser = number, allow_negative_numbers = true)]
    pub(crate) stock: Option<Number>,
    /// Its ISBN, of 10 or 13 digits
    #[arg(long)]
    pub(crate) isbn: Option<String>,
    /// Where a picture of its front is
    #[arg(long, value_name = "URL")]
    pub(crate) cover_url: Option<String>,
    /// What it is about
    #[arg(long, value_name = "TEXT")]
    pub(crate) description: Option<String>,
    /// The fields as a JSON object from a file, or from standard input for -
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with_all = [
            "title", "author", "genre", "year", "price", "stock", "isbn", "cover_url", "description",
        ]
    )]
    pub(crate) json: Option<Source>,
}

/// The fields that a book can do without.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Clearable {
    Isbn,
    CoverUrl,
    Description,
}

/// A number as JSON has it, so that it reaches the server as it was typed.
fn number(text: &str) -> Result<Number, String> {
    serde_json::from_str(text).map_err(|_| "it must be a number, such as 1815 or 899.50".to_owned())
}
