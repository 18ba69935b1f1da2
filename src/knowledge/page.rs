//! The page of a topic, as parts that a terminal, a Markdown file and a JSON document show in their own way.

use super::facility::Stranger;
use super::foreign::foreign_codes;
use super::guard::{guarded, guards};
use super::topic::Topic;
use super::{Family, ForeignCode, OwnProblem};
use crate::dag::{self, Phase, Place, Scope};
use crate::model::{Check, Op, OwnerRole, Permission, Scenario, Side};
use crate::readiness::{self, CheckScope, CheckSeverity, Criterion, Source};

/// Everything that is known of a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// What it is about.
    pub topic: Topic,
    /// Its parts, in order.
    pub parts: Vec<Part>,
}

/// One part of a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Its heading.
    pub head: &'static str,
    /// What stands there.
    pub body: Body,
}

/// What a part holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// Sentences.
    Text(String),
    /// Things to do, in this order.
    Steps(Vec<String>),
    /// Names with their values.
    Rows(Vec<(&'static str, String)>),
    /// Other topics, each with what it has to do with this one.
    Topics(Vec<(Topic, String)>),
    /// Markdown that was written by hand.
    Markdown(&'static str),
}

/// Returns words as a sentence: a large first letter and a full stop.
#[must_use]
pub fn sentence(words: &str) -> String {
    let mut signs = words.chars();
    let Some(first) = signs.next() else { return String::new() };
    let end = if words.ends_with(['.', '?', '!']) { "" } else { "." };
    format!("{}{}{end}", first.to_uppercase(), signs.as_str())
}

/// Returns the page of a topic. Its heading is the topic's title, which no part says again.
#[must_use]
pub fn page(topic: Topic) -> Page {
    let parts = match topic {
        Topic::Check(check) => of_check(check),
        Topic::Operation(op) => of_operation(op),
        Topic::Permission(permission) => of_permission(permission),
        Topic::Diagnostic(code) => vec![Part { head: "", body: Body::Markdown(code.page) }],
        Topic::Foreign(code) => of_foreign(code),
        Topic::Problem(problem) => of_problem(problem),
    };
    let kept = parts.into_iter().filter(|part| !part.body.is_empty());
    Page { topic, parts: kept.collect() }
}

impl Body {
    fn is_empty(&self) -> bool {
        match self {
            Self::Text(text) => text.is_empty(),
            Self::Steps(steps) => steps.is_empty(),
            Self::Rows(rows) => rows.is_empty(),
            Self::Topics(topics) => topics.is_empty(),
            Self::Markdown(text) => text.is_empty(),
        }
    }
}

impl Page {
    /// Returns the topics that it names, without itself.
    #[must_use]
    pub fn see(&self) -> Vec<Topic> {
        let named = self.parts.iter().filter_map(|part| match &part.body {
            Body::Topics(topics) => Some(topics.iter().map(|(topic, _)| *topic)),
            _ => None,
        });
        named.flatten().filter(|topic| *topic != self.topic).collect()
    }
}

impl Stranger {
    /// Returns what is known of it, in sentences.
    #[must_use]
    pub fn text(&self) -> String {
        let like = self.like.map_or(String::new(), |code| format!(" {code} holds the same number: explain that."));
        format!("{} isn't in the tables. Its number says ({}): {}.{like}", self.code, self.mark.as_str(), self.says)
    }
}

fn text(head: &'static str, words: &str) -> Part {
    Part { head, body: Body::Text(sentence(words)) }
}
fn topics(head: &'static str, of: impl IntoIterator<Item = Topic>) -> Part {
    Part { head, body: Body::Topics(of.into_iter().map(|topic| (topic, topic.title().to_owned())).collect()) }
}

fn scenarios(of: &[Scenario]) -> String {
    if of.len() == 3 { "all".to_owned() } else { of.iter().map(|one| one.as_str()).collect::<Vec<_>>().join(", ") }
}

/// Returns the name of a role as people say it.
pub(super) fn owner(role: OwnerRole) -> &'static str {
    match role {
        OwnerRole::Identity => "identity (`identity`)",
        OwnerRole::Endpoint => "endpoint management (`endpoint`)",
        OwnerRole::Network => "network (`network`)",
        OwnerRole::Security => "security (`security`)",
        OwnerRole::Directory => "Active Directory (`directory`)",
        OwnerRole::ChangeManagement => "change management (`change-management`)",
        OwnerRole::ProjectLead => "project lead (`project-lead`)",
    }
}

fn evidence(sources: &[Source]) -> String {
    let name = |source: &Source| match source {
        Source::Graph => "Microsoft Graph",
        Source::Ldap => "Active Directory",
        Source::Agent => "the agent on the device",
        Source::PlanFile => "the plan and its files",
        Source::Person => "a person's attestation",
        Source::Outcome => "what became of earlier devices",
    };
    sources.iter().map(name).collect::<Vec<_>>().join(", then ")
}

fn of_check(check: Check) -> Vec<Part> {
    let row = readiness::spec(check);
    let about = match row.scope {
        CheckScope::Plan => "the plan, once",
        CheckScope::Tenant => "each tenant that it concerns",
        CheckScope::Directory => "Active Directory",
        CheckScope::Package => "each package that a wave uses",
        CheckScope::Wave => "each wave",
        CheckScope::User => "the person of each device",
        CheckScope::Device => "each device",
    };
    let does = match row.severity {
        CheckSeverity::Block => "it stops `apply` for what it covers",
        CheckSeverity::Gate => "the wave's gate waits, and nothing is blocked",
        CheckSeverity::Warn => "it is named, and stops nothing",
    };
    let exception = if row.exceptable {
        format!("an exclusion of kind `check: {check}` with owner, reason and end")
    } else {
        "none: nobody can answer for it".to_owned()
    };
    vec![
        text("Where it doesn't", row.why),
        text("What to do", row.remedy),
        Part {
            head: "Facts",
            body: Body::Rows(vec![
                ("about", about.to_owned()),
                ("who acts", owner(row.owner).to_owned()),
                ("where it fails", does.to_owned()),
                ("answered by", evidence(row.evidence)),
                ("exception", exception),
                ("scenarios", scenarios(row.scenarios)),
                ("source", row.source.to_owned()),
            ]),
        },
        Part { head: "Criteria", body: Body::Rows(criteria(check)) },
        topics("Operations that it guards", guarded(check).into_iter().map(Topic::Operation)),
        topics(
            "Codes that it would have prevented",
            foreign_codes().filter(|code| code.readiness.contains(&check)).map(Topic::Foreign),
        ),
    ]
}

/// Returns what the check puts together.
fn criteria(check: Check) -> Vec<(&'static str, String)> {
    let of = if check == Check::PilotExit { &Criterion::ALL[..] } else { &[] };
    of.iter().map(|one| (one.id(), one.title().to_owned())).collect()
}

fn of_operation(op: Op) -> Vec<Part> {
    let row = dag::spec(op);
    let place = match row.place {
        Place::Controller => "the controller, by itself",
        Place::Tenant => "the controller, over Microsoft Graph",
        Place::Directory => "the controller, over Active Directory or Microsoft Graph",
        Place::Agent => "the agent on the device",
        Place::AgentThenTenant => "the agent on the device; then the controller sees the result in the tenant",
    };
    let phase = match row.phase {
        Phase::Reversible => "before the point of no return: a failure puts everything back",
        Phase::Committed => "after the point of no return: the chain only goes forward",
        Phase::Finishing => "finishing: a failure leaves a usable device, and a later run tries again",
    };
    let scope = match row.scope {
        Scope::Tenant => "the tenants, once",
        Scope::Wave => "each wave",
        Scope::Device => "each device",
    };
    let tried = match row.attempts {
        1 => format!("once, for up to {} s", row.time_limit_secs),
        times => {
            format!("up to {times} times, each up to {} s, the first wait {} s", row.time_limit_secs, row.backoff_secs)
        }
    };
    let mut facts = vec![
        ("about", scope.to_owned()),
        ("who does it", place.to_owned()),
        ("phase", phase.to_owned()),
        ("scenarios", scenarios(row.scenarios)),
        (
            "switched on by",
            row.feature.map_or("nothing: it is always on".to_owned(), |f| format!("feature `{}`", f.as_str())),
        ),
        ("tried", tried),
    ];
    if row.reboots {
        facts.push(("restarts", "the device, at its end".to_owned()));
    }
    if row.may_pend {
        facts.push(("out of time", "it stays pending, and a later run looks again".to_owned()));
    }
    let needs = dag::needs(op).into_iter().map(|need| {
        let side = match need.side {
            Side::Origin => "in the tenant that devices come from",
            Side::Destination => "in the tenant that devices go to",
        };
        (Topic::Permission(need.permission), side.to_owned())
    });
    let undo = match row.undo {
        Some(undo) => undo,
        None if row.phase == Phase::Reversible => "nothing has to be put back: it changes nothing that lasts",
        None => "nothing puts it back",
    };
    vec![
        text("Done when", row.done_when),
        text("What undoes it", undo),
        Part { head: "Facts", body: Body::Rows(facts) },
        topics("After", row.after.iter().copied().map(Topic::Operation)),
        Part { head: "Permissions", body: Body::Topics(needs.collect()) },
        topics("Checks that guard it", guards(op).iter().copied().map(Topic::Check)),
        topics("What can go wrong", foreign_codes().filter(|code| code.ops.contains(&op)).map(Topic::Foreign)),
    ]
}

fn of_permission(permission: Permission) -> Vec<Part> {
    let asked: Vec<&dag::Use> = dag::uses().iter().filter(|one| one.call.needs().contains(&permission)).collect();
    let side = |side| match side {
        Side::Origin => "in the tenant that devices come from",
        Side::Destination => "in the tenant that devices go to",
    };
    let mut needed: Vec<(Topic, String)> = Vec::new();
    let mut read: Vec<String> = Vec::new();
    for one in asked {
        match one.maker {
            dag::Maker::Op(op) => {
                needed.push((Topic::Operation(op), format!("{}, to {}", side(one.side), one.call.what())))
            }
            dag::Maker::Part(part) => read.push(sentence(&format!(
                "planning reads {} {}: {} {}",
                part.as_str(),
                side(one.side),
                one.call.method(),
                one.call.path()
            ))),
        }
    }
    let none = if needed.is_empty() && read.is_empty() { "nothing asks for it" } else { "" };
    vec![
        Part { head: "Operations that need it", body: Body::Topics(needed) },
        Part { head: "Reads that need it", body: Body::Steps(read) },
        Part { head: "What needs it", body: Body::Text(sentence(none)) },
        Part {
            head: "Facts",
            body: Body::Rows(vec![
                ("app role", format!("{} (public cloud)", permission.role_id())),
                ("consent", "by an administrator, as an application permission of Microsoft Graph".to_owned()),
            ]),
        },
        topics("Broader ones that cover it", permission.wider().iter().copied().map(Topic::Permission)),
    ]
}

fn of_foreign(code: &'static ForeignCode) -> Vec<Part> {
    let met = if !code.ops.is_empty() {
        ""
    } else if code.family == Family::Application {
        "none of a device: `opsole plan` meets it, when it signs in as the application"
    } else {
        "none: it comes before a plan is applied"
    };
    let mut facts = vec![("belongs to", code.family.as_str().to_owned())];
    let forms = code.forms();
    if forms.len() > 1 {
        facts.push(("also written", forms[1..].join(", ")));
    }
    facts.push(("source", code.source.to_owned()));
    facts.push(("how sure", code.mark.as_str().to_owned()));
    vec![
        text("Cause", code.cause),
        Part { head: "What to check", body: Body::Steps(code.checks.iter().map(|step| sentence(step)).collect()) },
        topics("Operations that meet it", code.ops.iter().copied().map(Topic::Operation)),
        Part { head: "Operations that meet it", body: Body::Text(sentence(met)) },
        topics("Checks that find it beforehand", code.readiness.iter().copied().map(Topic::Check)),
        Part { head: "Facts", body: Body::Rows(facts) },
    ]
}

fn of_problem(problem: &'static OwnProblem) -> Vec<Part> {
    vec![text("What to do", problem.then)]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Catches a topic whose page says nothing: people would ask for it and learn nothing.
    #[test]
    fn every_topic_has_a_page() {
        for topic in Topic::all() {
            let page = page(topic);
            assert!(!page.parts.is_empty(), "{}", topic.id());
            if let Topic::Foreign(code) = topic {
                let heads: Vec<_> = page.parts.iter().map(|part| part.head).collect();
                assert!(heads.starts_with(&["Cause", "What to check", "Operations that meet it"]), "{}", code.code);
            }
            for (at, part) in page.parts.iter().enumerate() {
                let twice = page.parts[..at].iter().any(|before| before.head == part.head);
                assert!(!twice, "{}: `{}` stands twice", topic.id(), part.head);
            }
            assert!(!page.see().contains(&topic), "{}", topic.id());
        }
    }

    /// Catches an operation that fails in ways that nobody can look up.
    #[test]
    fn what_a_device_does_can_go_wrong() {
        for op in [Op::ApplyPackage, Op::VerifyJoin, Op::SwapProfile, Op::AwaitSignIn, Op::VerifyEnrolment] {
            assert!(page(Topic::Operation(op)).parts.iter().any(|part| part.head == "What can go wrong"), "{op}");
        }
    }
}
