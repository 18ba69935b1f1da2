//! Reads the sections of a plan that say where devices come from and go: tenants, directory, packages, features.

use super::decode::{Decoder, Map};
use super::file::{
    AccountFile, AppFile, ApprovalsFile, Autopilot, AutopilotSettings, CaFeature, CertificateFile, CloudFile, CloudRow,
    CredentialFile, DevicesFile, DirectoryFile, FeaturesFile, FederatedFile, GroupRestore, GroupRestoreSettings,
    InventoryFile, KeyFile, NoSettings, Owner, PackageFile, PlanFile, PlanPart, PolicyFile, Profiles, ProfilesSettings,
    RuleFile, TenantFile, UsersFile, ValidatedFile,
};
use super::words::{CaMode, SignInWay, Word, quoted};
use super::yaml::{Kind, Node};
use super::{secret, waves};
use crate::diag::{Code, Diagnostic, Spanned};
use crate::model::OwnerRole;

/// Reads the main file.
pub(super) fn plan(cx: &mut Decoder, node: &Node) -> Option<PlanFile> {
    let mut map = cx.map(node, "the plan")?;
    let opsole = map.required(cx, "opsole", version);
    let name = map.required(cx, "name", Decoder::name);
    let scenario = map.required(cx, "scenario", Decoder::word);
    let zone = map.optional(cx, "zone", Decoder::zone);
    let tenants = map.required(cx, "tenants", |cx, node| cx.named(node, "tenants", tenant));
    let directory = map.optional(cx, "directory", directory);
    let features = map.optional(cx, "features", features);
    let devices = map.required(cx, "devices", devices);
    let users = map.optional(cx, "users", users);
    let policy = map.optional(cx, "policy", policy);
    let part = part(cx, &mut map);
    map.finish(cx);
    Some(PlanFile {
        opsole,
        name,
        scenario,
        zone,
        include: part.include,
        owners: part.owners,
        tenants: tenants.unwrap_or_default(),
        directory,
        packages: part.packages,
        features: features.unwrap_or_default(),
        devices,
        users,
        waves: part.waves,
        exclusions: part.exclusions,
        attestations: part.attestations,
        policy: policy.unwrap_or_default(),
    })
}

/// Reads an included file.
pub(super) fn included(cx: &mut Decoder, node: &Node) -> Option<PlanPart> {
    let mut map = cx.map(node, "the included file")?;
    let part = part(cx, &mut map);
    map.finish(cx);
    Some(part)
}

fn part(cx: &mut Decoder, map: &mut Map<'_>) -> PlanPart {
    PlanPart {
        include: map.optional(cx, "include", |cx, node| cx.list(node, Decoder::text)).unwrap_or_default(),
        owners: map.optional(cx, "owners", owners).unwrap_or_default(),
        packages: map.optional(cx, "packages", |cx, node| cx.named(node, "packages", package)).unwrap_or_default(),
        waves: map.optional(cx, "waves", |cx, node| cx.list(node, waves::wave)).unwrap_or_default(),
        exclusions: map.optional(cx, "exclusions", |cx, node| cx.list(node, waves::exclusion)).unwrap_or_default(),
        attestations: map
            .optional(cx, "attestations", |cx, node| cx.list(node, waves::attestation))
            .unwrap_or_default(),
    }
}

fn version(cx: &mut Decoder, node: &Node) -> Option<Spanned<i64>> {
    let Kind::Int(version) = node.kind else {
        cx.wrong_type(node, "a whole number");
        return None;
    };
    if version != 1 {
        let message = format!("this plan has format {version}, and this program reads format 1");
        cx.report(
            Diagnostic::error(Code::FORMAT_VERSION, message)
                .at(node.span, "the format of the plan")
                .help("write `opsole: 1`, or use the program that the plan was written for"),
        );
    }
    Some(Spanned::new(version, node.span))
}

