//! The command line as clap reads it: every command, flag and example. Must not know what the
//! commands do.

mod books;
mod login;
mod seed;
mod watch;

use std::{ffi::OsString, time::Duration};

use clap::{Parser, Subcommand, ValueEnum};
use jiff::SignedDuration;
use secrecy::SecretString;

pub(crate) use self::{
    books::{AddArgs, BooksCommand, Clearable, EditArgs, FieldArgs, GetArgs, ListArgs, RemoveArgs},
    login::LoginArgs,
    seed::SeedArgs,
    watch::WatchArgs,
};
use crate::server::ServerUrl;

/// The command line of a BookHub bookstore: fill, look up, edit and watch its catalogue.
#[derive(Debug, Parser)]
#[command(
    name = "bookhub",
    version,
    propagate_version = true,
    after_help = "\
Which shop:
  --server or --mongodb-uri says it. Without either, BOOKHUB_SERVER or MONGODB_URI does, of which
  only one may be set; without those it is the server at http://localhost:5000. `books` and `seed`
  work on both; `login`, `logout` and `watch` need a server, and take no notice of MONGODB_URI.

Exit codes:
  0    done
  1    the shop refused, or something failed in part
  2    wrong usage: a flag, a file that cannot be read, a question without a terminal
  3    not logged in, or not allowed
  4    not found
  5    conflict: the ISBN is taken, or somebody else was faster
  6    the server or the database cannot be reached
  130  interrupted

Environment:
  BOOKHUB_SERVER       which server, where no flag says which shop
  MONGODB_URI          which database to work on straight, where no flag says which shop
  MONGODB_URI_FILE     a file that has the same; it goes before MONGODB_URI
  BOOKHUB_TOKEN        a token that goes before the stored login
  BOOKHUB_CONFIG_DIR   where logins are kept, instead of the platform's place
  NO_COLOR, CLICOLOR   whether there are colours

Examples:
  bookhub login --user admin
  bookhub seed
  bookhub books list --search \"tolkien\" --sort price
  bookhub --server https://shop.example watch
  bookhub --mongodb-uri mongodb://localhost/bookhub books list"
)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command knows.
#[derive(Debug, clap::Args)]
pub(crate) struct Global {
    /// Which server [default: http://localhost:5000]
    #[arg(long, global = true, value_name = "URL")]
    pub(crate) server: Option<ServerUrl>,
    /// Which database to work on straight, without a server or a login; a URI with a password is
    /// better kept in MONGODB_URI, where others cannot see it
    #[arg(long, global = true, value_name = "URI")]
    pub(crate) mongodb_uri: Option<SecretString>,
    /// How to show results: tables for people, JSON for programs (errors on stderr too)
    #[arg(long, short, global = true, value_enum, value_name = "FORMAT", default_value = "table")]
    pub(crate) output: Format,
    /// Say nothing but results, warnings and errors
    #[arg(long, short, global = true)]
    pub(crate) quiet: bool,
    /// How long a request, or reaching the database, may take, in seconds or such as 500ms
    #[arg(long, global = true, value_name = "TIME", default_value = "30", value_parser = duration)]
    pub(crate) timeout: Duration,
}

/// How results are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Tables and sentences
    Table,
    /// One JSON document; of a stream, one a line
    Json,
    /// One JSON document a line
    Ndjson,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Login(LoginArgs),
    /// Log out: the token is dead from then on
    #[command(after_help = "\
Examples:
  bookhub logout
  bookhub logout --server https://shop.example")]
    Logout,
    Seed(SeedArgs),
    /// List, look up, add, edit and remove books
    #[command(subcommand)]
    Books(BooksCommand),
    Watch(WatchArgs),
}

impl Format {
    pub(crate) const fn is_for_programs(self) -> bool {
        matches!(self, Self::Json | Self::Ndjson)
    }

    /// The format that wrong arguments ask for, as far as it can be seen.
    pub(crate) fn asked_for(args: impl IntoIterator<Item = OsString>) -> Self {
        let mut args = args.into_iter().map(|arg| arg.to_string_lossy().into_owned());
        while let Some(arg) = args.next() {
            let value = match arg.as_str() {
                "--" => break,
                "--output" | "-o" => args.next(),
                flag => flag
                    .strip_prefix("--output=")
                    .or_else(|| flag.strip_prefix("-o").map(|v| v.trim_start_matches('=')))
                    .map(str::to_owned),
            };
            if let Some(format) = value.and_then(|value| Self::from_str(&value, false).ok()) {
                return format;
            }
        }
        Self::Table
    }
}

fn duration(text: &str) -> Result<Duration, String> {
    let example = "it must be a time such as 30 (seconds), 500ms or 2m";
    let duration = match text.parse::<f64>() {
        Ok(seconds) => Duration::try_from_secs_f64(seconds).ok(),
        Err(_) => text.parse::<SignedDuration>().ok().and_then(|time| time.try_into().ok()),
    };
    duration.filter(|time| !time.is_zero()).ok_or_else(|| example.to_owned())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_contradicts_itself_nowhere() {
        Args::command().debug_assert();
    }

    #[test]
    fn every_command_has_examples() {
        fn check(command: &clap::Command) {
            let leaf = !command.has_subcommands();
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(!leaf || help.contains("Examples:\n  "), "{}", command.get_name());
            command.get_subcommands().for_each(check);
        }
        check(&Args::command());
    }

    #[test]
    fn times_are_seconds_or_carry_their_unit() {
        for (text, milliseconds) in [("30", 30_000), ("0.5", 500), ("500ms", 500), ("2m", 120_000)]
        {
            assert_eq!(duration(text), Ok(Duration::from_millis(milliseconds)), "{text}");
        }
        for text in ["0", "-1", "soon", "", "1e99", "-2m"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_format_is_seen_in_wrong_arguments_too() {
        let format = |line: &str| Format::asked_for(line.split(' ').map(OsString::from));
        assert_eq!(format("books lst --output json"), Format::Json);
        assert_eq!(format("--output=ndjson nonsense"), Format::Ndjson);
        assert_eq!(format("-o json x"), Format::Json);
        assert_eq!(format("-ojson x"), Format::Json);
        assert_eq!(format("books get -- --output json"), Format::Table);
        assert_eq!(format("--output xml"), Format::Table);
    }
}
