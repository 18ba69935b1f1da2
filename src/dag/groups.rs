//! Static groups that the new device object has to be given.

use std::collections::HashSet;

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

use super::{Index, View};
use crate::model::GroupId;
use crate::plan::MigrationPlan;
use crate::state::Group;

/// Returns the groups that the tool may put devices into and that the plan doesn't leave out.
pub(crate) fn restorable(groups: &[Group], plan: &MigrationPlan) -> HashSet<GroupId> {
    let mut set = GlobSetBuilder::new();
    for pattern in &plan.features.group_restore_exclude {
        // A pattern that can't be read excludes nothing; the plan's own check has said so by then.
        if let Ok(glob) = GlobBuilder::new(pattern).case_insensitive(true).build() {
            set.add(glob);
        }
    }
    let not = set.build().unwrap_or_else(|_| GlobSet::empty());
    groups.iter().filter(|group| group.restorable() && !not.is_match(&group.name)).map(|group| group.id).collect()
}

/// Says whether the device has groups to carry over.
pub(crate) fn has_groups(index: &Index<'_>, view: &View<'_>) -> bool {
    !groups(index, view).is_empty()
}

/// Returns the groups to restore, in order of their ids: as recorded before the move, else as observed.
#[must_use]
pub fn groups(index: &Index<'_>, view: &View<'_>) -> Vec<GroupId> {
    let mut ids: Vec<GroupId> = match (view.record.filter(|_| view.past), index.origin(), view.old.device) {
        (Some(record), ..) => record.groups.iter().copied().filter(|id| index.may_restore(*id)).collect(),
        (None, Some(origin), Some(device)) => {
            origin.groups_of(device.id).map(|group| group.id).filter(|id| index.may_restore(*id)).collect()
        }
        _ => Vec::new(),
    };
    ids.sort_unstable();
    ids.dedup();
    ids
}

/// Returns a recorded group's counterpart in the destination: itself, or in another tenant the one
/// restorable group with its name.
pub(crate) fn counterpart<'a>(index: &Index<'a>, group: GroupId) -> Option<&'a Group> {
    let destination = index.destination()?;
    if let Some(own) = destination.group(group) {
        return Some(own);
    }
    let name = &index.origin()?.group(group)?.name;
    let mut hits = destination.groups_named(name).filter(|group| group.restorable());
    let only = hits.next()?;
    hits.next().is_none().then_some(only)
}
