//! Permissions: what a plan needs in each tenant, why, and how that stands against what is granted.
//!
//! ```text
//! plan + operations --needed--> TenantNeeds { permission, reasons, phase, feature }
//! TenantNeeds + TenantState --compare--> Comparison { state of each need, what is granted beyond need }
//! ```
//!
//! Two permissions of a kind aren't asked for: where a need is covered by a wider one that is needed anyway, the wider
//! one alone is. Wider permissions that nothing needs are accepted and named: what isn't granted can't be misused.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::dag::{Maker, OpGraph, OpSet, Scope, possible_ops, spec, uses};
use crate::model::{Feature, GraphCall, Permission, Side, TenantName};
use crate::plan::MigrationPlan;
use crate::state::{Snapshot, TenantState};

/// Why a permission is needed: who makes which request, and on which feature that hangs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reason {
    /// Who makes it.
    pub maker: Maker,
    /// Which request.
    pub call: GraphCall,
    /// Feature that it hangs on.
    pub feature: Option<Feature>,
}

/// One permission that is needed in a tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NeededPermission {
    /// Which.
    pub permission: Permission,
    /// Why; at least one reason, parts before operations.
    pub reasons: Vec<Reason>,
    /// Another needed permission that covers it, so that it isn't asked for by itself.
    pub covered_by: Option<Permission>,
}

impl NeededPermission {
    /// Says whether planning needs it; `apply` plans first, so it needs it too.
    #[must_use]
    pub fn to_plan(&self) -> bool {
        self.reasons.iter().any(|reason| matches!(reason.maker, Maker::Part(_)))
    }
    /// Says whether an operation needs it.
    #[must_use]
    pub fn to_apply(&self) -> bool {
        self.reasons.iter().any(|reason| matches!(reason.maker, Maker::Op(_)))
    }
    /// Returns the features that it hangs on; none where it is needed whatever is on.
    #[must_use]
    pub fn features(&self) -> Option<BTreeSet<Feature>> {
        self.reasons.iter().map(|reason| reason.feature).collect()
    }
    /// Says whether a granted permission is enough for every request that needs it.
    #[must_use]
    pub fn takes(&self, granted: Permission) -> bool {
        self.reasons.iter().all(|reason| reason.call.takes(granted, self.permission))
    }
    /// Returns who can't do its work without it: each once, parts first.
    #[must_use]
    pub fn makers(&self) -> Vec<Maker> {
        let makers: BTreeSet<Maker> = self.reasons.iter().map(|reason| reason.maker).collect();
        makers.into_iter().collect()
    }
}

/// What a plan needs in one tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TenantNeeds {
    /// The plan's name for it.
    pub tenant: TenantName,
    /// Sides that it stands on: both where there is one tenant.
    pub sides: Vec<Side>,
    /// What is needed, in the order of [`Permission`].
    pub permissions: Vec<NeededPermission>,
}

impl TenantNeeds {
    /// Returns what has to be granted for planning and applying: the fewest and narrowest.
    pub fn asked(&self) -> impl Iterator<Item = &NeededPermission> {
        self.permissions.iter().filter(|need| need.covered_by.is_none())
    }
    /// Returns what has to be granted to an application that only plans.
    pub fn asked_to_plan(&self) -> impl Iterator<Item = &NeededPermission> {
        self.permissions.iter().filter(|need| need.to_plan())
    }
    /// Returns a permission's need.
    #[must_use]
    pub fn of(&self, permission: Permission) -> Option<&NeededPermission> {
        self.permissions.iter().find(|need| need.permission == permission)
    }
}

