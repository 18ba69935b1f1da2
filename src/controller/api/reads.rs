//! What runs and devices come to, and the few things that are done to them.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::guard::Caller;
use super::login::Answer;
use super::routes::Access;
use super::{Api, lock};
use crate::controller::exec::blocking;
use crate::controller::{Refusal, record_of, replay};
use crate::model::{DeviceName, Problem, RunId};
use crate::operators::Who;
use crate::port::{RunRow, Store};
use crate::render::audit::AuditList;
use crate::render::run::RunView;

/// Rows of one answer at the most.
const ROWS_MAX: u32 = 1000;
/// Runs that are listed.
const RUNS_MAX: usize = 500;
/// Characters of a device's name at the most: what Windows and Entra take, with room.
const DEVICE_MAX: usize = 64;
/// How old a picture of all devices may be. It is made from the whole journal, and people reload.
const FRESH: Duration = Duration::from_secs(5);

/// The last picture of all devices.
pub(super) type Seen = Mutex<Option<(Instant, Arc<RunView>)>>;

/// Does something that reads a whole run, beside the calls; a few at the same time.
async fn heavy<T: Send + 'static>(
    api: &Api,
    read: impl FnOnce(&Api) -> Result<T, Problem> + Send + 'static,
) -> Result<T, Refusal> {
    let place = Arc::clone(&api.0.reading).acquire_owned().await;
    let api = api.clone();
    // The place goes along: where the call's time is over the work goes on, and must still count.
    let done = tokio::task::spawn_blocking(move || {
        let _place = place;
        read(&api)
    });
    let failed = |e: tokio::task::JoinError| {
        Problem::new("api.failed", "the call can't be answered").detail(e.to_string()).next("try again")
    };
    Ok(done.await.map_err(failed)??)
}

fn open_run(store: &dyn Store, run: RunId) -> Result<RunRow, Problem> {
    let row = store.runs()?.into_iter().find(|row| row.run == run);
    row.ok_or_else(|| Problem::new("run.unknown", format!("run {run} isn't in the store")).next("list the runs first"))
}

/// Writes JSON through `Serialize`, with what `Json` would hide: a failure.
fn answer(value: &impl Serialize) -> Answer {
    Ok(Json(value).into_response())
}

pub(super) async fn run(State(api): State<Api>) -> Answer {
    let progress = api.0.operations.progress();
    let counts = progress.counts;
    let tenant: Vec<_> = progress
        .tenant
        .iter()
        .map(|(op, status, problem)| json!({"op": op, "status": status, "problem": problem}))
        .collect();
    answer(&json!({
        "format": "opsole.api-run/1",
        "run": api.0.operations.run(),
        "wave": progress.wave,
        "counts": {
            "total": counts.total, "waiting": counts.waiting, "in_flight": counts.in_flight,
            "complete": counts.complete, "pending": counts.pending, "undone": counts.undone,
            "recovery": counts.recovery, "not_started": counts.not_started,
        },
        "tenant": tenant,
        "stopped": progress.stop.is_some(),
        "draining": progress.draining,
        "finished": progress.finished,
    }))
}

pub(super) async fn drain(
    State(api): State<Api>,
    Extension(who): Extension<Who>,
    Extension(caller): Extension<Caller>,
) -> Answer {
    tell(&api, &who, &caller, Some(api.0.operations.run().to_string()))?;
    api.0.operations.drain().await;
    Ok((StatusCode::ACCEPTED, Json(json!({"format": "opsole.api-drain/1", "run": api.0.operations.run()})))
        .into_response())
}

/// Tells of an act before it is done: one that can't be told isn't done.
fn tell(api: &Api, who: &Who, caller: &Caller, object: Option<String>) -> Result<(), Refusal> {
    if let Access::Needs(right) = caller.route.access {
        api.tell_act(who, &caller.route, right, object)?;
    }
    Ok(())
}

pub(super) async fn runs(State(api): State<Api>) -> Answer {
    let rows = blocking(|| api.0.store.runs())?;
    let runs: Vec<_> = rows
        .iter()
        .take(RUNS_MAX)
        .map(|row| json!({"run": row.run, "created": row.created, "state": row.state}))
        .collect();
    answer(&json!({"format": "opsole.api-runs/1", "runs": runs}))
}

