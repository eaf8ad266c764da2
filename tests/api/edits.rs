//! `/api/books`, as it is changed.

use anyhow::{Context as _, Result};
use bookhub_tests::Server;
use reqwest::{Client, Method};
use serde_json::{Value, json};

use super::{MISSING, answer, by_cookie, fields, header, is_refused, sent};

const BOOKS: &str = "/api/books";

fn good() -> Value {
    json!({ "title": "T", "author": "A", "genre": "G", "year": 2000, "price": 1 })
}

fn path(book: &Value) -> String {
    format!("{BOOKS}/{}", book["id"].as_str().unwrap_or_default())
}

/// Every way to change a book, or to add one, with a body that would do.
fn changes(book: &str) -> [(Method, String, Value); 5] {
    let stock = json!({ "delta": 1, "reason": "found" });
    [
        (Method::POST, BOOKS.to_owned(), good()),
        (Method::PUT, book.to_owned(), json!({ "price": 2 })),
        (Method::PATCH, book.to_owned(), json!({ "price": 2 })),
        (Method::POST, format!("{book}/stock"), stock),
        (Method::DELETE, book.to_owned(), Value::Null),
    ]
}

pub(crate) async fn a_book_lives_from_its_creation_to_its_end(shop: &Server) -> Result<()> {
    let admin = shop.admin().await?;
    let all = json!({
        "title": "Emma", "author": "Jane Austen", "genre": "Classics", "year": 1815, "price": 899.5,
        "isbn": "0-439-02348-3", "coverUrl": "https://example.org/emma.jpg",
        "description": "Handsome, clever, and rich.", "stock": 7,
    });
    let created = admin.send(Method::POST, BOOKS, &all).await?;
    assert_eq!(created.status(), 201);
    let location = header(&created, "location")?.to_owned();
    let tag = header(&created, "etag")?.to_owned();
    let created: Value = created.json().await?;
    assert_eq!(location, path(&created));
    assert_eq!(admin.get(&location).await?, created);
    for (field, value) in all.as_object().context("an object")? {
        let expected = if field == "isbn" { &json!("9780439023481") } else { value };
        assert_eq!(&created[field], expected, "{field}");
    }
    assert_eq!((&created["version"], &created["stockVersion"]), (&json!(1), &json!(1)));
    assert_eq!((&created["isNew"], &created["isUpdated"]), (&json!(true), &json!(false)));
    assert_eq!(created["updatedAt"], created["createdAt"]);

    let changed = admin.send(Method::PATCH, &location, &json!({ "price": 900 })).await?;
    assert_eq!(changed.status(), 200);
    assert_ne!(header(&changed, "etag")?, tag);
    let changed: Value = changed.json().await?;
    assert_eq!((&changed["price"], &changed["version"]), (&json!(900), &json!(2)));
    assert_eq!((&changed["title"], &changed["isUpdated"]), (&json!("Emma"), &json!(true)));
    let none = json!({ "description": null, "isbn": null, "coverUrl": null, "stock": 4 });
    let (status, cleared) = sent(&admin, Method::PUT, &location, &none).await?;
    assert_eq!((status, &cleared["stock"], &cleared["title"]), (200, &json!(4), &json!("Emma")));
    for field in ["description", "isbn", "coverUrl"] {
        assert!(cleared.get(field).is_none(), "{field}");
    }
    let deleted = sent(&admin, Method::DELETE, &location, &Value::Null).await?;
    assert_eq!(deleted, (200, json!({ "success": true })));
    let gone = answer(admin.request(Method::GET, &location)).await?;
    is_refused(&gone, 404, "not_found");
    assert_eq!(gone.1["error"], "Book not found");
    Ok(())
}

/// A change to a good book, and the field that the answer must name.
fn bad_fields() -> Vec<(Value, &'static str)> {
    let mut bad: Vec<_> = ["title", "author", "genre"]
        .into_iter()
        .flat_map(|field| {
            let long = "x".repeat(501);
            let values = [json!(""), json!("a\u{7}b"), json!(long), json!(5), json!(null)];
            values.map(|value| (json!({ field: value }), field))
        })
        .collect();
    bad.extend([
        (json!({ "price": -1 }), "price"),
        (json!({ "price": 9.995 }), "price"),
        (json!({ "price": "9" }), "price"),
        (json!({ "price": 10_000_001 }), "price"),
        (json!({ "year": 0 }), "year"),
        (json!({ "year": -3001 }), "year"),
        (json!({ "year": 3000 }), "year"),
        (json!({ "year": 1.5 }), "year"),
        (json!({ "stock": -1 }), "stock"),
        (json!({ "stock": 1_000_000_001 }), "stock"),
        (json!({ "stock": 1e30 }), "stock"),
        (json!({ "stock": { "$inc": 1 } }), "stock"),
        (json!({ "isbn": "9780439023482" }), "isbn"),
        (json!({ "isbn": 9_780_439_023_481_u64 }), "isbn"),
        (json!({ "coverUrl": "javascript:alert(1)" }), "coverUrl"),
        (json!({ "coverUrl": "https://" }), "coverUrl"),
        (json!({ "description": "x".repeat(10_001) }), "description"),
        (json!({ "colour": "red" }), "colour"),
    ]);
    let read_only =
        ["id", "version", "stockVersion", "createdAt", "updatedAt", "isNew", "isUpdated"];
    bad.extend(read_only.map(|field| (json!({ field: 9 }), field)));
    bad
}

