//! Names: each is defined once, each that is referred to exists, and no wave waits for itself.

use std::collections::{BTreeMap, VecDeque};

use petgraph::algo::kosaraju_scc;
use petgraph::graph::{DiGraph, NodeIndex};

use super::super::file::{ExclusionOf, WaveFile};
use super::super::resolve::Review;
use super::super::words::{Word, either, near, quoted};
use crate::diag::{Code, Diagnostic, Span, Spanned};
use crate::model::OwnerRole;

pub(in crate::plan) fn names(review: &mut Review<'_>) {
    let file = review.file;
    once(review, "wave", file.waves.iter().filter_map(|wave| wave.name.as_ref()));
    once(review, "exclusion", file.exclusions.iter().filter_map(|exclusion| exclusion.id.as_ref()));
    once(review, "package", file.packages.iter().map(|package| &package.name));
    roles(review);
    // Names of an included file that couldn't be read aren't known, so nothing is certain about others.
    if !review.parsed.incomplete {
        references(review);
    }
    cycles(review);
}

/// Reports names that are defined twice. Keys of one mapping are caught when it is read.
fn once<'p>(review: &mut Review<'p>, noun: &str, names: impl Iterator<Item = &'p Spanned<String>>) {
    let mut first: BTreeMap<&str, Span> = BTreeMap::new();
    for name in names {
        if let Some(before) = first.get(name.value.as_str()) {
            let message = format!("the {noun} {} is defined twice", quoted(&name.value));
            let found = Diagnostic::error(Code::DUPLICATE_NAME, message)
                .at(name.span, "again here")
                .at(*before, "first here")
                .help("rename one of them, or remove it");
            review.report(found);
        } else {
            first.insert(&name.value, name.span);
        }
    }
}

/// Reports a name that nothing defines.
fn unknown<'p>(
    review: &mut Review<'p>,
    noun: &str,
    name: &Spanned<String>,
    known: impl Iterator<Item = &'p str> + Clone,
    user: &str,
) {
    let label = near(&name.value, known.clone())
        .map_or_else(|| format!("no {noun} has this name"), |near| format!("did you mean `{near}`?"));
    let names: Vec<&str> = known.take(12).collect();
    let help = if names.is_empty() {
        format!("the plan defines no {noun} yet")
    } else {
        format!("the plan defines {}", either(names).replace(" or ", " and "))
    };
    let message = format!("{user} refers to the {noun} {}, which isn't defined", quoted(&name.value));
    review.report(Diagnostic::error(Code::UNKNOWN_NAME, message).at(name.span, label).help(help));
}

fn wave_name(wave: &WaveFile) -> String {
    wave.name.as_ref().map_or_else(|| "a wave".to_owned(), |name| format!("the wave {}", quoted(&name.value)))
}

fn references(review: &mut Review<'_>) {
    let file = review.file;
    let waves = file.waves.iter().filter_map(|wave| wave.name.as_ref()).map(|name| name.value.as_str());
    let packages = file.packages.iter().map(|package| package.name.value.as_str());
    let tenants = file.tenants.iter().map(|tenant| tenant.name.value.as_str());
    for wave in &file.waves {
        let user = wave_name(wave);
        for need in &wave.needs {
            if !waves.clone().any(|name| name == need.value) {
                unknown(review, "wave", need, waves.clone(), &user);
            }
        }
        match &wave.package {
            Some(name) if !packages.clone().any(|package| package == name.value) => {
                unknown(review, "package", name, packages.clone(), &user);
            }
            None if file.packages.len() != 1 => {
                let span = wave.name.as_ref().map_or(wave.span, |name| name.span);
                let message = format!("{user} has no `package`, and the plan has {}", file.packages.len());
                let found = Diagnostic::error(Code::MISSING_KEY, message).at(span, "this wave");
                review.report(found.help("add `package`; it may be left out only where the plan has exactly one"));
            }
            _ => {}
        }
    }
    if !tenants.clone().any(|_| true) {
        return;
    }
    for package in &file.packages {
        if let Some(tenant) = &package.item.tenant
            && !tenants.clone().any(|name| name == tenant.value)
        {
            let user = format!("the package {}", quoted(&package.name.value));
            unknown(review, "tenant", tenant, tenants.clone(), &user);
        }
    }
    accounts(review);
}

/// A Conditional Access exclusion for an account that no package uses covers nothing of the migration.
fn accounts(review: &mut Review<'_>) {
    let file = review.file;
    let accounts = file.packages.iter().filter_map(|package| package.item.account.as_ref()).map(|a| a.value.as_str());
    for exclusion in &file.exclusions {
        let Some(ExclusionOf::ConditionalAccess(access)) = &exclusion.of else { continue };
        let Some(account) = &access.account else { continue };
        if accounts.clone().any(|known| known.eq_ignore_ascii_case(&account.value)) {
            continue;
        }
        let label = near(&account.value, accounts.clone())
            .map_or_else(|| "no package has this account".to_owned(), |near| format!("did you mean `{near}`?"));
        let message = format!("{} is no package's account", quoted(&account.value));
        let found = Diagnostic::warning(Code::UNKNOWN_NAME, message).at(account.span, label);
        review.report(found.help("name the `account` of a package, since that is the account that joins devices"));
    }
}

