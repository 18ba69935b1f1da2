//! The connection: TLS first, then the sign-in, then requests. It is made when it is needed, at the first server that
//! answers, and anew where it broke.

use std::sync::Arc;
use std::time::Duration;

use ldap3::asn1::{PL, parse_tag};
use ldap3::controls::{Control, ControlType, PagedResults, RawControl};
use ldap3::{Ldap, LdapConnAsync, LdapConnSettings, LdapError, LdapResult, Mod, Scope, SearchOptions, parse_refs};
use rustls::ClientConfig;
use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::Mutex;
use url::{Host, Url};

use super::entry::Entry;
use super::fault::{self, Fault};
#[cfg(feature = "kerberos")]
use super::kerberos;
use super::{Settings, SignIn};
use crate::model::Problem;
use crate::net;
use crate::port::Result;

/// How long is waited, and how much is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// For a connection with its encryption and sign-in.
    pub connect: Duration,
    /// For an answer, or the next part of one.
    pub answer: Duration,
    /// Objects a page, as many as a domain controller gives at a time by default (`MaxPageSize` of its query policy).
    pub page: i32,
    /// Objects of one search. More are an error and never a part of them.
    pub objects: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { connect: Duration::from_secs(10), answer: Duration::from_secs(60), page: 1000, objects: 1_000_000 }
    }
}

/// What is searched for.
#[derive(Debug, Clone)]
pub(super) struct Search<'a> {
    /// What it is for, as part of a sentence: `reading OU=…`.
    pub(super) what: &'a str,
    pub(super) base: &'a str,
    pub(super) scope: Scope,
    pub(super) filter: &'a str,
    pub(super) attributes: &'a [&'static str],
    pub(super) controls: Vec<RawControl>,
    /// No more than these are wanted; all where it is none.
    pub(super) first: Option<i32>,
}

impl<'a> Search<'a> {
    /// Returns a search for all objects below a base.
    pub(super) fn below(what: &'a str, base: &'a str, filter: &'a str, attributes: &'a [&'static str]) -> Self {
        Self { what, base, scope: Scope::Subtree, filter, attributes, controls: Vec::new(), first: None }
    }
    /// Returns a search for the base alone.
    pub(super) fn one(what: &'a str, base: &'a str, attributes: &'a [&'static str]) -> Self {
        Self { scope: Scope::Base, ..Self::below(what, base, "(objectClass=*)", attributes) }
    }
}

/// What a search found.
#[derive(Debug)]
pub(super) struct Found<T> {
    pub(super) items: Vec<T>,
    /// Servers that have more of it.
    pub(super) referrals: Vec<String>,
}

struct Open {
    ldap: Ldap,
    server: usize,
}

/// The connection to a directory. Requests of several callers share it.
pub(super) struct Link {
    servers: Vec<Url>,
    account: String,
    sign_in: SignIn,
    #[cfg(feature = "kerberos")]
    domain: String,
    tls: Arc<ClientConfig>,
    limits: Limits,
    open: Mutex<State>,
}

#[derive(Default)]
struct State {
    open: Option<Open>,
    /// The server that answered last.
    server: usize,
    /// A sign-in that was refused for its password: one more try may be the one that locks the account.
    refused: Option<Problem>,
}

impl Link {
    /// Returns a link that isn't connected yet.
    ///
    /// # Errors
    /// `directory.settings`, `directory.clear-text`, `tls.damaged`.
    pub(super) fn new(settings: Settings) -> Result<Self> {
        let wrong = |message: &str| Problem::new("directory.settings", message).next("mend `directory` in the plan");
        if settings.servers.is_empty() {
            return Err(wrong("the directory has no server"));
        }
        for server in &settings.servers {
            if !matches!(server.scheme(), "ldaps" | "ldap") || server.host_str().is_none_or(str::is_empty) {
                return Err(wrong(&format!("{} isn't the address of a directory server", shown(server))));
            }
            // The library takes its brackets for a part of the name, and no certificate has that.
            if matches!(server.host(), Some(Host::Ipv6(_))) {
                return Err(wrong(&format!("{} has an IPv6 address, and the server's name is needed", shown(server))));
            }
            if !server.username().is_empty() || server.password().is_some() {
                return Err(wrong("the address of a directory server has no name and no password in it"));
            }
        }
        // A bind without a password succeeds as nobody (RFC 4513, 5.1.2).
        let empty = matches!(&settings.sign_in, SignIn::Password(password) if password.expose_secret().is_empty());
        if settings.account.trim().is_empty() || empty {
            return Err(wrong("the directory's account has no name or an empty password"));
        }
        Ok(Self {
            tls: Arc::new(net::trusting(settings.authorities.as_deref())?),
            servers: settings.servers,
            account: settings.account,
            sign_in: settings.sign_in,
            #[cfg(feature = "kerberos")]
            domain: settings.domain,
            limits: settings.limits,
            open: Mutex::default(),
        })
    }