pub(crate) async fn bad_fields_are_named_and_nothing_is_written(shop: &Server) -> Result<()> {
    let admin = shop.admin().await?;
    let book = path(&admin.create("Good").await?);
    let before = admin.get(BOOKS).await?;
    for (wrong, name) in bad_fields() {
        let mut whole = good();
        let change = wrong.as_object().cloned().unwrap_or_default();
        whole.as_object_mut().context("an object")?.extend(change);
        for (method, path, body) in [
            (Method::POST, BOOKS, &whole),
            (Method::PATCH, &*book, &wrong),
            (Method::PUT, &*book, &wrong),
        ] {
            let refused = sent(&admin, method, path, body).await?;
            is_refused(&refused, 400, "invalid");
            assert_eq!(refused.1["error"], "Invalid book data");
            assert_eq!(fields(&refused.1), [name], "{wrong}");
        }
    }
    let refused = sent(&admin, Method::POST, BOOKS, &json!({})).await?;
    assert_eq!(fields(&refused.1), ["title", "author", "genre", "year", "price"]);
    let refused = sent(&admin, Method::PATCH, &book, &json!({})).await?;
    is_refused(&refused, 400, "invalid");
    assert_eq!(admin.get(BOOKS).await?, before);
    Ok(())
}

pub(crate) async fn bad_bodies_get_their_own_answers(shop: &Server) -> Result<()> {
    let admin = shop.admin().await?;
    let json = "application/json";
    let big = format!("{{\"title\":\"{}\"}}", "x".repeat(2 << 20));
    let deep = "[".repeat(100_000);
    let book = path(&admin.create("Good").await?);
    let before = admin.get(BOOKS).await?;
    let cases: [(&[u8], Option<&str>, u16, &str); 8] = [
        (b"{\"title\":", Some(json), 400, "invalid_json"),
        (b"", Some(json), 400, "invalid_json"),
        (b"[]", Some(json), 400, "invalid_json"),
        (b"{\"title\":\"\xff\"}", Some(json), 400, "invalid_json"),
        (deep.as_bytes(), Some(json), 400, "invalid_json"),
        (b"{}", None, 415, "content_type"),
        (b"title=x", Some("application/x-www-form-urlencoded"), 415, "content_type"),
        (big.as_bytes(), Some(json), 413, "body_too_large"),
    ];
    for (body, kind, status, code) in cases {
        for (method, path, _) in &changes(&book)[..4] {
            let mut request = admin.request(method.clone(), path).body(body.to_vec());
            if let Some(kind) = kind {
                request = request.header("content-type", kind);
            }
            is_refused(&answer(request).await?, status, code);
        }
    }
    assert_eq!(admin.get(BOOKS).await?, before);
    Ok(())
}

pub(crate) async fn a_stale_edit_is_refused(shop: &Server) -> Result<()> {
    let admin = shop.admin().await?;
    let path = path(&admin.create("Once").await?);
    let read = admin.send(Method::GET, &path, &Value::Null).await?;
    let tag = header(&read, "etag")?.to_owned();
    let edit = async |tag: &str, price: u32| {
        let edit = admin.request(Method::PUT, &path).header("if-match", tag);
        answer(edit.json(&json!({ "price": price }))).await
    };
    assert_eq!(edit(&tag, 10).await?.0, 200);
    is_refused(&edit(&tag, 20).await?, 412, "version_conflict");
    let patch = admin.request(Method::PATCH, &path).header("if-match", &tag);
    is_refused(&answer(patch.json(&json!({ "price": 20 }))).await?, 412, "version_conflict");
    let delete = admin.request(Method::DELETE, &path).header("if-match", &tag);
    is_refused(&answer(delete).await?, 412, "version_conflict");
    assert_eq!(admin.get(&path).await?["price"], 10);

    // A sale is no edit: the tag of before is good.
    let read = admin.send(Method::GET, &path, &Value::Null).await?;
    let current = header(&read, "etag")?.to_owned();
    let sale = json!({ "delta": -1, "reason": "sold" });
    assert_eq!(sent(&admin, Method::POST, &format!("{path}/stock"), &sale).await?.0, 200);
    assert_eq!(edit(&current, 30).await?.0, 200);
    // One of several, or any.
    for tags in [format!("{tag}, \"3.1.0\""), "*".to_owned()] {
        assert_eq!(edit(&tags, 40).await?.0, 200, "{tags}");
    }
    for wrong in ["\"x\"", ""] {
        is_refused(&edit(wrong, 50).await?, 400, "invalid_if_match");
    }
    assert_eq!(admin.get(&path).await?["price"], 40);
    Ok(())
}

