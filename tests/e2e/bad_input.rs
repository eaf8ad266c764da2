//! What a hostile or unlucky client sends: a clear 4xx that names the field, never a 500, never a
//! partial write.

use anyhow::Result;
use bookhub_tests::Server;
use reqwest::{Method, StatusCode, header};
use serde_json::{Value, json};

/// A change to a good book, and the field that the answer must name.
fn bad_fields() -> Vec<(Value, &'static str)> {
    vec![
        (json!({ "title": "" }), "title"),
        (json!({ "title": "a\u{7}b" }), "title"),
        (json!({ "title": "x".repeat(501) }), "title"),
        (json!({ "title": 5 }), "title"),
        (json!({ "title": null }), "title"),
        (json!({ "price": -1 }), "price"),
        (json!({ "price": 9.995 }), "price"),
        (json!({ "price": "9" }), "price"),
        (json!({ "price": 10_000_001 }), "price"),
        (json!({ "year": 0 }), "year"),
        (json!({ "year": 3000 }), "year"),
        (json!({ "year": 1.5 }), "year"),
        (json!({ "stock": -1 }), "stock"),
        (json!({ "stock": 1e30 }), "stock"),
        (json!({ "isbn": "9780439023482" }), "isbn"),
        (json!({ "coverUrl": "javascript:alert(1)" }), "coverUrl"),
        (json!({ "coverUrl": "https://" }), "coverUrl"),
        (json!({ "colour": "red" }), "colour"),
        (json!({ "version": 9 }), "version"),
        (json!({ "id": "x" }), "id"),
    ]
}

#[tokio::test]
async fn bad_fields_are_named_and_nothing_is_written() -> Result<()> {
    let server = Server::empty().await?;
    let admin = server.admin().await?;
    let id = admin.create("Good").await?["id"].as_str().unwrap().to_owned();
    let before = admin.get("/api/books").await?;
    for (fields, name) in bad_fields() {
        let mut book = json!({
            "title": "T", "author": "A", "genre": "G", "year": 2000, "price": 1
        });
        book.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        let tries = [
            (Method::POST, "/api/books".to_owned(), &book),
            (Method::PATCH, format!("/api/books/{id}"), &fields),
        ];
        for (method, path, body) in tries {
            let answer = admin.send(method.clone(), &path, body).await?;
            let status = answer.status();
            let error: Value = answer.json().await?;
            assert_eq!(status, StatusCode::BAD_REQUEST, "{method} {fields}: {error}");
            assert_eq!(error["error"], "Invalid book data");
            let named: Vec<_> = error["details"].as_array().unwrap().iter().collect();
            assert!(named.iter().any(|detail| detail["field"] == name), "{fields}: {error}");
            assert!(!error["requestId"].as_str().unwrap().is_empty());
        }
    }
    assert_eq!(admin.get("/api/books").await?, before);
    Ok(())
}

#[tokio::test]
async fn bad_queries_are_named() -> Result<()> {
    let server = Server::start().await?;
    for (query, name) in [
        ("limit=-1", "limit"),
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("limit=ten", "limit"),
        ("cursor=made-up", "cursor"),
        ("cursor=", "cursor"),
        ("sort=colour", "sort"),
        ("yearMin=soon", "yearMin"),
        ("yearMin=2000&yearMax=1900", "yearMin"),
        ("page=2", "page"),
        ("q=a&q=b", "q"),
        ("q=%FF", "q"),
    ] {
        let answer = reqwest::get(format!("{}/api/books?{query}", server.url)).await?;
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "{query}");
        let error: Value = answer.json().await?;
        assert_eq!(error["details"][0]["field"], name, "{query}: {error}");
    }
    // A cursor of another order is refused too.
    let first = reqwest::get(format!("{}/api/books?sort=title", server.url)).await?;
    let link = first.headers()[header::LINK].to_str()?.replace("sort=title", "sort=price");
    let path = link.trim_start_matches('<').split('>').next().unwrap().to_owned();
    let answer = reqwest::get(format!("{}{path}", server.url)).await?;
    assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
    Ok(())
}

#[tokio::test]
async fn bad_bodies_get_their_own_answers() -> Result<()> {
    let server = Server::empty().await?;
    let admin = server.admin().await?;
    let json = "application/json";
    let big = format!("{{\"title\":\"{}\"}}", "x".repeat(2 << 20));
    let deep = "[".repeat(100_000);
    let cases: [(&[u8], Option<&str>, StatusCode); 9] = [
        (b"{\"title\":", Some(json), StatusCode::BAD_REQUEST),
        (b"", Some(json), StatusCode::BAD_REQUEST),
        (b"[]", Some(json), StatusCode::BAD_REQUEST),
        (b"{\"title\":\"\xff\"}", Some(json), StatusCode::BAD_REQUEST),
        (deep.as_bytes(), Some(json), StatusCode::BAD_REQUEST),
        (b"{}", Some(json), StatusCode::BAD_REQUEST),
        (b"{}", None, StatusCode::UNSUPPORTED_MEDIA_TYPE),
        (b"title=x", Some("application/x-www-form-urlencoded"), StatusCode::UNSUPPORTED_MEDIA_TYPE),
        (big.as_bytes(), Some(json), StatusCode::PAYLOAD_TOO_LARGE),
    ];
    for (body, kind, status) in cases {
        let mut request = admin.request(Method::POST, "/api/books").body(body.to_vec());
        if let Some(kind) = kind {
            request = request.header(header::CONTENT_TYPE, kind);
        }
        let answer = request.send().await?;
        let shown = String::from_utf8_lossy(&body[..body.len().min(40)]).into_owned();
        assert_eq!(answer.status(), status, "{shown}");
        let error: Value = answer.json().await?;
        assert!(error["code"].is_string(), "{shown}: {error}");
    }
    assert_eq!(admin.get("/api/books").await?, json!([]));
    Ok(())
}

#[tokio::test]
async fn addresses_that_are_not_there_and_ids_that_are_none() -> Result<()> {
    let server = Server::empty().await?;
    let admin = server.admin().await?;
    let missing = "01890a5d-ac96-774b-bcce-b302099a8057";
    for path in [
        "/api/books/1",
        "/api/books/%ff",
        "/covers/%ff.svg",
        &format!("/api/books/{missing}"),
        "/covers/1.svg",
        "/nowhere",
    ] {
        let answer = admin.send(Method::GET, path, &Value::Null).await?;
        assert_eq!(answer.status(), StatusCode::NOT_FOUND, "{path}");
        assert!(answer.json::<Value>().await?["error"].is_string());
    }
    let delete = admin.send(Method::DELETE, "/api/books/1", &Value::Null).await?;
    assert_eq!(delete.status(), StatusCode::NOT_FOUND);
    let method = admin.send(Method::PUT, "/api/genres", &json!({})).await?;
    assert_eq!(method.status(), StatusCode::METHOD_NOT_ALLOWED);
    assert!(method.headers().contains_key(header::ALLOW));
    let plain = admin.send(Method::GET, "/ws", &Value::Null).await?;
    assert_eq!(plain.status(), StatusCode::UPGRADE_REQUIRED);
    Ok(())
}
