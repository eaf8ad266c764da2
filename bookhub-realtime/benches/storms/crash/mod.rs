//! A server is killed with all its clients, and begins again from a journal.

pub(crate) mod returning;

use std::{
    thread,
    time::{Duration, Instant},
};

use crate::{
    child::Process, claims::Claims, numbered::Event, options::Storm, process::now, server::Server,
};

/// The time between two events.
const INTERVAL: Duration = Duration::from_millis(500);

/// How many events come before the crash, while there is no server, and when all are back.
const EVENTS: [u64; 3] = [20, 10, 5];

/// In what time all clients have to be back.
const PROMISED: f64 = 30.0;

/// How long they are waited for.
const PATIENCE: Duration = Duration::from_mins(2);

pub(crate) fn raise(quick: bool, claims: &mut Claims) -> anyhow::Result<()> {
    let count: u64 = if quick { 500 } else { 10_000 };
    let mut journal = Journal { events: Vec::new(), server: None };
    let mut clients = Process::start(&["returning"])?;
    let port = journal.serve(0)?;
    clients.ask(&format!("connect {port} {count}"))?;
    journal.publish(EVENTS[0])?;

    clients.ask(&format!("crash {}", journal.newest()))?;
    let killed = now();
    // Its end is a SIGKILL, and this waits for the port to be free.
    journal.server = None;
    let gone = now();
    for _ in 0..EVENTS[1] {
        journal.write();
    }
    journal.serve(port)?;
    let again = now();
    let begun = Instant::now();
    while clients.ask("back")?.parse::<u64>()? < count && begun.elapsed() < PATIENCE {
        journal.publish(1)?;
    }
    journal.publish(EVENTS[2])?;
    let newest = journal.newest();
    let begun = Instant::now();
    while clients.ask(&format!("lacks {newest}"))? != "0" && begun.elapsed() < PATIENCE {
        thread::sleep(INTERVAL);
    }
    let report: returning::Report =
        serde_json::from_str(&clients.ask(&format!("report {newest}"))?)?;

    let seconds = |time: u64| time.saturating_sub(killed) as f64 / 1e9;
    let mut back: Vec<f64> = report.back.iter().map(|time| seconds(*time)).collect();
    back.sort_by(f64::total_cmp);
    // Of all clients, whether they are back or not.
    let share = |percent: usize| {
        let rank = (usize::try_from(count).unwrap_or(usize::MAX) * percent).div_ceil(100);
        back.get(rank.saturating_sub(1)).copied().unwrap_or(f64::INFINITY)
    };
    let all = share(100);
    let promise =
        "all clients are back within 30 s of a SIGKILL, with all that was published before";
    let times = format!(
        "{} of {count}; 50 % after {:.2} s, 99 % after {:.2} s, all after {all:.2} s",
        back.len(),
        share(50),
        share(99),
    );
    claims.note(promise, all <= PROMISED, times);
    let complete = report.received == count * newest;
    let returning::Report { received, lost, repeated, resyncs, tries, .. } = report;
    let figures = format!(
        "{received} of {} deliveries; {lost} lost, {repeated} repeated or out of order, {resyncs} \
         resyncs",
        count * newest,
    );
    let kept = complete && lost + repeated + resyncs == 0;
    claims.note("each client has each event exactly once and in order", kept, figures);
    println!(
        "The server was gone {:.2} s after the signal and listened again after {:.2} s, with {} \
         events in its log; the clients needed {:.2} tries each.\n",
        seconds(gone),
        seconds(again),
        EVENTS[0] + EVENTS[1],
        tries as f64 / count as f64 - 1.0,
    );
    Ok(())
}

/// What was published, kept where no crash reaches it, and the server that it is published by.
struct Journal {
    events: Vec<Event>,
    server: Option<Server>,
}

impl Journal {
    fn newest(&self) -> u64 {
        self.events.len() as u64
    }

    /// Starts a server that has all events before it takes clients.
    fn serve(&mut self, port: u16) -> anyhow::Result<u16> {
        let mut server = Server::start(Storm::Crash)?;
        for event in &self.events {
            server.publish(*event)?;
        }
        server.listen(port)?;
        Ok(self.server.insert(server).port)
    }

    /// Writes the next event down.
    fn write(&mut self) -> Event {
        let event = Event::new(self.newest() + 1);
        self.events.push(event);
        event
    }

    /// Writes down and publishes so many events.
    fn publish(&mut self, count: u64) -> anyhow::Result<()> {
        for _ in 0..count {
            let event = self.write();
            if let Some(server) = &mut self.server {
                server.publish(event)?;
            }
            thread::sleep(INTERVAL);
        }
        Ok(())
    }
}
