//! `/api/auth`.

use anyhow::{Context as _, Result};
use bookhub_tests::{Server, Socket};
use reqwest::{Client, Method, RequestBuilder, Response};
use serde_json::{Value, json};

use super::{answer, by_cookie, fields, header, is_refused, sent};

const SIGNUP: &str = "/api/auth/signup";
const LOGIN: &str = "/api/auth/login";
const LOGOUT: &str = "/api/auth/logout";
const PROFILE: &str = "/api/auth/profile";
const PASSWORD: &str = "a long way to say hello";

fn post(shop: &Server, path: &str) -> RequestBuilder {
    Client::new().post(format!("{}{path}", shop.url))
}

fn account(name: &str, password: &str) -> Value {
    json!({ "username": name, "password": password })
}

/// Sees to it that somebody was let in: with a token in the body, and in a cookie that no script
/// reads and no other site sends.
async fn is_welcomed(response: Response, status: u16, name: &str) -> Result<Value> {
    assert_eq!(response.status(), status);
    assert_eq!(header(&response, "cache-control")?, "no-store");
    let cookie = header(&response, "set-cookie")?.to_owned();
    let body: Value = response.json().await?;
    let mut parts = cookie.split("; ");
    let token = body["token"].as_str().context("a token")?;
    assert_eq!(parts.next(), Some(&*format!("token={token}")));
    let mut attributes: Vec<_> = parts.collect();
    attributes.sort_unstable();
    assert_eq!(attributes, ["HttpOnly", "Max-Age=604800", "Path=/", "SameSite=Lax"]);
    let user = &body["user"];
    assert_eq!((&user["username"], &user["role"]), (&json!(name), &json!("user")), "{user}");
    assert!(user["id"].is_string() && user["createdAt"].is_string(), "{user}");
    assert!(!body.to_string().contains("assword") && !body.to_string().contains("argon2"));
    Ok(body)
}

pub(crate) async fn whoever_signs_up_is_logged_in(shop: &Server) -> Result<()> {
    let mut asha = account("Asha", PASSWORD);
    asha["email"] = json!("asha@example.org");
    let welcomed = post(shop, SIGNUP).json(&asha).send().await?;
    let welcomed = is_welcomed(welcomed, 201, "Asha").await?;
    assert_eq!(welcomed["user"]["email"], "asha@example.org");
    let token = welcomed["token"].as_str().context("a token")?;
    let profile = || Client::new().get(format!("{}{PROFILE}", shop.url));
    assert_eq!(answer(profile().bearer_auth(token)).await?, (200, welcomed["user"].clone()));
    let by_cookie = profile().header("cookie", format!("other=1; token={token}"));
    assert_eq!(answer(by_cookie).await?.0, 200);

    // In whatever letter case.
    let taken = answer(post(shop, SIGNUP).json(&account("aSHA", PASSWORD))).await?;
    is_refused(&taken, 409, "username_taken");
    assert_eq!(fields(&taken.1), ["username"]);
    let mut ravi = account("ravi", PASSWORD);
    ravi["email"] = json!("Asha@Example.org");
    let taken = answer(post(shop, SIGNUP).json(&ravi)).await?;
    is_refused(&taken, 409, "email_taken");
    assert_eq!(fields(&taken.1), ["email"]);
    Ok(())
}

