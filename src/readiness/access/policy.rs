//! One Conditional Access policy held against one sign-in: does it apply, and can an unattended sign-in answer it.
//!
//! Nothing is simulated. Each condition comes to yes, no or "it can't be told from here", and what can't be told is
//! named. Facts of Microsoft's documentation are marked `[R]`; what nobody could prove yet is marked `[I]`.

use std::borrow::Cow;

use uuid::Uuid;

use super::control::{self, Controls};
use super::shown;
use crate::model::{GroupId, Known};
use crate::readiness::Text;
use crate::state::{ConditionalAccessPolicy, InOut, NamedLocation};

/// The user action "Register or join devices".
pub(super) const REGISTER_DEVICE: &str = "urn:user:registerdevice";
/// Device Registration Service: the resource of `urn:ms-drs:enterpriseregistration.windows.net`.
pub(super) const DEVICE_REGISTRATION: &str = "01cb2876-7ebd-4aa4-9cc9-d28bd4d359a9";
/// Microsoft Intune Enrollment.
pub(super) const INTUNE_ENROLMENT: &str = "d4ebce55-015a-49b5-a083-c84d1797ae8c";
/// Microsoft Intune. Whether a policy for it alone meets the enrolment isn't proven `[I]`.
pub(super) const INTUNE: &str = "0000000a-0000-0000-c000-000000000000";
/// Microsoft Graph.
const GRAPH: &str = "00000003-0000-0000-c000-000000000000";

/// A sign-in that a migration makes without a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum SignIn {
    /// The package account joins a device: Device Registration Service, user action "Register or join devices".
    Join,
    /// The package account enrols a device in Intune.
    Enrolment,
    /// The controller's application signs in to Microsoft Graph.
    Application,
}

impl SignIn {
    /// Returns what it is called in sentences.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Join => "device join",
            Self::Enrolment => "Intune enrolment",
            Self::Application => "sign-in to Microsoft Graph",
        }
    }
}

/// The eight kinds of policy that have to be reviewed before a migration (prerequisites 1.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Category {
    /// MFA for device registration or join.
    JoinMfa,
    /// Compliant device requirement.
    CompliantDevice,
    /// Hybrid joined device requirement.
    HybridDevice,
    /// Trusted location requirement.
    TrustedLocation,
    /// Approved client app requirement.
    ApprovedApp,
    /// Sign-in or user risk controls.
    Risk,
    /// Blocking legacy or unknown platforms.
    Platform,
    /// Cross-tenant restrictions.
    CrossTenant,
}

impl Category {
    /// Every category, in the order of the prerequisites.
    pub const ALL: [Self; 8] = [
        Self::JoinMfa,
        Self::CompliantDevice,
        Self::HybridDevice,
        Self::TrustedLocation,
        Self::ApprovedApp,
        Self::Risk,
        Self::Platform,
        Self::CrossTenant,
    ];
    /// Returns what people call it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::JoinMfa => "MFA for registration or join",
            Self::CompliantDevice => "compliant device",
            Self::HybridDevice => "hybrid joined device",
            Self::TrustedLocation => "trusted location",
            Self::ApprovedApp => "approved client app",
            Self::Risk => "sign-in or user risk",
            Self::Platform => "legacy or unknown platforms",
            Self::CrossTenant => "cross-tenant",
        }
    }
}

/// Who signs in.
#[derive(Debug, Clone)]
pub struct Caller {
    /// UPN of the package account, or the application's name.
    pub name: String,
    /// Object id of the user or service principal; absent where the tenant has none.
    pub id: Known<Uuid>,
    /// Groups that it is a member of, directly or through others.
    pub groups: Known<Vec<GroupId>>,
    /// It holds a directory role.
    pub privileged: bool,
    /// An application's registration is of this tenant: only such ones are met by policies for workload identities `[R]`.
    pub at_home: bool,
    /// A managed identity: no policy meets it `[R]`.
    pub managed: bool,
}

/// What a policy does to one sign-in.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// It applies, and an unattended sign-in can't answer it.
    Blocks,
    /// It may: what can't be told from here, each a clause.
    MayBlock(Vec<Text>),
    /// It would, or may, and the caller is excluded.
    Excluded {
        /// What excludes it: the account itself or a group.
        by: Text,
    },
    /// It doesn't apply, or an unattended sign-in passes; the clause says why.
    Passes(Text),
    /// It isn't enforced.
    NotEnforced {
        /// Only reported; else disabled.
        report_only: bool,
        /// It would block, or may, if it were enforced.
        would: bool,
    },
}

