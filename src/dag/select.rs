//! Selectors over devices, in three values: what depends on something unread is unknown, not false.

use std::collections::{BTreeMap, HashSet};

use globset::{GlobBuilder, GlobMatcher};

use super::Index;
use crate::diag::{Code, Diagnostic, Diagnostics, Spanned};
use crate::model::{DeviceName, GroupId};
use crate::plan::Selector;
use crate::state::DeviceRecord;

/// Kleene's three values: `and` is the least, `or` the greatest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Truth {
    No,
    Unknown,
    Yes,
}

impl Truth {
    pub(crate) fn of(yes: bool) -> Self {
        if yes { Self::Yes } else { Self::No }
    }
    pub(crate) fn not(self) -> Self {
        match self {
            Self::No => Self::Yes,
            Self::Unknown => Self::Unknown,
            Self::Yes => Self::No,
        }
    }
}

/// What a selector looks at.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Candidate<'a> {
    pub(crate) name: &'a DeviceName,
    pub(crate) site: Option<&'a str>,
    pub(crate) record: Option<&'a DeviceRecord>,
}

/// Device names in one group; none where that couldn't be read.
#[derive(Debug)]
struct Members {
    id: GroupId,
    names: HashSet<DeviceName>,
}

/// The groups that selectors name, resolved once. Groups are looked up without case.
#[derive(Debug, Default)]
pub(crate) struct Groups(BTreeMap<String, Option<Members>>);

impl Groups {
    fn resolve(&mut self, index: &Index<'_>, name: &Spanned<String>, findings: &mut Diagnostics) -> String {
        let key = name.value.to_lowercase();
        // A group that is named twice is looked up once, and spoken of at each place.
        let resolved = find(index, &key, name, findings);
        self.0.entry(key.clone()).or_insert(resolved);
        key
    }

    fn has(&self, key: &str, candidate: Candidate<'_>) -> Truth {
        let Some(Some(members)) = self.0.get(key) else { return Truth::Unknown };
        // A moved device may have lost its old object; the record still knows its groups.
        let recorded = candidate.record.is_some_and(|record| record.groups.contains(&members.id));
        Truth::of(recorded || members.names.contains(candidate.name))
    }
}

fn find(index: &Index<'_>, key: &str, name: &Spanned<String>, findings: &mut Diagnostics) -> Option<Members> {
    let origin = index.origin()?;
    if let Some(why) = origin.groups.gap.or(origin.devices.gap) {
        let message = format!("group `{}` of `{}` couldn't be read: {why}", name.value, origin.name);
        let help = "mend what stops the reading and plan again; until then no device that depends on it is touched";
        findings.push(Diagnostic::warning(Code::OBSERVATION_FAILED, message).at(name.span, "").help(help));
        return None;
    }
    let mut hits = origin.groups.items.iter().filter(|group| group.name.to_lowercase() == key);
    let Some(group) = hits.next() else {
        let near = origin
            .groups
            .items
            .iter()
            .map(|group| (strsim::jaro_winkler(&group.name.to_lowercase(), key), group.name.as_str()))
            .filter(|(score, _)| *score > 0.8)
            .max_by(|a, b| a.0.total_cmp(&b.0).then_with(|| b.1.cmp(a.1)));
        let help = near.map_or_else(
            || "create the group, or name one that exists".to_owned(),
            |(_, other)| format!("did you mean `{other}`?"),
        );
        let message = format!("`{}` has no group `{}`", origin.name, name.value);
        findings.push(Diagnostic::error(Code::GROUP_NOT_FOUND, message).at(name.span, "not found").help(help));
        return None;
    };
    let more = hits.count();
    if more > 0 {
        let message = format!("`{}` has {} groups named `{}`", origin.name, more + 1, name.value);
        let help = "rename all but one: a plan names groups by display name";
        findings.push(Diagnostic::error(Code::GROUP_AMBIGUOUS, message).at(name.span, "").help(help));
        return None;
    }
    let names = group.devices.iter().filter_map(|id| origin.object(*id)).map(|d| DeviceName::new(&d.name)).collect();
    Some(Members { id: group.id, names })
}

/// A selector made ready: globs compiled, groups resolved, cases folded.
#[derive(Debug)]
pub(crate) enum Matcher {
    All(Vec<Self>),
    Any(Vec<Self>),
    Not(Box<Self>),
    Group(String),
    Name(Option<GlobMatcher>),
    Site(String),
    Ou(String),
    Everything,
}

