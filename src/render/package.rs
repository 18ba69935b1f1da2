//! Packages as people and programs see them. Secrets aren't in what is shown: nobody keeps them.

use serde::Serialize;

use super::when::Zone;
use super::words::count;
use crate::model::{Check, OwnerRole, PackageName, TenantName};
use crate::plan::{MigrationPlan, PackageSpec};
use crate::readiness::{Judged, Measured, PackageLife, WaveCover, WaveNeed, spec};
use crate::state::PackageFacts;

/// Name and version of the shape of one file.
pub const FORMAT: &str = "opsole.package/1";
/// Name and version of the shape of the list.
pub const LIST_FORMAT: &str = "opsole.packages/1";

/// One package file, as `opsole.package/1`.
#[derive(Debug, Serialize)]
pub struct PackageView {
    format: &'static str,
    file: String,
    facts: PackageFacts,
    points: Vec<Point>,
    #[serde(skip_serializing_if = "Option::is_none")]
    plan: Option<LifeView>,
}

/// What readiness would say of one point.
#[derive(Debug, Serialize)]
struct Point {
    check: Check,
    measured: Measured,
    seen: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    remedy: Option<String>,
    owner: OwnerRole,
}

/// A package of the plan and its life.
#[derive(Debug, Serialize)]
pub struct LifeView {
    package: PackageName,
    tenant: TenantName,
    account: String,
    life: PackageLife,
    #[serde(skip)]
    seen: Seen,
    #[serde(skip)]
    as_of: jiff::Timestamp,
    #[serde(skip)]
    zone: Zone,
}

/// What a life was told from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Seen {
    /// Files alone: plan and packages.
    Files,
    /// Everything that `check` looks at.
    All,
}

/// The plan's packages, as `opsole.packages/1`.
#[derive(Debug, Serialize)]
pub struct ListView {
    format: &'static str,
    as_of: jiff::Timestamp,
    seen: Seen,
    packages: Vec<LifeView>,
    #[serde(skip)]
    zone: Zone,
}

impl PackageView {
    /// Returns the view of one file.
    #[must_use]
    pub fn new(file: String, facts: PackageFacts, points: Vec<(Check, Judged)>, plan: Option<LifeView>) -> Self {
        let point = |(check, judged): (Check, Judged)| {
            let holds = matches!(judged.measured, Measured::Pass | Measured::NotApplicable);
            let remedy = judged.remedy.map_or_else(|| spec(check).remedy.to_owned(), |remedy| remedy.into_owned());
            Point {
                check,
                measured: judged.measured,
                seen: judged.seen.into_owned(),
                remedy: (!holds).then_some(remedy),
                owner: spec(check).owner,
            }
        };
        Self { format: FORMAT, file, facts, points: points.into_iter().map(point).collect(), plan }
    }

    /// Returns it for people.
    #[must_use]
    pub fn text(&self) -> String {
        let facts = &self.facts;
        let mut rows = vec![
            ("file", self.file.clone()),
            ("SHA-256", facts.sha256.to_string()),
            ("size", count(usize::try_from(facts.size).unwrap_or(usize::MAX), "byte")),
        ];
        let container = match (&facts.opaque, facts.signed) {
            (Some(why), _) => format!("{why}; nothing more can be known of it"),
            (None, true) => "Windows Imaging 1.13, signed".to_owned(),
            (None, false) => "Windows Imaging 1.13".to_owned(),
        };
        rows.push(("container", container));
        if facts.opaque.is_none() {
            let named = [&facts.name, &facts.version, &facts.id, &facts.owner_type].map(|part| part.as_deref());
            let named: Vec<&str> = named.into_iter().flatten().collect();
            let token = if facts.bulk_token { "there (never shown)" } else { "none" };
            let unread = || "can't be read from the token".to_owned();
            rows.push(("package", if named.is_empty() { "without a name".to_owned() } else { named.join(", ") }));
            rows.push(("bulk token", token.to_owned()));
            rows.push(("authority", facts.authority.clone().unwrap_or_else(|| "none".to_owned())));
            if facts.bulk_token {
                rows.push(("tenant", facts.tenant.map_or_else(unread, |tenant| tenant.to_string())));
                rows.push(("account", facts.account.clone().unwrap_or_else(unread)));
                rows.push(("token ends", facts.expires.map_or_else(unread, |end| end.to_string())));
            }
            let users = facts.local_users.iter().map(|user| {
                let group = user.group.as_ref().map_or_else(String::new, |group| format!(" in {group}"));
                let password = if user.clear_password { ", password in clear" } else { "" };
                format!("{}{group}{password}", user.name)
            });
            let list = |list: Vec<String>| if list.is_empty() { "none".to_owned() } else { list.join("; ") };
            rows.push(("local users", list(users.collect())));
            rows.push(("computer name", facts.computer_name.clone().unwrap_or_else(|| "none".to_owned())));
            rows.push(("other settings", list(facts.other_settings.clone())));
        }
        let mut text = String::new();
        for (label, value) in rows {
            text.push_str(&format!("{label:<15} {}\n", plain(&value)));
        }
        text.push('\n');
        for point in &self.points {
            let word = match point.measured {
                Measured::Pass => "pass",
                Measured::Warn => "warn",
                Measured::Fail => "fail",
                Measured::Unknown => "unknown",
                Measured::NotApplicable => "n/a",
            };
            text.push_str(&format!("{word:<8}{:<14} {}\n", point.check, plain(&point.seen)));
            if let Some(remedy) = &point.remedy {
                text.push_str(&format!("{:<22} {}\n", "", plain(remedy)));
            }
        }
        if let Some(plan) = &self.plan {
            text.push('\n');
            text.push_str(&plan.text());
        }
        text
    }
}

