//! The agent's main loop: one part works, one fetches orders, one sends events. None waits for another.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};
use tokio_util::sync::CancellationToken;

use super::client::{Client, is_unknown_token};
use super::identity::Identity;
use super::journal::{Crash, Durability, Journal};
use super::runner::{Runner, Stop};
use super::skew::Skew;
use crate::model::{DeviceName, Digest, Problem, PublicKey, Retry};
use crate::port::{Clock, DeviceOs, Result, SystemEntropy};
use crate::trust::{Broken, Purpose};
use crate::wire::{EnrolmentToken, EventReport, EvidenceReport, OrderAnswer, RefusalReport, Release, WorkOrder};

/// Events in one report; a few days of one device's work.
const EVENTS_MAX: usize = 50;
/// Waits between two tries in seconds of the world: the first, and the longest.
const BACKOFF_SECS: (u64, u64) = (2, 120);
/// Facts and survey older than this are taken and sent again while nothing else happens; a preflight accepts 60
/// minutes.
const EVIDENCE_SECS: i64 = 30 * 60;

/// Says whether the device has a network. The lab takes it away; a real device finds out by trying.
pub type Online = dyn Fn() -> bool + Send + Sync;

/// Is told that the device is enrolled, at every start and whenever it enrols: its token is used.
pub type Enrolled = dyn Fn() + Send + Sync;

/// What an agent needs to know to begin.
#[derive(Clone)]
pub struct AgentConfig {
    /// Base URL of the controller.
    pub controller: String,
    /// One-time token that lets the device in; none where it enrolled before.
    pub enrolment_token: Option<SecretString>,
    /// The agent's folder: journal and package. Only its own account may read it.
    pub state: PathBuf,
    /// The device's name.
    pub device: DeviceName,
    /// What the journal survives. [`super::supervise`] sets it for emulated devices.
    pub durability: Durability,
    /// Longest wait of one question for orders, in seconds.
    pub poll_secs: u64,
    /// The first call after a start comes within so many seconds, by chance: a fleet that wakes up at once, after a night
    /// or a power cut, doesn't call at once. 0 where nobody else wakes up.
    pub spread_secs: u32,
    /// HTTP client; see [`super::http_client`].
    pub http: reqwest::Client,
    /// Ends the process like a kill right after this entry of the journal was written, counted from 1. For tests.
    pub kill_after_entry: Option<u64>,
    /// Whether the device has a network.
    pub online: Option<Arc<Online>>,
    /// Takes the enrolment token away from where it is kept.
    pub enrolled: Option<Arc<Enrolled>>,
}

impl fmt::Debug for AgentConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AgentConfig")
            .field("controller", &self.controller)
            .field("state", &self.state)
            .field("device", &self.device)
            .finish_non_exhaustive()
    }
}

/// Why the agent's main loop ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Exit {
    /// The device restarts; start again once it is up.
    Restarting,
    /// It was asked to stop.
    Cancelled,
    /// It can't work: the controller doesn't let it in, or its own disk refuses.
    Failed(Problem),
}

/// Runs the agent until the device restarts, somebody stops it, or it can't go on.
pub async fn run(config: AgentConfig, os: Arc<dyn DeviceOs>, clock: Arc<dyn Clock>, cancel: CancellationToken) -> Exit {
    match Agent::start(config, os, clock, cancel).await {
        Ok(agent) => agent.run().await.unwrap_or_else(Exit::Failed),
        Err(problem) => Exit::Failed(problem),
    }
}

/// Enrols the device with the token of its settings, once, and returns the controller's key that it trusts now.
///
/// # Errors
/// `agent.*` where the device can't or may not enrol, `controller.*` where the controller can't be reached or isn't it.
pub async fn enrol(config: AgentConfig, os: Arc<dyn DeviceOs>, clock: Arc<dyn Clock>) -> Result<PublicKey> {
    let agent = Agent::start(config, os, clock, CancellationToken::new()).await?;
    let (token, facts) = (agent.enrolment()?, agent.os.inspect().await?);
    agent.client.enrol(&token, &facts, &agent.identity).await?;
    Ok(agent.identity.controller().unwrap_or_else(|| token.controller()))
}

