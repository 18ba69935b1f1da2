//! Finds secrets in bytes, however they are written there: in clear, hex, base64 at any alignment, UTF-16.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

/// A shorter piece would be found by chance.
const PIECE_MIN: usize = 10;
/// Length of the pieces that stand for a long secret.
const PIECE: usize = 48;

/// What is looked for.
#[derive(Default)]
pub struct Search {
    /// Needles by their first bytes, so that time grows with the bytes and not with the needles.
    needles: BTreeMap<[u8; 4], Vec<(Vec<u8>, String)>>,
}

impl Search {
    /// Plants a secret: it is looked for as a whole.
    pub fn plant(&mut self, name: &str, secret: &[u8]) {
        assert!(secret.len() >= PIECE_MIN, "{name} is too short to be told from chance");
        let hex: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
        let wide = secret.iter().flat_map(|byte| [*byte, 0]).collect();
        let mut forms = vec![secret.to_vec(), hex.to_uppercase().into_bytes(), hex.into_bytes(), wide];
        for before in 0..3 {
            let padded = [&vec![0; before][..], secret].concat();
            // Characters that hold bits of what is before or behind it are left out.
            let (first, last) = ((before * 8).div_ceil(6), padded.len() * 8 / 6);
            for text in [STANDARD_NO_PAD.encode(&padded), URL_SAFE_NO_PAD.encode(&padded)] {
                forms.push(text.as_bytes()[first..last].to_vec());
            }
        }
        for form in forms {
            let start = form[..4].try_into().expect("four bytes");
            self.needles.entry(start).or_default().push((form, name.to_owned()));
        }
    }

    /// Plants a long secret: any piece of it counts. Pieces that anything may hold, such as zeros, don't, nor those that
    /// a public text has, such as the name of an account.
    pub fn plant_pieces(&mut self, name: &str, secret: &[u8], public: &str) {
        let told = |piece: &[u8]| public.as_bytes().windows(PIECE).any(|part| part == piece);
        let telling = |piece: &&[u8]| piece.iter().collect::<BTreeSet<_>>().len() > PIECE / 3 && !told(piece);
        let pieces: Vec<&[u8]> = secret.chunks_exact(PIECE).filter(telling).collect();
        assert!(!pieces.is_empty(), "{name} has no piece that is its own");
        let every = (pieces.len() / 16).max(1);
        pieces.into_iter().step_by(every).for_each(|piece| self.plant(name, piece));
    }

    /// Names the secrets that are in some bytes.
    pub fn found(&self, bytes: &[u8]) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        for (at, start) in bytes.windows(4).enumerate() {
            let Some(needles) = self.needles.get(start) else { continue };
            let hits = needles.iter().filter(|(needle, _)| bytes[at..].starts_with(needle));
            found.extend(hits.map(|(_, name)| name.clone()));
        }
        found
    }

    /// Searches every file below a folder; names what was found, by path from it.
    pub fn files(&self, folder: &Path, found: &mut BTreeSet<(String, String)>) {
        let mut open = vec![folder.to_owned()];
        while let Some(next) = open.pop() {
            let Ok(entries) = std::fs::read_dir(&next) else { continue };
            for path in entries.flatten().map(|entry| entry.path()) {
                if path.is_dir() {
                    open.push(path);
                } else if let Ok(bytes) = std::fs::read(&path) {
                    let name = path.strip_prefix(folder).unwrap_or(&path).to_string_lossy().replace('\\', "/");
                    found.extend(self.found(&bytes).into_iter().map(|secret| (name.clone(), secret)));
                }
            }
        }
    }
}

/// Catches a form in which a secret isn't found, at any place among other bytes, and one that is found in nothing.
#[test]
fn every_form_is_found() {
    let secret = b"Planted?Secret>With+Odd/Bytes";
    let mut search = Search::default();
    search.plant("it", secret);
    let hex: String = secret.iter().map(|byte| format!("{byte:02X}")).collect();
    let wide: Vec<u8> = std::str::from_utf8(secret).expect("text").encode_utf16().flat_map(u16::to_le_bytes).collect();
    for before in 0..7 {
        let around = |inner: &[u8]| [&vec![b'x'; before][..], inner, b"tail"].concat();
        let within = around(secret);
        let forms = [
            within.clone(),
            around(hex.as_bytes()),
            around(hex.to_lowercase().as_bytes()),
            around(&wide),
            around(STANDARD_NO_PAD.encode(&within).as_bytes()),
            around(URL_SAFE_NO_PAD.encode(&within).as_bytes()),
        ];
        for form in forms {
            assert!(search.found(&form).contains("it"), "{before}: {}", String::from_utf8_lossy(&form));
        }
    }
    assert!(search.found(&secret[1..]).is_empty() && search.found(b"").is_empty());
    assert!(search.found(&vec![b'x'; 10_000]).is_empty());
}

/// Catches a long secret of which a part is overlooked.
#[test]
fn a_piece_is_enough() {
    let secret: Vec<u8> = (0..4000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let mut search = Search::default();
    search.plant_pieces("it", &[&vec![0; 500][..], &secret].concat(), "");
    assert!(search.found(&secret[1000..2000]).contains("it"));
    assert!(search.found(&[0; 5000]).is_empty());
}
