//! What only people know: procedures, briefings, approvals, records (prerequisites 1.8 to 1.10).

use super::Judged;
use crate::dag::Index;
use crate::model::Check;
use crate::plan::WaveSpec;

/// Judges what is asked of the plan once.
pub(super) fn plan(_index: &Index<'_>, _add: &mut dyn FnMut(Check, Judged)) {}

/// Judges what is asked of a wave.
pub(super) fn wave(_index: &Index<'_>, _wave: &WaveSpec, _add: &mut dyn FnMut(Check, Judged)) {}
