//! Measures a controller that a whole fleet calls in the same second, and kills it in the middle:
//! `cargo bench --bench fleet_calls -- 100 1000 5000`.
//!
//! The controller runs in a process of its own, with its database on disk. Each agent enrols, waits for its order and
//! reports checkpoints, four before and four around a `SIGKILL`; who is told to come back does so. At the end every
//! agent asks whether the controller still has what it acknowledged. `lost` has to be 0.

use std::collections::BTreeMap;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use opsole::controller::{Begin, Config, Controller, ENROLMENT, Limits, Ports, listen, serve};
use opsole::diff::{decide_ahead, select};
use opsole::model::{DeviceName, Op, PackageName, RunId};
use opsole::plan::Selector;
use opsole::port::{Clock as _, Packages, Store as _, SystemClock, SystemEntropy};
use opsole::run::RunPlan;
use opsole::store::{FileVault, SqliteStore, controller_key};
use opsole::trust::{BoxedFor, Entropy as _, Envelope, Opener, Purpose, Signer};
use opsole::wire::{
    Acknowledged, Admission, AgentEvent, AgentEventKind, DEVICE_TOKEN, EnrolAnswer, EnrolCall, EnrolRequest,
    EnrolmentToken, EventAnswer, EventReport, FORMAT, SIGNATURE, Step, StepKind, call_text,
};
use secrecy::ExposeSecret as _;
use serde::de::DeserializeOwned;
use tokio::task::JoinSet;

mod fleet;
use fleet::{peak_mib, plan, snapshot, spanned};

const CHILD: &str = "--controller";
/// Checkpoints of a device before the kill, and around it.
const CHECKPOINTS: u64 = 4;

type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

fn main() -> Outcome<()> {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    drop(rlimit::increase_nofile_limit(u64::MAX));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    if let [flag, folder, size, port] = args.as_slice()
        && flag == CHILD
    {
        return runtime.block_on(controller(Path::new(folder), size.parse()?, port.parse()?));
    }
    let sizes: Vec<usize> = args.iter().map(|arg| arg.parse()).collect::<Result<_, _>>()?;
    let sizes = if sizes.is_empty() { vec![100, 1_000, 5_000] } else { sizes };
    let mut out = io::stdout().lock();
    write!(out, "{:>8} {:>8} {:>9} {:>8} {:>8} {:>8}", "agents", "calls", "calls_s", "p50_ms", "p99_ms", "max_ms")?;
    writeln!(out, " {:>8} {:>9} {:>10} {:>9} {:>5}", "later", "broken", "restart_s", "peak_mib", "lost")?;
    for size in sizes {
        writeln!(out, "{}", runtime.block_on(measure(size))?)?;
        out.flush()?;
    }
    Ok(())
}

/// A package that is what it always was; no device gets as far as installing it.
struct OnePackage;

impl Packages for OnePackage {
    fn read(&self, _: &PackageName) -> opsole::port::Result<Vec<u8>> {
        Ok(b"package".to_vec())
    }
}

fn run_plan(size: usize) -> Outcome<RunPlan> {
    let text = |e: Box<dyn std::error::Error>| e.to_string();
    let mut plan = plan(size).map_err(text)?;
    plan.waves.truncate(1);
    plan.waves[0].devices = Selector::Ou(spanned("OU=Workstations,DC=corp,DC=contoso,DC=com".to_owned()));
    let snapshot = snapshot(size).map_err(text)?;
    let wave = plan.waves[0].name.value.clone();
    let decision = decide_ahead(&plan, &snapshot, Some(&wave)).map_err(|e| format!("{e:?}"))?;
    let changes = select(&decision.changes, &wave).ok_or("no such wave")?;
    let id = RunId(uuid::Uuid::from_u128(7));
    let mut run = RunPlan::from_changes(&changes, &plan, &wave, id, SystemClock.now()).map_err(|e| e.to_string())?;
    // The wire is measured, not what a migration takes: each device has its first order and nothing of the tenant's.
    (run.tenant_before, run.tenant_after, run.windows) = (Vec::new(), Vec::new(), None);
    run.concurrency = u32::try_from(size)?;
    for device in &mut run.devices {
        device.ops.retain(|step| step.op == Op::Preflight);
        device.ops.iter_mut().for_each(|step| step.after.clear());
        (device.task.package_sha256, device.task.serial, device.task.old_device) = (None, None, None);
    }
    Ok(run)
}

