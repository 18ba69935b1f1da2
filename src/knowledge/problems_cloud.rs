//! Problems with tenants, directories and packages.

use super::problem::{OwnProblem, row};

const AGAIN: &str = "apply the wave again: the service shows changes late";
const CREDENTIAL: &str = "check the application's credential in the plan and in the tenant";
const READ: &str = "mend what stops the reading, then plan again: what wasn't read counts as unknown, never as absent";

pub(super) static TABLE: &[OwnProblem] = &[
    row(
        "autopilot.import",
        "Autopilot refused the import",
        "see that the device is in no other tenant, then apply the wave again",
    ),
    row(
        "autopilot.no-hash",
        "the device reported no hardware hash",
        "import the device by hand, then apply the wave again",
    ),
    row(
        "autopilot.no-serial",
        "the device's serial number isn't known",
        "add it to the inventory, then apply the wave again",
    ),
    row("autopilot.not-deleted", "the old Autopilot identity is still there", AGAIN),
    row("autopilot.not-imported", "the Autopilot import isn't complete", AGAIN),
    row(
        "autopilot.other-tag",
        "the Autopilot identity has another group tag",
        "set the group tag that the plan wants, then apply the wave again",
    ),
    row(
        "bitlocker.not-in-escrow",
        "a recovery key of the device isn't in escrow",
        "back the key up on the device, then apply the wave again",
    ),
    row(
        "conditional-access.group",
        "a group that an exclusion names isn't a static group of the tenant that the policy excludes",
        "mend the exclusion in the plan, then plan again",
    ),
    row(
        "conditional-access.missing",
        "the tenant has no such Conditional Access policy",
        "mend the exclusion in the plan, then apply again",
    ),
    row("conditional-access.not-visible", "the change of the policy can't be seen yet", "apply again"),
    row(
        "configuration.missing",
        "the tenant has no such group or profile",
        "make it, or mend `features.configuration-profiles`",
    ),
    row("configuration.not-assigned", "a profile isn't assigned to its group yet", AGAIN),
    row(
        "graph.ambiguous",
        "several objects have the name that the plan uses",
        "rename all but one: the tool doesn't choose",
    ),
    row("graph.conflict", "the object is being changed by somebody else", "plan again"),
    row("graph.endpoint", "authority or Graph root isn't an address", "mend the tenant's cloud in the plan"),
    row(
        "graph.forbidden",
        "the tenant doesn't let the application do this",
        "grant what is named and consent to it; a protected object needs a look at the detail",
    ),
    row(
        "graph.foreign-link",
        "the tenant sends the tool to another host, where the token must not go",
        "check the Graph root, and that no proxy rewrites answers",
    ),
    row(
        "graph.hybrid-device",
        "the object is the Entra half of a hybrid device and stays",
        "retire the computer in Active Directory; synchronisation removes this object",
    ),
    row("graph.locked", "the object is locked", "run the command again"),
    row(
        "graph.malformed",
        "the service's answer can't be read",
        "run the command again; if it stays, report the detail",
    ),
    row(
        "graph.not-a-package",
        "an account that isn't a package's would be deleted, and stays",
        "name the package's own account, `package_…`, in the plan",
    ),
    row("graph.not-found", "the object isn't there", "plan again: somebody removed it, or the service shows it late"),
    row(
        "graph.outcome-unknown",
        "it isn't known whether a change happened",
        "plan again: the object is read before anything is repeated",
    ),
    row(
        "graph.paging-loop",
        "the service repeats a page without end",
        "run again; if it stays, report it to Microsoft with the request's ids",
    ),
    row("graph.refused", "the service refused the request", "look at the detail: the service says why"),
    row("graph.serial", "Autopilot can't find such a serial number", "check the serial number that the device reports"),
    row("graph.throttled", "the service throttles", "wait and run the command again; nothing is lost"),
    row("graph.tls", "the HTTPS client can't be made", "check that the system's certificate store can be read"),
    row(
        "graph.unauthorized",
        "the tenant doesn't accept the token",
        "check that authority, Graph root and tenant belong together",
    ),
    row(
        "graph.unavailable",
        "the service doesn't answer",
        "check the network and the service's health, then run the command again",
    ),
    row(
        "graph.unknown-device",
        "the object is joined in a way that isn't known, and stays",
        "look at it in the Entra admin center",
    ),
    row(
        "graph.unreachable",
        "the service can't be reached",
        "check network, proxy and DNS, then run the command again",
    ),
    row("graph.url", "an address that would be called isn't valid", "check the names in the plan"),
    row("groups.not-member", "the new device object isn't in a group of the old one yet", AGAIN),
    row("intune.not-deleted", "the old Intune record is still there", AGAIN),
    row(
        "intune.not-enrolled",
        "the device isn't enrolled in the new tenant yet",
        "see that automatic enrolment covers the user, then apply the wave again",
    ),
    row(
        "intune.primary-user",
        "the mapped user isn't the primary user yet",
        "see that the user has an Intune licence, then apply the wave again",
    ),
    row(
        "laps.no-backup",
        "there is no LAPS backup since the device moved",
        "see that a LAPS policy with backup to Entra reaches it",
    ),
    row("observation.autopilot", "Autopilot identities couldn't be read", READ),
    row("observation.devices", "Entra devices couldn't be read", READ),
    row("observation.directory", "computers of Active Directory couldn't be read", READ),
    row("observation.groups", "groups couldn't be read", READ),
    row("observation.incomplete", "whether an operation is done couldn't be read", READ),
    row("observation.laps", "LAPS backups couldn't be read", READ),
    row("observation.managed-devices", "Intune devices couldn't be read", READ),
    row("observation.profiles", "configuration profiles couldn't be read", READ),
    row("observation.recovery-keys", "recovery keys couldn't be read", READ),
    row("observation.users", "users couldn't be read", READ),
    row("package.account-missing", "the package's account doesn't exist", "make a new package, then plan again"),
    row(
        "package.changed",
        "the package isn't the file that was agreed",
        "put the reviewed file back, or review the new one and change `sha256`",
    ),
    row(
        "package.digest",
        "the package that was delivered isn't the one that was agreed",
        "deliver the agreed one, or put its new digest into the plan",
    ),
    row("package.missing", "there is no such package", "name a package that is there"),
    row("package.no-file", "the package has no file in the plan", "add `file` to the package"),
    row("package.not-an-account", "the account that the plan names isn't a package's", "mend the package's `account`"),
    row("package.not-revoked", "the package's account still exists", "apply again"),
    row("package.read", "the package's file can't be read", "check its path and rights"),
    row(
        "package.unreadable",
        "the bytes aren't a provisioning package",
        "use the package that was made for this tenant",
    ),
    row(
        "permission.missing",
        "the application lacks a permission that an operation needs",
        "grant it and consent to it, then plan again",
    ),
    row(
        "tenant.exclusion-closed",
        "the exclusion that the wave relies on is closed",
        "mend its end in the plan, then plan again",
    ),
    row(
        "token.app-disabled",
        "the application is disabled in this tenant",
        "let an administrator enable its enterprise application",
    ),
    row(
        "token.blocked",
        "Conditional Access blocks the application",
        "take it out of the workload identity policy, or run from an allowed place",
    ),
    row(
        "token.credential-unsupported",
        "this kind of credential isn't supported",
        "give the application a client secret or a federated credential",
    ),
    row(
        "token.malformed",
        "the answer of the sign-in service can't be read",
        "check the authority in the plan, and that no proxy answers in its place",
    ),
    row(
        "token.no-assertion",
        "the token file of a federated credential can't be read",
        "check that the identity provider mounts it",
    ),
    row(
        "token.no-graph",
        "Microsoft Graph isn't known in this tenant",
        "check that authority and Graph root belong to the same cloud",
    ),
    row(
        "token.refused",
        "the sign-in service gives no token",
        "explain the AADSTS number, and check tenant, client id and credential",
    ),
    row("token.secret-expired", "the client secret has run out", "make a new secret for the application"),
    row("token.unavailable", "the sign-in service doesn't answer now", "try again in some minutes"),
    row(
        "token.unknown-app",
        "the application isn't in this tenant",
        "check client id and tenant; in a target tenant an administrator has to consent first",
    ),
    row(
        "token.unknown-tenant",
        "the tenant doesn't exist in this cloud",
        "check the tenant's id and cloud in the plan",
    ),
    row("token.unreachable", "the sign-in service can't be reached", "check network, proxy and DNS"),
    row("token.wrong-assertion", "certificate or federated credential doesn't fit the application", CREDENTIAL),
    row("token.wrong-scope", "the scope isn't valid in this cloud", "check the tenant's cloud in the plan"),
    row("token.wrong-secret", "the client secret is wrong", "use the secret's value, not its id"),
    row("token.wrong-tenant", "the token is another tenant's", "check the tenant's id in the plan"),
    row("user.ambiguous", "several users carry one identifier", "remove the wrong one: exactly one may"),
    row("user.disabled", "the device's user is disabled", "enable the account, or name another person"),
    row("user.not-found", "the tenant has no such user", "synchronise or create the user, or name the right person"),
    row(
        "user.privileged",
        "the device's user holds a directory role, and such accounts get no profile",
        "name the person's ordinary account",
    ),
    row(
        "user.sid-mismatch",
        "the user's computed SID isn't the one that Graph gives",
        "stop, and report it as a bug with both values",
    ),
    row(
        "user.sid-unknown",
        "Graph gives no SID for the user, so that it isn't proven",
        "grant User.Read.All and plan again",
    ),
    row("user.unlicensed", "the user lacks a licence that the move needs", "assign it and plan again"),
    row("user.unmapped", "nothing says who the user is in the other tenant", "match users by a mapping file"),
];
