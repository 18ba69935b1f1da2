//! When waves can begin: what windows, needs and soaks come to together.
//!
//! ```text
//! begins   no earlier than this, however fast the waves before it are      a proof: nothing opens the gate before
//! latest   this late where the waves before it use their whole windows     a worry: nothing has to come to it
//! ```
//!
//! Linear in waves and their needs. A wave without a window has no end of its own, so that the wave after it counts from
//! its beginning.

use std::collections::{BTreeMap, VecDeque};

use jiff::{SignedDuration, Timestamp};

use crate::dag::{Assignment, View};
use crate::model::WaveName;
use crate::plan::{MigrationPlan, WaveSpec};
use crate::state::Outcome;

/// How far a wave is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Progress {
    /// Nobody looked: it may be over.
    Unknown,
    /// A device of it hasn't moved yet, so it isn't over before now.
    Underway,
    /// Each of its devices has moved, the last of them then; none where no record says when.
    Over(Option<Timestamp>),
}

/// When one wave can begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaveTimes {
    /// It can't begin earlier; not before the plan's moment.
    pub begins: Timestamp,
    /// The wave that it waits for until then.
    pub waits_for: Option<WaveName>,
    /// When it can begin where the waves before it use their whole windows; not before `begins`.
    pub latest: Timestamp,
    /// The wave whose window that is.
    pub window_of: Option<WaveName>,
    /// Each of its devices is complete.
    pub complete: bool,
}

/// When each wave of a plan can begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timetable(Vec<WaveTimes>);

impl Timetable {
    /// Works it out from the plan alone: any wave may be over already.
    #[must_use]
    pub fn of_plan(plan: &MigrationPlan) -> Self {
        Self::new(plan, &vec![(Progress::Unknown, false); plan.waves.len()])
    }

    /// Works it out for what was observed. `views` stand in the order of `assignment`.
    #[must_use]
    pub fn observed(plan: &MigrationPlan, assignment: &Assignment, views: &[View<'_>]) -> Self {
        #[derive(Clone, Copy, Default)]
        struct Count {
            devices: u32,
            excluded: u32,
            waiting: u32,
            complete: u32,
            last: Option<Timestamp>,
        }
        let mut counts = vec![Count::default(); plan.waves.len()];
        for (assigned, view) in assignment.devices.iter().zip(views) {
            let Some(count) = assigned.wave.and_then(|wave| counts.get_mut(usize::from(wave))) else { continue };
            count.devices += 1;
            if assigned.exclusion.is_some() {
                count.excluded += 1;
            } else if view.past {
                // The soak counts from the last commit, also where a device isn't complete yet.
                count.last = count.last.max(view.committed_at());
                let complete = view.record.is_some_and(|own| own.outcome == Some(Outcome::Complete));
                count.complete += u32::from(complete);
            } else {
                count.waiting += 1;
            }
        }
        let progress = counts.into_iter().map(|count| {
            let under_way = count.waiting > 0 || count.devices == 0;
            let progress = if under_way { Progress::Underway } else { Progress::Over(count.last) };
            (progress, count.complete > 0 && count.complete + count.excluded == count.devices)
        });
        Self::new(plan, &progress.collect::<Vec<_>>())
    }

    fn new(plan: &MigrationPlan, progress: &[(Progress, bool)]) -> Self {
        let waves = &plan.waves;
        let by_name: BTreeMap<&WaveName, usize> =
            waves.iter().enumerate().rev().map(|(at, wave)| (&wave.name.value, at)).collect();
        let needs = |wave: &WaveSpec| -> Vec<usize> {
            wave.needs.iter().filter_map(|need| by_name.get(&need.value).copied()).collect()
        };
        let mut waiting: Vec<usize> = Vec::with_capacity(waves.len());
        let mut waiters: Vec<Vec<usize>> = vec![Vec::new(); waves.len()];
        for (at, wave) in waves.iter().enumerate() {
            let needed = needs(wave);
            waiting.push(needed.len());
            needed.into_iter().for_each(|need| waiters[need].push(at));
        }
        let mut ready: VecDeque<usize> = (0..waves.len()).filter(|at| waiting[*at] == 0).collect();
        // Waves that wait for each other are never reached, and keep this: nothing is proven of them.
        let mut spans = vec![Span::unknown(plan.as_of); waves.len()];
        while let Some(at) = ready.pop_front() {
            let (progress, _) = progress.get(at).copied().unwrap_or((Progress::Unknown, false));
            spans[at] = Span::of(plan, at, &needs(&waves[at]), &spans, progress);
            for waiter in &waiters[at] {
                waiting[*waiter] -= 1;
                if waiting[*waiter] == 0 {
                    ready.push_back(*waiter);
                }
            }
        }
        let name = |at: usize| waves[at].name.value.clone();
        let times = spans.into_iter().zip(progress).map(|(span, (_, complete))| WaveTimes {
            begins: span.begins,
            waits_for: span.waits_for.map(name),
            latest: span.latest,
            window_of: span.window_of.map(name),
            complete: *complete,
        });
        Self(times.collect())
    }

    /// Returns the times of a wave, by its position in the plan.
    #[must_use]
    pub fn wave(&self, at: usize) -> Option<&WaveTimes> {
        self.0.get(at)
    }
}

/// A wave's bounds while the waves after it are worked out.
#[derive(Debug, Clone, Copy)]
struct Span {
    begins: Timestamp,
    waits_for: Option<usize>,
    latest: Timestamp,
    window_of: Option<usize>,
    /// It isn't over earlier.
    over: Timestamp,
    /// It is over by then where it uses its whole window.
    over_latest: Timestamp,
}

impl Span {
    fn unknown(as_of: Timestamp) -> Self {
        let none = Timestamp::MIN;
        Self { begins: as_of, waits_for: None, latest: as_of, window_of: None, over: none, over_latest: none }
    }

