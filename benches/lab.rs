//! Measures the lab and observation over HTTP, and prints a table: `cargo bench --bench lab -- 100 1000 10000`.
//!
//! Each size runs in processes of its own, so that its peak of memory isn't another size's. `open_s` is the time to
//! read the world and open the lab, `plan_s` a whole `opsole plan` over HTTP, `calls` its requests, `offline_s` a plan
//! from the snapshot, whose size follows; the peak is the live plan's.

use std::ffi::OsStr;
use std::fs;
use std::io::{self, Write as _};
use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use opsole::lab::Lab;
use opsole::lab::world::World;

const CHILD: &str = "--open";

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let mut args = std::env::args().skip(1).filter(|arg| arg != "--bench").peekable();
    let mut out = io::stdout().lock();
    if args.peek().is_some_and(|arg| arg == CHILD) {
        let folder = args.nth(1).ok_or("a folder is missing")?;
        writeln!(out, "{:.3}", open(Path::new(&folder))?)?;
        return Ok(());
    }
    let sizes: Vec<u32> = args.map(|arg| arg.parse()).collect::<Result<_, _>>()?;
    let sizes = if sizes.is_empty() { vec![100, 1_000, 10_000] } else { sizes };
    writeln!(
        out,
        "{:>9} {:>8} {:>8} {:>6} {:>10} {:>13} {:>9}",
        "devices", "open_s", "plan_s", "calls", "offline_s", "snapshot_mib", "peak_mib"
    )?;
    for size in sizes {
        writeln!(out, "{}", measure(size)?)?;
        out.flush()?;
    }
    Ok(())
}

/// Reads the world of a folder and opens its lab.
fn open(folder: &Path) -> Result<f64, Failure> {
    let start = Instant::now();
    let text = fs::read_to_string(folder.join("world.yaml"))?;
    let world = World::parse("world.yaml", &text).map_err(|problem| problem.to_string())?;
    let lab = Lab::open(&folder.join("opened"), &world).map_err(|problem| problem.to_string())?;
    let took = start.elapsed().as_secs_f64();
    drop(lab);
    Ok(took)
}

fn measure(size: u32) -> Result<String, Failure> {
    let folder = tempfile::tempdir()?;
    let number = size.to_string();
    run(folder.path(), ["lab", "generate", "--devices", &number, "."])?;
    let opened = Command::new(std::env::current_exe()?).arg(CHILD).arg(folder.path()).output()?;
    let opened: f64 = String::from_utf8_lossy(&opened.stdout).trim().parse()?;
    let start = Instant::now();
    let (live, log) = (folder.path().join("plan.txt"), folder.path().join("log.txt"));
    let mut child =
        command(folder.path(), ["plan"]).stdout(fs::File::create(&live)?).stderr(fs::File::create(&log)?).spawn()?;
    let status = format!("/proc/{}/status", child.id());
    let mut peak = None;
    let ended = loop {
        // The highest resident size so far, where the system tells it; the last look is at most some ms before the end.
        let now = fs::read_to_string(&status).ok().and_then(|text| number_after(&text, "VmHWM:"));
        peak = now.or(peak);
        if let Some(ended) = child.try_wait()? {
            break ended;
        }
        std::thread::sleep(Duration::from_millis(3));
    };
    let planned = start.elapsed().as_secs_f64();
    let log = fs::read_to_string(&log)?;
    if !ended.success() {
        return Err(log.into());
    }
    let calls = number_after(&log, "requests=").ok_or("the lab didn't tell its requests")?;
    let peak = peak.map_or_else(|| "-".to_owned(), |kib| (kib / 1024).to_string());
    run(folder.path(), ["snapshot", "--out", "seen.json"])?;
    let snapshot = fs::metadata(folder.path().join("seen.json"))?.len() as f64 / f64::from(1 << 20);
    let start = Instant::now();
    let offline = run(folder.path(), ["plan", "--snapshot", "seen.json"])?;
    let took = start.elapsed().as_secs_f64();
    if offline.stdout != fs::read(&live)? {
        return Err(format!("size {size}: the plan from the snapshot differs").into());
    }
    Ok(format!("{size:>9} {opened:>8.3} {planned:>8.3} {calls:>6} {took:>10.3} {snapshot:>13.1} {peak:>9}"))
}

fn command<S: AsRef<OsStr>>(folder: &Path, args: impl IntoIterator<Item = S>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_opsole"));
    command.args(args).current_dir(folder).env("OPSOLE_LOG", "opsole::lab=debug").env("NO_COLOR", "1");
    command
}

fn run<S: AsRef<OsStr>>(folder: &Path, args: impl IntoIterator<Item = S>) -> Result<Output, Failure> {
    let output = command(folder, args).output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
    }
    Ok(output)
}

fn number_after(text: &str, key: &str) -> Option<u64> {
    let rest = text.split_once(key)?.1.trim_start();
    rest[..rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len())].parse().ok()
}
