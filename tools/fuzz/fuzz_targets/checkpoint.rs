#![no_main]

libfuzzer_sys::fuzz_target!(
    // A panic of `parquet` that the decoder makes an error of is no finding, but the hook of the fuzzer ends the process at
    // every one. Without it the process ends at those that leave the decoder.
    init: drop(std::panic::take_hook()),
    |bytes: &[u8]| steledb::fuzzing::checkpoint(bytes)
);