fn owners(cx: &mut Decoder, node: &Node) -> Option<std::collections::BTreeMap<OwnerRole, Owner>> {
    let Kind::Map(entries) = &node.kind else {
        cx.wrong_type(node, "a mapping from owner roles to people");
        return None;
    };
    let mut owners = std::collections::BTreeMap::new();
    for entry in cx.unique(entries) {
        let Some(role) = OwnerRole::of(&entry.key) else {
            cx.unknown_word::<OwnerRole>(&entry.key, entry.key_span);
            continue;
        };
        if let Some(mailbox) = cx.text(&entry.value) {
            owners.insert(role, Owner { mailbox, role: entry.key_span });
        }
    }
    Some(owners)
}

fn tenant(cx: &mut Decoder, node: &Node) -> Option<TenantFile> {
    let mut map = cx.map(node, "a tenant")?;
    let tenant = TenantFile {
        role: map.required(cx, "role", Decoder::word),
        id: map.required(cx, "id", guid),
        domain: map.required(cx, "domain", Decoder::text),
        cloud: map.optional(cx, "cloud", cloud),
        app: map.required(cx, "app", app),
    };
    map.finish(cx);
    Some(tenant)
}

fn guid<T: std::str::FromStr>(cx: &mut Decoder, node: &Node) -> Option<Spanned<T>> {
    cx.parsed(node, "a GUID", "0f7c6f3e-5d0a-4f6e-9a57-1f0c2f5b8b11")
}

fn cloud(cx: &mut Decoder, node: &Node) -> Option<CloudFile> {
    if let Kind::Text(_) = node.kind {
        return cx.word(node).map(CloudFile::Named);
    }
    let mut map = cx.map(node, "a cloud")?;
    let lab = map.optional(cx, "lab", Decoder::text);
    let custom = map.optional(cx, "custom", |cx, node| {
        let mut map = cx.map(node, "a custom cloud")?;
        let row = (
            map.required(cx, "authority", https),
            map.required(cx, "graph", https),
            map.required(cx, "scope", |cx, node| Some(cx.text(node)?.value)),
        );
        map.finish(cx);
        Some(CloudRow { authority: row.0?, graph: row.1?, scope: row.2? })
    });
    one_of(cx, node, map, &["custom", "lab"])?;
    lab.map(CloudFile::Lab).or(custom.map(CloudFile::Custom))
}

fn https(cx: &mut Decoder, node: &Node) -> Option<String> {
    let text = cx.text(node)?;
    let host = text.value.strip_prefix("https://").unwrap_or_default();
    if host.is_empty() || host.contains(['?', '#', ' ', '@']) {
        let message = format!("{} isn't the https address of a service", quoted(&text.value));
        cx.bad_value(text.span, message, "here", "write it like `https://graph.microsoft.com`");
        return None;
    }
    Some(text.value.trim_end_matches('/').to_owned())
}

/// Ends a union: exactly one of its keys has to be there.
pub(super) fn one_of(cx: &mut Decoder, node: &Node, map: Map<'_>, keys: &[&str]) -> Option<()> {
    let found = map.entries().iter().filter(|entry| keys.contains(&entry.key.as_str())).count();
    let all = map.entries().len();
    if found == 1 || all > found {
        map.finish(cx);
        return (found == 1).then_some(());
    }
    let message =
        format!("exactly one of these keys has to stand here: {}", super::words::either(keys.iter().copied()));
    cx.bad_value(node.span, message, &format!("has {found} of them"), "keep one");
    None
}

fn app(cx: &mut Decoder, node: &Node) -> Option<AppFile> {
    let mut map = cx.map(node, "an app registration")?;
    let app = AppFile {
        client_id: map.required(cx, "client_id", |cx, node| {
            let id: Spanned<uuid::Uuid> = guid(cx, node)?;
            Some(Spanned::new(id.value.to_string(), id.span))
        }),
        credential: map.required(cx, "credential", credential),
        expires: map.optional(cx, "expires", Decoder::date),
    };
    map.finish(cx);
    Some(app)
}

