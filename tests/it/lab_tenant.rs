//! The emulated tenant, driven over HTTP the way another Graph client would: nothing here knows its insides.

use std::sync::Arc;

use opsole::lab::directory::LabDirectory;
use opsole::lab::packages::{LabPackages, PackageContent};
use opsole::lab::world::{
    Fault, FaultKind, World, WorldDeviceFilter, WorldInOut, WorldLocation, WorldPartner, WorldPolicy,
};
use opsole::lab::{Lab, tenant};
use opsole::model::PackageName;
use opsole::port::{Directory, Packages, Retirement};
use opsole::state::RetiredMark;
use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};
use tokio::net::TcpListener;

const EXAMPLE: &str = include_str!("../../examples/hybrid-to-entra/world.yaml");

fn world() -> World {
    let mut world = World::parse("world.yaml", EXAMPLE).expect("the example is a world");
    let tenant = world.tenants.get_mut("contoso").expect("there");
    tenant.service.throttle = 0.0;
    tenant.service.visibility_secs = 0;
    world
}

struct Served {
    lab: Arc<Lab>,
    server: tenant::TenantServer,
    http: Client,
    token: String,
    folder: tempfile::TempDir,
}

/// An answer: status, headers, body.
type Got = (StatusCode, reqwest::header::HeaderMap, Value);

impl Served {
    /// Serves a world whose time stands still: tests let it pass.
    async fn new(world: &World) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let lab = Arc::new(Lab::open(folder.path(), world).expect("a lab"));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let server = tenant::serve(lab.clone(), listener).expect("served");
        // The program installs the provider where it starts; here every test may be the first.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = Client::builder().no_proxy().user_agent("foreign/1").build().expect("a client");
        let mut served = Self { lab, server, http, token: String::new(), folder };
        served.renew("contoso", world).await;
        served
    }
    async fn token_request(
        &self,
        tenant: &str,
        client: &str,
        secret: &str,
        scope: Option<&str>,
    ) -> (StatusCode, Value) {
        let scope = scope.unwrap_or("https://graph.microsoft.com/.default");
        let encode = |text: &str| text.replace('%', "%25").replace(':', "%3A").replace('/', "%2F").replace('&', "%26");
        let form = format!(
            "grant_type=client_credentials&client_id={}&client_secret={}&scope={}",
            encode(client),
            encode(secret),
            encode(scope)
        );
        let url = format!("{}/{tenant}/oauth2/v2.0/token", self.server.base());
        let request = self.http.post(url).header("content-type", "application/x-www-form-urlencoded").body(form);
        let response = request.send().await.expect("an answer");
        (response.status(), response.json().await.expect("JSON"))
    }
    async fn send(&self, method: Method, path: &str, headers: &[(&str, &str)], body: Option<Value>) -> Got {
        let url = if path.starts_with("http") { path.to_owned() } else { format!("{}{path}", self.server.base()) };
        let mut request = self.http.request(method, url).bearer_auth(&self.token);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(body) = body {
            request = request.json(&body);
        }
        let response = request.send().await.expect("an answer");
        let (status, headers) = (response.status(), response.headers().clone());
        let bytes = response.bytes().await.expect("a body");
        let body = if bytes.is_empty() { Value::Null } else { serde_json::from_slice(&bytes).expect("JSON") };
        (status, headers, body)
    }
    async fn get(&self, path: &str) -> (u16, Value) {
        let (status, _, body) = self.send(Method::GET, path, &[], None).await;
        (status.as_u16(), body)
    }
    async fn value(&self, path: &str) -> Vec<Value> {
        let (status, body) = self.get(path).await;
        assert_eq!(status, 200, "{path}: {body}");
        body["value"].as_array().expect(path).clone()
    }
    async fn advanced(&self, path: &str) -> (u16, Value) {
        let (status, _, body) = self.send(Method::GET, path, &[("ConsistencyLevel", "eventual")], None).await;
        (status.as_u16(), body)
    }
    async fn post(&self, path: &str, body: Value) -> (u16, Value) {
        let (status, _, body) = self.send(Method::POST, path, &[], Some(body)).await;
        (status.as_u16(), body)
    }
    async fn delete(&self, path: &str) -> u16 {
        self.send(Method::DELETE, path, &[], None).await.0.as_u16()
    }
    async fn id_of(&self, collection: &str, name: &str) -> String {
        let found = self.value(&format!("/v1.0/{collection}?$filter=displayName eq '{name}'")).await;
        found[0]["id"].as_str().expect("an id").to_owned()
    }
    fn skip(&self, seconds: u64) {
        self.lab.skip(std::time::Duration::from_secs(seconds)).expect("kept");
    }
    /// Gets a new token: they last an hour of the world.
    async fn renew(&mut self, tenant: &str, world: &World) {
        let app = &world.tenants[tenant].apps[0];
        let (status, body) = self.token_request(&format!("{tenant}.com"), &app.client_id, &app.secret, None).await;
        assert_eq!(status, 200, "{body}");
        self.token = body["access_token"].as_str().expect("a token").to_owned();
    }
    fn package(&self) -> PackageContent {
        let bytes = LabPackages::new(self.lab.clone()).read(&PackageName::from("bulk-2026q4")).expect("there");
        PackageContent::parse(&bytes).expect("own")
    }
    async fn join(&self, name: &str, serial: &str, attempt: u32) -> (u16, Value) {
        let package = self.package();
        let body = json!({"account": package.account, "token": package.token, "name": name, "serial": serial, "attempt": attempt});
        self.post("/lab/v1/join", body).await
    }
}

fn code(body: &Value) -> &str {
    body["error"]["code"].as_str().unwrap_or_default()
}

