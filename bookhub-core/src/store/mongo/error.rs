//! What the driver's errors mean to the shop.

use mongodb::{
    bson::Document,
    error::{CommandError, Error, ErrorKind, WriteFailure},
};

use crate::error::{StoreError, WriteError};

/// A unique index refused the write.
const DUPLICATE_KEY: i32 = 11_000;

/// The user may not do that; the second is Atlas' word for it.
const UNAUTHORIZED: [i32; 2] = [13, 8_000];

/// There is an index of these keys, or of this name, with other options.
const OTHER_INDEX: [i32; 2] = [85, 86];

/// Something that the server had not thought of.
const INTERNAL: i32 = 1;

/// There is no space left.
const OUT_OF_DISK_SPACE: i32 = 14_031;

/// The server does not know the command, stage or option (some cannot even parse it), or has no oplog
/// to read changes from.
const NOT_SUPPORTED: [i32; 7] = [9, 59, 115, 238, 303, 40_324, 40_573];

/// The point to go on from is no longer, or was never, in this server's oplog.
const HISTORY_LOST: [i32; 4] = [50_811, 260, 280, 286];

/// Whether a write that failed may have been done all the same.
pub(super) fn leaves_open(error: &impl WriteError) -> bool {
    matches!(error.of_store(), Some(StoreError::Unavailable(_)))
}

/// The error as the store's own. What the driver says is kept; it has no secrets in it.
pub(super) fn of_store(error: Error) -> StoreError {
    let (code, kind) = (code(&error), error.kind);
    let reason = reason(&kind);
    match *kind {
        _ if code == Some(OUT_OF_DISK_SPACE) => StoreError::Full(reason),
        ErrorKind::Bson(_) | ErrorKind::BsonDeserialization(_) => StoreError::Corrupt(reason),
        ErrorKind::Authentication { .. } => StoreError::Misconfigured(reason),
        _ if code.is_some_and(|code| UNAUTHORIZED.contains(&code)) => {
            StoreError::Misconfigured(format!("{reason}: its user needs the role readWrite"))
        }
        _ => StoreError::unavailable(reason),
    }
}

/// Why an index cannot be made.
pub(super) fn of_index(error: Error, collection: &str, keys: &Document) -> StoreError {
    let way_out = match code(&error) {
        Some(DUPLICATE_KEY) => "two documents have in common what only one may have: change one",
        Some(code) if OTHER_INDEX.contains(&code) => "drop the index that is there",
        _ => return of_store(error),
    };
    let reason = reason(&error.kind);
    let problem = format!("the index {keys} of {collection} cannot be made: {reason}: {way_out}");
    StoreError::Misconfigured(problem)
}

/// What went wrong, without all that the driver knows of the servers: of one that cannot be reached,
/// why the last try failed.
fn reason(kind: &ErrorKind) -> String {
    let whole = kind.to_string();
    let last = whole.rsplit("Error: Kind: ").next().unwrap_or(&whole);
    last.split(", labels: ").next().unwrap_or(last).to_owned()
}

/// Whether a unique index refused the write.
pub(super) fn is_duplicate(error: &Error) -> bool {
    // FerretDB lets SQLite's own words through where a document is found and changed at once.
    let is_of_sqlite = |error: &CommandError| {
        error.code == INTERNAL && error.message.contains("UNIQUE constraint failed")
    };
    code(error) == Some(DUPLICATE_KEY)
        || matches!(&*error.kind, ErrorKind::Command(error) if is_of_sqlite(error))
}

/// Whether a write of many failed at this one because of a unique index.
pub(super) const fn is_duplicate_code(code: i32) -> bool {
    code == DUPLICATE_KEY
}

/// Whether the server cannot do that at all.
pub(super) fn is_unsupported(error: &Error) -> bool {
    matches!(&*error.kind, ErrorKind::IncompatibleServer { .. })
        || code(error).is_some_and(|code| NOT_SUPPORTED.contains(&code))
}

/// Whether a change stream cannot go on from where it was.
pub(super) fn is_history_lost(error: &Error) -> bool {
    code(error).is_some_and(|code| HISTORY_LOST.contains(&code))
        || error.contains_label("NonResumableChangeStreamError")
}

fn code(error: &Error) -> Option<i32> {
    match &*error.kind {
        ErrorKind::Command(error) => Some(error.code),
        ErrorKind::Write(WriteFailure::WriteError(error)) => Some(error.code),
        ErrorKind::Write(WriteFailure::WriteConcernError(error)) => Some(error.code),
        _ => None,
    }
}