impl Verdict {
    /// Says whether the sign-in is refused, or may be.
    #[must_use]
    pub fn stops(&self) -> bool {
        matches!(self, Self::Blocks | Self::MayBlock(_))
    }
}

/// What one policy does to one sign-in, and why.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct PolicyVerdict {
    /// Which sign-in.
    pub sign_in: SignIn,
    /// What becomes of it.
    pub verdict: Verdict,
    /// What the policy asks for, as a clause: `it asks for MFA`.
    pub control: Text,
}

/// Whether a condition takes a sign-in in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Truth {
    Yes,
    No(Text),
    Maybe(Text),
}

pub(super) fn no(why: impl Into<Text>) -> Truth {
    Truth::No(why.into())
}
pub(super) fn maybe(why: impl Into<Text>) -> Truth {
    Truth::Maybe(why.into())
}

/// Says whether a list holds a word or an id; Graph's words differ in case between versions.
pub(super) fn has(list: &[String], word: &str) -> bool {
    list.iter().any(|own| own.eq_ignore_ascii_case(word))
}
fn only(list: &[String], words: &[&str]) -> bool {
    list.iter().all(|own| words.iter().any(|word| own.eq_ignore_ascii_case(word)))
}

/// Holds a policy against a sign-in.
#[must_use]
pub fn judge(
    policy: &ConditionalAccessPolicy,
    sign_in: SignIn,
    caller: &Caller,
    locations: &Known<Vec<NamedLocation>>,
) -> PolicyVerdict {
    let controls = control::of(policy, sign_in);
    let as_enforced = || enforced(policy, sign_in, caller, locations, &controls);
    let verdict = match policy.state.as_str() {
        "enabled" => as_enforced(),
        "disabled" => Verdict::NotEnforced { report_only: false, would: as_enforced().stops() },
        "enabledForReportingButNotEnforced" => Verdict::NotEnforced { report_only: true, would: as_enforced().stops() },
        other => match as_enforced() {
            Verdict::Blocks => Verdict::MayBlock(vec![format!("its state `{other}` isn't known here").into()]),
            found => found,
        },
    };
    PolicyVerdict { sign_in, verdict, control: controls.words }
}

fn enforced(
    policy: &ConditionalAccessPolicy,
    sign_in: SignIn,
    caller: &Caller,
    locations: &Known<Vec<NamedLocation>>,
    controls: &Controls,
) -> Verdict {
    // The user action knows neither client apps nor device filters: both depend on a registration [R].
    let by_action = sign_in == SignIn::Join && has(&policy.user_actions, REGISTER_DEVICE);
    let of_person = sign_in != SignIn::Application;
    let conditions = [
        included(policy, sign_in, caller),
        target(policy, sign_in),
        if of_person && !by_action { client(policy) } else { Truth::Yes },
        if of_person { platform(policy, controls) } else { Truth::Yes },
        location(policy, sign_in, locations),
        risk(policy, sign_in),
        flow(policy),
        if of_person && !by_action { filter(policy) } else { Truth::Yes },
        controls.stops.clone(),
    ];
    let mut unsure = Vec::new();
    for condition in conditions {
        match condition {
            Truth::Yes => {}
            Truth::No(why) => return Verdict::Passes(why),
            Truth::Maybe(why) => unsure.push(why),
        }
    }
    match excluded(policy, sign_in, caller) {
        Truth::Yes => return Verdict::Excluded { by: excluder(policy, sign_in, caller) },
        Truth::Maybe(why) => unsure.push(why),
        Truth::No(_) => {}
    }
    if unsure.is_empty() { Verdict::Blocks } else { Verdict::MayBlock(unsure) }
}

fn is_id(list: &[String], id: &Known<Uuid>) -> Option<bool> {
    match id {
        Known::Known(id) => Some(has(list, &id.to_string())),
        Known::Absent => Some(false),
        Known::Unknown(_) => list.iter().all(|word| Uuid::parse_str(word).is_err()).then_some(false),
    }
}

