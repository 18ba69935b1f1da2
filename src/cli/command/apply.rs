//! `opsole apply`: show, ask, carry out, sum up.

use tokio_util::sync::CancellationToken;

use super::{accept, plan as plan_command, sealed};
use crate::audit::{Origin, Purpose};
use crate::cli::args::ApplyArgs;
use crate::cli::baseline;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::listening::Listening;
use crate::cli::observe;
use crate::cli::progress::ProgressView;
use crate::cli::serving::{Way, operators_api, ports, start_agents};
use crate::cli::session::{Session, actor};
use crate::cli::settings::Settings;
use crate::cli::signals::Interrupts;
use crate::cli::ui::Ui;
use crate::controller::{self, Begin, Config, Controller, Handle, Limits, RunReport, Security};
use crate::diag::Code;
use crate::diff::{ChangeSet, Standing};
use crate::model::{DeviceName, Problem, RunId, WaveName};
use crate::port::{RunRow, RunState, Store};
use crate::render::run::{RunView, short};
use crate::render::words::count;
use crate::run::RunPlan;
use crate::state::Outcome;
use crate::store::{ApplyLock, Holder};

/// Carries out a wave, or goes on with the run that is open.
///
/// # Errors
/// As opening a session; `apply.locked`, `run.*`, `store.*`.
pub async fn run(settings: &Settings, args: &ApplyArgs) -> Result<Exit, Failure> {
    let ui = &settings.ui;
    let state = settings.state()?;
    std::fs::create_dir_all(&state).map_err(|e| {
        Problem::new("store.folder", format!("{} can't be made", state.display()))
            .detail(e.to_string())
            .next("check that you may write beside the plan, or name another folder with `--state DIR`")
    })?;
    let _lock = ApplyLock::take(&state, &Holder::this_process(None, crate::cli::session::now()))?;
    let mut session = Session::open(settings).await?;
    ui.warnings(&session.warnings);
    let open = session.store.runs()?.into_iter().find(|row| row.state == RunState::Open);
    let begin = match (args.resume, open) {
        (true, Some(row)) => resume(ui, args, &session, &row)?,
        (true, None) => {
            return Err(Problem::new("run.none-open", "there is no run to go on with")
                .next("begin one with `opsole apply --wave WAVE`")
                .into());
        }
        (false, Some(row)) => {
            return Err(Problem::new("run.open", format!("run {} of {} isn't finished", short(row.run), row.created))
                .next("finish it with `opsole apply --resume`; `opsole status` shows where it stands")
                .into());
        }
        (false, None) if args.close_expired => close_expired(ui, args, &session).await?,
        (false, None) => match &args.file {
            Some(file) => sealed::decide(ui, args, &session, file).await?,
            None => decide(ui, args, &session).await?,
        },
    };
    let plan = match begin {
        Decided::Go(begin) => begin,
        Decided::End(exit) => {
            session.close().await?;
            return Ok(exit);
        }
    };
    session.start_clock(args.lab_speed).await?;
    let exit = carry_out(settings, args, &session, *plan).await;
    session.close().await?;
    exit
}

/// What is done after looking and asking.
pub(super) enum Decided {
    /// Carry it out.
    Go(Box<Begin>),
    /// Nothing is to be done.
    End(Exit),
}

