//! A run as people and programs see it: how it stands, what became of each device, what to do next.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::Serialize;

use super::words::count;
use crate::knowledge::{ForeignCode, carried_by};
use crate::model::{DeviceName, Digest, Op, Problem, RunId, WaveName};
use crate::run::{DeviceStage, Machine, Status};
use crate::state::Outcome;

/// Name and version of the shape.
pub const FORMAT: &str = "opsole.run/1";

/// Devices that are listed of one outcome in text.
const LISTED_MAX: usize = 20;

/// A run, as `opsole.run/1`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RunView {
    /// [`FORMAT`].
    pub format: &'static str,
    /// The run.
    pub run: RunId,
    /// Name of the plan.
    pub plan: String,
    /// Digest of the plan that was agreed.
    pub plan_digest: Digest,
    /// The wave.
    pub wave: WaveName,
    /// When it began.
    pub created: Timestamp,
    /// It ended; otherwise `apply --resume` goes on.
    pub ended: bool,
    /// Entries in its journal.
    pub entries: u64,
    /// Why the wave stopped, with the devices in flight then.
    pub stopped: Option<Stopped>,
    /// Tenant operations.
    pub tenant: Vec<TenantView>,
    /// Devices in order of their names.
    pub devices: Vec<DeviceView>,
}

/// Why a wave stopped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Stopped {
    /// What broke the budget.
    pub problem: Problem,
    /// Devices in flight then.
    pub in_flight: u32,
    /// How many of those were past the point of no return.
    pub committed: u32,
}

/// A tenant operation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TenantView {
    /// Which.
    pub op: Op,
    /// Where it stands.
    pub status: Status,
    /// What went wrong.
    pub problem: Option<Problem>,
}

/// A device in a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DeviceView {
    /// Which.
    pub device: DeviceName,
    /// Where it is: `waiting`, `preparing`, `moving`, `finishing`, `retiring`, `undoing`, `ended`.
    pub stage: &'static str,
    /// What is under way or next.
    pub current: Option<Op>,
    /// Operations that are done.
    pub done: u32,
    /// All its operations.
    pub total: u32,
    /// How it ended.
    pub outcome: Option<Outcome>,
    /// Each operation, where a single device was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operations: Option<Vec<OpView>>,
}

/// One operation of one device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OpView {
    /// Which.
    pub op: Op,
    /// Where it stands.
    pub status: Status,
    /// What went wrong.
    pub problem: Option<Problem>,
}

/// Returns the name of a stage.
#[must_use]
pub fn stage_name(stage: DeviceStage) -> &'static str {
    match stage {
        DeviceStage::Waiting => "waiting",
        DeviceStage::Preparing => "preparing",
        DeviceStage::Moving => "moving",
        DeviceStage::Finishing => "finishing",
        DeviceStage::Retiring => "retiring",
        DeviceStage::Undoing => "undoing",
        DeviceStage::Ended => "ended",
    }
}

impl RunView {
    /// Takes the picture of a machine; `device` narrows it to one device with all its operations.
    #[must_use]
    pub fn new(machine: &Machine, ended: bool, entries: u64, device: Option<&DeviceName>) -> Self {
        let plan = machine.plan();
        let names = plan.devices.iter().map(|run| &run.task.device).filter(|name| device.is_none_or(|d| d == *name));
        let devices = names
            .filter_map(|name| machine.device(name))
            .map(|one| DeviceView {
                operations: device.map(|name| {
                    let all = machine.operations(name).into_iter();
                    all.map(|(op, status, problem)| OpView { op, status, problem }).collect()
                }),
                device: one.device,
                stage: stage_name(one.stage),
                current: one.current,
                done: one.done,
                total: one.total,
                outcome: one.outcome,
            })
            .collect();
        let tenant = machine.progress().tenant;
        Self {
            format: FORMAT,
            run: plan.run,
            plan: plan.plan.clone(),
            plan_digest: plan.digest,
            wave: plan.wave.clone(),
            created: plan.created,
            ended,
            entries,
            stopped: machine.stop().map(|stop| Stopped {
                problem: stop.problem.clone(),
                in_flight: stop.in_flight,
                committed: stop.committed,
            }),
            tenant: tenant.into_iter().map(|(op, status, problem)| TenantView { op, status, problem }).collect(),
            devices,
        }
    }