    /// Returns who asks, as the plan names it.
    pub(super) fn account(&self) -> &str {
        &self.account
    }

    /// Returns the server that was connected to last.
    pub(super) async fn server(&self) -> String {
        let at = self.open.lock().await.server;
        self.servers.get(at).map(shown).unwrap_or_default()
    }

    /// Returns a connection that somebody has signed in on.
    async fn ldap(&self) -> std::result::Result<(Ldap, usize), Fault> {
        let mut state = self.open.lock().await;
        if let Some(open) = &mut state.open
            && !open.ldap.is_closed()
        {
            return Ok((open.ldap.clone(), open.server));
        }
        if let Some(refused) = &state.refused {
            return Err(Fault::Refused(0, refused.clone()));
        }
        let mut failed: Vec<Problem> = Vec::new();
        for step in 0..self.servers.len() {
            let at = (state.server + step) % self.servers.len();
            match self.connect(&self.servers[at]).await {
                Ok(ldap) => {
                    state.server = at;
                    state.open = Some(Open { ldap: ldap.clone(), server: at });
                    return Ok((ldap, at));
                }
                // The account is the domain's: another server would say the same, and count one more try.
                Err(Fault::Refused(rc, problem)) => {
                    if fault::counts_as_try(&problem) {
                        state.refused = Some(problem.clone());
                    }
                    return Err(Fault::Refused(rc, problem));
                }
                Err(Fault::Broken(problem)) => failed.push(problem),
            }
        }
        Err(Fault::Broken(all_failed(failed)))
    }

    async fn connect(&self, server: &Url) -> std::result::Result<Ldap, Fault> {
        // Before anything is sent: nothing else would come of it.
        if !cfg!(feature = "kerberos") && matches!(self.sign_in, SignIn::Kerberos) {
            return Err(fault::no_kerberos(&self.account));
        }
        let name = shown(server);
        let late = || {
            let next = "check the `directory` section and the way to a domain controller";
            let problem = Problem::new("directory.timeout", format!("{name} doesn't answer in time")).next(next);
            Fault::Broken(problem.retry(crate::model::Retry::Soon))
        };
        let signed_in = async {
            let settings = LdapConnSettings::new().set_config(Arc::clone(&self.tls)).set_starttls(true);
            let made = LdapConnAsync::from_url_with_settings(settings, server).await;
            let (connection, mut ldap) = made.map_err(|e| fault::connection(&name, &e))?;
            tokio::spawn(async move {
                if let Err(error) = connection.drive().await {
                    tracing::debug!(%error, "the connection to the directory ended");
                }
            });
            match &self.sign_in {
                SignIn::Password(password) => self.by_password(&mut ldap, password, &name).await?,
                SignIn::Kerberos => self.by_kerberos(&mut ldap, server, &name).await?,
            }
            Ok(ldap)
        };
        tokio::time::timeout(self.limits.connect, signed_in).await.map_err(|_| late())?
    }

    #[cfg(feature = "kerberos")]
    async fn by_kerberos(&self, ldap: &mut Ldap, server: &Url, name: &str) -> std::result::Result<(), Fault> {
        let (domain, account) = (self.domain.as_str(), self.account.as_str());
        let asked = kerberos::SignIn { server: name, url: server, domain, account, answer: self.limits.answer };
        asked.run(ldap).await
    }

    #[cfg(not(feature = "kerberos"))]
    async fn by_kerberos(&self, _: &mut Ldap, _: &Url, _: &str) -> std::result::Result<(), Fault> {
        Err(fault::no_kerberos(&self.account))
    }

