//! Problems of Active Directory.

use super::problem::{OwnProblem, row};

pub(super) static TABLE: &[OwnProblem] = &[
    row(
        "directory.access-denied",
        "the account lacks a right (LDAP result 50)",
        "see what `opsole check` says of `ad.disjoin-account`, and grant the right",
    ),
    row(
        "directory.account-disabled",
        "the account of the directory is disabled (result 49, data 533)",
        "enable the account",
    ),
    row(
        "directory.account-expired",
        "the account of the directory has run out (result 49, data 701)",
        "give the account a later end",
    ),
    row(
        "directory.account-locked",
        "the account of the directory is locked out (result 49, data 775)",
        "unlock the account, and find out who tries its old password",
    ),
    row(
        "directory.account-refused",
        "Kerberos gives the directory's account no ticket: it is disabled, locked out, or has run out",
        "look at the account, and enable it, unlock it, or give it a later end",
    ),
    row(
        "directory.busy",
        "the domain controller is busy or unavailable (results 51, 52)",
        "try again in a while, or name another server",
    ),
    row(
        "directory.certificate",
        "the domain controller's certificate isn't one that this machine trusts for its name",
        "name the authority's file under `directory.ca_file`, or the server by the name in its certificate",
    ),
    row(
        "directory.clear-text",
        "the domain controller offers no encryption, and nothing was sent (or it wants more: results 8, 13)",
        "use `ldaps://`, or give the domain controller a certificate",
    ),
    row(
        "directory.clock-skew",
        "the clocks of this machine and of the domain are too far apart for Kerberos",
        "set this machine's clock by the domain's time",
    ),
    row(
        "directory.computer-missing",
        "the computer isn't below the organizational units that the plan names",
        "name its unit under `directory.computers`",
    ),
    row(
        "directory.domain-controller",
        "the computer is a domain controller, and those are never touched",
        "leave it out of the plan",
    ),
    row(
        "directory.has-children",
        "there is something below the computer that may not be lost, such as recovery passwords (result 66)",
        "disable it instead, or have what lies below it removed",
    ),
    row(
        "directory.in-use-again",
        "the computer's password was set after the device had left: somebody uses its name again",
        "find out which device uses the name now; its object is left alone",
    ),
    row(
        "directory.kerberos",
        "the sign-in to the directory by Kerberos failed",
        "look up what Kerberos says in the detail; `KRB5_TRACE=FILE` has MIT's write down each step",
    ),
    row(
        "directory.limit",
        "a limit of the directory is reached (results 3, 4, 11)",
        "name smaller organizational units under `directory.computers`",
    ),
    row(
        "directory.must-change-password",
        "the account of the directory has to change its password first (result 49, data 773)",
        "set a password that needn't be changed at the next logon",
    ),
    row(
        "directory.no-kdc",
        "no Kerberos server of the domain answers",
        "check the way to a domain controller's port 88, and that the domain's names can be resolved",
    ),
    row(
        "directory.no-kerberos",
        "the plan signs in to the directory by Kerberos, and this program was built without it",
        "take a program that has it (built with `--features kerberos`), or give the account a `password`",
    ),
    row(
        "directory.no-service",
        "Kerberos knows no directory server of the name in `directory.server`",
        "name the domain controller by its own full name",
    ),
    row(
        "directory.no-such-account",
        "the directory knows no such account (result 49, data 525)",
        "mend `directory.account.name`, or make the account",
    ),
    row(
        "directory.no-such-computer",
        "the computer isn't in the directory any more",
        "plan again: somebody removed it",
    ),
    row(
        "directory.no-such-object",
        "the directory has no such object (result 32)",
        "see that `directory.computers` names units that exist, then plan again",
    ),
    row(
        "directory.no-such-unit",
        "a declared organizational unit isn't there",
        "mend its name under `directory.computers`: it may have been renamed or moved",
    ),
    row(
        "directory.no-ticket",
        "there is no Kerberos credential to sign in to the directory with",
        "sign in with `kinit`, point `KRB5_CLIENT_KTNAME` to the account's keytab, or run it as the account",
    ),
    row("directory.none", "the device has a computer object and the plan no directory", "add `directory` to the plan"),
    row(
        "directory.not-ours",
        "the computer isn't disabled any more, or its description no longer says that we did it",
        "leave it: somebody has plans with it",
    ),
    row(
        "directory.not-written",
        "the directory said that a change is done, and the object is as it was",
        "look at the object, then apply again",
    ),
    row(
        "directory.other-account",
        "the Kerberos credential is of another account than the plan names",
        "run it as that account, sign in with `kinit` as it, or name the other under `directory.account.name`",
    ),
    row(
        "directory.other-domain",
        "the server isn't a domain controller of the plan's domain",
        "name one under `directory.server`, or mend `directory.domain`",
    ),
    row(
        "directory.outside",
        "the computer isn't below a declared organizational unit, and objects elsewhere are never touched",
        "move it back, or name its unit under `directory.computers` and plan again",
    ),
    row(
        "directory.password-expired",
        "the password of the directory's account has run out (result 49, data 532)",
        "set a new one, and put it where `directory.account.password` points",
    ),
    row("directory.protected", "the computer is one that the domain itself needs", "leave it out of the plan"),
    row(
        "directory.referral",
        "another server has it, and referrals aren't followed (result 10)",
        "name that server under `directory.server`",
    ),
    row(
        "directory.refused",
        "the directory refused something with a code that says no more",
        "look the code up, or have a domain administrator look at the object",
    ),
    row("directory.settings", "the plan's directory section can't be used as it is", "mend `directory` in the plan"),
    row(
        "directory.sign-in-refused",
        "the directory's account can't sign in (result 49)",
        "have a domain administrator look at the account",
    ),
    row(
        "directory.sign-in-restricted",
        "the directory's account may not sign in now, from here, or with a password (result 49, data 530, 531, 52f)",
        "change the account's logon hours or workstations; a member of Protected Users signs in by Kerberos alone",
    ),
    row("directory.timeout", "the domain controller doesn't answer in time", "see how it does, or name another one"),
    row(
        "directory.unreachable",
        "Active Directory can't be reached",
        "check the `directory` section and the way to a domain controller",
    ),
    row(
        "directory.unreadable",
        "an attribute that has to be known can't be read",
        "let the account read all properties of computers, and the permissions of their units",
    ),
    row(
        "directory.unwilling",
        "the domain controller isn't willing to do it (result 53)",
        "look at the object: a policy or a schema rule of the domain forbids it",
    ),
    row(
        "directory.wrong-key",
        "the key in the keytab isn't that of the directory's account any more",
        "make the keytab anew: each new password makes an old one useless",
    ),
    row(
        "directory.wrong-password",
        "the password of the directory's account is wrong, or there is no such account (result 49, data 52e)",
        "put the right password where `directory.account.password` points",
    ),
];