/// Catches token errors that another client wouldn't recognise, and a `roles` claim where nothing is granted.
#[tokio::test]
async fn tokens() {
    let mut world = world();
    let mut bare = world.tenants["contoso"].apps[0].clone();
    bare.client_id = "11111111-1111-1111-1111-111111111111".to_owned();
    bare.permissions.clear();
    world.tenants.get_mut("contoso").expect("there").apps.push(bare.clone());
    let served = Served::new(&world).await;
    let app = world.tenants["contoso"].apps[0].clone();
    for (tenant, client, secret, scope, status, expected) in [
        ("contoso.com", app.client_id.as_str(), "wrong", None, 401, 7_000_215),
        ("contoso.com", "22222222-1111-1111-1111-111111111111", app.secret.as_str(), None, 400, 700_016),
        ("nobody.example", app.client_id.as_str(), app.secret.as_str(), None, 400, 90_002),
        (
            "contoso.com",
            app.client_id.as_str(),
            app.secret.as_str(),
            Some("https://foo.microsoft.com/.default"),
            400,
            70_011,
        ),
    ] {
        let (got, body) = served.token_request(tenant, client, secret, scope).await;
        assert_eq!((got.as_u16(), &body["error_codes"][0]), (status, &json!(expected)), "{body}");
        assert!(body["error_description"].as_str().expect("text").starts_with(&format!("AADSTS{expected}: ")));
    }
    let (_, body) =
        served.token_request(&world.tenants["contoso"].id.to_string(), &bare.client_id, &bare.secret, None).await;
    let payload = body["access_token"].as_str().expect("a token").split('.').nth(1).expect("three parts").to_owned();
    use base64::Engine as _;
    let claims = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(payload).expect("base64url");
    let claims: Value = serde_json::from_slice(&claims).expect("JSON");
    assert_eq!(claims["tid"], world.tenants["contoso"].id.to_string());
    assert!(claims.get("roles").is_none());

    let mut stranger = Served { token: String::new(), ..Served::new(&world).await };
    let (status, _, body) = stranger.send(Method::GET, "/v1.0/users", &[], None).await;
    assert_eq!((status.as_u16(), code(&body)), (401, "InvalidAuthenticationToken"));
    stranger.token = "a.b.c".to_owned();
    assert_eq!(stranger.get("/v1.0/users").await.0, 401);
}

/// Catches permissions that are checked for nothing, and 403 bodies that differ from the services' own.
#[tokio::test]
async fn permissions() {
    let mut world = world();
    let app = &mut world.tenants.get_mut("contoso").expect("there").apps[0];
    app.permissions =
        vec!["Device.Read.All".to_owned(), "GroupMember.ReadWrite.All".to_owned(), "Group.Read.All".to_owned()];
    let served = Served::new(&world).await;
    let (status, body) = served.get("/v1.0/users").await;
    assert_eq!((status, code(&body)), (403, "Authorization_RequestDenied"));
    let (status, body) = served.get("/v1.0/deviceManagement/managedDevices").await;
    assert_eq!((status, code(&body)), (403, "Forbidden"));
    let inner: Value =
        serde_json::from_str(body["error"]["message"].as_str().expect("text")).expect("JSON in a string");
    assert!(inner["Message"].as_str().expect("text").contains("DeviceManagementManagedDevices.Read.All"));
    // A device needs its own permission besides the group's.
    let group = served.id_of("groups", "App-CAD").await;
    let device = served.id_of("devices", "LON-FIN-001").await;
    let reference = json!({"@odata.id": format!("{}/v1.0/directoryObjects/{device}", served.server.base())});
    assert_eq!(served.post(&format!("/v1.0/groups/{group}/members/$ref"), reference).await.0, 403);
    // Nobody reads this one with an application (msgraph.md 0.1).
    assert_eq!(served.get("/beta/policies/mobileDeviceManagementPolicies").await.0, 403);
}

/// Catches pages that lose or repeat objects, page sizes that Graph refuses, and links that lead elsewhere.
#[tokio::test]
async fn paging() {
    let mut world = world();
    let tenant = world.tenants.get_mut("contoso").expect("there");
    for n in 0..250 {
        let mut user = tenant.users[1].clone();
        user.upn = format!("user{n:03}@contoso.com");
        user.on_premises_sid = None;
        tenant.users.push(user);
    }
    let served = Served::new(&world).await;
    let mut link = "/v1.0/users?$select=id,userPrincipalName&$filter=startswith(userPrincipalName,'user')".to_owned();
    let (mut seen, mut pages) = (std::collections::BTreeSet::new(), 0);
    loop {
        let (status, body) = served.get(&link).await;
        assert_eq!(status, 200, "{body}");
        pages += 1;
        for user in body["value"].as_array().expect("a list") {
            assert_eq!(user.as_object().expect("an object").len(), 2, "only what was selected: {user}");
            assert!(seen.insert(user["id"].to_string()), "twice");
        }
        match body["@odata.nextLink"].as_str() {
            Some(next) => {
                assert!(next.starts_with(served.server.base()) && next.contains("$skiptoken="), "{next}");
                link = next.to_owned();
            }
            None => break,
        }
    }
    assert_eq!((seen.len(), pages), (250, 3));
    let (status, body) = served.get("/v1.0/users?$top=1000").await;
    assert_eq!(status, 400);
    assert!(body["error"]["message"].as_str().expect("text").contains("between 1 and 999"), "{body}");
    assert_eq!(served.value("/v1.0/users?$top=999").await.len(), 255);
    assert_eq!(served.get("/v1.0/users?$skiptoken=nonsense").await.0, 400);
    let (_, sorted) = served.get("/v1.0/users?$orderby=userPrincipalName desc&$top=2").await;
    assert_eq!(sorted["value"][0]["userPrincipalName"], "vip@contoso.com");
    let next = sorted["@odata.nextLink"].as_str().expect("a link").to_owned();
    assert_eq!(served.value(&next).await[0]["userPrincipalName"], "user248@contoso.com");
    let (status, counted) = served.advanced("/v1.0/users?$count=true&$top=1").await;
    assert_eq!((status, &counted["@odata.count"]), (200, &json!(255)));
    // Without the header it is silently ignored; the segment is refused (msgraph.md 3).
    assert!(served.get("/v1.0/users?$count=true").await.1.get("@odata.count").is_none());
    assert_eq!(served.get("/v1.0/users/$count").await.0, 400);
    assert_eq!(served.advanced("/v1.0/users/$count").await, (200, json!(255)));
}

