//! Observation: all computers below the declared units, people, the forest, and what makes devices hybrid joined.
//!
//! | part | requests |
//! |---|---|
//! | domain and forest | 2 |
//! | computers | one a page of 1000, for each declared unit |
//! | all organizational units | one a page of 1000, where a declared one isn't there |
//! | people | one a page of 1000 |
//! | hybrid join | 1 |
//! | the account and its rights | 2, and for each unit 2 and one for each container of a sample |

use std::collections::BTreeMap;

use ldap3::controls::RawControl;
use uuid::Uuid;

use super::LdapDirectory;
use super::entry::{self, COMPUTER, Entry, USER};
use super::fault::{Fault, NO_SUCH_OBJECT};
use super::link::Search;
use crate::model::{Known, Problem, Sid};
use crate::port::Result;
use crate::state::{AdComputer, AdUser, DirectoryState, Forest, HybridTenant};
use crate::winformat::ad::{Dn, filter_value};

/// Computers, and nothing that is only built like one, such as a managed service account.
pub(super) const COMPUTERS: &str = "(&(objectCategory=computer)(objectClass=computer))";
const UNITS: &str = "(objectClass=organizationalUnit)";
const PEOPLE: &str = "(&(objectCategory=person)(objectClass=user))";
/// Where the service connection point lies [R: Microsoft Learn, "Configure Microsoft Entra hybrid join manually"].
const HYBRID: &str = "CN=62a0ff2e-97b9-4513-943f-0d221bd30080,CN=Device Registration Configuration,CN=Services";
/// `LDAP_SERVER_DOMAIN_SCOPE_OID` ([MS-ADTS] 3.1.1.3.4.1.4): no referrals to other domains of the forest. People of
/// those aren't below the declared units, and partitions of the DNS zones hold none.
const DOMAIN_SCOPE: &str = "1.2.840.113556.1.4.1339";

/// What the root of a server says.
pub(super) struct Root {
    pub(super) domain: String,
    pub(super) configuration: String,
    forest: String,
    server: String,
    level: u32,
}

impl LdapDirectory {
    pub(super) async fn observe_all(&self) -> Result<DirectoryState> {
        let root = self.root().await?;
        let (computers, referrals) = self.computers(&root).await?;
        let mut state = DirectoryState::of(self.domain.clone(), computers, Known::Absent);
        state.referrals = referrals;
        state.account = known(self.account(&root).await);
        state.users = known(self.users(&root).await.map(Some));
        state.hybrid = known(self.hybrid(&root).await);
        state.forest = known(self.forest(root).await.map(Some));
        Ok(state)
    }

    /// Reads the root, and holds it against the domain of the plan.
    pub(super) async fn root(&self) -> Result<Root> {
        let attributes = &[
            "defaultNamingContext",
            "configurationNamingContext",
            "rootDomainNamingContext",
            "dnsHostName",
            "domainFunctionality",
        ];
        let search = Search::one("reading the server's root", "", attributes);
        let read = |entry: &Entry| {
            let text = |name: &str| entry.text(name).map(str::to_owned);
            Ok(Root {
                domain: text("defaultNamingContext").unwrap_or_default(),
                configuration: text("configurationNamingContext").unwrap_or_default(),
                forest: text("rootDomainNamingContext").unwrap_or_default(),
                server: text("dnsHostName").unwrap_or_default(),
                level: entry.flags("domainFunctionality").unwrap_or_default(),
            })
        };
        let found = self.link.search(&search, read).await.map_err(Fault::problem)?.items.pop();
        let server = self.link.server().await;
        let root = found.filter(|root| !root.domain.is_empty() && !root.configuration.is_empty()).ok_or_else(|| {
            Problem::new("directory.other-domain", format!("{server} isn't a domain controller"))
                .next("name a domain controller under `directory.server`")
        })?;
        let domain = dns_name(&root.domain);
        if !domain.eq_ignore_ascii_case(&self.domain) {
            let message = format!("{server} is of the domain {domain}, and the plan is about {}", self.domain);
            return Err(Problem::new("directory.other-domain", message)
                .next("name a domain controller of that domain under `directory.server`, or mend `directory.domain`"));
        }
        Ok(root)
    }

    async fn computers(&self, root: &Root) -> Result<(Vec<AdComputer>, Vec<String>)> {
        let mut all: BTreeMap<Uuid, AdComputer> = BTreeMap::new();
        let mut referrals = Vec::new();
        for (unit, _) in &self.units {
            let what = format!("reading the computers of {unit}");
            let search = Search::below(&what, unit, COMPUTERS, COMPUTER);
            let read = |entry: &Entry| entry::computer(entry).map(|(computer, _)| computer);
            let found = match self.link.search(&search, read).await {
                Ok(found) => found,
                Err(fault) => return Err(self.lost_unit(root, unit, fault).await),
            };
            // A unit within another that is declared too has its computers twice.
            all.extend(found.items.into_iter().map(|computer| (computer.guid, computer)));
            referrals.extend(found.referrals);
        }
        referrals.sort_unstable();
        referrals.dedup();
        Ok((all.into_values().collect(), referrals))
    }

    /// Says of a declared unit that isn't there which one may be meant.
    async fn lost_unit(&self, root: &Root, unit: &str, fault: Fault) -> Problem {
        let lost = matches!(fault, Fault::Refused(NO_SUCH_OBJECT, _));
        let problem = no_unit(unit, fault);
        if !lost {
            return problem;
        }
        let mut search = Search::below("reading organizational units", &root.domain, UNITS, &["ou"]);
        search.controls.push(control(DOMAIN_SCOPE, None));
        // Whether they can be read or not: the declared one isn't there.
        let Ok(all) = self.link.search(&search, |entry| Ok(entry.dn.clone())).await else { return problem };
        let like = units_like(unit, all.items);
        if like.is_empty() {
            return problem;
        }
        problem.next(format!("mend its name under `directory.computers`; the directory has {}", like.join("; ")))
    }

