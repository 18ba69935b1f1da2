//! The table of exit criteria: stable ids, what each demands, and how it is measured.

use serde::Serialize;

use super::super::Text;

/// One of the nine pilot exit criteria, in the order of the prerequisites. Ids are stable: sign-offs and reports hold
/// them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Criterion {
    /// Microsoft Entra joined, with a new registration.
    Joined,
    /// Enrolled in Intune.
    Enrolled,
    /// The mapped user signed in with Entra credentials.
    SignIn,
    /// The profile is there, with what was in it.
    Profile,
    /// BitLocker and LAPS recovery is where the new tenant has it.
    Recovery,
    /// Primary user, groups and profiles are assigned.
    Assignments,
    /// Applications were tried.
    Applications,
    /// Security software stood in nobody's way.
    NoEdrBlocks,
    /// What became of it is recorded.
    Visible,
}

impl Criterion {
    /// Every criterion, in order.
    pub const ALL: [Self; 9] = [
        Self::Joined,
        Self::Enrolled,
        Self::SignIn,
        Self::Profile,
        Self::Recovery,
        Self::Assignments,
        Self::Applications,
        Self::NoEdrBlocks,
        Self::Visible,
    ];
    /// Returns the stable id.
    #[must_use]
    pub const fn id(self) -> &'static str {
        match self {
            Self::Joined => "exit.joined",
            Self::Enrolled => "exit.enrolled",
            Self::SignIn => "exit.sign-in",
            Self::Profile => "exit.profile",
            Self::Recovery => "exit.recovery",
            Self::Assignments => "exit.assignments",
            Self::Applications => "exit.applications",
            Self::NoEdrBlocks => "exit.no-edr-blocks",
            Self::Visible => "exit.visible",
        }
    }
    /// Returns what has to hold, in so few words that its line isn't wrapped.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Joined => "joined to the destination anew",
            Self::Enrolled => "enrolled in Intune and synchronised",
            Self::SignIn => "the mapped user signed in",
            Self::Profile => "the mapped user has the old profile",
            Self::Recovery => "recovery keys are in the new escrow",
            Self::Assignments => "primary user, groups, profiles assigned",
            Self::Applications => "people tried their applications",
            Self::NoEdrBlocks => "no security software stood in the way",
            Self::Visible => "recorded as complete",
        }
    }
    /// Returns how it is measured.
    #[must_use]
    pub const fn measured_by(self) -> &'static str {
        match self {
            Self::Joined => {
                "the agent sees the device joined to the destination, in no domain, by another registration than before, and able to authenticate; the registration's object is enabled in the destination"
            }
            Self::Enrolled => {
                "the agent sees an enrolment from after the commit; Intune has a managed device of the new registration that synchronised after the commit"
            }
            Self::SignIn => {
                "the agent sees a sign-in of the mapped user with a primary refresh token after the commit; where somebody else signed in since, the run's record of it counts"
            }
            Self::Profile => {
                "the agent sees the mapped user's SID own the old path and its files, healthy and not empty, and the old SID own nothing there"
            }
            Self::Recovery => {
                "with `bitlocker`: each recovery protector of an encrypted device is in the destination's escrow for the new registration; with `laps`: a LAPS backup from after the commit"
            }
            Self::Assignments => {
                "with `primary-user`: the mapped user is the primary user in Intune; with `group-restore`: the new object is in each group to restore; with `configuration-profiles`: the profiles are assigned"
            }
            Self::Applications => {
                "people tell: an attestation of `apps.readiness` that is no older than the device's move"
            }
            Self::NoEdrBlocks => {
                "the survey's canary ran untouched on the moved device, no policy would block the agent, and its run recorded no block"
            }
            Self::Visible => "the run's record of the device ends with `complete`",
        }
    }
}

impl Serialize for Criterion {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.id())
    }
}

/// What a criterion comes to on a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ExitKind {
    /// It doesn't hold.
    NotMet,
    /// It couldn't be measured, or nobody attests it. Unknown is never met.
    Unknown,
    /// A person stands for it.
    Attested,
    /// It holds.
    Met,
    /// It doesn't apply: the feature is off, or the device has nothing of the kind.
    NotApplicable,
}

impl ExitKind {
    /// Every kind, the gravest first.
    pub const ALL: [Self; 5] = [Self::NotMet, Self::Unknown, Self::Attested, Self::Met, Self::NotApplicable];
    /// Returns the words that people see.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotMet => "not met",
            Self::Unknown => "unknown",
            Self::Attested => "attested",
            Self::Met => "met",
            Self::NotApplicable => "not applicable",
        }
    }
}

/// What was found of one criterion on one device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Measure {
    /// What it comes to.
    pub kind: ExitKind,
    /// What was seen, or why it couldn't be; one clause without a full stop and without the device's name.
    pub seen: Text,
}

impl Measure {
    pub(super) fn met(seen: impl Into<Text>) -> Self {
        Self { kind: ExitKind::Met, seen: seen.into() }
    }
    pub(super) fn not_met(seen: impl Into<Text>) -> Self {
        Self { kind: ExitKind::NotMet, seen: seen.into() }
    }
    pub(super) fn unknown(why: impl Into<Text>) -> Self {
        Self { kind: ExitKind::Unknown, seen: why.into() }
    }
    pub(super) fn attested(by: impl Into<Text>) -> Self {
        Self { kind: ExitKind::Attested, seen: by.into() }
    }
    pub(super) fn not_applicable(why: impl Into<Text>) -> Self {
        Self { kind: ExitKind::NotApplicable, seen: why.into() }
    }
    /// Puts several parts of one criterion together: the gravest kind, and what was seen of it.
    pub(super) fn all(parts: Vec<Self>, none: &'static str) -> Self {
        let Some(worst) = parts.iter().map(|part| part.kind).min() else { return Self::not_applicable(none) };
        let seen: Vec<Text> = parts.into_iter().filter(|part| part.kind == worst).map(|part| part.seen).collect();
        Self { kind: worst, seen: if seen.len() == 1 { seen[0].clone() } else { seen.join("; ").into() } }
    }
}
