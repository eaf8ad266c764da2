//! One JSON object a line, in whatever pieces it comes.

use std::mem;

use serde_json::Value;

use super::{BookRow, MAX_ROW, RowError, columns::is_read_only};

#[derive(Debug, Default)]
pub(super) struct Lines {
    /// How many lines have ended.
    ended: u64,
    /// What has come of the next one.
    begun: Vec<u8>,
    is_too_large: bool,
}

impl Lines {
    pub(super) fn read(&mut self, bytes: &[u8]) -> Vec<BookRow> {
        let mut rows = Vec::new();
        let mut pieces = bytes.split(|byte| *byte == b'\n').peekable();
        while let Some(piece) = pieces.next() {
            self.push(piece);
            if pieces.peek().is_some() {
                rows.extend(self.end());
            }
        }
        rows
    }

    pub(super) fn finish(&mut self) -> Vec<BookRow> {
        self.end().into_iter().collect()
    }

    fn push(&mut self, piece: &[u8]) {
        if self.is_too_large || self.begun.len() + piece.len() > MAX_ROW {
            self.is_too_large = true;
            self.begun.clear();
        } else {
            self.begun.extend_from_slice(piece);
        }
    }

    /// The row in the line that ends here, unless it is empty.
    fn end(&mut self) -> Option<BookRow> {
        self.ended += 1;
        let line = self.ended;
        let text = mem::take(&mut self.begun);
        if mem::take(&mut self.is_too_large) {
            return Some(BookRow { line, fields: Err(RowError::too_large()) });
        }
        if text.trim_ascii().is_empty() {
            return None;
        }
        let fields = match serde_json::from_slice(&text) {
            Ok(Value::Object(mut fields)) => {
                fields.retain(|name, _| !is_read_only(name));
                Ok(fields)
            }
            Ok(_) => Err(RowError::json("The line is JSON, but no object.")),
            Err(error) => {
                let place = error.column();
                Err(RowError::json(format!("The line is no JSON: see its column {place}.")))
            }
        };
        Some(BookRow { line, fields })
    }
}
