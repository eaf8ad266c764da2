//! The BookHub server: configuration, routes and wiring around [`bookhub_core`] and
//! [`bookhub_realtime`], the only crate that knows both.

mod admission;
mod auth;
mod body;
mod bridge;
mod config;
mod drain;
mod edge;
mod error;
mod etag;
mod limits;
mod logins;
mod metrics;
mod observe;
mod peer;
mod router;
mod routes;
mod serve;
mod setup;
mod state;
mod tokens;

use std::{
    panic::AssertUnwindSafe,
    sync::Arc,
    time::{Duration, Instant},
};

use bookhub_core::{
    Accounts, AccountsError, AuditLog, BookQuery, Carts, CatalogError, Dashboard, Ensured,
    MemoryStore, MongoConfig, MongoStore, Orders, Signup, Store, StoreError,
};
use bookhub_realtime::{Hub, HubConfig};
use futures_util::FutureExt as _;
use secrecy::ExposeSecret as _;
use serde_json::json;
use tokio::{
    net::TcpListener,
    sync::oneshot,
    task::{JoinHandle, JoinSet},
    time::{MissedTickBehavior, interval, sleep},
};

pub use crate::config::{AdminConfig, Args, Config, ConfigError, EdgeConfig, Environment};
use crate::{
    admission::Admission,
    auth::ShopAuthorizer,
    bridge::Bridge,
    limits::Limits,
    peer::{Peer, Proxies},
    setup::Setup,
    state::{AppState, Shared},
    tokens::Tokens,
};

/// How often orders that were left half done are looked for.
const SETTLE_EVERY: Duration = Duration::from_secs(30);

/// After how long what should not have ended begins again.
const BEGIN_AGAIN: Duration = Duration::from_secs(1);

/// How often what is counted is put in order.
const TIDY_EVERY: Duration = Duration::from_secs(5);

