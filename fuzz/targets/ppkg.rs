//! Package files, and their layers alone.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = entries::ppkg(bytes);
});
