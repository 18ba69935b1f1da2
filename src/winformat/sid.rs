//! Security identifiers in binary form ([MS-DTYP] 2.4.2.2).

use super::FormatError;
use crate::model::Sid;

/// Sub-authorities that a SID has at most.
const PARTS_MAX: usize = 15;

/// Returns how many bytes the SID at the beginning of the bytes takes.
///
/// # Errors
/// Where it isn't a SID of revision 1, or is cut off.
pub(super) fn length(bytes: &[u8]) -> Result<usize, &'static str> {
    match bytes {
        [1, count, ..] if usize::from(*count) <= PARTS_MAX => {
            let length = 8 + 4 * usize::from(*count);
            if bytes.len() < length { Err("a SID is cut off") } else { Ok(length) }
        }
        [1, _, ..] => Err("a SID has too many sub-authorities"),
        [_, ..] => Err("a SID isn't of revision 1"),
        [] => Err("a SID is cut off"),
    }
}

/// Reads the SID that takes all of the bytes, such as the value `Sid` of a profile's key.
///
/// # Errors
/// Where it isn't one, has no sub-authority, or has bytes behind it.
pub fn from_bytes(bytes: &[u8]) -> Result<Sid, FormatError> {
    let length = length(bytes).map_err(|what| FormatError::new(what, 0))?;
    if length != bytes.len() {
        return Err(FormatError::new("a SID has bytes behind it", length));
    }
    let authority = bytes[2..8].iter().fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte));
    let mut text = format!("S-1-{authority}");
    for part in bytes[8..].as_chunks::<4>().0 {
        text.push_str(&format!("-{}", u32::from_le_bytes(*part)));
    }
    text.parse().map_err(|_| FormatError::new("a SID has no sub-authority", 1))
}

/// Returns the binary form.
///
/// # Errors
/// Where a number of the text is larger than a SID can hold.
pub fn to_bytes(sid: &Sid) -> Result<Vec<u8>, FormatError> {
    let too_large = || FormatError::new("a SID has a number that is too large", 0);
    let mut parts = sid.as_str().split('-').skip(2);
    let authority: u64 = parts.next().and_then(|text| text.parse().ok()).ok_or_else(too_large)?;
    let [0, 0, authority @ ..] = authority.to_be_bytes() else { return Err(too_large()) };
    let parts: Vec<u32> = parts.map(|text| text.parse().map_err(|_| too_large())).collect::<Result<_, _>>()?;
    let count = u8::try_from(parts.len()).map_err(|_| too_large())?;
    let mut bytes = vec![1, count];
    bytes.extend(authority);
    bytes.extend(parts.into_iter().flat_map(u32::to_le_bytes));
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sid(text: &str) -> Sid {
        text.parse().expect("a SID")
    }

    /// Catches a wrong byte order: the authority is big-endian, all else little-endian.
    #[test]
    fn well_known() {
        let system = [1, 1, 0, 0, 0, 0, 0, 5, 18, 0, 0, 0];
        assert_eq!(to_bytes(&sid("S-1-5-18")).expect("bytes"), system);
        assert_eq!(from_bytes(&system).expect("a SID"), sid("S-1-5-18"));
        let admins = [1, 2, 0, 0, 0, 0, 0, 5, 32, 0, 0, 0, 0x20, 2, 0, 0];
        assert_eq!(to_bytes(&sid("S-1-5-32-544")).expect("bytes"), admins);
    }

    /// Catches an engine that relies on equal lengths where they aren't: accounts of a domain and of Entra are.
    #[test]
    fn people_take_28_bytes() {
        for text in ["S-1-5-21-1-2-3-1104", "S-1-12-1-910410835-1306523740-2996082354-1245529378"] {
            assert_eq!(to_bytes(&sid(text)).map(|bytes| bytes.len()), Ok(28));
        }
    }

    /// Catches a number that is cut to 32 bits: it would name somebody else.
    #[test]
    fn refuses_what_is_no_sid() {
        assert!(to_bytes(&sid("S-1-5-21-4294967296")).is_err());
        assert!(to_bytes(&sid("S-1-281474976710656-1")).is_err());
        assert!(to_bytes(&sid("S-1-281474976710655-1")).is_ok());
        let long = [1, 16, 0, 0, 0, 0, 0, 5];
        for bytes in [&[] as &[u8], &[1], &[2, 1, 0, 0, 0, 0, 0, 5, 1, 0, 0, 0], &[1, 2, 0, 0, 0, 0, 0, 5, 1, 0], &long]
        {
            assert!(from_bytes(bytes).is_err(), "{bytes:?}");
        }
        assert!(from_bytes(&[1, 1, 0, 0, 0, 0, 0, 5, 18, 0, 0, 0, 0]).is_err());
        assert!(from_bytes(&[1, 0, 0, 0, 0, 0, 0, 5]).is_err());
    }

    proptest::proptest! {
        /// Catches any number that doesn't come back.
        #[test]
        fn round_trip(authority in 0_u64..1 << 48, parts in proptest::collection::vec(proptest::num::u32::ANY, 1..=15)) {
            let text = parts.iter().fold(format!("S-1-{authority}"), |text, part| format!("{text}-{part}"));
            let bytes = to_bytes(&sid(&text)).expect("bytes");
            proptest::prop_assert_eq!(from_bytes(&bytes).expect("a SID"), sid(&text));
        }
        /// Catches a panic.
        #[test]
        fn any_bytes(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..80)) {
            let _ = from_bytes(&bytes);
        }
    }
}
