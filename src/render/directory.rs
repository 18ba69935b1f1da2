//! Active Directory as people and programs see it: what the account may do, which computers there are, what a sweep does.

use std::fmt::Write as _;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use super::words::count;
use crate::model::{Known, Problem};
use crate::readiness::{Judged, Measured};
use crate::state::{AdComputer, DirectoryState, DisjoinAccount, OuRights};

/// Name and version of the shape.
pub const FORMAT: &str = "opsole.directory/1";

/// What `opsole directory` answers, as `opsole.directory/1`. Parts that a command isn't about are left out.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct DirectoryView {
    /// [`FORMAT`].
    pub format: &'static str,
    /// DNS name of the domain.
    pub domain: String,
    /// `check`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub check: Option<CheckView>,
    /// `show`: computers below the declared units, by name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub computers: Option<Vec<ComputerView>>,
    /// `sweep`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sweep: Option<SweepView>,
}

/// Whether the directory can be read, and what the account may do.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct CheckView {
    /// `pass`, `warn`, `fail`, `unknown` or `not-applicable`: what `ad.disjoin-account` comes to.
    pub outcome: &'static str,
    /// What was seen.
    pub seen: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
    /// The server that answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server: Option<String>,
    /// DNS name of the forest's root domain.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub forest: Option<String>,
    /// Functional level of the domain.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub level: Option<u32>,
    /// Computers below the declared units; none where they couldn't be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub computers: Option<usize>,
    /// Of these, disabled ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disabled: Option<usize>,
    /// People of the domain.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub people: Option<usize>,
    /// Tenant that devices become hybrid joined to, where the forest names one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hybrid_tenant: Option<String>,
    /// Domain of that tenant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hybrid_domain: Option<String>,
    /// The account that retires computers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<AccountView>,
    /// What couldn't be read, each with its reason.
    pub unread: Vec<String>,
    /// Servers that hold parts of what was asked for and weren't asked.
    pub referrals: Vec<String>,
}

/// The account that retires computers.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct AccountView {
    /// As the plan names it.
    pub name: String,
    /// Not disabled.
    pub enabled: bool,
    /// Locked out.
    pub locked: bool,
    /// When its password runs out, where it does.
    #[schemars(with = "Option<String>")]
    pub password_expires: Option<Timestamp>,
    /// When it ends, where it does.
    #[schemars(with = "Option<String>")]
    pub account_expires: Option<Timestamp>,
    /// What it may do with computers of each declared unit, computed from the units' descriptors.
    pub rights: Vec<RightsView>,
}

/// Effective rights on the computers of a unit.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct RightsView {
    /// The unit.
    pub ou: String,
    /// May delete computers.
    pub delete: bool,
    /// May read all their properties.
    pub read: bool,
    /// May disable them.
    pub disable: bool,
    /// May write their descriptions.
    pub describe: bool,
    /// Computers that lack what the unit gives; some of them.
    pub exceptions: Vec<String>,
}

/// A computer.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct ComputerView {
    /// Its name.
    pub name: String,
    /// `objectGUID`.
    #[schemars(with = "String")]
    pub guid: uuid::Uuid,
    /// `distinguishedName`.
    pub dn: String,
    /// Not disabled.
    pub enabled: bool,
    /// `operatingSystem` with its version.
    pub os: Option<String>,
    /// `dNSHostName`.
    pub dns_name: Option<String>,
    /// `pwdLastSet`.
    #[schemars(with = "Option<String>")]
    pub password_set: Option<Timestamp>,
    /// `lastLogonTimestamp`, up to 14 days late.
    #[schemars(with = "Option<String>")]
    pub last_logon: Option<Timestamp>,
    /// A domain controller, or what the domain needs: never touched.
    pub protected: bool,
    /// The run that disabled it, where one of ours did.
    #[schemars(with = "Option<String>")]
    pub disabled_by: Option<crate::model::RunId>,
    /// When.
    #[schemars(with = "Option<String>")]
    pub disabled_on: Option<Timestamp>,
}

/// What a sweep deletes, or would delete.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct SweepView {
    /// Objects that were disabled before this moment are meant.
    #[schemars(with = "String")]
    pub before: Timestamp,
    /// What is deleted, the oldest first.
    pub rows: Vec<SweepRow>,
    /// More of the same kind, left for the next time.
    pub left: usize,
    /// Disabled with our words, and not in the records here: left alone.
    pub unrecorded: Vec<String>,
}

