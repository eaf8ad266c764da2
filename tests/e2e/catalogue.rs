//! The catalogue over HTTP, as a client sees it.

use std::collections::HashSet;

use anyhow::Result;
use bookhub_tests::Server;
use reqwest::{Method, StatusCode, header};
use serde_json::{Value, json};

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
async fn a_book_lives_from_its_creation_to_its_end() -> Result<()> {
    let server = Server::empty().await?;
    let admin = server.admin().await?;
    let created = admin.create("First").await?;
    let id = created["id"].as_str().unwrap().to_owned();
    let path = format!("/api/books/{id}");
    assert_eq!(admin.get(&path).await?, created);
    assert_eq!(created["isNew"], true);

    let changed = admin.patch(&id, &json!({ "price": 899.5, "description": "Good." })).await?;
    assert_eq!((&changed["price"], &changed["version"]), (&json!(899.5), &json!(2)));
    assert_eq!(changed["title"], "First", "what is not sent stays");
    assert_eq!(changed["isUpdated"], true);
    let cleared = admin.patch(&id, &json!({ "description": null })).await?;
    assert!(cleared.get("description").is_none());

    let stock = json!({ "delta": -3, "reason": "sold at the counter" });
    let sold = admin.send(Method::POST, &format!("{path}/stock"), &stock).await?;
    let sold: Value = sold.json().await?;
    assert_eq!((&sold["stock"], &sold["version"]), (&json!(4), &json!(3)));
    let all = json!({ "delta": -5, "reason": "too many" });
    let refused = admin.send(Method::POST, &format!("{path}/stock"), &all).await?;
    assert_eq!(refused.status(), StatusCode::CONFLICT);

    admin.delete(&id).await?;
    let gone = admin.send(Method::GET, &path, &Value::Null).await?;
    assert_eq!(gone.status(), StatusCode::NOT_FOUND);
    assert_eq!(gone.json::<Value>().await?["error"], "Book not found");
    Ok(())
}

#[tokio::test]
async fn a_stale_edit_is_refused_and_a_repeated_get_is_not_sent_again() -> Result<()> {
    let server = Server::empty().await?;
    let admin = server.admin().await?;
    let id = admin.create("Once").await?["id"].as_str().unwrap().to_owned();
    let path = format!("/api/books/{id}");
    let tag = admin.send(Method::GET, &path, &Value::Null).await?.headers()[header::ETAG].clone();
    let again =
        admin.request(Method::GET, &path).header(header::IF_NONE_MATCH, &tag).send().await?;
    assert_eq!(again.status(), StatusCode::NOT_MODIFIED);

    let edit = |price: u32| {
        let edit = admin.request(Method::PUT, &path).header(header::IF_MATCH, &tag);
        edit.json(&json!({ "price": price })).send()
    };
    assert_eq!(edit(10).await?.status(), StatusCode::OK);
    let stale = edit(20).await?;
    assert_eq!(stale.status(), StatusCode::PRECONDITION_FAILED);
    assert_eq!(stale.json::<Value>().await?["code"], "version_conflict");
    assert_eq!(admin.get(&path).await?["price"], 10);

    let list = admin.send(Method::GET, "/api/books", &Value::Null).await?;
    let list_tag = list.headers()[header::ETAG].clone();
    let list = admin.request(Method::GET, "/api/books").header(header::IF_NONE_MATCH, list_tag);
    assert_eq!(list.send().await?.status(), StatusCode::NOT_MODIFIED);
    Ok(())
}

#[tokio::test]
async fn an_isbn_belongs_to_one_book() -> Result<()> {
    let server = Server::empty().await?;
    let admin = server.admin().await?;
    let mut book = admin.create("Holder").await?;
    let id = book["id"].as_str().unwrap().to_owned();
    admin.patch(&id, &json!({ "isbn": "0-439-02348-3" })).await?;
    assert_eq!(admin.get(&format!("/api/books/{id}")).await?["isbn"], "9780439023481");
    let fields = book.as_object_mut().unwrap();
    fields.retain(|name, _| ["title", "author", "genre", "year", "price"].contains(&&**name));
    fields.insert("isbn".into(), json!("9780439023481"));
    let second = admin.send(Method::POST, "/api/books", &book).await?;
    assert_eq!(second.status(), StatusCode::CONFLICT);
    let body: Value = second.json().await?;
    assert_eq!(
        (&body["code"], &body["details"][0]["field"]),
        (&json!("isbn_taken"), &json!("isbn"))
    );
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
async fn who_may_do_what() -> Result<()> {
    let server = Server::empty().await?;
    let http = reqwest::Client::new();
    let signup = json!({ "username": "reader", "password": "a long enough one" });
    let url = |path: &str| format!("{}{path}", server.url);
    let answer = http.post(url("/api/auth/signup")).json(&signup).send().await?;
    assert_eq!(answer.status(), StatusCode::CREATED);
    let cookie = answer.headers()[header::SET_COOKIE].to_str()?.to_owned();
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"), "{cookie}");
    let cookie = cookie.split(';').next().unwrap().to_owned();
    let token = answer.json::<Value>().await?["token"].as_str().unwrap().to_owned();
    let taken = http.post(url("/api/auth/signup")).json(&signup).send().await?;
    assert_eq!(taken.status(), StatusCode::CONFLICT);

    let book = json!({ "title": "x", "author": "y", "genre": "z", "year": 1, "price": 1 });
    let guest = http.post(url("/api/books")).json(&book).send().await?;
    assert_eq!(guest.status(), StatusCode::UNAUTHORIZED);
    let user = http.post(url("/api/books")).bearer_auth(&token).json(&book).send().await?;
    assert_eq!(user.status(), StatusCode::FORBIDDEN);

    let by_cookie = |site: &'static str| {
        let request = http.post(url("/api/auth/logout")).header(header::COOKIE, &cookie);
        request.header("Sec-Fetch-Site", site).send()
    };
    assert_eq!(by_cookie("cross-site").await?.status(), StatusCode::FORBIDDEN);
    let profile = || http.get(url("/api/auth/profile")).bearer_auth(&token).send();
    assert_eq!(profile().await?.json::<Value>().await?["username"], "reader");
    assert_eq!(by_cookie("same-origin").await?.status(), StatusCode::NO_CONTENT);
    assert_eq!(profile().await?.status(), StatusCode::UNAUTHORIZED, "the token is dead");

    let wrong = json!({ "username": "reader", "password": "not the one" });
    let unknown = json!({ "username": "nobody", "password": "not the one" });
    let mut answers = Vec::new();
    for login in [wrong, unknown] {
        let answer = http.post(url("/api/auth/login")).json(&login).send().await?;
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
        answers.push(answer.json::<Value>().await?["error"].clone());
    }
    assert_eq!(answers[0], answers[1], "nobody learns which names exist");
    Ok(())
}
