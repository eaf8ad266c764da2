//! The way to the server: what the connection string says, and the first answer.

use std::time::Duration;

use mongodb::{
    Client, Database,
    bson::doc,
    error::ErrorKind,
    options::{ClientOptions, ReadConcern, ReadPreference, WriteConcern},
};
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::{MongoConfig, error};
use crate::error::StoreError;

/// How long to wait between two tries, at first and at most.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// For how long one try waits for a server.
const TRY: Duration = Duration::from_millis(1_500);

/// Connects, and waits until the server has answered once. Returns also which hosts the string names.
pub(super) async fn connect(
    uri: &str,
    config: &MongoConfig,
) -> Result<(Database, String), StoreError> {
    let mut tries = Tries::new(config.patience);
    let mut options = options(uri, &mut tries).await?;
    options.app_name.get_or_insert_with(|| "bookhub".to_owned());
    // Why a server is not reached is known only when a try has ended: one at least must end in time.
    let selection = TRY.min(tries.patience / 2);
    options.server_selection_timeout.get_or_insert(selection);
    options.connect_timeout.get_or_insert(TRY);
    // What was acknowledged must be there after a failover, and a read sees it at once.
    options.write_concern.get_or_insert_with(WriteConcern::majority);
    options.read_concern.get_or_insert_with(ReadConcern::local);
    // What another member has may be older than what the feed has told.
    options.selection_criteria = Some(ReadPreference::Primary.into());
    let hosts: Vec<_> = options.hosts.iter().map(ToString::to_string).collect();
    let hosts = hosts.join(", ");
    let name = options.default_database.clone().unwrap_or_else(|| config.database.clone());
    let refused = |error: mongodb::error::Error| StoreError::Misconfigured(error.to_string());
    let client = Client::with_options(options).map_err(refused)?;
    let database = client.database(&name);
    wait(&database, &hosts, &mut tries).await?;
    tracing::info!(hosts, database = name, "the database answers");
    Ok((database, hosts))
}

/// Does what may take long, for as long as the server answers.
pub(super) async fn while_it_answers<T>(
    database: &Database,
    patience: Duration,
    work: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    let falls_silent = async {
        let mut heard = Instant::now();
        while heard.elapsed() < patience {
            sleep(TRY).await;
            let ping = database.run_command(doc! { "ping": 1 });
            if let Ok(Ok(_)) = timeout(TRY * 2, ping.into_future()).await {
                heard = Instant::now();
            }
        }
    };
    tokio::select! {
        biased;
        done = work => done,
        () = falls_silent => {
            Err(StoreError::unavailable("it has stopped to answer while it was made ready"))
        }
    }
}

/// Reads the connection string; for `mongodb+srv` that asks the DNS, which may need a second try.
async fn options(uri: &str, tries: &mut Tries) -> Result<ClientOptions, StoreError> {
    loop {
        let read = async { ClientOptions::parse(uri).await };
        let failure = match timeout_at(tries.end, read).await {
            Ok(Ok(options)) => return Ok(options),
            Ok(Err(failure)) => failure,
            Err(_) => {
                let problem = "the name in its connection string is not resolved in time";
                return Err(StoreError::unavailable(problem));
            }
        };
        // What the driver says of a string that it cannot read may repeat parts of it.
        let ErrorKind::DnsResolve { message, .. } = &*failure.kind else {
            let form = "mongodb://user:password@host:27017/database or mongodb+srv://…";
            return Err(StoreError::Misconfigured(format!(
                "the connection string cannot be read: it has the form {form}, with what is \
                 special in user and password percent-encoded"
            )));
        };
        if !tries.another("of the connection string", message).await {
            let problem = format!("the name in its connection string has no servers: {message}");
            return Err(StoreError::unavailable(problem));
        }
    }
}

/// Waits until the server answers.
async fn wait(database: &Database, hosts: &str, tries: &mut Tries) -> Result<(), StoreError> {
    let mut failure = "no answer".to_owned();
    loop {
        let ping = database.run_command(doc! { "ping": 1 });
        let enough = tries.end.min(Instant::now() + TRY * 2);
        match timeout_at(enough, async { ping.await }).await {
            Ok(Ok(_)) => return Ok(()),
            Ok(Err(error)) => match error::of_store(error) {
                StoreError::Unavailable(cause) => failure = cause.to_string(),
                other => return Err(other),
            },
            // A try that had to end knows no more than the one before.
            Err(_) => {}
        }
        if !tries.another(hosts, &failure).await {
            let seconds = tries.patience.as_secs_f64();
            return Err(StoreError::unavailable(format!(
                "{hosts} was tried for {seconds} s ({failure}): see that it runs, and that the \
                 connection string names it"
            )));
        }
    }
}

/// How often something is tried, with growing pauses.
struct Tries {
    patience: Duration,
    end: Instant,
    pause: Duration,
}

impl Tries {
    fn new(patience: Duration) -> Self {
        let patience = patience.max(FIRST_PAUSE);
        Self { patience, end: Instant::now() + patience, pause: FIRST_PAUSE }
    }

    /// Waits before the next try, if there is one.
    async fn another(&mut self, hosts: &str, failure: &str) -> bool {
        if Instant::now() + self.pause >= self.end {
            return false;
        }
        tracing::warn!(error = failure, hosts, "the database does not answer yet");
        sleep(self.pause).await;
        self.pause = LONGEST_PAUSE.min(self.pause * 2);
        true
    }
}
