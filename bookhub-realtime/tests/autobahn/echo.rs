//! Sends every text back, read and framed by this library: what the Autobahn suite talks to. Says
//! on its first line of output where it listens.

use std::{
    io::{self, Write as _},
    time::Duration,
};

use bookhub_realtime::testing::{Message, Reader, put_text};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    time::timeout,
};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

/// The suite's largest message has 16 MiB.
const MAX_MESSAGE: usize = 16 << 20;

#[tokio::main]
async fn main() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    writeln!(io::stdout().lock(), "ws://{}", listener.local_addr()?)?;
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::spawn(serve(stream));
    }
}

async fn serve(mut stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut reader = Reader::new(MAX_MESSAGE);
    reader.feed(shake_hands(&mut stream).await?);
    loop {
        let (frames, goes_on) = answers(&mut reader);
        stream.write_all(&frames).await?;
        if !goes_on {
            break;
        }
        let bytes = read(&mut stream).await?;
        if bytes.is_empty() {
            return Ok(());
        }
        reader.feed(bytes);
    }
    stream.shutdown().await?;
    // What the peer has still sent is read, so that it sees no reset before our last frame.
    let drained = async { while read(&mut stream).await.is_ok_and(|bytes| !bytes.is_empty()) {} };
    let _ = timeout(Duration::from_secs(2), drained).await;
    Ok(())
}

/// What is to be written for what was fed, and whether the connection goes on.
fn answers(reader: &mut Reader) -> (Vec<u8>, bool) {
    let mut frames = Vec::new();
    loop {
        let next = reader.next_message();
        frames.extend(reader.take_replies());
        match next {
            Ok(Some(Message::Text(text))) => put_text(&mut frames, &text),
            Ok(Some(Message::Binary)) => {}
            Ok(None) => return (frames, true),
            Ok(Some(Message::Close)) => return (frames, false),
            Err(close) => {
                frames.extend(close);
                return (frames, false);
            }
        }
    }
}

async fn read(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(64 << 10);
    stream.read_buf(&mut bytes).await?;
    Ok(bytes)
}

/// Answers any handshake with a key; gives what came behind it.
async fn shake_hands(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    let end = loop {
        if let Some(end) = head.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
            break end + 4;
        }
        if stream.read_buf(&mut head).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    };
    let behind = head.split_off(end);
    let head = String::from_utf8_lossy(&head);
    let key = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("sec-websocket-key").then(|| value.trim())
    });
    let accept = derive_accept_key(key.unwrap_or_default().as_bytes());
    let answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Accept: {accept}\r\n\r\n"
    );
    stream.write_all(answer.as_bytes()).await?;
    Ok(behind)
}
