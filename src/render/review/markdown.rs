//! One diff as Markdown for a merge request or a ticket.
//!
//! Bounded twice, whatever the fleet's size: each list shows its first few lines and counts the rest, and the page as a
//! whole ends at [`LIMIT`] and says so. GitHub takes 65,536 characters in a comment.

use super::Shown;
use super::fold::{Fold, Group, fold, some, standing_words, standings_words};
use super::risks::Step;
use crate::diff::Action;
use crate::render::escape;
use crate::render::plan_group::reason_text;
use crate::render::when::Zone;
use crate::render::words::count;
use crate::sealed::DeviceLine;

/// Bytes that a page never exceeds.
pub const LIMIT: usize = 50_000;
/// Left for the line that says what was cut.
const ROOM: usize = 300;
/// Rows of one table.
const ROWS_MAX: usize = 15;
/// Signs of one text of data.
const TEXT_MAX: usize = 200;

/// Returns a diff as Markdown.
#[must_use]
pub fn markdown(shown: &Shown<'_>) -> String {
    let zone = Zone::named(&shown.body.plan.zone);
    let fold = fold(shown, &zone);
    let mut page = Sheet::default();
    head(&mut page, shown, &fold, &zone);
    approvals(&mut page, &fold);
    rules(&mut page, &fold);
    groups(&mut page, &fold);
    causes(&mut page, &fold);
    tenant(&mut page, &fold);
    risks(&mut page, &fold);
    findings(&mut page, &fold);
    relies(&mut page, &fold);
    page.into_text()
}

/// Returns one device of a diff as Markdown.
#[must_use]
pub fn markdown_device(shown: &Shown<'_>, device: &DeviceLine) -> String {
    let body = shown.body;
    let mut page = Sheet::default();
    page.line(&format!("# {}: {}", code(&device.name), text(standing_words(&device.standing))));
    page.line("");
    page.line(&format!("Plan {}, wave {}{}.", code(&body.plan.name), code(&body.wave), digest_words(shown)));
    if let Some(user) = &device.user {
        page.line(&format!("\nThe profile goes to {}.", code(user)));
    }
    if let Some(exclusion) = &device.exclusion {
        page.line(&format!("\nExclusion {} covers it.", code(exclusion)));
    }
    if !device.blockers.is_empty() {
        page.table("What keeps it back", "| code | what | next | who acts |");
        for one in &device.blockers {
            let (message, next) = (text(body.text(one.message)), text(body.text(one.next)));
            page.line(&format!("| {} | {message} | {next} | {} |", code(&one.code), one.owner.as_str()));
        }
    }
    page.table("Operations", "| | operation | why | before | after |");
    for change in body.chain(device) {
        let effect = device.effects.iter().find(|effect| effect.0 == change.0);
        let (before, after) =
            effect.map_or_else(Default::default, |one| (text(body.text(one.1)), text(body.text(one.2))));
        let committed = body.operation(change.0).is_some_and(|line| line.phase == "committed");
        let mark = match change.1 {
            Action::Do if committed => "**!**",
            Action::Do => "\\+",
            Action::Nothing => "=",
            Action::Wait => "\\~",
            Action::Skip => "\\-",
            Action::Blocked => "x",
        };
        page.line(&format!("| {mark} | {} | {} | {before} | {after} |", code(change.0.name()), reason_text(change.2)));
    }
    page.line("\n\\+ runs, **!** runs and can't be undone, = is so already, \\~ waits, \\- is left out, x is blocked.");
    page.into_text()
}

fn digest_words(shown: &Shown<'_>) -> String {
    shown.digest.map_or_else(|| ", not sealed".to_owned(), |digest| format!(", digest `{}`", digest.short()))
}