/// Catches filters that work here and not in the directory, or the other way round.
#[tokio::test]
async fn filters() {
    let served = Served::new(&world()).await;
    let sid = "S-1-5-21-1004336348-1177238915-682003330-1105";
    let found = served.value(&format!("/v1.0/users?$filter=onPremisesSecurityIdentifier eq '{sid}'&$select=id,onPremisesSecurityIdentifier,securityIdentifier")).await;
    assert_eq!((found.len(), &found[0]["onPremisesSecurityIdentifier"]), (1, &json!(sid)));
    let id: opsole::model::UserId = found[0]["id"].as_str().expect("an id").parse().expect("a GUID");
    assert_eq!(found[0]["securityIdentifier"], opsole::model::Sid::of_entra_user(id).as_str());
    // Not shown without being selected.
    assert!(served.value("/v1.0/users").await[0].get("onPremisesSecurityIdentifier").is_none());
    let packages = served.value("/v1.0/users?$filter=startswith(userPrincipalName,'package_')").await;
    assert_eq!(packages.len(), 1);
    for (filter, advanced, status) in [
        ("displayName ne 'LON-IT-001'", false, 400),
        ("displayName ne 'LON-IT-001'", true, 200),
        ("trustType eq 'ServerAd'", true, 400),
        ("contains(displayName,'LON')", true, 400),
        ("displayName in ('LON-IT-001','LON-IT-002')", false, 200),
        ("nothing eq 'x'", false, 400),
        ("displayName eq", false, 400),
    ] {
        let path = format!("/v1.0/devices?$count=true&$filter={filter}");
        let got = if advanced { served.advanced(&path).await } else { served.get(&path).await };
        assert_eq!(got.0, status, "{filter}: {}", got.1);
    }
    let sixteen = vec!["'x'"; 16].join(",");
    let (status, body) = served.get(&format!("/v1.0/devices?$filter=displayName in ({sixteen})")).await;
    assert_eq!((status, code(&body)), (400, "Request_UnsupportedQuery"));
    assert_eq!(served.get("/v1.0/devices?$expand=memberOf").await.0, 400);
    let both = served.value("/v1.0/devices?$filter=displayName in ('LON-IT-001','lon-it-002')").await;
    assert_eq!(both.len(), 2);
    assert_eq!(served.get("/v1.0/devices?$select=colour").await.0, 400);
    let managed = served.value("/v1.0/deviceManagement/managedDevices?$filter=serialNumber eq 'PF-0003'").await;
    assert_eq!(managed[0]["deviceName"], "LON-FIN-001");
    let device = managed[0]["azureADDeviceId"].as_str().expect("an id").to_owned();
    let (_, own) = served.get(&format!("/v1.0/devices(deviceId='{device}')")).await;
    assert_eq!((&own["displayName"], &own["trustType"]), (&json!("LON-FIN-001"), &json!("ServerAd")));
    assert_eq!(
        served
            .value(&format!("/v1.0/informationProtection/bitlocker/recoveryKeys?$filter=deviceId eq '{device}'"))
            .await
            .len(),
        1
    );
    assert_eq!(served.get("/v1.0/devices/00000000-0000-0000-0000-000000000009").await.0, 404);
}

/// Catches `$ref` mistakes that Graph punishes: the member object itself goes.
#[tokio::test]
async fn members() {
    let served = Served::new(&world()).await;
    let (group, other) = (served.id_of("groups", "App-CAD").await, served.id_of("groups", "MIG-Pilot").await);
    let device = served.id_of("devices", "LON-FIN-001").await;
    let reference = json!({"@odata.id": format!("https://graph.microsoft.com/v1.0/directoryObjects/{device}")});
    let path = format!("/v1.0/groups/{group}/members/$ref");
    assert_eq!(served.post(&path, reference.clone()).await.0, 204);
    let (status, body) = served.post(&path, reference.clone()).await;
    assert_eq!((status, code(&body)), (400, "Request_BadRequest"));
    assert!(
        body["error"]["message"]
            .as_str()
            .expect("text")
            .starts_with("One or more added object references already exist")
    );
    let absent = json!({"@odata.id": format!("x/{}", "00000000-0000-0000-0000-000000000009")});
    assert_eq!(served.post(&path, absent).await.0, 404);
    let members = served.value(&format!("/v1.0/groups/{group}/members/microsoft.graph.device?$select=id")).await;
    assert_eq!(members.len(), 2);
    let of = served.value(&format!("/v1.0/devices/{device}/memberOf?$select=displayName")).await;
    assert!(
        of.iter().any(|group| group["displayName"] == "App-CAD" && group["@odata.type"] == "#microsoft.graph.group")
    );
    assert_eq!(served.delete(&format!("/v1.0/groups/{group}/members/{device}/$ref")).await, 204);
    assert_eq!(served.delete(&format!("/v1.0/groups/{group}/members/{device}/$ref")).await, 404);
    assert_eq!(served.get(&format!("/v1.0/devices/{device}")).await.0, 200, "only the membership went");
    // The trap.
    let victim = served.id_of("devices", "LON-IT-002").await;
    assert_eq!(served.delete(&format!("/v1.0/groups/{other}/members/{victim}")).await, 204);
    assert_eq!(served.get(&format!("/v1.0/devices/{victim}")).await.0, 404);
    // Dynamic groups aren't changed by hand.
    let dynamic = served.id_of("groups", "Dyn-Windows").await;
    assert_eq!(served.post(&format!("/v1.0/groups/{dynamic}/members/$ref"), reference).await.0, 403);
}

/// Catches a batch that is taken as one request: throttled, refused or ordered as a whole.
#[tokio::test]
async fn batches() {
    let mut world = world();
    world.tenants.get_mut("contoso").expect("there").service.throttle = 500.0;
    world.speed = 0.001;
    let served = Served::new(&world).await;
    let step = |id: usize, url: &str| json!({"id": id.to_string(), "method": "GET", "url": url});
    let steps: Vec<Value> = (0..21).map(|n| step(n, "/users")).collect();
    assert_eq!(served.post("/v1.0/$batch", json!({"requests": steps})).await.0, 400);
    let twice = json!({"requests": [step(1, "/users"), step(1, "/users")]});
    assert_eq!(served.post("/v1.0/$batch", twice).await.0, 400);
    // 3500 units / 500: seven users lists of 2 units don't fit.
    let mut steps: Vec<Value> = (0..6).map(|n| step(n, "/users?$filter=accountEnabled eq true")).collect();
    steps.push(step(6, "/devices/00000000-0000-0000-0000-000000000009"));
    steps.push(json!({"id": "7", "method": "GET", "url": "/deviceManagement/managedDevices", "dependsOn": ["6"]}));
    let (status, body) = served.post("/v1.0/$batch", json!({"requests": steps})).await;
    assert_eq!(status, 200);
    let answers = body["responses"].as_array().expect("a list");
    let status_of = |id: &str| answers.iter().find(|a| a["id"] == id).map(|a| a["status"].as_u64().expect("a status"));
    assert_eq!((status_of("0"), status_of("5"), status_of("7")), (Some(200), Some(429), Some(424)));
    let late = answers.iter().find(|answer| answer["id"] == "5").expect("answered");
    assert!(late["headers"]["Retry-After"].as_str().is_some_and(|seconds| seconds.parse::<u32>().is_ok()), "{late}");
}