/// One object of a sweep.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct SweepRow {
    /// The computer.
    pub computer: ComputerView,
    /// `planned`, `deleted` or `failed`.
    pub state: &'static str,
    /// Code of what went wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// What went wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

impl From<&AdComputer> for ComputerView {
    fn from(computer: &AdComputer) -> Self {
        let mark = computer.retired().filter(|_| !computer.enabled);
        Self {
            name: computer.name.clone(),
            guid: computer.guid,
            dn: computer.dn.clone(),
            enabled: computer.enabled,
            os: computer.os.clone(),
            dns_name: computer.dns_name.clone(),
            password_set: computer.password_set,
            last_logon: computer.last_logon,
            protected: computer.domain_controller || computer.critical,
            disabled_by: mark.map(|mark| mark.run),
            disabled_on: mark.map(|mark| mark.on),
        }
    }
}

impl From<&OuRights> for RightsView {
    fn from(rights: &OuRights) -> Self {
        let OuRights { ou, delete, read_properties: read, disable, describe, exceptions } = rights.clone();
        Self { ou, delete, read, disable, describe, exceptions }
    }
}

impl From<&DisjoinAccount> for AccountView {
    fn from(account: &DisjoinAccount) -> Self {
        Self {
            name: account.name.clone(),
            enabled: account.enabled,
            locked: account.locked,
            password_expires: account.password_expires,
            account_expires: account.account_expires,
            rights: account.rights.iter().map(RightsView::from).collect(),
        }
    }
}

impl SweepRow {
    /// Returns an object that is to be deleted.
    #[must_use]
    pub fn planned(computer: &AdComputer) -> Self {
        Self { computer: computer.into(), state: "planned", code: None, problem: None }
    }
    /// Notes what became of it.
    pub fn done(&mut self, outcome: Result<(), Problem>) {
        self.state = if outcome.is_ok() { "deleted" } else { "failed" };
        if let Err(problem) = outcome {
            self.code = Some(problem.code);
            self.problem = Some(problem.message);
        }
    }
}

impl DirectoryView {
    fn new(domain: &str) -> Self {
        Self { format: FORMAT, domain: domain.to_owned(), check: None, computers: None, sweep: None }
    }
    /// Returns what `check` found.
    #[must_use]
    pub fn check(domain: &str, state: &Known<DirectoryState>, judged: &Judged) -> Self {
        let known = state.known();
        let forest = known.and_then(|state| state.forest.known());
        let hybrid = known.and_then(|state| state.hybrid.known());
        let computers = known.map(|state| state.computers.as_slice());
        let parts = known.map(|state| {
            [
                ("account", state.account.unknown()),
                ("people", state.users.unknown()),
                ("forest", state.forest.unknown()),
                ("hybrid join", state.hybrid.unknown()),
            ]
        });
        let parts = parts.into_iter().flatten().chain([("directory", state.unknown())]);
        let check = CheckView {
            outcome: word(judged.measured),
            seen: judged.seen.to_string(),
            remedy: judged.remedy.as_ref().map(ToString::to_string),
            server: forest.map(|forest| forest.server.clone()),
            forest: forest.map(|forest| forest.root.clone()),
            level: forest.map(|forest| forest.level),
            computers: computers.map(<[_]>::len),
            disabled: computers.map(|all| all.iter().filter(|computer| !computer.enabled).count()),
            people: known.and_then(|state| Some(state.users.known()?.len())),
            hybrid_tenant: hybrid.and_then(|hybrid| Some(hybrid.tenant?.to_string())),
            hybrid_domain: hybrid.and_then(|hybrid| hybrid.domain.clone()),
            account: known.and_then(|state| state.account.known()).map(AccountView::from),
            unread: parts.filter_map(|(part, why)| Some(format!("{part}: {}", why?))).collect(),
            referrals: known.map(|state| state.referrals.clone()).unwrap_or_default(),
        };
        Self { check: Some(check), ..Self::new(domain) }
    }
    /// Returns computers as `show` lists them.
    #[must_use]
    pub fn computers<'a>(domain: &str, computers: impl IntoIterator<Item = &'a AdComputer>) -> Self {
        let mut list: Vec<ComputerView> = computers.into_iter().map(ComputerView::from).collect();
        list.sort_by_cached_key(|one| (one.name.to_lowercase(), one.guid));
        Self { computers: Some(list), ..Self::new(domain) }
    }
    /// Returns a sweep.
    #[must_use]
    pub fn sweep(domain: &str, sweep: SweepView) -> Self {
        Self { sweep: Some(sweep), ..Self::new(domain) }
    }
    /// Returns it as text.
    #[must_use]
    pub fn text(&self) -> String {
        let mut out = String::new();
        if let Some(check) = &self.check {
            check_text(&mut out, &self.domain, check);
        }
        if let Some(list) = &self.computers {
            computers_text(&mut out, &self.domain, list);
        }
        if let Some(sweep) = &self.sweep {
            sweep_text(&mut out, sweep);
        }
        out
    }
}

