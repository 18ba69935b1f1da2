//! Finds the run that somebody means.

use crate::model::Problem;
use crate::port::RunRow;
use crate::render::run::short;

/// Runs that are named where several fit.
const SHOWN_MAX: usize = 5;

/// Finds a run by the beginning of its id, or the newest as `last`. Runs come newest first.
///
/// # Errors
/// `cli.unknown-run`, `cli.many-runs`.
pub fn find<'r>(runs: &'r [RunRow], wanted: &str) -> Result<&'r RunRow, Problem> {
    let unknown = || {
        Problem::new("cli.unknown-run", format!("there is no run `{wanted}`")).next("`opsole status` lists the runs")
    };
    if wanted == "last" {
        return runs.first().ok_or_else(unknown);
    }
    let fits = |row: &&RunRow| !wanted.is_empty() && row.run.to_string().starts_with(&wanted.to_lowercase());
    let found: Vec<&RunRow> = runs.iter().filter(fits).collect();
    match found[..] {
        [] => Err(unknown()),
        [one] => Ok(one),
        _ => {
            let names: Vec<String> = found.iter().take(SHOWN_MAX).map(|row| short(row.run)).collect();
            Err(Problem::new("cli.many-runs", format!("{} runs begin with `{wanted}`", found.len()))
                .next(format!("name more of the id; among them are {}", names.join(", "))))
        }
    }
}
