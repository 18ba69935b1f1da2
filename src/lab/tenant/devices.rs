//! Entra devices, and what hangs on their registration: LAPS backups and recovery keys.

use serde_json::Value;
use uuid::Uuid;

use super::due::Task;
use super::emulation::delete_device;
use super::filter::{Compare, Filter};
use super::graph::{Call, trouble};
use super::object::{Device, Trust};
use super::query::{DIRECTORY, INTUNE, Rules};
use super::reply::{Answer, Refused, Reply};
use super::support;
use crate::lab::folder::held;

const DEVICES: Rules = Rules { support: Some(support::DEVICE), ..DIRECTORY };

pub(super) fn list(call: &mut Call<'_>) -> Answer {
    call.query.list(call.request, "devices", &DEVICES, &call.data()?.devices, |_| true)
}
pub(super) fn count(call: &mut Call<'_>) -> Answer {
    call.query.count(call.request, &DEVICES, &call.data()?.devices)
}

/// Returns the device that readers see, by object id or by `(deviceId='…')`.
fn seen(call: &Call<'_>) -> Result<Device, Refused> {
    let data = call.data()?;
    let now = call.request.now;
    let key = call.param(0);
    let found = match key.strip_prefix("(deviceId='").and_then(|key| key.strip_suffix("')")) {
        Some(registration) => {
            let ids = data.devices.candidates("deviceId", registration).unwrap_or_default();
            let mut seen = ids.into_iter().filter_map(|id| data.devices.seen(id, now));
            seen.find(|device| device.device_id.to_string().eq_ignore_ascii_case(registration))
        }
        None => data.devices.seen(call.id(0)?, now),
    };
    found.cloned().ok_or_else(|| Refused::missing(key))
}

/// Returns the device that readers see and that is in force.
fn live(call: &Call<'_>) -> Result<Device, Refused> {
    let device = seen(call)?;
    call.data()?.devices.get(device.id).cloned().ok_or_else(|| Refused::missing(call.param(0)))
}

pub(super) fn get(call: &mut Call<'_>) -> Answer {
    call.query.one(call.request, "devices", &seen(call)?)
}

pub(super) fn update(call: &mut Call<'_>) -> Answer {
    let mut device = live(call)?;
    let Value::Object(body) = call.body()?.clone() else { return Ok(Reply::done()) };
    for (name, value) in &body {
        match (name.as_str(), value) {
            ("extensionAttributes", Value::Object(attributes)) => {
                for (name, value) in attributes {
                    let number = name.strip_prefix("extensionAttribute").and_then(|n| n.parse::<u8>().ok());
                    let text = match value {
                        Value::String(text) => Some(text.clone()),
                        Value::Null => None,
                        _ => {
                            return Err(Refused::bad(format!(
                                "Invalid value specified for property '{name}' of resource 'Device'."
                            )));
                        }
                    };
                    if !number.is_some_and(|n| (1..=15).contains(&n)) {
                        return Err(Refused::bad(format!(
                            "Property '{name}' does not exist as a declared property or extension property."
                        )));
                    }
                    device.extension.insert(name.clone(), text);
                }
            }
            ("physicalIds", Value::Array(ids)) => {
                device.physical_ids = ids.iter().filter_map(Value::as_str).map(str::to_owned).collect();
            }
            // Only holders of an Entra role may set these (permission-data-anomalies.json) [I].
            ("accountEnabled", _) => return Err(Refused::forbidden()),
            _ => return Err(Refused::bad(format!("Property '{name}' is read-only and cannot be set."))),
        }
    }
    let now = call.request.now;
    call.data_mut()?.put(device, now).map_err(trouble)?;
    Ok(Reply::done())
}

/// Deletes a device object; Entra Connect will look at a hybrid one again.
pub(super) fn remove(call: &mut Call<'_>, device: &Device) -> Result<(), Refused> {
    let now = call.request.now;
    delete_device(call.data_mut()?, device, now).map_err(trouble)?;
    if device.trust != Trust::AzureAd
        && let Some(directory) = &call.emulation.world.directory
    {
        let task = Task::Connect { computer: device.device_id };
        let write = held(&call.lab.due).schedule(now, directory.sync_secs, task).map_err(trouble)?;
        call.emulation.writes.push(write);
    }
    Ok(())
}

