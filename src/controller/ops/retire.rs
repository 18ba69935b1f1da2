//! Operations that take the old objects away: last, by id, and only after they were read again and are still
//! what was recorded (msgraph.md 0.4, 2.9).

use async_trait::async_trait;

use super::{Check, Scene, Work};
use crate::model::{Feature, Problem, RetirePolicy, Retry, Scenario};
use crate::port::{Directory, Result, Retirement};
use crate::state::{AdComputer, EntraDevice, RetiredMark};

/// Between two looks at what the synchronisation does: it runs every half hour by default, and thousands of devices may wait
/// for it at a time (Microsoft Learn, "Microsoft Entra Connect Sync: Scheduler").
const SYNC_LOOK_SECS: u32 = 300;

fn stale(scene: &Scene, what: &str) -> Problem {
    Problem::new("run.stale", format!("{}: {what}; it is left alone", scene.task.device))
        .next("look at the object and remove it by hand if it is the old one, then apply the wave again")
}

/// `device.retire-old-intune`.
pub(super) struct OldIntune(pub(super) Scene);

#[async_trait]
impl Work for OldIntune {
    async fn check(&self) -> Result<Check> {
        let Some(id) = self.0.record()?.old_intune else { return Ok(Check::So) };
        if self.0.origin()?.managed_device(id).await?.is_none() {
            return Ok(Check::So);
        }
        Ok(self.0.not_yet("intune.not-deleted", "its old Intune record is still there", "apply the wave again"))
    }
    async fn act(&self) -> Result<()> {
        let scene = &self.0;
        let record = scene.record()?;
        let Some(id) = record.old_intune else { return Ok(()) };
        let Some(found) = scene.origin()?.managed_device(id).await? else { return Ok(()) };
        let recorded = record.old_device.map(|(_, device)| device);
        if found.device_id.is_some() && found.device_id == Some(scene.new_device()?) {
            return Err(stale(scene, "the Intune record belongs to the new registration"));
        }
        if found.device_id.is_some() && found.device_id != recorded {
            return Err(stale(scene, "the Intune record belongs to another registration than the recorded one"));
        }
        scene.origin()?.delete_managed_device(id).await
    }
}

/// `device.retire-old-object`: the computer in Active Directory as the plan says; between tenants the old Entra
/// object. The Entra half of a hybrid device is never deleted by itself: Entra Connect would make it again, and
/// its keys would be lost at once. It is waited for until the synchronisation has taken it.
pub(super) struct OldObject(pub(super) Scene);

