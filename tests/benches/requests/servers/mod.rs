//! The servers that are compared: each a process of its own on the first core.

pub(crate) mod bare;
mod express;

use std::{fs, process::Stdio};

use anyhow::{Context as _, Result};
use bookhub_tests::Server;
use serde_json::Value;
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, Command},
};

use crate::{load::Asked, options::Options, progress};

/// Who answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Shop,
    Bare,
    Express,
}

impl Kind {
    pub(crate) const ALL: [Self; 3] = [Self::Shop, Self::Bare, Self::Express];
}

/// All of them, with the same books.
#[derive(Debug)]
pub(crate) struct Servers {
    shop: Server,
    book: String,
    bare: Process,
    express: Option<Process>,
    _answers: TempDir,
}

impl Servers {
    /// Starts the shop as it is by itself, and gives the others what it answers.
    pub(crate) async fn start(options: &Options) -> Result<Self> {
        let log = options.log.as_ref().map(|log| ("LOG", log.as_str()));
        // The one core that they get they get from their parent.
        let pinned = Pinned::to_servers_core()?;
        let shop = Server::with(&[], &log.into_iter().collect::<Vec<_>>()).await?;
        let answers = tempfile::tempdir()?;
        let page = reqwest::get(format!("{}/api/books", shop.url)).await?.bytes().await?;
        let books: Vec<Value> = serde_json::from_slice(&page)?;
        let id = books.first().and_then(|book| book["id"].as_str()).context("a book")?;
        let book = format!("/api/books/{id}");
        let one = reqwest::get(format!("{}{book}", shop.url)).await?.bytes().await?;
        fs::write(answers.path().join("page.json"), &page)?;
        fs::write(answers.path().join("book.json"), &one)?;
        progress(&format!(
            "one book is {} bytes, a page of {} is {}",
            one.len(),
            books.len(),
            page.len()
        ));
        let bare = Process::start(bare::command(answers.path())?).await?;
        let express = match options.no_express {
            true => None,
            false => Some(Process::start(express::command(answers.path()).await?).await?),
        };
        drop(pinned);
        Ok(Self { shop, book, bare, express, _answers: answers })
    }

    /// Where a server is asked; nothing if it is left out.
    pub(crate) fn url(&self, kind: Kind, asked: Asked) -> Option<String> {
        let base = match kind {
            Kind::Shop => &self.shop.url,
            Kind::Bare => &self.bare.url,
            Kind::Express => &self.express.as_ref()?.url,
        };
        let path = match asked {
            Asked::Book => &*self.book,
            Asked::Page => "/api/books",
        };
        Some(format!("{base}{path}"))
    }
}

/// A server that says on its first line where it listens; it ends with this.
#[derive(Debug)]
struct Process {
    url: String,
    _child: Child,
}

impl Process {
    async fn start(mut command: Command) -> Result<Self> {
        let mut child = command.stdout(Stdio::piped()).kill_on_drop(true).spawn()?;
        let stdout = child.stdout.take().context("its output is piped")?;
        let line = BufReader::new(stdout).lines().next_line().await?;
        Ok(Self { url: line.context("it says where it listens")?, _child: child })
    }
}

/// While this exists, what is started runs on the core of the servers; the load keeps the other.
struct Pinned;

impl Pinned {
    fn to_servers_core() -> Result<Self> {
        crate::load::pin(0)?;
        Ok(Self)
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        if let Err(error) = crate::load::pin(1) {
            progress(&format!("the load shares the core of the servers: {error}"));
        }
    }
}