    fn of(plan: &MigrationPlan, at: usize, needs: &[usize], known: &[Self], progress: Progress) -> Self {
        let wave = &plan.waves[at];
        let soak = wave.gate.as_ref().and_then(|gate| gate.soak).unwrap_or(SignedDuration::ZERO);
        let after = |end: Timestamp| end.checked_add(soak).unwrap_or(Timestamp::MAX);
        let mut begins = wave.window.as_ref().map_or(Timestamp::MIN, |window| window.from);
        let (mut latest, mut waits_for, mut window_of) = (begins, None, None);
        for need in needs {
            let own = known[*need];
            // Later than now, or it doesn't wait any more.
            if after(own.over) > begins.max(plan.as_of) {
                waits_for = Some(*need);
            }
            begins = begins.max(after(own.over));
            if after(own.over_latest) > latest {
                (latest, window_of) = (after(own.over_latest), own.window_of_end(plan, *need));
            }
        }
        if latest <= begins {
            (latest, window_of) = (begins, None);
        }
        let (over, over_latest) = match progress {
            Progress::Over(last) => (last.unwrap_or(Timestamp::MIN), last.unwrap_or(Timestamp::MIN)),
            Progress::Underway | Progress::Unknown => {
                let over = if progress == Progress::Underway { begins.max(plan.as_of) } else { begins };
                (over, wave.window.as_ref().map_or(latest, |window| window.to).max(over))
            }
        };
        let now = |moment: Timestamp| moment.max(plan.as_of);
        Self { begins: now(begins), waits_for, latest: now(latest), window_of, over, over_latest }
    }

