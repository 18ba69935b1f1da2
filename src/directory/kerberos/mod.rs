//! Sign-in by Kerberos: SASL GSSAPI (RFC 4752), as whoever this process is, with no secret of ours.
//!
//! On Windows it is the signed-in account, elsewhere what the credential cache or the client keytab has that Kerberos finds
//! (`KRB5CCNAME`, `KRB5_CLIENT_KTNAME`). TLS goes first as for a password; Kerberos then only says who it is, bound to the
//! server's certificate (`tls-server-end-point`, RFC 5929; ldap3 works it out), so that nobody can pass the sign-in on.

mod fault;
mod who;

use std::time::Duration;

use ldap3::{Ldap, LdapError, LdapResult, Scope};
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use url::{Host, Url};

use super::entry::Entry;
use super::fault::{Fault, request};

/// What a sign-in is about.
#[derive(Clone, Copy)]
pub(super) struct SignIn<'a> {
    /// The server, as it is told.
    pub(super) server: &'a str,
    pub(super) url: &'a Url,
    /// DNS name of the domain.
    pub(super) domain: &'a str,
    /// Who it has to be, as the plan names it.
    pub(super) account: &'a str,
    /// For an answer.
    pub(super) answer: Duration,
}

/// What the server's root says, before anybody has signed in too ([MS-ADTS] 3.1.1.3.2).
struct Root {
    domain: String,
    configuration: String,
    host: Option<String>,
}

impl SignIn<'_> {
    /// Signs in, and makes sure that it is the account of the plan who did.
    ///
    /// # Errors
    /// `directory.no-ticket`, `directory.clock-skew`, `directory.no-kdc`, `directory.no-service`, `directory.wrong-key`,
    /// `directory.kerberos`, `directory.other-account`, and what the server says otherwise.
    pub(super) async fn run(self, ldap: &mut Ldap) -> Result<(), Fault> {
        let root = self.root(ldap).await?;
        let service = service(self.url, self.domain, root.host.as_deref());
        let answer = bind(ldap.clone(), service.clone()).await.map_err(|why| fault::of(&self, &service, why))?;
        if answer.rc != 0 {
            return Err(fault::refused(&self, &answer));
        }
        who::check(self, ldap, &root).await
    }

    async fn root(self, ldap: &mut Ldap) -> Result<Root, Fault> {
        let attributes = &["defaultNamingContext", "configurationNamingContext", "dnsHostName"];
        let what = "reading the server's root";
        let found = self.search(ldap, what, "", Scope::Base, "(objectClass=*)", attributes).await?.into_iter().next();
        let found = found.unwrap_or_default();
        let text = |name: &str| found.text(name).map(str::to_owned);
        Ok(Root {
            domain: text("defaultNamingContext").unwrap_or_default(),
            configuration: text("configurationNamingContext").unwrap_or_default(),
            host: text("dnsHostName"),
        })
    }

    async fn search(
        self,
        ldap: &mut Ldap,
        what: &str,
        base: &str,
        scope: Scope,
        filter: &str,
        attributes: &[&'static str],
    ) -> Result<Vec<Entry>, Fault> {
        let broke = |e: LdapError| request(what, self.server, e);
        let found = ldap.with_timeout(self.answer).search(base, scope, filter, attributes.to_vec()).await;
        let (found, _) = found.map_err(broke)?.success().map_err(broke)?;
        Ok(found.into_iter().filter(|item| !item.is_ref()).filter_map(Entry::read).collect())
    }
}

/// Returns the host of the server's service principal, `ldap/HOST`: what the address says.
///
/// Domain controllers have no service of the domain's own name and none of an address of the network
/// [R: Microsoft Learn, "Service principal names"]: for those it is what the server calls itself, over TLS.
///
/// Elsewhere than on Windows the realm goes along, which is the domain's name in capitals
/// [R: RFC 4120, 6.1; Active Directory's realms are written so]: this machine's own realm may be another one.
fn service(url: &Url, domain: &str, own: Option<&str>) -> String {
    let host = url.host_str().unwrap_or_default();
    let named = matches!(url.host(), Some(Host::Domain(_))) && host.parse::<std::net::IpAddr>().is_err();
    let host = match own {
        Some(own) if !own.is_empty() && (!named || host.trim_end_matches('.').eq_ignore_ascii_case(domain)) => own,
        _ => host,
    };
    if cfg!(windows) { host.to_owned() } else { format!("{host}@{}", domain.to_uppercase()) }
}

/// Asks Kerberos for a ticket and signs in with it. Kerberos reads files and asks its servers without letting go of its
/// thread, for nearly half a minute where one is silent and longer where several are: it gets a thread of its own, which
/// nobody waits for once it is too late.
///
/// # Errors
/// The text of the Kerberos library, or what broke the connection.
async fn bind(mut ldap: Ldap, service: String) -> Result<LdapResult, LdapError> {
    let runtime = Handle::current();
    let (tell, told) = oneshot::channel();
    let work = move || {
        // Nobody listens any more where it took too long.
        let _ = tell.send(runtime.block_on(ldap.sasl_gssapi_bind(&service)));
    };
    std::thread::Builder::new().name("kerberos".to_owned()).spawn(work)?;
    // A thread that ended without a word has panicked: on a wrapped answer of no length, for one.
    let lost = || LdapError::GssapiOperationError("the exchange ended without an answer".to_owned());
    told.await.unwrap_or_else(|_| Err(lost()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Catches a ticket that is asked for under a name that no domain controller has.
    #[test]
    fn services() {
        let realm = if cfg!(windows) { "" } else { "@CORP.EXAMPLE" };
        let of = |url: &str, own| service(&url.parse().expect("an address"), "corp.example", own);
        let own = Some("dc7.corp.example");
        for (url, own, host) in [
            ("ldaps://dc1.corp.example", own, "dc1.corp.example"),
            ("ldaps://dc1.corp.example:636", None, "dc1.corp.example"),
            ("ldaps://corp.example", own, "dc7.corp.example"),
            ("ldaps://CORP.example", own, "dc7.corp.example"),
            ("ldaps://corp.example", None, "corp.example"),
            ("ldap://10.0.0.1", own, "dc7.corp.example"),
            ("ldap://10.0.0.1", Some(""), "10.0.0.1"),
            ("ldaps://[::1]:636", own, "dc7.corp.example"),
        ] {
            assert_eq!(of(url, own), format!("{host}{realm}"), "{url}");
        }
    }
}