struct Agent {
    config: AgentConfig,
    os: Arc<dyn DeviceOs>,
    clock: Arc<dyn Clock>,
    cancel: CancellationToken,
    client: Client,
    identity: Identity,
    skew: Arc<Skew>,
    runner: Runner,
}

/// Waits that grow, each with some chance in it, so that a fleet doesn't come back all at once.
struct Backoff(u64);

impl Backoff {
    fn new() -> Self {
        Self(BACKOFF_SECS.0)
    }
    fn next(&mut self, problem: &Problem) -> Duration {
        let asked = match problem.retry {
            Retry::AfterSecs(secs) => u64::from(secs),
            Retry::No | Retry::Soon | Retry::ReadFirst => 0,
        };
        let secs = self.0.max(asked);
        self.0 = (self.0 * 2).min(BACKOFF_SECS.1);
        // What was asked for was given to this device alone, and keeps its place; a wait of one's own is spread widely.
        let chance = if asked >= secs { asked.min(10) * 100 } else { secs * 500 };
        Duration::from_millis(secs * 1000 + fastrand::u64(0..=chance))
    }
}

impl Agent {
    async fn start(
        config: AgentConfig,
        os: Arc<dyn DeviceOs>,
        clock: Arc<dyn Clock>,
        cancel: CancellationToken,
    ) -> Result<Self> {
        let crash = config.kill_after_entry.map(|entry| Crash { entry, abort: true });
        let journal = Journal::open(&config.state, &config.device, config.durability, crash)?;
        let skew = Skew::new(clock.clone());
        let client = Client::new(&config.controller, config.http.clone(), config.online.clone(), skew.clone());
        let identity = Identity::open(&config.state, &config.device, config.durability, &os, &SystemEntropy)?;
        if let Some(enrolled) = config.enrolled.as_ref().filter(|_| identity.token().is_some()) {
            enrolled();
        }
        let opener = Arc::clone(identity.opener());
        let runner =
            Runner::new(os.clone(), clock.clone(), journal, &config.state, opener, skew.clone(), cancel.clone());
        Ok(Self { config, os, clock, cancel, client, identity, skew, runner })
    }

    async fn run(&self) -> Result<Exit> {
        // Work goes on from the journal even where the controller is away.
        tokio::select! {
            exit = self.work() => exit,
            problem = self.fetch() => Ok(Exit::Failed(problem?)),
            problem = self.report() => Ok(Exit::Failed(problem?)),
        }
    }

    async fn work(&self) -> Result<Exit> {
        loop {
            match self.runner.work().await? {
                Stop::Restarting => return Ok(Exit::Restarting),
                Stop::Cancelled => return Ok(Exit::Cancelled),
                Stop::Idle => tokio::select! {
                    () = self.cancel.cancelled() => return Ok(Exit::Cancelled),
                    () = self.runner.ordered.notified() => {}
                },
            }
        }
    }

    fn has_order(&self) -> bool {
        self.runner.journal(|journal| journal.order().is_some())
    }

    /// Returns the token that the settings hold.
    fn enrolment(&self) -> Result<EnrolmentToken> {
        let no = |message: String| {
            Problem::new("agent.no-token", message).next(
                "issue a token for this device with `opsole devices issue`, and enrol it with `opsole agent enroll`",
            )
        };
        let device = &self.config.device;
        let text = self.config.enrolment_token.as_ref();
        let text = text.ok_or_else(|| no(format!("{device} isn't enrolled, and no enrolment token is at hand")))?;
        let token: EnrolmentToken = text
            .expose_secret()
            .parse()
            .map_err(|why: String| no(format!("the enrolment token of {device} can't be read")).detail(why))?;
        if token.device() != device {
            return Err(no(format!("the enrolment token is for {}, not for {device}", token.device())));
        }
        Ok(token)
    }

