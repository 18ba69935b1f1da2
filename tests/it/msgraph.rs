//! The Graph client against a small scripted server on this machine: paging, throttling, batches, tokens, refusals,
//! and the documents that Microsoft publishes. The clock never waits; it records what it was asked to.

mod settings;
mod stage;

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use opsole::model::{EntraDeviceId, EntraObjectId, GroupId, IntuneId, Known, Permission, PolicyId, Retry, UserId};
use opsole::msgraph::{Client, Credential, TenantRef};
use opsole::port::{AutopilotImport, Clock, ImportState, Tenant, Wanted};
use opsole::state::{Assignment, JoinScope, TrustType};
use serde_json::{Value, json};
use stage::{
    Reply, SECRET, Stage, TENANT, TestClock, client, config, decoded, device, id, is_token, ok, page, status, token,
};
use tokio::io::AsyncReadExt as _;

/// Catches a page that is left out, an empty one taken for the end, and a link that is rebuilt instead of followed.
#[tokio::test]
async fn follows_pages() {
    let stage = Stage::new(|seen, _| match seen.path.as_str() {
        path if path.ends_with("token") => token(&[]),
        path if path.contains("/devices?$select") => {
            let host = &seen.headers["host"];
            ok(json!({"value": [device(3)], "@odata.nextLink": format!("http://{host}/v1.0/devices?opaque=a%20b")}))
        }
        "/v1.0/devices?opaque=a b" => {
            let host = &seen.headers["host"];
            ok(json!({"value": [], "@odata.nextLink": format!("http://{host}/v1.0/devices?opaque=2")}))
        }
        "/v1.0/devices?opaque=2" => page(json!([device(1), device(2)])),
        _ => page(json!([])),
    })
    .await;
    let state = stage.client.observe(&Wanted::default()).await;
    let names: Vec<&str> = state.devices.known().expect("devices").iter().map(|device| device.name.as_str()).collect();
    assert_eq!(names, ["D1", "D2", "D3"]);
    assert_eq!((state.users, state.groups, state.laps), (Known::Absent, Known::Absent, Known::Absent));
    assert_eq!(stage.seen("oauth2").len(), 1, "one token for all parts");
    assert!(stage.seen("/v1.0/").iter().all(|seen| seen.headers.contains_key("client-request-id")));
    assert!(stage.seen("/v1.0/").iter().all(|seen| seen.headers["user-agent"].starts_with("opsole/")));
}

/// Catches a loop that never ends, and a token that goes to another host.
#[tokio::test]
async fn refuses_bad_links() {
    let stage = Stage::new(|seen, _| {
        let host = &seen.headers["host"];
        match seen.path.as_str() {
            path if path.ends_with("token") => token(&[]),
            path if path.contains("windowsAutopilot") => {
                ok(json!({"value": [], "@odata.nextLink": format!("http://{host}/v1.0/windowsAutopilot?again")}))
            }
            path if path.contains("/devices") => {
                ok(json!({"value": [device(1)], "@odata.nextLink": "http://localhost.evil.example/v1.0/devices"}))
            }
            path if path.contains("/managedDevices") => {
                ok(json!({"value": [], "@odata.nextLink": format!("http://user@{host}/v1.0/x")}))
            }
            _ => page(json!([])),
        }
    })
    .await;
    let state = stage.client.observe(&Wanted { autopilot: true, ..Wanted::default() }).await;
    assert!(state.autopilot.unknown().expect("unknown").contains("graph.paging-loop"), "{:?}", state.autopilot);
    assert!(state.devices.unknown().expect("unknown").contains("graph.foreign-link"), "{:?}", state.devices);
    assert!(state.managed_devices.unknown().expect("unknown").contains("graph.foreign-link"));
    assert_eq!(stage.seen("again").len(), 1);
}

/// Catches a `Retry-After` that is ignored, in each of its forms.
#[tokio::test]
async fn waits_as_asked() {
    let after = |value: &str| Reply(429, vec![("retry-after", value.to_owned())], Value::Null);
    let dated = || {
        let headers = vec![
            ("retry-after", "Wed, 02 Dec 2026 18:30:50 GMT".to_owned()),
            ("date", "Wed, 02 Dec 2026 18:30:10 GMT".to_owned()),
        ];
        Reply(429, headers, Value::Null)
    };
    let stage = Stage::new(move |seen, before| match (is_token(seen), before) {
        (true, _) => token(&[]),
        (_, 0) => after("17"),
        (_, 1) => dated(),
        (_, 2) => status(429),
        _ => ok(device(1)),
    })
    .await;
    let found = stage.client.device_object(EntraObjectId(id(1))).await.expect("a device");
    assert_eq!(found.expect("a device").trust, TrustType::Joined);
    let slept: Vec<f64> = stage.clock.slept().iter().map(Duration::as_secs_f64).collect();
    assert_eq!(slept.len(), 3, "{slept:?}");
    assert!((17.0..18.0).contains(&slept[0]), "{slept:?}");
    assert!((40.0..41.0).contains(&slept[1]), "{slept:?}");
    assert!((12.0..=15.1).contains(&slept[2]), "third own wait, with jitter: {slept:?}");
    let attempts: Vec<Option<String>> =
        stage.seen("GET").iter().map(|seen| seen.headers.get("retry-attempt").cloned()).collect();
    assert_eq!(attempts, [None, Some("1".into()), Some("2".into()), Some("3".into())]);
}