/// Says whether any of these groups holds the caller; none where that isn't known.
fn in_groups(groups: &[GroupId], caller: &Caller) -> Option<bool> {
    match &caller.groups {
        _ if groups.is_empty() => Some(false),
        Known::Known(own) => Some(groups.iter().any(|group| own.contains(group))),
        Known::Absent | Known::Unknown(_) => None,
    }
}

fn included(policy: &ConditionalAccessPolicy, sign_in: SignIn, caller: &Caller) -> Truth {
    let nobody = policy.include_users.is_empty() && policy.include_groups.is_empty() && policy.include_roles.is_empty();
    if sign_in == SignIn::Application {
        let Some(principals) = &policy.service_principals else {
            return no("it is for people, and an application signs in without one");
        };
        return match is_id(&principals.include, &caller.id) {
            _ if caller.managed => no("it is for applications, and a managed identity isn't met by policies"),
            _ if !caller.at_home => no("it meets applications of this tenant alone, and this one is of another"),
            _ if has(&principals.include, "ServicePrincipalsInMyTenant") => Truth::Yes,
            Some(true) => Truth::Yes,
            Some(false) => no("it doesn't name the application"),
            None => maybe("whether it names the application isn't known: its service principal couldn't be read"),
        };
    }
    if nobody {
        let why = if policy.service_principals.is_some() { "it is for applications" } else { "it takes nobody in" };
        return no(why);
    }
    if has(&policy.include_users, "All") || is_id(&policy.include_users, &caller.id) == Some(true) {
        return Truth::Yes;
    }
    match in_groups(&policy.include_groups, caller) {
        Some(true) => return Truth::Yes,
        None => return maybe("whether the account is in a group that it takes in isn't known"),
        Some(false) => {}
    }
    if is_id(&policy.include_users, &caller.id).is_none() {
        return maybe("whether it names the account isn't known: users couldn't be read");
    }
    if !policy.include_roles.is_empty() && caller.privileged {
        return maybe("the account holds a directory role, and which one isn't known here");
    }
    no("it doesn't take the account in")
}

fn excluded(policy: &ConditionalAccessPolicy, sign_in: SignIn, caller: &Caller) -> Truth {
    let none = Vec::new();
    let (ids, groups) = match (sign_in, &policy.service_principals) {
        (SignIn::Application, Some(principals)) => (&principals.exclude, &[][..]),
        (SignIn::Application, None) => (&none, &[][..]),
        (SignIn::Join | SignIn::Enrolment, _) => (&policy.exclude_users, policy.exclude_groups.as_slice()),
    };
    match (is_id(ids, &caller.id), in_groups(groups, caller)) {
        (Some(true), _) | (_, Some(true)) => Truth::Yes,
        (None, _) => maybe("whether it excludes the account isn't known: users couldn't be read"),
        (_, None) => maybe("whether the account is in a group that it excludes isn't known"),
        (Some(false), Some(false)) => no("it doesn't exclude the account"),
    }
}

fn excluder(policy: &ConditionalAccessPolicy, sign_in: SignIn, caller: &Caller) -> Text {
    let own = caller.groups.known().map_or(&[][..], Vec::as_slice);
    let group = policy.exclude_groups.iter().find(|group| own.contains(group));
    match group.filter(|_| is_id(&policy.exclude_users, &caller.id) != Some(true)) {
        Some(group) if sign_in != SignIn::Application => format!("its group {group}").into(),
        _ => "itself".into(),
    }
}

fn target(policy: &ConditionalAccessPolicy, sign_in: SignIn) -> Truth {
    let apps = &policy.applications;
    let (own, aside): (&str, &[&str]) = match sign_in {
        SignIn::Join if has(&policy.user_actions, REGISTER_DEVICE) => return Truth::Yes,
        SignIn::Join => (DEVICE_REGISTRATION, &[]),
        SignIn::Enrolment => (INTUNE_ENROLMENT, &[INTUNE]),
        SignIn::Application => (GRAPH, &[]),
    };
    if has(&apps.exclude, own) {
        return no(format!("it leaves the resource of the {} out", sign_in.as_str()));
    }
    if has(&apps.include, "All") || has(&apps.include, own) {
        return Truth::Yes;
    }
    if aside.iter().any(|app| has(&apps.include, app)) {
        return maybe("whether a policy for Microsoft Intune meets the enrolment isn't proven");
    }
    no(format!("it is for other resources than the {}", sign_in.as_str()))
}

