//! Moving an Autopilot identity: gone from the source before the target can have it (msgraph.md 2.6).

use std::sync::Mutex;
use std::sync::PoisonError;

use async_trait::async_trait;

use super::{Check, Scene, Work};
use crate::model::{Problem, Retry};
use crate::port::{AutopilotImport, ImportState, Result};

/// `ZtdDeviceAlreadyAssigned`: the identity is there, or on its way.
const ALREADY_ASSIGNED: i64 = 806;
/// `ZtdDeviceAssignedToOtherTenant`: the source's deletion hasn't gone through yet.
const OTHER_TENANT: i64 = 808;

fn serial(scene: &Scene) -> Result<String> {
    scene.task.serial.clone().ok_or_else(|| {
        Problem::new("autopilot.no-serial", format!("the serial number of {} isn't known", scene.task.device))
            .next("add it to the inventory, then apply the wave again")
    })
}

/// `device.retire-old-autopilot`.
pub(super) struct Retire(pub(super) Scene);

#[async_trait]
impl Work for Retire {
    async fn check(&self) -> Result<Check> {
        let Some((id, _)) = self.0.record()?.old_autopilot else { return Ok(Check::So) };
        let found = self.0.origin()?.autopilot(&serial(&self.0)?).await?;
        if found.is_none_or(|identity| identity.id != id) {
            return Ok(Check::So);
        }
        Ok(self.0.not_yet("autopilot.not-deleted", "its old Autopilot identity is still there", "apply the wave again"))
    }
    async fn act(&self) -> Result<()> {
        let Some((id, _)) = self.0.record()?.old_autopilot else { return Ok(()) };
        self.0.origin()?.delete_autopilot(id).await?;
        self.0.origin()?.sync_autopilot().await
    }
}

/// `device.import-autopilot`. An import isn't idempotent: its id is journalled, so that a controller that comes
/// back asks for that one instead of importing again.
pub(super) struct Import {
    scene: Scene,
    import: Mutex<Option<String>>,
}

impl Import {
    pub(super) fn new(scene: Scene) -> Self {
        let import = Mutex::new(scene.noted.last().cloned());
        Self { scene, import }
    }
    fn import(&self) -> Option<String> {
        self.import.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
    fn set_import(&self, import: Option<String>) {
        *self.import.lock().unwrap_or_else(PoisonError::into_inner) = import;
    }
    fn tag(&self) -> Result<Option<String>> {
        let old = self.scene.record()?.old_autopilot.and_then(|(_, tag)| tag);
        Ok(self.scene.shared.plan.settings.autopilot_tag.clone().or(old).filter(|tag| !tag.is_empty()))
    }
}

#[async_trait]
impl Work for Import {
    async fn check(&self) -> Result<Check> {
        let (scene, wanted) = (&self.scene, self.tag()?);
        if let Some(identity) = scene.destination()?.autopilot(&serial(scene)?).await? {
            if identity.group_tag.filter(|tag| !tag.is_empty()) == wanted {
                return Ok(Check::So);
            }
            let what = format!("{}: its Autopilot identity has another group tag", scene.task.device);
            return Err(Problem::new("autopilot.other-tag", what)
                .next(format!("set the group tag to `{}`, then apply the wave again", wanted.unwrap_or_default())));
        }
        let not_yet =
            scene.not_yet("autopilot.not-imported", "its Autopilot import isn't complete", "apply the wave again");
        let Some(import) = self.import() else { return Ok(not_yet) };
        let state = match scene.destination()?.import_state(&import).await {
            // What was just accepted can't always be seen at once.
            Err(problem) if problem.code == "graph.not-found" => return Ok(not_yet),
            state => state?,
        };
        match state {
            ImportState::Running | ImportState::Complete(_) | ImportState::Failed(ALREADY_ASSIGNED, _) => Ok(not_yet),
            ImportState::Failed(code, name) => {
                // A failed import is over: the next attempt makes another one.
                self.set_import(None);
                let retry = if code == OTHER_TENANT { Retry::AfterSecs(300) } else { Retry::No };
                Err(Problem::new(
                    "autopilot.import",
                    format!("{}: Autopilot refused the import: {name}", scene.task.device),
                )
                .next("see that the device is in no other tenant, then apply the wave again")
                .retry(retry)
                .detail(code.to_string()))
            }
        }
    }
    async fn act(&self) -> Result<()> {
        if self.import().is_some() {
            return Ok(());
        }
        let scene = &self.scene;
        let hardware_hash = scene.record()?.hardware_hash.ok_or_else(|| {
            Problem::new("autopilot.no-hash", format!("the hardware hash of {} wasn't reported", scene.task.device))
                .next("import the device by hand, then apply the wave again")
        })?;
        let import = AutopilotImport { serial: serial(scene)?, hardware_hash, group_tag: self.tag()? };
        let id = scene.destination()?.import_autopilot(&import).await?;
        scene.notes.add(&id).await?;
        self.set_import(Some(id));
        scene.destination()?.sync_autopilot().await
    }
}
