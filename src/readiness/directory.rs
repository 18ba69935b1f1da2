//! Active Directory: the account that retires old computer objects.

use jiff::Timestamp;

use super::Judged;
use crate::dag::Index;
use crate::model::{Check, Known, RetirePolicy};
use crate::plan::{DirectorySpec, MigrationPlan};
use crate::state::{DirectoryState, DisjoinAccount, OuRights};

/// Judges the directory of the plan.
pub(super) fn checks(index: &Index<'_>, add: &mut dyn FnMut(Check, Judged)) {
    let Some(spec) = &index.plan.directory else { return };
    add(Check::AdDisjoinAccount, judge(index.plan, spec, &index.snapshot.directory));
}

/// Judges the account of a plan's directory, outside of everything else.
#[must_use]
pub fn disjoin_account(plan: &MigrationPlan, directory: &Known<DirectoryState>) -> Judged {
    match &plan.directory {
        Some(spec) => judge(plan, spec, directory),
        None => Judged::not_applicable("the plan has no directory"),
    }
}

fn judge(plan: &MigrationPlan, spec: &DirectorySpec, directory: &Known<DirectoryState>) -> Judged {
    if spec.retire == RetirePolicy::Keep {
        return Judged::not_applicable("old computer objects are kept");
    }
    let named = spec.account.as_ref().map(|account| account.name.as_str());
    let state = match directory {
        Known::Known(state) => state,
        Known::Absent => return Judged::unknown("the directory wasn't read"),
        Known::Unknown(why) => return unread(named, why),
    };
    match (&state.account, named) {
        (Known::Known(account), _) => account_of(plan, spec, account),
        (Known::Unknown(why), _) => Judged::unknown(format!("the disjoin account couldn't be read: {why}")),
        (Known::Absent, None) => Judged::fail("the plan names no account that retires computer objects")
            .remedy("write it under `directory.account`, with the place of its password or `sign_in: kerberos`"),
        (Known::Absent, Some(name)) => Judged::fail(format!("the account `{name}` doesn't exist"))
            .remedy("make the account, or mend its name under `directory.account`"),
    }
}

/// What is wrong with the account where it couldn't even sign in: the code in the reason says so, and what a server
/// answers is a measurement.
const SIGN_IN: &[(&str, &str, &str)] = &[
    ("directory.account-locked", "is locked out", "unlock it, and find out who tries its old password"),
    ("directory.account-disabled", "is disabled", "enable it"),
    ("directory.account-expired", "has run out", "give the account a later end"),
    (
        "directory.password-expired",
        "has a password that has run out",
        "set a new one, and put it where the plan points",
    ),
    ("directory.must-change-password", "has to change its password first", "set one that needn't be changed"),
    (
        "directory.sign-in-restricted",
        "may not sign in at this time or from this machine",
        "change its logon hours, or the workstations that it may log on to",
    ),
    ("directory.no-such-account", "doesn't exist", "make the account, or mend its name under `directory.account`"),
    (
        "directory.wrong-password",
        "has another password than the plan points to, or doesn't exist",
        "put the right one where `directory.account.password` points",
    ),
    (
        "directory.account-refused",
        "is disabled, locked out or has run out: Kerberos doesn't say which",
        "look at the account, and enable it, unlock it, or give it a later end",
    ),
    (
        "directory.wrong-key",
        "has another key than the keytab that it signs in with",
        "make the keytab anew: each new password makes an old one useless",
    ),
    (
        "directory.no-ticket",
        "has no Kerberos credential here",
        "sign in with `kinit`, point `KRB5_CLIENT_KTNAME` to its keytab, or run it as the account",
    ),
    (
        "directory.other-account",
        "isn't who signs in: the Kerberos credential is another's",
        "run it as the account, sign in with `kinit` as it, or name the other under `directory.account`",
    ),
    (
        "directory.no-kerberos",
        "signs in by Kerberos, and this program was built without it",
        "take one that has it (built with `--features kerberos`), or give the account a `password`",
    ),
];

fn unread(named: Option<&str>, why: &str) -> Judged {
    let has = |code: &str| why.ends_with(&format!("({code})"));
    match (named, SIGN_IN.iter().find(|(code, _, _)| has(code))) {
        (Some(name), Some((_, wrong, remedy))) => Judged::fail(format!("the account `{name}` {wrong}")).remedy(*remedy),
        (None, _) if has("directory.settings") => {
            Judged::fail("the plan names no account that retires computer objects")
                .remedy("write it under `directory.account`, with the place of its password or `sign_in: kerberos`")
        }
        _ => Judged::unknown(format!("the directory couldn't be read: {why}")),
    }
}

/// Returns the end of the last wave; none where a wave has no window.
fn last_wave_ends(plan: &MigrationPlan) -> Option<Timestamp> {
    let ends: Option<Vec<Timestamp>> = plan.waves.iter().map(|wave| Some(wave.window.as_ref()?.to)).collect();
    ends?.into_iter().max()
}

