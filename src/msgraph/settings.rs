//! Reads what decides whether devices may join and enrol, and the application itself.
//!
//! | part | calls |
//! |---|---|
//! | application | a batch of 3, its grants |
//! | enrolment | v1.0 and beta once; without beta the assignments of status pages in batches |
//! | policies, named locations | pages; locations only where a policy names one |
//! | cross-tenant access | 1 and pages |
//! | package accounts | two batches and pages |

use std::collections::BTreeMap;

use futures_util::future::join;
use uuid::Uuid;

use super::call;
use super::observe::{part, reason};
use super::page::malformed;
use super::shape::{self, Enrolment};
use super::transport::Transport;
use crate::model::{EntraObjectId, GroupId, Known, TenantId};
use crate::port::{Result, Wanted};
use crate::state::{
    AppRegistration, ConditionalAccessPolicy, CrossTenantAccess, EnrolmentSettings, EntraDevice, NamedLocation,
    StatusPage, User,
};

/// What is known of package accounts: the groups of each, and the devices that each owns.
pub(super) struct Accounts {
    pub(super) groups: Known<BTreeMap<String, Vec<GroupId>>>,
    owned: Result<BTreeMap<String, Vec<Uuid>>>,
}

impl Transport {
    /// Reads the application; none where the tenant has no service principal of it.
    pub(super) async fn app(&self, client_id: &str) -> Result<Option<AppRegistration>> {
        let calls = [call::service_principal(client_id), call::graph_principal(), call::application(client_id)];
        let mut items = self.batch(&calls).await;
        let lost = || malformed(self, &calls[0], "a part of the batch got no answer");
        let (Some(registration), Some(graph), Some(own)) = (items.pop(), items.pop(), items.pop()) else {
            return Err(lost());
        };
        let own = own?;
        if own.status == 404 {
            return Ok(None);
        }
        let read =
            shape::service_principal(&shape::entity(own.body)).map_err(|why| malformed(self, &calls[0], &why))?;
        let mut app = read.ok_or_else(lost)?;
        let roles = shape::app_roles(&shape::entity(graph?.body)).map_err(|why| malformed(self, &calls[1], &why))?;
        let roles = roles.ok_or_else(lost)?;
        let grants = self.pages(&call::app_role_assignments(app.principal), shape::app_role_assignment).await?;
        app.assigned = roles.assigned(&grants);
        match registration {
            Ok(item) if item.status == 404 => {}
            Ok(item) => {
                let (requested, credentials) = shape::application(&shape::entity(item.body), &roles);
                app.requested = Known::Known(requested);
                app.credentials = Known::Known(credentials);
            }
            Err(problem) => {
                let why = reason(&problem);
                app.requested = Known::Unknown(why.clone());
                app.credentials = Known::Unknown(why);
            }
        }
        Ok(Some(app))
    }

    /// Reads restrictions, limit and status pages. Beta alone says what a page blocks; without it that is unknown and
    /// the rest is known.
    pub(super) async fn enrolment(&self) -> Result<EnrolmentSettings> {
        let (stable, beta) = (call::enrolment_configurations(), call::status_pages());
        let (stable, beta) = join(self.pages(&stable, shape::enrolment), self.pages(&beta, shape::enrolment)).await;
        let stable = stable?;
        let (shown, silent) = match beta {
            Ok(all) => (all, None),
            Err(problem) => (stable.clone(), Some(reason(&problem))),
        };
        let mut pages: Vec<(String, StatusPage, bool)> = Vec::new();
        for one in shown {
            if let Enrolment::StatusPage(id, mut page, expanded) = one {
                if let Some(why) = &silent {
                    page.blocks = Known::Unknown(why.clone());
                }
                pages.push((id, page, expanded));
            }
        }
        let bare: Vec<_> = pages.iter().filter(|(.., expanded)| !expanded).map(|(id, ..)| id.clone()).collect();
        let calls: Vec<_> = bare.iter().map(|id| call::status_page_assignments(id)).collect();
        let mut targets = self.collections(&calls, shape::target).await?.into_iter();
        let mut read = Vec::with_capacity(pages.len());
        for (_, mut page, expanded) in pages {
            if !expanded {
                let targets = targets.next().flatten().unwrap_or_default();
                targets.iter().for_each(|target| shape::aim(&mut page, target));
            }
            read.push(page);
        }
        Ok(shape::enrolment_settings(stable, read))
    }

