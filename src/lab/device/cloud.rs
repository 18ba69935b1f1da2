//! What an emulated device says to its tenant, behind a trait: over HTTP, or to a fake in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use crate::lab::protocol::{
    DeviceCall, EnrolMdmAnswer, EnrolMdmRequest, EscrowRequest, JoinAnswer, JoinRequest, Refusal, SignInRequest,
};
use crate::model::{EntraDeviceId, IntuneId, KeyId, Problem, TenantId, UserId};

/// Why a call didn't work.
#[derive(Debug, Clone)]
pub enum CloudError {
    /// The service said no, with the code that Windows shows.
    Refused(Refusal),
    /// Nobody answered, or something that isn't the service did. Whether it acted is unknown.
    Unreachable(String),
}

/// The services of the tenants, as a device calls them. Every call may be repeated.
#[async_trait]
pub trait Cloud: Send + Sync {
    /// Joins with a bulk token.
    ///
    /// # Errors
    /// Refused, or nobody answered; so for every call here.
    async fn join(&self, request: &JoinRequest) -> Result<JoinAnswer, CloudError>;
    /// Says that the device leaves. The device object stays, as in Entra.
    ///
    /// # Errors
    /// As [`Cloud::join`].
    async fn leave(&self, call: &DeviceCall) -> Result<(), CloudError>;
    /// Enrols into Intune.
    ///
    /// # Errors
    /// As [`Cloud::join`].
    async fn enrol(&self, request: &EnrolMdmRequest) -> Result<EnrolMdmAnswer, CloudError>;
    /// Synchronises with Intune.
    ///
    /// # Errors
    /// As [`Cloud::join`].
    async fn sync(&self, call: &DeviceCall) -> Result<(), CloudError>;
    /// Backs a recovery key up.
    ///
    /// # Errors
    /// As [`Cloud::join`].
    async fn escrow(&self, request: &EscrowRequest) -> Result<(), CloudError>;
    /// Backs the local administrator's password up.
    ///
    /// # Errors
    /// As [`Cloud::join`].
    async fn laps(&self, call: &DeviceCall) -> Result<(), CloudError>;
    /// A user signs in on the device.
    ///
    /// # Errors
    /// As [`Cloud::join`].
    async fn sign_in(&self, request: &SignInRequest) -> Result<(), CloudError>;
}

/// The emulated tenants over HTTP, `/lab/v1/…`.
#[derive(Debug, Clone)]
pub struct HttpCloud {
    base: String,
    http: reqwest::Client,
}

/// One client for all devices of the process. It keeps no idle connections, since those belong to one async
/// runtime and a later one can't use them; a new connection on the loopback is cheap.
fn shared_client() -> Result<reqwest::Client, Problem> {
    static CLIENT: OnceLock<reqwest::Client> = OnceLock::new();
    if let Some(client) = CLIENT.get() {
        return Ok(client.clone());
    }
    // Another part of the process may have installed it already; either is the same provider.
    drop(rustls::crypto::ring::default_provider().install_default());
    let client = reqwest::Client::builder()
        .no_proxy()
        .pool_max_idle_per_host(0)
        .connect_timeout(Duration::from_secs(5))
        .timeout(Duration::from_secs(30))
        .build()
        .map_err(|e| Problem::new("lab.http", "the device's HTTP client can't be made").detail(e.to_string()))?;
    Ok(CLIENT.get_or_init(|| client).clone())
}

impl HttpCloud {
    /// Returns a client of the tenants at a base URL, such as `http://127.0.0.1:8700`.
    ///
    /// # Errors
    /// `lab.http` where no client can be made.
    pub fn new(tenants_url: &str) -> Result<Self, Problem> {
        Ok(Self { base: tenants_url.trim_end_matches('/').to_owned(), http: shared_client()? })
    }

    async fn post(&self, path: &str, body: &impl Serialize) -> Result<reqwest::Response, CloudError> {
        let unreachable = |e: reqwest::Error| CloudError::Unreachable(e.without_url().to_string());
        let url = format!("{}/lab/v1/{path}", self.base);
        let response = self.http.post(url).json(body).send().await.map_err(unreachable)?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let text = response.text().await.map_err(unreachable)?;
        match serde_json::from_str::<Refusal>(&text) {
            Ok(refusal) if status.is_client_error() => Err(CloudError::Refused(refusal)),
            _ => Err(CloudError::Unreachable(format!("HTTP {status} for {path}"))),
        }
    }
    async fn call<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T, CloudError> {
        let response = self.post(path, body).await?;
        response.json().await.map_err(|e| CloudError::Unreachable(e.without_url().to_string()))
    }
}

