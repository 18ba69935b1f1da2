//! Objects as LDAP sends them, read into ours. Total: what can't be read says which attribute of which object it was.

use std::collections::BTreeMap;

use jiff::Timestamp;
use ldap3::ResultEntry;
use ldap3::asn1::{PL, StructureTag};

use crate::model::{Problem, Sid, TenantId};
use crate::port::Result;
use crate::state::{AdComputer, AdUser, HybridTenant};
use crate::winformat::ad::{
    self, GROUPS_OF_CONTROLLERS, UAC_DISABLED, UAC_PARTIAL_SECRETS, UAC_SERVER_TRUST, filetime,
};
use crate::winformat::sid;

/// What is asked of a computer.
pub(super) const COMPUTER: &[&str] = &[
    "objectGUID",
    "objectSid",
    "sAMAccountName",
    "dNSHostName",
    "operatingSystem",
    "operatingSystemVersion",
    "userAccountControl",
    "primaryGroupID",
    "lastLogonTimestamp",
    "pwdLastSet",
    "isCriticalSystemObject",
    "description",
];

/// What is asked of a person.
pub(super) const USER: &[&str] = &["objectSid", "sAMAccountName", "userPrincipalName", "userAccountControl"];

/// An object: its name and attributes, by their names in lower case.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) dn: String,
    attributes: BTreeMap<String, Vec<Vec<u8>>>,
}

impl Entry {
    /// Reads an entry of a search (RFC 4511, 4.5.2); none where it isn't one.
    pub(super) fn read(found: ResultEntry) -> Option<Self> {
        let mut parts = inner(found.0)?.into_iter();
        let dn = text(parts.next()?)?;
        let mut attributes = BTreeMap::new();
        for attribute in inner(parts.next()?)? {
            let mut parts = inner(attribute)?.into_iter();
            let name = text(parts.next()?)?.to_lowercase();
            let values = inner(parts.next()?)?.into_iter().map(bytes).collect::<Option<Vec<_>>>()?;
            attributes.insert(name, values);
        }
        Some(Self { dn, attributes })
    }
    /// Returns all values of an attribute.
    pub(super) fn all(&self, name: &str) -> &[Vec<u8>] {
        self.attributes.get(&name.to_lowercase()).map_or(&[], Vec::as_slice)
    }
    /// Returns the first value.
    pub(super) fn bytes(&self, name: &str) -> Option<&[u8]> {
        self.all(name).first().map(Vec::as_slice)
    }
    /// Returns the first value, where it is text.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.bytes(name).and_then(|bytes| std::str::from_utf8(bytes).ok())
    }
    /// Returns flags: a signed number in digits ([MS-ADTS] 3.1.1.2.2.2.3), of which the bits count.
    pub(super) fn flags(&self, name: &str) -> Option<u32> {
        self.text(name)?.parse::<i32>().ok().map(i32::cast_unsigned)
    }
    /// Returns a moment.
    pub(super) fn moment(&self, name: &str) -> Option<Timestamp> {
        filetime(self.text(name)?)
    }
    /// Returns a SID.
    pub(super) fn sid(&self, name: &str) -> Option<Sid> {
        sid::from_bytes(self.bytes(name)?).ok()
    }
}

fn inner(tag: StructureTag) -> Option<Vec<StructureTag>> {
    match tag.payload {
        PL::C(parts) => Some(parts),
        PL::P(_) => None,
    }
}

fn bytes(tag: StructureTag) -> Option<Vec<u8>> {
    match tag.payload {
        PL::P(bytes) => Some(bytes),
        PL::C(_) => None,
    }
}

fn text(tag: StructureTag) -> Option<String> {
    String::from_utf8(bytes(tag)?).ok()
}

/// Says that an attribute can't be read. Without it nothing may be said of the object, and nothing done to it.
fn unreadable(dn: &str, attribute: &str) -> Problem {
    let message = format!("{dn} shows no {attribute} that could be read");
    Problem::new("directory.unreadable", message).next("let the account read all properties of computers and people")
}

/// Reads a computer. Attributes that decide whether it may be touched have to be there.
///
/// # Errors
/// `directory.unreadable`.
pub(super) fn computer(entry: &Entry) -> Result<(AdComputer, u32)> {
    let lost = |attribute: &str| unreadable(&entry.dn, attribute);
    let guid = entry.bytes("objectGUID").and_then(ad::guid).ok_or_else(|| lost("objectGUID"))?;
    let sid = entry.sid("objectSid").ok_or_else(|| lost("objectSid"))?;
    let name = entry.text("sAMAccountName").ok_or_else(|| lost("sAMAccountName"))?;
    let control = entry.flags("userAccountControl").ok_or_else(|| lost("userAccountControl"))?;
    let group = entry.flags("primaryGroupID").ok_or_else(|| lost("primaryGroupID"))?;
    let set = entry.text("pwdLastSet").ok_or_else(|| lost("pwdLastSet"))?;
    let os = [entry.text("operatingSystem"), entry.text("operatingSystemVersion")];
    let os = os.into_iter().flatten().collect::<Vec<_>>().join(" ");
    let computer = AdComputer {
        enabled: control & UAC_DISABLED == 0,
        password_set: filetime(set),
        domain_controller: control & (UAC_SERVER_TRUST | UAC_PARTIAL_SECRETS) != 0
            || GROUPS_OF_CONTROLLERS.contains(&group),
        critical: entry.text("isCriticalSystemObject").is_some_and(|text| text.eq_ignore_ascii_case("true")),
        dns_name: entry.text("dNSHostName").map(str::to_owned),
        os: (!os.is_empty()).then_some(os),
        last_logon: entry.moment("lastLogonTimestamp"),
        description: entry.text("description").map(str::to_owned),
        ..AdComputer::new(guid, sid, name.strip_suffix('$').unwrap_or(name), entry.dn.clone())
    };
    Ok((computer, control))
}

