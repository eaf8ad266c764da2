//! What is counted, for Prometheus. The hub counts for itself, through the same facade
//! (`bookhub-realtime`, guide, "Operation").

use std::{
    collections::HashMap,
    sync::{LazyLock, OnceLock, PoisonError, RwLock},
    time::Duration,
};

use axum::http::Method;
use metrics::{
    Histogram, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram,
};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

const REQUESTS: &str = "http_request_duration_seconds";
const EVENTS: &str = "book_events_total";
const SOCKETS: &str = "websocket_connections_active";

/// From half a millisecond, which is a slow answer from memory, to what nobody waits for.
const BUCKETS: &[f64] =
    &[0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

static RECORDER: OnceLock<Option<PrometheusHandle>> = OnceLock::new();

/// The meters of the requests, by method, status and route. To look one up here costs a fraction of
/// what the facade takes to put its labels together.
static REQUEST_METERS: LazyLock<RwLock<Meters>> = LazyLock::new(RwLock::default);

type Meters = HashMap<(&'static str, u16), HashMap<Box<str>, Histogram>>;

/// Begins to count, once in a process. `None` if another part of the process counts already.
pub(crate) fn start() -> Option<&'static PrometheusHandle> {
    RECORDER.get_or_init(install).as_ref()
}

fn install() -> Option<PrometheusHandle> {
    let matcher = Matcher::Full(REQUESTS.to_owned());
    let recorder = PrometheusBuilder::new().set_buckets_for_metric(matcher, BUCKETS);
    let recorder = match recorder {
        Ok(builder) => builder.build_recorder(),
        Err(error) => {
            tracing::error!(%error, "nothing is counted");
            return None;
        }
    };
    let handle = recorder.handle();
    if let Err(error) = metrics::set_global_recorder(recorder) {
        tracing::warn!(%error, "nothing is counted for /metrics");
        return None;
    }
    describe_histogram!(REQUESTS, "How long requests took, by method, route and status.");
    describe_counter!(EVENTS, "Events of books that were told, by type.");
    describe_gauge!(SOCKETS, "WebSockets that are open.");
    describe_gauge!("store_up", "Whether the store answers.");
    describe_gauge!("store_books", "Books in the catalogue.");
    describe_gauge!("tokio_tasks_alive", "Tasks of the runtime that have not ended.");
    describe_gauge!("process_open_fds", "Files and sockets that are open.");
    describe_gauge!("process_resident_memory_bytes", "Memory of the process.");
    Some(handle)
}

/// A request was answered.
pub(crate) fn request(method: &Method, route: &str, status: u16, took: Duration) {
    let place = (known(method), status);
    let meters = REQUEST_METERS.read().unwrap_or_else(PoisonError::into_inner);
    let meter = meters.get(&place).and_then(|meters| meters.get(route)).cloned();
    drop(meters);
    let meter = meter.unwrap_or_else(|| {
        let (method, status) = place;
        let labels = [
            ("method", method.to_owned()),
            ("route", route.to_owned()),
            ("status", status.to_string()),
        ];
        let meter = histogram!(REQUESTS, &labels);
        let mut meters = REQUEST_METERS.write().unwrap_or_else(PoisonError::into_inner);
        meters.entry(place).or_default().insert(route.into(), meter.clone());
        meter
    });
    meter.record(took.as_secs_f64());
}

/// The name of a method; those that clients make up are one, lest each made a meter of its own.
const fn known(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

/// An event of a book was told.
pub(crate) fn book_event(event: &str) {
    counter!(EVENTS, "event_type" => event.to_owned()).increment(1);
}

/// Puts what was measured into its buckets, which nobody else does while nobody asks.
pub(crate) fn tidy() {
    if let Some(handle) = start() {
        handle.run_upkeep();
    }
}

/// What is looked up when somebody asks.
pub(crate) fn sample(sockets: usize, books: Option<u64>) {
    gauge!(SOCKETS).set(precise(sockets as u64));
    gauge!("store_up").set(if books.is_some() { 1.0 } else { 0.0 });
    if let Some(books) = books {
        gauge!("store_books").set(precise(books));
    }
    let tasks = tokio::runtime::Handle::current().metrics().num_alive_tasks();
    gauge!("tokio_tasks_alive").set(precise(tasks as u64));
    if let Some(files) = open_files() {
        gauge!("process_open_fds").set(precise(files));
    }
    if let Some(bytes) = resident_bytes() {
        gauge!("process_resident_memory_bytes").set(precise(bytes));
    }
}

/// Numbers of things and bytes are far below what a double cannot tell apart.
#[expect(clippy::cast_precision_loss, reason = "see above")]
const fn precise(number: u64) -> f64 {
    number as f64
}

/// The files that the process has open, where the system says so as Linux does.
fn open_files() -> Option<u64> {
    Some(std::fs::read_dir("/proc/self/fd").ok()?.count().saturating_sub(1) as u64)
}

/// The memory of the process, where the system says so as Linux does.
fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.trim().trim_end_matches("kB").trim().parse::<u64>().ok()? * 1024)
}
