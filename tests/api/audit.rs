//! `/api/audit`.

use anyhow::{Context as _, Result};
use bookhub_tests::{Person, Server};
use reqwest::Method;
use serde_json::{Value, json};

use super::{answer, fields, header, is_refused, sent, walk};

const AUDIT: &str = "/api/audit";

fn id(thing: &Value) -> Result<&str> {
    thing["id"].as_str().context("an id")
}

/// The entries that a query finds, without what differs from one run to the next.
async fn trail(admin: &Person, query: &str) -> Result<Vec<Value>> {
    let mut entries = walk(admin, &format!("{AUDIT}?{query}")).await?;
    for entry in &mut entries {
        let entry = entry.as_object_mut().context("an object")?;
        let (id, at) = (entry.remove("id").context("an id")?, entry.remove("at"));
        assert_eq!(id.as_str().map(str::len), Some(36));
        assert!(at.as_ref().and_then(Value::as_str).is_some_and(|at| at.ends_with('Z')), "{at:?}");
        assert_eq!(entry.remove("outcome"), Some(json!("done")));
    }
    Ok(entries)
}

/// Who a person is in the trail.
async fn actor(who: &Person) -> Result<Value> {
    let user = who.get("/api/auth/profile").await?;
    Ok(json!({ "kind": "user", "id": user["id"], "username": user["username"] }))
}

pub(crate) async fn what_admins_do_to_a_book_is_told_in_full(shop: &Server) -> Result<()> {
    let admin = shop.admin().await?;
    let who = actor(&admin).await?;
    let book = admin.create("Emma").await?;
    let (id, path) = (id(&book)?, format!("/api/books/{}", id(&book)?));
    admin.patch(id, &json!({ "price": 300.5, "title": "Emma, again", "genre": "Tests" })).await?;
    admin.patch(id, &json!({ "description": "A comedy", "stock": 9 })).await?;
    admin.patch(id, &json!({ "description": null })).await?;
    let moved = json!({ "delta": -2, "reason": "water damage" });
    assert_eq!(sent(&admin, Method::POST, &format!("{path}/stock"), &moved).await?.0, 200);

    // What changes nothing or is refused is no change.
    admin.patch(id, &json!({ "price": 300.5 })).await?;
    let stale = admin.request(Method::PATCH, &path).header("if-match", "\"1\"");
    is_refused(&answer(stale.json(&json!({ "price": 1 }))).await?, 412, "version_conflict");
    let refused = json!({ "delta": -9, "reason": "theft" });
    let refused = sent(&admin, Method::POST, &format!("{path}/stock"), &refused).await?;
    is_refused(&refused, 409, "stock_below_zero");
    is_refused(&sent(&admin, Method::PATCH, &path, &json!({})).await?, 400, "invalid");
    admin.delete(id).await?;
    is_refused(&answer(admin.request(Method::DELETE, &path)).await?, 404, "not_found");

    let entry = |action: &str, name: &str, changes: Value| {
        let target = json!({ "kind": "book", "id": id, "name": name });
        json!({ "actor": who, "action": action, "target": target, "changes": changes })
    };
    let mut adjusted = entry(
        "book.stock_adjusted",
        "Emma, again",
        json!([{ "field": "stock", "before": 9, "after": 7 }]),
    );
    adjusted["delta"] = json!(-2);
    adjusted["reason"] = json!("water damage");
    let whole = |side: &str, fields: Value| {
        let fields = fields.as_array().cloned().unwrap_or_default().into_iter();
        let change = |field: Value| json!({ "field": field[0], side: field[1] });
        fields.map(change).collect::<Value>()
    };
    let (title, author, genre) = ("Emma", "Ada Writer", "Tests");
    let said = |title: &str, price: Value| {
        json!([
            ["title", title],
            ["author", author],
            ["genre", genre],
            ["year", 2020],
            ["price", price],
            ["stock", 7],
        ])
    };
    let expected = [
        entry("book.deleted", "Emma, again", whole("before", said("Emma, again", json!(300.5)))),
        adjusted,
        entry(
            "book.updated",
            "Emma, again",
            json!([{ "field": "description", "before": "A comedy" }]),
        ),
        entry(
            "book.updated",
            "Emma, again",
            json!([
                { "field": "description", "after": "A comedy" },
                { "field": "stock", "before": 7, "after": 9 },
            ]),
        ),
        entry(
            "book.updated",
            title,
            json!([
                { "field": "title", "before": "Emma", "after": "Emma, again" },
                { "field": "price", "before": 250, "after": 300.5 },
            ]),
        ),
        entry("book.created", title, whole("after", said(title, json!(250)))),
    ];
    assert_eq!(trail(&admin, &format!("target={id}&limit=4")).await?, expected);
    Ok(())
}