    /// Reads policies, and named locations where a policy in force names one: one more request would cost a second.
    pub(super) async fn access(
        &self,
        wanted: &Wanted,
    ) -> (Known<Vec<ConditionalAccessPolicy>>, Known<Vec<NamedLocation>>) {
        if !wanted.conditional_access {
            return (Known::Absent, Known::Absent);
        }
        let mut policies = match self.pages(&call::policies(), shape::policy).await {
            Ok(policies) => policies,
            Err(problem) => {
                let why = reason(&problem);
                return (Known::Unknown(why.clone()), Known::Unknown(why));
            }
        };
        policies.sort_by_key(|policy| policy.id);
        let places = policies.iter().any(|policy| policy.state != "disabled" && policy.locations.is_some());
        let locations = if places {
            part(self.pages(&call::named_locations(), shape::named_location).await.map(|mut locations| {
                locations.sort_by_key(|location| location.id);
                locations
            }))
        } else {
            Known::Absent
        };
        (Known::Known(policies), locations)
    }

    /// Reads cross-tenant access: of a partner that leaves something to the default, the default is told.
    pub(super) async fn cross_tenant(&self) -> Result<CrossTenantAccess> {
        let (default, partners) = (call::cross_tenant_default(), call::cross_tenant_partners());
        let (json, all) = join(self.json(&default), self.pages(&partners, shape::cross_tenant_partner)).await;
        let read = shape::cross_tenant_default(&json?).map_err(|why| malformed(self, &default, &why))?;
        let (inbound, outbound) = read.ok_or_else(|| malformed(self, &default, "the settings are empty"))?;
        let resolved = |(tenant, of): (TenantId, (Option<bool>, Option<bool>))| {
            (tenant, of.0.unwrap_or(inbound), of.1.unwrap_or(outbound))
        };
        let mut partners: Vec<_> = all?.into_iter().map(resolved).collect();
        partners.sort_unstable_by_key(|(tenant, ..)| *tenant);
        Ok(CrossTenantAccess { default_inbound_blocked: inbound, default_outbound_blocked: outbound, partners })
    }

    /// Reads the groups and the devices of package accounts. An account that isn't there has no entry.
    pub(super) async fn accounts(&self, wanted: &Wanted) -> Accounts {
        if wanted.accounts.is_empty() {
            return Accounts { groups: Known::Absent, owned: Ok(BTreeMap::new()) };
        }
        let groups: Vec<_> = wanted.accounts.iter().map(|upn| call::groups_of_account(upn)).collect();
        let devices: Vec<_> = wanted.accounts.iter().map(|upn| call::devices_of_account(upn)).collect();
        let (groups, owned) =
            join(self.collections(&groups, shape::group_of_account), self.collections(&devices, shape::object_id))
                .await;
        fn by_account<T: Ord>(wanted: &Wanted, lists: Vec<Option<Vec<T>>>) -> BTreeMap<String, Vec<T>> {
            let there = wanted.accounts.iter().zip(lists).filter_map(|(upn, list)| Some((upn.clone(), list?)));
            there
                .map(|(upn, mut list)| {
                    list.sort_unstable();
                    list.dedup();
                    (upn, list)
                })
                .collect()
        }
        Accounts {
            groups: part(groups.map(|lists| by_account(wanted, lists))),
            owned: owned.map(|lists| by_account(wanted, lists)),
        }
    }
}

impl Accounts {
    /// Writes the owners into the list of devices. Where the owned devices couldn't be read nobody knows what counts
    /// against a quota: then no device is known well enough. An account that isn't known owns nothing that matters.
    pub(super) fn own(&self, devices: &mut Known<Vec<EntraDevice>>, users: &Known<Vec<User>>) {
        let (Known::Known(list), Known::Known(users)) = (&mut *devices, users) else { return };
        let owned = match &self.owned {
            Ok(owned) => owned,
            Err(problem) => {
                *devices = Known::Unknown(reason(problem));
                return;
            }
        };
        // Devices are in the order of their ids.
        for (upn, ids) in owned {
            let Some(user) = users.iter().find(|user| user.upn == *upn) else { continue };
            for id in ids {
                if let Ok(at) = list.binary_search_by_key(&EntraObjectId(*id), |device| device.id) {
                    list[at].owner = Some(user.id);
                }
            }
        }
    }
}
