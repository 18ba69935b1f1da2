//! What sealed plans need from around them: the files that a plan was made from, a fresh body of a wave, and a file's
//! statements. Shared by `plan --out`, `show`, `approve` and `apply FILE`.

use std::collections::BTreeSet;
use std::path::Path;

use jiff::{SignedDuration, Timestamp};

use super::session::Session;
use crate::audit::{Fact, SealedPlan};
use crate::diff::{self, Action, ChangeSet, Reason};
use crate::model::{Digest, Op, Problem, RunId, WaveName};
use crate::plan::MigrationPlan;
use crate::port::Store;
use crate::run::RunPlan;
use crate::sealed::{Body, Input, MAX_BYTES, SealInput, Sealed, seal};
use crate::state::Snapshot;
use crate::trust::digest_of;

/// How long a sealed plan is good where the plan doesn't say: long enough for a review, short enough that the world
/// of then is the world of now.
const MAX_AGE: SignedDuration = SignedDuration::from_hours(7 * 24);

/// Reads a sealed plan.
///
/// # Errors
/// `sealed.read`, and what is wrong with it.
pub fn read(path: &Path) -> Result<Sealed, Problem> {
    let unread = |detail: String| {
        Problem::new("sealed.read", format!("can't read the sealed plan {}", path.display()))
            .detail(detail)
            .next("name a file that `opsole plan --out FILE` wrote")
    };
    let length = std::fs::metadata(path).map_err(|e| unread(e.to_string()))?.len();
    if length > MAX_BYTES as u64 {
        return Err(unread(format!("it is larger than {} MiB", MAX_BYTES >> 20)));
    }
    let bytes = std::fs::read(path).map_err(|e| unread(e.to_string()))?;
    Sealed::read(&bytes).map_err(|e| {
        let code = match e {
            crate::sealed::SealedError::Format => "sealed.format",
            crate::sealed::SealedError::Newer(_) => "sealed.newer",
            _ => "sealed.tampered",
        };
        Problem::new(code, format!("{} can't be used: {e}", path.display()))
            .next("take the file as it was sealed, or plan and seal again")
    })
}

/// Writes a sealed plan: all of it or nothing.
///
/// # Errors
/// `sealed.write`.
pub fn write(path: &Path, sealed: &Sealed) -> Result<(), Problem> {
    let write = || -> std::io::Result<()> {
        let folder = super::settings::beside(path);
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or("plan");
        let part = folder.join(format!(".{name}.part"));
        let mut file = std::fs::File::create(&part)?;
        std::io::Write::write_all(&mut file, &sealed.to_bytes())?;
        file.sync_all()?;
        std::fs::rename(&part, path)
    };
    write().map_err(|e| {
        Problem::new("sealed.write", format!("can't write {}", path.display()))
            .detail(e.to_string())
            .next("check the folder's rights and the space on its disk")
    })
}

/// Tells that a plan was sealed; `learnt` where that was elsewhere.
#[must_use]
pub fn sealed_fact(sealed: &Sealed, learnt: bool) -> Fact {
    let (body, seal) = (&sealed.body, sealed.seal());
    Fact::PlanSealed(SealedPlan {
        digest: sealed.digest(),
        plan: body.plan.name.clone(),
        plan_digest: body.plan.digest,
        wave: WaveName::from(body.wave.as_str()),
        devices: body.run.devices.len() as u64,
        by: seal.by.clone(),
        key: seal.key,
        sealed_at: body.sealed_at,
        not_after: body.not_after,
        learnt,
    })
}

/// Returns what the file tells and the list of what was decided and done doesn't know yet: plans are sealed and approved
/// on other machines too.
///
/// # Errors
/// `store.*`.
pub fn learnt(store: &dyn Store, sealed: &Sealed) -> Result<Vec<Fact>, Problem> {
    let links = store.audit()?;
    let known: Vec<Fact> = links.iter().filter_map(|link| link.entry().map(|entry| entry.fact)).collect();
    let seal = known.iter().any(|fact| matches!(fact, Fact::PlanSealed(plan) if plan.digest == sealed.digest()));
    let signatures: BTreeSet<&str> = known.iter().filter_map(Fact::signature).collect();
    let fresh = sealed.statements.iter().filter(|one| !signatures.contains(one.signature.as_str()));
    let seal = (!seal).then(|| sealed_fact(sealed, true));
    Ok(seal.into_iter().chain(fresh.filter_map(|one| Fact::of_statement(one, true))).collect())
}

