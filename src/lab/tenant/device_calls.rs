//! What devices ask for: join, enrolment, escrow, LAPS, sign-in. The tenant decides as Entra and Intune do,
//! and names the code that Windows would show (domain.md B14; msgraph.md 0.6, 2.8).

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use uuid::Uuid;

use super::access;
use super::due::Task;
use super::emulation::Emulation;
use super::object::{Device, ManagedDevice, RecoveryKey, Trust};
use super::state::TenantData;
use crate::lab::folder::{Lab, held};
use crate::lab::packages::bulk_token;
use crate::lab::protocol::{
    DeviceCall, EnrolMdmAnswer, EnrolMdmRequest, EscrowRequest, JoinAnswer, JoinRequest, Refusal, SignInRequest,
};
use crate::lab::seed::derive;
use crate::model::{EntraDeviceId, IntuneId, Problem, TenantId};

/// What a device call answers: a status with a body.
pub(super) type Outcome = Result<(u16, Option<Value>), (u16, Refusal)>;

fn refuse(status: u16, code: &str, message: impl Into<String>) -> (u16, Refusal) {
    (status, Refusal { code: code.to_owned(), message: message.into() })
}
fn trouble(problem: Problem) -> (u16, Refusal) {
    tracing::warn!(%problem, detail = problem.detail, "the lab can't go on");
    refuse(503, "0x801c0025", format!("the lab can't go on: {problem}"))
}

/// The last sign-in moves only when it is this old (msgraph.md 2.3).
const SIGN_IN_GRAIN: SignedDuration = SignedDuration::from_hours(14 * 24);

/// A device call that is being answered.
pub(super) struct DeviceCalls<'a> {
    pub(super) emulation: &'a mut Emulation,
    pub(super) lab: &'a Lab,
    pub(super) now: Timestamp,
}

