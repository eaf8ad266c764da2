//! What may happen to a log: see `testing::fuzzing::log_operations`.

#![no_main]

use bookhub_realtime::testing::fuzzing::log_operations;

libfuzzer_sys::fuzz_target!(|data: &[u8]| log_operations(data));
