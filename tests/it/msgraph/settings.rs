//! What readiness reads beside devices: the application, enrolment, package accounts, and what Microsoft publishes of
//! them.

use opsole::model::{GroupId, Known, UserId};
use opsole::port::{Tenant, Wanted};
use serde_json::{Value, json};

use super::stage::{Reply, Stage, device, id, is_token, ok, page, status, token};

/// Answers the steps of a batch by their addresses.
fn batch(body: &Value, answer: impl Fn(&str) -> (u16, Value)) -> Reply {
    let step = |step: &Value| {
        let (status, body) = answer(step["url"].as_str().expect("a url"));
        json!({"id": step["id"], "status": status, "body": body})
    };
    ok(json!({"responses": body["requests"].as_array().expect("steps").iter().map(step).collect::<Vec<_>>()}))
}

/// Catches an account that isn't there taken for one in no group, an owner that isn't the account, groups on a later
/// page that are lost, and calls that grow with devices.
#[tokio::test]
async fn package_accounts() {
    let stage = Stage::new(|seen, _| {
        let host = seen.headers["host"].clone();
        match seen.path.as_str() {
            _ if is_token(seen) => token(&[]),
            "/v1.0/$batch" => batch(&seen.body, |url| match url {
                url if url.contains("package_gone") => (404, json!({"error": {"code": "Request_ResourceNotFound"}})),
                url if url.contains("/transitiveMemberOf") => (
                    200,
                    json!({"value": [{"@odata.type": "#microsoft.graph.directoryRole", "id": id(60)},
                                     {"@odata.type": "#microsoft.graph.group", "id": id(51)}],
                           "@odata.nextLink": format!("http://{host}/v1.0/more?groups")}),
                ),
                url if url.contains("/ownedDevices") => (200, json!({"value": [{"id": id(2)}, {"id": id(99)}]})),
                other => panic!("{other}"),
            }),
            "/v1.0/more?groups" => page(json!([{"@odata.type": "#microsoft.graph.group", "id": id(50)}])),
            path if path.contains("/users?") => {
                page(json!([{"id": id(7), "userPrincipalName": "Package_1@Contoso.com", "accountEnabled": true}]))
            }
            path if path.contains("/devices?") => page(json!([device(1), device(2), device(3)])),
            _ => page(json!([])),
        }
    })
    .await;
    let accounts = ["package_1@contoso.com".to_owned(), "package_gone@contoso.com".to_owned()].into();
    let state = stage.client.observe(&Wanted { users: true, accounts, ..Wanted::default() }).await;
    let groups = state.account_groups.known().unwrap_or_else(|| panic!("{:?}", state.account_groups));
    assert_eq!(groups.len(), 1, "{groups:?}");
    assert_eq!(groups["package_1@contoso.com"], [GroupId(id(50)), GroupId(id(51))]);
    let owners: Vec<_> = state.devices.known().expect("devices").iter().map(|device| device.owner).collect();
    assert_eq!(owners, [None, Some(UserId(id(7))), None]);
    assert_eq!(stage.seen("$batch").len(), 2, "one for groups, one for devices");
}

/// Catches devices that count against nobody because it couldn't be read whose they are.
#[tokio::test]
async fn unread_owners_are_unknown() {
    let stage = Stage::new(|seen, _| match seen.path.as_str() {
        _ if is_token(seen) => token(&["User.Read.All"]),
        "/v1.0/$batch" => batch(&seen.body, |url| match url {
            url if url.contains("/ownedDevices") => (403, json!({"error": {"code": "Authorization_RequestDenied"}})),
            _ => (200, json!({"value": []})),
        }),
        path if path.contains("/devices?") => page(json!([device(1)])),
        _ => page(json!([])),
    })
    .await;
    let accounts = ["package_1@contoso.com".to_owned()].into();
    let state = stage.client.observe(&Wanted { users: true, accounts, ..Wanted::default() }).await;
    assert!(state.devices.unknown().expect("unknown").contains("package_1@contoso.com"), "{:?}", state.devices);
    assert!(state.account_groups.known().is_some());
}

/// Catches restrictions that get lost with beta, and a page that is taken for harmless because beta is silent.
#[tokio::test]
async fn enrolment_without_beta() {
    let stage = Stage::new(|seen, _| {
        let kind = |name: &str| format!("#microsoft.graph.{name}");
        match seen.path.as_str() {
            _ if is_token(seen) => token(&[]),
            path if path.starts_with("/beta/") => status(400),
            "/v1.0/$batch" => batch(&seen.body, |url| {
                assert!(url.ends_with("/assignments"), "{url}");
                let target = json!({"@odata.type": kind("groupAssignmentTarget"), "groupId": id(5)});
                (200, json!({"value": [{"id": "x", "target": target}]}))
            }),
            path if path.ends_with("/deviceEnrollmentConfigurations") => page(json!([
                {"@odata.type": kind("deviceEnrollmentPlatformRestrictionsConfiguration"), "id": "a", "priority": 0,
                 "windowsRestriction": {"platformBlocked": true}},
                {"@odata.type": kind("windows10EnrollmentCompletionPageConfiguration"), "id": "b_Page", "priority": 1,
                 "displayName": "Page"},
                {"@odata.type": kind("deviceEnrollmentWindowsHelloForBusinessConfiguration"), "id": "c", "priority": 0},
            ])),
            _ => page(json!([])),
        }
    })
    .await;
    let state = stage.client.observe(&Wanted { enrolment: true, ..Wanted::default() }).await;
    let enrolment = state.enrolment.known().unwrap_or_else(|| panic!("{:?}", state.enrolment));
    assert_eq!((enrolment.windows_blocked, enrolment.device_limit), (Some(true), None));
    let own = &enrolment.status_pages[0];
    assert_eq!((own.to_all, own.groups.as_slice()), (false, [GroupId(id(5))].as_slice()));
    assert!(own.blocks.unknown().expect("unknown").contains("graph."), "{own:?}");
}

