//! The only one that prints: results on standard output, everything else on standard error, for
//! people or for programs. Must not know where things come from.

mod list;
mod table;
mod text;

use std::io::Write as _;

use clap::builder::styling::{AnsiColor, Style};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use serde_json::{Value, json};

pub(crate) use self::{
    list::BookList,
    text::{book_line, one_line, rupees, without_passwords},
};
use crate::{
    args::Format,
    error::{Detail, Error, Result},
    shelves::Book,
};

pub(crate) const RED: Style = AnsiColor::Red.on_default();
pub(crate) const GREEN: Style = AnsiColor::Green.on_default();
pub(crate) const YELLOW: Style = AnsiColor::Yellow.on_default();
pub(crate) const DIM: Style = Style::new().dimmed();
const BOLD: Style = Style::new().bold();

/// Prints in one format.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Printer {
    format: Format,
    quiet: bool,
}

impl Printer {
    pub(crate) const fn new(format: Format, quiet: bool) -> Self {
        Self { format, quiet }
    }

    /// Whether a program reads it.
    pub(crate) const fn is_for_programs(&self) -> bool {
        self.format.is_for_programs()
    }

    /// A result: a sentence for people, JSON for programs.
    pub(crate) fn result(&self, sentence: &str, json: &impl Serialize) -> Result<()> {
        self.line(sentence)?;
        self.json(json)
    }

    /// A result, or a part of one, for people only.
    pub(crate) fn line(&self, sentence: &str) -> Result<()> {
        if self.is_for_programs() { Ok(()) } else { write_out(&format!("{sentence}\n")) }
    }

    /// A result for programs only.
    pub(crate) fn json(&self, json: &impl Serialize) -> Result<()> {
        if !self.is_for_programs() {
            return Ok(());
        }
        let mut line = serde_json::to_string(json).map_err(|error| Error::Output(error.into()))?;
        line.push('\n');
        write_out(&line)
    }

    /// A book, whole.
    pub(crate) fn book(&self, book: &Book) -> Result<()> {
        self.result(&table::details(&book.view), &book.json)
    }

    /// A list of books, to be filled page by page.
    pub(crate) const fn books(&self) -> BookList {
        BookList::new(self.format)
    }

    /// News that one can do without.
    pub(crate) fn note(&self, code: &str, sentence: &str, data: Value) {
        if !self.quiet {
            self.aside("note", DIM, code, sentence, data);
        }
    }

    /// News that one should not miss, although the command goes on.
    pub(crate) fn warning(&self, code: &str, sentence: &str, data: Value) {
        self.aside("warning", YELLOW, code, sentence, data);
    }

    fn aside(&self, kind: &str, style: Style, code: &str, sentence: &str, data: Value) {
        let line = if self.is_for_programs() {
            let mut line = json!({ kind: sentence, "code": code });
            if let (Value::Object(line), Value::Object(data)) = (&mut line, data) {
                line.extend(data);
            }
            line.to_string()
        } else {
            format!("{style}{kind}:{style:#} {}", one_line(sentence))
        };
        write_err(&format!("{line}\n"));
    }

    /// What clap says: help and versions on standard output, what is wrong with flags on standard
    /// error.
    pub(crate) fn explain(error: &clap::Error) {
        let text = without_passwords(&error.render().ansi().to_string());
        if error.use_stderr() {
            write_err(&text);
        } else {
            // A reader that has gone needs no explanation.
            let _ = write_out(&text);
        }
    }

    /// Why the command failed.
    pub(crate) fn error(&self, error: &Error) {
        if matches!(error, Error::Output(error) if error.kind() == std::io::ErrorKind::BrokenPipe) {
            return;
        }
        if self.is_for_programs() {
            write_err(&format!("{}\n", error_json(error)));
            return;
        }
        // What clap says of flags has lines of its own; what servers say may have anything.
        let sentence = match error {
            Error::Usage(sentence) => sentence.clone(),
            other => one_line(&other.to_string()),
        };
        let mut text = format!("{RED}error:{RED:#} {sentence}\n");
        let said = |detail: &&Detail| detail.message.trim_end_matches('.') == sentence;
        for detail in details(error).iter().filter(|detail| !said(detail)) {
            text.push_str(&format!("  {}\n", of_detail(detail)));
        }
        if let Some(hint) = error.hint() {
            text.push_str(&format!("{BOLD}hint:{BOLD:#} {}\n", one_line(&hint)));
        }
        write_err(&text);
    }

    /// A question, without the end of its line.
    pub(crate) fn prompt(&self, question: &str) {
        write_err(question);
    }

    /// A bar on standard error, if that is a terminal and somebody wants to see it.
    pub(crate) fn progress(&self, steps: usize) -> ProgressBar {
        if self.quiet || self.is_for_programs() {
            return ProgressBar::hidden();
        }
        let style = ProgressStyle::with_template("{bar:40} {pos}/{len}, {eta} left");
        let bar = ProgressBar::new(u64::try_from(steps).unwrap_or(u64::MAX));
        bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
    }
}

/// A detail of a refusal, under the name by which the user gave the field.
pub(crate) fn of_detail(detail: &Detail) -> String {
    let name = detail.flag.as_deref().unwrap_or(&detail.field);
    one_line(&format!("{name}: {}", detail.message))
}

/// An error as programs read it.
pub(crate) fn error_json(error: &Error) -> Value {
    let mut json = json!({
        "error": error.to_string(),
        "code": error.code(),
        "exit": error.exit().code(),
    });
    if let Some(hint) = error.hint() {
        json["hint"] = hint.into();
    }
    if let Error::Refused(refusal) = error {
        if let Some(http) = &refusal.over_http {
            json["status"] = http.status.into();
            if let Some(id) = &http.request_id {
                json["requestId"] = id.as_str().into();
            }
        }
        if !refusal.details.is_empty() {
            json["details"] = json!(refusal.details);
        }
    }
    json
}

pub(crate) fn details(error: &Error) -> &[Detail] {
    match error {
        Error::Refused(refusal) => &refusal.details,
        _ => &[],
    }
}

/// Writes at once, so that a reader of the stream has it.
fn write_out(text: &str) -> Result<()> {
    let mut out = anstream::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(Error::Output)
}

/// Standard error may be closed: then nobody wants to know.
fn write_err(text: &str) {
    let mut err = anstream::stderr().lock();
    let _ = err.write_all(text.as_bytes()).and_then(|()| err.flush());
}
