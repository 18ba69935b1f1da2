//! Laws of the views: same body same bytes, bounded whatever the fleet, and no name that does harm.

use jiff::SignedDuration;

use super::{LIMIT, Shown, html, markdown, markdown_device};
use crate::dag::fixture::{Fleet, Join, exclusion, named};
use crate::diff::{Action, Reason, decide_ahead, select};
use crate::model::{Digest, Op, OwnerRole, PublicKey, RunId, Scenario};
use crate::run::RunPlan;
use crate::sealed::{
    BlockerLine, Body, DeviceLine, ExclusionLine, FindingLine, RuleLine, SealInput, Statement, StatementKind,
    TenantLine, seal,
};

/// Names that end elements, begin code, open templates, break tables, mention people.
const HOSTILE: &[&str] = &[
    "</script><img src=x onerror=alert(1)>",
    "\"><svg/onload=alert(1)>",
    "' onmouseover='alert(1)",
    "{{ 7*7 }}{% raw %}",
    "a|b`c``d",
    "@everyone #1 !2 /close",
    "<!-- -->]]>",
    "\u{2028}\u{2029}\u{0}\n\r",
];

fn body() -> Body {
    let mut fleet = Fleet::new(Scenario::HybridToEntra, Join::Hybrid, 7);
    fleet.plan.waves[0].devices = named("pc-*");
    fleet.plan.waves.truncate(1);
    fleet.plan.exclusions.push(exclusion(named("pc-005")));
    fleet.user(3).enabled = false;
    let wave = fleet.plan.waves[0].name.value.clone();
    let decision = decide_ahead(&fleet.plan, &fleet.snapshot, Some(&wave)).expect("no cycle");
    let changes = select(&decision.changes, &wave).expect("a wave");
    let now = fleet.plan.as_of;
    let run = RunId(uuid::Uuid::from_u128(7));
    seal(SealInput {
        index: &decision.index,
        changes: &changes,
        run: RunPlan::from_changes(&changes, &fleet.plan, &wave, run, now).expect("a run"),
        tool: "1",
        sealed_at: now,
        not_after: now + SignedDuration::from_hours(24),
        inputs: Vec::new(),
        snapshot: Digest::of(b"snapshot"),
        parent: None,
    })
}

fn statement(kind: StatementKind, key: u8, by: &str) -> Statement {
    Statement {
        kind,
        over: Digest::of(b"body"),
        key: PublicKey::new([key; 32]),
        by: by.to_owned(),
        role: (kind != StatementKind::Seal).then_some(OwnerRole::ChangeManagement),
        at: jiff::Timestamp::UNIX_EPOCH,
        ticket: Some(format!("CHG-{key}")),
        note: None,
        signature: String::new(),
    }
}

fn shown<'a>(body: &'a Body, statements: &'a [Statement]) -> Shown<'a> {
    Shown { body, digest: Some(Digest::of(b"body")), statements }
}

