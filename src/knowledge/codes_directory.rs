//! Active Directory over LDAP: results (RFC 4511, appendix A), and the data of a refused sign-in, which are errors of Windows
//! in hexadecimal. `docs/directory.md` has the same codes with the tool's own.

use super::foreign::{Family, ForeignCode, Mark};
use crate::model::{Check, Op};

const RESULT: ForeignCode = ForeignCode {
    code: "",
    names: &[],
    family: Family::Directory,
    title: "",
    cause: "",
    checks: &[],
    ops: &[Op::RetireOldObject],
    readiness: &[Check::AdDisjoinAccount],
    mark: Mark::Read,
    source: "RFC 4511, appendix A",
};
const SIGN_IN: ForeignCode =
    ForeignCode { ops: &[], source: "Microsoft Learn, \"LDAP error 49 data codes\"", ..RESULT };

const CHECK: &str = "`opsole directory check` says what the account may do and which line grants what is missing";
const SMALLER: &[&str] = &["name smaller organizational units under `directory.computers`"];
const ENCRYPT: &[&str] = &["use `ldaps://` for `directory.server`", "give the domain controller a certificate"];
const PLACE: &str = "put the password where `directory.account.password` points";

pub(super) static TABLE: &[ForeignCode] = &[
    ForeignCode {
        code: "LDAP 3",
        names: &["timeLimitExceeded", "LDAP_TIMELIMIT_EXCEEDED"],
        title: "the domain controller took too long by its own limit",
        cause: "a unit holds more than can be searched in the time that the query policy gives",
        checks: SMALLER,
        ..RESULT
    },
    ForeignCode {
        code: "LDAP 4",
        names: &["sizeLimitExceeded", "LDAP_SIZELIMIT_EXCEEDED"],
        title: "the domain controller gives no more objects",
        cause: "a search asked for more than a server gives at a time; the tool reads in pages of 1,000",
        checks: SMALLER,
        ..RESULT
    },
    ForeignCode {
        code: "LDAP 8",
        names: &["strongerAuthRequired", "LDAP_STRONG_AUTH_REQUIRED"],
        title: "the domain controller wants a signed or encrypted sign-in",
        cause: "somebody signed in over a connection without TLS",
        checks: ENCRYPT,
        ..RESULT
    },
    ForeignCode {
        code: "LDAP 10",
        names: &["LDAP_REFERRAL"],
        title: "another server has it",
        cause: "the name belongs to another domain than the server's",
        checks: &["name a domain controller of that domain under `directory.server`; referrals aren't followed"],
        ..RESULT
    },
    ForeignCode {
        code: "LDAP 11",
        names: &["adminLimitExceeded", "LDAP_ADMIN_LIMIT_EXCEEDED"],
        title: "a limit that the directory's administrators set is reached",
        cause: "the query policy of the domain controllers allows less than the search takes",
        checks: SMALLER,
        ..RESULT
    },
    ForeignCode {
        code: "LDAP 13",
        names: &["confidentialityRequired", "LDAP_CONFIDENTIALITY_REQUIRED"],
        title: "the domain controller wants encryption",
        cause: "a request came over a connection without TLS",
        checks: ENCRYPT,
        ..RESULT
    },
    ForeignCode {
        code: "LDAP 32",
        names: &["noSuchObject", "LDAP_NO_SUCH_OBJECT"],
        title: "there is no such object",
        cause: "it was deleted, renamed or moved, or the account isn't shown it",
        checks: &["see that the units under `directory.computers` exist and are written right", CHECK],
        ..RESULT
    },
    ForeignCode {
        code: "LDAP 49",
        names: &["invalidCredentials", "LDAP_INVALID_CREDENTIALS"],
        title: "the sign-in is refused",
        cause: "name or password is wrong, or the account may not sign in; `data` in the same text says which",
        checks: &["look up the number after `data`: `opsole explain \"LDAP data 52e\"`"],
        ops: &[],
        ..RESULT
    },
    ForeignCode {
        code: "LDAP 50",
        names: &["insufficientAccessRights", "LDAP_INSUFFICIENT_RIGHTS"],
        title: "the account lacks the right",
        cause: "neither the unit nor the computer gives the account what was tried, or something denies it",
        checks: &[CHECK, "look whether the object is protected from accidental deletion"],
        ..RESULT
    },
    ForeignCode {
        code: "LDAP 51",
        names: &["LDAP_BUSY"],
        title: "the domain controller is busy",
        cause: "it has more to do than it can",
        checks: &["try again in a while, or name another server under `directory.fallback`"],
        ..RESULT
    },
    ForeignCode {
        code: "LDAP 52",
        names: &["LDAP_UNAVAILABLE"],
        title: "the domain controller isn't available",
        cause: "it is going down or coming up",
        checks: &["try again in a while, or name another server under `directory.fallback`"],
        ..RESULT
    },
    ForeignCode {
        code: "LDAP 53",
        names: &["unwillingToPerform", "LDAP_UNWILLING_TO_PERFORM"],
        title: "the domain controller refuses to do it",
        cause: "a rule of the domain forbids it, whatever the account's rights are",
        checks: &["look at the object, and at the text behind the code: a policy or a rule of the schema stands there"],
        ..RESULT
    },
    ForeignCode {
        code: "LDAP 66",
        names: &["notAllowedOnNonLeaf", "LDAP_NOT_ALLOWED_ON_NONLEAF"],
        title: "other objects lie below it",
        cause: "a computer with recovery passwords of BitLocker below it isn't deleted: they would be lost with it",
        checks: &["disable the computer instead, or have what lies below it kept elsewhere and removed"],
        ..RESULT
    },
    ForeignCode {
        code: "LDAP data 525",
        title: "the account doesn't exist",
        cause: "no user of the domain has that name",
        checks: &["mend `directory.account.name`, or make the account"],
        ..SIGN_IN
    },
    ForeignCode {
        code: "LDAP data 52e",
        title: "the password is wrong",
        cause: "the account has another password, or its name is wrong: many servers tell no difference",
        checks: &[PLACE, "see that the name is right: `DOMAIN\\name`, a user principal name or a distinguished name"],
        ..SIGN_IN
    },
    ForeignCode {
        code: "LDAP data 530",
        title: "the account may not sign in at this time",
        cause: "its logon hours don't cover it",
        checks: &["change the account's logon hours"],
        mark: Mark::Known,
        ..SIGN_IN
    },
    ForeignCode {
        code: "LDAP data 531",
        title: "the account may not sign in from this machine",
        cause: "its list of workstations doesn't hold this one",
        checks: &["change the workstations that the account may log on to"],
        mark: Mark::Known,
        ..SIGN_IN
    },
    ForeignCode {
        code: "LDAP data 532",
        title: "the account's password has run out",
        cause: "the domain's policy lets passwords end",
        checks: &["set a new password that lasts until the last wave is over", PLACE],
        ..SIGN_IN
    },
    ForeignCode {
        code: "LDAP data 533",
        title: "the account is disabled",
        cause: "somebody disabled it",
        checks: &["enable the account, once it is clear who disabled it and why"],
        ..SIGN_IN
    },
    ForeignCode {
        code: "LDAP data 701",
        title: "the account has run out",
        cause: "its end, `accountExpires`, has passed",
        checks: &["give the account a later end"],
        ..SIGN_IN
    },
    ForeignCode {
        code: "LDAP data 773",
        title: "the account has to change its password first",
        cause: "it is set to change its password at the next logon",
        checks: &["set a password that needn't be changed at the next logon", PLACE],
        ..SIGN_IN
    },
    ForeignCode {
        code: "LDAP data 775",
        title: "the account is locked out",
        cause: "somebody or something tried wrong passwords too often",
        checks: &["unlock the account, and find out who tries its old password"],
        ..SIGN_IN
    },
];
