#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| steledb::fuzzing::sql(bytes));
