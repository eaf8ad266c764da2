//! The databases under test, as tests/run has built them, each on a port of the system's choice.

use std::{
    env,
    io::{self, BufRead as _, BufReader},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::OnceLock,
};

use tempfile::TempDir;

/// A database server that ends with the process that started it: it reads from a pipe that closes
/// then.
#[derive(Debug)]
pub struct Database {
    process: Child,
    uri: String,
    /// Where a durable one keeps its data.
    data: Option<TempDir>,
}

impl Database {
    /// The mongo-java-server, which has change streams and forgets everything at its end.
    ///
    /// # Panics
    /// If it does not start.
    #[must_use]
    pub fn java_server() -> Self {
        Self::java_server_within("512m")
    }

    /// The same with so much memory, as Java says it: it keeps everything there.
    ///
    /// # Panics
    /// If it does not start.
    #[must_use]
    pub fn java_server_within(memory: &str) -> Self {
        let built = built().join("mongo-java-server");
        let classes = format!("{0}/classes:{0}/lib/*", built.display());
        let mut java = Command::new("java");
        let (process, uri) = start(
            java.arg(format!("-Xmx{memory}"))
                // Whoever waits for changes holds a thread, and the connections that share it.
                .arg("-Dio.netty.eventLoopThreads=64")
                .args(["-cp", &classes, "bookhub.Main"]),
        );
        Self { process, uri, data: None }
    }

    /// A FerretDB with a new folder of its own, which has no change streams and is durable.
    ///
    /// # Panics
    /// If it does not start.
    #[must_use]
    pub fn ferretdb() -> Self {
        let data = tempfile::tempdir().expect("there is room for a folder");
        let (process, uri) = start(&mut ferretdb(data.path(), ([127, 0, 0, 1], 0).into()));
        Self { process, uri, data: Some(data) }
    }

    /// The id of its process.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Kills it with no warning.
    ///
    /// # Errors
    /// If that fails.
    pub fn kill(&mut self) -> io::Result<()> {
        self.process.kill()?;
        self.process.wait().map(drop)
    }

    /// Starts a durable one that was killed again: where it was, on what it had stored.
    ///
    /// # Panics
    /// If it does not start.
    pub fn restart(&mut self) {
        let data = self.data.as_ref().expect("it is durable").path();
        (self.process, self.uri) = start(&mut ferretdb(data, self.address()));
    }

    /// Where it listens.
    ///
    /// # Panics
    /// If it has said something else than an address.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        let address = self.uri.trim_start_matches("mongodb://").trim_end_matches('/');
        address.parse().expect("the database says where it is")
    }

    /// The connection string of a database on it.
    #[must_use]
    pub fn uri(&self, database: &str) -> String {
        format!("{}{database}", self.uri)
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let _ = self.kill();
    }
}

/// The one mongo-java-server of this process.
pub fn java_server() -> &'static Database {
    static SERVER: OnceLock<Database> = OnceLock::new();
    SERVER.get_or_init(Database::java_server)
}

/// The one FerretDB of this process.
pub fn ferret() -> &'static Database {
    static SERVER: OnceLock<Database> = OnceLock::new();
    SERVER.get_or_init(Database::ferretdb)
}

/// Starts a database, and reads from it where it is.
fn start(command: &mut Command) -> (Child, String) {
    let started = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let mut process = started.expect("the database starts: run tests/run, which builds it");
    let stdout = process.stdout.take().expect("stdout is piped");
    let mut uri = String::new();
    BufReader::new(stdout).read_line(&mut uri).expect("the database says where it is");
    assert!(uri.starts_with("mongodb://"), "the database says where it is: {uri:?}");
    (process, uri.trim().to_owned())
}

fn ferretdb(data: &Path, address: SocketAddr) -> Command {
    let mut command = Command::new(built().join("ferretdb"));
    command.arg(data).arg(address.to_string());
    command
}

/// Where tests/run has put them.
fn built() -> PathBuf {
    let folder = env::var_os("BOOKHUB_TEST_DATABASES").map(PathBuf::from);
    folder.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/databases"))
}
