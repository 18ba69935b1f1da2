//! Query options, and lists: filtering, counting, selecting and paging without copying a table.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::filter::Filter;
use super::object::{Object, Shown};
use super::reply::{Answer, Refused, Reply, Request, decode};
use super::support::{self, Support};
use super::table::Table;
use crate::model::Digest;

/// How a collection pages and what its filters may be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rules {
    /// Objects of a page where `$top` isn't given.
    pub(super) page: usize,
    /// Largest `$top`.
    pub(super) top_max: usize,
    /// A larger `$top` is refused; else it is cut.
    pub(super) top_refused: bool,
    /// The directory's table of filters; others take any property.
    pub(super) support: Option<&'static [(&'static str, &'static str)]>,
    /// Written in `@odata.type` of each object, where types are mixed.
    pub(super) typed: bool,
}

/// Directory: 100, at most 999 (msgraph.md 3).
pub(super) const DIRECTORY: Rules = Rules { page: 100, top_max: 999, top_refused: true, support: None, typed: false };
/// Alternatives in one filter of the directory, with `in` or `or` [K].
const CLAUSES_MAX: usize = 15;
/// Intune: pages of at most 1000.
pub(super) const INTUNE: Rules = Rules { page: 1000, top_max: 1000, top_refused: false, support: None, typed: false };

/// The query options of a request.
#[derive(Debug, Clone, Default)]
pub(super) struct Query {
    pub(super) select: Option<Vec<String>>,
    pub(super) filter: Option<Filter>,
    pub(super) top: Option<usize>,
    pub(super) count: bool,
    pub(super) orderby: Option<(String, bool)>,
    pub(super) expand: Option<String>,
    skiptoken: Option<String>,
    raw: Vec<(String, String)>,
}

