//! `opsole directory`: whether Active Directory can be read and written as the plan says, which computers are there, and the
//! deletion of those that were disabled long ago.

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use crate::audit::{ComputerDeleted, Fact, Note};
use crate::cli::args::{DirectoryCommand, DirectoryShowArgs, SweepArgs};
use crate::cli::directory::DirectorySession;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::session::actor;
use crate::cli::settings::Settings;
use crate::model::{Known, Problem};
use crate::port::{Directory, Retirement, Store as _};
use crate::readiness;
use crate::render::directory::{DirectoryView, SweepRow, SweepView};
use crate::render::words::count;
use crate::state::{AdComputer, DirectoryState, RetiredMark};
use crate::store::SqliteStore;

/// Checks, shows or sweeps.
///
/// # Errors
/// The plan's mistakes, `directory.*`, `lab.*`, `store.*`, `cli.unknown-device`, `cli.not-confirmed`.
pub async fn run(settings: &Settings, command: DirectoryCommand) -> Result<Exit, Failure> {
    let session = DirectorySession::open(settings).await?;
    let exit = match command {
        DirectoryCommand::Check => return check(settings, session).await,
        DirectoryCommand::Show(args) => show(settings, &session, &args).await,
        DirectoryCommand::Sweep(args) => sweep(settings, &session, &args).await,
    };
    session.close().await?;
    exit
}

fn answer(settings: &Settings, view: &DirectoryView) -> Result<(), Failure> {
    if settings.ui.json() {
        settings.ui.answer_json(view)?;
    } else {
        settings.ui.answer(&view.text())?;
    }
    Ok(())
}

async fn check(settings: &Settings, session: DirectorySession) -> Result<Exit, Failure> {
    let state = match &session.directory {
        Known::Known(directory) => match directory.observe().await {
            Ok(state) => Known::Known(state),
            Err(problem) => {
                if !settings.ui.json() {
                    settings.ui.problem(&problem);
                }
                Known::Unknown(problem.to_string())
            }
        },
        Known::Absent => Known::Absent,
        Known::Unknown(why) => Known::Unknown(why.clone()),
    };
    let domain = session.domain().to_owned();
    let judged = readiness::disjoin_account(&session.into_plan().await?, &state);
    answer(settings, &DirectoryView::check(&domain, &state, &judged))?;
    Ok(match judged.measured {
        readiness::Measured::Pass => Exit::OK,
        // That nothing is to be retired says nothing of whether the directory can be read.
        readiness::Measured::NotApplicable if state.known().is_some() => Exit::OK,
        readiness::Measured::Warn => Exit::WARNINGS,
        _ => Exit::BLOCKED,
    })
}

/// # Errors
/// `directory.*`: whoever wants to see what is there has to be told why it can't be seen.
async fn read(session: &DirectorySession) -> Result<(&dyn Directory, DirectoryState), Problem> {
    match &session.directory {
        Known::Known(directory) => Ok((&**directory, directory.observe().await?)),
        Known::Absent => Err(Problem::new("directory.none", "the plan has no directory").next("add `directory` to it")),
        Known::Unknown(why) => Err(Problem::new("directory.settings", format!("the directory can't be asked: {why}"))
            .next("mend `directory` in the plan, or the place of its password")),
    }
}

async fn show(settings: &Settings, session: &DirectorySession, args: &DirectoryShowArgs) -> Result<Exit, Failure> {
    let (_, state) = read(session).await?;
    let wanted = |computer: &&AdComputer| {
        let named = args.name.as_ref().is_none_or(|name| computer.name.eq_ignore_ascii_case(name));
        named && (!args.retired || (!computer.enabled && computer.retired().is_some()))
    };
    let found: Vec<&AdComputer> = state.computers.iter().filter(wanted).collect();
    if let (Some(name), true) = (&args.name, found.is_empty()) {
        let message = format!("no computer {name} lies below the declared organizational units");
        return Err(Problem::new("cli.unknown-device", message).next("`opsole directory show` lists them").into());
    }
    answer(settings, &DirectoryView::computers(session.domain(), found))?;
    Ok(Exit::OK)
}

/// What a sweep is about.
struct Swept {
    computer: AdComputer,
    mark: RetiredMark,
}

