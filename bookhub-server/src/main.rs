//! The binary: settings, logging, a listener, and an exit code.

mod log_lines;

use std::{
    env,
    io::{self, IsTerminal as _},
    process::ExitCode,
};

use bookhub_core::StoreError;
use bookhub_server::{Args, Config, Server, StartError};
use clap::Parser as _;
use mimalloc::MiMalloc;
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};
use tracing_subscriber::EnvFilter;

use crate::log_lines::LogLines;

/// A page of books is hundreds of small allocations: this one makes them in half the time.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

const FAILED: u8 = 1;
const WRONG_SETTINGS: u8 = 3;
const CANNOT_LISTEN: u8 = 4;
const NO_DATABASE: u8 = 5;

/// What is said to the operator, and the exit code that goes with it.
type Failure = (u8, String);

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err((code, sentence)) => {
            #[expect(clippy::print_stderr, reason = "the one sentence for the operator")]
            {
                eprintln!("bookhub-server: {sentence}");
            }
            ExitCode::from(code)
        }
    }
}

async fn run() -> Result<(), Failure> {
    let args = Args::parse();
    // What is not Unicode is not ours.
    let environment = env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    let config =
        Config::load(&args, &environment).map_err(|error| (WRONG_SETTINGS, error.to_string()))?;
    let log = LogLines::start().map_err(|error| (FAILED, error.to_string()))?;
    start_logging(&config, &log)?;

    let cannot_listen = |error: io::Error| (CANNOT_LISTEN, listen_failure(&config, &error));
    let listener = TcpListener::bind(config.address).await.map_err(cannot_listen)?;
    let address = listener.local_addr().map_err(cannot_listen)?;
    let shutdown = shutdown().map_err(|error| (FAILED, error.to_string()))?;
    let environment = config.environment.as_str();
    let outside = config.public_origin.clone();
    let server =
        Server::start(config).await.map_err(|error| (start_code(&error), error.to_string()))?;
    if let Some(path) = server.setup() {
        let shop = outside.unwrap_or_else(|| format!("http://{address}"));
        tracing::warn!("there is no administrator: make the first one at {shop}{path}");
    }
    tracing::info!(environment, "the shop is open at http://{address}");
    server.serve(listener, shutdown).await;
    tracing::info!("stopped");
    Ok(())
}

const fn start_code(error: &StartError) -> u8 {
    match error {
        StartError::Store(StoreError::Misconfigured(_)) => WRONG_SETTINGS,
        StartError::Store(StoreError::Unavailable(_)) => NO_DATABASE,
        _ => FAILED,
    }
}

fn start_logging(config: &Config, log: &LogLines) -> Result<(), Failure> {
    let filter = EnvFilter::try_new(&config.log).map_err(|error| {
        (WRONG_SETTINGS, format!("LOG is {:?}, which is no filter: {error}.", config.log))
    })?;
    let logging = tracing_subscriber::fmt().with_env_filter(filter).with_writer(log.maker());
    if config.log_json {
        logging.json().init();
    } else {
        // Colours are for people, and only where they want them.
        let colours = io::stderr().is_terminal() && env::var_os("NO_COLOR").is_none();
        logging.with_target(false).with_ansi(colours).init();
    }
    Ok(())
}

fn listen_failure(config: &Config, error: &io::Error) -> String {
    let address = config.address;
    match error.kind() {
        io::ErrorKind::AddrInUse => format!(
            "Port {} of {} is in use: stop the other program, or choose another port with --port.",
            address.port(),
            address.ip()
        ),
        io::ErrorKind::PermissionDenied => format!(
            "Port {} may not be used without rights: choose one above 1023 with --port.",
            address.port()
        ),
        _ => format!("Cannot listen on {address}: {error}. Choose another address with --host."),
    }
}

/// Waits for Ctrl-C or the signal that service managers send.
fn shutdown() -> io::Result<impl Future<Output = ()>> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}