    /// Returns the wave whose window sets the end of this one.
    fn window_of_end(self, plan: &MigrationPlan, at: usize) -> Option<usize> {
        if plan.waves[at].window.is_some() { Some(at) } else { self.window_of }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dag::fixture::{Fleet, Join, at};
    use crate::dag::{Index, assign, views};
    use crate::diag::Spanned;
    use crate::model::Scenario;
    use crate::plan::{GateSpec, Window};

    /// Pilot, then broad seven days later.
    fn fleet() -> Fleet {
        let mut fleet = Fleet::new(Scenario::HybridToEntra, Join::Hybrid, 3);
        waits(&mut fleet.plan.waves[1], "pilot");
        fleet
    }
    fn waits(wave: &mut WaveSpec, need: &str) {
        wave.needs.push(Spanned::new(need.into(), wave.name.span));
        let soak = Some(SignedDuration::from_hours(7 * 24));
        wave.gate = Some(GateSpec { criteria: None, sign_off: Vec::new(), soak });
    }
    fn window(from: &str, to: &str) -> Option<Window> {
        Some(Window { from: at(from), to: at(to), zone: "UTC".to_owned(), hours: None, days: Vec::new() })
    }
    fn observed(fleet: &Fleet) -> Timetable {
        let index = Index::new(&fleet.plan, &fleet.snapshot);
        let assignment = assign(&index);
        let views = views(&index, &assignment);
        Timetable::observed(&fleet.plan, &assignment, &views)
    }
    fn days_later(moment: Timestamp, days: i64) -> Timestamp {
        moment + SignedDuration::from_hours(24 * days)
    }

    /// Catches a soak that isn't counted, and one that is counted from the wrong moment.
    #[test]
    fn a_wave_begins_after_its_needs_have_soaked() {
        let mut fleet = fleet();
        let now = fleet.plan.as_of;
        let wave = |times: &Timetable| times.wave(1).expect("a wave").clone();
        let own = wave(&observed(&fleet));
        assert_eq!((own.begins, own.latest, own.window_of), (days_later(now, 7), days_later(now, 7), None));
        assert_eq!(own.waits_for, Some("pilot".into()));
        fleet.plan.waves[0].window = window("2026-12-01T18:00:00Z", "2026-12-12T06:00:00Z");
        let own = wave(&observed(&fleet));
        assert_eq!((own.begins, own.latest), (days_later(now, 7), at("2026-12-19T06:00:00Z")));
        assert_eq!(own.window_of, Some("pilot".into()));
        // A window that opens later moves the proof, too.
        fleet.plan.waves[0].window = window("2026-12-10T18:00:00Z", "2026-12-12T06:00:00Z");
        assert_eq!(wave(&observed(&fleet)).begins, at("2026-12-17T18:00:00Z"));
        // The soak counts from the last commit, whatever the window still allows.
        (0..2).for_each(|n| fleet.migrate(n));
        let times = observed(&fleet);
        let own = wave(&times);
        assert_eq!((own.begins, own.latest), (at("2026-12-09T10:00:00Z"), at("2026-12-09T10:00:00Z")));
        assert!(times.wave(0).is_some_and(|pilot| pilot.complete) && !own.complete);
        fleet.plan.as_of = at("2026-12-15T10:00:00Z");
        let own = wave(&observed(&fleet));
        assert_eq!((own.begins, own.waits_for), (fleet.plan.as_of, None));
    }

    /// Catches a claim about waves that nobody looked at: the plan alone can't tell whether the pilot is over.
    #[test]
    fn the_plan_alone_proves_only_what_its_windows_say() {
        let mut fleet = fleet();
        assert_eq!(Timetable::of_plan(&fleet.plan).wave(1).expect("a wave").begins, fleet.plan.as_of);
        fleet.plan.waves[0].window = window("2026-12-10T18:00:00Z", "2026-12-12T06:00:00Z");
        let times = Timetable::of_plan(&fleet.plan);
        let own = times.wave(1).expect("a wave");
        assert_eq!((own.begins, own.latest), (at("2026-12-17T18:00:00Z"), at("2026-12-19T06:00:00Z")));
    }

    /// Catches a chain that isn't followed, an order of the file that matters, and waves that wait for each other and
    /// hang it.
    #[test]
    fn chains_in_any_order_and_circles() {
        let mut fleet = fleet();
        fleet.plan.waves[0].window = window("2026-12-01T18:00:00Z", "2026-12-12T06:00:00Z");
        let mut last = fleet.plan.waves[1].clone();
        last.name.value = "last".into();
        last.needs.clear();
        waits(&mut last, "broad");
        fleet.plan.waves.insert(0, last);
        let times = Timetable::of_plan(&fleet.plan);
        let own = times.wave(0).expect("a wave");
        assert_eq!((own.latest, own.window_of.clone()), (at("2026-12-26T06:00:00Z"), Some("pilot".into())));
        waits(&mut fleet.plan.waves[1], "last");
        let times = Timetable::of_plan(&fleet.plan);
        assert!((0..3).all(|at| times.wave(at).is_some_and(|own| own.begins == fleet.plan.as_of)));
    }

    /// Catches work that grows faster than the plan: a long chain of waves, each with a soak that runs out of time.
    #[test]
    fn a_long_chain_ends() {
        let mut fleet = fleet();
        let broad = fleet.plan.waves[1].clone();
        for n in 0..5_000 {
            let mut wave = broad.clone();
            wave.name.value = format!("w{n}").as_str().into();
            wave.needs[0].value = if n == 0 { "broad".into() } else { format!("w{}", n - 1).as_str().into() };
            wave.gate.as_mut().expect("a gate").soak = Some(SignedDuration::from_hours(24 * 3650));
            fleet.plan.waves.push(wave);
        }
        assert_eq!(Timetable::of_plan(&fleet.plan).wave(5_001).expect("a wave").begins, Timestamp::MAX);
    }
}