/// Returns what a plan needs, tenant by tenant in the plan's order, where these operations are part of it.
#[must_use]
pub fn needed(plan: &MigrationPlan, ops: OpSet) -> Vec<TenantNeeds> {
    let made = |maker: Maker| match maker {
        Maker::Part(_) => true,
        Maker::Op(op) => ops.has(op),
    };
    let of = |tenant: &TenantName| {
        let on = |side: &Side| plan.tenant(*side).is_some_and(|spec| spec.name == *tenant);
        let sides: Vec<Side> = [Side::Origin, Side::Destination].into_iter().filter(on).collect();
        let mut reasons: BTreeMap<Permission, BTreeSet<Reason>> = BTreeMap::new();
        for one in uses().iter().filter(|one| made(one.maker) && sides.contains(&one.side) && one.applies(plan)) {
            let reason = Reason { maker: one.maker, call: one.call, feature: one.feature() };
            for permission in one.call.needs() {
                reasons.entry(*permission).or_default().insert(reason);
            }
        }
        let all: Vec<Permission> = reasons.keys().copied().collect();
        let need = |(permission, reasons): (Permission, BTreeSet<Reason>)| {
            let mut need = NeededPermission { permission, reasons: reasons.into_iter().collect(), covered_by: None };
            need.covered_by = all.iter().copied().find(|other| *other != permission && need.takes(*other));
            need
        };
        TenantNeeds { tenant: tenant.clone(), sides, permissions: reasons.into_iter().map(need).collect() }
    };
    plan.tenants.iter().map(|spec| of(&spec.name)).collect()
}

/// Says whether everything that decides which operations devices take was read.
fn is_seen(snapshot: &Snapshot) -> bool {
    let tenant = |of: &TenantState| {
        let parts = [of.devices.unknown(), of.managed_devices.unknown(), of.groups.unknown(), of.autopilot.unknown()];
        parts.iter().all(Option::is_none)
    };
    snapshot.directory.unknown().is_none() && snapshot.tenants.values().all(tenant)
}

/// Returns the operations of a compiled plan, or of one of its waves with what opens and closes its package. Where a
/// part couldn't be read, devices may come to more than the graph knows: then it is all that the plan may come to.
#[must_use]
pub fn ops_of(plan: &MigrationPlan, graph: &OpGraph, snapshot: &Snapshot, wave: Option<u16>) -> OpSet {
    if !is_seen(snapshot) {
        return possible_ops(plan);
    }
    let Some(wave) = wave else { return graph.ordered().map(|node| node.op).collect() };
    let package = plan.waves.get(usize::from(wave)).map(|wave| &wave.package);
    let of_package = graph.ordered().filter(|node| {
        let subject = || graph.tenant_subjects.get(node.subject as usize);
        spec(node.op).scope == Scope::Tenant && subject().is_some_and(|subject| Some(&subject.package) == package)
    });
    graph.of_wave(wave).chain(of_package).map(|node| node.op).collect()
}

/// How a need stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum GrantState {
    /// It is granted.
    Granted,
    /// A wider one that is granted covers it.
    Covered(Permission),
    /// It is assigned, and the token is older than that: a new token has it.
    NotInToken,
    /// The registration asks for it, and nobody has consented.
    NotConsented,
    /// Nothing that is granted covers it.
    Missing,
    /// What is granted isn't known.
    Unknown,
}

impl GrantState {
    /// Says whether requests are let through.
    #[must_use]
    pub fn holds(self) -> bool {
        matches!(self, Self::Granted | Self::Covered(_))
    }
    /// Says whether an administrator has to grant or consent.
    #[must_use]
    pub fn is_missing(self) -> bool {
        matches!(self, Self::Missing | Self::NotConsented)
    }
}

/// What is granted beyond need.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Surplus {
    /// Nothing in the plan needs it.
    Excess,
    /// A feature of the plan may need it, and no device that was seen does.
    Idle,
    /// All that it gives another one gives too, which stays or has to be granted anyway.
    Redundant(Permission),
    /// What is needed of it these give, which are granted: nothing needs the rest, such as its writing.
    Beyond(Vec<Permission>),
    /// Wider than what is needed; with these granted it can go, and they aren't yet.
    Wide(Vec<Permission>),
}

/// What is needed against what is granted, in one tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comparison {
    /// Each need with its state, in the order of the needs.
    pub needed: Vec<(NeededPermission, GrantState)>,
    /// What is granted beyond need, by value.
    pub surplus: BTreeMap<String, Surplus>,
    /// What couldn't be read of the grants, in words.
    pub gaps: Vec<String>,
}

