//! What `opsole directory` says, as text.

use std::fmt::Write as _;

use jiff::Timestamp;

use super::{CheckView, ComputerView, SweepView};
use crate::render::words::count;

fn day(moment: Timestamp) -> String {
    moment.strftime("%Y-%m-%d").to_string()
}

/// Puts a line into a text, without blanks at its end; a `String` takes everything.
macro_rules! line {
    ($out:expr, $($arg:tt)*) => {{
        let _ = writeln!($out, "{}", format!($($arg)*).trim_end());
    }};
}

pub(super) fn check(out: &mut String, domain: &str, check: &CheckView) {
    line!(out, "{domain}");
    if let (Some(server), Some(forest), Some(level)) = (&check.server, &check.forest, check.level) {
        line!(out, "  server     {server}, forest {forest}, functional level {level}");
    }
    if let (Some(computers), Some(disabled)) = (check.computers, check.disabled) {
        line!(out, "  computers  {computers} below the declared units, {disabled} of them disabled");
    }
    if let Some(people) = check.people {
        line!(out, "  people     {people}");
    }
    if check.hybrid_tenant.is_some() || check.hybrid_domain.is_some() {
        let part = |part: &Option<String>| part.clone().unwrap_or_else(|| "?".to_owned());
        line!(out, "  hybrid     {} ({})", part(&check.hybrid_domain), part(&check.hybrid_tenant));
    }
    if let Some(account) = &check.account {
        let ends = |what: &str, end: Option<Timestamp>| {
            end.map_or_else(|| format!("{what} doesn't end"), |end| format!("{what} ends on {}", day(end)))
        };
        let state = if account.enabled { "enabled" } else { "DISABLED" };
        let locked = if account.locked { ", LOCKED" } else { "" };
        let (password, itself) = (ends("password", account.password_expires), ends("account", account.account_expires));
        line!(out, "  account    {}: {state}{locked}, {password}, {itself}", account.name);
        for rights in &account.rights {
            line!(out, "  {}: {}", rights.ou, count(rights.computers, "computer"));
            let yes = |has: bool| if has { "yes" } else { "NO" };
            line!(
                out,
                "    read {}, disable {}, describe {}, delete {}",
                yes(rights.read),
                yes(rights.disable),
                yes(rights.describe),
                yes(rights.delete)
            );
            rights.exceptions.iter().for_each(|dn| line!(out, "    lacks some on {dn}"));
        }
    }
    check.referrals.iter().for_each(|to| line!(out, "  not asked: {to}"));
    check.unread.iter().for_each(|part| line!(out, "  unread: {part}"));
    line!(out, "\n{}: {}", check.outcome, check.seen);
    if let Some(remedy) = &check.remedy {
        line!(out, "next: {remedy}");
    }
}

pub(super) fn computers(out: &mut String, domain: &str, list: &[ComputerView]) {
    let width = list.iter().map(|one| one.name.chars().count()).max().unwrap_or_default();
    for one in list {
        let state = match (one.protected, one.enabled, one.disabled_by, one.disabled_on) {
            (true, ..) => "protected".to_owned(),
            (_, true, ..) => "enabled".to_owned(),
            (_, _, Some(run), Some(on)) => format!("disabled on {} by run {}", day(on), crate::render::run::short(run)),
            _ => "disabled".to_owned(),
        };
        let set = one.password_set.map(|set| format!("password of {}", day(set)));
        let seen = one.last_logon.map(|seen| format!("seen about {}", day(seen)));
        let more: Vec<String> = [one.os.clone(), set, seen].into_iter().flatten().collect();
        line!(out, "{:<width$}  {state}  {}", one.name, more.join(", "));
    }
    line!(out, "{} of {domain}.", count(list.len(), "computer"));
}

