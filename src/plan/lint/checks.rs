//! Checks that attestations and exclusions speak of: there is such a check, and it can be answered this way.

use super::super::file::ExclusionOf;
use super::super::resolve::Review;
use super::super::words::{near, quoted};
use crate::diag::{Code, Diagnostic, Spanned};
use crate::model::Check;

/// Attested by name beside the checks: `gate.<wave>` signs a gate off, `recovery.<device>` says that a person saved it.
const GATE: &str = "gate.";
const RECOVERY: &str = "recovery.";

pub(in crate::plan) fn checks(review: &mut Review<'_>) {
    let file = review.file;
    for check in file.attestations.iter().filter_map(|attestation| attestation.check.as_ref()) {
        if check.value.starts_with(RECOVERY) {
            continue;
        }
        if let Some(wave) = check.value.strip_prefix(GATE) {
            gate(review, check, wave);
            continue;
        }
        let Ok(known) = check.value.parse::<Check>() else {
            unknown(review, check, "an attestation");
            continue;
        };
        if !known.attestable() {
            let message = format!("{} is measured", quoted(&check.value));
            let found = Diagnostic::warning(Code::CHECK_ANSWER, message).at(check.span, "attested here");
            let help =
                "the attestation counts only while it can't be measured; an exclusion with an end covers a failure";
            review.report(found.help(help));
        }
    }
    for exclusion in &file.exclusions {
        let Some(ExclusionOf::Check(check)) = &exclusion.of else { continue };
        let Ok(known) = check.value.parse::<Check>() else {
            unknown(review, check, "an exclusion");
            continue;
        };
        if !known.exceptable() {
            let message = format!("no exclusion can cover {}", quoted(&check.value));
            let found = Diagnostic::error(Code::CHECK_ANSWER, message).at(check.span, "this check");
            let help = "nobody can answer for it: without it a device is lost, or the wrong thing is moved; mend what it \
                        finds, or exclude the device";
            review.report(found.help(help));
        }
    }
}

fn gate(review: &mut Review<'_>, check: &Spanned<String>, wave: &str) {
    // Waves of an included file that couldn't be read aren't known.
    if review.parsed.incomplete {
        return;
    }
    let waves = review.file.waves.iter().filter_map(|wave| wave.name.as_ref()).map(|name| name.value.as_str());
    if waves.clone().any(|name| name.eq_ignore_ascii_case(wave)) {
        return;
    }
    let label = near(wave, waves)
        .map_or_else(|| "no wave has this name".to_owned(), |near| format!("did you mean `{GATE}{near}`?"));
    let message = format!("{} signs off the gate of a wave that isn't defined", quoted(&check.value));
    let found = Diagnostic::error(Code::UNKNOWN_NAME, message).at(check.span, label);
    review.report(found.help("write `gate.` and the name of a wave of the plan"));
}

fn unknown(review: &mut Review<'_>, check: &Spanned<String>, user: &str) {
    let label = near(&check.value, Check::ALL.iter().map(|check| check.id()))
        .map_or_else(|| "no check has this name".to_owned(), |near| format!("did you mean `{near}`?"));
    let message = format!("{user} names the check {}, which doesn't exist", quoted(&check.value));
    let found = Diagnostic::error(Code::UNKNOWN_NAME, message).at(check.span, label);
    review.report(found.help("write the id of a check as the reports show it, or `gate.` and the name of a wave"));
}
