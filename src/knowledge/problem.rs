//! The tool's own problem codes: what each means and what to do. A test holds the tables to what `src/` reports.

use super::{
    find, problems_cloud, problems_device, problems_directory, problems_operators, problems_own, problems_sealed,
    problems_transport, problems_windows,
};

/// A code that `opsole` itself reports, in a problem or as what blocks a device.
#[derive(Debug, PartialEq, Eq)]
pub struct OwnProblem {
    /// The code, such as `graph.forbidden`.
    pub code: &'static str,
    /// What it means.
    pub means: &'static str,
    /// What to do. The problem itself says more: it knows the object.
    pub then: &'static str,
}

pub(super) const fn row(code: &'static str, means: &'static str, then: &'static str) -> OwnProblem {
    OwnProblem { code, means, then }
}

/// Returns every problem code, by family as the tables have them.
pub fn problems() -> impl Iterator<Item = &'static OwnProblem> {
    [
        problems_own::TABLE,
        problems_sealed::TABLE,
        problems_operators::TABLE,
        problems_cloud::TABLE,
        problems_directory::TABLE,
        problems_device::TABLE,
        problems_transport::TABLE,
        problems_windows::TABLE,
    ]
    .into_iter()
    .flatten()
}

/// Returns the problem with a code.
#[must_use]
pub fn problem(code: &str) -> Option<&'static OwnProblem> {
    find::exact(code).into_iter().find_map(|topic| match topic {
        super::Topic::Problem(problem) => Some(problem),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Catches a row that says nothing, one that is no code, and a family that is torn apart.
    #[test]
    fn rows_are_whole() {
        let mut families: Vec<&str> = Vec::new();
        for row in problems() {
            let (family, rest) = row.code.split_once('.').expect("a family and a name");
            assert!(rest.bytes().all(|b| b.is_ascii_lowercase() || b == b'-'), "{}", row.code);
            if families.last() != Some(&family) {
                assert!(!families.contains(&family), "{family} stands in two places");
                families.push(family);
            }
            for text in [row.means, row.then] {
                assert!(text.len() > 5 && !text.ends_with('.') && text.trim() == text, "{}: {text:?}", row.code);
            }
            assert_eq!(problem(row.code), Some(row));
        }
    }
}
