//! What Wine doesn't have.

/// Says that Wine doesn't have a call, and how it is checked instead. Shown with `--nocapture`.
pub(super) fn lacks(call: &str, instead: &str) {
    println!("WINE LACKS: {call}: {instead}");
}
