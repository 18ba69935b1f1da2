//! A change set for people: totals first, then each wave with its groups of like devices, then exceptions.
//!
//! The length depends on the plan and not on the fleet: a list of operations is written out once and later ones
//! are told by how they differ, lists are cut with a word on how to see the rest, and one device is unfolded
//! where it is asked for. Where one wave was selected, the others are a line each.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::check::{CheckView, Row, Verdict};
use super::page::{Page, Paint, Shape};
use super::plan_blocks::Blocks;
use super::plan_group::{Folded, Group, Kind, fold, is_shown, reason_text};
use super::when::Zone;
use super::words::count;
use crate::dag::{Index, Phase, spec};
use crate::diag::Code;
use crate::diff::{
    Action, Blocker, ChangeSet, DeviceChanges, Reason, SOON_DAYS, Standing, TenantChange, WaveChange, effect,
};
use crate::model::{DeviceName, Op, OwnerRole, PackageName};
use crate::plan::MigrationPlan;
use crate::readiness::{OutcomeKind, Subject};
use crate::state::Snapshot;

/// Waves that are shown with their groups; those that run come first.
const WAVES_MAX: usize = 12;
/// Exceptions that are shown of one kind.
const EXAMPLES_MAX: usize = 3;
/// Lines of exclusions, tenant operations, findings and kinds of blockers.
const LINES_MAX: usize = 12;
/// Signs of a message that are shown; `--device` shows all of it.
const MESSAGE_MAX: usize = 240;
/// Signs of what a check saw that are shown at the least, however long the rest of its line is.
const SEEN_MIN: usize = 80;

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
    let shape = Shape { width: options.width, color: options.color, ascii: options.ascii };
    let mut view = View { options, changes, zone: Zone::named(&options.plan.zone), page: Page::new(shape) };
    let Some(name) = &options.device else {
        view.fleet(&fold(changes));
        return view.page.into_text();
    };
    match changes.devices.binary_search_by(|device| device.device.cmp(name)) {
        Ok(at) => view.device(&changes.devices[at], snapshot),
        Err(_) => view.page.line(0, &format!("The plan knows no device {name}.")),
    }
    view.page.into_text()
}

struct View<'o> {
    options: &'o PlanTextOptions<'o>,
    changes: &'o ChangeSet,
    zone: Zone,
    page: Page,
}

/// Returns counts by kind in words; `of` says how many there are of each.
fn kinds(of: impl Fn(Kind) -> usize) -> String {
    let kinds: Vec<String> = Kind::ALL
        .into_iter()
        .filter(|kind| of(*kind) > 0)
        .map(|kind| format!("{} {}", of(kind), kind.as_str()))
        .collect();
    if kinds.is_empty() { "no device".to_owned() } else { kinds.join(", ") }
}

fn cut(text: &str) -> String {
    cut_at(text, MESSAGE_MAX)
}

fn cut_at(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((at, _)) => format!("{} ...", text[..at].trim_end()),
        None => text.to_owned(),
    }
}

