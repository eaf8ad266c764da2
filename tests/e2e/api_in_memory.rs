//! The HTTP API in memory.

use anyhow::Result;
use bookhub_tests::Server;

async fn open(_: &str) -> Result<Server> {
    Server::empty().await
}

crate::api::cases!(open);
