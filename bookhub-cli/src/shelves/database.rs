//! The books straight in a database, by the rules of bookhub-core. It is opened when first asked.
//! Must not know who asks, nor how a database keeps books.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use bookhub_core::{
    Actor, BookDraft, BookId, BookPatch, BookQuery, Catalog, Invalid, MongoConfig, MongoStore,
};
use jiff::Timestamp;
use secrecy::ExposeSecret as _;
use serde_json::{Map, Value, json, value::to_raw_value};
use tokio::sync::OnceCell;

use super::{Book, INVALID_BOOK, Next, Page, Shelves};
use crate::{
    environment,
    error::{Error, Refusal, Result},
    printer::Printer,
    target::DatabaseUri,
};

/// A database, and who is told what should be known of it.
#[derive(Debug)]
pub(crate) struct Database {
    uri: DatabaseUri,
    timeout: Duration,
    printer: Printer,
    opened: OnceCell<Opened>,
    is_cautioned: AtomicBool,
}

#[derive(Debug)]
struct Opened {
    catalog: Catalog,
    name: String,
    /// Whether no server hears of what is written.
    is_unheard: bool,
}

impl Database {
    /// Nothing is asked yet.
    pub(crate) fn new(uri: DatabaseUri, timeout: Duration, printer: Printer) -> Self {
        let (opened, is_cautioned) = (OnceCell::new(), AtomicBool::new(false));
        Self { uri, timeout, printer, opened, is_cautioned }
    }

    async fn opened(&self) -> Result<&Opened> {
        self.opened.get_or_try_init(|| self.open()).await
    }

    async fn open(&self) -> Result<Opened> {
        let config = MongoConfig {
            patience: self.timeout,
            deadline: self.timeout,
            // Nobody here follows what changes.
            history: 1,
            refill: Duration::ZERO,
            ..MongoConfig::default()
        };
        let store = MongoStore::connect(self.uri.secret.expose_secret(), config).await?;
        let (name, is_unheard) = (store.whereabouts(), store.hears_only_itself());
        // Who has typed no flag may not expect it.
        if let Some(variable) = self.uri.variable {
            let sentence = format!("straight on the database {name}, as {variable} says");
            self.printer.note("database", &sentence, json!({ "database": name }));
        }
        let catalog = Catalog::new(Arc::new(store)).by(actor());
        Ok(Opened { catalog, name, is_unheard })
    }

    async fn to_read(&self) -> Result<&Catalog> {
        Ok(&self.opened().await?.catalog)
    }

    /// The catalogue to write to; the first time it is said what does not come of it.
    async fn to_write(&self) -> Result<&Catalog> {
        let Opened { catalog, is_unheard, .. } = self.opened().await?;
        if *is_unheard && !self.is_cautioned.swap(true, Ordering::Relaxed) {
            let sentence = "this database has no change streams: servers that run on it do not \
                            hear of this, and pages that are open do not show it. If it is \
                            FerretDB, stop them first: it can lose what two programs write at once";
            self.printer.warning("unheard", sentence, json!({}));
        }
        Ok(catalog)
    }
}

#[async_trait]
impl Shelves for Database {
    fn name(&self) -> String {
        let opened = self.opened.get();
        opened.map_or_else(|| "the database".to_owned(), |opened| opened.name.clone())
    }

    async fn page(&self, parameters: &[(&str, String)], next: Option<&Next>) -> Result<Page> {
        let cursor = next.map(|Next(cursor)| ("cursor", cursor));
        let parameters = parameters.iter().map(|(name, value)| (*name, value)).chain(cursor);
        let query = BookQuery::parse(parameters);
        let query = query.map_err(|invalid| Refusal::invalid("Invalid query", invalid))?;
        let page = self.to_read().await?.list(&query).await?;
        Ok(Page {
            books: page.books.iter().map(|book| shown(book)).collect::<Result<_>>()?,
            total: Some((page.total.count, page.total.exact)),
            next: page.next.map(|cursor| Next(cursor.to_string())),
        })
    }

    async fn book(&self, id: &str) -> Result<Book> {
        let (book, _) = self.to_read().await?.get(parse_id(id)?).await?;
        shown(&book)
    }

    async fn create(&self, fields: &Map<String, Value>) -> Result<Book> {
        let draft = BookDraft::from_json(fields).map_err(invalid_book)?;
        shown(&*self.to_write().await?.create(draft).await?)
    }

    async fn update(
        &self,
        id: &str,
        fields: &Map<String, Value>,
        version: Option<u64>,
    ) -> Result<Book> {
        let id = parse_id(id)?;
        let patch = BookPatch::from_json(fields).map_err(invalid_book)?;
        shown(&*self.to_write().await?.update(id, &patch, version).await?)
    }

    async fn delete(&self, id: &str) -> Result<()> {
        let id = parse_id(id)?;
        self.to_write().await?.delete(id, None).await?;
        Ok(())
    }
}

/// Whom the audit trail names: whoever has the database's password may say who they are.
fn actor() -> Actor {
    let user = environment::MACHINE_USER.iter().find_map(|name| environment::value(name));
    let user = user.map_or_else(|| "unknown".into(), |user| user.to_string_lossy().into_owned());
    Actor::command_line(&user)
}

/// What is no id names no book.
fn parse_id(text: &str) -> Result<BookId> {
    text.parse().map_err(|_| Refusal::no_such_book().into())
}

fn invalid_book(invalid: Invalid) -> Error {
    Refusal::invalid(INVALID_BOOK, invalid).into()
}

fn shown(book: &bookhub_core::Book) -> Result<Book> {
    let json = to_raw_value(&book.shown_at(Timestamp::now())).and_then(Book::try_from);
    json.map_err(|error| Error::local("show a book", error))
}
