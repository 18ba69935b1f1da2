//! What can be explained: a check, an operation, a permission, a diagnostic, a foreign code, a problem of the tool.

use super::{ForeignCode, OwnProblem, foreign_codes, problems};
use crate::dag;
use crate::diag::{ALL_CODES, Code};
use crate::model::{Check, Op, Permission};
use crate::readiness;

/// Kinds of topics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Readiness checks.
    Checks,
    /// Operations.
    Operations,
    /// Application permissions.
    Permissions,
    /// Diagnostics of plan files.
    Diagnostics,
    /// Codes of Windows, Entra, Intune and Autopilot.
    Codes,
    /// Problems that the tool reports.
    Problems,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 6] =
        [Self::Checks, Self::Operations, Self::Permissions, Self::Diagnostics, Self::Codes, Self::Problems];

    /// Returns the name, in the plural.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Checks => "checks",
            Self::Operations => "operations",
            Self::Permissions => "permissions",
            Self::Diagnostics => "diagnostics",
            Self::Codes => "codes",
            Self::Problems => "problems",
        }
    }

    /// Returns what they are.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Checks => "readiness checks",
            Self::Operations => "operations of a plan",
            Self::Permissions => "application permissions of Microsoft Graph",
            Self::Diagnostics => "diagnostics of plan files",
            Self::Codes => "codes of Windows, Entra, Intune and Autopilot",
            Self::Problems => "problems that opsole reports",
        }
    }

    /// Returns its topics, in the order of their table.
    #[must_use]
    pub fn topics(self) -> Vec<Topic> {
        match self {
            Self::Checks => Check::ALL.iter().copied().map(Topic::Check).collect(),
            Self::Operations => Op::ALL.iter().copied().map(Topic::Operation).collect(),
            Self::Permissions => Permission::ALL.iter().copied().map(Topic::Permission).collect(),
            Self::Diagnostics => ALL_CODES.iter().copied().map(Topic::Diagnostic).collect(),
            Self::Codes => foreign_codes().map(Topic::Foreign).collect(),
            Self::Problems => problems().map(Topic::Problem).collect(),
        }
    }
}

/// One thing that can be explained.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Topic {
    /// A readiness check.
    Check(Check),
    /// An operation.
    Operation(Op),
    /// A permission.
    Permission(Permission),
    /// A diagnostic of a plan file.
    Diagnostic(&'static Code),
    /// A code of another program.
    Foreign(&'static ForeignCode),
    /// A problem of the tool.
    Problem(&'static OwnProblem),
}

impl Topic {
    /// Returns every topic.
    pub fn all() -> impl Iterator<Item = Self> {
        Kind::ALL.into_iter().flat_map(Kind::topics)
    }

    /// Returns its kind.
    #[must_use]
    pub fn kind(self) -> Kind {
        match self {
            Self::Check(_) => Kind::Checks,
            Self::Operation(_) => Kind::Operations,
            Self::Permission(_) => Kind::Permissions,
            Self::Diagnostic(_) => Kind::Diagnostics,
            Self::Foreign(_) => Kind::Codes,
            Self::Problem(_) => Kind::Problems,
        }
    }

    /// Returns its id, as it is mostly written.
    #[must_use]
    pub fn id(self) -> &'static str {
        match self {
            Self::Check(check) => check.id(),
            Self::Operation(op) => op.name(),
            Self::Permission(permission) => permission.as_str(),
            Self::Diagnostic(code) => code.id,
            Self::Foreign(code) => code.code,
            Self::Problem(problem) => problem.code,
        }
    }

    /// Returns what it is, in a few words.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Check(check) => readiness::spec(check).title,
            Self::Operation(op) => dag::spec(op).action,
            Self::Permission(permission) => super::permission::lets(permission),
            Self::Diagnostic(code) => code.title,
            Self::Foreign(code) => code.title,
            Self::Problem(problem) => problem.means,
        }
    }

    /// Returns the foreign code that it is.
    #[must_use]
    pub fn foreign(self) -> Option<&'static ForeignCode> {
        if let Self::Foreign(code) = self { Some(code) } else { None }
    }

    /// Returns its page below `docs/`. Names are lower case, so that no two differ only in case.
    #[must_use]
    pub fn file(self) -> String {
        let name = self.id().to_lowercase().replace(' ', "-");
        match self.kind() {
            Kind::Diagnostics => format!("codes/{}.md", self.id()),
            // They share one page: a problem says itself what to do next.
            Kind::Problems => "explain/problems.md".to_owned(),
            kind => format!("explain/{}/{name}.md", kind.as_str()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Catches two topics with one id or one page: only one of them could be asked for.
    #[test]
    fn ids_and_pages_are_their_own() {
        let (mut ids, mut files) = (BTreeSet::new(), BTreeSet::new());
        for topic in Topic::all() {
            assert!(ids.insert(topic.id().to_lowercase()), "{} stands twice", topic.id());
            assert!(!topic.title().is_empty(), "{}", topic.id());
            let file = topic.file();
            let safe = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '-' | '.');
            assert!(file.chars().all(safe), "{file}");
            if topic.kind() != Kind::Problems {
                assert!(files.insert(file.to_lowercase()), "{file} stands twice");
            }
        }
        assert!(ids.len() > 300, "{}", ids.len());
    }
}
