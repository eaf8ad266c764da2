//! A shop on each backend: its database, filled, and its server.

use std::{env, fs, net::SocketAddr, process, time::Duration};

use anyhow::{Context as _, Result};
use bookhub_core::Book;
use bookhub_tests::{Database, Server};
use clap::ValueEnum;
use mongodb::{Client, options::ClientOptions};
use serde_json::json;
use tempfile::NamedTempFile;
use tokio::time::sleep;

use crate::{bare, fill, meter::Meter, options::Options, progress};

/// Names a MongoDB server to measure, as for the tests.
const MONGODB: &str = "BOOKHUB_TEST_MONGODB_URI";

/// For how long it is looked whether a database works.
const GLANCE: Duration = Duration::from_millis(500);

/// Where the books are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Backend {
    Memory,
    MongoJavaServer,
    Ferretdb,
    Mongodb,
}

impl Backend {
    pub(crate) const fn label(self) -> &'static str {
        match self {
            Self::Memory => "in memory",
            Self::MongoJavaServer => "mongo-java-server",
            Self::Ferretdb => "FerretDB on SQLite",
            Self::Mongodb => "MongoDB",
        }
    }
}

/// A server with its books, and what is known of it.
#[derive(Debug)]
pub(crate) struct Shop {
    pub(crate) server: Server,
    pub(crate) address: SocketAddr,
    pub(crate) token: String,
    pub(crate) sample: Vec<Book>,
    pub(crate) store: Option<Kept>,
}

/// A database that keeps the books.
#[derive(Debug)]
pub(crate) struct Kept {
    pub(crate) uri: String,
    pub(crate) address: SocketAddr,
    /// What calls the driver and does nothing else.
    pub(crate) bare: bare::Process,
    /// Removed at the end.
    _sample: NamedTempFile,
    /// Ends with this, if it was started for it.
    database: Option<Database>,
}

impl Shop {
    /// Opens a shop with so many books; none without any, or where there is no such database.
    pub(crate) async fn open(
        backend: Backend,
        books: usize,
        options: &Options,
    ) -> Result<Option<Self>> {
        if books == 0 {
            return Ok(None);
        }
        progress(&format!("{}, {books} books", backend.label()));
        let database = match backend {
            Backend::Memory => return Self::in_memory(books, options).await.map(Some),
            Backend::MongoJavaServer => Some(Database::java_server_within("3g")),
            Backend::Ferretdb => Some(Database::ferretdb()),
            Backend::Mongodb => None,
        };
        let name = format!("bench_{}", process::id());
        let uri = match (&database, env::var(MONGODB)) {
            (Some(database), _) => database.uri(&name),
            (None, Ok(uri)) => named(&uri, &name),
            (None, Err(_)) => {
                progress(&format!("  skipped: {MONGODB} names none"));
                return Ok(None);
            }
        };
        let host = ClientOptions::parse(&uri).await?.hosts.into_iter().next().context("a host")?;
        let address = tokio::net::lookup_host(host.to_string()).await?.next().context("a host")?;
        let sample = fill::database(&uri, books).await?;
        let server = server(&[("MONGODB_URI", &uri)], options).await?;
        let token = server.admin().await?.token;
        let file = NamedTempFile::new()?;
        fs::write(file.path(), json!(sample).to_string())?;
        let bare = bare::Process::start(&uri, file.path()).await?;
        let store = Kept { uri, address, bare, _sample: file, database };
        let shop = Self::new(server, token, sample, Some(store))?;
        // It has told the server of every book that was made.
        shop.is_calm().await?;
        Ok(Some(shop))
    }

    async fn in_memory(books: usize, options: &Options) -> Result<Self> {
        let server = server(&[("SAMPLE_CATALOGUE", "false")], options).await?;
        let token = server.admin().await?.token;
        let sample = fill::server(address(&server)?, &token, books).await?;
        Self::new(server, token, sample, None)
    }

    fn new(server: Server, token: String, sample: Vec<Book>, store: Option<Kept>) -> Result<Self> {
        Ok(Self { address: address(&server)?, server, token, sample, store })
    }

    /// Waits until the database has nothing more to do, for two minutes at most.
    pub(crate) async fn is_calm(&self) -> Result<()> {
        let database = self.store.as_ref().and_then(|store| store.database.as_ref());
        let Some(database) = database else { return Ok(()) };
        for _ in 0..240 {
            let meter = Meter::start(database.id())?;
            sleep(GLANCE).await;
            if meter.taken()? < GLANCE / 5 {
                break;
            }
        }
        Ok(())
    }

    /// Removes what would be left in a database that others use.
    pub(crate) async fn close(self) -> Result<()> {
        self.server.terminate().await?;
        if let Some(store) = self.store {
            let database = Client::with_uri_str(&store.uri).await?.default_database();
            database.context("the string names one")?.drop().await?;
        }
        Ok(())
    }
}

/// A server as it is by itself, but for what it logs.
async fn server(environment: &[(&str, &str)], options: &Options) -> Result<Server> {
    let log = options.log.as_ref().map(|log| ("LOG", log.as_str()));
    let environment: Vec<_> = environment.iter().copied().chain(log).collect();
    Server::with(&[], &environment).await
}

/// Where a server listens.
pub(crate) fn address(server: &Server) -> Result<SocketAddr> {
    server.url.strip_prefix("http://").context("it speaks HTTP")?.parse().context("an address")
}

/// The connection string with the name of a database in it.
fn named(uri: &str, name: &str) -> String {
    let (whole, options) = uri.split_once('?').unwrap_or((uri, ""));
    let (scheme, hosts) = whole.split_once("://").unwrap_or(("mongodb", whole));
    let hosts = hosts.split('/').next().unwrap_or_default();
    format!("{scheme}://{hosts}/{name}?{options}")
}
