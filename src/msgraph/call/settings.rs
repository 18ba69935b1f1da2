//! Calls for what decides whether devices may join and enrol, and for the application itself (msgraph.md 1.3, 2.8).

use uuid::Uuid;

use super::{Call, encode};
use crate::model::Permission;
use crate::msgraph::quota::Service;

/// Client id of Microsoft Graph itself, in every cloud.
pub(in crate::msgraph) const GRAPH_APP: &str = "00000003-0000-0000-c000-000000000000";

/// An application's service principal in this tenant, by client id.
pub(in crate::msgraph) fn service_principal(client_id: &str) -> Call {
    Call::get(
        Service::Directory,
        format!(
            "/servicePrincipals(appId='{}')?$select=id,appId,displayName,accountEnabled",
            encode(&client_id.replace('\'', "''"))
        ),
        &[Permission::ApplicationReadAll],
        "read the application's service principal",
    )
    .accepts(&[404])
}

/// Graph's own service principal, which holds the names of its application permissions in this cloud.
pub(in crate::msgraph) fn graph_principal() -> Call {
    Call::get(
        Service::Directory,
        format!("/servicePrincipals(appId='{GRAPH_APP}')?$select=id,appRoles"),
        &[Permission::ApplicationReadAll],
        "read the names of Graph's permissions",
    )
}

/// What a service principal is granted, on any resource.
pub(in crate::msgraph) fn app_role_assignments(principal: Uuid) -> Call {
    Call::get(
        Service::Directory,
        format!("/servicePrincipals/{principal}/appRoleAssignments?$top=999"),
        &[Permission::ApplicationReadAll],
        "read which permissions the application is granted",
    )
    .units(2)
}

/// An application's registration, by client id. It is there in its home tenant alone [I].
pub(in crate::msgraph) fn application(client_id: &str) -> Call {
    Call::get(
        Service::Directory,
        format!(
            "/applications(appId='{}')?$select=id,appId,requiredResourceAccess,passwordCredentials,keyCredentials",
            encode(&client_id.replace('\'', "''"))
        ),
        &[Permission::ApplicationReadAll],
        "read the application's registration",
    )
    .accepts(&[404])
}

/// Restrictions, limits and status pages, without what only beta tells of them.
pub(in crate::msgraph) fn enrolment_configurations() -> Call {
    Call::get(
        Service::IntuneEnrolment,
        "/deviceManagement/deviceEnrollmentConfigurations",
        &[Permission::ServiceConfigReadAll],
        "read enrolment restrictions",
    )
}

/// The same in beta: what a status page blocks is told nowhere else. Public tools expand assignments here [K].
pub(in crate::msgraph) fn status_pages() -> Call {
    Call::get(
        Service::IntuneEnrolment,
        "/deviceManagement/deviceEnrollmentConfigurations?$expand=assignments",
        &[Permission::ServiceConfigReadAll],
        "read what Enrollment Status Pages block",
    )
    .beta()
}

/// Targets of a status page, where beta couldn't be read. Its id is no GUID.
pub(in crate::msgraph) fn status_page_assignments(id: &str) -> Call {
    Call::get(
        Service::IntuneEnrolment,
        format!("/deviceManagement/deviceEnrollmentConfigurations/{}/assignments", encode(id)),
        &[Permission::ServiceConfigReadAll],
        format!("read the assignments of the Enrollment Status Page {id}"),
    )
}

/// What holds for every tenant without settings of its own.
pub(in crate::msgraph) fn cross_tenant_default() -> Call {
    Call::get(
        Service::Directory,
        "/policies/crossTenantAccessPolicy/default",
        &[Permission::PolicyReadAll],
        "read the cross-tenant access settings",
    )
}

/// Settings for single tenants.
pub(in crate::msgraph) fn cross_tenant_partners() -> Call {
    Call::get(
        Service::Directory,
        "/policies/crossTenantAccessPolicy/partners",
        &[Permission::PolicyReadAll],
        "read the cross-tenant access settings of other tenants",
    )
}
