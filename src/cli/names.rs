//! Names that people type: found without case, by an unambiguous beginning, or answered with the nearest.

use super::command::plan::did_you_mean;
use crate::model::Problem;

/// Longest list of names that a beginning may stand for and that is told.
const SHOWN: usize = 5;

/// Finds a device among names that stand in order; returns its position.
///
/// # Errors
/// `cli.unknown-device`, with the nearest name or those that begin so. `holder` is who knows no such device, such as
/// `the plan knows`.
pub fn device<'n>(wanted: &str, names: impl Iterator<Item = &'n str> + Clone, holder: &str) -> Result<usize, Problem> {
    let upper = wanted.trim().to_uppercase();
    if let Some(at) = names.clone().position(|name| name == upper) {
        return Ok(at);
    }
    let begins: Vec<(usize, &str)> =
        names.clone().enumerate().filter(|(_, name)| !upper.is_empty() && name.starts_with(&upper)).collect();
    if let [(at, _)] = begins.as_slice() {
        return Ok(*at);
    }
    let next = if begins.is_empty() {
        format!(
            "{}look at the inventory or the selector under `devices` in the plan",
            did_you_mean(&upper, &names.collect::<Vec<_>>())
        )
    } else {
        several(&begins.iter().map(|(_, name)| *name).collect::<Vec<_>>())
    };
    Err(Problem::new("cli.unknown-device", format!("{holder} no device {upper}")).next(next))
}

fn several(names: &[&str]) -> String {
    let more = names.len().saturating_sub(SHOWN);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{more} begin so: name one of them", names[..names.len().min(SHOWN)].join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Catches a beginning that stands for several and is taken for one, and an exact name that is held for a beginning.
    #[test]
    fn names_are_found_or_answered() {
        let names = ["LON-IT-001", "LON-IT-0011", "LON-IT-002", "PAR-001"];
        let find = |name: &str| device(name, names.iter().copied(), "the plan knows");
        assert_eq!(find("lon-it-001"), Ok(0));
        assert_eq!(find("par"), Ok(3));
        assert!(find("LON").unwrap_err().next.is_some_and(|next| next.contains("LON-IT-001, LON-IT-0011")));
        assert!(find("PAR-01").unwrap_err().next.is_some_and(|next| next.contains("did you mean `PAR-001`")));
        assert!(find("").is_err());
    }
}