/// Names come out of the file: what would move the cursor is shown as `?`.
fn plain(text: &str) -> String {
    text.chars().map(|sign| if sign.is_control() { '?' } else { sign }).collect()
}

impl LifeView {
    /// Returns the view of a package's life.
    #[must_use]
    pub fn new(plan: &MigrationPlan, package: &PackageSpec, life: PackageLife, seen: Seen) -> Self {
        Self {
            package: package.name.clone(),
            tenant: package.tenant.clone(),
            account: package.account.clone(),
            life,
            seen,
            as_of: plan.as_of,
            zone: Zone::named(&plan.zone),
        }
    }

    fn text(&self) -> String {
        let life = &self.life;
        let left = match life.days_left {
            ..0 => "it has ended".to_owned(),
            days => format!("{} left", count(usize::try_from(days).unwrap_or_default(), "day")),
        };
        let mut text = format!("{} joins devices to {} as {}\n", self.package, self.tenant, self.account);
        text.push_str(&format!("  last day {}, as {}; {left}\n", life.last_day, life.by.words()));
        text.push_str(&format!("  rotate by {}\n", life.rotate_by));
        let limits: Vec<&str> = life.unseen.iter().map(|limit| limit.of()).collect();
        if !limits.is_empty() {
            let why = if self.seen == Seen::Files { "wasn't looked at" } else { "isn't known" };
            text.push_str(&format!("  {why}: {}; it may end earlier\n", limits.join(", ")));
        }
        for need in &life.waves {
            text.push_str(&format!("  {} ({}): {}\n", need.wave, self.when(need), self.cover(need)));
        }
        if life.waves.is_empty() {
            text.push_str("  no wave uses it any more\n");
        }
        text
    }

    fn when(&self, need: &WaveNeed) -> String {
        match need.until {
            Some(end) => format!("until {}", self.zone.moment(end)),
            None if need.begins > self.as_of => format!("from {} at the earliest", self.zone.moment(need.begins)),
            None => "any time".to_owned(),
        }
    }

    fn cover(&self, need: &WaveNeed) -> String {
        match need.cover {
            WaveCover::Whole => "covered".to_owned(),
            WaveCover::Barely => "covered with less than seven days to spare".to_owned(),
            WaveCover::MaybeBeyond => {
                let window = need.window_of.as_ref().map_or_else(
                    || "the waves before it use their whole windows".to_owned(),
                    |other| format!("{other} uses its whole window"),
                );
                let latest = self.zone.moment(need.begins_latest);
                format!("may fall beyond: it can't begin before {latest} if {window}")
            }
            WaveCover::Beyond => match &need.waits_for {
                Some(other) if need.until.is_none() => {
                    format!("not covered: it waits for {other}, and the package ends first")
                }
                _ => "not covered: the package ends first".to_owned(),
            },
        }
    }
}

impl ListView {
    /// Returns the view of a plan's packages.
    #[must_use]
    pub fn new(plan: &MigrationPlan, packages: Vec<LifeView>, seen: Seen) -> Self {
        Self { format: LIST_FORMAT, as_of: plan.as_of, seen, packages, zone: Zone::named(&plan.zone) }
    }

    /// Returns it for people.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = format!("As of {} ({}).\n", self.zone.moment(self.as_of), self.zone.name());
        if self.seen == Seen::Files {
            text.push_str("From files alone: no tenant and no device was looked at; without `--offline` they are.\n");
        }
        for package in &self.packages {
            text.push('\n');
            text.push_str(&package.text());
        }
        text
    }
}