async fn controller(folder: &Path, size: usize, port: u16) -> Outcome<()> {
    let store = Arc::new(SqliteStore::open(folder)?);
    let begin = match store.runs()?.first() {
        Some(row) => Begin::Resume(row.run),
        None => Begin::New(Box::new(run_plan(size)?), Box::default()),
    };
    let new = matches!(begin, Begin::New(..));
    let names: Vec<DeviceName> = match &begin {
        Begin::New(plan, _) => plan.devices.iter().map(|device| device.task.device.clone()).collect(),
        Begin::Resume(_) => Vec::new(),
    };
    let ports = Ports {
        tenants: BTreeMap::new(),
        directory: None,
        store,
        packages: Arc::new(OnePackage),
        clock: Arc::new(SystemClock),
        key: Arc::new(controller_key(folder)?),
        vault: Arc::new(FileVault::own(folder)?),
        entropy: Arc::new(SystemEntropy),
        actor: "bench@here".to_owned(),
    };
    let handle = Controller::start(begin, ports, Config::default()).await?;
    if new {
        let tokens = handle.enrolment_tokens(&names, ENROLMENT)?;
        let tokens: BTreeMap<_, _> = tokens.iter().map(|(name, token)| (name, token.expose_secret())).collect();
        std::fs::write(folder.join("tokens.json"), serde_json::to_vec(&tokens)?)?;
    }
    let listener = listen(([127, 0, 0, 1], port).into())?;
    let address = listener.local_addr()?;
    let server = tokio::spawn(serve(handle.agents(), listener, Limits::default(), std::future::pending()));
    let mut lines = io::stdout();
    writeln!(lines, "{address}")?;
    // Ends with its parent, which asks for the memory by closing the input.
    tokio::task::spawn_blocking(|| io::copy(&mut io::stdin(), &mut io::sink())).await??;
    writeln!(lines, "{}", peak_mib())?;
    server.abort();
    Ok(())
}

/// A controller's process.
struct Process {
    child: Child,
    lines: io::Lines<BufReader<std::process::ChildStdout>>,
    port: u16,
}

impl Process {
    fn start(folder: &Path, size: usize, port: u16) -> Outcome<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .args([CHILD, &folder.display().to_string(), &size.to_string(), &port.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut lines = BufReader::new(child.stdout.take().ok_or("no output")?).lines();
        let address: std::net::SocketAddr = lines.next().ok_or("the controller didn't begin")??.parse()?;
        Ok(Self { child, lines, port: address.port() })
    }
    fn kill(mut self) -> Outcome<u16> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(self.port)
    }
    fn end(mut self) -> Outcome<String> {
        drop(self.child.stdin.take());
        let peak = self.lines.next().ok_or("no memory")??;
        self.child.wait()?;
        Ok(peak)
    }
}

/// What all agents count together.
#[derive(Default)]
struct Counted {
    later: AtomicU64,
    broken: AtomicU64,
    acknowledged: AtomicU64,
}

struct Agent {
    http: reqwest::Client,
    base: String,
    name: DeviceName,
    /// What it enrols with; afterwards what it proves itself with.
    enrolment: EnrolmentToken,
    token: String,
    signer: Signer,
    opener: Opener,
    counted: Arc<Counted>,
    took: Vec<Duration>,
    acknowledged: u64,
}

/// A call of an agent. The one place that knows how messages look.
enum Call {
    Enrol,
    Order,
    Checkpoint(u64),
}

