//! The reasons of a device for the terminal: from where it comes to what it takes.

use super::{CheckWhy, Step, Why};
use crate::diff::Action;
use crate::model::Op;
use crate::render::page::{Page, Paint, Shape};
use crate::render::words::brief;

/// Checks of one operation that are told where all operations are.
const CHECKS_SHOWN: usize = 3;

/// How reasons are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WhyOptions {
    /// Columns; text is wrapped at it. At least 40 are used.
    pub width: usize,
    /// ANSI colours.
    pub color: bool,
    /// Only ASCII characters.
    pub ascii: bool,
    /// One operation was asked for: everything about it is told.
    pub whole: bool,
}

/// Returns the reasons as text that ends with a line break.
#[must_use]
pub fn why_text(why: &Why, options: &WhyOptions) -> String {
    let mut page = Page::new(Shape { width: options.width, color: options.color, ascii: options.ascii });
    page.wrapped("", 0, &format!("{}: {}", why.device, why.standing), Paint::Bold);
    why.because.iter().for_each(|line| page.line(2, line));
    if let Some(wave) = &why.wave {
        page.title(&format!("Wave {}", wave.name));
        page.line(2, &wave.selected_by);
        if wave.gate.is_empty() {
            page.line(2, "gate: nothing is missing");
        }
        wave.gate.iter().for_each(|line| page.line(2, &format!("gate: {line}")));
        page.line(2, &format!("window: {}", wave.window));
        page.line(2, &format!("package: {}", wave.package));
    } else if why.standing == "no-wave" {
        page.title("Wave");
        page.line(2, "no wave selects it, so no run takes it");
    }
    if let Some(exclusion) = &why.exclusion {
        page.title(&format!("Excluded by {}", exclusion.id));
        page.line(2, &format!("{}; owner {}, until {}", exclusion.reason, exclusion.owner, exclusion.until));
    }
    if let Some(identity) = &why.identity {
        page.title("Identity");
        let arrow = if options.ascii { "->" } else { "→" };
        let old = identity.old_user.as_ref().map(|user| format!(" ({user})")).unwrap_or_default();
        page.line(2, &format!("{}{old} {arrow} {} {arrow} {}", identity.old_sid, identity.user, identity.new_sid));
        page.line(2, &identity.how);
        if let Some(profile) = &identity.profile {
            page.line(2, &format!("profile {profile}"));
        }
    }
    if !why.blockers.is_empty() {
        page.title("What keeps it back");
        for one in &why.blockers {
            let head = format!("  {} ", page.paint(Paint::Red, "x"));
            page.wrapped(&head, 4, &format!("{}: {}", one.code, one.message), Paint::Plain);
            page.line(6, &format!("next ({}): {}", one.owner, one.next));
        }
    }
    page.title(if options.whole { "Operation" } else { "Operations" });
    let mut crossed = false;
    for step in &why.operations {
        if !options.whole && step.phase == "committed" && step.action == Action::Do && !crossed {
            crossed = true;
            page.boundary();
        }
        one(&mut page, step, options);
    }
    if !options.whole && !why.operations.is_empty() {
        page.blank();
        page.line(
            0,
            &format!("`opsole why {} OPERATION` tells more of one, `opsole explain OPERATION` what it is.", why.device),
        );
    }
    page.into_text()
}

fn one(page: &mut Page, step: &Step, options: &WhyOptions) {
    let head = page.operation_head(step.action, step.op);
    page.wrapped(&head, crate::render::page::COLUMN, &format!("{}: {}", brief(step.op), step.because), Paint::Plain);
    let arrow = if options.ascii { "->" } else { "→" };
    if let (Some(before), Some(after)) = (&step.before, &step.after) {
        page.wrapped("        ", 10, &format!("{before} {arrow} {after}"), Paint::Dim);
    }
    let speaks = |check: &&CheckWhy| check.blocks || !matches!(check.outcome.as_str(), "pass" | "attested");
    if !options.whole {
        // What was left out on purpose waits for nothing and is guarded by nothing.
        if step.action == Action::Skip {
            return;
        }
        let loud: Vec<&CheckWhy> = step.checks.iter().filter(speaks).collect();
        loud.iter().take(CHECKS_SHOWN).for_each(|one| check(page, one));
        page.more(8, loud.len().saturating_sub(CHECKS_SHOWN), "check", "");
        return;
    }
    let names = |list: &[Op]| list.iter().map(|op| op.name()).collect::<Vec<_>>().join(", ");
    let none = |text: String| if text.is_empty() { "nothing".to_owned() } else { text };
    page.line(6, &format!("does: {}", step.does));
    page.line(6, &format!("due: {}", step.due));
    page.line(6, &format!("comes after: {}", none(names(&step.waits_for))));
    page.line(6, &format!("has to be done before: {}", none(names(&step.needed_by))));
    page.line(6, &format!("done when: {}", step.done_when));
    page.line(6, &format!("undo: {}", step.undo.as_deref().unwrap_or("nothing puts it back, or nothing is changed")));
    page.line(6, &format!("phase {}, carried out by {}", step.phase, step.place));
    step.checks.iter().for_each(|one| check(page, one));
    for one in &step.permissions {
        let granted = match one.granted {
            Some(true) => "granted",
            Some(false) => "not granted",
            None => "whether it is granted isn't known here",
        };
        let writes = if one.writes { ", writes" } else { "" };
        page.line(6, &format!("permission {} ({}{writes}): {granted}", one.permission, one.tenant));
    }
}

fn check(page: &mut Page, check: &CheckWhy) {
    let (sign, paint) = match check.outcome.as_str() {
        _ if check.blocks => ("x", Paint::Red),
        "pass" | "attested" => ("=", Paint::Dim),
        _ => ("!", Paint::Yellow),
    };
    let head = format!("      {} ", page.paint(paint, sign));
    page.wrapped(&head, 8, &format!("{} {}: {}", check.code, check.outcome, check.seen), Paint::Plain);
}
