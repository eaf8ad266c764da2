//! How an import is to be done.

use std::str::FromStr;

use crate::{
    error::{BadValue, Invalid},
    query::{read_each, unknown},
};

/// What becomes of a row whose ISBN a book has already.
///
/// ```
/// use bookhub_core::Existing;
///
/// assert_eq!("skip".parse(), Ok(Existing::Skip));
/// assert_eq!(Existing::default(), Existing::Error);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Existing {
    /// It is wrong.
    #[default]
    Error,
    /// It is passed over.
    Skip,
    /// The fields that it gives are changed.
    Update,
}

impl FromStr for Existing {
    type Err = BadValue;

    fn from_str(text: &str) -> Result<Self, BadValue> {
        match text {
            "error" => Ok(Self::Error),
            "skip" => Ok(Self::Skip),
            "update" => Ok(Self::Update),
            _ => Err(BadValue::new("Must be error, skip or update.")),
        }
    }
}

/// How an [`Import`](crate::Import) is to be done.
///
/// ```
/// use bookhub_core::{Existing, ImportOptions};
///
/// let options = ImportOptions::parse([("atomic", "true"), ("existing", "update")]).unwrap();
/// assert!(options.atomic && !options.dry_run && options.existing == Existing::Update);
/// assert!(ImportOptions::parse([("atomic", "yes")]).is_err());
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ImportOptions {
    /// What becomes of rows with ISBNs that are there.
    pub existing: Existing,
    /// Whether all rows go in or none.
    pub atomic: bool,
    /// Whether only a report is wanted.
    pub dry_run: bool,
}

impl ImportOptions {
    /// Reads the parameters of a query: `existing`, `atomic` and `dryRun`, each at most once.
    pub fn parse<N: AsRef<str>, V: AsRef<str>>(
        parameters: impl IntoIterator<Item = (N, V)>,
    ) -> Result<Self, Invalid> {
        let mut options = Self::default();
        let errors = read_each(parameters, |name, value| {
            match name {
                "existing" => options.existing = value.parse()?,
                "atomic" => options.atomic = yes_or_no(value)?,
                "dryRun" => options.dry_run = yes_or_no(value)?,
                _ => return Err(unknown("existing, atomic, dryRun")),
            }
            Ok(())
        });
        Invalid::unless(errors, Some(options))
    }
}

fn yes_or_no(value: &str) -> Result<bool, BadValue> {
    value.parse().map_err(|_| BadValue::new("Must be true or false."))
}
