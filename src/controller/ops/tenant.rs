//! Operations of the tenant: the package account's Conditional Access exclusion, and its end.

use std::sync::Arc;

use async_trait::async_trait;

use super::{Check, Shared, Work};
use crate::controller::exec::Notes;
use crate::model::{Problem, Retry, Side, UserId};
use crate::port::{Result, Tenant};
use crate::run::TenantRun;
use crate::state::{ConditionalAccessPolicy, Group};

/// What is noted before the first write: whether the account was excluded already.
pub(in crate::controller) const WAS_EXCLUDED: &str = "was-excluded";
const WAS_NOT_EXCLUDED: &str = "was-not-excluded";

fn missing(what: String) -> Problem {
    Problem::new("conditional-access.missing", what).next("mend the exclusion in the plan, then apply again")
}

async fn policy(tenant: &dyn Tenant, run: &TenantRun) -> Result<ConditionalAccessPolicy> {
    let name = run.policy.as_deref().ok_or_else(|| missing(format!("{} names no policy", run.op)))?;
    let found = tenant.policy_by_name(name).await?;
    found.ok_or_else(|| missing(format!("the tenant has no Conditional Access policy `{name}`")))
}

/// An exclusion as it is found in the tenant: a list in the policy, or membership of a group that the policy excludes.
struct Found {
    policy: ConditionalAccessPolicy,
    user: UserId,
    group: Option<Group>,
    excluded: bool,
}

impl Found {
    /// Looks at the policy and the account; none where the account is gone, and with it every exclusion.
    async fn look(tenant: &dyn Tenant, run: &TenantRun) -> Result<Option<Self>> {
        let Some(user) = tenant.user_by_upn(&run.account).await? else { return Ok(None) };
        let (policy, user) = (policy(tenant, run).await?, user.id);
        let Some(name) = run.group.as_deref() else {
            let id = user.to_string();
            let excluded = policy.exclude_users.iter().any(|user| user.eq_ignore_ascii_case(&id));
            return Ok(Some(Self { policy, user, group: None, excluded }));
        };
        let group = tenant.group_by_name(name).await?;
        let group = group.ok_or_else(|| missing(format!("the tenant has no group `{name}`")))?;
        let excluded = tenant.groups_of_user(user).await?.contains(&group.id);
        Ok(Some(Self { policy, user, group: Some(group), excluded }))
    }

    /// Says in what the account is excluded, for people.
    fn place(&self) -> String {
        match &self.group {
            Some(group) => format!("`{}` by group `{}`", self.policy.name, group.name),
            None => format!("`{}`", self.policy.name),
        }
    }

    /// Excludes the account. Nothing but a static group that the policy excludes is written to.
    async fn exclude(self, tenant: &dyn Tenant) -> Result<()> {
        let Some(group) = &self.group else {
            let mut users = self.policy.exclude_users;
            users.push(self.user.to_string());
            return tenant.set_excluded_users(self.policy.id, &users).await;
        };
        if !group.restorable() || !self.policy.exclude_groups.contains(&group.id) {
            let what = format!(
                "group `{}` isn't a static group of the tenant that policy `{}` excludes",
                group.name, self.policy.name
            );
            return Err(
                Problem::new("conditional-access.group", what).next("mend the exclusion in the plan, then plan again")
            );
        }
        tenant.add_user_member(group.id, self.user).await
    }

    /// Takes the account out again; what others wrote in between is theirs and stays.
    async fn restore(self, tenant: &dyn Tenant) -> Result<()> {
        let Some(group) = &self.group else {
            let id = self.user.to_string();
            let others = self.policy.exclude_users.into_iter().filter(|user| !user.eq_ignore_ascii_case(&id));
            return tenant.set_excluded_users(self.policy.id, &others.collect::<Vec<_>>()).await;
        };
        tenant.remove_user_member(group.id, self.user).await
    }
}

fn not_yet(what: String) -> Check {
    Check::NotYet(Problem::new("conditional-access.not-visible", what).next("apply again").retry(Retry::Soon))
}

