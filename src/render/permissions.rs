//! Permissions as a page for people and as `opsole.permissions/1` for programs.
//!
//! ```json
//! {
//!   "format": "opsole.permissions/1", "plan": "contoso", "wave": null, "offline": false, "complete": true,
//!   "tenants": [{
//!     "name": "contoso", "id": "…", "client_id": "…", "sides": ["origin", "destination"],
//!     "permissions": [{
//!       "permission": "User.Read.All", "app_role_id": "…", "phases": ["plan", "apply"], "required": true, "features": [],
//!       "covered_by": null, "state": "granted", "granted_by": "User.Read.All",
//!       "why": [{"by": "users", "operation": false, "feature": null, "call": "GET /v1.0/users", "what": "read users"}]
//!     }],
//!     "surplus": [{"permission": "Directory.Read.All", "kind": "wide", "by": [], "instead": ["Organization.Read.All"]}],
//!     "gaps": []
//!   }],
//!   "listed": [{"permission": "User.Read.All", "required": true, "…": "the nine of the prerequisites"}]
//! }
//! ```
//!
//! `kind` is `excess` (nothing needs it), `idle` (no device does now), `redundant` (one of `by` gives all of it), `beyond`
//! (those of `by` give what is needed of it) or `wide` (those of `instead` would, and have to be granted first).
//!
//! `state` is null offline. `phases` holds `plan` for what planning reads; `apply` plans first.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::page::{Page, Paint, Shape};
use super::words::count;
use crate::dag::Maker;
use crate::model::{Feature, Side};
use crate::plan::{MigrationPlan, TenantSpec};
use crate::readiness::permissions::{Comparison, GrantState, NeededPermission, Surplus, TenantNeeds};
use crate::readiness::{BEYOND, NINE};

/// What is needed in one tenant, and how that stands.
#[derive(Debug)]
pub struct TenantPermissions<'a> {
    /// The tenant.
    pub spec: &'a TenantSpec,
    /// What is needed.
    pub needs: TenantNeeds,
    /// How it stands; none where no tenant was looked at.
    pub compared: Option<Comparison>,
}

impl TenantPermissions<'_> {
    /// Says whether everything that is needed is known to be granted, or will be with the next token.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        let Some(compared) = &self.compared else { return true };
        compared.missing().next().is_none() && !compared.is_unknown()
    }
    /// Returns a need's state; none offline.
    fn states(&self) -> impl Iterator<Item = (&NeededPermission, Option<GrantState>)> {
        let states = self.compared.as_ref().map(|compared| &compared.needed);
        self.needs.permissions.iter().enumerate().map(move |(at, need)| {
            let state = states.and_then(|states| states.get(at)).filter(|(own, _)| own.permission == need.permission);
            (need, state.map(|(_, state)| *state))
        })
    }
}

/// How the page is drawn.
#[derive(Debug, Clone, Copy)]
pub struct PermissionsStyle {
    /// Columns.
    pub width: usize,
    /// ANSI colours.
    pub color: bool,
    /// Only ASCII characters.
    pub ascii: bool,
}

/// Where a permission's state begins: after the longest name.
const STATE: usize = 53;

fn page(style: PermissionsStyle) -> Page {
    Page::new(Shape { width: style.width, color: style.color, ascii: style.ascii })
}

