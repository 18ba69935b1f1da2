//! How many devices are worked on at a time.

use super::{Machine, Status};
use crate::model::Op;

impl Machine {
    /// Returns how many devices may be started beside those that are worked on. A device of which nothing is left but to wait
    /// for the synchronisation of its old object takes no place: that is half an hour for each, in which nobody does anything.
    pub(super) fn free_places(&self) -> usize {
        let taken = self.active.len().saturating_sub(self.resting.len());
        (self.plan.concurrency.max(1) as usize).saturating_sub(taken)
    }

    /// Looks again whether a device only waits.
    pub(super) fn note_rest(&mut self, index: usize) {
        let (device, run) = (&self.devices[index], &self.plan.devices[index]);
        let waits = |(step, status): (&crate::run::OpRun, &Status)| {
            status.is_settled() || (step.op == Op::RetireOldObject && *status == Status::Controlling)
        };
        let rests = self.active.contains(&index)
            && device.status.contains(&Status::Controlling)
            && run.ops.iter().zip(&device.status).all(waits);
        if rests {
            self.resting.insert(index)
        } else {
            self.resting.remove(&index)
        };
    }
}
