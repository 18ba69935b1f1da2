//! Plan files.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = entries::plan_file(bytes);
});
