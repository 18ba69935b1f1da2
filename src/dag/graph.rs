//! The graph of operations: every operation that the plan takes, and what has to be finished before it.
//!
//! ```text
//! tenant.exclude ─┐
//! wave.gate ─► wave.open ─► device chain … ─► (gates of the waves that need it)
//!                                          └► tenant.restore ─► tenant.revoke
//! ```
//!
//! A node is an operation and a number, so that two million of them stay small. Devices that take the same
//! set of operations share one [`Chain`], worked out once.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use petgraph::graph::{DiGraph, NodeIndex};

use super::{Assignment, Index, OpSet, Scope, View, present, spec};
use crate::model::{Op, PackageName};
use crate::plan::{CaExclusion, ExclusionKind};

/// One operation of one subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OpNode {
    /// Position of the subject: a device of the [`Assignment`], a wave of the plan, or a subject of
    /// [`OpGraph::tenant_subjects`], as the operation's scope says.
    pub subject: u32,
    /// Which operation.
    pub op: Op,
}

/// What a tenant operation is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct TenantSubject {
    /// Package.
    pub package: PackageName,
    /// UPN of its account.
    pub account: String,
    /// Conditional Access policy by display name; none for the package as such.
    pub policy: Option<String>,
    /// The policy's exclusion group by display name, where the account is put into one.
    pub group: Option<String>,
    /// Position of the exclusion that asks for it, among the plan's.
    pub exclusion: Option<u32>,
}

/// The operations that one kind of device takes, with their order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chain {
    /// The operations.
    pub ops: OpSet,
    /// Each operation with those that have to be finished right before it, in order of the catalogue.
    pub steps: Vec<(Op, OpSet)>,
}

impl Chain {
    /// Works out the order of a set of device operations. Where a predecessor isn't in the set, its own
    /// predecessors stand in for it.
    #[must_use]
    pub fn new(ops: OpSet) -> Self {
        fn before(op: Op, ops: OpSet, into: &mut OpSet) {
            for earlier in spec(op).after {
                if ops.has(*earlier) {
                    *into = into.with(*earlier);
                } else {
                    before(*earlier, ops, into);
                }
            }
        }
        let step = |op| {
            let mut earlier = OpSet::default();
            before(op, ops, &mut earlier);
            (op, earlier)
        };
        Self { ops, steps: ops.iter().map(step).collect() }
    }

    /// Returns the operations that nothing in the chain waits for.
    fn last(&self) -> OpSet {
        let waited: OpSet = self.steps.iter().flat_map(|(_, before)| before.iter()).collect();
        self.ops.iter().filter(|op| !waited.has(*op)).collect()
    }
}

/// Operations that wait for each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cycle {
    /// Waves in the cycle, in order of the plan.
    pub waves: Vec<String>,
    /// Operations in the cycle, each once.
    pub ops: Vec<Op>,
}

impl fmt::Display for Cycle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "waves wait for each other: {}", self.waves.join(", "))
    }
}
impl std::error::Error for Cycle {}

/// The compiled graph.
#[derive(Debug)]
pub struct OpGraph {
    graph: DiGraph<OpNode, ()>,
    order: Vec<NodeIndex>,
    chains: Vec<Option<Arc<Chain>>>,
    waves: Vec<Option<u16>>,
    /// What tenant operations are about.
    pub tenant_subjects: Vec<TenantSubject>,
}

impl OpGraph {
    /// Returns how many operations there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.graph.node_count()
    }
    /// Says whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.graph.node_count() == 0
    }
    /// Returns the graph itself, for drawings.
    #[must_use]
    pub fn graph(&self) -> &DiGraph<OpNode, ()> {
        &self.graph
    }
    /// Returns the chain of a device by its position in the assignment; none where it is in no wave or an
    /// exclusion covers it.
    #[must_use]
    pub fn chain(&self, device: usize) -> Option<&Chain> {
        self.chains.get(device)?.as_deref()
    }
    /// Returns all operations in an order that respects every edge; the same each time.
    pub fn ordered(&self) -> impl Iterator<Item = OpNode> {
        self.order.iter().map(|node| self.graph[*node])
    }
    /// Returns the operations of one wave and its devices, in order.
    pub fn of_wave(&self, wave: u16) -> impl Iterator<Item = OpNode> {
        self.ordered().filter(move |node| match spec(node.op).scope {
            Scope::Tenant => false,
            Scope::Wave => node.subject == u32::from(wave),
            Scope::Device => self.waves.get(node.subject as usize) == Some(&Some(wave)),
        })
    }
    /// Returns the operations of one device by its position in the assignment, in order.
    pub fn of_device(&self, device: u32) -> impl Iterator<Item = OpNode> {
        self.ordered().filter(move |node| spec(node.op).scope == Scope::Device && node.subject == device)
    }
}

