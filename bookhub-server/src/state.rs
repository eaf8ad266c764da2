//! What the routes share.

use std::{ops::Deref, sync::Arc, time::Instant};

use bookhub_core::{Accounts, AuditLog, Carts, Catalog, Dashboard, Orders, Store};
use bookhub_realtime::Hub;
use tokio::task::AbortHandle;

use crate::{config::Config, limits::Limits, peer::Proxies, setup::Setup, tokens::Tokens};

/// What the routes share. Each request has a clone of it, or several.
#[derive(Clone)]
pub(crate) struct AppState(Arc<Shared>);

pub(crate) struct Shared {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) catalog: Catalog,
    pub(crate) accounts: Accounts,
    pub(crate) carts: Carts,
    pub(crate) orders: Orders,
    pub(crate) audit: AuditLog,
    pub(crate) dashboard: Dashboard,
    pub(crate) tokens: Arc<Tokens>,
    pub(crate) setup: Setup,
    /// For the positions of answers; routes never publish.
    pub(crate) hub: Hub,
    /// What tells the hub of changes, where there are live updates.
    pub(crate) bridge: Option<AbortHandle>,
    pub(crate) limits: Limits,
    pub(crate) proxies: Proxies,
    pub(crate) config: Arc<Config>,
    pub(crate) started: Instant,
}

impl AppState {
    pub(crate) fn new(shared: Shared) -> Self {
        Self(Arc::new(shared))
    }
}

impl Deref for AppState {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}
