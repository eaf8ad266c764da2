//! `/api/books/import`.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use bookhub_tests::{Person, Server, Socket};
use futures_util::{StreamExt as _, stream};
use reqwest::{Body, Method, RequestBuilder};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    sync::mpsc,
};

use super::{answer, by_cookie, fields, header, is_refused, sent, walk};

const IMPORT: &str = "/api/books/import";
const CSV: &str = "text/csv; charset=utf-8";
const NDJSON: &str = "application/x-ndjson";
const HEADER: &str = "title,author,genre,year,price,isbn\n";
const ISBNS: [&str; 2] = ["9780306406157", "9780547928227"];

fn import(who: &Person, query: &str, kind: &str, file: impl Into<Body>) -> RequestBuilder {
    let request = who.request(Method::POST, &format!("{IMPORT}{query}"));
    request.header("content-type", kind).body(file)
}

async fn imported(who: &Person, query: &str, file: &str) -> Result<Value> {
    let (status, report) = answer(import(who, query, CSV, file.to_owned())).await?;
    anyhow::ensure!(status == 200, "{report}");
    Ok(report)
}

/// How many rows were created, updated, skipped, and failed.
fn counts(report: &Value) -> [u64; 4] {
    ["created", "updated", "skipped", "failed"].map(|kind| report[kind].as_u64().unwrap_or(9_999))
}

/// Each row that failed, why, and the first field that it names.
fn problems(report: &Value) -> Vec<(u64, &str, &str)> {
    let problems = report["errors"].as_array().into_iter().flatten();
    let problem = |problem: &'_ Value| problem["row"].as_u64().unwrap_or_default();
    problems
        .map(|error| {
            let code = error["code"].as_str().unwrap_or_default();
            assert!(
                error["error"].as_str().is_some_and(|sentence| !sentence.is_empty()),
                "{error}"
            );
            (problem(error), code, fields(error).first().copied().unwrap_or_default())
        })
        .collect()
}

async fn titles(who: &Person) -> Result<Vec<String>> {
    let books = walk(who, "/api/books?sort=oldest&limit=100").await?;
    Ok(books.iter().filter_map(|book| Some(book["title"].as_str()?.to_owned())).collect())
}

/// A new book, one whose ISBN a book has, the first one again, one that is wrong.
fn rows() -> String {
    let [new, there] = ISBNS;
    format!(
        "{HEADER}New,A,G,2000,1,{new}\nThere,A,G,2000,2,{there}\nAgain,A,G,2000,3,{new}\n,A,G,0,1,\n"
    )
}

async fn put_old(admin: &Person) -> Result<()> {
    let book = admin.create("Old").await?;
    admin.patch(book["id"].as_str().context("an id")?, &json!({ "isbn": ISBNS[1] })).await?;
    Ok(())
}

pub(crate) async fn each_row_of_a_file_is_accounted_for(shop: &Server) -> Result<()> {
    let admin = shop.admin().await?;
    let mut socket = shop.socket().await?;
    // As spreadsheets and people write it: with a mark, other ends of line, quoted ones, spaces.
    let file = "\u{feff}Title,AUTHOR,genre,year,price,Cover URL,description,stock,isbn,createdAt\r\n\
        \"Emma, revised\",Jane Austen,Classics,1815,899.5,https://example.org/e,\"Two\r\nlines\",3,0-306-40615-2,2001\r\n\
        \r\n\
        Bad,A,G,soon,-1,,,,123,\r\n\
        short,row\r\n\
        '=1+1, Ada ,G,-800,1,,,,,\r\n\
        \"open,A,G,1,1,,,,,";
    let response = import(&admin, "", CSV, file).send().await?;
    assert_eq!(header(&response, "cache-control")?, "no-store");
    assert_eq!(response.status(), 200);
    let report: Value = response.json().await?;
    assert_eq!(counts(&report), [2, 0, 0, 3], "{report}");
    let expected = [(5, "invalid", "year"), (6, "invalid_csv", ""), (8, "invalid_csv", "")];
    assert_eq!(problems(&report), expected);
    assert_eq!(fields(&report["errors"][0]), ["year", "price", "isbn"]);
    assert!(report.get("truncated").is_none() && report.get("dryRun").is_none());

    let books = walk(&admin, "/api/books?sort=oldest").await?;
    let emma = json!({
        "title": "Emma, revised", "author": "Jane Austen", "genre": "Classics", "year": 1815,
        "price": 899.5, "coverUrl": "https://example.org/e", "description": "Two\nlines",
        "stock": 3, "isbn": "9780306406157", "version": 1,
    });
    for (field, value) in emma.as_object().context("an object")? {
        assert_eq!(&books[0][field], value, "{field}");
    }
    assert_eq!((&books[1]["title"], &books[1]["author"]), (&json!("=1+1"), &json!("Ada")));
    assert_eq!((&books[1]["year"], books.len()), (&json!(-800), 2));
    // They are news like others.
    for book in &books {
        let event = socket.next().await?;
        assert_eq!((&event["event"], &event["data"]["id"]), (&json!("book:created"), &book["id"]));
    }
    let lines = "{\"title\":\"Line\",\"author\":\"A\",\"genre\":\"G\",\"year\":1,\"price\":1,\"isbn\":null,\"id\":7}\n\
                 \n{\n[]\n{\"title\":\"Line\",\"colour\":1}";
    let (status, report) = answer(import(&admin, "", NDJSON, lines)).await?;
    assert_eq!((status, counts(&report)), (200, [1, 0, 0, 3]), "{report}");
    let expected = [(3, "invalid_json", ""), (4, "invalid_json", ""), (5, "invalid", "colour")];
    assert_eq!(problems(&report), expected);
    Ok(())
}

