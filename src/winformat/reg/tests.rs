//! The traps of domain.md C4, on texts of the documented forms.

use proptest::prelude::*;

use super::*;

const LIST: &str = r"HKEY_LOCAL_MACHINE\SOFTWARE\Microsoft\Windows NT\CurrentVersion\ProfileList";

/// Catches a value that is split at a blank of its own, a variable that is lost, and a key taken for a value.
#[test]
fn a_query_of_profile_list() {
    let text = format!(
        "\r\n{LIST}\r\n    ProfilesDirectory    REG_EXPAND_SZ    %SystemDrive%\\Users\r\n    (Standard)    REG_SZ    x    y\r\n\r\n\
         {LIST}\\S-1-5-21-1-2-3-1104\r\n    ProfileImagePath    REG_EXPAND_SZ    C:\\Users\\anna b\r\n    Flags    REG_DWORD    0x0\r\n    \
         State    REG_DWORD    0x8000\r\n    Sid    REG_BINARY    0105\r\n    Empty    REG_SZ\r\n    Many    REG_MULTI_SZ    a\\0b c\r\n    \
         Long    REG_QWORD    0x100000000\r\n\r\n{LIST}\\S-1-5-21-1-2-3-1104.bak\r\n\r\nEnd of search: 3 match(es) found.\r\n"
    );
    let keys = parse_query(&text).expect("keys");
    assert_eq!(keys.len(), 3);
    assert_eq!(keys[0].get("profilesdirectory"), Some(&RegValue::ExpandSz(r"%SystemDrive%\Users".into())));
    assert_eq!(keys[0].get(""), Some(&RegValue::Sz("x    y".into())));
    let own = &keys[1];
    assert_eq!(own.get("ProfileImagePath"), Some(&RegValue::ExpandSz(r"C:\Users\anna b".into())));
    assert_eq!(
        (own.get("State"), own.get("Sid")),
        (Some(&RegValue::Dword(0x8000)), Some(&RegValue::Binary(vec![1, 5])))
    );
    assert_eq!(own.get("Many"), Some(&RegValue::MultiSz(vec!["a".into(), "b c".into()])));
    assert_eq!(
        (own.get("Empty"), own.get("Long")),
        (Some(&RegValue::Sz(String::new())), Some(&RegValue::Qword(1 << 32)))
    );
    assert!(keys[2].path.ends_with(".bak") && keys[2].values.is_empty());
    for broken in ["    Name    REG_SZ    x", "HKEY_USERS\n    Name    REG_DWORD    12", "HKEY_USERS\n    Name", ""] {
        assert!(parse_query(broken).is_err(), "{broken}");
    }
}

const EXPORT: &str = r#"Windows Registry Editor Version 5.00

; a remark
[HKEY_LOCAL_MACHINE\SOFTWARE\Key [x]]
@="default"
"Text"="C:\\Users\\\"anna\"\\"
"Expand"=hex(2):25,00,61,00,25,\
  00,00,00
"Many"=hex(7):61,00,00,00,\
  62,00,00,00,\
  00,00
"Long"=hex(b):01,00,00,00,01,00,00,00
"Number"=dword:0000000f
"Bytes"=hex:
"Odd"=hex(ffff):01
"Half"=hex(2):61
"Gone"=-
"=\"]"="x=y"

[-HKEY_LOCAL_MACHINE\SOFTWARE\Old]
"#;

/// Catches a kind that is lost, a continuation that isn't read, a quote or bracket that ends too early.
#[test]
fn an_export() {
    let keys = parse_export(&EXPORT.replace('\n', "\r\n")).expect("keys");
    assert_eq!((keys.len(), keys[0].path.as_str()), (2, r"HKEY_LOCAL_MACHINE\SOFTWARE\Key [x]"));
    let value = |name: &str| keys[0].get(name).cloned().expect(name);
    assert_eq!(value(""), RegValue::Sz("default".into()));
    assert_eq!(value("TEXT"), RegValue::Sz(r#"C:\Users\"anna"\"#.into()));
    assert_eq!(value("Expand"), RegValue::ExpandSz("%a%".into()));
    assert_eq!(value("Many"), RegValue::MultiSz(vec!["a".into(), "b".into()]));
    assert_eq!((value("Long"), value("Number")), (RegValue::Qword(0x1_0000_0001), RegValue::Dword(15)));
    assert_eq!((value("Bytes"), value("Odd")), (RegValue::Binary(Vec::new()), RegValue::Other(0xffff, vec![1])));
    assert_eq!((value("Half"), value("Gone")), (RegValue::Other(2, vec![0x61]), RegValue::Removed));
    assert_eq!(value("=\"]"), RegValue::Sz("x=y".into()));
    assert!(keys[1].removed && keys[1].path == r"HKEY_LOCAL_MACHINE\SOFTWARE\Old");
}

/// Catches UTF-16 with a mark, as `reg export` writes it, and UTF-8 with one, as editors do.
#[test]
fn encodings() {
    let utf16: Vec<u8> = EXPORT.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let expected = parse_export(EXPORT).expect("keys");
    for bytes in [[&[0xff, 0xfe], utf16.as_slice()].concat(), [&[0xef, 0xbb, 0xbf], EXPORT.as_bytes()].concat()] {
        assert_eq!(parse_export(&crate::winformat::decode(&bytes)).expect("keys"), expected);
    }
}

/// Catches a broken line that is passed over in silence.
#[test]
fn a_broken_line_is_named() {
    let head = "Windows Registry Editor Version 5.00\n[HKEY_USERS\\x]\n";
    for line in [
        "\"a=1",
        "\"a\" 1",
        "\"a\"=dword:xyz",
        "\"a\"=hex:0g",
        "\"a\"=hex(2:00",
        "\"a\"=\"b",
        "\"a\"=\"b\"c",
        "\"a\"=hex:01,\\",
    ] {
        let refused = parse_export(&format!("{head}{line}\n")).expect_err(line);
        assert_eq!(refused.at, 2, "{line}: {refused}");
    }
    assert!(parse_export("REGEDIT4\n").is_err() && parse_export("").is_err());
}

proptest! {
    /// Catches a panic at a boundary of characters.
    #[test]
    fn any_text(text in "[\\[\\]\"=@é\\\\a-f0-9x(),:; \n-]{0,200}", query in "( {4}|HKEY_)?[A-Z_]{0,9}( {4}REG_(SZ|DWORD|BINARY|MULTI_SZ) {4})?[é0-9x]{0,9}\n?") {
        let _ = parse_export(&format!("Windows Registry Editor Version 5.00\n{text}"));
        let _ = parse_query(&format!("HKEY_USERS\n{query}"));
        let _ = parse_query(&query);
    }
    /// Catches a text that doesn't come back.
    #[test]
    fn texts_come_back(name in "[^\\p{C}]{0,20}", text in "[^\\p{C}]{0,20}") {
        let escape = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"");
        let file = format!("Windows Registry Editor Version 5.00\n[HKEY_USERS]\n\"{}\"=\"{}\"\n", escape(&name), escape(&text));
        let keys = parse_export(&file).expect("keys");
        prop_assert_eq!(&keys[0].values, &vec![(name, RegValue::Sz(text))]);
    }
}
