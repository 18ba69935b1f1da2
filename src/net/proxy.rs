//! Which proxy is on the way: the one that is named, the one that the machine's settings name, or none.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use url::Url;

/// Finds the proxy for an address, where what is named isn't enough: WinHTTP evaluates PAC files and WPAD by itself, and
/// the Windows side of the agent asks it through this.
pub trait ProxyFinder: fmt::Debug + Send + Sync {
    /// Returns the proxy for an address; none where it is reached directly. May not block for long.
    fn proxy_for(&self, url: &Url) -> Option<Url>;
}

/// How a proxy is chosen.
#[derive(Debug, Clone, Default)]
pub enum ProxySetting {
    /// As the environment says (`HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY`, `NO_PROXY`), else as the system's settings do.
    #[default]
    System,
    /// None at all.
    Direct,
    /// This one.
    Named(Url),
    /// Whatever is found for each address.
    Found(Arc<dyn ProxyFinder>),
}

impl FromStr for ProxySetting {
    type Err = String;

    /// Reads `system`, `direct`, or a URL with `http` or `https`.
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "system" => return Ok(Self::System),
            "direct" => return Ok(Self::Direct),
            _ => {}
        }
        if text.starts_with("pac+") || text.ends_with(".pac") {
            return Err("PAC files are programs, and none is run here: name the proxy that it gives for the \
                        controller; under Windows `system` lets the system evaluate it"
                .to_owned());
        }
        let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
        let url = url.ok_or("write `system`, `direct`, or a URL such as `http://proxy.contoso.com:8080`")?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err("a proxy's password isn't written into settings: let the proxy know the device by its \
                        address or its account"
                .to_owned());
        }
        Ok(Self::Named(url))
    }
}

impl fmt::Display for ProxySetting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // A finder is a part of the program and in no file.
            Self::System | Self::Found(_) => f.write_str("system"),
            Self::Direct => f.write_str("direct"),
            Self::Named(url) => write!(f, "{url}"),
        }
    }
}

impl Serialize for ProxySetting {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ProxySetting {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Catches a PAC file that is taken for a proxy, and a password that ends up in a file of settings.
    #[test]
    fn settings_are_read_or_refused() {
        for good in ["system", "direct", "http://proxy.contoso.com:8080/"] {
            assert_eq!(good.parse::<ProxySetting>().map(|setting| setting.to_string()), Ok(good.to_owned()));
        }
        for wrong in ["", "proxy", "ftp://proxy/", "http://jane:secret@proxy/", "socks5://proxy/"] {
            assert!(wrong.parse::<ProxySetting>().is_err(), "{wrong}");
        }
        for pac in ["pac+http://wpad/wpad.dat", "http://proxy.contoso.com/proxy.pac"] {
            assert!(pac.parse::<ProxySetting>().expect_err("refused").contains("PAC"), "{pac}");
        }
    }
}