    /// Asks to be let in until it is; returns the problem that only a person can mend.
    async fn enrol(&self) -> Result<Option<Problem>> {
        let mut backoff = Backoff::new();
        loop {
            let asked = async {
                let (token, facts) = (self.enrolment()?, self.os.inspect().await?);
                self.client.enrol(&token, &facts, &self.identity).await
            };
            let problem = match asked.await {
                Ok(()) => {
                    if let Some(enrolled) = &self.config.enrolled {
                        enrolled();
                    }
                    return Ok(None);
                }
                Err(problem) if problem.code.starts_with("agent.identity") => return Err(problem),
                // With an order in hand the work goes on, and the door is tried again and again.
                Err(problem) if problem.retry == Retry::No && !self.has_order() => return Ok(Some(problem)),
                Err(problem) => problem,
            };
            tracing::debug!(device = %self.config.device, %problem, "not let in yet");
            self.clock.sleep(backoff.next(&problem)).await;
        }
    }

    /// Takes an order up, where the pinned controller signed it for this device and it is this device's next one.
    fn take(&self, answer: &OrderAnswer) -> Result<WorkOrder> {
        let device = &self.config.device;
        let refused = |code: &str, what: &str, why: String| {
            Problem::new(code, format!("an order for {device} {what}"))
                .detail(why)
                .next("look for what stands between device and controller: the agent goes on with the order in hand")
        };
        let trusted = self.identity.follow(&answer.changes)?.ok_or_else(|| {
            refused("order.no-controller", "came before the device trusts a controller", String::new())
        })?;
        let release: Release = answer.release.open(Purpose::Order, trusted).map_err(|broken| match broken {
            Broken::OtherKey => {
                refused("order.other-key", "isn't signed by the controller that is pinned", broken.to_string())
            }
            Broken::Forged => refused("order.forged", "was changed on its way", broken.to_string()),
            Broken::Unreadable => refused("order.format", "can't be read by this agent", broken.to_string()),
        })?;
        let now = self.clock.now();
        if now > release.expires {
            let why = format!("it was good until {}, and it is {now} here", release.expires);
            return Err(refused("order.outdated", "is too old to be taken up", why));
        }
        self.runner.accept(&release.order)?;
        Ok(release.order)
    }

    /// Tells the controller which order was refused, and why. What can't be told is in the device's own log.
    async fn tell_refusal(&self, answer: &OrderAnswer, problem: &Problem) {
        tracing::warn!(device = %self.config.device, %problem, "order refused");
        // The text isn't trusted: what it names is told as what it says, and nothing where it can't be read.
        let said: Option<Release> = serde_json::from_str(&answer.release.text).ok();
        let report = RefusalReport {
            code: problem.code.clone(),
            order: Digest::of(answer.release.text.as_bytes()),
            run: said.as_ref().map(|release| release.order.run),
            generation: said.as_ref().map(|release| release.order.generation),
        };
        if let Err(problem) = self.client.refused_order(&report, &self.identity).await {
            tracing::debug!(device = %self.config.device, %problem, "the refusal can't be told");
        }
    }

