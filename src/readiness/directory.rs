//! Active Directory: the account that retires old computer objects.

use super::Judged;
use crate::dag::Index;
use crate::model::Check;

/// Judges the directory of the plan.
pub(super) fn checks(_index: &Index<'_>, _add: &mut dyn FnMut(Check, Judged)) {}
