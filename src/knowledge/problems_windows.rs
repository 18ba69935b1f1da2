//! Problems of calls that Windows refuses on a device.

use super::problem::{OwnProblem, row};

pub(super) static TABLE: &[OwnProblem] = &[
    row("windows.busy", "somebody else holds what Windows was asked for", "find out what holds it; it is tried again"),
    row(
        "windows.denied",
        "Windows denied the agent access",
        "run the agent as SYSTEM, and look whether security software blocks it",
    ),
    row(
        "windows.failed",
        "a call of Windows failed; the detail has its code",
        "explain the code: `opsole explain CODE`",
    ),
    row(
        "windows.not-there",
        "this Windows doesn't have the call, the program or the namespace",
        "update Windows to a version that is supported",
    ),
    row(
        "windows.timed-out",
        "a program of Windows took longer than it may",
        "read the state before it is tried again; the agent does so by itself",
    ),
    row(
        "windows.unreadable",
        "what Windows answered can't be understood",
        "look at what is named; another program wrote it",
    ),
];
