//! The floor: what the system calls alone cost. No protocol beyond the handshake, no history, no
//! regard for a slow socket.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
};

use anyhow::Context as _;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use crate::{
    control::{Command, at_rate},
    event::{Event, Follows, TOPICS},
};

type Sockets = Arc<Mutex<Crowd>>;

/// Which events are written to which sockets, and how many at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Manner {
    /// All to all, one by one.
    Each,
    /// All to all, as many at a time as there are.
    Coalescing,
    /// Those of its topics to each, one by one.
    Topics,
}

/// The sockets, and of each topic the places of those that follow it.
#[derive(Default)]
struct Crowd {
    sockets: Vec<TcpStream>,
    followers: Vec<Vec<usize>>,
}

pub(super) fn serve(manner: Manner) -> anyhow::Result<()> {
    let clients = TcpListener::bind("127.0.0.1:0")?;
    let commands = TcpListener::bind("127.0.0.1:0")?;
    super::say_ready(clients.local_addr()?.port(), commands.local_addr()?.port())?;
    let sockets = Sockets::default();
    thread::spawn({
        let sockets = Arc::clone(&sockets);
        move || {
            for stream in clients.incoming() {
                match stream.map_err(Into::into).and_then(shake_hands) {
                    Ok(stream) => lock(&sockets).take_in(stream),
                    Err(error) => eprintln!("a client is not taken: {error:#}"),
                }
            }
        }
    });
    obey(commands.accept()?.0, &sockets, manner)
}

impl Crowd {
    /// The clients come in the order of their numbers.
    fn take_in(&mut self, socket: TcpStream) {
        let place = self.sockets.len();
        self.sockets.push(socket);
        let topics = Follows::some(place as u64).topics();
        self.followers.resize_with(TOPICS as usize, Vec::new);
        topics.into_iter().for_each(|topic| self.followers[topic as usize].push(place));
    }
}

fn lock(sockets: &Sockets) -> MutexGuard<'_, Crowd> {
    sockets.lock().unwrap_or_else(PoisonError::into_inner)
}

fn shake_hands(mut stream: TcpStream) -> anyhow::Result<TcpStream> {
    stream.set_nodelay(true)?;
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        let mut space = [0; 1024];
        let len = stream.read(&mut space)?;
        anyhow::ensure!(len > 0, "the handshake breaks off");
        request.extend_from_slice(&space[..len]);
    }
    let request = str::from_utf8(&request)?;
    let key = request.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Key: "));
    let accept = derive_accept_key(key.context("no key in the handshake")?.as_bytes());
    write!(
        stream,
        "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Accept: {accept}\r\n\r\n"
    )?;
    Ok(stream)
}

fn obey(stream: TcpStream, sockets: &Sockets, manner: Manner) -> anyhow::Result<()> {
    stream.set_nodelay(true)?;
    let mut answers = stream.try_clone()?;
    for line in BufReader::new(stream).lines() {
        match line?.parse()? {
            Command::Publish(event) => write(sockets, event, manner)?,
            Command::Batch { first, count } if manner == Manner::Coalescing => {
                let frames: Vec<Vec<u8>> =
                    (first..first + count).map(|number| frame(Event::new(number))).collect();
                write_to_all(sockets, &frames.concat())?;
            }
            Command::Batch { first, count } => {
                for number in first..first + count {
                    write(sockets, Event::new(number), manner)?;
                }
            }
            Command::Steady { first, count, interval } => {
                at_rate(first, count, interval, |event| write(sockets, event, manner))?;
            }
        }
        answers.write_all(b"ok\n")?;
    }
    Ok(())
}

/// A text frame of 126 bytes or more.
fn frame(event: Event) -> Vec<u8> {
    let text = event.to_json(0);
    let mut frame = vec![0x81, 126, 0, text.len().try_into().expect("an event is short")];
    frame.extend_from_slice(text.as_bytes());
    frame
}

fn write(sockets: &Sockets, event: Event, manner: Manner) -> anyhow::Result<()> {
    let frame = frame(event);
    if manner != Manner::Topics {
        return write_to_all(sockets, &frame);
    }
    let Crowd { sockets, followers } = &mut *lock(sockets);
    let topic = usize::try_from(event.number % TOPICS)?;
    for place in followers.get(topic).into_iter().flatten() {
        sockets[*place].write_all(&frame)?;
    }
    Ok(())
}

/// A socket whose buffer is full is waited for.
fn write_to_all(sockets: &Sockets, bytes: &[u8]) -> anyhow::Result<()> {
    for socket in &mut lock(sockets).sockets {
        socket.write_all(bytes)?;
    }
    Ok(())
}