impl Comparison {
    /// Returns what isn't granted and has to be: of two of a kind the wider one.
    pub fn missing(&self) -> impl Iterator<Item = (&NeededPermission, GrantState)> {
        let of = |(need, state): &&(NeededPermission, GrantState)| state.is_missing() && need.covered_by.is_none();
        self.needed.iter().filter(of).map(|(need, state)| (need, *state))
    }
    /// Returns what is assigned and isn't in the token.
    pub fn not_in_token(&self) -> impl Iterator<Item = &NeededPermission> {
        self.needed.iter().filter(|(_, state)| *state == GrantState::NotInToken).map(|(need, _)| need)
    }
    /// Says whether it isn't known how a need stands.
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        self.needed.iter().any(|(_, state)| *state == GrantState::Unknown)
    }
    /// Returns what has to be granted before the excess can be taken away.
    #[must_use]
    pub fn first(&self) -> BTreeSet<Permission> {
        let mut first = BTreeSet::new();
        for (_, surplus) in self.excess() {
            match surplus {
                Surplus::Wide(instead) => first.extend(instead.iter().copied()),
                // It stays where it is granted, and is missing where it isn't.
                Surplus::Redundant(by) if self.lacks(*by) => drop(first.insert(*by)),
                Surplus::Redundant(_) | Surplus::Beyond(_) | Surplus::Excess | Surplus::Idle => {}
            }
        }
        first
    }
    /// Says whether a needed permission isn't granted by its own name.
    fn lacks(&self, permission: Permission) -> bool {
        let own = self.needed.iter().find(|(need, _)| need.permission == permission);
        own.is_some_and(|(_, state)| !matches!(state, GrantState::Granted | GrantState::NotInToken))
    }
    /// Returns what can be taken away, or be replaced by something narrower.
    pub fn excess(&self) -> impl Iterator<Item = (&str, &Surplus)> {
        self.surplus.iter().filter(|(_, surplus)| **surplus != Surplus::Idle).map(|(name, of)| (name.as_str(), of))
    }
}

/// What is known of the grants in a tenant.
struct Live<'a> {
    /// In the token.
    roles: Option<&'a [Permission]>,
    /// Consented to; names that this version doesn't know among them.
    assigned: Option<&'a [String]>,
    /// Asked for by the registration.
    requested: &'a [String],
    gaps: Vec<String>,
}

impl<'a> Live<'a> {
    fn of(state: Option<&'a TenantState>) -> Self {
        let Some(state) = state else {
            let gaps = vec!["nothing was read of this tenant".to_owned()];
            return Self { roles: None, assigned: None, requested: &[], gaps };
        };
        if let Some(refused) = &state.refused {
            return Self { roles: None, assigned: None, requested: &[], gaps: vec![refused.why.clone()] };
        }
        let mut gaps = Vec::new();
        let mut gap = |what: &str, why: Option<&str>| gaps.extend(why.map(|why| format!("{what}: {why}")));
        gap("what the token says", state.granted.unknown());
        gap("what the application is granted", state.app.unknown());
        let app = state.app.known();
        gap("what the registration asks for", app.and_then(|app| app.requested.unknown()));
        Self {
            roles: state.granted.known().map(Vec::as_slice),
            assigned: app.map(|app| app.assigned.as_slice()),
            requested: app.and_then(|app| app.requested.known()).map(Vec::as_slice).unwrap_or_default(),
            gaps,
        }
    }

    fn state(&self, need: &NeededPermission) -> GrantState {
        let best = |names: &[Permission]| {
            let exact = names.contains(&need.permission).then_some(GrantState::Granted);
            exact.or_else(|| names.iter().copied().find(|one| need.takes(*one)).map(GrantState::Covered))
        };
        let known = |names: &[String]| names.iter().filter_map(|name| Permission::named(name)).collect::<Vec<_>>();
        let assigned = self.assigned.map(known);
        let here = match (self.roles, &assigned) {
            (Some(roles), _) => best(roles),
            (None, Some(assigned)) => best(assigned),
            (None, None) => return GrantState::Unknown,
        };
        here.unwrap_or_else(|| {
            if self.roles.is_some() && assigned.is_some_and(|assigned| best(&assigned).is_some()) {
                GrantState::NotInToken
            } else if best(&known(self.requested)).is_some() {
                GrantState::NotConsented
            } else {
                GrantState::Missing
            }
        })
    }

