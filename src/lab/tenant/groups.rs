//! Groups and their members.

use uuid::Uuid;

use super::directory::{reference, shown_member};
use super::graph::Call;
use super::object::Group;
use super::query::{DIRECTORY, Rules};
use super::reply::{Answer, Refused, Reply};
use super::support;

const GROUPS: Rules = Rules { support: Some(support::GROUP), ..DIRECTORY };

pub(super) fn list(call: &mut Call<'_>) -> Answer {
    call.query.list(call.request, "groups", &GROUPS, &call.data()?.groups, |_| true)
}
pub(super) fn count(call: &mut Call<'_>) -> Answer {
    call.query.count(call.request, &GROUPS, &call.data()?.groups)
}

fn seen(call: &Call<'_>) -> Result<Group, Refused> {
    let group = call.data()?.groups.seen(call.id(0)?, call.request.now).cloned();
    group.ok_or_else(|| Refused::missing(call.param(0)))
}

pub(super) fn get(call: &mut Call<'_>) -> Answer {
    call.query.one(call.request, "groups", &seen(call)?)
}

pub(super) fn members(call: &mut Call<'_>) -> Answer {
    let group = seen(call)?.id;
    let cast = call.params.get(1).map(String::as_str);
    if let Some(kind) =
        cast.filter(|kind| !["microsoft.graph.device", "microsoft.graph.user", "microsoft.graph.group"].contains(kind))
    {
        return Err(Refused::gateway(format!("Resource not found for the segment '{kind}'.")));
    }
    let data = call.data()?;
    let collection = match cast {
        Some("microsoft.graph.device") => "devices",
        Some("microsoft.graph.user") => "users",
        Some("microsoft.graph.group") => "groups",
        _ => "directoryObjects",
    };
    let matches = |value: &serde_json::Value| {
        call.query.filter.as_ref().is_none_or(|filter| filter.matches(&|name| value.get(name).cloned()))
    };
    let after = |start: Option<Uuid>| {
        let ids = data.members_seen(group, start, call.request.now);
        ids.filter_map(|id| Some((id, shown_member(call, id, cast)?))).filter(|(_, value)| matches(value))
    };
    call.query.mixed(call.request, collection, &DIRECTORY, after)
}

/// Checks that members of a group may be changed by hand (msgraph.md 2.4).
fn changeable(call: &Call<'_>, group: &Group) -> Result<(), Refused> {
    if group.synced {
        let message = "Unable to update the specified properties for on-premises mastered Directory Sync objects or objects currently undergoing migration.";
        return Err(Refused::bad(message));
    }
    if group.mail_enabled {
        return Err(Refused::bad("Cannot Update a mail-enabled security groups and or distribution list."));
    }
    if group.dynamic || (group.role_assignable && !call.has(&["RoleManagement.ReadWrite.Directory"])) {
        return Err(Refused::forbidden());
    }
    Ok(())
}

pub(super) fn add_member(call: &mut Call<'_>) -> Answer {
    let group = seen(call)?;
    let member = reference(call.body()?)?;
    let now = call.request.now;
    let data = call.data()?;
    let device = data.devices.seen(member, now).is_some() && data.devices.get(member).is_some();
    let known = device || data.users.seen(member, now).is_some() || data.groups.seen(member, now).is_some();
    if !known {
        return Err(Refused::missing(&member.to_string()));
    }
    // For a device its own permission is needed besides the group's (permission-data-anomalies.json).
    if device && !call.has(&["Device.ReadWrite.All", "Directory.ReadWrite.All"]) {
        return Err(Refused::forbidden());
    }
    changeable(call, &group)?;
    if data.is_member(group.id, member) {
        return Err(Refused::bad(
            "One or more added object references already exist for the following modified properties: 'members'.",
        ));
    }
    call.data_mut()?.set_member(group.id, member, true, now);
    Ok(Reply::done())
}

pub(super) fn remove_member(call: &mut Call<'_>) -> Answer {
    let group = seen(call)?;
    let member = call.id(1)?;
    changeable(call, &group)?;
    if !call.data()?.is_member(group.id, member) {
        return Err(Refused::missing(call.param(1)));
    }
    let now = call.request.now;
    call.data_mut()?.set_member(group.id, member, false, now);
    Ok(Reply::done())
}

/// Without `/$ref` the member itself is deleted: the trap of msgraph.md 0.3, as Graph has it.
pub(super) fn delete_member_object(call: &mut Call<'_>) -> Answer {
    let group = seen(call)?;
    let member = call.id(1)?;
    let now = call.request.now;
    let data = call.data()?;
    if !data.is_member(group.id, member) {
        return Err(Refused::missing(call.param(1)));
    }
    let device = data.devices.get(member).cloned();
    let user = data.users.get(member).cloned();
    let allowed = match (&device, &user) {
        (Some(_), _) => call.has(&["Device.ReadWrite.All"]),
        (_, Some(user)) => user.roles.is_empty() && call.has(&["User.ReadWrite.All"]),
        _ => false,
    };
    if !allowed {
        return Err(Refused::forbidden());
    }
    tracing::warn!(tenant = call.tenant, group = group.name, %member, "a member object was deleted: /$ref was left out");
    if let Some(device) = device {
        super::devices::remove(call, &device)?;
    } else if let Some(user) = user {
        super::emulation::delete_user(call.data_mut()?, &user, now).map_err(super::graph::trouble)?;
    }
    Ok(Reply::done())
}
