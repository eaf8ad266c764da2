//! Tokens that a client shows: see `testing::fuzzing::reconnect_token`.

#![no_main]

use bookhub_realtime::testing::fuzzing::reconnect_token;

libfuzzer_sys::fuzz_target!(|data: &[u8]| reconnect_token(data));
