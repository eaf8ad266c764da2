//! `/health`.

use anyhow::{Context as _, Result};
use bookhub_tests::Server;
use reqwest::Method;
use serde_json::json;

use super::{answer, is_refused};

pub(crate) async fn health_says_what_it_promises(shop: &Server) -> Result<()> {
    let read =
        async |path: &str| answer(reqwest::Client::new().get(format!("{}{path}", shop.url))).await;
    let (status, health) = read("/health").await?;
    assert_eq!((status, &health["status"]), (200, &json!("healthy")), "{health}");
    assert_eq!(health["environment"], "development");
    assert_eq!(health["database"], "connected");
    assert_eq!(health["websocket"], "active");
    assert_eq!(health["version"], env!("CARGO_PKG_VERSION"));
    assert!(health["uptime"].is_u64(), "{health}");
    let timestamp = health["timestamp"].as_str().context("a timestamp")?;
    assert!(timestamp.len() == 24 && timestamp.ends_with('Z'), "{timestamp}");
    assert_eq!(health.as_object().map(serde_json::Map::len), Some(7), "{health}");

    assert_eq!(read("/health/live").await?, (200, json!({ "status": "live" })));
    assert_eq!(read("/health/ready").await?, (200, json!({ "status": "ready" })));
    is_refused(&read("/health/else").await?, 404, "not_found");
    let admin = shop.admin().await?;
    is_refused(&answer(admin.request(Method::POST, "/health")).await?, 405, "method_not_allowed");
    Ok(())
}
