//! What a survey of an emulated device finds, from the world's description.

use crate::lab::world::{World, WorldDevice};
use crate::model::Survey;

/// Returns the first survey of a device.
pub(super) fn first_survey(world: &World, _device: &WorldDevice) -> Survey {
    Survey::sound(world.starts)
}
