//! Where the controller listens, how that is secured, and what agents are told of it.

use std::net::SocketAddr;

use tokio::net::TcpListener;

use super::args::{TlsArg, TransportArgs};
use super::command::tls::warn_of_end;
use super::failure::Failure;
use super::session::now;
use super::settings::Settings;
use crate::controller::{self, Security};
use crate::model::Problem;
use crate::net::{self, ClientSettings, Host, Served};
use crate::store::TlsFolder;

/// A controller's way in.
pub struct Listening {
    /// The listener.
    pub listener: TcpListener,
    /// How connections are secured.
    pub security: Security,
    /// Base URL that agents call.
    pub url: String,
    /// What agents need to know to call it.
    pub connection: ClientSettings,
}

impl Listening {
    /// Begins to listen.
    ///
    /// # Errors
    /// `cli.listen`, `cli.listen-plain` where others could read along, `tls.*`, `key.rights`.
    pub fn open(settings: &Settings, address: SocketAddr, args: &TransportArgs) -> Result<Self, Failure> {
        let mut connection =
            ClientSettings { authorities: None, pins: args.pin.clone(), proxy: args.agent_proxy.clone() };
        let served = match (&args.tls_cert, &args.tls_key, args.tls) {
            (Some(certificate), Some(key), _) => Some(net::server_config(certificate, key)?),
            (_, _, Some(TlsArg::Own)) => {
                let folder = TlsFolder::of(&settings.state()?);
                folder.check_rights()?;
                connection.authorities = Some(folder.authority_pem()?);
                Some(net::server_config(&folder.server(), &folder.server_key())?)
            }
            _ => None,
        };
        match &served {
            Some(served) if served.about.has_ended(now()) => {
                let problem = Problem::new("tls.ended", format!("the certificate ended on {}", served.about.ends));
                return Err(problem.next("renew it: `opsole tls renew` for our own authority").into());
            }
            Some(served) => warn_of_end(&settings.ui, &served.about),
            None if address.ip().is_loopback() || args.plain_http_behind_proxy => {}
            None => {
                let message = format!("{address} can be reached from other machines, and plain HTTP can be read there");
                return Err(Problem::new("cli.listen-plain", message)
                    .next(
                        "use TLS with `--tls own` after `opsole tls init --name HOST`, or with `--tls-cert` and \
                         `--tls-key`; where a proxy in front speaks TLS, add `--plain-http-behind-proxy`",
                    )
                    .into());
            }
        }
        let listener = controller::listen(address).map_err(|e| {
            Problem::new("cli.listen", format!("can't listen on {address} for agents"))
                .detail(e.to_string())
                .next("name another address with `--listen`")
        })?;
        let url = match &args.url {
            Some(url) => url.to_string().trim_end_matches('/').to_owned(),
            None => base(listener.local_addr()?, served.as_ref()),
        };
        let security = served.map_or(Security::Plain, |served| Security::Tls(served.config));
        Ok(Self { listener, security, url, connection })
    }
}

/// Makes the address for agents: of the address itself where the certificate is good for it or nobody knows better,
/// else of the certificate's first host.
fn base(address: SocketAddr, served: Option<&Served>) -> String {
    let Some(served) = served else { return format!("http://{address}") };
    let own = address.ip().to_string();
    let first = served.about.hosts.first().and_then(|host| host.parse::<Host>().ok());
    match first {
        Some(host) if !served.about.hosts.contains(&own) => format!("https://{host}:{}", address.port()),
        _ => format!("https://{address}"),
    }
}
