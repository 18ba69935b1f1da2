//! Messages between agent and controller: versioned JSON over HTTP.
//!
//! | call | body | answer |
//! |---|---|---|
//! | `POST /agent/v1/enrol` | [`EnrolRequest`] | [`EnrolAnswer`] |
//! | `POST /agent/v1/evidence` | [`EvidenceReport`] | 204 |
//! | `GET /agent/v1/order?after=N&wait_secs=S` | | [`WorkOrder`] newer than generation N, or 204 after the wait |
//! | `POST /agent/v1/events` | [`EventReport`] | [`EventAnswer`] |
//!
//! All but `enrol` carry `Authorization: Bearer <device token>`. Errors are [`crate::model::Problem`] as JSON.

mod messages;
mod order;

pub use messages::{AgentEvent, AgentEventKind, EnrolAnswer, EnrolRequest, EventAnswer, EventReport, EvidenceReport};
pub use order::{PackageDelivery, Step, StepKind, Task, WorkOrder};

/// Version of these messages. A peer refuses a higher one.
pub const FORMAT: u32 = 1;

/// Code of the problem that an agent has with a step whose order ran out before the step was begun: the window closed.
pub const ORDER_EXPIRED: &str = "order.expired";

/// Code of the problem that an agent has with the first step past the point of no return where fresh evidence shows
/// that the device isn't ready any more. Nothing was begun: the device is put back.
pub const NOT_READY: &str = "device.not-ready";
