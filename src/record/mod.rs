//! What a run came to, as one value: planned against done, who agreed to what, and what is left. Made from the run's
//! plan, its journal, and what was stored with it; every form of `opsole report` is drawn from it.
//!
//! Pure: the same run gives the same report, whoever asks and whenever, but for the evidence and the head of the audit
//! list, which move on.

mod group;
mod make;
mod report;

pub use group::{Group, groups};
pub use make::{Input, report};
pub use report::{
    ApprovalRow, Counts, DeviceRow, ExclusionRow, FORMAT, Issue, NotDone, OpRow, ProblemRow, Report, SealedPart,
    Standing, TenantRow, Turn, Undone, Unplanned,
};
