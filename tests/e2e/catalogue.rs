//! The sample catalogue over HTTP, and what is beside the API: the page, covers, addresses of nothing.

use std::collections::HashSet;

use anyhow::Result;
use bookhub_tests::Server;
use reqwest::{Method, StatusCode, header};
use serde_json::Value;

#[tokio::test]
async fn with_nothing_set_the_sample_catalogue_is_served() -> Result<()> {
    let server = Server::start().await?;
    let answer = reqwest::get(format!("{}/api/books", server.url)).await?;
    let total: usize = answer.headers()["x-total-count"].to_str()?.parse()?;
    assert!(total >= 500, "{total} books");
    let books: Vec<Value> = answer.json().await?;
    assert_eq!(books.len(), 24);
    let page = reqwest::get(&server.url).await?;
    let policy = page.headers()["content-security-policy"].to_str()?.to_owned();
    assert!(policy.contains("frame-ancestors 'none'"), "{policy}");
    assert!(page.text().await?.contains("BookHub"));
    Ok(())
}

#[tokio::test]
async fn following_the_links_shows_every_book_once() -> Result<()> {
    let server = Server::start().await?;
    for query in ["limit=100", "limit=37&sort=-price&genre=fantasy", "sort=title&yearMin=1900"] {
        let mut path = format!("/api/books?{query}");
        let mut seen = HashSet::new();
        let total = loop {
            let answer = reqwest::get(format!("{}{path}", server.url)).await?;
            let total: usize = answer.headers()["x-total-count"].to_str()?.parse()?;
            let link = answer.headers().get(header::LINK).map(|link| link.to_str().unwrap());
            let next = link.map(|link| {
                link.strip_prefix('<').unwrap().strip_suffix(">; rel=\"next\"").unwrap().to_owned()
            });
            for book in answer.json::<Vec<Value>>().await? {
                assert!(seen.insert(book["id"].to_string()), "twice: {book}");
            }
            match next {
                Some(next) => path = next,
                None => break total,
            }
        };
        assert_eq!(seen.len(), total, "{query}");
    }
    Ok(())
}

#[tokio::test]
async fn a_search_finds_what_it_says_and_genres_are_counted() -> Result<()> {
    let server = Server::start().await?;
    let admin = server.admin().await?;
    let found = admin.get("/api/books?q=garcia+mar").await?;
    assert!(!found.as_array().unwrap().is_empty(), "accents do not matter");
    for book in found.as_array().unwrap() {
        assert!(book["author"].as_str().unwrap().contains("García Márquez"), "{book}");
    }
    let isbn = admin.get("/api/books?q=978-0-439-02348-1").await?;
    assert_eq!(isbn[0]["title"], "The Hunger Games");
    let genres = admin.get("/api/genres").await?;
    let counted: u64 =
        genres.as_array().unwrap().iter().map(|genre| genre["count"].as_u64().unwrap()).sum();
    assert!(counted >= 500);
    Ok(())
}

#[tokio::test]
async fn a_cover_is_drawn_and_its_title_cannot_be_markup() -> Result<()> {
    let server = Server::empty().await?;
    let admin = server.admin().await?;
    let book = admin.create("<b>Bold</b> & Co").await?;
    let path = format!("{}/covers/{}.svg", server.url, book["id"].as_str().unwrap());
    let answer = reqwest::get(path).await?;
    assert_eq!(answer.headers()[header::CONTENT_TYPE], "image/svg+xml");
    let svg = answer.text().await?;
    assert!(svg.contains("&lt;b&gt;Bold") && !svg.contains("<b>"), "{svg}");
    Ok(())
}

#[tokio::test]
async fn addresses_that_are_not_there() -> Result<()> {
    let server = Server::empty().await?;
    let admin = server.admin().await?;
    for path in ["/covers/%ff.svg", "/covers/1.svg", "/nowhere", "/api", "/api/nowhere"] {
        let answer = admin.send(Method::GET, path, &Value::Null).await?;
        assert_eq!(answer.status(), StatusCode::NOT_FOUND, "{path}");
        assert_eq!(answer.json::<Value>().await?["code"], "not_found");
    }
    let plain = admin.send(Method::GET, "/ws", &Value::Null).await?;
    assert_eq!(plain.status(), StatusCode::UPGRADE_REQUIRED);
    Ok(())
}
