//! What somebody tries who means harm, a test for each. What has to hold on every backend stands in
//! `tests/api/security.rs`.

use std::{io::Write as _, time::Duration};

use anyhow::{Context as _, Result, ensure};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use bookhub_tests::{PATIENCE, Person, Server, Socket};
use flate2::{Compression, write::GzEncoder};
use futures_util::{StreamExt as _, stream};
use hmac::{Hmac, KeyInit as _, Mac as _};
use reqwest::{Client, Method, StatusCode, header};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256, Sha512};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::{Instant, sleep, timeout},
};

const SECRET: &str = "3e0f8d1c6b5a49e7a0d2c4b6f8e1a3c5";

/// A shop whose secret is known, and a user's token in parts.
struct Forge {
    server: Server,
    person: Person,
    header: Value,
    claims: Value,
}

impl Forge {
    async fn open() -> Result<Self> {
        Self::with(&[]).await
    }

    async fn with(more: &[(&str, &str)]) -> Result<Self> {
        let environment = [&[("JWT_SECRET", SECRET)], more].concat();
        let server = Server::with(&[], &environment).await?;
        let person = server.user("asha").await?;
        let part = |at: usize| -> Result<Value> {
            let part = person.token.split('.').nth(at).context("three parts")?;
            Ok(serde_json::from_slice(&BASE64.decode(part)?)?)
        };
        let (header, claims) = (part(0)?, part(1)?);
        Ok(Self { server, person, header, claims })
    }

    fn unsigned(header: &Value, claims: &Value) -> String {
        [header, claims].map(|part| BASE64.encode(part.to_string())).join(".")
    }

    /// A token with this header and these claims, signed as the server does.
    fn signed(header: &Value, claims: &Value) -> Result<String> {
        Self::signed_by(&key(SECRET), header, claims)
    }

    fn signed_by(key: &[u8], header: &Value, claims: &Value) -> Result<String> {
        let unsigned = Self::unsigned(header, claims);
        let mut mac = Hmac::<Sha256>::new_from_slice(key)?;
        mac.update(unsigned.as_bytes());
        Ok(format!("{unsigned}.{}", BASE64.encode(mac.finalize().into_bytes())))
    }

    /// Nobody is let in with this token, over HTTP or on a socket; and with the real one they are.
    async fn is_refused(&self, token: &str) -> Result<()> {
        let profile = format!("{}/api/auth/profile", self.server.url);
        let answer = Client::new().get(&profile).bearer_auth(token).send().await?;
        ensure!(answer.status() == StatusCode::UNAUTHORIZED, "let in: {token}");
        ensure!(answer.json::<Value>().await?["code"] == "session_ended");
        let mut socket = Socket::open(&self.server.url, true).await?;
        socket.say(&json!({ "type": "hello", "auth": token })).await?;
        ensure!(socket.close_code().await? == 4401, "a socket is let in: {token}");
        let real = Self::signed(&self.header, &self.claims)?;
        let answer = Client::new().get(&profile).bearer_auth(real).send().await?;
        ensure!(answer.status() == StatusCode::OK, "the test signs as the server does");
        Ok(())
    }
}

/// The key of the tokens, as the server derives it.
fn key(secret: &str) -> [u8; 32] {
    Sha256::new().chain_update(b"bookhub login token\0").chain_update(secret).finalize().into()
}