pub(crate) async fn what_is_done_to_users_and_orders_is_told(shop: &Server) -> Result<()> {
    let (admin, asha) = (shop.admin().await?, shop.user("Asha").await?);
    let (boss, hers) = (actor(&admin).await?, actor(&asha).await?);
    let path = format!("/api/users/{}", id(&hers)?);
    for role in ["admin", "admin", "user"] {
        let role = json!({ "role": role });
        assert_eq!(sent(&admin, Method::PATCH, &path, &role).await?.0, 200);
    }
    let book = admin.create("Emma").await?;
    let items = json!([{ "bookId": book["id"], "quantity": 1 }]);
    let order = json!({ "items": items, "customer": { "name": "Asha" } });
    let (_, order) = sent(&asha, Method::POST, "/api/orders", &order).await?;
    let moved = json!({ "status": "shipped" });
    let moving = format!("/api/orders/{}", id(&order)?);
    assert_eq!(sent(&admin, Method::PATCH, &moving, &moved).await?.0, 200);
    is_refused(&sent(&admin, Method::PATCH, &moving, &moved).await?, 409, "status_not_allowed");
    let (old, new) = ("a long way to say hello", "a longer way to say hello");
    let password = json!({ "password": new, "currentPassword": old });
    assert_eq!(sent(&asha, Method::PUT, "/api/auth/profile", &password).await?.0, 200);
    is_refused(
        &sent(&asha, Method::PUT, "/api/auth/profile", &password).await?,
        403,
        "wrong_password",
    );

    let user = json!({ "kind": "user", "id": hers["id"], "name": "Asha" });
    let entry = |actor: &Value, action: &str, target: &Value, changes: Value| json!({ "actor": actor, "action": action, "target": target, "changes": changes });
    let role =
        |before: &str, after: &str| json!([{ "field": "role", "before": before, "after": after }]);
    let of_user = [
        entry(&hers, "user.password_changed", &user, json!([])),
        entry(&boss, "user.role_changed", &user, role("admin", "user")),
        entry(&boss, "user.role_changed", &user, role("user", "admin")),
    ];
    assert_eq!(trail(&admin, &format!("target={}", id(&hers)?)).await?, of_user);
    let status = json!([{ "field": "status", "before": "placed", "after": "shipped" }]);
    let target = json!({ "kind": "order", "id": order["id"] });
    let of_order = [entry(&boss, "order.status_changed", &target, status)];
    assert_eq!(trail(&admin, "action=order.status_changed").await?, of_order);
    assert_eq!(trail(&admin, "actor=aSHA").await?, of_user[..1]);
    // The first admin was made by the shop itself, at its start; nobody's sign-up is told.
    let made = trail(&admin, "action=user.created").await?;
    assert_eq!(made.len(), 1);
    assert_eq!(made[0]["actor"], json!({ "kind": "system" }));

    let text = serde_json::to_string(&walk(&admin, AUDIT).await?)?;
    for secret in [old, new, "admin123", "argon2", asha.token.as_str(), "session"] {
        assert!(!text.contains(secret), "{secret}: {text}");
    }
    Ok(())
}

pub(crate) async fn only_admins_read_the_trail_and_page_by_page(shop: &Server) -> Result<()> {
    let (admin, asha) = (shop.admin().await?, shop.user("asha").await?);
    let books = ["One", "Two", "Three", "Four", "Five"];
    for title in books {
        admin.create(title).await?;
    }
    let page = admin.send(Method::GET, &format!("{AUDIT}?limit=2"), &Value::Null).await?;
    assert_eq!(page.status(), 200);
    assert_eq!(header(&page, "cache-control")?, "no-store");
    assert!(header(&page, "link")?.contains("rel=\"next\""));
    let created = walk(&admin, &format!("{AUDIT}?limit=2&action=book.created&actor=admin")).await?;
    let titles: Vec<_> =
        created.iter().filter_map(|entry| entry["target"]["name"].as_str()).collect();
    assert_eq!(titles, ["Five", "Four", "Three", "Two", "One"]);
    assert!(created.is_sorted_by(|newer, older| newer["id"].as_str() > older["id"].as_str()));
    for nothing in ["actor=nobody", "target=01890a5d-ac96-774b-bcce-b302099a8057"] {
        assert_eq!(walk(&admin, &format!("{AUDIT}?{nothing}")).await?, [] as [Value; 0]);
    }

    for wrong in [
        "limit=0",
        "limit=101",
        "action=book.read",
        "actor=a%20b",
        "target=emma",
        "cursor=made-up",
        "since=2026",
        "limit=1&limit=1",
    ] {
        let refused = answer(admin.request(Method::GET, &format!("{AUDIT}?{wrong}"))).await?;
        is_refused(&refused, 400, "invalid");
        assert_eq!(fields(&refused.1), [wrong.split('=').next().unwrap_or_default()]);
    }
    let refused = answer(asha.request(Method::GET, &format!("{AUDIT}?limit=0"))).await?;
    is_refused(&refused, 403, "admin_required");
    let guest = reqwest::Client::new().get(format!("{}{AUDIT}", shop.url));
    is_refused(&answer(guest).await?, 401, "login_required");
    let refused = sent(&admin, Method::DELETE, AUDIT, &Value::Null).await?;
    is_refused(&refused, 405, "method_not_allowed");
    Ok(())
}
