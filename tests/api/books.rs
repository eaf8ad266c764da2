//! `/api/books` and `/api/genres`, as they are read.

use anyhow::{Context as _, Result};
use bookhub_tests::{Person, Server};
use reqwest::{Method, RequestBuilder, Response};
use serde_json::{Value, json};

use super::{MISSING, answer, fields, header, is_refused, sent, walk};

const BOOKS: &str = "/api/books";

async fn shelve(admin: &Person, title: &str, more: &Value) -> Result<Value> {
    let mut book = json!({
        "title": title, "author": "Ada Writer", "genre": "Tests", "year": 2020, "price": 250,
    });
    book.as_object_mut()
        .context("an object")?
        .extend(more.as_object().cloned().unwrap_or_default());
    let (status, body) = sent(admin, Method::POST, BOOKS, &book).await?;
    anyhow::ensure!(status == 201, "{body}");
    Ok(body)
}

/// Sees to it that whoever has this answer gets it once only.
async fn is_not_sent_again(again: RequestBuilder, first: &Response) -> Result<()> {
    let tag = header(first, "etag")?;
    let known = again.header("if-none-match", tag).send().await?;
    assert_eq!((known.status().as_u16(), header(&known, "etag")?), (304, tag));
    assert_eq!(header(&known, "cache-control")?, "no-cache");
    assert!(known.bytes().await?.is_empty());
    Ok(())
}

fn titles(books: &[Value]) -> Vec<&str> {
    books.iter().filter_map(|book| book["title"].as_str()).collect()
}

pub(crate) async fn a_page_comes_with_all_that_is_promised(shop: &Server) -> Result<()> {
    let admin = shop.admin().await?;
    let read = async |path: &str| -> Result<Response> {
        Ok(reqwest::get(format!("{}{path}", shop.url)).await?.error_for_status()?)
    };
    let none = read(BOOKS).await?;
    assert_eq!(header(&none, "x-total-count")?, "0");
    assert_eq!(none.json::<Value>().await?, json!([]));
    let mut made = Vec::new();
    for number in 0..5 {
        made.push(admin.create(&format!("Book {number}")).await?);
    }
    let page = read("/api/books?limit=2").await?;
    assert_eq!(header(&page, "content-type")?, "application/json");
    assert_eq!(header(&page, "x-total-count")?, "5");
    assert!(page.headers().get("x-total-count-relation").is_none());
    assert_eq!(header(&page, "cache-control")?, "no-cache");
    assert!(header(&page, "x-feed-position")?.contains('-'));
    assert_eq!(header(&page, "x-request-id")?.len(), 32);
    let link = header(&page, "link")?;
    assert!(link.starts_with("</api/books?limit=2&cursor="), "{link}");
    assert!(link.ends_with(">; rel=\"next\""), "{link}");
    is_not_sent_again(admin.request(Method::GET, "/api/books?limit=2"), &page).await?;
    let last = read("/api/books?limit=5").await?;
    assert!(last.headers().get("link").is_none(), "there is no other page");

    made.reverse();
    for path in ["/api/books?limit=1", "/api/books?limit=2", BOOKS] {
        assert_eq!(walk(&admin, path).await?, made, "the newest first, each once");
    }
    // What has changed is sent again.
    let tag = header(&page, "etag")?.to_owned();
    let id = made[0]["id"].as_str().context("an id")?;
    admin.patch(id, &json!({ "price": 1 })).await?;
    let changed = admin.request(Method::GET, "/api/books?limit=2").header("if-none-match", &tag);
    let changed = changed.send().await?;
    assert_eq!(changed.status(), 200);
    assert_ne!(header(&changed, "etag")?, tag);
    Ok(())
}

pub(crate) async fn books_are_found_and_put_in_order(shop: &Server) -> Result<()> {
    let admin = shop.admin().await?;
    let marquez = json!({ "author": "Gabriel García Márquez", "genre": "Magic", "year": 1985 });
    shelve(&admin, "Love in the Time of Cholera", &marquez).await?;
    let austen = json!({ "genre": "classics", "year": 1815, "price": 99.5 });
    shelve(&admin, "Emma", &austen).await?;
    let sappho = json!({ "genre": "Classics", "year": -600, "price": 400, "isbn": "0439023483" });
    shelve(&admin, "Fragments", &sappho).await?;

    let (love, emma, fragments) = ("Love in the Time of Cholera", "Emma", "Fragments");
    for (query, expected) in [
        ("q=garcia+mar", vec![love]),
        ("q=978-0-439-02348-1", vec![fragments]),
        ("q=nobody", vec![]),
        ("q=+&genre=", vec![fragments, emma, love]),
        ("genre=CLASSICS&sort=title", vec![emma, fragments]),
        ("yearMin=-600&yearMax=1815&sort=oldest", vec![emma, fragments]),
        ("yearMax=-1", vec![fragments]),
        ("sort=price", vec![emma, love, fragments]),
        ("sort=-price", vec![fragments, love, emma]),
        ("sort=-author&limit=1", vec![love, fragments, emma]),
        ("sort=-year", vec![love, emma, fragments]),
    ] {
        let path = format!("{BOOKS}?{query}");
        let found = walk(&admin, &path).await?;
        assert_eq!(titles(&found), expected, "{query}");
        let page = admin.send(Method::GET, &path, &Value::Null).await?;
        assert_eq!(header(&page, "x-total-count")?, expected.len().to_string(), "{query}");
    }
    Ok(())
}