pub(crate) async fn an_isbn_belongs_to_one_book(shop: &Server) -> Result<()> {
    let admin = shop.admin().await?;
    let mut book = good();
    book["isbn"] = json!("0-439-02348-3");
    assert_eq!(sent(&admin, Method::POST, BOOKS, &book).await?.0, 201);
    book["isbn"] = json!("9780439023481");
    let other = path(&admin.create("Other").await?);
    for refused in [
        sent(&admin, Method::POST, BOOKS, &book).await?,
        sent(&admin, Method::PATCH, &other, &json!({ "isbn": "9780439023481" })).await?,
    ] {
        is_refused(&refused, 409, "isbn_taken");
        assert_eq!(fields(&refused.1), ["isbn"]);
    }
    assert!(admin.get(&other).await?.get("isbn").is_none());
    Ok(())
}

pub(crate) async fn stock_is_corrected_within_its_range(shop: &Server) -> Result<()> {
    let admin = shop.admin().await?;
    let book = admin.create("Stocked").await?;
    let stock = format!("{}/stock", path(&book));
    let correct = |delta: Value| {
        let (admin, stock) = (&admin, &stock);
        async move {
            let body = json!({ "delta": delta, "reason": "counted" });
            sent(admin, Method::POST, stock, &body).await
        }
    };
    let (status, sold) = correct(json!(-3)).await?;
    assert_eq!((status, &sold["stock"]), (200, &json!(4)));
    assert_eq!((&sold["version"], &sold["stockVersion"]), (&json!(1), &json!(2)));
    assert_eq!(sold["updatedAt"], book["updatedAt"], "it is no edit");
    is_refused(&correct(json!(-5)).await?, 409, "stock_below_zero");
    is_refused(&correct(json!(1_000_000_000)).await?, 409, "stock_above_limit");
    for delta in [json!(0), json!(1.5), json!("1"), json!(1_000_000_001), json!(null)] {
        let refused = correct(delta).await?;
        is_refused(&refused, 400, "invalid");
        assert_eq!(fields(&refused.1), ["delta"]);
    }
    for (wrong, named) in [
        (json!({}), &["delta", "reason"][..]),
        (json!({ "delta": 1, "reason": "" }), &["reason"]),
        (json!({ "delta": 1, "reason": "x", "stock": 9 }), &["stock"]),
    ] {
        let refused = sent(&admin, Method::POST, &stock, &wrong).await?;
        is_refused(&refused, 400, "invalid");
        assert_eq!(fields(&refused.1), named);
    }
    assert_eq!(admin.get(&path(&book)).await?["stock"], 4);
    Ok(())
}

pub(crate) async fn only_admins_change_the_catalogue(shop: &Server) -> Result<()> {
    let (admin, asha) = (shop.admin().await?, shop.user("asha").await?);
    let book = path(&admin.create("Guarded").await?);
    let before = admin.get(BOOKS).await?;
    let guest = Client::new();
    for (method, path, body) in changes(&book) {
        let at = format!("{}{path}", shop.url);
        let request = || guest.request(method.clone(), &at).json(&body);
        let refused = request().send().await?;
        assert_eq!(header(&refused, "www-authenticate")?, "Bearer");
        is_refused(&(refused.status().as_u16(), refused.json().await?), 401, "login_required");
        is_refused(&answer(request().bearer_auth("made.up.token")).await?, 401, "session_ended");
        is_refused(&sent(&asha, method.clone(), &path, &body).await?, 403, "admin_required");
        // The cookie of an admin, in a request that another site has made them send.
        let cookie = || by_cookie(shop, method.clone(), &path, &admin.token).json(&body);
        for site in ["cross-site", "same-site", "none"] {
            let sent = cookie().header("sec-fetch-site", site);
            is_refused(&answer(sent).await?, 403, "cross_site");
        }
        is_refused(&answer(cookie()).await?, 403, "cross_site");
        let elsewhere = cookie().header("origin", "https://elsewhere.example");
        is_refused(&answer(elsewhere).await?, 403, "cross_site");
    }
    assert_eq!(admin.get(BOOKS).await?, before);
    // From the shop's own pages it is good.
    for (name, value) in [("sec-fetch-site", "same-origin"), ("origin", &*shop.url)] {
        let own = by_cookie(shop, Method::PATCH, &book, &admin.token).header(name, value);
        assert_eq!(answer(own.json(&json!({ "price": 3 }))).await?.0, 200, "{name}");
    }
    Ok(())
}

pub(crate) async fn what_is_not_there_cannot_be_changed(shop: &Server) -> Result<()> {
    let admin = shop.admin().await?;
    for id in [MISSING, "1", "%ff"] {
        for (method, path, body) in &changes(&format!("{BOOKS}/{id}"))[1..] {
            let refused = sent(&admin, method.clone(), path, body).await?;
            is_refused(&refused, 404, "not_found");
            assert_eq!(refused.1["error"], "Book not found");
        }
    }
    for (method, path) in [(Method::DELETE, BOOKS), (Method::POST, "/api/books/1")] {
        is_refused(&answer(admin.request(method, path)).await?, 405, "method_not_allowed");
    }
    Ok(())
}
