//! Selectors in three values: yes, no, and not known yet.

use globset::{GlobBuilder, GlobMatcher};

use super::Selector;

/// A selector made ready to look at many devices.
#[derive(Debug, Clone)]
pub struct Matcher(Test);

#[derive(Debug, Clone)]
enum Test {
    All(Vec<Self>),
    Any(Vec<Self>),
    Not(Box<Self>),
    Group(String),
    Name(Option<GlobMatcher>),
    Site(String),
    Ou(String),
    Everything,
}

/// What is known about one device when a selector looks at it.
pub trait Candidate {
    /// Computer name.
    fn name(&self) -> &str;
    /// Site of the inventory.
    fn site(&self) -> Option<&str>;
    /// Whether it is a direct member of the group; `None` where that isn't known.
    fn in_group(&self, group: &str) -> Option<bool>;
    /// Whether its computer object is below the organizational unit; `None` where that isn't known.
    fn in_unit(&self, unit: &str) -> Option<bool>;
}

impl Matcher {
    /// Makes a selector ready.
    #[must_use]
    pub fn new(selector: &Selector) -> Self {
        Self(ready(selector))
    }
    /// Says whether the selector holds for a device; `None` where what is known doesn't decide it.
    #[must_use]
    pub fn matches(&self, device: &impl Candidate) -> Option<bool> {
        holds(&self.0, device)
    }
}

fn ready(selector: &Selector) -> Test {
    match selector {
        Selector::All(members) => Test::All(members.iter().map(ready).collect()),
        Selector::Any(members) => Test::Any(members.iter().map(ready).collect()),
        Selector::Not(inner) => Test::Not(Box::new(ready(inner))),
        Selector::Group(group) => Test::Group(group.value.clone()),
        // A pattern that can't be built was reported when the plan was read; it matches nothing.
        Selector::Name(glob) => Test::Name(
            GlobBuilder::new(&glob.value).case_insensitive(true).build().ok().map(|glob| glob.compile_matcher()),
        ),
        Selector::Site(site) => Test::Site(site.value.to_lowercase()),
        Selector::Ou(unit) => Test::Ou(unit.value.clone()),
        Selector::Everything => Test::Everything,
    }
}

fn holds(test: &Test, device: &impl Candidate) -> Option<bool> {
    match test {
        Test::All(members) => fold(members, device, false),
        Test::Any(members) => fold(members, device, true),
        Test::Not(inner) => holds(inner, device).map(|holds| !holds),
        Test::Group(group) => device.in_group(group),
        Test::Name(glob) => Some(glob.as_ref().is_some_and(|glob| glob.is_match(device.name()))),
        Test::Site(site) => Some(device.site().is_some_and(|own| own.to_lowercase() == *site)),
        Test::Ou(unit) => device.in_unit(unit),
        Test::Everything => Some(true),
    }
}

/// One member with the value `decisive` decides; else one that isn't known leaves it open (Kleene).
fn fold(members: &[Test], device: &impl Candidate, decisive: bool) -> Option<bool> {
    let mut open = false;
    for member in members {
        match holds(member, device) {
            Some(value) if value == decisive => return Some(decisive),
            Some(_) => {}
            None => open = true,
        }
    }
    (!open).then_some(!decisive)
}

impl Candidate for super::DeviceRow {
    fn name(&self) -> &str {
        self.name.as_str()
    }
    fn site(&self) -> Option<&str> {
        self.site.as_deref()
    }
    fn in_group(&self, _: &str) -> Option<bool> {
        None
    }
    fn in_unit(&self, _: &str) -> Option<bool> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::Spanned;
    use crate::plan::DeviceRow;

    fn text(text: &str) -> Spanned<String> {
        Spanned::new(text.to_owned(), crate::diag::Span::default())
    }

    /// Catches a group that isn't known being taken for a group that the device isn't in.
    #[test]
    fn unknown_is_not_no() {
        let row = DeviceRow { name: "lon-it-1".into(), serial: None, site: Some("London".into()), user: None };
        let group = || Selector::Group(text("VIP"));
        let site = |name: &str| Selector::Site(text(name));
        let check = |selector: Selector| Matcher::new(&selector).matches(&row);
        assert_eq!(check(group()), None);
        assert_eq!(check(Selector::Not(Box::new(group()))), None);
        assert_eq!(check(Selector::All(vec![site("LONDON"), group()])), None);
        assert_eq!(check(Selector::All(vec![group(), site("Paris")])), Some(false));
        assert_eq!(check(Selector::Any(vec![group(), site("london")])), Some(true));
        assert_eq!(check(Selector::Any(vec![group(), site("Paris")])), None);
        assert_eq!(check(Selector::Name(text("Lon-IT-*"))), Some(true));
        assert_eq!(check(Selector::Name(text("*-FIN-*"))), Some(false));
        assert_eq!(check(Selector::Everything), Some(true));
    }
}
