//! Medians of the runs, as Markdown.

use std::fmt::{self, Write as _};

use crate::{
    run::{Figures, Sample},
    servers::Kind,
};

/// One table, with the sentence above it.
pub(crate) struct Table {
    title: String,
    heads: &'static [&'static str],
    rows: Vec<(Kind, Vec<String>)>,
}

/// The columns of what is published at a pace, and their cells.
const PACED: &[&str] =
    &["CPU µs a delivery", "÷ floor", "p50", "p99", "÷ floor", "max", "lost", "core not had"];

fn paced(row: &Row) -> Vec<String> {
    vec![
        row.cpu(),
        row.cpu_ratio(),
        row.p50(),
        row.p99(),
        row.p99_ratio(),
        row.max(),
        row.lost(),
        row.waited(),
    ]
}

/// What costs with many topics are compared with.
const ONE_TOPIC: &str = "÷ one topic";

/// The figures of one case.
type Pick = fn(&Sample) -> Option<Figures>;

impl Table {
    pub(crate) fn all(samples: &[Sample]) -> Vec<Self> {
        let mut clients: Vec<usize> = samples.iter().map(|sample| sample.clients).collect();
        clients.dedup();
        clients.sort_unstable();
        clients.dedup();
        let mut tables: Vec<Self> = Vec::new();
        for clients in clients {
            let of_size: Vec<&Sample> =
                samples.iter().filter(|sample| sample.clients == clients).collect();
            tables.extend(Self::of_clients(clients, &Medians(of_size)));
        }
        // One topic by itself is compared with nothing.
        tables.retain(|table| match table.heads.get(1) {
            Some(&ONE_TOPIC) => table.rows.len() > 1,
            _ => !table.rows.is_empty(),
        });
        tables
    }

    fn of_clients(clients: usize, medians: &Medians<'_>) -> [Self; 5] {
        let rate = medians.0.iter().find(|sample| sample.server.with_one_topic().is_none());
        let rate = rate.map_or(0.0, |sample| sample.rate);
        [
            Self {
                title: format!("Steady: {clients} clients, {rate:.1} events a second"),
                heads: PACED,
                rows: medians.rows(|sample| sample.steady, Kind::Floor, paced),
            },
            Self {
                title: format!("Burst: {clients} clients, 100 events at a time"),
                heads: &[
                    "CPU µs a delivery",
                    "÷ coalescing floor",
                    "deliveries a second",
                    "lost",
                    "core not had",
                ],
                rows: medians.rows(
                    |sample| sample.burst,
                    Kind::FloorCoalescing,
                    |row| vec![row.cpu(), row.cpu_ratio(), row.pace(), row.lost(), row.waited()],
                ),
            },
            Self {
                title: format!("Stream: {clients} clients, each event on the last one's answer"),
                heads: PACED,
                rows: medians.rows(|sample| sample.stream, Kind::Floor, paced),
            },
            Self {
                title: format!("Topics: {clients} clients, as many deliveries a second"),
                heads: &["CPU µs a delivery", ONE_TOPIC, "p50", "p99", "lost", "core not had"],
                rows: medians.topics(),
            },
            Self {
                title: format!("Idle: {clients} clients, welcomed"),
                heads: &["KiB a connection"],
                rows: medians.idle(),
            },
        ]
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n", self.title)?;
        writeln!(f, "| | {} |", self.heads.join(" | "))?;
        writeln!(f, "|---|{}", "---:|".repeat(self.heads.len()))?;
        for (server, cells) in &self.rows {
            writeln!(f, "| {} | {} |", server.label(), cells.join(" | "))?;
        }
        Ok(())
    }
}

/// The samples of all runs with one number of clients.
struct Medians<'a>(Vec<&'a Sample>);

