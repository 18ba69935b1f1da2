//! What a survey of an emulated device finds, from the world's description.

use crate::lab::world::{World, WorldDevice};
use crate::model::{Known, ProbeOutcome, Survey};

/// Returns the first survey of a device.
pub(super) fn first_survey(world: &World, device: &WorldDevice) -> Survey {
    device.survey.survey(world.starts)
}

/// Takes the network away from a survey: nothing answers on a device that is offline.
pub(super) fn cut_off(survey: &mut Survey) {
    if let Known::Known(probes) = &mut survey.network {
        for probe in probes.iter_mut().filter(|probe| probe.outcome == ProbeOutcome::Reached) {
            probe.outcome = ProbeOutcome::NoAnswer;
        }
    }
}