/// Catches a client that asks a throttling tenant for ever, or gives up without saying what to do.
#[tokio::test]
async fn gives_up_on_throttling() {
    let stage = Stage::new(|seen, _| if is_token(seen) { token(&[]) } else { status(429) }).await;
    let problem = stage.client.managed_device(IntuneId(id(1))).await.expect_err("throttled");
    assert_eq!(problem.code, "graph.throttled");
    assert!(matches!(problem.retry, Retry::AfterSecs(_)), "{problem:?}");
    assert!(problem.next.expect("a next step").contains("run the command again"));
    assert!(problem.detail.expect("a detail").contains("11111111-aaaa"));
    // Own waits double, so a quarter of an hour holds about ten of them.
    assert!((8..=11).contains(&stage.seen("GET").len()), "{}", stage.seen("GET").len());
    assert!(stage.clock.total() < 1000.0, "{}", stage.clock.total());
    let long = Stage::new(|seen, _| {
        if is_token(seen) { token(&[]) } else { Reply(429, vec![("retry-after", "7200".into())], Value::Null) }
    })
    .await;
    let problem = long.client.managed_device(IntuneId(id(1))).await.expect_err("throttled");
    assert_eq!(problem.retry, Retry::AfterSecs(7200));
    assert!(long.clock.slept().is_empty());
}

/// Catches a plan that fails on a tenant with a hundredth of the documented quota and no `Retry-After`.
#[tokio::test]
async fn gets_through_a_slow_tenant() {
    let clock = TestClock::new();
    let time = Arc::clone(&clock);
    // One unit a second, and never more than three at once.
    let bucket = Mutex::new((3.0_f64, clock.now()));
    let let_in = move || {
        let now = time.now();
        let (level, at) = &mut *bucket.lock().expect("unpoisoned");
        *level = (*level + now.duration_since(*at).as_secs_f64()).min(3.0);
        *at = now;
        let enough = *level >= 1.0;
        *level -= f64::from(u8::from(enough));
        enough
    };
    let stage = Stage::with_clock(clock, move |seen, _| {
        if is_token(seen) {
            return token(&[]);
        }
        if seen.path.contains("/managedDevices?") {
            let devices: Vec<Value> = (1..=60).map(|n| json!({"id": id(n), "azureADDeviceId": id(n + 1000)})).collect();
            return page(Value::from(devices));
        }
        if seen.path != "/v1.0/$batch" {
            return page(json!([]));
        }
        let part = |request: &Value| {
            if let_in() {
                json!({"id": request["id"], "status": 200, "body": {"value": []}})
            } else {
                json!({"id": request["id"], "status": 429})
            }
        };
        let parts: Vec<Value> = seen.body["requests"].as_array().expect("requests").iter().map(part).collect();
        ok(json!({"responses": parts}))
    })
    .await;
    let migrated = (1..=60).map(|n| EntraDeviceId(id(n + 1000))).collect();
    let state = stage.client.observe(&Wanted { migrated, ..Wanted::default() }).await;
    assert_eq!(state.primary_users.known().unwrap_or_else(|| panic!("{:?}", state.primary_users)).len(), 60);
    // 57 seconds is the least; smaller batches keep it near that.
    let (secs, batches) = (stage.clock.total(), stage.seen("$batch").len());
    assert!(secs < 300.0 && batches < 60, "{secs} s, {batches} batches");
}

/// Catches a token that is used after it was refused, and one that is renewed for ever.
#[tokio::test]
async fn renews_token_once() {
    let stage = Stage::new(|seen, before| match (is_token(seen), before) {
        (true, _) => token(&[]),
        (_, 0) => status(401),
        _ => ok(device(1)),
    })
    .await;
    stage.client.device(EntraDeviceId(id(1))).await.expect("a device");
    assert_eq!(stage.seen("oauth2").len(), 2);
    let stage = Stage::new(|seen, _| if is_token(seen) { token(&[]) } else { status(401) }).await;
    let problem = stage.client.device(EntraDeviceId(id(1))).await.expect_err("refused");
    assert_eq!((problem.code.as_str(), stage.seen("oauth2").len()), ("graph.unauthorized", 2));
}