fn head(page: &mut Sheet, shown: &Shown<'_>, fold: &Fold, zone: &Zone) {
    let body = shown.body;
    let scenario = body.plan.scenario.as_str();
    page.line(&format!("# Plan {}, wave {}: {scenario}", code(&body.plan.name), code(&body.wave)));
    if shown.digest.is_none() {
        page.line("\n> **Not sealed.** This shows what would be sealed now. It can't be approved or applied as it is.");
    }
    let blocking = match fold.blocking {
        0 => String::new(),
        1 => ", 1 of them blocks".to_owned(),
        more => format!(", {more} of them block"),
    };
    page.line(&format!(
        "\n**{}. {} would run; {} would pass the point of no return. {}{blocking}.**\n",
        text(&standings_words(fold)),
        count(fold.operations, "operation"),
        count(fold.committed, "device"),
        count(fold.findings, "finding"),
    ));
    page.line("| | |\n|---|---|");
    page.line(&format!("| approvals | {} |", text(&fold.signed.words)));
    if let Some(digest) = shown.digest {
        page.line(&format!("| digest | `{digest}` |"));
        page.line(&format!("| sealed | {} |", zone.day_and_time(body.sealed_at)));
        page.line(&format!("| good until | {} |", zone.day_and_time(body.not_after)));
    }
    page.line(&format!("| observed | {} |", zone.day_and_time(body.as_of)));
    if let Some(wave) = body.waves.iter().find(|wave| wave.name == body.wave) {
        let window = match wave.window {
            Some((from, to)) => format!("{} to {}", zone.day_and_time(from), zone.day_and_time(to)),
            None => "none: any time".to_owned(),
        };
        let hours = wave.hours.as_ref().map(|hours| format!(", {}", text(hours))).unwrap_or_default();
        page.line(&format!("| window | {window}{hours} |"));
        page.line(&format!("| at a time | {} |", count(wave.concurrency as usize, "device")));
        for missing in wave.missing.iter().take(ROWS_MAX) {
            page.line(&format!("| gate lacks | {} |", text(missing)));
        }
    }
    page.line(&format!("| times are of | {} |", text(zone.name())));
}

fn approvals(page: &mut Sheet, fold: &Fold) {
    let signed = &fold.signed;
    if !signed.roles.is_empty() && signed.missing > 0 && !signed.sent_back {
        let roles: Vec<String> = signed
            .roles
            .iter()
            .map(|(role, who)| if who.is_empty() { role.clone() } else { format!("{role} ({})", code(who)) })
            .collect();
        page.line(&format!("\nMay approve: {}.", roles.join(", ")));
    }
    if signed.lines.is_empty() {
        return;
    }
    page.table("Signatures", "| | by | as | when | key | ticket | remark |");
    for line in signed.lines.iter().take(ROWS_MAX) {
        let remark = match (line.not_counted, line.note.is_empty()) {
            ("", _) => text(&line.note),
            (why, true) => format!("doesn't count: {why}"),
            (why, false) => format!("doesn't count: {why}; {}", text(&line.note)),
        };
        page.line(&format!(
            "| {} | {} | {} | {} | `{}` | {} | {remark} |",
            line.what,
            text(&line.by),
            line.role,
            line.at,
            line.key,
            text(&line.ticket)
        ));
    }
    page.more(signed.lines.len(), "signature");
}

fn groups(page: &mut Sheet, fold: &Fold) {
    if fold.groups.is_empty() {
        return;
    }
    page.line("\n## What happens");
    for group in fold.groups.iter().take(ROWS_MAX) {
        let standing = standing_words(&group.standing);
        page.line(&format!("\n### {}, {}\n", count(group.devices, "device"), text(standing)));
        page.line(&format!("{}{}", names(&group.names, group.devices), covered(group)));
        if !group.unlike.is_empty() {
            page.line(&format!("\nUnlike the first group: {}.", group.unlike));
        } else if !group.does.is_empty() {
            operations(page, group);
        }
    }
    page.more(fold.groups.len(), "group");
}

fn covered(group: &Group) -> String {
    if group.exclusion.is_empty() { String::new() } else { format!("; exclusion {}", code(&group.exclusion)) }
}

fn operations(page: &mut Sheet, group: &Group) {
    page.line("\n| | operation | what it does | what puts it back |\n|---|---|---|---|");
    for (at, step) in group.does.iter().enumerate() {
        if step.boundary {
            page.line("| | **point of no return** | **from here it only goes forward** | |");
        }
        let mark = if step.committed { "**!** " } else { "" };
        page.line(&format!("| {} | {mark}`{}` | {} | {} |", at + 1, step.op, text(&step.action), text(&step.undo)));
    }
}