impl<'o> View<'o> {
    fn selected(&self) -> Option<&'o WaveChange> {
        self.changes.selected.and_then(|at| self.changes.waves.get(usize::from(at)))
    }

    fn fleet(&mut self, folded: &Folded<'_>) {
        self.head(folded);
        let count_of = |at: usize, kind: Kind| -> usize {
            let own = folded.groups.iter().filter(|g| g.wave.map(usize::from) == Some(at) && g.kind == kind);
            own.map(|group| group.devices.len()).sum()
        };
        let mut blocks = Blocks::default();
        let mut shown: Vec<usize> = (0..self.changes.waves.len()).collect();
        if let Some(at) = self.changes.selected {
            shown.retain(|one| *one == usize::from(at));
        }
        let runs = |at: &usize| count_of(*at, Kind::Migrate) + count_of(*at, Kind::Resume) > 0;
        shown.sort_by_key(|at| (!runs(at), *at));
        let hidden = shown.split_off(shown.len().min(WAVES_MAX)).len();
        shown.sort_unstable();
        for at in shown {
            let wave = &self.changes.waves[at];
            self.page.title(&format!("Wave {}: {}", wave.wave, kinds(|kind| count_of(at, kind))));
            self.wave_state(wave);
            let groups: Vec<&Group<'_>> =
                folded.groups.iter().filter(|group| group.wave.map(usize::from) == Some(at)).collect();
            blocks.wave(&mut self.page, &groups, &folded.chains);
        }
        self.page.more(0, hidden, "wave", "; `opsole plan --wave W` shows one");
        blocks.end(&mut self.page);
        self.tenant();
        self.blocked(&folded.groups);
        self.excluded(&folded.groups);
        self.in_no_wave(&folded.groups);
        if let Some(selected) = self.selected() {
            self.other_waves(selected, count_of);
        }
        self.readiness();
        if self.options.findings {
            self.findings();
        }
    }

    fn head(&mut self, folded: &Folded<'_>) {
        let (changes, summary) = (self.changes, folded.summary);
        let wave = self.selected().map(|wave| format!(", wave {}", wave.wave)).unwrap_or_default();
        let moment = self.zone.moment(changes.as_of);
        let scenario = changes.scenario.as_str();
        let name = format!("Plan {}{wave}: {scenario}, as of {moment} ({})", changes.plan, self.zone.name());
        self.page.wrapped("", 0, &name, Paint::Bold);
        let devices = count(summary.devices, "device");
        self.page.line(0, &format!("{devices}: {}.", kinds(|kind| summary.count(kind))));
        if !changes.has_changes() {
            self.page.wrapped("", 0, "Nothing to do now.", Paint::Green);
            return;
        }
        let words = format!(
            "{} would run; {} would pass the point of no return.",
            count(summary.operations, "operation"),
            count(summary.irreversible, "device")
        );
        self.page.line(0, &words);
    }

    /// Says what stands in a wave's way, and until when nothing does.
    fn wave_state(&mut self, wave: &WaveChange) {
        for change in &wave.changes {
            let paint = if change.action == Action::Nothing { Paint::Plain } else { Paint::Yellow };
            let words = match (change.op, change.action, wave.next_window) {
                (Op::WaveOpen, Action::Nothing, Some(until)) => {
                    format!("Window: open until {}", self.zone.day_and_time(until))
                }
                (_, Action::Nothing | Action::Skip | Action::Do, _) => continue,
                (Op::WaveOpen, Action::Wait, Some(at)) => format!("Window: opens {}", self.zone.day_and_time(at)),
                (Op::WaveOpen, Action::Wait, None) => {
                    let window = self.options.plan.wave(&wave.wave).and_then(|wave| wave.window.as_ref());
                    let end = window.map(|window| format!(" since {}", self.zone.moment(window.to)));
                    format!("Window: over{}; give the wave a new one in the plan", end.unwrap_or_default())
                }
                (Op::WaveGate, Action::Wait, _) if !wave.missing.is_empty() => {
                    format!("Gate: {}", wave.missing.join("; "))
                }
                _ => format!("{}: {}", change.op, reason_text(change.reason)),
            };
            self.page.wrapped("  ", 2, &words, paint);
        }
    }

    /// One block a package: its account once, then what becomes of its operations.
    fn tenant(&mut self) {
        let own = self.selected().and_then(|wave| self.options.plan.wave(&wave.wave)).map(|wave| &wave.package);
        let selected = self.changes.selected.is_some();
        let shown =
            |tenant: &&TenantChange| !selected || tenant.change.action == Action::Do || own == Some(&tenant.package);
        let mut packages: BTreeMap<(&PackageName, &str), Vec<&TenantChange>> = BTreeMap::new();
        for tenant in self.changes.tenant.iter().filter(shown) {
            packages.entry((&tenant.package, tenant.account.as_str())).or_default().push(tenant);
        }
        if packages.is_empty() {
            return;
        }
        self.page.title("Tenant");
        let total = packages.len();
        for ((package, account), list) in packages.into_iter().take(LINES_MAX) {
            self.page.line(2, &format!("{package} ({account})"));
            let (skipped, rest): (Vec<_>, Vec<_>) =
                list.into_iter().partition(|tenant| tenant.change.action == Action::Skip);
            for tenant in rest.iter().take(LINES_MAX) {
                self.tenant_operation(tenant);
            }
            self.page.more(4, rest.len().saturating_sub(LINES_MAX), "operation", "");
            let mut reasons: BTreeMap<Reason, Vec<Op>> = BTreeMap::new();
            for tenant in &skipped {
                reasons.entry(tenant.change.reason).or_default().push(tenant.change.op);
            }
            for (reason, mut ops) in reasons {
                ops.sort_unstable();
                ops.dedup();
                self.page.left_alone(reason, &ops);
            }
        }
        self.page.more(2, total.saturating_sub(LINES_MAX), "package", "");
    }

    fn tenant_operation(&mut self, tenant: &TenantChange) {
        let group = tenant.group.as_ref().map(|group| format!(" by group `{group}`")).unwrap_or_default();
        let policy = tenant.policy.as_ref().map(|policy| format!(" `{policy}`{group}")).unwrap_or_default();
        let (op, why) = (tenant.change.op, tenant.change.reason);
        let why = match (tenant.change.action, why) {
            (Action::Do, _) if tenant.needs_complete => "after this run, if each of its devices ends complete",
            (Action::Do, Reason::NotYetSo) => match spec(op).phase {
                Phase::Reversible => "before any device",
                Phase::Committed | Phase::Finishing => "the waves that use it are finished",
            },
            (_, why) => reason_text(why),
        };
        let head = self.page.operation_head(tenant.change.action, op);
        let words = if policy.is_empty() { why.to_owned() } else { format!("{}: {why}", policy.trim_start()) };
        self.page.wrapped(&head, super::page::COLUMN, &words, Paint::Plain);
    }

    fn blocked(&mut self, groups: &[Group<'_>]) {
        let mut by_code: BTreeMap<&str, Vec<(&DeviceChanges, &Blocker)>> = BTreeMap::new();
        let mut devices = 0;
        for device in groups.iter().filter(|group| group.kind == Kind::Blocked).flat_map(|group| &group.devices) {
            if !is_shown(self.changes, device) {
                continue;
            }
            devices += 1;
            if let Standing::Blocked(blockers) = &device.standing {
                for blocker in blockers {
                    by_code.entry(blocker.code).or_default().push((device, blocker));
                }
            }
        }
        if devices == 0 {
            return;
        }
        self.page.title(&format!("Blocked: {}", count(devices, "device")));
        let total = by_code.len();
        for (code, mut hits) in by_code.into_iter().take(LINES_MAX) {
            hits.sort_by(|a, b| a.0.device.cmp(&b.0.device));
            let Some((_, first)) = hits.first() else { continue };
            let head = format!("  {} ", self.page.paint(Paint::Red, "x"));
            let words = format!("{code}: {}; {} acts", count(hits.len(), "device"), self.person(first.owner));
            self.page.wrapped(&head, 4, &words, Paint::Plain);
            // One cause may stop many devices with the same words.
            let most = if hits.len() > EXAMPLES_MAX { EXAMPLES_MAX - 1 } else { EXAMPLES_MAX };
            let mut messages: Vec<(&str, &DeviceChanges)> = Vec::new();
            for (device, blocker) in &hits {
                if messages.len() < most && messages.iter().all(|(text, _)| *text != blocker.message) {
                    messages.push((&blocker.message, device));
                }
            }
            if messages.len() == 1 && hits.len() > 1 {
                self.page.line(6, &cut(messages[0].0));
                self.page.names(6, hits.iter().map(|(device, _)| device.device.as_str()));
            } else {
                for (message, device) in &messages {
                    let wave = device.wave.filter(|_| self.changes.selected.is_none());
                    let wave = wave.and_then(|wave| self.changes.waves.get(usize::from(wave)));
                    let wave = wave.map(|wave| format!(" [{}]", wave.wave)).unwrap_or_default();
                    self.page.line(6, &format!("{}{wave}", cut(message)));
                }
                let more = hits.len().saturating_sub(messages.len());
                self.page.more(6, more, "device", "; `opsole plan --device D` shows one");
            }
            self.page.line(6, &format!("next: {}", first.next));
        }
        self.page.more(2, total.saturating_sub(LINES_MAX), "kind", " of blockers");
    }

    fn person(&self, owner: OwnerRole) -> String {
        let who = self.options.plan.owners.get(&owner).map(|who| format!(" ({who})"));
        format!("{}{}", owner.as_str(), who.unwrap_or_default())
    }

    fn excluded(&mut self, groups: &[Group<'_>]) {
        let mut by_id: BTreeMap<&str, Vec<&DeviceChanges>> = BTreeMap::new();
        for device in groups.iter().filter(|group| group.kind == Kind::Excluded).flat_map(|group| &group.devices) {
            if let (Standing::Excluded { exclusion, .. }, true) = (&device.standing, is_shown(self.changes, device)) {
                by_id.entry(exclusion).or_default().push(device);
            }
        }
        if by_id.is_empty() {
            return;
        }
        let devices: usize = by_id.values().map(Vec::len).sum();
        self.page.title(&format!("Excluded: {}", count(devices, "device")));
        let total = by_id.len();
        for (id, mut devices) in by_id.into_iter().take(LINES_MAX) {
            devices.sort_by(|a, b| a.device.cmp(&b.device));
            if let Some(Standing::Excluded { owner, reason, until, .. }) = devices.first().map(|d| &d.standing) {
                let (count, day) = (count(devices.len(), "device"), self.zone.last_day(*until));
                let words = format!("{id}: {count} until {day}{}, by {owner}: {reason}", self.ends_soon(*until));
                self.page.wrapped("  - ", 4, &words, Paint::Plain);
            }
            self.page.names(6, devices.iter().map(|device| device.device.as_str()));
        }
        self.page.more(2, total.saturating_sub(LINES_MAX), "exclusion", "");
    }

    /// Says how long an exclusion still holds, where that isn't long.
    fn ends_soon(&self, until: Timestamp) -> String {
        let hours = until.duration_since(self.changes.as_of).as_hours();
        match hours / 24 {
            0 => " (ends within a day)".to_owned(),
            days if days <= SOON_DAYS => format!(" (ends in {})", count(usize::try_from(days).unwrap_or(0), "day")),
            _ => String::new(),
        }
    }

    fn in_no_wave(&mut self, groups: &[Group<'_>]) {
        let mut devices: Vec<&DeviceChanges> = Vec::new();
        for group in groups.iter().filter(|group| group.kind == Kind::NoWave) {
            devices.extend(group.devices.iter().filter(|device| is_shown(self.changes, device)));
        }
        if devices.is_empty() {
            return;
        }
        devices.sort_by(|a, b| a.device.cmp(&b.device));
        self.page.title(&format!("In no wave: {}", count(devices.len(), "device")));
        self.page.names(2, devices.iter().map(|device| device.device.as_str()));
    }

    fn other_waves(&mut self, selected: &WaveChange, count_of: impl Fn(usize, Kind) -> usize) {
        let others: Vec<(usize, &WaveChange)> =
            self.changes.waves.iter().enumerate().filter(|(_, wave)| wave.wave != selected.wave).collect();
        if others.is_empty() {
            return;
        }
        self.page.title("Other waves");
        for (at, wave) in others.iter().take(LINES_MAX) {
            self.page.line(2, &format!("{}: {}", wave.wave, kinds(|kind| count_of(*at, kind))));
        }
        self.page.more(2, others.len().saturating_sub(LINES_MAX), "wave", "");
    }

    /// Names what wants a look beyond single devices, which stand under Blocked; `opsole check` has all of it.
    fn readiness(&mut self) {
        let view = CheckView::of_plan(self.options.plan, &self.changes.readiness, self.changes.selected);
        let verdict = match view.verdict() {
            Verdict::Pass => return,
            Verdict::Warnings => "nothing blocks",
            Verdict::Blocked => "blocked",
        };
        let counts: Vec<String> = view
            .counts()
            .into_iter()
            .filter(|(kind, _)| !matches!(kind, OutcomeKind::Pass | OutcomeKind::NotApplicable))
            .map(|(kind, number)| format!("{number} {}", kind.as_str()))
            .collect();
        self.page.title(&format!("Readiness: {verdict}; {} (`opsole check` shows all)", counts.join(", ")));
        // Devices that a check blocks stand under Blocked, with what to do.
        let said = |row: &&Row<'_>| row.devices == 0 || !row.blocks;
        let mut rows: Vec<&Row<'_>> =
            view.rows.iter().filter(|row| row.speaks() && !row.findings.is_empty()).filter(said).collect();
        rows.sort_by_key(|row| (!row.blocks, row.kind, row.check));
        let hidden = rows.split_off(rows.len().min(LINES_MAX)).len();
        for row in rows {
            let (sign, paint) = if row.blocks { ("x", Paint::Red) } else { ("!", Paint::Yellow) };
            let head = format!("  {} ", self.page.paint(paint, sign));
            let of = match row.findings.first().map(|finding| &finding.subject) {
                Some(Subject::Device(_)) => count(usize::try_from(row.devices).unwrap_or(usize::MAX), "device"),
                Some(Subject::Plan) | None => "plan".to_owned(),
                Some(other) => format!("{} {}", other.kind(), other.name()),
            };
            let what = format!("{} {}, {of}: ", row.check, row.kind.as_str());
            let acts = format!("; {} acts", self.person(row.owner()));
            // Who acts stays whole: what was seen gives way.
            let room = MESSAGE_MAX.saturating_sub(what.chars().count() + acts.chars().count()).max(SEEN_MIN);
            self.page.wrapped(&head, 4, &format!("{what}{}{acts}", cut_at(row.seen(), room)), Paint::Plain);
        }
        self.page.more(2, hidden, "check", "");
    }

    fn findings(&mut self) {
        // What a gate lacks stands with its wave.
        let shown = || self.changes.findings.0.iter().filter(|finding| finding.code != Code::GATE_CLOSED);
        let total = shown().count();
        if total == 0 {
            return;
        }
        self.page.title(&format!("Findings: {total}"));
        for finding in self.changes.findings.0.iter().filter(|f| f.code != Code::GATE_CLOSED).take(LINES_MAX) {
            self.page.line(2, &format!("{}: {}", finding.code.id, finding.message));
            if let Some(help) = &finding.help {
                self.page.line(4, &format!("next: {help}"));
            }
        }
        self.page.more(2, total.saturating_sub(LINES_MAX), "finding", "");
    }

    fn device(&mut self, device: &DeviceChanges, snapshot: &Snapshot) {
        let index = Index::new(self.options.plan, snapshot);
        let wave = device.wave.and_then(|wave| self.changes.waves.get(usize::from(wave)));
        let words = wave.map(|wave| format!(", wave {}", wave.wave)).unwrap_or_default();
        let kind = Kind::of(device);
        self.page.wrapped("", 0, &format!("{}{words}: {}", device.device, kind.as_str()), Paint::Bold);
        match &device.standing {
            Standing::Excluded { exclusion, owner, reason, until } => {
                let until = self.zone.last_day(*until);
                self.page.line(2, &format!("{exclusion}: until {until}, by {owner}: {reason}"));
            }
            Standing::Blocked(blockers) => {
                for blocker in blockers {
                    let head = format!("  {} ", self.page.paint(Paint::Red, "x"));
                    let words = format!("{}: {}; {} acts", blocker.code, blocker.message, self.person(blocker.owner));
                    self.page.wrapped(&head, 4, &words, Paint::Plain);
                    self.page.line(6, &format!("next: {}", blocker.next));
                }
            }
            Standing::Migrate | Standing::Resume | Standing::Done | Standing::NoWave => {}
        }
        if let Some(wave) = wave.filter(|_| kind == Kind::Waiting) {
            self.wave_state(wave);
        }
        if let Some(task) = &device.task {
            let words = format!("profile {} goes to {} by package {}", task.profile_path, task.upn, task.package);
            self.page.line(2, &words);
        }
        self.page.blank();
        let arrow = if self.options.ascii { "->" } else { "→" };
        let mut crossed = false;
        for change in &device.changes {
            let runs = matches!(change.action, Action::Do | Action::Wait);
            if runs && !crossed && spec(change.op).phase == Phase::Committed {
                crossed = true;
                self.page.boundary();
            }
            self.page.operation(change);
            if let (true, Some((before, after))) = (runs, effect(change.op, device, &index)) {
                self.page.wrapped("        ", 10, &format!("{before} {arrow} {after}"), Paint::Dim);
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
        Plan contoso: hybrid-to-entra, as of 2026-12-02 18:30 (UTC)
        6 devices: 1 to migrate, 1 to resume, 2 waiting, 1 blocked, 1 excluded.
        33 operations would run; 1 device would pass the point of no return.

        Wave pilot: 1 to migrate, 1 to resume

          1 device takes 24 operations:
            PC-000
            + device.preflight              take fresh evidence of the device
            + device.snapshot-cloud         record the old cloud objects, groups and key ids
            + device.escrow-bitlocker       see a recovery key in the old tenant's escrow (checked again)
            + device.stage                  record the old facts in a protected folder
            + device.arm                    start at boot, prove a recovery administrator
            ──── point of no return ────────────────────────────────────────────────────────────────────────
            ! device.unjoin-domain          leave Active Directory
            ! device.leave-entra            leave the old Entra registration
            ! device.remove-mdm             remove the old MDM enrolment
            ! device.apply-package          install the provisioning package and restart
            ! device.verify-join            see the new join
            ! device.swap-profile           give the old profile to the new identity
            ! device.restore-local-groups   put the new identity into its local groups
            ! device.clean-identity-caches  remove the old identity's cached names and tokens
            ! device.restore-logon-surface  put back the sign-in screen and restart
            + device.await-sign-in          wait until the mapped user signed in
            + device.verify-enrolment       see the new enrolment on the device and in Intune
            + device.set-primary-user       make the mapped user the primary user
            + device.restore-groups         put the new device object into its groups
            + device.escrow-bitlocker-new   back the recovery key up to the new tenant
            + device.verify-laps            see a LAPS backup of the new device
            + device.verify-exit            measure the exit criteria
            + device.retire-old-intune      delete the old Intune record
            + device.retire-old-object      retire the old computer or Entra object
            + device.clean-up               remove what the migration left on the device
            - there is nothing of the kind: device.remove-configmgr
            - its feature is off in the plan: device.assign-configuration

          1 device goes on with the last 9 operations of these, from device.verify-enrolment on:
            PC-001

        Wave broad: 2 waiting, 1 blocked, 1 excluded
          Gate: 0 of 2 devices of `pilot` are done or excluded

        Tenant
          bulk (package_1@contoso.com)
            ~ tenant.revoke-package         due when the waves that use it are finished

        Blocked: 1 device
          x user.disabled: 1 device; identity (identity@contoso.com) acts
              PC-003: user3@contoso.com is disabled, so nobody could sign in [broad]
              next: enable the account, or name another person

        Excluded: 1 device
          - vip-laptops: 1 device until 2027-01-31, by lead@contoso.com: board meeting season
              PC-005

        Readiness: blocked; 1 fail, 9 attested, 2 warn (`opsole check` shows all)
          ! app.excess warn, tenant contoso: granted beyond need: Device.Read.All (redundant beside
            Device.ReadWrite.All); DeviceManagementConfiguration.Read.All (nothing needs it);
            DeviceManagementConfiguration.Re ...; identity (identity@contoso.com) acts
          ! ppl.change-record warn, plan: no ticket is written under `vip-laptops`; change-management acts
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

            + device.preflight              take fresh evidence of the device
            + device.snapshot-cloud         record the old cloud objects, groups and key ids
            + device.escrow-bitlocker       see a recovery key in the old tenant's escrow (checked again)
                1 of 1 recovery keys in escrow -> all 1 in escrow
            + device.stage                  record the old facts in a protected folder
                nothing recorded -> old facts in a protected folder
            + device.arm                    start at boot, prove a recovery administrator
                no boot start -> boot start, proven recovery administrator, banner
            ---- point of no return ------------------------------------------------------------------------
            ! device.unjoin-domain          leave Active Directory
                joined to corp.contoso.com -> in no domain
            ! device.leave-entra            leave the old Entra registration
                registration 00000004-0000-0000-0000-000000000000 in 00000001-0000-0000-0000-000000000000
                  -> no registration
            ! device.remove-mdm             remove the old MDM enrolment
                enrolled with MS DM Server as 00000006-0000-0000-0000-000000000000 -> not enrolled
            - device.remove-configmgr       remove the ConfigMgr client (there is nothing of the kind)
            ! device.apply-package          install the provisioning package and restart
                no package -> package bulk accepted, restart
            ! device.verify-join            see the new join
                hybrid joined -> Entra joined to 00000001-0000-0000-0000-000000000000
            ! device.swap-profile           give the old profile to the new identity
                C:\Users\user0 belongs to S-1-5-21-1-2-3-1100 -> to S-1-12-1-10-0-0-0 (user0@contoso.com)
            ! device.restore-local-groups   put the new identity into its local groups
                S-1-5-21-1-2-3-1100 is in S-1-5-32-544 -> S-1-12-1-10-0-0-0 is in the same
            ! device.clean-identity-caches  remove the old identity's cached names and tokens
                cached names and tokens of S-1-5-21-1-2-3-1100 -> none of them
            ! device.restore-logon-surface  put back the sign-in screen and restart
            + device.await-sign-in          wait until the mapped user signed in
            + device.verify-enrolment       see the new enrolment on the device and in Intune
            + device.set-primary-user       make the mapped user the primary user
                no primary user on the new record -> user0@contoso.com
            + device.restore-groups         put the new device object into its groups
                old object in App-CAD, MIG-Pilot -> new object in the same
            + device.escrow-bitlocker-new   back the recovery key up to the new tenant
                no key in escrow for the new device -> all 1 in escrow
            + device.verify-laps            see a LAPS backup of the new device
            - device.assign-configuration   assign the configuration profiles to the group (its feature is
                                            off in the plan)
            + device.verify-exit            measure the exit criteria
            + device.retire-old-intune      delete the old Intune record
                Intune record 00000006-0000-0000-0000-000000000000 -> deleted
            + device.retire-old-object      retire the old computer or Entra object
                CN=PC-000,OU=PCs,DC=corp,DC=contoso,DC=com is enabled -> disabled
            + device.clean-up               remove what the migration left on the device
                folder, banner, boot start, recovery administrator -> none of them
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
        Plan contoso: hybrid-to-entra, as of 2026-12-02 18:30 (UTC)
        2 devices: 2 done.
        Nothing to do now.

        Wave pilot: 2 done

        Tenant
          bulk (package_1@contoso.com)
            = tenant.revoke-package         already so

        Readiness: nothing blocks; 8 attested, 1 warn (`opsole check` shows all)
          ! app.excess warn, tenant contoso: granted beyond need: Device.Read.All (redundant beside
            Device.ReadWrite.All); DeviceManagementConfiguration.Read.All (nothing needs it);
            DeviceManagementConfiguration.Re ...; identity (identity@contoso.com) acts
        "#);
    }

    /// Catches a run of one wave that unfolds what it won't touch.
    #[test]
    fn another_wave_is_one_line() {
        let fleet = Fleet::new(Scenario::HybridToEntra, Join::Hybrid, 5);
        let all = decide(&fleet.plan, &fleet.snapshot).expect("no cycle").changes;
        let broad = select(&all, &"broad".into()).expect("a wave");
        let text = plan_text(&broad, &fleet.snapshot, &options(&fleet));
        assert!(
            text.contains("\n3 devices: 3 to migrate.\n") && text.contains("  3 devices take 24 operations:\n"),
            "{text}"
        );
        assert!(text.contains("Other waves\n  pilot: 2 waiting\n") && !text.contains("PC-001"), "{text}");
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
        assert!(large <= small + 2 && large < 80, "{small} {large}");
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