/// Catches a token that is kept past its end, or asked for with every call.
#[tokio::test]
async fn keeps_token_until_it_ends() {
    let stage = Stage::new(|seen, _| if is_token(seen) { token(&[]) } else { ok(device(1)) }).await;
    stage.client.device(EntraDeviceId(id(1))).await.expect("a device");
    stage.clock.sleep(Duration::from_secs(3200)).await;
    stage.client.device(EntraDeviceId(id(1))).await.expect("a device");
    assert_eq!(stage.seen("oauth2").len(), 1);
    stage.clock.sleep(Duration::from_secs(200)).await;
    stage.client.device(EntraDeviceId(id(1))).await.expect("a device");
    assert_eq!(stage.seen("oauth2").len(), 2);
    let (tenant, roles) = stage.client.grants().await.expect("grants");
    assert_eq!((tenant.to_string().as_str(), roles.len()), (TENANT, 0));
    assert_eq!(stage.seen("oauth2").len(), 3, "grants never come from a cached token");
}

/// Catches two callers that each ask for a token because both were refused with the same old one.
#[tokio::test]
async fn callers_share_a_renewal() {
    let stage = Stage::new(|seen, before| match (is_token(seen), before) {
        (true, _) => token(&[]),
        (_, 0) => status(401),
        _ => ok(device(1)),
    })
    .await;
    let (one, two) = (stage.client.clone(), stage.client.clone());
    let both = tokio::join!(one.device(EntraDeviceId(id(1))), two.device(EntraDeviceId(id(2))));
    assert!(both.0.is_ok() && both.1.is_ok(), "{both:?}");
    assert_eq!(stage.seen("oauth2").len(), 2);
}

/// Catches a federated token that is kept for ever although its provider renews the file, or sent as a secret.
#[tokio::test]
async fn federated_token_is_read_again() {
    let stage = Stage::new(|seen, _| if is_token(seen) { token(&[]) } else { ok(device(1)) }).await;
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("token");
    let mut federated = config(&stage.root, &stage.root);
    federated.credential = Credential::Federated(file.clone());
    let client = Client::new(federated, TestClock::new()).expect("a client");
    assert_eq!(client.grants().await.expect_err("no file").code, "token.no-assertion");
    for assertion in ["first", "second"] {
        std::fs::write(&file, format!("{assertion}\n")).expect("written");
        client.grants().await.expect("a token");
        let body = stage.seen("oauth2").pop().expect("a request").body;
        let body = body.as_str().expect("a form");
        assert!(body.ends_with(&format!("client_assertion={assertion}")) && !body.contains("client_secret"), "{body}");
    }
}

/// Catches a failing service that isn't given the time it asks for, or that gets a write twice in a hurry.
#[tokio::test]
async fn repeats_idempotent_writes() {
    let stage = Stage::new(|seen, before| match (is_token(seen), before) {
        (true, _) => token(&[]),
        (_, 0) => Reply(503, vec![("retry-after", "25".into())], Value::Null),
        (_, 1) => status(504),
        _ => status(404),
    })
    .await;
    stage.client.delete_managed_device(IntuneId(id(1))).await.expect("gone, whichever request did it");
    let slept: Vec<f64> = stage.clock.slept().iter().map(Duration::as_secs_f64).collect();
    assert_eq!((stage.seen("DELETE").len(), slept.len()), (3, 2), "{slept:?}");
    assert!((slept[0] - 25.0).abs() < 0.1 && (6.0..7.6).contains(&slept[1]), "{slept:?}");
}