/// `tenant.exclude-package-account`.
pub(super) struct Exclude {
    pub(super) shared: Arc<Shared>,
    pub(super) run: TenantRun,
    pub(super) notes: Notes,
    pub(super) noted: Vec<String>,
}

impl Exclude {
    async fn look(&self) -> Result<Found> {
        let found = Found::look(self.shared.tenant(Side::Destination)?, &self.run).await?;
        found.ok_or_else(|| {
            Problem::new("package.account-missing", format!("the package account {} doesn't exist", self.run.account))
                .next("make a new package, then plan again")
        })
    }
}

#[async_trait]
impl Work for Exclude {
    async fn check(&self) -> Result<Check> {
        let found = self.look().await?;
        if self.noted.is_empty() && found.excluded {
            // Somebody else excluded it: then it isn't this run's to take out again.
            self.notes.add_once(WAS_EXCLUDED).await?;
        }
        Ok(if found.excluded {
            Check::So
        } else {
            not_yet(format!("{} isn't excluded from {} yet", self.run.account, found.place()))
        })
    }
    async fn act(&self) -> Result<()> {
        let _one_writer = self.shared.lists.lock().await;
        let found = self.look().await?;
        if found.excluded {
            return Ok(());
        }
        if self.noted.is_empty() {
            self.notes.add_once(WAS_NOT_EXCLUDED).await?;
        }
        found.exclude(self.shared.tenant(Side::Destination)?).await
    }
}

/// `tenant.restore-package-account`, and the undo of the exclusion. The list is put back to what it was before
/// in everything that this tool changed; what others changed in between is theirs and stays.
pub(super) struct Restore {
    pub(super) shared: Arc<Shared>,
    pub(super) run: TenantRun,
    /// Notes of the exclusion of the same policy and account in this run, if it had one.
    pub(super) noted: Vec<String>,
}

impl Restore {
    async fn look(&self) -> Result<Option<Found>> {
        // An exclusion that ran out is closed whoever opened it.
        let over = self.run.due.is_some_and(|due| due <= self.shared.clock.now());
        if self.noted.first().is_some_and(|note| note == WAS_EXCLUDED) && !over {
            return Ok(None);
        }
        let found = Found::look(self.shared.tenant(Side::Destination)?, &self.run).await?;
        Ok(found.filter(|found| found.excluded))
    }
}

#[async_trait]
impl Work for Restore {
    async fn check(&self) -> Result<Check> {
        Ok(match self.look().await? {
            None => Check::So,
            Some(found) => not_yet(match found.group {
                // Through another group it stays a member whatever is done here.
                Some(_) => format!(
                    "{} is still excluded from {}, directly or through a group in it",
                    self.run.account,
                    found.place()
                ),
                None => format!("{} is still excluded from {}", self.run.account, found.place()),
            }),
        })
    }
    async fn act(&self) -> Result<()> {
        let _one_writer = self.shared.lists.lock().await;
        match self.look().await? {
            Some(found) => found.restore(self.shared.tenant(Side::Destination)?).await,
            None => Ok(()),
        }
    }
}

/// `tenant.revoke-package`: without its account a package joins nothing any more.
pub(super) struct Revoke {
    pub(super) shared: Arc<Shared>,
    pub(super) run: TenantRun,
}

#[async_trait]
impl Work for Revoke {
    async fn check(&self) -> Result<Check> {
        if !self.run.account.to_lowercase().starts_with("package_") {
            return Err(Problem::new(
                "package.not-an-account",
                format!("{} isn't a package account", self.run.account),
            )
            .next("mend the package's `account` in the plan"));
        }
        let tenant = self.shared.tenant(Side::Destination)?;
        Ok(match tenant.user_by_upn(&self.run.account).await? {
            None => Check::So,
            Some(_) => Check::NotYet(
                Problem::new("package.not-revoked", format!("the package account {} still exists", self.run.account))
                    .next("apply again")
                    .retry(Retry::Soon),
            ),
        })
    }
    async fn act(&self) -> Result<()> {
        self.shared.tenant(Side::Destination)?.delete_package_account(&self.run.account).await
    }
}
