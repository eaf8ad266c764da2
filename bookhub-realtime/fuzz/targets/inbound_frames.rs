//! Bytes that a client sends: see `testing::fuzzing::inbound_frames`.

#![no_main]

use bookhub_realtime::testing::fuzzing::inbound_frames;

libfuzzer_sys::fuzz_target!(|data: &[u8]| inbound_frames(data));
