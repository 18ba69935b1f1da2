//! How a tenant is reached: endpoints, application and credential, checked before anything is sent.

use std::net::IpAddr;
use std::path::PathBuf;

use secrecy::SecretString;
use url::{Host, Url};

use crate::model::{Problem, TenantId};
use crate::port::Result;

/// Names a tenant at the sign-in authority.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TenantRef {
    /// By id. A token of another tenant is refused.
    Id(TenantId),
    /// By a verified domain.
    Domain(String),
}

/// How the application proves itself (msgraph.md 1.2).
#[derive(Debug, Clone)]
pub enum Credential {
    /// A client secret.
    ClientSecret(SecretString),
    /// A token of another identity provider, read from this file for every new token.
    Federated(PathBuf),
    /// A certificate with its private key. Not supported by this version.
    Certificate(PathBuf),
    /// The managed identity of the machine. Not supported by this version.
    ManagedIdentity,
}

/// One tenant and the application that signs in to it.
#[derive(Debug, Clone)]
pub struct Config {
    /// The plan's name for the tenant; stands in messages.
    pub label: String,
    /// The tenant.
    pub tenant: TenantRef,
    /// Sign-in authority, such as `https://login.microsoftonline.com`.
    pub authority: String,
    /// Graph root, such as `https://graph.microsoft.com`.
    pub graph: String,
    /// Token scope, such as `https://graph.microsoft.com/.default`.
    pub scope: String,
    /// Client id of the application.
    pub client_id: String,
    /// Its credential.
    pub credential: Credential,
}

impl Config {
    /// Returns the token endpoint and the Graph root.
    ///
    /// # Errors
    /// `graph.endpoint` where a URL is none, isn't HTTPS away from this machine, or holds more than scheme, host and
    /// port; `token.credential-unsupported` for a credential that this version can't use.
    pub(super) fn endpoints(&self) -> Result<(Url, Url)> {
        let unsupported = |what: &str| {
            Err(Problem::new(
                "token.credential-unsupported",
                format!("tenant {}: {what} isn't supported by this version", self.label),
            )
            .next("give the application a client secret, or a federated credential with a token file"))
        };
        match self.credential {
            Credential::Certificate(_) => return unsupported("signing in with a certificate"),
            Credential::ManagedIdentity => return unsupported("signing in with a managed identity"),
            Credential::ClientSecret(_) | Credential::Federated(_) => {}
        }
        let tenant = match &self.tenant {
            TenantRef::Id(id) => id.to_string(),
            TenantRef::Domain(domain) => domain.clone(),
        };
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '.' || c == '-';
        if tenant.is_empty() || !tenant.chars().all(plain) || tenant.starts_with('.') {
            return Err(Problem::new("graph.endpoint", format!("tenant {}: `{tenant}` isn't a domain", self.label)));
        }
        let mut token = self.endpoint("authority", &self.authority)?;
        token.set_path(&format!("/{tenant}/oauth2/v2.0/token"));
        Ok((token, self.endpoint("Graph root", &self.graph)?))
    }

    fn endpoint(&self, what: &str, text: &str) -> Result<Url> {
        let problem = |why: &str| {
            Problem::new("graph.endpoint", format!("tenant {}: the {what} `{text}` {why}", self.label))
                .next("write it as https://host, as in the table of clouds")
        };
        let url = Url::parse(text).map_err(|_| problem("isn't a URL"))?;
        if url.host().is_none() || !url.username().is_empty() || url.password().is_some() {
            return Err(problem("has to be scheme and host alone"));
        }
        if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
            return Err(problem("has to be scheme and host alone"));
        }
        // The secret and the token go there in clear text over HTTP, so only this machine may be spoken to so.
        match url.scheme() {
            "https" => Ok(url),
            "http" if is_loopback(&url) => Ok(url),
            _ => Err(problem("has to be HTTPS")),
        }
    }
}

/// Says whether a URL leads to this machine.
pub(super) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(ip)) => IpAddr::from(ip).is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(authority: &str, graph: &str, domain: &str) -> Config {
        Config {
            label: "contoso".into(),
            tenant: TenantRef::Domain(domain.into()),
            authority: authority.into(),
            graph: graph.into(),
            scope: "scope".into(),
            client_id: "app".into(),
            credential: Credential::ClientSecret("hunter2".into()),
        }
    }

    /// Catches a secret sent in clear text to another machine, or to a host hidden in a URL's user part.
    #[test]
    fn refuses_unsafe_endpoints() {
        let good = "https://graph.microsoft.com";
        for bad in ["http://graph.microsoft.com", "http://10.0.0.1", "https://u@h", "ftp://h", "x", "https://h/p?q"] {
            assert!(config(bad, good, "contoso.com").endpoints().is_err(), "{bad}");
            assert!(config(good, bad, "contoso.com").endpoints().is_err(), "{bad}");
        }
        for bad in ["", "../common", "a b", "a/b", "a%2e"] {
            assert!(config(good, good, bad).endpoints().is_err(), "{bad}");
        }
        for loopback in ["http://127.0.0.1:8080", "http://localhost:1", "http://[::1]:9"] {
            let (token, graph) = config(loopback, loopback, "contoso.com").endpoints().expect("loopback");
            assert!(is_loopback(&graph));
            assert_eq!(token.path(), "/contoso.com/oauth2/v2.0/token");
        }
    }

    /// Catches a configuration that prints its secret.
    #[test]
    fn debug_hides_secret() {
        let text = format!("{:?}", config("https://h", "https://h", "contoso.com"));
        assert!(!text.contains("hunter2"), "{text}");
    }
}