    async fn by_password(
        &self,
        ldap: &mut Ldap,
        password: &SecretString,
        name: &str,
    ) -> std::result::Result<(), Fault> {
        let answer = ldap.simple_bind(&self.account, password.expose_secret()).await;
        let answer = answer.map_err(|e| fault::request("signing in", name, e))?;
        match answer.rc {
            0 => Ok(()),
            // Another server may do better.
            51 | 52 => Err(Fault::Broken(fault::sign_in(&self.account, &answer).problem())),
            _ => Err(fault::sign_in(&self.account, &answer)),
        }
    }

    /// Gives a connection up that is of no use any more.
    async fn forget(&self, server: usize) {
        let mut state = self.open.lock().await;
        if state.open.as_ref().is_some_and(|open| open.server == server) {
            state.open = None;
        }
    }

    /// Searches, page by page; once more from the beginning where the connection broke.
    ///
    /// # Errors
    /// What the directory answers, and what `read` says of an object.
    pub(super) async fn search<T: Send>(
        &self,
        search: &Search<'_>,
        read: impl Fn(&Entry) -> Result<T> + Send + Sync,
    ) -> std::result::Result<Found<T>, Fault> {
        let (ldap, server) = self.ldap().await?;
        let first = self.pages(ldap, server, search, &read).await;
        let Err(Fault::Broken(problem)) = first else { return first };
        tracing::debug!(%problem, "connecting again");
        self.forget(server).await;
        let (ldap, server) = self.ldap().await?;
        self.pages(ldap, server, search, &read).await
    }

    async fn pages<T: Send>(
        &self,
        mut ldap: Ldap,
        server: usize,
        search: &Search<'_>,
        read: &(impl Fn(&Entry) -> Result<T> + Send + Sync),
    ) -> std::result::Result<Found<T>, Fault> {
        let name = shown(&self.servers[server]);
        let broke = |e: LdapError| fault::request(search.what, &name, e);
        let mut found = Found { items: Vec::new(), referrals: Vec::new() };
        let mut cookie = Vec::new();
        loop {
            let mut options = SearchOptions::new().timelimit(i32::try_from(self.limits.answer.as_secs()).unwrap_or(60));
            let mut controls = search.controls.clone();
            match search.first {
                Some(first) => options = options.sizelimit(first),
                None if search.scope == Scope::Base => {}
                None => controls.push(PagedResults { size: self.limits.page, cookie: cookie.clone() }.into()),
            }
            ldap.with_timeout(self.limits.answer).with_search_options(options).with_controls(controls);
            let started = ldap.streaming_search(search.base, search.scope, search.filter, search.attributes.to_vec());
            let mut stream = started.await.map_err(broke)?;
            while let Some(item) = stream.next().await.map_err(broke)? {
                if item.is_ref() {
                    found.referrals.extend(parse_refs(item.0));
                    continue;
                }
                // Nothing else comes in a search of ours.
                let Some(entry) = Entry::read(item) else { continue };
                if found.items.len() >= self.limits.objects {
                    let message = format!("{}: there are more than {} objects", search.what, self.limits.objects);
                    return Err(Fault::Refused(0, Problem::new("directory.limit", message)));
                }
                found.items.push(read(&entry).map_err(|problem| Fault::Refused(0, problem))?);
            }
            let result = stream.finish().await;
            if result.rc != 0 && !(result.rc == fault::SIZE_LIMIT && search.first.is_some()) {
                return Err(fault::result(search.what, &result));
            }
            cookie = next_page(&result);
            if cookie.is_empty() {
                return Ok(found);
            }
        }
    }

    /// Writes attributes of one object.
    ///
    /// # Errors
    /// What the directory answers. Where it is [`Fault::Broken`], nobody knows whether it was done.
    pub(super) async fn modify(
        &self,
        what: &str,
        dn: &str,
        changes: Vec<Mod<String>>,
    ) -> std::result::Result<(), Fault> {
        let (mut ldap, server) = self.ldap().await?;
        let answer = ldap.with_timeout(self.limits.answer).modify(dn, changes).await;
        self.outcome(what, server, answer).await
    }

