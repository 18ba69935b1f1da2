//! Measures compile and diff from a snapshot. Not built yet.

fn main() {}