/// Bulk enrolment is a native client with modern authentication `[I]`.
fn client(policy: &ConditionalAccessPolicy) -> Truth {
    let kinds = &policy.client_app_types;
    if kinds.is_empty() || has(kinds, "all") || has(kinds, "mobileAppsAndDesktopClients") {
        Truth::Yes
    } else if only(kinds, &["browser", "exchangeActiveSync", "easSupported", "easUnsupported", "other"]) {
        no("it is for browsers or legacy clients")
    } else {
        maybe(format!("what client apps `{}` are isn't known here", kinds.join(", ")))
    }
}

fn platform(policy: &ConditionalAccessPolicy, controls: &Controls) -> Truth {
    let Some(InOut { include, exclude }) = &policy.platforms else { return Truth::Yes };
    let everything = include.is_empty() || has(include, "all");
    if has(exclude, "windows") || has(exclude, "all") {
        // Such a policy is there to stop what doesn't say its platform. That the sign-in of a bulk token says so isn't proven.
        return if everything && controls.blocks && !has(exclude, "all") {
            maybe("it stops unknown platforms, and whether the sign-in of a bulk token says `Windows` isn't proven")
        } else {
            no("it leaves Windows out")
        };
    }
    if everything || has(include, "windows") {
        Truth::Yes
    } else if only(include, &["android", "iOS", "macOS", "linux", "windowsPhone"]) {
        no("it is for other platforms than Windows")
    } else {
        maybe(format!("what platforms `{}` are isn't known here", include.join(", ")))
    }
}

fn location(policy: &ConditionalAccessPolicy, sign_in: SignIn, named: &Known<Vec<NamedLocation>>) -> Truth {
    let Some(places) = &policy.locations else { return Truth::Yes };
    let everywhere = places.include.is_empty() || has(&places.include, "All");
    if has(&places.exclude, "All") {
        return no("it leaves every place out");
    }
    if everywhere && places.exclude.is_empty() {
        return Truth::Yes;
    }
    let places = shown::places(places, named);
    if sign_in == SignIn::Application {
        return maybe(format!(
            "it depends on where the controller runs ({places}); from here it could sign in just now"
        ));
    }
    maybe(format!("it depends on where devices join from ({places})"))
}

fn risk(policy: &ConditionalAccessPolicy, sign_in: SignIn) -> Truth {
    let levels: [(&str, &[String]); 3] = [
        ("sign-in risk", &policy.sign_in_risk),
        ("user risk", &policy.user_risk),
        ("risk of the application", &policy.service_principal_risk),
    ];
    // The last one is a condition of policies for workload identities alone; the first two aren't known there.
    let own = levels.into_iter().filter(|(_, levels)| !levels.is_empty() && !has(levels, "none"));
    let found: Vec<String> = own.map(|(kind, levels)| format!("{kind} {}", levels.join(", "))).collect();
    if found.is_empty() {
        return Truth::Yes;
    }
    let whose = if sign_in == SignIn::Application { "application" } else { "account" };
    maybe(format!("it depends on how risky the {whose} is just then ({})", found.join("; ")))
}

/// A bulk token is neither a device code nor transferred `[I]`.
fn flow(policy: &ConditionalAccessPolicy) -> Truth {
    let flows = &policy.authentication_flows;
    if flows.is_empty() {
        Truth::Yes
    } else if only(flows, &["deviceCodeFlow", "authenticationTransfer"]) {
        no("it is for device codes or transferred sign-ins")
    } else {
        maybe(format!("what sign-in flows `{}` are isn't known here", flows.join(", ")))
    }
}

fn filter(policy: &ConditionalAccessPolicy) -> Truth {
    match &policy.device_filter {
        None => Truth::Yes,
        Some((mode, rule)) => {
            let rule: Cow<'_, str> = if rule.chars().count() > 80 {
                format!("{}…", rule.chars().take(80).collect::<String>()).into()
            } else {
                rule.into()
            };
            maybe(format!("its device filter ({mode}: {rule}) can't be worked out before the device is registered"))
        }
    }
}
