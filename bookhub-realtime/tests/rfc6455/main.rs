//! RFC 6455 as a server has to keep it, over real sockets and by a peer that knows bytes only. The
//! numbers are those of the cases of the Autobahn test suite; `tests/autobahn/run` runs these
//! themselves.

mod closing;
mod frames;
mod handshake;
mod messages;
mod raw;
mod utf8;

use bookhub_realtime::{Hub, HubConfig};
use raw::{Peer, QUESTION, serve};

const PROTOCOL: u16 = 1002;
const NOT_UTF8: u16 = 1007;
const TOO_BIG: u16 = 1009;

/// The longest message of these tests.
const LIMIT: usize = 1000;

async fn connect() -> Peer {
    Peer::connect(serve(Hub::new(HubConfig::new().max_message(LIMIT))).await).await
}

/// Sends the bytes over a connection of their own, which must fail with one of the codes.
async fn refused(bytes: &[u8], codes: &[u16]) {
    let mut peer = connect().await;
    peer.send(bytes).await;
    peer.expect_failure(codes).await;
}

/// A [`QUESTION`] of a given length: JSON may end in spaces.
fn question(len: usize) -> Vec<u8> {
    let mut text = QUESTION.to_vec();
    text.resize(len, b' ');
    text
}