impl OldObject {
    async fn computer(&self) -> Result<Option<(&dyn Directory, AdComputer)>> {
        let scene = &self.0;
        let Some(guid) = scene.record()?.old_computer else { return Ok(None) };
        if scene.shared.plan.settings.retire == RetirePolicy::Keep {
            return Ok(None);
        }
        let directory = scene.shared.directory.as_deref().ok_or_else(|| {
            Problem::new(
                "directory.none",
                format!("{} has a computer object and the run has no directory", scene.task.device),
            )
            .next("add `directory` to the plan")
        })?;
        let found = directory.computer(guid).await?;
        let disable = scene.shared.plan.settings.retire == RetirePolicy::Disable;
        Ok(found.filter(|computer| computer.enabled || !disable).map(|computer| (directory, computer)))
    }
    fn retirement(&self) -> Result<Retirement> {
        let scene = &self.0;
        let mark = RetiredMark { run: scene.shared.plan.run, on: scene.shared.clock.now() };
        Ok(Retirement { mark, left: Some(scene.committed_at()?), only_marked: false })
    }
    async fn entra(&self) -> Result<Option<EntraDevice>> {
        let scene = &self.0;
        if scene.task.scenario != Scenario::TenantToTenant {
            return Ok(None);
        }
        let Some((object, _)) = scene.record()?.old_device else { return Ok(None) };
        let found = scene.origin()?.device_object(object).await?;
        Ok(found.filter(|device| !device.is_synchronised()))
    }
    /// The Entra half of a hybrid device whose computer is retired: the synchronisation takes it, by deleting it or, where
    /// the computer was only disabled, perhaps by disabling it (Microsoft Learn, "Manage stale devices") [K].
    async fn half(&self) -> Result<Option<EntraDevice>> {
        let scene = &self.0;
        let record = scene.record()?;
        let (Some((object, _)), Some(_)) = (record.old_device, record.old_computer) else { return Ok(None) };
        if scene.shared.plan.settings.retire == RetirePolicy::Keep {
            return Ok(None);
        }
        let found = scene.origin()?.device_object(object).await?;
        Ok(found.filter(|device| device.enabled && device.is_synchronised()))
    }
    /// The computer is read again: a name that somebody else uses by now isn't the old device.
    fn check_computer(&self, computer: &AdComputer) -> Result<()> {
        let scene = &self.0;
        if computer.domain_controller {
            return Err(stale(scene, "the computer object is a domain controller"));
        }
        if !computer.name.eq_ignore_ascii_case(scene.task.device.as_str()) {
            return Err(stale(scene, "the computer object has another name by now"));
        }
        let left = scene.committed_at()?;
        if computer.password_set.is_some_and(|set| set > left) {
            return Err(stale(
                scene,
                "the computer object's password was set after the device left: its name is in use again",
            ));
        }
        Ok(())
    }
    async fn check_entra(&self, device: &EntraDevice) -> Result<()> {
        let scene = &self.0;
        let record = scene.record()?;
        let recorded = record.old_device.map(|(_, id)| id);
        let new = scene.new_device()?;
        if Some(device.device_id) != recorded || device.device_id == new {
            return Err(stale(scene, "the Entra object isn't the recorded one"));
        }
        // Without a fresh reading the old escrow decides: where it holds keys, the new one has to hold some.
        let has_keys = scene.seen.as_ref().map_or(!record.old_keys.is_empty(), |seen| seen.encrypted);
        if scene.task.features.has(Feature::Bitlocker) && has_keys {
            let keys = scene.destination()?.recovery_keys(new).await?;
            let wanted = scene.seen.as_ref().map(|seen| seen.protectors.as_slice()).unwrap_or_default();
            if keys.is_empty() || !wanted.iter().all(|id| keys.iter().any(|key| key.id == *id)) {
                return Err(Problem::new(
                    "bitlocker.not-in-escrow",
                    format!(
                        "{}: its recovery keys aren't in the target's escrow, so the old object stays",
                        scene.task.device
                    ),
                )
                .next("back the keys up to Microsoft Entra ID on the device, then apply the wave again"));
            }
        }
        Ok(())
    }
}

#[async_trait]
impl Work for OldObject {
    async fn check(&self) -> Result<Check> {
        let not_yet = |what: &str| self.0.not_yet("run.old-object", what, "apply the wave again");
        if self.computer().await?.is_some() {
            return Ok(not_yet("its old computer object isn't retired yet"));
        }
        if self.entra().await?.is_some() {
            return Ok(not_yet("its old Entra object is still there"));
        }
        if self.half().await?.is_some() {
            let message = format!("{}: the synchronisation hasn't taken its old Entra object yet", self.0.task.device);
            let next = "see that Microsoft Entra Connect runs and that the computer's organizational unit is in its \
                        scope, then apply the wave again; never delete the Entra object by hand";
            let problem = Problem::new("device.entra-object-left", message).next(next);
            return Ok(Check::NotYet(problem.retry(Retry::AfterSecs(SYNC_LOOK_SECS))));
        }
        Ok(Check::So)
    }
    async fn act(&self) -> Result<()> {
        // It fails only where somebody closes it, and nobody does.
        let turn = self.0.shared.retiring.acquire().await.ok();
        if let Some((directory, computer)) = self.computer().await? {
            self.check_computer(&computer)?;
            match self.0.shared.plan.settings.retire {
                RetirePolicy::Keep => {}
                RetirePolicy::Disable => directory.disable(computer.guid, &self.retirement()?).await?,
                RetirePolicy::Delete => directory.delete(computer.guid, &self.retirement()?).await?,
            }
        }
        drop(turn);
        if let Some(device) = self.entra().await? {
            self.check_entra(&device).await?;
            self.0.origin()?.delete_device(device.id).await?;
        }
        Ok(())
    }
}
