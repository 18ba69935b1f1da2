//! What the service desk can do on a device that came to a halt, without its controller: pure decisions from the
//! journal, fresh facts and what the steps themselves say.
//!
//! | where it stands | what is offered |
//! |---|---|
//! | nothing of the old join is gone | put back what the run has put on it, newest first |
//! | past the point of no return, not joined | go on: leave, remove, install the package again; sign-in screen last |
//! | joined to the target | profile, groups, caches, sign-in screen, in the chain's order; or give the profile back |
//! | everything holds | clean up, and keep the recovery administrator |
//!
//! Only operations of the order in hand are carried out: what the controller didn't release stays undone. What can't
//! be done by a program is a line for a person, in its place in the list.

use serde::Serialize;

use super::ledger::{Ended, Ledger};
use super::package::Opened;
use super::steps::{self, Context, Move, Verdict};
use crate::dag::{Phase, spec};
use crate::knowledge;
use crate::model::{DeviceFacts, JoinState, Op, Problem, RECOVERY_ACCOUNT, RunId, Staging, TenantId};
use crate::port::DeviceAction;
use crate::wire::{Step, StepKind};

/// Where a device stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// No order was ever taken up.
    NoRun,
    /// Nothing of the old join is gone.
    Before,
    /// The old join is gone or going, and the new one isn't there.
    Left,
    /// Joined to the target.
    Moved,
    /// Nothing is left to be done.
    Complete,
}

/// Who does it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Who {
    /// This command, once somebody said yes.
    Tool,
    /// A person.
    Person,
}

/// What shows that it worked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// The step's own postcondition.
    Step(Step),
    /// The sign-in screen lets people in.
    NoBanner,
    /// Only the next look can tell: the device restarts.
    Later,
}

/// One line of the list.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Remedy {
    /// Who does it.
    pub who: Who,
    /// The operation that it serves.
    pub op: Option<Op>,
    /// What is done, a sentence without a full stop.
    pub what: String,
    /// Why it is needed.
    pub why: String,
    /// Where it is only right in some cases: in which.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub only: Option<&'static str>,
    /// What is carried out, in order. Holds no secret when it is shown.
    pub actions: Vec<DeviceAction>,
    /// What shows that it worked.
    #[serde(skip)]
    pub proof: Proof,
}

/// Where the chain stopped.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Stopped {
    /// In which operation.
    pub op: Op,
    /// Do or undo.
    pub kind: StepKind,
    /// Which attempt, from 1; 0 where it wasn't begun.
    pub attempt: u32,
    /// The problem it ended with, where it did.
    pub problem: Option<Problem>,
    /// What is known of the problem's code, and of a code of Windows that it carries.
    pub explained: Vec<String>,
}

/// What counts of the facts.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Standing {
    /// How it is joined.
    pub join: JoinState,
    /// The tenant it is joined to.
    pub tenant: Option<TenantId>,
    /// The domain it is in, where it isn't leaving it.
    pub domain: Option<String>,
    /// It leaves the domain at the next restart.
    pub leaving: bool,
    /// Who owns the profile that moves: `old`, `new`, `both`, `nobody`.
    pub profile: &'static str,
    /// Whether that profile's files belong to the same owner.
    pub profile_files_agree: bool,
    /// A recovery administrator is there, and its password was tried.
    pub recovery_administrator: bool,
    /// The sign-in screen is held.
    pub sign_in_held: bool,
    /// The agent starts with Windows.
    pub starts_at_boot: bool,
}

/// Where a device stands and what can be done.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Diagnosis {
    /// Where it stands.
    pub stage: Stage,
    /// The run whose order is in hand.
    pub run: Option<RunId>,
    /// Where the chain stopped; none where nothing is left of the order.
    pub stopped: Option<Stopped>,
    /// What the device looks like.
    pub standing: Standing,
    /// What to do, in order.
    pub remedies: Vec<Remedy>,
}

/// What is decided on.
#[derive(Debug, Clone, Copy)]
pub struct Evidence<'a> {
    /// The journal, read.
    pub ledger: &'a Ledger,
    /// Fresh facts.
    pub facts: &'a DeviceFacts,
    /// The package, where it is still there.
    pub delivery: Option<&'a Opened>,
    /// Why the last join didn't work.
    pub join_error: Option<&'a Problem>,
}

