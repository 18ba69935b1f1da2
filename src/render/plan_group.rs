//! A change set folded for reading: totals, and devices that take the same changes as one group.
//!
//! Text and JSON are both made from this, so that they can't tell different stories.

use std::collections::HashMap;

use serde::Serialize;

use crate::diff::{Action, Change, ChangeSet, DeviceChanges, Reason, Standing};

/// Where a device stands, without the details.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Runs from the start.
    Migrate,
    /// An earlier run began it; the rest runs.
    Resume,
    /// It would run, and its wave may not start it now.
    Waiting,
    /// Nothing is left.
    Done,
    /// An exclusion covers it.
    Excluded,
    /// A person has to act first.
    Blocked,
    /// No wave selects it.
    NoWave,
}

impl Kind {
    /// Returns the kind of a device.
    #[must_use]
    pub fn of(device: &DeviceChanges) -> Self {
        let runs = || device.changes.iter().any(|change| change.action == Action::Do);
        match &device.standing {
            Standing::Migrate | Standing::Resume if !runs() => Self::Waiting,
            Standing::Migrate => Self::Migrate,
            Standing::Resume => Self::Resume,
            Standing::Done => Self::Done,
            Standing::Excluded { .. } => Self::Excluded,
            Standing::Blocked(_) => Self::Blocked,
            Standing::NoWave => Self::NoWave,
        }
    }
    /// Returns the words for people, after a number of devices.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Migrate => "to migrate",
            Self::Resume => "to resume",
            Self::Waiting => "waiting",
            Self::Done => "done",
            Self::Excluded => "excluded",
            Self::Blocked => "blocked",
            Self::NoWave => "in no wave",
        }
    }
    /// Every kind, in the order of reading.
    pub const ALL: [Self; 7] =
        [Self::Migrate, Self::Resume, Self::Waiting, Self::Blocked, Self::Excluded, Self::NoWave, Self::Done];
}

/// Totals of a change set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Summary {
    /// All devices of the plan.
    pub devices: usize,
    /// Devices that run from the start.
    pub migrate: usize,
    /// Devices that are finished from where they are.
    pub resume: usize,
    /// Devices whose wave may not start them now.
    pub waiting: usize,
    /// Devices with nothing left.
    pub done: usize,
    /// Devices that an exclusion covers.
    pub excluded: usize,
    /// Devices that need a person first.
    pub blocked: usize,
    /// Devices that no wave selects.
    pub no_wave: usize,
    /// Device and tenant operations that would run.
    pub operations: usize,
    /// Devices that would pass the point of no return.
    pub irreversible: usize,
}

impl Summary {
    /// Returns the number of devices of a kind.
    #[must_use]
    pub fn count(&self, kind: Kind) -> usize {
        match kind {
            Kind::Migrate => self.migrate,
            Kind::Resume => self.resume,
            Kind::Waiting => self.waiting,
            Kind::Done => self.done,
            Kind::Excluded => self.excluded,
            Kind::Blocked => self.blocked,
            Kind::NoWave => self.no_wave,
        }
    }
    fn add(&mut self, kind: Kind) {
        let count = match kind {
            Kind::Migrate => &mut self.migrate,
            Kind::Resume => &mut self.resume,
            Kind::Waiting => &mut self.waiting,
            Kind::Done => &mut self.done,
            Kind::Excluded => &mut self.excluded,
            Kind::Blocked => &mut self.blocked,
            Kind::NoWave => &mut self.no_wave,
        };
        *count += 1;
        self.devices += 1;
    }
}

/// Devices of one wave that stand alike and take the same changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group<'a> {
    /// Index into the change set's waves.
    pub wave: Option<u16>,
    /// How they stand.
    pub kind: Kind,
    /// Index into [`Folded::chains`].
    pub chain: u32,
    /// The devices, in order of their names.
    pub devices: Vec<&'a DeviceChanges>,
}

/// A folded change set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folded<'a> {
    /// Totals, of the selected wave where there is one.
    pub summary: Summary,
    /// Distinct lists of changes, in order of the first device that has them.
    pub chains: Vec<&'a [Change]>,
    /// For each device, its list among `chains`.
    pub chain_of: Vec<u32>,
    /// Groups: by wave, then kind, then first device.
    pub groups: Vec<Group<'a>>,
}

/// Says whether a view of a change set shows a device: where one wave was selected, only its devices.
#[must_use]
pub fn is_shown(changes: &ChangeSet, device: &DeviceChanges) -> bool {
    changes.selected.is_none() || changes.selected == device.wave
}

/// Folds a change set; linear in devices.
#[must_use]
pub fn fold(changes: &ChangeSet) -> Folded<'_> {
    let mut summary = Summary::default();
    let mut chains: Vec<&[Change]> = Vec::new();
    let mut known: HashMap<&[Change], u32> = HashMap::new();
    let mut chain_of = Vec::with_capacity(changes.devices.len());
    let mut groups: Vec<Group<'_>> = Vec::new();
    let mut places: HashMap<(Option<u16>, Kind, u32), usize> = HashMap::new();
    let runs = |change: &Change| change.action == Action::Do;
    for device in &changes.devices {
        let kind = Kind::of(device);
        if is_shown(changes, device) {
            summary.add(kind);
            summary.operations += device.changes.iter().filter(|change| runs(change)).count();
            let committed = |c: &Change| runs(c) && crate::dag::spec(c.op).phase == crate::dag::Phase::Committed;
            summary.irreversible += usize::from(device.changes.iter().any(committed));
        }
        let next = u32::try_from(chains.len()).unwrap_or(u32::MAX);
        let chain = *known.entry(&device.changes).or_insert_with(|| {
            chains.push(&device.changes);
            next
        });
        chain_of.push(chain);
        let place = *places.entry((device.wave, kind, chain)).or_insert_with(|| {
            groups.push(Group { wave: device.wave, kind, chain, devices: Vec::new() });
            groups.len() - 1
        });
        groups[place].devices.push(device);
    }
    summary.operations += changes.tenant.iter().filter(|tenant| runs(&tenant.change)).count();
    // Stable: groups of one wave and kind stay in order of their first device.
    groups.sort_by_key(|group| (group.wave.unwrap_or(u16::MAX), group.kind));
    Folded { summary, chains, chain_of, groups }
}

/// Returns a reason in words for people.
#[must_use]
pub fn reason_text(reason: Reason) -> &'static str {
    match reason {
        Reason::NotYetSo => "not so yet",
        Reason::AlreadySo => "already so",
        Reason::DoneBefore => "done by an earlier run",
        Reason::ChainIncomplete => "so already, checked again",
        Reason::ChainComplete => "the whole chain is complete",
        Reason::NothingThere => "there is nothing of the kind",
        Reason::FeatureOff => "its feature is off in the plan",
        Reason::Kept => "the directory section says `keep`",
        Reason::Excluded => "an exclusion covers the device",
        Reason::Blocked => "a blocker stands before the device",
        Reason::Unknown => "what decides it couldn't be read",
        Reason::LaterWaves => "due when the waves that use it are finished",
        Reason::FirstDevice => "due before the first device of the waves that use it, and none may begin now",
        Reason::Expired => "the exclusion that asks for it has run out",
        Reason::OtherWave => "belongs to another wave",
        Reason::GateClosed => "the wave's gate isn't met",
        Reason::WindowClosed => "the wave's window isn't open",
        Reason::NoWave => "no wave selects the device",
    }
}