async fn decide(ui: &Ui, args: &ApplyArgs, session: &Session) -> Result<Decided, Failure> {
    sealed::may_go_without(session, args.wave.as_deref().unwrap_or_default())?;
    let snapshot = observe::observe(session).await?;
    let wave = args.wave.as_deref().unwrap_or_default();
    let changes = plan_command::decide(&session.plan, &snapshot, Some(wave))?;
    let name = WaveName::from(wave);
    let run = RunId(uuid::Uuid::now_v7());
    let plan =
        RunPlan::from_changes(&changes, &session.plan, &name, run, session.clock.now())?.with_ledger(&snapshot.ledger);
    if plan.devices.is_empty() && plan.tenant_before.is_empty() && plan.tenant_after.is_empty() {
        return nothing(ui, &session.plan, &snapshot, &changes, &name).map(Decided::End);
    }
    sealed::rules_hold(ui, session, &snapshot, &name)?;
    let accepted = accept::accepted(&session.plan, &args.accept)?;
    let relied = accept::relied_on(&session.plan, &changes);
    if !ui.json() {
        plan_command::show(ui, &session.plan, &snapshot, &changes, None)?;
    }
    if args.yes || !ui.interactive {
        accept::insist(&relied, &accepted)?;
    }
    let plan = RunPlan { accepted: relied.iter().map(|one| one.check).collect(), ..plan };
    let exceptions = accept::words(&relied);
    let question = format!(
        "{exceptions}Past the point of no return there is no way back, only forward.\nApply wave {name} to {}? Only `yes` does it:",
        count(plan.devices.len(), "device")
    );
    Ok(match confirmed(ui, args, &question)? {
        true => {
            baseline::keep_or_say(ui, &session.state, &snapshot);
            let exceptions = accept::exceptions(&relied);
            let origin = Origin { exceptions, ..sealed::unsealed(session, Purpose::Wave) };
            Decided::Go(Box::new(Begin::New(Box::new(plan), Box::new(origin))))
        }
        false => Decided::End(Exit::DECLINED),
    })
}

/// Makes a run of nothing but the exclusions in the tenant that have run out.
async fn close_expired(ui: &Ui, args: &ApplyArgs, session: &Session) -> Result<Decided, Failure> {
    let snapshot = observe::observe(session).await?;
    let changes = plan_command::decide(&session.plan, &snapshot, None)?;
    let Some(wave) = session.plan.waves.first().map(|wave| wave.name.value.clone()) else {
        return Err(Problem::new("run.unknown-wave", "the plan has no wave").next("add one to the plan").into());
    };
    let run = RunId(uuid::Uuid::now_v7());
    let plan = RunPlan::from_changes(&changes, &session.plan, &wave, run, session.clock.now())?.only_expired();
    if plan.tenant_after.is_empty() {
        // "Nothing to close" has to be known.
        let unread = changes.findings.0.iter().any(|finding| finding.code == Code::OBSERVATION_FAILED);
        if unread {
            plan_command::show(ui, &session.plan, &snapshot, &changes, None)?;
            ui.note("No exclusion that ran out was found live in the tenant, but not everything could be read.");
            return Ok(Decided::End(Exit::BLOCKED));
        }
        if ui.json() {
            plan_command::show(ui, &session.plan, &snapshot, &changes, None)?;
        } else {
            ui.answer("No exclusion that this plan manages has run out and is still live in the tenant.")?;
        }
        return Ok(Decided::End(Exit::OK));
    }
    for tenant in plan.tenant_after.iter().filter(|_| !ui.json()) {
        let policy = tenant.policy.as_deref().unwrap_or_default();
        let group = tenant.group.as_ref().map(|group| format!(" by group `{group}`")).unwrap_or_default();
        ui.answer(&format!("  {}: `{policy}` excludes {}{group} no longer", tenant.op, tenant.account))?;
    }
    let question = format!("Close {}? Only `yes` does it:", count(plan.tenant_after.len(), "exclusion"));
    Ok(match confirmed(ui, args, &question)? {
        true => {
            baseline::keep_or_say(ui, &session.state, &snapshot);
            let origin = sealed::unsealed(session, Purpose::CloseExpired);
            Decided::Go(Box::new(Begin::New(Box::new(plan), Box::new(origin))))
        }
        false => Decided::End(Exit::DECLINED),
    })
}

/// Says why there is nothing to run, and tells done from held back.
fn nothing(
    ui: &Ui,
    plan: &crate::plan::MigrationPlan,
    snapshot: &crate::state::Snapshot,
    changes: &ChangeSet,
    wave: &WaveName,
) -> Result<Exit, Failure> {
    let index = changes.waves.iter().position(|change| change.wave == *wave);
    let mut held = 0;
    let mut done = 0;
    for device in changes.devices.iter().filter(|device| device.wave.map(usize::from) == index) {
        match device.standing {
            Standing::Done => done += 1,
            Standing::Blocked(_) | Standing::Migrate | Standing::Resume => held += 1,
            Standing::Excluded { .. } | Standing::NoWave => {}
        }
    }
    if held > 0 {
        plan_command::show(ui, plan, snapshot, changes, None)?;
        ui.note(&format!(
            "Nothing can run in wave {wave}: {} done, {} held back by a blocker, a gate or a window.",
            count(done, "device"),
            count(held, "device")
        ));
        return Ok(Exit::BLOCKED);
    }
    if ui.json() {
        plan_command::show(ui, plan, snapshot, changes, None)?;
    } else {
        ui.answer(&format!("Nothing is left to do in wave {wave}: {} done.", count(done, "device")))?;
    }
    Ok(Exit::OK)
}