const DO: StepKind = StepKind::Do;
const NOT_NOW: &str = "the device isn't to be moved now";
const BEFORE_JOIN: &str = "somebody has to sign in before the device is joined; whoever does with a new account gets an \
                           empty profile";

/// Decides.
#[must_use]
pub fn diagnose(it: &Evidence<'_>) -> Diagnosis {
    let Some(order) = it.ledger.order() else {
        return Diagnosis {
            stage: Stage::NoRun,
            run: None,
            stopped: None,
            standing: standing(it.facts, None),
            remedies: Vec::new(),
        };
    };
    let context = Context {
        run: order.run,
        task: &order.task,
        facts: it.facts,
        survey: None,
        delivery: it.delivery,
        recovery: None,
        join_error: it.join_error,
        // The first attempt of a join waits for it; whoever calls has waited already.
        attempt: 2,
        performed: &[],
    };
    let stage = stage(it, &context);
    let mut list = Vec::new();
    match stage {
        Stage::NoRun | Stage::Complete => {}
        Stage::Before => before(it, &context, &mut list),
        Stage::Left => left(it, &context, &mut list),
        Stage::Moved => moved(it, &context, &mut list),
    }
    Diagnosis {
        stage,
        run: Some(order.run),
        stopped: stopped(it),
        standing: standing(it.facts, Some(&context)),
        remedies: list,
    }
}

fn stage(it: &Evidence<'_>, context: &Context<'_>) -> Stage {
    let clean = it.facts.staging == Staging::default();
    let done = it.ledger.current().is_none();
    if context.is_moved() {
        let over = it.ledger.step(Step { op: Op::CleanUp, kind: DO }).outcome == Some(Ended::Done);
        return if over && clean { Stage::Complete } else { Stage::Moved };
    }
    // The facts count for more than the journal: a device may have been changed right before the power went.
    let going = it.facts.domain.as_ref().is_some_and(|domain| domain.leaving);
    if it.ledger.is_past_boundary() || going {
        return Stage::Left;
    }
    if done && clean { Stage::Complete } else { Stage::Before }
}

fn standing(facts: &DeviceFacts, context: Option<&Context<'_>>) -> Standing {
    let owner = |sid, path: &str| facts.profiles.iter().find(|p| p.sid == sid && steps::same_path(&p.path, path));
    let (old, new) = context.map_or((None, None), |it| {
        let path = it.task.profile_path.as_str();
        (owner(it.task.old_sid.clone(), path), owner(it.task.new_sid.clone(), path))
    });
    Standing {
        join: facts.join_state(),
        tenant: facts.entra.as_ref().map(|entra| entra.tenant),
        domain: facts.domain.as_ref().filter(|domain| !domain.leaving).map(|domain| domain.domain.clone()),
        leaving: facts.domain.as_ref().is_some_and(|domain| domain.leaving),
        profile: match (old, new) {
            (Some(_), None) => "old",
            (None, Some(_)) => "new",
            (Some(_), Some(_)) => "both",
            (None, None) => "nobody",
        },
        profile_files_agree: [old, new].into_iter().flatten().all(|profile| profile.acl_owner == profile.sid),
        recovery_administrator: facts.staging.recovery_admin_proven,
        sign_in_held: facts.staging.banner,
        starts_at_boot: facts.staging.boot_start,
    }
}

fn stopped(it: &Evidence<'_>) -> Option<Stopped> {
    let step = it.ledger.current()?;
    let problem = it.ledger.halt().map(|halt| halt.problem);
    let mut explained = Vec::new();
    if let Some(problem) = &problem {
        if let Some(known) = knowledge::problem(&problem.code) {
            explained.push(format!("{}: {}; {}", known.code, known.means, known.then));
        }
        if let Some(code) = knowledge::carried_by(problem).or_else(|| knowledge::first_in(&problem.code)) {
            explained.push(format!("{}: {}", code.code, code.hint()));
        }
    }
    let attempt = it.ledger.step(step).attempt.map_or(0, |(attempt, _)| attempt);
    Some(Stopped { op: step.op, kind: step.kind, attempt, problem, explained })
}

fn person(op: Option<Op>, what: impl Into<String>, why: impl Into<String>) -> Remedy {
    let proof = Proof::Later;
    Remedy { who: Who::Person, op, what: what.into(), why: why.into(), only: None, actions: Vec::new(), proof }
}

