//! What the agent of a device is told: a file that an administrator gives to the device, and the registry that keeps it.
//!
//! The token is a secret: in the file it is plain, since the device can't know it otherwise; on the device it is kept
//! encrypted for the machine until it was used, and then it is gone. Everything else is no secret.

use std::fmt;

use schemars::JsonSchema;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::setup::Places;
use crate::model::{DeviceName, Problem};
use crate::net::{ClientSettings, Pin, ProxySetting};
use crate::port::Result;
use crate::windows::machine::{Files, Key, Machine, Registry, Value};
use crate::wire::EnrolmentToken;

/// Longest file of settings, in bytes: a few authorities and one token.
const MAX_BYTES: u64 = 256 << 10;
/// The first call after a start comes within so many seconds where nobody says otherwise: ten thousand devices that
/// wake up at once are 33 calls a second.
const SPREAD_SECS: u32 = 300;
/// Longest wait of one question for orders, in seconds: below what proxies cut off.
const POLL_SECS: u64 = 20;

const CONTROLLER: &str = "Controller";
const AUTHORITIES_FILE: &str = "AuthoritiesFile";
const PINS: &str = "Pins";
const PROXY: &str = "Proxy";
const SPREAD: &str = "SpreadSecs";
const POLL: &str = "PollSecs";

/// Settings of one device's agent, or of all devices where neither `device` nor `token` is there.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AgentSettings {
    /// [`AgentSettings::FORMAT`].
    pub format: String,
    /// Base URL of the controller, such as `https://opsole.contoso.com:8443`.
    pub controller: String,
    /// Authorities to trust besides those that the machine trusts, PEM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authorities: Option<String>,
    /// Keys that the controller may have, as `opsole tls show` prints them; any where it is empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<String>")]
    pub pins: Vec<Pin>,
    /// `system`, `direct` or a URL.
    #[serde(default)]
    #[schemars(with = "String")]
    pub proxy: ProxySetting,
    /// The first call after a start comes within so many seconds, by chance.
    #[serde(default = "spread")]
    pub spread_secs: u32,
    /// Longest wait of one question for orders, in seconds.
    #[serde(default = "poll")]
    pub poll_secs: u64,
    /// The device that this file is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub device: Option<DeviceName>,
    /// Its enrolment token: a secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub token: Option<Zeroizing<String>>,
}

fn spread() -> u32 {
    SPREAD_SECS
}
fn poll() -> u64 {
    POLL_SECS
}

impl fmt::Debug for AgentSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("AgentSettings");
        shown.field("controller", &self.controller).field("device", &self.device).finish_non_exhaustive()
    }
}

fn wrong(message: impl Into<String>) -> Problem {
    Problem::new("agent.settings", message)
        .next("have the file written with `opsole devices issue --settings DIR`, or give `--controller` and a token")
}

impl AgentSettings {
    /// What a file of settings says that it is.
    pub const FORMAT: &str = "opsole.agent-settings/1";

    /// Returns settings that name the controller alone.
    #[must_use]
    pub fn new(controller: impl Into<String>) -> Self {
        Self {
            format: Self::FORMAT.to_owned(),
            controller: controller.into(),
            authorities: None,
            pins: Vec::new(),
            proxy: ProxySetting::System,
            spread_secs: SPREAD_SECS,
            poll_secs: POLL_SECS,
            device: None,
            token: None,
        }
    }

    /// Reads a file of settings.
    ///
    /// # Errors
    /// `agent.settings` where it isn't one; no part of it is told, since it may hold a token.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        // Windows' editors and PowerShell begin UTF-8 with a mark.
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        if bytes.len() as u64 > MAX_BYTES {
            return Err(wrong("the file of settings is too long to be one"));
        }
        let settings: Self = serde_json::from_slice(bytes).map_err(|e| {
            wrong("the file of settings can't be read").detail(format!("line {}, column {}", e.line(), e.column()))
        })?;
        if settings.format != Self::FORMAT {
            return Err(wrong(format!("the file of settings isn't `{}`", Self::FORMAT)));
        }
        Ok(settings)
    }

    /// Says what the settings have against them on a device.
    ///
    /// # Errors
    /// `agent.settings` where the address isn't one or nothing would be encrypted on the way, or the token can't be
    /// read; `agent.settings-device` where they are another device's.
    pub fn check(&self, device: &DeviceName) -> Result<()> {
        let url = url::Url::parse(&self.controller).ok();
        let url = url.filter(|url| url.has_host() && url.username().is_empty() && url.query().is_none());
        let Some(url) = url else {
            return Err(wrong(format!("`{}` isn't the address of a controller", self.controller)));
        };
        let loopback = match url.host() {
            Some(url::Host::Ipv4(v4)) => v4.is_loopback(),
            Some(url::Host::Ipv6(v6)) => v6.is_loopback(),
            Some(url::Host::Domain(name)) => name == "localhost",
            None => false,
        };
        if url.scheme() != "https" && !(url.scheme() == "http" && loopback) {
            return Err(wrong(format!("{} isn't https: names and steps could be read on the way", self.controller)));
        }
        let other = |whose: &DeviceName| {
            let message = format!("the settings are those of {whose}, and this device is {device}");
            Problem::new("agent.settings-device", message).next("give each device its own file alone")
        };
        if let Some(whose) = self.device.as_ref().filter(|whose| *whose != device) {
            return Err(other(whose));
        }
        if let Some(token) = &self.token {
            let token: EnrolmentToken =
                token.parse().map_err(|why: String| wrong("the enrolment token can't be read").detail(why))?;
            if token.device() != device {
                return Err(other(token.device()));
            }
        }
        Ok(())
    }

    /// Returns how the controller is called.
    #[must_use]
    pub fn connection(&self) -> ClientSettings {
        ClientSettings { authorities: self.authorities.clone(), pins: self.pins.clone(), proxy: self.proxy.clone() }
    }
}