    /// Deletes one object.
    ///
    /// # Errors
    /// As [`Link::modify`].
    pub(super) async fn delete(
        &self,
        what: &str,
        dn: &str,
        controls: Vec<RawControl>,
    ) -> std::result::Result<(), Fault> {
        let (mut ldap, server) = self.ldap().await?;
        let answer = ldap.with_timeout(self.limits.answer).with_controls(controls).delete(dn).await;
        self.outcome(what, server, answer).await
    }

    async fn outcome(
        &self,
        what: &str,
        server: usize,
        answer: std::result::Result<LdapResult, LdapError>,
    ) -> std::result::Result<(), Fault> {
        match answer {
            Ok(result) if result.rc == 0 => Ok(()),
            Ok(result) => Err(fault::result(what, &result)),
            Err(error) => {
                self.forget(server).await;
                Err(fault::request(what, &shown(&self.servers[server]), error))
            }
        }
    }
}

/// Returns where the next page begins; empty after the last one (RFC 2696, 3).
fn next_page(result: &LdapResult) -> Vec<u8> {
    let paged = result.ctrls.iter().find(|Control(kind, _)| matches!(kind, Some(ControlType::PagedResults)));
    paged.and_then(|Control(_, raw)| cookie(raw.val.as_deref()?)).unwrap_or_default()
}

/// Reads a sequence of a number and the place.
fn cookie(value: &[u8]) -> Option<Vec<u8>> {
    let (_, tag) = parse_tag(value).ok()?;
    let PL::C(parts) = tag.payload else { return None };
    match parts.into_iter().nth(1)?.payload {
        PL::P(cookie) => Some(cookie),
        PL::C(_) => None,
    }
}

/// Says of all servers together why none could be used: a certificate that isn't trusted before a server that is off.
fn all_failed(failed: Vec<Problem>) -> Problem {
    let told: Vec<String> = failed.iter().map(|problem| problem.message.clone()).collect();
    let worst = failed.into_iter().min_by_key(|problem| match problem.code.as_str() {
        "directory.certificate" => 0,
        "directory.clear-text" => 1,
        "directory.no-service" => 2,
        _ => 3,
    });
    let mut problem = worst.unwrap_or_else(|| Problem::new("directory.unreachable", "no server was asked"));
    if told.len() > 1 {
        let detail = problem.detail.map(|detail| format!("; {detail}")).unwrap_or_default();
        problem.detail = Some(format!("{}{detail}", told.join("; ")));
    }
    problem
}

/// Returns an address without anything that may be secret.
fn shown(server: &Url) -> String {
    let port = server.port().map(|port| format!(":{port}")).unwrap_or_default();
    format!("{}://{}{port}", server.scheme(), server.host_str().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(server: &str, account: &str, password: &str) -> Result<Link> {
        Link::new(Settings {
            servers: vec![server.parse().expect("an address")],
            domain: "corp.example".to_owned(),
            units: Vec::new(),
            account: account.to_owned(),
            sign_in: SignIn::Password(SecretString::from(password.to_owned())),
            authorities: None,
            limits: Limits::default(),
        })
    }

    /// Catches a sign-in as nobody, which a server takes for a good one, and an address that shows a password.
    #[test]
    fn what_is_refused_before_anything_is_sent() {
        assert!(link("ldaps://dc1.corp.example", "CORP\\svc", "secret").is_ok());
        for (server, account, password) in [
            ("ldaps://dc1.corp.example", "CORP\\svc", ""),
            ("ldaps://dc1.corp.example", " ", "secret"),
            ("https://dc1.corp.example", "CORP\\svc", "secret"),
            ("ldaps://[::1]:636", "CORP\\svc", "secret"),
            ("ldaps://svc:hunter2@dc1.corp.example", "CORP\\svc", "secret"),
        ] {
            let problem = link(server, account, password).err().expect(server);
            assert_eq!(problem.code, "directory.settings");
            assert!(!format!("{problem:?}").contains("hunter2"), "{problem:?}");
        }
    }

    proptest::proptest! {
        /// Catches a panic on a page control of another shape.
        #[test]
        fn any_control(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..30)) {
            let _ = cookie(&bytes);
        }
    }
}
