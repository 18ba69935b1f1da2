//! What agents may ask of the controller, without HTTP: enrolment, orders, events, evidence.

use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine as _;
use tokio::sync::{mpsc, oneshot};

use super::Ports;
use super::credentials::Credentials;
use super::exec::{Message, blocking};
use crate::model::{DeviceName, Digest, PackageName, Problem, Retry};
use crate::port::{Packages, Result, Store};
use crate::run::RunPlan;
use crate::state::Evidence;
use crate::wire::{
    EnrolAnswer, EnrolRequest, EventAnswer, EventReport, EvidenceReport, FORMAT, PackageDelivery, WorkOrder,
};

/// Why an agent is turned down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// HTTP status.
    pub status: u16,
    /// What is wrong and what to do.
    pub problem: Problem,
    /// When to come back, in seconds.
    pub retry_after: Option<u32>,
}

impl Refusal {
    pub(super) fn new(status: u16, problem: Problem) -> Self {
        Self { status, problem, retry_after: None }
    }
    pub(super) fn conflict(code: &str, message: String) -> Self {
        Self::new(409, Problem::new(code, message).next("the agent reads the answer and sends what is expected"))
    }
    pub(super) fn busy(message: &str) -> Self {
        let problem = Problem::new("controller.busy", message).retry(Retry::AfterSecs(5));
        Self { status: 503, problem: problem.next("the agent comes back by itself"), retry_after: Some(5) }
    }
    fn unauthorised() -> Self {
        Self::new(401, Problem::new("agent.unauthorised", "the token isn't good").next("enrol the device again"))
    }
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        Self { status: 503, problem, retry_after: Some(30) }
    }
}

/// What agents may ask. Cheap to clone.
#[derive(Clone)]
pub struct Agents(Arc<Inner>);

struct Inner {
    inbox: mpsc::Sender<Message>,
    credentials: Credentials,
    store: Arc<dyn Store>,
    packages: Arc<dyn Packages>,
    plan: Arc<RunPlan>,
    /// The last package that was read: a wave has one, and hundreds of devices ask for it.
    delivery: Mutex<Option<PackageDelivery>>,
}

impl Agents {
    pub(super) fn new(inbox: mpsc::Sender<Message>, ports: &Ports, plan: &Arc<RunPlan>) -> Result<Self> {
        Ok(Self(Arc::new(Inner {
            inbox,
            credentials: Credentials::load(Arc::clone(&ports.store))?,
            store: Arc::clone(&ports.store),
            packages: Arc::clone(&ports.packages),
            plan: Arc::clone(plan),
            delivery: Mutex::default(),
        })))
    }

    pub(super) fn enrolment_token(&self, device: &DeviceName) -> Result<String> {
        if self.0.plan.device(device).is_none() {
            return Err(Problem::new("agent.unknown-device", format!("{device} isn't in this run")));
        }
        self.0.credentials.issue_enrolment(device)
    }

    /// Lets a device in.
    ///
    /// # Errors
    /// 400 for a newer format, 403 where token, device or serial number don't fit, 503 where the store fails.
    pub fn enrol(&self, request: &EnrolRequest) -> std::result::Result<EnrolAnswer, Refusal> {
        if request.format > FORMAT {
            let problem = Problem::new("agent.newer", format!("the agent speaks format {}", request.format))
                .next("update the controller");
            return Err(Refusal::new(400, problem));
        }
        // One answer for everything that isn't right: a stranger learns nothing of names and numbers.
        let refused = || {
            let problem = Problem::new("agent.not-let-in", "token, device and serial number don't fit together")
                .next("issue a new enrolment token for this device");
            Refusal::new(403, problem)
        };
        let device = self.0.plan.device(&request.device).ok_or_else(refused)?;
        if device.task.serial.as_ref().is_some_and(|serial| !serial.eq_ignore_ascii_case(request.serial.trim())) {
            return Err(refused());
        }
        let device_token =
            blocking(|| self.0.credentials.enrol(&request.device, &request.token))?.ok_or_else(refused)?;
        tracing::info!(device = %request.device, agent = %request.agent, "enrolled");
        Ok(EnrolAnswer { device_token })
    }

