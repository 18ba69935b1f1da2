//! Enrolment into Intune: platform restriction, device limit, Enrollment Status Pages.

use serde_json::{Value, json};
use uuid::Uuid;

use super::graph::Call;
use super::policies::merge;
use super::reply::{Answer, Refused, Reply};
use crate::lab::seed::{derive, group_id};
use crate::lab::world::WorldStatusPage;

const COLLECTION: &str = "deviceManagement/deviceEnrollmentConfigurations";

/// What a status page does, which only beta tells.
fn progress(shown: bool, blocks: bool) -> Value {
    json!({"showInstallationProgress": shown, "blockDeviceSetupRetryByUser": !blocks,
           "allowDeviceResetOnInstallFailure": false, "allowLogCollectionOnInstallFailure": true,
           "allowDeviceUseOnInstallFailure": !blocks, "installProgressTimeoutInMinutes": 60,
           "trackInstallProgressForAutopilotOnly": false, "disableUserStatusTrackingAfterFirstUser": true,
           "customErrorMessage": "", "selectedMobileAppIds": []})
}

/// The defaults that every tenant has, and the status pages of the world.
fn configurations(call: &Call<'_>) -> Result<Vec<Value>, Refused> {
    let own = &call.data()?.spec.enrolment;
    let world = &call.emulation.world;
    let account = derive(&world.name, "intune-account", call.tenant);
    let base = |id: String, kind: &str, name: &str, priority: usize, more: &Value| {
        let mut value = json!({"@odata.type": format!("#microsoft.graph.{kind}"), "id": id, "displayName": name,
                               "description": "", "priority": priority, "version": 1,
                               "createdDateTime": world.starts.to_string(),
                               "lastModifiedDateTime": world.starts.to_string()});
        merge(&mut value, more);
        value
    };
    let platform = |blocked: bool| {
        json!({"platformBlocked": blocked, "personalDeviceEnrollmentBlocked": false, "osMinimumVersion": "",
               "osMaximumVersion": ""})
    };
    let restrictions = json!({"windowsRestriction": platform(own.windows_blocked), "windowsMobileRestriction": platform(true),
               "iosRestriction": platform(false), "macOSRestriction": platform(false),
               "androidRestriction": platform(false)});
    let page = |id: String, name: &str, priority: usize, (shown, blocks): (bool, bool)| {
        let mut more = json!({"allowNonBlockingAppInstallation": false});
        if call.request.beta {
            merge(&mut more, &progress(shown, blocks));
        }
        base(id, "windows10EnrollmentCompletionPageConfiguration", name, priority, &more)
    };
    let default = |suffix: &str| format!("{account}_{suffix}");
    let name = "All users and all devices";
    let limit = json!({"limit": own.device_limit});
    let mut all = vec![
        base(default("DefaultLimit"), "deviceEnrollmentLimitConfiguration", name, 0, &limit),
        base(
            default("DefaultPlatformRestrictions"),
            "deviceEnrollmentPlatformRestrictionsConfiguration",
            name,
            0,
            &restrictions,
        ),
        page(default("DefaultWindows10EnrollmentCompletionPageConfiguration"), name, 0, (false, false)),
    ];
    for (at, own) in own.status_pages.iter().enumerate() {
        all.push(page(page_id(call, own), &own.name, at + 1, (true, own.blocks)));
    }
    Ok(all)
}

fn page_id(call: &Call<'_>, page: &WorldStatusPage) -> String {
    let id = derive(&call.emulation.world.name, "status-page", &format!("{}\n{}", call.tenant, page.name));
    format!("{id}_Windows10EnrollmentCompletionPageConfiguration")
}

/// Returns the assignments of a configuration. The defaults are everybody's and say so.
fn assignments_of(call: &Call<'_>, configuration: &Value) -> Result<Vec<Value>, Refused> {
    let id = configuration["id"].as_str().unwrap_or_default();
    let assignment = |of: &str, target: Value| {
        json!({"@odata.type": "#microsoft.graph.enrollmentConfigurationAssignment", "id": format!("{id}_{of}"),
               "target": target})
    };
    let everybody = || assignment("all", json!({"@odata.type": "#microsoft.graph.allDevicesAssignmentTarget"}));
    let pages = &call.data()?.spec.enrolment.status_pages;
    let Some(page) = pages.iter().find(|page| page_id(call, page) == id) else { return Ok(vec![everybody()]) };
    if page.groups.is_empty() {
        return Ok(vec![everybody()]);
    }
    let world = &call.emulation.world;
    let group = |name: &String| -> Uuid {
        let groups = world.tenants.get(call.tenant).map_or(&[][..], |spec| &spec.groups);
        let given = groups.iter().find(|group| group.name == *name).and_then(|group| group.id);
        group_id(world, call.tenant, name, given).0
    };
    let one = |name: &String| {
        let id = group(name);
        let target = json!({"@odata.type": "#microsoft.graph.groupAssignmentTarget", "groupId": id});
        assignment(&id.to_string(), target)
    };
    Ok(page.groups.iter().map(one).collect())
}

fn found(call: &Call<'_>) -> Result<Value, Refused> {
    configurations(call)?.into_iter().find(|value| value["id"] == call.param(0)).ok_or_else(Refused::intune_missing)
}

pub(super) fn list(call: &mut Call<'_>) -> Answer {
    let mut all = configurations(call)?;
    if call.query.expand.is_some() {
        for one in &mut all {
            one["assignments"] = assignments_of(call, one)?.into();
        }
    }
    let context = call.request.context(COLLECTION);
    Ok(Reply::ok(json!({"@odata.context": context, "value": all})))
}
pub(super) fn get(call: &mut Call<'_>) -> Answer {
    found(call).map(Reply::ok)
}
pub(super) fn assignments(call: &mut Call<'_>) -> Answer {
    let own = found(call)?;
    let context = call.request.context(&format!("{COLLECTION}('{}')/assignments", call.param(0)));
    Ok(Reply::ok(json!({"@odata.context": context, "value": assignments_of(call, &own)?})))
}
