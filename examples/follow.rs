//! How does a program follow a hub, through restarts of the server and of its own, without missing
//! an event or taking one twice?
//!
//! `cargo run -p bookhub-examples --bin follow -- ws://localhost:5000/ws followed.log books` appends
//! each event to the file as a line (the topics may be left out). To see it work, kill it as hard as
//! you like (`kill -9`), let things happen meanwhile, and start it again.
//!
//! The position has to be stored *with* its effect. If one were stored after the other, then a crash
//! between them would lose an event or repeat it, whatever the order. Here the effect is the line, the
//! line begins with the event's id, and the position is the id of the file's last whole line: the two
//! cannot come apart. A line that a crash has cut off is taken away at the start and comes again; so
//! does what a loss of power takes off the end of the file. With a database, write the position in the
//! transaction that writes the effect.

use std::{
    env,
    fs::File,
    io::{BufRead as _, BufReader, Write as _},
    time::Duration,
};

use anyhow::Context as _;
use bookhub_realtime::{
    EventId,
    client::{Client, Notice},
};
use tokio::{select, time};

/// How often the position is written down while there are no events of ours: a quiet topic on a
/// busy hub would fall off the history otherwise.
const QUIET: Duration = Duration::from_secs(60);

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut args = env::args().skip(1);
    let url = args.next().unwrap_or_else(|| "ws://localhost:5000/ws".to_owned());
    let file = args.next().unwrap_or_else(|| "followed.log".to_owned());
    let topics = args.map(|topic| topic.parse()).collect::<Result<Vec<_>, _>>()?;

    let mut followed = Followed::open(&file).context(file)?;
    let mut client = Client::builder(url);
    if !topics.is_empty() {
        client = client.topics(topics);
    }
    if let Some(position) = &followed.position {
        client = client.resume_from(position.clone());
    }
    let mut client = client.connect();
    let mut quiet = time::interval(QUIET);
    let mut out = std::io::stdout();
    loop {
        let notice = select! {
            notice = client.next() => notice,
            _ = quiet.tick() => {
                followed.reach(client.position(), "")?;
                continue;
            }
        };
        match notice.context("the client has ended")? {
            Notice::Event(event) => followed.take(&event)?,
            Notice::Connected { recovered, denied } => {
                let how = if recovered { "going on" } else { "beginning here" };
                writeln!(out, "connected, {how}")?;
                for topic in denied {
                    writeln!(out, "not allowed to follow {topic}")?;
                }
                // From now on nothing is missed, even if nothing ever comes.
                followed.reach(client.position(), "")?;
            }
            Notice::Resync { reason, position } => {
                let reason = reason.as_str();
                writeln!(out, "events were missed ({reason}): fetch the state anew")?;
                followed.reach(Some(&position), &format!(" missed: {reason}"))?;
            }
            Notice::Disconnected { reason, retry_in } => {
                writeln!(out, "{reason}; next try in {} ms", retry_in.as_millis())?;
            }
            Notice::Closed { reason, .. } => anyhow::bail!(reason),
            _ => {}
        }
    }
}

/// The file: the effect of the events, and up to where they have been taken.
struct Followed {
    file: File,
    position: Option<EventId>,
}

impl Followed {
    /// Finds out where an earlier process was, and takes away what it did not finish.
    fn open(path: &str) -> anyhow::Result<Self> {
        let file = File::options().create(true).read(true).append(true).open(path)?;
        file.try_lock().context("another process follows into this file")?;
        let mut reader = BufReader::new(&file);
        let (mut whole, mut position) = (0, None);
        let mut line = Vec::new();
        while reader.read_until(b'\n', &mut line)? > 0 && line.ends_with(b"\n") {
            let text = std::str::from_utf8(&line)?;
            let id = text.split([' ', '\n']).next().unwrap_or_default();
            position = Some(id.parse().with_context(|| format!("not written here: {text}"))?);
            whole += line.len() as u64;
            line.clear();
        }
        file.set_len(whole)?;
        Ok(Self { file, position })
    }

    /// The effect of an event. Its data is JSON in one line.
    fn take(&mut self, event: &bookhub_realtime::client::Event) -> anyhow::Result<()> {
        let line = format!("{} {} {} {}\n", event.id, event.topic, event.name, event.data);
        self.file.write_all(line.as_bytes())?;
        self.position = Some(event.id.clone());
        Ok(())
    }

    /// Comes to a position at which there is no event for us.
    fn reach(&mut self, position: Option<&EventId>, why: &str) -> anyhow::Result<()> {
        let Some(position) = position.filter(|new| self.position.as_ref() != Some(*new)) else {
            return Ok(());
        };
        self.file.write_all(format!("{position}{why}\n").as_bytes())?;
        self.position = Some(position.clone());
        Ok(())
    }
}