/// The server could not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The operator's: the first administrator's name or password cannot be used.
    #[error("The first administrator cannot be made: {0}")]
    Admin(#[source] AccountsError),
    /// The sample catalogue could not be loaded.
    #[error("The sample catalogue cannot be loaded: {0}")]
    Sample(#[from] CatalogError),
    /// The database does not answer, or cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A shop that is ready to serve.
#[derive(Debug)]
pub struct Server {
    router: axum::Router,
    hub: Hub,
    admission: Arc<Admission>,
    bridge: Option<JoinHandle<()>>,
    /// What is done now and again, and ends with the server.
    chores: JoinSet<()>,
    /// Where the first administrator is made, if there is none.
    setup: Option<String>,
}

impl Server {
    /// Opens the store, fills it if it is to begin with the sample, and connects it to the hub.
    ///
    /// # Errors
    /// If the store, the sample or the first administrator cannot be set up.
    pub async fn start(config: Config) -> Result<Self, StartError> {
        // Whatever counts finds its meters there.
        metrics::start();
        let store: Arc<dyn Store> = match &config.mongodb_uri {
            Some(uri) => {
                let (uri, patience) = (uri.expose_secret(), config.mongodb_patience);
                let settings = MongoConfig { patience, ..MongoConfig::default() };
                Arc::new(MongoStore::connect(uri, settings).await?)
            }
            None => MemoryStore::shared(),
        };
        if config.sample_catalogue && store.books(&BookQuery::default()).await?.total.count == 0 {
            let books = bookhub_core::load_sample(Arc::clone(&store)).await?;
            tracing::info!(books, "the sample catalogue is loaded");
        }
        let accounts = Accounts::new(Arc::clone(&store));
        ensure_admin(&accounts, &config).await?;

        let secret = match &config.jwt_secret {
            Some(secret) => secret.expose_secret().as_bytes().to_vec(),
            None => store.secret(rand::random()).await?.to_vec(),
        };
        let earlier = config.jwt_secret_previous.as_ref().map(|secret| secret.expose_secret());
        let earlier: Vec<_> = earlier.iter().map(|secret| secret.as_bytes()).collect();
        let tokens = Arc::new(Tokens::new(&secret, &earlier));
        let (connections, sockets) = admission::budget(config.edge.max_connections);
        tracing::debug!(connections, sockets, "the limits of connections");
        let admission = Admission::new(connections, config.edge.requests_per_minute.is_some());
        let setup = Setup::new(&secret);
        let has_admin = accounts.has_admin().await.map_err(|error| match error {
            AccountsError::Store(error) => StartError::Store(error),
            error => StartError::Admin(error),
        })?;
        let hub = hub(&store, &accounts, &tokens, &config, secret, sockets).await?;
        let bridge = match config.realtime {
            true => Some(open_bridge(&store, &hub, &accounts).await?),
            false => None,
        };
        let carts = Carts::new(Arc::clone(&store));
        let orders = Orders::new(Arc::clone(&store));
        let mut chores = JoinSet::new();
        let settling = orders.clone();
        chores.spawn(kept_up("settling orders", move || settle(settling.clone())));
        let dashboard = Dashboard::new(Arc::clone(&store));
        let counting = dashboard.clone();
        chores.spawn(kept_up("the dashboard", move || counting.clone().follow()));
        let state = AppState::new(Shared {
            audit: AuditLog::new(Arc::clone(&store)),
            catalog: bookhub_core::Catalog::new(Arc::clone(&store)),
            store,
            accounts,
            carts,
            orders,
            dashboard,
            tokens,
            setup: setup.clone(),
            hub: hub.clone(),
            bridge: bridge.as_ref().map(JoinHandle::abort_handle),
            limits: config.edge.requests_per_minute.map_or_else(Limits::none, Limits::new),
            proxies: Proxies::new(config.edge.trusted_proxies.clone()),
            config: Arc::new(config),
            started: Instant::now(),
        });
        let counted = state.clone();
        chores.spawn(kept_up("putting in order what is counted", move || tidy(counted.clone())));
        let setup = (!has_admin).then(|| setup.path());
        Ok(Self { router: router::router(state), hub, admission, bridge, chores, setup })
    }

    /// Where the first administrator is made, if there is none: a path, to be shown to the operator
    /// alone.
    #[must_use]
    pub fn setup(&self) -> Option<&str> {
        self.setup.as_deref()
    }

    /// Serves until `shutdown` comes and everything begun is finished, ten seconds at most.
    pub async fn serve(mut self, listener: TcpListener, shutdown: impl Future<Output = ()>) {
        serve::serve(listener, self.router, self.hub, self.admission, shutdown).await;
        if let Some(bridge) = self.bridge {
            bridge.abort();
        }
        self.chores.abort_all();
    }
}

/// Connects the store to the hub, and waits until the hub has come to the present: who connects
/// before would get the past as news.
async fn open_bridge(
    store: &Arc<dyn Store>,
    hub: &Hub,
    accounts: &Accounts,
) -> Result<JoinHandle<()>, StartError> {
    let present = store.head().await?;
    let (ready, is_ready) = oneshot::channel();
    let bridge = Bridge::new(hub.clone(), accounts.clone());
    let bridge = tokio::spawn(bridge.run(Arc::clone(store), present, ready));
    // It ends only with the server.
    let _ = is_ready.await;
    Ok(bridge)
}

/// Does something that has no end; if a fault of ours ends it all the same, it begins again.
async fn kept_up<F: Future<Output = ()>>(what: &'static str, begin: impl Fn() -> F) {
    loop {
        let ended = AssertUnwindSafe(begin()).catch_unwind().await;
        tracing::error!(panicked = ended.is_err(), "{what} has ended, and begins again");
        sleep(BEGIN_AGAIN).await;
    }
}

/// Finishes or undoes, at once and then now and again, what servers that died have left of orders.
async fn settle(orders: Orders) {
    let mut turns = interval(SETTLE_EVERY);
    // A pass that took long is not followed by another at once.
    turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        turns.tick().await;
        if let Err(error) = orders.settle().await {
            tracing::warn!(%error, "orders that were left half done are settled later");
        }
    }
}

/// Keeps what is counted small.
async fn tidy(state: AppState) {
    let mut turns = interval(TIDY_EVERY);
    turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        turns.tick().await;
        state.limits.purge();
        metrics::tidy();
    }
}

async fn ensure_admin(accounts: &Accounts, config: &Config) -> Result<(), StartError> {
    let Some(admin) = &config.admin else { return Ok(()) };
    let fields = json!({ "username": admin.username, "password": admin.password.expose_secret() });
    let signup = fields.as_object().map(Signup::from_json).transpose();
    let signup = signup.map_err(|invalid| StartError::Admin(invalid.into()))?;
    let Some(signup) = signup else { return Ok(()) };
    let ensured = accounts.ensure_admin(signup).await.map_err(StartError::Admin)?;
    if admin.is_default && matches!(ensured, Ensured::Created(_)) {
        tracing::warn!(
            username = admin.username,
            password = admin.password.expose_secret(),
            "development only: log in as this administrator"
        );
    }
    Ok(())
}

async fn hub(
    store: &Arc<dyn Store>,
    accounts: &Accounts,
    tokens: &Arc<Tokens>,
    config: &Config,
    secret: Vec<u8>,
    sockets: usize,
) -> Result<Hub, StartError> {
    let epoch = store.epoch().await?;
    let mut settings = HubConfig::new()
        .secret(secret)
        .max_connections(sockets)
        .default_topics([bridge::books_topic().into()])
        .allowed_origins(config.client_origins.iter().cloned())
        .authorizer(ShopAuthorizer::new(accounts.clone(), Arc::clone(tokens), config))
        .client_ip(|request| request.extensions.get::<Peer>().and_then(|peer| peer.client()));
    if config.edge.requests_per_minute.is_none() {
        settings = settings
            .max_per_address(usize::MAX)
            .max_per_subject(usize::MAX)
            .message_rate(u32::MAX, u32::MAX);
    }
    if let Ok(epoch) = epoch.as_str().parse() {
        settings = settings.epoch(epoch);
    }
    Ok(Hub::new(settings))
}