fn causes(page: &mut Sheet, fold: &Fold) {
    if fold.causes.is_empty() {
        return;
    }
    page.table("Blocked, by cause", "| cause | devices | what is wrong, for one of them | next | who acts |");
    for cause in fold.causes.iter().take(ROWS_MAX) {
        page.line(&format!(
            "| {} | {}: {} | {} | {} | {} |",
            code(&cause.code),
            cause.devices,
            names(&cause.names, cause.devices),
            text(&cause.message),
            text(&cause.next),
            cause.owner
        ));
    }
    page.more(fold.causes.len(), "cause");
}

fn rules(page: &mut Sheet, fold: &Fold) {
    if fold.rules.is_empty() {
        return;
    }
    page.table("Rules", "| rule | holds | what was seen | next |");
    for rule in fold.rules.iter().take(ROWS_MAX) {
        let (holds, next) = match (rule.holds, rule.effect.as_str()) {
            (true, _) => ("yes", String::new()),
            (false, "block") => ("**no, and it blocks**", text(&rule.next)),
            (false, _) => ("no", text(&rule.next)),
        };
        let name = code(format!("{} {}", rule.rule, rule.setting).trim_end());
        page.line(&format!("| {name} | {holds} | {} | {next} |", text(&rule.seen)));
    }
    page.more(fold.rules.len(), "rule");
}

fn tenant(page: &mut Sheet, fold: &Fold) {
    if fold.tenant.is_empty() {
        return;
    }
    page.table("Tenant", "| operation | what it does | about | before | after | when | what puts it back |");
    for step in fold.tenant.iter().take(ROWS_MAX) {
        let (action, about, undo) = (text(&step.action), text(&step.about), text(&step.undo));
        let (before, after) = (text(&step.before), text(&step.after));
        page.line(&format!("| `{}` | {action} | {about} | {before} | {after} | {} | {undo} |", step.op, step.when));
    }
    page.more(fold.tenant.len(), "operation");
}

fn risks(page: &mut Sheet, fold: &Fold) {
    let hard: Vec<&Step> = fold.steps.iter().filter(|step| step.committed || step.stays).collect();
    if !hard.is_empty() {
        page.table("What can't be undone", "| operation | devices | what it does | |");
        // The catalogue bounds this list, so it is never cut.
        for step in hard {
            let why = if step.committed { "past the point of no return" } else { "nothing puts it back" };
            let devices = if step.devices == 0 { "tenant".to_owned() } else { step.devices.to_string() };
            page.line(&format!("| `{}` | {devices} | {} | {why} |", step.op, text(&step.action)));
        }
    }
    if !fold.privileges.is_empty() {
        page.table("Permissions that write", "| tenant | permission | used by |");
        for one in &fold.privileges {
            let ops: Vec<String> = one.ops.iter().map(|op| format!("`{op}`")).collect();
            page.line(&format!("| {} | {} | {} |", text(&one.tenant), code(&one.permission), ops.join(", ")));
        }
    }
}

fn findings(page: &mut Sheet, fold: &Fold) {
    if fold.owners.is_empty() {
        return;
    }
    page.line("\n## Findings");
    for owner in &fold.owners {
        let who = if owner.who.is_empty() { String::new() } else { format!(" ({})", code(&owner.who)) };
        page.line(&format!("\n### {}{who}\n", owner.role));
        page.line("| | finding | of | seen | next |\n|---|---|---|---|---|");
        for found in owner.findings.iter().take(ROWS_MAX) {
            let outcome = if found.blocks { format!("**{}**", text(&found.outcome)) } else { text(&found.outcome) };
            let of = if found.subjects.is_empty() {
                count(found.times, "time")
            } else {
                names(&found.subjects, found.times)
            };
            let (seen, next) = (text(&found.seen), text(&found.next));
            page.line(&format!("| {outcome} | {} | {of} | {seen} | {next} |", code(&found.code)));
        }
        page.more(owner.findings.len(), "finding");
    }
}

