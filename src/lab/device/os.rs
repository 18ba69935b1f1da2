//! The emulated device as agents and the lab see it.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use tokio::sync::{Mutex, Notify};
use zeroize::Zeroizing;

use super::actions;
use super::cloud::{Cloud, HttpCloud};
use super::fault;
use super::guard;
use super::physics::{Around, happen};
use super::seed::{DeviceSeed, first_state};
use super::state::{DeviceState, FORMAT, Power, later};
use crate::knowledge::{ForeignCode, foreign};
use crate::lab::seed::{Index, device_ids};
use crate::lab::store::LabStore;
use crate::lab::world::{Fault, FaultKind, World, WorldDevice};
use crate::model::{DeviceFacts, DeviceName, Known, Op, Problem, Recorded, Retry, Survey};
use crate::port::{Clock, DeviceAction, DeviceOs, Result};

/// Kind of the objects in the lab's store.
const KIND: &str = "device";

/// One emulated device. All processes of a lab see the same one; only one of them may be its agent.
pub struct LabDevice {
    name: DeviceName,
    store: Arc<LabStore>,
    clock: Arc<dyn Clock>,
    cloud: Arc<dyn Cloud>,
    faults: Vec<(usize, Fault)>,
    /// Held from reading the state to writing it.
    turn: Mutex<()>,
    /// The process on the device was ended by a fault.
    ended: Notify,
    /// Something changed, so that the next due moment may be another one.
    changed: Notify,
}

impl std::fmt::Debug for LabDevice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LabDevice").field("name", &self.name).finish_non_exhaustive()
    }
}

impl LabDevice {
    /// Opens a device that reaches its tenants over HTTP, and makes it from the world on first use.
    ///
    /// Searches the world for the device's ids then; [`LabDevice::open_indexed`] is for many devices.
    ///
    /// # Errors
    /// `lab.*` where the world can't be or can't be read.
    pub fn open(
        store: Arc<LabStore>,
        clock: Arc<dyn Clock>,
        tenants_url: &str,
        world: &World,
        device: &WorldDevice,
    ) -> Result<Self> {
        let cloud = Arc::new(HttpCloud::new(tenants_url)?);
        Self::make(store, clock, cloud, world, device, || device_ids(world, device).into())
    }

