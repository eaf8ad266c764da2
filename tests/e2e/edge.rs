//! What stands between the internet and the shop: limits, proxies, compression, headers, metrics,
//! and a log without secrets.

use std::{io::Read as _, time::Duration};

use anyhow::{Context as _, Result};
use bookhub_tests::{Server, Socket};
use flate2::read::GzDecoder;
use reqwest::{Client, Method, Response, StatusCode, header};
use serde_json::{Value, json};
use tokio::time::sleep;

const SECRET: &str = "3e0f8d1c6b5a49e7a0d2c4b6f8e1a3c5";
const BEHIND_A_PROXY: (&str, &str) = ("TRUSTED_PROXIES", "127.0.0.1");

async fn production(more: &[(&str, &str)]) -> Result<Server> {
    let safe = [("BOOKHUB_ENV", "production"), ("JWT_SECRET", SECRET), ("HOST", "127.0.0.1")];
    Server::with(&["--allow-memory", "--sample-catalogue", "true"], &[&safe, more].concat()).await
}

/// A login of `name` with a wrong password, as a proxy passes it on for `client`.
async fn wrong_login(server: &Server, client: &str, name: &str) -> Result<Response> {
    let login = json!({ "username": name, "password": "not the one" });
    let request = Client::new().post(format!("{}/api/auth/login", server.url));
    Ok(request.header("x-forwarded-for", client).json(&login).send().await?)
}

fn text<'a>(response: &'a Response, name: &str) -> Result<&'a str> {
    let value = response.headers().get(name).with_context(|| format!("no header {name}"))?;
    Ok(value.to_str()?)
}

#[tokio::test]
async fn five_failed_logins_lock_out_their_own_address_and_nobody_else() -> Result<()> {
    let server = Server::with(&[], &[BEHIND_A_PROXY]).await?;
    server.user("asha").await?;
    for left in (0..5).rev() {
        let refused = wrong_login(&server, "203.0.113.1", "asha").await?;
        assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
        assert_eq!(text(&refused, "ratelimit-policy")?, "\"login\";q=5;w=900");
        assert!(text(&refused, "ratelimit")?.starts_with(&format!("\"login\";r={left};t=")));
    }
    let refused = wrong_login(&server, "203.0.113.1", "ASHA").await?;
    assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
    let seconds: u64 = text(&refused, "retry-after")?.parse()?;
    assert!((800..=900).contains(&seconds), "{seconds}");
    assert_eq!(text(&refused, "ratelimit")?, format!("\"login\";r=0;t={seconds}"));
    let body: Value = refused.json().await?;
    assert_eq!(body["code"], "too_many_failures");
    assert!(body["requestId"].is_string(), "{body}");

    // The right password would not be let in from there either, but it is from anywhere else.
    let login = json!({ "username": "asha", "password": "a long way to say hello" });
    let right = |client: &'static str| {
        let request = Client::new().post(format!("{}/api/auth/login", server.url));
        request.header("x-forwarded-for", client).json(&login).send()
    };
    assert_eq!(right("203.0.113.1").await?.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(right("203.0.113.2").await?.status(), StatusCode::OK);
    let other = wrong_login(&server, "203.0.113.1", "ravi").await?;
    assert_eq!(other.status(), StatusCode::UNAUTHORIZED, "another account");
    Ok(())
}

#[tokio::test]
async fn a_wrong_current_password_counts_as_a_failed_login() -> Result<()> {
    let server = Server::empty().await?;
    let asha = server.user("asha").await?;
    let change = json!({ "currentPassword": "not the one", "password": "wet grass under a lamp" });
    let send = || asha.send(Method::PUT, "/api/auth/profile", &change);
    for _ in 0..5 {
        assert_eq!(send().await?.status(), StatusCode::FORBIDDEN);
    }
    assert_eq!(send().await?.status(), StatusCode::TOO_MANY_REQUESTS);
    Ok(())
}

#[tokio::test]
async fn a_made_up_address_gets_nobody_past_the_limits() -> Result<()> {
    // Nobody is trusted: what the header says is not looked at.
    let server = Server::empty().await?;
    for number in 0..5 {
        let refused = wrong_login(&server, &format!("203.0.113.{number}"), "admin").await?;
        assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
    }
    let refused = wrong_login(&server, "203.0.113.200", "admin").await?;
    assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
    assert!(server.log().contains("TRUSTED_PROXIES"), "the operator is told of the proxy");

    // A proxy is trusted: what the client has written before what it adds is not.
    let server = Server::with(&[], &[BEHIND_A_PROXY]).await?;
    for number in 0..5 {
        let forwarded = format!("203.0.113.{number}, 198.51.100.7");
        assert_eq!(wrong_login(&server, &forwarded, "admin").await?.status(), 401);
    }
    assert_eq!(wrong_login(&server, "203.0.113.200, 198.51.100.7", "admin").await?.status(), 429);
    Ok(())
}