impl Agent {
    fn request(&self, call: &Call) -> Outcome<reqwest::RequestBuilder> {
        Ok(match call {
            Call::Enrol => {
                let asked = EnrolRequest {
                    format: FORMAT,
                    device: self.name.clone(),
                    serial: String::new(),
                    registration: None,
                    agent: "bench".to_owned(),
                    key: self.signer.public(),
                    boxes: self.opener.public(),
                };
                let request = Envelope::sign(Purpose::Enrolment, &asked, &self.enrolment.signer())?;
                let call = EnrolCall { device: self.name.clone(), request };
                self.http.post(format!("{}/agent/v1/enrol", self.base)).json(&call)
            }
            Call::Order => self.signed(reqwest::Method::GET, "/agent/v1/order?after=0&wait_secs=20", Vec::new()),
            Call::Checkpoint(seq) => {
                let step = Step { op: Op::Preflight, kind: StepKind::Do };
                let event = AgentEvent { seq: *seq, at: SystemClock.now(), step, kind: AgentEventKind::Started };
                let report = EventReport { run: RunId(uuid::Uuid::from_u128(7)), events: vec![event] };
                self.signed(reqwest::Method::POST, "/agent/v1/events", serde_json::to_vec(&report)?)
            }
        })
    }

    fn signed(&self, method: reqwest::Method, target: &str, body: Vec<u8>) -> reqwest::RequestBuilder {
        let signature = Purpose::Call.sign(&call_text(method.as_str(), target, &body), &self.signer);
        let request = self.http.request(method, format!("{}{target}", self.base));
        request.bearer_auth(&self.token).header(SIGNATURE, signature).body(body)
    }

    /// Returns up to where the controller says that it has this device's events.
    fn said(&self, answer: &EventAnswer) -> Outcome<u64> {
        let said: Acknowledged = answer
            .acknowledgement
            .open(Purpose::Acknowledgement, self.enrolment.controller())
            .map_err(|broken| broken.to_string())?;
        Ok(said.acknowledged)
    }

    /// Calls until it is answered, as agents do.
    async fn call<T: DeserializeOwned>(&mut self, call: Call) -> Outcome<Option<T>> {
        loop {
            let begun = Instant::now();
            let Ok(answer) = self.request(&call)?.send().await else {
                self.counted.broken.fetch_add(1, Ordering::Relaxed);
                tokio::time::sleep(Duration::from_millis(fastrand::u64(200..800))).await;
                continue;
            };
            let status = answer.status().as_u16();
            let later = answer.headers().get("retry-after").and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
            // An answer that is cut off is asked for again.
            let Ok(bytes) = answer.bytes().await else { continue };
            match (status, later) {
                (200, _) => {
                    self.took.push(begun.elapsed());
                    return Ok(Some(serde_json::from_slice(&bytes)?));
                }
                (204, _) => return Ok(None),
                (429 | 503, Some(secs)) => {
                    self.counted.later.fetch_add(1, Ordering::Relaxed);
                    tokio::time::sleep(Duration::from_millis(secs * 1000 + fastrand::u64(0..1000))).await;
                }
                _ => return Err(format!("{}: {status} {}", self.name, String::from_utf8_lossy(&bytes)).into()),
            }
        }
    }

    async fn enrol(&mut self) -> Outcome<()> {
        let answer = self.call::<EnrolAnswer>(Call::Enrol).await?.ok_or("no answer")?;
        let admission = answer.admission.open::<Admission>(Purpose::Admission, self.enrolment.controller());
        let admission = admission.map_err(|broken| broken.to_string())?;
        let about = BoxedFor { device: &self.name, run: None, what: DEVICE_TOKEN };
        self.token = String::from_utf8(self.opener.open(&about, &admission.token)?.to_vec())?;
        while self.call::<serde_json::Value>(Call::Order).await?.is_none() {}
        Ok(())
    }