fn resume(ui: &Ui, args: &ApplyArgs, session: &Session, row: &RunRow) -> Result<Decided, Failure> {
    let machine = controller::replay(&*session.store, row)?;
    if !ui.json() {
        let entries = session.store.journal(row.run)?.len() as u64;
        ui.answer(&RunView::new(&machine, false, entries, None).text())?;
    }
    if machine.plan().digest != session.plan.digest {
        ui.note("The plan file has changed since this run was agreed to. The run goes on as it was agreed to.");
    }
    let question = format!("Go on with wave {}? Only `yes` does it:", machine.plan().wave);
    Ok(match confirmed(ui, args, &question)? {
        true => Decided::Go(Box::new(Begin::Resume(row.run))),
        false => Decided::End(Exit::DECLINED),
    })
}

pub(super) fn confirmed(ui: &Ui, args: &ApplyArgs, question: &str) -> Result<bool, Failure> {
    if args.yes {
        return Ok(true);
    }
    if !ui.interactive {
        let problem =
            Problem::new("cli.not-confirmed", "nobody is there to confirm this: standard input isn't a terminal")
                .next("look at `opsole plan`, then add `--yes`");
        return Err(Failure::Exit(Box::new(problem), Exit::DECLINED));
    }
    let yes = ui.confirm(question)?;
    if !yes {
        ui.note("Nothing was done.");
    }
    Ok(yes)
}

async fn carry_out(settings: &Settings, args: &ApplyArgs, session: &Session, begin: Begin) -> Result<Exit, Failure> {
    let ui = &settings.ui;
    let devices: Vec<DeviceName> = match &begin {
        Begin::New(plan, _) => names(plan),
        Begin::Resume(run) => names(controller::replay(&*session.store, &row_of(session, *run)?)?.plan()),
    };
    let mut interrupts = Interrupts::listen()?;
    let Listening { listener, security, url, connection } = Listening::open(settings, args.listen, &args.transport)?;
    let way = Way { url, secured: matches!(security, Security::Tls(_)), connection };
    let config = Config {
        kill_after_entry: args.kill_after_entry,
        kill_before_entry: args.kill_before_entry,
        ..Config::default()
    };
    let handle = Controller::start(begin, ports(session)?, config).await?;
    let shutdown = CancellationToken::new();
    let (api, _kept) = operators_api(args, session, &handle, &way, listener.local_addr()?)?;
    let telling = tokio::spawn({
        let api = api.clone();
        async move { api.keep_telling().await }
    });
    let server = tokio::spawn(controller::serve_with(
        handle.agents(),
        api.router(),
        listener,
        security,
        Limits::default(),
        shutdown.clone().cancelled_owned(),
    ));
    let agents = start_agents(settings, args, session, &handle, &devices, &way)?;
    let wave = handle.progress().borrow().wave.clone();
    let mut view = ProgressView::new(ui, wave.as_str(), devices.len());
    let report = watch(session, &handle, &mut view, &mut interrupts).await;
    view.end();
    let report = match report {
        Watched::Report(report) => report,
        Watched::Left => {
            ui.note("Ended at once. The run is open: `opsole apply --resume` goes on.");
            return Ok(Exit::INTERRUPTED);
        }
        // As after a kill: what counts is in the journal as far as it could be written.
        Watched::Broken(problem) => return Err((*problem).into()),
    };
    telling.abort();
    api.close();
    shutdown.cancel();
    if let Some(agents) = agents {
        agents.stop().await;
    }
    server.abort();
    let report = (*report)?;
    controller::stopped(&*session.store, report.run, session.clock.now(), &actor())?;
    sum_up(ui, session, &report)
}

