//! Whole packages: those that a writer makes come back, and nothing else is taken.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use proptest::prelude::*;
use secrecy::ExposeSecret;
use uuid::Uuid;

use super::*;
use crate::lab::wim::{Packing, write};

const XML: &str = include_str!("../../tests/it/package_files/customizations.xml");

fn package(files: &[(&str, &[u8])], packing: Packing) -> Vec<u8> {
    write(files, packing, Uuid::from_u128(7), Timestamp::UNIX_EPOCH)
}
fn sample(packing: Packing) -> Vec<u8> {
    package(&[("customizations.xml", XML.as_bytes())], packing)
}
fn why(bytes: &[u8]) -> String {
    read(bytes).expect_err("broken").to_string()
}

/// Catches facts that aren't the file's, and a token that another one gets than who installs it.
#[test]
fn a_package_is_read() {
    for packing in [Packing::Plain, Packing::Xpress] {
        let bytes = sample(packing);
        let facts = read(&bytes).expect("own bytes");
        assert_eq!((facts.sha256, facts.size), (Digest::of(&bytes), bytes.len() as u64));
        assert_eq!(facts.name.as_deref(), Some("Everything"));
        assert!(!facts.encrypted && facts.opaque.is_none() && facts.bulk_token);
        assert_eq!(bulk_token(&bytes).expect("a token").expose_secret(), "0.AXQAopaque");
    }
    assert!(sample(Packing::Xpress).len() < sample(Packing::Plain).len(), "compression is tried at all");
}

/// Catches a reader that takes the first file of the name, or none that lies in a folder or is written otherwise.
#[test]
fn the_file_is_found() {
    let other = XML.replace("Everything", "Elsewhere");
    let deep = ("a/b/Customizations.XML", other.as_bytes());
    let near = ("customizations.xml", XML.as_bytes());
    let name = |files: &[(&str, &[u8])]| read(&package(files, Packing::Xpress)).expect("own bytes").name;
    assert_eq!(name(&[deep]).as_deref(), Some("Elsewhere"));
    assert_eq!(name(&[deep, near, ("a/empty", b"")]).as_deref(), Some("Everything"));
    // Two chunks and more.
    let large = XML.replace("<Notes>", &format!("<Notes>{}", "All work and no play. ".repeat(9000)));
    assert_eq!(name(&[("customizations.xml", large.as_bytes())]).as_deref(), Some("Everything"));
    let none = package(&[("other.xml", XML.as_bytes()), ("customizations.xml/x", b"1")], Packing::Xpress);
    assert!(why(&none).contains("there is no customizations.xml"));
    assert!(why(&package(&[("customizations.xml", b"")], Packing::Plain)).contains("isn't in it"));
}

/// Catches a reader that only understands its own writer: this file was made by another program.
#[test]
fn what_others_write() {
    let bytes = include_bytes!("../../tests/it/package_files/other-writer.ppkg");
    let facts = read(bytes).expect("a container like any other");
    assert_eq!((facts.name.as_deref(), facts.other_settings.len()), (Some("Everything"), 4));
    assert!(bytes.windows(9).all(|part| part != b"Customiza"), "it is compressed");
    assert!(look(&bytes[..2000]).broken.is_some());
}

/// Catches a damaged or strange file that is taken, or whose error doesn't say what it is.
#[test]
fn what_is_refused() {
    let bytes = sample(Packing::Xpress);
    let with = |at: usize, new: &[u8]| {
        let mut bytes = bytes.clone();
        bytes[at..at + new.len()].copy_from_slice(new);
        why(&bytes)
    };
    assert!(why(b"PK\x03\x04").contains("doesn't begin"));
    assert!(why(&bytes[..100]).contains("inside its header"));
    assert!(why(&bytes[..bytes.len() / 2]).contains("beyond"));
    assert!(with(8, &[207]).contains("another length"));
    assert!(with(12, &[0, 14, 0, 0]).contains("isn't 1.13"));
    assert!(with(16, &[0x42]).contains("wasn't done"));
    assert!(with(16, &[0x0a]).contains("several"));
    assert!(with(42, &[2]).contains("several"));
    assert!(with(20, &[1]).contains("size that can't be"));
    assert!(with(16, &[2, 0, 4]).contains("LZX"));
    assert!(with(16, &[2, 0, 8]).contains("isn't known"));
    assert!(with(16, &[0, 0, 0]).contains("in a container that isn't"));
    assert!(with(48, &[1]).contains("the integrity table"));
    assert!(with(300, &[bytes[300] ^ 1]).contains("was changed"));
    // Without the integrity table the SHA-1 of each resource still holds.
    let mut bare = bytes.clone();
    bare[124..148].fill(0);
    assert!(read(&bare).is_ok());
    bare[500] ^= 1;
    assert!(read(&bare).is_err());
}