/// Catches a batch whose throttled part is lost, whose other parts are sent again, or whose order is trusted.
#[tokio::test]
async fn batch_repeats_what_was_throttled() {
    let stage = Stage::new(|seen, before| {
        if is_token(seen) {
            return token(&[]);
        }
        if seen.path.contains("/managedDevices") {
            let devices: Vec<Value> =
                (1..=45).map(|n| json!({"id": id(n), "azureADDeviceId": id(n + 1000), "deviceName": "d"})).collect();
            return page(Value::from(devices));
        }
        if seen.path != "/v1.0/$batch" {
            return page(json!([]));
        }
        let requests = seen.body["requests"].as_array().expect("requests");
        let part = |(at, request): (usize, &Value)| {
            assert!(request["url"].as_str().expect("a url").starts_with("/deviceManagement/"), "{request}");
            match (before, at) {
                (0..3, 0) => json!({"id": request["id"], "status": 429, "headers": {"Retry-After": "30"}}),
                (0..3, 1) => json!({"id": request["id"], "status": 424}),
                _ => json!({"id": request["id"], "status": 200, "body": {"value": [{"id": id(77)}]}}),
            }
        };
        let mut responses: Vec<Value> = requests.iter().enumerate().map(part).collect();
        responses.reverse();
        ok(json!({"responses": responses}))
    })
    .await;
    let migrated = (1..=45).map(|n| EntraDeviceId(id(n + 1000))).collect();
    let state = stage.client.observe(&Wanted { migrated, ..Wanted::default() }).await;
    let users = state.primary_users.known().unwrap_or_else(|| panic!("{:?}", state.primary_users));
    assert_eq!(users.len(), 45);
    assert!(users.values().all(|users| users == &[UserId(id(77))]));
    let mut sizes: Vec<usize> =
        stage.seen("$batch").iter().map(|seen| seen.body["requests"].as_array().expect("requests").len()).collect();
    // The first three go out together and may arrive in any order.
    sizes[..3].sort_unstable();
    assert_eq!(sizes, [5, 20, 20, 6]);
    assert!(stage.clock.total() >= 30.0);
}

/// Catches a group whose members on later pages are lost, and calls that grow with groups.
#[tokio::test]
async fn groups_in_batches() {
    let stage = Stage::new(|seen, _| {
        if is_token(seen) {
            return token(&[]);
        }
        if seen.path.starts_with("/v1.0/more") {
            return page(json!([{"id": id(501)}]));
        }
        if seen.path != "/v1.0/$batch" {
            return page(json!([]));
        }
        let host = &seen.headers["host"];
        let part = |request: &Value| {
            let url = decoded(request["url"].as_str().expect("a url"));
            let body = if url.contains("displayName eq") {
                assert!(url.matches(" eq ").count() <= 15);
                json!({"value": [{"id": id(9), "displayName": "it's", "groupTypes": ["DynamicMembership"]}]})
            } else if url.contains("/members/microsoft.graph.device") {
                assert_eq!(request["headers"]["ConsistencyLevel"], "eventual");
                json!({"value": [{"id": id(502)}], "@odata.nextLink": format!("http://{host}/v1.0/more")})
            } else if url.contains(&id(10).to_string()) {
                return json!({"id": request["id"], "status": 404, "body": {}});
            } else {
                json!({"id": id(11), "displayName": "kept", "onPremisesSyncEnabled": null})
            };
            json!({"id": request["id"], "status": 200, "body": body})
        };
        let parts: Vec<Value> = seen.body["requests"].as_array().expect("requests").iter().map(part).collect();
        ok(json!({"responses": parts}))
    })
    .await;
    let groups = (0..40).map(|n| format!("group {n}")).collect();
    let group_ids = [GroupId(id(10)), GroupId(id(11))].into();
    let state = stage.client.observe(&Wanted { groups, group_ids, ..Wanted::default() }).await;
    let groups = state.groups.known().unwrap_or_else(|| panic!("{:?}", state.groups));
    let names: Vec<(&str, bool, bool)> =
        groups.iter().map(|group| (group.name.as_str(), group.dynamic, group.restorable())).collect();
    assert_eq!(names, [("it's", true, false), ("kept", false, true)]);
    assert_eq!(groups[0].devices, [EntraObjectId(id(501)), EntraObjectId(id(502))]);
    assert_eq!(stage.seen("$batch").len(), 3);
}

fn import() -> AutopilotImport {
    AutopilotImport { serial: "PF-1".into(), hardware_hash: "aGFzaA==".into(), group_tag: Some("tag".into()) }
}

/// Catches an import that is sent twice although the first may have been carried out.
#[tokio::test]
async fn never_repeats_an_import() {
    for code in [500, 502, 503, 504] {
        let stage = Stage::new(move |seen, _| if is_token(seen) { token(&[]) } else { status(code) }).await;
        let problem = stage.client.import_autopilot(&import()).await.expect_err("failed");
        assert_eq!((problem.retry, stage.seen("imported").len()), (Retry::ReadFirst, 1), "{code}: {problem:?}");
    }
    // Throttled means not carried out.
    let stage = Stage::new(|seen, before| match (is_token(seen), before) {
        (true, _) => token(&[]),
        (_, 0) => status(429),
        _ => Reply(201, Vec::new(), json!({"id": "import-1"})),
    })
    .await;
    assert_eq!(stage.client.import_autopilot(&import()).await.expect("an id"), "import-1");
}

