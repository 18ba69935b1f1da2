//! Services and scheduled tasks.

use serde::{Deserialize, Serialize};

use super::Sys;

/// When a service starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum StartKind {
    /// With Windows, before anybody signs in.
    Auto,
    /// When somebody starts it.
    Demand,
    /// Never.
    Disabled,
}

/// A service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Service {
    /// Its short name.
    pub name: String,
    /// Account it runs as: `LocalSystem`, `NT AUTHORITY\LocalService`, `CORP\svc`.
    pub account: String,
    /// When it starts.
    pub start: StartKind,
    /// It runs or is about to.
    pub running: bool,
    /// Command line, quoted as it lies in the registry.
    pub command: String,
}

/// A service that is to be there: as SYSTEM, in a process of its own, started again when it fails.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceSpec {
    /// Its short name.
    pub name: String,
    /// What people see.
    pub display: String,
    /// What it is for.
    pub description: String,
    /// Command line, quoted.
    pub command: String,
    /// When it starts.
    pub start: StartKind,
    /// Seconds until it is started again after it failed, for the first, second and any further time.
    pub restart_secs: [u32; 3],
}

/// Services.
pub trait Services {
    /// Returns one service.
    ///
    /// # Errors
    /// Where it can't be read.
    fn service(&self, name: &str) -> Sys<Option<Service>>;
    /// Returns all Windows services (not drivers).
    ///
    /// # Errors
    /// Where they can't be read.
    fn services(&self) -> Sys<Vec<Service>>;
    /// Makes a service as it is described, or changes the one of that name.
    ///
    /// # Errors
    /// Where Windows refuses it.
    fn install_service(&self, spec: &ServiceSpec) -> Sys<()>;
    /// Changes when a service starts.
    ///
    /// # Errors
    /// Where Windows refuses it, also where there is no such service.
    fn set_start(&self, name: &str, start: StartKind) -> Sys<()>;
    /// Starts a service; one that runs is a success.
    ///
    /// # Errors
    /// Where Windows refuses it.
    fn start_service(&self, name: &str) -> Sys<()>;
    /// Stops a service and waits until it has stopped; one that isn't there is a success.
    ///
    /// # Errors
    /// Where Windows refuses it, or it doesn't stop within the seconds.
    fn stop_service(&self, name: &str, limit_secs: u32) -> Sys<()>;
    /// Removes a service; one that isn't there is a success.
    ///
    /// # Errors
    /// Where Windows refuses it.
    fn remove_service(&self, name: &str) -> Sys<()>;
}

/// A scheduled task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScheduledTask {
    /// Path with folders: `\Microsoft\Windows\Workplace Join\Automatic-Device-Join`.
    pub path: String,
    /// Not disabled.
    pub enabled: bool,
    /// The task as Windows exports it.
    pub xml: String,
}

/// Scheduled tasks (Task Scheduler 2.0).
pub trait Tasks {
    /// Returns one task.
    ///
    /// # Errors
    /// Where it can't be read.
    fn task(&self, path: &str) -> Sys<Option<ScheduledTask>>;
    /// Returns all tasks in a folder and below it; `\` for all.
    ///
    /// # Errors
    /// Where they can't be read.
    fn tasks(&self, folder: &str) -> Sys<Vec<ScheduledTask>>;
    /// Makes a task from XML, or replaces the one of that path. Its folders are made.
    ///
    /// # Errors
    /// Where Windows refuses it.
    fn register_task(&self, path: &str, xml: &str) -> Sys<()>;
    /// Switches a task on or off; says whether there is one.
    ///
    /// # Errors
    /// Where Windows refuses it.
    fn enable_task(&self, path: &str, enabled: bool) -> Sys<bool>;
    /// Runs a task now and returns once Windows started it.
    ///
    /// # Errors
    /// Where Windows refuses it, also where there is no such task.
    fn run_task(&self, path: &str) -> Sys<()>;
    /// Removes a task, or a folder with all tasks in it.
    ///
    /// # Errors
    /// Where Windows refuses it.
    fn remove_tasks(&self, path: &str) -> Sys<()>;
}
