//! Discovery, registration and join of a device: `0x801c…` and what the registration service answers (domain.md B14).

use super::foreign::{Family, ForeignCode, Mark};
use crate::model::{Check, Op};

/// What runs while a device joins.
const JOINING: &[Op] = &[Op::ApplyPackage, Op::VerifyJoin];

const NONE: ForeignCode = ForeignCode {
    code: "",
    names: &[],
    family: Family::Join,
    title: "",
    cause: "",
    checks: &[],
    ops: JOINING,
    readiness: &[],
    mark: Mark::Read,
    source: "domain.md B14 (entra-docs, hybrid join troubleshooting)",
};

pub(super) static TABLE: &[ForeignCode] = &[
    ForeignCode {
        code: "0x801c0002",
        names: &["DSREG_E_DEVICE_AUTHENTICATION_ERROR"],
        title: "the registration service refuses to authenticate",
        cause: "the registration service answered with AuthenticationError",
        checks: &[
            "read the server's own code and message beside it: they say what was refused",
            "see that the package's account is enabled and its token hasn't run out",
        ],
        readiness: &[Check::PkgTenant, Check::PkgLifetime],
        ..NONE
    },
    ForeignCode {
        code: "0x801c0006",
        names: &["DSREG_E_DEVICE_INTERNALSERVICE_ERROR"],
        title: "the registration service failed",
        cause: "the fault is on the service's side",
        checks: &[
            "read the server's own code and message beside it",
            "try again later, and look at the service's health",
        ],
        ..NONE
    },
    ForeignCode {
        code: "0x801c001d",
        names: &["DSREG_AUTOJOIN_ADCONFIG_READ_FAILED"],
        title: "the service connection point can't be read",
        cause: "a device that should register as hybrid finds no usable service connection point in Active Directory, or \
                can't reach its own computer object (event 220)",
        checks: &[
            "see that the forest's service connection point names the right tenant",
            "see that the device reaches a domain controller",
            "where event 220 names 1312 or 1317, mend replication in Active Directory",
        ],
        ops: &[Op::LeaveEntra, Op::VerifyJoin],
        readiness: &[Check::DevJoinState],
        ..NONE
    },
    ForeignCode {
        code: "0x801c001f",
        names: &["DSREG_AUTOJOIN_DISC_WAIT_TIMEOUT"],
        title: "discovery timed out",
        cause: "enterpriseregistration.windows.net didn't answer the device in SYSTEM's context",
        checks: &[
            "see that SYSTEM reaches enterpriseregistration.windows.net on 443",
            "see that the proxy lets the computer account through without asking",
        ],
        readiness: &[Check::NetHttps, Check::NetProxy],
        ..NONE
    },
    ForeignCode {
        code: "0x801c0021",
        names: &["DSREG_AUTOJOIN_DISC_FAILED"],
        title: "discovery failed",
        cause: "the device couldn't get the registration service's metadata; the reason is the second code, after the `/`",
        checks: &["explain the second code", "see that SYSTEM reaches enterpriseregistration.windows.net on 443"],
        readiness: &[Check::NetHttps, Check::NetDns, Check::NetProxy],
        ..NONE
    },
    ForeignCode {
        code: "0x801c0025",
        names: &["DSREG_SERVER_BUSY"],
        title: "the registration service is busy",
        cause: "it answered HTTP 503",
        checks: &["wait: the next attempt goes through once the service is back"],
        ..NONE
    },
    ForeignCode {
        code: "0x801c003a",
        names: &["DSREG_DISCOVERY_TENANT_NOT_FOUND"],
        title: "the tenant isn't found",
        cause: "the tenant's id is wrong, or the tenant has no active subscription",
        checks: &[
            "check the tenant that the package was made for",
            "see that the tenant has an active subscription",
            "on a hybrid device, see which tenant the service connection point names",
        ],
        readiness: &[Check::PkgTenant, Check::DevJoinTenant],
        ..NONE
    },
    ForeignCode {
        code: "0x801c003d",
        names: &["DSREG_AUTOJOIN_USERREALM_DISCOVERY_FAILED"],
        title: "the kind of the domain couldn't be found out",
        cause: "the device couldn't ask login.microsoftonline.com in SYSTEM's context whether the domain is federated",
        checks: &[
            "see that SYSTEM reaches login.microsoftonline.com on 443",
            "see that the proxy lets the computer account through without asking",
        ],
        readiness: &[Check::NetHttps, Check::NetProxy],
        ..NONE
    },
    ForeignCode {
        code: "0x801c03ed",
        title: "the join isn't allowed",
        cause: "the tenant refuses this join: who may join, MFA for joining, the device quota or a restriction. Which of \
                them it is, the code doesn't say",
        checks: &[
            "see who may join devices in the tenant's device settings",
            "see that joining asks for no MFA",
            "compare the device quota with what the package's account has joined already",
            "look at the default enrolment restriction and at Conditional Access for device registration",
            "see that the package's token hasn't run out",
        ],
        readiness: &[
            Check::EntJoinAllowed,
            Check::EntJoinMfa,
            Check::EntDeviceQuota,
            Check::EntEnrolmentRestrictions,
            Check::EntConditionalAccess,
        ],
        source: "domain.md B14, E 9 (issue threads)",
        ..NONE
    },
    ForeignCode {
        code: "0x801c03f2",
        names: &["DSREG_E_DIRECTORY_FAILURE"],
        title: "the directory behind the registration service refuses",
        cause: "the registration service answered with DirectoryError; its message says why",
        checks: &[
            "read the server's message beside it",
            "where it speaks of throttling, wait the 300 seconds that it names",
            "where the device object isn't found, wait until Entra Connect has synchronised it",
        ],
        ..NONE
    },
    ForeignCode {
        code: "0x80070a83",
        names: &["NERR_SetupAlreadyJoined"],
        title: "the device is joined to something already",
        cause: "Windows takes no new join while an old one stands (Win32 error 2691)",
        checks: &["see with `dsregcmd /status` what it is joined to", "leave the old join first"],
        ops: &[Op::UnjoinDomain, Op::LeaveEntra, Op::ApplyPackage],
        readiness: &[Check::DevJoinState],
        mark: Mark::Known,
        source: "Windows error list",
        ..NONE
    },
    ForeignCode {
        code: "AADSTS240001",
        title: "not allowed to join a device",
        cause: "the account behind the bulk token may not join: the quota is used up, the join scope leaves it out, or the \
                token has run out",
        checks: &[
            "see who may join devices in the tenant's device settings",
            "compare the device quota with what the package's account has joined already",
            "see that the package's token hasn't run out",
        ],
        readiness: &[Check::EntJoinAllowed, Check::EntDeviceQuota, Check::PkgLifetime],
        source: "domain.md B11, B14, E 9",
        ..NONE
    },
    ForeignCode {
        code: "AADSTS90092",
        family: Family::Package,
        title: "no bulk token can be made in this tenant",
        cause: "the service principal Microsoft.Azure.SyncFabric is missing while a bulk token is made",
        checks: &["let an administrator add that service principal, then make the package again"],
        ops: &[],
        readiness: &[Check::PkgFormat],
        source: "domain.md B11, B14",
        ..NONE
    },
    ForeignCode {
        code: "AADSTS90002",
        title: "the tenant isn't found",
        cause: "no tenant has this id or domain in this cloud, such as `corp.local`, or it has no active subscription",
        checks: &[
            "check the tenant that the package was made for",
            "check the tenant's id and cloud in the plan",
            "see that the user's domain is one that Entra knows",
        ],
        ops: &[Op::ApplyPackage, Op::VerifyJoin, Op::AwaitSignIn],
        readiness: &[Check::PkgTenant, Check::AppTenant],
        source: "domain.md B14; msgraph.md 1.2",
        ..NONE
    },
    ForeignCode {
        code: "AADSTS50155",
        title: "the device can't be authenticated",
        cause: "its object in Entra was deleted or disabled",
        checks: &[
            "look for the device object by its device id, not by name",
            "find out who removed or disabled it; records stay until the move is verified",
            "join the device again where the object is gone",
        ],
        ops: &[Op::VerifyJoin, Op::AwaitSignIn],
        readiness: &[Check::PplCleanupTiming],
        ..NONE
    },
    ForeignCode {
        code: "AADSTS135011",
        title: "the device is disabled",
        cause: "its object in Entra was disabled",
        checks: &["find out who disabled the device object", "enable it, or join the device again"],
        ops: &[Op::VerifyJoin, Op::AwaitSignIn],
        readiness: &[Check::PplCleanupTiming],
        source: "domain.md B14",
        ..NONE
    },
];
