//! How a server is told to publish: a line over a connection of its own, answered by a line when
//! it is done. The same for all servers, so that publishing costs the same in all of them.

use std::{
    fmt,
    io::{self, BufRead as _, BufReader, Write as _},
    net::TcpStream,
    str::FromStr,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
    time::{self, MissedTickBehavior},
};

use crate::event::Event;

/// What a server is asked for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Command {
    Publish(Event),
    /// So many events at once, from this number on.
    Batch {
        first: u64,
        count: u64,
    },
    /// So many events, one each so many nanoseconds, from this number on.
    Steady {
        first: u64,
        count: u64,
        interval: u64,
    },
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Publish(Event { number, at }) => write!(f, "publish {number} {at}"),
            Self::Batch { first, count } => write!(f, "batch {first} {count}"),
            Self::Steady { first, count, interval } => {
                write!(f, "steady {first} {count} {interval}")
            }
        }
    }
}

impl FromStr for Command {
    type Err = anyhow::Error;

    fn from_str(line: &str) -> Result<Self, Self::Err> {
        let mut words = line.split_whitespace();
        let name = words.next().context("an empty command")?;
        let numbers = words.map(str::parse).collect::<Result<Vec<u64>, _>>()?;
        Ok(match (name, &*numbers) {
            ("publish", &[number, at]) => Self::Publish(Event { number, at }),
            ("batch", &[first, count]) => Self::Batch { first, count },
            ("steady", &[first, count, interval]) => Self::Steady { first, count, interval },
            _ => bail!("no command: {line}"),
        })
    }
}

/// The commanding end.
#[derive(Debug)]
pub(crate) struct Commander {
    connection: BufReader<TcpStream>,
}

impl Commander {
    pub(crate) fn connect(port: u16) -> io::Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_nodelay(true)?;
        Ok(Self { connection: BufReader::new(stream) })
    }

    /// Has a command carried out.
    pub(crate) fn order(&mut self, command: Command) -> anyhow::Result<()> {
        self.connection.get_mut().write_all(format!("{command}\n").as_bytes())?;
        let mut answer = String::new();
        self.connection.read_line(&mut answer)?;
        anyhow::ensure!(answer == "ok\n", "the server answered {answer:?} to {command}");
        Ok(())
    }
}

/// Publishes so many events from a thread that may sleep, one each so many nanoseconds.
pub(crate) fn at_rate(
    first: u64,
    count: u64,
    interval: u64,
    mut publish: impl FnMut(Event) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let mut due = Instant::now();
    for number in first..first + count {
        thread::sleep(due.saturating_duration_since(Instant::now()));
        due += Duration::from_nanos(interval);
        publish(Event::new(number))?;
    }
    Ok(())
}

/// What publishes in a server with tasks.
pub(crate) trait Publish: Send + 'static {
    fn publish(&mut self, event: Event) -> impl Future<Output = anyhow::Result<()>> + Send;
}

/// Takes the commands of one commander.
pub(crate) async fn obey(listener: TcpListener, mut publisher: impl Publish) -> anyhow::Result<()> {
    let (stream, _) = listener.accept().await?;
    stream.set_nodelay(true)?;
    let (lines, mut answers) = stream.into_split();
    let mut lines = tokio::io::BufReader::new(lines).lines();
    while let Some(line) = lines.next_line().await? {
        match line.parse()? {
            Command::Publish(event) => publisher.publish(event).await?,
            Command::Batch { first, count } => {
                for number in first..first + count {
                    publisher.publish(Event::new(number)).await?;
                }
            }
            Command::Steady { first, count, interval } => {
                let mut ticks = time::interval(Duration::from_nanos(interval));
                ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
                for number in first..first + count {
                    ticks.tick().await;
                    publisher.publish(Event::new(number)).await?;
                }
            }
        }
        answers.write_all(b"ok\n").await?;
    }
    Ok(())
}
