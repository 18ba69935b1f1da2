//! Problems of who is who between devices and their controller: enrolment, identities, signed orders.

use super::problem::{OwnProblem, row};

const ON_THE_WAY: &str = "look for what stands between device and controller: the agent goes on with the order in hand";

pub(super) static TABLE: &[OwnProblem] = &[
    row("agent.address", "the address of the controller can't be used", "give it as `https://opsole.contoso.com`"),
    row(
        "agent.identity",
        "the agent can't keep who it is",
        "free space on the device's disk and check the rights of the agent's folder",
    ),
    row(
        "agent.identity-damaged",
        "the file that says who a device is can't be used, or is another device's",
        "revoke the device with `opsole devices revoke`, remove the file, and enrol it anew",
    ),
    row(
        "agent.no-token",
        "a device isn't enrolled, and has no enrolment token that it could use",
        "issue one with `opsole devices issue`, and enrol it with `opsole agent enroll`",
    ),
    row(
        "controller.unsealed",
        "a secret can't be sealed for a device",
        "revoke the device with `opsole devices revoke`, and let it enrol anew",
    ),
    row(
        "controller.unsigned",
        "an answer isn't signed by the controller that the device trusts",
        "look for what stands between device and controller; where the controller was set up anew, enrol again",
    ),
    row(
        "enrolment.none",
        "no device of the wave can be given a token",
        "look at `opsole plan --wave WAVE`: it says what holds them back",
    ),
    row("enrolment.unknown", "no such device is enrolled or has a token", "look at `opsole devices list`"),
    row("key.changes", "the list of changes of the controller's key can't be used", "put it back from a backup"),
    row("order.forged", "an order was changed on its way", ON_THE_WAY),
    row("order.no-controller", "an order came before the device trusts a controller", "enrol the device"),
    row("order.other-key", "an order isn't signed by the controller that the device pins", ON_THE_WAY),
    row("order.outdated", "an order is too old to be taken up", "compare the clocks of device and controller"),
    row(
        "order.sealed",
        "the package of an order was sealed for another device, run or package",
        "nothing: the controller seals it anew with the next order",
    ),
];
