//! The feed of a server that tells of nothing.

use std::pin::pin;

use futures_util::FutureExt as _;

use super::*;
use crate::BookId;

/// What they write can be read before it is told.
#[tokio::test]
async fn the_present_is_behind_whoever_is_just_writing() {
    let history = Arc::new(History::new(Position::START, Position::START, 10));
    let source = Source::Local { lock: Mutex::default(), trouble: watch::Sender::new(()) };
    let feed = MongoFeed { epoch: Epoch::random(), history, source };
    let turn = feed.turn().await.unwrap();
    let mut head = pin!(feed.head());
    assert!(head.as_mut().now_or_never().is_none());
    turn.record(vec![ChangeKind::BookDeleted(BookId::generate(Timestamp::UNIX_EPOCH))]);
    drop(turn);
    assert_eq!(head.await.unwrap(), Position::new(1));
}
