//! `DELETE /api/users/{id}`, and `DELETE /api/auth/profile` for one's own account.

use anyhow::{Context as _, Result};
use bookhub_tests::{Person, Server, Socket};
use reqwest::Method;
use serde_json::{Value, json};

use super::{answer, fields, header, is_refused, sent};

const PROFILE: &str = "/api/auth/profile";
const PASSWORD: &str = "a long way to say hello";

async fn path(who: &Person) -> Result<String> {
    let profile = who.get(PROFILE).await?;
    Ok(format!("/api/users/{}", profile["id"].as_str().context("an id")?))
}

async fn delete(who: &Person, path: &str) -> Result<(u16, Value)> {
    answer(who.request(Method::DELETE, path)).await
}

/// A socket on which somebody is logged in.
async fn socket(shop: &Server, who: &Person) -> Result<Socket> {
    let mut socket = Socket::open(&shop.url, true).await?;
    socket.say(&json!({ "type": "hello", "topics": ["books"], "auth": who.token })).await?;
    assert_eq!(socket.next().await?["event"], "connection:success");
    Ok(socket)
}

async fn order(who: &Person, book: &Value) -> Result<Value> {
    let items = json!([{ "bookId": book["id"], "quantity": 1 }]);
    let order = json!({ "items": items, "customer": { "name": "Asha" } });
    let (status, order) = sent(who, Method::POST, "/api/orders", &order).await?;
    anyhow::ensure!(status == 201, "{order}");
    Ok(order)
}

pub(crate) async fn a_deleted_account_is_gone_at_once(shop: &Server) -> Result<()> {
    let (admin, asha, ravi) =
        (shop.admin().await?, shop.user("asha").await?, shop.user("ravi").await?);
    let (own, book) = (path(&asha).await?, admin.create("Emma").await?);
    let cart = json!({ "items": [{ "bookId": book["id"], "quantity": 1 }] });
    assert_eq!(sent(&asha, Method::PUT, "/api/cart", &cart).await?.0, 200);
    let order = order(&asha, &book).await?;
    let (mut hers, mut others) = (socket(shop, &asha).await?, socket(shop, &ravi).await?);

    is_refused(&delete(&ravi, &own).await?, 403, "admin_required");
    let guest = reqwest::Client::new().delete(format!("{}{own}", shop.url));
    is_refused(&answer(guest).await?, 401, "login_required");
    for none in ["/api/users/01890a5d-ac96-774b-bcce-b302099a8057", "/api/users/asha"] {
        is_refused(&delete(&admin, none).await?, 404, "not_found");
    }
    assert_eq!(delete(&admin, &own).await?, (204, Value::Null));
    assert_eq!(hers.close_code().await?, 4401);
    is_refused(&answer(asha.request(Method::GET, PROFILE)).await?, 401, "session_ended");
    let login = json!({ "username": "asha", "password": PASSWORD });
    let login = sent(&ravi, Method::POST, "/api/auth/login", &login).await?;
    is_refused(&login, 401, "wrong_credentials");
    is_refused(&delete(&admin, &own).await?, 404, "not_found");
    // Nobody else is disturbed, and what was bought stays.
    let another = admin.create("Persuasion").await?;
    let told = loop {
        let told = others.next().await?;
        if told["event"] == "book:created" {
            break told;
        }
    };
    assert_eq!(told["data"]["id"], another["id"]);
    let kept = format!("/api/orders/{}", order["id"].as_str().context("an id")?);
    assert_eq!(admin.get(&kept).await?, order);

    let new = shop.user("asha").await?;
    assert_eq!(new.get("/api/cart").await?["items"], json!([]));
    assert_eq!(new.get("/api/orders").await?, json!([]));
    assert_ne!(path(&new).await?, own);

    let told = admin.get("/api/audit?action=user.deleted").await?;
    assert_eq!(told.as_array().map(Vec::len), Some(1), "{told}");
    assert_eq!(told[0]["actor"]["username"], "admin");
    assert_eq!(told[0]["target"]["name"], "asha");
    let before = json!([
        { "field": "username", "before": "asha" },
        { "field": "role", "before": "user" },
    ]);
    assert_eq!(told[0]["changes"], before);
    Ok(())
}

pub(crate) async fn whoever_leaves_gives_their_password(shop: &Server) -> Result<()> {
    let (admin, asha) = (shop.admin().await?, shop.user("asha").await?);
    let mut open = socket(shop, &asha).await?;
    let leave = |password: &str| json!({ "currentPassword": password });
    for (wrong, field) in [
        (json!({}), "currentPassword"),
        (json!({ "currentPassword": 7 }), "currentPassword"),
        (json!({ "currentPassword": PASSWORD, "really": true }), "really"),
    ] {
        let refused = sent(&asha, Method::DELETE, PROFILE, &wrong).await?;
        is_refused(&refused, 400, "invalid");
        assert_eq!(fields(&refused.1), [field]);
    }
    is_refused(&delete(&asha, PROFILE).await?, 415, "content_type");
    let wrong = sent(&asha, Method::DELETE, PROFILE, &leave("something else")).await?;
    is_refused(&wrong, 403, "wrong_password");
    let guest = reqwest::Client::new().delete(format!("{}{PROFILE}", shop.url));
    is_refused(&answer(guest.json(&leave(PASSWORD))).await?, 401, "login_required");
    assert!(asha.get(PROFILE).await.is_ok());

    let left = asha.send(Method::DELETE, PROFILE, &leave(PASSWORD)).await?;
    assert_eq!(left.status(), 204);
    let cookie = header(&left, "set-cookie")?;
    assert!(cookie.starts_with("token=;") && cookie.contains("Max-Age=0"), "{cookie}");
    assert_eq!(open.close_code().await?, 4401);
    is_refused(&answer(asha.request(Method::GET, PROFILE)).await?, 401, "session_ended");
    let again = sent(&asha, Method::DELETE, PROFILE, &leave(PASSWORD)).await?;
    is_refused(&again, 401, "session_ended");
    assert!(shop.user("asha").await.is_ok());
    let told = admin.get("/api/audit?action=user.deleted&actor=asha").await?;
    assert_eq!(told[0]["target"]["id"], told[0]["actor"]["id"]);
    Ok(())
}

pub(crate) async fn the_last_admin_cannot_leave(shop: &Server) -> Result<()> {
    let (admin, asha) = (shop.admin().await?, shop.user("asha").await?);
    let (first, second) = (path(&admin).await?, path(&asha).await?);
    is_refused(&delete(&admin, &first).await?, 409, "last_admin");
    let leave = json!({ "currentPassword": "admin123" });
    is_refused(&sent(&admin, Method::DELETE, PROFILE, &leave).await?, 409, "last_admin");
    assert_eq!(admin.get("/api/audit?action=user.deleted").await?, json!([]));

    let raised = json!({ "role": "admin" });
    assert_eq!(sent(&admin, Method::PATCH, &second, &raised).await?.0, 200);
    // Each deletes the other at the same time.
    let (one, other) = tokio::try_join!(delete(&admin, &second), delete(&asha, &first))?;
    let done = [&one, &other].iter().filter(|(status, _)| *status == 204).count();
    assert_eq!(done, 1, "{one:?} {other:?}");
    let left = if one.0 == 204 { &admin } else { &asha };
    let admins = left.get("/api/users?role=admin").await?;
    assert_eq!(admins.as_array().map(Vec::len), Some(1), "{admins}");
    Ok(())
}
