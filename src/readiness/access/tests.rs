//! The table is held, the laws of exclusions hold, and findings say what a person has to do.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::table::{ACCOUNT, GROUP, OFFICE, PRINCIPAL, TABLE, Want};
use super::{Caller, Category, SignIn, Verdict, categories, conditions, judge};
use crate::dag::fixture::{self, Fleet, Join, at, id, list, spanned};
use crate::dag::{Index, assign, compile, views};
use crate::model::{Check, Feature, GroupId, Known, PolicyId, Scenario, UserId};
use crate::plan::{CaExclusion, Exclusion, ExclusionKind};
use crate::readiness::{Finding, OutcomeKind, Subject, assess};
use crate::state::{ConditionalAccessPolicy, InOut, NamedLocation};

const SIGN_INS: [SignIn; 3] = [SignIn::Join, SignIn::Enrolment, SignIn::Application];

/// The policy that every row of the table starts from.
fn base() -> ConditionalAccessPolicy {
    ConditionalAccessPolicy {
        id: PolicyId(id(0xE, 0)),
        name: "MFA".to_owned(),
        state: "enabled".to_owned(),
        include_users: vec!["All".to_owned()],
        applications: InOut { include: vec!["All".to_owned()], exclude: Vec::new() },
        client_app_types: vec!["all".to_owned()],
        operator: Some("OR".to_owned()),
        grant: vec!["mfa".to_owned()],
        ..ConditionalAccessPolicy::default()
    }
}

fn caller(sign_in: SignIn) -> Caller {
    let application = sign_in == SignIn::Application;
    Caller {
        name: if application { "opsole" } else { fixture::ACCOUNT }.to_owned(),
        id: Known::Known(if application { PRINCIPAL } else { ACCOUNT }),
        groups: Known::Known(vec![GROUP]),
        privileged: false,
        at_home: true,
        managed: false,
    }
}

fn places() -> Known<Vec<NamedLocation>> {
    Known::Known(vec![NamedLocation { id: OFFICE, name: "Office".to_owned(), trusted: true }])
}

fn fits(verdict: &Verdict, want: Want) -> bool {
    match (verdict, want) {
        (Verdict::Blocks, Want::Blocks) => true,
        (Verdict::MayBlock(why), Want::May(part)) => why.len() == 1 && why[0].contains(part),
        (Verdict::Passes(why), Want::Passes(part)) => why.contains(part),
        (Verdict::Excluded { by }, Want::Excluded(part)) => by.contains(part),
        (Verdict::NotEnforced { report_only, would }, Want::Off { report_only: r, would: w }) => {
            (*report_only, *would) == (r, w)
        }
        _ => false,
    }
}

