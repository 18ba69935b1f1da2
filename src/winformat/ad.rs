//! Values of Active Directory as LDAP carries them: object identifiers, moments, flags of an account, names of objects.

use std::fmt;

use jiff::Timestamp;
use jiff::civil::DateTime;
use uuid::Uuid;

/// The object is disabled: `ACCOUNTDISABLE` ([MS-ADTS] 2.2.16).
pub const UAC_DISABLED: u32 = 0x0002;
/// The account is locked out; only in `msDS-User-Account-Control-Computed` ([MS-ADTS] 3.1.1.4.5.17).
pub const UAC_LOCKED: u32 = 0x0010;
/// The password never runs out.
pub const UAC_PASSWORD_STAYS: u32 = 0x0001_0000;
/// A domain controller: `SERVER_TRUST_ACCOUNT`.
pub const UAC_SERVER_TRUST: u32 = 0x2000;
/// The password has run out; only in the computed flags.
pub const UAC_PASSWORD_EXPIRED: u32 = 0x0080_0000;
/// A domain controller that only reads: `PARTIAL_SECRETS_ACCOUNT`.
pub const UAC_PARTIAL_SECRETS: u32 = 0x0400_0000;
/// Primary groups of domain controllers, and of those that only read ([MS-ADTS] 6.1.1.6).
pub const GROUPS_OF_CONTROLLERS: [u32; 2] = [516, 521];

/// Reads an `objectGUID`: sixteen bytes in Microsoft's mixed order ([MS-DTYP] 2.3.4.2).
#[must_use]
pub fn guid(bytes: &[u8]) -> Option<Uuid> {
    bytes.try_into().ok().map(Uuid::from_bytes_le)
}

/// Seconds from 1601, where Windows begins to count, to 1970.
const EPOCH_SECS: i64 = 11_644_473_600;

/// Reads a moment such as `pwdLastSet` or `accountExpires`: tenths of microseconds since 1601, as decimal digits. `0` and
/// the largest number mean never and are none, and so is what is no number ([MS-ADA1] accountExpires).
#[must_use]
pub fn filetime(text: &str) -> Option<Timestamp> {
    let ticks: i64 = text.trim().parse().ok()?;
    if ticks <= 0 || ticks == i64::MAX {
        return None;
    }
    let (seconds, rest) = (ticks / 10_000_000 - EPOCH_SECS, ticks % 10_000_000);
    Timestamp::new(seconds, i32::try_from(rest * 100).ok()?).ok()
}

/// Returns the digits of a moment: the inverse of [`filetime`].
#[must_use]
pub fn to_filetime(moment: Timestamp) -> String {
    let ticks = (moment.as_nanosecond() / 100) + i128::from(EPOCH_SECS) * 10_000_000;
    ticks.max(0).to_string()
}

/// Reads a moment such as `whenCreated`: `20261127110311.0Z`, in UTC (X.680 46, generalized time; Active Directory writes
/// no other form).
#[must_use]
pub fn generalized_time(text: &str) -> Option<Timestamp> {
    let text = text.trim().strip_suffix('Z')?;
    let (whole, fraction) = text.split_once(['.', ',']).unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    if whole.len() != 14 || fraction.len() > 9 || !digits(whole) || !digits(fraction) {
        return None;
    }
    let number = |range: std::ops::Range<usize>| whole.get(range)?.parse::<i8>().ok();
    let year: i16 = whole.get(..4)?.parse().ok()?;
    let nanos: i32 = format!("{fraction:0<9}").parse().ok()?;
    let time =
        DateTime::new(year, number(4..6)?, number(6..8)?, number(8..10)?, number(10..12)?, number(12..14)?, nanos);
    time.ok()?.to_zoned(jiff::tz::TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
}

/// Returns a filter value in which nothing is taken for syntax (RFC 4515, 3).
#[must_use]
pub fn filter_value(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '*' | '(' | ')' | '\\' | '\0' => out.push_str(&format!("\\{:02x}", u32::from(c))),
            _ => out.push(c),
        }
    }
    out
}

/// The name of an object, in the parts that make its place in the tree. Compared without case, and without what two
/// writings of one name may differ in: spaces around the parts and ways to escape (RFC 4514; [MS-ADTS] 3.1.1.3.1.2).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Dn(Vec<(String, String)>);

impl Dn {
    /// Reads a distinguished name; none where it isn't one. The empty name is none too.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let parts: Option<Vec<_>> = split(text)?.iter().map(|part| rdn(part)).collect();
        parts.filter(|parts| !parts.is_empty()).map(Self)
    }
    /// Says whether this lies below another, at any depth; no name lies below itself.
    #[must_use]
    pub fn is_below(&self, other: &Self) -> bool {
        self.0.len() > other.0.len() && self.0.ends_with(&other.0)
    }
}

impl fmt::Display for Dn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (key, value)) in self.0.iter().enumerate() {
            write!(f, "{}{key}={value}", if at == 0 { "" } else { "," })?;
        }
        Ok(())
    }
}

/// Splits at commas that nothing escapes; none where it ends within an escape.
fn split(text: &str) -> Option<Vec<String>> {
    let (mut parts, mut part, mut escaped) = (Vec::new(), String::new(), false);
    for c in text.chars() {
        match c {
            _ if escaped => {
                part.extend(['\\', c]);
                escaped = false;
            }
            '\\' => escaped = true,
            ',' => parts.push(std::mem::take(&mut part)),
            _ => part.push(c),
        }
    }
    parts.push(part);
    (!escaped).then_some(parts)
}