fn word(measured: Measured) -> &'static str {
    match measured {
        Measured::Pass => "pass",
        Measured::Warn => "warn",
        Measured::Fail => "fail",
        Measured::Unknown => "unknown",
        Measured::NotApplicable => "not-applicable",
    }
}

fn day(moment: Timestamp) -> String {
    moment.strftime("%Y-%m-%d").to_string()
}

/// Puts a line into a text, without blanks at its end; a `String` takes everything.
macro_rules! line {
    ($out:expr, $($arg:tt)*) => {{
        let _ = writeln!($out, "{}", format!($($arg)*).trim_end());
    }};
}

fn check_text(out: &mut String, domain: &str, check: &CheckView) {
    line!(out, "{domain}");
    if let (Some(server), Some(forest), Some(level)) = (&check.server, &check.forest, check.level) {
        line!(out, "  server     {server}, forest {forest}, functional level {level}");
    }
    if let (Some(computers), Some(disabled)) = (check.computers, check.disabled) {
        line!(out, "  computers  {computers} below the declared units, {disabled} of them disabled");
    }
    if let Some(people) = check.people {
        line!(out, "  people     {people}");
    }
    if check.hybrid_tenant.is_some() || check.hybrid_domain.is_some() {
        let part = |part: &Option<String>| part.clone().unwrap_or_else(|| "?".to_owned());
        line!(out, "  hybrid     {} ({})", part(&check.hybrid_domain), part(&check.hybrid_tenant));
    }
    if let Some(account) = &check.account {
        let ends = |what: &str, end: Option<Timestamp>| {
            end.map_or_else(|| format!("{what} doesn't end"), |end| format!("{what} ends on {}", day(end)))
        };
        let state = if account.enabled { "enabled" } else { "DISABLED" };
        let locked = if account.locked { ", LOCKED" } else { "" };
        let (password, itself) = (ends("password", account.password_expires), ends("account", account.account_expires));
        line!(out, "  account    {}: {state}{locked}, {password}, {itself}", account.name);
        for rights in &account.rights {
            line!(out, "  {}", rights.ou);
            let yes = |has: bool| if has { "yes" } else { "NO" };
            line!(
                out,
                "    read {}, disable {}, describe {}, delete {}",
                yes(rights.read),
                yes(rights.disable),
                yes(rights.describe),
                yes(rights.delete)
            );
            rights.exceptions.iter().for_each(|dn| line!(out, "    lacks some on {dn}"));
        }
    }
    check.referrals.iter().for_each(|to| line!(out, "  not asked: {to}"));
    check.unread.iter().for_each(|part| line!(out, "  unread: {part}"));
    line!(out, "\n{}: {}", check.outcome, check.seen);
    if let Some(remedy) = &check.remedy {
        line!(out, "next: {remedy}");
    }
}

fn computers_text(out: &mut String, domain: &str, list: &[ComputerView]) {
    let width = list.iter().map(|one| one.name.chars().count()).max().unwrap_or_default();
    for one in list {
        let state = match (one.protected, one.enabled, one.disabled_by, one.disabled_on) {
            (true, ..) => "protected".to_owned(),
            (_, true, ..) => "enabled".to_owned(),
            (_, _, Some(run), Some(on)) => format!("disabled on {} by run {}", day(on), super::run::short(run)),
            _ => "disabled".to_owned(),
        };
        let set = one.password_set.map(|set| format!("password of {}", day(set)));
        let seen = one.last_logon.map(|seen| format!("seen about {}", day(seen)));
        let more: Vec<String> = [one.os.clone(), set, seen].into_iter().flatten().collect();
        line!(out, "{:<width$}  {state}  {}", one.name, more.join(", "));
    }
    line!(out, "{} of {domain}.", count(list.len(), "computer"));
}

