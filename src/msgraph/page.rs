//! Collections in pages: links are followed as they are, on this Graph's host alone, and never twice.

use std::collections::BTreeSet;

use serde_json::Value;
use url::Url;

use super::call::Call;
use super::shape::Shape;
use super::transport::Transport;
use crate::model::{Problem, Retry};
use crate::port::Result;

/// Pages of one collection. A hundred times what 100,000 devices need.
const PAGES_MAX: usize = 10_000;

/// A collection while it is being read.
pub(super) struct Pages<'a, T> {
    transport: &'a Transport,
    call: &'a Call,
    shape: Shape<T>,
    seen: BTreeSet<String>,
    items: Vec<T>,
}

impl Transport {
    /// Reads all pages of a collection.
    pub(super) async fn pages<T>(&self, call: &Call, shape: Shape<T>) -> Result<Vec<T>> {
        let first = self.json(call).await?;
        self.pages_from(call, first, shape).await
    }

    /// Reads the rest of a collection whose first page is there.
    pub(super) async fn pages_from<T>(&self, call: &Call, first: Value, shape: Shape<T>) -> Result<Vec<T>> {
        let mut pages = Pages { transport: self, call, shape, seen: BTreeSet::new(), items: Vec::new() };
        let mut next = pages.take(first)?;
        while let Some(link) = next {
            self.limiter.acquire(call.service(), call.cost(), false).await;
            let answer = self.send_to(call, &link).await?;
            next = pages.take(answer.json().map_err(|why| malformed(self, call, &why))?)?;
        }
        Ok(pages.items)
    }

    /// Sends a call and returns its answer's JSON.
    pub(super) async fn json(&self, call: &Call) -> Result<Value> {
        self.send(call).await?.json().map_err(|why| malformed(self, call, &why))
    }
}

/// Returns the problem for an answer of another shape than documented.
pub(super) fn malformed(transport: &Transport, call: &Call, why: &str) -> Problem {
    Problem::new("graph.malformed", format!("can't {} in tenant {}: {why}", call.what(), transport.label()))
        .next("check that the Graph root is right and no proxy answers in its place; if it is, this is a bug in opsole")
}

impl<T> Pages<'_, T> {
    /// Takes the items of one page and returns the link to the next.
    fn take(&mut self, page: Value) -> Result<Option<Url>> {
        let malformed = |why: String| malformed(self.transport, self.call, &why);
        let Some(values) = page.get("value").and_then(Value::as_array) else {
            return Err(malformed("a page has no `value`".to_owned()));
        };
        self.items.reserve(values.len());
        for (at, value) in values.iter().enumerate() {
            match (self.shape)(value) {
                Ok(Some(item)) => self.items.push(item),
                Ok(None) => {}
                Err(why) => return Err(malformed(format!("page {}, item {at}: {why}", self.seen.len() + 1))),
            }
        }
        match page.get("@odata.nextLink") {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(link)) => self.follow(link).map(Some),
            Some(_) => Err(malformed("the link to the next page isn't text".to_owned())),
        }
    }

    fn follow(&mut self, link: &str) -> Result<Url> {
        let (what, label) = (self.call.what(), self.transport.label());
        let url = Url::parse(link).map_err(|error| {
            malformed(self.transport, self.call, &format!("the link to the next page isn't one: {error}"))
        })?;
        if !self.transport.is_ours(&url) {
            let host = url.host_str().unwrap_or("another host");
            return Err(Problem::new(
                "graph.foreign-link",
                format!("can't {what}: tenant {label} sends this tool to {host}, and the token must not go there"),
            )
            .next("check that the Graph root in the plan is the tenant's own, and that no proxy rewrites answers"));
        }
        // Reported for Autopilot in 2020 (msgraph.md 2.6).
        if !self.seen.insert(link.to_owned()) {
            return Err(Problem::new(
                "graph.paging-loop",
                format!("can't {what}: tenant {label} repeats a page without end"),
            )
            .next("run again; if it stays, report it to Microsoft with the ids of the request")
            .retry(Retry::Soon));
        }
        if self.seen.len() >= PAGES_MAX {
            return Err(malformed(self.transport, self.call, &format!("there are more than {PAGES_MAX} pages")));
        }
        Ok(url)
    }
}