impl DeviceCalls<'_> {
    /// Answers one call by its name.
    pub(super) fn answer(&mut self, name: &str, body: &[u8]) -> Outcome {
        fn read<'a, T: serde::Deserialize<'a>>(body: &'a [u8]) -> Result<T, (u16, Refusal)> {
            serde_json::from_slice(body)
                .map_err(|e| refuse(400, "0x80190190", format!("the request can't be read: {e}")))
        }
        match name {
            "join" => self.join(&read(body)?),
            // The object stays, as in Entra: leaving is the device's own affair.
            "leave" => read::<DeviceCall>(body).map(|_| (204, None)),
            "enrol" => self.enrol(&read(body)?),
            "sync" => self.sync(read(body)?),
            "escrow" => self.escrow(read(body)?),
            "laps" => self.laps(read(body)?),
            "sign-in" => self.sign_in(read(body)?),
            _ => Err(refuse(404, "0x80190194", format!("there is no call `{name}`"))),
        }
    }

    fn tenant(&mut self, id: TenantId) -> Result<&mut TenantData, (u16, Refusal)> {
        let found = self.emulation.tenants.values_mut().find(|data| data.spec.id == id.0);
        found.ok_or_else(|| refuse(400, "AADSTS90002", format!("tenant {id} not found")))
    }
    /// Returns the device object in force of a call.
    fn device(&mut self, call: DeviceCall) -> Result<(&mut TenantData, Device), (u16, Refusal)> {
        let data = self.tenant(call.tenant)?;
        let device = data.device_by_registration(call.device_id.0).cloned();
        let device =
            device.ok_or_else(|| refuse(401, "AADSTS50155", format!("device {} isn't there", call.device_id)))?;
        if !device.enabled {
            return Err(refuse(401, "AADSTS135011", format!("device {} is disabled", device.name)));
        }
        Ok((data, device))
    }

    fn join(&mut self, request: &JoinRequest) -> Outcome {
        let now = self.now;
        let world = self.emulation.world.clone();
        let package = world.tenants.iter().find_map(|(name, spec)| {
            let own = spec.packages.iter().find(|package| {
                package.account.eq_ignore_ascii_case(&request.account)
                    && bulk_token(&world, name, package) == request.token
            })?;
            Some((name, own))
        });
        let Some((tenant, package)) = package else {
            return Err(refuse(401, "AADSTS240001", "the bulk token isn't valid"));
        };
        if package.expires <= now {
            return Err(refuse(
                401,
                "AADSTS240001",
                format!("the bulk token of package `{}` has expired", package.name),
            ));
        }
        let Some(data) = self.emulation.tenants.get_mut(tenant) else {
            return Err(refuse(400, "AADSTS90002", "tenant not found"));
        };
        let Some(account) = data.user_by_upn(&request.account).cloned() else {
            return Err(refuse(401, "AADSTS50034", format!("{} isn't a user of the tenant", request.account)));
        };
        if !account.enabled {
            return Err(refuse(401, "AADSTS50057", format!("the account {} is disabled", request.account)));
        }
        let name = request.name.to_uppercase();
        let of = format!("{tenant}\n{name}\n{}\n{}", request.serial, request.attempt);
        let device_id = derive(&world.name, "registration", &of);
        let answer = JoinAnswer { tenant: TenantId(data.spec.id), device_id: EntraDeviceId(device_id) };
        let answer = serde_json::to_value(answer).map_err(|e| refuse(500, "0x801c0006", e.to_string()))?;
        if data.device_by_registration(device_id).is_some() {
            return Ok((200, Some(answer)));
        }
        may_join(data, account.id, &request.account)?;
        let identity = data.autopilot.having("serialNumber", &request.serial).next();
        let physical_ids = identity.map_or_else(Vec::new, |identity| {
            let order = (!identity.group_tag.is_empty()).then(|| format!("[OrderID]:{}", identity.group_tag));
            std::iter::once(format!("[ZTDID]:{}", identity.id)).chain(order).collect()
        });
        let device = Device {
            id: derive(&world.name, "entra-object", &device_id.to_string()),
            device_id,
            name: name.clone(),
            trust: Trust::AzureAd,
            enabled: true,
            managed: false,
            registered: now,
            last_sign_in: now,
            physical_ids,
            extension: std::collections::BTreeMap::new(),
            registered_by: Some(account.id),
        };
        let object = device.id;
        data.put(device, now).map_err(trouble)?;
        // Dynamic groups take the new object in by its name.
        for group in data.dynamic.get(&name).cloned().unwrap_or_default() {
            data.set_member(group, object, true, now);
        }
        Ok((200, Some(answer)))
    }

    fn enrol(&mut self, request: &EnrolMdmRequest) -> Outcome {
        let now = self.now;
        let world = self.emulation.world.clone();
        let (data, mut device) = self.device(request.device)?;
        // Bulk enrolment obeys the default restriction alone.
        if data.spec.enrolment.windows_blocked {
            return Err(refuse(403, "0x80180014", "the default platform restriction blocks Windows"));
        }
        let registration = request.device.device_id.0;
        let existing = data.managed.having("azureADDeviceId", &registration.to_string()).next().map(|own| own.id);
        let id = existing.unwrap_or_else(|| derive(&world.name, "intune", &registration.to_string()));
        let answer = serde_json::to_value(EnrolMdmAnswer { intune_id: IntuneId(id) });
        let answer = answer.map_err(|e| refuse(500, "0x80180001", e.to_string()))?;
        if existing.is_some() {
            return Ok((200, Some(answer)));
        }
        let spec = world.devices.iter().find(|own| own.name.eq_ignore_ascii_case(&request.name));
        let identity = data.autopilot.having("serialNumber", &request.serial).next().cloned();
        let managed = ManagedDevice {
            id,
            device_id: registration,
            name: request.name.to_uppercase(),
            serial: request.serial.clone(),
            encrypted: spec.is_some_and(|own| own.bitlocker),
            configmgr: false,
            hybrid: false,
            autopilot: identity.is_some(),
            edition: spec.map_or_else(|| "Enterprise".to_owned(), |own| own.edition.clone()),
            enrolled: now,
            last_sync: now,
            enrolled_by: None,
            primary_user: None,
        };
        data.put(managed, now).map_err(trouble)?;
        device.managed = true;
        data.put(device, now).map_err(trouble)?;
        if let Some(mut identity) = identity {
            identity.managed_device = Some(id);
            identity.device_id = Some(registration);
            data.put(identity, now).map_err(trouble)?;
        }
        Ok((200, Some(answer)))
    }

    fn sync(&mut self, call: DeviceCall) -> Outcome {
        let now = self.now;
        let data = self.tenant(call.tenant)?;
        let managed = data.managed.having("azureADDeviceId", &call.device_id.to_string()).next().cloned();
        let Some(mut managed) = managed else {
            return Err(refuse(404, "0x80190194", format!("device {} isn't enrolled", call.device_id)));
        };
        managed.last_sync = now;
        data.put(managed, now).map_err(trouble)?;
        Ok((204, None))
    }

    fn escrow(&mut self, request: EscrowRequest) -> Outcome {
        let now = self.now;
        let (data, device) = self.device(request.device)?;
        let key = RecoveryKey::new(request.key.0, device.device_id, now);
        // Backing the same key up again changes nothing.
        if data.keys.get(key.id).is_none() {
            data.put(key, now).map_err(trouble)?;
        }
        Ok((204, None))
    }

    fn laps(&mut self, call: DeviceCall) -> Outcome {
        let now = self.now;
        let (data, device) = self.device(call)?;
        // The policy has to arrive first: a backup isn't there before this time after the join.
        let ready = super::due::later(device.registered, data.spec.service.laps_secs);
        let secs = u64::try_from(ready.duration_since(now).as_secs()).unwrap_or(0);
        let task = Task::LapsArrives { tenant: data.name.clone(), device: device.device_id };
        let write = held(&self.lab.due).schedule(now, secs, task).map_err(trouble)?;
        self.emulation.writes.push(write);
        Ok((204, None))
    }

    fn sign_in(&mut self, request: SignInRequest) -> Outcome {
        let now = self.now;
        let (data, mut device) = self.device(request.device)?;
        let user = data.users.get(request.user.0).cloned();
        let user =
            user.ok_or_else(|| refuse(401, "AADSTS50034", format!("user {} isn't in the tenant", request.user)))?;
        if !user.enabled {
            return Err(refuse(401, "AADSTS50057", format!("the account {} is disabled", user.upn)));
        }
        if now.duration_since(device.last_sign_in) > SIGN_IN_GRAIN {
            device.last_sign_in = now;
            data.put(device, now).map_err(trouble)?;
        }
        Ok((204, None))
    }
}

/// What stops a join besides the token: scope, MFA, Conditional Access, quota.
fn may_join(data: &TenantData, account: Uuid, upn: &str) -> Result<(), (u16, Refusal)> {
    let no = |message: String| Err(refuse(403, "0x801c03ed", message));
    if !data.spec.registration.join_allowed {
        return no("joining devices isn't allowed".to_owned());
    }
    if data.spec.registration.mfa_required {
        return no(
            "multi-factor authentication is required for joining devices, which a bulk token can't answer".to_owned()
        );
    }
    let (users, groups) = &data.joiners;
    let scoped = data.spec.registration.enumerated();
    if scoped && !users.contains(&account) && !groups.iter().any(|group| data.is_member(*group, account)) {
        return no(format!("{upn} isn't among those who may join devices"));
    }
    if let Some(name) = access::stops_join(data, account) {
        return no(format!("the Conditional Access policy `{name}` stops {upn}"));
    }
    let own = data.devices.iter().filter(|device| device.registered_by == Some(account)).count();
    let quota = data.spec.registration.user_device_quota;
    if own >= usize::try_from(quota).unwrap_or(usize::MAX) {
        return no(format!("{upn} has {own} devices, and {quota} are allowed"));
    }
    Ok(())
}
