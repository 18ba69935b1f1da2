//! A change set for people: totals first, then each wave with its groups of like devices, then exceptions.
//!
//! The length depends on the plan and not on the fleet: what is alike is one block with a count, lists are
//! cut with a word on how to see the rest, and one device is unfolded where it is asked for.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::plan_group::{Folded, Group, Kind, fold, reason_text};
use crate::dag::{OpSet, Phase, spec};
use crate::diff::{Action, Blocker, Change, ChangeSet, DeviceChanges, Reason, Standing, effect};
use crate::model::{DeviceName, Op, OwnerRole};
use crate::plan::MigrationPlan;
use crate::state::Snapshot;

/// Blocks of like devices that are shown for one wave.
const GROUPS_MAX: usize = 6;
/// Exceptions that are shown of one kind.
const EXAMPLES_MAX: usize = 3;
/// Lines of exclusions, tenant operations and findings.
const LINES_MAX: usize = 12;

/// How a plan is shown.
#[derive(Debug, Clone, PartialEq)]
pub struct PlanTextOptions<'a> {
    /// The plan that was decided: its owners act, and its settings say what becomes of a device.
    pub plan: &'a MigrationPlan,
    /// Columns; text is wrapped at it. At least 40 are used.
    pub width: usize,
    /// ANSI colours.
    pub color: bool,
    /// Only ASCII characters.
    pub ascii: bool,
    /// Unfold this device instead of showing the fleet.
    pub device: Option<DeviceName>,
    /// List the findings too; off where they are shown with their places elsewhere.
    pub findings: bool,
}

/// Returns the change set as text that ends with a line break.
#[must_use]
pub fn plan_text(changes: &ChangeSet, snapshot: &Snapshot, options: &PlanTextOptions<'_>) -> String {
    let mut page = Page { options, width: options.width.max(40), text: String::new(), unfolded: Vec::new() };
    let Some(name) = &options.device else {
        page.fleet(changes, &fold(changes));
        return page.text;
    };
    match changes.devices.binary_search_by(|device| device.device.cmp(name)) {
        Ok(at) => page.device(changes, &changes.devices[at], snapshot),
        Err(_) => page.line(0, &format!("The plan knows no device {name}.")),
    }
    page.text
}

#[derive(Clone, Copy)]
enum Paint {
    Plain,
    Bold,
    Dim,
    Red,
    Green,
    Yellow,
}

struct Page<'o> {
    options: &'o PlanTextOptions<'o>,
    width: usize,
    text: String,
    /// Lists of operations that are on the page already.
    unfolded: Vec<OpSet>,
}

fn plural(count: usize, one: &str) -> String {
    if count == 1 { format!("1 {one}") } else { format!("{count} {one}s") }
}

fn role(owner: OwnerRole) -> &'static str {
    match owner {
        OwnerRole::Identity => "identity",
        OwnerRole::Endpoint => "endpoint",
        OwnerRole::Network => "network",
        OwnerRole::Security => "security",
        OwnerRole::Directory => "directory",
        OwnerRole::ChangeManagement => "change-management",
        OwnerRole::ProjectLead => "project-lead",
    }
}