    async fn checkpoints(&mut self) -> Outcome<()> {
        for _ in 0..CHECKPOINTS {
            let seq = self.acknowledged + 1;
            let answer = self.call::<EventAnswer>(Call::Checkpoint(seq)).await?.ok_or("no answer")?;
            self.acknowledged = self.said(&answer)?;
            self.counted.acknowledged.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    }
}

/// Has every agent do something at the same time.
async fn all<F>(agents: Vec<Agent>, work: impl Fn(Agent) -> F) -> Outcome<Vec<Agent>>
where
    F: Future<Output = Outcome<Agent>> + Send + 'static,
{
    let mut tasks = JoinSet::new();
    agents.into_iter().for_each(|agent| drop(tasks.spawn(work(agent))));
    let mut done = Vec::new();
    while let Some(agent) = tasks.join_next().await {
        done.push(agent??);
    }
    Ok(done)
}

async fn measure(size: usize) -> Outcome<String> {
    drop(rustls::crypto::ring::default_provider().install_default());
    let folder: PathBuf = std::env::temp_dir().join(format!("opsole-fleet-calls-{}-{size}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let process = Process::start(&folder, size, 0)?;
    let port = process.port;
    let tokens: BTreeMap<DeviceName, String> = serde_json::from_slice(&std::fs::read(folder.join("tokens.json"))?)?;
    let counted = Arc::new(Counted::default());
    let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(60)).tls_certs_only([]).build()?;
    let agent = |(name, token): (DeviceName, String)| -> Outcome<Agent> {
        Ok(Agent {
            http: http.clone(),
            base: format!("http://127.0.0.1:{port}"),
            name,
            enrolment: token.parse()?,
            token: String::new(),
            signer: Signer::from_seed(&SystemEntropy.bytes()?)?,
            opener: Opener::from_seed(SystemEntropy.bytes()?),
            counted: Arc::clone(&counted),
            took: Vec::new(),
            acknowledged: 0,
        })
    };
    let agents = tokens.into_iter().map(agent).collect::<Outcome<Vec<_>>>()?;
    let begun = Instant::now();
    let agents = all(agents, async |mut agent| {
        agent.enrol().await?;
        agent.checkpoints().await?;
        Ok(agent)
    })
    .await?;
    let seconds = begun.elapsed().as_secs_f64();
    let mut took: Vec<Duration> = agents.iter().flat_map(|agent| agent.took.iter().copied()).collect();
    took.sort_unstable();
    let at = |part: f64| took[((took.len() - 1) as f64 * part) as usize].as_secs_f64() * 1000.0;

    // Kill it when half of the second round is on disk.
    let half = counted.acknowledged.load(Ordering::Relaxed) + agents.len() as u64 * CHECKPOINTS / 2;
    let work = tokio::spawn(all(agents, async |mut agent| {
        agent.checkpoints().await?;
        Ok(agent)
    }));
    while counted.acknowledged.load(Ordering::Relaxed) < half && !work.is_finished() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    process.kill()?;
    let killed = Instant::now();
    let process = Process::start(&folder, size, port)?;
    let restart = killed.elapsed().as_secs_f64();
    let agents = work.await??;
    let lost = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&lost);
    let agents = all(agents, move |mut agent| {
        let lost = Arc::clone(&count);
        async move {
            // What is known is passed over and acknowledged again; a gap would be refused.
            let again = agent.call::<EventAnswer>(Call::Checkpoint(agent.acknowledged)).await;
            let again = again.ok().flatten().and_then(|answer| agent.said(&answer).ok());
            if again.is_none_or(|said| said < agent.acknowledged) {
                lost.fetch_add(1, Ordering::Relaxed);
            }
            Ok(agent)
        }
    })
    .await?;
    let peak = process.end()?;
    std::fs::remove_dir_all(&folder)?;
    Ok(format!(
        "{:>8} {:>8} {:>9.0} {:>8.1} {:>8.1} {:>8.1} {:>8} {:>9} {:>10.1} {:>9} {:>5}",
        agents.len(),
        took.len(),
        took.len() as f64 / seconds,
        at(0.5),
        at(0.99),
        at(1.0),
        counted.later.load(Ordering::Relaxed),
        counted.broken.load(Ordering::Relaxed),
        restart,
        peak,
        lost.load(Ordering::Relaxed)
    ))
}