fn rdn(part: &str) -> Option<(String, String)> {
    let (key, value) = part.split_once('=')?;
    let key = key.trim().to_lowercase();
    let plain = !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'.');
    let value = unescaped(value)?;
    (plain && !value.is_empty()).then_some((key, value.to_lowercase()))
}

fn unescaped(value: &str) -> Option<String> {
    // A space at the end that is escaped belongs to the name.
    let trimmed = value.trim_start().trim_end();
    let value = if trimmed.ends_with('\\') { value.trim_start() } else { trimmed };
    let (mut bytes, mut left) = (Vec::with_capacity(value.len()), value.as_bytes());
    while let [first, rest @ ..] = left {
        left = rest;
        if *first != b'\\' {
            bytes.push(*first);
            continue;
        }
        let hex = |byte: &u8| char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        match left {
            [high, low, rest @ ..] if hex(high).is_some() && hex(low).is_some() => {
                bytes.push(hex(high)? << 4 | hex(low)?);
                left = rest;
            }
            [next, rest @ ..] => {
                bytes.push(*next);
                left = rest;
            }
            [] => return None,
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn dn(text: &str) -> Dn {
        Dn::parse(text).expect("a name")
    }

    /// Catches the first three parts of a GUID in the wrong order: the vector is what Samba answered for an object whose
    /// `<GUID=…>` then found it.
    #[test]
    fn guid_is_mixed() {
        let bytes = [0x16, 0x49, 0x30, 0x1d, 0x20, 0x0f, 0x15, 0x4a, 0x9b, 0xcb, 0x24, 0x0a, 0x80, 0xb6, 0x2b, 0x6b];
        assert_eq!(guid(&bytes).map(|guid| guid.to_string()), Some("1d304916-0f20-4a15-9bcb-240a80b62b6b".to_owned()));
        assert_eq!(guid(&bytes[1..]), None);
    }

    /// Catches another epoch, and "never" read as a moment.
    #[test]
    fn moments() {
        let text = |moment: Option<Timestamp>| moment.map(|moment| moment.to_string());
        assert_eq!(text(filetime("134402509913457130")), Some("2026-11-27T11:03:11.345713Z".to_owned()));
        for never in ["0", "9223372036854775807", "-1", "", "x"] {
            assert_eq!(filetime(never), None, "{never}");
        }
        assert_eq!(text(generalized_time("20261127110311.0Z")), Some("2026-11-27T11:03:11Z".to_owned()));
        assert_eq!(text(generalized_time("20261127110311.25Z")), Some("2026-11-27T11:03:11.25Z".to_owned()));
        for broken in ["20261327110311.0Z", "20261127110311", "2026112711031Z", "20261127110311.0000000000Z", "é"] {
            assert_eq!(generalized_time(broken), None, "{broken}");
        }
    }

    /// Catches a neighbour whose name only ends alike taken for something below, and two writings taken for two units.
    #[test]
    fn below() {
        let unit = dn("OU=Workstations,DC=corp,DC=example");
        assert_eq!(unit, dn("ou=workstations, dc=Corp ,DC=example"));
        assert!(dn("CN=PC-1,OU=Upstairs,OU=Workstations,DC=corp,DC=example").is_below(&unit));
        for other in
            ["OU=Workstations,DC=corp,DC=example", "CN=PC-1,OU=Old Workstations,DC=corp,DC=example", "DC=example"]
        {
            assert!(!dn(other).is_below(&unit), "{other}");
        }
        // A comma within a name ends no part.
        assert!(!dn(r"CN=a\,OU=Workstations,DC=corp,DC=example").is_below(&unit));
        assert_eq!(dn(r"CN=a\2cb,DC=x"), dn(r"cn=A\,b,dc=x"));
        assert_eq!(dn("OU=Gr\\c3\\bcn,DC=x"), dn("OU=grün,DC=x"));
        for broken in ["", "DC", "DC=", "=x", "DC=x,", r"DC=x\", "CN=\\ff,DC=x"] {
            assert_eq!(Dn::parse(broken), None, "{broken}");
        }
    }

    /// Catches a name that ends a filter and begins another.
    #[test]
    fn filters() {
        assert_eq!(filter_value("a)(b=*\\"), r"a\29\28b=\2a\5c");
        assert_eq!(filter_value("Grün*"), r"Grün\2a");
    }

    proptest! {
        /// Catches a moment that comes back as another.
        #[test]
        fn there_and_back(seconds in -11_644_473_000_i64..100_000_000_000, ticks in 0..10_000_000_i32) {
            let moment = Timestamp::new(seconds, 0).expect("a moment").checked_add(jiff::SignedDuration::new(0, ticks * 100));
            let moment = moment.expect("a moment");
            prop_assert_eq!(filetime(&to_filetime(moment)), Some(moment));
        }
        /// Catches a panic on what a directory may send.
        #[test]
        fn any_text(text in "\\PC*", bytes in proptest::collection::vec(any::<u8>(), 0..20)) {
            let _ = (filetime(&text), generalized_time(&text), guid(&bytes), filter_value(&text));
            if let Some(name) = Dn::parse(&text) {
                prop_assert!(!name.is_below(&name));
            }
        }
    }
}