/// Returns the page of a plan's permissions.
#[must_use]
pub fn permissions_text(
    plan: &MigrationPlan,
    wave: Option<&str>,
    tenants: &[TenantPermissions<'_>],
    style: PermissionsStyle,
) -> String {
    let mut page = page(style);
    let what = wave.map_or_else(|| format!("plan {}", plan.name), |wave| format!("wave {wave} of plan {}", plan.name));
    page.line(0, &format!("Application permissions of Microsoft Graph for {what}."));
    for tenant in tenants {
        page.title(&title(tenant));
        for (need, state) in tenant.states() {
            need_lines(&mut page, need, state);
        }
        if let Some(compared) = &tenant.compared {
            surplus_lines(&mut page, compared);
            for gap in &compared.gaps {
                page.line(2, &format!("not seen: {gap}"));
            }
        }
    }
    page.blank();
    page.line(
        0,
        "`plan` marks what planning reads; an application that only plans needs no more than that. `--grant-script az` or \
         `graph-powershell` writes what an administrator runs, `--nine` says where this differs from the list of the \
         prerequisites.",
    );
    page.into_text()
}

fn title(tenant: &TenantPermissions<'_>) -> String {
    let name = &tenant.spec.name;
    let asked = count(tenant.needs.asked().count(), "permission");
    let Some(compared) = &tenant.compared else { return format!("Tenant {name}: {asked} needed") };
    let mut title = format!("Tenant {name}: {asked} needed");
    for (number, what) in [
        (compared.missing().count(), "missing"),
        (compared.not_in_token().count(), "not in the token yet"),
        (compared.excess().count(), "beyond need"),
    ] {
        if number > 0 {
            title.push_str(&format!(", {number} {what}"));
        }
    }
    if compared.is_unknown() {
        title.push_str(", and what is granted isn't known");
    }
    title
}

fn state_words(need: &NeededPermission, state: Option<GrantState>) -> (String, &'static str, Paint) {
    match state {
        None => match need.covered_by {
            Some(wider) => (format!("covered by {}", wider.as_str()), " ", Paint::Dim),
            None => ("needed".to_owned(), "+", Paint::Plain),
        },
        Some(GrantState::Granted) => ("granted".to_owned(), "=", Paint::Green),
        Some(GrantState::Covered(by)) => (format!("covered by {}", by.as_str()), "=", Paint::Green),
        Some(GrantState::NotInToken) => ("granted, not in the token yet".to_owned(), "~", Paint::Yellow),
        Some(GrantState::NotConsented) => ("asked for, not consented to".to_owned(), "x", Paint::Red),
        Some(GrantState::Missing) => ("missing".to_owned(), "x", Paint::Red),
        Some(GrantState::Unknown) => ("not known".to_owned(), "?", Paint::Yellow),
    }
}

fn phase(need: &NeededPermission) -> &'static str {
    if need.to_plan() { "plan" } else { "apply" }
}

fn need_lines(page: &mut Page, need: &NeededPermission, state: Option<GrantState>) {
    let (words, mark, paint) = state_words(need, state);
    let head = format!("  {} {:<44} {:<5}", page.paint(paint, mark), need.permission.as_str(), phase(need));
    page.wrapped(&format!("{head} "), STATE + 2, &words, paint);
    page.wrapped("      ", 8, &why(need), Paint::Dim);
}

/// Says who needs it: what is always so first, then by feature.
#[must_use]
pub fn why(need: &NeededPermission) -> String {
    let mut by: BTreeMap<Option<Feature>, Vec<Maker>> = BTreeMap::new();
    for reason in &need.reasons {
        let makers = by.entry(reason.feature).or_default();
        if !makers.contains(&reason.maker) {
            makers.push(reason.maker);
        }
    }
    let parts: Vec<String> = by
        .into_iter()
        .map(|(feature, makers)| {
            let names: Vec<String> = makers.into_iter().map(maker_words).collect();
            let when = feature.map_or_else(|| "required".to_owned(), |feature| format!("with {}", feature.as_str()));
            format!("{when}: {}", names.join(", "))
        })
        .collect();
    parts.join("; ")
}

fn maker_words(maker: Maker) -> String {
    match maker {
        Maker::Part(part) => format!("reading {}", part.as_str()),
        Maker::Op(op) => op.name().to_owned(),
    }
}

fn surplus_lines(page: &mut Page, compared: &Comparison) {
    for (name, surplus) in &compared.surplus {
        let (words, paint) = match surplus {
            Surplus::Excess => ("granted, and nothing needs it".to_owned(), Paint::Yellow),
            Surplus::Idle => ("granted, and no device needs it now".to_owned(), Paint::Dim),
            Surplus::Redundant(by) => (format!("redundant beside {}", by.as_str()), Paint::Yellow),
            Surplus::Beyond(by) => {
                let names: Vec<&str> = by.iter().map(|one| one.as_str()).collect();
                (format!("nothing needs more of it than {} gives", names.join(", ")), Paint::Yellow)
            }
            Surplus::Wide(instead) => {
                let names: Vec<&str> = instead.iter().map(|one| one.as_str()).collect();
                (format!("wider than needed: grant {} in its place", names.join(", ")), Paint::Yellow)
            }
        };
        let head = format!("  {} {name:<44}      ", page.paint(paint, "-"));
        page.wrapped(&format!("{head} "), STATE + 2, &words, paint);
    }
}

