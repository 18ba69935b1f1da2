//! What of a run goes into the list of what was decided and done, beside the entries of its journal.

use jiff::Timestamp;

use super::ops::WAS_EXCLUDED;
use crate::audit::{Anchor, ExclusionChange, Fact, JournalHash, Note, Origin, RunBegun, RunMark};
use crate::model::{Digest, Op, RunId};
use crate::port::{Result, Store};
use crate::run::{Event, Machine, RunPlan, TenantMark};

/// Who does what a run does by itself.
const CONTROLLER: &str = "controller";

/// Tells that a run begins.
pub(super) fn begun(plan: &RunPlan, stored: &[u8], origin: &Origin, text: &str) -> Note {
    let sealed = origin.sealed.as_ref();
    let begun = RunBegun {
        run: plan.run,
        purpose: origin.purpose,
        wave: plan.wave.clone(),
        sealed: sealed.map_or_else(|| "unsealed".to_owned(), |sealed| sealed.digest.to_string()),
        plan_digest: plan.digest,
        run_plan: Digest::of(stored),
        origin: Digest::of(text.as_bytes()),
        tool: origin.tool.clone(),
        accepted: plan.accepted.clone(),
        approvals: sealed.map_or(0, |sealed| u32::try_from(sealed.counted.len()).unwrap_or(u32::MAX)),
        devices: plan.devices.len() as u64,
    };
    Note { at: plan.created, actor: origin.by.clone(), fact: Fact::RunBegun(Box::new(begun)) }
}

/// Tells that a run was taken up again, with the journal as it was found: what a process that was killed left without
/// an anchor has one from here on.
pub(super) fn resumed(run: RunId, at: Timestamp, actor: &str, journal: Anchor) -> Note {
    Note { at, actor: actor.to_owned(), fact: Fact::RunResumed(RunMark { run, journal }) }
}

/// Tells that a run ended.
pub(super) fn ended(run: RunId, at: Timestamp, journal: Anchor) -> Note {
    Note { at, actor: CONTROLLER.to_owned(), fact: Fact::RunEnded(RunMark { run, journal }) }
}

/// Tells what events mean for devices and tenants. The machine has taken them already.
pub(super) fn of_events(machine: &Machine, at: Timestamp, events: &[Event]) -> Vec<Note> {
    let facts = events.iter().filter_map(|event| match event {
        Event::DeviceFinished { device, outcome } => Some(Fact::of_outcome(machine.plan().run, device, outcome)),
        Event::Tenant { index, mark } => of_tenant(machine, at, *index, mark),
        _ => None,
    });
    facts.map(|fact| Note { at, actor: CONTROLLER.to_owned(), fact }).collect()
}

fn of_tenant(machine: &Machine, at: Timestamp, index: u16, mark: &TenantMark) -> Option<Fact> {
    let plan = machine.plan();
    let all: Vec<_> = plan.tenant_before.iter().chain(&plan.tenant_after).collect();
    let run = *all.get(usize::from(index))?;
    // An exclusion that was there before isn't opened, and is closed only where its day has come.
    let was_there = (0..).zip(&all).any(|(other, one)| {
        one.op == Op::ExcludePackageAccount
            && (&one.policy, &one.group, &one.account) == (&run.policy, &run.group, &run.account)
            && machine.notes(None, other, one.op).first().is_some_and(|note| note == WAS_EXCLUDED)
    });
    let change = || ExclusionChange {
        run: plan.run,
        account: run.account.clone(),
        policy: run.policy.clone(),
        group: run.group.clone(),
    };
    match (run.op, mark) {
        (Op::ExcludePackageAccount, TenantMark::Done) if !was_there => Some(Fact::ExclusionOpened(change())),
        (Op::ExcludePackageAccount, TenantMark::Undone) if !was_there => Some(Fact::ExclusionClosed(change())),
        (Op::RestorePackageAccount, TenantMark::Done) if !was_there || run.due.is_some_and(|due| due <= at) => {
            Some(Fact::ExclusionClosed(change()))
        }
        _ => None,
    }
}

/// Tells that `apply` stops in good order: a run that is still open, or one that ended and whose agents said something
/// afterwards. Nothing is added where the last anchor covers all of the journal.
///
/// # Errors
/// `store.*`.
pub fn stopped(store: &dyn Store, run: RunId, at: Timestamp, actor: &str) -> Result<()> {
    let mut hash = JournalHash::default();
    store.journal(run)?.iter().for_each(|entry| hash.push(entry.at, &entry.body));
    let last = store.audit()?.iter().rev().find_map(|link| {
        let entry = link.entry()?;
        entry.fact.mark().filter(|mark| mark.run == run).map(|mark| mark.journal)
    });
    if last == Some(hash.anchor()) {
        return Ok(());
    }
    let fact = Fact::RunStopped(RunMark { run, journal: hash.anchor() });
    store.add_audit(&[Note { at, actor: actor.to_owned(), fact }])
}
