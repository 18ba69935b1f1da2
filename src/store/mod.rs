//! The controller's store: SQLite in `.opsole/state.db`, a fake in memory, and the lock of `apply`.

mod chain;
#[cfg(test)]
mod conformance;
mod controller_key;
pub mod keys;
mod lock;
mod memory;
mod operators;
mod packages;
mod sqlite;
mod tls;
mod vault;

pub use chain::read_head;
pub use controller_key::{controller_key, rotate_controller_key};
pub use lock::{ApplyLock, Holder};
pub use memory::MemoryStore;
pub use packages::{FilePackages, PackageFile};
pub use sqlite::SqliteStore;
pub use tls::TlsFolder;
pub use vault::{FileVault, VAULT_FILE};

use crate::model::{Problem, RunId};

/// Somebody else wrote to the journal of the run.
fn journal_moved(run: RunId, expected: u64, first: u64) -> Problem {
    Problem::new(
        "store.journal-moved",
        format!("the journal of run {run} goes on at entry {expected}, not at {first}: another process wrote to it"),
    )
    .next("see that only one `opsole apply` runs on this folder, then `opsole apply --resume`")
}

fn run_unknown(run: RunId) -> Problem {
    Problem::new("store.run-unknown", format!("run {run} isn't in the store")).next("`opsole status` lists the runs")
}

fn run_exists(run: RunId) -> Problem {
    Problem::new("store.run-exists", format!("run {run} is in the store already"))
        .next("continue it with `opsole apply --resume`")
}

fn journal_gap(run: RunId, expected: u64) -> Problem {
    Problem::new("store.journal-gap", format!("entry {expected} is missing in the journal of run {run}"))
        .next("restore `.opsole/` from a backup; don't go on with this run")
}