pub(crate) async fn what_is_wrong_with_an_account_is_named(shop: &Server) -> Result<()> {
    let with = |field: &str, value: Value| {
        let mut account = account("ravi", PASSWORD);
        account[field] = value;
        account
    };
    for (wrong, named) in [
        (json!({}), &["username", "password"][..]),
        (with("username", json!("ab")), &["username"]),
        (with("username", json!("a b c")), &["username"]),
        (with("username", json!("x".repeat(33))), &["username"]),
        (with("username", json!({ "$ne": "" })), &["username"]),
        (with("password", json!("short")), &["password"]),
        (with("password", json!("x".repeat(129))), &["password"]),
        (with("password", json!(12_345_678)), &["password"]),
        (with("email", json!("ravi")), &["email"]),
        (with("email", json!(1)), &["email"]),
        (with("role", json!("admin")), &["role"]),
        (with("id", json!("x")), &["id"]),
        (with("isAdmin", json!(true)), &["isAdmin"]),
    ] {
        let refused = answer(post(shop, SIGNUP).json(&wrong)).await?;
        is_refused(&refused, 400, "invalid");
        assert_eq!(fields(&refused.1), named, "{wrong}");
    }
    for (wrong, named) in [
        (json!({ "username": "ravi" }), &["password"][..]),
        (
            json!({ "username": { "$gt": "" }, "password": { "$gt": "" } }),
            &["username", "password"],
        ),
        (with("remember", json!(true)), &["remember"]),
    ] {
        let refused = answer(post(shop, LOGIN).json(&wrong)).await?;
        is_refused(&refused, 400, "invalid");
        assert_eq!(fields(&refused.1), named, "{wrong}");
    }
    let large = format!("{{\"username\":\"{}\"}}", "x".repeat(1 << 20));
    for path in [SIGNUP, LOGIN] {
        let body = |body: &str| {
            let body = body.to_owned();
            post(shop, path).header("content-type", "application/json").body(body)
        };
        is_refused(&answer(body("{")).await?, 400, "invalid_json");
        is_refused(&answer(body(&large)).await?, 413, "body_too_large");
        is_refused(&answer(post(shop, path).body("username=ravi")).await?, 415, "content_type");
        let read = Client::new().get(format!("{}{path}", shop.url));
        is_refused(&answer(read).await?, 405, "method_not_allowed");
    }
    // None of them has made it.
    let unknown = answer(post(shop, LOGIN).json(&account("ravi", PASSWORD))).await?;
    is_refused(&unknown, 401, "wrong_credentials");
    Ok(())
}

pub(crate) async fn a_login_needs_the_password(shop: &Server) -> Result<()> {
    let first = shop.user("asha").await?;
    let login = |name: &str, password: &str| post(shop, LOGIN).json(&account(name, password));
    let welcomed = is_welcomed(login("ASHA", PASSWORD).send().await?, 200, "asha").await?;
    assert_ne!(welcomed["token"], first.token, "each login is its own");
    let wrong = login("asha", "not the one").send().await?;
    assert!(wrong.headers().get("set-cookie").is_none());
    let wrong = (wrong.status().as_u16(), wrong.json::<Value>().await?);
    is_refused(&wrong, 401, "wrong_credentials");
    let unknown = answer(login("nobody", "not the one")).await?;
    is_refused(&unknown, 401, "wrong_credentials");
    assert_eq!(wrong.1["error"], unknown.1["error"], "nobody learns which names exist");
    Ok(())
}

pub(crate) async fn a_logout_ends_the_token_and_its_sockets(shop: &Server) -> Result<()> {
    let (here, there) = (shop.user("asha").await?, shop.again("asha").await?);
    let mut socket = Socket::open(&shop.url, true).await?;
    socket.say(&json!({ "type": "hello", "auth": here.token })).await?;
    assert_eq!(socket.next().await?["event"], "connection:success");
    assert_eq!(socket.next().await?["event"], "subscribed");

    let cookie = || by_cookie(shop, Method::POST, LOGOUT, &here.token);
    let foreign = cookie().header("sec-fetch-site", "cross-site");
    is_refused(&answer(foreign).await?, 403, "cross_site");
    assert_eq!(here.get(PROFILE).await?["username"], "asha");
    let ended = cookie().header("sec-fetch-site", "same-origin").send().await?;
    assert_eq!(ended.status(), 204);
    let gone = header(&ended, "set-cookie")?;
    assert!(gone.starts_with("token=;") && gone.contains("Max-Age=0"), "{gone}");
    assert!(ended.bytes().await?.is_empty());
    assert_eq!(socket.close_code().await?, 4401);

    is_refused(&answer(here.request(Method::GET, PROFILE)).await?, 401, "session_ended");
    // The cookie of a session that has ended goes as well.
    let again = cookie().header("sec-fetch-site", "same-origin").send().await?;
    assert!(header(&again, "set-cookie")?.contains("Max-Age=0"));
    is_refused(&(again.status().as_u16(), again.json().await?), 401, "session_ended");
    is_refused(&answer(post(shop, LOGOUT)).await?, 401, "login_required");
    assert_eq!(there.get(PROFILE).await?["username"], "asha", "other logins stay");
    Ok(())
}

