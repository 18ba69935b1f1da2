//! The person of a device: exactly one enabled, ordinary, licensed account with a proven SID (domain.md B1.4).

use super::Judged;
use crate::dag::{Blocker, Index, Mapping, View};
use crate::model::Check;

/// Judges the person from the mapping that `dag::map` found, or from what kept it from being found.
pub(super) fn checks(
    _index: &Index<'_>,
    _view: &View<'_>,
    _mapping: Result<&Mapping<'_>, &[Blocker]>,
    _add: &mut dyn FnMut(Check, Judged),
) {
}