pub(super) fn sweep(out: &mut String, sweep: &SweepView) {
    let width = sweep.rows.iter().map(|row| row.computer.name.chars().count()).max().unwrap_or_default();
    for row in &sweep.rows {
        let on = row.computer.disabled_on.map(day).unwrap_or_default();
        let why = row.problem.as_ref().map(|why| format!("  {why}")).unwrap_or_default();
        line!(out, "{:<8}  {:<width$}  disabled on {on}  {}{why}", row.state, row.computer.name, row.computer.dn);
    }
    for name in &sweep.unrecorded {
        line!(out, "left      {name}  disabled with our words, and not in the records here");
    }
    if sweep.rows.is_empty() {
        line!(out, "Nothing that we disabled before {} is there.", day(sweep.before));
    }
    if sweep.left > 0 {
        line!(out, "{} more, for the next time.", count(sweep.left, "computer"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Known, Problem};
    use crate::readiness::Judged;
    use crate::render::directory::{DirectoryView, SweepRow};
    use crate::state::{AdComputer, DirectoryState, DisjoinAccount, OuRights, RetiredMark};

    fn computer(name: &str, number: u128) -> AdComputer {
        let sid = "S-1-5-21-1-2-3-1104".parse().expect("a SID");
        AdComputer::new(uuid::Uuid::from_u128(number), sid, name, format!("CN={name},OU=W,DC=corp,DC=example"))
    }

    fn disabled(name: &str, number: u128) -> AdComputer {
        let run = crate::model::RunId(uuid::Uuid::from_u128(0x0192_f0c1_2f3a_7c11_9a55_0d6f_1c2b_3a4d));
        let mark = RetiredMark { run, on: "2026-11-27T00:00:00Z".parse().expect("a moment") };
        AdComputer { enabled: false, description: Some(mark.write(None)), ..computer(name, number) }
    }

    /// Catches a list in the order of GUIDs, and somebody else's disabling told as ours.
    #[test]
    fn computers_as_text() {
        let others = AdComputer { enabled: false, ..computer("PC-3", 1) };
        let dc = AdComputer { domain_controller: true, ..computer("DC-1", 4) };
        let pc = AdComputer { os: Some("Windows 11".to_owned()), ..computer("PC-10", 2) };
        let view = DirectoryView::computers("corp.example", [&others, &dc, &pc, &disabled("pc-2", 3)]);
        insta::assert_snapshot!(view.text(), @r"
        DC-1   protected
        PC-10  enabled  Windows 11
        pc-2   disabled on 2026-11-27 by run 0192f0c1-2f3a
        PC-3   disabled
        4 computers of corp.example.
        ");
    }

    /// Catches a right that is missing and looks like one that is there, and a remedy that isn't told.
    #[test]
    fn check_as_text() {
        let account = DisjoinAccount {
            name: "CORP\\svc".to_owned(),
            enabled: true,
            locked: true,
            password_expires: Some("2027-01-08T00:00:00Z".parse().expect("a moment")),
            account_expires: None,
            rights: vec![OuRights { delete: false, ..OuRights::all("OU=W,DC=corp,DC=example", true) }],
        };
        let state = DirectoryState::of("corp.example", vec![computer("PC-1", 1)], Known::Known(account));
        let judged = Judged::fail("the account `CORP\\svc` is locked out").remedy("unlock it");
        insta::assert_snapshot!(DirectoryView::check("corp.example", &Known::Known(state), &judged).text(), @r"
        corp.example
          computers  1 below the declared units, 0 of them disabled
          account    CORP\svc: enabled, LOCKED, password ends on 2027-01-08, account doesn't end
          OU=W,DC=corp,DC=example: 1 computer
            read yes, disable yes, describe yes, delete NO
          unread: people: it wasn't looked at
          unread: forest: it wasn't looked at
          unread: hybrid join: it wasn't looked at

        fail: the account `CORP\svc` is locked out
        next: unlock it
        ");
    }

    /// Catches a sweep that doesn't tell what it leaves.
    #[test]
    fn sweep_as_text() {
        let mut rows: Vec<SweepRow> =
            [disabled("PC-1", 1), disabled("PC-2", 2)].iter().map(SweepRow::planned).collect();
        rows[0].done(Ok(()));
        rows[1].done(Err(Problem::new("directory.access-denied", "deleting PC-2: the account lacks the right")));
        let before = "2026-12-27T00:00:00Z".parse().expect("a moment");
        let sweep = SweepView { before, rows, left: 3, unrecorded: vec!["PC-9".to_owned()] };
        insta::assert_snapshot!(DirectoryView::sweep("corp.example", sweep).text(), @r"
        deleted   PC-1  disabled on 2026-11-27  CN=PC-1,OU=W,DC=corp,DC=example
        failed    PC-2  disabled on 2026-11-27  CN=PC-2,OU=W,DC=corp,DC=example  deleting PC-2: the account lacks the right
        left      PC-9  disabled with our words, and not in the records here
        3 computers more, for the next time.
        ");
    }
}