/// Reports roles that have to act and have nobody behind them.
fn roles(review: &mut Review<'_>) {
    let file = review.file;
    if review.parsed.incomplete {
        return;
    }
    let signs = file.waves.iter().filter_map(|wave| wave.gate.as_ref()).flat_map(|gate| &gate.sign_off);
    let approves = file.policy.approvals.iter().flat_map(|approvals| &approvals.from);
    let named: Vec<Spanned<OwnerRole>> = signs
        .chain(approves)
        .cloned()
        .chain(file.exclusions.iter().filter_map(|exclusion| {
            let owner = exclusion.owner.as_ref()?;
            Some(Spanned::new(OwnerRole::of(&owner.value)?, owner.span))
        }))
        .collect();
    for role in named {
        if file.owners.contains_key(&role.value) {
            continue;
        }
        let word = role.value.word();
        let message = format!("nobody has the owner role `{word}`");
        let found = Diagnostic::error(Code::UNKNOWN_NAME, message).at(role.span, "has to act");
        review.report(found.help(format!("add `{word}: somebody@example.com` to `owners`")));
    }
}

/// Reports every group of waves that wait for each other, with one whole circle of it.
fn cycles(review: &mut Review<'_>) {
    let waves: Vec<(&Spanned<String>, &WaveFile)> =
        review.file.waves.iter().filter_map(|wave| Some((wave.name.as_ref()?, wave))).collect();
    let index = Review::by_name(waves.iter().enumerate().map(|(at, (name, _))| (*name, at)));
    let mut graph = DiGraph::<usize, ()>::new();
    let nodes: Vec<NodeIndex> = (0..waves.len()).map(|at| graph.add_node(at)).collect();
    for (at, (_, wave)) in waves.iter().enumerate() {
        for need in &wave.needs {
            if let Some(to) = index.get(need.value.as_str()) {
                graph.add_edge(nodes[at], nodes[*to], ());
            }
        }
    }
    let mut groups: Vec<Vec<usize>> = kosaraju_scc(&graph)
        .into_iter()
        .map(|group| {
            let mut group: Vec<usize> = group.into_iter().map(|node| graph[node]).collect();
            group.sort_unstable();
            group
        })
        .filter(|group| group.len() > 1 || graph.contains_edge(nodes[group[0]], nodes[group[0]]))
        .collect();
    groups.sort_unstable();
    for group in groups {
        let circle = shortest_circle(&waves, &index, &group);
        let name = |at: usize| quoted(&waves[at].0.value);
        let path: Vec<String> = circle.iter().chain(circle.first()).map(|at| name(*at)).collect();
        let message = match circle.as_slice() {
            [only] => format!("the wave {} waits for itself", name(*only)),
            _ => format!("waves wait for each other: {}", path.join(" → ")),
        };
        let mut found = Diagnostic::error(Code::NEEDS_CYCLE, message).help("remove one of these entries of `needs`");
        for (at, next) in circle.iter().zip(circle.iter().cycle().skip(1)) {
            let need = waves[*at].1.needs.iter().find(|need| need.value == waves[*next].0.value);
            let span = need.map_or(waves[*at].0.span, |need| need.span);
            found = found.at(span, format!("{} waits for {}", name(*at), name(*next)));
        }
        for at in group.iter().filter(|at| !circle.contains(at)) {
            found = found.at(waves[*at].0.span, "is in the circle too");
        }
        review.report(found);
    }
}

/// Returns the shortest circle through the first wave of a group.
fn shortest_circle(
    waves: &[(&Spanned<String>, &WaveFile)],
    index: &BTreeMap<&str, usize>,
    group: &[usize],
) -> Vec<usize> {
    let start = group[0];
    let mut from: BTreeMap<usize, usize> = BTreeMap::new();
    let mut queue = VecDeque::from([start]);
    while let Some(at) = queue.pop_front() {
        for next in waves[at].1.needs.iter().filter_map(|need| index.get(need.value.as_str()).copied()) {
            if next == start {
                let mut circle = vec![at];
                let mut back = at;
                while back != start {
                    back = from[&back];
                    circle.push(back);
                }
                circle.reverse();
                return circle;
            }
            if group.binary_search(&next).is_ok() && !from.contains_key(&next) {
                from.insert(next, at);
                queue.push_back(next);
            }
        }
    }
    vec![start]
}