#[tokio::test]
async fn requests_of_one_address_are_bounded_and_ipv6_counts_by_network() -> Result<()> {
    let server = Server::with(&[], &[BEHIND_A_PROXY, ("RATE_LIMIT_PER_MINUTE", "5")]).await?;
    let http = Client::new();
    let url = format!("{}/api/genres", server.url);
    let from = |client: String| http.get(&url).header("x-forwarded-for", client).send();
    for left in (0..5).rev() {
        let answer = from(format!("2001:db8:7:1::{left}")).await?;
        assert_eq!(answer.status(), StatusCode::OK);
        assert_eq!(text(&answer, "ratelimit-policy")?, "\"requests\";q=5;w=60");
        assert!(text(&answer, "ratelimit")?.starts_with(&format!("\"requests\";r={left};t=")));
    }
    let refused = from("2001:db8:7:1:ffff::1".to_owned()).await?;
    assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
    assert!((1..=12).contains(&text(&refused, "retry-after")?.parse::<u64>()?));
    assert_eq!(refused.json::<Value>().await?["code"], "too_many_requests");
    assert_eq!(from("2001:db8:7:2::1".to_owned()).await?.status(), StatusCode::OK);
    // Without a proxy it is a private address, which stands for many.
    for _ in 0..20 {
        assert_eq!(http.get(&url).send().await?.status(), StatusCode::OK);
    }
    Ok(())
}

#[tokio::test]
async fn large_answers_are_compressed_for_those_who_ask() -> Result<()> {
    let server = Server::start().await?;
    let http = Client::new();
    let get = |path: &str, accepted: &'static str| {
        let request = http.get(format!("{}{path}", server.url));
        request.header(header::ACCEPT_ENCODING, accepted).send()
    };
    let plain = get("/api/books", "identity").await?;
    assert!(plain.headers().get(header::CONTENT_ENCODING).is_none());
    let plain = plain.bytes().await?;
    for name in ["gzip", "br", "zstd"] {
        let packed = get("/api/books", name).await?;
        assert_eq!(text(&packed, "content-encoding")?, name);
        assert!(text(&packed, "vary")?.to_lowercase().contains("accept-encoding"));
        assert!(text(&packed, "etag")?.starts_with("W/"));
        let packed = packed.bytes().await?;
        assert!(packed.len() * 2 < plain.len(), "{name}: {} of {}", packed.len(), plain.len());
        if name == "gzip" {
            let mut unpacked = Vec::new();
            GzDecoder::new(&*packed).read_to_end(&mut unpacked)?;
            assert_eq!(unpacked, plain);
        }
    }
    // Small answers and streams are sent as they are.
    for path in ["/health", "/events"] {
        let answer = get(path, "gzip, br, zstd").await?;
        assert!(answer.headers().get(header::CONTENT_ENCODING).is_none(), "{path}");
    }
    Ok(())
}

#[tokio::test]
async fn every_answer_has_the_headers_that_keep_browsers_from_harm() -> Result<()> {
    let server = production(&[]).await?;
    for path in ["/", "/api/books", "/api/nothing", "/covers/none.svg", "/health", "/poll"] {
        let answer = reqwest::get(format!("{}{path}", server.url)).await?;
        assert_eq!(text(&answer, "x-content-type-options")?, "nosniff", "{path}");
        assert_eq!(text(&answer, "referrer-policy")?, "no-referrer", "{path}");
        assert_eq!(text(&answer, "strict-transport-security")?, "max-age=31536000", "{path}");
        let policy = text(&answer, "content-security-policy")?;
        assert!(policy.contains("default-src 'none'"), "{path}: {policy}");
        assert!(policy.contains("frame-ancestors 'none'"), "{path}: {policy}");
        if path == "/" {
            assert!(policy.contains("script-src 'sha256-"), "{policy}");
            assert!(policy.contains("img-src 'self' data: https://covers.openlibrary.org;"));
            assert_eq!(text(&answer, "x-frame-options")?, "DENY");
        }
    }
    let development = Server::start().await?;
    let answer = reqwest::get(format!("{}/", development.url)).await?;
    assert!(answer.headers().get("strict-transport-security").is_none());
    Ok(())
}

