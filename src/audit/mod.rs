//! What was decided and done, as a list in which every entry holds the digest of the one before it.
//!
//! ```text
//! Note {at, actor, Fact} --link(head)--> Link {seq, at, actor, kind, body, prev, hash}
//! hash = SHA-256("opsole-audit/1\n" + canonical JSON of all the others)
//! links --verify--> Verdict: where it isn't whole, and how far it is sound
//! journal of a run --JournalHash--> Anchor, which an entry holds: the journal can't be changed unnoticed
//! ```
//!
//! Pure: the store appends an entry in the same transaction as what the entry tells. `docs/audit.md` says what the list
//! proves and what it can't.

mod anchor;
mod chain;
mod fact;
mod head;
#[cfg(test)]
mod laws;
mod origin;
mod verify;

pub use anchor::{Anchor, JournalFault, JournalHash, RunState, StoredRun, verify_runs};
pub use chain::{Entry, Link, Note};
pub use fact::{
    Acted, CallsRefused, ComputerDeleted, ControllerKeyChanged, DeviceEnd, DeviceEnrolled, DeviceRevoked,
    EnrolmentsIssued, ExclusionChange, Fact, Gate, OrderRefused, RecoveryShown, Refused, RunBegun, RunMark, SealedPlan,
    Signed, SignedIn, UserChange,
};
pub use head::{Head, HeadFile};
pub use origin::{Exception, LeftOut, Origin, Purpose, SealedOrigin};
pub use verify::{Fault, HeadState, Verdict, What, find_head, verify, verify_head};