/// Catches the same where the connection breaks: a read is repeated, an import isn't, and both end.
#[tokio::test]
async fn lost_connections() {
    let stage = Stage::new(|_, _| token(&[])).await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let dying = format!("http://{}", listener.local_addr().expect("an address"));
    let count = Arc::new(Mutex::new(0));
    let counter = Arc::clone(&count);
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let mut buffer = [0; 4096];
            let read = socket.read(&mut buffer).await.unwrap_or_default();
            if read > 0 {
                *counter.lock().expect("unpoisoned") += 1;
            }
        }
    });
    let client = client(&stage.root, &dying, &stage.clock);
    let problem = client.import_autopilot(&import()).await.expect_err("lost");
    assert_eq!((problem.code.as_str(), problem.retry), ("graph.outcome-unknown", Retry::ReadFirst));
    assert_eq!(*count.lock().expect("unpoisoned"), 1);
    let problem = client.device(EntraDeviceId(id(1))).await.expect_err("lost");
    assert_eq!((problem.code.as_str(), problem.retry), ("graph.unavailable", Retry::Soon));
    assert_eq!(*count.lock().expect("unpoisoned"), 6, "one and four repetitions");
    let problem = client.delete_managed_device(IntuneId(id(1))).await.expect_err("lost");
    assert_eq!(problem.retry, Retry::ReadFirst);
}

/// Catches a tenant that isn't there and leaves the user without a word on what to check.
#[tokio::test]
async fn nobody_listens() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let gone = format!("http://{}", listener.local_addr().expect("an address"));
    drop(listener);
    let clock = TestClock::new();
    let client = client(&gone, &gone, &clock);
    let problem = client.grants().await.expect_err("unreachable");
    assert_eq!(problem.code, "token.unreachable");
    assert!(problem.next.expect("a next step").contains("network"));
    let wanted = Wanted { users: true, ..Wanted::default() };
    let state = client.observe(&wanted).await;
    assert!(state.users.unknown().expect("unknown").contains("token.unreachable"));
    assert_eq!(state.laps, Known::Absent);
    assert_eq!(clock.slept().len(), 8, "one token for all parts: {:?}", clock.slept());
}

/// Catches a refusal that doesn't name the permission, and one part's failure that spoils another part.
#[tokio::test]
async fn forbidden_names_permission() {
    let stage = Stage::new(|seen, _| {
        if is_token(seen) {
            return token(&["User.Read.All", "Device.Read.All"]);
        }
        match seen.path.contains("/devices?") {
            true => page(json!([device(1)])),
            false => status(403),
        }
    })
    .await;
    let wanted = Wanted { recovery_keys: true, laps: true, conditional_access: true, ..Wanted::default() };
    let state = stage.client.observe(&wanted).await;
    assert_eq!(state.devices.known().expect("devices").len(), 1);
    assert_eq!(state.granted.known().expect("roles"), &[Permission::UserReadAll, Permission::DeviceReadAll]);
    for (reason, permission) in [
        (state.recovery_keys.unknown(), "BitlockerKey.ReadBasic.All"),
        (state.laps.unknown(), "DeviceLocalCredential.ReadBasic.All"),
        (state.conditional_access.unknown(), "Policy.Read.All"),
        (state.registration_policy.unknown(), "Policy.Read.DeviceConfiguration"),
        (state.managed_devices.unknown(), "DeviceManagementManagedDevices.Read.All"),
    ] {
        let reason = reason.expect("unknown");
        assert!(reason.contains(permission) && reason.contains("graph.forbidden"), "{reason}");
        assert!(reason.contains("11111111-aaaa"), "{reason}");
    }
    let group = GroupId(id(5));
    let problem = stage.client.add_member(group, EntraObjectId(id(1))).await.expect_err("forbidden");
    assert!(problem.message.contains("GroupMember.ReadWrite.All and Device.ReadWrite.All"), "{problem}");
}

/// Catches a secret in an error, and refusals of the authority that say nothing useful or are asked again in vain.
#[tokio::test]
async fn token_refusals() {
    let refuse = |number: u64| {
        Reply(
            401,
            Vec::new(),
            json!({"error": "invalid_client", "error_codes": [number],
            "error_description": format!("AADSTS{number}: Invalid client secret '{SECRET}'.\r\nTrace ID: x"),
            "trace_id": "t-1"}),
        )
    };
    for (number, code) in [
        (7_000_215, "token.wrong-secret"),
        (7_000_222, "token.secret-expired"),
        (700_016, "token.unknown-app"),
        (90_002, "token.unknown-tenant"),
        (53_003, "token.blocked"),
        (1, "token.refused"),
    ] {
        let stage = Stage::new(move |_, _| refuse(number)).await;
        let problem = stage.client.grants().await.expect_err("refused");
        assert_eq!(problem.code, code);
        assert!(problem.next.is_some());
        assert!(!format!("{problem:?} {:?}", stage.client).contains(SECRET), "{problem:?}");
        let sent = stage.seen("oauth2");
        assert_eq!(sent.len(), 1);
        assert_eq!(sent[0].path, format!("/{TENANT}/oauth2/v2.0/token"));
        let body = sent[0].body.as_str().expect("a form");
        assert!(body.contains("grant_type=client_credentials") && body.contains("%2F.default"), "{body}");
        let state = stage.client.observe(&Wanted::default()).await;
        assert!(state.devices.unknown().expect("unknown").contains(code));
        assert_eq!(stage.seen("").len(), 2, "nothing goes to Graph without a token");
    }
}

