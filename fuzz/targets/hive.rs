//! Registry hives.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = entries::hive(bytes);
});
