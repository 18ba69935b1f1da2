//! What the errors of Kerberos mean. They are texts of the library, without a code: MIT's are English, those of Windows are in
//! the language of the system. Whatever isn't known is told as it is.

use ldap3::{LdapError, LdapResult};

use super::super::fault::{self, BAD_CREDENTIALS, Fault, request, said};
use super::SignIn;
use crate::model::{Problem, Retry};

/// `authMethodNotSupported` and `strongerAuthRequired` (RFC 4511, appendix A).
const NO_SUCH_WAY: u32 = 7;
const STRONGER: u32 = 8;
/// `SEC_E_BAD_BINDINGS`: what Active Directory says where its binding isn't the client's [K].
const BAD_BINDINGS: &str = "80090346";

/// One meaning: our code, what happened, what to do.
struct Meaning {
    code: &'static str,
    happened: &'static str,
    next: &'static str,
    /// Parts of the library's text, one of which is there.
    of: &'static [&'static str],
}

/// In order: a text may have several parts, the first row that fits counts
/// [R: lib/krb5/error_tables/krb5_err.et and lib/gssapi/krb5 of MIT Kerberos; Microsoft Learn, "SSPI status codes"].
const MEANINGS: &[Meaning] = &[
    Meaning {
        code: "directory.clock-skew",
        happened: "the clocks of this machine and of the domain are too far apart for Kerberos",
        next: "set this machine's clock by the domain's time",
        of: &["Clock skew too great", "clocks on the client and server machines are skewed", "80090324"],
    },
    Meaning {
        code: "directory.wrong-key",
        happened: "the key in the keytab isn't the account's any more",
        next: "make the keytab anew: each new password of the account makes an old one useless",
        of: &["Preauthentication failed", "Password incorrect", "Decrypt integrity check failed"],
    },
    Meaning {
        code: "directory.account-refused",
        happened: "the account whose credential it is is disabled, locked out, or has run out",
        next: "see which of them it is, and enable the account, unlock it, or give it a later end",
        of: &["credentials have been revoked", "Client's entry in database has expired"],
    },
    Meaning {
        code: "directory.no-kdc",
        happened: "no Kerberos server of the domain answers",
        next: "check the way to a domain controller's port 88, and that the domain's names can be resolved",
        of: &[
            "Cannot contact any KDC",
            "Cannot find KDC",
            "Cannot resolve network address for KDC",
            "No authority could be contacted",
            "80090311",
        ],
    },
    Meaning {
        code: "directory.no-such-account",
        happened: "Kerberos knows no account of the name in the keytab",
        next: "make the account, or the keytab anew",
        of: &["Client not found in Kerberos database", "Client '"],
    },
    Meaning {
        code: "directory.no-service",
        happened: "Kerberos knows no directory server of that name",
        next: "name the domain controller by its own full name under `directory.server`, as in `ldaps://dc1.corp.contoso.com`",
        of: &[
            "not found in Kerberos database",
            "Server principal valid for user2user only",
            "specified target is unknown",
            "target principal name is incorrect",
            "80090303",
            "80090322",
        ],
    },
    Meaning {
        code: "directory.no-ticket",
        happened: "there is no Kerberos credential to sign in with",
        next: "sign in with `kinit`, point `KRB5_CLIENT_KTNAME` to the account's keytab, or run it as the account",
        of: &[
            "No Kerberos credentials available",
            "No credentials cache found",
            "Can't find client principal",
            "No key table entry found",
            "Ticket expired",
            "referenced credential has expired",
            "No credentials were supplied",
            "No credentials are available",
            "logon attempt failed",
            "8009030E",
            "8009030C",
        ],
    },
];

/// Returns what a sign-in that didn't get as far as an answer means. `service` is the server's principal.
pub(super) fn of(asked: &SignIn<'_>, service: &str, error: LdapError) -> Fault {
    let text = match error {
        LdapError::GssapiOperationError(text) => text,
        LdapError::NoGssapiToken => "the server's answer has no token".to_owned(),
        other => return request("signing in", asked.server, other),
    };
    let found = MEANINGS.iter().find(|meaning| meaning.of.iter().any(|part| text.contains(part)));
    let (code, happened, next) = found.map_or(
        (
            "directory.kerberos",
            "Kerberos refuses it",
            "look up what Kerberos says; `KRB5_TRACE=FILE` has MIT's write down each step",
        ),
        |meaning| (meaning.code, meaning.happened, meaning.next),
    );
    let text: String = text.chars().filter(|c| !c.is_control()).take(300).collect();
    let message = format!("signing in to {} as {} by Kerberos: {happened}", asked.server, asked.account);
    let problem = Problem::new(code, message).next(next).detail(format!("ldap/{service}: {text}"));
    match code {
        // Another server may be known by its name, or know another way.
        "directory.no-service" => Fault::Broken(problem),
        "directory.no-kdc" => Fault::Broken(problem.retry(Retry::Soon)),
        _ => Fault::Refused(0, problem),
    }
}