    /// As [`LabDevice::open`], with an index of the world, and with any tenants.
    ///
    /// # Errors
    /// `lab.*` where the world can't be or can't be read.
    pub fn open_indexed<'a>(
        store: Arc<LabStore>,
        clock: Arc<dyn Clock>,
        cloud: Arc<dyn Cloud>,
        index: &Index<'a>,
        device: &'a WorldDevice,
    ) -> Result<Self> {
        Self::make(store, clock, cloud, index.world(), device, || index.device_ids(device).into())
    }

    /// Opens a device with any tenants and given ids, and makes it from the world on first use.
    ///
    /// # Errors
    /// `lab.*` where the world can't be or can't be read.
    pub fn open_with(
        store: Arc<LabStore>,
        clock: Arc<dyn Clock>,
        cloud: Arc<dyn Cloud>,
        world: &World,
        device: &WorldDevice,
        seed: &DeviceSeed,
    ) -> Result<Self> {
        Self::make(store, clock, cloud, world, device, || seed.clone())
    }

    fn make(
        store: Arc<LabStore>,
        clock: Arc<dyn Clock>,
        cloud: Arc<dyn Cloud>,
        world: &World,
        device: &WorldDevice,
        seed: impl FnOnce() -> DeviceSeed,
    ) -> Result<Self> {
        let name = DeviceName::new(&device.name);
        let opened = Self {
            faults: fault::of_device(&world.faults, &name),
            name,
            store,
            clock,
            cloud,
            turn: Mutex::new(()),
            ended: Notify::new(),
            changed: Notify::new(),
        };
        if opened.read()?.is_none() {
            opened.write(&first_state(world, device, &seed())?)?;
        }
        Ok(opened)
    }

    /// Returns the device's name.
    #[must_use]
    pub fn name(&self) -> &DeviceName {
        &self.name
    }

    fn read(&self) -> Result<Option<DeviceState>> {
        let Some(body) = self.store.get(KIND, self.name.as_str())? else { return Ok(None) };
        let damaged = |detail: String| {
            Problem::new("lab.store", format!("the lab's device {} can't be read", self.name))
                .next("start anew with `opsole lab reset`")
                .detail(detail)
        };
        let state: DeviceState = serde_json::from_str(&body).map_err(|e| damaged(e.to_string()))?;
        if state.format > FORMAT {
            return Err(damaged(format!("format {} is newer than this program", state.format)));
        }
        Ok(Some(state))
    }
    fn write(&self, state: &DeviceState) -> Result<()> {
        let body = serde_json::to_string(state)
            .map_err(|e| Problem::new("lab.store", "a device can't be written").detail(e.to_string()))?;
        self.store.put(KIND, self.name.as_str(), &body)
    }

    /// Returns the state as it lies in the store, without letting anything happen: for those who only look.
    ///
    /// # Errors
    /// `lab.store`.
    pub fn peek(&self) -> Result<DeviceState> {
        self.read()?.ok_or_else(|| {
            Problem::new("lab.store", format!("the lab has no device {}", self.name)).next("run `opsole lab reset`")
        })
    }

    fn around(&self) -> Around<'_> {
        Around { cloud: self.cloud.as_ref(), faults: &self.faults, now: self.clock.now() }
    }

    /// Lets happen what has become due, and returns the state. The caller holds the turn.
    async fn current(&self) -> Result<DeviceState> {
        let mut state = self.peek()?;
        while let Some((due, event)) = state.next_event().filter(|(due, _)| *due <= self.clock.now()) {
            happen(&mut state, due, event, &self.around()).await;
            self.write(&state)?;
        }
        Ok(state)
    }

    /// Lets happen what has become due, and returns when the next thing is due.
    ///
    /// # Errors
    /// `lab.store`.
    pub async fn tick(&self) -> Result<Option<Timestamp>> {
        let _turn = self.turn.lock().await;
        Ok(self.current().await?.next_event().map(|(due, _)| due))
    }

    /// Lets time pass on the device for as long as it is polled, so that what is due happens also while
    /// nobody looks.
    ///
    /// # Errors
    /// `lab.store`.
    pub async fn live(&self) -> Result<()> {
        loop {
            let changed = self.changed.notified();
            match self.tick().await? {
                None => changed.await,
                Some(due) => {
                    // Half a second more than nothing: a clock that stands still must not spin.
                    let wait = due.duration_since(self.clock.now()).try_into().unwrap_or(Duration::ZERO);
                    let wait = wait.max(Duration::from_millis(500));
                    tokio::select! { () = changed => {}, () = self.clock.sleep(wait) => {} }
                }
            }
        }
    }

    /// Says whether the device reaches anything: it runs, and no fault keeps it offline.
    #[must_use]
    pub fn is_online(&self) -> bool {
        let now = self.clock.now();
        self.peek().is_ok_and(|state| {
            let up = match state.power {
                Power::Up => true,
                Power::RestartingUntil(until) => until <= now,
            };
            up && state.offline_until.is_none_or(|until| until <= now)
        })
    }

    /// Waits until the device runs.
    ///
    /// # Errors
    /// `lab.store`.
    pub async fn up(&self) -> Result<()> {
        loop {
            self.tick().await?;
            match self.peek()?.power {
                Power::Up => return Ok(()),
                Power::RestartingUntil(until) => {
                    let wait: Duration = until.duration_since(self.clock.now()).try_into().unwrap_or(Duration::ZERO);
                    self.clock.sleep(wait.max(Duration::from_millis(500))).await;
                }
            }
        }
    }

    /// Says whether somebody with a local account and its password would be let in.
    ///
    /// # Errors
    /// `lab.store`.
    pub fn logon(&self, account: &str, password: &str) -> Result<bool> {
        Ok(guard::logon(&self.peek()?, account, password))
    }

    /// Waits until a fault ends the process on the device: everything that isn't on disk is gone then.
    pub async fn ended(&self) {
        self.ended.notified().await;
    }

    fn down(&self) -> Problem {
        Problem::new("device.down", format!("{} is restarting", self.name)).retry(Retry::Soon)
    }

    /// Carries an action out, or says that the process has to end without an answer.
    async fn act(&self, action: &DeviceAction) -> Result<std::ops::ControlFlow<()>> {
        use std::ops::ControlFlow::{Break, Continue};
        let _turn = self.turn.lock().await;
        let mut state = self.current().await?;
        if state.power != Power::Up {
            return Err(self.down());
        }
        let op = fault::op_of(&state, action);
        let hit = fault::strike(&mut state, &self.faults, op, |_| true);
        match &hit {
            Some(FaultKind::Killed) => {
                self.write(&state)?;
                return Ok(Break(()));
            }
            Some(FaultKind::Fail(code)) => {
                self.write(&state)?;
                return Err(Problem::new(code.clone(), format!("{} refused {}", self.name, name_of(action)))
                    .next("the lab's world orders this fault")
                    .retry(Retry::Soon));
            }
            Some(FaultKind::Lie) => {
                self.write(&state)?;
                return Ok(Continue(()));
            }
            Some(FaultKind::Offline(secs)) => state.offline_until = Some(later(self.clock.now(), *secs)),
            _ => {}
        }
        let outcome = actions::apply(&mut state, action, &self.around()).await;
        if hit == Some(FaultKind::PowerCut) {
            state.power = Power::RestartingUntil(later(self.clock.now(), state.habits.restart_secs));
        }
        self.write(&state)?;
        self.changed.notify_waiters();
        outcome?;
        Ok(if hit == Some(FaultKind::PowerCut) { Break(()) } else { Continue(()) })
    }
}

