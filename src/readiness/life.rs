//! How long a package lives, and whether its waves fall into its life (prerequisites 1.7).

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan};

use super::{Judged, Timetable};
use crate::model::WaveName;
use crate::plan::{MigrationPlan, PackageSpec};
use crate::state::PackageFacts;

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
    /// Returns what tells it, in words.
    #[must_use]
    pub fn of(self) -> &'static str {
        match self {
            Self::Plan => "the plan's `expires`",
            Self::Issue => "the plan's `issued`",
            Self::Token => "the end of its token",
            Self::Account => "the creation of its account",
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
    /// It can begin in time, but the package ends first where the waves before it use their whole windows.
    MaybeBeyond,
    /// The package ends first.
    Beyond,
}

/// A wave that still uses a package.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct WaveNeed {
    /// Which.
    pub wave: WaveName,
    /// It can't begin earlier: windows, needs and soaks say so.
    pub begins: Timestamp,
    /// The wave that it waits for until then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waits_for: Option<WaveName>,
    /// When it can begin where the waves before it use their whole windows.
    pub begins_latest: Timestamp,
    /// The wave whose window that is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub window_of: Option<WaveName>,
    /// End of its window; a wave without one needs the package from its beginning, and nobody said how long.
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
    /// Limits that nobody knows: it may end earlier than is said here.
    pub unseen: Vec<EndsBy>,
    /// Waves whose windows aren't over, and that aren't complete.
    pub waves: Vec<WaveNeed>,
}

impl PackageLife {
    fn that(&self, cover: WaveCover) -> Vec<&WaveNeed> {
        self.waves.iter().filter(|need| need.cover == cover).collect()
    }
}

fn names(needs: &[&WaveNeed]) -> String {
    needs.iter().map(|need| format!("`{}`", need.wave)).collect::<Vec<_>>().join(", ")
}

fn days(count: i64) -> SignedDuration {
    SignedDuration::from_hours(24 * count)
}

/// Holds a package's life against its waves. `created` is when its account was, where that is known.
#[must_use]
pub fn package_life(
    plan: &MigrationPlan,
    package: &PackageSpec,
    facts: Option<&PackageFacts>,
    created: Option<Timestamp>,
    times: &Timetable,
) -> PackageLife {
    let zone = TimeZone::get(&plan.zone).unwrap_or(TimeZone::UTC);
    let after = |day: Date| {
        let next = day.tomorrow().ok().and_then(|day| day.to_zoned(zone.clone()).ok());
        next.map_or(Timestamp::MAX, |moment| moment.timestamp())
    };
    let token = facts.and_then(|facts| facts.expires);
    let mut bounds = vec![(after(package.expires.value), EndsBy::Plan)];
    bounds.extend(package.issued.checked_add(DAYS_MAX.days()).ok().map(|day| (after(day), EndsBy::Issue)));
    bounds.extend(token.map(|end| (end, EndsBy::Token)));
    bounds.extend(created.and_then(|at| at.checked_add(days(DAYS_MAX)).ok()).map(|end| (end, EndsBy::Account)));
    let (ends, by) = bounds.into_iter().min_by_key(|(end, _)| *end).unwrap_or((Timestamp::MAX, EndsBy::Plan));
    let waves = plan.waves.iter().enumerate().filter(|(_, wave)| wave.package == package.name);
    let waves = waves.filter_map(|(at, wave)| {
        let until = wave.window.as_ref().map(|window| window.to);
        let own = times.wave(at)?;
        if own.complete || until.is_some_and(|until| until < plan.as_of) {
            return None;
        }
        Some(WaveNeed {
            wave: wave.name.value.clone(),
            begins: own.begins,
            waits_for: own.waits_for.clone(),
            begins_latest: own.latest,
            window_of: own.window_of.clone(),
            until,
            cover: cover(ends, until.unwrap_or(own.begins), until.unwrap_or(own.latest)),
        })
    });
    let waves = waves.collect();
    let day = |at: Timestamp| at.to_zoned(zone.clone()).date();
    let last_day = day(ends.checked_sub(SignedDuration::from_secs(1)).unwrap_or(ends));
    let unseen = [(token, EndsBy::Token), (created, EndsBy::Account)];
    PackageLife {
        ends,
        last_day,
        by,
        days_left: ends.duration_since(plan.as_of).as_hours().div_euclid(24),
        rotate_by: last_day.checked_sub(MARGIN_DAYS.days()).unwrap_or(last_day),
        unseen: unseen.into_iter().filter(|(end, _)| end.is_none()).map(|(_, limit)| limit).collect(),
        waves,
    }
}