fn relies(page: &mut Sheet, fold: &Fold) {
    if fold.relies.is_empty() {
        return;
    }
    page.table("Relies on", "| what | until | |");
    for one in fold.relies.iter().take(ROWS_MAX) {
        let soon = if one.soon { "**ends before the plan does**" } else { "" };
        page.line(&format!("| {} {} | {} | {soon} |", one.kind, code(&one.name), one.until));
    }
    page.more(fold.relies.len(), "thing");
}

/// Names of data as code, and how many more there are.
fn names(names: &[String], total: usize) -> String {
    some(&names.iter().map(|name| code(name)).collect::<Vec<_>>(), total)
}

/// A page that ends before its limit and counts the lines that it leaves out.
#[derive(Debug, Default)]
struct Sheet {
    text: String,
    cut: usize,
}

impl Sheet {
    fn line(&mut self, line: &str) {
        // Once cut, everything after it is: a table without its head would be nonsense.
        if self.cut > 0 || self.text.len() + line.len() + 1 + ROOM > LIMIT {
            self.cut += 1;
            return;
        }
        self.text.push_str(line);
        self.text.push('\n');
    }
    /// Begins a section that is one table.
    fn table(&mut self, title: &str, head: &str) {
        let columns = head.matches('|').count().saturating_sub(1);
        self.line(&format!("\n## {title}\n\n{head}\n|{}", "---|".repeat(columns)));
    }
    /// Says how many rows aren't shown.
    fn more(&mut self, total: usize, noun: &str) {
        let more = total.saturating_sub(ROWS_MAX);
        if more > 0 {
            self.line(&format!("\nand {} more; the HTML page and `--output json` have all.", count(more, noun)));
        }
    }
    fn into_text(mut self) -> String {
        if self.cut > 0 {
            let what = count(self.cut, "line");
            self.text
                .push_str(&format!("\n**Cut here: {what} left out.** The HTML page and `--output json` have all.\n"));
        }
        self.text
    }
}

/// Returns the first signs of foreign text, on one line.
fn clip(text: &str, most: usize) -> String {
    let mut out = String::new();
    for (at, sign) in text.chars().enumerate() {
        if at == most {
            out.push('…');
            break;
        }
        out.push(if sign.is_control() || matches!(sign, '\u{2028}' | '\u{2029}') { ' ' } else { sign });
    }
    out
}

/// Returns foreign text, cut to what a cell holds, so that nothing of it is markup.
fn text(text: &str) -> String {
    escape::markdown(&clip(text, TEXT_MAX))
}

/// Returns a foreign name as code, cut to what a cell holds.
fn code(name: &str) -> String {
    escape::code(&clip(name, TEXT_MAX))
}

#[cfg(test)]
mod unit {
    use super::*;

    /// Catches a device name that breaks out of its cell or of its fence, and text that mentions people or links away.
    #[test]
    fn foreign_text_stays_text() {
        assert_eq!(
            text("a|b\n[x](y) <b> `c` @jane #12"),
            "a\\|b \\[x\\](y) \\<b\\> \\`c\\` \\@\u{2060}jane \\#\u{2060}12"
        );
        assert_eq!(text("see https://a.example, www.b.example"), "see https\\://a.example, www\\.b.example");
        assert_eq!(code("a`b``c|d\ne"), "``` a`b``c\\|d e ```");
        assert_eq!((code("PC-1"), code(" ")), ("`PC-1`".to_owned(), String::new()));
        assert_eq!(text(&"x".repeat(999)).chars().count(), TEXT_MAX + 1);
    }

    /// Catches a page that grows beyond what a comment may hold, and one that is cut without saying so.
    #[test]
    fn a_sheet_ends_before_its_limit() {
        let mut sheet = Sheet::default();
        (0..10_000).for_each(|_| sheet.line("twenty bytes of text"));
        let text = sheet.into_text();
        assert!(text.len() <= LIMIT && text.contains("lines left out"), "{}", text.len());
    }
}
