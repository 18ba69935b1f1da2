//! Compresses XPRESS with Huffman codes ([MS-XCA] 2.1), so that the lab's packages are what real ones are. Simple,
//! not small: the newest earlier place of three bytes is the only match that is tried.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

const SYMBOLS: usize = 512;
/// Ends the data of a chunk; readers that know the length never ask for it.
const END: usize = 256;
const LONGEST: u8 = 15;
const MATCH_MIN: usize = 3;

/// A byte, or a match.
enum Item {
    Byte(u8),
    Match { distance: usize, length: usize },
}

impl Item {
    fn symbol(&self) -> usize {
        match self {
            Self::Byte(byte) => usize::from(*byte),
            Self::Match { distance, length } => 256 + ((distance.ilog2() as usize) << 4) + (length - MATCH_MIN).min(15),
        }
    }
}

fn items(chunk: &[u8]) -> Vec<Item> {
    let mut newest: BTreeMap<&[u8], usize> = BTreeMap::new();
    let mut items = Vec::new();
    let mut at = 0;
    while at < chunk.len() {
        let earlier = chunk.get(at..at + MATCH_MIN).and_then(|three| newest.insert(three, at));
        let length = earlier
            .map_or(0, |from| chunk[at..].iter().zip(&chunk[from..]).take_while(|(new, old)| new == old).count());
        match earlier {
            Some(from) if length >= MATCH_MIN => {
                items.push(Item::Match { distance: at - from, length });
                at += length;
            }
            _ => {
                items.push(Item::Byte(chunk[at]));
                at += 1;
            }
        }
    }
    items
}

/// Returns lengths of codes that fit the frequencies and have at most 15 bits.
fn lengths(mut frequency: [u32; SYMBOLS]) -> [u8; SYMBOLS] {
    loop {
        let mut lengths = [0_u8; SYMBOLS];
        // A tree's weight, its number (for the same result every time), and its symbols.
        let used = frequency.iter().enumerate().filter(|(_, times)| **times > 0);
        let mut trees: BinaryHeap<Reverse<(u32, usize, Vec<usize>)>> =
            used.map(|(symbol, times)| Reverse((*times, symbol, vec![symbol]))).collect();
        let mut number = SYMBOLS;
        while trees.len() > 1 {
            let (Some(Reverse(first)), Some(Reverse(second))) = (trees.pop(), trees.pop()) else { break };
            let symbols = [first.2, second.2].concat();
            symbols.iter().for_each(|symbol| lengths[*symbol] = lengths[*symbol].saturating_add(1));
            trees.push(Reverse((first.0 + second.0, number, symbols)));
            number += 1;
        }
        if lengths.iter().all(|length| *length <= LONGEST) {
            return lengths;
        }
        frequency.iter_mut().filter(|times| **times > 0).for_each(|times| *times = *times / 2 + 1);
    }
}

/// Codes by symbol: shorter ones first, among equal ones the lower symbol.
fn codes(lengths: &[u8; SYMBOLS]) -> [u32; SYMBOLS] {
    let mut codes = [0; SYMBOLS];
    let mut code = 0;
    for length in 1..=LONGEST {
        code <<= 1;
        for (symbol, _) in lengths.iter().enumerate().filter(|(_, own)| **own == length) {
            codes[symbol] = code;
            code += 1;
        }
    }
    codes
}

/// Words of bits, with whole bytes between them at the places where a reader that is two words ahead looks for them.
struct Writer {
    out: Vec<u8>,
    /// Where the next two words will stand.
    places: [usize; 2],
    bits: u32,
    count: u32,
}

impl Writer {
    fn new(out: Vec<u8>) -> Self {
        let at = out.len();
        let mut own = Self { out, places: [at, at + 2], bits: 0, count: 0 };
        own.out.extend([0; 4]);
        own
    }
    fn put(&mut self, value: u32, count: u32) {
        self.bits = self.bits << count | value;
        self.count += count;
        if self.count > 16 {
            self.count -= 16;
            self.word(self.bits >> self.count);
            self.places = [self.places[1], self.out.len()];
            self.out.extend([0; 2]);
        }
    }
    fn word(&mut self, word: u32) {
        let [low, high, ..] = word.to_le_bytes();
        self.out[self.places[0]] = low;
        self.out[self.places[0] + 1] = high;
    }
    fn finish(mut self) -> Vec<u8> {
        self.word(self.bits << (16 - self.count));
        self.out
    }
}

/// Compresses one chunk of at most 64 KiB. What comes out may be longer than what went in.
#[must_use]
pub fn compress(chunk: &[u8]) -> Vec<u8> {
    let items = items(chunk);
    let mut frequency = [0; SYMBOLS];
    frequency[END] = 1;
    items.iter().for_each(|item| frequency[item.symbol()] += 1);
    if items.is_empty() {
        // One symbol alone has no code.
        frequency[0] = 1;
    }
    let lengths = lengths(frequency);
    let codes = codes(&lengths);
    let table = lengths.chunks_exact(2).map(|two| two[0] | two[1] << 4).collect();
    let mut writer = Writer::new(table);
    for item in &items {
        let symbol = item.symbol();
        writer.put(codes[symbol], u32::from(lengths[symbol]));
        if let Item::Match { distance, length } = item {
            let more = length - MATCH_MIN;
            match u8::try_from(more.saturating_sub(15)) {
                _ if more < 15 => {}
                Ok(byte) if byte < 255 => writer.out.push(byte),
                _ => {
                    writer.out.push(255);
                    writer.out.extend(u16::try_from(more).unwrap_or(u16::MAX).to_le_bytes());
                }
            }
            let bits = distance.ilog2();
            writer.put(u32::try_from(distance - (1 << bits)).unwrap_or_default(), bits);
        }
    }
    writer.put(codes[END], u32::from(lengths[END]));
    writer.finish()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::ppkg::xpress::decompress;

    fn comes_back(bytes: &[u8]) -> usize {
        let packed = compress(bytes);
        let mut out = b"before".to_vec();
        decompress(&packed, bytes.len(), &mut out).expect("own bytes");
        assert_eq!(out.strip_prefix(b"before"), Some(bytes));
        packed.len()
    }

    /// Catches a length or distance at the border of two forms, and codes that get too long.
    #[test]
    fn borders() {
        for length in [1, 2, 3, 4, 17, 18, 19, 20, 272, 273, 274, 275, 276, 4096, 32_768, 65_535] {
            comes_back(&vec![b'x'; length]);
            comes_back(&[&b"abc"[..], &vec![b'-'; length], b"abc"].concat()[..(length + 6).min(65_536)]);
        }
        // Frequencies like Fibonacci's numbers give the deepest tree.
        let (mut one, mut two, mut skew) = (1_usize, 1_usize, Vec::new());
        for symbol in 0..20_u8 {
            skew.extend((0..one).flat_map(|n| [symbol, u8::try_from(n * 7 % 251).unwrap_or_default()]));
            (one, two) = (two, one + two);
        }
        skew.truncate(65_536);
        comes_back(&skew);
        comes_back(b"");
        assert!(comes_back(&b"<Setting>value</Setting>".repeat(100)) < 400, "it compresses at all");
    }

    proptest! {
        /// Catches whatever else a writer and a reader see differently.
        #[test]
        fn any_bytes(bytes in proptest::collection::vec(prop_oneof![any::<u8>(), 0..4_u8], 0..3000)) {
            comes_back(&bytes);
        }
    }
}
