//! Decompresses XPRESS with Huffman codes, as containers use it in chunks ([MS-XCA] 2.2).
//!
//! A chunk begins with 256 bytes that hold the code lengths of 512 symbols, four bits each, the even symbol in the
//! lower half. Then come 16 bit words, first bit highest; lengths of long matches stand as whole bytes between them,
//! at the place up to which words have been taken. Symbols below 256 are bytes. The others are matches: four bits of
//! length, and the number of bits of the distance.

use super::Broken;
use super::bytes::u16_at;

const SYMBOLS: usize = 512;
const TABLE: usize = SYMBOLS / 2;
/// Bits of the longest code.
const LONGEST: usize = 15;
/// Shortest match.
const MATCH_MIN: usize = 3;
/// Words that may be taken from beyond the end: a decoder reads ahead by two.
const AHEAD: usize = 2;

/// Canonical codes: shorter ones first, among equal ones the lower symbol.
struct Codes {
    count: [u16; LONGEST + 1],
    symbols: Vec<u16>,
}

impl Codes {
    fn read(table: &[u8]) -> Result<Self, Broken> {
        let length = |symbol: usize| usize::from(table[symbol / 2] >> (4 * (symbol % 2)) & 15);
        let mut count = [0_u16; LONGEST + 1];
        let mut symbols = Vec::with_capacity(SYMBOLS);
        for (bits, count) in count.iter_mut().enumerate().skip(1) {
            let before = symbols.len();
            symbols.extend((0_u16..).take(SYMBOLS).filter(|symbol| length(usize::from(*symbol)) == bits));
            *count = u16::try_from(symbols.len() - before).unwrap_or(u16::MAX);
        }
        let used: u32 = (1..=LONGEST).map(|bits| u32::from(count[bits]) << (LONGEST - bits)).sum();
        if used > 1 << LONGEST {
            return Err(Broken::new("a chunk's codes contradict each other"));
        }
        Ok(Self { count, symbols })
    }

    /// Returns the symbol at the beginning of some bits, and how many bits it takes.
    fn symbol(&self, bits: u32) -> Option<(usize, u32)> {
        let (mut code, mut first, mut index) = (0_u32, 0_u32, 0_u32);
        for length in 1..=LONGEST {
            code = code << 1 | (bits >> (32 - length)) & 1;
            let count = u32::from(self.count[length]);
            if code < first + count {
                let symbol = *self.symbols.get((index + code - first) as usize)?;
                return Some((usize::from(symbol), u32::try_from(length).ok()?));
            }
            index += count;
            first = (first + count) << 1;
        }
        None
    }
}

/// The words, and the bytes between them.
struct Bits<'a> {
    input: &'a [u8],
    at: usize,
    bits: u32,
    /// Bits beyond the upper 16.
    more: u32,
}

impl<'a> Bits<'a> {
    fn new(input: &'a [u8]) -> Result<Self, Broken> {
        let mut own = Self { input, at: 0, bits: 0, more: 16 };
        let (first, second) = (own.word()?, own.word()?);
        own.bits = first << 16 | second;
        Ok(own)
    }
    fn word(&mut self) -> Result<u32, Broken> {
        let word = match u16_at(self.input, self.at) {
            Some(word) => word,
            None if self.at < self.input.len() + 2 * AHEAD => 0,
            None => return Err(Broken::new("a chunk ends in the middle")),
        };
        self.at += 2;
        Ok(u32::from(word))
    }
    fn skip(&mut self, count: u32) -> Result<(), Broken> {
        self.bits <<= count;
        if self.more >= count {
            self.more -= count;
        } else {
            let lacking = count - self.more;
            self.bits |= self.word()? << lacking;
            self.more = 16 - lacking;
        }
        Ok(())
    }
    fn take(&mut self, count: u32) -> Result<usize, Broken> {
        if count == 0 {
            return Ok(0);
        }
        let value = self.bits >> (32 - count);
        self.skip(count)?;
        Ok(value as usize)
    }
    fn byte(&mut self) -> Result<usize, Broken> {
        let byte = self.input.get(self.at).ok_or_else(|| Broken::new("a chunk ends in the middle"))?;
        self.at += 1;
        Ok(usize::from(*byte))
    }
}

