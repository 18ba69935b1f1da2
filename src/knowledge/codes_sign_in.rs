//! Sign-ins: of the person on the device, and of the application over the token endpoint (domain.md B14, msgraph.md 1.2).

use super::foreign::{Family, ForeignCode, Mark};
use crate::model::{Check, Op};

const PERSON: ForeignCode = ForeignCode {
    code: "",
    names: &[],
    family: Family::SignIn,
    title: "",
    cause: "",
    checks: &[],
    ops: &[Op::AwaitSignIn],
    readiness: &[],
    mark: Mark::Read,
    source: "domain.md B14 (entra-docs, hybrid join troubleshooting)",
};
const APPLICATION: ForeignCode = ForeignCode {
    family: Family::Application,
    ops: &[],
    readiness: &[Check::AppCredential],
    source: "msgraph.md 1.2 (Azure SDK troubleshooting)",
    ..PERSON
};

const EVENTS: &str = "read events 1081 and 1088 of AAD/Operational: they hold the service's own code";
const NETWORK: &[&str] = &[
    "read event 1084 of AAD/Operational: it holds the network's own code",
    "see that the device reaches login.microsoftonline.com on 443",
];

pub(super) static TABLE: &[ForeignCode] = &[
    ForeignCode {
        code: "0xc000006d",
        names: &["STATUS_LOGON_FAILURE"],
        title: "the sign-in failed",
        cause: "name or password is wrong, or the sign-in service isn't reachable",
        checks: &[EVENTS, "see that the device reaches login.microsoftonline.com on 443"],
        readiness: &[Check::NetHttps, Check::NetProxy],
        ..PERSON
    },
    ForeignCode {
        code: "0xc000006a",
        names: &["STATUS_WRONG_PASSWORD"],
        title: "the password is wrong",
        cause: "the password is wrong or not yet synchronised, or the sign-in service isn't reachable",
        checks: &[EVENTS, "after a change of the password, wait until it is synchronised"],
        readiness: &[Check::DevUserSynced],
        ..PERSON
    },
    ForeignCode {
        code: "0xc00000d0",
        names: &["STATUS_REQUEST_NOT_ACCEPTED"],
        title: "the sign-in service answered HTTP 400",
        cause: "the service refused the request; its own code says why",
        checks: &[EVENTS],
        ..PERSON
    },
    ForeignCode {
        code: "0xc000023c",
        names: &["STATUS_NETWORK_UNREACHABLE"],
        title: "the sign-in service isn't reachable",
        cause: "the device has no way to the service, or the service answered with an error",
        checks: NETWORK,
        readiness: &[Check::NetHttps],
        ..PERSON
    },
    ForeignCode {
        code: "0xc00000be",
        names: &["STATUS_BAD_NETWORK_PATH"],
        title: "the way to the sign-in service is wrong",
        cause: "the device has no way to the service, or the service answered with an error",
        checks: NETWORK,
        readiness: &[Check::NetHttps],
        ..PERSON
    },
    ForeignCode {
        code: "0xc00000c4",
        names: &["STATUS_UNEXPECTED_NETWORK_ERROR"],
        title: "the network failed during the sign-in",
        cause: "the device has no way to the service, or the service answered with an error",
        checks: NETWORK,
        readiness: &[Check::NetHttps],
        ..PERSON
    },
    ForeignCode {
        code: "0xc000005f",
        names: &["STATUS_NO_SUCH_LOGON_SESSION"],
        title: "the user's domain isn't known",
        cause: "the part of the user's name behind the @ is no domain of the tenant, such as one that isn't routable",
        checks: &[
            "read the name in event 1144 of AAD/Analytic",
            "add its domain to the tenant, or let the person sign in with the name that Entra knows",
        ],
        readiness: &[Check::DevUserSynced],
        ..PERSON
    },
    ForeignCode {
        code: "0xc004844c",
        names: &["AAD_CLOUDAP_E_OAUTH_USERNAME_IS_MALFORMED"],
        title: "the user's name has no valid form",
        cause: "what was given as the user's name isn't `name@domain`",
        checks: &["read the name in event 1144 of AAD/Analytic", "sign in with the name that Entra knows"],
        readiness: &[Check::DevUserSynced],
        ..PERSON
    },
    ForeignCode {
        code: "0xc0048442",
        names: &["AAD_CLOUDAP_E_OAUTH_USER_SID_IS_EMPTY"],
        title: "the token lacks the user's SID",
        cause: "something on the way, such as a proxy, changed the service's answer",
        checks: &["see whether a proxy changes answers of login.microsoftonline.com"],
        readiness: &[Check::NetTls],
        ..PERSON
    },
    ForeignCode {
        code: "0xc000015b",
        names: &["STATUS_LOGON_TYPE_NOT_GRANTED"],
        title: "this kind of sign-in isn't granted",
        cause: "a user right that the old management set stays after it is gone, so that the new identity may not sign in \
                at the screen; Security event 4625 shows it",
        checks: &[
            "see who has the right to sign in locally (SeInteractiveLogonRight), and who is denied it",
            "give it back to Administrators, Users and Backup Operators",
        ],
        ops: &[Op::RemoveMdm, Op::RestoreLogonSurface, Op::AwaitSignIn],
        source: "domain.md B3 step 6, B14, E 13",
        ..PERSON
    },
    ForeignCode {
        code: "0xd0020017",
        title: "`dsregcmd` couldn't ask the service on the device",
        cause: "`dsregcmd /status` shows it in place of a value; it is the NTSTATUS 0xc0020017, a server that isn't there",
        checks: &["run `dsregcmd /status` again in the user's own session"],
        ops: &[Op::VerifyJoin, Op::AwaitSignIn],
        mark: Mark::Known,
        source: "domain.md C1 (the code), Windows error list (its meaning)",
        ..PERSON
    },
    ForeignCode {
        code: "AADSTS50034",
        title: "the user isn't in this tenant",
        cause: "the tenant has no account with the name that was given",
        checks: &[
            "see that the person uses the name of the tenant that the device is joined to",
            "see that the account was synchronised",
            "where it is a package's account, see whether it was deleted: the package is revoked then",
        ],
        ops: &[Op::ApplyPackage, Op::VerifyJoin, Op::AwaitSignIn],
        readiness: &[Check::DevUserSynced, Check::PkgTenant],
        ..PERSON
    },
    ForeignCode {
        code: "AADSTS50057",
        title: "the account is disabled",
        cause: "the person's account, or the package's, was disabled",
        checks: &["enable the account; a package's account stays enabled as long as the package is used"],
        ops: &[Op::ApplyPackage, Op::VerifyJoin, Op::AwaitSignIn],
        readiness: &[Check::DevUserSynced, Check::PkgTenant],
        mark: Mark::Known,
        source: "Entra error list",
        ..PERSON
    },
    ForeignCode {
        code: "AADSTS50076",
        title: "MFA is asked for",
        cause: "a policy demands MFA of an account that can't answer it, such as the package's",
        checks: &[
            "exclude the package account from the Conditional Access policy that hit it",
            "see that joining asks for no MFA in the tenant's device settings",
        ],
        ops: &[Op::ExcludePackageAccount, Op::ApplyPackage, Op::VerifyJoin],
        readiness: &[Check::EntJoinMfa, Check::EntConditionalAccess],
        mark: Mark::Known,
        source: "Entra error list",
        ..PERSON
    },
    ForeignCode {
        code: "AADSTS50126",
        title: "name or password is wrong",
        cause: "the password is wrong, or its hash isn't synchronised yet",
        checks: &["after a change of the password, wait until it is synchronised", "try the password in a browser"],
        readiness: &[Check::DevUserSynced],
        ..PERSON
    },
    ForeignCode {
        code: "AADSTS53003",
        title: "Conditional Access blocks the sign-in",
        cause: "a policy blocks the account on this way: the package's account while it joins, or the application",
        checks: &[
            "exclude the package account from the Conditional Access policy that hit it",
            "where the application is blocked, take it out of the workload identity policy or run from an allowed place",
        ],
        ops: &[Op::ExcludePackageAccount, Op::ApplyPackage, Op::VerifyJoin],
        readiness: &[Check::EntConditionalAccess],
        mark: Mark::Inferred,
        source: "msgraph.md 1.2",
        ..PERSON
    },
    ForeignCode {
        code: "AADSTS700027",
        title: "the application's certificate isn't accepted",
        cause: "the signature of the assertion fails: the certificate isn't on the application, the assertion has run out, \
                or the clock is ahead",
        checks: &["see that the certificate stands on the application", "compare the clock with the right time"],
        readiness: &[Check::AppCredential, Check::DevClock],
        source: "domain.md B14; msgraph.md 1.2",
        ..APPLICATION
    },
    ForeignCode {
        code: "AADSTS7000215",
        title: "the client secret is wrong",
        cause: "the secret isn't one of the application's; often its id was copied in place of its value",
        checks: &["use the secret's value, which is shown once when it is made", "make a new one where it is lost"],
        ..APPLICATION
    },
    ForeignCode {
        code: "AADSTS7000222",
        title: "the client secret has run out",
        cause: "the secret's last day has passed",
        checks: &["make a new secret for the application, and write its last day under `app.expires`"],
        ..APPLICATION
    },
    ForeignCode {
        code: "AADSTS700016",
        title: "the application isn't in this tenant",
        cause: "the tenant is another one, or in a target tenant nobody consented to the application",
        checks: &["check `client_id` and the tenant's id in the plan", "let an administrator of that tenant consent"],
        readiness: &[Check::AppCredential, Check::AppTenant],
        ..APPLICATION
    },
    ForeignCode {
        code: "AADSTS700021",
        title: "the assertion names another application",
        cause: "issuer or subject of the assertion isn't the client id",
        checks: &["issue the assertion for this client id"],
        ..APPLICATION
    },
    ForeignCode {
        code: "AADSTS700023",
        title: "the assertion is for another audience",
        cause: "its audience isn't this cloud's token endpoint",
        checks: &["issue the assertion for this cloud's audience"],
        ..APPLICATION
    },
    ForeignCode {
        code: "AADSTS70011",
        title: "the scope isn't valid",
        cause: "the scope isn't the Graph root's of this cloud with `/.default`",
        checks: &["check the tenant's cloud and Graph root in the plan"],
        ..APPLICATION
    },
    ForeignCode {
        code: "AADSTS500011",
        title: "Microsoft Graph isn't known in this tenant",
        cause: "the service principal of what was asked for isn't there; often the authority is another cloud's",
        checks: &["see that authority and Graph root belong to the same cloud"],
        mark: Mark::Inferred,
        source: "msgraph.md 1.2",
        ..APPLICATION
    },
    ForeignCode {
        code: "AADSTS7000112",
        title: "the application is disabled",
        cause: "its enterprise application was disabled in this tenant",
        checks: &["let an administrator enable the enterprise application"],
        mark: Mark::Known,
        source: "Entra error list",
        ..APPLICATION
    },
    ForeignCode {
        code: "AADSTS900023",
        title: "the tenant's name isn't valid",
        cause: "what the plan names is neither a tenant's id nor a domain",
        checks: &["write the tenant's id or a verified domain in the plan"],
        readiness: &[Check::AppTenant],
        mark: Mark::Known,
        source: "Entra error list",
        ..APPLICATION
    },
];