/// Returns the nine permissions of the prerequisites beside what is asked for in their place.
#[must_use]
pub fn nine_text(style: PermissionsStyle) -> String {
    let mut page = page(style);
    page.line(0, "The nine permissions of the prerequisites (1.6), and what is asked for in their place.");
    for row in &NINE {
        page.title(&format!("{} ({})", row.permission.as_str(), row.scope()));
        page.line(2, &format!("listed for {}", row.listed_for));
        let instead: Vec<&str> = row.instead.iter().map(|one| one.as_str()).collect();
        page.wrapped("  asked for: ", 13, &instead.join(", "), Paint::Plain);
        page.line(2, &format!("{}.", row.why));
    }
    page.title("Not listed, and needed");
    for (permission, why) in &BEYOND {
        page.wrapped(&format!("  {:<36} ", permission.as_str()), 39, why, Paint::Plain);
    }
    page.into_text()
}

fn side(side: Side) -> &'static str {
    match side {
        Side::Origin => "origin",
        Side::Destination => "destination",
    }
}

fn need_json(need: &NeededPermission, state: Option<GrantState>) -> Value {
    let (state, granted_by) = match state {
        None => (None, None),
        Some(GrantState::Granted) => (Some("granted"), Some(need.permission.as_str())),
        Some(GrantState::Covered(by)) => (Some("covered"), Some(by.as_str())),
        Some(GrantState::NotInToken) => (Some("not-in-token"), None),
        Some(GrantState::NotConsented) => (Some("not-consented"), None),
        Some(GrantState::Missing) => (Some("missing"), None),
        Some(GrantState::Unknown) => (Some("unknown"), None),
    };
    let phases: Vec<&str> = [(need.to_plan(), "plan"), (need.to_apply(), "apply")]
        .into_iter()
        .filter(|(is, _)| *is)
        .map(|(_, p)| p)
        .collect();
    let features = need.features();
    let why: Vec<Value> = need
        .reasons
        .iter()
        .map(|reason| {
            let call = reason.call;
            json!({
                "by": reason.maker.as_str(),
                "operation": matches!(reason.maker, Maker::Op(_)),
                "feature": reason.feature.map(Feature::as_str),
                "call": format!("{} /{}{}", call.method(), call.version(), call.path()),
                "what": call.what(),
            })
        })
        .collect();
    json!({
        "permission": need.permission.as_str(),
        "app_role_id": need.permission.role_id(),
        "phases": phases,
        "required": features.is_none(),
        "features": features.unwrap_or_default().into_iter().map(Feature::as_str).collect::<Vec<_>>(),
        "covered_by": need.covered_by.map(|wider| wider.as_str()),
        "state": state,
        "granted_by": granted_by,
        "why": why,
    })
}

fn surplus_json(name: &str, surplus: &Surplus) -> Value {
    let (kind, by, instead): (_, Vec<&str>, Vec<&str>) = match surplus {
        Surplus::Excess => ("excess", Vec::new(), Vec::new()),
        Surplus::Idle => ("idle", Vec::new(), Vec::new()),
        Surplus::Redundant(by) => ("redundant", vec![by.as_str()], Vec::new()),
        Surplus::Beyond(by) => ("beyond", by.iter().map(|one| one.as_str()).collect(), Vec::new()),
        Surplus::Wide(instead) => ("wide", Vec::new(), instead.iter().map(|one| one.as_str()).collect()),
    };
    json!({"permission": name, "kind": kind, "by": by, "instead": instead})
}

/// Returns `opsole.permissions/1`.
#[must_use]
pub fn permissions_json(plan: &MigrationPlan, wave: Option<&str>, tenants: &[TenantPermissions<'_>]) -> Value {
    let rows: Vec<Value> = tenants
        .iter()
        .map(|tenant| {
            let compared = tenant.compared.as_ref();
            let surplus =
                compared.map(|of| of.surplus.iter().map(|(name, s)| surplus_json(name, s)).collect::<Vec<_>>());
            json!({
                "name": tenant.spec.name,
                "id": tenant.spec.id,
                "client_id": tenant.spec.app.client_id,
                "sides": tenant.needs.sides.iter().map(|one| side(*one)).collect::<Vec<_>>(),
                "permissions": tenant.states().map(|(need, state)| need_json(need, state)).collect::<Vec<_>>(),
                "surplus": surplus.unwrap_or_default(),
                "gaps": compared.map(|of| of.gaps.clone()).unwrap_or_default(),
            })
        })
        .collect();
    json!({
        "format": "opsole.permissions/1",
        "plan": plan.name,
        "wave": wave,
        "offline": tenants.iter().all(|tenant| tenant.compared.is_none()),
        "complete": tenants.iter().all(TenantPermissions::is_complete),
        "tenants": rows,
        "listed": NINE,
    })
}