pub(crate) async fn a_row_whose_isbn_is_there_is_met_as_asked(shop: &Server) -> Result<()> {
    let admin = shop.admin().await?;
    put_old(&admin).await?;
    for (existing, expected, shown) in [
        ("error", [1, 0, 0, 3], ["Old", "New"]),
        ("skip", [1, 0, 2, 1], ["Old", "New"]),
        ("update", [1, 2, 0, 1], ["There", "Again"]),
    ] {
        let query = format!("?existing={existing}");
        let foreseen = imported(&admin, &format!("{query}&dryRun=true"), &rows()).await?;
        assert_eq!((counts(&foreseen), &foreseen["dryRun"]), (expected, &json!(true)));
        assert_eq!(titles(&admin).await?, ["Old"], "a dry run writes nothing");
        let report = imported(&admin, &query, &rows()).await?;
        assert_eq!(counts(&report), expected, "{existing}: {report}");
        assert_eq!(problems(&report), problems(&foreseen));
        if existing == "error" {
            let taken =
                [(3, "isbn_taken", "isbn"), (4, "isbn_taken", "isbn"), (5, "invalid", "title")];
            assert_eq!(problems(&report), taken);
        }
        assert_eq!(titles(&admin).await?, shown);
        for book in walk(&admin, "/api/books").await?.iter().filter(|book| book["title"] == "New") {
            admin.delete(book["id"].as_str().context("an id")?).await?;
        }
    }
    // Only what is given changes.
    let report =
        imported(&admin, "?existing=update", &format!("isbn,stock\n{},40\n", ISBNS[1])).await?;
    assert_eq!(counts(&report), [0, 1, 0, 0]);
    let there = &walk(&admin, "/api/books?q=9780547928227").await?[0];
    assert_eq!((&there["stock"], &there["title"]), (&json!(40), &json!("There")));
    Ok(())
}

pub(crate) async fn all_or_nothing_is_all_or_nothing(shop: &Server) -> Result<()> {
    let admin = shop.admin().await?;
    put_old(&admin).await?;
    let rejected = answer(import(&admin, "?atomic=true", CSV, rows())).await?;
    is_refused(&rejected, 400, "import_rejected");
    let report = &rejected.1["report"];
    assert_eq!(counts(report), [0, 0, 0, 3]);
    let all = [(3, "isbn_taken", "isbn"), (4, "isbn_taken", "isbn"), (5, "invalid", "title")];
    assert_eq!(problems(report), all);
    assert_eq!(titles(&admin).await?, ["Old"]);
    let dry = imported(&admin, "?atomic=true&dryRun=true", &rows()).await?;
    assert_eq!(counts(&dry), [1, 0, 0, 3]);

    let many: String = (0..1_200).map(|number| format!("Book {number},A,G,2000,1,\n")).collect();
    let too_many = "x\n".repeat(100_001);
    let refused =
        answer(import(&admin, "?atomic=true", CSV, format!("{HEADER}{too_many}"))).await?;
    is_refused(&refused, 413, "import_too_large");
    assert_eq!(titles(&admin).await?, ["Old"]);
    let report = imported(&admin, "?atomic=true", &format!("{HEADER}{many}")).await?;
    assert_eq!(counts(&report), [1_200, 0, 0, 0]);
    assert_eq!(titles(&admin).await?.len(), 1_201);
    Ok(())
}