/// Says whether a package that ends then covers a wave that needs it at one moment for certain, and perhaps at a later
/// one.
fn cover(ends: Timestamp, surely: Timestamp, perhaps: Timestamp) -> WaveCover {
    match perhaps.checked_add(days(MARGIN_DAYS)) {
        _ if ends <= surely => WaveCover::Beyond,
        _ if ends <= perhaps => WaveCover::MaybeBeyond,
        Ok(spare) if ends >= spare => WaveCover::Whole,
        _ => WaveCover::Barely,
    }
}

/// Judges a life: at first the waves that fall beyond it, where there are some, which are all that this keeps back; then
/// the others.
pub(super) fn lifetime(life: &PackageLife, plan: &MigrationPlan, package: &PackageSpec) -> Vec<Judged> {
    if life.waves.is_empty() {
        return vec![Judged::not_applicable("its waves are complete, or their windows are over")];
    }
    let (beyond, others): (Vec<&WaveNeed>, Vec<&WaveNeed>) =
        life.waves.iter().partition(|need| need.cover == WaveCover::Beyond);
    let only = |needs: &[&WaveNeed]| needs.iter().map(|need| need.wave.clone()).collect();
    if beyond.is_empty() {
        return vec![within(life, plan, package)];
    }
    let mut judged = vec![falls_beyond(life, plan, package, &beyond).only(only(&beyond))];
    if !others.is_empty() {
        judged.push(within(life, plan, package).only(only(&others)));
    }
    judged
}

fn falls_beyond(life: &PackageLife, plan: &MigrationPlan, package: &PackageSpec, beyond: &[&WaveNeed]) -> Judged {
    let zone = TimeZone::get(&plan.zone).unwrap_or(TimeZone::UTC);
    let day = |at: Timestamp| at.to_zoned(zone.clone()).date();
    // What a window says about a wave is plainer than what it waits for.
    let (waiting, needing): (Vec<&WaveNeed>, Vec<&WaveNeed>) =
        beyond.iter().partition(|need| need.until.is_none() && need.begins > plan.as_of);
    let mut clauses = Vec::new();
    if !needing.is_empty() {
        clauses.push(format!("{} {}", names(&needing), needs_it(&needing, day)));
    }
    clauses.extend(waiting.iter().map(|need| {
        let waits = need.waits_for.as_ref().map_or_else(String::new, |other| format!(": it waits for `{other}`"));
        format!("`{}` can't begin before {}{waits}", need.wave, day(need.begins))
    }));
    let seen = format!("its last day is {}, as {}, and {}", life.last_day, life.by.words(), clauses.join("; "));
    let by = life.rotate_by.max(day(plan.as_of));
    Judged::fail(seen).remedy(format!(
        "make a new package by {by}, give it to {}, and revoke `{}` after its other waves",
        names(beyond),
        package.name
    ))
}

fn needs_it(needs: &[&WaveNeed], day: impl Fn(Timestamp) -> Date) -> String {
    let until = needs.iter().filter_map(|need| need.until).max();
    let until = until.map_or_else(String::new, |until| format!(" until {}", day(until)));
    format!("{} it{until}", if needs.len() == 1 { "needs" } else { "need" })
}

/// Judges a life by the waves that don't fall beyond it for certain.
fn within(life: &PackageLife, plan: &MigrationPlan, package: &PackageSpec) -> Judged {
    let zone = TimeZone::get(&plan.zone).unwrap_or(TimeZone::UTC);
    let day = |at: Timestamp| at.to_zoned(zone.clone()).date();
    let (last, words) = (life.last_day, life.by.words());
    let (perhaps, barely) = (life.that(WaveCover::MaybeBeyond), life.that(WaveCover::Barely));
    let mut clauses: Vec<String> = perhaps
        .iter()
        .map(|need| {
            let window = need.window_of.as_ref().map_or_else(
                || "the waves before it use their whole windows".to_owned(),
                |other| format!("`{other}` uses its whole window"),
            );
            format!("`{}` may fall beyond it: it can't begin before {} if {window}", need.wave, day(need.begins_latest))
        })
        .collect();
    if !barely.is_empty() {
        let (who, needs) = (names(&barely), needs_it(&barely, day));
        clauses.push(format!("less than {MARGIN_DAYS} days to spare for {who}, which {needs}"));
    }
    if !clauses.is_empty() {
        let seen = format!("its last day is {last}, as {words}: {}", clauses.join("; "));
        return Judged::warn(seen)
            .remedy(format!("have a new package ready by {}", life.rotate_by.max(day(plan.as_of))));
    }
    let planned = package.expires.value;
    // A day of difference is only another zone.
    if planned.since(last).is_ok_and(|span| span.get_days() > 1) {
        return Judged::warn(format!("the plan says {planned}, but its last day is {last}, as {words}"))
            .remedy(format!("write `expires: {last}` into the plan"));
    }
    Judged::pass(format!("its last day is {last}; rotate it by {}", life.rotate_by))
}