fn why(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Holds => "it holds".to_owned(),
        Verdict::No(why) | Verdict::Unknown(why) => why.clone(),
    }
}

/// Says that the agent goes on by itself, where nothing stopped it.
fn goes_on(it: &Evidence<'_>, list: &mut Vec<Remedy>) {
    if it.ledger.halt().is_none()
        && let Some(step) = it.ledger.current()
    {
        let what = format!("Start the agent and let it go on with {}: nothing has stopped it", step.op);
        list.push(person(Some(step.op), what, "its order isn't carried out yet"));
    }
}

/// Nothing is lost yet: what was put on the device is taken away again.
fn before(it: &Evidence<'_>, context: &Context<'_>, list: &mut Vec<Remedy>) {
    goes_on(it, list);
    let only = it.ledger.halt().is_none().then_some(NOT_NOW);
    for op in [Op::Arm, Op::Stage] {
        let verdict = steps::undone(op, context);
        if verdict == Verdict::Holds {
            continue;
        }
        if let Move::Act(actions) = steps::undo(op, context) {
            let what = match op {
                Op::Arm => "Take boot start, banner and recovery administrator away, and let people sign in",
                _ => "Remove the protected folder and the recorded facts",
            };
            let proof = Proof::Step(Step { op, kind: StepKind::Undo });
            let (what, why) = (what.to_owned(), why(&verdict));
            list.push(Remedy { who: Who::Tool, op: Some(op), what, why, only, actions, proof });
        }
    }
    list.extend(again(it));
}

/// What mends the cause, on the controller's side.
fn again(it: &Evidence<'_>) -> Option<Remedy> {
    let halt = it.ledger.halt()?;
    let mend = halt.problem.next.clone().unwrap_or_else(|| "mend what is named".to_owned());
    let what = format!("Mend the cause, then apply the device's wave again: {mend}");
    Some(person(Some(halt.step.op), what, halt.problem.message))
}

fn recovery_administrator(context: &Context<'_>, list: &mut Vec<Remedy>) {
    let device = &context.task.device;
    if context.facts.staging.recovery_admin_proven {
        let what = format!(
            "Keep the recovery administrator: sign in as .\\{RECOVERY_ACCOUNT}; \
             `opsole recover {device} --show-password --reason TICKET` on the controller shows its password"
        );
        list.push(person(Some(Op::Arm), what, "no directory lets anybody in until the device is joined"));
    } else {
        let what =
            "Make sure that a local administrator's password is known before anything else, and before a restart";
        list.push(person(Some(Op::Arm), what, "the recovery administrator isn't there or was never tried"));
    }
}

/// Lists operations in order, up to one that can't be done now.
fn go_on(context: &Context<'_>, ops: &[Op], list: &mut Vec<Remedy>) {
    for op in ops {
        let verdict = steps::check(*op, context);
        if verdict == Verdict::Holds {
            continue;
        }
        match steps::act(*op, context) {
            Move::Act(actions) => {
                let restarts = actions.contains(&DeviceAction::Restart);
                let proof = if restarts { Proof::Later } else { Proof::Step(Step { op: *op, kind: DO }) };
                let what = format!("Carry out {op}{}", if restarts { ", and restart" } else { "" });
                list.push(Remedy {
                    who: Who::Tool,
                    op: Some(*op),
                    what,
                    why: why(&verdict),
                    only: None,
                    actions,
                    proof,
                });
                if restarts {
                    let what = "After the restart run `opsole agent recover` again";
                    return list.push(person(
                        Some(*op),
                        what,
                        "what is left is decided on what the device looks like then",
                    ));
                }
            }
            Move::Wait(what) => {
                let what = format!("Wait for {what}, or see to it");
                list.push(person(Some(*op), what, why(&verdict)));
                if *op == Op::SwapProfile {
                    let what = "Restart, so that nobody holds the profile".to_owned();
                    let (why, actions) = (why(&verdict), vec![DeviceAction::Restart]);
                    let only = Some("nobody can be signed out otherwise");
                    let proof = Proof::Later;
                    list.push(Remedy { who: Who::Tool, op: Some(*op), what, why, only, actions, proof });
                }
                return;
            }
            Move::NeedsOrder(needed) => {
                let what = format!("Let the device reach its controller and apply again: {needed}");
                return list.push(person(Some(*op), what, why(&verdict)));
            }
            Move::Refuse(problem) => {
                let next = problem.next.unwrap_or_else(|| "look at the device".to_owned());
                return list.push(person(Some(*op), format!("See to it: {next}"), problem.message));
            }
        }
    }
}