/// Compiles the plan for what was observed. `views` has to stand in the order of `assignment`.
///
/// # Errors
/// Where waves wait for each other.
pub fn compile(index: &Index<'_>, assignment: &Assignment, views: &[View<'_>]) -> Result<OpGraph, Cycle> {
    let mut known: HashMap<OpSet, Arc<Chain>> = HashMap::new();
    let chains: Vec<Option<Arc<Chain>>> = assignment
        .devices
        .iter()
        .zip(views)
        .map(|(assigned, view)| {
            (assigned.wave.is_some() && assigned.exclusion.is_none()).then(|| {
                let ops = present(index, view);
                Arc::clone(known.entry(ops).or_insert_with(|| Arc::new(Chain::new(ops))))
            })
        })
        .collect();
    let waves: Vec<Option<u16>> = assignment.devices.iter().map(|assigned| assigned.wave).collect();
    let tenant_subjects = tenant_subjects(index);
    let mut builder = Builder::new(index, &chains, tenant_subjects.len());
    builder.tenant(index, &tenant_subjects);
    for (at, (chain, wave)) in (0_u32..).zip(chains.iter().zip(&waves)) {
        if let (Some(chain), Some(wave)) = (chain, wave) {
            builder.device(at, chain, usize::from(*wave));
        }
    }
    let graph = builder.graph;
    match petgraph::algo::toposort(&graph, None) {
        Ok(order) => Ok(OpGraph { graph, order, chains, waves, tenant_subjects }),
        Err(_) => Err(name_cycle(index, &graph, &waves)),
    }
}

fn tenant_subjects(index: &Index<'_>) -> Vec<TenantSubject> {
    let plan = index.plan;
    let used = |package: &PackageName| plan.waves.iter().any(|wave| wave.package == *package);
    let mut subjects = Vec::new();
    for package in plan.packages.iter().filter(|package| used(&package.name)) {
        let subject = |access: Option<&CaExclusion>, exclusion| TenantSubject {
            package: package.name.clone(),
            account: package.account.clone(),
            policy: access.map(|access| access.policy.clone()),
            group: access.and_then(|access| access.group.clone()),
            exclusion,
        };
        for (at, exclusion) in (0_u32..).zip(&plan.exclusions) {
            if let ExclusionKind::ConditionalAccess(ca) = &exclusion.of
                && ca.account == package.account
            {
                subjects.push(subject(Some(ca), Some(at)));
            }
        }
        subjects.push(subject(None, None));
    }
    subjects
}

/// Builds nodes and edges; sizes are known before, so that nothing is moved while it grows.
struct Builder {
    graph: DiGraph<OpNode, ()>,
    opens: Vec<NodeIndex>,
    /// Operations that wait for a wave's devices: gates of other waves, restore and revoke.
    after_wave: Vec<Vec<NodeIndex>>,
    nodes: Vec<NodeIndex>,
}

impl Builder {
    fn new(index: &Index<'_>, chains: &[Option<Arc<Chain>>], subjects: usize) -> Self {
        let plan = index.plan;
        let steps: usize = chains.iter().flatten().map(|chain| chain.steps.len()).sum();
        let edges: usize = chains
            .iter()
            .flatten()
            .map(|chain| 3 + chain.steps.iter().map(|(_, before)| before.len()).sum::<usize>())
            .sum();
        let mut graph = DiGraph::with_capacity(steps + 2 * plan.waves.len() + 2 * subjects, edges);
        let mut opens = Vec::with_capacity(plan.waves.len());
        let mut gates = Vec::with_capacity(plan.waves.len());
        for (subject, _) in (0_u32..).zip(&plan.waves) {
            let gate = graph.add_node(OpNode { subject, op: Op::WaveGate });
            let open = graph.add_node(OpNode { subject, op: Op::WaveOpen });
            graph.add_edge(gate, open, ());
            gates.push(gate);
            opens.push(open);
        }
        let mut after_wave = vec![Vec::new(); plan.waves.len()];
        for (wave, gate) in plan.waves.iter().zip(&gates) {
            for need in &wave.needs {
                if let Some(at) = plan.waves.iter().position(|other| other.name.value == need.value) {
                    after_wave[at].push(*gate);
                    // Also where the needed wave has no device: the order of waves is the plan's.
                    graph.add_edge(opens[at], *gate, ());
                }
            }
        }
        Self { graph, opens, after_wave, nodes: vec![NodeIndex::end(); Op::ALL.len()] }
    }