    /// Returns it as text.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        let state = if self.ended { "ended" } else { "open: `opsole apply --resume` goes on" };
        line(&mut text, format_args!("Run {} of wave {} began {}; {state}.", short(self.run), self.wave, self.created));
        if let Some(stopped) = &self.stopped {
            line(
                &mut text,
                format_args!(
                    "The wave stopped: {}. {} in flight then, {} of them past the point of no return and finished.",
                    stopped.problem.message,
                    count(stopped.in_flight as usize, "device"),
                    stopped.committed
                ),
            );
        }
        for tenant in &self.tenant {
            // It stood ready for the case that an exclusion ran out during the run.
            if tenant.status == Status::Skipped && tenant.problem.is_none() {
                continue;
            }
            let why = tenant.problem.as_ref().map_or(String::new(), |problem| format!(": {}", problem.message));
            line(&mut text, format_args!("  {}  {}{why}", tenant.op, status_name(tenant.status)));
        }
        if let [one] = self.devices.as_slice()
            && one.operations.is_some()
        {
            unfold(&mut text, one);
        } else {
            self.groups(&mut text);
        }
        for command in self.explanations() {
            line(&mut text, format_args!("explain: {command}"));
        }
        text
    }

    /// Returns the commands that explain the foreign codes which its problems carry, each once.
    fn explanations(&self) -> BTreeSet<String> {
        let tenant = self.tenant.iter().filter_map(|tenant| tenant.problem.as_ref());
        let devices = self.devices.iter().flat_map(|device| {
            let ended = match &device.outcome {
                Some(
                    Outcome::Undone(problem)
                    | Outcome::PendingVerification(problem)
                    | Outcome::RecoveryRequired(problem),
                ) => Some(problem),
                _ => None,
            };
            let each = device.operations.iter().flatten().filter_map(|op| op.problem.as_ref());
            each.chain(ended)
        });
        tenant.chain(devices).filter_map(carried_by).map(ForeignCode::command).collect()
    }

    fn groups(&self, text: &mut String) {
        type Of = fn(&DeviceView) -> bool;
        let groups: [(&str, Of); 7] = [
            ("complete", |d| matches!(d.outcome, Some(Outcome::Complete))),
            ("a person is needed", |d| matches!(d.outcome, Some(Outcome::RecoveryRequired(_)))),
            ("failed and put back", |d| matches!(d.outcome, Some(Outcome::Undone(_)))),
            ("pending verification", |d| matches!(d.outcome, Some(Outcome::PendingVerification(_)))),
            ("not started", |d| matches!(d.outcome, Some(Outcome::NotStarted(_)))),
            ("under way", |d| d.outcome.is_none() && d.stage != "waiting"),
            ("waiting", |d| d.outcome.is_none() && d.stage == "waiting"),
        ];
        for (title, of) in groups {
            let all: Vec<&DeviceView> = self.devices.iter().filter(|device| of(device)).collect();
            if all.is_empty() {
                continue;
            }
            line(text, format_args!("{}: {title}", count(all.len(), "device")));
            if title == "complete" || title == "waiting" {
                let names: Vec<&str> = all.iter().take(LISTED_MAX).map(|device| device.device.as_str()).collect();
                let more = more(all.len());
                line(text, format_args!("  {}{more}", names.join(", ")));
                continue;
            }
            for device in all.iter().take(LISTED_MAX) {
                let at = device.current.map_or(String::new(), |op| format!(" at {op}"));
                line(text, format_args!("  {} ({} of {} operations{at})", device.device, device.done, device.total));
                if let Some(outcome) = &device.outcome {
                    why(text, outcome);
                }
            }
            if all.len() > LISTED_MAX {
                line(
                    text,
                    format_args!("  … and {} more; `opsole status --output json` has all", all.len() - LISTED_MAX),
                );
            }
        }
    }
}