pub(super) async fn report(State(api): State<Api>, Path(run): Path<String>) -> Answer {
    let run: RunId = run.parse().map_err(|_| {
        let problem = Problem::new("api.bad-path", "that isn't the id of a run").next("list the runs first");
        Refusal::new(400, problem)
    })?;
    let found = heavy(&api, move |api| {
        let row = api.0.store.runs()?.into_iter().find(|row| row.run == run);
        row.map(|row| record_of(&*api.0.store, &row)).transpose()
    })
    .await?;
    match found {
        Some(record) => answer(&record),
        None => Err(Refusal::new(
            404,
            Problem::new("run.unknown", format!("run {run} isn't in the store")).next("list the runs first"),
        )),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Page {
    after: Option<String>,
    limit: Option<u32>,
}

impl Page {
    fn limit(&self) -> u32 {
        self.limit.unwrap_or(100).clamp(1, ROWS_MAX)
    }
}

type Asked = Result<Query<Page>, axum::extract::rejection::QueryRejection>;

fn page(asked: Asked) -> Result<Page, Refusal> {
    let bad = || {
        let problem = Problem::new("api.bad-query", "the query isn't what this call takes");
        Refusal::new(400, problem.next("docs/operators.md says what it takes"))
    };
    let Query(page) = asked.map_err(|_| bad())?;
    if page.after.as_ref().is_some_and(|after| after.len() > DEVICE_MAX) { Err(bad()) } else { Ok(page) }
}

pub(super) async fn devices(State(api): State<Api>, asked: Asked) -> Answer {
    let page = page(asked)?;
    let fresh = lock(&api.0.seen).clone().filter(|(at, _)| at.elapsed() < FRESH);
    let view = match fresh {
        Some((_, view)) => view,
        None => {
            let view = heavy(&api, |api| {
                let store = &*api.0.store;
                let row = open_run(store, api.0.operations.run())?;
                let machine = replay(store, &row)?;
                Ok(Arc::new(RunView::new(&machine, false, 0, None)))
            })
            .await?;
            *lock(&api.0.seen) = Some((Instant::now(), Arc::clone(&view)));
            view
        }
    };
    let after = page.after.as_deref().map(DeviceName::new);
    let begin = after.map_or(0, |after| view.devices.partition_point(|device| device.device <= after));
    let limit = usize::try_from(page.limit()).unwrap_or(usize::MAX);
    let rest = view.devices.get(begin..).unwrap_or_default();
    let shown = rest.get(..limit).unwrap_or(rest);
    let next = if rest.len() > shown.len() { shown.last().map(|device| &device.device) } else { None };
    answer(&json!({"format": "opsole.api-devices/1", "run": view.run, "devices": shown, "next": next}))
}

fn device_name(name: &str) -> Result<DeviceName, Refusal> {
    if name.is_empty() || name.len() > DEVICE_MAX || name.chars().any(char::is_control) {
        let problem = Problem::new("api.bad-path", "that can't be the name of a device").next("list the devices first");
        return Err(Refusal::new(400, problem));
    }
    Ok(DeviceName::new(name))
}

fn no_device(name: &DeviceName) -> Refusal {
    let problem = Problem::new("api.unknown-device", format!("the run has no device {name}"));
    Refusal::new(404, problem.next("list the devices first"))
}

pub(super) async fn device(State(api): State<Api>, Path(name): Path<String>) -> Answer {
    let name = device_name(&name)?;
    let wanted = name.clone();
    let view = heavy(&api, move |api| {
        let store = &*api.0.store;
        let machine = replay(store, &open_run(store, api.0.operations.run())?)?;
        Ok(RunView::new(&machine, false, 0, Some(&wanted)))
    })
    .await?;
    let Some(device) = view.devices.first() else { return Err(no_device(&name)) };
    answer(&json!({"format": "opsole.api-device/1", "run": view.run, "device": device}))
}

pub(super) async fn revoke(
    State(api): State<Api>,
    Extension(who): Extension<Who>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
) -> Result<Response, Refusal> {
    let name = device_name(&name)?;
    tell(&api, &who, &caller, Some(name.to_string()))?;
    if !blocking(|| api.0.operations.revoke(&name, "through the operators' API", &who.actor))? {
        return Err(no_device(&name));
    }
    answer(&json!({"format": "opsole.api-revoke/1", "device": name}))
}

pub(super) async fn audit(State(api): State<Api>, asked: Asked) -> Answer {
    let page = page(asked)?;
    let after = page.after.as_deref().map(str::parse::<u64>).transpose().map_err(|_| {
        let problem = Problem::new("api.bad-query", "`after` is the number of an entry");
        Refusal::new(400, problem.next("take the number of the last entry that you have"))
    })?;
    let (limit, after) = (page.limit(), after.unwrap_or(0));
    let list = heavy(&api, move |api| {
        let head = api.0.store.audit_head()?;
        Ok(AuditList::new(&api.0.store.audit_after(after, limit)?, head, None))
    })
    .await?;
    answer(&list)
}
