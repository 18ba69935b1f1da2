//! Who signed, who still has to: as far as the file alone can tell.
//!
//! Whether a key counts is the plan's word at the time of applying; see [`crate::sealed::hold`].

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::Shown;
use crate::render::when::Zone;
use crate::sealed::{Statement, StatementKind};

/// One signed line.
#[derive(Debug, Clone, Serialize)]
pub(super) struct SignedLine {
    /// `sealed`, `approved`, `taken back`, `sent back`.
    pub(super) what: &'static str,
    /// Name that the signer gave.
    pub(super) by: String,
    /// Role; empty for the seal.
    pub(super) role: &'static str,
    /// When, in the plan's zone.
    pub(super) at: String,
    /// First signs of the key.
    pub(super) key: String,
    /// Ticket.
    pub(super) ticket: String,
    /// Reason or remark.
    pub(super) note: String,
    /// Why an approval doesn't count by the file alone; empty where it does, or isn't one.
    pub(super) not_counted: &'static str,
}

/// Where approvals stand.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Signed {
    /// How many are needed.
    pub(super) required: usize,
    /// How many the file holds that can count.
    pub(super) given: usize,
    /// How many are missing.
    pub(super) missing: usize,
    /// Somebody sent it back: it can't be applied any more.
    pub(super) sent_back: bool,
    /// Roles that may approve, with who they are; empty is every role.
    pub(super) roles: Vec<(String, String)>,
    /// Signed lines in the order of the file.
    pub(super) lines: Vec<SignedLine>,
    /// In one sentence.
    pub(super) words: String,
}

/// Reads the statements.
pub(super) fn signed(shown: &Shown<'_>, zone: &Zone) -> Signed {
    let body = shown.body;
    let mut people: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    let mut lines = Vec::new();
    for statement in shown.statements {
        let not_counted = why_not(shown, statement);
        if statement.kind == StatementKind::Approval && not_counted.is_empty() {
            people.entry(statement.by.as_str()).or_default().insert(statement.key.to_string());
        }
        lines.push(SignedLine {
            what: match statement.kind {
                StatementKind::Seal => "sealed",
                StatementKind::Approval => "approved",
                StatementKind::Revocation => "taken back",
                StatementKind::Rejection => "sent back",
            },
            by: statement.by.clone(),
            role: statement.role.map_or("", |role| role.as_str()),
            at: zone.moment(statement.at),
            key: statement.key.short(),
            ticket: statement.ticket.clone().unwrap_or_default(),
            note: statement.note.clone().unwrap_or_default(),
            not_counted,
        });
    }
    // One person with two keys, and one key under two names, are one approver.
    let mut keys = BTreeSet::new();
    let mut given = 0;
    for own in people.into_values() {
        let before = keys.len();
        keys.extend(own);
        given += usize::from(keys.len() > before);
    }
    let required = usize::try_from(body.approvals_required).unwrap_or(usize::MAX);
    let sent_back = shown.statements.iter().any(|one| one.kind == StatementKind::Rejection);
    let missing = required.saturating_sub(given);
    let roles: Vec<(String, String)> = body
        .approvals_from
        .iter()
        .map(|role| (role.as_str().to_owned(), body.owners.get(role).cloned().unwrap_or_default()))
        .collect();
    let may: Vec<&str> = roles.iter().map(|(role, _)| role.as_str()).collect();
    let may = if may.is_empty() { "any role".to_owned() } else { may.join(", ") };
    let words = match (shown.digest, sent_back) {
        (None, _) if required == 0 => "not sealed; no approval is needed".to_owned(),
        (None, _) => format!("not sealed, so nobody can sign it; {required} of {may} will be needed"),
        (Some(_), true) => "sent back: it can't be applied any more".to_owned(),
        (Some(_), false) if required == 0 => "none is needed".to_owned(),
        (Some(_), false) if missing == 0 => format!("{given} of {required} given"),
        (Some(_), false) => format!("{given} of {required} given; {missing} of {may} missing"),
    };
    Signed { required, given, missing, sent_back, roles, lines, words }
}

/// Says why an approval doesn't count; empty where the file knows no reason.
fn why_not(shown: &Shown<'_>, statement: &Statement) -> &'static str {
    if statement.kind != StatementKind::Approval {
        return "";
    }
    let from = &shown.body.approvals_from;
    let is_asked = |role| from.is_empty() || from.contains(&role);
    if !statement.role.is_some_and(is_asked) {
        return "its role may not approve";
    }
    if shown.statements.first().is_some_and(|seal| seal.key == statement.key) {
        return "the same key sealed it";
    }
    let later = |other: &&Statement| {
        other.key == statement.key
            && other.at >= statement.at
            && matches!(other.kind, StatementKind::Revocation | StatementKind::Rejection)
    };
    if shown.statements.iter().any(|other| later(&other)) { "taken back" } else { "" }
}
