//! Each way in which a sign-in is refused has its own message, and none shows a password.

use opsole::directory::{LdapDirectory, Settings, SignIn};
use opsole::model::Problem;
use opsole::port::Directory;
use secrecy::{ExposeSecret as _, SecretString};

use super::samba::{Samba, samba};

async fn refused(settings: Settings) -> Problem {
    let SignIn::Password(password) = &settings.sign_in else { panic!("a password") };
    let password = password.expose_secret().to_owned();
    let directory = LdapDirectory::new(settings).expect("settings");
    let problem = directory.observe().await.expect_err("refused");
    let told = format!("{problem:?} {problem}");
    assert!(!told.contains(&password), "a password is told: {told}");
    assert!(problem.next.is_some(), "{problem:?}");
    problem
}

fn servers(samba: &Samba, urls: &[String]) -> Settings {
    let servers = urls.iter().map(|url| url.parse().expect("an address")).collect();
    Settings { servers, ..samba.settings("svc-delegated") }
}

/// Catches states of an account that are mixed up: each has another remedy.
#[tokio::test]
async fn accounts() {
    let Some(samba) = samba("accounts in every state") else { return };
    for (account, code) in [
        ("svc-locked", "directory.account-locked"),
        ("svc-expired", "directory.account-expired"),
        ("svc-disabled", "directory.account-disabled"),
        ("svc-must-change", "directory.must-change-password"),
        ("svc-at-night", "directory.sign-in-restricted"),
        ("svc-elsewhere", "directory.sign-in-restricted"),
    ] {
        let problem = refused(samba.settings(account)).await;
        assert_eq!(problem.code, code);
        assert!(problem.message.contains(account), "{problem:?}");
    }
    for (account, password) in [("svc-none", "Wrong+Password1"), ("nobody-of-this-name", samba.password.as_str())] {
        let password = SecretString::from(password.to_owned());
        let problem = refused(Settings { sign_in: SignIn::Password(password), ..samba.settings(account) }).await;
        assert_eq!(problem.code, "directory.wrong-password");
    }
}

/// Catches a wrong password that is tried again and again until the account is locked.
#[tokio::test]
async fn a_wrong_password_is_tried_once() {
    let Some(samba) = samba("a wrong password, tried once") else { return };
    let mut admin = samba.admin().await;
    let dn = format!("CN=svc-must-change,CN=Users,{}", samba.base);
    let tries = admin.text(&dn, "badPwdCount").await;
    let password = SecretString::from("Wrong+Password1".to_owned());
    let directory =
        LdapDirectory::new(Settings { sign_in: SignIn::Password(password), ..samba.settings("svc-must-change") })
            .expect("settings");
    for _ in 0..5 {
        let problem = directory.observe().await.expect_err("refused");
        assert_eq!(problem.code, "directory.wrong-password");
    }
    let count = |text: Option<String>| text.and_then(|text| text.parse::<u32>().ok()).unwrap_or_default();
    let more = count(admin.text(&dn, "badPwdCount").await) - count(tries);
    assert!(more <= 1, "{more} tries");
}

/// Catches a certificate of a stranger that is taken, and one whose refusal says nothing of certificates.
#[tokio::test]
async fn certificates() {
    let Some(samba) = samba("certificates") else { return };
    let other = std::fs::read_to_string(&samba.other_ca).expect("an authority");
    for authorities in [Some(other), None] {
        for scheme in ["ldaps", "ldap"] {
            let url = format!("{scheme}://{}", samba.address);
            let problem = refused(Settings { authorities: authorities.clone(), ..servers(&samba, &[url]) }).await;
            assert!(problem.code == "directory.certificate", "{problem:?}");
            assert!(problem.next.as_deref().is_some_and(|next| next.contains("ca_file")), "{problem:?}");
        }
    }
}

/// Catches names that only one of the two ways to sign in takes, and StartTLS that isn't done.
#[tokio::test]
async fn good_sign_ins() {
    let Some(samba) = samba("good sign-ins") else { return };
    let names = [
        format!("{}\\svc-delegated", samba.netbios),
        format!("svc-delegated@{}", samba.domain),
        format!("CN=svc-delegated,CN=Users,{}", samba.base),
    ];
    for account in names {
        for scheme in ["ldaps", "ldap"] {
            let url = format!("{scheme}://{}", samba.address);
            let settings = Settings { account: account.clone(), ..servers(&samba, &[url]) };
            let state = LdapDirectory::new(settings).expect("settings").observe().await.expect("readable");
            let found = state.account.known().unwrap_or_else(|| panic!("{account}: {:?}", state.account));
            assert!(found.enabled && found.rights.len() == 1, "{found:?}");
        }
    }
}
