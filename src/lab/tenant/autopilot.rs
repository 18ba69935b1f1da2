//! Windows Autopilot: identities, imports, synchronisation, with the service's known ways (msgraph.md 2.6).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::SignedDuration;
use serde_json::{Value, json};

use super::due::Task;
use super::filter::{Filter, Text};
use super::graph::{Call, trouble};
use super::object::{Autopilot, Import, ImportStatus, Object};
use super::query::INTUNE;
use super::reply::{Answer, Refused, Reply};
use crate::lab::folder::held;
use crate::lab::seed::derive;

const COLLECTION: &str = "deviceManagement/windowsAutopilotDeviceIdentities";
const IMPORTS: &str = "deviceManagement/importedWindowsAutopilotDeviceIdentities";
/// A synchronisation is taken this often at most (domain.md B10).
const SYNC_EVERY: SignedDuration = SignedDuration::from_mins(10);

pub(super) fn list(call: &mut Call<'_>) -> Answer {
    // `$select` breaks the service, `eq` isn't known to it, and a hyphen isn't either.
    if call.query.select.is_some() {
        return Err(Refused::intune(500, "InternalServerError", "An internal server error has occurred."));
    }
    match &call.query.filter {
        None => {}
        Some(Filter::Text(Text::Contains, property, serial)) if property == "serialNumber" && !serial.contains('-') => {
        }
        Some(_) => return Err(Refused::intune(400, "BadRequest", "The filter isn't supported.")),
    }
    call.query.list(call.request, COLLECTION, &INTUNE, &call.data()?.autopilot, |_| true)
}

fn seen(call: &Call<'_>) -> Result<Autopilot, Refused> {
    let id = call.param(0).parse().map_err(|_| Refused::intune_missing())?;
    call.data()?.autopilot.seen(id, call.request.now).cloned().ok_or_else(Refused::intune_missing)
}
fn live(call: &Call<'_>) -> Result<Autopilot, Refused> {
    let id = seen(call)?.id;
    call.data()?.autopilot.get(id).cloned().ok_or_else(Refused::intune_missing)
}

pub(super) fn get(call: &mut Call<'_>) -> Answer {
    call.query.one(call.request, COLLECTION, &seen(call)?)
}

pub(super) fn delete(call: &mut Call<'_>) -> Answer {
    let mut identity = live(call)?;
    let data = call.data()?;
    if identity.managed_device.is_some_and(|id| data.managed.get(id).is_some()) {
        let message = format!("Device {} can't be deleted: it is still enrolled in Intune.", identity.serial);
        return Err(Refused::intune(400, "BadRequest", message));
    }
    if identity.leaving {
        return Ok(Reply::done());
    }
    identity.leaving = true;
    let (now, secs) = (call.request.now, data.spec.service.autopilot_secs);
    let task = Task::AutopilotGone { tenant: call.tenant.to_owned(), id: identity.id };
    let write = held(&call.lab.due).schedule(now, secs, task).map_err(trouble)?;
    call.emulation.writes.push(write);
    call.data_mut()?.put(identity, now).map_err(trouble)?;
    Ok(Reply::done())
}

pub(super) fn update(call: &mut Call<'_>) -> Answer {
    let mut identity = live(call)?;
    let body = call.body()?;
    if let Some(tag) = body["groupTag"].as_str() {
        identity.group_tag = tag.to_owned();
    }
    if let Some(user) = body["userPrincipalName"].as_str() {
        identity.user = user.to_owned();
    }
    let now = call.request.now;
    call.data_mut()?.put(identity, now).map_err(trouble)?;
    Ok(Reply::done())
}

pub(super) fn imports(call: &mut Call<'_>) -> Answer {
    call.query.list(call.request, IMPORTS, &INTUNE, &call.data()?.imports, |_| true)
}
pub(super) fn imported(call: &mut Call<'_>) -> Answer {
    let id = call.param(0).parse().map_err(|_| Refused::intune_missing())?;
    let import = call.data()?.imports.seen(id, call.request.now).ok_or_else(Refused::intune_missing)?;
    call.query.one(call.request, IMPORTS, import)
}
pub(super) fn forget_import(call: &mut Call<'_>) -> Answer {
    let id = call.param(0).parse().map_err(|_| Refused::intune_missing())?;
    let now = call.request.now;
    let data = call.data_mut()?;
    data.imports.get(id).ok_or_else(Refused::intune_missing)?;
    data.remove::<Import>(id, now);
    Ok(Reply::done())
}