/// Returns the files that the plan was made from, with packages.
///
/// # Errors
/// `package.*` where a package can't be read: what can't be read can't be agreed to.
pub fn inputs(session: &Session) -> Result<Vec<Input>, Problem> {
    let mut all: Vec<Input> = session
        .warnings
        .1
        .0
        .iter()
        .map(|source| {
            let name = Path::new(&source.name).file_name().and_then(|name| name.to_str()).unwrap_or(&source.name);
            Input { name: name.to_owned(), sha256: Digest::of(source.text.as_bytes()) }
        })
        .collect();
    let used = |package: &&crate::plan::PackageSpec| session.plan.waves.iter().any(|w| w.package == package.name);
    for package in session.plan.packages.iter().filter(used) {
        let bytes = zeroize::Zeroizing::new(session.packages.read(&package.name)?);
        all.push(Input { name: format!("package {}", package.name), sha256: Digest::of(&bytes) });
    }
    all.sort();
    all.dedup();
    Ok(all)
}

/// A wave as it would be sealed now.
#[derive(Debug)]
pub struct Fresh {
    /// The body.
    pub body: Body,
    /// What keeps the wave closed now; each a clause.
    pub closed: Vec<String>,
}

/// Decides a wave as if it were open and puts it into a body.
///
/// # Errors
/// As deciding; `cli.unknown-wave`.
pub fn fresh(
    session: &Session,
    snapshot: &Snapshot,
    wave: &WaveName,
    valid: Option<SignedDuration>,
) -> Result<Fresh, Problem> {
    let plan = &session.plan;
    super::command::check::wave_place(plan, wave.as_str())?;
    let cycle = |cycle: crate::dag::Cycle| Problem::new("plan.cycle", cycle.to_string());
    let decision = diff::decide_ahead(plan, snapshot, Some(wave)).map_err(cycle)?;
    let changes = diff::select(&decision.changes, wave)
        .ok_or_else(|| Problem::new("cli.unknown-wave", format!("the plan has no wave `{wave}`")))?;
    let now = session.clock.now();
    let run =
        RunPlan::from_changes(&changes, plan, wave, RunId(uuid::Uuid::now_v7()), now)?.with_ledger(&snapshot.ledger);
    let relied = super::command::accept::relied_on(plan, &changes);
    let run = RunPlan { accepted: relied.iter().map(|one| one.check).collect(), ..run };
    let closed = closed(&changes, wave);
    let body = seal(SealInput {
        index: &decision.index,
        changes: &changes,
        run,
        tool: env!("CARGO_PKG_VERSION"),
        sealed_at: now,
        not_after: not_after(plan, now, valid),
        inputs: inputs(session)?,
        snapshot: digest_of(snapshot)
            .map_err(|e| Problem::new("snapshot.write", "the snapshot can't be written").detail(e.to_string()))?,
        parent: session.store.runs()?.first().map(|row| row.run),
    });
    Ok(Fresh { body, closed })
}

fn not_after(plan: &MigrationPlan, now: Timestamp, valid: Option<SignedDuration>) -> Timestamp {
    let age = plan.policy.plan_max_age.unwrap_or(MAX_AGE);
    let age = valid.map_or(age, |valid| valid.min(age));
    now.checked_add(age).unwrap_or(Timestamp::MAX)
}

fn closed(changes: &ChangeSet, wave: &WaveName) -> Vec<String> {
    let Some(own) = changes.waves.iter().find(|change| change.wave == *wave) else { return Vec::new() };
    let mut why: Vec<String> = own.missing.clone();
    for change in own.changes.iter().filter(|change| change.op == Op::WaveOpen && change.action != Action::Nothing) {
        why.push(match (change.reason, own.next_window) {
            (Reason::WindowClosed, Some(at)) => format!("its window opens at {at}"),
            (Reason::WindowClosed, None) => "its window is over".to_owned(),
            _ => "whether its window is open isn't known".to_owned(),
        });
    }
    why
}