fn account_of(plan: &MigrationPlan, spec: &DirectorySpec, account: &DisjoinAccount) -> Judged {
    let name = &account.name;
    let over = |end: Option<Timestamp>| end.is_some_and(|end| end <= plan.as_of);
    // All of them in one answer: whoever mends one would come back for the next.
    let mut wrong = Vec::new();
    if !account.enabled {
        wrong.push(Judged::fail(format!("the account `{name}` is disabled")).remedy("enable it"));
    }
    if account.locked {
        let judged = Judged::fail(format!("the account `{name}` is locked out"));
        wrong.push(judged.remedy("unlock it, and find out who tries its old password"));
    }
    if over(account.account_expires) {
        let judged = Judged::fail(format!("the account `{name}` has run out"));
        wrong.push(judged.remedy("give the account a later end"));
    }
    if over(account.password_expires) {
        let judged = Judged::fail(format!("the password of `{name}` has run out"));
        let remedy = match spec.account.as_ref().is_some_and(|account| account.password.is_none()) {
            true => "set a new password, and make the keytab anew where it signs in with one",
            false => "set a new password, and put it where `directory.account.password` points",
        };
        wrong.push(judged.remedy(remedy));
    }
    let missing: Vec<(String, Vec<&'static str>)> =
        spec.computers.iter().filter_map(|ou| lacks(spec, account, ou)).collect();
    if !missing.is_empty() {
        let told = missing.iter().map(|(ou, rights)| format!("{} in {ou}", rights.join(" and ")));
        let told = told.collect::<Vec<_>>().join("; ");
        let lines = missing.iter().flat_map(|(ou, rights)| rights.iter().map(|right| grant(ou, name, right)));
        let lines = lines.collect::<Vec<_>>().join("; ");
        let judged = Judged::fail(format!("the account `{name}` may not {told}"));
        wrong.push(judged.remedy(format!("let a domain administrator run {lines}")));
    }
    if !wrong.is_empty() {
        return Judged::worst(wrong);
    }
    let last = last_wave_ends(plan);
    let early = [("its password", account.password_expires), ("the account", account.account_expires)];
    let early = early.into_iter().filter_map(|(what, end)| Some((what, end?)));
    // Where a wave has no window, every end may be too early.
    let early: Vec<String> = early
        .filter(|(_, end)| last.is_none_or(|last| *end < last))
        .map(|(what, end)| format!("{what} ends on {}", end.strftime("%Y-%m-%d")))
        .collect();
    let mut warns = Vec::new();
    if !early.is_empty() {
        let before = if last.is_some() { "before the last wave is over" } else { "and a wave has no end" };
        let judged = Judged::warn(format!("of `{name}` {}, {before}", early.join(" and ")));
        warns.push(judged.remedy("renew it in time: computer objects of later waves would stay"));
    }
    warns.extend(lesser(spec, account));
    if warns.is_empty() {
        return Judged::pass(format!("the account `{name}` is enabled and has its rights"));
    }
    Judged::worst(warns)
}

/// What keeps no device back: disabled objects that can't say by whom, and single ones that are protected.
fn lesser(spec: &DirectorySpec, account: &DisjoinAccount) -> Vec<Judged> {
    let (name, mut warns) = (&account.name, Vec::new());
    for ou in &spec.computers {
        let Some(own) = account.rights.iter().find(|rights| rights.ou.eq_ignore_ascii_case(ou)) else { continue };
        if !own.describe && spec.retire == RetirePolicy::Disable {
            let seen = format!(
                "the account `{name}` may not write descriptions in {ou}: `opsole directory sweep` won't \
                                find what it disabled"
            );
            warns.push(
                Judged::warn(seen).remedy(format!("let a domain administrator run {}", grant(ou, name, DESCRIBE))),
            );
        }
        if !own.exceptions.is_empty() {
            let seen = format!("`{name}` has its rights in {ou}, and lacks some on {}", own.exceptions.join("; "));
            warns.push(Judged::warn(seen).remedy("see whether these are protected from deletion on purpose"));
        }
    }
    warns
}

/// Returns the rights that an account lacks in an organizational unit, where it lacks some.
fn lacks(spec: &DirectorySpec, account: &DisjoinAccount, ou: &str) -> Option<(String, Vec<&'static str>)> {
    let none = OuRights::all(ou, false);
    let own = account.rights.iter().find(|rights| rights.ou.eq_ignore_ascii_case(ou)).unwrap_or(&none);
    let retires = match spec.retire {
        RetirePolicy::Delete => (own.delete, DELETE),
        RetirePolicy::Disable => (own.disable, DISABLE),
        RetirePolicy::Keep => (true, DISABLE),
    };
    let wanted = [(own.read_properties, READ), retires];
    let rights: Vec<&str> = wanted.into_iter().filter(|(has, _)| !has).map(|(_, right)| right).collect();
    (!rights.is_empty()).then(|| (ou.to_owned(), rights))
}

const READ: &str = "read all properties of computers";
const DELETE: &str = "delete computers";
const DISABLE: &str = "disable computers";
const DESCRIBE: &str = "write descriptions of computers";

/// Returns the line that grants a right on the computer objects below a unit and on nothing else: `SD` deletes an
/// object, `RP` reads its properties, `WP` writes one; `/I:S` is for what lies below [R: dsacls; prerequisites 1.5].
fn grant(ou: &str, account: &str, right: &str) -> String {
    let ace = match right {
        DELETE => "SD;;computer",
        DISABLE => "WP;userAccountControl;computer",
        DESCRIBE => "WP;description;computer",
        _ => "RP;;computer",
    };
    format!("`dsacls \"{ou}\" /I:S /G \"{account}:{ace}\"`")
}
