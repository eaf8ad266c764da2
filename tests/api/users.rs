//! `/api/users`.

use anyhow::{Context as _, Result};
use bookhub_tests::{Person, Server, Socket};
use reqwest::Method;
use serde_json::{Value, json};

use super::{answer, fields, header, is_refused, sent, walk};

const USERS: &str = "/api/users";

async fn path(who: &Person) -> Result<String> {
    let profile = who.get("/api/auth/profile").await?;
    Ok(format!("{USERS}/{}", profile["id"].as_str().context("an id")?))
}

fn role(role: &str) -> Value {
    json!({ "role": role })
}

pub(crate) async fn admins_see_who_has_an_account(shop: &Server) -> Result<()> {
    let admin = shop.admin().await?;
    let mut all = vec![admin.get("/api/auth/profile").await?];
    for name in ["zoya", "Asha", "ravi"] {
        all.push(shop.user(name).await?.get("/api/auth/profile").await?);
    }
    all.sort_by_key(|user| user["username"].as_str().unwrap_or_default().to_lowercase());
    assert_eq!(walk(&admin, "/api/users?limit=3").await?, all);
    let admins = walk(&admin, "/api/users?role=admin").await?;
    assert_eq!(admins.iter().map(|user| &user["username"]).collect::<Vec<_>>(), ["admin"]);
    assert_eq!(walk(&admin, "/api/users?role=user&limit=1").await?.len(), 3);
    let page = admin.send(Method::GET, USERS, &Value::Null).await?;
    assert_eq!(header(&page, "cache-control")?, "no-store");
    let text = page.text().await?;
    assert!(!text.contains("argon2") && !text.contains("password"), "{text}");

    for wrong in ["limit=0", "role=king", "cursor=a%20b", "q=asha", "role=user&role=user"] {
        let refused = answer(admin.request(Method::GET, &format!("{USERS}?{wrong}"))).await?;
        is_refused(&refused, 400, "invalid");
        assert_eq!(fields(&refused.1), [wrong.split('=').next().unwrap_or_default()]);
    }
    let asha = shop.again("asha").await?;
    let own = path(&asha).await?;
    is_refused(&answer(asha.request(Method::GET, USERS)).await?, 403, "admin_required");
    // Nobody raises themselves.
    is_refused(&sent(&asha, Method::PATCH, &own, &role("admin")).await?, 403, "admin_required");
    let guest = reqwest::Client::new();
    let at = |path: &str| format!("{}{path}", shop.url);
    for request in [guest.get(at(USERS)), guest.patch(at(&own)).json(&role("admin"))] {
        is_refused(&answer(request).await?, 401, "login_required");
    }
    Ok(())
}

pub(crate) async fn a_role_holds_at_once_on_open_sockets_too(shop: &Server) -> Result<()> {
    let (admin, asha) = (shop.admin().await?, shop.user("asha").await?);
    let own = path(&asha).await?;
    let book = json!({
        "title": "Emma", "author": "Jane Austen", "genre": "Tests", "year": 1815, "price": 100,
    });
    let create = || sent(&asha, Method::POST, "/api/books", &book);
    is_refused(&create().await?, 403, "admin_required");
    let (status, raised) = sent(&admin, Method::PATCH, &own, &role("admin")).await?;
    assert_eq!((status, &raised["role"]), (200, &json!("admin")), "{raised}");
    assert_eq!(create().await?.0, 201);
    let mut socket = Socket::open(&shop.url, true).await?;
    let hello = json!({ "type": "hello", "topics": ["orders.*"], "auth": asha.token });
    socket.say(&hello).await?;
    assert_eq!(socket.next().await?["event"], "connection:success");
    assert_eq!(socket.next().await?["data"]["denied"], json!([]));

    let (status, lowered) = sent(&admin, Method::PATCH, &own, &role("user")).await?;
    assert_eq!((status, &lowered["role"]), (200, &json!("user")), "{lowered}");
    assert_eq!(socket.close_code().await?, 4401);
    is_refused(&create().await?, 403, "admin_required");
    // The login is still good for what users may do.
    assert_eq!(asha.get("/api/auth/profile").await?, lowered);

    for path in
        ["/api/users/01890a5d-ac96-774b-bcce-b302099a8057", "/api/users/me", "/api/users/%ff"]
    {
        is_refused(&sent(&admin, Method::PATCH, path, &role("user")).await?, 404, "not_found");
    }
    for (wrong, field) in [
        (json!({}), "role"),
        (role("king"), "role"),
        (json!({ "role": { "$ne": "user" } }), "role"),
        (json!({ "role": "user", "username": "x" }), "username"),
        (json!({ "role": "user", "password": "x" }), "password"),
    ] {
        let refused = sent(&admin, Method::PATCH, &own, &wrong).await?;
        is_refused(&refused, 400, "invalid");
        assert_eq!(fields(&refused.1), [field]);
    }
    Ok(())
}

pub(crate) async fn the_last_admin_stays(shop: &Server) -> Result<()> {
    let (admin, asha) = (shop.admin().await?, shop.user("asha").await?);
    let (first, second) = (path(&admin).await?, path(&asha).await?);
    is_refused(&sent(&admin, Method::PATCH, &first, &role("user")).await?, 409, "last_admin");
    assert_eq!(sent(&admin, Method::PATCH, &first, &role("admin")).await?.0, 200);
    assert_eq!(sent(&admin, Method::PATCH, &second, &role("admin")).await?.0, 200);

    // Each takes it from the other at the same time.
    let user = role("user");
    let (one, other) = tokio::try_join!(
        sent(&admin, Method::PATCH, &second, &user),
        sent(&asha, Method::PATCH, &first, &user),
    )?;
    let done = [&one, &other].iter().filter(|(status, _)| *status == 200).count();
    assert_eq!(done, 1, "{one:?} {other:?}");
    let left = if one.0 == 200 { &admin } else { &asha };
    let admins = left.get("/api/users?role=admin").await?;
    assert_eq!(admins.as_array().map(Vec::len), Some(1), "{admins}");
    Ok(())
}
