//! Measures compile and diff from a snapshot, and prints a table: `cargo bench --bench scale -- 100 1000 10000`.
//!
//! The last columns say by how much a size grew over the one before it in the same run. Each size runs in a
//! process of its own, so that its peak of memory isn't another size's. The fleet is hybrid joined, made in
//! memory and the same every time; its snapshot counts towards the peak.

use std::io::{self, Write as _};
use std::process::Command;
use std::sync::Arc;
use std::time::Instant;

use opsole::dag::{Index, assign, compile, views};
use opsole::diff::{Action, diff};
use opsole::readiness::assess;

mod fleet;
use fleet::{peak_mib, plan, snapshot};

const CHILD: &str = "--one-size";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1).filter(|arg| arg != "--bench").peekable();
    let mut out = io::stdout().lock();
    if args.peek().is_some_and(|arg| arg == CHILD) {
        let size: usize = args.nth(1).ok_or("a size is missing")?.parse()?;
        writeln!(out, "{}", measure(size)?)?;
        return Ok(());
    }
    let sizes: Vec<usize> = args.map(|arg| arg.parse()).collect::<Result<_, _>>()?;
    let sizes = if sizes.is_empty() { vec![100, 1_000, 10_000] } else { sizes };
    write!(out, "{:>9} {:>11} {:>10} {:>8} {:>9}", "devices", "operations", "compile_s", "diff_s", "peak_mib")?;
    writeln!(out, " {:>10} {:>8} {:>8}", "x_devices", "x_time", "x_memory")?;
    let mut before: Option<Row> = None;
    for size in sizes {
        let child = Command::new(std::env::current_exe()?).arg(CHILD).arg(size.to_string()).output()?;
        if !child.status.success() {
            return Err(format!("size {size}: {}", String::from_utf8_lossy(&child.stderr)).into());
        }
        let text = String::from_utf8_lossy(&child.stdout);
        let row = Row::parse(&text).ok_or_else(|| format!("size {size}: {text}"))?;
        writeln!(out, "{}{}", text.trim_end(), before.as_ref().map(|before| row.growth(before)).unwrap_or_default())?;
        out.flush()?;
        before = Some(row);
    }
    Ok(())
}

/// What is compared between one size and the next.
struct Row {
    devices: f64,
    seconds: f64,
    mib: Option<f64>,
}

impl Row {
    fn parse(line: &str) -> Option<Self> {
        let mut columns = line.split_whitespace().map(|column| column.parse::<f64>().ok());
        let mut next = || columns.next();
        let (devices, _, compile, diff, mib) = (next()??, next()??, next()??, next()??, next()?);
        Some(Self { devices, seconds: compile + diff, mib })
    }

    /// Returns by how much it grew over the size before. Where time or memory grow more than devices do, something
    /// isn't linear; where the times are a few milliseconds, their ratio says little.
    fn growth(&self, before: &Self) -> String {
        let times = |now: f64, then: f64| if then > 0.0 { format!("{:.1}", now / then) } else { "-".to_owned() };
        let memory = match (self.mib, before.mib) {
            (Some(now), Some(then)) => times(now, then),
            _ => "-".to_owned(),
        };
        let (devices, seconds) = (times(self.devices, before.devices), times(self.seconds, before.seconds));
        format!(" {devices:>10} {seconds:>8} {memory:>8}")
    }
}

fn measure(size: usize) -> Result<String, Box<dyn std::error::Error>> {
    let plan = plan(size)?;
    let snapshot = snapshot(size)?;
    let start = Instant::now();
    let index = Index::new(&plan, &snapshot);
    let assignment = assign(&index);
    let views = views(&index, &assignment);
    let graph = compile(&index, &assignment, &views)?;
    let compiled = start.elapsed();
    let start = Instant::now();
    let readiness = Arc::new(assess(&index, &assignment, &views, &graph));
    let changes = diff(&index, &assignment, &views, &graph, readiness, None);
    let diffed = start.elapsed();
    // A fleet that doesn't run would make the numbers lie.
    let runs = changes.devices.iter().filter(|d| d.changes.iter().any(|c| c.action == Action::Do)).count();
    if runs != size || changes.findings.has_errors() {
        let first = changes.devices.first().map(|device| &device.standing);
        return Err(format!("{runs} of {size} devices run: {first:?}, {:?}", changes.findings.0.first()).into());
    }
    let (compiled, diffed) = (compiled.as_secs_f64(), diffed.as_secs_f64());
    Ok(format!("{size:>9} {:>11} {compiled:>10.3} {diffed:>8.3} {:>9}", graph.len(), peak_mib()))
}