/// Catches a token of another tenant that is used.
#[tokio::test]
async fn wrong_tenant() {
    let stage = Stage::new(|seen, _| if is_token(seen) { token(&[]) } else { ok(device(1)) }).await;
    let mut other = config(&stage.root, &stage.root);
    other.tenant = TenantRef::Id("11111111-2222-3333-4444-555555555555".parse().expect("an id"));
    let client = Client::new(other, TestClock::new()).expect("a client");
    let problem = client.device(EntraDeviceId(id(1))).await.expect_err("refused");
    assert_eq!(problem.code, "token.wrong-tenant");
    let mut later = config(&stage.root, &stage.root);
    later.credential = Credential::ManagedIdentity;
    let problem = Client::new(later, TestClock::new()).expect_err("refused");
    assert_eq!(problem.code, "token.credential-unsupported");
}

/// Catches a user, a hybrid object or a member that is deleted by mistake.
#[tokio::test]
async fn refuses_dangerous_deletes() {
    let stage = Stage::new(|seen, _| {
        if is_token(seen) {
            return token(&[]);
        }
        let kind = match seen.path.as_str() {
            path if path.contains(&id(1).to_string()) => json!("ServerAd"),
            path if path.contains(&id(2).to_string()) => Value::Null,
            path if path.contains(&id(3).to_string()) => json!("NewKind"),
            path if path.contains(&id(4).to_string()) => return status(404),
            _ => json!("AzureAd"),
        };
        if seen.method == "DELETE" {
            return Reply(204, Vec::new(), Value::Null);
        }
        ok(json!({"id": id(1), "deviceId": id(2), "displayName": "D", "trustType": kind}))
    })
    .await;
    for upn in ["anna@contoso.com", "pack@contoso.com", "package_1", "xpackage_1@contoso.com", "ä", ""] {
        let problem = stage.client.delete_package_account(upn).await.expect_err("refused");
        assert_eq!(problem.code, "graph.not-a-package", "{upn}");
    }
    for (n, code) in [(1, "graph.hybrid-device"), (2, "graph.hybrid-device"), (3, "graph.unknown-device")] {
        let problem = stage.client.delete_device(EntraObjectId(id(n))).await.expect_err("refused");
        assert_eq!(problem.code, code);
    }
    stage.client.delete_device(EntraObjectId(id(4))).await.expect("gone already");
    assert!(stage.seen("DELETE").is_empty());
    stage.client.delete_device(EntraObjectId(id(5))).await.expect("deleted");
    stage.client.delete_package_account("package_1@contoso.com").await.expect("deleted");
    stage.client.remove_member(GroupId(id(6)), EntraObjectId(id(7))).await.expect("removed");
    let paths: Vec<String> = stage.seen("DELETE").into_iter().map(|seen| seen.path).collect();
    assert_eq!(
        paths,
        [
            format!("/v1.0/devices/{}", id(5)),
            "/v1.0/users/package_1@contoso.com".to_owned(),
            format!("/v1.0/groups/{}/members/{}/$ref", id(6), id(7)),
        ]
    );
}

/// Catches idempotent writes that fail because they are done already, and other 400s that pass for done.
#[tokio::test]
async fn done_already_is_done() {
    let stage = Stage::new(|seen, before| match (seen.method.as_str(), before) {
        _ if is_token(seen) => token(&[]),
        ("DELETE", _) => status(404),
        ("POST", _) if seen.path.ends_with("/sync") => status(409),
        ("POST", 0) => Reply(
            400,
            Vec::new(),
            json!({"error": {"code": "Request_BadRequest", "message":
            "One or more added object references already exist for the following modified properties: 'members'."}}),
        ),
        _ => status(400),
    })
    .await;
    let (group, device) = (GroupId(id(1)), EntraObjectId(id(2)));
    stage.client.add_member(group, device).await.expect("a member already");
    let added = &stage.seen("members/$ref")[0];
    assert_eq!(added.body["@odata.id"], format!("{}/v1.0/directoryObjects/{}", stage.root, id(2)));
    assert_eq!(stage.client.add_member(group, device).await.expect_err("refused").code, "graph.refused");
    stage.client.remove_member(group, device).await.expect("no member already");
    stage.client.delete_managed_device(IntuneId(id(3))).await.expect("gone already");
    stage.client.sync_autopilot().await.expect("too soon is a success");
    assert_eq!(stage.seen("/beta/deviceManagement/windowsAutopilotSettings/sync").len(), 1);
}

