//! The table of test policies: what each does to the three sign-ins, which categories it falls in, and the mistake that
//! it catches. Every row starts from "all users, all resources, MFA" unless it says otherwise.

use uuid::Uuid;

use super::policy::Category::{
    self, ApprovedApp, CompliantDevice, CrossTenant, HybridDevice, JoinMfa, Platform, Risk, TrustedLocation,
};
use crate::model::GroupId;
use crate::state::{ConditionalAccessPolicy as P, InOut};

/// The package account, a group that holds it, one that doesn't, the application's service principal, a location.
pub(super) const ACCOUNT: Uuid = Uuid::from_u128(0xA);
pub(super) const GROUP: GroupId = GroupId(Uuid::from_u128(0x6));
pub(super) const OTHER: GroupId = GroupId(Uuid::from_u128(0x7));
pub(super) const PRINCIPAL: Uuid = Uuid::from_u128(0x5);
pub(super) const OFFICE: Uuid = Uuid::from_u128(0x10);

/// What has to become of a sign-in; texts are parts of the reason.
#[derive(Debug, Clone, Copy)]
pub(super) enum Want {
    Blocks,
    May(&'static str),
    Passes(&'static str),
    Excluded(&'static str),
    Off { report_only: bool, would: bool },
}
use Want::{Blocks, Excluded, May, Off, Passes};

/// One row.
pub(super) struct Row {
    /// The mistake that it catches.
    pub(super) catches: &'static str,
    /// What is different from the policy that every row starts from.
    pub(super) make: fn(&mut P),
    /// Device join, Intune enrolment, application.
    pub(super) wants: [Want; 3],
    pub(super) categories: &'static [Category],
}

const PEOPLE: Want = Passes("for people");
const JOIN: &str = "urn:user:registerdevice";
const DRS: &str = "01cb2876-7ebd-4aa4-9cc9-d28bd4d359a9";
const ENROLMENT: &str = "d4ebce55-015a-49b5-a083-c84d1797ae8c";
const INTUNE: &str = "0000000a-0000-0000-c000-000000000000";

fn words(all: &[&str]) -> Vec<String> {
    all.iter().map(|&word| word.to_owned()).collect()
}
fn part(include: &[&str], exclude: &[&str]) -> InOut {
    InOut { include: words(include), exclude: words(exclude) }
}
fn grant(policy: &mut P, operator: &str, controls: &[&str]) {
    policy.operator = Some(operator.to_owned());
    policy.grant = words(controls);
}
/// Makes it a policy for the user action alone, as the portal does.
fn on_join(policy: &mut P) {
    policy.user_actions = words(&[JOIN]);
    policy.applications = InOut::default();
}
fn for_applications(policy: &mut P, include: &[&str], exclude: &[&str]) {
    policy.include_users.clear();
    policy.service_principals = Some(part(include, exclude));
    grant(policy, "OR", &["block"]);
}

pub(super) static TABLE: &[Row] = &[
    Row {
        catches: "MFA for everybody that isn't seen to stop bulk enrolment",
        make: |_| {},
        wants: [Blocks, Blocks, PEOPLE],
        categories: &[JoinMfa],
    },
    Row {
        catches: "the user action overlooked, or taken for the enrolment too",
        make: on_join,
        wants: [Blocks, Passes("other resources"), PEOPLE],
        categories: &[JoinMfa],
    },
    Row {
        catches: "another user action taken for the join",
        make: |p| {
            on_join(p);
            p.user_actions = words(&["urn:user:registersecurityinfo"]);
        },
        wants: [Passes("other resources"), Passes("other resources"), PEOPLE],
        categories: &[],
    },
    Row {
        catches: "client apps that seem to narrow the user action, which doesn't know them",
        make: |p| {
            on_join(p);
            p.client_app_types = words(&["browser"]);
        },
        wants: [Blocks, Passes("other resources"), PEOPLE],
        categories: &[JoinMfa],
    },
    Row {
        catches: "a device filter that seems to open the user action, which doesn't know it",
        make: |p| {
            on_join(p);
            p.device_filter = Some(("exclude".to_owned(), "device.model -eq \"X\"".to_owned()));
        },
        wants: [Blocks, Passes("other resources"), PEOPLE],
        categories: &[JoinMfa],
    },
    Row {
        catches: "the registration service named by its id and overlooked",
        make: |p| p.applications = part(&[DRS], &[]),
        wants: [Blocks, Passes("other resources"), PEOPLE],
        categories: &[JoinMfa],
    },
    Row {
        catches: "the enrolment named by its id in capitals and overlooked",
        make: |p| p.applications = part(&[&ENROLMENT.to_uppercase()], &[]),
        wants: [Passes("other resources"), Blocks, PEOPLE],
        categories: &[JoinMfa],
    },
    Row {
        catches: "Microsoft Intune taken for certain to be, or not to be, the enrolment",
        make: |p| p.applications = part(&[INTUNE], &[]),
        wants: [Passes("other resources"), May("isn't proven"), PEOPLE],
        categories: &[JoinMfa],
    },
    Row {
        catches: "a resource that is left out and counted all the same",
        make: |p| p.applications = part(&["All"], &[ENROLMENT]),
        wants: [Blocks, Passes("leaves the resource"), PEOPLE],
        categories: &[JoinMfa],
    },
    Row {
        catches: "a policy for Office taken for one for everything",
        make: |p| p.applications = part(&["Office365"], &[]),
        wants: [Passes("other resources"), Passes("other resources"), PEOPLE],
        categories: &[],
    },
    Row {
        catches: "an authentication strength, which stands beside the controls, taken for no control",
        make: |p| {
            p.grant.clear();
            p.authentication_strength = Some("Phishing-resistant MFA".to_owned());
        },
        wants: [Blocks, Blocks, PEOPLE],
        categories: &[JoinMfa],
    },
    Row {
        catches: "terms of use that nobody is there to accept",
        make: |p| {
            p.grant.clear();
            p.terms_of_use = true;
        },
        wants: [Blocks, Blocks, PEOPLE],
        categories: &[],
    },
    Row {
        catches: "a policy of session controls alone that is said to stop somebody, since no control fails",
        make: |p| grant(p, "OR", &[]),
        wants: [Passes("stops nobody"), Passes("stops nobody"), PEOPLE],
        categories: &[],
    },
    Row {
        catches: "a compliant device said to stop the enrolment, which it is documented not to",
        make: |p| grant(p, "OR", &["compliantDevice"]),
        wants: [May("no state yet"), Passes("compliant device"), PEOPLE],
        categories: &[CompliantDevice],
    },
    Row {
        catches: "a device rule on the enrolment itself that passes as if it were for all resources",
        make: |p| {
            p.applications = part(&[ENROLMENT], &[]);
            grant(p, "OR", &["compliantDevice"]);
        },
        wants: [Passes("other resources"), May("device rule"), PEOPLE],
        categories: &[CompliantDevice],
    },
    Row {
        catches: "a hybrid joined device asked of one that has just left its domain",
        make: |p| grant(p, "OR", &["domainJoinedDevice"]),
        wants: [May("no state yet"), Blocks, PEOPLE],
        categories: &[HybridDevice],
    },
    Row {
        catches: "OR read as AND: a control that the enrolment passes is enough",
        make: |p| grant(p, "OR", &["compliantDevice", "mfa"]),
        wants: [May("no state yet"), Passes("compliant device"), PEOPLE],
        categories: &[JoinMfa, CompliantDevice],
    },
    Row {
        catches: "AND read as OR: MFA stays unanswered",
        make: |p| grant(p, "AND", &["compliantDevice", "mfa"]),
        wants: [Blocks, Blocks, PEOPLE],
        categories: &[JoinMfa, CompliantDevice],
    },
    Row {
        catches: "an approved client app, which Windows doesn't have, taken for something that it can have",
        make: |p| grant(p, "OR", &["approvedApplication", "compliantApplication"]),
        wants: [Blocks, Blocks, PEOPLE],
        categories: &[ApprovedApp],
    },
    Row {
        catches: "a new control of Microsoft's that passes because nobody knows it",
        make: |p| grant(p, "OR", &["unknownFutureValue"]),
        wants: [May("isn't known"), May("isn't known"), PEOPLE],
        categories: &[],
    },
    Row {
        catches: "trusted places left out, taken for certain although nobody knows where devices join",
        make: |p| {
            p.locations = Some(part(&["All"], &["AllTrusted"]));
            grant(p, "OR", &["block"]);
        },
        wants: [May("except trusted places"), May("except trusted places"), PEOPLE],
        categories: &[TrustedLocation],
    },
    Row {
        catches: "a named place that is shown as an id",
        make: |p| p.locations = Some(part(&[&OFFICE.to_string()], &[])),
        wants: [May("Office (trusted)"), May("Office (trusted)"), PEOPLE],
        categories: &[JoinMfa, TrustedLocation],
    },
    Row {
        catches: "every place taken for a condition",
        make: |p| p.locations = Some(part(&["All"], &[])),
        wants: [Blocks, Blocks, PEOPLE],
        categories: &[JoinMfa],
    },
    Row {
        catches: "a risk policy that is said to block every join, or none",
        make: |p| p.sign_in_risk = words(&["high", "medium"]),
        wants: [May("sign-in risk high, medium"), May("how risky"), PEOPLE],
        categories: &[JoinMfa, Risk],
    },
    Row {
        catches: "user risk with a new password, outside the category of risks",
        make: |p| {
            p.user_risk = words(&["high"]);
            grant(p, "AND", &["mfa", "passwordChange"]);
        },
        wants: [May("user risk high"), May("user risk high"), PEOPLE],
        categories: &[JoinMfa, Risk],
    },
    Row {
        catches: "phones' policy taken for one that meets Windows",
        make: |p| p.platforms = Some(part(&["android", "iOS"], &[])),
        wants: [Passes("other platforms"), Passes("other platforms"), PEOPLE],
        categories: &[JoinMfa],
    },
    Row {
        catches: "Windows left out of MFA and stopped all the same",
        make: |p| p.platforms = Some(part(&["all"], &["windows"])),
        wants: [Passes("leaves Windows out"), Passes("leaves Windows out"), PEOPLE],
        categories: &[JoinMfa],
    },
    Row {
        catches: "unknown platforms blocked: whether a bulk token's sign-in says Windows isn't proven",
        make: |p| {
            p.platforms = Some(part(&["all"], &["android", "iOS", "windows", "macOS", "linux"]));
            grant(p, "OR", &["block"]);
        },
        wants: [May("isn't proven"), May("isn't proven"), PEOPLE],
        categories: &[Platform],
    },
    Row {
        catches: "Windows itself blocked and taken for a policy about other platforms",
        make: |p| {
            p.platforms = Some(part(&["windows"], &[]));
            grant(p, "OR", &["block"]);
        },
        wants: [Blocks, Blocks, PEOPLE],
        categories: &[Platform],
    },
    Row {
        catches: "legacy authentication blocked, which bulk enrolment doesn't use",
        make: |p| {
            p.client_app_types = words(&["exchangeActiveSync", "other"]);
            grant(p, "OR", &["block"]);
        },
        wants: [Passes("legacy"), Passes("legacy"), PEOPLE],
        categories: &[Platform],
    },
    Row {
        catches: "a browsers' policy that is said to stop a native client",
        make: |p| p.client_app_types = words(&["browser"]),
        wants: [Passes("browsers"), Passes("browsers"), PEOPLE],
        categories: &[JoinMfa],
    },
    Row {
        catches: "Microsoft's own block of device codes taken for a block of everything",
        make: |p| {
            p.authentication_flows = words(&["deviceCodeFlow"]);
            grant(p, "OR", &["block"]);
        },
        wants: [Passes("device codes"), Passes("device codes"), PEOPLE],
        categories: &[],
    },
    Row {
        catches: "a device filter worked out although there is no device yet",
        make: |p| p.device_filter = Some(("include".to_owned(), "device.isCompliant -eq False".to_owned())),
        wants: [May("device filter"), May("device filter"), PEOPLE],
        categories: &[JoinMfa],
    },
    Row {
        catches: "guests' policy taken for one that meets a member, and kept out of the cross-tenant ones",
        make: |p| {
            p.include_users = words(&["GuestsOrExternalUsers"]);
            grant(p, "OR", &["block"]);
        },
        wants: [Passes("doesn't take the account in"), Passes("doesn't take the account in"), PEOPLE],
        categories: &[CrossTenant],
    },
    Row {
        catches: "the account named by its id and not found",
        make: |p| p.include_users = words(&[&ACCOUNT.to_string().to_uppercase()]),
        wants: [Blocks, Blocks, PEOPLE],
        categories: &[JoinMfa],
    },
    Row {
        catches: "membership in a group that is taken in overlooked",
        make: |p| (p.include_users, p.include_groups) = (Vec::new(), vec![OTHER, GROUP]),
        wants: [Blocks, Blocks, PEOPLE],
        categories: &[JoinMfa],
    },
    Row {
        catches: "an administrators' policy that is said to stop an account without a role",
        make: |p| (p.include_users, p.include_roles) = (Vec::new(), words(&["62e90394-69f5-4237-9190-012177145e10"])),
        wants: [Passes("doesn't take the account in"), Passes("doesn't take the account in"), PEOPLE],
        categories: &[JoinMfa],
    },
    Row {
        catches: "an exclusion of the account that doesn't count",
        make: |p| p.exclude_users = words(&[&ACCOUNT.to_string()]),
        wants: [Excluded("itself"), Excluded("itself"), PEOPLE],
        categories: &[JoinMfa],
    },
    Row {
        catches: "an exclusion through a group that doesn't count, or isn't told from one by name",
        make: |p| p.exclude_groups = vec![GROUP],
        wants: [Excluded("its group"), Excluded("its group"), PEOPLE],
        categories: &[JoinMfa],
    },
    Row {
        catches: "somebody else's exclusion taken for the account's",
        make: |p| (p.exclude_users, p.exclude_groups) = (words(&[&Uuid::from_u128(9).to_string()]), vec![OTHER]),
        wants: [Blocks, Blocks, PEOPLE],
        categories: &[JoinMfa],
    },
    Row {
        catches: "an exclusion that is reported although the policy doesn't apply: nobody would have to take it out",
        make: |p| {
            p.applications = part(&["Office365"], &[]);
            p.exclude_users = words(&[&ACCOUNT.to_string()]);
        },
        wants: [Passes("other resources"), Passes("other resources"), PEOPLE],
        categories: &[],
    },
    Row {
        catches: "a report-only policy that blocks, or that nobody hears of before it is enforced",
        make: |p| p.state = "enabledForReportingButNotEnforced".to_owned(),
        wants: [
            Off { report_only: true, would: true },
            Off { report_only: true, would: true },
            Off { report_only: true, would: false },
        ],
        categories: &[JoinMfa],
    },
    Row {
        catches: "a disabled policy that blocks",
        make: |p| p.state = "disabled".to_owned(),
        wants: [
            Off { report_only: false, would: true },
            Off { report_only: false, would: true },
            Off { report_only: false, would: false },
        ],
        categories: &[JoinMfa],
    },
    Row {
        catches: "a state that isn't known taken for disabled",
        make: |p| p.state = "enabledSomehow".to_owned(),
        wants: [May("enabledSomehow"), May("enabledSomehow"), PEOPLE],
        categories: &[JoinMfa],
    },
    Row {
        catches: "a policy for applications taken for one for people, or overlooked",
        make: |p| for_applications(p, &["ServicePrincipalsInMyTenant"], &[]),
        wants: [Passes("for applications"), Passes("for applications"), Blocks],
        categories: &[],
    },
    Row {
        catches: "another application's policy",
        make: |p| for_applications(p, &[&Uuid::from_u128(0x55).to_string()], &[]),
        wants: [Passes("for applications"), Passes("for applications"), Passes("doesn't name the application")],
        categories: &[],
    },
    Row {
        catches: "an exclusion of the application that doesn't count",
        make: |p| for_applications(p, &["ServicePrincipalsInMyTenant"], &[&PRINCIPAL.to_string()]),
        wants: [Passes("for applications"), Passes("for applications"), Excluded("itself")],
        categories: &[],
    },
    Row {
        catches: "places of an application's policy: it stops a controller that moves to another network",
        make: |p| {
            for_applications(p, &[&PRINCIPAL.to_string()], &[]);
            p.locations = Some(part(&["All"], &["AllTrusted"]));
        },
        wants: [Passes("for applications"), Passes("for applications"), May("where the controller runs")],
        categories: &[TrustedLocation],
    },
    Row {
        catches: "risk of applications overlooked: an unconditional block is read into the policy",
        make: |p| {
            for_applications(p, &["ServicePrincipalsInMyTenant"], &[]);
            p.service_principal_risk = words(&["high"]);
        },
        wants: [Passes("for applications"), Passes("for applications"), May("risk of the application high")],
        categories: &[Risk],
    },
    Row {
        catches: "a policy without any condition or control, as a broken answer gives it, taken for a block",
        make: |p| *p = P { state: "enabled".to_owned(), ..P::default() },
        wants: [Passes("takes nobody in"), Passes("takes nobody in"), PEOPLE],
        categories: &[],
    },
];