fn credential(cx: &mut Decoder, node: &Node) -> Option<CredentialFile> {
    if let Kind::Text(_) | Kind::Int(_) | Kind::Float(_) = node.kind {
        secret::reference(cx, node);
        return None;
    }
    let mut map = cx.map(node, "a credential")?;
    let client_secret = map.optional(cx, "client_secret", secret::reference);
    let certificate = map.optional(cx, "certificate", |cx, node| {
        let mut map = cx.map(node, "a certificate")?;
        let file = map.required(cx, "file", Decoder::text);
        map.finish(cx);
        Some(CertificateFile { file: file?.value })
    });
    let federated = map.optional(cx, "federated", |cx, node| {
        let mut map = cx.map(node, "a federated credential")?;
        let file = map.required(cx, "token_file", Decoder::text);
        map.finish(cx);
        Some(FederatedFile { token_file: file?.value })
    });
    let managed = map.optional(cx, "managed_identity", |cx, node| {
        cx.map(node, "a managed identity")?.finish(cx);
        Some(NoSettings {})
    });
    one_of(cx, node, map, &["client_secret", "certificate", "federated", "managed_identity"])?;
    client_secret
        .map(CredentialFile::ClientSecret)
        .or(certificate.map(CredentialFile::Certificate))
        .or(federated.map(CredentialFile::Federated))
        .or(managed.map(CredentialFile::ManagedIdentity))
}

fn directory(cx: &mut Decoder, node: &Node) -> Option<DirectoryFile> {
    let mut map = cx.map(node, "the directory")?;
    let directory = DirectoryFile {
        domain: map.required(cx, "domain", Decoder::text),
        server: map.optional(cx, "server", ldap),
        fallback: map.optional(cx, "fallback", |cx, node| cx.list(node, ldap)).unwrap_or_default(),
        ca_file: map.optional(cx, "ca_file", Decoder::text),
        computers: map.required(cx, "computers", |cx, node| cx.list(node, Decoder::text)).unwrap_or_default(),
        account: map.optional(cx, "account", directory_account),
        retire: map.optional(cx, "retire", Decoder::word),
    };
    map.finish(cx);
    Some(directory)
}

fn directory_account(cx: &mut Decoder, node: &Node) -> Option<AccountFile> {
    let mut map = cx.map(node, "the directory's account")?;
    let name = map.required(cx, "name", Decoder::text);
    let written = map.entries().iter().any(|entry| entry.key == "sign_in");
    let sign_in: Option<Spanned<SignInWay>> = map.optional(cx, "sign_in", Decoder::word);
    let kerberos = sign_in.as_ref().is_some_and(|way| way.value == SignInWay::Kerberos);
    let password = match (kerberos, written && sign_in.is_none()) {
        (true, _) => {
            let place = map.key_span("password");
            if map.optional(cx, "password", secret::reference).is_some() {
                let message = "an account that signs in by Kerberos has no password";
                let help = "remove it, or write `sign_in: password`: with Kerberos it is whoever runs the program";
                cx.bad_value(place, message, "isn't used", help);
            }
            None
        }
        // Which of the two was meant isn't known.
        (false, true) => map.optional(cx, "password", secret::reference),
        (false, false) => map.required(cx, "password", secret::reference),
    };
    map.finish(cx);
    Some(AccountFile { name, sign_in, password })
}

fn ldap(cx: &mut Decoder, node: &Node) -> Option<Spanned<String>> {
    let text = cx.text(node)?;
    let url = url::Url::parse(&text.value).ok();
    let plain = |url: &url::Url| {
        let host = url.host_str().is_some_and(|host| !host.is_empty());
        let rest = url.path().trim_matches('/').is_empty() && url.query().is_none() && url.fragment().is_none();
        matches!(url.scheme(), "ldaps" | "ldap")
            && host
            && rest
            && url.username().is_empty()
            && url.password().is_none()
    };
    if url.as_ref().is_some_and(plain) {
        return Some(text);
    }
    let message = format!("{} isn't the address of a directory server", quoted(&text.value));
    cx.bad_value(text.span, message, "here", "write it like `ldaps://dc1.corp.contoso.com`");
    None
}

