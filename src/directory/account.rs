//! The account that retires computers: its state, and what it may do, computed and never tried.
//!
//! A right counts in a unit where the unit's own descriptor hands it on to computers, or where every computer of a sample
//! has it. Computers that lack what their unit hands on, such as one that is protected from deletion, are named.

use std::collections::BTreeMap;

use super::LdapDirectory;
use super::entry::Entry;
use super::fault::{Fault, NO_SUCH_OBJECT};
use super::link::Search;
use super::observe::{COMPUTERS, Root, control, no_unit};
use crate::model::{Problem, Sid};
use crate::port::Result;
use crate::state::{DisjoinAccount, OuRights};
use crate::winformat::access::{
    self, ACCOUNT_CONTROL, DESCRIPTION, ORGANIZATIONAL_UNIT, READ_PROPERTY, Target, Token, WRITE_PROPERTY,
};
use crate::winformat::ad::{Dn, UAC_DISABLED, UAC_LOCKED, filter_value};
use crate::winformat::descriptor::{self, Descriptor};
use crate::winformat::sid;

/// `LDAP_SERVER_SD_FLAGS_OID` ([MS-ADTS] 3.1.1.3.4.1.11), asking for the owner and the list: without it the audit list is
/// asked for too, and who may not read that gets nothing.
const SD_FLAGS: &str = "1.2.840.113556.1.4.801";
/// A sequence of one number: 1 the owner, 4 the list.
const OWNER_AND_LIST: [u8; 5] = [0x30, 3, 2, 1, 5];
/// Computers of a unit whose rights are computed.
const SAMPLE: i32 = 100;
/// Computers that are named where they lack a right.
const NAMED: usize = 10;

/// The account as it was found.
struct Found {
    dn: String,
    sid: Option<Sid>,
    account: DisjoinAccount,
}

/// A computer of the sample.
struct Sampled {
    dn: String,
    sid: Option<Sid>,
    descriptor: Descriptor,
}

/// What an account may do with a computer: delete, read, disable, describe.
type Rights = [bool; 4];

impl LdapDirectory {
    /// Reads the account that signs in; none where the domain doesn't know its name, as one of a trusted domain.
    pub(super) async fn account(&self, root: &Root) -> Result<Option<DisjoinAccount>> {
        let Some(found) = self.find_account(root).await? else { return Ok(None) };
        let lost = |what: &str| {
            Problem::new("directory.unreadable", format!("{} shows no {what} that could be read", found.dn))
                .next("let the account read its own properties")
        };
        let own = found.sid.as_ref().ok_or_else(|| lost("objectSid"))?;
        let search = Search::one("reading the account's groups", &found.dn, &["tokenGroups"]);
        let read = |entry: &Entry| Ok(entry.all("tokenGroups").iter().map(|bytes| sid::from_bytes(bytes)).collect());
        let groups: Option<std::result::Result<Vec<Sid>, _>> =
            self.link.search(&search, read).await.map_err(Fault::problem)?.items.pop();
        let groups = groups.and_then(std::result::Result::ok).filter(|groups| !groups.is_empty());
        let token = Token::new(own, groups.ok_or_else(|| lost("tokenGroups"))?);
        let mut account = found.account;
        for (unit, _) in &self.units {
            account.rights.push(self.rights(unit, &token).await?);
        }
        Ok(Some(account))
    }

    async fn find_account(&self, root: &Root) -> Result<Option<Found>> {
        let name = self.link.account();
        let filter = filter(name);
        let attributes = &[
            "objectSid",
            "userAccountControl",
            "msDS-User-Account-Control-Computed",
            "msDS-UserPasswordExpiryTimeComputed",
            "accountExpires",
        ];
        let search = Search::below("looking for the account", &root.domain, &filter, attributes);
        let read = |entry: &Entry| {
            // Flags that the server works out by itself hold the lock (MS-ADTS 3.1.1.4.5.17).
            let control = entry.flags("userAccountControl").unwrap_or_default()
                | entry.flags("msDS-User-Account-Control-Computed").unwrap_or_default();
            let account = DisjoinAccount {
                name: name.to_owned(),
                enabled: control & UAC_DISABLED == 0,
                locked: control & UAC_LOCKED != 0,
                password_expires: entry.moment("msDS-UserPasswordExpiryTimeComputed"),
                account_expires: entry.moment("accountExpires"),
                rights: Vec::new(),
            };
            Ok(Found { dn: entry.dn.clone(), sid: entry.sid("objectSid"), account })
        };
        Ok(self.link.search(&search, read).await.map_err(Fault::problem)?.items.into_iter().next())
    }

