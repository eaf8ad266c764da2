use proptest::prelude::*;

use super::*;
use crate::testing::log::{Model, Step, ids};

const LIMITS: HistoryLimits = HistoryLimits { events: 50, bytes: 1 << 20 };

fn log(limits: HistoryLimits) -> Log {
    Log::new("e".parse().unwrap(), limits, Position::default())
}

fn topic(name: &str) -> Topic {
    name.parse().unwrap()
}

fn append(log: &mut Log, topic: &Topic, data: &str) {
    let draft = Draft { topic, event: "e", data: data.as_bytes() };
    log.append(log.head().next(), draft).unwrap();
}

fn following(patterns: &[&str]) -> Filter {
    let mut filter = Filter::default();
    patterns.iter().for_each(|pattern| filter.add(pattern.parse().unwrap(), 0));
    filter
}

/// Reads as a WebSocket client would.
fn read(log: &Log, cursor: &mut u64, filter: &Filter, budget: usize) -> Result<Vec<u8>, FellOff> {
    let mut chunk = Chunk::default();
    log.read(cursor, filter, Transport::WebSocket, &mut chunk, budget)?;
    Ok(chunk.bytes().to_vec())
}

#[test]
fn a_position_that_does_not_rise_is_refused_and_leaves_the_log_alone() {
    let mut log = log(LIMITS);
    let books = topic("books");
    append(&mut log, &books, "1");
    let again = log.append(Position::new(1), Draft { topic: &books, event: "e", data: b"2" });
    assert_eq!(again, Err(Position::new(1)));
    assert_eq!(log.len(), 1);
}

#[test]
fn a_reader_below_the_tail_falls_off() {
    let mut log = log(HistoryLimits { events: 3, bytes: 1 << 20 });
    let books = topic("books");
    (0..5).for_each(|_| append(&mut log, &books, "0"));
    assert_eq!(log.after(Position::new(1)), Lookup::Expired);
    assert_eq!(log.after(Position::new(2)), Lookup::At(2));
    assert_eq!(log.after(Position::new(5)), Lookup::At(5));
    assert_eq!(log.after(Position::new(6)), Lookup::Ahead);
    assert_eq!(read(&log, &mut 1, &following(&["books"]), 1000), Err(FellOff));
}

#[test]
fn bytes_bound_the_history_too_and_segments_are_given_back() {
    let mut log = log(HistoryLimits { events: 1_000_000, bytes: 300_000 });
    let (books, data) = (topic("books"), format!("\"{}\"", "x".repeat(1000)));
    (0..2000).for_each(|_| append(&mut log, &books, &data));
    assert!(log.bytes() <= 300_000);
    assert!(log.segments.len() <= 300_000 / SEGMENT + 2, "{} segments", log.segments.len());
}

#[test]
fn an_event_larger_than_a_segment_is_kept_and_read() {
    let mut log = log(HistoryLimits { events: 10, bytes: 1000 });
    append(&mut log, &topic("books"), &format!("\"{}\"", "x".repeat(200_000)));
    assert!(read(&log, &mut 0, &following(&["books"]), 1000).unwrap().len() > 200_000);
}

#[test]
fn raising_the_tail_beyond_the_head_makes_every_reader_fall_off() {
    let mut log = log(LIMITS);
    append(&mut log, &topic("books"), "1");
    let mut at_the_end = log.next_seq();
    log.raise_tail(Position::new(10));
    assert_eq!(read(&log, &mut at_the_end, &following(&["books"]), 100), Err(FellOff));
    assert_eq!(log.after(Position::new(10)), Lookup::At(log.next_seq()));
    assert_eq!(log.head(), Position::new(10));
}

#[test]
fn raising_the_tail_inside_the_log_leaves_readers_above_it_alone() {
    let mut log = log(LIMITS);
    (0..4).for_each(|_| append(&mut log, &topic("books"), "1"));
    log.raise_tail(Position::new(2));
    let out = read(&log, &mut 3, &following(&["books"]), 1000).unwrap();
    assert_eq!(ids(&out), ["e-14"]);
}

#[test]
fn a_key_is_known_as_long_as_its_entry_is_kept() {
    let mut log = log(HistoryLimits { events: 2, bytes: 1 << 20 });
    let books = topic("books");
    append(&mut log, &books, "1");
    log.remember("order 7");
    assert_eq!(log.published("order 7"), Some(Position::new(1)));
    (0..2).for_each(|_| append(&mut log, &books, "2"));
    assert_eq!(log.published("order 7"), None);
    assert!(log.keys.is_empty() && log.keyed.is_empty());
}

#[test]
fn who_lost_what_was_declared_lost_was_not_too_slow() {
    let mut log = log(HistoryLimits { events: 2, bytes: 1 << 20 });
    let books = topic("books");
    (0..2).for_each(|_| append(&mut log, &books, "1"));
    let keeps_up = log.next_seq();
    log.raise_tail(Position::new(9));
    assert_eq!(log.why_lost(keeps_up), ResyncReason::HistoryExpired);
    let slow = log.next_seq();
    (0..3).for_each(|_| append(&mut log, &books, "2"));
    assert_eq!(log.why_lost(slow), ResyncReason::TooSlow);
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..3_usize, 0..3000_usize, 0..2_u128)
            .prop_map(|(topic, size, skip)| Step::Append { topic, size, skip }),
        1 => (0..30_u128).prop_map(|by| Step::AppendBefore { by }),
        4 => (0..3_usize, 1..9000_usize).prop_map(|(reader, budget)| Step::Read { reader, budget }),
        2 => Just(Step::Batch),
        1 => (-20..10_i128).prop_map(|by| Step::Raise { by }),
        1 => (0..3_u128).prop_map(|by| Step::Advance { by }),
        2 => (-30..5_i128).prop_map(|by| Step::Look { by }),
    ]
}

proptest! {
    /// What `Model` says of itself, with steps that are likelier than those of the fuzzing.
    #[test]
    fn readers_see_what_a_plain_list_says(steps in proptest::collection::vec(step(), 1..120)) {
        let mut model = Model::new();
        steps.into_iter().for_each(|step| model.check(step));
    }
}