/// Puts a hostile text wherever data can come from.
fn poisoned(text: &str) -> (Body, Vec<Statement>) {
    let mut body = body();
    body.plan.name = text.to_owned();
    body.wave = text.to_owned();
    body.waves[0].name = text.to_owned();
    body.waves[0].hours = Some(text.to_owned());
    body.waves[0].missing = vec![text.to_owned()];
    body.packages[0].name = text.to_owned();
    body.owners = [(OwnerRole::ChangeManagement, text.to_owned()), (OwnerRole::Identity, text.to_owned())].into();
    body.relies_on.iter_mut().for_each(|one| one.name = text.to_owned());
    body.texts.iter_mut().for_each(|one| *one = text.to_owned());
    body.findings.push(FindingLine {
        code: text.to_owned(),
        outcome: text.to_owned(),
        subject: text.to_owned(),
        seen: text.to_owned(),
        next: text.to_owned(),
        owner: Some(OwnerRole::Identity),
        blocks: true,
    });
    body.exclusions.push(ExclusionLine {
        id: text.to_owned(),
        covers: text.to_owned(),
        owner: text.to_owned(),
        reason: text.to_owned(),
        ticket: Some(text.to_owned()),
        until: body.not_after,
    });
    body.tenant.push(TenantLine {
        op: Op::ALL[0],
        action: Action::Do,
        reason: Reason::NotYetSo,
        account: text.to_owned(),
        package: text.to_owned(),
        policy: Some(text.to_owned()),
        group: None,
        needs_complete: false,
        before: text.to_owned(),
        after: text.to_owned(),
        object: None,
    });
    body.rules.push(RuleLine {
        rule: text.to_owned(),
        effect: text.to_owned(),
        setting: text.to_owned(),
        holds: false,
        seen: text.to_owned(),
        next: text.to_owned(),
    });
    let blocker = BlockerLine { code: text.to_owned(), message: 0, next: 0, owner: OwnerRole::Identity };
    for device in &mut body.devices {
        device.name = format!("{}{text}", device.name);
        device.user = Some(text.to_owned());
        if device.standing == "blocked" {
            device.blockers = vec![blocker.clone()];
        }
        if device.standing == "excluded" {
            device.exclusion = Some(text.to_owned());
        }
    }
    let mut statements = vec![statement(StatementKind::Seal, 1, text), statement(StatementKind::Approval, 2, text)];
    statements[1].note = Some(text.to_owned());
    statements[1].ticket = Some(text.to_owned());
    (body, statements)
}

/// Catches a name of a device, a reason or a remark that becomes markup, a script or a template in the page: every
/// element of a page is one that the same page has without any hostile name.
#[test]
fn hostile_names_do_no_harm_in_html() {
    let tags = |page: &str| -> std::collections::BTreeSet<String> {
        page.split('<').skip(1).map(|rest| rest.split(['>', ' ', '\n']).next().unwrap_or("").to_owned()).collect()
    };
    let (calm, signed) = poisoned("calm");
    let known = tags(&html(&shown(&calm, &signed), None).expect("a page"));
    for text in HOSTILE {
        let (body, statements) = poisoned(text);
        let page = html(&shown(&body, &statements), Some(&body.devices[0].name)).expect("a page");
        let new: Vec<String> = tags(&page).difference(&known).cloned().collect();
        assert!(new.is_empty(), "{text:?} brought {new:?}");
        let (markup, rest) = page.split_once("id=\"data\">").expect("data");
        // What would end an attribute or begin an expression is escaped or left as it is.
        for harm in ["<img", "' onmouseover='", "\"><svg/onload", ">49<", "<!-- "] {
            assert!(!markup.contains(harm), "{text:?}: {harm}");
        }
        // The data is still the data.
        let json = rest.split_once("</script>").expect("an end").0;
        let data: serde_json::Value = serde_json::from_str(json).expect("JSON");
        assert_eq!(data["devices"][0][4], *text);
    }
}

/// Catches foreign text that becomes markup, a mention or another cell in a ticket.
#[test]
fn hostile_names_do_no_harm_in_markdown() {
    let cells = |line: &str| {
        let mut bars = 0;
        let mut signs = line.chars().peekable();
        while let Some(sign) = signs.next() {
            match sign {
                '\\' => drop(signs.next()),
                '|' => bars += 1,
                _ => {}
            }
        }
        bars
    };
    let (calm, signed) = poisoned("calm");
    let calm = markdown(&shown(&calm, &signed));
    for text in HOSTILE {
        let (body, statements) = poisoned(text);
        let page = markdown(&shown(&body, &statements));
        assert!(!page.contains("@everyone") || page.contains("`@everyone"), "{page}");
        assert_eq!(page.lines().count(), calm.lines().count(), "{text:?} broke a line:\n{page}");
        for (line, like) in page.lines().zip(calm.lines()).filter(|(_, like)| like.starts_with('|')) {
            assert_eq!(cells(line), cells(like), "{text:?}: {line}");
        }
        let device = markdown_device(&shown(&body, &statements), &body.devices[0]);
        assert!(device.lines().filter(|line| line.starts_with('|')).all(|line| cells(line) >= 4), "{device}");
    }
}