    /// Returns the device of a bearer token.
    ///
    /// # Errors
    /// 401 where the token isn't good, 503 where the store fails.
    pub fn authenticate(&self, token: &str) -> std::result::Result<DeviceName, Refusal> {
        let device = blocking(|| self.0.credentials.authenticate(token))?.ok_or_else(Refusal::unauthorised)?;
        // Tokens outlive runs; a device of another run has nothing to ask of this one.
        self.0.plan.device(&device).map(|run| run.task.device.clone()).ok_or_else(Refusal::unauthorised)
    }

    /// Waits for an order newer than a generation. The caller bounds the wait; dropping it is harmless.
    ///
    /// # Errors
    /// 503 where the controller is busy or gone, or the package can't be read.
    pub async fn order(&self, device: &DeviceName, after: u64) -> std::result::Result<Option<WorkOrder>, Refusal> {
        let (reply, answer) = oneshot::channel();
        self.send(Message::Order { device: device.clone(), after, reply })?;
        // A newer request of the same device takes the place of this one, which then ends empty.
        let Ok((mut order, package)) = answer.await else { return Ok(None) };
        if package {
            order.package = Some(self.delivery(&order.task.package, order.task.package_sha256)?);
        }
        Ok(Some(order))
    }

    /// Takes what an agent did. Answered when it is in the journal.
    ///
    /// # Errors
    /// 409 for a gap, another run or a step that wasn't ordered; 503 where the controller is busy or gone.
    pub async fn events(&self, device: &DeviceName, report: EventReport) -> std::result::Result<EventAnswer, Refusal> {
        let (reply, answer) = oneshot::channel();
        self.send(Message::Events { device: device.clone(), report: Box::new(report), reply })?;
        let acknowledged = answer.await.map_err(|_| Refusal::busy("the controller stopped"))??;
        Ok(EventAnswer { acknowledged })
    }

    /// Keeps fresh facts of a device.
    ///
    /// # Errors
    /// 403 where the facts are another device's, 503 where the store fails.
    pub fn evidence(&self, device: &DeviceName, report: EvidenceReport) -> std::result::Result<(), Refusal> {
        if DeviceName::new(&report.facts.identity.name) != *device {
            let problem = Problem::new("agent.other-device", format!("{device} reported another device's facts"))
                .next("see that no two devices share an agent's state");
            return Err(Refusal::new(403, problem));
        }
        let EvidenceReport { at, facts, survey } = report;
        Ok(blocking(|| {
            // A survey has a time of its own: where none could be taken the last one stands, and grows old.
            let survey = match survey {
                Some(survey) => Some(survey),
                None => self.0.store.evidence_of(device)?.and_then(|kept| kept.survey),
            };
            self.0.store.set_evidence(device, &Evidence { at, facts, survey })
        })?)
    }

    fn send(&self, message: Message) -> std::result::Result<(), Refusal> {
        self.0.inbox.try_send(message).map_err(|_| Refusal::busy("the controller has too much to do or stopped"))
    }

    fn delivery(&self, name: &PackageName, agreed: Option<Digest>) -> std::result::Result<PackageDelivery, Refusal> {
        let kept = || self.0.delivery.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let found = match kept().filter(|delivery| delivery.name == *name) {
            Some(delivery) => delivery,
            None => {
                let bytes = zeroize::Zeroizing::new(blocking(|| self.0.packages.read(name))?);
                let content = base64::engine::general_purpose::STANDARD.encode(&bytes).into();
                let delivery = PackageDelivery { name: name.clone(), sha256: Digest::of(&bytes), content };
                *self.0.delivery.lock().unwrap_or_else(PoisonError::into_inner) = Some(delivery.clone());
                delivery
            }
        };
        if agreed.is_some_and(|agreed| agreed != found.sha256) {
            let problem = Problem::new("package.changed", format!("package `{name}` isn't the one that was agreed to"))
                .next("put the right file back");
            return Err(Refusal::from(problem));
        }
        Ok(found)
    }
}
