//! The ways in which a client comes and goes.

use std::{
    io::{Error, Result},
    net::Ipv4Addr,
    time::Duration,
};

use serde_json::{Value, json};
use tokio::time::sleep;

use crate::line::{Line, upgrade};

/// One way to come and go, over WebSocket where nothing else is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Visit {
    /// Welcomed, and closed by both sides.
    Closed,
    /// Welcomed, and gone without a word.
    Reset,
    /// Gone in the middle of the request.
    HalfRequest,
    /// Gone before the answer to the request.
    Unanswered,
    /// Gone after the handshake, although a hello was awaited.
    NoHello,
    /// Gone right after the hello.
    HelloAndGone,
    /// Goes on as the one before, and closes.
    Resumed,
    /// Goes on as the one before, and is gone.
    ResumedAndReset,
    /// A stream of server-sent events, left after the welcome.
    Stream,
    /// A stream, left before the answer.
    StreamAndGone,
    /// A poll that is answered at once.
    Poll,
    /// A poll that waits when its client goes.
    PollAndGone,
}

const A_WHILE: Duration = Duration::from_millis(10);

/// Where a client was, for the next one to go on.
#[derive(Clone, Debug)]
pub(crate) struct Past {
    token: String,
    position: String,
}

impl Visit {
    pub(crate) const ALL: [Self; 12] = [
        Self::Closed,
        Self::Resumed,
        Self::Reset,
        Self::HalfRequest,
        Self::ResumedAndReset,
        Self::Unanswered,
        Self::Stream,
        Self::NoHello,
        Self::HelloAndGone,
        Self::Poll,
        Self::StreamAndGone,
        Self::PollAndGone,
    ];

    /// Comes and goes.
    pub(crate) async fn pay(
        self,
        from: Ipv4Addr,
        port: u16,
        past: &mut Option<Past>,
    ) -> Result<()> {
        let mut line = Line::connect(from, port).await?;
        match self {
            Self::Closed => {
                line.upgrade(false).await?;
                line.text().await?;
                line.close().await
            }
            Self::Reset => {
                line.upgrade(false).await?;
                line.text().await?;
                line.reset()
            }
            Self::HalfRequest => {
                let request = upgrade(true);
                line.write(&request.as_bytes()[..request.len() / 2]).await
            }
            Self::Unanswered => {
                line.write(upgrade(true).as_bytes()).await?;
                line.reset()
            }
            Self::NoHello => line.upgrade(true).await,
            Self::HelloAndGone => {
                line.upgrade(true).await?;
                line.say(r#"{"type":"hello","topics":["news"]}"#).await
            }
            Self::Resumed => {
                go_on(&mut line, past).await?;
                line.close().await
            }
            Self::ResumedAndReset => {
                go_on(&mut line, past).await?;
                line.reset()
            }
            Self::Stream => {
                line.write(&get("/events?topics=news")).await?;
                line.until(b"event: connection:success").await
            }
            Self::StreamAndGone => {
                line.write(&get("/events?topics=news")).await?;
                line.reset()
            }
            Self::Poll => {
                line.write(&get("/poll?topics=news")).await?;
                line.until(br#""position":"#).await
            }
            Self::PollAndGone => {
                let after = past.as_ref().map_or("", |past| &past.position);
                line.write(&get(&format!("/poll?topics=quiet&after={after}"))).await?;
                // For the poll to be waiting.
                sleep(A_WHILE).await;
                Ok(())
            }
        }
    }
}

fn get(path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n").into_bytes()
}

/// Says a hello that goes on as the one before, if there was one.
async fn go_on(line: &mut Line, past: &mut Option<Past>) -> Result<()> {
    line.upgrade(true).await?;
    let mut hello = json!({ "type": "hello", "topics": ["news"] });
    if let Some(Past { token, position }) = past {
        hello["resume"] = json!({ "token": token, "last_id": position });
    }
    line.say(&hello.to_string()).await?;
    let welcome: Value = serde_json::from_slice(line.text().await?)?;
    let said = |name: &str| welcome["data"][name].as_str().map(str::to_owned);
    let (Some(token), Some(position)) = (said("token"), said("position")) else {
        return Err(Error::other(format!("no welcome: {welcome}")));
    };
    let recovered = welcome["data"]["recovered"] == true;
    if past.replace(Past { token, position }).is_some() != recovered {
        return Err(Error::other(format!("not where it was: {welcome}")));
    }
    Ok(())
}