fn package(cx: &mut Decoder, node: &Node) -> Option<PackageFile> {
    let mut map = cx.map(node, "a package")?;
    let package = PackageFile {
        tenant: map.required(cx, "tenant", Decoder::text),
        file: map.optional(cx, "file", Decoder::text),
        sha256: map.optional(cx, "sha256", |cx, node| cx.parsed(node, "a SHA-256", "9c1f… (64 hexadecimal digits)")),
        account: map.required(cx, "account", Decoder::text),
        issued: map.required(cx, "issued", Decoder::date),
        expires: map.required(cx, "expires", Decoder::date),
        validated: map.optional(cx, "validated", |cx, node| {
            let mut map = cx.map(node, "a package's validation")?;
            let validated = ValidatedFile {
                by: map.required(cx, "by", Decoder::text),
                on: map.required(cx, "on", Decoder::date),
                device: map.required(cx, "device", Decoder::text),
                evidence: map.optional(cx, "evidence", Decoder::text),
            };
            map.finish(cx);
            Some(validated)
        }),
    };
    map.finish(cx);
    Some(package)
}

fn features(cx: &mut Decoder, node: &Node) -> Option<FeaturesFile> {
    let mut map = cx.map(node, "`features`")?;
    let features = FeaturesFile {
        bitlocker: map.optional(cx, "bitlocker", Decoder::flag),
        laps: map.optional(cx, "laps", Decoder::flag),
        primary_user: map.optional(cx, "primary-user", Decoder::flag),
        group_restore: map.optional(cx, "group-restore", |cx, node| {
            if let Kind::Bool(_) = node.kind {
                return cx.flag(node).map(GroupRestore::Switch);
            }
            let mut map = cx.map(node, "`group-restore`")?;
            let exclude = map.optional(cx, "exclude", |cx, node| cx.list(node, waves::glob));
            map.finish(cx);
            Some(GroupRestore::Settings(GroupRestoreSettings { exclude: exclude.unwrap_or_default() }))
        }),
        configuration_profiles: map.optional(cx, "configuration-profiles", profiles),
        autopilot: map.optional(cx, "autopilot", |cx, node| {
            if let Kind::Bool(_) = node.kind {
                return cx.flag(node).map(Autopilot::Switch);
            }
            let mut map = cx.map(node, "`autopilot`")?;
            let group_tag = map.required(cx, "group_tag", Decoder::text);
            map.finish(cx);
            Some(Autopilot::Settings(AutopilotSettings { group_tag }))
        }),
        conditional_access_exclusions: map.optional(cx, "conditional-access-exclusions", |cx, node| match node.kind {
            Kind::Bool(false) => cx.flag(node).map(CaFeature::Off),
            Kind::Bool(true) => {
                cx.bad_value(node.span, "`true` isn't enough here", "true", "write `observe` or `manage`");
                None
            }
            _ => cx.word::<CaMode>(node).map(CaFeature::Mode),
        }),
        configmgr_removal: map.optional(cx, "configmgr-removal", Decoder::flag),
    };
    map.finish(cx);
    Some(features)
}

