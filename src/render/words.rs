//! Small pieces of text that several views share.

use std::time::Duration;

use crate::dag::spec;
use crate::model::Op;

/// Returns a time in words that people use: `12 s`, `8 min`, `2 h 45 min`, `3 days`.
#[must_use]
pub fn duration(time: Duration) -> String {
    let secs = time.as_secs() + u64::from(time.subsec_nanos() > 0);
    let (days, hours, minutes) = (secs / 86_400, secs % 86_400 / 3600, secs % 3600 / 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{secs} s"),
        (0, 0, _) => format!("{minutes} min"),
        (0, _, 0) => format!("{hours} h"),
        (0, _, _) => format!("{hours} h {minutes} min"),
        (1, 0, _) => "1 day".to_owned(),
        (1, _, _) => format!("1 day {hours} h"),
        _ => format!("{days} days"),
    }
}

/// Returns a count with its noun: `1 device`, `12 devices`.
#[must_use]
pub fn count(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

/// Returns what an operation does in so few words that its line isn't wrapped; the catalogue has the whole
/// of it.
#[must_use]
pub fn brief(op: Op) -> &'static str {
    match op {
        Op::SnapshotCloud => "record the old cloud objects, groups and key ids",
        Op::EscrowBitlocker => "see a recovery key in the old tenant's escrow",
        Op::Arm => "start at boot, prove a recovery administrator",
        Op::LeaveEntra => "leave the old Entra registration",
        Op::RestoreLocalGroups => "put the new identity into its local groups",
        Op::RestoreLogonSurface => "put back the sign-in screen and restart",
        Op::RestoreGroups => "put the new device object into its groups",
        Op::EscrowBitlockerNew => "back the recovery key up to the new tenant",
        Op::ImportAutopilot => "import the Autopilot identity into the target",
        Op::RetireOldObject => "retire the old computer or Entra object",
        Op::CleanUp => "remove what the migration left on the device",
        op => spec(op).action,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Catches an operation whose line is wrapped at 100 columns: a plan would double in length.
    #[test]
    fn brief_is_brief() {
        use crate::dag::Scope;
        for op in Op::ALL.iter().filter(|op| spec(**op).scope == Scope::Device) {
            assert!(brief(*op).len() <= 49, "{op}: {}", brief(*op));
        }
    }

    /// Catches a wave of hours that is announced as `0 s`, and half a second that is announced as nothing.
    #[test]
    fn times_people_say() {
        let say = |secs: f64| duration(Duration::from_secs_f64(secs));
        assert_eq!(say(0.5), "1 s");
        assert_eq!(say(59.0), "59 s");
        assert_eq!(say(480.0), "8 min");
        assert_eq!(say(9900.0), "2 h 45 min");
        assert_eq!(say(3600.0), "1 h");
        assert_eq!(say(90_000.0), "1 day 1 h");
        assert_eq!(say(300_000.0), "3 days");
    }
}
