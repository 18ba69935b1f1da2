//! Operations of the tenant: the package account's Conditional Access exclusion, and its end.

use std::sync::Arc;

use async_trait::async_trait;

use super::{Check, Shared, Work};
use crate::controller::exec::Notes;
use crate::model::{Problem, Retry, Side};
use crate::port::{Result, Tenant};
use crate::run::TenantRun;
use crate::state::ConditionalAccessPolicy;

/// What is noted before the first write: whether the account was excluded already.
const WAS_EXCLUDED: &str = "was-excluded";
const WAS_NOT_EXCLUDED: &str = "was-not-excluded";

async fn policy(tenant: &dyn Tenant, run: &TenantRun) -> Result<ConditionalAccessPolicy> {
    let missing = |what: String| {
        Problem::new("conditional-access.missing", what).next("mend the exclusion in the plan, then apply again")
    };
    let name = run.policy.as_deref().ok_or_else(|| missing(format!("{} names no policy", run.op)))?;
    let found = tenant.policy_by_name(name).await?;
    found.ok_or_else(|| missing(format!("the tenant has no Conditional Access policy `{name}`")))
}

async fn account(tenant: &dyn Tenant, run: &TenantRun) -> Result<Option<String>> {
    Ok(tenant.user_by_upn(&run.account).await?.map(|user| user.id.to_string()))
}

fn is_excluded(policy: &ConditionalAccessPolicy, account: &str) -> bool {
    policy.exclude_users.iter().any(|user| user.eq_ignore_ascii_case(account))
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
    async fn look(&self) -> Result<(ConditionalAccessPolicy, String)> {
        let tenant = self.shared.tenant(Side::Destination)?;
        let account = account(tenant, &self.run).await?.ok_or_else(|| {
            Problem::new("package.account-missing", format!("the package account {} doesn't exist", self.run.account))
                .next("make a new package, then plan again")
        })?;
        Ok((policy(tenant, &self.run).await?, account))
    }
}

#[async_trait]
impl Work for Exclude {
    async fn check(&self) -> Result<Check> {
        let (policy, account) = self.look().await?;
        let excluded = is_excluded(&policy, &account);
        if self.noted.is_empty() && excluded {
            // Somebody else excluded it: then it isn't this run's to take out again.
            self.notes.add_once(WAS_EXCLUDED).await?;
        }
        Ok(if excluded {
            Check::So
        } else {
            not_yet(format!("{} isn't excluded from `{}` yet", self.run.account, policy.name))
        })
    }
    async fn act(&self) -> Result<()> {
        let _one_writer = self.shared.lists.lock().await;
        let (policy, account) = self.look().await?;
        if is_excluded(&policy, &account) {
            return Ok(());
        }
        if self.noted.is_empty() {
            self.notes.add_once(WAS_NOT_EXCLUDED).await?;
        }
        let mut users = policy.exclude_users;
        users.push(account);
        self.shared.tenant(Side::Destination)?.set_excluded_users(policy.id, &users).await
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
    async fn look(&self) -> Result<Option<(ConditionalAccessPolicy, String)>> {
        if self.noted.first().is_some_and(|note| note == WAS_EXCLUDED) {
            return Ok(None);
        }
        let tenant = self.shared.tenant(Side::Destination)?;
        // An account that is gone is in no list any more.
        let Some(account) = account(tenant, &self.run).await? else { return Ok(None) };
        let policy = policy(tenant, &self.run).await?;
        Ok(is_excluded(&policy, &account).then_some((policy, account)))
    }
}

#[async_trait]
impl Work for Restore {
    async fn check(&self) -> Result<Check> {
        Ok(match self.look().await? {
            None => Check::So,
            Some((policy, _)) => not_yet(format!("{} is still excluded from `{}`", self.run.account, policy.name)),
        })
    }
    async fn act(&self) -> Result<()> {
        let _one_writer = self.shared.lists.lock().await;
        let Some((policy, account)) = self.look().await? else { return Ok(()) };
        let users: Vec<String> =
            policy.exclude_users.into_iter().filter(|user| !user.eq_ignore_ascii_case(&account)).collect();
        self.shared.tenant(Side::Destination)?.set_excluded_users(policy.id, &users).await
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
