//! `/api/books/export`.

use anyhow::{Context as _, Result};
use bookhub_tests::{Person, Server};
use reqwest::{Method, Response};
use serde_json::{Value, json};

use super::{answer, fields, header, is_refused, sent, walk};

const EXPORT: &str = "/api/books/export";

/// Texts that a spreadsheet would run, and such that only look like it.
const TEXTS: [&str; 10] = [
    "=HYPERLINK(\"https://evil.example\",\"Emma\")",
    "+1",
    "-2 + 3",
    "@SUM(A1)",
    "'=1+1",
    "''+1",
    "'tis",
    "a, \"b\"; c",
    "=1;=2",
    "plain",
];

async fn export(admin: &Person, query: &str) -> Result<Response> {
    let path = format!("{EXPORT}{query}");
    Ok(admin.send(Method::GET, &path, &Value::Null).await?.error_for_status()?)
}

/// Books with all that can be said of one, and with as little as must be.
async fn fill(admin: &Person) -> Result<()> {
    for (number, text) in TEXTS.into_iter().enumerate() {
        let mut book = json!({
            "title": text, "author": text, "genre": text, "year": -3000, "price": 899.5,
        });
        if number % 2 == 0 {
            book["description"] = json!(format!("{text}\n\"{text}\",\r\n\tend"));
            book["coverUrl"] = json!("https://example.org/?a=1,2;3");
            book["stock"] = json!(7);
        }
        if number == 0 {
            book["isbn"] = json!("9780306406157");
        }
        let (status, body) = sent(admin, Method::POST, "/api/books", &book).await?;
        anyhow::ensure!(status == 201, "{body}");
    }
    Ok(())
}

/// What an admin has said about a book.
fn said(book: &Value) -> Value {
    let mut said = book.clone();
    if let Some(fields) = said.as_object_mut() {
        for set in ["id", "version", "stockVersion", "createdAt", "updatedAt", "isNew", "isUpdated"]
        {
            fields.remove(set);
        }
    }
    said
}

pub(crate) async fn an_export_is_the_whole_catalogue(shop: &Server) -> Result<()> {
    let admin = shop.admin().await?;
    let empty = export(&admin, "").await?;
    assert_eq!(header(&empty, "content-type")?, "text/csv; charset=utf-8");
    assert_eq!(header(&empty, "cache-control")?, "no-store");
    assert!(header(&empty, "x-feed-position")?.contains('-'));
    let disposition = header(&empty, "content-disposition")?.to_owned();
    let name = disposition.strip_prefix("attachment; filename=\"books-").context("a name")?;
    let date = name.strip_suffix(".csv\"").context("a kind")?;
    assert!(date.len() == 10 && date.starts_with("20"), "{date}");
    let columns = "title,author,genre,year,price,isbn,stock,coverUrl,description,\
                   id,version,createdAt,updatedAt\r\n";
    assert_eq!(empty.text().await?, columns);

    fill(&admin).await?;
    // More than one page of what is read at once.
    for number in 0..240 {
        admin.create(&format!("Book {number}")).await?;
    }
    let books = walk(&admin, "/api/books?sort=oldest&limit=100").await?;
    let lines = export(&admin, "?format=ndjson").await?;
    assert_eq!(header(&lines, "content-type")?, "application/x-ndjson");
    assert!(header(&lines, "content-disposition")?.ends_with(".ndjson\""));
    let lines = lines.text().await?;
    let lines: Vec<Value> = lines.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    assert_eq!(lines, books, "the oldest first, each once");

    let csv = export(&admin, "?format=csv").await?.text().await?;
    let ids = |book: &Value| book["id"].as_str().is_some_and(|id| csv.matches(id).count() == 1);
    assert!(csv.starts_with(columns) && books.iter().all(ids), "{csv}");
    let plain = &books[9];
    let set = ["id", "version", "createdAt", "updatedAt"].map(|field| match &plain[field] {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    });
    let line = format!("\r\nplain,plain,plain,-3000,899.5,,0,,,{}\r\n", set.join(","));
    assert!(csv.contains(&line), "{csv}");
    for cell in
        ["\r\n\"'=HYPERLINK(\"\"", "\r\n'+1,", "\r\n'-2 + 3,", "\r\n'@SUM(A1),", "\r\n''=1+1,"]
    {
        assert!(csv.contains(cell), "{cell}");
    }
    Ok(())
}

pub(crate) async fn what_was_exported_is_imported_without_change(shop: &Server) -> Result<()> {
    let admin = shop.admin().await?;
    fill(&admin).await?;
    let before = walk(&admin, "/api/books?sort=oldest").await?;
    for (format, kind) in [("csv", "text/csv"), ("ndjson", "application/x-ndjson")] {
        let file = export(&admin, &format!("?format={format}")).await?.text().await?;
        for book in walk(&admin, "/api/books").await? {
            admin.delete(book["id"].as_str().context("an id")?).await?;
        }
        let import = admin.request(Method::POST, "/api/books/import?atomic=true");
        let (status, report) = answer(import.header("content-type", kind).body(file)).await?;
        assert_eq!((status, &report["created"]), (200, &json!(TEXTS.len())), "{report}");
        let after = walk(&admin, "/api/books?sort=oldest").await?;
        assert!(after.iter().map(said).eq(before.iter().map(said)), "{after:?}");
    }
    Ok(())
}

pub(crate) async fn who_may_export_and_how_is_said(shop: &Server) -> Result<()> {
    let (admin, asha) = (shop.admin().await?, shop.user("asha").await?);
    is_refused(&answer(asha.request(Method::GET, EXPORT)).await?, 403, "admin_required");
    let guest = reqwest::Client::new().get(format!("{}{EXPORT}", shop.url));
    is_refused(&answer(guest).await?, 401, "login_required");
    for (query, field) in
        [("format=xml", "format"), ("format=csv&format=csv", "format"), ("limit=1", "limit")]
    {
        let refused = answer(admin.request(Method::GET, &format!("{EXPORT}?{query}"))).await?;
        is_refused(&refused, 400, "invalid");
        assert_eq!(fields(&refused.1), [field], "{query}");
    }
    is_refused(&answer(admin.request(Method::POST, EXPORT)).await?, 405, "method_not_allowed");
    Ok(())
}
