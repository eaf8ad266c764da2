//! A way to a database that writes down which commands come along it (OP_MSG of MongoDB's wire
//! protocol).

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
};

use mongodb::bson::{Bson, Document};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, copy},
    net::{TcpListener, TcpStream},
};

/// The operation that carries a command.
const OP_MSG: i32 = 2013;

/// Of what the driver adds to each command the shop says nothing.
const ADDED: [&str; 5] = ["lsid", "$clusterTime", "txnNumber", "$db", "$readPreference"];

/// Passes on connections to a database, and keeps the commands.
#[derive(Debug)]
pub(crate) struct Spy {
    pub(crate) address: SocketAddr,
    seen: Arc<Mutex<Vec<Document>>>,
}

impl Spy {
    pub(crate) async fn on(database: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let seen = Arc::new(Mutex::new(Vec::new()));
        let all = Arc::clone(&seen);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let seen = Arc::clone(&all);
                tokio::spawn(async move { pass_on(client, database, &seen).await });
            }
        });
        Ok(Self { address, seen })
    }

    /// The commands since the last call that are about the shop's own things, in the order of their
    /// names: those of one request may come in any.
    pub(crate) fn take(&self) -> Vec<Document> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let mut commands: Vec<_> = seen.drain(..).filter(is_ours).collect();
        commands.sort_by_key(ToString::to_string);
        commands
    }
}

/// Whether it is for a request, and not by the feed or by the driver for itself.
fn is_ours(command: &Document) -> bool {
    let on = match command.get("collection") {
        Some(collection) => Some(collection),
        None => command.values().next(),
    };
    let ours = ["audit", "books", "sessions", "users"];
    matches!(on, Some(Bson::String(name)) if ours.contains(&name.as_str()))
}

async fn pass_on(
    client: TcpStream,
    database: SocketAddr,
    seen: &Mutex<Vec<Document>>,
) -> io::Result<()> {
    let database = TcpStream::connect(database).await?;
    client.set_nodelay(true)?;
    database.set_nodelay(true)?;
    let (mut requests, mut to_client) = client.into_split();
    let (mut answers, mut to_database) = database.into_split();
    let asking = async {
        loop {
            let length = requests.read_i32_le().await?;
            let rest = usize::try_from(length).map_err(io::Error::other)?.saturating_sub(4);
            let mut message = length.to_le_bytes().to_vec();
            message.resize(4 + rest, 0);
            requests.read_exact(&mut message[4..]).await?;
            if let Some(command) = command(&message) {
                seen.lock().unwrap_or_else(PoisonError::into_inner).push(command);
            }
            to_database.write_all(&message).await?;
        }
    };
    tokio::select! {
        ended = asking => ended,
        ended = copy(&mut answers, &mut to_client) => ended.map(drop),
    }
}

/// The command in a message: behind the header (16 bytes), the flags (4) and a section of kind 0.
fn command(message: &[u8]) -> Option<Document> {
    let operation = i32::from_le_bytes(message.get(12..16)?.try_into().ok()?);
    let (kind, body) = message.get(20..)?.split_first()?;
    let mut command =
        (operation == OP_MSG && *kind == 0).then(|| Document::from_reader(body).ok()).flatten()?;
    for name in ADDED {
        command.remove(name);
    }
    Some(command)
}
