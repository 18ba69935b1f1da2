//! Calls of Conditional Access: one a second.

use serde_json::{Value, json};

use super::{Call, Verb};
use crate::model::{Permission, PolicyId};
use crate::msgraph::quota::Service;

pub(in crate::msgraph) fn policies() -> Call {
    Call::get(
        Service::ConditionalAccess,
        "/identity/conditionalAccess/policies",
        &[Permission::PolicyReadAll],
        "read Conditional Access policies",
    )
}

/// Asked for only where a policy names a location: the quota is one request a second.
pub(in crate::msgraph) fn named_locations() -> Call {
    Call::get(
        Service::ConditionalAccess,
        "/identity/conditionalAccess/namedLocations",
        &[Permission::PolicyReadAll],
        "read named locations",
    )
}

pub(in crate::msgraph) fn policy(id: PolicyId) -> Call {
    Call::get(
        Service::ConditionalAccess,
        format!("/identity/conditionalAccess/policies/{id}"),
        &[Permission::PolicyReadAll],
        format!("read the Conditional Access policy {id}"),
    )
}

/// Replaces the conditions of a policy; the caller sends what it read with one list changed.
pub(in crate::msgraph) fn set_conditions(id: PolicyId, conditions: Value) -> Call {
    let call = Call::new(
        Verb::Patch,
        Service::ConditionalAccess,
        format!("/identity/conditionalAccess/policies/{id}"),
        &[Permission::PolicyReadAll, Permission::PolicyReadWriteConditionalAccess, Permission::ApplicationReadAll],
        format!("change the excluded users of the Conditional Access policy {id}"),
    );
    Call { body: Some(json!({ "conditions": conditions })), ..call }
}
