//! Intune devices.

use serde_json::json;

use super::directory::reference;
use super::emulation::delete_managed;
use super::graph::{Call, trouble};
use super::object::ManagedDevice;
use super::query::INTUNE;
use super::reply::{Answer, Refused, Reply};
use crate::lab::seed::derive;

const COLLECTION: &str = "deviceManagement/managedDevices";

pub(super) fn service(call: &mut Call<'_>) -> Answer {
    let account = derive(&call.emulation.world.name, "intune-account", call.tenant);
    let context = call.request.context("deviceManagement/$entity");
    Ok(Reply::ok(json!({"@odata.context": context, "id": account, "intuneAccountId": account,
                        "subscriptionState": "active"})))
}

pub(super) fn list(call: &mut Call<'_>) -> Answer {
    call.query.list(call.request, COLLECTION, &INTUNE, &call.data()?.managed, |_| true)
}

fn seen(call: &Call<'_>) -> Result<ManagedDevice, Refused> {
    let id = call.param(0).parse().map_err(|_| Refused::intune_missing())?;
    call.data()?.managed.seen(id, call.request.now).cloned().ok_or_else(Refused::intune_missing)
}
fn live(call: &Call<'_>) -> Result<ManagedDevice, Refused> {
    let id = seen(call)?.id;
    call.data()?.managed.get(id).cloned().ok_or_else(Refused::intune_missing)
}

pub(super) fn get(call: &mut Call<'_>) -> Answer {
    call.query.one(call.request, COLLECTION, &seen(call)?)
}

pub(super) fn delete(call: &mut Call<'_>) -> Answer {
    let managed = live(call)?;
    let now = call.request.now;
    delete_managed(call.data_mut()?, &managed, now).map_err(trouble)?;
    Ok(Reply::done())
}

pub(super) fn users(call: &mut Call<'_>) -> Answer {
    let managed = seen(call)?;
    let data = call.data()?;
    // A primary user who was deleted is nobody.
    let user = managed.primary_user.and_then(|id| data.users.seen(id, call.request.now));
    call.query.check_select::<super::object::User>(call.request.beta)?;
    let values: Vec<_> = user.into_iter().map(|user| call.query.show(user, call.request.beta, false)).collect();
    let context = call.request.context(&format!("{COLLECTION}('{}')/users", managed.id));
    Ok(Reply::ok(json!({"@odata.context": context, "value": values})))
}

pub(super) fn users_without_ref(_: &mut Call<'_>) -> Answer {
    Err(Refused::gateway(
        "Write requests are only supported on contained entities or navigation properties with bindings.",
    ))
}

pub(super) fn set_user(call: &mut Call<'_>) -> Answer {
    let mut managed = live(call)?;
    let id = reference(call.body()?)?;
    let user = call.data()?.users.get(id).ok_or_else(Refused::intune_missing)?;
    if !user.licences.iter().any(|licence| licence == "intune") {
        return Err(Refused::intune(400, "BadRequest", format!("User {id} isn't licensed for Intune.")));
    }
    managed.primary_user = Some(id);
    let now = call.request.now;
    call.data_mut()?.put(managed, now).map_err(trouble)?;
    Ok(Reply::done())
}

pub(super) fn clear_user(call: &mut Call<'_>) -> Answer {
    let mut managed = live(call)?;
    managed.primary_user = None;
    let now = call.request.now;
    call.data_mut()?.put(managed, now).map_err(trouble)?;
    Ok(Reply::done())
}

pub(super) fn sync(call: &mut Call<'_>) -> Answer {
    let mut managed = live(call)?;
    managed.last_sync = call.request.now;
    let now = call.request.now;
    call.data_mut()?.put(managed, now).map_err(trouble)?;
    Ok(Reply::done())
}
