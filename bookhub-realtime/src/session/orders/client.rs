//! A client of the model: it says hello, and checks all that it hears as a real one would.

use std::{
    future::poll_fn,
    sync::Arc,
    task::{Poll, Waker},
};

use http::{HeaderValue, Request, header};
use serde_json::{Value, json};

use super::wire::{Socket, State, Wire};
use crate::{EventId, Hub, Position, SUBPROTOCOL, sync};

pub(super) struct Client {
    /// Where it was before.
    back_from: Option<Position>,
    wire: Arc<Wire>,
}

/// What a client makes of what it has heard.
#[derive(Default)]
struct Story {
    /// Up to where it has everything, or knows that it has not.
    position: Option<Position>,
    /// Where it was told that it has missed what follows.
    lost: Vec<Position>,
}

impl Client {
    pub(super) fn new(hub: &Hub) -> Self {
        Self::connect(hub, None, Request::new(()), Vec::new())
    }

    pub(super) fn back_from(position: Position, hub: &Hub) -> Self {
        let mut request = Request::new(());
        let protocol = HeaderValue::from_static(SUBPROTOCOL);
        request.headers_mut().insert(header::SEC_WEBSOCKET_PROTOCOL, protocol);
        let resume = json!({ "last_id": hub.id(position) });
        let hello = json!({ "type": "hello", "topics": ["books"], "resume": resume });
        Self::connect(hub, Some(position), request, masked(&hello.to_string()))
    }

    fn connect(
        hub: &Hub,
        back_from: Option<Position>,
        request: Request<()>,
        said: Vec<u8>,
    ) -> Self {
        let wire = Wire::new(State { said, room: usize::MAX, ..State::default() });
        sync::spawn(hub.serve_stream(Socket(Arc::clone(&wire)), request));
        Self { back_from, wire }
    }

    /// Waits until it has heard all that was published.
    pub(super) fn hears_all(&self, hub: &Hub) {
        self.hears_up_to(hub.head());
    }

    pub(super) fn hears_up_to(&self, position: Position) {
        self.waits_until(|state| self.follow(&state.heard).position == Some(position));
    }

    /// Asserts that it was told to have missed something only where that is so.
    pub(super) fn lost_only_what_is_gone(&self, hub: &Hub) {
        let story = self.follow(&self.wire.lock().heard);
        assert!(!story.lost.into_iter().any(|at| hub.keeps_after(at)), "a resync without need");
    }

    pub(super) fn has_room_for(&self, bytes: usize) {
        let mut state = self.wire.lock();
        state.room = bytes;
        let writer = state.writer.take();
        drop(state);
        writer.into_iter().for_each(Waker::wake);
    }

    /// Asks where it is. The answer comes behind what it has been sent.
    pub(super) fn asks(&self) {
        let mut state = self.wire.lock();
        state.said = masked(r#"{"type":"ping"}"#);
        let reader = state.reader.take();
        drop(state);
        reader.into_iter().for_each(Waker::wake);
    }

    /// Waits until its socket, being full, was tried so often.
    pub(super) fn has_refused(&self, times: usize) {
        self.waits_until(|state| state.refusals >= times);
    }

    /// Goes, and waits until the hub has seen that.
    pub(super) fn hangs_up(&self) {
        let mut state = self.wire.lock();
        state.hung_up = true;
        let reader = state.reader.take();
        drop(state);
        reader.into_iter().for_each(Waker::wake);
        self.waits_until(|state| state.dropped);
    }

    fn waits_until(&self, come: impl Fn(&State) -> bool) {
        sync::block_on(poll_fn(|cx| {
            let mut state = self.wire.lock();
            if come(&state) {
                return Poll::Ready(());
            }
            state.client = Some(cx.waker().clone());
            Poll::Pending
        }));
    }

    /// Asserts that each event came once and in order, or that something else was said.
    fn follow(&self, heard: &[u8]) -> Story {
        let mut story = Story::default();
        for message in messages(heard) {
            let told = position(&message["data"]["position"]);
            match message["event"].as_str() {
                Some("connection:success") => story.position = self.back_from.or(told),
                Some("subscribed") => {}
                Some("ping" | "pong") => {
                    assert!(told <= story.position, "told of what it has not heard")
                }
                Some("resync") => {
                    story.lost.extend(story.position);
                    story.position = told;
                }
                _ => {
                    let next = story.position.map(Position::next);
                    assert_eq!(position(&message["id"]), next, "each once and in order");
                    story.position = next;
                }
            }
        }
        story
    }
}

/// The position of an id.
fn position(id: &Value) -> Option<Position> {
    id.as_str()?.parse::<EventId>().ok().map(|id| id.position)
}

/// The whole messages of what the hub wrote: text in single frames.
fn messages(mut heard: &[u8]) -> Vec<Value> {
    let mut messages = Vec::new();
    loop {
        let (length, rest) = match *heard {
            [0x81, 126, high, low, ref rest @ ..] => (u16::from_be_bytes([high, low]).into(), rest),
            [0x81, length @ 0..126, ref rest @ ..] => (usize::from(length), rest),
            [] | [0x81] | [0x81, 126, ..] => return messages,
            ref other => panic!("no text frame: {other:x?}"),
        };
        let Some((text, rest)) = rest.split_at_checked(length) else {
            return messages;
        };
        messages.push(serde_json::from_slice(text).expect("it is JSON"));
        heard = rest;
    }
}

/// A text frame under a mask of zeroes.
fn masked(text: &str) -> Vec<u8> {
    let length = u8::try_from(text.len()).ok().filter(|length| *length < 126).expect("it is short");
    [&[0x81, 0x80 | length, 0, 0, 0, 0], text.as_bytes()].concat()
}
