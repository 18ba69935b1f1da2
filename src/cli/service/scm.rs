//! The service towards Windows' service control manager (`StartServiceCtrlDispatcherW`, `RegisterServiceCtrlHandlerExW`,
//! `SetServiceStatus`), by the crate `windows-service`.

use std::ffi::OsString;
use std::path::Path;
use std::sync::OnceLock;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;
use windows_service::service::{
    ServiceControl, ServiceControlAccept, ServiceExitCode, ServiceState, ServiceStatus, ServiceType,
};
use windows_service::service_control_handler::{self, ServiceControlHandlerResult, ServiceStatusHandle};
use windows_service::{define_windows_service, service_dispatcher};

use super::logs::Logs;
use super::serve;
use crate::cli::failure::Failure;
use crate::cli::real;
use crate::model::Problem;
use crate::windows::install::{Places, SERVICE, STOP_SECS};

/// The runtime of `main`: Windows calls the service on a thread of its own.
static RUNTIME: OnceLock<Handle> = OnceLock::new();

define_windows_service!(ffi_main, service_main);

/// Gives the process to the service control manager until the service has stopped.
///
/// # Errors
/// `agent.not-a-service` where somebody else started the process.
pub(super) fn dispatch() -> Result<(), Problem> {
    RUNTIME.get_or_init(Handle::current);
    tokio::task::block_in_place(|| service_dispatcher::start(SERVICE, ffi_main)).map_err(|e| {
        Problem::new("agent.not-a-service", "this form of `agent run` is for the service control manager")
            .detail(e.to_string())
            .next("leave `--service` out, or start the service: `sc start Opsole`")
    })
}

fn status(state: ServiceState) -> ServiceStatus {
    let controls_accepted = match state {
        ServiceState::Running => {
            ServiceControlAccept::STOP | ServiceControlAccept::SHUTDOWN | ServiceControlAccept::PRESHUTDOWN
        }
        _ => ServiceControlAccept::empty(),
    };
    let wait = if state == ServiceState::StopPending { u64::from(STOP_SECS) } else { 0 };
    ServiceStatus {
        service_type: ServiceType::OWN_PROCESS,
        current_state: state,
        controls_accepted,
        exit_code: ServiceExitCode::Win32(0),
        checkpoint: 0,
        wait_hint: Duration::from_secs(wait),
        process_id: None,
    }
}

fn service_main(_arguments: Vec<OsString>) {
    let cancel = CancellationToken::new();
    let stop = cancel.clone();
    let handler = move |control| match control {
        ServiceControl::Stop | ServiceControl::Shutdown | ServiceControl::Preshutdown => {
            stop.cancel();
            ServiceControlHandlerResult::NoError
        }
        ServiceControl::Interrogate => ServiceControlHandlerResult::NoError,
        _ => ServiceControlHandlerResult::NotImplemented,
    };
    // Without a handler nobody can be told anything.
    let Ok(handle) = service_control_handler::register(SERVICE, handler) else { return };
    tell(handle, ServiceState::Running);
    let ran = RUNTIME.get().map(|runtime| runtime.block_on(run(handle, cancel)));
    let exit_code = match ran {
        Some(Ok(())) => ServiceExitCode::Win32(0),
        // Without its folders there is no log either: the list of services shows the code, `agent run` in a console says
        // the rest.
        Some(Err(_)) | None => ServiceExitCode::ServiceSpecific(1),
    };
    set(handle, ServiceStatus { exit_code, ..status(ServiceState::Stopped) });
}

/// Tells the service control manager; where it doesn't listen the process ends all the same.
fn tell(handle: ServiceStatusHandle, state: ServiceState) {
    set(handle, status(state));
}

fn set(handle: ServiceStatusHandle, status: ServiceStatus) {
    let state = status.current_state;
    if let Err(error) = handle.set_service_status(status) {
        tracing::warn!(%error, ?state, "the service control manager can't be told");
    }
}

async fn run(handle: ServiceStatusHandle, cancel: CancellationToken) -> Result<(), Failure> {
    let real::This { machine, os, clock } = real::this()?;
    Logs::in_folder(Path::new(&Places::of(&*machine)?.logs)).install();
    tracing::info!(version = env!("CARGO_PKG_VERSION"), "the service starts");
    let stopping = cancel.clone();
    tokio::spawn(async move {
        stopping.cancelled().await;
        tell(handle, ServiceState::StopPending);
    });
    serve(machine, os, clock, cancel).await;
    tracing::info!("the service stops");
    Ok(())
}