/// Returns the name of an action without its content.
fn name_of(action: &DeviceAction) -> String {
    let text = format!("{action:?}");
    let name = text.trim_start_matches(|c: char| !c.is_alphanumeric());
    name.split(|c: char| !c.is_alphanumeric() && c != '-').next().unwrap_or_default().to_owned()
}

#[async_trait]
impl DeviceOs for LabDevice {
    async fn inspect(&self) -> Result<DeviceFacts> {
        let _turn = self.turn.lock().await;
        let mut state = self.current().await?;
        if state.power != Power::Up {
            return Err(self.down());
        }
        // What the canary of a killed agent left goes before anything else, as the agent's first act in every life.
        if state.canary.take().is_some() {
            self.write(&state)?;
        }
        // Reading steps have no action that a fault could strike at, so it strikes at the reading.
        if fault::before_stage(&state)
            && let Some(FaultKind::Fail(code)) =
                fault::strike(&mut state, &self.faults, Some(Op::Preflight), |kind| matches!(kind, FaultKind::Fail(_)))
        {
            self.write(&state)?;
            return Err(Problem::new(code, format!("{} can't be inspected", self.name))
                .next("the lab's world orders this fault")
                .retry(Retry::Soon));
        }
        Ok(state.facts)
    }

    async fn survey(&self) -> Result<Survey> {
        let _turn = self.turn.lock().await;
        let mut state = self.current().await?;
        if state.power != Power::Up {
            return Err(self.down());
        }
        let now = self.clock.now();
        let mut survey = state.survey(now);
        if state.offline_until.is_some_and(|until| until > now) {
            super::survey::cut_off(&mut survey);
        }
        // What the world lets run really writes, and what it wrote is really read.
        if let Known::Known(canary) = &mut survey.canary
            && canary.is_whole()
        {
            let marker = format!("canary of {} at {now}", self.name);
            state.canary = Some(marker.clone());
            self.write(&state)?;
            canary.read_back = self.peek()?.canary == Some(marker);
            state.canary = None;
            self.write(&state)?;
        }
        Ok(survey)
    }

    async fn perform(&self, action: &DeviceAction) -> Result<()> {
        if self.act(action).await?.is_break() {
            // As with real power: nobody gets an answer.
            self.ended.notify_one();
            pending::<()>().await;
        }
        Ok(())
    }

    fn protect(&self, plain: &[u8]) -> Result<Vec<u8>> {
        guard::protect(&self.store, &self.name, plain)
    }

    fn unprotect(&self, protected: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
        guard::unprotect(&self.store, &self.name, protected)
    }

    async fn boot(&self) -> Result<u64> {
        let _turn = self.turn.lock().await;
        let state = self.current().await?;
        if state.power != Power::Up {
            return Err(self.down());
        }
        Ok(u64::from(state.boots))
    }

    async fn recorded(&self) -> Result<Option<Recorded>> {
        let _turn = self.turn.lock().await;
        Ok(self.current().await?.facts.staging.recorded)
    }

    async fn last_join_error(&self) -> Result<Option<Problem>> {
        let _turn = self.turn.lock().await;
        let state = self.current().await?;
        Ok(state.join_error.map(|error| {
            Problem::new("device.join-refused", format!("{} couldn't join: {}", self.name, error.message))
                .next(next_of(&error.code))
                .detail(error.code)
                .retry(Retry::Soon)
        }))
    }

    async fn hardware_hash(&self) -> Result<Option<String>> {
        Ok(Some(self.peek()?.habits.hardware_hash))
    }
}

/// Returns what to check for a code that Windows shows.
fn next_of(code: &str) -> String {
    foreign(code).map_or_else(|| "look at the User Device Registration log".to_owned(), ForeignCode::hint)
}
