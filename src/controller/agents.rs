//! What agents may ask of the controller, without HTTP: enrolment, orders, events, evidence.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::{mpsc, oneshot};
use zeroize::Zeroizing;

use super::Ports;
use super::credentials::{Credentials, Enrolled, Invited, no_randomness};
use super::exec::{Message, Needs, blocking};
use super::recovery::Recovery;
use super::refusals::Refusals;
use crate::audit::{Fact, Note, OrderRefused};
use crate::model::{DeviceName, Digest, PackageName, Problem, Retry};
use crate::port::{Clock, Packages, Result, Store};
use crate::run::RunPlan;
use crate::state::Evidence;
use crate::trust::{BoxedFor, ControllerKey, Entropy, Envelope, Purpose, SealedBox};
use crate::wire::{
    Acknowledged, Admission, DEVICE_TOKEN, EnrolAnswer, EnrolCall, EventAnswer, EventReport, EvidenceReport,
    ORDER_SECS, OrderAnswer, PackageDelivery, RECOVERY_PASSWORD, RefusalReport, Release, WorkOrder,
};

/// Refused orders of one device that are told in the audit list: a device that is out of its mind, or in the wrong
/// hands, tells no more and keeps no other from telling.
const ORDERS_REFUSED_MAX: usize = 50;

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
        Self::busy_for(message, 5)
    }
    pub(super) fn busy_for(message: &str, secs: u32) -> Self {
        let problem = Problem::new("controller.busy", message).retry(Retry::AfterSecs(secs));
        Self { status: 503, problem: problem.next("the agent comes back by itself"), retry_after: Some(secs) }
    }
    /// One answer, whatever is wrong: no token, another's, a signature that doesn't fit.
    fn unauthorised() -> Self {
        let problem = Problem::new("agent.unauthorised", "the call doesn't prove that it is a device of this run");
        Self::new(401, problem.next("enrol the device again"))
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
    key: Arc<ControllerKey>,
    entropy: Arc<dyn Entropy>,
    clock: Arc<dyn Clock>,
    actor: String,
    refusals: Refusals,
    orders_refused: Mutex<BTreeMap<DeviceName, BTreeSet<(String, Digest)>>>,
    recovery: Recovery,
    store: Arc<dyn Store>,
    packages: Arc<dyn Packages>,
    plan: Arc<RunPlan>,
    /// The last package that was read: a wave has one, and hundreds of devices ask for it.
    package: Mutex<Option<Arc<Package>>>,
}

/// A package that was read.
struct Package {
    name: PackageName,
    sha256: Digest,
    bytes: Zeroizing<Vec<u8>>,
}

/// A call of a device, as far as who calls is concerned.
#[derive(Debug, Clone, Copy)]
pub struct Caller<'a> {
    /// Which call, such as `events`.
    pub call: &'static str,
    /// Bearer token.
    pub token: &'a str,
    /// What the device signed: [`crate::wire::call_text`].
    pub signed: &'a [u8],
    /// Base64 of the signature.
    pub signature: &'a str,
    /// Where the call comes from.
    pub peer: Option<IpAddr>,
}

impl super::Revoke for Agents {
    fn revoke(&self, device: &DeviceName, reason: &str, actor: &str) -> Result<bool> {
        self.0.credentials.revoke(device, reason, self.0.clock.now(), actor)
    }
}

