//! Messages that a client sends: see `testing::fuzzing::hello_json`.

#![no_main]

use bookhub_realtime::testing::fuzzing::hello_json;

libfuzzer_sys::fuzz_target!(|data: &[u8]| hello_json(data));