pub(crate) async fn an_isbn_that_is_taken_meanwhile_has_all_taken_back(
    shop: &Server,
) -> Result<()> {
    let admin = shop.admin().await?;
    let mut socket = shop.socket().await?;
    let many: String = (0..600).map(|number| format!("Book {number},A,G,2000,1,\n")).collect();
    let (pieces, taken) = mpsc::channel::<Result<String>>(1);
    let file = stream::unfold(taken, async |mut taken| Some((taken.recv().await?, taken)));
    let sending = import(&admin, "?atomic=true", CSV, Body::wrap_stream(file.boxed()));
    let sending = tokio::spawn(answer(sending));
    pieces.send(Ok(format!("{HEADER}Mine,A,G,2000,1,{}\n{many}", ISBNS[0]))).await?;
    // More than what the sockets on the way hold: by then the rows have been read and found good.
    let blank = "\n".repeat(1 << 20);
    for _ in 0..40 {
        pieces.send(Ok(blank.clone())).await?;
    }
    let theirs = json!({
        "title": "Theirs", "author": "A", "genre": "G", "year": 1, "price": 1, "isbn": ISBNS[0],
    });
    assert_eq!(sent(&admin, Method::POST, "/api/books", &theirs).await?.0, 201);
    drop(pieces);
    let undone = sending.await??;
    is_refused(&undone, 409, "import_undone");
    assert_eq!(problems(&undone.1["report"]), [(2, "isbn_taken", "isbn")]);
    assert_eq!(counts(&undone.1["report"]), [0, 0, 0, 1]);
    assert!(undone.1.get("left").is_none());
    assert_eq!(titles(&admin).await?, ["Theirs"]);
    // Whoever has seen them come has seen them go.
    let mut there = std::collections::HashSet::new();
    loop {
        let event = socket.next().await?;
        let id = event["data"]["id"].to_string();
        match event["event"].as_str() {
            Some("book:created") => assert!(there.insert(id)),
            _ => assert!(there.remove(&id), "{event}"),
        }
        if there.len() == 1 && event["event"] == "book:deleted" {
            return Ok(());
        }
    }
}

pub(crate) async fn a_file_that_cannot_be_used_is_refused(shop: &Server) -> Result<()> {
    let admin = shop.admin().await?;
    for (file, named) in [
        ("", "header"),
        ("title,author,genre,year,price,colour\n", "colour"),
        ("title,author,genre,year\n", "price"),
        ("title,author,genre,year,price,Title\n", "Title"),
    ] {
        let refused = answer(import(&admin, "", CSV, file)).await?;
        is_refused(&refused, 400, "invalid");
        assert_eq!(fields(&refused.1), [named], "{file}");
    }
    for kind in ["application/json", "text/plain", "multipart/form-data", ""] {
        let refused = answer(import(&admin, "", kind, rows())).await?;
        is_refused(&refused, 415, "content_type");
    }
    for (query, field) in [
        ("existing=replace", "existing"),
        ("atomic=yes", "atomic"),
        ("dryRun=1", "dryRun"),
        ("dryRun=true&dryRun=true", "dryRun"),
        ("format=csv", "format"),
    ] {
        let refused = answer(import(&admin, &format!("?{query}"), CSV, rows())).await?;
        is_refused(&refused, 400, "invalid");
        assert_eq!(fields(&refused.1), [field], "{query}");
    }
    is_refused(&answer(admin.request(Method::GET, IMPORT)).await?, 405, "method_not_allowed");
    assert_eq!(titles(&admin).await?, [""; 0]);
    Ok(())
}

pub(crate) async fn only_admins_import(shop: &Server) -> Result<()> {
    let (admin, asha) = (shop.admin().await?, shop.user("asha").await?);
    // Also with a file that is on its way for some time.
    let large = format!("{HEADER}{}", "A,A,G,1,1,\n".repeat(200_000));
    is_refused(&answer(import(&asha, "", CSV, large)).await?, 403, "admin_required");
    let guest = reqwest::Client::new().post(format!("{}{IMPORT}", shop.url));
    let guest = guest.header("content-type", CSV).body(rows());
    is_refused(&answer(guest).await?, 401, "login_required");
    let foreign = by_cookie(shop, Method::POST, IMPORT, &admin.token).header("content-type", CSV);
    let foreign = foreign.header("sec-fetch-site", "cross-site").body(rows());
    is_refused(&answer(foreign).await?, 403, "cross_site");
    assert_eq!(titles(&admin).await?, [""; 0]);
    Ok(())
}

