//! What a policy asks for, and whether an unattended sign-in can answer it.

use super::policy::{DEVICE_REGISTRATION, INTUNE, INTUNE_ENROLMENT, REGISTER_DEVICE, SignIn, Truth, has, maybe, no};
use crate::readiness::Text;
use crate::state::ConditionalAccessPolicy;

/// The grant controls of a policy, worked out for one sign-in.
#[derive(Debug, Clone)]
pub(super) struct Controls {
    /// Whether they stop it.
    pub(super) stops: Truth,
    /// `block` is among them.
    pub(super) blocks: bool,
    /// What they ask for, as a clause.
    pub(super) words: Text,
}

/// Works out a policy's grant controls.
///
/// | control | device join | Intune enrolment | application |
/// |---|---|---|---|
/// | `block` | stops | stops | stops |
/// | `mfa`, authentication strength | stops: a bulk token can't answer (prerequisites 1.7) | stops | isn't offered |
/// | `compliantDevice` | may stop: there is no device yet; whether the service enforces it isn't proven `[I]` | passes where the policy is for all resources [R]; may stop where it names the enrolment | isn't offered |
/// | `domainJoinedDevice` | may stop, as above | stops: the device isn't hybrid joined any more | isn't offered |
/// | `approvedApplication`, `compliantApplication` | stops: phones alone have them | stops | isn't offered |
/// | `passwordChange`, terms of use | stops: a person has to answer | stops | isn't offered |
/// | anything else | may stop | may stop | may stop |
pub(super) fn of(policy: &ConditionalAccessPolicy, sign_in: SignIn) -> Controls {
    let mut parts: Vec<(String, Truth)> = policy.grant.iter().map(|word| one(word, policy, sign_in)).collect();
    let person = || if sign_in == SignIn::Application { not_offered() } else { Truth::Yes };
    if let Some(strength) = &policy.authentication_strength {
        parts.push((format!("the authentication strength `{strength}`"), person()));
    }
    if policy.terms_of_use {
        parts.push(("consent to terms of use".to_owned(), person()));
    }
    // `block` stands alone; where it doesn't, it still blocks.
    let blocks = has(&policy.grant, "block");
    let any = policy.operator.as_deref().is_some_and(|operator| operator.eq_ignore_ascii_case("OR"));
    let any = any && !blocks && !parts.is_empty();
    let words: Vec<&str> = parts.iter().map(|(words, _)| words.as_str()).collect();
    let words: Text = match words.as_slice() {
        [] => "it grants access".into(),
        _ if blocks => "it blocks access".into(),
        words => format!("it asks for {}", words.join(if any { " or " } else { " and " })).into(),
    };
    let truths = parts.into_iter().map(|(_, truth)| truth);
    let stops = if any { either(truths) } else { all(truths) };
    Controls { stops, blocks, words }
}

/// One control that can be answered is enough.
fn either(controls: impl Iterator<Item = Truth>) -> Truth {
    let mut found = Truth::Yes;
    for control in controls {
        match control {
            Truth::No(why) => return Truth::No(why),
            Truth::Maybe(why) => found = Truth::Maybe(why),
            Truth::Yes => {}
        }
    }
    found
}

/// One control that can't be answered is enough to stop it.
fn all(controls: impl Iterator<Item = Truth>) -> Truth {
    let mut found = no("it stops nobody: it sets sessions alone");
    for control in controls {
        match (control, &found) {
            (Truth::Yes, _) => return Truth::Yes,
            (Truth::Maybe(why), _) => found = Truth::Maybe(why),
            (Truth::No(why), Truth::No(_)) => found = Truth::No(why),
            (Truth::No(_), _) => {}
        }
    }
    found
}

fn not_offered() -> Truth {
    maybe("applications are only ever blocked; what this control does to one isn't documented")
}

fn one(word: &str, policy: &ConditionalAccessPolicy, sign_in: SignIn) -> (String, Truth) {
    let lower = word.to_ascii_lowercase();
    if lower == "block" {
        return ("nobody to sign in".to_owned(), Truth::Yes);
    }
    let (words, of_person) = match lower.as_str() {
        "mfa" => ("MFA", Truth::Yes),
        "compliantdevice" => ("a compliant device", compliant(policy, sign_in)),
        "domainjoineddevice" if sign_in == SignIn::Enrolment => ("a hybrid joined device", Truth::Yes),
        "domainjoineddevice" => ("a hybrid joined device", no_device_yet()),
        "approvedapplication" => ("an approved client app", Truth::Yes),
        "compliantapplication" => ("an app protection policy", Truth::Yes),
        "passwordchange" => ("a new password", Truth::Yes),
        _ => {
            let words = format!("`{word}`");
            let why = maybe(format!("whether an unattended sign-in can answer {words} isn't known here"));
            return (words, why);
        }
    };
    (words.to_owned(), if sign_in == SignIn::Application { not_offered() } else { of_person })
}

fn no_device_yet() -> Truth {
    maybe("a device that joins has no state yet, and whether the registration service enforces this isn't proven")
}

/// "Require device to be marked as compliant" doesn't block Intune enrolment where the policy is for all resources; device
/// rules on the enrolment itself are advised against [R: entra-docs, policy for compliant devices; memdocs, MFA for enrolment].
fn compliant(policy: &ConditionalAccessPolicy, sign_in: SignIn) -> Truth {
    let named = [INTUNE_ENROLMENT, INTUNE].iter().any(|app| has(&policy.applications.include, app));
    match sign_in {
        SignIn::Enrolment if named => maybe("a device rule on the enrolment itself may refuse it"),
        SignIn::Enrolment => no("a compliant device isn't asked of the enrolment"),
        SignIn::Join | SignIn::Application => no_device_yet(),
    }
}

/// Says whether a policy is for device joins or enrolments by what it names.
pub(super) fn meets_devices(policy: &ConditionalAccessPolicy) -> bool {
    let apps = ["All", DEVICE_REGISTRATION, INTUNE_ENROLMENT, INTUNE];
    has(&policy.user_actions, REGISTER_DEVICE) || apps.iter().any(|app| has(&policy.applications.include, app))
}
