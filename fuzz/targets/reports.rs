//! What Windows' programs print, and registry files.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = entries::reports(bytes);
});