impl Medians<'_> {
    fn servers(&self) -> Vec<Kind> {
        let mut servers: Vec<Kind> = Vec::new();
        for sample in &self.0 {
            if !servers.contains(&sample.server) {
                servers.push(sample.server);
            }
        }
        servers
    }

    fn figures(&self, server: Kind, pick: Pick) -> Vec<Figures> {
        self.0.iter().filter(|sample| sample.server == server).filter_map(|s| pick(s)).collect()
    }

    fn rows(
        &self,
        pick: Pick,
        base: Kind,
        cells: fn(&Row) -> Vec<String>,
    ) -> Vec<(Kind, Vec<String>)> {
        let base = self.figures(base, pick);
        let rows = self.servers().into_iter().map(|server| {
            let row = Row { own: self.figures(server, pick), base: base.clone() };
            (!row.own.is_empty()).then(|| (server, cells(&row)))
        });
        rows.flatten().collect()
    }

    /// Each server with many topics, below itself with one.
    fn topics(&self) -> Vec<(Kind, Vec<String>)> {
        let mut rows = Vec::new();
        for many in self.servers() {
            let Some(one) = many.with_one_topic() else {
                continue;
            };
            let base = self.figures(one, |sample| sample.steady);
            let own = self.figures(many, |sample| sample.topics);
            for (server, own) in [(one, base.clone()), (many, own)] {
                if own.is_empty() {
                    continue;
                }
                let row = Row { own, base: base.clone() };
                let cells =
                    [row.cpu(), row.cpu_ratio(), row.p50(), row.p99(), row.lost(), row.waited()];
                rows.push((server, cells.into()));
            }
        }
        rows
    }

    fn idle(&self) -> Vec<(Kind, Vec<String>)> {
        let rows = self.servers().into_iter().map(|server| {
            let own = self.0.iter().filter(|sample| sample.server == server);
            let idle: Vec<f64> = own.filter_map(|sample| sample.idle).collect();
            (!idle.is_empty()).then(|| (server, vec![format!("{:.2}", median(idle) / 1024.0)]))
        });
        rows.flatten().collect()
    }
}

/// The runs of one server, and of the one that it is compared with.
struct Row {
    own: Vec<Figures>,
    base: Vec<Figures>,
}

impl Row {
    fn cpu(&self) -> String {
        format!("{:.2}", median(self.own.iter().map(|run| run.cpu)))
    }

    fn cpu_ratio(&self) -> String {
        self.ratio(|run| run.cpu)
    }

    fn p99_ratio(&self) -> String {
        self.ratio(|run| run.report.p99 as f64)
    }

    fn ratio(&self, value: fn(&Figures) -> f64) -> String {
        if self.base.is_empty() {
            return "".to_owned();
        }
        let base = median(self.base.iter().map(value));
        format!("{:.2}", median(self.own.iter().map(value)) / base)
    }

    fn p50(&self) -> String {
        self.time(|run| run.report.p50)
    }

    fn p99(&self) -> String {
        self.time(|run| run.report.p99)
    }

    fn max(&self) -> String {
        self.time(|run| run.report.max)
    }

    fn time(&self, value: fn(&Figures) -> u64) -> String {
        format!("{:.2} ms", median(self.own.iter().map(|run| value(run) as f64)) / 1e6)
    }

    fn pace(&self) -> String {
        format!("{:.0}", median(self.own.iter().map(|run| run.pace)))
    }

    /// How much of the time that the server needed its core others had it.
    fn waited(&self) -> String {
        format!("{:.0} %", 100.0 * median(self.own.iter().map(|run| run.waited)))
    }

    /// The worst run counts: nothing may be lost.
    fn lost(&self) -> String {
        let mut text = String::new();
        let worst = self.own.iter().max_by_key(|run| run.report.lost);
        if let Some(Figures { report, .. }) = worst {
            let all = report.received + report.lost;
            let share = 100.0 * report.lost as f64 / all.max(1) as f64;
            let _ = match report.lost {
                0 => write!(text, "0"),
                lost => write!(text, "{lost} ({share:.1} %)"),
            };
        }
        let repeated = self.own.iter().map(|run| run.report.repeated).max().unwrap_or(0);
        if repeated > 0 {
            let _ = write!(text, ", {repeated} twice or out of order");
        }
        let closed = self.own.iter().map(|run| run.report.closed).max().unwrap_or(0);
        if closed > 0 {
            let _ = write!(text, ", {closed} cut off");
        }
        text
    }
}

pub(crate) fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_unstable_by(f64::total_cmp);
    match values.len() {
        0 => f64::NAN,
        len if len % 2 == 1 => values[len / 2],
        len => f64::midpoint(values[len / 2 - 1], values[len / 2]),
    }
}
