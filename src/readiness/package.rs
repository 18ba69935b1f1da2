//! Provisioning packages: readable, of the right tenant, alive until the end of their waves, kept well
//! (prerequisites 1.7; domain.md B11).

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan};

use super::{Judged, unread};
use crate::dag::{Assignment, Index, View};
use crate::model::{Check, Known, Side, WaveName};
use crate::plan::{MigrationPlan, PackageSpec};
use crate::state::{Outcome, PackageFacts};

/// Bulk tokens live at most this long (prerequisites 1.7).
const DAYS_MAX: i64 = 180;
/// A package should live this much longer than the last wave that uses it: what is late is finished, and a new one takes
/// days to be made and proven.
const MARGIN_DAYS: i64 = 7;

/// What ends a package.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum EndsBy {
    /// `expires` of the plan.
    Plan,
    /// 180 days after `issued` of the plan.
    Issue,
    /// The end that the token names.
    Token,
    /// 180 days after its account was created.
    Account,
}

impl EndsBy {
    /// Returns it in words, to stand behind "as".
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Plan => "the plan says",
            Self::Issue => "a token lives 180 days from its issue",
            Self::Token => "its token says",
            Self::Account => "a token lives 180 days from the creation of its account",
        }
    }
}

/// How a wave's need is covered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum WaveCover {
    /// With seven days to spare.
    Whole,
    /// With less than that.
    Barely,
    /// The package ends first.
    Beyond,
}

/// A wave that still uses a package.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct WaveNeed {
    /// Which.
    pub wave: WaveName,
    /// End of its window; a wave without one needs the package now, and nobody said how long.
    pub until: Option<Timestamp>,
    /// Whether the package lasts.
    pub cover: WaveCover,
}

/// How long a package lives, held against the waves that use it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct PackageLife {
    /// First moment after its life.
    pub ends: Timestamp,
    /// Its last whole day, in the plan's zone.
    pub last_day: Date,
    /// What ends it.
    pub by: EndsBy,
    /// Whole days that are left; negative where it has ended.
    pub days_left: i64,
    /// Day by which a new package has to take its place, where something is left to be moved then.
    pub rotate_by: Date,
    /// Waves whose windows aren't over.
    pub waves: Vec<WaveNeed>,
}

impl PackageLife {
    fn waves_that(&self, cover: WaveCover) -> String {
        let names = self.waves.iter().filter(|need| need.cover == cover).map(|need| format!("`{}`", need.wave));
        names.collect::<Vec<_>>().join(", ")
    }
    fn worst(&self) -> Option<WaveCover> {
        [WaveCover::Beyond, WaveCover::Barely, WaveCover::Whole]
            .into_iter()
            .find(|cover| self.waves.iter().any(|need| need.cover == *cover))
    }
}

/// Holds a package's life against its waves. `created` is when its account was, where that is known.
#[must_use]
pub fn package_life(
    plan: &MigrationPlan,
    package: &PackageSpec,
    facts: Option<&PackageFacts>,
    created: Option<Timestamp>,
) -> PackageLife {
    let zone = TimeZone::get(&plan.zone).unwrap_or(TimeZone::UTC);
    let after = |day: Date| {
        let next = day.tomorrow().ok().and_then(|day| day.to_zoned(zone.clone()).ok());
        next.map_or(Timestamp::MAX, |moment| moment.timestamp())
    };
    let days = |count: i64| SignedDuration::from_hours(24 * count);
    let mut bounds = vec![(after(package.expires.value), EndsBy::Plan)];
    bounds.extend(package.issued.checked_add(DAYS_MAX.days()).ok().map(|day| (after(day), EndsBy::Issue)));
    bounds.extend(facts.and_then(|facts| facts.expires).map(|end| (end, EndsBy::Token)));
    bounds.extend(created.and_then(|at| at.checked_add(days(DAYS_MAX)).ok()).map(|end| (end, EndsBy::Account)));
    let (ends, by) = bounds.into_iter().min_by_key(|(end, _)| *end).unwrap_or((Timestamp::MAX, EndsBy::Plan));
    let waves = plan.waves.iter().filter(|wave| wave.package == package.name).filter_map(|wave| {
        let until = wave.window.as_ref().map(|window| window.to);
        let needed = until.unwrap_or(plan.as_of);
        let cover = match needed.checked_add(days(MARGIN_DAYS)) {
            _ if needed < plan.as_of => return None,
            _ if ends <= needed => WaveCover::Beyond,
            Ok(spare) if ends >= spare => WaveCover::Whole,
            _ => WaveCover::Barely,
        };
        Some(WaveNeed { wave: wave.name.value.clone(), until, cover })
    });
    let waves = waves.collect();
    let day = |at: Timestamp| at.to_zoned(zone.clone()).date();
    let last_day = day(ends.checked_sub(SignedDuration::from_secs(1)).unwrap_or(ends));
    PackageLife {
        ends,
        last_day,
        by,
        days_left: ends.duration_since(plan.as_of).as_hours().div_euclid(24),
        rotate_by: last_day.checked_sub(MARGIN_DAYS.days()).unwrap_or(last_day),
        waves,
    }
}

