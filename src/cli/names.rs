//! Names that people type: found without case, by an unambiguous beginning, or answered with the nearest.

use super::command::plan::did_you_mean;
use crate::model::{Op, Problem};

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

/// Finds an operation among some; `device.` and other scopes may be left out.
///
/// # Errors
/// `cli.unknown-operation`, with the nearest name or those that begin so.
pub fn operation(wanted: &str, among: &[Op]) -> Result<Op, Problem> {
    let lower = wanted.trim().to_lowercase();
    let short = |op: &Op| op.name().split_once('.').map_or(op.name(), |(_, name)| name);
    if let Some(op) = among.iter().find(|op| op.name() == lower || short(op) == lower) {
        return Ok(*op);
    }
    let begins: Vec<Op> = among
        .iter()
        .copied()
        .filter(|op| !lower.is_empty() && (op.name().starts_with(&lower) || short(op).starts_with(&lower)))
        .collect();
    if let [op] = begins.as_slice() {
        return Ok(*op);
    }
    let next = if begins.is_empty() {
        let names: Vec<&str> = among.iter().flat_map(|op| [op.name(), short(op)]).collect();
        format!("{}`opsole explain --list operations` has all", did_you_mean(&lower, &names))
    } else {
        several(&begins.iter().map(|op| op.name()).collect::<Vec<_>>())
    };
    Err(Problem::new("cli.unknown-operation", format!("there is no operation {lower} on this device")).next(next))
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
        let ops = [Op::Preflight, Op::VerifyJoin, Op::VerifyLaps, Op::SwapProfile];
        assert_eq!(operation("swap", &ops), Ok(Op::SwapProfile));
        assert_eq!(operation("device.verify-join", &ops), Ok(Op::VerifyJoin));
        assert!(operation("verify", &ops).unwrap_err().next.is_some_and(|next| next.contains("device.verify-laps")));
        assert!(operation("swap-profil3", &ops).unwrap_err().next.is_some_and(|next| next.contains("swap-profile")));
    }
}
