//! The JSON schema of plan files, and the shapes of values whose text isn't their type's own.

use std::borrow::Cow;

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::file::{PlanFile, PlanPart};
use crate::diag::Spanned;

/// Returns the JSON schema of a plan file, for editors and CI.
#[must_use]
pub fn schema() -> serde_json::Value {
    of::<PlanFile>("opsole plan")
}

/// Returns the JSON schema of a file that a plan includes.
#[must_use]
pub fn part_schema() -> serde_json::Value {
    of::<PlanPart>("part of an opsole plan")
}

fn of<T: JsonSchema>(title: &str) -> serde_json::Value {
    let mut schema = SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<T>();
    schema.insert("title".to_owned(), title.into());
    let mut value = schema.to_value();
    without_null(&mut value);
    value
}

/// Removes `null` from what may be left out: a key without a value is a mistake, and the decoder says so.
fn without_null(value: &mut serde_json::Value) {
    let is_null = |value: &serde_json::Value| *value == "null" || value.get("type").is_some_and(|t| t == "null");
    match value {
        serde_json::Value::Array(items) => items.iter_mut().for_each(without_null),
        serde_json::Value::Object(members) => {
            members.values_mut().for_each(without_null);
            if let Some(serde_json::Value::Array(words)) = members.get_mut("enum") {
                words.retain(|word| !word.is_null());
            }
            for union in ["type", "anyOf"] {
                let Some(serde_json::Value::Array(options)) = members.get_mut(union) else { continue };
                options.retain(|option| !is_null(option));
                if options.len() > 1 {
                    continue;
                }
                match (options.pop(), union) {
                    (Some(only), "type") => {
                        members.insert(union.to_owned(), only);
                    }
                    (Some(serde_json::Value::Object(only)), _) => {
                        members.remove(union);
                        // The comment of the key says more than the comment of its type.
                        only.into_iter().for_each(|(key, value)| {
                            members.entry(key).or_insert(value);
                        });
                    }
                    _ => {}
                }
            }
        }
        _ => {}
    }
}

impl<T: JsonSchema> JsonSchema for Spanned<T> {
    fn inline_schema() -> bool {
        T::inline_schema()
    }
    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }
    fn schema_id() -> Cow<'static, str> {
        T::schema_id()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}

macro_rules! texts {
    ($($(#[$doc:meta])* $name:ident = $pattern:literal;)*) => {$(
        $(#[$doc])*
        pub struct $name;
        impl JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }
            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "string", "pattern": $pattern })
            }
        }
    )*};
}

texts! {
    /// A GUID.
    UuidText = "^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$";
    /// `90m`, `24h`, `7d`, `1d12h`.
    DurationText = "^([0-9]+[dhms])+$";
    /// `18:00-06:00`.
    HoursText = "^[0-2][0-9]:[0-5][0-9]-[0-2][0-9]:[0-5][0-9]$";
    /// `2026-12-01` or `2026-12-01T18:00`.
    MomentText = "^[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-2][0-9]:[0-5][0-9](:[0-5][0-9])?)?$";
}

/// Where a secret is. The word `lab` stands for the lab's own.
#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case")]
#[expect(dead_code, reason = "only its schema is used")]
pub enum SecretShape {
    /// The secret of the application in the lab's world.
    Lab,
    /// An environment variable.
    Env(String),
    /// A file.
    File(String),
    /// A program with its arguments. The first line of its output is the secret.
    Command(Vec<String>),
    /// An entry of the system's keyring, as `opsole secrets set` puts it there.
    Keyring(KeyringShape),
}

/// An entry of the system's keyring.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "only its schema is used")]
pub struct KeyringShape {
    /// What the secret is for, such as the program.
    service: String,
    /// Whose secret it is, such as the tenant.
    account: String,
}

/// A directory account.
#[derive(JsonSchema)]
#[schemars(untagged)]
#[expect(dead_code, reason = "only its schema is used")]
pub enum AccountShape {
    /// One that signs in with its password.
    Password(PasswordAccount),
    /// Whoever runs the program, by Kerberos.
    Kerberos(KerberosAccount),
}

/// An account that signs in with its password.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "only its schema is used")]
pub struct PasswordAccount {
    /// `DOMAIN\name`, a user principal name or a distinguished name.
    name: String,
    /// How it signs in: with its password where it is left out.
    sign_in: Option<PasswordWord>,
    /// Where its password is, never the password.
    password: SecretShape,
}

/// The word `password`.
#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case")]
#[expect(dead_code, reason = "only its schema is used")]
pub enum PasswordWord {
    /// With a password.
    Password,
}

/// An account that signs in by Kerberos, as whoever runs the program.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "only its schema is used")]
pub struct KerberosAccount {
    /// `DOMAIN\name`, a user principal name or a distinguished name. Whoever signs in has to be it.
    name: String,
    /// By Kerberos: the signed-in account on Windows, elsewhere the credential cache or the client keytab. No password.
    sign_in: KerberosWord,
}

/// The word `kerberos`.
#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case")]
#[expect(dead_code, reason = "only its schema is used")]
pub enum KerberosWord {
    /// By Kerberos.
    Kerberos,
}

/// A condition over devices. The word `all` is every device.
#[derive(JsonSchema)]
#[schemars(untagged)]
#[expect(dead_code, reason = "only its schema is used")]
pub enum SelectorShape {
    /// Every device.
    Everything(AllWord),
    /// A condition.
    Condition(ConditionShape),
}

/// The word `all`.
#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case")]
#[expect(dead_code, reason = "only its schema is used")]
pub enum AllWord {
    /// Every device.
    All,
}

/// One condition.
#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case")]
#[expect(dead_code, reason = "only its schema is used")]
pub enum ConditionShape {
    /// All of these hold.
    All(#[schemars(length(min = 1))] Vec<SelectorShape>),
    /// One of these holds.
    Any(#[schemars(length(min = 1))] Vec<SelectorShape>),
    /// This doesn't hold.
    Not(Box<SelectorShape>),
    /// Direct member of the group with this display name, in the origin tenant.
    Group(String),
    /// The computer name matches this glob, without case.
    Name(String),
    /// The site in the inventory, without case.
    Site(String),
    /// The computer object is below this organizational unit.
    Ou(String),
}