pub(crate) async fn a_profile_is_its_users(shop: &Server) -> Result<()> {
    let (asha, ravi) = (shop.user("asha").await?, shop.user("ravi").await?);
    let read = asha.send(Method::GET, PROFILE, &Value::Null).await?;
    assert_eq!(header(&read, "cache-control")?, "no-store");
    let before: Value = read.json().await?;
    let written = asha.send(Method::PUT, PROFILE, &json!({ "email": "a@example.org" })).await?;
    assert_eq!((written.status().as_u16(), header(&written, "cache-control")?), (200, "no-store"));
    let written: Value = written.json().await?;
    assert_eq!((&written["email"], &written["id"]), (&json!("a@example.org"), &before["id"]));
    assert_eq!(asha.get(PROFILE).await?, written);
    let taken = sent(&ravi, Method::PUT, PROFILE, &json!({ "email": "A@example.org" })).await?;
    is_refused(&taken, 409, "email_taken");
    assert_eq!(sent(&asha, Method::PUT, PROFILE, &json!({ "email": null })).await?, (200, before));

    let foreign = by_cookie(shop, Method::PUT, PROFILE, &asha.token);
    let foreign = foreign.header("sec-fetch-site", "cross-site").json(&json!({ "email": null }));
    is_refused(&answer(foreign).await?, 403, "cross_site");
    let guest = Client::new();
    let at = format!("{}{PROFILE}", shop.url);
    for request in [guest.get(&at), guest.put(&at).json(&json!({ "email": null }))] {
        is_refused(&answer(request).await?, 401, "login_required");
    }
    is_refused(&answer(asha.request(Method::PUT, PROFILE).body("{}")).await?, 415, "content_type");
    for (wrong, named) in [
        (json!({}), "body"),
        (json!({ "email": "asha" }), "email"),
        (json!({ "email": 7 }), "email"),
        (json!({ "password": "another long one" }), "currentPassword"),
        (json!({ "currentPassword": PASSWORD }), "password"),
        (json!({ "currentPassword": PASSWORD, "password": "short" }), "password"),
        (json!({ "currentPassword": { "$ne": 1 }, "password": "long enough" }), "currentPassword"),
        (json!({ "username": "other" }), "username"),
        (json!({ "role": "admin" }), "role"),
        (json!({ "colour": "red" }), "colour"),
    ] {
        let refused = sent(&asha, Method::PUT, PROFILE, &wrong).await?;
        is_refused(&refused, 400, "invalid");
        assert_eq!(fields(&refused.1), [named], "{wrong}");
    }
    Ok(())
}

pub(crate) async fn another_password_ends_the_other_sessions(shop: &Server) -> Result<()> {
    let (here, there) = (shop.user("asha").await?, shop.again("asha").await?);
    let to = |current: &str| json!({ "currentPassword": current, "password": "another long one" });
    let wrong = sent(&here, Method::PUT, PROFILE, &to("not the one")).await?;
    is_refused(&wrong, 403, "wrong_password");
    assert_eq!(there.get(PROFILE).await?["username"], "asha");

    let (status, body) = sent(&here, Method::PUT, PROFILE, &to(PASSWORD)).await?;
    assert_eq!((status, &body["username"]), (200, &json!("asha")), "{body}");
    is_refused(&answer(there.request(Method::GET, PROFILE)).await?, 401, "session_ended");
    assert_eq!(here.get(PROFILE).await?["username"], "asha");
    let login = |password| post(shop, LOGIN).json(&account("asha", password));
    is_refused(&answer(login(PASSWORD)).await?, 401, "wrong_credentials");
    assert_eq!(answer(login("another long one")).await?.0, 200);
    Ok(())
}