/// Says whether everybody who uses a package is through: it may be gone then.
pub(super) fn is_finished(
    index: &Index<'_>,
    assignment: &Assignment,
    views: &[View<'_>],
    package: &PackageSpec,
) -> bool {
    let waves = &index.plan.waves;
    let uses = |at: u16| waves.get(usize::from(at)).is_some_and(|wave| wave.package == package.name);
    let devices = assignment.devices.iter().zip(views);
    let using = devices.filter(|(own, _)| own.exclusion.is_none() && own.wave.is_some_and(uses));
    let mut through = using.map(|(_, view)| view.record.is_some_and(|own| own.outcome == Some(Outcome::Complete)));
    through.next().is_some_and(|first| first && through.all(|one| one))
}

/// Judges one package that a wave uses.
pub(super) fn checks(index: &Index<'_>, package: &PackageSpec, finished: bool, add: &mut dyn FnMut(Check, Judged)) {
    if finished {
        // Its account may be deleted by now, and its file destroyed: both is as it should be.
        for check in [Check::PkgFormat, Check::PkgTenant, Check::PkgLifetime, Check::PkgValidated, Check::PkgHandling] {
            add(check, Judged::not_applicable("every device of its waves is complete"));
        }
        return;
    }
    let (facts, why) = match index.snapshot.packages.get(&package.name) {
        Some(Known::Known(facts)) => (Some(facts), String::new()),
        Some(Known::Absent) => (None, "the plan names no file of it, so that nobody could look into it".to_owned()),
        Some(Known::Unknown(why)) => (None, why.clone()),
        None => (None, "this snapshot was taken before packages were looked into".to_owned()),
    };
    let unseen = || {
        let remedy = "name its file under `file` in the plan, where whoever runs opsole can read it";
        Judged::unknown(why.clone()).remedy(remedy)
    };
    add(Check::PkgFormat, facts.map_or_else(unseen, format));
    add(Check::PkgTenant, tenant(index, package, facts));
    let created = index.destination().and_then(|tenant| tenant.users_named(&package.account).next()?.created);
    add(Check::PkgLifetime, lifetime(&package_life(index.plan, package, facts, created), index.plan, package));
    add(Check::PkgValidated, validated(package));
    let others = |other: &&PackageSpec| other.name != package.name;
    let same = index.plan.packages.iter().filter(others).find_map(|other| {
        let known = index.snapshot.packages.get(&other.name).and_then(Known::known);
        shares(package, facts, other, known).map(|what| (what, other))
    });
    add(
        Check::PkgHandling,
        match (same, facts) {
            (Some((what, other)), _) => Judged::fail(format!("package `{}` has the same {what}", other.name))
                .remedy("make one package for each tenant and project, and revoke the one that is shared"),
            (None, None) => unseen(),
            (None, Some(facts)) => handling(facts),
        },
    );
}

/// Judges one file: by itself, and against the plan's word for it where there is one. What only the tenant can tell is
/// left to a live check.
#[must_use]
pub fn package_points(plan: Option<(&MigrationPlan, &PackageSpec)>, facts: &PackageFacts) -> Vec<(Check, Judged)> {
    let mut points = vec![(Check::PkgFormat, format(facts))];
    if let Some((plan, package)) = plan {
        let live = || Judged::unknown("nothing in it speaks against the plan; `opsole plan` looks for its account");
        points.push((Check::PkgTenant, disagreement(plan, package, Some(facts)).unwrap_or_else(live)));
        points.push((Check::PkgLifetime, lifetime(&package_life(plan, package, Some(facts), None), plan, package)));
        points.push((Check::PkgValidated, validated(package)));
    }
    points.push((Check::PkgHandling, handling(facts)));
    points
}

fn format(facts: &PackageFacts) -> Judged {
    if let Some(why) = &facts.broken {
        return Judged::fail(format!("it isn't a package that can be read: {why}")).code("package.unreadable");
    }
    if let Some(why) = &facts.opaque {
        let remedy = "build it without encryption and keep it as a credential, or attest what is in it";
        return Judged::unknown(format!("nobody can look into it: {why}")).remedy(remedy);
    }
    let mut wrong = Vec::new();
    if !facts.bulk_token {
        wrong.push("no bulk token is in it".to_owned());
    }
    let clear = facts.local_users.iter().filter(|user| user.clear_password).map(|user| format!("`{}`", user.name));
    let clear: Vec<String> = clear.collect();
    if !clear.is_empty() {
        // Anybody who has the package has the password (domain.md E 33).
        wrong.push(format!("the password of the local user {} stands in it in clear", clear.join(", ")));
    }
    if let Some(name) = &facts.computer_name {
        wrong.push(format!("it names every computer `{name}`"));
    }
    if !wrong.is_empty() {
        return Judged::fail(wrong.join("; "));
    }
    let users = facts.local_users.iter().map(|user| format!("the local user `{}`", user.name));
    let other: Vec<String> = users.chain(facts.other_settings.iter().map(|path| format!("`{path}`"))).collect();
    if other.is_empty() {
        return Judged::pass("it holds a bulk token and nothing else");
    }
    let more = other.len().saturating_sub(5);
    let list = other.into_iter().take(5).collect::<Vec<_>>().join(", ");
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    Judged::warn(format!("besides the bulk token it sets {list}{more} on every device"))
}

/// Says what in a file or in the plan speaks against the plan's word for the package.
fn disagreement(plan: &MigrationPlan, package: &PackageSpec, facts: Option<&PackageFacts>) -> Option<Judged> {
    let destination = plan.tenant(Side::Destination)?;
    if package.tenant != destination.name {
        return Some(Judged::fail(format!(
            "the plan makes it for `{}`, and devices join `{}`",
            package.tenant, destination.name
        )));
    }
    let facts = facts?;
    if let Some(wanted) = package.sha256.filter(|wanted| *wanted != facts.sha256) {
        let judged =
            Judged::fail(format!("the plan says SHA-256 {}, the file has {}", wanted.short(), facts.sha256.short()));
        let remedy = "put the reviewed file back, or review the new one and change `sha256` in the plan";
        return Some(judged.code("package.changed").remedy(remedy));
    }
    if let Some(own) = facts.tenant.filter(|own| *own != destination.id) {
        return Some(Judged::fail(format!(
            "its token is of tenant {own}, and `{}` is {}",
            destination.name, destination.id
        )));
    }
    let account = facts.account.as_ref().filter(|own| **own != package.account)?;
    Some(
        Judged::fail(format!("its token is of {account}, and the plan says {}", package.account))
            .remedy("write the account of this file into the plan, or name the right file"),
    )
}

fn tenant(index: &Index<'_>, package: &PackageSpec, facts: Option<&PackageFacts>) -> Judged {
    if let Some(judged) = disagreement(index.plan, package, facts) {
        return judged;
    }
    let Some(tenant) = index.destination() else { return Judged::unknown("the plan has no tenant to join") };
    if let Some(why) = tenant.users.gap {
        return unread(format!("the users of `{}` couldn't be read: {why}", tenant.name));
    }
    let account = &package.account;
    match tenant.users_named(account).next() {
        None => Judged::fail(format!("`{}` has no user {account}, so that its token joins nothing", tenant.name)),
        Some(user) if !user.enabled => Judged::fail(format!("its account {account} is disabled in `{}`", tenant.name))
            .remedy("find out who disabled it and why; enable it, or make a new package"),
        Some(_) if facts.is_some_and(|facts| facts.tenant.is_some()) => {
            Judged::pass(format!("{account} is an enabled user of `{}`, and the token is of that tenant", tenant.name))
        }
        // That it can be read at all isn't documented [I].
        Some(_) => {
            Judged::pass(format!("{account} is an enabled user of `{}`; the token itself can't be read", tenant.name))
        }
    }
}

fn lifetime(life: &PackageLife, plan: &MigrationPlan, package: &PackageSpec) -> Judged {
    let zone = TimeZone::get(&plan.zone).unwrap_or(TimeZone::UTC);
    let day = |at: Timestamp| at.to_zoned(zone.clone()).date();
    let (last, words) = (life.last_day, life.by.words());
    let longest = life.waves.iter().filter_map(|need| need.until).max().map(day);
    let until = longest.map_or_else(String::new, |day| format!(" until {day}"));
    let plural =
        |cover| if life.waves.iter().filter(|need| need.cover == cover).count() == 1 { "needs" } else { "need" };
    match life.worst() {
        None => Judged::not_applicable("the windows of its waves are over"),
        Some(WaveCover::Beyond) => {
            let waves = life.waves_that(WaveCover::Beyond);
            let verb = plural(WaveCover::Beyond);
            let seen = format!("its last day is {last}, as {words}, and {waves} {verb} it{until}");
            let by = life.rotate_by.max(day(plan.as_of));
            Judged::fail(seen).remedy(format!(
                "make a new package by {by}, give it to {waves}, and revoke `{}` after its other waves",
                package.name
            ))
        }
        Some(WaveCover::Barely) => {
            let waves = life.waves_that(WaveCover::Barely);
            let verb = plural(WaveCover::Barely);
            Judged::warn(format!(
                "its last day is {last}, as {words}: less than {MARGIN_DAYS} days to spare for {waves}, which {verb} it{until}"
            ))
            .remedy(format!("have a new package ready by {}", life.rotate_by))
        }
        Some(WaveCover::Whole) => {
            let planned = package.expires.value;
            // A day of difference is only another zone.
            if planned.since(last).is_ok_and(|span| span.get_days() > 1) {
                return Judged::warn(format!("the plan says {planned}, but its last day is {last}, as {words}"))
                    .remedy(format!("write `expires: {last}` into the plan"));
            }
            Judged::pass(format!("its last day is {last}; rotate it by {}", life.rotate_by))
        }
    }
}

fn validated(package: &PackageSpec) -> Judged {
    match &package.validated {
        Some(own) => Judged::pass(format!("proven on {} by {} on {}", own.device, own.by, own.on)),
        None => Judged::unknown("nobody wrote down that it was tried on a device that isn't in production"),
    }
}

fn shares(
    package: &PackageSpec,
    facts: Option<&PackageFacts>,
    other: &PackageSpec,
    other_facts: Option<&PackageFacts>,
) -> Option<&'static str> {
    let digest = |spec: &PackageSpec, facts: Option<&PackageFacts>| facts.map(|own| own.sha256).or(spec.sha256);
    let own = digest(package, facts);
    if own.is_some() && own == digest(other, other_facts) {
        Some("content")
    } else if package.file.is_some() && package.file == other.file {
        Some("file")
    } else if package.account == other.account {
        Some("account")
    } else {
        None
    }
}

fn handling(facts: &PackageFacts) -> Judged {
    match (facts.in_repository, facts.readable_by_others) {
        (false, false) => Judged::pass("the file is out of version control, and only its owner reads it"),
        (true, false) => Judged::fail("the file lies in a folder under version control"),
        (false, true) => Judged::fail("others than its owner may read the file"),
        (true, true) => {
            Judged::fail("the file lies in a folder under version control, and others than its owner may read it")
        }
    }
}