fn start(call: &mut Call<'_>, body: &Value) -> Result<Import, Refused> {
    let bad = |what: &str| Refused::intune(400, "BadRequest", format!("{what} is missing or not valid."));
    let serial = body["serialNumber"].as_str().filter(|s| !s.trim().is_empty()).ok_or_else(|| bad("serialNumber"))?;
    let hardware =
        body["hardwareIdentifier"].as_str().filter(|text| STANDARD.decode(text).is_ok_and(|bytes| !bytes.is_empty()));
    let hardware = hardware.ok_or_else(|| bad("hardwareIdentifier"))?;
    let data = call.data()?;
    // The same import asked for twice makes two records, as in Intune: each has its own number.
    let number = data.imports.iter().filter(|import| import.serial == serial).count();
    let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
    let import = Import {
        id: derive(&call.emulation.world.name, "autopilot-import", &format!("{}\n{serial}\n{number}", call.tenant)),
        import_id: text("importId"),
        serial: serial.to_owned(),
        group_tag: text("groupTag"),
        hardware: hardware.to_owned(),
        user: text("assignedUserPrincipalName"),
        status: ImportStatus::Unknown,
    };
    let (now, secs) = (call.request.now, data.spec.service.autopilot_secs / 3);
    let task = Task::ImportEnds { tenant: call.tenant.to_owned(), id: import.id };
    let write = held(&call.lab.due).schedule(now, secs, task).map_err(trouble)?;
    call.emulation.writes.push(write);
    call.data_mut()?.put(import.clone(), now).map_err(trouble)?;
    Ok(import)
}

fn shown(call: &Call<'_>, import: &Import) -> Value {
    let mut value = call.query.show(import, call.request.beta, false);
    value["@odata.type"] = format!("#{}", Import::TYPE).into();
    value
}

pub(super) fn import(call: &mut Call<'_>) -> Answer {
    let body = call.body()?.clone();
    let import = start(call, &body)?;
    Ok(Reply::created(shown(call, &import)))
}

pub(super) fn import_many(call: &mut Call<'_>) -> Answer {
    let body = call.body()?["importedWindowsAutopilotDeviceIdentities"].as_array().cloned();
    let bodies = body.ok_or_else(|| Refused::intune(400, "BadRequest", "The list of identities is missing."))?;
    let mut values = Vec::with_capacity(bodies.len());
    for body in bodies {
        let import = start(call, &body)?;
        values.push(shown(call, &import));
    }
    Ok(Reply::ok(json!({"@odata.context": call.request.context(IMPORTS), "value": values})))
}

pub(super) fn settings(call: &mut Call<'_>) -> Answer {
    let last = call.data()?.last_autopilot_sync.map(|moment| moment.to_string());
    let id = derive(&call.emulation.world.name, "autopilot-settings", call.tenant);
    let context = call.request.context("deviceManagement/windowsAutopilotSettings/$entity");
    Ok(Reply::ok(json!({"@odata.context": context, "id": id, "syncStatus": "completed",
                        "lastSyncDateTime": last, "lastManualSyncTriggerDateTime": last})))
}

pub(super) fn sync(call: &mut Call<'_>) -> Answer {
    let now = call.request.now;
    if let Some(last) = call.data()?.last_autopilot_sync {
        let passed = now.duration_since(last);
        if passed < SYNC_EVERY {
            let left = u64::try_from((SYNC_EVERY - passed).as_secs()).unwrap_or(0).max(1);
            let told = call.data()?.spec.service.retry_after.then_some(left);
            let message = "A synchronisation was asked for less than ten minutes ago.";
            return Err(Refused { retry_after: told, ..Refused::intune(429, "TooManyRequests", message) });
        }
    }
    // It speeds deletes up; imports take their time.
    let tenant = call.tenant.to_owned();
    let of = |task: &Task| matches!(task, Task::AutopilotGone { tenant: own, .. } if *own == tenant);
    let writes = held(&call.lab.due).hasten(now, of).map_err(trouble)?;
    call.emulation.writes.extend(writes);
    call.data_mut()?.set_autopilot_sync(now);
    Ok(Reply::done())
}
