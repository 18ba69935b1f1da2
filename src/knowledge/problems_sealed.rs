//! Problems of sealed plans, approvals, the keys that sign them, and the list of what was decided.

use super::problem::{OwnProblem, row};

const AGAIN: &str = "plan and seal again, and have that approved";
const KEY: &str = "name the file that `opsole keys new` wrote";
const AS_SEALED: &str = "take the file as it was sealed, or plan and seal again";

pub(super) static TABLE: &[OwnProblem] = &[
    row(
        "audit.head",
        "the file that says how long the audit list is can't be used",
        "check the rights of `.opsole/audit.head` and the space on its disk",
    ),
    row("key.changes", "the list of changes of the controller's key can't be used", "put it back from a backup"),
    row("key.damaged", "a file isn't a private key", KEY),
    row("key.exists", "a key would overwrite a file", "name another file: a key that is in use must not be lost"),
    row("key.read", "a private key can't be read", KEY),
    row(
        "key.rights",
        "others than its owner may read a private key",
        "take their rights away; where somebody may have read it, make a new key and list the old one as revoked",
    ),
    row("key.write", "a key can't be written", "name a file in a folder that you may write to"),
    row("sealed.approvals", "approvals are missing, or those that are there don't count", "have it approved"),
    row("sealed.closed", "the wave's gate or window isn't open", "apply it when the wave is open"),
    row("sealed.drift", "an operation of a tenant isn't what was sealed any more", AGAIN),
    row("sealed.expired", "the sealed plan was good until an earlier moment", AGAIN),
    row("sealed.format", "a file isn't a sealed plan", "name a file that `opsole plan --out FILE` wrote"),
    row("sealed.input", "a file that the plan was made from has changed", AGAIN),
    row(
        "sealed.needed",
        "the plan asks for approvals, and nothing approved was named",
        "seal it, have it approved, apply it",
    ),
    row("sealed.newer", "the sealed plan was written by a newer version", "use that version, or seal again"),
    row(
        "sealed.not-approved",
        "there is no approval of this key to take back",
        "see who signed with `opsole show FILE`",
    ),
    row("sealed.policy", "a rule of the plan's policy doesn't hold", "do what the rule says, then plan and seal again"),
    row(
        "sealed.ran-out",
        "an exclusion, token or word that it relies on ran out",
        "renew it, then plan and seal again",
    ),
    row("sealed.read", "a sealed plan can't be read from disk", "check the path and the rights of the file"),
    row("sealed.sent-back", "an approver sent the plan back", "mend what was said, then plan and seal again"),
    row(
        "sealed.stranger",
        "it was sealed with a key that nobody here trusts",
        "seal it here, or list the key as `sealer`",
    ),
    row("sealed.tampered", "something in the file was changed after it was signed", AS_SEALED),
    row("sealed.ticket", "the plan's rules ask for a ticket with each approval", "name it with `--ticket`"),
    row(
        "sealed.used",
        "this sealed plan was applied already",
        "look at that run; plan and seal again for what is left",
    ),
    row("sealed.write", "a sealed plan can't be written", "check the folder's rights and the space on its disk"),
];
