//! Text as Windows' programs write it into files.

/// Decodes UTF-16 in either order and UTF-8, told apart by the mark at the beginning; without one, UTF-16 is known by
/// the zero byte of its first character, and anything else is read as UTF-8. What can't be decoded becomes U+FFFD: a
/// reader then says which line it doesn't understand, instead of refusing the whole.
///
/// `reg export` writes UTF-16 with a mark (Microsoft's page on `reg export`); what a shell redirects depends on the
/// shell (`[K]`, domain.md C1.12).
#[must_use]
pub fn decode(bytes: &[u8]) -> String {
    match bytes {
        [0xff, 0xfe, rest @ ..] => utf16(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => utf16(rest, u16::from_be_bytes),
        [0xef, 0xbb, 0xbf, rest @ ..] => String::from_utf8_lossy(rest).into_owned(),
        [first, 0, ..] if *first != 0 => utf16(bytes, u16::from_le_bytes),
        _ => String::from_utf8_lossy(bytes).into_owned(),
    }
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> String {
    let (pairs, rest) = bytes.as_chunks::<2>();
    let units = pairs.iter().map(|pair| unit(*pair));
    let mut text: String = char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect();
    if !rest.is_empty() {
        text.push(char::REPLACEMENT_CHARACTER);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Catches a reader that takes UTF-16 for letters with zeros between them, with and without a mark.
    #[test]
    fn every_encoding_gives_the_same_text() {
        let text = "AzureAdJoined : YES — ü\r\n";
        let le: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let be: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
        assert_eq!(decode(text.as_bytes()), text);
        assert_eq!(decode(&[&[0xef, 0xbb, 0xbf], text.as_bytes()].concat()), text);
        assert_eq!(decode(&[&[0xff, 0xfe], le.as_slice()].concat()), text);
        assert_eq!(decode(&[&[0xfe, 0xff], be.as_slice()].concat()), text);
        assert_eq!(decode(&le), text);
    }

    /// Catches half a character at the end that is lost without a trace.
    #[test]
    fn half_a_character_is_seen() {
        assert_eq!(decode(&[0xff, 0xfe, b'a', 0, b'b']), "a\u{fffd}");
        assert_eq!(decode(&[0xff, 0xfe, 0, 0xd8]), "\u{fffd}");
        assert_eq!(decode(b""), "");
    }
}
