//! Policy: rules say all that they need, and enough people can approve.

use std::collections::BTreeSet;

use super::super::KeyRole;
use super::super::file::RuleFile;
use super::super::resolve::Review;
use super::super::words::{RuleName, Word};
use crate::diag::{Code, Diagnostic};
use crate::model::OwnerRole;

pub(in crate::plan) fn policy(review: &mut Review<'_>) {
    for rule in &review.file.policy.rules {
        settings(review, rule);
    }
    approvers(review);
}

/// What a rule is set by.
fn wanted(rule: RuleName) -> &'static [&'static str] {
    match rule {
        RuleName::MaxDevicesPerNight | RuleName::MaxWavePercent | RuleName::MaxExceptions => &["limit"],
        RuleName::NoIrreversibleOn => &["days"],
        RuleName::NoPermission => &["permissions"],
        RuleName::NoUnknown | RuleName::TicketRequired => &[],
    }
}

fn settings(review: &mut Review<'_>, rule: &RuleFile) {
    let Some(name) = &rule.rule else { return };
    let given = [
        ("limit", rule.limit.as_ref().map(|limit| limit.span)),
        ("days", rule.days.first().map(|day| day.span)),
        ("permissions", rule.permissions.first().map(|permission| permission.span)),
    ];
    let word = name.value.word();
    for (key, span) in given {
        let needs = wanted(name.value).contains(&key);
        match span {
            None if needs => {
                let found = Diagnostic::error(Code::POLICY_RULE, format!("the rule `{word}` has no `{key}`"));
                review.report(found.at(name.span, "this rule needs it").help(format!("add `{key}` to the rule")));
            }
            Some(span) if !needs => {
                let found = Diagnostic::error(Code::POLICY_RULE, format!("the rule `{word}` takes no `{key}`"));
                review.report(found.at(span, "means nothing here").help(format!("take `{key}` away")));
            }
            _ => {}
        }
    }
    if name.value == RuleName::MaxWavePercent
        && let Some(limit) = rule.limit.as_ref().filter(|limit| limit.value > 100)
    {
        let found = Diagnostic::error(Code::POLICY_RULE, format!("the rule `{word}` allows {} percent", limit.value));
        review.report(found.at(limit.span, "more than all").help("write a number up to 100"));
    }
}

/// Warns where fewer people than are required have a key that may approve: no sealed plan could ever be applied.
fn approvers(review: &mut Review<'_>) {
    let policy = &review.file.policy;
    let Some(approvals) = &policy.approvals else { return };
    let Some(required) = &approvals.required else { return };
    if review.parsed.incomplete {
        return;
    }
    let today = review.as_of.to_zoned(review.zone.clone()).date();
    let may = |role: OwnerRole| approvals.from.is_empty() || approvals.from.iter().any(|from| from.value == role);
    let people: BTreeSet<&str> = policy
        .keys
        .iter()
        .filter(|key| key.revoked.as_ref().is_none_or(|revoked| !revoked.value))
        .filter(|key| key.until.as_ref().is_none_or(|until| until.value >= today))
        .filter(|key| matches!(key.role.as_ref().map(|role| role.value), Some(KeyRole::Approver(role)) if may(role)))
        .filter_map(|key| key.name.as_ref().map(|name| name.value.as_str()))
        .collect();
    let people = u32::try_from(people.len()).unwrap_or(u32::MAX);
    if people < required.value {
        let message = format!("{} approvals are required, and the keys of {people} people count", required.value);
        let found = Diagnostic::warning(Code::NOBODY_APPROVES, message).at(required.span, "required here");
        review.report(found.help(
            "make a key with `opsole keys new FILE` and list its public half under `policy.keys`, one for each approver",
        ));
    }
}
