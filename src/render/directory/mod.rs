//! Active Directory as people and programs see it: what the account may do, which computers there are, what a sweep does.

mod text;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use crate::model::{Known, Problem};
use crate::readiness::{Judged, Measured};
use crate::state::{AdComputer, DirectoryState, DisjoinAccount, OuRights};
use crate::winformat::ad::Dn;

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
    /// Computers in it and below.
    pub computers: usize,
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

impl RightsView {
    fn new(rights: &OuRights, computers: &[Dn]) -> Self {
        let OuRights { ou, delete, read_properties: read, disable, describe, exceptions } = rights.clone();
        let unit = Dn::parse(&ou);
        let computers = unit.map_or(0, |unit| computers.iter().filter(|name| name.is_below(&unit)).count());
        Self { ou, computers, delete, read, disable, describe, exceptions }
    }
}

impl AccountView {
    fn new(account: &DisjoinAccount, computers: &[AdComputer]) -> Self {
        let names: Vec<Dn> = computers.iter().filter_map(|computer| Dn::parse(&computer.dn)).collect();
        Self {
            name: account.name.clone(),
            enabled: account.enabled,
            locked: account.locked,
            password_expires: account.password_expires,
            account_expires: account.account_expires,
            rights: account.rights.iter().map(|rights| RightsView::new(rights, &names)).collect(),
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
            account: known.and_then(|state| Some(AccountView::new(state.account.known()?, &state.computers))),
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
            text::check(&mut out, &self.domain, check);
        }
        if let Some(list) = &self.computers {
            text::computers(&mut out, &self.domain, list);
        }
        if let Some(sweep) = &self.sweep {
            text::sweep(&mut out, sweep);
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