impl Matcher {
    pub(crate) fn new(selector: &Selector, index: &Index<'_>, groups: &mut Groups, findings: &mut Diagnostics) -> Self {
        let mut many = |list: &[Selector]| list.iter().map(|one| Self::new(one, index, groups, findings)).collect();
        match selector {
            Selector::All(list) => Self::All(many(list)),
            Selector::Any(list) => Self::Any(many(list)),
            Selector::Not(one) => Self::Not(Box::new(Self::new(one, index, groups, findings))),
            Selector::Group(name) => Self::Group(groups.resolve(index, name, findings)),
            Selector::Name(glob) => {
                let built = GlobBuilder::new(&glob.value).case_insensitive(true).build();
                if let Err(error) = &built {
                    let message = format!("`{}` isn't a pattern: {}", glob.value, error.kind());
                    let help = "use `*`, `?`, `[abc]` and `{one,two}`";
                    findings.push(Diagnostic::error(Code::BAD_VALUE, message).at(glob.span, "").help(help));
                }
                Self::Name(built.ok().map(|glob| glob.compile_matcher()))
            }
            Selector::Site(site) => Self::Site(site.value.to_lowercase()),
            Selector::Ou(ou) => Self::Ou(fold_dn(&ou.value)),
            Selector::Everything => Self::Everything,
        }
    }

    pub(crate) fn test(&self, index: &Index<'_>, groups: &Groups, candidate: Candidate<'_>) -> Truth {
        match self {
            Self::All(list) => list.iter().map(|m| m.test(index, groups, candidate)).min().unwrap_or(Truth::Yes),
            Self::Any(list) => list.iter().map(|m| m.test(index, groups, candidate)).max().unwrap_or(Truth::No),
            Self::Not(one) => one.test(index, groups, candidate).not(),
            Self::Group(key) => groups.has(key, candidate),
            Self::Name(glob) => {
                glob.as_ref().map_or(Truth::Unknown, |glob| Truth::of(glob.is_match(candidate.name.as_str())))
            }
            Self::Site(site) => {
                let same =
                    |own: &str| own.eq_ignore_ascii_case(site) || (!own.is_ascii() && own.to_lowercase() == *site);
                Truth::of(candidate.site.is_some_and(same))
            }
            Self::Ou(ou) => in_ou(index, ou, candidate),
            Self::Everything => Truth::Yes,
        }
    }
}

fn in_ou(index: &Index<'_>, ou: &str, candidate: Candidate<'_>) -> Truth {
    if index.computers.gap.is_some() {
        return Truth::Unknown;
    }
    let mut computers = index.computers_named(candidate.name).peekable();
    // The computer was deleted by an earlier run: where it stood can't be seen any more.
    if computers.peek().is_none() && candidate.record.is_some_and(|record| record.old_computer.is_some()) {
        return Truth::Unknown;
    }
    Truth::of(computers.any(|computer| is_below(&computer.dn, ou)))
}

/// Lower case, without blanks around commas and equals signs.
fn fold_dn(dn: &str) -> String {
    let part = |text: &str| text.split('=').map(str::trim).collect::<Vec<_>>().join("=");
    dn.split(',').map(part).collect::<Vec<_>>().join(",").to_lowercase()
}

/// Says whether a distinguished name lies below a folded organizational unit: the suffix has to begin at
/// a component, so that `OU=Lab` doesn't hold what is in `OU=XOU=Lab`.
fn is_below(dn: &str, ou: &str) -> bool {
    // `\,` is a comma inside a value, not the end of a component.
    let at_boundary = |head: &str| head.ends_with(',') && !head.ends_with("\\,");
    let loose = [", ", " ,", "= ", " ="];
    if dn.is_ascii() && !loose.iter().any(|blank| dn.contains(blank)) {
        // The usual case, a hundred thousand times for each wave: without a copy.
        let head = dn.len().checked_sub(ou.len()).map(|at| dn.split_at(at));
        return head.is_some_and(|(head, tail)| !ou.is_empty() && tail.eq_ignore_ascii_case(ou) && at_boundary(head));
    }
    fold_dn(dn).strip_suffix(ou).is_some_and(|head| !ou.is_empty() && at_boundary(head))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Catches a suffix test that forgets the component's boundary, or that minds case and blanks.
    #[test]
    fn units_end_at_commas() {
        let below = |dn, ou| is_below(dn, &fold_dn(ou));
        assert!(below("CN=PC1,OU=Lab,DC=corp,DC=com", "ou=lab, dc=CORP,dc=com"));
        assert!(below("CN=PC1,OU=Sub,OU=Lab,DC=corp,DC=com", "OU=Lab,DC=corp,DC=com"));
        assert!(below("CN=PC1, OU=Büro , DC=corp", "ou=BÜRO,dc=corp"));
        assert!(!below("CN=PC1,OU=MyLab,DC=corp,DC=com", "Lab,DC=corp,DC=com"));
        assert!(!below("CN=PC1,OU=x\\,OU=Lab,DC=corp", "OU=Lab,DC=corp"));
        assert!(!below("OU=Lab,DC=corp,DC=com", "OU=Lab,DC=corp,DC=com"));
        assert!(!below("CN=PC1,DC=corp", ""));
    }
}
