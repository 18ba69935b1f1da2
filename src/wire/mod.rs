//! Messages between agent and controller: versioned JSON over HTTP.
//!
//! | call | body | answer |
//! |---|---|---|
//! | `POST /agent/v1/enrol` | [`EnrolCall`] | [`EnrolAnswer`] |
//! | `POST /agent/v1/evidence` | [`EvidenceReport`] | 204 |
//! | `GET /agent/v1/order?after=N&wait_secs=S` | | [`OrderAnswer`] newer than generation N, or 204 after the wait |
//! | `POST /agent/v1/events` | [`EventReport`] | [`EventAnswer`] |
//! | `POST /agent/v1/refusals` | [`RefusalReport`] | 204 |
//!
//! All but `enrol` carry `Authorization: Bearer <device token>` and, in [`SIGNATURE`], a signature by the device's key.
//! Whatever a device acts upon is signed by the controller's key, which it pins when it enrols. So whoever reads along,
//! such as a proxy that opens TLS, can read names and steps, and change nothing. Errors are
//! [`crate::model::Problem`] as JSON; they are only ever shown. Every answer says in [`TIME`] what time it is here.

mod messages;
mod order;
mod token;

pub use messages::{
    Acknowledged, Admission, AgentEvent, AgentEventKind, DEVICE_TOKEN, EnrolAnswer, EnrolCall, EnrolRequest,
    EventAnswer, EventReport, EvidenceReport, RECOVERY_PASSWORD, RefusalReport, SIGNATURE, TIME, call_text,
};
pub use order::{ORDER_SECS, OrderAnswer, PackageDelivery, Release, Step, StepKind, Task, WorkOrder};
pub use token::EnrolmentToken;

/// Version of these messages. A peer refuses a higher one.
pub const FORMAT: u32 = 1;

/// Code of the problem that an agent has with a step whose order ran out before the step was begun: the window closed.
pub const ORDER_EXPIRED: &str = "order.expired";

/// Code of the problem that an agent has with the first step past the point of no return where fresh evidence shows
/// that the device isn't ready any more. Nothing was begun: the device is put back.
pub const NOT_READY: &str = "device.not-ready";