/// Catches hyphens that Graph refuses, and a serial number that only contains the one looked for.
#[tokio::test]
async fn finds_autopilot_by_serial() {
    let stage = Stage::new(|seen, _| {
        if is_token(seen) {
            return token(&[]);
        }
        assert!(!seen.path.contains("-00") && !seen.path.contains("$select") && !seen.path.contains(" eq "));
        page(json!([{"id": id(1), "serialNumber": "5CG-001234-X"}, {"id": id(2), "serialNumber": "5CG-001234",
            "groupTag": "", "managedDeviceId": "00000000-0000-0000-0000-000000000000"}]))
    })
    .await;
    let found = stage.client.autopilot("5CG-001234").await.expect("an answer").expect("an identity");
    assert_eq!((found.id.0, found.group_tag, found.managed_device), (id(2), None, None));
    assert!(stage.seen("contains(serialNumber,'001234')").len() == 1, "{:?}", stage.seen("contains"));
    assert!(stage.client.autopilot("5CG-9").await.expect("an answer").is_none());
    assert_eq!(stage.client.autopilot("--").await.expect_err("nothing to look for").code, "graph.serial");
}

/// Catches a change of exclusions or assignments that drops what other people put there.
#[tokio::test]
async fn replaces_lists_and_nothing_else() {
    let filtered = json!({"@odata.type": "#microsoft.graph.groupAssignmentTarget", "groupId": id(8),
        "deviceAndAppManagementAssignmentFilterId": "f"});
    let there = filtered.clone();
    let stage = Stage::new(move |seen, _| match (seen.method.as_str(), seen.path.as_str()) {
        _ if is_token(seen) => token(&[]),
        ("PATCH", _) => Reply(204, Vec::new(), Value::Null),
        ("POST", _) => page(json!([])),
        (_, path) if path.ends_with("/assignments") => page(json!([{"id": "a", "target": there}])),
        _ => ok(json!({"id": id(1), "conditions": {"users": {"includeUsers": ["All"], "excludeUsers": []},
            "locations": {"includeLocations": ["All"]}}})),
    })
    .await;
    stage.client.set_excluded_users(PolicyId(id(1)), &["u".to_owned()]).await.expect("changed");
    let sent = &stage.seen("PATCH")[0].body;
    assert_eq!(sent["conditions"]["users"], json!({"includeUsers": ["All"], "excludeUsers": ["u"]}));
    assert_eq!(sent["conditions"]["locations"], json!({"includeLocations": ["All"]}));
    let kind = "#microsoft.graph.groupAssignmentTarget".to_owned();
    let assignments = [Assignment { kind, group: Some(GroupId(id(8))) }];
    stage.client.assign_profile(PolicyId(id(2)), &assignments).await.expect("assigned");
    assert_eq!(stage.seen("/assign")[1].body["assignments"], json!([{"target": filtered}]));
}

/// Catches an administrator, by role or by a group that holds one, who passes for an ordinary user.
#[tokio::test]
async fn finds_privileged_users() {
    let user = |n: u128| json!({"id": id(n), "userPrincipalName": format!("U{n}@Contoso.com"), "accountEnabled": true});
    let stage = Stage::new(move |seen, _| match seen.path.as_str() {
        _ if is_token(seen) => token(&[]),
        path if path.contains("roleAssignments") => page(json!([
            {"id": "1", "principalId": id(1), "principal": {"@odata.type": "#microsoft.graph.user"}},
            {"id": "2", "principalId": id(50), "principal": {"@odata.type": "#microsoft.graph.group"}},
        ])),
        "/v1.0/$batch" => {
            let url = seen.body["requests"][0]["url"].as_str().expect("a url");
            assert!(url.starts_with(&format!("/groups/{}/transitiveMembers", id(50))), "{url}");
            ok(json!({"responses": [{"id": "0", "status": 200, "body": {"value": [{"id": id(2)}]}}]}))
        }
        path if path.contains("/users?") => page(json!([user(1), user(2), user(3)])),
        path if path.contains("/users/") => ok(user(2)),
        _ => page(json!([])),
    })
    .await;
    let state = stage.client.observe(&Wanted { users: true, ..Wanted::default() }).await;
    let users: Vec<(&str, bool)> =
        state.users.known().expect("users").iter().map(|user| (user.upn.as_str(), user.privileged)).collect();
    assert_eq!(users, [("u1@contoso.com", true), ("u2@contoso.com", true), ("u3@contoso.com", false)]);
    assert!(stage.client.user(UserId(id(2))).await.expect("an answer").expect("a user").privileged);
}