impl Page<'_> {
    fn paint(&self, paint: Paint, text: &str) -> String {
        let code = match paint {
            Paint::Plain => return text.to_owned(),
            Paint::Bold => "1",
            Paint::Dim => "2",
            Paint::Red => "31",
            Paint::Green => "32",
            Paint::Yellow => "33",
        };
        if self.options.color { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }

    /// Writes words from a column on, and goes on under it where they don't fit.
    fn wrapped(&mut self, head: &str, column: usize, words: &str, paint: Paint) {
        let mut line = String::new();
        let mut first = true;
        let room = self.width.saturating_sub(column).max(20);
        let mut flush = |page: &mut Self, line: &str| {
            let margin = if std::mem::take(&mut first) { head.to_owned() } else { " ".repeat(column) };
            let body = page.paint(paint, line);
            let _ = writeln!(page.text, "{}", format!("{margin}{body}").trim_end());
        };
        for word in words.split_whitespace() {
            if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > room {
                flush(self, &line);
                line.clear();
            }
            if !line.is_empty() {
                line.push(' ');
            }
            // Names come from tenants and devices: what would move the cursor or colour the page is shown as `?`.
            line.extend(word.chars().map(|sign| if sign.is_control() { '?' } else { sign }));
        }
        flush(self, &line);
    }

    fn line(&mut self, indent: usize, words: &str) {
        self.wrapped(&" ".repeat(indent), indent, words, Paint::Plain);
    }

    fn title(&mut self, words: &str) {
        self.text.push('\n');
        self.wrapped("", 0, words, Paint::Bold);
    }

    /// Returns names as far as one line holds them, and how many more there are.
    fn names<'n>(&self, indent: usize, names: impl ExactSizeIterator<Item = &'n str>) -> String {
        let total = names.len();
        let room = self.width.saturating_sub(indent + 14).max(20);
        let (mut list, mut shown) = (String::new(), 0);
        for name in names {
            if shown > 0 && list.len() + 2 + name.len() > room {
                break;
            }
            if shown > 0 {
                list.push_str(", ");
            }
            list.push_str(name);
            shown += 1;
        }
        if total > shown { format!("{list} and {} more", total - shown) } else { list }
    }

    fn fleet(&mut self, changes: &ChangeSet, folded: &Folded<'_>) {
        self.head(changes, folded);
        let wave_of = |at: usize| u16::try_from(at).ok();
        for (at, wave) in changes.waves.iter().enumerate() {
            let groups: Vec<&Group<'_>> = folded.groups.iter().filter(|group| group.wave == wave_of(at)).collect();
            let mut counts = Vec::new();
            for kind in Kind::ALL {
                let count: usize = groups.iter().filter(|g| g.kind == kind).map(|g| g.devices.len()).sum();
                if count > 0 {
                    counts.push(format!("{count} {}", kind.as_str()));
                }
            }
            let counts = if counts.is_empty() { "no device".to_owned() } else { counts.join(", ") };
            self.title(&format!("Wave {}: {counts}", wave.wave));
            self.wave_state(wave);
            let live = |kind| matches!(kind, Kind::Migrate | Kind::Resume | Kind::Waiting);
            let live: Vec<&Group<'_>> = groups.into_iter().filter(|group| live(group.kind)).collect();
            for group in live.iter().take(GROUPS_MAX) {
                self.group(group, folded.chains[group.chain as usize]);
            }
            if live.len() > GROUPS_MAX {
                let rest: usize = live[GROUPS_MAX..].iter().map(|group| group.devices.len()).sum();
                let words = format!(
                    "{} take {} more lists of operations; `opsole plan --device D` shows one.",
                    plural(rest, "device"),
                    live.len() - GROUPS_MAX
                );
                self.line(2, &words);
            }
        }
        self.tenant(changes);
        self.blocked(changes, &folded.groups);
        self.excluded(&folded.groups);
        self.in_no_wave(&folded.groups);
        if self.options.findings {
            self.findings(changes);
        }
    }

    fn head(&mut self, changes: &ChangeSet, folded: &Folded<'_>) {
        let summary = folded.summary;
        let name = format!("Plan {}: {} as of {}", changes.plan, changes.scenario.as_str(), changes.as_of);
        self.wrapped("", 0, &name, Paint::Bold);
        let kinds: Vec<String> = Kind::ALL
            .into_iter()
            .filter(|kind| summary.count(*kind) > 0)
            .map(|kind| format!("{} {}", summary.count(kind), kind.as_str()))
            .collect();
        self.line(0, &format!("{}: {}.", plural(summary.devices, "device"), kinds.join(", ")));
        if !changes.has_changes() {
            self.wrapped("", 0, "Nothing to do now.", Paint::Green);
            return;
        }
        let words = format!(
            "{} would run; {} would pass the point of no return.",
            plural(summary.operations, "operation"),
            plural(summary.irreversible, "device")
        );
        self.line(0, &words);
    }

    fn wave_state(&mut self, wave: &crate::diff::WaveChange) {
        for change in &wave.changes {
            match (change.op, change.action, wave.next_window) {
                (Op::WaveOpen, Action::Nothing, Some(until)) => self.line(2, &format!("The window closes at {until}.")),
                (Op::WaveOpen, Action::Wait, Some(at)) => {
                    self.wrapped("  ", 2, &format!("The window opens at {at}."), Paint::Yellow);
                }
                (Op::WaveOpen, Action::Wait, None) => self.wrapped("  ", 2, "The window is over.", Paint::Yellow),
                (_, Action::Wait | Action::Blocked, _) => {
                    self.wrapped("  ", 2, &format!("{}: {}.", change.op, reason_text(change.reason)), Paint::Yellow);
                }
                _ => {}
            }
        }
    }

    fn group(&mut self, group: &Group<'_>, chain: &[Change]) {
        let due = |change: &Change| match group.kind {
            Kind::Waiting => change.action == Action::Wait,
            _ => change.action == Action::Do,
        };
        if group.kind == Kind::Waiting && chain.iter().filter(|c| due(c)).all(|c| c.reason == Reason::OtherWave) {
            let words = format!("{} left for a run of this wave.", plural(group.devices.len(), "device"));
            self.line(2, &words);
            return;
        }
        let operations = chain.iter().filter(|change| due(change)).count();
        let count = group.devices.len();
        let take = if count == 1 { "takes" } else { "take the same" };
        let how = match group.kind {
            Kind::Resume => " to be finished",
            Kind::Waiting => " once the wave may start",
            _ => "",
        };
        let words = format!("{} {take} {}{how}:", plural(count, "device"), plural(operations, "operation"));
        self.text.push('\n');
        self.line(2, &words);
        let names = self.names(4, group.devices.iter().map(|device| device.device.as_str()));
        self.line(4, &names);
        // The same words for every wave would hide what differs.
        let ops: OpSet = chain.iter().filter(|change| due(change)).map(|change| change.op).collect();
        if self.unfolded.contains(&ops) {
            self.wrapped("    ", 4, "the same operations as above", Paint::Dim);
        } else {
            self.unfolded.push(ops);
            let mut crossed = false;
            for change in chain.iter().filter(|change| due(change)) {
                if !crossed && spec(change.op).phase == Phase::Committed {
                    crossed = true;
                    self.boundary();
                }
                self.operation(change);
            }
        }
        self.left_alone(chain, &due);
    }

    fn operation(&mut self, change: &Change) {
        let row = spec(change.op);
        let (mark, paint) = match (change.action, row.phase) {
            (Action::Do, Phase::Committed) => ("!", Paint::Red),
            (Action::Do, _) => ("+", Paint::Green),
            (Action::Nothing, _) => ("=", Paint::Dim),
            (Action::Wait, _) => ("~", Paint::Yellow),
            (Action::Skip, _) => ("-", Paint::Dim),
            (Action::Blocked, _) => ("x", Paint::Red),
        };
        let why = match change.reason {
            Reason::NotYetSo | Reason::GateClosed | Reason::WindowClosed => String::new(),
            reason => format!(" ({})", reason_text(reason)),
        };
        let head = format!("    {} {:<30} ", self.paint(paint, mark), change.op);
        self.wrapped(&head, 37, &format!("{}{why}", row.action), Paint::Plain);
    }

    fn boundary(&mut self) {
        let dash = if self.options.ascii { "-" } else { "─" };
        let words = " point of no return ";
        let rest = self.width.min(100).saturating_sub(4 + 4 + words.len());
        let line = format!("{}{words}{}", dash.repeat(4), dash.repeat(rest));
        let line = self.paint(Paint::Red, &line);
        let _ = writeln!(self.text, "    {line}");
    }

    /// Says what isn't done and why, one line a reason.
    fn left_alone(&mut self, chain: &[Change], due: &dyn Fn(&Change) -> bool) {
        let mut reasons: BTreeMap<Reason, Vec<&str>> = BTreeMap::new();
        for change in chain.iter().filter(|change| !due(change)) {
            reasons.entry(change.reason).or_default().push(change.op.name());
        }
        for (reason, ops) in reasons {
            let head = format!("    {} ", self.paint(Paint::Dim, "-"));
            self.wrapped(&head, 6, &format!("{}: {}", reason_text(reason), ops.join(", ")), Paint::Dim);
        }
    }

    fn tenant(&mut self, changes: &ChangeSet) {
        if changes.tenant.is_empty() {
            return;
        }
        self.title("Tenant");
        for tenant in changes.tenant.iter().take(LINES_MAX) {
            let policy = tenant.policy.as_ref().map(|policy| format!(" in `{policy}`")).unwrap_or_default();
            let about = format!("{}{policy} for {}", tenant.account, tenant.package);
            let mark = match tenant.change.action {
                Action::Do => self.paint(Paint::Green, "+"),
                Action::Wait => self.paint(Paint::Yellow, "~"),
                Action::Blocked => self.paint(Paint::Red, "x"),
                Action::Nothing => "=".to_owned(),
                Action::Skip => "-".to_owned(),
            };
            let head = format!("  {mark} {:<32} ", tenant.change.op);
            self.wrapped(&head, 37, &format!("{about}: {}", reason_text(tenant.change.reason)), Paint::Plain);
        }
        self.more(2, changes.tenant.len(), LINES_MAX, "operations");
    }

    fn more(&mut self, indent: usize, total: usize, shown: usize, what: &str) {
        if total > shown {
            self.line(indent, &format!("and {} more {what}", total - shown));
        }
    }

    fn blocked(&mut self, changes: &ChangeSet, groups: &[Group<'_>]) {
        let mut by_code: BTreeMap<&str, Vec<(&DeviceChanges, &Blocker)>> = BTreeMap::new();
        let mut count = 0;
        for device in groups.iter().filter(|group| group.kind == Kind::Blocked).flat_map(|group| &group.devices) {
            count += 1;
            if let Standing::Blocked(blockers) = &device.standing {
                for blocker in blockers {
                    by_code.entry(blocker.code).or_default().push((device, blocker));
                }
            }
        }
        if count == 0 {
            return;
        }
        self.title(&format!("Blocked: {}", plural(count, "device")));
        for (code, mut hits) in by_code {
            hits.sort_by(|a, b| a.0.device.cmp(&b.0.device));
            let Some((_, first)) = hits.first() else { continue };
            let owner = first.owner;
            let person = self.options.plan.owners.get(&owner).map(|who| format!(" ({who})")).unwrap_or_default();
            let head = format!("  {} ", self.paint(Paint::Red, "x"));
            let words = format!("{code}: {}; {}{person} acts", plural(hits.len(), "device"), role(owner));
            self.wrapped(&head, 4, &words, Paint::Plain);
            // What holds for many devices is said once, with its waves.
            let mut said: Vec<(&str, Vec<u16>)> = Vec::new();
            for (device, blocker) in &hits {
                let at = said.iter().position(|(message, _)| *message == blocker.message);
                if at.is_none() && said.len() > EXAMPLES_MAX {
                    continue;
                }
                let at = at.unwrap_or_else(|| {
                    said.push((&blocker.message, Vec::new()));
                    said.len() - 1
                });
                if let Some(wave) = device.wave.filter(|wave| !said[at].1.contains(wave)) {
                    said[at].1.push(wave);
                }
            }
            for (message, waves) in said.iter_mut().take(EXAMPLES_MAX) {
                waves.sort_unstable();
                let waves: Vec<&str> =
                    waves.iter().filter_map(|at| Some(changes.waves.get(usize::from(*at))?.wave.as_str())).collect();
                let waves = if waves.is_empty() { String::new() } else { format!(" [{}]", waves.join(", ")) };
                self.line(6, &format!("{message}{waves}"));
            }
            if said.len() > EXAMPLES_MAX {
                let alike = hits.iter().filter(|(_, one)| said[..EXAMPLES_MAX].iter().any(|(m, _)| *m == one.message));
                let more = hits.len() - alike.count();
                self.line(6, &format!("and {more} more; `opsole plan --device D` shows one"));
            }
            self.line(6, &format!("next: {}", first.next));
        }
    }

    fn excluded(&mut self, groups: &[Group<'_>]) {
        let mut by_id: BTreeMap<&str, Vec<&DeviceChanges>> = BTreeMap::new();
        for device in groups.iter().filter(|group| group.kind == Kind::Excluded).flat_map(|group| &group.devices) {
            if let Standing::Excluded { exclusion, .. } = &device.standing {
                by_id.entry(exclusion).or_default().push(device);
            }
        }
        if by_id.is_empty() {
            return;
        }
        let count: usize = by_id.values().map(Vec::len).sum();
        self.title(&format!("Excluded: {}", plural(count, "device")));
        let total = by_id.len();
        for (id, mut devices) in by_id.into_iter().take(LINES_MAX) {
            devices.sort_by(|a, b| a.device.cmp(&b.device));
            if let Some(Standing::Excluded { owner, reason, until, .. }) = devices.first().map(|d| &d.standing) {
                let count = plural(devices.len(), "device");
                let words = format!("{id}: {count} until {until}, by {owner}: {reason}");
                self.wrapped("  - ", 4, &words, Paint::Plain);
            }
            let names = self.names(6, devices.iter().map(|device| device.device.as_str()));
            self.line(6, &names);
        }
        self.more(2, total, LINES_MAX, "exclusions");
    }

    fn in_no_wave(&mut self, groups: &[Group<'_>]) {
        let mut devices: Vec<&DeviceChanges> = Vec::new();
        for group in groups.iter().filter(|group| group.kind == Kind::NoWave) {
            devices.extend(&group.devices);
        }
        if devices.is_empty() {
            return;
        }
        devices.sort_by(|a, b| a.device.cmp(&b.device));
        self.title(&format!("In no wave: {}", plural(devices.len(), "device")));
        let names = self.names(2, devices.iter().map(|device| device.device.as_str()));
        self.line(2, &names);
    }

    fn findings(&mut self, changes: &ChangeSet) {
        let findings = &changes.findings.0;
        if findings.is_empty() {
            return;
        }
        self.title(&format!("Findings: {}", findings.len()));
        for finding in findings.iter().take(LINES_MAX) {
            self.line(2, &format!("{}: {}", finding.code.id, finding.message));
            if let Some(help) = &finding.help {
                self.line(4, &format!("next: {help}"));
            }
        }
        self.more(2, findings.len(), LINES_MAX, "findings");
    }

    fn device(&mut self, changes: &ChangeSet, device: &DeviceChanges, snapshot: &Snapshot) {
        let wave = device.wave.and_then(|wave| changes.waves.get(usize::from(wave)));
        let wave = wave.map(|wave| format!(", wave {}", wave.wave)).unwrap_or_default();
        let title = format!("{}{wave}: {}", device.device, Kind::of(device).as_str());
        self.wrapped("", 0, &title, Paint::Bold);
        match &device.standing {
            Standing::Excluded { exclusion, owner, reason, until } => {
                self.line(2, &format!("{exclusion}: until {until}, by {owner}: {reason}"));
            }
            Standing::Blocked(blockers) => {
                for blocker in blockers {
                    let person =
                        self.options.plan.owners.get(&blocker.owner).map(|w| format!(" ({w})")).unwrap_or_default();
                    let head = format!("  {} ", self.paint(Paint::Red, "x"));
                    let words = format!("{}: {}; {}{person} acts", blocker.code, blocker.message, role(blocker.owner));
                    self.wrapped(&head, 4, &words, Paint::Plain);
                    self.line(6, &format!("next: {}", blocker.next));
                }
            }
            Standing::Migrate | Standing::Resume | Standing::Done | Standing::NoWave => {}
        }
        if let Some(task) = &device.task {
            self.line(2, &format!("profile {} goes to {} by package {}", task.profile_path, task.upn, task.package));
        }
        self.text.push('\n');
        let arrow = if self.options.ascii { "->" } else { "→" };
        let mut crossed = false;
        for change in &device.changes {
            let runs = matches!(change.action, Action::Do | Action::Wait);
            if runs && !crossed && spec(change.op).phase == Phase::Committed {
                crossed = true;
                self.boundary();
            }
            self.operation(change);
            if let (true, Some((before, after))) = (runs, effect(change.op, device, self.options.plan, snapshot)) {
                self.wrapped(&" ".repeat(37), 37, &format!("{before} {arrow} {after}"), Paint::Dim);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dag::fixture::{Fleet, Join, exclusion, name, named, spanned};
    use crate::diff::{decide, select};
    use crate::model::Scenario;

    fn options(fleet: &Fleet) -> PlanTextOptions<'_> {
        PlanTextOptions { plan: &fleet.plan, width: 100, color: false, ascii: false, device: None, findings: true }
    }
    fn show(fleet: &Fleet, options: &PlanTextOptions<'_>) -> String {
        plan_text(&decide(&fleet.plan, &fleet.snapshot).expect("no cycle").changes, &fleet.snapshot, options)
    }
    fn fleet(n: usize) -> Fleet {
        let mut fleet = Fleet::new(Scenario::HybridToEntra, Join::Hybrid, n);
        fleet.plan.waves[1].needs.push(spanned("pilot".into(), 300));
        fleet
    }

    /// Catches a page that hides what is left alone, who acts, or where the way back ends.
    #[test]
    fn a_small_fleet() {
        let mut fleet = fleet(6);
        fleet.migrate(1);
        fleet.facts(1).mdm = None;
        fleet.user(3).enabled = false;
        fleet.plan.exclusions.push(exclusion(named("pc-005")));
        insta::assert_snapshot!(show(&fleet, &options(&fleet)), @r#"
        Plan contoso: hybrid-to-entra as of 2026-12-02T18:30:00Z
        6 devices: 1 to migrate, 1 to resume, 2 waiting, 1 blocked, 1 excluded.
        33 operations would run; 1 device would pass the point of no return.

        Wave pilot: 1 to migrate, 1 to resume

          1 device takes 24 operations:
            PC-000
            + device.preflight               take fresh evidence of the device
            + device.snapshot-cloud          store ids, groups, primary user and key ids of the old cloud
                                             objects
            + device.escrow-bitlocker        make sure that a recovery protector exists and is in escrow (so
                                             already, checked again)
            + device.stage                   record the old facts in a protected folder
            + device.arm                     start at boot, prove a recovery administrator, show the banner,
                                             suspend protectors for the restarts
            ──── point of no return ────────────────────────────────────────────────────────────────────────
            ! device.unjoin-domain           leave Active Directory
            ! device.leave-entra             leave the old Entra registration and switch automatic re-join
                                             off
            ! device.remove-mdm              remove the old MDM enrolment
            ! device.apply-package           install the provisioning package and restart
            ! device.verify-join             see the new join
            ! device.swap-profile            give the old profile to the new identity
            ! device.restore-local-groups    put the new identity into the local groups of the old one
            ! device.clean-identity-caches   remove cached names and tokens of the old identity
            ! device.restore-logon-surface   put back the sign-in screen as it was recorded and restart
            + device.await-sign-in           wait until the mapped user signed in
            + device.verify-enrolment        see the new enrolment on the device and in Intune
            + device.set-primary-user        make the mapped user the primary user
            + device.restore-groups          give the new device object the static groups of the old one
            + device.escrow-bitlocker-new    back the recovery key up to the new tenant
            + device.verify-laps             see a LAPS backup of the new device
            + device.verify-exit             measure the exit criteria
            + device.retire-old-intune       delete the old Intune record
            + device.retire-old-object       disable or delete the old computer, or delete the old Entra
                                             object
            + device.clean-up                remove package, secrets, banner, tasks and recovery
                                             administrator, archive the agent's state
            - the device has nothing of the kind: device.remove-configmgr
            - its feature is off in the plan: device.assign-configuration

          1 device takes 9 operations to be finished:
            PC-001
            + device.verify-enrolment        see the new enrolment on the device and in Intune
            + device.set-primary-user        make the mapped user the primary user (so already, checked
                                             again)
            + device.restore-groups          give the new device object the static groups of the old one (so
                                             already, checked again)
            + device.escrow-bitlocker-new    back the recovery key up to the new tenant (so already, checked
                                             again)
            + device.verify-laps             see a LAPS backup of the new device (so already, checked again)
            + device.verify-exit             measure the exit criteria
            + device.retire-old-intune       delete the old Intune record (so already, checked again)
            + device.retire-old-object       disable or delete the old computer, or delete the old Entra
                                             object (so already, checked again)
            + device.clean-up                remove package, secrets, banner, tasks and recovery
                                             administrator, archive the agent's state (so already, checked
                                             again)
            - already so: device.unjoin-domain, device.leave-entra, device.remove-mdm, device.apply-package,
              device.verify-join, device.swap-profile, device.restore-local-groups,
              device.clean-identity-caches, device.restore-logon-surface, device.await-sign-in
            - done by an earlier run: device.preflight, device.snapshot-cloud, device.escrow-bitlocker,
              device.stage, device.arm
            - the device has nothing of the kind: device.remove-configmgr
            - its feature is off in the plan: device.assign-configuration

        Wave broad: 2 waiting, 1 blocked, 1 excluded
          wave.gate: the wave's gate isn't met.

          2 devices take the same 24 operations once the wave may start:
            PC-002, PC-004
            the same operations as above
            - the device has nothing of the kind: device.remove-configmgr
            - its feature is off in the plan: device.assign-configuration

        Tenant
          ~ tenant.revoke-package            package_1@contoso.com for bulk: due when the waves that use it
                                             are finished

        Blocked: 1 device
          x user.disabled: 1 device; identity (identity@contoso.com) acts
              PC-003: user3@contoso.com is disabled, so nobody could sign in [broad]
              next: enable the account, or name another person

        Excluded: 1 device
          - vip-laptops: 1 device until 2027-02-01T00:00:00Z, by lead@contoso.com: board meeting season
              PC-005

        Findings: 1
          OPS0307: wave `broad` may not open yet: 0 of 2 devices of `pilot` are done or excluded
        "#);
    }

    /// Catches a device's page without what is there before and after.
    #[test]
    fn one_device() {
        let fleet = fleet(2);
        let options = PlanTextOptions { device: Some(name(0)), ascii: true, ..options(&fleet) };
        insta::assert_snapshot!(show(&fleet, &options), @r#"
        PC-000, wave pilot: to migrate
          profile C:\Users\user0 goes to user0@contoso.com by package bulk

            + device.preflight               take fresh evidence of the device
            + device.snapshot-cloud          store ids, groups, primary user and key ids of the old cloud
                                             objects
            + device.escrow-bitlocker        make sure that a recovery protector exists and is in escrow (so
                                             already, checked again)
                                             1 of 1 recovery keys in escrow -> all 1 in escrow
            + device.stage                   record the old facts in a protected folder
                                             nothing recorded -> old facts in a protected folder
            + device.arm                     start at boot, prove a recovery administrator, show the banner,
                                             suspend protectors for the restarts
                                             no boot start -> boot start, proven recovery administrator,
                                             banner
            ---- point of no return ------------------------------------------------------------------------
            ! device.unjoin-domain           leave Active Directory
                                             joined to corp.contoso.com -> in no domain
            ! device.leave-entra             leave the old Entra registration and switch automatic re-join
                                             off
                                             registration 00000004-0000-0000-0000-000000000000 in
                                             00000001-0000-0000-0000-000000000000 -> no registration
            ! device.remove-mdm              remove the old MDM enrolment
                                             enrolled with MS DM Server as
                                             00000006-0000-0000-0000-000000000000 -> not enrolled
            - device.remove-configmgr        remove the ConfigMgr client (the device has nothing of the
                                             kind)
            ! device.apply-package           install the provisioning package and restart
                                             no package -> package bulk accepted, restart
            ! device.verify-join             see the new join
                                             hybrid joined -> Entra joined to
                                             00000001-0000-0000-0000-000000000000
            ! device.swap-profile            give the old profile to the new identity
                                             C:\Users\user0 belongs to S-1-5-21-1-2-3-1100 -> to
                                             S-1-12-1-10-0-0-0 (user0@contoso.com)
            ! device.restore-local-groups    put the new identity into the local groups of the old one
                                             S-1-5-21-1-2-3-1100 is in S-1-5-32-544 -> S-1-12-1-10-0-0-0 is
                                             in the same
            ! device.clean-identity-caches   remove cached names and tokens of the old identity
                                             cached names and tokens of S-1-5-21-1-2-3-1100 -> none of them
            ! device.restore-logon-surface   put back the sign-in screen as it was recorded and restart
            + device.await-sign-in           wait until the mapped user signed in
            + device.verify-enrolment        see the new enrolment on the device and in Intune
            + device.set-primary-user        make the mapped user the primary user
                                             no primary user on the new record -> user0@contoso.com
            + device.restore-groups          give the new device object the static groups of the old one
                                             old object in App-CAD, MIG-Pilot -> new object in the same
            + device.escrow-bitlocker-new    back the recovery key up to the new tenant
                                             no key in escrow for the new device -> all 1 in escrow
            + device.verify-laps             see a LAPS backup of the new device
            - device.assign-configuration    assign the configuration profiles to the group (its feature is
                                             off in the plan)
            + device.verify-exit             measure the exit criteria
            + device.retire-old-intune       delete the old Intune record
                                             Intune record 00000006-0000-0000-0000-000000000000 -> deleted
            + device.retire-old-object       disable or delete the old computer, or delete the old Entra
                                             object
                                             CN=PC-000,OU=PCs,DC=corp,DC=contoso,DC=com is enabled ->
                                             disabled
            + device.clean-up                remove package, secrets, banner, tasks and recovery
                                             administrator, archive the agent's state
                                             folder, banner, boot start, recovery administrator -> none of
                                             them
        "#);
        let nowhere = PlanTextOptions { device: Some("nowhere".into()), ..options };
        assert_eq!(show(&fleet, &nowhere), "The plan knows no device NOWHERE.\n");
    }

    /// Catches a plan of nothing that looks like work.
    #[test]
    fn nothing_to_do() {
        let mut fleet = fleet(2);
        (0..2).for_each(|n| fleet.migrate(n));
        fleet.plan.waves.truncate(1);
        insta::assert_snapshot!(show(&fleet, &options(&fleet)), @r#"
        Plan contoso: hybrid-to-entra as of 2026-12-02T18:30:00Z
        2 devices: 2 done.
        Nothing to do now.

        Wave pilot: 2 done

        Tenant
          = tenant.revoke-package            package_1@contoso.com for bulk: already so
        "#);
    }

    /// Catches a run of one wave that unfolds what it won't touch.
    #[test]
    fn another_wave_is_one_line() {
        let fleet = Fleet::new(Scenario::HybridToEntra, Join::Hybrid, 5);
        let all = decide(&fleet.plan, &fleet.snapshot).expect("no cycle").changes;
        let broad = select(&all, &"broad".into()).expect("a wave");
        let text = plan_text(&broad, &fleet.snapshot, &options(&fleet));
        assert!(text.contains("Wave pilot: 2 waiting\n  2 devices left for a run of this wave.\n"), "{text}");
        assert!(text.contains("3 devices take the same 24 operations:"), "{text}");
    }

    /// Catches a list that grows with the fleet.
    #[test]
    fn length_does_not_follow_the_fleet() {
        let lines = |n: usize| {
            let mut fleet = fleet(n);
            fleet.plan.exclusions.push(exclusion(named("pc-?[02468]5")));
            (3..n).step_by(7).for_each(|n| fleet.user(n).enabled = false);
            (4..n).step_by(7).for_each(|n| fleet.facts(n).configmgr = true);
            show(&fleet, &options(&fleet)).lines().count()
        };
        let (small, large) = (lines(60), lines(600));
        assert!(large <= small + 2 && large < 160, "{small} {large}");
    }

    /// Catches a name from the world that writes to the terminal by itself.
    #[test]
    fn control_characters_are_not_passed_on() {
        let mut fleet = fleet(2);
        fleet.user(0).enabled = false;
        fleet.user(0).upn = "anna\u{1b}[2J\u{7}\r\n@contoso.com".to_owned();
        let text = show(&fleet, &options(&fleet));
        assert!(text.contains("anna?[2J?") && !text.chars().any(|sign| sign.is_control() && sign != '\n'), "{text:?}");
    }

    /// Catches colours, or characters beyond ASCII, where they weren't asked for.
    #[test]
    fn plain_stays_plain() {
        let fleet = fleet(3);
        let ascii = show(&fleet, &PlanTextOptions { ascii: true, ..options(&fleet) });
        assert!(ascii.is_ascii() && !ascii.contains('\u{1b}'));
        let colored = show(&fleet, &PlanTextOptions { color: true, ascii: true, ..options(&fleet) });
        let mut plain = String::new();
        let mut rest = colored.as_str();
        while let Some((before, after)) = rest.split_once('\u{1b}') {
            plain.push_str(before);
            rest = after.split_once('m').map_or("", |(_, text)| text);
        }
        plain.push_str(rest);
        assert_eq!(plain, ascii);
        assert!(ascii.lines().all(|line| line.len() <= 100), "a line is too long");
    }
}
