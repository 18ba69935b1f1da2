//! Formats of Windows: security identifiers and descriptors, registry hives, and the output of its programs.
//!
//! Pure functions over bytes and text. Each is total: whatever comes in, out comes a value or a clear error, never a
//! panic. No format is written by its own guess of what is allowed; what isn't understood is left as it was.
