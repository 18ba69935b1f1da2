//! Events of Windows logs that tell of a move (domain.md B9, B14).

use super::foreign::{Family, ForeignCode, Mark};
use crate::model::{Check, Op};

const REGISTRATION: ForeignCode = ForeignCode {
    code: "",
    names: &[],
    family: Family::Join,
    title: "",
    cause: "",
    checks: &[],
    ops: &[Op::ApplyPackage, Op::VerifyJoin],
    readiness: &[],
    mark: Mark::Read,
    source: "domain.md B14 (entra-docs, hybrid join troubleshooting)",
};
const AAD: ForeignCode = ForeignCode { family: Family::SignIn, ops: &[Op::AwaitSignIn], ..REGISTRATION };
const LAPS: ForeignCode = ForeignCode {
    family: Family::Laps,
    ops: &[Op::VerifyLaps],
    readiness: &[Check::RecLapsGap],
    source: "domain.md B9, B14 (Windows LAPS troubleshooting)",
    ..REGISTRATION
};

/// Where the registration of devices is logged.
const LOG: &str = "it stands in the log User Device Registration/Admin: read the code and the server's message in it";

pub(super) static TABLE: &[ForeignCode] = &[
    ForeignCode {
        code: "event 201",
        title: "User Device Registration: discovery",
        cause: "the discovery of the registration service is logged; a failure carries the sub-error",
        checks: &[LOG, "explain the codes that it names"],
        readiness: &[Check::NetHttps],
        ..REGISTRATION
    },
    ForeignCode {
        code: "event 204",
        title: "User Device Registration: the service's answer to the join",
        cause: "the join was refused; the event carries code, HTTP status and message of the service",
        checks: &[LOG, "explain the codes that it names"],
        ..REGISTRATION
    },
    ForeignCode {
        code: "event 220",
        title: "User Device Registration: the computer object can't be read",
        cause: "Windows can't reach the computer object in Active Directory; 1312 or 1317 in it points to replication",
        checks: &[LOG, "mend replication in Active Directory where it names 1312 or 1317"],
        ops: &[Op::LeaveEntra, Op::VerifyJoin],
        ..REGISTRATION
    },
    ForeignCode {
        code: "event 304",
        title: "User Device Registration: automatic registration failed",
        cause: "the event carries phase and code of the failure",
        checks: &[LOG, "explain the codes that it names"],
        ..REGISTRATION
    },
    ForeignCode {
        code: "event 305",
        title: "User Device Registration: authentication failed",
        cause: "the device got no token for its registration; the event carries the sign-in library's codes",
        checks: &[LOG, "explain the codes that it names"],
        ..REGISTRATION
    },
    ForeignCode {
        code: "event 307",
        title: "User Device Registration: automatic registration failed",
        cause: "the event carries the code of the failure",
        checks: &[LOG, "explain the codes that it names"],
        ..REGISTRATION
    },
    ForeignCode {
        code: "event 1006",
        title: "AAD/Analytic: a token for the user is being fetched",
        cause: "everything between this event and event 1007 belongs to one attempt",
        checks: &["read on to event 1007: it holds the final code"],
        ..AAD
    },
    ForeignCode {
        code: "event 1007",
        title: "AAD/Analytic: the attempt to fetch a token ended",
        cause: "the event holds the attempt's final code",
        checks: &["explain the code that it names", "look for events 1081, 1084 and 1088 since event 1006"],
        ..AAD
    },
    ForeignCode {
        code: "event 1022",
        title: "AAD/Analytic: the address that was called",
        cause: "the event holds the address behind the errors that follow it",
        checks: &["see that the device reaches this address"],
        readiness: &[Check::NetHttps],
        ..AAD
    },
    ForeignCode {
        code: "event 1081",
        title: "AAD/Operational: the sign-in service refused",
        cause: "the event holds the service's own code",
        checks: &["explain the AADSTS code that it names"],
        ..AAD
    },
    ForeignCode {
        code: "event 1084",
        title: "AAD/Operational: the network failed",
        cause: "the event holds the network's own code",
        checks: &["explain the code that it names", "read the address in event 1022 before it"],
        readiness: &[Check::NetHttps, Check::NetProxy],
        ..AAD
    },
    ForeignCode {
        code: "event 1088",
        title: "AAD/Operational: the identity provider refused",
        cause: "the event holds what the WS-Trust endpoint of a federated domain answered",
        checks: &["read its error, and look at the identity provider's own log"],
        ..AAD
    },
    ForeignCode {
        code: "event 1144",
        title: "AAD/Analytic: the name that was signed in with",
        cause: "the event holds the user's name as it was sent",
        checks: &["compare it with the user's name in Entra"],
        readiness: &[Check::DevUserSynced],
        ..AAD
    },
    ForeignCode {
        code: "event 4625",
        title: "Security: a sign-in failed",
        cause: "the event holds status and sub-status; 0xc000015b means that a user right is in the way",
        checks: &["explain the status that it names", "see that it is the mapped user who tries"],
        ops: &[Op::RestoreLogonSurface, Op::AwaitSignIn],
        source: "domain.md B3 step 6, B14",
        ..AAD
    },
    ForeignCode {
        code: "event 1508",
        family: Family::Profile,
        title: "User Profile Service: UsrClass.dat can't be loaded",
        cause: "the access list of that file, or of its folder, doesn't fit the profile's owner; Windows signs the user in \
                with a temporary profile",
        checks: &[
            "sign the user out: what is written to a temporary profile is lost",
            "see that the new identity owns `UsrClass.dat` and the folder that it lies in",
            "let `device.swap-profile` run again",
        ],
        ops: &[Op::SwapProfile, Op::AwaitSignIn],
        readiness: &[Check::ProfHealthy],
        source: "domain.md B3 step 10, B14",
        ..REGISTRATION
    },
    ForeignCode {
        code: "event 10003",
        title: "LAPS/Operational: policy processing begins",
        cause: "Windows LAPS looks at its policy",
        checks: &["read on to event 10004 or 10005: they say how it ended"],
        ..LAPS
    },
    ForeignCode {
        code: "event 10004",
        title: "LAPS/Operational: policy processing succeeded",
        cause: "Windows LAPS did what its policy says; a policy whose backup target doesn't fit the join manages nothing",
        checks: &["see in event 10021 or its neighbours which policy and which backup target count"],
        ..LAPS
    },
    ForeignCode {
        code: "event 10005",
        title: "LAPS/Operational: policy processing failed",
        cause: "Windows LAPS couldn't do what its policy says; the event carries the code",
        checks: &["explain the code that it names", "see that the backup target fits the join: Entra after the move"],
        ..LAPS
    },
    ForeignCode {
        code: "event 10021",
        title: "LAPS/Operational: the policy backs passwords up to Active Directory",
        cause: "the policy that counts was made for Active Directory; on an Entra joined device it manages no password",
        checks: &["assign an Intune LAPS policy with backup to Microsoft Entra ID"],
        ..LAPS
    },
];
