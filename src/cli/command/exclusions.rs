//! `opsole exclusions`: the register of exclusions.

use super::plan::did_you_mean;
use super::show::answer_or_write;
use crate::cli::args::{ExclusionsArgs, RegisterFormat};
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::observe;
use crate::cli::session::{self, Session};
use crate::cli::settings::Settings;
use crate::diff::{self, ExclusionState, Register, RegisterEntry};
use crate::model::{OwnerRole, Problem};
use crate::plan::MigrationPlan;
use crate::render::{calendar, exclusions};

/// Observes, compares and shows.
///
/// # Errors
/// As opening a session and observing; `cli.two-forms`, `cli.unknown-owner`, `cli.write`.
pub async fn run(settings: &Settings, args: &ExclusionsArgs) -> Result<Exit, Failure> {
    let ui = &settings.ui;
    if ui.json() && args.format.is_some() {
        return Err(Problem::new("cli.two-forms", "`--output json` and `--format` ask for two forms of one answer")
            .next("leave one of them out")
            .into());
    }
    let (plan, mut register) = if args.offline {
        let text = session::read_plan(settings)?;
        let as_of = session::moment(&text, settings)?;
        let (plan, warnings) = text.resolve(as_of)?;
        ui.warnings(&warnings);
        let register = diff::register_offline(&plan);
        (plan, register)
    } else {
        let session = Session::open(settings).await?;
        ui.warnings(&session.warnings);
        let snapshot = observe::observe(&session).await?;
        let plan = session.plan.clone();
        session.close().await?;
        let decision = diff::decide(&plan, &snapshot).map_err(|cycle| Problem::new("plan.cycle", cycle.to_string()))?;
        let register = diff::register(&plan, &snapshot, &decision);
        (plan, register)
    };
    if let Some(owner) = &args.owner {
        known(&plan, &register, owner)?;
    }
    register.entries.retain(|entry| is_wanted(&plan, entry, args));
    let answer = if ui.json() {
        let view = exclusions::RegisterView::new(&register);
        serde_json::to_string_pretty(&view).map_err(std::io::Error::from)? + "\n"
    } else {
        match args.format.unwrap_or(RegisterFormat::Text) {
            RegisterFormat::Text if args.out.is_some() => exclusions::text(&register, 100, false, !ui.unicode),
            RegisterFormat::Text => exclusions::text(&register, ui.width, ui.color, !ui.unicode),
            RegisterFormat::Markdown => exclusions::markdown(&register),
            RegisterFormat::Csv => exclusions::csv(&register).map_err(std::io::Error::from)?,
            RegisterFormat::Ical => calendar::calendar(&register),
        }
    };
    answer_or_write(ui, args.out.as_deref(), &answer)?;
    Ok(end(settings, &register))
}

fn role(word: &str) -> Option<OwnerRole> {
    serde_json::from_value(word.into()).ok()
}

/// Refuses an owner that nothing names: what is mistyped would look like an owner without exclusions.
fn known(plan: &MigrationPlan, register: &Register, owner: &str) -> Result<(), Problem> {
    let mailboxes = || plan.owners.values().chain(register.entries.iter().map(|entry| &entry.owner));
    if role(owner).is_some() || mailboxes().any(|mailbox| mailbox.eq_ignore_ascii_case(owner)) {
        return Ok(());
    }
    let mut names: Vec<&str> = plan.owners.keys().map(|role| role.as_str()).collect();
    names.extend(mailboxes().map(String::as_str));
    let mut others: Vec<&str> = register.entries.iter().map(|entry| entry.owner.as_str()).collect();
    others.retain(|other| !plan.owners.values().any(|mailbox| mailbox.eq_ignore_ascii_case(other)));
    others.sort_unstable();
    others.dedup();
    let roles = plan.owners.iter().map(|(role, mailbox)| format!("{} ({mailbox})", role.as_str()));
    let listed: Vec<String> = roles.chain(others.into_iter().map(str::to_owned)).collect();
    let problem = Problem::new("cli.unknown-owner", format!("the plan has no owner `{owner}`"));
    Err(problem.next(match listed.as_slice() {
        [] => "the plan names nobody: add `owners` to it, or leave `--owner` out".to_owned(),
        listed => format!("{}its owners are {}", did_you_mean(owner, &names), listed.join(", ")),
    }))
}

fn end(settings: &Settings, register: &Register) -> Exit {
    if !register.is_overdue() {
        return Exit::OK;
    }
    let next = "An exclusion has run out and is still live in the tenant: with `manage`, `opsole apply --close-expired` \
                closes it.";
    settings.ui.note(next);
    Exit::OVERDUE
}

/// Says whether an exclusion is asked for. One that is overdue is, whatever days were named.
fn is_wanted(plan: &MigrationPlan, entry: &RegisterEntry, args: &ExclusionsArgs) -> bool {
    let soon = args.expiring.is_none_or(|within| {
        entry.state == ExclusionState::Overdue || entry.days_left.is_some_and(|left| (0..=within).contains(&left))
    });
    let own = args.owner.as_deref().is_none_or(|owner| {
        let role = role(owner).and_then(|role| plan.owners.get(&role));
        entry.owner.eq_ignore_ascii_case(role.map_or(owner, String::as_str))
    });
    soon && own
}
