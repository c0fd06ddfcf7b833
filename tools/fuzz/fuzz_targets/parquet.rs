#![no_main]

libfuzzer_sys::fuzz_target!(
    // As for segments.
    init: drop(std::panic::take_hook()),
    |bytes: &[u8]| steledb::fuzzing::parquet(bytes)
);
