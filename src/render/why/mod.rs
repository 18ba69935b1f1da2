//! Why a device takes the operations that it takes: the chain of reasons in words, one value for text and for programs.
//!
//! ```text
//! Decision (live, or a snapshot) --of_decision--\
//!                                                Why --why_text / serde--> text, JSON (opsole.why/1)
//! Body (a sealed plan)           --of_body------/
//! ```

mod body;
mod live;
mod steps;
#[cfg(test)]
mod tests;
mod text;

use serde::Serialize;

use crate::diff::{Action, Reason};
use crate::model::Op;

pub use body::of_body;
pub use live::of_decision;
pub use text::{WhyOptions, why_text};

/// Version of the document.
pub const FORMAT: &str = "opsole.why/1";

/// Everything that leads to one device's operations.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Why {
    /// [`FORMAT`].
    pub format: &'static str,
    /// The device.
    pub device: String,
    /// Where it stands, as plans name it.
    pub standing: String,
    /// Where it stands and what that rests on, sentence by sentence.
    pub because: Vec<String>,
    /// Its wave: how it came into it, gate and window.
    pub wave: Option<WaveWhy>,
    /// The exclusion that covers it.
    pub exclusion: Option<ExclusionWhy>,
    /// Whose profile moves, and to whom.
    pub identity: Option<IdentityWhy>,
    /// What keeps it back.
    pub blockers: Vec<BlockerWhy>,
    /// Operations in order of the catalogue; only those that were asked for.
    pub operations: Vec<Step>,
}

/// Why a device is in a wave, and whether the wave may start it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WaveWhy {
    /// Name.
    pub name: String,
    /// What took the device into it.
    pub selected_by: String,
    /// What its gate lacks; empty where it is met.
    pub gate: Vec<String>,
    /// How its window stands.
    pub window: String,
    /// Package that its devices get.
    pub package: String,
}

/// An exclusion.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ExclusionWhy {
    /// Id.
    pub id: String,
    /// Owner.
    pub owner: String,
    /// Why.
    pub reason: String,
    /// Its end, as people of the plan's zone read it.
    pub until: String,
}

/// Old identity, person, new identity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct IdentityWhy {
    /// Owner of the profile before.
    pub old_sid: String,
    /// The person of the origin's tenant who has that SID, where exactly one is known.
    pub old_user: Option<String>,
    /// Who gets the profile.
    pub user: String,
    /// Object id of that user, where it is known.
    pub user_id: Option<String>,
    /// Owner of the profile after.
    pub new_sid: String,
    /// The profile, where it is known.
    pub profile: Option<String>,
    /// How one was found from the other.
    pub how: String,
}

/// What keeps a device back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BlockerWhy {
    /// Code.
    pub code: String,
    /// The check that it belongs to.
    pub check: Option<String>,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub next: String,
    /// Who acts.
    pub owner: String,
}

/// A check that guards an operation and that says something.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct CheckWhy {
    /// Check id, or a finer code.
    pub code: String,
    /// `pass`, `fail`, `unknown` and so on.
    pub outcome: String,
    /// What was seen.
    pub seen: String,
    /// It keeps something from being applied.
    pub blocks: bool,
}

/// A permission that an operation uses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PermissionWhy {
    /// `origin` or `destination`.
    pub tenant: String,
    /// Name in Microsoft Graph.
    pub permission: String,
    /// It can change something.
    pub writes: bool,
    /// The token has it; none where that isn't known.
    pub granted: Option<bool>,
}

/// One operation and why it is as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Step {
    /// Which.
    pub op: Op,
    /// What becomes of it.
    pub action: Action,
    /// Why, as plans name it.
    pub reason: Reason,
    /// Why, in words.
    pub because: String,
    /// What it does.
    pub does: String,
    /// What is read back before it counts as done.
    pub done_when: String,
    /// What puts it back.
    pub undo: Option<String>,
    /// `reversible`, `committed` or `finishing`.
    pub phase: String,
    /// Who carries it out.
    pub place: String,
    /// What makes it part of this plan: a feature, the scenario.
    pub due: String,
    /// What is there before it.
    pub before: Option<String>,
    /// What will be there after it.
    pub after: Option<String>,
    /// Operations that have to be done first.
    pub waits_for: Vec<Op>,
    /// Operations that wait for it.
    pub needed_by: Vec<Op>,
    /// Checks that guard it and speak of this device or of what it needs.
    pub checks: Vec<CheckWhy>,
    /// Permissions that it uses.
    pub permissions: Vec<PermissionWhy>,
}
