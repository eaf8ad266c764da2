//! How each transport writes what the hub says: WebSocket frames, blocks of an event stream, or
//! elements of a JSON array. Pure bytes.
//!
//! Events stand in the log as ready WebSocket frames; the other transports take the envelope out of
//! the frame and put their own wrapping around it. Nothing is encoded twice.

use crate::{frame, position::EventId, protocol::Control, service::Transport};

impl Transport {
    /// Appends an event, which stands in the log as a frame.
    pub(crate) fn put_event(self, out: &mut Vec<u8>, frame: &[u8]) {
        match self {
            Self::WebSocket => out.extend_from_slice(frame),
            Self::EventStream => {
                let envelope = frame::payload(frame);
                let rest = envelope.strip_prefix(b"{\"id\":\"".as_slice()).unwrap_or_default();
                let (id, rest) = until_quote(rest);
                let rest = rest.strip_prefix(b"\",\"event\":\"".as_slice()).unwrap_or_default();
                let (name, _) = until_quote(rest);
                put_line(out, "id", id);
                put_name(out, name);
                put_line(out, "data", envelope);
                out.push(b'\n');
            }
            Self::LongPoll => {
                out.extend_from_slice(frame::payload(frame));
                out.push(b',');
            }
        }
    }

    /// Appends a control event.
    pub(crate) fn put_control(self, out: &mut Vec<u8>, control: &Control<'_>) {
        match (self, control) {
            (Self::WebSocket, control) => frame::put_text(out, &control.to_json()),
            (Self::EventStream, Control::Ping { position }) => put_position(out, position),
            (Self::EventStream, control) => {
                let json = control.to_json();
                let rest = json.strip_prefix(b"{\"event\":\"".as_slice()).unwrap_or_default();
                // The browser goes on from there, and not from before what it has missed.
                if let Control::Resync { position, .. } = control {
                    put_line(out, "id", position.to_string().as_bytes());
                }
                if let Control::Draining { retry_after_ms } = control {
                    put_line(out, "retry", retry_after_ms.to_string().as_bytes());
                }
                put_name(out, until_quote(rest).0);
                put_line(out, "data", &json);
                out.push(b'\n');
            }
            // The answer itself says up to where it goes, and each poll stands alone.
            (
                Self::LongPoll,
                Control::Welcome { .. }
                | Control::Subscribed { .. }
                | Control::Ping { .. }
                | Control::Token { .. },
            ) => {}
            (Self::LongPoll, control) => {
                out.extend_from_slice(&control.to_json());
                out.push(b',');
            }
        }
    }

    /// Appends a heartbeat: the position for the program at the other end and, in WebSocket, a ping
    /// frame for its library to answer.
    pub(crate) fn put_beat(self, out: &mut Vec<u8>, position: EventId) {
        self.put_control(out, &Control::Ping { position });
        if self == Self::WebSocket {
            frame::put_ping(out);
        }
    }

    /// Appends the end of the connection, with a reason.
    pub(crate) fn put_close(self, out: &mut Vec<u8>, code: u16, reason: &'static str) {
        match self {
            Self::WebSocket => frame::put_close(out, code, reason),
            Self::EventStream | Self::LongPoll => {
                self.put_control(out, &Control::Close { code, reason });
            }
        }
    }
}

/// A block that dispatches nothing and moves the browser's last event id.
fn put_position(out: &mut Vec<u8>, position: &EventId) {
    put_line(out, "id", position.to_string().as_bytes());
    out.push(b'\n');
}

/// The name under which a browser dispatches the block. `open` and `error` are what it says itself
/// of the connection: an event of such a name comes as a `message`, which its envelope names.
fn put_name(out: &mut Vec<u8>, name: &[u8]) {
    if !matches!(name, b"open" | b"error") {
        put_line(out, "event", name);
    }
}

fn put_line(out: &mut Vec<u8>, field: &str, value: &[u8]) {
    out.extend_from_slice(field.as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.push(b'\n');
}

fn until_quote(text: &[u8]) -> (&[u8], &[u8]) {
    text.split_at(text.iter().position(|c| *c == b'"').unwrap_or(text.len()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::ResyncReason;

    const ENVELOPE: &[u8] =
        br#"{"id":"e-15","event":"book:created","topic":"books","data":{"id":"7"}}"#;

    fn event(transport: Transport) -> String {
        let (mut frame, mut out) = (Vec::new(), Vec::new());
        frame::put_text(&mut frame, ENVELOPE);
        transport.put_event(&mut out, &frame);
        String::from_utf8(out).unwrap()
    }

    fn control(transport: Transport, control: &Control<'_>) -> String {
        let mut out = Vec::new();
        transport.put_control(&mut out, control);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn an_event_of_a_stream_has_its_id_and_name_beside_the_envelope() {
        let envelope = std::str::from_utf8(ENVELOPE).unwrap();
        let expected = format!("id: e-15\nevent: book:created\ndata: {envelope}\n\n");
        assert_eq!(event(Transport::EventStream), expected);
        assert_eq!(event(Transport::LongPoll), format!("{envelope},"));
    }

    #[test]
    fn a_heartbeat_of_a_stream_only_moves_the_browsers_last_id() {
        let ping = Control::Ping { position: "e-15".parse().unwrap() };
        assert_eq!(control(Transport::EventStream, &ping), "id: e-15\n\n");
        assert_eq!(control(Transport::LongPoll, &ping), "");
    }

    #[test]
    fn no_event_of_a_stream_looks_like_the_browsers_own() {
        let error = Control::Error { code: "c", message: "m" };
        let json = r#"{"event":"error","data":{"code":"c","message":"m"}}"#;
        assert_eq!(control(Transport::EventStream, &error), format!("data: {json}\n\n"));
    }

    #[test]
    fn a_resync_moves_the_last_id_with_it() {
        let resync =
            Control::Resync { reason: ResyncReason::TooSlow, position: "e-15".parse().unwrap() };
        assert_eq!(
            control(Transport::EventStream, &resync),
            "id: e-15\nevent: resync\n\
             data: {\"event\":\"resync\",\"data\":{\"reason\":\"too_slow\",\"position\":\"e-15\"}}\n\n"
        );
    }
}
