//! Retirement of a computer: read, decide, write, read back. By its GUID, so that a name that somebody else uses by now
//! or another place in the tree is never mistaken for it.

use std::collections::HashSet;

use ldap3::Mod;
use uuid::Uuid;

use super::LdapDirectory;
use super::entry::{self, COMPUTER, Entry};
use super::fault::{Fault, HAS_CHILDREN, NO_RIGHTS, NO_SUCH_OBJECT};
use super::link::Search;
use crate::model::{Problem, Retry};
use crate::port::{Result, Retirement, refuse};
use crate::state::AdComputer;
use crate::winformat::ad::UAC_DISABLED;

/// Class of what a service leaves to be found by ([MS-ADSC]).
const POINTER: &str = "serviceConnectionPoint";
/// Times that a write is begun: once more where the connection broke, after the object was read again.
const TRIES: usize = 2;

/// A computer with the flags that it had when it was read.
pub(super) struct FoundComputer {
    pub(super) computer: AdComputer,
    control: u32,
}

/// Returns the name that finds an object wherever it is moved, whatever it is called ([MS-ADTS] 3.1.1.3.1.2.4).
fn by_guid(guid: Uuid) -> String {
    format!("<GUID={guid}>")
}

impl LdapDirectory {
    /// Returns a computer by its GUID.
    pub(super) async fn found(&self, guid: Uuid) -> Result<Option<FoundComputer>> {
        let (what, base) = (format!("reading the computer {guid}"), by_guid(guid));
        let search = Search::one(&what, &base, COMPUTER);
        let read = |entry: &Entry| entry::computer(entry);
        match self.link.search(&search, read).await {
            Ok(mut found) => Ok(found.items.pop().map(|(computer, control)| FoundComputer { computer, control })),
            Err(Fault::Refused(NO_SUCH_OBJECT, _)) => Ok(None),
            Err(fault) => Err(fault.problem()),
        }
    }

    pub(super) async fn disable_computer(&self, guid: Uuid, retirement: &Retirement) -> Result<()> {
        let missing = || {
            Problem::new("directory.no-such-computer", format!("computer {guid} isn't in the directory"))
                .next("plan again: somebody removed it")
        };
        let mut broke = None;
        for _ in 0..TRIES {
            let found = self.found(guid).await?.ok_or_else(missing)?;
            refuse(&found.computer, &self.unit_names(), retirement)?;
            if !found.computer.enabled {
                return Ok(());
            }
            match self.write_disabled(guid, &found, retirement).await {
                Ok(()) => {
                    let after = self.found(guid).await?.ok_or_else(missing)?;
                    return if after.computer.enabled { Err(not_written(&found.computer)) } else { Ok(()) };
                }
                Err(Fault::Refused(NO_SUCH_OBJECT, _)) => return Err(missing()),
                Err(Fault::Broken(problem)) => broke = Some(problem),
                Err(fault) => return Err(fault.problem()),
            }
        }
        Err(broke.unwrap_or_else(missing))
    }

    async fn write_disabled(
        &self,
        guid: Uuid,
        found: &FoundComputer,
        retirement: &Retirement,
    ) -> std::result::Result<(), Fault> {
        let (what, dn) = (format!("disabling {}", found.computer.name), by_guid(guid));
        let one = |name: &str, value: String| Mod::Replace(name.to_owned(), HashSet::from([value]));
        let flags = (found.control | UAC_DISABLED).cast_signed().to_string();
        let description = retirement.mark.write(found.computer.description.as_deref());
        let both = vec![one("userAccountControl", flags.clone()), one("description", description)];
        match self.link.modify(&what, &dn, both).await {
            // Both or neither: where only the words may not be written, the object is disabled without them.
            Err(Fault::Refused(NO_RIGHTS, problem)) => {
                self.link.modify(&what, &dn, vec![one("userAccountControl", flags)]).await?;
                let name = &found.computer.name;
                tracing::warn!(%name, %problem, "disabled without a description: the account may not write it");
                Ok(())
            }
            other => other,
        }
    }

    pub(super) async fn delete_computer(&self, guid: Uuid, retirement: &Retirement) -> Result<()> {
        let mut broke = None;
        for _ in 0..TRIES {
            let Some(found) = self.found(guid).await? else { return Ok(()) };
            refuse(&found.computer, &self.unit_names(), retirement)?;
            match self.write_deleted(guid, &found.computer).await {
                Ok(()) => {
                    let left = self.found(guid).await?;
                    return left.map_or(Ok(()), |left| Err(not_written(&left.computer)));
                }
                Err(Fault::Refused(NO_SUCH_OBJECT, _)) => return Ok(()),
                Err(Fault::Broken(problem)) => broke = Some(problem),
                Err(fault) => return Err(fault.problem()),
            }
        }
        Err(broke.unwrap_or_else(|| Problem::new("directory.unreachable", "the directory can't be reached")))
    }

    async fn write_deleted(&self, guid: Uuid, computer: &AdComputer) -> std::result::Result<(), Fault> {
        let (what, dn) = (format!("deleting {}", computer.name), by_guid(guid));
        match self.link.delete(&what, &dn, Vec::new()).await {
            Err(Fault::Refused(HAS_CHILDREN, problem)) => {
                let (pointers, others) = self.below(&computer.dn).await?;
                if !others.is_empty() {
                    let names = others.iter().take(5).cloned().collect::<Vec<_>>().join("; ");
                    let message = format!("{what}: there is more below it than may be lost: {names}");
                    return Err(Fault::Refused(HAS_CHILDREN, Problem { message, ..problem }));
                }
                // One by one and never as a tree: that would take along what this account isn't shown.
                for pointer in pointers {
                    let what = format!("deleting {pointer}");
                    match self.link.delete(&what, &pointer, Vec::new()).await {
                        Ok(()) | Err(Fault::Refused(NO_SUCH_OBJECT, _)) => {}
                        Err(fault) => return Err(fault),
                    }
                }
                self.link.delete(&what, &dn, Vec::new()).await
            }
            other => other,
        }
    }

    /// Returns what lies below a computer: mere pointers that its own services left, the deepest first, and everything else.
    /// That is recovery passwords of BitLocker (`msFVE-RecoveryInformation`) above all, which open disks that nobody could
    /// open otherwise.
    async fn below(&self, dn: &str) -> std::result::Result<(Vec<String>, Vec<String>), Fault> {
        let what = format!("looking below {dn}");
        let search = Search::below(&what, dn, "(objectClass=*)", &["objectClass"]);
        let read = |entry: &Entry| {
            let pointer = entry.all("objectClass").iter().any(|class| class.eq_ignore_ascii_case(POINTER.as_bytes()));
            Ok((entry.dn.clone(), pointer))
        };
        let found = self.link.search(&search, read).await?.items.into_iter();
        let (mut pointers, others): (Vec<_>, Vec<_>) =
            found.filter(|(found, _)| !found.eq_ignore_ascii_case(dn)).partition(|(_, pointer)| *pointer);
        pointers.sort_by_key(|(name, _)| std::cmp::Reverse(name.len()));
        let names = |all: Vec<(String, bool)>| all.into_iter().map(|(name, _)| name).collect();
        Ok((names(pointers), names(others)))
    }
}

fn not_written(computer: &AdComputer) -> Problem {
    let message = format!("{} is as it was, though the directory said that the change is done", computer.name);
    Problem::new("directory.not-written", message).next("look at the object, then apply again").retry(Retry::Soon)
}