/// What a device was told, as it keeps it.
pub struct Stored {
    /// The settings, without the token.
    pub settings: AgentSettings,
    /// The token, where it wasn't used yet.
    pub token: Option<SecretString>,
}

impl fmt::Debug for Stored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Stored");
        shown.field("settings", &self.settings).field("token", &self.token.is_some()).finish()
    }
}

fn key() -> Key {
    Key::machine(r"SOFTWARE\Opsole")
}

/// Keeps settings on the device: the registry, the authorities beside the journal, the token encrypted. A token that is
/// there stays where the new settings hold none.
///
/// # Errors
/// `windows.*` where Windows refuses it.
pub fn write(machine: &dyn Machine, places: &Places, settings: &AgentSettings) -> Result<()> {
    let key = key();
    Registry::create_private(machine, &key)?;
    Files::create_private(machine, &places.state)?;
    match &settings.authorities {
        Some(pem) => {
            machine.write(&places.authorities, pem.as_bytes())?;
            machine.set(&key, AUTHORITIES_FILE, &Value::Sz(places.authorities.clone()))?;
        }
        None => machine.remove_value(&key, AUTHORITIES_FILE)?,
    }
    let pins = settings.pins.iter().map(Pin::to_string).collect();
    let poll = u32::try_from(settings.poll_secs).unwrap_or(u32::MAX);
    for (name, value) in [
        (CONTROLLER, Value::Sz(settings.controller.clone())),
        (PINS, Value::MultiSz(pins)),
        (PROXY, Value::Sz(settings.proxy.to_string())),
        (SPREAD, Value::Dword(settings.spread_secs)),
        (POLL, Value::Dword(poll)),
    ] {
        machine.set(&key, name, &value)?;
    }
    if let Some(token) = &settings.token {
        machine.write(&places.token, &machine.protect(token.as_bytes())?)?;
    }
    Ok(())
}

/// Reads what the device was told; none where nobody told it anything.
///
/// # Errors
/// `agent.settings` where a value isn't what it should be, `windows.*` where it can't be read.
pub fn read(machine: &dyn Machine, places: &Places) -> Result<Option<Stored>> {
    let key = key();
    let text = |name: &str| -> Result<Option<String>> {
        Ok(machine.value(&key, name)?.and_then(|value| value.text().map(str::to_owned)))
    };
    let bad = |name: &str, why: String| {
        Problem::new("agent.settings", format!("{key}\\{name} can't be used"))
            .detail(why)
            .next("run `opsole agent install` again with the device's settings")
    };
    let Some(controller) = text(CONTROLLER)? else { return Ok(None) };
    let mut settings = AgentSettings::new(controller);
    // A group policy may name a file of its own.
    if let Some(path) = text(AUTHORITIES_FILE)? {
        let bytes = machine.read(&path, MAX_BYTES)?;
        let bytes = bytes.ok_or_else(|| bad(AUTHORITIES_FILE, format!("there is no file {path}")))?;
        let pem = String::from_utf8(bytes).map_err(|_| bad(AUTHORITIES_FILE, format!("{path} isn't PEM")))?;
        settings.authorities = Some(pem);
    }
    match machine.value(&key, PINS)? {
        Some(Value::MultiSz(pins)) => {
            let pins = pins.iter().filter(|pin| !pin.is_empty()).map(|pin| pin.parse());
            settings.pins = pins.collect::<std::result::Result<_, _>>().map_err(|why| bad(PINS, why))?;
        }
        None => {}
        // Without its pins the agent would trust more than it was told to.
        Some(_) => return Err(bad(PINS, "it isn't REG_MULTI_SZ".to_owned())),
    }
    if let Some(proxy) = text(PROXY)? {
        settings.proxy = proxy.parse().map_err(|why| bad(PROXY, why))?;
    }
    let number = |name: &str| -> Result<Option<u64>> { Ok(machine.value(&key, name)?.and_then(|v| v.number())) };
    if let Some(secs) = number(SPREAD)? {
        settings.spread_secs = u32::try_from(secs).unwrap_or(SPREAD_SECS);
    }
    if let Some(secs) = number(POLL)? {
        settings.poll_secs = secs.clamp(1, 300);
    }
    let token = match machine.read(&places.token, MAX_BYTES)? {
        None => None,
        Some(protected) => {
            let plain = machine.unprotect(&protected)?;
            let text = std::str::from_utf8(&plain).map_err(|_| wrong("the enrolment token that is kept is damaged"))?;
            Some(SecretString::from(text.to_owned()))
        }
    };
    Ok(Some(Stored { settings, token }))
}

/// Removes the token: it was used, and nobody gains from keeping it.
///
/// # Errors
/// `windows.*` where it can't be removed.
pub fn forget_token(machine: &dyn Machine, places: &Places) -> Result<()> {
    Ok(machine.remove(&places.token)?)
}
