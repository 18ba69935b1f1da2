//! Exit codes. Each has a line in `docs/exit-codes.md`; a test holds the two together.

/// How the program ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exit {
    /// The code that the shell sees.
    pub code: u8,
    /// What it means, as it stands in the docs.
    pub meaning: &'static str,
}

macro_rules! exits {
    ($($(#[$doc:meta])* $name:ident = $code:literal $meaning:literal;)*) => {
        impl Exit {
            $(#[doc = $meaning] pub const $name: Self = Self { code: $code, meaning: $meaning };)*
            /// Every exit code.
            pub const ALL: &[Self] = &[$(Self::$name),*];
        }
    };
}

exits! {
    OK = 0 "Done; with `plan --detailed-exitcode`: nothing to do.";
    ERROR = 1 "An error; nothing was changed, or what was changed is in the journal. The message says what to do.";
    CHANGES = 2 "`plan --detailed-exitcode`: there is something to do. `diff` and `drift` with it: something differs.";
    DECLINED = 3 "`apply` or a sign-off was not confirmed: the answer was no, or there was no terminal to ask and no `--yes`.";
    UNDONE = 4 "`apply` ended and at least one device failed before the point of no return; it is as it was before.";
    RECOVERY = 5 "`apply` ended and at least one device needs a person: an invariant broke after the point of no return. `recover`: the device that was asked for does.";
    PENDING = 6 "`apply` ended and at least one device waits for the cloud or for a sign-in; the next `apply` looks again.";
    LOCKED = 7 "Another `apply` is running on this plan.";
    INTERRUPTED = 8 "`apply` was interrupted and drained; `apply --resume` goes on.";
    BLOCKED = 9 "`apply` had nothing to run: what is left is blocked, or a gate or a window is closed. `check`: something blocks. `gate`: it is closed, or can't be signed off yet.";
    WARNINGS = 10 "`check`: nothing blocks, but something wants a look; `check` that is blocked gives 9.";
    REFUSED = 11 "`apply FILE` refused the sealed plan: something isn't as it was sealed, or an approval is missing.";
    OVERDUE = 12 "`exclusions`: one that is shown has run out and is still live in the tenant.";
    BROKEN = 13 "`audit verify`: the list of what was decided and done isn't whole, or a run isn't as it says.";
    USAGE = 64 "The command line is wrong.";
}
