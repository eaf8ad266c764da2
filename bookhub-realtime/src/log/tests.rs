use proptest::prelude::*;

use super::*;

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

/// The ids in a run of frames of at most 64 KiB each.
fn ids(mut bytes: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let (header, len) = match bytes[1] {
            126 => (4, usize::from(u16::from_be_bytes([bytes[2], bytes[3]]))),
            len => (2, usize::from(len)),
        };
        let event: serde_json::Value =
            serde_json::from_slice(&bytes[header..header + len]).unwrap();
        found.push(event["id"].as_str().unwrap().to_owned());
        bytes = &bytes[header + len..];
    }
    found
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
    let read = log.read(&mut 1, &following(&["books"]), &mut Vec::new(), 1000);
    assert_eq!(read, Err(FellOff));
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
    let mut out = Vec::new();
    assert_eq!(log.read(&mut 0, &following(&["books"]), &mut out, 1000), Ok(false));
    assert!(out.len() > 200_000);
}

#[test]
fn raising_the_tail_beyond_the_head_makes_every_reader_fall_off() {
    let mut log = log(LIMITS);
    append(&mut log, &topic("books"), "1");
    let mut at_the_end = log.next_seq();
    log.raise_tail(Position::new(10));
    assert_eq!(
        log.read(&mut at_the_end, &following(&["books"]), &mut Vec::new(), 100),
        Err(FellOff)
    );
    assert_eq!(log.after(Position::new(10)), Lookup::At(log.next_seq()));
    assert_eq!(log.head(), Position::new(10));
}

#[test]
fn raising_the_tail_inside_the_log_leaves_readers_above_it_alone() {
    let mut log = log(LIMITS);
    (0..4).for_each(|_| append(&mut log, &topic("books"), "1"));
    log.raise_tail(Position::new(2));
    let (mut cursor, mut out) = (3, Vec::new());
    assert_eq!(log.read(&mut cursor, &following(&["books"]), &mut out, 1000), Ok(false));
    assert_eq!(ids(&out), ["e-14"]);
}

#[derive(Clone, Debug)]
enum Step {
    Append { topic: usize, size: usize },
    Read { reader: usize, budget: usize },
    Batch,
    Raise { by: u128 },
    Advance { by: u128 },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..3_usize, 0..3000_usize).prop_map(|(topic, size)| Step::Append { topic, size }),
        4 => (0..3_usize, 1..9000_usize).prop_map(|(reader, budget)| Step::Read { reader, budget }),
        2 => Just(Step::Batch),
        1 => (0..30_u128).prop_map(|by| Step::Raise { by }),
        1 => (0..3_u128).prop_map(|by| Step::Advance { by }),
    ]
}

proptest! {
    /// Whatever is appended, trimmed and read in whatever portions: a reader sees each event it
    /// wants once and in order, or learns that it fell off.
    #[test]
    fn readers_see_what_a_plain_list_says(steps in proptest::collection::vec(step(), 1..120)) {
        let topics = [topic("a"), topic("b"), topic("c.1")];
        let filters = [following(&["a"]), following(&["a", "c.*"]), following(&["b"])];
        let mut log = log(HistoryLimits { events: 20, bytes: 30_000 });
        let mut model: Vec<(Position, usize)> = Vec::new();
        let mut seen = [Position::default(); 3];
        let mut cursors = [0_u64; 3];
        let mut batch = Batch::at_end_of(&log);
        for step in steps {
            match step {
                Step::Append { topic, size } => {
                    append(&mut log, &topics[topic], &format!("\"{}\"", "y".repeat(size)));
                    model.push((log.head(), topic));
                }
                Step::Raise { by } => log.raise_tail(Position::new(log.tail.number() + by)),
                Step::Advance { by } => log.advance(Position::new(log.head().number() + by)),
                Step::Batch => {
                    log.next_batch(&mut batch, 10_000);
                    let (mut from_batch, mut from_log) = (Vec::new(), Vec::new());
                    batch.select(&filters[1], &mut from_batch);
                    let mut cursor = batch.from;
                    while cursor < batch.to {
                        log.read(&mut cursor, &filters[1], &mut from_log, usize::MAX).unwrap();
                    }
                    from_log.truncate(from_batch.len());
                    prop_assert_eq!(from_batch, from_log);
                }
                Step::Read { reader, budget } => {
                    let mut out = Vec::new();
                    let fell_off = log.position_before(cursors[reader]).is_err();
                    let read = log.read(&mut cursors[reader], &filters[reader], &mut out, budget);
                    prop_assert_eq!(fell_off, read.is_err(), "who missed something has no position");
                    if read.is_ok() {
                        let upto = log.position_before(cursors[reader]).unwrap();
                        let wanted: Vec<String> = model
                            .iter()
                            .filter(|(position, topic)| {
                                *position > seen[reader]
                                    && *position <= upto
                                    && filters[reader].wants(&topics[*topic], u64::MAX)
                            })
                            .map(|(position, _)| log.id(*position).to_string())
                            .collect();
                        prop_assert_eq!(ids(&out), wanted);
                        seen[reader] = upto;
                    } else {
                        prop_assert_eq!(log.after(seen[reader]), Lookup::Expired);
                        cursors[reader] = log.next_seq();
                        seen[reader] = log.head();
                    }
                    prop_assert_eq!(log.after(seen[reader]), Lookup::At(cursors[reader]));
                }
            }
        }
    }
}
