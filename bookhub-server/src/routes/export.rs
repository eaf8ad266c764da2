//! Many books at once, out: `GET /api/books/export`. The file is written as it is taken.

use std::io;

use axum::{
    body::Body,
    extract::{RawQuery, State},
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use bookhub_core::{
    BadValue, BookPage, BookQuery, Catalog, Direction, Invalid, PageSize, RowFormat, Sort, SortBy,
};
use bytes::Bytes;
use futures_util::{Stream, stream};
use jiff::Timestamp;

use crate::{
    auth::Admin,
    error::{ApiError, INVALID_QUERY},
    routes::listing::{self, Parameters},
    state::AppState,
};

/// An order in which no book moves, so that each that is there all the while is met once.
const OLDEST_FIRST: Sort = Sort { by: SortBy::Created, direction: Direction::Ascending };

/// `GET /api/books/export`
pub(crate) async fn export(
    State(state): State<AppState>,
    _: Admin,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    let format = format(&Parameters::parse(query.as_deref().unwrap_or_default())?)
        .map_err(ApiError::fields(INVALID_QUERY))?;
    let first = BookQuery::default().with_sort(OLDEST_FIRST).with_limit(PageSize::MAX);
    // If the database is gone, that is the answer, and not a file that ends early.
    let page = state.catalog.list(&first).await?;
    let position = listing::position(&state, page.position)?;
    let name = format!("books-{}.{format}", Timestamp::now().strftime("%Y-%m-%d"));
    let disposition = HeaderValue::try_from(format!("attachment; filename=\"{name}\""));
    let kind = match format {
        RowFormat::Csv => "text/csv; charset=utf-8",
        RowFormat::Ndjson => "application/x-ndjson",
    };
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(kind)),
        (header::CONTENT_DISPOSITION, disposition.map_err(|_| ApiError::Internal)?),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    let file = Body::from_stream(pieces(state.catalog.clone(), first, page, format));
    Ok((headers, [position], file).into_response())
}

/// What is still to be written.
enum Rest {
    /// A page that was read, the header of the file before it if it is the first.
    Page(BookPage, Vec<u8>),
    Behind(BookPage),
}

/// The file, a page at a time: the next one is read when the last one was taken. A failure cuts the
/// connection off, so that nobody takes a part for the whole.
fn pieces(
    catalog: Catalog,
    query: BookQuery,
    first: BookPage,
    format: RowFormat,
) -> impl Stream<Item = io::Result<Bytes>> {
    stream::try_unfold(Rest::Page(first, format.header()), move |rest| {
        let (catalog, query) = (catalog.clone(), query.clone());
        async move {
            let (page, mut piece) = match rest {
                Rest::Page(page, header) => (page, header),
                Rest::Behind(BookPage { next: None, .. }) => return Ok(None),
                Rest::Behind(BookPage { next: Some(cursor), .. }) => {
                    let page = catalog.list(&query.after_cursor(cursor)).await;
                    (page.map_err(failed)?, Vec::new())
                }
            };
            piece.extend(format.rows(&page.books, Timestamp::now()));
            Ok(Some((Bytes::from(piece), Rest::Behind(page))))
        }
    })
}

fn failed(error: bookhub_core::CatalogError) -> io::Error {
    tracing::error!(%error, "an export was cut off");
    io::Error::other(error)
}

fn format(parameters: &Parameters) -> Result<RowFormat, Invalid> {
    let mut format = None;
    for (name, value) in parameters.iter() {
        let problem = match (name.as_str(), value.parse()) {
            ("format", _) if format.is_some() => "Is given twice: give it once.".to_owned(),
            ("format", Ok(known)) => {
                format = Some(known);
                continue;
            }
            ("format", Err(problem)) => BadValue::to_string(&problem),
            _ => "Is not known here: leave it out. Known is format.".to_owned(),
        };
        return Err(Invalid::field(name.chars().take(100).collect::<String>(), problem));
    }
    Ok(format.unwrap_or_default())
}