/// Catches more calls than the quota allows: Conditional Access takes one request a second.
#[tokio::test]
async fn keeps_to_the_quota() {
    let stage = Stage::new(|seen, _| if is_token(seen) { token(&[]) } else { page(json!([])) }).await;
    for _ in 0..5 {
        stage.client.policy_by_name("none").await.expect("an answer");
    }
    assert!((stage.clock.total() - 4.0).abs() < 0.1, "{:?}", stage.clock.slept());
}

fn examples() -> Option<PathBuf> {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    ["../shared", "../../shared"].iter().map(|up| here.join(up).join("reference/graph/examples")).find(|p| p.is_dir())
}

/// Catches a deserialiser that fails on what Microsoft publishes: unknown members, odd ids, wrapped entities.
#[tokio::test]
async fn published_examples() {
    let Some(folder) = examples() else {
        println!("skipped: the published examples aren't here");
        return;
    };
    let body = move |name: &str, at: usize| -> Value {
        let text = std::fs::read_to_string(folder.join(format!("{name}.json"))).expect("an example");
        let json: Value = serde_json::from_str(&text).expect("JSON");
        json["examples"][at]["response"]["body"].clone()
    };
    let keep = body.clone();
    let stage = Stage::new(move |seen, _| {
        let path = seen.path.as_str();
        let example = |name: &str| ok(body(name, 0));
        match path {
            _ if is_token(seen) => token(&[]),
            _ if path.contains("/organization/") => example("intune-organization-get"),
            _ if path.contains("/organization?") => example("organization-list"),
            _ if path.contains("/users?") => ok(body("user-list", 4)),
            _ if path.contains("/devices?") => example("device-list"),
            _ if path.contains("/managedDevices?") => example("manageddevice-list"),
            _ if path.contains("/recoveryKeys") => example("bitlocker-list-recoverykeys"),
            _ if path.contains("importedWindows") => example("importedwindowsautopilotdeviceidentity-create"),
            _ if path.contains("/windowsAutopilotDeviceIdentities") => example("windowsautopilotdeviceidentity-list"),
            _ if path.contains("/conditionalAccess") => example("conditionalaccesspolicy-list"),
            _ if path.contains("/deviceRegistrationPolicy") => example("deviceregistrationpolicy-get"),
            _ if path.ends_with("/assignments") => example("deviceconfiguration-assign"),
            _ if path.contains("/deviceConfigurations?") => example("deviceconfiguration-list"),
            _ if path.contains("/groups?") => example("group-list"),
            _ => page(json!([])),
        }
    })
    .await;
    let wanted =
        Wanted { users: true, autopilot: true, recovery_keys: true, conditional_access: true, ..Wanted::default() };
    let state = stage.client.observe(&wanted).await;
    let organization = state.organization.known().expect("an organization");
    assert_eq!(organization.verified_domains, ["contoso.onmicrosoft.com"]);
    assert_eq!(organization.mdm_authority, Known::Known("intune".to_owned()));
    let users = state.users.known().unwrap_or_else(|| panic!("{:?}", state.users));
    assert_eq!(users[0].upn, "gradya@contoso.com");
    // That example has no `id`: it is named, not taken for an empty tenant.
    assert!(state.devices.unknown().expect("unknown").contains("item 0: `id` is missing"), "{:?}", state.devices);
    let managed = &state.managed_devices.known().expect("devices")[0];
    assert_eq!((managed.device_id, managed.serial.as_str()), (None, "Serial Number value"));
    assert_eq!(state.recovery_keys.known().expect("keys").len(), 2);
    assert_eq!(state.autopilot.known().expect("identities").len(), 1);
    let count = keep("conditionalaccesspolicy-list", 0)["value"].as_array().expect("policies").len();
    assert_eq!(
        state.conditional_access.known().unwrap_or_else(|| panic!("{:?}", state.conditional_access)).len(),
        count
    );
    let policy = state.registration_policy.known().expect("a policy");
    assert_eq!((policy.user_device_quota, policy.mfa_required, &policy.join), (2, false, &JoinScope::All));
    let profile = stage.client.profile_by_name("Display Name value").await.expect("an answer").expect("a profile");
    assert_eq!(profile.assignments[0].kind, "microsoft.graph.configurationManagerCollectionAssignmentTarget");
    assert_eq!(stage.client.import_state("x").await.expect("a state"), ImportState::Running);
}
