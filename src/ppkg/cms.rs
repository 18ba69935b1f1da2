//! The shell around a package that is encrypted or signed: a message of RFC 5652 in DER, or bytes that say nothing.
//!
//! That Windows Configuration Designer wraps the container so is general knowledge and nowhere documented [K]; what
//! doesn't look like it is left to the reader of containers, which then says what it is not.

/// `1.2.840.113549.1.7.` and the kind.
const PKCS7: [u8; 8] = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07];
const DATA: u8 = 1;
const SIGNED: u8 = 2;
const ENVELOPED: u8 = 3;
const ENCRYPTED: u8 = 6;
/// `1.2.840.113549.1.9.16.1.23`, authenticated and enveloped.
const AUTHENTICATED: [u8; 11] = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x10, 0x01, 0x17];

const SEQUENCE: u8 = 0x30;
const OBJECT: u8 = 0x06;
const OCTETS: u8 = 0x04;
const INNER: u8 = 0xa0;

/// What a message is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Cms<'a> {
    /// Signed, with its content where it is in the message as one piece.
    Signed(Option<&'a [u8]>),
    /// Encrypted.
    Enveloped,
}

/// Splits the first element off: its tag, its content, what comes after. Lengths that aren't told up front aren't read.
fn element(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = bytes.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81..=0x84 => {
            let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            (digits.iter().fold(0, |length, digit| length << 8 | usize::from(*digit)), rest)
        }
        _ => return None,
    };
    let (content, after) = rest.split_at_checked(length)?;
    Some((tag, content, after))
}
fn tagged(bytes: &[u8], wanted: u8) -> Option<(&[u8], &[u8])> {
    element(bytes).filter(|(tag, ..)| *tag == wanted).map(|(_, content, after)| (content, after))
}

/// Says what a message is; none where the bytes aren't one.
pub(super) fn look(bytes: &[u8]) -> Option<Cms<'_>> {
    let (message, _) = tagged(bytes, SEQUENCE)?;
    let (kind, rest) = tagged(message, OBJECT)?;
    if kind == AUTHENTICATED {
        return Some(Cms::Enveloped);
    }
    match kind.strip_prefix(&PKCS7)? {
        [ENVELOPED | ENCRYPTED] => Some(Cms::Enveloped),
        [SIGNED] => Some(Cms::Signed(content(rest))),
        _ => None,
    }
}

/// Returns what was signed: version, digests, then the content with its kind.
fn content(rest: &[u8]) -> Option<&[u8]> {
    let (inner, _) = tagged(rest, INNER)?;
    let (signed, _) = tagged(inner, SEQUENCE)?;
    let (_, _, rest) = element(signed)?;
    let (_, _, rest) = element(rest)?;
    let (content, _) = tagged(rest, SEQUENCE)?;
    let (kind, rest) = tagged(content, OBJECT)?;
    (kind.strip_prefix(&PKCS7)? == [DATA]).then_some(())?;
    let (inner, _) = tagged(rest, INNER)?;
    tagged(inner, OCTETS).map(|(octets, _)| octets)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrap(tag: u8, content: &[u8]) -> Vec<u8> {
        let mut bytes = vec![tag, 0x82];
        bytes.extend(u16::try_from(content.len()).expect("short").to_be_bytes());
        bytes.extend(content);
        bytes
    }
    fn object(kind: u8) -> Vec<u8> {
        [&[OBJECT, 9], &PKCS7[..], &[kind]].concat()
    }

    /// Catches an encrypted package that is called damaged, a signed one whose content isn't found, and other DER
    /// that is taken for either.
    #[test]
    fn told_apart() {
        let data = wrap(SEQUENCE, &[object(DATA), wrap(INNER, &wrap(OCTETS, b"inside"))].concat());
        let signed = wrap(SEQUENCE, &[vec![2, 1, 1], vec![0x31, 0], data].concat());
        let signed = wrap(SEQUENCE, &[object(SIGNED), wrap(INNER, &signed)].concat());
        assert_eq!(look(&signed), Some(Cms::Signed(Some(b"inside"))));
        let opaque = wrap(SEQUENCE, &[object(SIGNED), vec![0xa0, 0x80, 0, 0]].concat());
        assert_eq!(look(&opaque), Some(Cms::Signed(None)));
        let enveloped = wrap(SEQUENCE, &[object(ENVELOPED), wrap(INNER, b"xyz")].concat());
        assert_eq!(look(&enveloped), Some(Cms::Enveloped));
        for other in [&b"MSWIM\0\0\0"[..], b"", b"\x30", b"\x30\x84\xff\xff\xff\xff", &wrap(SEQUENCE, &object(DATA))] {
            assert_eq!(look(other), None);
        }
        for end in 0..signed.len() {
            assert!(look(&signed[..end]).is_none(), "cut at {end}");
        }
    }
}
