//! `opsole permissions`: what has to be granted in each tenant, why, and how that stands.

use crate::cli::args::{GrantShellArg, PermissionsArgs};
use crate::cli::command::plan::did_you_mean;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::observe;
use crate::cli::session::{self, Session};
use crate::cli::settings::Settings;
use crate::dag::possible_ops;
use crate::diff;
use crate::model::Problem;
use crate::plan::MigrationPlan;
use crate::readiness::NINE;
use crate::readiness::permissions::{compare, needed, ops_of};
use crate::render::grant_script::{GrantShell, grant_script};
use crate::render::permissions::{PermissionsStyle, TenantPermissions, nine_text, permissions_json, permissions_text};
use crate::render::words::count;
use crate::state::Snapshot;

/// Works out what is needed, holds it against the tenants unless that isn't wanted, and shows it.
///
/// # Errors
/// As opening a session and observing; `cli.unknown-wave` and `cli.unknown-tenant`.
pub async fn run(settings: &Settings, args: &PermissionsArgs) -> Result<Exit, Failure> {
    let ui = &settings.ui;
    let style = PermissionsStyle { width: ui.width, color: ui.color, ascii: !ui.unicode };
    if args.nine {
        if ui.json() {
            ui.answer_json(&serde_json::json!({"format": "opsole.permissions-listed/1", "listed": NINE}))?;
        } else {
            ui.answer(&nine_text(style))?;
        }
        return Ok(Exit::OK);
    }
    let (plan, snapshot) = if args.offline {
        let text = session::read_plan(settings)?;
        let as_of = session::moment(&text, settings).unwrap_or_else(|_| session::now());
        let (plan, warnings) = text.resolve(as_of)?;
        ui.warnings(&warnings);
        (plan, None)
    } else {
        let session = Session::open(settings).await?;
        ui.warnings(&session.warnings);
        let snapshot = observe::observe(&session).await?;
        let plan = session.plan.clone();
        session.close().await?;
        (plan, Some(snapshot))
    };
    let wave = args.wave.as_deref();
    let mut tenants = tenants(&plan, snapshot.as_ref(), position(&plan, wave)?)?;
    if let Some(wanted) = &args.tenant {
        let names: Vec<&str> = plan.tenants.iter().map(|tenant| tenant.name.as_str()).collect();
        if !names.contains(&wanted.as_str()) {
            return Err(Problem::new("cli.unknown-tenant", format!("the plan has no tenant `{wanted}`"))
                .next(format!("{}its tenants are {}", did_you_mean(wanted, &names), names.join(", ")))
                .into());
        }
        tenants.retain(|tenant| tenant.spec.name.as_str() == wanted);
    }
    if let Some(shell) = args.grant_script {
        let shell = match shell {
            GrantShellArg::Az => GrantShell::Az,
            GrantShellArg::GraphPowershell => GrantShell::GraphPowerShell,
        };
        let scripts: Vec<(&str, String)> =
            tenants.iter().map(|one| (one.spec.name.as_str(), grant_script(&plan, one, shell))).collect();
        if ui.json() {
            let scripts: Vec<_> = scripts
                .iter()
                .map(|(tenant, script)| serde_json::json!({"tenant": tenant, "script": script}))
                .collect();
            ui.answer_json(&serde_json::json!({"format": "opsole.grant-script/1", "scripts": scripts}))?;
        } else {
            let texts: Vec<String> = scripts.into_iter().map(|(_, script)| script).collect();
            ui.answer(&texts.join("\n"))?;
        }
        return Ok(Exit::OK);
    }
    if ui.json() {
        ui.answer_json(&permissions_json(&plan, wave, &tenants))?;
    } else {
        ui.answer(&permissions_text(&plan, wave, &tenants, style))?;
    }
    Ok(ending(settings, &tenants))
}

fn position(plan: &MigrationPlan, wave: Option<&str>) -> Result<Option<u16>, Failure> {
    let Some(wave) = wave else { return Ok(None) };
    let names: Vec<&str> = plan.waves.iter().map(|wave| wave.name.value.as_str()).collect();
    let at = names.iter().position(|name| *name == wave).and_then(|at| u16::try_from(at).ok());
    let unknown = || {
        Problem::new("cli.unknown-wave", format!("the plan has no wave `{wave}`")).next(format!(
            "{}its waves are {}",
            did_you_mean(wave, &names),
            names.join(", ")
        ))
    };
    Ok(Some(at.ok_or_else(unknown)?))
}

/// Without a tenant nobody knows what devices come to: then all that the plan may come to is needed.
fn tenants<'p>(
    plan: &'p MigrationPlan,
    snapshot: Option<&Snapshot>,
    wave: Option<u16>,
) -> Result<Vec<TenantPermissions<'p>>, Failure> {
    let possible = needed(plan, possible_ops(plan));
    let now = match snapshot {
        Some(snapshot) => {
            let decision =
                diff::decide(plan, snapshot).map_err(|cycle| Problem::new("plan.cycle", cycle.to_string()))?;
            needed(plan, ops_of(plan, &decision.graph, snapshot, wave))
        }
        None => possible.clone(),
    };
    let of = plan.tenants.iter().zip(now).zip(possible).map(|((spec, needs), possible)| {
        let compared = snapshot.map(|snapshot| compare(&needs, &possible, snapshot.tenants.get(&spec.name)));
        TenantPermissions { spec, needs, compared }
    });
    Ok(of.collect())
}

fn ending(settings: &Settings, tenants: &[TenantPermissions<'_>]) -> Exit {
    let mut exit = Exit::OK;
    for tenant in tenants.iter().filter(|tenant| !tenant.is_complete()) {
        exit = Exit::ERROR;
        let missing = tenant.compared.as_ref().map_or(0, |compared| compared.missing().count());
        let name = &tenant.spec.name;
        let what = if missing > 0 {
            let verb = if missing == 1 { "is" } else { "are" };
            format!(
                "{} {verb} missing in {name}: `--grant-script az` writes what grants them",
                count(missing, "permission")
            )
        } else {
            format!("What is granted in {name} isn't known, so nothing is known to be complete")
        };
        settings.ui.note(&format!("{what}. Exit code 1."));
    }
    exit
}