pub(super) fn delete(call: &mut Call<'_>) -> Answer {
    let device = live(call)?;
    remove(call, &device)?;
    Ok(Reply::done())
}

/// The soft-deleted ones; in preview, and in beta only (msgraph.md 0.4).
pub(super) fn deleted(call: &mut Call<'_>) -> Answer {
    let keep = |own: &super::object::Deleted| own.device_id.is_some();
    call.query.list(call.request, "devices", &DIRECTORY, &call.data()?.deleted, keep)
}

pub(super) fn member_of(call: &mut Call<'_>) -> Answer {
    let device = seen(call)?;
    let cast = call.params.get(1).map(String::as_str);
    super::directory::member_of(call, device.id, Vec::new(), "directoryObjects", cast)
}

pub(super) fn owners(call: &mut Call<'_>) -> Answer {
    let owner = seen(call)?.registered_by;
    let after = |start: Option<Uuid>| {
        let id = owner.filter(|id| start.is_none_or(|start| *id > start));
        id.and_then(|id| Some((id, super::directory::shown_member(call, id, None)?))).into_iter()
    };
    call.query.mixed(call.request, "directoryObjects", &DIRECTORY, after)
}

/// The documentation demands the header, and so does the service.
fn needs_user_agent(call: &Call<'_>) -> Result<(), Refused> {
    if call.request.user_agent {
        return Ok(());
    }
    Err(Refused::gateway("The request is missing the required header 'User-Agent'."))
}

pub(super) fn laps_list(call: &mut Call<'_>) -> Answer {
    needs_user_agent(call)?;
    if call.query.select.iter().flatten().any(|name| name == "credentials") {
        return Err(Refused::gateway("The property 'credentials' can't be selected in a list."));
    }
    call.query.list(call.request, "directory/deviceLocalCredentials", &DIRECTORY, &call.data()?.laps, |_| true)
}

pub(super) fn laps(call: &mut Call<'_>) -> Answer {
    needs_user_agent(call)?;
    let secret = call.query.select.iter().flatten().any(|name| name == "credentials");
    if secret && !call.has(&["DeviceLocalCredential.Read.All"]) {
        return Err(Refused::forbidden());
    }
    let laps = call.data()?.laps.seen(call.id(0)?, call.request.now);
    call.query.one(
        call.request,
        "directory/deviceLocalCredentials",
        laps.ok_or_else(|| Refused::missing(call.param(0)))?,
    )
}

pub(super) fn recovery_keys(call: &mut Call<'_>) -> Answer {
    // Only this filter is documented, and the key is never in a list (msgraph.md 2.7).
    match &call.query.filter {
        None => {}
        Some(Filter::Compare(property, Compare::Eq, Value::String(_))) if property == "deviceId" => {}
        Some(_) => return Err(Refused::gateway("Only 'deviceId eq' is supported in $filter.")),
    }
    if call.query.select.iter().flatten().any(|name| name == "key") {
        return Err(Refused::gateway("The property 'key' can't be selected in a list."));
    }
    let collection = "informationProtection/bitlocker/recoveryKeys";
    call.query.list(call.request, collection, &INTUNE, &call.data()?.keys, |_| true)
}

pub(super) fn recovery_key(call: &mut Call<'_>) -> Answer {
    let secret = call.query.select.iter().flatten().any(|name| name == "key");
    if secret && !call.has(&["BitlockerKey.Read.All"]) {
        return Err(Refused::forbidden());
    }
    let keys = &call.data()?.keys;
    let ids = keys.candidates("id", call.param(0)).unwrap_or_default();
    let seen = ids.into_iter().filter_map(|id| keys.seen(id, call.request.now));
    let key = seen.max_by_key(|key| key.created).ok_or_else(|| Refused::missing(call.param(0)))?;
    call.query.one(call.request, "informationProtection/bitlocker/recoveryKeys", key)
}
