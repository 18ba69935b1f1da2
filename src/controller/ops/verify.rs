//! Operations that only look: escrow, enrolment, LAPS, exit criteria. The bound is the catalogue's.

use async_trait::async_trait;

use super::{Check, Scene, Work};
use crate::model::{Problem, Side};
use crate::port::Result;
use crate::state::TrustType;

/// `device.escrow-bitlocker` and `device.escrow-bitlocker-new`: every recovery protector that the agent saw is
/// in escrow. Keys hang on the device object (domain.md B8), so the old and the new one are looked at apart.
pub(super) struct Escrow {
    pub(super) scene: Scene,
    pub(super) side: Side,
}

#[async_trait]
impl Work for Escrow {
    async fn check(&self) -> Result<Check> {
        let (scene, name) = (&self.scene, &self.scene.task.device);
        let Some(seen) = &scene.seen else {
            return Err(Problem::new("run.no-evidence", format!("{name}'s agent reported no facts"))
                .next("apply the wave again"));
        };
        if !seen.encrypted {
            return Ok(Check::So);
        }
        if seen.protectors.is_empty() {
            return Err(Problem::new(
                "device.no-protector",
                format!("{name} is encrypted and has no recovery protector"),
            )
            .next("add a recovery password protector, then apply the wave again"));
        }
        let keys = match (self.side, scene.task.old_device) {
            (Side::Destination, _) => scene.destination()?.recovery_keys(scene.new_device()?).await?,
            (Side::Origin, Some(id)) => scene.origin()?.recovery_keys(id).await?,
            // A device that only Active Directory knows keeps its keys there, where this version doesn't look.
            (Side::Origin, None) => return Ok(Check::So),
        };
        let missing = seen.protectors.iter().find(|id| !keys.iter().any(|key| key.id == **id));
        Ok(missing.map_or(Check::So, |id| {
            scene.not_yet(
                "bitlocker.not-in-escrow",
                &format!("recovery key {id} isn't in escrow"),
                "back the key up to Microsoft Entra ID on the device, then apply the wave again",
            )
        }))
    }
}

/// `device.verify-enrolment`: a managed device of the new registration has synchronised after the commit.
pub(super) struct Enrolment(pub(super) Scene);

#[async_trait]
impl Work for Enrolment {
    async fn check(&self) -> Result<Check> {
        let scene = &self.0;
        let (id, since) = (scene.new_device()?, scene.committed_at()?);
        let not_yet = |what: &str| {
            scene.not_yet(
                "intune.not-enrolled",
                what,
                "see that automatic enrolment covers the user, then apply the wave again",
            )
        };
        if scene.destination()?.device(id).await?.is_none() {
            return Ok(not_yet("its new Entra object isn't there yet"));
        }
        let old = scene.record()?.old_intune;
        let managed = scene.destination()?.managed_devices_of(id).await?;
        let Some(device) = managed.into_iter().find(|device| Some(device.id) != old) else {
            return Ok(not_yet("Intune doesn't know its new registration yet"));
        };
        let fresh = device.last_sync.is_some_and(|sync| sync >= since);
        Ok(if fresh { Check::So } else { not_yet("it hasn't synchronised with Intune since it moved") })
    }
}

/// `device.verify-laps`: a backup that is younger than the commit (domain.md B9).
pub(super) struct Laps(pub(super) Scene);

#[async_trait]
impl Work for Laps {
    async fn check(&self) -> Result<Check> {
        let scene = &self.0;
        let since = scene.committed_at()?;
        let backup = scene.destination()?.laps(scene.new_device()?).await?;
        Ok(match backup {
            Some(backup) if backup.backed_up >= since => Check::So,
            _ => scene.not_yet(
                "laps.no-backup",
                "there is no LAPS backup since it moved",
                "see that a LAPS policy with backup to Entra reaches it, then apply the wave again",
            ),
        })
    }
}

/// `device.verify-exit`: the cloud's half of the exit criteria, on a fresh reading.
pub(super) struct Exit(pub(super) Scene);

#[async_trait]
impl Work for Exit {
    async fn check(&self) -> Result<Check> {
        let scene = &self.0;
        let fails = |what: &str| scene.not_yet("device.exit-criteria", what, "mend it, then apply the wave again");
        let id = scene.new_device()?;
        if let Some(seen) = &scene.seen
            && (seen.domain || seen.tenant != Some(scene.task.target_tenant) || seen.device_id != Some(id))
        {
            return Ok(fails("its own join information doesn't name the new registration"));
        }
        let Some(device) = scene.destination()?.device(id).await? else {
            return Ok(fails("its new Entra object isn't there"));
        };
        if device.trust != TrustType::Joined || !device.enabled {
            return Ok(fails("its new Entra object isn't joined and enabled"));
        }
        Ok(match scene.new_managed().await? {
            Some(_) => Check::So,
            None => fails("Intune has no device of the new registration"),
        })
    }
}