    async fn descriptor_of(&self, dn: &str) -> std::result::Result<Descriptor, Fault> {
        let what = format!("reading the rights on {dn}");
        let mut search = Search::one(&what, dn, &["nTSecurityDescriptor"]);
        search.controls.push(control(SD_FLAGS, Some(OWNER_AND_LIST.to_vec())));
        let mut found = self.link.search(&search, readable).await?;
        found.items.pop().ok_or_else(|| Fault::Refused(0, hidden(dn)))
    }

    async fn rights(&self, unit: &str, token: &Token) -> Result<OuRights> {
        let own = self.descriptor_of(unit).await.map_err(|fault| no_unit(unit, fault))?;
        let what = format!("reading the rights on computers of {unit}");
        let mut search = Search::below(&what, unit, COMPUTERS, &["objectSid", "nTSecurityDescriptor"]);
        search.controls.push(control(SD_FLAGS, Some(OWNER_AND_LIST.to_vec())));
        search.first = Some(SAMPLE);
        let read = |entry: &Entry| {
            let descriptor = readable(entry)?;
            Ok(Sampled { dn: entry.dn.clone(), sid: entry.sid("objectSid"), descriptor })
        };
        let mut sample = self.link.search(&search, read).await.map_err(|fault| no_unit(unit, fault))?.items;
        let mut containers = BTreeMap::new();
        for computer in &sample {
            let parent = parent(&computer.dn);
            if !containers.contains_key(parent) {
                match self.descriptor_of(parent).await {
                    Ok(descriptor) => drop(containers.insert(parent.to_owned(), descriptor)),
                    // Somebody moved or removed it since: what lay in it says nothing any more.
                    Err(Fault::Refused(NO_SUCH_OBJECT, _)) => {}
                    Err(fault) => return Err(fault.problem()),
                }
            }
        }
        sample.retain(|computer| containers.contains_key(parent(&computer.dn)));
        Ok(judge(unit, &own, &sample, &containers, token))
    }
}

/// Returns what an account is searched by: `DOMAIN\name`, a user principal name, a distinguished name, or a name alone.
pub(super) fn filter(name: &str) -> String {
    let filter = match (name.split_once('\\'), name.contains('@')) {
        (Some((_, plain)), _) => format!("(sAMAccountName={})", filter_value(plain)),
        (None, true) => format!("(userPrincipalName={})", filter_value(name)),
        (None, false) if Dn::parse(name).is_some() => format!("(distinguishedName={})", filter_value(name)),
        (None, false) => format!("(sAMAccountName={})", filter_value(name)),
    };
    format!("(&(objectClass=user){filter})")
}

fn hidden(dn: &str) -> Problem {
    Problem::new("directory.unreadable", format!("{dn} shows no nTSecurityDescriptor that could be read"))
        .next("let the account read permissions (RC) of the declared units and the computers below them")
}

fn readable(entry: &Entry) -> Result<Descriptor> {
    let bytes = entry.bytes("nTSecurityDescriptor").ok_or_else(|| hidden(&entry.dn))?;
    descriptor::parse(bytes).map_err(|e| hidden(&entry.dn).detail(e.to_string()))
}

/// Returns the name of what an object lies in: what follows the first comma that nothing escapes.
fn parent(dn: &str) -> &str {
    let mut escaped = false;
    for (at, c) in dn.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            ',' => return &dn[at + 1..],
            _ => {}
        }
    }
    ""
}

/// Returns the rights on one computer.
fn of_computer(computer: Target<'_>, container: Target<'_>, token: &Token) -> Rights {
    [
        access::may_delete(computer, container, token),
        access::allowed(computer, token, READ_PROPERTY, &[]),
        access::allowed(computer, token, WRITE_PROPERTY, &ACCOUNT_CONTROL),
        access::allowed(computer, token, WRITE_PROPERTY, &DESCRIPTION),
    ]
}

