//! Active Directory, seen by the controller.

use async_trait::async_trait;
use jiff::Timestamp;
use uuid::Uuid;

use super::Result;
use crate::model::Problem;
use crate::state::{AdComputer, DirectoryState, RetiredMark};
use crate::winformat::ad::Dn;

/// By what an object is retired, and what it has to be still.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retirement {
    /// What the description of a disabled object says.
    pub mark: RetiredMark,
    /// When the device left: an object whose password was set later is in use again, by somebody else.
    pub left: Option<Timestamp>,
    /// Only an object that is disabled still, with the mark in its description: what a later sweep deletes.
    pub only_marked: bool,
}

/// Active Directory. A write reads the object again before it, and reads it back after it; one that is done already is a
/// success, so that each may be repeated after an outcome that nobody heard of.
#[async_trait]
pub trait Directory: Send + Sync {
    /// Reads all computers below the declared organizational units, the account that retires them and its rights.
    ///
    /// # Errors
    /// Where the directory can't be read.
    async fn observe(&self) -> Result<DirectoryState>;
    /// Returns one computer, wherever it lies.
    ///
    /// # Errors
    /// Where the directory can't be read. A computer that isn't there is `None`.
    async fn computer(&self, guid: Uuid) -> Result<Option<AdComputer>>;
    /// Returns the computer with this name below the declared organizational units, without case.
    ///
    /// # Errors
    /// Where the directory can't be read. A computer that isn't there is `None`.
    async fn computer_by_name(&self, name: &str) -> Result<Option<AdComputer>> {
        let state = self.observe().await?;
        Ok(state.computers.into_iter().find(|computer| computer.name.eq_ignore_ascii_case(name)))
    }
    /// Disables a computer and writes into its description by whom. One that is disabled already stays as it is.
    ///
    /// # Errors
    /// `directory.no-such-computer`, what [`refuse`] gives, and whatever the directory answers.
    async fn disable(&self, guid: Uuid, retirement: &Retirement) -> Result<()>;
    /// Deletes a computer; one that isn't there is a success.
    ///
    /// # Errors
    /// What [`refuse`] gives, and whatever the directory answers.
    async fn delete(&self, guid: Uuid, retirement: &Retirement) -> Result<()>;
}

/// Says why a computer must not be retired; each adapter asks with what it has just read. `units` are the declared
/// organizational units.
///
/// # Errors
/// `directory.domain-controller`, `directory.protected`, `directory.outside`, `directory.in-use-again`,
/// `directory.not-ours`.
pub fn refuse(computer: &AdComputer, units: &[Dn], retirement: &Retirement) -> Result<()> {
    let name = &computer.name;
    if computer.domain_controller {
        return Err(Problem::new("directory.domain-controller", format!("{name} is a domain controller"))
            .next("leave it out of the plan"));
    }
    if computer.critical {
        let message = format!("{name} is marked as critical for the domain (isCriticalSystemObject)");
        return Err(Problem::new("directory.protected", message).next("leave it out of the plan"));
    }
    let place = Dn::parse(&computer.dn);
    if !place.is_some_and(|place| units.iter().any(|unit| place.is_below(unit))) {
        let message = format!("{name} lies at {}, which isn't below a declared organizational unit", computer.dn);
        return Err(Problem::new("directory.outside", message)
            .next("move it back, or name its unit under `directory.computers` and plan again"));
    }
    if let (Some(set), Some(left)) = (computer.password_set, retirement.left)
        && set > left
    {
        let message = format!("the password of {name} was set on {set}, after the device had left");
        return Err(Problem::new("directory.in-use-again", message)
            .next("find out which device uses the name now; its object is left alone"));
    }
    let ours = !computer.enabled && computer.retired().is_some_and(|mark| mark == retirement.mark);
    if retirement.only_marked && !ours {
        let message = format!("{name} isn't disabled any more, or its description no longer says that we did it");
        return Err(Problem::new("directory.not-ours", message).next("leave it: somebody has plans with it"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn computer() -> AdComputer {
        let sid = "S-1-5-21-1-2-3-1104".parse().expect("a SID");
        AdComputer::new(Uuid::nil(), sid, "PC-1", "CN=PC-1,OU=Up,OU=W,DC=corp,DC=example")
    }

    /// Catches each thing that must never be touched let through, and an ordinary computer refused.
    #[test]
    fn each_refusal() {
        let units = ["ou=w, dc=corp, dc=example"].map(|unit| Dn::parse(unit).expect("a name"));
        let at = |text: &str| text.parse::<Timestamp>().expect("a moment");
        let mark = RetiredMark { run: crate::model::RunId(Uuid::nil()), on: at("2026-11-27T00:00:00Z") };
        let retirement = Retirement { mark, left: Some(at("2026-11-27T10:00:00Z")), only_marked: false };
        let code = |computer: &AdComputer, retirement: &Retirement| {
            refuse(computer, &units, retirement).err().map(|problem| problem.code)
        };
        let changed = |change: fn(&mut AdComputer)| {
            let mut computer = computer();
            change(&mut computer);
            code(&computer, &retirement)
        };
        assert_eq!(changed(|_| ()), None);
        let wanted = |code: &str| Some(code.to_owned());
        assert_eq!(changed(|c| c.domain_controller = true), wanted("directory.domain-controller"));
        assert_eq!(changed(|c| c.critical = true), wanted("directory.protected"));
        assert_eq!(changed(|c| c.dn = "CN=PC-1,OU=Servers,DC=corp,DC=example".to_owned()), wanted("directory.outside"));
        assert_eq!(changed(|c| c.dn = "not a name".to_owned()), wanted("directory.outside"));
        let mut used = computer();
        used.password_set = Some(at("2026-11-27T10:00:01Z"));
        assert_eq!(code(&used, &retirement), wanted("directory.in-use-again"));
        assert_eq!(code(&used, &Retirement { left: None, ..retirement }), None);
        used.password_set = retirement.left;
        assert_eq!(code(&used, &retirement), None);
        let swept = Retirement { only_marked: true, ..retirement };
        assert_eq!(code(&computer(), &swept), wanted("directory.not-ours"));
        let ours = AdComputer { enabled: false, description: Some(mark.write(None)), ..computer() };
        assert_eq!(code(&ours, &swept), None);
        assert_eq!(code(&AdComputer { enabled: true, ..ours.clone() }, &swept), wanted("directory.not-ours"));
        assert_eq!(code(&AdComputer { description: None, ..ours }, &swept), wanted("directory.not-ours"));
    }
}