impl Query {
    /// Reads the query options of a request.
    pub(super) fn parse(request: &Request) -> Result<Self, Refused> {
        let mut query = Self::default();
        for pair in request.query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let text = || decode(value, true).ok_or_else(|| Refused::gateway("The query isn't well encoded."));
            let name = decode(name, true).unwrap_or_default();
            query.raw.push((name.clone(), value.to_owned()));
            match name.as_str() {
                "$select" => {
                    let list = text()?;
                    let names = list.split(',').map(str::trim).filter(|name| !name.is_empty() && *name != "*");
                    query.select = Some(names.map(str::to_owned).collect()).filter(|names: &Vec<_>| !names.is_empty());
                }
                "$filter" => query.filter = Some(Filter::parse(&text()?).map_err(Refused::gateway)?),
                "$top" => {
                    let number = text()?.parse().map_err(|_| Refused::gateway(format!("Invalid value '{value}' for $top query option found. The $top query option requires a non-negative integer value.")))?;
                    query.top = Some(number);
                }
                "$count" => query.count = text()?.eq_ignore_ascii_case("true"),
                "$orderby" => {
                    let text = text()?;
                    let (name, direction) = text.trim().split_once(' ').unwrap_or((text.trim(), "asc"));
                    query.orderby = Some((name.to_owned(), direction.trim().eq_ignore_ascii_case("desc")));
                }
                "$expand" => query.expand = Some(text()?),
                "$skiptoken" => query.skiptoken = Some(text()?),
                "$search" if !request.eventual => {
                    return Err(Refused::unsupported(
                        "Request with $search query parameter only works through MSGraph with a special request header: 'ConsistencyLevel: eventual'",
                    ));
                }
                "$search" | "$skip" => {
                    return Err(Refused::unsupported(format!("'{name}' is not supported by the service.")));
                }
                "$format" => {}
                other if other.starts_with('$') => {
                    return Err(Refused::gateway(format!("The query parameter '{other}' is not supported.")));
                }
                _ => {}
            }
        }
        Ok(query)
    }

    /// Says whether this is an advanced query.
    fn advanced(&self, request: &Request) -> bool {
        request.eventual && self.count
    }

    /// Checks that selected properties exist.
    pub(super) fn check_select<T: Object>(&self, beta: bool) -> Result<(), Refused> {
        for name in self.select.iter().flatten() {
            let found = T::PROPERTIES.iter().any(|(own, shown)| own == name && (beta || *shown != Shown::Beta));
            if !found {
                let message = format!(
                    "Parsing OData Select and Expand failed: Could not find a property named '{name}' on type '{}'.",
                    T::TYPE
                );
                return Err(Refused::gateway(message));
            }
        }
        Ok(())
    }

    /// Checks the filter against what the service answers.
    fn check_filter<T: Object>(&self, request: &Request, rules: &Rules) -> Result<(), Refused> {
        let Some(filter) = &self.filter else { return Ok(()) };
        let mut unknown = None;
        filter.terms(&mut |term| {
            if let Some(name) = term.property()
                && !T::PROPERTIES.iter().any(|(own, _)| *own == name)
            {
                unknown.get_or_insert_with(|| name.to_owned());
            }
        });
        if let Some(name) = unknown {
            let message =
                format!("Invalid filter clause: Could not find a property named '{name}' on type '{}'.", T::TYPE);
            return Err(Refused::gateway(message));
        }
        if let Some(rows) = rules.support {
            if let Some(clauses) = filter.widest().filter(|clauses| *clauses > CLAUSES_MAX) {
                return Err(Refused::unsupported(format!(
                    "Too many child clauses specified in search filter expression containing 'OR' operators: {clauses}. Max allowed: {CLAUSES_MAX}."
                )));
            }
            match support::of(rows, filter) {
                Support::Default => {}
                Support::Advanced if self.advanced(request) => {}
                Support::Advanced | Support::No => return Err(Refused::unsupported("Unsupported Query.")),
            }
            if self.orderby.is_some() && !self.advanced(request) {
                return Err(Refused::unsupported("Sorting not supported for current query."));
            }
        }
        Ok(())
    }

    /// Returns how many objects a page has.
    fn page(&self, rules: &Rules) -> Result<usize, Refused> {
        match self.top {
            None => Ok(rules.page),
            Some(top) if top >= 1 && top <= rules.top_max => Ok(top),
            Some(_) if rules.top_refused => Err(Refused::bad(format!(
                "Invalid page size specified: '{}'. Must be between 1 and {} inclusive.",
                self.top.unwrap_or_default(),
                rules.top_max
            ))),
            Some(0) => Ok(rules.page),
            Some(_) => Ok(rules.top_max),
        }
    }

    /// Digest of what a page continues: a token of another query is refused.
    fn digest(&self, request: &Request) -> String {
        let options = self.raw.iter().filter(|(name, _)| name != "$skiptoken");
        let text: String = options.map(|(name, value)| format!("&{name}={value}")).collect();
        Digest::of(format!("{}{text}", request.path).as_bytes()).short()
    }
    /// Returns where the page starts: after an id, or at a place of a sorted list.
    fn start(&self, request: &Request) -> Result<Option<String>, Refused> {
        let Some(token) = &self.skiptoken else { return Ok(None) };
        let read = || {
            let text = String::from_utf8(URL_SAFE_NO_PAD.decode(token).ok()?).ok()?;
            let (digest, start) = text.split_once('|')?;
            (digest == self.digest(request)).then(|| start.to_owned())
        };
        read().map(Some).ok_or_else(|| {
            Refused::new(
                400,
                "Directory_ExpiredPageToken",
                "The specified page token value has expired and can no longer be included in your request.",
            )
        })
    }
    /// Returns the link to the next page.
    fn next(&self, request: &Request, start: &str) -> Value {
        let token = URL_SAFE_NO_PAD.encode(format!("{}|{start}", self.digest(request)));
        let options = self.raw.iter().filter(|(name, _)| name != "$skiptoken");
        let mut text: String = options.map(|(name, value)| format!("{name}={value}&")).collect();
        text.push_str("$skiptoken=");
        Value::String(format!("{}/{}{}?{text}{token}", request.base, request.version(), request.path))
    }
    fn count_of(&self, request: &Request) -> bool {
        self.count && self.skiptoken.is_none() && request.eventual
    }

    /// Returns an object with the properties that were asked for.
    pub(super) fn show<T: Object>(&self, object: &T, beta: bool, typed: bool) -> Value {
        let mut map = Map::new();
        let wanted = |name: &str, shown: Shown| match &self.select {
            Some(names) => names.iter().any(|own| own == name),
            None => shown == Shown::Default || (beta && shown == Shown::Beta),
        };
        for (name, shown) in T::PROPERTIES.iter().filter(|(name, shown)| wanted(name, *shown)) {
            debug_assert!(*shown != Shown::Beta || beta || self.select.is_some(), "{name} is of beta");
            if let Some(value) = object.get(name) {
                map.insert((*name).to_owned(), value);
            }
        }
        if typed {
            map.insert("@odata.type".to_owned(), format!("#{}", T::TYPE).into());
        }
        Value::Object(map)
    }
    fn context_of<T: Object>(&self, collection: &str) -> String {
        match &self.select {
            Some(names) => format!("{collection}({})", names.join(",")),
            None => collection.to_owned(),
        }
    }

    /// Answers one object.
    pub(super) fn one<T: Object>(&self, request: &Request, collection: &str, object: &T) -> Answer {
        self.check_select::<T>(request.beta)?;
        let mut body = self.show(object, request.beta, false);
        body["@odata.context"] = request.context(&format!("{}/$entity", self.context_of::<T>(collection)));
        Ok(Reply::ok(body))
    }

    /// Answers a page of a table, of the objects that `keep` lets through.
    pub(super) fn list<T: Object>(
        &self,
        request: &Request,
        collection: &str,
        rules: &Rules,
        table: &Table<T>,
        keep: impl Fn(&T) -> bool,
    ) -> Answer {
        self.check_select::<T>(request.beta)?;
        self.check_filter::<T>(request, rules)?;
        let page = self.page(rules)?;
        let matches = |object: &T| {
            keep(object) && self.filter.as_ref().is_none_or(|filter| filter.matches(&|name| object.get(name)))
        };
        let candidates = self.candidates(table);
        let all = |after: Option<Uuid>| -> Box<dyn Iterator<Item = &T> + '_> {
            match &candidates {
                Some(ids) => {
                    let from = after.map_or(0, |after| ids.partition_point(|id| *id <= after));
                    Box::new(ids[from..].iter().filter_map(|id| table.seen(*id, request.now)))
                }
                None => Box::new(table.seen_after(after, request.now)),
            }
        };
        let mut body = Map::new();
        let start = self.start(request)?;
        let mut shown = Vec::new();
        let mut next = None;
        if let Some((property, descending)) = &self.orderby {
            if !T::PROPERTIES.iter().any(|(own, _)| own == property) {
                return Err(Refused::gateway(format!(
                    "Could not find a property named '{property}' on type '{}'.",
                    T::TYPE
                )));
            }
            let mut sorted: Vec<(String, &T)> =
                all(None).filter(|object| matches(object)).map(|object| (sort_key(object, property), object)).collect();
            sorted.sort_by(|a, b| if *descending { b.0.cmp(&a.0) } else { a.0.cmp(&b.0) });
            let from: usize = start.and_then(|start| start.parse().ok()).unwrap_or(0);
            shown.extend(
                sorted.iter().skip(from).take(page).map(|(_, object)| self.show(*object, request.beta, rules.typed)),
            );
            next = (sorted.len() > from + page).then(|| (from + page).to_string());
        } else {
            let after = start.as_deref().and_then(|start| start.parse().ok());
            let mut last = None;
            for object in all(after).filter(|object| matches(object)) {
                if shown.len() == page {
                    next = last.map(|id: Uuid| id.to_string());
                    break;
                }
                last = Some(object.id());
                shown.push(self.show(object, request.beta, rules.typed));
            }
        }
        if self.count_of(request) || (self.count && self.skiptoken.is_none() && rules.support.is_none()) {
            body.insert("@odata.count".to_owned(), json!(all(None).filter(|object| matches(object)).count()));
        }
        body.insert("@odata.context".to_owned(), request.context(&self.context_of::<T>(collection)));
        if let Some(start) = next {
            body.insert("@odata.nextLink".to_owned(), self.next(request, &start));
        }
        body.insert("value".to_owned(), Value::Array(shown));
        Ok(Reply::ok(Value::Object(body)))
    }

    /// Answers `/$count`: a number as text.
    pub(super) fn count<T: Object>(&self, request: &Request, rules: &Rules, table: &Table<T>) -> Answer {
        if !request.eventual {
            return Err(Refused::bad("$count is not currently supported."));
        }
        // The segment itself is the count that an advanced query asks for.
        Self { count: true, ..self.clone() }.check_filter::<T>(request, rules)?;
        let matches = |object: &&T| self.filter.as_ref().is_none_or(|filter| filter.matches(&|name| object.get(name)));
        let number = table.seen_after(None, request.now).filter(matches).count();
        Ok(Reply::ok(json!(number)))
    }

    /// Returns the ids that can match, where an index knows them.
    fn candidates<T: Object>(&self, table: &Table<T>) -> Option<Vec<Uuid>> {
        let demands = self.filter.as_ref()?.demanded();
        demands.into_iter().find_map(|(property, values)| {
            let mut ids = Vec::new();
            for value in values {
                if property == "id" {
                    ids.extend(value.parse::<Uuid>());
                } else {
                    ids.extend(table.candidates(property, value)?);
                }
            }
            ids.sort_unstable();
            ids.dedup();
            Some(ids)
        })
    }

    /// Answers a page of values that were made for the request, each with its id: mixed or derived lists.
    /// The iterator starts after the id that it is given.
    pub(super) fn mixed<I: Iterator<Item = (Uuid, Value)>>(
        &self,
        request: &Request,
        collection: &str,
        rules: &Rules,
        after: impl Fn(Option<Uuid>) -> I,
    ) -> Answer {
        let page = self.page(rules)?;
        let mut body = Map::new();
        if self.count_of(request) {
            body.insert("@odata.count".to_owned(), json!(after(None).count()));
        }
        let start = self.start(request)?.and_then(|start| start.parse().ok());
        let mut shown: Vec<Value> = Vec::new();
        let mut last: Option<Uuid> = None;
        for (id, value) in after(start) {
            if shown.len() == page {
                if let Some(id) = last {
                    body.insert("@odata.nextLink".to_owned(), self.next(request, &id.to_string()));
                }
                break;
            }
            last = Some(id);
            shown.push(value);
        }
        body.insert("@odata.context".to_owned(), request.context(collection));
        body.insert("value".to_owned(), Value::Array(shown));
        Ok(Reply::ok(Value::Object(body)))
    }
}

fn sort_key<T: Object>(object: &T, property: &str) -> String {
    match object.get(property) {
        Some(Value::String(text)) => match text.parse::<Timestamp>() {
            Ok(moment) => format!("{:020}", moment.as_second()),
            Err(_) => text.to_lowercase(),
        },
        Some(Value::Bool(value)) => value.to_string(),
        _ => String::new(),
    }
}
