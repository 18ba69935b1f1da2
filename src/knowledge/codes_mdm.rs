//! Enrolment, packages, leaving the domain, BitLocker and Autopilot (domain.md B3, B10, B14).

use super::foreign::{Family, ForeignCode, Mark};
use crate::model::{Check, Op};

const MDM: ForeignCode = ForeignCode {
    code: "",
    names: &[],
    family: Family::Mdm,
    title: "",
    cause: "",
    checks: &[],
    ops: &[Op::VerifyEnrolment],
    readiness: &[],
    mark: Mark::Read,
    source: "domain.md B14",
};
const AUTOPILOT: ForeignCode = ForeignCode {
    family: Family::Autopilot,
    ops: &[Op::RetireOldAutopilot, Op::ImportAutopilot],
    source: "domain.md B10, B14, E 16",
    ..MDM
};

pub(super) static TABLE: &[ForeignCode] = &[
    ForeignCode {
        code: "0x80180001",
        title: "the enrolment server couldn't be reached or understood",
        cause: "enrolment got no answer, or none of the right form",
        checks: &[
            "see that the device reaches enrollment.manage.microsoft.com on 443",
            "see that automatic enrolment covers the user",
        ],
        readiness: &[Check::NetHttps, Check::EntAutoEnrolment],
        source: "domain.md B14 (memdocs issue)",
        ..MDM
    },
    ForeignCode {
        code: "0x8018000a",
        title: "the device is enrolled already",
        cause: "keys of an older enrolment are left on the device and stand in the way",
        checks: &[
            "look for keys of the old enrolment below `HKLM\\SOFTWARE\\Microsoft\\Enrollments`",
            "see that `MmpcEnrollmentFlag` there is 0",
            "let `device.remove-mdm` run again",
        ],
        ops: &[Op::RemoveMdm, Op::VerifyEnrolment],
        readiness: &[Check::DevMdm],
        source: "domain.md B3 step 6, B14, E 12",
        ..MDM
    },
    ForeignCode {
        code: "0x80180014",
        title: "this device may not enrol",
        cause: "the tenant's enrolment restrictions don't admit it",
        checks: &[
            "allow Windows (MDM) in the default platform restriction: bulk enrolment obeys that one alone",
            "raise the default device limit",
        ],
        readiness: &[Check::EntEnrolmentRestrictions],
        mark: Mark::Known,
        source: "Windows error list; msgraph.md 0.6 (the default restriction)",
        ..MDM
    },
    ForeignCode {
        code: "0x80190190",
        title: "the enrolment server answered HTTP 400",
        cause: "the server refused the request; stale flags of an older enrolment are one cause",
        checks: &[
            "look for keys of the old enrolment below `HKLM\\SOFTWARE\\Microsoft\\Enrollments`",
            "see that `MmpcEnrollmentFlag` there is 0",
        ],
        ops: &[Op::RemoveMdm, Op::VerifyEnrolment],
        readiness: &[Check::DevMdm],
        source: "domain.md B14, E 12",
        ..MDM
    },
    ForeignCode {
        code: "0x80190194",
        title: "the server answered HTTP 404",
        cause: "what the device asked for isn't there",
        checks: &["see whether the device is enrolled at all", "see which enrolment address the device uses"],
        mark: Mark::Known,
        source: "Windows error list; domain.md B14 for the form (0x80190190 is HTTP 400)",
        ..MDM
    },
    ForeignCode {
        code: "0x80192ee2",
        title: "the enrolment timed out",
        cause: "the enrolment server, or the way to it, didn't answer in time",
        checks: &[
            "see that the device reaches enrollment.manage.microsoft.com on 443",
            "see that the proxy lets the computer account through without asking",
        ],
        readiness: &[Check::NetHttps, Check::NetProxy],
        source: "domain.md B14 (memdocs issue)",
        ..MDM
    },
    ForeignCode {
        code: "0x80070002",
        names: &["ERROR_FILE_NOT_FOUND"],
        family: Family::Package,
        title: "the file isn't there",
        cause: "the package, or a file that it needs, isn't where it was put",
        checks: &[
            "see whether security software removed the package",
            "apply the wave again: the package is delivered anew",
        ],
        ops: &[Op::ApplyPackage],
        readiness: &[Check::SecAllowList],
        mark: Mark::Known,
        source: "Windows error list",
    },
    ForeignCode {
        code: "0x80070005",
        names: &["E_ACCESSDENIED", "ERROR_ACCESS_DENIED"],
        family: Family::Package,
        title: "access is denied",
        cause: "what was asked for needs more rights than the caller has, or security software refuses it",
        checks: &[
            "see that the agent runs as LocalSystem",
            "see whether security software or tamper protection refuses it",
        ],
        ops: &[Op::Preflight, Op::ApplyPackage],
        readiness: &[Check::DevSystemExecution, Check::SecAllowList],
        mark: Mark::Known,
        source: "Windows error list",
    },
    ForeignCode {
        code: "0x800700b7",
        names: &["ERROR_ALREADY_EXISTS"],
        family: Family::Package,
        title: "it exists already",
        cause: "a package with the same id is installed; from CreateProfile: the new identity has a profile already",
        checks: &[
            "while a package is installed: remove the stale one with the same id",
            "while a profile is given over: look at the new identity's profile, save its files and remove it",
        ],
        ops: &[Op::ApplyPackage, Op::SwapProfile],
        readiness: &[Check::ProfTargetAbsent],
        mark: Mark::Read,
        source: "domain.md B3 steps 7 and 10, B14",
    },
    ForeignCode {
        code: "0x80070a84",
        names: &["NERR_SetupNotJoined"],
        family: Family::Unjoin,
        title: "the device isn't joined to a domain",
        cause: "there is nothing to leave (Win32 error 2692)",
        checks: &["see with `dsregcmd /status` how the device is joined", "plan again with fresh evidence"],
        ops: &[Op::UnjoinDomain],
        readiness: &[Check::DevJoinState],
        source: "domain.md B3 step 4",
        ..MDM
    },
    ForeignCode {
        code: "0x80070a85",
        names: &["NERR_SetupDomainController"],
        family: Family::Unjoin,
        title: "the device is a domain controller",
        cause: "a domain controller can't leave its domain like this (Win32 error 2693)",
        checks: &["take it out of the plan: domain controllers are never touched"],
        ops: &[Op::UnjoinDomain],
        readiness: &[Check::DevJoinState],
        source: "domain.md B3 step 4",
        ..MDM
    },
    ForeignCode {
        code: "0x8031004e",
        family: Family::Bitlocker,
        title: "a restart is needed before encryption",
        cause: "BitLocker waits for a restart before it goes on",
        checks: &["restart the device, then look at the volume again"],
        ops: &[Op::EscrowBitlocker, Op::EscrowBitlockerNew],
        readiness: &[Check::DevPendingReboot, Check::RecBitlocker],
        source: "domain.md B14",
        ..MDM
    },
    ForeignCode {
        code: "Autopilot 806",
        names: &["ZtdDeviceAlreadyAssigned"],
        title: "the device is assigned already",
        cause: "an Autopilot identity of this device exists already when it is imported",
        checks: &[
            "look for the device by its serial number in both tenants",
            "delete it in the old tenant, synchronise, wait, then import it again",
        ],
        ..AUTOPILOT
    },
    ForeignCode {
        code: "Autopilot 808",
        names: &["ZtdDeviceAssignedToOtherTenant"],
        title: "the device is assigned to another tenant",
        cause: "the Autopilot identity of the old tenant isn't gone yet when the device is imported",
        checks: &[
            "see that the old tenant's Autopilot identity is deleted: it takes minutes",
            "synchronise Autopilot in the old tenant, wait, then import it again",
        ],
        ..AUTOPILOT
    },
];
