//! The change record of a run, from what is stored.

use super::replay;
use crate::audit::{Link, Origin};
use crate::model::Problem;
use crate::port::{Result, RunRow, RunState, Store};
use crate::record::{Input, Report, report};
use crate::run::Entry;

/// Makes the record of a run.
///
/// # Errors
/// `store.*`; `run.*` where plan or journal are damaged.
pub fn record_of(store: &dyn Store, row: &RunRow) -> Result<Report> {
    let damaged = |what: &str, why: String| {
        Problem::new("run.journal-damaged", format!("{what} of run {} can't be read", row.run))
            .next("restore `.opsole/` from a backup; `opsole audit verify` says what was changed")
            .detail(why)
    };
    let machine = replay(store, row)?;
    let entries = store.journal(row.run)?.into_iter().map(|entry| Entry::parse(entry.seq, entry.at, &entry.body));
    let entries =
        entries.collect::<std::result::Result<Vec<_>, _>>().map_err(|e| damaged("the journal", e.to_string()))?;
    let origin = row.origin.as_deref().map(Origin::parse).transpose();
    let origin = origin.map_err(|why| damaged("what was stored with the beginning", why))?;
    let told: Vec<_> =
        store.audit()?.iter().filter_map(Link::entry).filter(|entry| entry.fact.run() == Some(row.run)).collect();
    Ok(report(&Input {
        machine: &machine,
        entries: &entries,
        ended: row.state == RunState::Ended,
        origin: origin.as_ref(),
        evidence: &store.evidence()?,
        told: &told,
        head: store.audit_head()?,
    }))
}
