//! What the routes share.

use std::{sync::Arc, time::Instant};

use bookhub_core::{Accounts, Catalog, Store};
use bookhub_realtime::Hub;

use crate::{config::Config, tokens::Tokens};

/// What the routes share; cloning it is cheap.
#[derive(Clone)]
pub(crate) struct AppState {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) catalog: Catalog,
    pub(crate) accounts: Accounts,
    pub(crate) tokens: Arc<Tokens>,
    /// For the positions of answers; routes never publish.
    pub(crate) hub: Hub,
    pub(crate) config: Arc<Config>,
    pub(crate) started: Instant,
}
