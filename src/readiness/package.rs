//! Provisioning packages: readable, of the right tenant, alive until the end of their waves, kept well
//! (prerequisites 1.7; domain.md B11).

use super::life::lifetime;
use super::{Judged, PackageLife, Timetable, package_life, unread};
use crate::dag::{Assignment, Index, View};
use crate::model::{Check, Known, Side, words};
use crate::plan::{MigrationPlan, PackageSpec};
use crate::state::{Outcome, PackageFacts};

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

/// Returns how long each package of the plan lives, in the plan's order, as [`Check::PkgLifetime`] sees it.
#[must_use]
pub fn package_lives(index: &Index<'_>, assignment: &Assignment, views: &[View<'_>]) -> Vec<PackageLife> {
    let times = Timetable::observed(index.plan, assignment, views);
    let one = |package: &PackageSpec| {
        let mut life = observed_life(index, package, &times);
        if is_finished(index, assignment, views, package) {
            life.waves.clear();
        }
        life
    };
    index.plan.packages.iter().map(one).collect()
}

/// Holds a package against everything that was observed: its token, its account, and how far its waves are.
fn observed_life(index: &Index<'_>, package: &PackageSpec, times: &Timetable) -> PackageLife {
    let facts = index.snapshot.packages.get(&package.name).and_then(Known::known);
    let created = index.destination().and_then(|tenant| tenant.users_named(&package.account).next()?.created);
    package_life(index.plan, package, facts, created, times)
}

/// Judges one package that a wave uses.
pub(super) fn checks(
    index: &Index<'_>,
    package: &PackageSpec,
    finished: bool,
    times: &Timetable,
    add: &mut dyn FnMut(Check, Judged),
) {
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
    for judged in lifetime(&observed_life(index, package, times), index.plan, package) {
        add(Check::PkgLifetime, judged);
    }
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
        let live = || Judged::unknown("nothing in it speaks against the plan; `opsole check` looks for its account");
        points.push((Check::PkgTenant, disagreement(plan, package, Some(facts)).unwrap_or_else(live)));
        let life = package_life(plan, package, Some(facts), None, &Timetable::of_plan(plan));
        points.extend(lifetime(&life, plan, package).into_iter().map(|judged| (Check::PkgLifetime, judged)));
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
    Judged::warn(format!("besides the bulk token it sets {} on every device", words::some(other, 5)))
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
