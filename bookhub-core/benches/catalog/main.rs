//! How quick the catalogue in memory is at 1 k to 1 M books, and how much memory a book takes.
//!
//! `cargo bench -p bookhub-core` prints a Markdown table of p50 / p99;
//! `cargo bench -p bookhub-core -- --quick` stops at 100 k books, and
//! `cargo bench -p bookhub-core -- --dashboard` asks the dashboard of a million orders instead.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a benchmark prints its figures")]

mod dashboard;
mod measure;
mod scenarios;
mod synthetic;

use std::{env, time::Instant};

use bookhub_core::{Catalog, MemoryStore};
use measure::resident;
use scenarios::{Bench, now};
use synthetic::Library;

fn main() {
    let asked = |flag: &str| env::args().any(|argument| argument == flag);
    if asked("--dashboard") {
        return table(&[30, 365], |days| format!("over {days} days"), dashboard::measure);
    }
    let sizes: &[usize] = match asked("--quick") {
        true => &[1_000, 10_000, 100_000],
        false => &[1_000, 10_000, 100_000, 1_000_000],
    };
    table(sizes, |size| format!("{} k", size / 1000), measure);
}

/// Prints a column for each of these.
fn table<T: Copy>(
    columns: &[T],
    head: impl Fn(T) -> String,
    measure: impl Fn(T) -> Vec<(&'static str, String)>,
) {
    let mut rows: Vec<(&str, Vec<String>)> = Vec::new();
    for column in columns {
        let cells = measure(*column);
        rows.resize_with(cells.len(), || ("", Vec::new()));
        for ((name, row), (cell_name, cell)) in rows.iter_mut().zip(cells) {
            *name = cell_name;
            row.push(cell);
        }
    }
    let heads: Vec<_> = columns.iter().map(|column| head(*column)).collect();
    println!("| p50 / p99 | {} |", heads.join(" | "));
    println!("|---|{}", "---:|".repeat(columns.len()));
    for (name, row) in rows {
        println!("| {name} | {} |", row.join(" | "));
    }
}

fn measure(size: usize) -> Vec<(&'static str, String)> {
    let mut library = Library::new();
    let empty = resident();
    let catalog = Catalog::new(MemoryStore::shared());
    let start = Instant::now();
    for batch in 0..size.div_ceil(50_000) {
        let count = 50_000.min(size - batch * 50_000);
        let drafts = (0..count).map(|_| library.draft()).collect();
        let created = now(catalog.create_many(drafts)).expect("created");
        assert!(created.iter().all(Result::is_ok), "every synthetic book is good");
    }
    let loading = start.elapsed();
    let bytes = resident().saturating_sub(empty) / size as u64;
    eprintln!("{size} books loaded in {loading:?}, {bytes} bytes each");
    let bench = Bench::new(catalog, library);
    let mut cells = vec![
        ("load all, by 50,000", format!("{:.2} s", loading.as_secs_f64())),
        ("memory per book", format!("{bytes} B")),
    ];
    cells.extend(bench.pages());
    cells.extend(bench.searches());
    cells.extend(bench.reads_beside_a_writer());
    cells.extend(bench.writes());
    cells
}