fn sweep_text(out: &mut String, sweep: &SweepView) {
    let width = sweep.rows.iter().map(|row| row.computer.name.chars().count()).max().unwrap_or_default();
    for row in &sweep.rows {
        let on = row.computer.disabled_on.map(day).unwrap_or_default();
        let why = row.problem.as_ref().map(|why| format!("  {why}")).unwrap_or_default();
        line!(out, "{:<8}  {:<width$}  disabled on {on}  {}{why}", row.state, row.computer.name, row.computer.dn);
    }
    for name in &sweep.unrecorded {
        line!(out, "left      {name}  disabled with our words, and not in the records here");
    }
    if sweep.rows.is_empty() {
        line!(out, "Nothing that we disabled before {} is there.", day(sweep.before));
    }
    if sweep.left > 0 {
        line!(out, "{} more, for the next time.", count(sweep.left, "computer"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::RetiredMark;

    fn computer(name: &str, number: u128) -> AdComputer {
        let sid = "S-1-5-21-1-2-3-1104".parse().expect("a SID");
        AdComputer::new(uuid::Uuid::from_u128(number), sid, name, format!("CN={name},OU=W,DC=corp,DC=example"))
    }

    fn disabled(name: &str, number: u128) -> AdComputer {
        let run = crate::model::RunId(uuid::Uuid::from_u128(0x0192_f0c1_2f3a_7c11_9a55_0d6f_1c2b_3a4d));
        let mark = RetiredMark { run, on: "2026-11-27T00:00:00Z".parse().expect("a moment") };
        AdComputer { enabled: false, description: Some(mark.write(None)), ..computer(name, number) }
    }

    /// Catches a list in the order of GUIDs, and somebody else's disabling told as ours.
    #[test]
    fn computers_as_text() {
        let others = AdComputer { enabled: false, ..computer("PC-3", 1) };
        let dc = AdComputer { domain_controller: true, ..computer("DC-1", 4) };
        let pc = AdComputer { os: Some("Windows 11".to_owned()), ..computer("PC-10", 2) };
        let view = DirectoryView::computers("corp.example", [&others, &dc, &pc, &disabled("pc-2", 3)]);
        insta::assert_snapshot!(view.text(), @r"
        DC-1   protected
        PC-10  enabled  Windows 11
        pc-2   disabled on 2026-11-27 by run 0192f0c1-2f3a
        PC-3   disabled
        4 computers of corp.example.
        ");
    }

    /// Catches a right that is missing and looks like one that is there, and a remedy that isn't told.
    #[test]
    fn check_as_text() {
        let account = DisjoinAccount {
            name: "CORP\\svc".to_owned(),
            enabled: true,
            locked: true,
            password_expires: Some("2027-01-08T00:00:00Z".parse().expect("a moment")),
            account_expires: None,
            rights: vec![OuRights { delete: false, ..OuRights::all("OU=W,DC=corp,DC=example", true) }],
        };
        let state = DirectoryState::of("corp.example", vec![computer("PC-1", 1)], Known::Known(account));
        let judged = Judged::fail("the account `CORP\\svc` is locked out").remedy("unlock it");
        insta::assert_snapshot!(DirectoryView::check("corp.example", &Known::Known(state), &judged).text(), @r"
        corp.example
          computers  1 below the declared units, 0 of them disabled
          account    CORP\svc: enabled, LOCKED, password ends on 2027-01-08, account doesn't end
          OU=W,DC=corp,DC=example
            read yes, disable yes, describe yes, delete NO
          unread: people: it wasn't looked at
          unread: forest: it wasn't looked at
          unread: hybrid join: it wasn't looked at

        fail: the account `CORP\svc` is locked out
        next: unlock it
        ");
    }

    /// Catches a sweep that doesn't tell what it leaves.
    #[test]
    fn sweep_as_text() {
        let mut rows: Vec<SweepRow> =
            [disabled("PC-1", 1), disabled("PC-2", 2)].iter().map(SweepRow::planned).collect();
        rows[0].done(Ok(()));
        rows[1].done(Err(Problem::new("directory.access-denied", "deleting PC-2: the account lacks the right")));
        let before = "2026-12-27T00:00:00Z".parse().expect("a moment");
        let sweep = SweepView { before, rows, left: 3, unrecorded: vec!["PC-9".to_owned()] };
        insta::assert_snapshot!(DirectoryView::sweep("corp.example", sweep).text(), @r"
        deleted   PC-1  disabled on 2026-11-27  CN=PC-1,OU=W,DC=corp,DC=example
        failed    PC-2  disabled on 2026-11-27  CN=PC-2,OU=W,DC=corp,DC=example  deleting PC-2: the account lacks the right
        left      PC-9  disabled with our words, and not in the records here
        3 computers more, for the next time.
        ");
    }
}