fn more(len: usize) -> String {
    if len > LISTED_MAX { format!(" and {} more", len - LISTED_MAX) } else { String::new() }
}

fn unfold(text: &mut String, device: &DeviceView) {
    line(
        text,
        format_args!("{}: {}, {} of {} operations done", device.device, device.stage, device.done, device.total),
    );
    for op in device.operations.iter().flatten() {
        line(text, format_args!("  {:<32} {}", op.op, status_name(op.status)));
        if let Some(problem) = &op.problem {
            explain(text, problem);
        }
    }
    if let Some(outcome) = &device.outcome {
        line(text, format_args!("  ended: {}", outcome_name(outcome)));
        why(text, outcome);
    }
}

fn why(text: &mut String, outcome: &Outcome) {
    match outcome {
        Outcome::Complete => {}
        Outcome::NotStarted(reason) => line(text, format_args!("    {reason}")),
        Outcome::Undone(problem) | Outcome::PendingVerification(problem) | Outcome::RecoveryRequired(problem) => {
            explain(text, problem);
        }
    }
}

fn explain(text: &mut String, problem: &Problem) {
    line(text, format_args!("    {} ({})", problem.message, problem.code));
    if let Some(detail) = &problem.detail {
        line(text, format_args!("    {}", detail.replace('\n', "\n    ")));
    }
    if let Some(next) = &problem.next {
        line(text, format_args!("    next: {next}"));
    }
}

/// Returns the words for an outcome.
#[must_use]
pub fn outcome_name(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Complete => "complete",
        Outcome::Undone(_) => "failed and put back",
        Outcome::PendingVerification(_) => "pending verification",
        Outcome::RecoveryRequired(_) => "a person is needed",
        Outcome::NotStarted(_) => "not started",
    }
}

/// Returns the words for an operation's state.
pub(super) fn status_name(status: Status) -> &'static str {
    match status {
        Status::Pending => "to come",
        Status::Released => "ordered",
        Status::Running => "running on the device",
        Status::AgentDone => "done on the device",
        Status::Controlling => "running",
        Status::Done => "done",
        Status::PendingVerification => "pending verification",
        Status::Failed => "failed",
        Status::Skipped => "left out",
        Status::Undoing => "being put back",
        Status::Undone => "put back",
        Status::UndoFailed => "couldn't be put back",
    }
}

/// Returns the beginning of a run's id, enough for people.
#[must_use]
pub fn short(run: RunId) -> String {
    run.to_string().chars().take(13).collect()
}

fn line(text: &mut String, args: std::fmt::Arguments<'_>) {
    // Writing to a string can't fail.
    text.push_str(&args.to_string());
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Catches a failure whose code nobody can place, and twenty lines that all say the same.
    #[test]
    fn foreign_codes_are_explained_once() {
        let device = |name: &str, detail: &str| DeviceView {
            device: DeviceName::new(name),
            stage: "ended",
            current: None,
            done: 3,
            total: 9,
            outcome: Some(Outcome::RecoveryRequired(
                Problem::new("device.join-refused", format!("{name} couldn't join")).detail(detail),
            )),
            operations: None,
        };
        let view = RunView {
            format: FORMAT,
            run: RunId(uuid::Uuid::nil()),
            plan: "p".to_owned(),
            plan_digest: Digest::of(b""),
            wave: WaveName::from("pilot"),
            created: Timestamp::UNIX_EPOCH,
            ended: true,
            entries: 1,
            stopped: None,
            tenant: Vec::new(),
            devices: vec![device("A", "0x801c03ed"), device("B", "HTTP 400, 0x801C03ED"), device("C", "no code")],
        };
        let text = view.text();
        assert_eq!(text.matches("explain: ").count(), 1, "{text}");
        assert!(text.ends_with("explain: opsole explain 0x801c03ed\n"), "{text}");
    }
}