fn profiles(cx: &mut Decoder, node: &Node) -> Option<Profiles> {
    match node.kind {
        Kind::Bool(false) => return cx.flag(node).map(Profiles::Off),
        Kind::Bool(true) => {
            let help = "name them: `{profiles: [Wi-Fi], group: MIG-Devices}`";
            cx.bad_value(node.span, "`true` doesn't say which profiles go to which group", "true", help);
            return None;
        }
        _ => {}
    }
    let mut map = cx.map(node, "`configuration-profiles`")?;
    let settings = ProfilesSettings {
        profiles: map.required(cx, "profiles", |cx, node| cx.list(node, Decoder::text)).unwrap_or_default(),
        group: map.required(cx, "group", Decoder::text),
    };
    map.finish(cx);
    Some(Profiles::Settings(settings))
}

fn devices(cx: &mut Decoder, node: &Node) -> Option<DevicesFile> {
    let Kind::Map(entries) = &node.kind else {
        return waves::selector(cx, node).map(DevicesFile::Selector);
    };
    if !entries.iter().any(|entry| entry.key == "inventory") {
        return waves::selector(cx, node).map(DevicesFile::Selector);
    }
    let mut map = cx.map(node, "the devices of a plan with an inventory")?;
    let inventory = map.required(cx, "inventory", Decoder::text);
    map.finish(cx);
    Some(DevicesFile::Inventory(InventoryFile { inventory: inventory? }))
}

fn users(cx: &mut Decoder, node: &Node) -> Option<UsersFile> {
    let mut map = cx.map(node, "`users`")?;
    let by = map.optional(cx, "match", Decoder::word);
    let mapping = map.optional(cx, "mapping", Decoder::text);
    one_of(cx, node, map, &["match", "mapping"])?;
    by.map(UsersFile::Match).or(mapping.map(UsersFile::Mapping))
}

fn policy(cx: &mut Decoder, node: &Node) -> Option<PolicyFile> {
    let mut map = cx.map(node, "`policy`")?;
    let policy = PolicyFile {
        approvals: map.optional(cx, "approvals", |cx, node| {
            let mut map = cx.map(node, "`approvals`")?;
            let approvals = ApprovalsFile {
                required: map.required(cx, "required", |cx, node| cx.number(node, 0, 100)),
                from: map.optional(cx, "from", |cx, node| cx.list(node, Decoder::word)).unwrap_or_default(),
            };
            map.finish(cx);
            Some(approvals)
        }),
        plan_max_age: map.optional(cx, "plan_max_age", Decoder::duration),
        keys: map.optional(cx, "keys", |cx, node| cx.list(node, key)).unwrap_or_default(),
        rules: map.optional(cx, "rules", |cx, node| cx.list(node, rule)).unwrap_or_default(),
    };
    map.finish(cx);
    Some(policy)
}

fn key(cx: &mut Decoder, node: &Node) -> Option<KeyFile> {
    let mut map = cx.map(node, "a key")?;
    let key = KeyFile {
        name: map.required(cx, "name", Decoder::text),
        role: map.required(cx, "role", Decoder::word),
        key: map.required(cx, "key", |cx, node| {
            cx.parsed(node, "a public key", "ed25519:11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=")
        }),
        until: map.optional(cx, "until", Decoder::date),
        revoked: map.optional(cx, "revoked", Decoder::flag),
    };
    map.finish(cx);
    Some(key)
}

fn rule(cx: &mut Decoder, node: &Node) -> Option<RuleFile> {
    let permission = |cx: &mut Decoder, node: &Node| {
        cx.parsed(node, "a permission of Microsoft Graph", "Policy.ReadWrite.ConditionalAccess")
    };
    let mut map = cx.map(node, "a rule")?;
    let rule = RuleFile {
        rule: map.required(cx, "rule", Decoder::word),
        effect: map.optional(cx, "effect", Decoder::word),
        limit: map.optional(cx, "limit", |cx, node| cx.number(node, 0, 1_000_000)),
        days: map.optional(cx, "days", |cx, node| cx.list(node, Decoder::word)).unwrap_or_default(),
        permissions: map.optional(cx, "permissions", |cx, node| cx.list(node, permission)).unwrap_or_default(),
    };
    map.finish(cx);
    Some(rule)
}