fn names(plan: &RunPlan) -> Vec<DeviceName> {
    plan.devices.iter().map(|device| device.task.device.clone()).collect()
}

fn row_of(session: &Session, run: RunId) -> Result<RunRow, Problem> {
    let rows = session.store.runs()?;
    rows.into_iter()
        .find(|row| row.run == run)
        .ok_or_else(|| Problem::new("run.unknown", format!("run {run} isn't in the store")))
}

enum Watched {
    Report(Box<Result<RunReport, Problem>>),
    Left,
    Broken(Box<Problem>),
}

/// Shows progress until the run is finished or drained; the first interruption drains, the second leaves.
async fn watch(session: &Session, handle: &Handle, view: &mut ProgressView, interrupts: &mut Interrupts) -> Watched {
    let mut progress = handle.progress();
    let mut finished = std::pin::pin!(handle.finished());
    let mut asked = 0;
    loop {
        tokio::select! {
            report = &mut finished => {
                let last = progress.borrow().clone();
                view.show(&last);
                return Watched::Report(Box::new(report));
            }
            changed = progress.changed() => {
                let now = progress.borrow_and_update().clone();
                view.show(&now);
                if changed.is_err() {
                    // The controller is gone; `finished` says how.
                    progress = handle.progress();
                    tokio::task::yield_now().await;
                }
            }
            problem = session.store.broken() => return Watched::Broken(Box::new(problem)),
            problem = lab_broken(session) => return Watched::Broken(Box::new(problem)),
            () = interrupts.next() => {
                asked += 1;
                if asked > 1 {
                    return Watched::Left;
                }
                handle.drain().await;
            }
        }
    }
}

async fn lab_broken(session: &Session) -> Problem {
    match &session.lab {
        Some(lab) => lab.lab().store().broken().await,
        None => std::future::pending().await,
    }
}

fn sum_up(ui: &Ui, session: &Session, report: &RunReport) -> Result<Exit, Failure> {
    let machine = controller::replay(&*session.store, &row_of(session, report.run)?)?;
    let entries = session.store.journal(report.run)?.len() as u64;
    let view = RunView::new(&machine, !report.drained, entries, None);
    if ui.json() {
        ui.answer_json(&view)?;
    } else {
        let took = report.ended.duration_since(report.began).unsigned_abs();
        ui.answer(&format!("{}It took {} of the world's time.", view.text(), crate::render::words::duration(took)))?;
    }
    let exit = exit_of(report);
    // The problems above say what to mend; this says with which command it goes on.
    let next = match exit {
        Exit::INTERRUPTED => Some("The run is open: `opsole apply --resume` goes on with it.".to_owned()),
        Exit::UNDONE | Exit::PENDING => {
            Some(format!("Mend what is named above, then `opsole apply --wave {}` takes up the rest.", view.wave))
        }
        Exit::RECOVERY => {
            Some("Follow what is named above for each device; `opsole status --device NAME` shows one.".to_owned())
        }
        _ => None,
    };
    next.iter().for_each(|next| ui.note(next));
    // Written down elsewhere, in a ticket say, it proves later that nothing before it was changed or cut off.
    ui.note(&format!("Audit head: {}", session.store.audit_head()?));
    Ok(exit)
}

/// Returns the gravest of what happened.
fn exit_of(report: &RunReport) -> Exit {
    let any = |of: fn(&Outcome) -> bool| report.devices.values().any(of);
    if any(|outcome| matches!(outcome, Outcome::RecoveryRequired(_))) {
        Exit::RECOVERY
    } else if any(|outcome| matches!(outcome, Outcome::Undone(_))) || report.stop.is_some() {
        Exit::UNDONE
    } else if report.drained {
        Exit::INTERRUPTED
    } else if any(|outcome| matches!(outcome, Outcome::PendingVerification(_) | Outcome::NotStarted(_)))
        || report.tenant.iter().any(|(_, _, problem)| problem.is_some())
    {
        Exit::PENDING
    } else {
        Exit::OK
    }
}
