//! `bookhub watch`: what changes, as it changes. The client of the hub reconnects and resumes; here
//! it is said what that means for whoever watches.

use bookhub_realtime::{
    EventId, ResyncReason, TopicPattern,
    client::{Client, Event, Notice},
};
use jiff::ZonedDateTime;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use serde_json::{Number, Value, json, value::RawValue};

use super::Line;
use crate::{
    args::WatchArgs,
    error::{Error, Result},
    printer::{DIM, GREEN, RED, YELLOW, one_line, rupees},
};

pub(super) async fn run(line: &Line, args: WatchArgs) -> Result<()> {
    let WatchArgs { topics, since, count } = args;
    let mut watch = Watch { line, topics, left: count, state: State::Starting };
    let mut position = since;
    let mut token = line.api.token();
    let end = loop {
        let end = watch.follow(&mut position, token).await;
        // A login can end while its owner watches, and with a shop in memory it does so at each
        // restart. What everybody may see is shown on.
        match (&end, token.take()) {
            (Err(Error::Closed { code: Some(401 | 4401), .. }), Some(_)) => {
                let sentence = "the login has ended: going on without it";
                line.printer.warning("session_ended", sentence, json!({}));
            }
            _ => break end,
        }
    };
    let nothing_seen = watch.state == State::Starting || matches!(end, Err(Error::Output(_)));
    if let (Some(position), false) = (position, nothing_seen) {
        let sentence = format!("go on from here with: bookhub watch --since {position}");
        line.printer.note("position", &sentence, json!({ "position": position }));
    }
    end
}

/// What has been said of the connection.
#[derive(Debug, PartialEq, Eq)]
enum State {
    Starting,
    Connected,
    /// Lost, which has been said: it is not said again of each try.
    Lost,
}

struct Watch<'a> {
    line: &'a Line,
    /// What was asked for; nothing asks for the server's default topics.
    topics: Vec<TopicPattern>,
    /// How many events are still to come.
    left: Option<u64>,
    state: State,
}

/// An event as the server sent it.
#[derive(Serialize)]
struct Envelope<'a> {
    id: &'a EventId,
    event: &'a str,
    topic: &'a str,
    data: &'a RawValue,
}

/// News of the stream itself, as the protocol has it.
#[derive(Serialize)]
struct Control<'a> {
    event: &'a str,
    data: &'a Value,
}

/// What people see of the books in events.
#[derive(Deserialize)]
struct Payload {
    title: String,
    author: String,
    price: Number,
    stock: Number,
}

#[derive(Deserialize)]
struct Gone {
    id: String,
}

impl Watch<'_> {
    /// Shows what comes after `position`, and moves it, until the watch or the connection is over.
    async fn follow(
        &mut self,
        position: &mut Option<EventId>,
        token: Option<&SecretString>,
    ) -> Result<()> {
        let mut client = Client::builder(self.line.api.server().websocket());
        if !self.topics.is_empty() {
            client = client.topics(self.topics.clone());
        }
        if let Some(token) = token {
            client = client.bearer(token.clone());
        }
        if let Some(position) = position.clone() {
            client = client.resume_from(position);
        }
        let mut client = client.connect();
        loop {
            let notice = tokio::select! {
                notice = client.next() => notice,
                () = self.line.interrupt.wait() => None,
            };
            *position = client.position().cloned();
            let Some(notice) = notice else { return Ok(()) };
            self.heed(notice)?;
            if self.left == Some(0) {
                return Ok(());
            }
        }
    }

    /// Says what a notice means; an error ends the watch.
    fn heed(&mut self, notice: Notice) -> Result<()> {
        match notice {
            Notice::Event(event) => {
                self.left = self.left.map(|left| left - 1);
                self.show(&event)
            }
            Notice::Connected { recovered, denied } => self.connected(recovered, &denied),
            Notice::Resync { reason, position } => self.resync(reason, &position),
            Notice::Disconnected { reason, .. } => self.lost(reason),
            Notice::Closed { code, reason } => {
                Err(Error::Closed { server: self.line.api.server().clone(), code, reason })
            }
            // News of a newer client.
            _ => Ok(()),
        }
    }

    fn show(&self, event: &Event) -> Result<()> {
        let Event { id, name, topic, data, .. } = event;
        self.line.printer.json(&Envelope { id, event: name, topic, data })?;
        let time = ZonedDateTime::now().strftime("%H:%M:%S");
        let style = match name.rsplit(':').next() {
            Some("created") => GREEN,
            Some("updated") => YELLOW,
            Some("deleted") => RED,
            _ => DIM,
        };
        let name = one_line(name);
        let line = format!("{DIM}{time}{DIM:#} {style}{name:<12}{style:#}  {}", summary(event));
        self.line.printer.line(&line)
    }

    fn connected(&mut self, recovered: bool, denied: &[TopicPattern]) -> Result<()> {
        let server = self.line.api.server();
        let printer = &self.line.printer;
        if !denied.is_empty() {
            let topics = denied.iter().map(TopicPattern::as_str).collect::<Vec<_>>().join(", ");
            if !self.topics.is_empty() && self.topics.iter().all(|topic| denied.contains(topic)) {
                return Err(Error::Denied { server: server.clone(), topics });
            }
            let sentence = format!("not allowed to follow {topics}");
            printer.warning("topics_denied", &sentence, json!({ "topics": denied }));
        }
        let sentence = match (&self.state, recovered) {
            (State::Starting, _) => format!("watching {server} (Ctrl-C ends)"),
            (_, true) => "connected again, nothing was missed".to_owned(),
            (_, false) => "connected again".to_owned(),
        };
        printer.note("connected", &sentence, json!({ "recovered": recovered }));
        self.state = State::Connected;
        Ok(())
    }

    /// A reader of the stream has to know, too: it gets the protocol's own line.
    fn resync(&self, reason: ResyncReason, position: &EventId) -> Result<()> {
        let reason = reason.as_str();
        let data = json!({ "reason": reason, "position": position });
        let event = "resync";
        self.line.printer.json(&Control { event, data: &data })?;
        let sentence = format!(
            "the server could not resume ({reason}): changes may have been missed. Fetch the \
             catalogue anew (bookhub books list); from here on it is live again"
        );
        self.line.printer.warning("resync", &sentence, data);
        Ok(())
    }

    /// Who has never been connected has perhaps called the wrong server.
    fn lost(&mut self, reason: String) -> Result<()> {
        if self.state == State::Starting {
            return Err(Error::Unreachable { server: self.line.api.server().clone(), reason });
        }
        if self.state == State::Connected {
            let sentence = format!("the connection is lost ({reason}): trying again");
            self.line.printer.note("disconnected", &sentence, json!({ "reason": reason }));
        }
        self.state = State::Lost;
        Ok(())
    }
}

/// An event in a few words.
fn summary(event: &Event) -> String {
    let text = match (event.parse::<Payload>(), event.parse::<Gone>()) {
        (Ok(Payload { title, author, price, stock }), _) => {
            format!("{title} — {author} {} stock {stock}", rupees(&price))
        }
        (_, Ok(Gone { id })) if event.name == "book:deleted" => id,
        _ => event.data.get().to_owned(),
    };
    one_line(&text)
}