#[tokio::test]
async fn in_production_the_cookie_is_for_this_host_over_tls_only() -> Result<()> {
    let server = production(&[]).await?;
    let account = json!({ "username": "asha", "password": "a long way to say hello" });
    let http = Client::new();
    let answer = http.post(format!("{}/api/auth/signup", server.url)).json(&account).send().await?;
    let cookie = text(&answer, "set-cookie")?.to_owned();
    assert!(cookie.starts_with("__Host-token="), "{cookie}");
    for attribute in ["HttpOnly", "Secure", "SameSite=Lax", "Path=/"] {
        assert!(cookie.contains(attribute), "{cookie}");
    }
    assert!(!cookie.contains("Domain"), "{cookie}");
    Ok(())
}

#[tokio::test]
async fn metrics_are_for_those_who_show_the_token() -> Result<()> {
    let without = production(&[]).await?;
    assert_eq!(reqwest::get(format!("{}/metrics", without.url)).await?.status(), 404);
    let server = production(&[("METRICS_TOKEN", "a token of some length")]).await?;
    let http = Client::new();
    let url = format!("{}/metrics", server.url);
    let refused = http.get(&url).send().await?;
    assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(refused.json::<Value>().await?["code"], "metrics_token_required");
    assert_eq!(http.get(&url).bearer_auth("another").send().await?.status(), 401);
    let shown = http.get(&url).bearer_auth("a token of some length").send().await?;
    assert_eq!(shown.status(), StatusCode::OK);
    assert!(text(&shown, "content-type")?.starts_with("text/plain"));
    Ok(())
}

#[tokio::test]
async fn a_shop_without_an_administrator_prints_a_link_that_makes_one() -> Result<()> {
    let server = production(&[]).await?;
    let log = server.log();
    let (_, link) = log.split_once("/setup#").context("a link is printed")?;
    let token: String =
        link.chars().take_while(|c| c.is_ascii_alphanumeric() || "-_".contains(*c)).collect();
    let http = Client::new();
    let page = reqwest::get(format!("{}/setup", server.url)).await?;
    assert!(text(&page, "content-security-policy")?.contains("script-src 'sha256-"));
    let make = |token: &str, name: &str, password: &str| {
        let account = json!({ "token": token, "username": name, "password": password });
        http.post(format!("{}/api/auth/setup", server.url)).json(&account).send()
    };
    let good = "a long way to say hello";
    for wrong in ["", "guessed", &token[1..]] {
        let refused = make(wrong, "owner", good).await?;
        assert_eq!(refused.status(), StatusCode::FORBIDDEN);
        assert_eq!(refused.json::<Value>().await?["code"], "setup_refused");
    }
    let refused = make(&token, "owner", "password1").await?;
    assert_eq!(refused.status(), StatusCode::BAD_REQUEST);
    assert_eq!(refused.json::<Value>().await?["details"][0]["field"], "password");
    let made = make(&token, "owner", good).await?;
    assert_eq!(made.status(), StatusCode::CREATED);
    assert!(text(&made, "set-cookie")?.starts_with("__Host-token="));
    assert_eq!(made.json::<Value>().await?["user"]["role"], "admin");
    let again = make(&token, "another", good).await?;
    assert_eq!(again.status(), StatusCode::CONFLICT);
    assert_eq!(again.json::<Value>().await?["code"], "admin_exists");

    // Where there is one from the start, nothing is printed, and guesses are counted.
    let server = Server::empty().await?;
    assert!(!server.log().contains("/setup#"));
    let guess = json!({ "token": "x", "username": "owner", "password": good });
    let guess = || http.post(format!("{}/api/auth/setup", server.url)).json(&guess).send();
    for _ in 0..5 {
        assert_eq!(guess().await?.status(), StatusCode::FORBIDDEN);
    }
    assert_eq!(guess().await?.status(), StatusCode::TOO_MANY_REQUESTS);
    Ok(())
}

/// The value of a sample line that begins with this name and has these labels.
fn sample(metrics: &str, name: &str, labels: &[&str]) -> Option<f64> {
    let fits =
        |line: &&str| line.starts_with(name) && labels.iter().all(|label| line.contains(label));
    metrics.lines().find(fits)?.rsplit(' ').next()?.parse().ok()
}