/// Returns the operations of the order between two phases, in its order.
fn ordered(it: &Evidence<'_>, wanted: impl Fn(Op) -> bool) -> Vec<Op> {
    let steps = it.ledger.order().map(|order| order.steps.as_slice()).unwrap_or_default();
    steps.iter().filter(|step| step.kind == DO && wanted(step.op)).map(|step| step.op).collect()
}

fn left(it: &Evidence<'_>, context: &Context<'_>, list: &mut Vec<Remedy>) {
    goes_on(it, list);
    recovery_administrator(context, list);
    let joining = |op| {
        spec(op).phase != Phase::Reversible
            && matches!(
                op,
                Op::UnjoinDomain
                    | Op::LeaveEntra
                    | Op::RemoveMdm
                    | Op::RemoveConfigmgr
                    | Op::ApplyPackage
                    | Op::VerifyJoin
            )
    };
    go_on(context, &ordered(it, joining), list);
    sign_in_screen(context, Some(BEFORE_JOIN), list);
    list.extend(again(it));
}

fn sign_in_screen(context: &Context<'_>, only: Option<&'static str>, list: &mut Vec<Remedy>) {
    if context.facts.staging.banner && context.facts.staging.recorded.is_some() {
        list.push(Remedy {
            who: Who::Tool,
            op: Some(Op::RestoreLogonSurface),
            what: "Put the sign-in screen back as it was recorded, and let people sign in".to_owned(),
            why: "the banner is shown and sign-in is held".to_owned(),
            only,
            actions: vec![DeviceAction::RestoreLogonSurface],
            proof: Proof::NoBanner,
        });
    }
}

fn moved(it: &Evidence<'_>, context: &Context<'_>, list: &mut Vec<Remedy>) {
    goes_on(it, list);
    recovery_administrator(context, list);
    let ops = ordered(it, |op| {
        matches!(
            op,
            Op::VerifyJoin
                | Op::SwapProfile
                | Op::RestoreLocalGroups
                | Op::CleanIdentityCaches
                | Op::RestoreLogonSurface
                | Op::AwaitSignIn
                | Op::VerifyEnrolment
        )
    });
    let begun = list.len();
    go_on(context, &ops, list);
    let screen = |remedy: &Remedy| remedy.op == Some(Op::RestoreLogonSurface) && remedy.who == Who::Tool;
    let swapped = steps::check(Op::SwapProfile, context) == Verdict::Holds;
    let is_old = steps::undone(Op::SwapProfile, context) == Verdict::Holds
        && context.facts.profile_of(&context.task.new_sid).is_none_or(|new| {
            // An empty one of a first sign-in isn't the old one.
            !steps::same_path(&new.path, &context.task.profile_path)
        });
    if ops.contains(&Op::SwapProfile)
        && !swapped
        && !is_old
        && let Move::Act(actions) = steps::undo(Op::SwapProfile, context)
    {
        list.push(Remedy {
            who: Who::Tool,
            op: Some(Op::SwapProfile),
            what: format!("Give {} back to {}", context.task.profile_path, context.task.old_sid),
            why: "the profile is between its owners".to_owned(),
            only: Some("it can't be given to the new one"),
            actions,
            proof: Proof::Step(Step { op: Op::SwapProfile, kind: StepKind::Undo }),
        });
    }
    if !list[begun..].iter().any(screen) {
        sign_in_screen(context, Some(BEFORE_PROFILE).filter(|_| !swapped), list);
    }
    if list[begun..].is_empty() && it.facts.staging != Staging::default() {
        list.push(Remedy {
            who: Who::Tool,
            op: Some(Op::CleanUp),
            what: "Remove what the migration put on the device, and keep the recovery administrator".to_owned(),
            why: "everything else holds".to_owned(),
            only: Some("the agent can't do it itself any more"),
            actions: vec![DeviceAction::CleanUp { keep_recovery_admin: true }],
            proof: Proof::Later,
        });
    }
    list.extend(again(it));
}

const BEFORE_PROFILE: &str = "somebody has to sign in before the profile is theirs; they get an empty one";