    /// Returns the computer of a name below the declared units; the first of them where several have it.
    pub(super) async fn named(&self, name: &str) -> Result<Option<AdComputer>> {
        let filter = format!("(&{COMPUTERS}(sAMAccountName={}$))", filter_value(name));
        for (unit, _) in &self.units {
            let what = format!("looking for {name} in {unit}");
            let search = Search::below(&what, unit, &filter, COMPUTER);
            let read = |entry: &Entry| entry::computer(entry).map(|(computer, _)| computer);
            let found = self.link.search(&search, read).await.map_err(|fault| no_unit(unit, fault))?;
            if let Some(computer) = found.items.into_iter().next() {
                return Ok(Some(computer));
            }
        }
        Ok(None)
    }

    async fn users(&self, root: &Root) -> Result<Vec<AdUser>> {
        let mut search = Search::below("reading people", &root.domain, PEOPLE, USER);
        search.controls.push(control(DOMAIN_SCOPE, None));
        let found = self.link.search(&search, entry::user).await.map_err(Fault::problem)?;
        let all: BTreeMap<Sid, AdUser> = found.items.into_iter().map(|user| (user.sid.clone(), user)).collect();
        Ok(all.into_values().collect())
    }

    async fn hybrid(&self, root: &Root) -> Result<Option<HybridTenant>> {
        let base = format!("{HYBRID},{}", root.configuration);
        let search = Search::one("reading the service connection point", &base, &["keywords"]);
        match self.link.search(&search, |entry| Ok(entry::hybrid(entry))).await {
            Ok(mut found) => Ok(found.items.pop()),
            Err(Fault::Refused(NO_SUCH_OBJECT, _)) => Ok(None),
            Err(fault) => Err(fault.problem()),
        }
    }

    async fn forest(&self, root: Root) -> Result<Forest> {
        let search = Search::one("reading the domain", &root.domain, &["objectSid"]);
        let mut found = self.link.search(&search, |entry| Ok(entry.sid("objectSid"))).await.map_err(Fault::problem)?;
        let domain_sid = found.items.pop().flatten().ok_or_else(|| {
            Problem::new("directory.unreadable", format!("{} shows no objectSid that could be read", root.domain))
                .next("let the account read all properties of the domain")
        })?;
        Ok(Forest { root: dns_name(&root.forest), server: root.server, domain_sid, level: root.level })
    }
}

/// Returns a control that the server has to understand.
pub(super) fn control(oid: &str, value: Option<Vec<u8>>) -> RawControl {
    RawControl { ctype: oid.to_owned(), crit: true, val: value }
}

/// A part that can't be read is unknown, and the others are read all the same.
fn known<T>(read: Result<Option<T>>) -> Known<T> {
    match read {
        Ok(found) => Known::found(found),
        Err(problem) => Known::Unknown(problem.to_string()),
    }
}

/// A declared unit that isn't there has its own words: its computers aren't gone, nobody knows where they are.
pub(super) fn no_unit(unit: &str, fault: Fault) -> Problem {
    match fault {
        Fault::Refused(NO_SUCH_OBJECT, problem) => {
            Problem::new("directory.no-such-unit", format!("the directory has no {unit}"))
                .next("mend its name under `directory.computers`: it may have been renamed or moved")
                .detail(problem.detail.unwrap_or_default())
        }
        other => other.problem(),
    }
}

/// Returns which of all units may be meant by a name that none has: what was moved and has its own name still, then what is
/// written nearly so.
fn units_like(wanted: &str, all: Vec<String>) -> Vec<String> {
    let wanted = wanted.to_lowercase();
    let own = |name: &str| name.split(',').next().unwrap_or_default().to_owned();
    let mut like: Vec<(bool, usize, String)> = all
        .into_iter()
        .map(|name| {
            let low = name.to_lowercase();
            (own(&low) != own(&wanted), strsim::damerau_levenshtein(&low, &wanted), name)
        })
        .filter(|(other, distance, _)| !other || *distance <= 1 + wanted.len() / 8)
        .collect();
    like.sort_unstable();
    like.into_iter().take(3).map(|(.., name)| name).collect()
}

/// Returns the DNS name of a domain: `DC=corp,DC=example` is `corp.example`.
fn dns_name(dn: &str) -> String {
    let parts = Dn::parse(dn).map(|name| name.to_string()).unwrap_or_default();
    let labels = parts.split(',').filter_map(|part| part.strip_prefix("dc="));
    labels.collect::<Vec<_>>().join(".")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Catches a unit that was moved or is written wrong and that nobody finds again, and others that are offered for it.
    #[test]
    fn units_that_may_be_meant() {
        let all = || ["OU=PCs,OU=Berlin,DC=x", "OU=Servers,DC=x", "OU=Workstations,DC=x"].map(str::to_owned).to_vec();
        assert_eq!(units_like("OU=pcs,DC=x", all()), ["OU=PCs,OU=Berlin,DC=x"]);
        assert_eq!(units_like("OU=Workstation,DC=x", all()), ["OU=Workstations,DC=x"]);
        assert!(units_like("OU=Phones,DC=x", all()).is_empty() && units_like("", all()).is_empty());
    }
}
