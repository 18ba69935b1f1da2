//! Many reads in `$batch` requests of 20. Each part has its own status and its own quota (msgraph.md 3).
//!
//! The outer 200 says nothing. Parts that were throttled or failed in passing go into a new batch; answers come in
//! any order, and a part without an answer is asked for again.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::Value;

use super::call::{self, BATCH_MAX, Call, Version};
use super::fault::{self, Trace};
use super::page::malformed;
use super::quota::Service;
use super::transport::{Patience, Transport, item_wait};
use crate::model::{Permission, Problem};
use crate::port::Result;

/// Batches under way at once; the quota decides long before this does.
const CONCURRENT: usize = 4;

/// The answer to one part.
#[derive(Debug, Clone)]
pub(super) struct Item {
    pub(super) status: u16,
    pub(super) body: Value,
    wait: Option<Duration>,
    trace: Trace,
}

/// What becomes of one part after a round.
enum Verdict {
    Done(Result<Item>),
    /// Throttled: again after a pause, or this problem.
    Throttled(Option<Duration>, Problem),
    /// Failed in passing: again, or this problem.
    Again(Problem),
}

impl Transport {
    /// Sends reads in batches and returns their answers in the order of the calls.
    pub(super) async fn batch(&self, calls: &[Call]) -> Vec<Result<Item>> {
        let mut results: Vec<Option<Result<Item>>> = calls.iter().map(|_| None).collect();
        let mut queue: Vec<usize> = (0..calls.len()).rev().collect();
        queue.sort_by_key(|at| kind(&calls[*at]));
        let mut patience = Patience::new();
        // Parts of one batch reach the service at once: where that is too much, smaller ones get through sooner.
        let mut size = BATCH_MAX;
        while !queue.is_empty() {
            let width = if size < BATCH_MAX { 1 } else { CONCURRENT };
            let chunks: Vec<Vec<usize>> = (0..width).map_while(|_| chunk(calls, &mut queue, size)).collect();
            let sent: Vec<_> = chunks.iter().map(|chunk| self.round(calls, chunk)).collect();
            let verdicts = join_all(sent).await.into_iter().flatten();
            let count: usize = chunks.iter().map(Vec::len).sum();
            let mut again: Vec<(usize, Problem)> = Vec::new();
            let (mut throttled, mut asked) = (false, None);
            for (at, verdict) in chunks.into_iter().flatten().zip(verdicts) {
                match verdict {
                    Verdict::Done(result) => results[at] = Some(result),
                    Verdict::Again(problem) => again.push((at, problem)),
                    Verdict::Throttled(wait, problem) => {
                        throttled = true;
                        asked = asked.max(wait);
                        again.push((at, problem));
                    }
                }
            }
            size = if throttled { (size / 2).max(1) } else { (size + 2).min(BATCH_MAX) };
            // As long as something gets through there is a way to the end.
            if again.len() < count {
                patience = Patience::new();
            }
            let Some((first, problem)) = again.first() else { continue };
            let wait = if throttled { patience.throttled(asked) } else { patience.lost() };
            match wait {
                Some(wait) if throttled => self.limiter.pause(calls[*first].service(), wait),
                Some(wait) => self.limiter.sleep(wait).await,
                None => {
                    // What wasn't sent yet would fare no better.
                    queue.iter().for_each(|at| results[*at] = Some(Err(problem.clone())));
                    again.into_iter().for_each(|(at, problem)| results[at] = Some(Err(problem)));
                    break;
                }
            }
            queue.extend(again.into_iter().rev().map(|(at, _)| at));
        }
        let lost = || Err(Problem::new("graph.malformed", "a part of a batch got no answer"));
        results.into_iter().map(|result| result.unwrap_or_else(lost)).collect()
    }

    /// Sends one batch.
    async fn round(&self, calls: &[Call], chunk: &[usize]) -> Vec<Verdict> {
        let parts: Vec<(String, &Call)> = chunk.iter().map(|at| (at.to_string(), &calls[*at])).collect();
        let failed = |problem: Problem| chunk.iter().map(|_| Verdict::Done(Err(problem.clone()))).collect();
        let Some(outer) = call::batch(&parts) else {
            return failed(Problem::new("graph.refused", "only reads go into a batch; this is a bug in opsole"));
        };
        let mut items = match self.json(&outer).await {
            Ok(json) => self.items(&json),
            Err(problem) => return failed(problem),
        };
        let granted = self.granted().await;
        parts.iter().map(|(id, call)| self.verdict(call, items.remove(id), granted.as_deref())).collect()
    }

    fn items(&self, json: &Value) -> BTreeMap<String, Item> {
        let responses = json.get("responses").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let item = |response: &Value| {
            let id = response.get("id")?.as_str()?.to_owned();
            let status = u16::try_from(response.get("status")?.as_u64()?).ok()?;
            let headers: BTreeMap<String, Value> = response
                .get("headers")
                .and_then(Value::as_object)
                .map(|headers| headers.iter().map(|(name, value)| (name.clone(), value.clone())).collect())
                .unwrap_or_default();
            let text = |name: &str| {
                let header = headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
                header.and_then(|(_, value)| value.as_str()).map(str::to_owned)
            };
            let trace = Trace {
                client_request_id: text("client-request-id").unwrap_or_default(),
                request_id: text("request-id"),
                date: text("date"),
                diagnostic: None,
            };
            let wait = item_wait(&headers, self.limiter.now());
            Some((id, Item { status, body: response.get("body").cloned().unwrap_or(Value::Null), wait, trace }))
        };
        responses.iter().filter_map(item).collect()
    }

    fn verdict(&self, call: &Call, item: Option<Item>, granted: Option<&[Permission]>) -> Verdict {
        let Some(item) = item else {
            return Verdict::Again(malformed(self, call, "the batch has no answer to it"));
        };
        let refused = |status| fault::refusal(self.label(), call, status, &item.body, &item.trace, granted);
        match item.status {
            200..=299 => Verdict::Done(Ok(item)),
            status if call.takes(status) => Verdict::Done(Ok(item)),
            429 => {
                let secs = item.wait.map_or(60, |wait| u32::try_from(wait.as_secs()).unwrap_or(u32::MAX).max(1));
                let problem = fault::throttled(self.label(), call, secs, &item.body, &item.trace);
                Verdict::Throttled(item.wait, problem)
            }
            // 424: a part that it depended on failed. Ours depend on nothing, so it passes.
            408 | 424 | 500 | 502 | 503 | 504 => {
                Verdict::Again(fault::unavailable(self.label(), call, &format!("HTTP {} in a batch", item.status)))
            }
            status => Verdict::Done(Err(refused(status))),
        }
    }
}

/// What the parts of one batch have in common.
fn kind(call: &Call) -> (Version, Service) {
    (call.version(), call.service())
}

/// Takes the next batch from the end of a queue: parts of one kind, `size` at most.
fn chunk(calls: &[Call], queue: &mut Vec<usize>, size: usize) -> Option<Vec<usize>> {
    let mut chunk = vec![queue.pop()?];
    let of = kind(&calls[chunk[0]]);
    while chunk.len() < size
        && let Some(at) = queue.pop_if(|at| kind(&calls[*at]) == of)
    {
        chunk.push(at);
    }
    Some(chunk)
}