/// Catches a registration whose refusal spoils what is granted, and an application that isn't there.
#[tokio::test]
async fn applications() {
    let there = |found: bool| {
        Stage::new(move |seen, _| match seen.path.as_str() {
            _ if is_token(seen) => token(&[]),
            "/v1.0/$batch" => batch(&seen.body, |url| match url {
                _ if !found => (404, json!({"error": {"code": "Request_ResourceNotFound"}})),
                url if url.starts_with("/applications(") => {
                    (403, json!({"error": {"code": "Authorization_RequestDenied"}}))
                }
                url if url.contains("00000003-0000-0000-c000-000000000000") => {
                    (200, json!({"id": id(3), "appRoles": [{"id": id(31), "value": "User.Read.All"}]}))
                }
                _ => (200, json!({"id": id(4), "appId": "app", "displayName": "Own", "accountEnabled": true})),
            }),
            path if path.contains("/appRoleAssignments") => page(json!([
                {"id": "1", "resourceId": id(3), "appRoleId": id(31)},
                {"id": "2", "resourceId": id(3), "appRoleId": id(32)},
                {"id": "3", "resourceId": id(8), "appRoleId": id(31)},
            ])),
            _ => page(json!([])),
        })
    };
    let wanted = Wanted { app: Some("app".to_owned()), ..Wanted::default() };
    let state = there(true).await.client.observe(&wanted).await;
    let app = state.app.known().unwrap_or_else(|| panic!("{:?}", state.app));
    assert_eq!(app.assigned, [id(32).to_string(), "User.Read.All".to_owned()]);
    for why in [app.requested.unknown(), app.credentials.unknown()] {
        assert!(why.expect("unknown").contains("Application.Read.All"), "{why:?}");
    }
    assert_eq!(there(false).await.client.observe(&wanted).await.app, Known::Absent);
}

/// Catches a deserialiser that fails on what Microsoft publishes.
#[tokio::test]
async fn published_settings() {
    let Some(folder) = super::examples() else {
        println!("skipped: the published examples aren't here");
        return;
    };
    let body = move |name: &str| -> Value {
        let text = std::fs::read_to_string(folder.join(format!("{name}.json"))).expect("an example");
        let json: Value = serde_json::from_str(&text).expect("JSON");
        json["examples"][0]["response"]["body"].clone()
    };
    let grants = body("serviceprincipal-list-approleassignments")["value"][0].clone();
    let resource = grants["resourceId"].clone();
    let stage = Stage::new(move |seen, _| {
        let of = |name: &str| body(name)["value"].clone();
        let enrolment = || {
            page(json!([
                of("deviceenrollmentlimitconfiguration-get"),
                of("deviceenrollmentplatformrestrictionsconfiguration-get"),
                of("windows10enrollmentcompletionpageconfiguration-get"),
            ]))
        };
        match seen.path.as_str() {
            _ if is_token(seen) => token(&[]),
            "/v1.0/$batch" | "/beta/$batch" => batch(&seen.body, |url| match url {
                url if url.contains("00000003-0000-0000-c000-000000000000") => (200, json!({"id": resource})),
                url if url.contains("/servicePrincipals(") => (200, json!({"id": id(4), "appId": "app"})),
                url if url.contains("/applications(") => (200, body("application-list")["value"][0].clone()),
                url if url.contains("/assignments") => (200, body("deviceenrollmentconfiguration-assignments")),
                _ => (200, json!({"value": []})),
            }),
            path if path.contains("/appRoleAssignments") => ok(body("serviceprincipal-list-approleassignments")),
            path if path.contains("/deviceEnrollmentConfigurations") => enrolment(),
            path if path.contains("/policies/crossTenantAccessPolicy/default") => {
                ok(body("crosstenantaccesspolicy-default-get"))
            }
            path if path.contains("/partners") => page(json!([body("crosstenantaccesspolicy-partner-get")])),
            path if path.contains("/namedLocations") => ok(body("conditionalaccess-namedlocations-list")),
            path if path.contains("/conditionalAccess/policies") => {
                let place = json!({"locations": {"includeLocations": ["All"]}});
                page(json!([{"id": id(1), "state": "enabled", "conditions": place}]))
            }
            _ => page(json!([])),
        }
    })
    .await;
    let wanted = Wanted {
        app: Some("app".to_owned()),
        conditional_access: true,
        enrolment: true,
        cross_tenant: true,
        ..Wanted::default()
    };
    let state = stage.client.observe(&wanted).await;
    let app = state.app.known().unwrap_or_else(|| panic!("{:?}", state.app));
    assert_eq!(app.assigned, [grants["appRoleId"].as_str().expect("an id")]);
    assert_eq!(app.requested, Known::Known(Vec::new()));
    let enrolment = state.enrolment.known().unwrap_or_else(|| panic!("{:?}", state.enrolment));
    // Their priority is 8: none of them is the default.
    assert_eq!((enrolment.windows_blocked, enrolment.device_limit), (None, None));
    assert_eq!(enrolment.status_pages[0].blocks, Known::Known(false), "{enrolment:?}");
    let cross = state.cross_tenant.known().unwrap_or_else(|| panic!("{:?}", state.cross_tenant));
    assert_eq!((cross.default_inbound_blocked, cross.partners.len()), (false, 1));
    let places = state.named_locations.known().unwrap_or_else(|| panic!("{:?}", state.named_locations));
    assert_eq!((places.len(), places.iter().filter(|place| place.trusted).count()), (3, 1));
}