/// Lays a unit's rights and those of a sample together.
fn judge(
    unit: &str,
    own: &Descriptor,
    sample: &[Sampled],
    containers: &BTreeMap<String, Descriptor>,
    token: &Token,
) -> OuRights {
    let in_unit = |descriptor| Target { descriptor, class: ORGANIZATIONAL_UNIT, sid: None };
    let heir = access::inherited(own, access::COMPUTER);
    let mut handed_on =
        of_computer(Target { descriptor: &heir, class: access::COMPUTER, sid: None }, in_unit(own), token);
    if sample.is_empty() {
        // What the schema gives every new computer isn't in the unit; that people may read it is, for the unit itself.
        handed_on[1] |= access::allowed(in_unit(own), token, READ_PROPERTY, &[]);
    }
    let of_each: Vec<(&Sampled, Rights)> = sample
        .iter()
        .map(|computer| {
            let target =
                Target { descriptor: &computer.descriptor, class: access::COMPUTER, sid: computer.sid.as_ref() };
            let container = containers.get(parent(&computer.dn)).unwrap_or(own);
            (computer, of_computer(target, in_unit(container), token))
        })
        .collect();
    let all = |at: usize| !of_each.is_empty() && of_each.iter().all(|(_, rights)| rights[at]);
    let has: Rights = std::array::from_fn(|at| handed_on[at] || all(at));
    let lacks = |rights: &Rights| (0..has.len()).any(|at| has[at] && !rights[at]);
    let exceptions = of_each.iter().filter(|(_, rights)| lacks(rights)).map(|(computer, _)| computer.dn.clone());
    let [delete, read_properties, disable, describe] = has;
    let exceptions = exceptions.take(NAMED).collect();
    OuRights { ou: unit.to_owned(), delete, read_properties, disable, describe, exceptions }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::winformat::access::DELETE_CHILD;
    use crate::winformat::descriptor::Ace;

    const ME: &str = "S-1-5-21-1-2-3-1104";

    fn ace(kind: u8, flags: u8, mask: u32, object: Option<uuid::Uuid>, inheritor: Option<uuid::Uuid>) -> Ace {
        let me = ME.parse().expect("a SID");
        Ace { object, inheritor, ..Ace::plain(kind, flags, mask, me) }
    }

    fn list(aces: &[Ace]) -> Descriptor {
        Descriptor { control: 0x8004, owner: None, group: None, dacl: Some(aces.to_vec()), sacl: None }
    }

    fn sampled(name: &str, aces: &[Ace]) -> Sampled {
        Sampled { dn: format!("CN={name},OU=W,DC=x"), sid: None, descriptor: list(aces) }
    }

    /// Catches one protected computer that takes a right away from its whole unit, and one that has it by chance and gives it
    /// to all.
    #[test]
    fn units_and_samples() {
        let token = Token::new(&ME.parse().expect("a SID"), []);
        let computer = Some(access::COMPUTER);
        let delegated =
            [ace(5, 2, DELETE_CHILD, computer, None), ace(5, 0x0a, WRITE_PROPERTY, Some(ACCOUNT_CONTROL[0]), computer)];
        let unit = list(&delegated);
        let rights = |unit: &Descriptor, sample: &[Sampled]| {
            let containers = BTreeMap::from([("OU=W,DC=x".to_owned(), unit.clone())]);
            judge("OU=W,DC=x", unit, sample, &containers, &token)
        };
        let write = ace(5, 0x12, WRITE_PROPERTY, Some(ACCOUNT_CONTROL[0]), computer);
        let deny = ace(1, 0, WRITE_PROPERTY, None, None);
        let read = ace(0, 0, READ_PROPERTY, None, None);
        let one = sampled("PC-1", &[write.clone(), read.clone()]);
        let kept = sampled("PC-2", &[deny, write, read.clone()]);
        let found = rights(&unit, &[one, kept]);
        assert_eq!((found.delete, found.read_properties, found.disable, found.describe), (true, true, true, false));
        assert_eq!(found.exceptions, ["CN=PC-2,OU=W,DC=x"]);
        let empty = rights(&unit, &[]);
        assert!(empty.delete && empty.disable && !empty.read_properties);
        let chance = [sampled("PC-1", &[read.clone(), ace(0, 0, 0x0001_0000, None, None)]), sampled("PC-2", &[read])];
        let found = rights(&list(&[]), &chance);
        assert!(!found.delete && found.read_properties && found.exceptions.is_empty(), "{found:?}");
    }

    /// Catches a comma of a name taken for the end of it.
    #[test]
    fn parents() {
        assert_eq!(parent(r"CN=a\,b,OU=W,DC=x"), "OU=W,DC=x");
        assert_eq!((parent("DC=x"), parent("")), ("", ""));
    }
}