/// Catches a view that depends on an order of hashing, and one that changes where nothing changed.
#[test]
fn the_same_body_gives_the_same_bytes() {
    let (first, second) = (body(), body());
    let seal = [statement(StatementKind::Seal, 1, "planner")];
    let page = |body: &Body| html(&shown(body, &seal), None).expect("a page");
    assert_eq!(page(&first), page(&second));
    assert_eq!(markdown(&shown(&first, &seal)), markdown(&shown(&second, &seal)));
}

/// Catches a first look that lacks what is decided upon: how many, how far, until when, who still has to sign.
#[test]
fn the_summary_comes_first() {
    let mut body = body();
    body.approvals_required = 1;
    let seal = [statement(StatementKind::Seal, 1, "planner")];
    let page = markdown(&shown(&body, &seal));
    let head: Vec<&str> = page.lines().take(13).collect();
    insta::assert_snapshot!(head.join("\n"), @"
    # Plan `contoso`, wave `pilot`: hybrid-to-entra

    **7 devices: 5 to migrate, 1 blocked, 1 excluded. 120 operations would run; 5 devices would pass the point of no return. 3 findings, 1 of them blocks.**

    | | |
    |---|---|
    | approvals | 0 of 1 given; 1 of any role missing |
    | digest | `230d8358dc8e8890b4c58deeb62912ee2f20357ae92a5cc861b98e68fe31acb5` |
    | sealed | Wed 2026-12-02 18:30 |
    | good until | Thu 2026-12-03 18:30 |
    | observed | Wed 2026-12-02 18:30 |
    | window | none: any time |
    | at a time | 10 devices |
    ");
}

/// Catches a comment that a fleet makes too long to post, and a page that names each device outside of its data.
#[test]
fn views_stay_bounded() {
    let mut body = body();
    let like = body.devices[0].clone();
    let long = "x".repeat(5000);
    body.texts.push(long.clone());
    let text = u32::try_from(body.texts.len() - 1).expect("small");
    body.devices = (0..3000_u32)
        .map(|n| {
            let blocker =
                BlockerLine { code: format!("code-{n}"), message: text, next: text, owner: OwnerRole::Identity };
            let (standing, blockers) = if n % 2 == 0 { ("migrate", Vec::new()) } else { ("blocked", vec![blocker]) };
            DeviceLine { name: format!("PC-{n:06}"), standing: standing.to_owned(), blockers, ..like.clone() }
        })
        .collect();
    body.findings = (0..3000)
        .map(|n| FindingLine {
            code: format!("finding-{n}"),
            outcome: "warn".to_owned(),
            subject: format!("device PC-{n:06}"),
            seen: long.clone(),
            next: long.clone(),
            owner: [Some(OwnerRole::Identity), Some(OwnerRole::Network), None][n % 3],
            blocks: false,
        })
        .collect();
    let seal = [statement(StatementKind::Seal, 1, "planner")];
    let text = markdown(&shown(&body, &seal));
    assert!(text.len() <= LIMIT, "{}", text.len());
    let page = html(&shown(&body, &seal), None).expect("a page");
    let (before, data) = page.split_once("id=\"data\">").expect("data");
    assert!(data.contains("PC-002999") && before.matches("PC-00").count() < 800, "{}", before.matches("PC-00").count());
}

/// Catches an approval that is counted though it was taken back, came from the seal's key, or came twice from one
/// person, and a rejection that isn't said first.
#[test]
fn approvals_are_counted_as_apply_counts_them() {
    let mut body = body();
    body.approvals_required = 2;
    body.approvals_from = vec![OwnerRole::ChangeManagement];
    let words = |statements: &[Statement]| {
        let page = markdown(&shown(&body, statements));
        page.lines().find(|line| line.starts_with("| approvals |")).expect("a line").to_owned()
    };
    use StatementKind::{Approval, Rejection, Revocation, Seal};
    let seal = statement(Seal, 1, "planner");
    let two = [seal.clone(), statement(Approval, 2, "jane"), statement(Approval, 3, "john")];
    assert_eq!(words(&two), "| approvals | 2 of 2 given |");
    let twice = [seal.clone(), statement(Approval, 2, "jane"), statement(Approval, 3, "jane")];
    assert_eq!(words(&twice), "| approvals | 1 of 2 given; 1 of change-management missing |");
    let own = [seal.clone(), statement(Approval, 1, "jane"), statement(Approval, 3, "john")];
    assert_eq!(words(&own), "| approvals | 1 of 2 given; 1 of change-management missing |");
    let back = [two.to_vec(), vec![statement(Revocation, 2, "jane")]].concat();
    assert_eq!(words(&back), "| approvals | 1 of 2 given; 1 of change-management missing |");
    let sent = [two.to_vec(), vec![statement(Rejection, 3, "john")]].concat();
    assert_eq!(words(&sent), "| approvals | sent back: it can't be applied any more |");
    let other = Statement { role: Some(OwnerRole::Network), ..statement(Approval, 4, "joan") };
    assert_eq!(words(&[seal, other]), "| approvals | 0 of 2 given; 2 of change-management missing |");
    let unsealed = markdown(&Shown::unsealed(&body));
    assert!(unsealed.contains("**Not sealed.**") && unsealed.contains("can't be approved or applied"), "{unsealed}");
}

/// Catches a policy that no longer fits the page's own script and style, so that a browser runs neither, and a page that
/// asks for anything from elsewhere.
#[test]
fn the_page_needs_nothing_else() {
    let body = body();
    let page = html(&Shown::unsealed(&body), None).expect("a page");
    let digest = |text: &str| {
        use base64::Engine as _;
        use sha2::Digest as _;
        base64::engine::general_purpose::STANDARD.encode(sha2::Sha256::digest(text.as_bytes()))
    };
    let between = |from: &str, to: &str| page.split_once(from).expect(from).1.split_once(to).expect(to).0;
    let policy = between("Content-Security-Policy\" content=\"", "\"");
    assert!(policy.starts_with("default-src 'none';"), "{policy}");
    assert!(policy.contains(&format!("script-src 'sha256-{}'", digest(between("<script>", "</script>")))));
    assert!(policy.contains(&format!("style-src 'sha256-{}'", digest(between("<style>", "</style>")))));
    for outside in [" src=", "http://", "https://", "@import", "url(", " style=", "onclick", "innerHTML", "eval("] {
        let found = page.replace("http://www.w3.org/2000/svg", "");
        assert!(!found.contains(outside), "{outside}");
    }
}

/// Catches a time line whose labels stand on one another, run out of the drawing, or have positions that aren't
/// numbers, whatever the dates are.
#[test]
fn the_time_line_holds_whatever_the_dates_are() {
    use crate::render::when::Zone;
    let zone = Zone::named("Europe/London");
    let mut body = body();
    let far = [jiff::Timestamp::MIN, jiff::Timestamp::UNIX_EPOCH, body.sealed_at, jiff::Timestamp::MAX];
    let wave = body.waves[0].clone();
    for from in far {
        for to in far {
            body.waves = vec![wave.clone(); 3];
            body.waves[1].window = Some((from, to));
            body.packages[0].life = (from, to);
            body.not_after = to;
            let svg = super::timeline::timeline(&body, &zone);
            let mut last = 0;
            for text in svg.match_indices("<text x=").map(|(at, _)| &svg[at..]) {
                let y: i64 =
                    text.split("y=\"").nth(1).and_then(|y| y.split('"').next()).expect("y").parse().expect("y");
                assert!(y >= last + 16, "rows of labels at {last} and {y}");
                last = y;
            }
            for width in svg.match_indices("width=\"").map(|(at, _)| &svg[at + 7..]) {
                let number: f64 = width.split('"').next().expect("an end").parse().expect("a number");
                assert!((0.0..=760.0).contains(&number), "{number}");
            }
        }
    }
}
