//! The whole world as one JSON value, for tests and `opsole lab show`. Moments are left out, so that two runs
//! of the same story give the same value.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::emulation::Emulation;
use super::object::Trust;
use super::state::TenantData;
use crate::lab::device::{DeviceSeed, first_state};
use crate::lab::folder::{Lab, held};
use crate::lab::seed::Index;
use crate::model::DeviceName;
use crate::port::Result;

/// Returns the world as it is on disk.
pub(in crate::lab) fn export(lab: &Lab) -> Result<Value> {
    let emulation = Emulation::load(lab)?;
    let tenants: Map<String, Value> =
        emulation.tenants.iter().map(|(name, data)| (name.clone(), tenant(data))).collect();
    let computers: Vec<Value> = held(&lab.computers)
        .iter()
        .map(|computer| {
            json!({"name": computer.object.name, "guid": computer.object.guid, "dn": computer.object.dn,
                   "enabled": computer.object.enabled})
        })
        .collect();
    // A device that was never touched isn't stored: it is as the world file says.
    let world = lab.world();
    let index = Index::new(world);
    let mut devices = Map::new();
    for device in &world.devices {
        let state = first_state(world, device, &DeviceSeed::from(index.device_ids(device)))?;
        let value = serde_json::to_value(&state).unwrap_or_default();
        devices.insert(DeviceName::new(&device.name).as_str().to_owned(), timeless(value));
    }
    for (name, body) in lab.store().all("device")? {
        let value = serde_json::from_str(&body).unwrap_or(Value::String(body));
        devices.insert(name, timeless(value));
    }
    Ok(json!({
        "world": lab.world().name,
        "tenants": tenants,
        "directory": {"computers": sorted(computers)},
        "devices": devices,
    }))
}

/// Sorts by name, and namesakes by what tells them apart.
fn sorted(mut values: Vec<Value>) -> Vec<Value> {
    let text = |value: &Value, name: &str| value[name].as_str().unwrap_or_default().to_owned();
    values.sort_by_cached_key(|value| (text(value, "name"), text(value, "id"), text(value, "deviceId")));
    values
}

fn tenant(data: &TenantData) -> Value {
    let upns: BTreeMap<Uuid, &str> = data.users.iter().map(|user| (user.id, user.upn.as_str())).collect();
    let names: BTreeMap<Uuid, &str> = data.devices.iter().map(|device| (device.id, device.name.as_str())).collect();
    let of = |id: &Uuid| upns.get(id).map_or_else(|| id.to_string(), |upn| (*upn).to_owned());
    let groups = data.groups.iter().map(|group| {
        // Namesakes are told apart by their object: a group that holds the old and the new one shows both.
        let member = |id: Uuid| match (names.get(&id), upns.get(&id)) {
            (Some(name), _) => json!({"name": name, "id": id}),
            (_, Some(upn)) => json!({"name": upn}),
            _ => json!({"id": id}),
        };
        json!({"name": group.name, "members": sorted(data.members(group.id).map(member).collect())})
    });
    let devices = data.devices.iter().map(|device| {
        let trust = match device.trust {
            Trust::AzureAd => "AzureAd",
            Trust::ServerAd => "ServerAd",
            Trust::Pending => "Pending",
        };
        json!({"name": device.name, "id": device.id, "deviceId": device.device_id, "trustType": trust,
               "enabled": device.enabled, "managed": device.managed})
    });
    let managed = data.managed.iter().map(|managed| {
        json!({"name": managed.name, "id": managed.id, "deviceId": managed.device_id, "serial": managed.serial,
               "primaryUser": managed.primary_user.as_ref().map(of)})
    });
    let keys = data.keys.iter().map(|key| json!({"name": key.key_id, "deviceId": key.device_id}));
    let laps = data.laps.iter().map(|laps| json!({"name": laps.name, "deviceId": laps.id}));
    let autopilot = data.autopilot.iter().map(|own| {
        json!({"name": own.serial, "id": own.id, "groupTag": own.group_tag, "managedDevice": own.managed_device,
               "leaving": own.leaving})
    });
    let policies = data.policies.iter().map(|policy| {
        let excluded = policy.body["conditions"]["users"]["excludeUsers"].as_array().into_iter().flatten();
        let excluded: Vec<String> = excluded
            .filter_map(Value::as_str)
            .map(|id| id.parse().map_or_else(|_| id.to_owned(), |id| of(&id)))
            .collect();
        json!({"name": policy.body["displayName"], "state": policy.body["state"], "excludeUsers": excluded})
    });
    let profiles = data.profiles.iter().map(|profile| json!({"name": profile.name, "targets": profile.targets}));
    let users = data.users.iter().map(|user| json!({"name": user.upn, "id": user.id, "enabled": user.enabled}));
    json!({
        "id": data.spec.id,
        "devices": sorted(devices.collect()),
        "managedDevices": sorted(managed.collect()),
        "groups": sorted(groups.collect()),
        "recoveryKeys": sorted(keys.collect()),
        "laps": sorted(laps.collect()),
        "autopilot": sorted(autopilot.collect()),
        "policies": sorted(policies.collect()),
        "profiles": sorted(profiles.collect()),
        "users": sorted(users.collect()),
    })
}

/// Replaces moments, and ids of runs, by null: they differ between two runs of one story.
fn timeless(value: Value) -> Value {
    match value {
        Value::String(text) => {
            let moment = text.ends_with('Z') && text.contains('T') && text.parse::<Timestamp>().is_ok();
            let run = text.parse::<Uuid>().is_ok_and(|id| id.get_version_num() == 7);
            if moment || run { Value::Null } else { Value::String(text) }
        }
        Value::Array(values) => values.into_iter().map(timeless).collect(),
        Value::Object(map) => map.into_iter().map(|(name, value)| (name, timeless(value))).collect(),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Catches a picture that differs because a clock ran, or that loses what isn't a moment.
    #[test]
    fn moments_are_left_out() {
        let value = json!({"at": "2026-12-02T18:30:00Z", "name": "T-Z", "run": "0193a8f0-0000-7000-8000-000000000000",
                           "id": "0f7c6f3e-5d0a-4f6e-9a57-1f0c2f5b8b11", "list": ["2026-12-02T18:30:00.5Z", 3]});
        let expected = json!({"at": null, "name": "T-Z", "run": null, "id": "0f7c6f3e-5d0a-4f6e-9a57-1f0c2f5b8b11",
                              "list": [null, 3]});
        assert_eq!(timeless(value), expected);
    }
}