pub(crate) async fn a_row_may_be_large_and_a_file_larger(shop: &Server) -> Result<()> {
    let admin = shop.admin().await?;
    // More than any other body may have, most of it in a row that is too large.
    let huge = "x".repeat(3 << 20);
    let mut file = format!("{HEADER}First,A,G,1,1,\n\"{huge}\n\",A,G,1,1,\nLast,A,G,1,1,\n");
    let report = imported(&admin, "", &file).await?;
    assert_eq!(counts(&report), [2, 0, 0, 1]);
    assert_eq!(problems(&report), [(3, "row_too_large", "")]);
    assert_eq!(titles(&admin).await?, ["First", "Last"]);
    let (status, report) =
        answer(import(&admin, "", NDJSON, format!("\"{huge}\"\n{{}}\n"))).await?;
    assert_eq!((status, counts(&report)), (200, [0, 0, 0, 2]));
    assert_eq!(problems(&report), [(1, "row_too_large", ""), (2, "invalid", "title")]);

    file = HEADER.to_owned();
    file.extend((0..150).map(|number| format!(",A,G,{number},1,\n")));
    let report = imported(&admin, "", &file).await?;
    assert_eq!((counts(&report)[3], report["errors"].as_array().map(Vec::len)), (150, Some(100)));
    assert_eq!(report["truncated"], true);
    Ok(())
}

pub(crate) async fn a_file_that_is_cut_off_says_how_far_it_came(shop: &Server) -> Result<()> {
    let admin = shop.admin().await?;
    let rows: String = (0..1_100).map(|number| format!("Book {number},A,G,2000,1,\n")).collect();
    let file = format!("{HEADER}{rows}Last,A,G");
    for (query, most) in [("?atomic=true", 0), ("", 1_000)] {
        let mut connection = TcpStream::connect(shop.url.trim_start_matches("http://")).await?;
        let head = format!(
            "POST {IMPORT}{query} HTTP/1.1\r\nHost: shop\r\nAuthorization: Bearer {}\r\n\
             Content-Type: text/csv\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
            admin.token,
            file.len() + 100
        );
        connection.write_all(head.as_bytes()).await?;
        connection.write_all(file.as_bytes()).await?;
        connection.shutdown().await?;
        let mut said = String::new();
        connection.read_to_string(&mut said).await?;
        let (head, body) = said.split_once("\r\n\r\n").context("an answer")?;
        assert!(head.starts_with("HTTP/1.1 400 "), "{head}");
        let body: Value = serde_json::from_str(body)?;
        is_refused(&(400, body.clone()), 400, "body_incomplete");
        let created = counts(&body["report"])[0];
        assert!(created <= most, "{body}");
        assert_eq!(titles(&admin).await?.len() as u64, created, "what it says is there");
    }
    assert_eq!(titles(&admin).await?.len(), 1_000, "whole batches, never a part of a row");
    Ok(())
}

/// As many books as the stand-ins take in a second or two: they look at each for every ISBN.
const MANY: u64 = 4_000;

pub(crate) async fn many_books_come_in_soon(shop: &Server) -> Result<()> {
    let admin = shop.admin().await?;
    let mut socket = Socket::open(&shop.url, false).await?;
    assert_eq!(socket.next().await?["event"], "connection:success");
    let begun = Instant::now();
    let pieces = (0..MANY / 100).map(|piece| {
        let row = |number| {
            format!("Crowd {},Ada Writer,Many,2000,{},,\n", piece * 100 + number, number + 1)
        };
        let header = if piece == 0 { "title,author,genre,year,price,isbn,stock\n" } else { "" };
        Ok::<_, std::io::Error>(format!("{header}{}", (0..100).map(row).collect::<String>()))
    });
    let file = Body::wrap_stream(stream::iter(pieces));
    let (status, report) = answer(import(&admin, "", CSV, file)).await?;
    assert_eq!((status, counts(&report)), (200, [MANY, 0, 0, 0]), "{report}");
    assert!(begun.elapsed() < Duration::from_secs(120), "{:?}", begun.elapsed());
    for number in 0..MANY {
        assert_eq!(socket.next().await?["data"]["title"], format!("Crowd {number}"));
    }
    let found = admin.send(Method::GET, "/api/books?q=crowd&limit=1", &Value::Null).await?;
    assert_eq!(header(&found, "x-total-count")?, MANY.to_string());
    let all = admin.send(Method::GET, "/api/books/export", &Value::Null).await?.text().await?;
    assert_eq!(all.lines().count() as u64, MANY + 1);
    Ok(())
}
