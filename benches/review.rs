//! Measures what a review costs, and prints a table: `cargo bench --bench review -- 100 1000 10000`.
//!
//! One wave takes the whole fleet. `seal` decides, makes the body and signs it; `read` reads the file and checks every
//! byte of it; then each view. Sizes of files stand beside the times. The last columns say by how much a size grew
//! over the one before it in the same run; each size runs in a process of its own.

use std::io::{self, Write as _};
use std::process::Command;
use std::time::Instant;

use opsole::diff::{decide_ahead, select};
use opsole::model::{Digest, RunId};
use opsole::plan::Selector;
use opsole::render::review::{Shown, html, markdown};
use opsole::render::sealed_text::{SealedTextOptions, sealed_text};
use opsole::run::RunPlan;
use opsole::sealed::{Document, SealInput, Sealed, seal};
use opsole::trust::{Signer, digest_of};
use ring::rand::SystemRandom;
use ring::signature::Ed25519KeyPair;

mod fleet;
use fleet::{peak_mib, plan, snapshot, spanned};

const CHILD: &str = "--one-size";

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

fn main() -> Outcome<()> {
    let mut args = std::env::args().skip(1).filter(|arg| arg != "--bench").peekable();
    let mut out = io::stdout().lock();
    if args.peek().is_some_and(|arg| arg == CHILD) {
        let size: usize = args.nth(1).ok_or("a size is missing")?.parse()?;
        writeln!(out, "{}", measure(size)?)?;
        return Ok(());
    }
    let sizes: Vec<usize> = args.map(|arg| arg.parse()).collect::<Result<_, _>>()?;
    let sizes = if sizes.is_empty() { vec![100, 1_000, 10_000] } else { sizes };
    writeln!(
        out,
        "{:>9} {:>7} {:>9} {:>7} {:>7} {:>10} {:>7} {:>7} {:>6} {:>7} {:>8} {:>8} {:>10} {:>7}",
        "devices",
        "seal_s",
        "file_mib",
        "read_s",
        "text_s",
        "text_lines",
        "json_s",
        "md_s",
        "md_kib",
        "html_s",
        "html_mib",
        "peak_mib",
        "x_devices",
        "x_time"
    )?;
    let mut before: Option<(f64, f64)> = None;
    for size in sizes {
        let child = Command::new(std::env::current_exe()?).arg(CHILD).arg(size.to_string()).output()?;
        if !child.status.success() {
            return Err(format!("size {size}: {}", String::from_utf8_lossy(&child.stderr)).into());
        }
        let text = String::from_utf8_lossy(&child.stdout);
        let column = |at: usize| text.split_whitespace().nth(at).and_then(|column| column.parse::<f64>().ok());
        let seconds: f64 = [1, 3, 4, 6, 7, 9].into_iter().filter_map(column).sum();
        let row = (column(0).ok_or("no size")?, seconds);
        let growth = before.map(|(devices, time)| format!(" {:>10.1} {:>7.1}", row.0 / devices, row.1 / time));
        writeln!(out, "{}{}", text.trim_end(), growth.unwrap_or_default())?;
        out.flush()?;
        before = Some(row);
    }
    Ok(())
}

/// Runs something and returns how long it took.
fn timed<T>(work: impl FnOnce() -> T) -> (T, f64) {
    let start = Instant::now();
    let done = work();
    (done, start.elapsed().as_secs_f64())
}

fn measure(size: usize) -> Outcome<String> {
    let mut plan = plan(size)?;
    plan.waves.truncate(1);
    plan.waves[0].devices = Selector::Ou(spanned("OU=Workstations,DC=corp,DC=contoso,DC=com".to_owned()));
    let snapshot = snapshot(size)?;
    let wave = plan.waves[0].name.value.clone();
    let pair = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).map_err(|_| "no randomness")?;
    let signer = Signer::from_pkcs8(pair.as_ref())?;
    let (sealed, seal_s) = timed(|| -> Outcome<Sealed> {
        let decision = decide_ahead(&plan, &snapshot, Some(&wave))?;
        let changes = select(&decision.changes, &wave).ok_or("no such wave")?;
        let run = RunPlan::from_changes(&changes, &plan, &wave, RunId(uuid::Uuid::from_u128(7)), plan.as_of)?;
        let body = seal(SealInput {
            index: &decision.index,
            changes: &changes,
            run,
            tool: "bench",
            sealed_at: plan.as_of,
            not_after: plan.as_of + jiff::SignedDuration::from_hours(24),
            inputs: Vec::new(),
            snapshot: digest_of(&snapshot)?,
            parent: None,
        });
        Ok(Sealed::new(body, "bench", &signer)?)
    });
    let sealed = sealed?;
    // A fleet that doesn't run would make the numbers lie.
    if sealed.body.run.devices.len() != size {
        let first = sealed.body.devices.first().map(|device| &device.standing);
        return Err(format!("{} of {size} devices run: {first:?}", sealed.body.run.devices.len()).into());
    }
    let bytes = sealed.to_bytes();
    let (read, read_s) = timed(|| Sealed::read(&bytes));
    if Digest::of(&read?.to_bytes()) != Digest::of(&bytes) {
        return Err("it doesn't come back".into());
    }
    let shown = Shown::sealed(&sealed);
    let options = SealedTextOptions { width: 100, color: false, ascii: false, device: None };
    let (text, text_s) = timed(|| sealed_text(&sealed, &options));
    let (json, json_s) = timed(|| serde_json::to_string_pretty(&Document::sealed(&sealed)));
    drop(json?);
    let (md, md_s) = timed(|| markdown(&shown));
    let (page, html_s) = timed(|| html(&shown, None));
    let page = page.map_err(|problem| problem.to_string())?;
    let mib = |bytes: usize| bytes as f64 / f64::from(1 << 20);
    Ok(format!(
        "{size:>9} {seal_s:>7.3} {:>9.2} {read_s:>7.3} {text_s:>7.3} {:>10} {json_s:>7.3} {md_s:>7.3} {:>6} \
         {html_s:>7.3} {:>8.2} {:>8}",
        mib(bytes.len()),
        text.lines().count(),
        md.len() >> 10,
        mib(page.len()),
        peak_mib()
    ))
}
