//! The way to the server: what the connection string says, and the first answer.

use std::time::Duration;

use mongodb::{
    Client, Database,
    bson::doc,
    error::ErrorKind,
    options::{ClientOptions, ReadConcern, ReadPreference, WriteConcern},
};
use tokio::time::{Instant, sleep, timeout};

use super::{MongoConfig, error};
use crate::error::StoreError;

/// How long to wait between two tries, at first and at most.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// For how long one try waits for a server.
const TRY: Duration = Duration::from_millis(1_500);

/// Connects, and waits until the server has answered once.
pub(super) async fn connect(uri: &str, config: &MongoConfig) -> Result<Database, StoreError> {
    // What the driver says of a string that it cannot read may repeat parts of it.
    let unreadable = |error: mongodb::error::Error| {
        if let ErrorKind::DnsResolve { message, .. } = &*error.kind {
            return StoreError::unavailable(format!("its name cannot be resolved: {message}"));
        }
        let form = "mongodb://user:password@host:27017/database or mongodb+srv://…";
        StoreError::Misconfigured(format!(
            "the connection string cannot be read: it has the form {form}, with what is special \
             in user and password percent-encoded"
        ))
    };
    let mut options = ClientOptions::parse(uri).await.map_err(unreadable)?;
    options.app_name.get_or_insert_with(|| "bookhub".to_owned());
    options.server_selection_timeout.get_or_insert(TRY);
    options.connect_timeout.get_or_insert(TRY);
    // What was acknowledged must be there after a failover, and a read sees it at once.
    options.write_concern.get_or_insert_with(WriteConcern::majority);
    options.read_concern.get_or_insert_with(ReadConcern::local);
    // What another member has may be older than what the feed has told.
    options.selection_criteria = Some(ReadPreference::Primary.into());
    let hosts: Vec<_> = options.hosts.iter().map(ToString::to_string).collect();
    let name = options.default_database.clone().unwrap_or_else(|| config.database.clone());
    let refused = |error: mongodb::error::Error| StoreError::Misconfigured(error.to_string());
    let client = Client::with_options(options).map_err(refused)?;
    let database = client.database(&name);
    wait(&database, &hosts.join(", "), config.patience).await?;
    tracing::info!(hosts = hosts.join(", "), database = name, "the database answers");
    Ok(database)
}

/// Waits until the server answers, with growing pauses.
async fn wait(database: &Database, hosts: &str, patience: Duration) -> Result<(), StoreError> {
    let end = Instant::now() + patience;
    let mut pause = FIRST_PAUSE;
    loop {
        let ping = database.run_command(doc! { "ping": 1 });
        let failure = match timeout(TRY * 2, async { ping.await }).await {
            Ok(Ok(_)) => return Ok(()),
            Ok(Err(failure)) => match error::of_store(failure) {
                StoreError::Unavailable(cause) => cause.to_string(),
                other => return Err(other),
            },
            Err(_) => "no answer".to_owned(),
        };
        if Instant::now() + pause >= end {
            let seconds = patience.as_secs();
            return Err(StoreError::unavailable(format!(
                "{hosts} was tried for {seconds} s ({failure}): see that it runs, and that the \
                 connection string names it"
            )));
        }
        tracing::warn!(error = %failure, hosts, "the database does not answer yet");
        sleep(pause).await;
        pause = LONGEST_PAUSE.min(pause * 2);
    }
}