pub(crate) async fn bad_queries_are_named(shop: &Server) -> Result<()> {
    let admin = shop.admin().await?;
    for (query, name) in [
        ("limit=-1", "limit"),
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("limit=ten", "limit"),
        ("cursor=made-up", "cursor"),
        ("cursor=", "cursor"),
        ("sort=colour", "sort"),
        ("yearMin=soon", "yearMin"),
        ("yearMax=10000", "yearMax"),
        ("yearMin=2000&yearMax=1900", "yearMin"),
        ("page=2", "page"),
        ("q=a&q=b", "q"),
        ("q=%FF", "q"),
    ] {
        let refused = answer(admin.request(Method::GET, &format!("{BOOKS}?{query}"))).await?;
        is_refused(&refused, 400, "invalid");
        assert_eq!(fields(&refused.1), [name], "{query}");
    }
    // A cursor of another order is refused too.
    for title in ["One", "Two"] {
        admin.create(title).await?;
    }
    let first = admin.send(Method::GET, "/api/books?sort=title&limit=1", &Value::Null).await?;
    let link = header(&first, "link")?.replace("sort=title", "sort=price");
    let path = link.split(['<', '>']).nth(1).context("a link")?;
    let refused = answer(admin.request(Method::GET, path)).await?;
    is_refused(&refused, 400, "invalid");
    assert_eq!(fields(&refused.1), ["cursor"]);
    Ok(())
}

pub(crate) async fn a_book_is_read_with_its_tag(shop: &Server) -> Result<()> {
    let admin = shop.admin().await?;
    let book = admin.create("Emma").await?;
    let path = format!("{BOOKS}/{}", book["id"].as_str().context("an id")?);
    // By anybody.
    let read = reqwest::get(format!("{}{path}", shop.url)).await?;
    assert_eq!(read.status(), 200);
    assert_eq!(header(&read, "content-type")?, "application/json");
    assert_eq!(header(&read, "cache-control")?, "no-cache");
    assert!(header(&read, "etag")?.starts_with('"'), "it is a strong one");
    assert!(header(&read, "x-feed-position")?.contains('-'));
    is_not_sent_again(admin.request(Method::GET, &path), &read).await?;
    assert_eq!(read.json::<Value>().await?, book);

    for path in [&format!("{BOOKS}/{MISSING}"), "/api/books/1", "/api/books/%ff"] {
        let refused = answer(admin.request(Method::GET, path)).await?;
        is_refused(&refused, 404, "not_found");
        assert_eq!(refused.1["error"], "Book not found");
    }
    Ok(())
}

pub(crate) async fn genres_are_counted(shop: &Server) -> Result<()> {
    let admin = shop.admin().await?;
    let read = || async { anyhow::Ok(admin.send(Method::GET, "/api/genres", &Value::Null).await?) };
    assert_eq!(read().await?.json::<Value>().await?, json!([]));
    for (title, genre) in [("One", "Magic"), ("Two", "Essays"), ("Three", "magic")] {
        shelve(&admin, title, &json!({ "genre": genre })).await?;
    }
    let genres = read().await?;
    assert_eq!((genres.status().as_u16(), header(&genres, "cache-control")?), (200, "no-cache"));
    is_not_sent_again(admin.request(Method::GET, "/api/genres"), &genres).await?;
    assert_eq!(
        genres.json::<Value>().await?,
        json!([{ "genre": "Essays", "count": 1 }, { "genre": "Magic", "count": 2 }])
    );
    let refused = admin.send(Method::PUT, "/api/genres", &json!({})).await?;
    assert_eq!(header(&refused, "allow")?, "GET,HEAD");
    is_refused(&(refused.status().as_u16(), refused.json().await?), 405, "method_not_allowed");
    Ok(())
}