#[async_trait]
impl Cloud for HttpCloud {
    async fn join(&self, request: &JoinRequest) -> Result<JoinAnswer, CloudError> {
        self.call("join", request).await
    }
    async fn leave(&self, call: &DeviceCall) -> Result<(), CloudError> {
        self.post("leave", call).await.map(drop)
    }
    async fn enrol(&self, request: &EnrolMdmRequest) -> Result<EnrolMdmAnswer, CloudError> {
        self.call("enrol", request).await
    }
    async fn sync(&self, call: &DeviceCall) -> Result<(), CloudError> {
        self.post("sync", call).await.map(drop)
    }
    async fn escrow(&self, request: &EscrowRequest) -> Result<(), CloudError> {
        self.post("escrow", request).await.map(drop)
    }
    async fn laps(&self, call: &DeviceCall) -> Result<(), CloudError> {
        self.post("laps", call).await.map(drop)
    }
    async fn sign_in(&self, request: &SignInRequest) -> Result<(), CloudError> {
        self.post("sign-in", request).await.map(drop)
    }
}

/// What a fake tenant remembers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FakeRecord {
    /// Registrations by device id, with the computer's name.
    pub devices: BTreeMap<EntraDeviceId, String>,
    /// Registrations that said they leave.
    pub left: BTreeSet<EntraDeviceId>,
    /// Intune ids by registration.
    pub enrolled: BTreeMap<EntraDeviceId, IntuneId>,
    /// Keys in escrow, with the registration they hang on.
    pub escrow: BTreeSet<(EntraDeviceId, KeyId)>,
    /// Registrations with a LAPS backup.
    pub laps: BTreeSet<EntraDeviceId>,
    /// Sign-ins.
    pub sign_ins: BTreeSet<(EntraDeviceId, UserId)>,
}

/// One tenant in memory, for tests. Ids come from the device's name and attempt, so that runs compare.
#[derive(Debug)]
pub struct FakeCloud {
    tenant: TenantId,
    token: String,
    record: Mutex<FakeRecord>,
    refuse_joins: Mutex<(u32, String)>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl FakeCloud {
    /// Returns a tenant that lets in whoever shows this token.
    #[must_use]
    pub fn new(tenant: TenantId, token: &str) -> Self {
        Self { tenant, token: token.to_owned(), record: Mutex::default(), refuse_joins: Mutex::new((0, String::new())) }
    }
    /// Refuses the next joins with a code.
    pub fn refuse_joins(&self, times: u32, code: &str) {
        *locked(&self.refuse_joins) = (times, code.to_owned());
    }
    /// Returns what the tenant remembers.
    #[must_use]
    pub fn record(&self) -> FakeRecord {
        locked(&self.record).clone()
    }
    fn refused(code: &str, message: &str) -> CloudError {
        CloudError::Refused(Refusal { code: code.to_owned(), message: message.to_owned() })
    }
    fn id(&self, what: &str, name: &str) -> Uuid {
        Uuid::new_v5(&self.tenant.0, format!("{what}/{name}").as_bytes())
    }
}

#[async_trait]
impl Cloud for FakeCloud {
    async fn join(&self, request: &JoinRequest) -> Result<JoinAnswer, CloudError> {
        {
            let mut refuse = locked(&self.refuse_joins);
            if refuse.0 > 0 {
                refuse.0 -= 1;
                return Err(Self::refused(&refuse.1, "the join was refused"));
            }
        }
        if request.token != self.token {
            return Err(Self::refused("AADSTS240001", "the bulk token isn't known"));
        }
        let device_id = EntraDeviceId(self.id("device", &format!("{}/{}", request.name, request.attempt)));
        locked(&self.record).devices.insert(device_id, request.name.clone());
        Ok(JoinAnswer { tenant: self.tenant, device_id })
    }
    async fn leave(&self, call: &DeviceCall) -> Result<(), CloudError> {
        locked(&self.record).left.insert(call.device_id);
        Ok(())
    }
    async fn enrol(&self, request: &EnrolMdmRequest) -> Result<EnrolMdmAnswer, CloudError> {
        let intune_id = IntuneId(self.id("intune", &request.device.device_id.to_string()));
        locked(&self.record).enrolled.insert(request.device.device_id, intune_id);
        Ok(EnrolMdmAnswer { intune_id })
    }
    async fn sync(&self, _call: &DeviceCall) -> Result<(), CloudError> {
        Ok(())
    }
    async fn escrow(&self, request: &EscrowRequest) -> Result<(), CloudError> {
        locked(&self.record).escrow.insert((request.device.device_id, request.key));
        Ok(())
    }
    async fn laps(&self, call: &DeviceCall) -> Result<(), CloudError> {
        locked(&self.record).laps.insert(call.device_id);
        Ok(())
    }
    async fn sign_in(&self, request: &SignInRequest) -> Result<(), CloudError> {
        if !locked(&self.record).devices.contains_key(&request.device.device_id) {
            return Err(Self::refused("AADSTS50155", "the device isn't known"));
        }
        locked(&self.record).sign_ins.insert((request.device.device_id, request.user));
        Ok(())
    }
}
