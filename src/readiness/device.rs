//! The device itself: Windows, hardware, join, management, canary. One function for plan, check and preflight.

use super::{Judged, network, profile, recovery};
use crate::model::{Check, DeviceFacts, FeatureSet, Mode, Scenario, Sid, Survey, TenantId};

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
    profile::checks(facts, expect, add);
    recovery::checks(facts, survey, expect, add);
    if let Some(survey) = survey {
        network::checks(survey, add);
    }
}