impl Agents {
    /// Returns the clock that answers are dated by.
    pub(super) fn clock(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.0.clock)
    }
    pub(super) fn new(inbox: mpsc::Sender<Message>, ports: &Ports, plan: &Arc<RunPlan>) -> Self {
        Self(Arc::new(Inner {
            inbox,
            credentials: Credentials::new(Arc::clone(&ports.store), Arc::clone(&ports.entropy)),
            key: Arc::clone(&ports.key),
            entropy: Arc::clone(&ports.entropy),
            clock: Arc::clone(&ports.clock),
            actor: ports.actor.clone(),
            refusals: Refusals::new(Arc::clone(&ports.store), Arc::clone(&ports.clock)),
            orders_refused: Mutex::default(),
            recovery: Recovery::new(Arc::clone(&ports.store), Arc::clone(&ports.vault)),
            store: Arc::clone(&ports.store),
            packages: Arc::clone(&ports.packages),
            plan: Arc::clone(plan),
            package: Mutex::default(),
        }))
    }

    pub(super) fn enrolment_tokens(
        &self,
        devices: &[DeviceName],
        valid: SignedDuration,
    ) -> Result<BTreeMap<DeviceName, SecretString>> {
        let plan = &self.0.plan;
        let invited = |device: &DeviceName| {
            let run = plan.device(device).ok_or_else(|| {
                Problem::new("agent.unknown-device", format!("{device} isn't in this run"))
                    .next("name a device of the wave that is applied")
            })?;
            let task = &run.task;
            Ok(Invited { device: task.device.clone(), serial: task.serial.clone(), registration: task.old_device })
        };
        let invited = devices.iter().map(invited).collect::<Result<Vec<_>>>()?;
        let at = self.0.clock.now();
        let expires = at.saturating_add(valid).unwrap_or(Timestamp::MAX);
        let key = self.0.key.public();
        let tokens = self.0.credentials.issue(&plan.wave, &invited, key, (at, expires), &self.0.actor)?;
        Ok(tokens.into_iter().collect())
    }

    /// Returns the key that orders are signed with.
    #[must_use]
    pub fn key(&self) -> crate::model::PublicKey {
        self.0.key.public()
    }

    /// Returns what was turned away.
    #[must_use]
    pub fn refusals(&self) -> &Refusals {
        &self.0.refusals
    }

    /// Lets a device in.
    ///
    /// # Errors
    /// 400 for a newer format, 403 where token, device and hardware don't fit, 503 where the store fails.
    pub fn enrol(&self, call: &EnrolCall, peer: Option<IpAddr>) -> std::result::Result<EnrolAnswer, Refusal> {
        // One answer for everything that isn't right: a stranger learns nothing of names and numbers.
        let refused = |reason: &str, device: Option<&DeviceName>| {
            self.0.refusals.tell("enrol", reason, device, peer);
            let problem = Problem::new("agent.not-let-in", "token, device and serial number don't fit together")
                .next("issue a new enrolment token for this device");
            Refusal::new(403, problem)
        };
        let Some(run) = self.0.plan.device(&call.device) else {
            return Err(blocking(|| refused("no device of this run", None)));
        };
        let now = self.0.clock.now();
        let (request, token) = match blocking(|| self.0.credentials.enrol(call, &self.0.plan.wave, now)) {
            Ok(Ok(let_in)) => let_in,
            Ok(Err(turned)) => return Err(blocking(|| refused(turned.as_str(), Some(&run.task.device)))),
            Err(problem) if problem.code == "agent.newer" => return Err(Refusal::new(400, problem)),
            Err(problem) => return Err(problem.into()),
        };
        tracing::info!(device = %call.device, agent = %request.agent, "enrolled");
        let about = BoxedFor { device: &call.device, run: None, what: DEVICE_TOKEN };
        let token = self.seal(request.boxes, &about, token.expose_secret().as_bytes())?;
        let admission = Admission { device: call.device.clone(), key: request.key, token };
        Ok(EnrolAnswer { admission: self.sign(Purpose::Admission, &admission)?, changes: self.changes() })
    }

    /// Returns who calls.
    ///
    /// # Errors
    /// 401 where token and signature aren't those of a device of this run, 503 where the store fails.
    pub fn authenticate(&self, caller: &Caller<'_>) -> std::result::Result<(DeviceName, Enrolled), Refusal> {
        let found = blocking(|| self.0.credentials.authenticate(caller.token, caller.signed, caller.signature))?;
        // Tokens outlive runs; a device of another run has nothing to ask of this one.
        let known =
            found.and_then(|(device, enrolled)| Some((self.0.plan.device(&device)?.task.device.clone(), enrolled)));
        known.ok_or_else(|| {
            let claimed = caller.token.rsplit_once('.').map(|(name, _)| DeviceName::new(name));
            let claimed = claimed.and_then(|name| Some(&self.0.plan.device(&name)?.task.device));
            let reason = if caller.token.is_empty() { "no token" } else { "token or signature isn't good" };
            blocking(|| self.0.refusals.tell(caller.call, reason, claimed, caller.peer));
            Refusal::unauthorised()
        })
    }

    /// Waits for an order newer than a generation, and signs it. The caller bounds the wait; dropping it is harmless.
    ///
    /// # Errors
    /// 503 where the controller is busy or gone, or the package can't be read.
    pub async fn order(
        &self,
        device: &DeviceName,
        enrolled: &Enrolled,
        after: u64,
    ) -> std::result::Result<Option<OrderAnswer>, Refusal> {
        let Some((mut order, needs)) = self.released(device, after).await? else { return Ok(None) };
        if needs.package {
            let package = self.package(&order.task.package, order.task.package_sha256)?;
            let what = PackageDelivery::what(&package.name, package.sha256);
            let about = BoxedFor { device, run: Some(order.run), what: &what };
            let content = self.seal(enrolled.boxes, &about, &package.bytes)?;
            order.package = Some(PackageDelivery { name: package.name.clone(), sha256: package.sha256, content });
        }
        if needs.recovery {
            let password = blocking(|| self.0.recovery.password(order.run, device, self.0.clock.now()))?;
            let about = BoxedFor { device, run: Some(order.run), what: RECOVERY_PASSWORD };
            order.recovery = Some(self.seal(enrolled.boxes, &about, password.expose().as_bytes())?);
        }
        let issued = self.0.clock.now();
        let expires = issued.saturating_add(SignedDuration::from_secs(ORDER_SECS)).unwrap_or(Timestamp::MAX);
        let release = self.sign(Purpose::Order, &Release { order, issued, expires })?;
        Ok(Some(OrderAnswer { release, changes: self.changes() }))
    }

    /// Waits for an order newer than a generation; with it, which secrets belong to it.
    pub(super) async fn released(
        &self,
        device: &DeviceName,
        after: u64,
    ) -> std::result::Result<Option<(WorkOrder, Needs)>, Refusal> {
        let (reply, answer) = oneshot::channel();
        self.send(Message::Order { device: device.clone(), after, reply })?;
        // A newer request of the same device takes the place of this one, which then ends empty.
        Ok(answer.await.ok())
    }

    /// Writes down that a device refused an order.
    ///
    /// # Errors
    /// 400 where it isn't such a refusal, 503 where the store fails.
    pub fn order_refused(&self, device: &DeviceName, report: RefusalReport) -> std::result::Result<(), Refusal> {
        let word = |byte: u8| byte.is_ascii_lowercase() || byte == b'-' || byte == b'.';
        if !report.code.starts_with("order.") || report.code.len() > 64 || !report.code.bytes().all(word) {
            let problem = Problem::new("agent.bad-body", "the code isn't one of a refused order");
            return Err(Refusal::new(400, problem.next("update the agent or the controller")));
        }
        {
            let mut told = self.0.orders_refused.lock().unwrap_or_else(PoisonError::into_inner);
            let told = told.entry(device.clone()).or_default();
            if told.len() >= ORDERS_REFUSED_MAX || !told.insert((report.code.clone(), report.order)) {
                return Ok(());
            }
        }
        tracing::warn!(%device, code = report.code, "the device refused an order");
        let RefusalReport { code, order, run, generation } = report;
        let fact = Fact::OrderRefused(OrderRefused { device: device.clone(), code, order, run, generation });
        let note = Note { at: self.0.clock.now(), actor: device.to_string(), fact };
        Ok(blocking(|| self.0.store.add_audit(&[note]))?)
    }

    /// Takes what an agent did. Answered when it is in the journal.
    ///
    /// # Errors
    /// 409 for a gap, another run or a step that wasn't ordered; 503 where the controller is busy or gone.
    pub async fn events(&self, device: &DeviceName, report: EventReport) -> std::result::Result<EventAnswer, Refusal> {
        let run = report.run;
        let acknowledged = self.journalled(device, report).await?;
        let acknowledged = Acknowledged { device: device.clone(), run, acknowledged };
        Ok(EventAnswer {
            acknowledgement: self.sign(Purpose::Acknowledgement, &acknowledged)?,
            changes: self.changes(),
        })
    }

    /// Takes what an agent did, and returns up to where it is in the journal.
    pub(super) async fn journalled(
        &self,
        device: &DeviceName,
        report: EventReport,
    ) -> std::result::Result<u64, Refusal> {
        let (reply, answer) = oneshot::channel();
        self.send(Message::Events { device: device.clone(), report: Box::new(report), reply })?;
        answer.await.map_err(|_| Refusal::busy("the controller stopped"))?
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
            let kept = self.0.store.evidence_of(device)?;
            // Whoever repeats an old report, or sends it late, mustn't make the device look as it was then.
            if kept.as_ref().is_some_and(|kept| is_overtaken(at, kept.at, self.0.clock.now())) {
                return Ok(());
            }
            let survey = survey.or_else(|| kept.and_then(|kept| kept.survey));
            self.0.store.set_evidence(device, &Evidence { at, facts, survey })
        })?)
    }

    fn send(&self, message: Message) -> std::result::Result<(), Refusal> {
        self.0.inbox.try_send(message).map_err(|_| Refusal::busy("the controller has too much to do or stopped"))
    }

    fn package(&self, name: &PackageName, agreed: Option<Digest>) -> std::result::Result<Arc<Package>, Refusal> {
        let kept = || self.0.package.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let found = match kept().filter(|package| package.name == *name) {
            Some(package) => package,
            None => {
                let bytes = Zeroizing::new(blocking(|| self.0.packages.read(name))?);
                let package = Arc::new(Package { name: name.clone(), sha256: Digest::of(&bytes), bytes });
                *self.0.package.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&package));
                package
            }
        };
        if agreed.is_some_and(|agreed| agreed != found.sha256) {
            let problem = Problem::new("package.changed", format!("package `{name}` isn't the one that was agreed to"))
                .next("put the right file back");
            return Err(Refusal::from(problem));
        }
        Ok(found)
    }

    fn changes(&self) -> Vec<Envelope> {
        self.0.key.changes().to_vec()
    }
    fn sign<T: serde::Serialize>(&self, purpose: Purpose, value: &T) -> std::result::Result<Envelope, Refusal> {
        self.0.key.sign(purpose, value).map_err(|e| {
            Refusal::from(Problem::new("controller.unsigned", "an answer can't be signed").detail(e.to_string()))
        })
    }
    fn seal(
        &self,
        to: crate::trust::BoxKey,
        about: &BoxedFor<'_>,
        plain: &[u8],
    ) -> std::result::Result<SealedBox, Refusal> {
        let entropy = self.0.entropy.bytes().map_err(no_randomness)?;
        SealedBox::seal(to, about, plain, entropy).map_err(|why| {
            let what = format!("the {} for {} can't be sealed", about.what, about.device);
            let next = "revoke the device with `opsole devices revoke` and let it enrol anew";
            Refusal::from(Problem::new("controller.unsealed", what).detail(why).next(next))
        })
    }
}

/// Says whether a report is older than the one that is kept. One that is kept from the future was made while the device's
/// clock was wrong: it must not shut out what the device says since its clock was put right.
fn is_overtaken(at: Timestamp, kept: Timestamp, now: Timestamp) -> bool {
    at < kept && kept <= now
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Catches an old report, sent again, that takes a newer one's place, and a device whose clock ran ahead once and that
    /// nobody listens to for a year.
    #[test]
    fn old_reports_dont_count_and_wrong_clocks_do_no_harm() {
        let day = |number: i64| Timestamp::UNIX_EPOCH + SignedDuration::from_hours(24 * number);
        assert!(is_overtaken(day(1), day(2), day(3)));
        assert!(!is_overtaken(day(2), day(2), day(3)) && !is_overtaken(day(3), day(2), day(3)));
        assert!(!is_overtaken(day(3), day(365), day(3)), "what is kept was told by a clock that ran ahead");
    }
}
