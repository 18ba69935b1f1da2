//! `opsole gate`: what a wave's exit comes to, and a person's word that it is good enough.

use super::plan::did_you_mean;
use crate::audit::{Fact, Note};
use crate::cli::account;
use crate::cli::args::GateArgs;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::observe;
use crate::cli::session::{Session, actor};
use crate::cli::settings::Settings;
use crate::cli::ui::Ui;
use crate::dag::{Index, assign, views};
use crate::diff::{self, ChangeSet, newest_sign_off};
use crate::model::{Check, DeviceName, OwnerRole, Problem, WaveName};
use crate::plan::{MigrationPlan, Word as _};
use crate::port::Store as _;
use crate::readiness::{
    Cover, Criterion, Measure, Subject, WaveExit, asks_for_exit, device_exit, judge_exit, wave_exit,
};
use crate::render::gate::{GateStyle, GateView, waiting};
use crate::state::{SignOff, Snapshot};

/// Characters of a sign-off's evidence at the most: a reference, not a report.
const EVIDENCE_MAX: usize = 500;

/// Shows the gate of a wave, signs it off, or takes a sign-off back.
///
/// # Errors
/// As opening a session and observing; `cli.unknown-wave`, `cli.unknown-device`; `gate.*`.
pub async fn run(settings: &Settings, args: &GateArgs) -> Result<Exit, Failure> {
    let ui = &settings.ui;
    let session = Session::open(settings).await?;
    ui.warnings(&session.warnings);
    let mut snapshot = observe::observe(&session).await?;
    let act = act(ui, args, &session, &mut snapshot);
    let plan = session.plan.clone();
    session.close().await?;
    let acted = match act? {
        Acted::Recorded | Acted::Stood => true,
        Acted::Looked => false,
        Acted::Declined => return Ok(Exit::DECLINED),
    };
    let wave = WaveName::from(args.wave.as_str());
    let device = args.device.as_deref().map(DeviceName::new);
    let seen = look(&plan, &snapshot, &wave, device.as_ref())?;
    let unfolded = device.as_ref().zip(seen.device);
    let view = GateView::new(&plan, &seen.changes, &seen.exit, &snapshot.sign_offs, unfolded);
    if ui.json() {
        ui.answer_json(&view)?;
    } else {
        ui.answer(&view.text(&plan, GateStyle { width: ui.width, color: ui.color, ascii: !ui.unicode }))?;
    }
    // A sign-off that was recorded, or stands already, is a success, also while the gate still soaks.
    Ok(if acted || view.is_open() { Exit::OK } else { Exit::BLOCKED })
}

struct Seen {
    changes: ChangeSet,
    exit: WaveExit,
    device: Option<Vec<(Criterion, Measure)>>,
}

fn look(
    plan: &MigrationPlan,
    snapshot: &Snapshot,
    wave: &WaveName,
    device: Option<&DeviceName>,
) -> Result<Seen, Failure> {
    let index = Index::new(plan, snapshot);
    let assignment = assign(&index);
    let views = views(&index, &assignment);
    let exit = wave_exit(&index, &assignment, &views, wave).ok_or_else(|| {
        let names: Vec<&str> = plan.waves.iter().map(|wave| wave.name.value.as_str()).collect();
        Problem::new("cli.unknown-wave", format!("the plan has no wave `{wave}`")).next(format!(
            "{}its waves are {}",
            did_you_mean(wave.as_str(), &names),
            names.join(", ")
        ))
    })?;
    let of_wave = |at: u16| plan.waves.get(usize::from(at)).is_some_and(|one| one.name.value == *wave);
    let device = match device {
        None => None,
        Some(name) => {
            let all = || assignment.devices.iter().zip(&views).filter(|(one, _)| one.wave.is_some_and(of_wave));
            let Some((_, view)) = all().find(|(one, _)| one.device == *name) else {
                let known: Vec<&str> = all().map(|(one, _)| one.device.as_str()).collect();
                return Err(Problem::new("cli.unknown-device", format!("wave `{wave}` has no device {name}"))
                    .next(format!(
                        "{}`opsole plan --device {name}` says where it is",
                        did_you_mean(name.as_str(), &known)
                    ))
                    .into());
            };
            if !view.past {
                return Err(Problem::new(
                    "gate.not-moved",
                    format!("{name} isn't moved yet, so there is nothing to measure"),
                )
                .next(format!("`opsole plan --device {name}` says what keeps it"))
                .into());
            }
            Some(device_exit(&index, view))
        }
    };
    let changes = diff::decide(plan, snapshot).map_err(|cycle| Problem::new("plan.cycle", cycle.to_string()))?.changes;
    Ok(Seen { changes, exit, device })
}

enum Acted {
    Looked,
    Recorded,
    /// The same sign-off stands already.
    Stood,
    Declined,
}

