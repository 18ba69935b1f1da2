//! Operations that give the new device what the old one had: primary user, groups, configuration.

use async_trait::async_trait;

use super::{Check, Scene, Work};
use crate::model::{EntraObjectId, GroupId, Problem, Retry};
use crate::port::Result;
use crate::state::{Assignment, ConfigurationProfile};

/// `device.set-primary-user`. A bulk token leaves no primary user (msgraph.md 0.6).
pub(super) struct PrimaryUser(pub(super) Scene);

impl PrimaryUser {
    fn not_enrolled(&self) -> Check {
        self.0.not_yet("intune.not-enrolled", "Intune doesn't know its new registration yet", "apply the wave again")
    }
}

#[async_trait]
impl Work for PrimaryUser {
    async fn check(&self) -> Result<Check> {
        let scene = &self.0;
        let Some(id) = scene.new_managed().await? else { return Ok(self.not_enrolled()) };
        if scene.destination()?.primary_users(id).await? == [scene.task.user] {
            return Ok(Check::So);
        }
        Ok(scene.not_yet(
            "intune.primary-user",
            &format!("{} isn't its primary user yet", scene.task.upn),
            "see that the user has an Intune licence, then apply the wave again",
        ))
    }
    async fn act(&self) -> Result<()> {
        match self.0.new_managed().await? {
            Some(id) => self.0.destination()?.set_primary_user(id, self.0.task.user).await,
            None => Ok(()),
        }
    }
}

/// `device.restore-groups`: direct membership of the new object in each recorded group.
pub(super) struct Groups(pub(super) Scene);

impl Groups {
    async fn object(&self) -> Result<EntraObjectId> {
        let device = self.0.destination()?.device(self.0.new_device()?).await?;
        device.map(|device| device.id).ok_or_else(|| {
            Problem::new("device.not-visible", format!("{}: its new Entra object isn't there yet", self.0.task.device))
                .next("apply the wave again")
                .retry(Retry::Soon)
        })
    }
    async fn missing(&self) -> Result<(EntraObjectId, Vec<GroupId>)> {
        let object = self.object().await?;
        let mut missing = Vec::new();
        for group in self.0.record()?.groups {
            if !self.0.destination()?.is_member(group, object).await? {
                missing.push(group);
            }
        }
        Ok((object, missing))
    }
}

#[async_trait]
impl Work for Groups {
    async fn check(&self) -> Result<Check> {
        let (_, missing) = self.missing().await?;
        Ok(missing.first().map_or(Check::So, |group| {
            self.0.not_yet(
                "groups.not-member",
                &format!("it isn't a member of group {group} yet"),
                "apply the wave again",
            )
        }))
    }
    async fn act(&self) -> Result<()> {
        let (object, missing) = self.missing().await?;
        for group in missing {
            self.0.destination()?.add_member(group, object).await?;
        }
        Ok(())
    }
}

/// `device.assign-configuration`. `assign` replaces the whole list (msgraph.md 2.5): read, add, write.
pub(super) struct Configuration(pub(super) Scene);

const GROUP_TARGET: &str = "#microsoft.graph.groupAssignmentTarget";

impl Configuration {
    async fn missing(&self) -> Result<(Option<GroupId>, Vec<ConfigurationProfile>)> {
        let scene = &self.0;
        let Some((profiles, group)) = &scene.shared.plan.settings.profiles else { return Ok((None, Vec::new())) };
        let absent = |what: &str, name: &str| {
            Problem::new("configuration.missing", format!("the tenant has no {what} `{name}`"))
                .next("make it, or mend `features.configuration-profiles` in the plan, then apply the wave again")
        };
        let tenant = scene.destination()?;
        let group = tenant.group_by_name(group).await?.ok_or_else(|| absent("group", group))?.id;
        let mut missing = Vec::new();
        for name in profiles {
            let profile = tenant.profile_by_name(name).await?.ok_or_else(|| absent("configuration profile", name))?;
            let assigned = |a: &Assignment| a.group == Some(group) && a.kind == GROUP_TARGET;
            if !profile.assignments.iter().any(assigned) {
                missing.push(profile);
            }
        }
        Ok((Some(group), missing))
    }
}

#[async_trait]
impl Work for Configuration {
    async fn check(&self) -> Result<Check> {
        let (_, missing) = self.missing().await?;
        Ok(missing.first().map_or(Check::So, |profile| {
            let what = format!("configuration profile `{}` isn't assigned yet", profile.name);
            self.0.not_yet("configuration.not-assigned", &what, "apply the wave again")
        }))
    }
    async fn act(&self) -> Result<()> {
        let _one_writer = self.0.shared.lists.lock().await;
        let (group, missing) = self.missing().await?;
        for profile in missing {
            let mut assignments = profile.assignments;
            assignments.push(Assignment { kind: GROUP_TARGET.to_owned(), group });
            self.0.destination()?.assign_profile(profile.id, &assignments).await?;
        }
        Ok(())
    }
}