async fn sweep(settings: &Settings, session: &DirectorySession, args: &SweepArgs) -> Result<Exit, Failure> {
    let ui = &settings.ui;
    let store = SqliteStore::open(&settings.state()?)?;
    let (directory, state) = read(session).await?;
    let now = session.clock.now();
    let older = SignedDuration::try_from(args.older_than).unwrap_or(SignedDuration::MAX);
    let before = now.checked_sub(older).unwrap_or(Timestamp::MIN);
    let ours: std::collections::BTreeSet<Uuid> =
        store.ledger()?.values().filter_map(|record| record.old_computer).collect();
    let (mut due, unrecorded) = due(state.computers, before, &ours);
    let limit = usize::try_from(args.limit).unwrap_or(usize::MAX);
    let left = due.len().saturating_sub(limit);
    due.truncate(limit);
    let rows = due.iter().map(|one| SweepRow::planned(&one.computer)).collect();
    let mut view = SweepView { before, rows, left, unrecorded };
    if due.is_empty() {
        answer(settings, &DirectoryView::sweep(session.domain(), view))?;
        return Ok(Exit::OK);
    }
    if !args.yes {
        if !ui.interactive || ui.json() {
            answer(settings, &DirectoryView::sweep(session.domain(), view))?;
            let problem = Problem::new("cli.not-confirmed", "nobody is there to confirm this, and nothing was deleted")
                .next("look at the list, then add `--yes`");
            return Err(Failure::Exit(Box::new(problem), Exit::DECLINED));
        }
        ui.note(&DirectoryView::sweep(session.domain(), view.clone()).text());
        let question = format!("Delete {} for good? Only `yes` does it:", count(due.len(), "computer object"));
        if !ui.confirm(&question)? {
            ui.note("Nothing was done.");
            return Ok(Exit::DECLINED);
        }
    }
    let mut failed = false;
    for (one, row) in due.iter().zip(&mut view.rows) {
        let outcome = delete(directory, &store, session, one).await;
        failed |= outcome.is_err();
        row.done(outcome);
    }
    answer(settings, &DirectoryView::sweep(session.domain(), view))?;
    Ok(if failed { Exit::ERROR } else { Exit::OK })
}

/// Returns what may be deleted, the oldest first, and the names of what says that it is ours and isn't in our records.
fn due(
    computers: Vec<AdComputer>,
    before: Timestamp,
    ours: &std::collections::BTreeSet<Uuid>,
) -> (Vec<Swept>, Vec<String>) {
    let marked = computers.into_iter().filter(|computer| !computer.enabled);
    let marked = marked.filter_map(|computer| computer.retired().map(|mark| Swept { computer, mark }));
    // A day that isn't over yet counts as a whole one: the mark has no hour.
    let old = |one: &Swept| day_after(one.mark.on).is_some_and(|end| end <= before);
    let (mut due, others): (Vec<Swept>, Vec<Swept>) =
        marked.filter(old).partition(|one| ours.contains(&one.computer.guid));
    due.sort_by_key(|one| (one.mark.on, one.computer.guid));
    (due, others.into_iter().map(|one| one.computer.name).collect())
}

fn day_after(on: Timestamp) -> Option<Timestamp> {
    on.checked_add(SignedDuration::from_hours(24)).ok()
}

/// Tells the list of what was decided and done first, then deletes.
async fn delete(
    directory: &dyn Directory,
    store: &SqliteStore,
    session: &DirectorySession,
    one: &Swept,
) -> Result<(), Problem> {
    let fact = Fact::ComputerDeleted(ComputerDeleted {
        guid: one.computer.guid,
        name: one.computer.name.clone(),
        domain: session.domain().to_owned(),
        run: one.mark.run,
        disabled_on: one.mark.on,
    });
    store.add_audit(&[Note { at: session.clock.now(), actor: actor(), fact }])?;
    let retirement = Retirement { mark: one.mark, left: day_after(one.mark.on), only_marked: true };
    directory.delete(one.computer.guid, &retirement).await
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Catches a sweep that takes what is too young, enabled again, not ours, or not in our records.
    #[test]
    fn what_is_due() {
        let at = |text: &str| text.parse::<Timestamp>().expect("a moment");
        let mark =
            |day: &str| RetiredMark { run: crate::model::RunId(Uuid::nil()), on: at(&format!("{day}T00:00:00Z")) };
        let computer = |number: u128, enabled: bool, words: Option<String>| AdComputer {
            enabled,
            description: words,
            ..AdComputer::new(
                Uuid::from_u128(number),
                "S-1-5-21-1-2-3-4".parse().expect("a SID"),
                format!("PC-{number}"),
                "CN=x",
            )
        };
        let all = vec![
            computer(1, false, Some(mark("2026-11-20").write(None))),
            computer(2, false, Some(mark("2026-11-10").write(Some("Reception")))),
            computer(3, false, Some(mark("2026-11-26").write(None))),
            computer(4, true, Some(mark("2026-11-10").write(None))),
            computer(5, false, Some("Disabled by Jane".to_owned())),
            computer(6, false, None),
            computer(7, false, Some(mark("2026-11-01").write(None))),
        ];
        let ours = (1..=6).map(Uuid::from_u128).collect();
        let (due, unrecorded) = due(all, at("2026-11-26T18:00:00Z"), &ours);
        assert_eq!(due.iter().map(|one| one.computer.name.as_str()).collect::<Vec<_>>(), ["PC-2", "PC-1"]);
        assert_eq!(unrecorded, ["PC-7"]);
    }
}
