//! Security descriptors.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = entries::descriptor(bytes);
});
