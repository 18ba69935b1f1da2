//! What every call passes before it is carried out: its body within time and size, its place in the row, its rate.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody as _};
use axum::extract::{Request, State};
use axum::http::header::AUTHORIZATION;
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use http_body_util::BodyExt as _;

use super::{Gate, Limits};
use crate::controller::agents::Refusal;
use crate::model::{Problem, Retry};

/// Lets a caller call as often as it may.
pub(in crate::controller) async fn counted(State(gate): State<Arc<Gate>>, request: Request, next: Next) -> Response {
    // A call without a token is an enrolment or nothing; those are few, and stand in the row.
    if let Some(token) = request.headers().get(AUTHORIZATION)
        && let Err(secs) = gate.count(token.as_bytes())
    {
        let problem = Problem::new("controller.too-often", "this device calls too often").retry(Retry::AfterSecs(secs));
        return refuse(429, problem, secs);
    }
    next.run(request).await
}

/// Reads a call's body, waits for its turn, and carries it out; each within its time. The body comes first: a slow one
/// would otherwise keep a place from all others.
pub(in crate::controller) async fn in_turn(
    State((gate, limits)): State<(Arc<Gate>, Limits)>,
    request: Request,
    next: Next,
) -> Response {
    let (head, body) = request.into_parts();
    let read = tokio::time::timeout(Duration::from_secs(limits.body_secs), read(body, &gate, limits.body_bytes));
    let (bytes, _kept) = match read.await {
        Ok(Ok(read)) => read,
        Ok(Err(Unread::TooLarge)) => {
            let message = format!("the body is larger than {} bytes", limits.body_bytes);
            let problem = Problem::new("agent.bad-body", message).next("update the agent or the controller");
            return Refusal::new(413, problem).into_response();
        }
        Ok(Err(Unread::Broken)) => {
            let problem = Problem::new("agent.bad-body", "the body ended before it was whole");
            return Refusal::new(400, problem.next("the agent comes back by itself")).into_response();
        }
        Ok(Err(Unread::NoRoom)) => return busy(&gate),
        Err(_) => {
            let problem = Problem::new("agent.bad-body", "the body didn't come in time");
            return Refusal::new(408, problem.next("look at the network between agent and controller")).into_response();
        }
    };
    let work = async {
        match gate.enter().await {
            Ok(_through) => Ok(next.run(Request::from_parts(head, Body::from(bytes))).await),
            Err(secs) => Err(secs),
        }
    };
    match tokio::time::timeout(Duration::from_secs(limits.call_secs), work).await {
        Ok(Ok(response)) => response,
        Ok(Err(secs)) => refuse(503, busy_problem(secs), secs),
        Err(_) => {
            let secs = gate.later();
            let problem = Problem::new("controller.slow", "the call took too long").retry(Retry::AfterSecs(secs));
            refuse(503, problem, secs)
        }
    }
}

enum Unread {
    TooLarge,
    NoRoom,
    Broken,
}

/// Reads a body of at most `max` bytes. Room is taken as the bytes come: one that comes slowly holds little.
async fn read(
    mut body: Body,
    gate: &Gate,
    max: usize,
) -> Result<(Bytes, Vec<tokio::sync::OwnedSemaphorePermit>), Unread> {
    if body.size_hint().lower() > max as u64 {
        return Err(Unread::TooLarge);
    }
    let (mut bytes, mut kept, mut room) = (Vec::new(), Vec::new(), 0);
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| Unread::Broken)?.into_data() else { continue };
        if bytes.len() + data.len() > max {
            return Err(Unread::TooLarge);
        }
        if bytes.len() + data.len() > room {
            // Sixteen times at most for a body, rather than once for each of its pieces.
            let more = (bytes.len() + data.len() - room).max(max.div_ceil(16));
            kept.push(gate.keep(more).ok_or(Unread::NoRoom)?);
            room += more;
        }
        bytes.extend_from_slice(&data);
    }
    Ok((Bytes::from(bytes), kept))
}

fn busy_problem(secs: u32) -> Problem {
    Problem::new("controller.busy", "the controller has too much to do").retry(Retry::AfterSecs(secs))
}

fn busy(gate: &Gate) -> Response {
    let secs = gate.later();
    refuse(503, busy_problem(secs), secs)
}

fn refuse(status: u16, problem: Problem, secs: u32) -> Response {
    let problem = problem.next("the agent comes back by itself");
    Refusal { status, problem, retry_after: Some(secs) }.into_response()
}