/// Catches a package that its author wrapped: encrypted is a fact, and signed ones are looked into.
#[test]
fn wrapped_ones() {
    let bytes = sample(Packing::Plain);
    let der = |tag: u8, content: &[u8]| {
        let length = u32::try_from(content.len()).expect("short").to_be_bytes();
        [&[tag, 0x84], &length[..], content].concat()
    };
    let object = |kind: u8| [&[6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7][..], &[kind]].concat();
    let data = der(0x30, &[object(1), der(0xa0, &der(4, &bytes))].concat());
    let signed = der(0x30, &[vec![2, 1, 1], vec![0x31, 0], data].concat());
    let signed = der(0x30, &[object(2), der(0xa0, &signed)].concat());
    let facts = read(&signed).expect("signed");
    assert!(facts.signed && !facts.encrypted && facts.bulk_token);
    let encrypted = der(0x30, &[object(3), der(0xa0, &bytes)].concat());
    let facts = read(&encrypted).expect("encrypted");
    assert!(facts.encrypted && facts.opaque.is_some() && !facts.bulk_token);
    assert!(bulk_token(&encrypted).is_err());
}

/// Catches a panic, or work without end, on any cut and any changed bit of a real file; with and without the
/// digests that would stop the reader before it comes to what was changed.
#[test]
fn every_cut_and_every_bit() {
    let started = Instant::now();
    let mut samples = vec![sample(Packing::Xpress), sample(Packing::Plain)];
    for bytes in samples.clone() {
        let mut bare = bytes;
        bare[124..148].fill(0);
        samples.push(bare);
    }
    let mut refused = 0_u32;
    for bytes in &samples {
        for end in 0..bytes.len() {
            refused += u32::from(read(&bytes[..end]).is_err());
        }
        for bit in 0..bytes.len() * 8 {
            let mut broken = bytes.clone();
            broken[bit / 8] ^= 1 << (bit % 8);
            refused += u32::from(read(&broken).is_err());
        }
    }
    assert!(refused > 1000);
    assert!(started.elapsed() < Duration::from_secs(120), "{:?}", started.elapsed());
}

/// Catches a walk without end where folders hold themselves, or are too deep or too many: digests stand before it in a
/// file, so it is tried alone.
#[test]
fn hostile_trees() {
    let entry = |children: u64, name: &str| {
        let mut bytes = vec![0; 104 + name.len() * 2 + 2];
        let length = bytes.len().next_multiple_of(8);
        bytes.resize(length, 0);
        bytes[..8].copy_from_slice(&(length as u64).to_le_bytes());
        bytes[8] = 0x10;
        bytes[16..24].copy_from_slice(&children.to_le_bytes());
        bytes[100] = u8::try_from(name.len() * 2).expect("short");
        let units: Vec<u8> = name.encode_utf16().flat_map(u16::to_le_bytes).collect();
        bytes[102..102 + units.len()].copy_from_slice(&units);
        bytes
    };
    let first = 8 + entry(0, "").len() as u64;
    // Each folder is followed by the one that it holds; what is behind the last one is told by `last`.
    let chain = |folders: u64, last: u64| {
        let step = entry(0, "a").len() as u64 + 8;
        let mut bytes = [&[8, 0, 0, 0, 0, 0, 0, 0], entry(first, "").as_slice()].concat();
        for n in 0..folders {
            let next = if n + 1 == folders { last } else { first + (n + 1) * step };
            bytes.extend([entry(next, "a"), vec![0; 8]].concat());
        }
        bytes
    };
    assert_eq!(tree::find(&chain(50, 0), "x").expect("a tree"), None);
    assert_eq!(tree::find(&chain(3, first), "x").expect("a circle"), None);
    assert!(tree::find(&chain(65, 0), "x").expect_err("deep").to_string().contains("deeper"));
    let tree = |folders: u64| chain(folders, first);
    // Entries that begin inside of each other are as many as there are places.
    let many = [[8, 0, 0, 0, 0, 0, 0, 0].as_slice(), &entry(first, ""), &entry(0, "a").repeat(60_000)].concat();
    assert!(tree::find(&many, "x").expect_err("wide").to_string().contains("entries"));
    for end in 0..tree(2).len() {
        drop(tree::find(&tree(2)[..end], "x"));
    }
    for bit in 0..tree(2).len() * 8 {
        let mut bytes = tree(2);
        bytes[bit / 8] ^= 1 << (bit % 8);
        drop(tree::find(&bytes, "x"));
    }
}

proptest! {
    /// Catches files whose content or place doesn't come back.
    #[test]
    fn what_is_written_is_read(
        texts in proptest::collection::vec("[ -~]{0,400}", 1..4),
        folder in "[a-z]{1,8}",
        plain in any::<bool>(),
    ) {
        let names: Vec<String> = (0..texts.len()).map(|n| format!("{folder}/{n}.txt")).collect();
        let files: Vec<(&str, &[u8])> = names.iter().zip(&texts).map(|(n, t)| (n.as_str(), t.as_bytes())).collect();
        let bytes = package(&files, if plain { Packing::Plain } else { Packing::Xpress });
        let wim = wim::Wim::open(&bytes).expect("own bytes");
        for (n, text) in texts.iter().enumerate().filter(|(_, text)| !text.is_empty()) {
            let found = wim.file(&format!("{n}.txt"), 1 << 20).expect("there");
            prop_assert_eq!(found.as_slice(), text.as_bytes());
        }
    }

    /// Catches a panic on bytes that begin as a container does and mean nothing.
    #[test]
    fn noise_is_refused(noise in proptest::collection::vec(any::<u8>(), 0..600)) {
        let head = &sample(Packing::Xpress)[..48];
        prop_assert!(read(&[head, &noise].concat()).is_err());
        prop_assert!(read(&noise).is_err());
    }
}