    /// Everything that is granted, by value.
    fn names(&self) -> BTreeSet<&'a str> {
        let roles = self.roles.unwrap_or_default().iter().map(|role| role.as_str());
        roles.chain(self.assigned.unwrap_or_default().iter().map(String::as_str)).collect()
    }
}

/// Holds what is needed against what is granted. `possible` is what the plan may come to need, whatever its devices
/// turn out to be: what is in it isn't called excess.
///
/// What is said of the surplus leads to one end: what stays and what is to be granted instead is worked out first, and
/// everything else is surplus. So nothing is named as a replacement that is itself to go.
#[must_use]
pub fn compare(needed: &TenantNeeds, possible: &TenantNeeds, state: Option<&TenantState>) -> Comparison {
    let live = Live::of(state);
    let states = needed.permissions.iter().map(|need| (need.clone(), live.state(need))).collect();
    let names = live.names();
    let granted: BTreeSet<Permission> = names.iter().filter_map(|name| Permission::named(name)).collect();
    let ends = ends(needed, possible, &granted);
    let judge = |name: &str| match Permission::named(name) {
        None => Some(Surplus::Excess),
        Some(own) if ends.contains(&own) => is_idle(own, needed, &ends).then_some(Surplus::Idle),
        Some(own) => Some(judge(own, possible, &granted, &ends)),
    };
    let surplus = names.into_iter().filter_map(|name| Some((name.to_owned(), judge(name)?))).collect();
    Comparison { needed: states, surplus, gaps: live.gaps }
}

fn is_taken(need: &NeededPermission, by: &BTreeSet<Permission>) -> bool {
    by.iter().any(|one| need.takes(*one))
}

/// Returns what should be granted in the end: what is needed now, and of what the plan may come to need whatever is
/// granted today, by itself or by something wider; the fewest and narrowest.
fn ends(needed: &TenantNeeds, possible: &TenantNeeds, granted: &BTreeSet<Permission>) -> BTreeSet<Permission> {
    let held = possible.asked().filter(|need| is_taken(need, granted));
    let mut ends: BTreeSet<Permission> = held.map(|need| need.permission).collect();
    for need in needed.asked().chain(&needed.permissions) {
        if !is_taken(need, &ends) {
            ends.insert(need.permission);
        }
    }
    for need in &possible.permissions {
        if is_taken(need, granted) && !is_taken(need, &ends) {
            ends.insert(need.permission);
        }
    }
    ends
}

/// Says whether nothing that is needed now rests on it.
fn is_idle(own: Permission, needed: &TenantNeeds, ends: &BTreeSet<Permission>) -> bool {
    let others = |need: &NeededPermission| ends.iter().any(|one| *one != own && need.takes(*one));
    needed.of(own).is_none() && !needed.permissions.iter().any(|need| need.takes(own) && !others(need))
}

/// Says why a permission has to go.
fn judge(
    own: Permission,
    possible: &TenantNeeds,
    granted: &BTreeSet<Permission>,
    ends: &BTreeSet<Permission>,
) -> Surplus {
    let covers: Vec<&NeededPermission> = possible.permissions.iter().filter(|need| need.takes(own)).collect();
    if covers.is_empty() {
        return Surplus::Excess;
    }
    if let Some(by) = ends.iter().copied().find(|one| one.covers(own)) {
        return Surplus::Redundant(by);
    }
    // Narrower ones, that give what is needed of it.
    let instead: BTreeSet<Permission> = covers
        .iter()
        .filter_map(|need| {
            let exact = ends.get(&need.permission);
            exact.or_else(|| ends.iter().find(|one| need.takes(**one))).copied()
        })
        .collect();
    let alone: Vec<Permission> = instead.difference(granted).copied().collect();
    if alone.is_empty() { Surplus::Beyond(instead.into_iter().collect()) } else { Surplus::Wide(alone) }
}
