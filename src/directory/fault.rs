//! What a directory's refusals mean: its codes, and the sub-codes of a refused sign-in.

use std::io;

use ldap3::{LdapError, LdapResult};

use crate::model::{Problem, Retry};

/// Why something couldn't be done.
#[derive(Debug)]
pub(super) enum Fault {
    /// The connection is of no use any more: whether a write was done isn't known.
    Broken(Problem),
    /// The server answered, and said no.
    Refused(u32, Problem),
}

impl Fault {
    pub(super) fn problem(self) -> Problem {
        match self {
            Self::Broken(problem) | Self::Refused(_, problem) => problem,
        }
    }
}

/// Codes of results (RFC 4511, appendix A) that are told apart.
pub(super) const NO_SUCH_OBJECT: u32 = 32;
pub(super) const NO_RIGHTS: u32 = 50;
pub(super) const HAS_CHILDREN: u32 = 66;
pub(super) const SIZE_LIMIT: u32 = 4;
const REFERRAL: u32 = 10;
pub(super) const BAD_CREDENTIALS: u32 = 49;

/// One meaning: code of the result, our code, what happened, what to do, whether trying again helps.
type Row = (u32, &'static str, &'static str, &'static str, Retry);

const RESULTS: &[Row] = &[
    (
        3,
        "directory.limit",
        "the directory took too long by its own limit",
        "name smaller organizational units under `directory.computers`",
        Retry::No,
    ),
    (
        SIZE_LIMIT,
        "directory.limit",
        "the directory gives no more objects at a time",
        "name smaller organizational units under `directory.computers`",
        Retry::No,
    ),
    (
        11,
        "directory.limit",
        "the directory's own limit is reached",
        "name smaller organizational units under `directory.computers`",
        Retry::No,
    ),
    (
        8,
        "directory.clear-text",
        "the directory wants a stronger sign-in than this connection has",
        "use `ldaps://` for `directory.server`",
        Retry::No,
    ),
    (
        13,
        "directory.clear-text",
        "the directory wants the connection to be encrypted",
        "use `ldaps://` for `directory.server`",
        Retry::No,
    ),
    (
        REFERRAL,
        "directory.referral",
        "another server has it, and referrals aren't followed",
        "name that server under `directory.server`",
        Retry::No,
    ),
    (
        NO_SUCH_OBJECT,
        "directory.no-such-object",
        "the directory has no such object",
        "see that `directory.computers` names units that exist, then plan again",
        Retry::No,
    ),
    (
        NO_RIGHTS,
        "directory.access-denied",
        "the account lacks the right",
        "see what `opsole directory check` says, and grant the right",
        Retry::No,
    ),
    (51, "directory.busy", "the server is busy", "try again in a while, or name another server", Retry::Soon),
    (52, "directory.busy", "the server is unavailable", "try again in a while, or name another server", Retry::Soon),
    (
        53,
        "directory.unwilling",
        "the server isn't willing to do it",
        "look at the object: a policy or a schema rule of the domain forbids it",
        Retry::No,
    ),
    (
        HAS_CHILDREN,
        "directory.has-children",
        "the object has others below it",
        "disable it instead, or have what lies below it removed",
        Retry::No,
    ),
];

/// Sub-codes of a refused sign-in: Windows' own errors, in hexadecimal, in the server's text
/// [R: Microsoft Learn, "LDAP error 49 data codes"; K: the meaning of 530 and 531].
const SIGN_IN: &[(&str, &str, &str, &str)] = &[
    ("525", "directory.no-such-account", "doesn't exist", "mend `directory.account.name`, or make the account"),
    (
        "52e",
        "directory.wrong-password",
        "has another password, or doesn't exist",
        "put the right password where `directory.account.password` points",
    ),
    ("530", "directory.sign-in-restricted", "may not sign in at this time", "change the account's logon hours"),
    (
        "531",
        "directory.sign-in-restricted",
        "may not sign in from this machine",
        "change the workstations that the account may log on to",
    ),
    (
        "52f",
        "directory.sign-in-restricted",
        "may not sign in with its password: a member of Protected Users, for one",
        "have it sign in by Kerberos (`sign_in: kerberos`), or find out what restricts it",
    ),
    (
        "532",
        "directory.password-expired",
        "has a password that has run out",
        "set a new one, and put it where `directory.account.password` points",
    ),
    ("533", "directory.account-disabled", "is disabled", "enable the account"),
    ("701", "directory.account-expired", "has run out", "give the account a later end"),
    (
        "773",
        "directory.must-change-password",
        "has to change its password first",
        "set a password that needn't be changed at the next logon",
    ),
    ("775", "directory.account-locked", "is locked out", "unlock the account, and find out who tries its old password"),
];

/// Returns what a result that isn't success means. `what` is what was wanted: `reading OU=…`.
pub(super) fn result(what: &str, result: &LdapResult) -> Fault {
    let row = RESULTS.iter().find(|row| row.0 == result.rc);
    let (code, means, next, retry) = row.map_or(
        (
            "directory.refused",
            "the directory refused it",
            "look the code up, or have a domain administrator look at the object",
            Retry::No,
        ),
        |row| (row.1, row.2, row.3, row.4),
    );
    let to = result.refs.first().map(|to| format!(" ({to})")).unwrap_or_default();
    let problem = Problem::new(code, format!("{what}: {means}{to}")).next(next).retry(retry);
    Fault::Refused(result.rc, problem.detail(said(result)))
}

/// Returns what a refused sign-in means.
pub(super) fn sign_in(account: &str, refused: &LdapResult) -> Fault {
    if refused.rc != BAD_CREDENTIALS {
        return result(&format!("signing in as {account}"), refused);
    }
    let sub = sub_code(&refused.text);
    let row = SIGN_IN.iter().find(|row| Some(row.0) == sub);
    let (code, means, next) = row.map_or(
        ("directory.sign-in-refused", "can't sign in", "have a domain administrator look at the account"),
        |row| (row.1, row.2, row.3),
    );
    let problem = Problem::new(code, format!("the account `{account}` {means}")).next(next).detail(said(refused));
    Fault::Refused(refused.rc, problem)
}

/// Says whether trying the same password again could lock the account.
pub(super) fn counts_as_try(problem: &Problem) -> bool {
    matches!(
        problem.code.as_str(),
        "directory.no-such-account" | "directory.wrong-password" | "directory.wrong-key" | "directory.sign-in-refused"
    )
}

/// Returns the sub-code: `… error, data 52e, v1db1`.
fn sub_code(text: &str) -> Option<&str> {
    let (_, rest) = text.split_once("data ")?;
    let code = rest.split(|c: char| !c.is_ascii_hexdigit()).next()?;
    (!code.is_empty()).then_some(code)
}

/// Returns what the server said, for support. It has no secret: servers don't repeat what they were sent in a bind.
pub(super) fn said(result: &LdapResult) -> String {
    let text: String = result.text.chars().filter(|c| !c.is_control()).take(300).collect();
    format!("LDAP result {}: {text}", result.rc)
}

/// Returns that this program was built without Kerberos.
pub(super) fn no_kerberos(account: &str) -> Fault {
    let message =
        format!("the plan signs in to the directory as {account} by Kerberos, and this program was built without it");
    Fault::Refused(
        0,
        Problem::new("directory.no-kerberos", message)
            .next("take a program that has it (built with `--features kerberos`), or give the account a `password`"),
    )
}

/// Returns what a connection that failed means. `server` is its address.
pub(super) fn connection(server: &str, error: &LdapError) -> Fault {
    if let LdapError::LdapResult { result } = error {
        // Before the sign-in the one thing that is asked is StartTLS.
        let message = format!("{server} refuses to encrypt the connection, so nothing was sent");
        let problem = Problem::new("directory.clear-text", message);
        return Fault::Broken(problem.next("use `ldaps://`, or give the server a certificate").detail(said(result)));
    }
    if let LdapError::Io { source } = error
        && let Some(tls) = tls_error(source)
    {
        let (what, next) = match tls {
            rustls::Error::InvalidCertificate(_) => (
                format!("the certificate of {server} isn't one that this machine trusts for that name"),
                "name the authority's file under `directory.ca_file`, or the server by the name in its certificate",
            ),
            _ => (format!("no encrypted connection to {server} comes about"), "look at the server's certificate"),
        };
        return Fault::Broken(Problem::new("directory.certificate", what).next(next).detail(tls.to_string()));
    }
    let problem = match error {
        LdapError::Timeout { .. } => Problem::new("directory.timeout", format!("{server} doesn't answer in time")),
        _ => Problem::new("directory.unreachable", format!("{server} can't be reached")),
    };
    let problem = problem.next("check the `directory` section and the way to a domain controller").retry(Retry::Soon);
    Fault::Broken(problem.detail(error.to_string()))
}

fn tls_error(error: &io::Error) -> Option<&rustls::Error> {
    error.get_ref()?.downcast_ref::<rustls::Error>()
}

/// Returns what an error in the middle of a request means.
pub(super) fn request(what: &str, server: &str, error: LdapError) -> Fault {
    match error {
        LdapError::LdapResult { result: refused } => result(what, &refused),
        LdapError::Timeout { .. } => Fault::Broken(
            Problem::new("directory.timeout", format!("{what}: {server} doesn't answer in time"))
                .next("see how the domain controller does, or name another one")
                .retry(Retry::ReadFirst),
        ),
        other => Fault::Broken(
            Problem::new("directory.unreachable", format!("{what}: the connection to {server} broke"))
                .next("check the way to the domain controller")
                .retry(Retry::ReadFirst)
                .detail(other.to_string()),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(rc: u32, text: &str) -> LdapResult {
        LdapResult { rc, matched: String::new(), text: text.to_owned(), refs: Vec::new(), ctrls: Vec::new() }
    }

    /// Catches sub-codes that are mixed up, the hexadecimal ones above all; the text is what servers send.
    #[test]
    fn sign_ins() {
        let text = |data: &str| {
            format!("80090308: LdapErr: DSID-0C0903A9, comment: AcceptSecurityContext error, data {data}, v1db1")
        };
        for (data, code) in [
            ("525", "directory.no-such-account"),
            ("52e", "directory.wrong-password"),
            ("530", "directory.sign-in-restricted"),
            ("531", "directory.sign-in-restricted"),
            ("52f", "directory.sign-in-restricted"),
            ("532", "directory.password-expired"),
            ("533", "directory.account-disabled"),
            ("701", "directory.account-expired"),
            ("773", "directory.must-change-password"),
            ("775", "directory.account-locked"),
            ("57", "directory.sign-in-refused"),
            ("", "directory.sign-in-refused"),
        ] {
            let problem = sign_in("CORP\\svc", &refused(49, &text(data))).problem();
            assert_eq!(problem.code, code, "{data}");
            assert!(problem.next.is_some() && problem.message.contains("CORP\\svc"), "{problem:?}");
        }
        assert_eq!(sign_in("x", &refused(8, "")).problem().code, "directory.clear-text");
        assert!(counts_as_try(&sign_in("x", &refused(49, &text("52e"))).problem()));
        assert!(!counts_as_try(&sign_in("x", &refused(49, &text("775"))).problem()));
    }

    /// Catches a code that says nothing, or that trying again would mend where it doesn't.
    #[test]
    fn results() {
        for (rc, code, retry) in [
            (50, "directory.access-denied", Retry::No),
            (53, "directory.unwilling", Retry::No),
            (32, "directory.no-such-object", Retry::No),
            (51, "directory.busy", Retry::Soon),
            (52, "directory.busy", Retry::Soon),
            (66, "directory.has-children", Retry::No),
            (80, "directory.refused", Retry::No),
        ] {
            let problem = result("deleting PC-1", &refused(rc, "x\u{7}y")).problem();
            assert_eq!((problem.code.as_str(), problem.retry), (code, retry));
            assert_eq!(problem.detail, Some(format!("LDAP result {rc}: xy")));
        }
    }

    /// Catches a referral that doesn't say where to.
    #[test]
    fn referrals_are_told() {
        let elsewhere = LdapResult { refs: vec!["ldap://dc.other.example/DC=other".to_owned()], ..refused(10, "") };
        let problem = result("reading OU=W,DC=other", &elsewhere).problem();
        assert_eq!(problem.code, "directory.referral");
        assert!(problem.message.contains("dc.other.example"), "{problem:?}");
    }

    proptest::proptest! {
        /// Catches a panic on whatever a server says.
        #[test]
        fn any_text(text in "\\PC*", rc in 0..100_u32) {
            let _ = (sign_in("x", &refused(rc, &text)), result("x", &refused(rc, &text)), sub_code(&text));
        }
    }
}
