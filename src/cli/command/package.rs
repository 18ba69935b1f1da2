//! `opsole package …`: what is in a package file, and how long the plan's packages live. A file is looked at without
//! asking any tenant; how long a package lives is only known from everything that `check` looks at.

use std::fs;
use std::path::Path;

use super::check::look;
use crate::cli::args::PackageListArgs;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::package_files;
use crate::cli::session;
use crate::cli::settings::{Settings, beside};
use crate::diff;
use crate::model::Problem;
use crate::plan::{MigrationPlan, PackageSpec};
use crate::readiness::{PackageLife, Timetable, package_life, package_lives, package_points};
use crate::render::package::{LifeView, ListView, PackageView, Seen};
use crate::state::PackageFacts;

/// Looks into one file, and holds it against the plan where that names it.
///
/// # Errors
/// `package.read`; `package.unreadable` where the file is no package.
pub fn inspect(settings: &Settings, file: &Path) -> Result<Exit, Failure> {
    let ui = &settings.ui;
    let facts = package_files::read(file)?;
    if let Some(why) = &facts.broken {
        return Err(Problem::new(
            "package.unreadable",
            format!("{} isn't a provisioning package that can be read", file.display()),
        )
        .detail(why.clone())
        .next("make it anew with Windows Configuration Designer, or name the right file")
        .into());
    }
    let plan = plan(settings);
    let named = plan.as_ref().and_then(|plan| Some((plan, of(settings, plan, file, &facts)?)));
    let points = package_points(named, &facts);
    let life = named.map(|(plan, package)| {
        let life = package_life(plan, package, Some(&facts), None, &Timetable::of_plan(plan));
        LifeView::new(plan, package, life, Seen::Files)
    });
    let view = PackageView::new(file.display().to_string(), facts, points, life);
    if ui.json() {
        ui.answer_json(&view)?;
    } else {
        if plan.is_some() && named.is_none() {
            ui.note("The plan names neither this file nor its SHA-256, so the file is looked at alone.");
        }
        ui.answer(&view.text())?;
    }
    Ok(Exit::OK)
}

/// Shows the plan's packages: as `check` sees them, unless only the plan is wanted.
///
/// # Errors
/// The plan's mistakes; as opening a session and observing.
pub async fn list(settings: &Settings, args: &PackageListArgs) -> Result<Exit, Failure> {
    let ui = &settings.ui;
    let (plan, lives) = if args.offline {
        offline(settings)?
    } else {
        let (plan, snapshot) = look(settings, args.snapshot.as_deref()).await?;
        let decision = diff::decide(&plan, &snapshot).map_err(|cycle| Problem::new("plan.cycle", cycle.to_string()))?;
        let lives = package_lives(&decision.index, &decision.assignment, &decision.views);
        (plan, lives)
    };
    let seen = if args.offline { Seen::Files } else { Seen::All };
    let packages = plan.packages.iter().zip(lives);
    let packages = packages.map(|(package, life)| LifeView::new(&plan, package, life, seen)).collect();
    let view = ListView::new(&plan, packages, seen);
    if ui.json() {
        ui.answer_json(&view)?;
    } else {
        ui.answer(&view.text())?;
    }
    Ok(Exit::OK)
}

fn offline(settings: &Settings) -> Result<(MigrationPlan, Vec<PackageLife>), Failure> {
    let text = session::read_plan(settings)?;
    let folder = beside(&text.path);
    let as_of = session::moment(&text, settings)?;
    let (plan, warnings) = text.resolve(as_of)?;
    settings.ui.warnings(&warnings);
    let times = Timetable::of_plan(&plan);
    let life = |package: &PackageSpec| {
        let facts = package.file.as_ref().and_then(|file| package_files::read(&folder.join(file)).ok());
        package_life(&plan, package, facts.as_ref(), None, &times)
    };
    let lives = plan.packages.iter().map(life).collect();
    Ok((plan, lives))
}

/// Returns the plan, where there is one that can be used.
fn plan(settings: &Settings) -> Option<MigrationPlan> {
    settings.plan().ok()?;
    let text = session::read_plan(settings);
    let resolved = text.and_then(|text| {
        let as_of = session::moment(&text, settings).unwrap_or_else(|_| session::now());
        text.resolve(as_of)
    });
    if resolved.is_err() {
        settings.ui.note("The plan can't be used (`opsole validate` says why), so the file is looked at alone.");
    }
    resolved.ok().map(|(plan, _)| plan)
}

/// Returns the plan's package that this file is, by its digest or by its place.
fn of<'p>(settings: &Settings, plan: &'p MigrationPlan, file: &Path, facts: &PackageFacts) -> Option<&'p PackageSpec> {
    let folder = settings.plan().ok().map(|path| beside(&path))?;
    let here = fs::canonicalize(file).ok();
    let lies_here = |package: &&PackageSpec| {
        let named = package.file.as_ref().and_then(|named| fs::canonicalize(folder.join(named)).ok());
        named.is_some() && named == here
    };
    let same = plan.packages.iter().find(|package| package.sha256 == Some(facts.sha256));
    same.or_else(|| plan.packages.iter().find(lies_here))
}
