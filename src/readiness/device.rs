//! The device itself, by what its agent found. One function for plan, check and preflight.

use super::{Judged, join, machine, network, profile, recovery, security};
use crate::model::{Check, DeviceFacts, FeatureSet, Known, Mode, Scenario, Sid, Survey, TenantId};

/// What a device is held against: from the plan in `plan` and `check`, from the order in the agent's preflight.
#[derive(Debug, Clone)]
pub struct Expect<'a> {
    /// From where to where.
    pub scenario: Scenario,
    /// Features that are on.
    pub features: FeatureSet,
    /// How the wave starts.
    pub mode: Mode,
    /// Tenant that it comes from: id, and the name that people know; the id again where there is no other.
    pub origin: Option<(TenantId, String)>,
    /// Domain that it comes from, where the plan names one and the caller knows it.
    pub domain: Option<&'a str>,
    /// Whose profile moves, once that is known.
    pub profile: Option<ExpectedProfile<'a>>,
    /// An earlier run began it: it isn't joined as at the start any more, and that run checked the start.
    pub under_way: bool,
}

/// The profile that moves.
#[derive(Debug, Clone, Copy)]
pub struct ExpectedProfile<'a> {
    /// Owner now.
    pub old_sid: &'a Sid,
    /// Owner afterwards.
    pub new_sid: &'a Sid,
    /// Its path.
    pub path: &'a str,
}

/// Judges a device by what its agent found. A check that the survey answers and that has none isn't added: the
/// caller says once that there is no survey.
pub fn device_checks(
    facts: &DeviceFacts,
    survey: Option<&Survey>,
    expect: &Expect<'_>,
    add: &mut dyn FnMut(Check, Judged),
) {
    machine::checks(facts, survey, expect, add);
    join::checks(facts, survey, expect, add);
    profile::checks(facts, survey, expect, add);
    recovery::checks(facts, survey, expect, add);
    if let Some(survey) = survey {
        network::checks(survey, add);
        security::checks(survey, add);
    }
}

/// What was read, or the judgement that it couldn't be.
pub(super) type Read<T> = Result<T, Judged>;

/// Returns what was read of something that every device has.
pub(super) fn read<'a, T>(known: &'a Known<T>, what: &str) -> Read<&'a T> {
    match known {
        Known::Known(value) => Ok(value),
        Known::Absent => Err(Judged::unknown(format!("Windows tells nothing of {what}"))
            .remedy("look on the device why Windows doesn't tell it, then let the agent report again")),
        Known::Unknown(why) => Err(unread(what, why)),
    }
}

/// Returns the judgement of something on the device that couldn't be read. What mends a failure would be wrong here:
/// nobody clears a TPM because of an access that was denied.
pub(super) fn unread(what: &str, why: &str) -> Judged {
    Judged::unknown(format!("{what} couldn't be read: {why}"))
        .remedy("mend what keeps the agent from reading it as SYSTEM, then let it report again")
}

/// Returns the judgement of something in a tenant or a directory that couldn't be read.
pub(super) fn unlisted(what: &str, why: &str) -> Judged {
    Judged::unknown(format!("{what} couldn't be read: {why}"))
        .remedy("mend what stops the reading (`app.permissions` says what isn't granted), and check again")
}

/// Returns whichever there is.
pub(super) fn either(read: Read<Judged>) -> Judged {
    read.unwrap_or_else(|unknown| unknown)
}