    fn tenant(&mut self, index: &Index<'_>, subjects: &[TenantSubject]) {
        let on = index.plan.features.on;
        let has = |op: Op| spec(op).feature.is_none_or(|feature| on.has(feature));
        let mut restores: HashMap<&PackageName, Vec<NodeIndex>> = HashMap::new();
        for (at, subject) in (0_u32..).zip(subjects) {
            let waves = index.plan.waves.iter().enumerate().filter(|(_, wave)| wave.package == subject.package);
            let waves: Vec<usize> = waves.map(|(wave, _)| wave).collect();
            let mut add = |op| self.graph.add_node(OpNode { subject: at, op });
            let late = if subject.policy.is_some() {
                if !has(Op::ExcludePackageAccount) || !has(Op::RestorePackageAccount) {
                    continue;
                }
                let exclude = add(Op::ExcludePackageAccount);
                let restore = add(Op::RestorePackageAccount);
                self.graph.add_edge(exclude, restore, ());
                for wave in &waves {
                    self.graph.add_edge(exclude, self.opens[*wave], ());
                }
                restores.entry(&subject.package).or_default().push(restore);
                restore
            } else {
                let revoke = add(Op::RevokePackage);
                for restore in restores.remove(&subject.package).unwrap_or_default() {
                    self.graph.add_edge(restore, revoke, ());
                }
                revoke
            };
            for wave in waves {
                self.after_wave[wave].push(late);
            }
        }
    }

    fn device(&mut self, subject: u32, chain: &Chain, wave: usize) {
        let Some(open) = self.opens.get(wave).copied() else { return };
        for (op, before) in &chain.steps {
            let node = self.graph.add_node(OpNode { subject, op: *op });
            self.nodes[*op as usize] = node;
            if before.is_empty() {
                self.graph.add_edge(open, node, ());
            }
            // The catalogue's order respects `after` (a test holds that), so the nodes are there already.
            for earlier in before.iter() {
                self.graph.add_edge(self.nodes[earlier as usize], node, ());
            }
        }
        if !self.after_wave[wave].is_empty() {
            for op in chain.last().iter() {
                for late in &self.after_wave[wave] {
                    self.graph.add_edge(self.nodes[op as usize], *late, ());
                }
            }
        }
    }
}

fn name_cycle(index: &Index<'_>, graph: &DiGraph<OpNode, ()>, waves: &[Option<u16>]) -> Cycle {
    let rings = petgraph::algo::tarjan_scc(graph);
    let ring = rings.iter().filter(|ring| ring.len() > 1).min().cloned().unwrap_or_default();
    let mut names: Vec<usize> = Vec::new();
    let mut ops: Vec<Op> = Vec::new();
    for node in ring.into_iter().map(|node| graph[node]) {
        ops.push(node.op);
        match spec(node.op).scope {
            Scope::Wave => names.push(node.subject as usize),
            Scope::Device => names.extend(waves.get(node.subject as usize).copied().flatten().map(usize::from)),
            Scope::Tenant => {}
        }
    }
    names.sort_unstable();
    names.dedup();
    ops.sort_unstable();
    ops.dedup();
    let name = |at: usize| index.plan.waves.get(at).map(|wave| wave.name.value.to_string());
    Cycle { waves: names.into_iter().filter_map(name).collect(), ops }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dag::known_ops;
    use crate::model::Scenario;

    /// Catches a row that stands before one it waits for: the one-pass builder would drop the edge.
    #[test]
    fn the_catalogue_stands_in_an_order_that_respects_its_edges() {
        for op in Op::ALL {
            assert!(spec(*op).after.iter().all(|before| before < op), "{op}");
        }
    }

    /// Catches a chain that falls apart, or loses an indirect order, when operations in its middle are left out.
    #[test]
    fn leaving_operations_out_keeps_the_order_of_the_rest() {
        let all = known_ops(Scenario::TenantToTenant);
        let reach = |chain: &Chain| {
            let mut reach: HashMap<Op, OpSet> = HashMap::new();
            for (op, before) in &chain.steps {
                let far = before.iter().flat_map(|b| reach[&b].with(b).iter().collect::<Vec<_>>()).collect();
                reach.insert(*op, far);
            }
            reach
        };
        let whole = reach(&Chain::new(all));
        for first in all.iter() {
            for second in all.iter() {
                let ops = all.without(first).without(second);
                let part = reach(&Chain::new(ops));
                for op in ops.iter() {
                    let wanted: OpSet = whole[&op].iter().filter(|before| ops.has(*before)).collect();
                    assert_eq!(part[&op], wanted, "{op} without {first}, {second}");
                }
            }
        }
    }
}