/// Catches throttling without a way out: after what Retry-After says, the same request passes.
#[tokio::test]
async fn throttling() {
    let mut world = world();
    // As good as still: only what is skipped passes.
    world.speed = 0.001;
    world.tenants.get_mut("contoso").expect("there").service.throttle = 2000.0;
    let served = Served::new(&world).await;
    let path = "/v1.0/deviceManagement/managedDevices";
    assert_eq!(served.get(path).await.0, 200);
    let (status, headers, body) = served.send(Method::GET, path, &[], None).await;
    assert_eq!((status.as_u16(), code(&body)), (429, "TooManyRequests"));
    let seconds: u64 = headers["retry-after"].to_str().expect("text").parse().expect("seconds");
    served.skip(seconds);
    assert_eq!(served.get(path).await.0, 200, "waited as told");
    let path = "/v1.0/identity/conditionalAccess/policies";
    assert_eq!(served.get(path).await.0, 200);
    let (status, headers, _) = served.send(Method::GET, path, &[], None).await;
    assert_eq!((status.as_u16(), headers.get("retry-after")), (429, None), "Conditional Access never says when");
}

/// Catches writes that are seen at once, and conflicts that are judged by what readers see.
#[tokio::test]
async fn visibility() {
    let mut world = world();
    world.tenants.get_mut("contoso").expect("there").service.visibility_secs = 30;
    let served = Served::new(&world).await;
    let (group, device) = (served.id_of("groups", "App-CAD").await, served.id_of("devices", "LON-FIN-001").await);
    let reference = json!({"@odata.id": format!("x/{device}")});
    let path = format!("/v1.0/groups/{group}/members");
    assert_eq!(served.post(&format!("{path}/$ref"), reference.clone()).await.0, 204);
    assert_eq!(served.value(&path).await.len(), 1, "readers lag");
    assert_eq!(served.post(&format!("{path}/$ref"), reference).await.0, 400, "the truth doesn't");
    assert_eq!(served.delete(&format!("/v1.0/devices/{device}")).await, 204);
    assert_eq!(served.get(&format!("/v1.0/devices/{device}")).await.0, 200, "still shown");
    assert_eq!(served.delete(&format!("/v1.0/devices/{device}")).await, 404, "and gone");
    let (status, joined) = served.join("LON-NEW-001", "PF-0009", 1).await;
    assert_eq!(status, 200, "{joined}");
    let new = format!("/v1.0/devices(deviceId='{}')", joined["device_id"].as_str().expect("an id"));
    assert_eq!(served.get(&new).await.0, 404, "new objects aren't there at once");
    served.skip(31);
    assert_eq!(served.get(&new).await.0, 200);
    assert_eq!(served.get(&format!("/v1.0/devices/{device}")).await.0, 404);
    assert_eq!(served.value(&path).await.len(), 1, "the deleted device is nobody's member");
}

/// Catches beta operations under v1.0, a primary user without a licence, and the enroller taken for the user.
#[tokio::test]
async fn primary_user() {
    let served = Served::new(&world()).await;
    let managed =
        served.value("/v1.0/deviceManagement/managedDevices?$filter=deviceName eq 'LON-IT-001'").await[0]["id"].clone();
    let managed = managed.as_str().expect("an id");
    let path = format!("deviceManagement/managedDevices/{managed}/users");
    let users = served.value("/v1.0/users?$select=id,userPrincipalName").await;
    let id = |upn: &str| {
        users.iter().find(|u| u["userPrincipalName"].as_str().expect("text").starts_with(upn)).expect(upn)["id"].clone()
    };
    let reference = |upn: &str| json!({"@odata.id": format!("{}/beta/users/{}", served.server.base(), id(upn).as_str().expect("text"))});
    assert_eq!(served.post(&format!("/v1.0/{path}/$ref"), reference("ben")).await.0, 400);
    let (status, body) = served.post(&format!("/v1.0/{path}"), reference("ben")).await;
    assert_eq!((status, code(&body)), (400, "BadRequest"));
    assert_eq!(served.post(&format!("/beta/{path}/$ref"), reference("package_")).await.0, 400, "no licence");
    assert_eq!(served.post(&format!("/beta/{path}/$ref"), reference("ben")).await.0, 204);
    assert_eq!(served.value(&format!("/v1.0/{path}")).await[0]["id"], id("ben"));
    let (_, own) = served.get(&format!("/v1.0/deviceManagement/managedDevices/{managed}")).await;
    assert_eq!(own["userPrincipalName"], "anna@contoso.com", "the enroller stays");
    assert!(own.get("joinType").is_none(), "beta only");
    assert_eq!(
        served.get(&format!("/beta/deviceManagement/managedDevices/{managed}")).await.1["joinType"],
        "hybridAzureADJoined"
    );
}

