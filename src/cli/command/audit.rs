//! `opsole audit`: the list of what was decided and done, and whether it is whole. Reads the disk alone.

use std::collections::BTreeMap;
use std::path::Path;

use crate::audit::{self, Head, HeadFile, Link, StoredRun};
use crate::cli::args::{AuditListArgs, AuditVerifyArgs};
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::named_run;
use crate::cli::settings::Settings;
use crate::model::{Digest, Problem, RunId};
use crate::port::Store as _;
use crate::render::audit::{AuditList, AuditVerdict, GivenHead};
use crate::store::{SqliteStore, read_head};

/// Shows the list, or what of it is about one run.
///
/// # Errors
/// `store.*`; `cli.unknown-run`, `cli.many-runs`.
pub fn list(settings: &Settings, args: &AuditListArgs) -> Result<Exit, Failure> {
    let ui = &settings.ui;
    let (list, run) = match open(&settings.state()?)? {
        Some(store) => {
            let run = match &args.run {
                Some(wanted) => Some(named_run::find(&store.runs()?, wanted)?.run),
                None => None,
            };
            (store.audit()?, run)
        }
        None => (Vec::new(), None),
    };
    let head = list.last().and_then(|link| link.head().ok()).unwrap_or_else(Head::start);
    let view = AuditList::new(&list, head, run);
    if ui.json() {
        ui.answer_json(&view)?
    } else {
        ui.answer(&view.text())?
    }
    Ok(Exit::OK)
}

/// Follows the list from its first entry to its last, and holds it against the file beside it, the runs, and a head that
/// somebody noted down.
///
/// # Errors
/// `store.*`, `audit.head`.
pub fn verify(settings: &Settings, args: &AuditVerifyArgs) -> Result<Exit, Failure> {
    let ui = &settings.ui;
    let state = settings.state()?;
    // Before the list: the file is never ahead of it, also while another process writes both.
    let file = read_head(&state)?;
    let (links, runs) = match open(&state)? {
        Some(store) => store.at_one_moment(|store| Ok((store.audit()?, stored(store)?)))?,
        None => (Vec::new(), BTreeMap::new()),
    };
    let entries: Vec<audit::Entry> = links.iter().filter_map(Link::entry).collect();
    let given = args.head.map(|hash| GivenHead { hash, found: given(&links, hash) });
    let view = AuditVerdict::new(
        audit::verify(&links),
        audit::verify_head(&links, file),
        given,
        audit::verify_runs(&entries, &runs),
    );
    if ui.json() {
        ui.answer_json(&view)?
    } else {
        ui.answer(&view.text())?
    }
    Ok(if view.whole { Exit::OK } else { Exit::BROKEN })
}

fn given(links: &[Link], hash: Digest) -> Option<audit::HeadState> {
    audit::find_head(links, hash).map(|head| audit::verify_head(links, HeadFile::Says(head)))
}

fn open(state: &Path) -> Result<Option<SqliteStore>, Problem> {
    if state.join("state.db").exists() { SqliteStore::open(state).map(Some) } else { Ok(None) }
}

/// Returns the runs as they are stored.
fn stored(store: &SqliteStore) -> Result<BTreeMap<RunId, StoredRun>, Problem> {
    let rows = store.runs()?;
    Ok(rows
        .into_iter()
        .map(|row| {
            let journal = store.journal(row.run);
            let run = StoredRun {
                created: row.created,
                run_plan: Digest::of(&row.plan),
                origin: row.origin.map(|text| Digest::of(text.as_bytes())),
                journal: journal
                    .map(|entries| entries.into_iter().map(|entry| (entry.at, entry.body)).collect())
                    .map_err(|problem| problem.message),
            };
            (row.run, run)
        })
        .collect())
}
