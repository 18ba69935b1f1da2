//! Sign-in by Kerberos: the program with keytabs of Samba's accounts, and no password anywhere.
//!
//! Kerberos is told by the environment of a process where its credentials are: each test runs the program as a child.

use std::net::{TcpListener, UdpSocket};
use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use opsole::directory::LdapDirectory;
use opsole::port::Directory as _;

use super::connection::proxy;
use super::samba::{Samba, samba};
use super::story;
use crate::support::{Ran, TestEnv};

/// A plan whose directory is Samba, and which signs in by Kerberos as an account of this name.
fn plan(samba: &Samba, server: &str, account: &str) -> TestEnv {
    let env = TestEnv::example("ad-to-entra");
    story::directory_of(&env, samba, server, &samba.workstations, &format!("{{name: '{account}', sign_in: kerberos}}"));
    env
}

/// Runs the program with a keytab and an empty cache of tickets.
fn with_keytab(env: &TestEnv, config: &Path, keytab: &Path, line: &str) -> Ran {
    let cache = env.path("tickets");
    let _ = std::fs::remove_file(&cache);
    let mut command = env.command(line.split_whitespace());
    command.env("KRB5_CONFIG", config).env("KRB5_CLIENT_KTNAME", keytab);
    command.env("KRB5CCNAME", format!("FILE:{}", cache.display()));
    let output = command.output().expect("the program starts");
    Ran {
        code: output.status.code(),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

fn run(env: &TestEnv, samba: &Samba, keytab: &str, line: &str) -> Ran {
    let keytab = samba.kerberos.join(format!("{keytab}.keytab"));
    with_keytab(env, &samba.kerberos.join("krb5.conf"), &keytab, line)
}

fn ldaps(samba: &Samba) -> String {
    format!("ldaps://{}", samba.address)
}

/// Catches a sign-in that Samba doesn't take within TLS or by StartTLS, a name of the account that isn't found to be its own,
/// and rights of somebody else. The server is an address, and no service has that name; the realm isn't the machine's.
#[test]
fn good_sign_ins() {
    let Some(samba) = samba("sign-ins by Kerberos") else { return };
    let names = [
        (ldaps(&samba), format!("{}\\svc-delegated", samba.netbios.to_lowercase())),
        (ldaps(&samba), format!("{}\\svc-delegated", samba.domain)),
        (ldaps(&samba), format!("SVC-delegated@{}", samba.domain)),
        (format!("ldap://{}", samba.address), format!("CN=svc-delegated,CN=Users,{}", samba.base)),
    ];
    for (server, account) in names {
        let env = plan(&samba, &server, &account);
        let check = run(&env, &samba, "svc-delegated", "directory check -o json").expect(0).json();
        let found = &check["check"]["account"];
        let rights = &found["rights"][0];
        assert_eq!((rights["disable"].as_bool(), rights["delete"].as_bool()), (Some(true), Some(true)), "{found:#}");
    }
    let env = plan(&samba, &ldaps(&samba), &format!("{}\\svc-none", samba.netbios));
    let check = run(&env, &samba, "svc-none", "directory check").expect(9);
    assert!(check.out.contains("may not disable computers"), "{}\n{}", check.out, check.err);
}

/// Catches an account that may only sign in by Kerberos and can't, and a refusal of its password that doesn't say so.
#[tokio::test(flavor = "multi_thread")]
async fn protected_users() {
    let Some(samba) = samba("a member of Protected Users") else { return };
    let by_password = LdapDirectory::new(samba.settings("svc-protected")).expect("settings");
    let problem = by_password.observe().await.expect_err("refused");
    assert!(problem.code == "directory.sign-in-restricted", "{problem:?}");
    assert!(problem.next.as_deref().is_some_and(|next| next.contains("kerberos")), "{problem:?}");
    let env = plan(&samba, &ldaps(&samba), &format!("{}\\svc-protected", samba.netbios));
    let check = run(&env, &samba, "svc-protected", "directory check").expect(9);
    assert!(check.out.contains("svc-protected: enabled"), "{}\n{}", check.out, check.err);
}

/// Catches whoever happens to have a ticket taken for the account that the plan names: rights would be computed for one and
/// used by another.
#[test]
fn another_account() {
    let Some(samba) = samba("a ticket of somebody else") else { return };
    for (account, keytab, is) in [
        (format!("{}\\svc-delegated", samba.netbios), "svc-none", "svc-none"),
        (format!("svc-delegated@{}", samba.domain), "svc-none", "svc-none"),
        // The same name, of another domain.
        ("OTHER\\svc-delegated".to_owned(), "svc-delegated", "svc-delegated"),
        (format!("nobody@{}", samba.domain), "svc-delegated", "svc-delegated"),
        // The name is there as a pattern only.
        (format!("{}\\svc-*", samba.netbios), "svc-delegated", "svc-delegated"),
    ] {
        let env = plan(&samba, &ldaps(&samba), &account);
        let check = run(&env, &samba, keytab, "directory check").expect(9);
        let told = format!("{}\n{}", check.out, check.err);
        assert!(told.contains("(directory.other-account)"), "{account}: {told}");
        assert!(told.contains(&format!("is that of {is}, and the plan names `{account}`")), "{account}: {told}");
    }
}

/// Catches reasons that are mixed up: each has another remedy.
#[test]
fn refusals() {
    let Some(samba) = samba("refusals by Kerberos") else { return };
    let delegated = "svc-delegated";
    for (account, keytab, code) in [
        (delegated, "no-such-file", "directory.no-ticket"),
        ("svc-rekeyed", "svc-rekeyed", "directory.wrong-key"),
        ("svc-disabled", "svc-disabled", "directory.account-refused"),
        ("svc-expired", "svc-expired", "directory.account-refused"),
    ] {
        let env = plan(&samba, &ldaps(&samba), &format!("{}\\{account}", samba.netbios));
        let check = run(&env, &samba, keytab, "directory check").expect(9);
        let told = format!("{}\n{}", check.out, check.err);
        assert!(told.contains(&format!("({code})")) && told.contains("next: "), "{keytab}: {told}");
        assert!(check.out.contains(&format!("fail: the account `{}\\{account}`", samba.netbios)), "{told}");
    }
}

/// Catches an old key that is tried at each server: it counts as a wrong password does, and may lock the account.
#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_key_is_tried_once() {
    let Some(samba) = samba("a wrong key, tried once") else { return };
    let [first, second] =
        [proxy(format!("{}:636", samba.address), None).await, proxy(format!("{}:636", samba.address), None).await];
    let env = plan(&samba, &format!("ldaps://{}", first.address), &format!("{}\\svc-rekeyed", samba.netbios));
    env.edit("plan.yaml", "  ca_file:", &format!("  fallback: [\"ldaps://{}\"]\n  ca_file:", second.address));
    drop(run(&env, &samba, "svc-rekeyed", "directory check").expect(9));
    let made = [first, second].map(|proxy| proxy.made.load(Ordering::SeqCst));
    assert_eq!(made, [1, 0]);
}

/// Catches a host that no domain controller has as its service told as something else.
#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_is_no_service() {
    let Some(samba) = samba("a host without a service") else { return };
    let proxy = proxy(format!("{}:636", samba.address), None).await;
    let server = format!("ldaps://localhost:{}", proxy.address.port());
    let env = plan(&samba, &server, &format!("{}\\svc-delegated", samba.netbios));
    let check = run(&env, &samba, "svc-delegated", "directory check").expect(9);
    let told = format!("{}\n{}", check.out, check.err);
    assert!(told.contains("(directory.no-service)") && told.contains("ldap/localhost@CORP.OPSOLE.TEST"), "{told}");
}