/// Catches an Autopilot that is nicer than the real one, and hardware that two tenants hold at once.
#[tokio::test]
async fn autopilot() {
    let mut world = world();
    let tenant = world.tenants.get_mut("contoso").expect("there");
    tenant.apps[0].permissions.push("DeviceManagementServiceConfig.ReadWrite.All".to_owned());
    let mut other = tenant.clone();
    other.id = "0f7c6f3e-5d0a-4f6e-9a57-1f0c2f5b8b12".parse().expect("a GUID");
    other.domain = "fabrikam.com".to_owned();
    other.packages.clear();
    other.groups.clear();
    world.tenants.insert("fabrikam".to_owned(), other);
    world.devices[0].autopilot = Some("LON".to_owned());
    let mut served = Served::new(&world).await;
    let list = "/v1.0/deviceManagement/windowsAutopilotDeviceIdentities";
    let identity = served.value(list).await[0].clone();
    assert_eq!((&identity["serialNumber"], &identity["groupTag"]), (&json!("PF-0001"), &json!("LON")));
    for (query, status) in [
        ("?$filter=contains(serialNumber,'0001')", 200),
        ("?$filter=contains(serialNumber,'PF-0001')", 400),
        ("?$filter=serialNumber eq 'PF0001'", 400),
        ("?$select=id", 500),
    ] {
        assert_eq!(served.get(&format!("{list}{query}")).await.0, status, "{query}");
    }
    let path = format!("{list}/{}", identity["id"].as_str().expect("an id"));
    assert_eq!(served.delete(&path).await, 400, "still enrolled");
    // The other tenant can't have it yet.
    let imports = "/v1.0/deviceManagement/importedWindowsAutopilotDeviceIdentities";
    let body = json!({"serialNumber": "PF-0001", "hardwareIdentifier": "aGFyZHdhcmU=", "groupTag": "NEW"});
    for expected in ["error", "complete"] {
        served.renew("fabrikam", &world).await;
        let (status, import) = served.post(imports, body.clone()).await;
        assert_eq!(status, 201, "{import}");
        let own = format!("{imports}/{}", import["id"].as_str().expect("an id"));
        assert_eq!(served.get(&own).await.1["state"]["deviceImportStatus"], "unknown");
        served.skip(120);
        assert_eq!(served.get(&own).await.1["state"]["deviceImportStatus"], "pending");
        served.skip(200);
        let state = served.get(&own).await.1["state"].clone();
        assert_eq!(state["deviceImportStatus"], expected, "{state}");
        if expected == "complete" {
            break;
        }
        assert_eq!(state["deviceErrorCode"], 808);
        // The first tenant lets go: record, identity, and a synchronisation that speeds it up once in ten minutes.
        served.renew("contoso", &world).await;
        let managed = identity["managedDeviceId"].as_str().expect("an id");
        assert_eq!(served.delete(&format!("/v1.0/deviceManagement/managedDevices/{managed}")).await, 204);
        assert_eq!(served.delete(&path).await, 204);
        assert_eq!(
            served.post("/v1.0/deviceManagement/windowsAutopilotSettings/sync", json!({})).await.0,
            400,
            "beta only"
        );
        assert_eq!(served.post("/beta/deviceManagement/windowsAutopilotSettings/sync", json!({})).await.0, 204);
        assert_eq!(served.post("/beta/deviceManagement/windowsAutopilotSettings/sync", json!({})).await.0, 429);
        assert_eq!(served.get(&path).await.0, 404);
    }
    let list = served.value("/v1.0/deviceManagement/windowsAutopilotDeviceIdentities").await;
    assert!(list.iter().any(|identity| identity["groupTag"] == "NEW"), "{list:?}");
}

/// Catches a device story that doesn't hold together: join, enrolment, escrow, LAPS, sign-in, dynamic groups.
#[tokio::test]
async fn a_device_moves_in() {
    let world = world();
    let mut served = Served::new(&world).await;
    let (status, first) = served.join("LON-IT-001", "PF-0001", 1).await;
    assert_eq!(status, 200, "{first}");
    assert_eq!(served.join("lon-it-001", "PF-0001", 1).await, (200, first.clone()), "asked again, the same answer");
    let device_id = first["device_id"].as_str().expect("an id").to_owned();
    let call = json!({"tenant": first["tenant"], "device_id": device_id});
    let enrol = json!({"device": call, "name": "LON-IT-001", "serial": "PF-0001"});
    let (status, enrolled) = served.post("/lab/v1/enrol", enrol.clone()).await;
    assert_eq!(status, 200, "{enrolled}");
    assert_eq!(served.post("/lab/v1/enrol", enrol).await.1, enrolled);
    let intune = enrolled["intune_id"].as_str().expect("an id");
    let managed = format!("/v1.0/deviceManagement/managedDevices/{intune}");
    assert_eq!(served.get(&managed).await.1["azureADDeviceId"], device_id);
    assert!(served.value(&format!("{managed}/users")).await.is_empty(), "bulk tokens leave no primary user");
    let key = "11111111-2222-3333-4444-555555555555";
    assert_eq!(served.post("/lab/v1/escrow", json!({"device": call, "key": key})).await.0, 204);
    let keys = served
        .value(&format!("/v1.0/informationProtection/bitlocker/recoveryKeys?$filter=deviceId eq '{device_id}'"))
        .await;
    assert_eq!((keys.len(), &keys[0]["id"]), (1, &json!(key)));
    let (_, object) = served.get(&format!("/v1.0/devices(deviceId='{device_id}')")).await;
    let of = served.value(&format!("/v1.0/devices/{}/memberOf", object["id"].as_str().expect("an id"))).await;
    assert_eq!(of.len(), 1, "{of:?}");
    assert_eq!(of[0]["displayName"], "Dyn-Windows", "dynamic groups refill themselves");
    let user = served.value("/v1.0/users?$filter=userPrincipalName eq 'anna@contoso.com'").await[0]["id"].clone();
    assert_eq!(served.post("/lab/v1/sign-in", json!({"device": call, "user": user})).await.0, 204);
    let stranger = json!({"device": call, "user": key});
    assert_eq!(served.post("/lab/v1/sign-in", stranger).await.1["code"], "AADSTS50034");
    let laps = format!("/v1.0/directory/deviceLocalCredentials/{device_id}");
    assert_eq!(served.post("/lab/v1/laps", call.clone()).await.0, 204);
    assert_eq!(served.get(&laps).await.0, 404, "the policy has to arrive first");
    served.skip(130);
    let (status, backup) = served.get(&laps).await;
    assert_eq!((status, &backup["deviceName"]), (200, &json!("LON-IT-001")));
    assert!(backup.get("credentials").is_none());
    assert_eq!(served.get(&format!("{laps}?$select=credentials")).await.0, 403, "metadata only");
    // The old object goes by Active Directory: disabled there, gone here after the next synchronisation.
    let directory = LabDirectory::new(served.lab.clone());
    let computers = directory.observe().await.expect("readable").computers;
    let old = computers.iter().find(|computer| computer.name == "LON-IT-001").expect("there");
    let path = format!("/v1.0/devices(deviceId='{}')", old.guid);
    assert_eq!(served.get(&path).await.1["trustType"], "ServerAd");
    let on = served.lab.now();
    let mark = RetiredMark { run: "0192f0c1-2f3a-7c11-9a55-0d6f1c2b3a4d".parse().expect("a run"), on };
    let retirement = Retirement { mark, left: None, only_marked: false };
    directory.disable(old.guid, &retirement).await.expect("disabled");
    served.skip(1801);
    assert_eq!(served.get(&path).await.0, 404);
    // A joined object is deleted softly and keeps its keys; a hybrid one isn't there to be found.
    let new = object["id"].as_str().expect("an id").to_owned();
    assert_eq!(served.delete(&format!("/v1.0/devices/{new}")).await, 204);
    let bin = served.value("/beta/directory/deletedItems/microsoft.graph.device").await;
    assert_eq!((bin.len(), &bin[0]["deviceId"]), (1, &json!(device_id)));
    assert_eq!(served.get("/v1.0/directory/deletedItems/microsoft.graph.device").await.0, 400);
    let path = format!("/v1.0/informationProtection/bitlocker/recoveryKeys?$filter=deviceId eq '{device_id}'");
    assert_eq!(served.value(&path).await.len(), 1);
    // A hybrid object that is deleted alone comes back, not registered.
    let other = served.id_of("devices", "LON-IT-002").await;
    let registration =
        served.get(&format!("/v1.0/devices/{other}")).await.1["deviceId"].as_str().expect("an id").to_owned();
    assert_eq!(served.delete(&format!("/v1.0/devices/{other}")).await, 204);
    served.skip(1801);
    assert_eq!(served.get("/v1.0/users").await.0, 401, "an hour is over");
    served.renew("contoso", &world).await;
    let (_, back) = served.get(&format!("/v1.0/devices(deviceId='{registration}')")).await;
    assert_eq!((&back["displayName"], &back["trustType"]), (&json!("LON-IT-002"), &Value::Null));
    // All of it is there when the lab is opened again, and two looks are the same.
    let before = served.lab.export().expect("readable");
    let Served { server, folder, lab, .. } = served;
    server.stop().await.expect("stopped");
    drop((lab, directory));
    let again = Lab::open(folder.path(), &world).expect("again");
    assert_eq!(again.export().expect("readable"), before);
}