fn act(ui: &Ui, args: &GateArgs, session: &Session, snapshot: &mut Snapshot) -> Result<Acted, Failure> {
    if !args.sign_off && !args.take_back {
        return Ok(Acted::Looked);
    }
    let (plan, wave) = (&session.plan, WaveName::from(args.wave.as_str()));
    let role = args.role.ok_or_else(|| usage("a sign-off is given in a role", "add `--as ROLE`"))?;
    let evidence = evidence(args)?;
    let seen = look(plan, snapshot, &wave, None)?;
    asked(plan, &seen.changes, &wave, role)?;
    if args.take_back {
        let stands = newest_sign_off(&snapshot.sign_offs, &wave, role).is_some_and(|one| !one.revoked);
        if !stands {
            return Err(Problem::new("gate.not-signed", format!("no sign-off of `{wave}` as {} stands", role.word()))
                .next(format!("`opsole gate {wave}` shows the sign-offs there are"))
                .into());
        }
    } else {
        met(plan, &seen, &wave, role)?;
        if let Some(one) = standing(&seen.changes, &wave, role).filter(|one| one.evidence == evidence) {
            ui.note(&format!(
                "Signed off as {} by {} with this evidence already; nothing was recorded. Other evidence would be.",
                role.word(),
                one.by
            ));
            return Ok(Acted::Stood);
        }
        let question = format!(
            "Sign off the exit of wave {wave} as {}: {}? Only `yes` does it:",
            role.word(),
            seen.exit.summary()
        );
        if !confirmed(ui, args.yes, &question)? {
            return Ok(Acted::Declined);
        }
    }
    let sign_off = SignOff {
        wave,
        role,
        by: account::name()?,
        at: session.clock.now(),
        evidence,
        seen: seen.exit.summary(),
        revoked: args.take_back,
    };
    let note = Note { at: sign_off.at, actor: actor(), fact: Fact::of_sign_off(&sign_off) };
    session.store.add_sign_off(&sign_off, &[note])?;
    ui.note(&format!(
        "{} as {} by account {}, as the environment names it.",
        if sign_off.revoked { "Taken back" } else { "Signed off" },
        role.word(),
        sign_off.by
    ));
    snapshot.sign_offs.push(sign_off);
    Ok(Acted::Recorded)
}

/// Returns the sign-off of a role that counts now.
fn standing<'c>(changes: &'c ChangeSet, wave: &'c WaveName, role: OwnerRole) -> Option<&'c SignOff> {
    let mut states = waiting(changes, wave).flat_map(|(_, need)| &need.roles);
    // Where the plan attests the gate, nobody's word is asked for, and whether one is outdated isn't said.
    states.find(|one| one.role == role && one.answer == diff::GateAnswer::Signed)?.sign_off.as_ref()
}

fn usage(message: impl Into<String>, next: impl Into<String>) -> Failure {
    Failure::Exit(Box::new(Problem::new("cli.usage", message).next(next)), Exit::USAGE)
}

fn evidence(args: &GateArgs) -> Result<String, Failure> {
    let text = args.evidence.as_deref().unwrap_or_default().trim();
    let next = "name a ticket, a report or a meeting: `--evidence CHG-1234`";
    if text.is_empty() {
        return Err(usage("a sign-off needs evidence, so that others can look it up", next));
    }
    if text.chars().any(char::is_control) || text.chars().count() > EVIDENCE_MAX {
        return Err(usage(format!("the evidence has to be one line of at most {EVIDENCE_MAX} characters"), next));
    }
    Ok(text.to_owned())
}

/// Says whether some later wave asks for this role.
fn asked(plan: &MigrationPlan, changes: &ChangeSet, wave: &WaveName, role: OwnerRole) -> Result<(), Failure> {
    let mut roles: Vec<OwnerRole> =
        waiting(changes, wave).flat_map(|(_, need)| &need.roles).map(|state| state.role).collect();
    if roles.contains(&role) {
        return Ok(());
    }
    roles.sort_unstable();
    roles.dedup();
    let words: Vec<&str> = roles.iter().map(|role| role.word()).collect();
    let owner = |role: &OwnerRole| plan.owners.get(role).map_or_else(String::new, |who| format!(" ({who})"));
    let named: Vec<String> = roles.iter().zip(&words).map(|(role, word)| format!("{word}{}", owner(role))).collect();
    Err(if named.is_empty() {
        usage(
            format!("no wave waits for a sign-off of `{wave}`"),
            format!("write `needs: [{wave}]` and `gate: {{sign_off: [{}]}}` into the wave that waits", role.word()),
        )
    } else {
        usage(
            format!("no gate asks for the sign-off of `{wave}` as {}", role.word()),
            format!("the roles that are asked for are {}", named.join(", ")),
        )
    })
}

/// Refuses a sign-off of what isn't so: devices that aren't finished, criteria that aren't met.
fn met(plan: &MigrationPlan, seen: &Seen, wave: &WaveName, role: OwnerRole) -> Result<(), Failure> {
    let mut missing = Vec::new();
    let asks = |(later, need): &(&diff::WaveChange, &diff::NeedState)| {
        need.roles.iter().any(|state| state.role == role) && plan.wave(&later.wave).is_some_and(asks_for_exit)
    };
    let mut needs = waiting(&seen.changes, wave).peekable();
    if let Some((_, need)) = needs.peek()
        && !need.is_finished()
    {
        missing.push(format!("{} of {} devices are done or excluded", need.settled, need.devices));
    }
    if needs.any(|pair| asks(&pair)) {
        let cover = Cover::new(plan);
        let finding = cover.finding(Check::PilotExit, Subject::Wave(wave.clone()), None, judge_exit(&seen.exit));
        if !finding.holds() {
            missing.extend(seen.exit.lacking());
        }
    }
    if missing.is_empty() {
        return Ok(());
    }
    let problem = Problem::new("gate.not-met", format!("wave `{wave}` can't be signed off yet"))
        .detail(missing.join("\n"))
        .next(format!("mend what is named, then sign off again; `opsole gate {wave}` shows each criterion"));
    Err(Failure::Exit(Box::new(problem), Exit::BLOCKED))
}

fn confirmed(ui: &Ui, yes: bool, question: &str) -> Result<bool, Failure> {
    if yes {
        return Ok(true);
    }
    if !ui.interactive {
        let problem = Problem::new("cli.not-confirmed", "nobody is there to confirm the sign-off")
            .next("look at `opsole gate`, then add `--yes`");
        return Err(Failure::Exit(Box::new(problem), Exit::DECLINED));
    }
    let yes = ui.confirm(question)?;
    if !yes {
        ui.note("Nothing was signed off.");
    }
    Ok(yes)
}