/// Returns what a server's refusal of a ticket means.
pub(super) fn refused(asked: &SignIn<'_>, answer: &LdapResult) -> Fault {
    let what = format!("signing in to {} as {} by Kerberos", asked.server, asked.account);
    let (happened, next) = match answer.rc {
        STRONGER => (
            "the server takes no Kerberos within TLS",
            "let it: Samba has `ldap server require strong auth = allow_sasl_over_tls` for that; or sign in with a password",
        ),
        NO_SUCH_WAY => {
            ("the server doesn't speak Kerberos", "name another domain controller, or sign in with a password")
        }
        BAD_CREDENTIALS if answer.text.contains(BAD_BINDINGS) => (
            "the server sees another connection than this machine does",
            "have nothing that opens TLS between them; and give the server a certificate that isn't signed by RSASSA-PSS, \
             which no binding is worked out for",
        ),
        BAD_CREDENTIALS => (
            "the server refuses the ticket",
            "compare the clocks, see whether the server's own password is in order, and whether the account may sign in",
        ),
        // Another server may do better.
        51 | 52 => return Fault::Broken(fault::result(&what, answer).problem()),
        _ => return fault::result(&what, answer),
    };
    let problem = Problem::new("directory.kerberos", format!("{what}: {happened}"));
    Fault::Refused(answer.rc, problem.next(next).detail(said(answer)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(url: &url::Url) -> SignIn<'_> {
        let answer = std::time::Duration::from_secs(1);
        SignIn { server: "ldaps://dc1.corp.example", url, domain: "corp.example", account: "CORP\\svc", answer }
    }

    /// Catches errors that are mixed up: each has another remedy. The texts are MIT's and those of Windows.
    #[test]
    fn texts() {
        let url = "ldaps://dc1.corp.example".parse().expect("an address");
        for (text, code) in [
            ("No Kerberos credentials available (default cache: FILE:/tmp/krb5cc_0)", "directory.no-ticket"),
            (
                "acquiring credentials: No credentials are available in the security package (8009030E)",
                "directory.no-ticket",
            ),
            ("ClientCtx::step failed The clocks on the client and server machines are skewed.", "directory.clock-skew"),
            ("Server not found in Kerberos database", "directory.no-service"),
            ("Client 'svc@CORP.EXAMPLE' not found in Kerberos database", "directory.no-such-account"),
            ("Server ldap/10.0.0.1@CORP.EXAMPLE not found in Kerberos database", "directory.no-service"),
            ("ClientCtx::step failed The specified target is unknown or unreachable", "directory.no-service"),
            ("Cannot contact any KDC for realm 'CORP.EXAMPLE'", "directory.no-kdc"),
            ("Preauthentication failed", "directory.wrong-key"),
            ("Client's credentials have been revoked", "directory.account-refused"),
            ("Das angegebene Ziel ist unbekannt", "directory.kerberos"),
        ] {
            let text = format!("Unspecified GSS failure.  Minor code may provide more information ({text})\n");
            let problem = of(&asked(&url), "dc1.corp.example", LdapError::GssapiOperationError(text)).problem();
            assert_eq!(problem.code, code, "{problem:?}");
            assert!(problem.next.is_some() && problem.message.contains("CORP\\svc"), "{problem:?}");
            let is_try = matches!(code, "directory.wrong-key" | "directory.no-such-account");
            assert_eq!(fault::counts_as_try(&problem), is_try, "{problem:?}");
        }
    }

    /// Catches a server's refusal that is told as a wrong password, which nobody has.
    #[test]
    fn answers() {
        let url = "ldaps://dc1.corp.example".parse().expect("an address");
        let bindings = "80090346: LdapErr: DSID-0C0906DC, comment: AcceptSecurityContext error, data 80090346, v4563";
        for (rc, text, code, said) in [
            (49, bindings, "directory.kerberos", "another connection"),
            (49, "80090308: LdapErr: DSID-0C0903A9, data 57, v1db1", "directory.kerberos", "refuses the ticket"),
            (8, "SASL:[GSSAPI]: Sign or Seal are required.", "directory.kerberos", "within TLS"),
            (7, "", "directory.kerberos", "doesn't speak"),
            (51, "", "directory.busy", "busy"),
        ] {
            let text = text.to_owned();
            let answer = LdapResult { rc, matched: String::new(), text, refs: Vec::new(), ctrls: Vec::new() };
            let problem = refused(&asked(&url), &answer).problem();
            assert!(problem.code == code && problem.message.contains(said), "{rc}: {problem:?}");
        }
    }
}
