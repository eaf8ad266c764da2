//! CSV, record by record, in whatever pieces it comes. Must not know what the cells say.

use std::mem;

use csv_core::{ReadRecordResult, Reader};

use super::{MAX_ROW, RowError};

/// More cells than any file of books has.
const MOST_CELLS: usize = 256;

/// The cells between two ends of line.
#[derive(Debug)]
pub(super) struct Record {
    pub(super) line: u64,
    pub(super) cells: Result<Vec<String>, RowError>,
}

#[derive(Debug)]
pub(super) struct CsvRecords {
    reader: Reader,
    /// In which line we are.
    line: u64,
    /// In which line the record began that is being read.
    begun: Option<u64>,
    /// Its cells one after the other, and where each ends.
    text: Vec<u8>,
    ends: Vec<usize>,
    text_len: usize,
    ends_len: usize,
    /// Why it is only read to be passed over.
    problem: Option<RowError>,
}

impl Default for CsvRecords {
    fn default() -> Self {
        Self {
            reader: Reader::new(),
            line: 1,
            begun: None,
            text: vec![0; 4096],
            ends: vec![0; MOST_CELLS],
            text_len: 0,
            ends_len: 0,
            problem: None,
        }
    }
}

impl CsvRecords {
    /// The records that are whole with these bytes.
    pub(super) fn read(&mut self, mut bytes: &[u8]) -> Vec<Record> {
        let mut records = Vec::new();
        while !bytes.is_empty() {
            if self.begun.is_none() {
                // Empty lines are no records.
                let blank = bytes.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
                self.line += line_ends(&bytes[..blank]);
                bytes = &bytes[blank..];
                if bytes.is_empty() {
                    break;
                }
                self.begun = Some(self.line);
            }
            let (is_whole, read) = self.step(bytes);
            self.line += line_ends(&bytes[..read]);
            bytes = &bytes[read..];
            if is_whole {
                records.extend(self.take());
            }
        }
        records
    }

    /// The last record, which may lack its end of line.
    pub(super) fn finish(&mut self) -> Vec<Record> {
        if self.begun.is_none() {
            return Vec::new();
        }
        // Only in a cell whose quotation mark was never closed is an end of line no end.
        let mut rest = &b"\n"[..];
        while !rest.is_empty() {
            let (is_whole, read) = self.step(rest);
            rest = &rest[read..];
            if is_whole {
                return self.take().into_iter().collect();
            }
        }
        self.problem.get_or_insert_with(|| RowError::csv("A quotation mark is not closed."));
        self.take().into_iter().collect()
    }

    /// Reads on, to the end of the record at most; whether it is whole, and how many bytes were read.
    fn step(&mut self, bytes: &[u8]) -> (bool, usize) {
        let (text, ends) = (&mut self.text[self.text_len..], &mut self.ends[self.ends_len..]);
        let (result, read, written, ended) = self.reader.read_record(bytes, text, ends);
        self.text_len += written;
        self.ends_len += ended;
        match result {
            ReadRecordResult::Record => return (true, read),
            ReadRecordResult::OutputFull if self.text.len() < MAX_ROW && self.problem.is_none() => {
                self.text.resize(self.text.len() * 2, 0);
            }
            ReadRecordResult::OutputFull => self.pass_over(RowError::too_large()),
            ReadRecordResult::OutputEndsFull => {
                let sentence = format!("The row has more than {MOST_CELLS} cells.");
                self.pass_over(RowError::csv(sentence));
            }
            ReadRecordResult::InputEmpty | ReadRecordResult::End => {}
        }
        (false, read)
    }

    fn pass_over(&mut self, problem: RowError) {
        self.problem.get_or_insert(problem);
        (self.text_len, self.ends_len) = (0, 0);
    }

    fn take(&mut self) -> Option<Record> {
        let line = self.begun.take()?;
        let ends_len = mem::take(&mut self.ends_len);
        self.text_len = 0;
        let cells = match self.problem.take() {
            Some(problem) => Err(problem),
            None => cells(&self.text, &self.ends[..ends_len]),
        };
        Some(Record { line, cells })
    }
}

fn cells(text: &[u8], ends: &[usize]) -> Result<Vec<String>, RowError> {
    let mut start = 0;
    ends.iter()
        .map(|end| {
            let cell = text.get(start..*end).unwrap_or_default();
            start = *end;
            let cell = str::from_utf8(cell).map_err(|_| RowError::csv("The row is not UTF-8."))?;
            Ok(cell.trim().to_owned())
        })
        .collect()
}

fn line_ends(bytes: &[u8]) -> u64 {
    bytes.iter().filter(|byte| **byte == b'\n').count() as u64
}
