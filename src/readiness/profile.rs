//! The profile that moves, on the device: local, healthy, not loaded by others, and nothing in its way.

use super::Judged;
use super::device::Expect;
use crate::model::{Check, DeviceFacts};

/// Judges the profile. Who owns it is [`super::person`]'s question.
pub(super) fn checks(_facts: &DeviceFacts, _expect: &Expect<'_>, _add: &mut dyn FnMut(Check, Judged)) {}
