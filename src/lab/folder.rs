//! A lab's folder, `.opsole/lab/`: which world it holds, what time it is there, and who serves it.
//!
//! The store keeps what has changed since the world's first moment; the rest is computed from the world file.
//! So a lab of any size is made at once, and a world file that was changed afterwards is refused.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;

use super::clock::{KEPT, Keeper, LabClock};
use super::directory::Computers;
use super::store::{LabStore, Write};
use super::tenant::Due;
use super::world::{World, WorldService};
use crate::model::{Digest, Problem, Retry};
use crate::port::{Clock, Result};

/// Changes when the first moment of the same world file would come out different.
const SEED_FORMAT: u32 = 2;

/// An opened lab. Any number of processes may open one; only one may serve its tenants.
#[derive(Debug)]
pub struct Lab {
    folder: PathBuf,
    world: Arc<World>,
    store: Arc<LabStore>,
    clock: Mutex<Arc<LabClock>>,
    keeper: Arc<Keeper>,
    pub(super) computers: Mutex<Computers>,
    pub(super) due: Mutex<Due>,
}

/// The right to serve a lab's tenants; ends when it is dropped.
#[derive(Debug)]
pub struct LabLock {
    _file: File,
}

/// Takes a lock; a panic elsewhere leaves data that is still whole, since each change is one assignment.
pub(super) fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Lab {
    /// Opens the lab in a folder, which is made where it isn't there, as it was left.
    ///
    /// # Errors
    /// `lab.store`; `lab.world-changed` where the folder holds another world.
    pub fn open(folder: &Path, world: &World) -> Result<Self> {
        let store = Arc::new(LabStore::open(folder)?);
        // How fast time runs, how services behave and what goes wrong may change; what the world is may not.
        let mut lasting = world.clone();
        lasting.speed = 1.0;
        lasting.faults.clear();
        for tenant in lasting.tenants.values_mut() {
            tenant.service = WorldService::default();
        }
        let bytes = serde_json::to_vec(&lasting)
            .map_err(|e| Problem::new("lab.store", "the world can't be written as JSON").detail(e.to_string()))?;
        let mark = format!("{SEED_FORMAT}/{}", Digest::of(&bytes));
        match store.get("meta", "world")? {
            Some(found) if found == mark => {}
            Some(_) => {
                let message =
                    format!("the lab in {} was made from another version of the world file", folder.display());
                return Err(Problem::new("lab.world-changed", message)
                    .next("start anew with `opsole lab reset`, or put the world file back"));
            }
            None => store.put("meta", "world", &mark)?,
        }
        let saved = store.get(KEPT.0, KEPT.1)?.and_then(|text| text.parse::<Timestamp>().ok());
        let base = saved.map_or(world.starts, |saved| saved.max(world.starts));
        let computers = Computers::load(world, &store)?;
        let due = Due::load(&store)?;
        let keeper = Keeper::new(store.clone());
        Ok(Self {
            folder: folder.to_owned(),
            clock: Mutex::new(Arc::new(LabClock::frozen(base, world.speed).kept_by(keeper.clone()))),
            keeper,
            world: Arc::new(world.clone()),
            store,
            computers: Mutex::new(computers),
            due: Mutex::new(due),
        })
    }

    /// Removes a lab's world; nothing there is a success.
    ///
    /// # Errors
    /// `lab.locked` where somebody serves it, `lab.store` where a file can't be removed.
    pub fn reset(folder: &Path) -> Result<()> {
        if !folder.exists() {
            return Ok(());
        }
        let _lock = lock(folder)?;
        for name in ["world.db", "world.db-wal", "world.db-shm"] {
            let path = folder.join(name);
            match std::fs::remove_file(&path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    let message = format!("can't remove {}", path.display());
                    return Err(Problem::new("lab.store", message).detail(error.to_string()));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Returns the lab's clock from now on: standing still for commands that only look, so that two of them
    /// see the same moment, and running for `apply` and `lab serve`. The tenants follow the latest one.
    pub fn clock(&self, frozen: bool) -> Arc<LabClock> {
        let mut clock = held(&self.clock);
        *clock = Arc::new(clock.after(Duration::ZERO, frozen));
        clock.clone()
    }
    /// Lets time pass at once, and keeps it. Clocks that were handed out before don't see it.
    ///
    /// # Errors
    /// `lab.store`.
    pub fn skip(&self, time: Duration) -> Result<Arc<LabClock>> {
        let mut clock = held(&self.clock);
        *clock = Arc::new(clock.after(time, clock.is_frozen()));
        let next = clock.clone();
        drop(clock);
        self.keeper.release();
        self.store.put(KEPT.0, KEPT.1, &next.now().to_string())?;
        Ok(next)
    }
    /// Returns the moment.
    pub fn now(&self) -> Timestamp {
        held(&self.clock).now()
    }
    /// Returns the time that has passed for waits and quotas.
    pub(super) fn passed(&self) -> Duration {
        held(&self.clock).passed()
    }
    /// Returns a clock that follows the one of the process that serves the lab.
    pub fn follow(&self, now: Timestamp, speed: f64) -> Arc<LabClock> {
        Arc::new(LabClock::running(now, speed).kept_by(self.keeper.clone()))
    }
    /// Lets the clock run at another speed from now on.
    pub fn set_speed(&self, speed: f64) {
        let mut clock = held(&self.clock);
        let (now, frozen) = (clock.now(), clock.is_frozen());
        let next = if frozen { LabClock::frozen(now, speed) } else { LabClock::running(now, speed) };
        *clock = Arc::new(next.kept_by(self.keeper.clone()));
    }
    /// Returns how many times faster than the wall the clock runs.
    pub fn speed(&self) -> f64 {
        held(&self.clock).speed()
    }
    /// Returns the world as it was described.
    #[must_use]
    pub fn world(&self) -> &Arc<World> {
        &self.world
    }
    /// Returns the store. Kinds `tenant/…`, `directory`, `due` and `meta` are the lab's own.
    #[must_use]
    pub fn store(&self) -> &Arc<LabStore> {
        &self.store
    }

    /// Keeps the exact time, for good, and returns it. While the clock runs time is claimed a little ahead, so
    /// that a killed process loses none that anybody has seen.
    ///
    /// # Errors
    /// `lab.store`.
    pub fn end_clock(&self) -> Result<Timestamp> {
        let clock = held(&self.clock).clone();
        let now = clock.now();
        if !clock.is_frozen() && !self.keeper.has_ended() {
            self.keeper.end();
            self.store.put(KEPT.0, KEPT.1, &now.to_string())?;
        }
        Ok(now)
    }
    /// Keeps changes of the world as one unit.
    /// They are taken out of the list only when they are on disk, so that a full disk loses nothing.
    pub(super) fn commit(&self, writes: &mut Vec<Write>) -> Result<()> {
        if writes.is_empty() {
            return Ok(());
        }
        self.store.apply(writes)?;
        writes.clear();
        Ok(())
    }

    /// Returns the whole world as one JSON value without moments: the same after two runs of one story.
    ///
    /// # Errors
    /// `lab.store`.
    pub fn export(&self) -> Result<serde_json::Value> {
        let mut world = super::tenant::export(self)?;
        let devices = world.get_mut("devices").and_then(serde_json::Value::as_object_mut);
        for device in devices.into_iter().flat_map(|devices| devices.values_mut()) {
            // A package is a credential also while it lies on a device; whose hash of a password it is matters to none.
            if let Some(package) = device.get_mut("package").filter(|package| !package.is_null()) {
                *package = "(not shown)".into();
            }
            if let Some(device) = device.as_object_mut() {
                device.remove("recovery_admin");
            }
        }
        Ok(world)
    }

    /// Takes the right to serve the tenants.
    ///
    /// # Errors
    /// `lab.locked` where another process has it.
    pub fn lock(&self) -> Result<LabLock> {
        lock(&self.folder)
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        if let Err(problem) = self.end_clock() {
            tracing::warn!(%problem, "the lab's time isn't kept");
        }
    }
}

fn lock(folder: &Path) -> Result<LabLock> {
    let path = folder.join("lock");
    let refused = |detail: String| {
        Problem::new("lab.locked", format!("another process serves the lab in {}", folder.display()))
            .next("wait for the other `opsole` to end, or stop it; `opsole status` shows a run that was left open")
            .detail(detail)
            .retry(Retry::Soon)
    };
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(|e| Problem::new("lab.store", format!("can't open {}", path.display())).detail(e.to_string()))?;
    file.try_lock().map_err(|e| refused(e.to_string()))?;
    Ok(LabLock { _file: file })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn world() -> World {
        World::parse("w", include_str!("../../examples/hybrid-to-entra/world.yaml")).expect("the example is a world")
    }

    /// Catches a lab that goes on with another world than its file says.
    #[test]
    fn another_world_is_refused_until_reset() {
        let folder = tempfile::tempdir().expect("a folder");
        drop(Lab::open(folder.path(), &world()).expect("new"));
        let mut other = world();
        other.devices.pop();
        let problem = Lab::open(folder.path(), &other).expect_err("another world");
        assert_eq!(problem.code, "lab.world-changed");
        assert!(problem.next.is_some_and(|next| next.contains("lab reset")));
        Lab::reset(folder.path()).expect("reset");
        Lab::open(folder.path(), &other).expect("anew");
    }

    /// Catches two processes that serve one lab, and a reset under a running one.
    #[test]
    fn one_serves() {
        let folder = tempfile::tempdir().expect("a folder");
        let lab = Lab::open(folder.path(), &world()).expect("new");
        let lock = lab.lock().expect("first");
        let second = Lab::open(folder.path(), &world()).expect("looking is allowed");
        assert_eq!(second.lock().expect_err("second").code, "lab.locked");
        assert_eq!(Lab::reset(folder.path()).expect_err("served").code, "lab.locked");
        drop(lock);
        second.lock().expect("free again");
    }

    /// Catches a world whose time goes back when it is opened again, and a look that moves time.
    #[tokio::test]
    async fn time_goes_on() {
        let folder = tempfile::tempdir().expect("a folder");
        // Ten minutes pass in less than a millisecond.
        let world = World { speed: 1e6, ..world() };
        let lab = Lab::open(folder.path(), &world).expect("new");
        let frozen = lab.clock(true);
        frozen.sleep(Duration::from_secs(600)).await;
        drop(lab);
        let lab = Lab::open(folder.path(), &world).expect("again");
        assert_eq!(lab.now(), world.starts);
        let running = lab.clock(false);
        running.sleep(Duration::from_secs(600)).await;
        let left = lab.now();
        assert!(left > world.starts);
        drop(lab);
        assert!(Lab::open(folder.path(), &world).expect("again").now() >= left);
    }

    /// Catches a world whose time goes back where the process that served it was killed: a device would be
    /// enrolled before it was joined. And a world that ends ahead of its clock.
    #[test]
    fn a_killed_process_loses_no_time() {
        let folder = tempfile::tempdir().expect("a folder");
        let world = World { speed: 1e6, ..world() };
        let lab = Lab::open(folder.path(), &world).expect("new");
        let clock = lab.clock(false);
        let seen = clock.now();
        // Nothing is dropped, as where a process is killed.
        std::mem::forget(lab);
        let lab = Lab::open(folder.path(), &world).expect("again");
        assert!(lab.now() >= seen);
        let running = lab.clock(false);
        let ended = lab.end_clock().expect("kept");
        let later = running.now();
        drop(lab);
        assert!(later >= ended);
        assert_eq!(Lab::open(folder.path(), &world).expect("again").now(), ended);
    }
}
