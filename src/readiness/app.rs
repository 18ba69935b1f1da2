//! The application registration: credential, tenant, permissions in both directions.

use super::Judged;
use crate::dag::{Index, OpGraph};
use crate::model::{Check, Side};

/// Judges the application in one side's tenant.
pub(super) fn checks(_index: &Index<'_>, _side: Side, _graph: &OpGraph, _add: &mut dyn FnMut(Check, Judged)) {}