/// The name of a key.
fn key_id(key: &[u8]) -> String {
    let id = Sha256::new().chain_update(b"bookhub key id\0").chain_update(key).finalize();
    id[..6].iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Changed fields of an object.
fn with(object: &Value, field: &str, value: Value) -> Value {
    let mut changed = object.clone();
    changed[field] = value;
    changed
}

#[tokio::test]
async fn alg_none() -> Result<()> {
    let forge = Forge::open().await?;
    for none in ["none", "None", "NONE", "nOnE"] {
        let unsigned = Forge::unsigned(&with(&forge.header, "alg", json!(none)), &forge.claims);
        forge.is_refused(&format!("{unsigned}.")).await?;
        let signature = forge.person.token.rsplit('.').next().unwrap_or_default();
        forge.is_refused(&format!("{unsigned}.{signature}")).await?;
    }
    Ok(())
}

#[tokio::test]
async fn another_algorithm() -> Result<()> {
    let forge = Forge::open().await?;
    let unsigned = Forge::unsigned(&with(&forge.header, "alg", json!("HS512")), &forge.claims);
    let mut mac = Hmac::<Sha512>::new_from_slice(&key(SECRET))?;
    mac.update(unsigned.as_bytes());
    let token = format!("{unsigned}.{}", BASE64.encode(mac.finalize().into_bytes()));
    forge.is_refused(&token).await?;
    for algorithm in ["HS384", "RS256", "ES256", "EdDSA", "PS512", "made up"] {
        let header = with(&forge.header, "alg", json!(algorithm));
        forge.is_refused(&Forge::signed(&header, &forge.claims)?).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_key_that_comes_with_the_token() -> Result<()> {
    let forge = Forge::open().await?;
    let own = b"a key of the attacker's own choice";
    let jwk = json!({ "kty": "oct", "k": BASE64.encode(own), "alg": "HS256" });
    for (name, value) in [
        ("jwk", jwk),
        ("jku", json!("https://attacker.example/keys.json")),
        ("x5u", json!("https://attacker.example/cert.pem")),
        ("kid", json!("../../dev/null")),
        ("kid", json!("0123456789ab")),
    ] {
        let unsigned = Forge::unsigned(&with(&forge.header, name, value), &forge.claims);
        for key in [&own[..], b""] {
            let mut mac = Hmac::<Sha256>::new_from_slice(key)?;
            mac.update(unsigned.as_bytes());
            let token = format!("{unsigned}.{}", BASE64.encode(mac.finalize().into_bytes()));
            forge.is_refused(&token).await?;
        }
    }
    let mut nameless = forge.header.clone();
    nameless.as_object_mut().context("an object")?.remove("kid");
    forge.is_refused(&Forge::signed(&nameless, &forge.claims)?).await
}

#[tokio::test]
async fn a_token_for_somebody_else() -> Result<()> {
    let forge = Forge::open().await?;
    for (name, value) in [
        ("aud", json!("another-api")),
        ("aud", json!(["another-api"])),
        ("iss", json!("https://attacker.example")),
    ] {
        let claims = with(&forge.claims, name, value);
        forge.is_refused(&Forge::signed(&forge.header, &claims)?).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_token_that_has_expired() -> Result<()> {
    let forge = Forge::open().await?;
    let issued = forge.claims["iat"].as_i64().context("a time")?;
    for expiry in [json!(issued - 1), json!(0), json!(-1), json!("tomorrow"), Value::Null] {
        let claims = with(&forge.claims, "exp", expiry);
        forge.is_refused(&Forge::signed(&forge.header, &claims)?).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_key_that_is_retired() -> Result<()> {
    const OLD: &str = "f1e2d3c4b5a697887960514233241506";
    // The same session, in a token as it was before the key changed.
    let old_token = |forge: &Forge| {
        let old = key(OLD);
        let header = with(&forge.header, "kid", json!(key_id(&old)));
        Forge::signed_by(&old, &header, &forge.claims)
    };
    let changing = Forge::with(&[("JWT_SECRET_PREVIOUS", OLD)]).await?;
    let profile = format!("{}/api/auth/profile", changing.server.url);
    let answer = Client::new().get(&profile).bearer_auth(old_token(&changing)?).send().await?;
    assert_eq!(answer.status(), StatusCode::OK, "while the keys change");
    let changed = Forge::open().await?;
    changed.is_refused(&old_token(&changed)?).await
}

#[tokio::test]
async fn a_token_after_the_logout() -> Result<()> {
    let forge = Forge::open().await?;
    let leaving = forge.server.again("asha").await?;
    let mut socket = Socket::open(&forge.server.url, true).await?;
    socket.say(&json!({ "type": "hello", "auth": leaving.token })).await?;
    assert_eq!(socket.next().await?["event"], "connection:success");
    let left = leaving.send(Method::POST, "/api/auth/logout", &Value::Null).await?;
    assert_eq!(left.status(), StatusCode::NO_CONTENT);
    assert_eq!(socket.close_code().await?, 4401);
    forge.is_refused(&leaving.token).await
}

#[tokio::test]
async fn a_demoted_admin_on_an_open_socket() -> Result<()> {
    let server = Server::empty().await?;
    let (admin, asha) = (server.admin().await?, server.user("asha").await?);
    let id = asha.get("/api/auth/profile").await?["id"].as_str().context("an id")?.to_owned();
    let set = |role: &str| {
        let body = json!({ "role": role });
        let path = format!("/api/users/{id}");
        let admin = admin.clone();
        async move { admin.send(Method::PATCH, &path, &body).await }
    };
    assert_eq!(set("admin").await?.status(), StatusCode::OK);
    let mut socket = Socket::open(&server.url, true).await?;
    socket.say(&json!({ "type": "hello", "topics": ["orders.*"], "auth": asha.token })).await?;
    assert_eq!(socket.next().await?["event"], "connection:success");
    assert_eq!(set("user").await?.status(), StatusCode::OK);
    assert_eq!(socket.close_code().await?, 4401);
    let mut socket = Socket::open(&server.url, true).await?;
    socket.say(&json!({ "type": "hello", "topics": ["orders.*"], "auth": asha.token })).await?;
    assert_eq!(socket.next().await?["event"], "connection:success");
    assert_eq!(socket.next().await?["data"]["denied"], json!(["orders.*"]));
    Ok(())
}

#[tokio::test]
async fn a_cross_site_post_with_the_cookie() -> Result<()> {
    let server = Server::with(&[], &[("CLIENT_URL", "https://shop.example")]).await?;
    let admin = server.admin().await?;
    let book =
        json!({ "title": "Emma", "author": "Jane Austen", "genre": "g", "year": 1815, "price": 1 });
    let post = |headers: &'static [(&'static str, &'static str)]| {
        let request = Client::new().post(format!("{}/api/books", server.url)).json(&book);
        let request = request.header(header::COOKIE, format!("token={}", admin.token));
        headers.iter().fold(request, |request, (name, value)| request.header(*name, *value)).send()
    };
    for headers in [
        &[][..],
        &[("origin", "https://attacker.example")],
        &[("origin", "null")],
        &[("origin", "https://shop.example.attacker.example")],
        &[("sec-fetch-site", "cross-site"), ("origin", "https://attacker.example")],
        &[("sec-fetch-site", "same-site"), ("origin", "https://other.shop.example")],
        &[("referer", "https://shop.example/")],
    ] {
        let refused = post(headers).await?;
        assert_eq!(refused.status(), StatusCode::FORBIDDEN, "{headers:?}");
        assert_eq!(refused.json::<Value>().await?["code"], "cross_site");
    }
    let allowed = post(&[("origin", "https://shop.example"), ("sec-fetch-site", "cross-site")]);
    assert_eq!(allowed.await?.status(), StatusCode::CREATED);
    assert_eq!(post(&[("sec-fetch-site", "same-origin")]).await?.status(), StatusCode::CREATED);

    let preflight = |origin: &'static str| {
        let request = Client::new().request(Method::OPTIONS, format!("{}/api/books", server.url));
        request.header("origin", origin).header("access-control-request-method", "POST").send()
    };
    let allow = "access-control-allow-origin";
    assert!(preflight("https://attacker.example").await?.headers().get(allow).is_none());
    let allowed = preflight("https://shop.example").await?;
    assert_eq!(allowed.headers()[allow], "https://shop.example");
    assert_eq!(allowed.headers()["access-control-allow-credentials"], "true");
    Ok(())
}

#[tokio::test]
async fn fields_that_are_not_ones_to_set() -> Result<()> {
    let server = Server::empty().await?;
    let (admin, asha) = (server.admin().await?, server.user("asha").await?);
    let http = Client::new();
    let account = json!({ "username": "eve", "password": "a long way", "role": "admin" });
    let signup = http.post(format!("{}/api/auth/signup", server.url)).json(&account).send().await?;
    assert_eq!(signup.status(), StatusCode::BAD_REQUEST);
    assert_eq!(signup.json::<Value>().await?["details"][0]["field"], "role");
    for fields in [json!({ "role": "admin" }), json!({ "id": "x" }), json!({ "username": "root" })]
    {
        let refused = asha.send(Method::PUT, "/api/auth/profile", &fields).await?;
        assert_eq!(refused.status(), StatusCode::BAD_REQUEST, "{fields}");
    }
    assert_eq!(asha.get("/api/auth/profile").await?["role"], "user");

    // A price in an order is the one its buyer has seen, never the one that is paid.
    let book = admin.create("Emma").await?;
    let order = |more: Value| {
        let mut item = json!({ "bookId": book["id"], "quantity": 1 });
        item.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({ "items": [item], "customer": { "name": "Asha" } })
    };
    let cheap = asha.send(Method::POST, "/api/orders", &order(json!({ "price": 1 }))).await?;
    assert_eq!(cheap.status(), StatusCode::CONFLICT);
    assert_eq!(cheap.json::<Value>().await?["code"], "price_changed");
    for (name, more) in [("title", json!({ "title": "x" })), ("total", json!({ "total": 1 }))] {
        let refused = asha.send(Method::POST, "/api/orders", &order(more)).await?;
        assert_eq!(refused.status(), StatusCode::BAD_REQUEST, "{name}");
    }
    for (name, value) in
        [("total", json!(1)), ("status", json!("delivered")), ("userId", json!("x"))]
    {
        let mut wrong = order(json!({}));
        wrong[name] = value;
        let refused = asha.send(Method::POST, "/api/orders", &wrong).await?;
        assert_eq!(refused.status(), StatusCode::BAD_REQUEST, "{name}");
    }
    let placed = asha.send(Method::POST, "/api/orders", &order(json!({}))).await?;
    assert_eq!(placed.json::<Value>().await?["total"], book["price"]);
    Ok(())
}

#[tokio::test]
async fn other_peoples_orders_and_carts() -> Result<()> {
    let server = Server::empty().await?;
    let (admin, asha, eve) =
        (server.admin().await?, server.user("asha").await?, server.user("eve").await?);
    let book = admin.create("Emma").await?;
    let items = json!([{ "bookId": book["id"], "quantity": 1 }]);
    let order = json!({ "items": items, "customer": { "name": "Asha" } });
    let order: Value = asha.send(Method::POST, "/api/orders", &order).await?.json().await?;
    let path = format!("/api/orders/{}", order["id"].as_str().context("an id")?);
    let user = order["userId"].as_str().context("a user")?;
    assert_eq!(asha.get(&path).await?, order);
    assert_eq!(eve.send(Method::GET, &path, &Value::Null).await?.status(), 404);
    let status = json!({ "status": "cancelled" });
    assert_eq!(eve.send(Method::PATCH, &path, &status).await?.status(), 403);
    assert_eq!(eve.get("/api/orders").await?, json!([]));
    let others = format!("/api/orders?user={user}");
    assert_eq!(eve.send(Method::GET, &others, &Value::Null).await?.status(), 403);

    asha.send(Method::PUT, "/api/cart", &json!({ "items": items })).await?.error_for_status()?;
    assert_eq!(eve.get("/api/cart").await?["items"], json!([]));
    for name in ["user", "userId"] {
        let mut cart = json!({ "items": [] });
        cart[name] = json!(user);
        let refused = eve.send(Method::PUT, "/api/cart", &cart).await?;
        assert_eq!(refused.status(), StatusCode::BAD_REQUEST, "{name}");
    }
    assert_eq!(asha.get("/api/cart").await?["items"].as_array().map(Vec::len), Some(1));
    let mut socket = Socket::open(&server.url, true).await?;
    let topics = json!([format!("orders.{user}"), "orders.*", "admin"]);
    socket.say(&json!({ "type": "hello", "topics": topics, "auth": eve.token })).await?;
    assert_eq!(socket.next().await?["event"], "connection:success");
    assert_eq!(socket.next().await?["data"]["denied"].as_array().map(Vec::len), Some(3));
    Ok(())
}

/// What a server answers to these bytes, up to the end of the connection or of patience.
async fn raw(server: &Server, request: &[u8]) -> Result<String> {
    let mut stream = TcpStream::connect(server.url.trim_start_matches("http://")).await?;
    stream.write_all(request).await?;
    let mut answer = Vec::new();
    // A connection that is cut has said what it had to say.
    let _ = timeout(PATIENCE, stream.read_to_end(&mut answer)).await?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

#[tokio::test]
async fn paths_that_lead_out_of_the_house() -> Result<()> {
    let server = Server::start().await?;
    for path in [
        "/../../../../etc/passwd",
        "/covers/../../../../etc/passwd",
        "/covers/..%2f..%2f..%2fetc%2fpasswd",
        "/covers/%2e%2e/%2e%2e/etc/passwd.svg",
        "/covers/..%5c..%5cetc%5cpasswd.svg",
        "/covers/%00.svg",
        "/assets/../Cargo.toml",
        "/api/docs/..%2f..%2fCargo.toml",
        "//etc/passwd",
        "/api/books/..%2f..%2f..%2fetc%2fpasswd",
    ] {
        let request = format!("GET {path} HTTP/1.1\r\nhost: shop\r\nconnection: close\r\n\r\n");
        let answer = raw(&server, request.as_bytes()).await?;
        assert!(answer.starts_with("HTTP/1.1 404 "), "{path}: {answer}");
        assert!(!answer.contains("root:") && !answer.contains("[package]"), "{path}: {answer}");
    }
    Ok(())
}

#[tokio::test]
async fn lines_that_would_be_headers() -> Result<()> {
    let server = Server::start().await?;
    let injected = "%0d%0aset-cookie:%20token=eve%0d%0a%0d%0a<script>";
    for path in [
        format!("/api/books?limit=1&q={injected}"),
        format!("/api/books?limit=1&genre={injected}"),
        format!("/api/books?cursor={injected}"),
        format!("/api/books/{injected}"),
        format!("/covers/{injected}.svg"),
        format!("/{injected}"),
    ] {
        let request = format!("GET {path} HTTP/1.1\r\nhost: shop\r\nconnection: close\r\n\r\n");
        let answer = raw(&server, request.as_bytes()).await?;
        let (head, _) = answer.split_once("\r\n\r\n").context("a head")?;
        assert!(!head.to_lowercase().contains("set-cookie"), "{path}: {head}");
    }
    // A page whose link carries what was searched for.
    let admin = server.admin().await?;
    for _ in 0..2 {
        let book = json!({
            "title": "x", "author": "y", "genre": "a,b;c\"<>", "year": 1, "price": 1,
        });
        admin.send(Method::POST, "/api/books", &book).await?.error_for_status()?;
    }
    let genre = "a%2Cb%3Bc%22%3C%3E";
    let page = reqwest::get(format!("{}/api/books?limit=1&genre={genre}", server.url)).await?;
    let link = page.headers()[header::LINK].to_str()?;
    assert_eq!(link.matches('<').count(), 1, "{link}");
    assert_eq!(link.matches('"').count(), 2, "{link}");
    // Requests that two servers would read in two ways.
    for smuggled in [
        "content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\nGET /",
        "content-length: 5\r\ncontent-length: 6\r\n\r\nhello!",
        "transfer-encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    ] {
        let request = format!("POST /api/auth/login HTTP/1.1\r\nhost: shop\r\n{smuggled}");
        let answer = raw(&server, request.as_bytes()).await?;
        assert!(answer.matches("HTTP/1.1 ").count() <= 1, "{smuggled:?}: {answer}");
    }
    Ok(())
}

#[tokio::test]
async fn ten_megabytes_of_depth() -> Result<()> {
    let server = Server::empty().await?;
    let admin = server.admin().await?;
    let send = |bytes: usize| {
        let request = admin.request(Method::POST, "/api/books");
        request.header(header::CONTENT_TYPE, "application/json").body("[".repeat(bytes)).send()
    };
    let small = send(1_000_000).await?;
    assert_eq!(small.status(), StatusCode::BAD_REQUEST);
    assert_eq!(small.json::<Value>().await?["code"], "invalid_json");
    assert_eq!(send(8_000_000).await?.status(), StatusCode::PAYLOAD_TOO_LARGE);
    let nested = format!("{}1{}", "{\"a\":".repeat(100_000), "}".repeat(100_000));
    let request = admin.request(Method::POST, "/api/books");
    let answer = request.header(header::CONTENT_TYPE, "application/json").body(nested).send();
    assert_eq!(answer.await?.status(), StatusCode::BAD_REQUEST);
    // Of ten the rest is not even read: the client sees the answer, or that nobody listens.
    if let Ok(answer) = send(10 << 20).await {
        assert_eq!(answer.status(), StatusCode::PAYLOAD_TOO_LARGE);
    }
    // That connection may be at its end.
    assert_eq!(server.admin().await?.get("/api/books").await?, json!([]));
    Ok(())
}

#[tokio::test]
async fn a_gzip_bomb() -> Result<()> {
    let server = Server::empty().await?;
    let admin = server.admin().await?;
    let mut bomb = GzEncoder::new(Vec::new(), Compression::best());
    bomb.write_all(b"{\"title\":\"")?;
    for _ in 0..256 {
        bomb.write_all(&[b'a'; 1 << 20])?;
    }
    bomb.write_all(b"\"}")?;
    let bomb = bomb.finish()?;
    assert!(bomb.len() < 1 << 20, "it is small: {}", bomb.len());
    let json = ("/api/books", "application/json");
    let file = ("/api/books/import", "application/x-ndjson");
    for (encoding, (path, kind)) in [
        ("gzip", json),
        ("gzip, gzip", json),
        ("br", json),
        ("zstd", json),
        ("deflate", json),
        ("gzip", file),
    ] {
        let request = admin.request(Method::POST, path).body(bomb.clone());
        let request = request.header(header::CONTENT_TYPE, kind);
        let answer = request.header(header::CONTENT_ENCODING, encoding).send().await?;
        assert_eq!(answer.status(), StatusCode::UNSUPPORTED_MEDIA_TYPE, "{encoding}");
        assert_eq!(answer.json::<Value>().await?["code"], "content_encoding");
    }
    Ok(())
}

#[tokio::test]
async fn slowloris() -> Result<()> {
    let server = Server::with(&[], &[("MAX_CONNECTIONS", "400")]).await?;
    let address = server.url.trim_start_matches("http://").to_owned();
    let begun = Instant::now();
    let heads = (0..300).map(|_| {
        let address = address.clone();
        tokio::spawn(async move {
            let mut stream = TcpStream::connect(address).await?;
            stream.write_all(b"GET / HTTP/1.1\r\nhost: shop\r\n").await?;
            // A byte now and then, for ever, until the server has had enough.
            while stream.write_all(b"x").await.is_ok() {
                let mut byte = [0];
                let read = timeout(Duration::from_millis(250), stream.read(&mut byte)).await;
                if read.is_ok() {
                    break;
                }
                ensure!(begun.elapsed() < PATIENCE, "a slow head is waited for without an end");
            }
            Ok(())
        })
    });
    let heads: Vec<_> = heads.collect();
    let body = {
        let address = address.clone();
        tokio::spawn(async move {
            let mut stream = TcpStream::connect(address).await?;
            let head = "POST /api/auth/login HTTP/1.1\r\nhost: shop\r\n\
                        content-type: application/json\r\ncontent-length: 100000\r\n\r\n";
            stream.write_all(head.as_bytes()).await?;
            let mut answer = vec![0; 4096];
            loop {
                stream.write_all(b" ").await?;
                let read = timeout(Duration::from_millis(500), stream.read(&mut answer)).await;
                if let Ok(read) = read {
                    return Ok(String::from_utf8_lossy(&answer[..read?]).into_owned());
                }
                ensure!(begun.elapsed() < PATIENCE, "a slow body is waited for without an end");
            }
        })
    };
    // Meanwhile everybody else is served.
    let http = Client::new();
    while begun.elapsed() < Duration::from_secs(5) {
        assert_eq!(http.get(format!("{}/api/genres", server.url)).send().await?.status(), 200);
        sleep(Duration::from_millis(100)).await;
    }
    for head in heads {
        head.await??;
    }
    let answer = body.await??;
    assert!(answer.starts_with("HTTP/1.1 400 ") && answer.contains("body_incomplete"), "{answer}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_sockets_from_one_address() -> Result<()> {
    /// As many as one address may have.
    const LIMIT: usize = 1000;
    let files = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    ensure!(
        files.current.is_none_or(|files| files >= 8192),
        "this test opens a thousand sockets: raise the limit of open files (ulimit -n 8192)"
    );
    let server = Server::with(&[], &[("TRUSTED_PROXIES", "127.0.0.1")]).await?;
    let address = server.url.trim_start_matches("http://").to_owned();
    let open = |client: &'static str| {
        let address = address.clone();
        async move {
            let mut stream = TcpStream::connect(&address).await?;
            let request = format!(
                "GET /ws HTTP/1.1\r\nhost: shop\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
                 sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
                 x-forwarded-for: {client}\r\n\r\n"
            );
            stream.write_all(request.as_bytes()).await?;
            let mut status = [0; 12];
            timeout(PATIENCE, stream.read_exact(&mut status)).await??;
            let status = std::str::from_utf8(&status[9..])?.parse::<u16>()?;
            anyhow::Ok((stream, status))
        }
    };
    let mut other = server.socket().await?;
    let tries = stream::iter((0..10_000).map(|_| open("203.0.113.1")));
    let mut tries = tries.buffer_unordered(32);
    let (mut opened, mut refused) = (Vec::new(), 0);
    while let Some(tried) = tries.next().await {
        match tried? {
            (stream, 101) => opened.push(stream),
            (_, 429) => refused += 1,
            (_, status) => anyhow::bail!("answered {status}"),
        }
    }
    assert_eq!((opened.len(), refused), (LIMIT, 10_000 - LIMIT));
    // Others are let in, and hear of what happens.
    assert_eq!(open("203.0.113.2").await?.1, 101);
    server.admin().await?.create("Emma").await?;
    assert_eq!(other.next().await?["event"], "book:created");
    // Who goes makes room.
    drop(opened);
    let mut tries = 0;
    while open("203.0.113.1").await?.1 != 101 {
        tries += 1;
        ensure!(tries < 600, "the places are not free again");
        sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}
