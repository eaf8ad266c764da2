//! Many books at once, in: `POST /api/books/import`. The file is read as it comes.

use std::time::Duration;

use axum::{
    body::Body,
    extract::{RawQuery, State},
    http::{HeaderMap, header},
    response::Response,
};
use bookhub_core::{Catalog, Import, ImportError, ImportOptions, ImportReport, RowFormat};
use bytes::Bytes;
use http_body_util::BodyExt as _;
use tokio::time::timeout;

use crate::{
    auth::Admin,
    error::{ApiError, INVALID_QUERY},
    routes::{listing::Parameters, shared::private},
    state::AppState,
};

/// How long the next bytes of a file may take to come.
const PATIENCE: Duration = Duration::from_secs(30);

/// `POST /api/books/import`
pub(crate) async fn import(
    State(state): State<AppState>,
    admin: Admin,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    let catalog = state.catalog.by(admin.actor());
    let import = begin(catalog, query.as_deref().unwrap_or_default(), &headers)?;
    let import = take(import, body).await?;
    // What has begun to be written is written or taken back, though the client may be gone.
    let report = tokio::spawn(import.finish()).await.map_err(|_| ApiError::Internal)??;
    let ImportReport { created, updated, skipped, failed, dry_run, .. } = report;
    tracing::info!(created, updated, skipped, failed, dry_run, "a file of books was imported");
    Ok(private(&report))
}

fn begin(catalog: Catalog, query: &str, headers: &HeaderMap) -> Result<Import, ApiError> {
    let parameters = Parameters::parse(query)?;
    let options =
        ImportOptions::parse(parameters.iter()).map_err(ApiError::fields(INVALID_QUERY))?;
    let format = format(headers).ok_or(ApiError::FileType)?;
    if headers.contains_key(header::CONTENT_ENCODING) {
        return Err(ApiError::ContentEncoding);
    }
    Ok(Import::new(catalog, format, options))
}

/// Takes in the whole file.
async fn take(mut import: Import, mut body: Body) -> Result<Import, ApiError> {
    loop {
        match next(&mut body).await {
            Ok(Some(bytes)) => import.read(&bytes).await?,
            Ok(None) => return Ok(import),
            Err(CutOff) => return Err(import.cut_off().into()),
        }
    }
}

/// The bytes end before the file does, or take too long.
struct CutOff;

/// The next bytes of the file, or none at its end.
async fn next(body: &mut Body) -> Result<Option<Bytes>, CutOff> {
    loop {
        let frame = timeout(PATIENCE, body.frame()).await.map_err(|_| CutOff)?;
        match frame {
            None => return Ok(None),
            Some(Err(_)) => return Err(CutOff),
            Some(Ok(frame)) => {
                if let Ok(data) = frame.into_data() {
                    return Ok(Some(data));
                }
            }
        }
    }
}

fn format(headers: &HeaderMap) -> Option<RowFormat> {
    let kind = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    let kind = kind.split(';').next()?.trim();
    if kind.eq_ignore_ascii_case("text/csv") {
        Some(RowFormat::Csv)
    } else if kind.eq_ignore_ascii_case("application/x-ndjson") {
        Some(RowFormat::Ndjson)
    } else {
        None
    }
}

impl From<ImportError> for ApiError {
    fn from(error: ImportError) -> Self {
        Self::Import(error)
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use futures_util::{StreamExt as _, stream};
    use tokio::time::{Instant, sleep};

    use super::*;

    /// Pieces that come so many seconds after one another, and then none for ever.
    fn slow(seconds: u64, pieces: usize) -> Body {
        let come = stream::repeat("a piece").take(pieces).then(move |piece| async move {
            sleep(Duration::from_secs(seconds)).await;
            Ok::<_, io::Error>(piece)
        });
        Body::from_stream(come.chain(stream::pending()))
    }

    #[tokio::test(start_paused = true)]
    async fn a_file_may_take_long_but_not_its_next_bytes() {
        let (mut body, begun) = (slow(29, 100), Instant::now());
        for _ in 0..100 {
            assert!(matches!(next(&mut body).await, Ok(Some(_))));
        }
        assert_eq!(begun.elapsed().as_secs(), 2_900);
        assert!(next(&mut body).await.is_err());
        assert_eq!(begun.elapsed().as_secs(), 2_930);
        assert!(next(&mut slow(31, 1)).await.is_err());
    }
}
