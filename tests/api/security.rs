//! What somebody tries who hopes that a database runs what they send; on every backend.

use anyhow::Result;
use bookhub_tests::Server;
use reqwest::Method;
use serde_json::{Value, json};

use super::{answer, fields, is_refused, sent};

/// What MongoDB would take for a condition, or for code.
fn operators() -> [Value; 5] {
    [
        json!({ "$ne": null }),
        json!({ "$gt": "" }),
        json!({ "$regex": ".*" }),
        json!({ "$where": "sleep(1000)" }),
        json!([{ "$ne": 1 }]),
    ]
}

/// An object in which the field at this place is another value.
fn replaced(object: &Value, place: &str, value: Value) -> Value {
    let mut object = object.clone();
    *object.pointer_mut(place).expect("the field is there") = value;
    object
}

pub(crate) async fn operators_are_no_values_of_any_field(shop: &Server) -> Result<()> {
    let (admin, asha) = (shop.admin().await?, shop.user("asha").await?);
    let book = admin.create("Emma").await?;
    let path = format!("/api/books/{}", book["id"].as_str().unwrap_or_default());
    let account = json!({ "username": "eve", "password": "a long way", "email": "eve@a.example" });
    let login = json!({ "username": "admin", "password": "admin123" });
    let change = json!({
        "email": "a@b.example", "password": "wet grass", "currentPassword": "a long way to say hello",
    });
    let fields_of_book = json!({
        "title": "T", "author": "A", "genre": "G", "isbn": "9780439023481",
        "coverUrl": "https://a.example/c.jpg", "description": "D",
    });
    let whole = json!({
        "title": "T", "author": "A", "genre": "G", "year": 1, "price": 1, "description": "D",
        "isbn": "9780439023481", "coverUrl": "https://a.example/c.jpg",
    });
    let order = json!({
        "items": [{ "bookId": book["id"], "quantity": 1 }],
        "customer": { "name": "Asha", "email": "a@b.example", "phone": "+91 12345", "address": "1 Road" },
    });
    let cart = json!({ "items": [{ "bookId": book["id"], "quantity": 1 }] });
    let stock = format!("{path}/stock");
    let bodies = [
        (&asha, Method::POST, "/api/auth/signup", &account),
        (&asha, Method::POST, "/api/auth/login", &login),
        (&asha, Method::PUT, "/api/auth/profile", &change),
        (&admin, Method::POST, "/api/books", &whole),
        (&admin, Method::PATCH, &path, &fields_of_book),
        (&admin, Method::POST, &stock, &json!({ "delta": 1, "reason": "found" })),
        (&asha, Method::POST, "/api/orders", &order),
        (&asha, Method::PUT, "/api/cart", &cart),
    ];
    for (who, method, path, body) in bodies {
        for place in texts(body, "") {
            for operator in operators() {
                let wrong = replaced(body, &place, operator);
                let refused = sent(who, method.clone(), path, &wrong).await?;
                is_refused(&refused, 400, "invalid");
                let field = place.rsplit('/').next().unwrap_or_default();
                let named = fields(&refused.1);
                assert!(named.iter().any(|name| name.contains(field)), "{wrong}: {named:?}");
            }
        }
    }
    assert_eq!(admin.get("/api/books").await?, json!([book]), "nothing was written");
    assert_eq!(asha.get("/api/orders").await?, json!([]));
    Ok(())
}

/// The places of all texts in a body, as JSON pointers (RFC 6901).
fn texts(value: &Value, place: &str) -> Vec<String> {
    let inner = |name: &str, value: &Value| texts(value, &format!("{place}/{name}"));
    match value {
        Value::String(_) => vec![place.to_owned()],
        Value::Object(object) => {
            object.iter().flat_map(|(name, value)| inner(name, value)).collect()
        }
        Value::Array(values) => {
            let values = values.iter().enumerate();
            values.flat_map(|(at, value)| inner(&at.to_string(), value)).collect()
        }
        _ => Vec::new(),
    }
}

pub(crate) async fn operators_in_queries_find_nothing_more(shop: &Server) -> Result<()> {
    let (admin, asha) = (shop.admin().await?, shop.user("asha").await?);
    let book = admin.create("Emma").await?;
    for query in ["q[$ne]=x", "genre[$ne]=x", "genre[$regex]=.*", "$where=1", "sort[$gt]="] {
        let refused = answer(asha.request(Method::GET, &format!("/api/books?{query}"))).await?;
        is_refused(&refused, 400, "invalid");
    }
    // As texts they are looked for as they stand there.
    for query in ["q=%7B%22%24ne%22%3Anull%7D", "q=.*", "genre=%7B%22%24ne%22%3A1%7D", "genre=.*"] {
        let found = asha.get(&format!("/api/books?{query}")).await?;
        assert!(found == json!([]) || query.starts_with("q=.*"), "{query}: {found}");
    }
    for path in ["/api/books/%24ne", "/api/books/%7B%22%24gt%22%3A%22%22%7D"] {
        is_refused(&answer(asha.request(Method::GET, path)).await?, 404, "not_found");
    }
    for (who, query) in [(&admin, "/api/orders?user[$ne]=x"), (&admin, "/api/users?role[$ne]=user")]
    {
        is_refused(&answer(who.request(Method::GET, query)).await?, 400, "invalid");
    }
    // A name with a dollar or a dot is a name like any other.
    let odd = json!({
        "title": "$where", "author": "a.$b.c", "genre": "$ne", "year": 1, "price": 1,
        "description": "{\"$gt\": \"\"}",
    });
    let (status, made) = sent(&admin, Method::POST, "/api/books", &odd).await?;
    assert_eq!(status, 201, "{made}");
    assert_eq!((&made["title"], &made["author"]), (&odd["title"], &odd["author"]));
    let by_genre = asha.get("/api/books?genre=%24ne").await?;
    assert_eq!(by_genre[0]["id"], made["id"]);
    assert_eq!(by_genre.as_array().map(Vec::len), Some(1), "{by_genre} {book}");
    Ok(())
}