/// Catches a patch that empties a policy's other conditions, one permission taken for three, and assignments
/// that are added where the service replaces them.
#[tokio::test]
async fn policies() {
    let mut world = world();
    let tenant = world.tenants.get_mut("contoso").expect("there");
    tenant.conditional_access[0].state = "enabled".to_owned();
    tenant.conditional_access[0].exclude_groups = vec!["VIP".to_owned()];
    tenant.configuration_profiles =
        vec![opsole::lab::world::WorldProfile { name: "Baseline".to_owned(), groups: vec!["MIG-Pilot".to_owned()] }];
    let permissions = ["Policy.ReadWrite.ConditionalAccess", "DeviceManagementConfiguration.ReadWrite.All"];
    tenant.apps[0].permissions.extend(permissions.map(str::to_owned));
    let path = "/v1.0/identity/conditionalAccess/policies";
    let served = Served::new(&world).await;
    let policy = served.value(path).await[0].clone();
    let own = format!("{path}/{}", policy["id"].as_str().expect("an id"));
    let account = served.value("/v1.0/users?$filter=startswith(userPrincipalName,'package_')").await[0]["id"].clone();
    let patch = json!({"conditions": {"users": {"excludeUsers": [account]}}});
    let (status, _, _) = served.send(Method::PATCH, &own, &[], Some(patch.clone())).await;
    assert_eq!(status, 403, "all three permissions are needed");
    tenant_of(&mut world).apps[0].permissions.push("Application.Read.All".to_owned());
    let served = Served::new(&world).await;
    assert_eq!(served.join("LON-IT-001", "PF-0001", 1).await.1["code"], "0x801c03ed");
    assert_eq!(served.send(Method::PATCH, &own, &[], Some(patch)).await.0, 204);
    let (_, after) = served.get(&own).await;
    let users = &after["conditions"]["users"];
    assert_eq!((&users["excludeUsers"], &users["includeUsers"]), (&json!([account]), &json!(["All"])));
    assert_eq!(users["excludeGroups"], policy["conditions"]["users"]["excludeGroups"]);
    assert_eq!(served.join("LON-IT-001", "PF-0001", 1).await.0, 200);

    let path = "/v1.0/deviceManagement/deviceConfigurations";
    let profile = served.value(&format!("{path}?$expand=assignments")).await[0].clone();
    assert_eq!(profile["assignments"].as_array().expect("a list").len(), 1);
    let own = format!("{path}/{}", profile["id"].as_str().expect("an id"));
    let group = served.id_of("groups", "App-CAD").await;
    let target = json!({"@odata.type": "#microsoft.graph.groupAssignmentTarget", "groupId": group});
    let (status, body) = served.post(&format!("{own}/assign"), json!({"assignments": [{"target": target}]})).await;
    assert_eq!(status, 200, "{body}");
    let now = served.value(&format!("{own}/assignments")).await;
    assert_eq!((now.len(), &now[0]["target"]["groupId"]), (1, &json!(group)), "replaced, not added");
    let nobody =
        json!({"assignments": [{"target": {"@odata.type": "#microsoft.graph.groupAssignmentTarget", "groupId": "x"}}]});
    assert_eq!(served.post(&format!("{own}/assign"), nobody).await.0, 400);
    let (_, own) = served.get("/v1.0/policies/deviceRegistrationPolicy").await;
    assert_eq!((&own["userDeviceQuota"], &own["multiFactorAuthConfiguration"]), (&json!(50), &json!("notRequired")));
}

fn tenant_of(world: &mut World) -> &mut opsole::lab::world::WorldTenant {
    world.tenants.get_mut("contoso").expect("there")
}

