//! `bookhub seed`: puts many books into the catalogue, one after the other, and accounts for every
//! one of them.

mod report;
mod rows;

use std::collections::HashSet;

use bookhub_core::{BookDraft, Isbn};

use self::{
    report::{Outcome, Report},
    rows::Row,
};
use super::Shop;
use crate::{
    args::SeedArgs,
    error::{Error, Refusal, Result},
    shelves::INVALID_BOOK,
};

pub(super) async fn run(shop: &Shop, args: SeedArgs) -> Result<()> {
    let rows = match &args.file {
        None => rows::sample()?,
        Some(source) => rows::parse(&source.read(&shop.interrupt).await?, &source.name())?,
    };
    let mut report = Report::new(args.dry_run);
    let bar = shop.printer.progress(rows.len());
    let mut seen = HashSet::new();
    let mut end = Ok(());
    for row in rows {
        // What has been sent is waited for, so that the report knows of it.
        if shop.interrupt.has_come() {
            end = Err(Error::Interrupted);
            break;
        }
        let outcome = match args.dry_run {
            true => foresee(shop, &row, &mut seen).await,
            false => create(shop, &row).await,
        };
        match outcome {
            Ok(outcome) => report.count(&row, outcome),
            Err(error) => {
                end = Err(error);
                break;
            }
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    // What became of it counts, whoever has stopped to read.
    let printed = report.print(&shop.printer);
    end.and_then(|()| report.verdict()).and(printed)
}

async fn create(shop: &Shop, row: &Row) -> Result<Outcome> {
    match shop.shelves.create(&row.fields).await {
        Ok(_) => Ok(Outcome::Created),
        Err(Error::Refused(refusal)) if refusal.code == "isbn_taken" => Ok(Outcome::Skipped),
        Err(error) if error.ends_everything() => Err(error),
        Err(error) => Ok(Outcome::failed(&error)),
    }
}

/// What would become of a row: by the rules of this program's version, and by the ISBNs that are
/// there now or stood in the file before.
async fn foresee(shop: &Shop, row: &Row, seen: &mut HashSet<Isbn>) -> Result<Outcome> {
    let draft = match BookDraft::from_json(&row.fields) {
        Ok(draft) => draft,
        Err(invalid) => {
            return Ok(Outcome::failed(&Refusal::invalid(INVALID_BOOK, invalid).into()));
        }
    };
    let Some(isbn) = draft.content.isbn else {
        return Ok(Outcome::Created);
    };
    if !seen.insert(isbn) {
        return Ok(Outcome::Skipped);
    }
    let isbn = isbn.to_string();
    let found = shop.shelves.page(&[("q", isbn.clone())], None).await?.books;
    let is_there = found.iter().any(|book| book.view.isbn.as_deref() == Some(&isbn));
    Ok(if is_there { Outcome::Skipped } else { Outcome::Created })
}