#[tokio::test]
async fn what_happens_is_counted() -> Result<()> {
    let server = Server::empty().await?;
    let admin = server.admin().await?;
    let mut socket = server.socket().await?;
    let book = admin.create("Emma").await?;
    assert_eq!(socket.next().await?["event"], "book:created");
    admin.patch(book["id"].as_str().context("an id")?, &json!({ "price": 10 })).await?;
    assert_eq!(socket.next().await?["event"], "book:updated");
    reqwest::get(format!("{}/api/books/nothing", server.url)).await?;

    let metrics = reqwest::get(format!("{}/metrics", server.url)).await?.text().await?;
    let value = |name, labels: &[&str]| {
        sample(&metrics, name, labels).with_context(|| format!("no {name} {labels:?}:\n{metrics}"))
    };
    assert_eq!(value("websocket_connections_active ", &[])?, 1.0);
    assert_eq!(value("book_events_total", &["event_type=\"book:created\""])?, 1.0);
    assert_eq!(value("book_events_total", &["event_type=\"book:updated\""])?, 1.0);
    let route = "route=\"/api/books/{id}\"";
    let count = "http_request_duration_seconds_count";
    assert_eq!(value(count, &["method=\"PATCH\"", route, "status=\"200\""])?, 1.0);
    assert_eq!(value(count, &["method=\"GET\"", route, "status=\"404\""])?, 1.0);
    assert!(metrics.contains("http_request_duration_seconds_bucket"), "{metrics}");
    assert_eq!(value("store_up ", &[])?, 1.0);
    assert_eq!(value("store_books ", &[])?, 1.0);
    assert!(value("realtime_events_published_total", &[])? >= 2.0);
    assert!(value("tokio_tasks_alive ", &[])? > 0.0);
    if cfg!(target_os = "linux") {
        assert!(value("process_open_fds ", &[])? > 3.0);
        assert!(value("process_resident_memory_bytes ", &[])? > 1e6);
    }
    Ok(())
}

#[tokio::test]
async fn a_full_house_says_so_and_goes_on_serving_those_inside() -> Result<()> {
    let server = Server::with(&[], &[("MAX_CONNECTIONS", "4")]).await?;
    let http = Client::new();
    let url = format!("{}/health/live", server.url);
    assert_eq!(http.get(&url).send().await?.status(), StatusCode::OK);
    let address = server.url.trim_start_matches("http://").to_owned();
    let mut idle = Vec::new();
    for _ in 0..3 {
        idle.push(tokio::net::TcpStream::connect(&address).await?);
    }
    // They are accepted in this order, so the next one finds no place.
    let refused = Client::new().get(&url).send().await?;
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(text(&refused, "retry-after")?, "2");
    assert_eq!(refused.json::<Value>().await?["code"], "too_busy");
    assert_eq!(http.get(&url).send().await?.status(), StatusCode::OK, "who is inside stays");
    drop(idle);
    let mut tries = 0;
    while Client::new().get(&url).send().await?.status() != StatusCode::OK {
        tries += 1;
        anyhow::ensure!(tries < 600, "the places are not free again");
        sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

#[tokio::test]
async fn no_secret_is_in_any_log() -> Result<()> {
    const PASSWORD: &str = "a long way to say hello";
    let environment = [
        ("LOG", "trace"),
        ("LOG_JSON", "true"),
        ("JWT_SECRET", SECRET),
        ("ADMIN_PASSWORD", "the operator's own words"),
        ("METRICS_TOKEN", "a token of some length"),
    ];
    let server = Server::with(&[], &environment).await?;
    let asha = server.user("asha").await?;
    let again = server.again("asha").await?;
    wrong_login(&server, "203.0.113.1", "asha").await?;
    let change = json!({ "currentPassword": PASSWORD, "password": "wet grass under a lamp" });
    asha.send(Method::PUT, "/api/auth/profile", &change).await?.error_for_status()?;
    let cookie = format!("token={}", asha.token);
    let http = Client::new();
    let by_cookie = http.get(format!("{}/api/cart", server.url)).header(header::COOKIE, &cookie);
    by_cookie.send().await?.error_for_status()?;
    let mut socket = Socket::open(&server.url, true).await?;
    socket.say(&json!({ "type": "hello", "auth": asha.token })).await?;
    let welcome = socket.next().await?;
    assert_eq!(welcome["event"], "connection:success");
    let resume = welcome["data"]["token"].as_str().context("a reconnect token")?.to_owned();
    let metrics = http.get(format!("{}/metrics", server.url));
    metrics.bearer_auth("a token of some length").send().await?.error_for_status()?;
    // Lines are written together, soon.
    let mut tries = 0;
    while !server.log().contains("/metrics") {
        tries += 1;
        anyhow::ensure!(tries < 600, "the log does not tell of the last request");
        sleep(Duration::from_millis(50)).await;
    }
    let log = server.log();
    assert!(log.contains("request answered"));
    let signature = |token: &str| token.rsplit('.').next().unwrap_or_default().to_owned();
    for secret in [
        PASSWORD,
        "not the one",
        "wet grass",
        SECRET,
        "the operator's own words",
        "a token of some length",
        &signature(&asha.token),
        &signature(&again.token),
        &signature(&resume),
        "argon2id",
    ] {
        let line = log.lines().find(|line| line.contains(secret));
        assert!(line.is_none(), "{secret:?} is in the log: {line:?}");
    }
    Ok(())
}
