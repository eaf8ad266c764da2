//! Fills a catalogue, and keeps some of its books to ask for.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::{Context as _, Result};
use bookhub_core::{Book, BookDraft, Catalog, MongoConfig, MongoStore};
use futures_util::future::try_join_all;
use serde_json::json;

use crate::{load::Connection, progress, question::QUESTIONS, synthetic::Library};

/// How many books are made at once.
const BATCH: usize = 5_000;

/// How many connections fill a server.
const CONNECTIONS: usize = 8;

/// How often so many books are one more than those to ask for.
fn stride(books: usize) -> usize {
    (books / QUESTIONS).max(1)
}

/// Fills a database, without the server.
pub(crate) async fn database(uri: &str, books: usize) -> Result<Vec<Book>> {
    // The stand-ins take their time for a thousand books.
    let config = MongoConfig { deadline: Duration::from_secs(120), ..MongoConfig::default() };
    let catalog = Catalog::new(Arc::new(MongoStore::connect(uri, config).await?));
    let (mut library, mut sample) = (Library::new(), Vec::new());
    for begin in (0..books).step_by(BATCH) {
        let drafts = (0..BATCH.min(books - begin)).map(|_| library.draft()).collect();
        for (number, book) in catalog.create_many(drafts).await?.into_iter().enumerate() {
            if (begin + number).is_multiple_of(stride(books)) {
                sample.push(Arc::unwrap_or_clone(book?));
            }
        }
        progress(&format!("  {} of {books} books", books.min(begin + BATCH)));
    }
    Ok(sample)
}

/// Fills a server over HTTP.
pub(crate) async fn server(server: SocketAddr, token: &str, books: usize) -> Result<Vec<Book>> {
    let (mut library, mut sample) = (Library::new(), Vec::new());
    for begin in (0..books).step_by(BATCH) {
        let count = BATCH.min(books - begin);
        let requests: Vec<_> = (0..count).map(|_| request(&library.draft(), token)).collect();
        let created = requests.chunks(count.div_ceil(CONNECTIONS)).map(|requests| async move {
            let mut connection = Connection::open(server).await?;
            let mut created = Vec::new();
            for request in requests {
                let status = connection.ask(request).await?;
                anyhow::ensure!(status == 201, "a book is refused with {status}");
                created.push(serde_json::from_slice::<Book>(connection.body()).context("a book")?);
            }
            Ok(created)
        });
        let created = try_join_all(created).await?.into_iter().flatten().enumerate();
        let kept = created.filter(|(number, _)| (begin + number).is_multiple_of(stride(books)));
        sample.extend(kept.map(|(_, book)| book));
        progress(&format!("  {} of {books} books", begin + count));
    }
    Ok(sample)
}

fn request(draft: &BookDraft, token: &str) -> Vec<u8> {
    let BookDraft { content, stock } = draft;
    let mut body = json!(content);
    body["stock"] = json!(stock);
    let body = body.to_string();
    format!(
        "POST /api/books HTTP/1.1\r\nhost: shop\r\nauthorization: Bearer {token}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}
