//! Ways back in where something goes wrong: BitLocker keys, a local administrator, LAPS (prerequisites 1.9).

use super::Judged;
use super::device::Expect;
use crate::dag::{Index, View};
use crate::model::{Check, DeviceFacts, Survey};

/// Judges what the device alone can tell.
pub(super) fn checks(
    _facts: &DeviceFacts,
    _survey: Option<&Survey>,
    _expect: &Expect<'_>,
    _add: &mut dyn FnMut(Check, Judged),
) {
}

/// Judges, for a device whose own half of `rec.bitlocker` holds, whether its keys are in the approved escrow.
pub(super) fn escrow(_index: &Index<'_>, _view: &View<'_>, _facts: &DeviceFacts) -> Option<Judged> {
    None
}