/// Catches joins that Entra would refuse, and codes that say something else than Windows shows.
#[tokio::test]
async fn joins_are_refused() {
    let refused = async |change: &dyn Fn(&mut World)| {
        let mut world = world();
        change(&mut world);
        let served = Served::new(&world).await;
        let (status, body) = served.join("LON-IT-001", "PF-0001", 1).await;
        if status == 200 { "joined".to_owned() } else { body["code"].as_str().expect("a code").to_owned() }
    };
    let policy = |world: &mut World, exclude: &[&str]| {
        let own: &mut WorldPolicy = &mut tenant_of(world).conditional_access[0];
        own.state = "enabled".to_owned();
        own.exclude_users = exclude.iter().map(|upn| (*upn).to_owned()).collect();
    };
    const ACCOUNT: &str = "package_2f3c7a10-6c1e-4b8e-9b62-0d5f1e7a4c33@contoso.com";
    assert_eq!(refused(&|_| {}).await, "joined");
    assert_eq!(refused(&|w| tenant_of(w).packages[0].expires = w_start()).await, "AADSTS240001");
    assert_eq!(refused(&|w| tenant_of(w).users[0].enabled = false).await, "AADSTS50057");
    assert_eq!(refused(&|w| tenant_of(w).registration.join_allowed = false).await, "0x801c03ed");
    assert_eq!(refused(&|w| tenant_of(w).registration.mfa_required = true).await, "0x801c03ed");
    assert_eq!(refused(&|w| tenant_of(w).registration.user_device_quota = 0).await, "0x801c03ed");
    assert_eq!(refused(&|w| policy(w, &[])).await, "0x801c03ed");
    assert_eq!(refused(&|w| policy(w, &[ACCOUNT])).await, "joined");
    // Only some may join.
    let scope = |w: &mut World, users: &[&str], groups: &[&str]| {
        let own = &mut tenant_of(w).registration;
        own.join_users = users.iter().map(|&upn| upn.to_owned()).collect();
        own.join_groups = groups.iter().map(|&name| name.to_owned()).collect();
    };
    assert_eq!(refused(&|w| scope(w, &["anna@contoso.com"], &[])).await, "0x801c03ed");
    assert_eq!(refused(&|w| scope(w, &[ACCOUNT], &[])).await, "joined");
    assert_eq!(refused(&|w| scope(w, &[], &["VIP"])).await, "0x801c03ed");
    let member = |w: &mut World| {
        let group = tenant_of(w).groups.iter_mut().find(|group| group.name == "VIP").expect("there");
        group.members.push(ACCOUNT.to_owned());
    };
    assert_eq!(
        refused(&|w| {
            scope(w, &[], &["VIP"]);
            member(w);
        })
        .await,
        "joined"
    );
    let served = Served::new(&world()).await;
    let account = served.value(&format!("/v1.0/users?$filter=userPrincipalName eq '{ACCOUNT}'")).await[0]["id"].clone();
    assert_eq!(served.delete(&format!("/v1.0/users/{}", account.as_str().expect("an id"))).await, 204);
    assert_eq!(served.join("LON-IT-001", "PF-0001", 1).await.1["code"], "AADSTS50034", "the package is revoked");
}

fn w_start() -> jiff::Timestamp {
    world().starts
}

/// Catches a policy laid on a join that it isn't for, and one that is for it and lets it pass.
#[tokio::test]
async fn conditions_of_policies() {
    let joins = async |change: &dyn Fn(&mut WorldPolicy)| {
        let mut world = world();
        let own = tenant_of(&mut world);
        let place = |name: &str, trusted: bool, devices: bool| WorldLocation {
            name: name.to_owned(),
            trusted,
            ranges: Vec::new(),
            devices,
        };
        own.named_locations = vec![place("Depot", false, true), place("Office", true, false)];
        let mut policy = WorldPolicy {
            user_actions: vec!["urn:user:registerdevice".to_owned()],
            grant: vec!["mfa".to_owned()],
            ..WorldPolicy::new("Strict")
        };
        change(&mut policy);
        own.conditional_access = vec![policy];
        let served = Served::new(&world).await;
        served.join("LON-IT-001", "PF-0001", 1).await.0 == 200
    };
    let only = |list: &[&str]| list.iter().map(|&text| text.to_owned()).collect::<Vec<_>>();
    let in_out =
        |include: &[&str], exclude: &[&str]| Some(WorldInOut { include: only(include), exclude: only(exclude) });
    assert!(!joins(&|_| {}).await);
    assert!(joins(&|p| p.state = "enabledForReportingButNotEnforced".to_owned()).await);
    assert!(joins(&|p| p.user_actions = only(&["urn:user:registersecurityinfo"])).await);
    assert!(joins(&|p| p.grant = Vec::new()).await);
    assert!(!joins(&|p| (p.grant, p.authentication_strength) = (Vec::new(), Some("Strong".to_owned()))).await);
    assert!(!joins(&|p| p.grant = only(&["block"])).await);
    assert!(joins(&|p| p.include_users = only(&["anna@contoso.com"])).await);
    assert!(joins(&|p| p.include_groups = only(&["VIP"])).await);
    assert!(joins(&|p| p.platforms = in_out(&["iOS"], &[])).await);
    assert!(joins(&|p| p.platforms = in_out(&["all"], &["windows"])).await);
    assert!(joins(&|p| p.client_app_types = only(&["exchangeActiveSync"])).await);
    assert!(joins(&|p| p.sign_in_risk = only(&["high"])).await);
    assert!(!joins(&|p| p.locations = in_out(&["All"], &["AllTrusted"])).await, "a depot isn't trusted");
    assert!(joins(&|p| p.locations = in_out(&["All"], &["Depot"])).await);
    assert!(joins(&|p| p.locations = in_out(&["Office"], &[])).await);
    let filter = |mode: &str| {
        Some(WorldDeviceFilter { mode: mode.to_owned(), rule: "device.trustType -eq \"AzureAD\"".to_owned() })
    };
    assert!(joins(&|p| p.device_filter = filter("include")).await);
    assert!(!joins(&|p| p.device_filter = filter("exclude")).await);
}

/// Catches a device that counts against nobody's quota: what a package account joined is its own.
#[tokio::test]
async fn joined_devices_have_an_owner() {
    let served = Served::new(&world()).await;
    let (status, joined) = served.join("LON-IT-001", "PF-0001", 1).await;
    assert_eq!(status, 200, "{joined}");
    let account = served.package().account;
    let owned = served.value(&format!("/v1.0/users/{account}/ownedDevices?$select=id&$top=999")).await;
    let (_, device) =
        served.get(&format!("/v1.0/devices(deviceId='{}')", joined["device_id"].as_str().expect("an id"))).await;
    assert_eq!((owned.len(), &owned[0]["id"]), (1, &device["id"]));
    let owners =
        served.value(&format!("/v1.0/devices/{}/registeredOwners", device["id"].as_str().expect("an id"))).await;
    assert_eq!(owners[0]["userPrincipalName"], account.as_str());
    assert_eq!(served.get("/v1.0/users/nobody@contoso.com/ownedDevices").await.0, 404);
}