/// Catches what each row of the table names.
#[test]
fn the_table_of_policies() {
    let mut failed = Vec::new();
    let mut seen = BTreeSet::new();
    for row in TABLE {
        let mut policy = base();
        (row.make)(&mut policy);
        for (sign_in, want) in SIGN_INS.into_iter().zip(row.wants) {
            let found = judge(&policy, sign_in, &caller(sign_in), &places()).verdict;
            if !fits(&found, want) {
                failed.push(format!("{}: {sign_in:?} {found:?}, wanted {want:?}", row.catches));
            }
        }
        let found = categories(&policy);
        if found != row.categories {
            failed.push(format!("{}: {found:?}, wanted {:?}", row.catches, row.categories));
        }
        seen.extend(found);
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    assert!(TABLE.len() >= 30);
    assert_eq!(seen.len(), Category::ALL.len(), "a row for each category: {seen:?}");
}

/// Catches something that couldn't be read taken for "not in it", on either side of a policy.
#[test]
fn what_is_not_known_may_block() {
    let unread = |caller: Caller| Caller { groups: Known::Unknown("403".to_owned()), ..caller };
    let mut policy = base();
    policy.exclude_groups = vec![GROUP];
    let join =
        |policy: &ConditionalAccessPolicy, caller: &Caller| judge(policy, SignIn::Join, caller, &places()).verdict;
    assert!(matches!(join(&policy, &unread(caller(SignIn::Join))), Verdict::MayBlock(_)));
    (policy.include_users, policy.include_groups, policy.exclude_groups) = (Vec::new(), vec![GROUP], Vec::new());
    assert!(matches!(join(&policy, &unread(caller(SignIn::Join))), Verdict::MayBlock(_)));
    let nameless = Caller { id: Known::Unknown("403".to_owned()), ..caller(SignIn::Join) };
    (policy.include_users, policy.include_groups) = (vec![ACCOUNT.to_string()], Vec::new());
    assert!(matches!(join(&policy, &nameless), Verdict::MayBlock(_)));
    let privileged = Caller { privileged: true, ..caller(SignIn::Join) };
    (policy.include_users, policy.include_roles) = (Vec::new(), vec!["a role".to_owned()]);
    assert!(matches!(join(&policy, &privileged), Verdict::MayBlock(_)));
}

/// Catches managed identities and guests of another tenant that a policy is said to meet.
#[test]
fn not_every_application_is_met() {
    let mut policy = base();
    policy.include_users.clear();
    policy.service_principals =
        Some(InOut { include: vec!["ServicePrincipalsInMyTenant".to_owned()], ..InOut::default() });
    policy.grant = vec!["block".to_owned()];
    let found = |caller: &Caller| judge(&policy, SignIn::Application, caller, &places()).verdict;
    assert_eq!(found(&caller(SignIn::Application)), Verdict::Blocks);
    assert!(matches!(found(&Caller { managed: true, ..caller(SignIn::Application) }), Verdict::Passes(_)));
    assert!(matches!(found(&Caller { at_home: false, ..caller(SignIn::Application) }), Verdict::Passes(_)));
}

/// Catches conditions that are shown as ids, or left out of what people read.
#[test]
fn conditions_in_words() {
    let mut policy = base();
    policy.user_actions = vec!["urn:user:registerdevice".to_owned()];
    policy.applications = InOut::default();
    policy.exclude_groups = vec![GROUP];
    policy.locations = Some(InOut { include: vec!["All".to_owned()], exclude: vec![OFFICE.to_string()] });
    policy.platforms = Some(InOut { include: Vec::new(), exclude: vec!["iOS".to_owned()] });
    insta::assert_snapshot!(conditions(&policy, &places()).join("\n"), @r"
    users: All except 1 group
    user action: register or join devices
    platforms: all except iOS
    locations: anywhere except Office (trusted)
    ");
}

// --- findings

fn with(policy: ConditionalAccessPolicy) -> Fleet {
    let mut fleet = Fleet::new(Scenario::HybridToEntra, Join::Hybrid, 4);
    let mut package = fleet.user(0).clone();
    (package.upn, package.id, package.on_premises_sid) = (fixture::ACCOUNT.to_owned(), UserId(ACCOUNT), None);
    let users = list(&mut fleet.origin().users);
    users.retain(|user| user.upn != fixture::ACCOUNT);
    users.push(package);
    list(&mut fleet.origin().conditional_access).push(policy);
    fleet
}

fn entry(policy: &str) -> Exclusion {
    let of = CaExclusion { policy: policy.to_owned(), account: fixture::ACCOUNT.to_owned(), group: None };
    Exclusion {
        id: spanned("ca-bulk".to_owned(), 900),
        of: ExclusionKind::ConditionalAccess(of),
        owner: "secops@contoso.com".to_owned(),
        reason: "bulk enrolment can't answer MFA".to_owned(),
        ticket: Some("CHG-1".to_owned()),
        expires: spanned(jiff::civil::date(2027, 1, 31), 910),
        until: at("2027-02-01T00:00:00Z"),
    }
}

fn found(fleet: &Fleet) -> Vec<Finding> {
    let index = Index::new(&fleet.plan, &fleet.snapshot);
    let assignment = assign(&index);
    let views = views(&index, &assignment);
    let graph = compile(&index, &assignment, &views).expect("no cycle");
    let readiness = assess(&index, &assignment, &views, &graph);
    readiness.findings.into_iter().filter(|finding| finding.check == Check::EntConditionalAccess).collect()
}

fn outcome(fleet: &Fleet) -> (OutcomeKind, String, String) {
    let all = found(fleet);
    assert_eq!(all.len(), 1, "{all:#?}");
    (all[0].outcome.kind(), all[0].seen.to_string(), all[0].remedy.to_string())
}

/// Catches a policy that blocks and passes, one that blocks although `apply` opens it first, an exclusion that nobody will
/// take out, and an entry that is taken for an exclusion of the tenant.
#[test]
fn plan_and_tenant_together() {
    let mut fleet = with(base());
    let (kind, seen, remedy) = outcome(&fleet);
    assert_eq!(kind, OutcomeKind::Fail);
    insta::assert_snapshot!(seen, @"policy `MFA` refuses the device join and Intune enrolment of package_1@contoso.com: it asks for MFA (users: All; resources: all); category: MFA for registration or join");
    assert!(remedy.contains("of: {conditional-access: {policy: \"MFA\", account: package_1@contoso.com}}"), "{remedy}");
    // The plan's entry alone opens nothing.
    fleet.plan.exclusions.push(entry("MFA"));
    fleet.plan.features.observe_exclusions = true;
    let (kind, seen, _) = outcome(&fleet);
    assert!(kind == OutcomeKind::Fail && seen.contains("isn't in the tenant"), "{seen}");
    // Managed, `apply` opens it before the first device.
    fleet.plan.features.on = fleet.plan.features.on.with(Feature::ConditionalAccessExclusions);
    let (kind, seen, _) = outcome(&fleet);
    assert!(kind == OutcomeKind::Excepted && seen.contains("`ca-bulk`"), "{seen}");
    // One that has run out covers nothing, and one of another policy neither.
    fleet.plan.exclusions[0].until = fleet.plan.as_of;
    assert_eq!(outcome(&fleet).0, OutcomeKind::Fail);
    list(&mut fleet.origin().conditional_access).push(ConditionalAccessPolicy {
        name: "Another policy".to_owned(),
        state: "disabled".to_owned(),
        ..base()
    });
    fleet.plan.exclusions[0] = entry("Another policy");
    assert_eq!(outcome(&fleet).0, OutcomeKind::Fail);
    // Live in the tenant and in the plan: nothing to say. Live in the tenant alone: nobody will take it out.
    list(&mut fleet.origin().conditional_access)[0].exclude_users.push(ACCOUNT.to_string());
    let (kind, seen, _) = outcome(&fleet);
    assert!(kind == OutcomeKind::Warn && seen.contains("nobody will take it out"), "{seen}");
    fleet.plan.exclusions[0] = entry("MFA");
    assert_eq!(outcome(&fleet).0, OutcomeKind::Pass);
}

/// Catches policies that weren't read taken for none, a policy that may block taken for one that does or doesn't, and a
/// report-only one that is silent.
#[test]
fn unread_unsure_and_reported() {
    let mut fleet = with(ConditionalAccessPolicy { sign_in_risk: vec!["high".to_owned()], ..base() });
    let (kind, seen, _) = outcome(&fleet);
    assert!(kind == OutcomeKind::Unknown && seen.contains("may refuse") && seen.contains("how risky"), "{seen}");
    list(&mut fleet.origin().conditional_access)[0].state = "enabledForReportingButNotEnforced".to_owned();
    assert_eq!(outcome(&fleet).0, OutcomeKind::Warn);
    list(&mut fleet.origin().conditional_access)[0].state = "disabled".to_owned();
    let (kind, seen, _) = outcome(&fleet);
    assert!(kind == OutcomeKind::Pass && seen.contains("disabled: `MFA`"), "{seen}");
    let refusal = "the app needs Policy.Read.All (graph.forbidden)".to_owned();
    for (unread, next) in [(Known::Absent, "`app.permissions`"), (Known::Unknown(refusal), "grant Policy.Read.All ")] {
        fleet.origin().conditional_access = unread;
        let (kind, _, remedy) = outcome(&fleet);
        assert!(kind == OutcomeKind::Unknown && remedy.contains(next), "{remedy}");
    }
}

/// Catches an exclusion of a policy that doesn't exist and that only `apply` finds, although a check was asked for; and
/// one that is told where nobody would open it.
#[test]
fn an_exclusion_names_a_policy_that_is_there() {
    let mut fleet = with(ConditionalAccessPolicy { state: "disabled".to_owned(), ..base() });
    fleet.plan.exclusions.push(entry("Nope"));
    assert_eq!(outcome(&fleet).0, OutcomeKind::Pass, "nothing is opened");
    fleet.plan.features.on = fleet.plan.features.on.with(Feature::ConditionalAccessExclusions);
    let (kind, seen, remedy) = outcome(&fleet);
    assert_eq!(kind, OutcomeKind::Fail);
    insta::assert_snapshot!(seen, @"the plan excludes package_1@contoso.com from policy `Nope` (exclusion `ca-bulk`), which the tenant doesn't have");
    assert!(remedy.contains("display name as the portal shows it"), "{remedy}");
    fleet.plan.exclusions[0].until = fleet.plan.as_of;
    let (kind, _, remedy) = outcome(&fleet);
    assert!(kind == OutcomeKind::Fail && remedy.contains("take it out of the plan"), "{remedy}");
    let two = list(&mut fleet.origin().conditional_access)[0].clone();
    list(&mut fleet.origin().conditional_access).push(two);
    fleet.plan.exclusions[0] = entry("MFA");
    let (kind, seen, _) = outcome(&fleet);
    assert!(kind == OutcomeKind::Fail && seen.contains("has 2 of that name"), "{seen}");
}

/// Catches a source tenant whose policies are held against a join that happens elsewhere, and one that isn't looked at.
#[test]
fn the_source_meets_the_application_alone() {
    let mut fleet = Fleet::new(Scenario::TenantToTenant, Join::Entra, 2);
    list(&mut fleet.origin().conditional_access).push(base());
    let all = found(&fleet);
    assert_eq!(all.len(), 2, "both sides: {all:#?}");
    assert!(all.iter().all(|finding| finding.outcome.kind() == OutcomeKind::Pass), "{all:#?}");
    let policy = &mut list(&mut fleet.origin().conditional_access)[0];
    policy.include_users.clear();
    policy.service_principals =
        Some(InOut { include: vec!["ServicePrincipalsInMyTenant".to_owned()], ..InOut::default() });
    policy.grant = vec!["block".to_owned()];
    fleet.origin().app = Known::Unknown("403".to_owned());
    let all = found(&fleet);
    let of =
        |name: &str| all.iter().find(|one| one.subject == Subject::Tenant(name.into())).map(|one| one.outcome.kind());
    assert_eq!((of("contoso"), of("fabrikam")), (Some(OutcomeKind::Fail), Some(OutcomeKind::Pass)), "{all:#?}");
}

// --- laws

fn word() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("All".to_owned()),
        Just("None".to_owned()),
        Just("GuestsOrExternalUsers".to_owned()),
        Just("AllTrusted".to_owned()),
        Just("urn:user:registerdevice".to_owned()),
        Just("windows".to_owned()),
        Just("mfa".to_owned()),
        Just("block".to_owned()),
        Just("compliantDevice".to_owned()),
        Just(ACCOUNT.to_string()),
        Just(PRINCIPAL.to_string()),
        Just("d4ebce55-015a-49b5-a083-c84d1797ae8c".to_owned()),
        ".{0,8}",
    ]
}
fn some() -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec(word(), 0..4)
}
fn in_out() -> impl Strategy<Value = InOut> {
    (some(), some()).prop_map(|(include, exclude)| InOut { include, exclude })
}
fn groups() -> impl Strategy<Value = Vec<GroupId>> {
    prop::collection::vec((0_u128..9).prop_map(|n| GroupId(uuid::Uuid::from_u128(n))), 0..3)
}
fn any_policy() -> impl Strategy<Value = ConditionalAccessPolicy> {
    let state = prop_oneof![4 => Just("enabled".to_owned()), 1 => ".{0,6}"];
    let operator = prop::option::of(prop_oneof![Just("AND".to_owned()), Just("OR".to_owned()), ".{0,3}"]);
    (
        (state, operator, some(), some(), some(), some(), some(), groups(), groups()),
        (in_out(), prop::option::of(in_out()), prop::option::of(in_out()), prop::option::of(in_out())),
        (some(), some(), some(), prop::option::of((".{0,5}", ".{0,120}")), any::<bool>()),
    )
        .prop_map(|(first, parts, rest)| {
            let (state, operator, include_users, exclude_users, user_actions, client, grant, include, exclude) = first;
            let (applications, service_principals, platforms, locations) = parts;
            let (sign_in_risk, user_risk, authentication_flows, device_filter, terms_of_use) = rest;
            ConditionalAccessPolicy {
                state,
                operator,
                include_users,
                exclude_users,
                user_actions,
                client_app_types: client,
                grant,
                include_groups: include,
                exclude_groups: exclude,
                applications,
                service_principals,
                platforms,
                locations,
                sign_in_risk,
                user_risk,
                authentication_flows,
                device_filter,
                terms_of_use,
                ..ConditionalAccessPolicy::default()
            }
        })
}
fn any_caller() -> impl Strategy<Value = (SignIn, Caller)> {
    (0_usize..3, any::<[bool; 5]>()).prop_map(|(sign_in, [privileged, managed, at_home, known, read])| {
        let sign_in = SIGN_INS[sign_in];
        let mut caller = Caller { privileged, managed, at_home, ..caller(sign_in) };
        if !known {
            caller.id = Known::Unknown("403".to_owned());
        }
        if !read {
            caller.groups = Known::Unknown("403".to_owned());
        }
        (sign_in, caller)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    /// Catches an exclusion of the account that makes a policy block that didn't.
    #[test]
    fn an_exclusion_only_opens(policy in any_policy(), (sign_in, caller) in any_caller()) {
        let before = judge(&policy, sign_in, &caller, &places()).verdict;
        let mut excluded = policy;
        excluded.exclude_users.push(ACCOUNT.to_string());
        if let Some(principals) = &mut excluded.service_principals {
            principals.exclude.push(PRINCIPAL.to_string());
        }
        let after = judge(&excluded, sign_in, &caller, &places()).verdict;
        prop_assert!(before.stops() || !after.stops(), "{:?} became {:?}", before, after);
        if matches!(caller.id, Known::Known(_)) {
            prop_assert!(!after.stops(), "excluded, and {:?}", after);
        }
    }

    /// Catches a disabled or report-only policy that blocks, and one that would block and isn't said to.
    #[test]
    fn what_is_not_enforced_never_blocks(policy in any_policy(), (sign_in, caller) in any_caller()) {
        let enabled = ConditionalAccessPolicy { state: "enabled".to_owned(), ..policy.clone() };
        let stops = judge(&enabled, sign_in, &caller, &places()).verdict.stops();
        for state in ["disabled", "enabledForReportingButNotEnforced"] {
            let off = ConditionalAccessPolicy { state: state.to_owned(), ..policy.clone() };
            let found = judge(&off, sign_in, &caller, &places()).verdict;
            prop_assert_eq!(found, Verdict::NotEnforced { report_only: state != "disabled", would: stops });
        }
    }

    /// Catches words of a tenant that make an evaluation panic, and reasons that are empty.
    #[test]
    fn evaluation_is_total(policy in any_policy(), (sign_in, caller) in any_caller()) {
        let found = judge(&policy, sign_in, &caller, &Known::Absent);
        prop_assert!(!found.control.is_empty());
        if let Verdict::MayBlock(why) = &found.verdict {
            prop_assert!(!why.is_empty() && why.iter().all(|why| !why.is_empty()));
        }
        let _ = (categories(&policy), conditions(&policy, &Known::Unknown("403".to_owned())));
    }
}