/// Reads a person.
///
/// # Errors
/// `directory.unreadable`.
pub(super) fn user(entry: &Entry) -> Result<AdUser> {
    let lost = |attribute: &str| unreadable(&entry.dn, attribute);
    let control = entry.flags("userAccountControl").ok_or_else(|| lost("userAccountControl"))?;
    Ok(AdUser {
        sid: entry.sid("objectSid").ok_or_else(|| lost("objectSid"))?,
        upn: entry.text("userPrincipalName").map(str::to_owned),
        name: entry.text("sAMAccountName").ok_or_else(|| lost("sAMAccountName"))?.to_owned(),
        enabled: control & UAC_DISABLED == 0,
    })
}

/// Reads the service connection point that devices find their tenant by: `azureADName:…` and `azureADId:…` among its
/// keywords [R: Microsoft Learn, "Configure Microsoft Entra hybrid join manually"].
pub(super) fn hybrid(entry: &Entry) -> HybridTenant {
    let words: Vec<&str> = entry.all("keywords").iter().filter_map(|word| std::str::from_utf8(word).ok()).collect();
    let after = |key: &str| {
        let rest = |word: &&str| word.get(..key.len()).filter(|head| head.eq_ignore_ascii_case(key)).is_some();
        words.iter().find(|word| rest(word)).map(|word| word[key.len()..].trim().to_owned())
    };
    let tenant = after("azureADId:").and_then(|id| id.parse().ok()).map(TenantId);
    HybridTenant { domain: after("azureADName:"), tenant }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Returns an object with attributes.
    pub(in crate::directory) fn entry(dn: &str, attributes: &[(&str, &[u8])]) -> Entry {
        let mut all: BTreeMap<String, Vec<Vec<u8>>> = BTreeMap::new();
        for (name, value) in attributes {
            all.entry(name.to_lowercase()).or_default().push(value.to_vec());
        }
        Entry { dn: dn.to_owned(), attributes: all }
    }

    fn pc(control: &str, group: &str) -> Vec<(&'static str, Vec<u8>)> {
        let sid = sid::to_bytes(&"S-1-5-21-1-2-3-1104".parse().expect("a SID")).expect("bytes");
        let text = |text: &str| text.as_bytes().to_vec();
        vec![
            ("objectGUID", vec![1; 16]),
            ("objectSid", sid),
            ("sAMAccountName", text("PC-1$")),
            ("userAccountControl", text(control)),
            ("primaryGroupID", text(group)),
            ("pwdLastSet", text("134402509913457130")),
            ("operatingSystem", text("Windows 11")),
        ]
    }

    fn of(attributes: &[(&'static str, Vec<u8>)]) -> Result<AdComputer> {
        let attributes: Vec<(&str, &[u8])> = attributes.iter().map(|(name, value)| (*name, value.as_slice())).collect();
        computer(&entry("CN=PC-1,DC=x", &attributes)).map(|(computer, _)| computer)
    }

    /// Catches a domain controller taken for a computer: by its flags or by its group alone.
    #[test]
    fn domain_controllers() {
        let is = |control: &str, group: &str| of(&pc(control, group)).expect("a computer").domain_controller;
        assert!(
            !is("4096", "515")
                && is("532480", "516")
                && is("4096", "516")
                && is("83890176", "515")
                && is("4096", "521")
        );
        let found = of(&pc("4098", "515")).expect("a computer");
        assert!(!found.enabled && found.name == "PC-1" && found.os.as_deref() == Some("Windows 11"));
    }

    /// Catches an object of which something that decides is hidden taken for one that may be touched.
    #[test]
    fn what_decides_has_to_be_there() {
        let whole = pc("4096", "515");
        for at in 0..whole.len() - 1 {
            let mut less = whole.clone();
            let (name, _) = less.remove(at);
            let problem = of(&less).expect_err(name);
            assert!(problem.code == "directory.unreadable" && problem.message.contains(name), "{problem:?}");
        }
    }

    /// Catches keywords in another order or case.
    #[test]
    fn hybrid_keywords() {
        let words: [(&str, &[u8]); 2] = [
            ("keywords", b"AzureADId:3f2c9f6a-58b1-4e0c-8a53-6f1d7d0a7b11"),
            ("keywords", b"azureADName:corp.example"),
        ];
        let found = hybrid(&entry("CN=x", &words));
        assert_eq!(found.domain.as_deref(), Some("corp.example"));
        assert!(found.tenant.is_some());
        assert_eq!(hybrid(&Entry::default()), HybridTenant { domain: None, tenant: None });
    }

    fn any_tag() -> impl proptest::strategy::Strategy<Value = StructureTag> {
        use proptest::prelude::*;
        let tag = |payload| StructureTag { class: ldap3::asn1::TagClass::Universal, id: 4, payload };
        let leaf = proptest::collection::vec(any::<u8>(), 0..6).prop_map(move |bytes| tag(PL::P(bytes)));
        leaf.prop_recursive(4, 40, 4, move |inner| {
            proptest::collection::vec(inner, 0..4).prop_map(move |parts| tag(PL::C(parts)))
        })
    }

    proptest::proptest! {
        /// Catches a panic on an answer of another shape.
        #[test]
        fn any_answer(tag in any_tag()) {
            if let Some(entry) = Entry::read(ResultEntry::new(tag)) {
                let _ = (computer(&entry), user(&entry), hybrid(&entry));
            }
        }
    }
}
