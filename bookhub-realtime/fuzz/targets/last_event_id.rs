//! Ids, positions and topics: see `testing::fuzzing::last_event_id`.

#![no_main]

use bookhub_realtime::testing::fuzzing::last_event_id;

libfuzzer_sys::fuzz_target!(|data: &[u8]| last_event_id(data));