    /// Fetches orders for as long as it is polled; returns where only a person can help.
    async fn fetch(&self) -> Result<Problem> {
        if self.config.spread_secs > 0 {
            self.clock.sleep(Duration::from_millis(fastrand::u64(0..u64::from(self.config.spread_secs) * 1000))).await;
        }
        let mut backoff = Backoff::new();
        let mut evidence_at: Option<Timestamp> = None;
        // From the start again after every start: the order in hand comes once more and is recognised, and a
        // new run, which counts from 1 again, isn't missed.
        let mut after = 0;
        if self.identity.token().is_none()
            && let Some(problem) = self.enrol().await?
        {
            return Ok(problem);
        }
        loop {
            let outcome = match self.send_evidence(&mut evidence_at).await {
                Ok(()) => self.client.order(after, self.config.poll_secs, &self.identity).await,
                Err(problem) => Err(problem),
            };
            match outcome {
                Ok(None) => {
                    backoff = Backoff::new();
                    // The controller did the waiting; this keeps one that doesn't wait from being flooded, and pulls
                    // apart those whose waits end in the same moment.
                    self.clock.sleep(Duration::from_millis(fastrand::u64(500..=1500))).await;
                }
                Ok(Some(answer)) => match self.take(&answer) {
                    Ok(order) => {
                        after = order.generation;
                        backoff = Backoff::new();
                    }
                    Err(problem) if problem.code.starts_with("order.") => {
                        self.tell_refusal(&answer, &problem).await;
                        self.clock.sleep(backoff.next(&problem)).await;
                    }
                    Err(problem) => return Err(problem),
                },
                Err(problem) if is_unknown_token(&problem) => {
                    after = 0;
                    evidence_at = None;
                    // A controller that forgets at once what it let in mustn't be asked without a pause.
                    self.clock.sleep(backoff.next(&problem)).await;
                    if let Some(problem) = self.enrol().await? {
                        return Ok(problem);
                    }
                }
                Err(problem) => {
                    tracing::debug!(device = %self.config.device, %problem, "no order");
                    self.clock.sleep(backoff.next(&problem)).await;
                }
            }
        }
    }

    /// Sends fresh facts and a fresh survey where the last ones are old. A device that can't be read sends none: unknown.
    async fn send_evidence(&self, sent: &mut Option<Timestamp>) -> Result<()> {
        let now = self.clock.now();
        if sent.is_some_and(|at| now.duration_since(at).as_secs() < EVIDENCE_SECS) {
            return Ok(());
        }
        let Ok(facts) = self.os.inspect().await else { return Ok(()) };
        let survey = match self.os.survey().await {
            Ok(mut survey) => {
                self.skew.fill(&mut survey);
                Some(survey)
            }
            Err(problem) => {
                tracing::warn!(device = %self.config.device, %problem, "no survey");
                None
            }
        };
        match self.client.evidence(&EvidenceReport { at: now, facts, survey }, &self.identity).await {
            // A controller that takes no evidence may still have an order: asking for it goes on.
            Err(problem) if problem.retry == Retry::No && !is_unknown_token(&problem) => {
                tracing::warn!(device = %self.config.device, %problem, "evidence refused");
            }
            outcome => outcome?,
        }
        *sent = Some(now);
        Ok(())
    }

    /// Sends events for as long as it is polled.
    async fn report(&self) -> Result<Problem> {
        let mut backoff = Backoff::new();
        loop {
            let happened = self.runner.happened.notified();
            let waiting = self.runner.journal(|journal| journal.unsent(EVENTS_MAX));
            let Some((run, events)) = waiting.filter(|_| self.identity.token().is_some()) else {
                // Without a token `fetch` is asking for one; look again when something happens, or soon.
                tokio::select! { () = happened => {}, () = self.clock.sleep(Duration::from_secs(30)) => {} }
                continue;
            };
            let last = events.last().map_or(0, |event| event.seq);
            let current = self.runner.journal(|journal| journal.order().map(|order| order.run));
            let report = EventReport { run, events };
            match self.client.events(&report, &self.config.device, &self.identity).await {
                Ok(acknowledged) => {
                    self.runner.journal(|journal| journal.acknowledge(run, acknowledged))?;
                    self.runner.sent.notify_waiters();
                    backoff = Backoff::new();
                    if acknowledged < last {
                        self.clock.sleep(Duration::from_secs(BACKOFF_SECS.0)).await;
                    }
                }
                Err(problem) if problem.retry == Retry::No && !is_unknown_token(&problem) && current != Some(run) => {
                    tracing::warn!(device = %self.config.device, %run, %problem, "nobody takes the events of an old run");
                    self.runner.journal(|journal| journal.acknowledge(run, last))?;
                }
                Err(problem) => {
                    tracing::debug!(device = %self.config.device, %problem, "events wait");
                    self.clock.sleep(backoff.next(&problem)).await;
                }
            }
        }
    }
}
