//! Conditional Access: which enabled policy would stop the package account or the application, and why.

use super::Judged;
use crate::dag::Index;
use crate::model::{Check, Side};

/// Judges the Conditional Access policies of one side's tenant.
pub(super) fn checks(_index: &Index<'_>, _side: Side, _add: &mut dyn FnMut(Check, Judged)) {}
