//! `device.snapshot-cloud`: stores what is known about the old objects before anything changes. Memberships
//! die with the device object (msgraph.md 2.3), so nothing can be looked up afterwards.

use async_trait::async_trait;
use globset::{GlobBuilder, GlobMatcher};

use super::{Check, Scene, Work};
use crate::model::{Feature, GroupId, Op, Problem, RetirePolicy, Scenario};
use crate::port::Result;
use crate::state::{AdComputer, EntraDevice, Group};

pub(super) struct SnapshotCloud(pub(super) Scene);

#[async_trait]
impl Work for SnapshotCloud {
    async fn check(&self) -> Result<Check> {
        let scene = &self.0;
        let record = scene.shared.records.get(&scene.task.device)?;
        let plan = &scene.shared.plan;
        // Past the boundary the old objects may be gone: what was stored then is all there is.
        let moved = plan.device(&scene.task.device).is_some_and(|device| device.committed);
        let kept =
            record.and_then(|record| record.taken_at.map(|at| moved || (record.run == plan.run && at >= plan.created)));
        let kept = kept.unwrap_or(false);
        if kept {
            return Ok(Check::So);
        }
        Ok(scene.not_yet("run.no-record", "its old cloud objects aren't recorded", "apply the wave again"))
    }

    async fn act(&self) -> Result<()> {
        let (scene, shared) = (&self.0, &self.0.shared);
        let origin = scene.origin()?;
        let device = self.old_device().await?;
        let registration = device.as_ref().map(|device| device.device_id);
        let managed = match registration {
            Some(id) => origin.managed_devices_of(id).await?.into_iter().next(),
            None => None,
        };
        let primary = match &managed {
            Some(managed) => origin.primary_users(managed.id).await?,
            None => Vec::new(),
        };
        let keys = match registration.filter(|_| scene.task.features.has(Feature::Bitlocker)) {
            Some(id) => origin.recovery_keys(id).await?.into_iter().map(|key| key.id).collect(),
            None => Vec::new(),
        };
        let serial = scene.task.serial.clone().or_else(|| managed.as_ref().map(|managed| managed.serial.clone()));
        let autopilot = match serial.filter(|_| scene.task.features.has(Feature::Autopilot)) {
            Some(serial) => origin.autopilot(&serial).await?,
            None => None,
        };
        let groups = match device.as_ref().filter(|_| scene.task.features.has(Feature::GroupRestore)) {
            Some(device) => self.groups(origin.groups_of(device.id).await?).await?,
            None => Vec::new(),
        };
        let computer = self.old_computer().await?;
        let now = shared.clock.now();
        shared.records.update(shared.plan.run, &scene.task.device, |record| {
            record.taken_at = Some(now);
            record.committed_at = None;
            record.new_device = None;
            record.outcome = None;
            record.done.clear();
            record.user = Some(scene.task.user);
            record.old_sid = Some(scene.task.old_sid.clone());
            record.profile_path = Some(scene.task.profile_path.clone());
            record.old_device = device.map(|device| (device.id, device.device_id));
            record.old_intune = managed.map(|managed| managed.id);
            record.old_autopilot = autopilot.map(|identity| (identity.id, identity.group_tag));
            record.old_computer = computer.map(|computer| computer.guid);
            record.groups = groups;
            record.old_keys = keys;
            record.old_primary_users = primary;
        })
    }
}

impl SnapshotCloud {
    /// A registration that was planned with and is gone was removed by hand: drift, and a reason to stop.
    async fn old_device(&self) -> Result<Option<EntraDevice>> {
        let scene = &self.0;
        let Some(id) = scene.task.old_device else { return Ok(None) };
        let found = scene.origin()?.device(id).await?;
        if found.is_some() {
            return Ok(found);
        }
        Err(Problem::new("device.vanished", format!("{}: its Entra object {id} is gone", scene.task.device))
            .next("find out who removed it and stop removing records by hand; then plan again"))
    }

    async fn old_computer(&self) -> Result<Option<AdComputer>> {
        let (scene, name) = (&self.0, &self.0.task.device);
        let Some(directory) = &scene.shared.directory else { return Ok(None) };
        let found = directory.computer_by_name(name.as_str()).await?;
        if let Some(computer) = &found
            && computer.domain_controller
        {
            return Err(Problem::new("directory.domain-controller", format!("{name} is a domain controller"))
                .next("take it out of the plan"));
        }
        let wanted = scene.ops.contains(&Op::RetireOldObject)
            && scene.shared.plan.settings.retire != RetirePolicy::Keep
            && scene.task.scenario != Scenario::TenantToTenant;
        if found.is_none() && wanted {
            return Err(Problem::new(
                "directory.computer-missing",
                format!("{name} has no computer object below the declared organizational units"),
            )
            .next("name its organizational unit under `directory.computers`, or plan again if it was removed"));
        }
        Ok(found)
    }

    /// Groups to restore, by their id in the destination. Between two tenants a group is found by its name;
    /// one without a namesake can't be restored and is left out.
    async fn groups(&self, groups: Vec<Group>) -> Result<Vec<GroupId>> {
        let scene = &self.0;
        let excluded = globs(&scene.shared.plan.settings.group_restore_exclude)?;
        let wanted = groups
            .into_iter()
            .filter(|group| group.restorable() && !excluded.iter().any(|glob| glob.is_match(&group.name)));
        let mut ids = Vec::new();
        for group in wanted {
            if scene.task.origin_tenant == scene.task.target_tenant {
                ids.push(group.id);
                continue;
            }
            match scene.destination()?.group_by_name(&group.name).await? {
                Some(namesake) if namesake.restorable() => ids.push(namesake.id),
                _ => tracing::warn!(device = %scene.task.device, group = %group.name, "the target has no such group"),
            }
        }
        ids.sort_unstable();
        ids.dedup();
        Ok(ids)
    }
}

fn globs(patterns: &[String]) -> Result<Vec<GlobMatcher>> {
    let build = |pattern: &String| {
        let glob = GlobBuilder::new(pattern).case_insensitive(true).build();
        glob.map(|glob| glob.compile_matcher()).map_err(|e| {
            Problem::new("plan.glob", format!("`{pattern}` isn't a pattern"))
                .next("mend `features.group-restore.exclude` in the plan")
                .detail(e.to_string())
        })
    };
    patterns.iter().map(build).collect()
}