/// Decompresses one chunk to exactly `size` bytes, behind what is already in `out`. Matches reach back to the
/// beginning of the chunk.
///
/// # Errors
/// [`Broken`] where the chunk ends early, or its codes or distances can't be.
pub fn decompress(input: &[u8], size: usize, out: &mut Vec<u8>) -> Result<(), Broken> {
    let (table, rest) =
        input.split_at_checked(TABLE).ok_or_else(|| Broken::new("a chunk has no room for its codes"))?;
    let codes = Codes::read(table)?;
    let mut bits = Bits::new(rest)?;
    let start = out.len();
    let end = start + size;
    while out.len() < end {
        let (symbol, length) =
            codes.symbol(bits.bits).ok_or_else(|| Broken::new("a chunk has a code without meaning"))?;
        bits.skip(length)?;
        let Some(found) = symbol.checked_sub(256) else {
            // A byte, since the symbol is below 256.
            out.push(u8::try_from(symbol).unwrap_or_default());
            continue;
        };
        let mut length = found & 15;
        if length == 15 {
            let more = bits.byte()?;
            length = if more < 255 { length + more } else { bits.byte()? | bits.byte()? << 8 };
        }
        let length = length + MATCH_MIN;
        let distance_bits = u32::try_from(found >> 4).unwrap_or_default();
        let distance = 1 << distance_bits | bits.take(distance_bits)?;
        if distance > out.len() - start {
            return Err(Broken::new("a chunk refers to what is before its beginning"));
        }
        if length > end - out.len() {
            return Err(Broken::new("a chunk is longer than the container says"));
        }
        for _ in 0..length {
            out.push(out[out.len() - distance]);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Builds a chunk from the code lengths of its symbols and the bytes behind them.
    fn chunk(lengths: &[(usize, u8)], rest: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0; TABLE];
        for (symbol, length) in lengths {
            bytes[symbol / 2] |= length << (4 * (symbol % 2));
        }
        bytes.extend(rest);
        bytes
    }

    fn all(bytes: &[u8], size: usize) -> Result<Vec<u8>, Broken> {
        let mut out = Vec::new();
        decompress(bytes, size, &mut out).map(|()| out)
    }

    /// Catches words taken in the wrong order, and codes that are numbered in another order: the first example of
    /// [MS-XCA] 3.2, the alphabet.
    #[test]
    fn the_alphabet() {
        let mut lengths: Vec<(usize, u8)> = (usize::from(b'a')..=usize::from(b'z')).map(|letter| (letter, 5)).collect();
        // The last four letters and the end have four bits.
        lengths[22..].iter_mut().for_each(|(_, length)| *length = 4);
        lengths.push((256, 4));
        let rest = [
            0xd8, 0x52, 0x3e, 0xd7, 0x94, 0x11, 0x5b, 0xe9, 0x19, 0x5f, 0xf9, 0xd6, 0x7c, 0xdf, 0x8d, 0x04, 0, 0, 0, 0,
        ];
        assert_eq!(all(&chunk(&lengths, &rest), 26).expect("valid"), b"abcdefghijklmnopqrstuvwxyz");
    }

    /// Catches a long match whose length is taken from bits, or from the wrong place between words: the second
    /// example of [MS-XCA] 3.2, `abc` a hundred times.
    #[test]
    fn a_long_match() {
        let lengths = [(0x61, 3), (0x62, 3), (0x63, 2), (256, 2), (287, 2)];
        let bytes = chunk(&lengths, &[0xa8, 0xdc, 0, 0, 0xff, 0x26, 0x01]);
        assert_eq!(all(&bytes, 300).expect("valid"), b"abc".repeat(100));
    }

    /// Catches a chunk that is taken where it can't be: each would make bytes up, or read outside of it.
    #[test]
    fn what_cannot_be() {
        let ends = |bytes: &[u8], size| all(bytes, size).expect_err("broken").to_string();
        assert!(ends(&[0; 255], 1).contains("no room"));
        assert!(ends(&[0x11; 300], 1).contains("contradict"));
        assert!(ends(&[0; 300], 1).contains("without meaning"));
        let lengths = [(0x61, 3), (0x62, 3), (0x63, 2), (256, 2), (287, 2)];
        let rest = [0xa8, 0xdc, 0, 0, 0xff, 0x26, 0x01];
        assert!(ends(&chunk(&lengths, &rest), 299).contains("longer"), "the match has 297 bytes");
        assert!(ends(&chunk(&lengths, &rest[..5]), 300).contains("middle"));
        assert!(ends(&chunk(&lengths, &[0, 0x80, 0, 0, 9]), 300).contains("before its beginning"));
        assert!(ends(&chunk(&[(0x61, 1), (0x62, 1)], &[0, 0]), 33_000).contains("middle"));
    }
}
