//! `opsole approve`: a person signs a sealed plan, takes a signature back, or sends the plan back.

use crate::audit::{Fact, Note};
use crate::cli::args::ApproveArgs;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::sealing;
use crate::cli::session;
use crate::cli::settings::Settings;
use crate::model::{OwnerRole, Problem};
use crate::port::Store as _;
use crate::sealed::{Statement, StatementKind};
use crate::store::{SqliteStore, keys};

/// Adds one signed line to the file.
///
/// # Errors
/// `sealed.*`, `key.*`, `store.*`.
pub fn run(settings: &Settings, args: &ApproveArgs) -> Result<Exit, Failure> {
    let ui = &settings.ui;
    let mut sealed = sealing::read(&args.file)?;
    let signer = keys::read(&args.key)?;
    let role: OwnerRole = args.role.into();
    let kind = match (args.revoke, args.reject) {
        (true, _) => StatementKind::Revocation,
        (false, true) => StatementKind::Rejection,
        (false, false) => StatementKind::Approval,
    };
    let own = |one: &&Statement| one.key == signer.public() && one.kind == StatementKind::Approval;
    let earlier: Vec<String> = sealed.statements.iter().filter(own).map(|one| one.signature.clone()).collect();
    if kind == StatementKind::Revocation && earlier.is_empty() {
        return Err(Problem::new("sealed.not-approved", "this key has approved nothing in this file")
            .next("`opsole show FILE` lists who signed")
            .into());
    }
    let asks = |rule: &crate::sealed::RuleLine| rule.rule == "ticket-required";
    if kind == StatementKind::Approval
        && args.ticket.is_none()
        && let Some(rule) = sealed.body.rules.iter().find(|rule| asks(rule))
    {
        let problem = Problem::new("sealed.ticket", "the plan's rules ask for a ticket with each approval")
            .next("name it: `--ticket CHG-2001`");
        if rule.effect == "block" {
            return Err(problem.into());
        }
        ui.problem(&problem);
    }
    let statement = Statement {
        kind,
        over: sealed.digest(),
        key: signer.public(),
        by: args.by.clone().unwrap_or_else(session::person),
        role: Some(role),
        at: session::now(),
        ticket: args.ticket.clone(),
        note: args.note.clone(),
        signature: String::new(),
    }
    .signed(&signer);
    sealed.add(statement.clone()).map_err(|e| Problem::new("sealed.tampered", e.to_string()))?;
    sealing::write(&args.file, &sealed)?;
    remember(settings, &statement, &earlier)?;
    let word = match kind {
        StatementKind::Approval => "approved",
        StatementKind::Revocation => "taken back",
        StatementKind::Rejection | StatementKind::Seal => "sent back",
    };
    if ui.json() {
        ui.answer_json(&serde_json::json!({
            "format": "opsole.statement/1", "file": args.file, "digest": sealed.digest(), "statement": statement,
        }))?;
    } else {
        ui.answer(&format!(
            "{} of {} ({}) {word} as {} with key {}.",
            sealed.body.wave,
            sealed.body.plan.name,
            sealed.digest().short(),
            role.as_str(),
            signer.public().short()
        ))?;
    }
    Ok(Exit::OK)
}

/// Tells the state folder, where there is one: a copy of the file may lack the line. Where there is none, `apply` tells
/// what it finds in the file.
fn remember(settings: &Settings, statement: &Statement, earlier: &[String]) -> Result<(), Failure> {
    let approves = statement.kind == StatementKind::Approval;
    let state = match settings.state() {
        Ok(state) => state,
        // Whoever approves needs no plan file, and without one nothing says where the state folder is.
        Err(_) if approves => return Ok(()),
        Err(problem) => return Err(problem.into()),
    };
    if !state.join("state.db").exists() {
        return Ok(());
    }
    let (at, actor) = (session::moment_or_now(settings), session::actor());
    let note = Fact::of_statement(statement, false).map(|fact| Note { at, actor, fact });
    let taken_back = if approves { &[] } else { earlier };
    SqliteStore::open(&state)?.take_back_approvals(taken_back, note.as_slice())?;
    Ok(())
}