/// Catches a wait for a Kerberos server that doesn't end with the time for connecting: the library alone tries for 27 seconds.
#[test]
fn servers_of_kerberos_that_say_nothing() {
    let Some(samba) = samba("a Kerberos server that says nothing") else { return };
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = silent.local_addr().expect("an address");
    let _datagrams = UdpSocket::bind(address).expect("the same port");
    let closed = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
    let env = plan(&samba, &ldaps(&samba), &format!("{}\\svc-delegated", samba.netbios));
    let keytab = samba.kerberos.join("svc-delegated.keytab");
    let config = std::fs::read_to_string(samba.kerberos.join("krb5.conf")).expect("a configuration");
    for (kdc, code) in [(closed, "directory.no-kdc"), (address, "directory.timeout")] {
        env.write("krb5.conf", &config.replace(&format!("kdc = {}", samba.address), &format!("kdc = {kdc}")));
        let begun = Instant::now();
        let check = with_keytab(&env, &env.path("krb5.conf"), &keytab, "directory check").expect(9);
        let told = format!("{}\n{}", check.out, check.err);
        assert!(told.contains(&format!("({code})")), "{told}");
        assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    }
}

/// Catches a connection signed in by Kerberos that reads and can't write.
#[tokio::test(flavor = "multi_thread")]
async fn computers_are_retired() {
    let Some(samba) = samba("retirement by Kerberos") else { return };
    let _turn = story::TURN.lock().await;
    let mut admin = samba.admin().await;
    let (env, unit) = story::migration(&samba, &mut admin, "Kerberos", "disable").await;
    env.edit("plan.yaml", "password: {file: password}", "sign_in: kerberos");
    std::fs::remove_file(env.path("password")).expect("no password");
    drop(run(&env, &samba, "svc-delegated", "apply --wave pilot --yes").expect(0));
    let flags = admin.text(&format!("CN=BER-001,{unit}"), "userAccountControl").await.expect("flags");
    assert_eq!(flags.parse::<u32>().expect("a number") & 2, 2, "disabled");
    drop(env.opsole("lab wait 120d").expect(0));
    drop(run(&env, &samba, "svc-delegated", "directory sweep --older-than 90d --yes").expect(0));
    for (name, there) in [("BER-001", false), ("BER-002", false), ("BER-003", false), ("MUC-001", true)] {
        assert_eq!(admin.text(&format!("CN={name},{unit}"), "cn").await.is_some(), there, "{name}");
    }
}
