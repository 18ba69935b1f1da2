//! Canonical bytes: one value, one text. Keys are sorted, nothing is optional in its writing, numbers are whole.

use serde::Serialize;

use crate::model::Digest;

/// Returns the canonical JSON of a value: members in the order of their names, no white space.
///
/// # Errors
/// Where the value holds something that JSON can't, such as a map with keys that aren't text.
pub fn canonical<T: Serialize>(value: &T) -> Result<Vec<u8>, serde_json::Error> {
    // `Value` keeps members sorted; going through it makes the order independent of the types' own.
    serde_json::to_vec(&serde_json::to_value(value)?)
}

/// Returns the digest of a value's canonical bytes.
///
/// # Errors
/// As [`canonical`].
pub fn digest_of<T: Serialize>(value: &T) -> Result<Digest, serde_json::Error> {
    canonical(value).map(|bytes| Digest::of(&bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Catches members that stand in the order in which a type or a map happens to have them.
    #[test]
    fn members_are_sorted() {
        let one = serde_json::json!({"b": 1, "a": {"d": [2, 1], "c": null}});
        assert_eq!(canonical(&one).expect("JSON"), br#"{"a":{"c":null,"d":[2,1]},"b":1}"#);
    }
}