/// Catches a tenant that doesn't die when told to, one that never comes back, and counts that a restart loses.
#[tokio::test]
async fn faults() {
    let mut world = world();
    let fault = |kind, times| Fault { device: None, tenant: Some("contoso".to_owned()), at: None, kind, times };
    world.faults = vec![
        fault(FaultKind::Status { status: 503, from_request: 3 }, Some(1)),
        fault(FaultKind::Dies { from_request: 4 }, Some(2)),
    ];
    // The first request was the token's.
    let served = Served::new(&world).await;
    assert_eq!(served.get("/v1.0/organization").await.0, 200);
    assert_eq!(served.get("/v1.0/organization").await.0, 503);
    let url = format!("{}/v1.0/organization", served.server.base());
    assert!(served.http.get(&url).bearer_auth(&served.token).send().await.is_err(), "the connection was cut");
    let token = served.token.clone();
    let Served { server, folder, lab, .. } = served;
    server.stop().await.expect("stopped");
    drop(lab);
    let lab = Arc::new(Lab::open(folder.path(), &world).expect("again"));
    let server = tenant::serve(lab, TcpListener::bind("127.0.0.1:0").await.expect("a port")).expect("served");
    let http = Client::builder().no_proxy().build().expect("a client");
    let url = format!("{}/v1.0/organization", server.base());
    assert!(http.get(&url).bearer_auth(&token).send().await.is_err(), "still dead");
    assert_eq!(http.get(&url).bearer_auth(&token).send().await.expect("back").status(), 200);
}

/// Catches answers with properties that Graph doesn't have, where Microsoft's schema is at hand.
#[tokio::test]
async fn properties_are_published_ones() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/reference/graph/schema-v1.json");
    let Ok(text) = std::fs::read_to_string(path) else {
        println!("skipped: the published schema isn't here");
        return;
    };
    let schema: Value = serde_json::from_str(&text).expect("JSON");
    let mut world = world();
    world.devices[0].autopilot = Some("LON".to_owned());
    let own = world.tenants.get_mut("contoso").expect("there");
    own.apps[0]
        .permissions
        .extend(["DeviceManagementConfiguration.Read.All".to_owned(), "BitlockerKey.Read.All".to_owned()]);
    own.configuration_profiles =
        vec![opsole::lab::world::WorldProfile { name: "Baseline".to_owned(), groups: vec!["MIG-Pilot".to_owned()] }];
    let partner = WorldPartner { inbound_blocked: Some(true), outbound_blocked: None };
    own.cross_tenant.partners.insert("9c5d131d-b1c3-4fc4-9e3f-c6557947d551".to_owned(), partner);
    let served = Served::new(&world).await;
    let enrolment = "/v1.0/deviceManagement/deviceEnrollmentConfigurations";
    let page = served.value(enrolment).await[2]["id"].as_str().expect("an id").to_owned();
    let principal = served.id_of("servicePrincipals", "opsole").await;
    for (path, kind) in [
        (enrolment, "deviceEnrollmentLimitConfiguration"),
        (&format!("{enrolment}/{page}"), "windows10EnrollmentCompletionPageConfiguration"),
        (&format!("{enrolment}/{page}/assignments"), "enrollmentConfigurationAssignment"),
        (&format!("/v1.0/servicePrincipals/{principal}/appRoleAssignments"), "appRoleAssignment"),
        ("/v1.0/policies/crossTenantAccessPolicy/partners", "crossTenantAccessPolicyConfigurationPartner"),
        ("/v1.0/identity/conditionalAccess/policies", "conditionalAccessPolicy"),
        ("/v1.0/organization", "organization"),
        ("/v1.0/domains", "domain"),
        ("/v1.0/subscribedSkus", "subscribedSku"),
        ("/v1.0/users", "user"),
        ("/v1.0/users/anna@contoso.com/licenseDetails", "licenseDetails"),
        ("/v1.0/groups", "group"),
        ("/v1.0/devices", "device"),
        ("/v1.0/applications", "application"),
        ("/v1.0/servicePrincipals", "servicePrincipal"),
        ("/v1.0/deviceManagement/managedDevices", "managedDevice"),
        ("/v1.0/deviceManagement/windowsAutopilotDeviceIdentities", "windowsAutopilotDeviceIdentity"),
        ("/v1.0/deviceManagement/deviceConfigurations", "deviceConfiguration"),
        ("/v1.0/informationProtection/bitlocker/recoveryKeys", "bitlockerRecoveryKey"),
        ("/v1.0/identity/conditionalAccess/policies", "conditionalAccessPolicy"),
        ("/v1.0/policies/deviceRegistrationPolicy", "deviceRegistrationPolicy"),
        ("/v1.0/policies/crossTenantAccessPolicy/default", "crossTenantAccessPolicyConfigurationDefault"),
    ] {
        let (status, body) = served.get(path).await;
        assert_eq!(status, 200, "{path}: {body}");
        let objects = body["value"].as_array().cloned().unwrap_or_else(|| vec![body.clone()]);
        assert!(!objects.is_empty(), "{path}");
        for name in objects[0].as_object().expect("an object").keys().filter(|name| !name.starts_with('@')) {
            let mut at = Some(kind);
            let mut found = name == "id" || (kind == "device" && name == "extensionAttributes");
            while let Some(kind) = at {
                found |= schema["entity"][kind]["props"].get(name).is_some();
                at = schema["entity"][kind]["base"].as_str();
            }
            assert!(found, "{kind} has no property `{name}`");
        }
    }
}

/// Catches an expansion that the tool asks for and the emulated tenant refuses: every user would be unknown, and every
/// device blocked.
#[tokio::test]
async fn role_assignments_show_their_principals() {
    let mut world = world();
    tenant_of(&mut world).users[1].roles = vec!["Intune Administrator".to_owned()];
    let upn = tenant_of(&mut world).users[1].upn.clone();
    let served = Served::new(&world).await;
    let plain = served.value("/v1.0/roleManagement/directory/roleAssignments").await;
    let shown = served.value("/v1.0/roleManagement/directory/roleAssignments?$expand=principal").await;
    assert!(!plain.is_empty() && plain.len() == shown.len());
    assert!(plain.iter().all(|one| one.get("principal").is_none()));
    let of = shown.iter().find(|one| one["principal"]["userPrincipalName"] == upn.as_str()).expect("the user");
    assert_eq!(of["principal"]["@odata.type"], "#microsoft.graph.user");
    assert_eq!(of["principal"]["id"], of["principalId"]);
    let (status, _) = served.get("/v1.0/roleManagement/directory/roleAssignments?$expand=nothing").await;
    assert_eq!(status, 400);
}
