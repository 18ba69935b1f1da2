//! Which filters the directory answers, and which only as advanced queries (filter-support.json,
//! msgraph.md 3: `ConsistencyLevel: eventual` together with `$count=true`).

use serde_json::Value;

use super::filter::{Compare, Filter, Text};

/// Whether an operator works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Support {
    /// Without more.
    Default,
    /// As an advanced query.
    Advanced,
    /// Never.
    No,
}

/// Per property: `eq` (and `in`), `startsWith`, `ge`/`le`, `eq null`; d default, a advanced, - never.
type Row = (&'static str, &'static str);

pub(super) const DEVICE: &[Row] = &[
    ("id", "d---"),
    ("accountEnabled", "d---"),
    ("approximateLastSignInDateTime", "d-da"),
    ("deviceId", "d---"),
    ("displayName", "dd-a"),
    ("isCompliant", "d---"),
    ("isManaged", "d---"),
    ("mdmAppId", "d--a"),
    ("onPremisesLastSyncDateTime", "d-d-"),
    ("onPremisesSyncEnabled", "d--a"),
    ("operatingSystem", "dd-a"),
    ("operatingSystemVersion", "dd-a"),
    ("physicalIds", "d---"),
    ("registrationDateTime", "a-a-"),
];

pub(super) const USER: &[Row] = &[
    ("id", "d---"),
    ("accountEnabled", "d---"),
    ("createdDateTime", "d-da"),
    ("displayName", "dd-a"),
    ("givenName", "dd-a"),
    ("jobTitle", "dd-a"),
    ("mail", "dd-a"),
    ("mailNickname", "dd-a"),
    ("mobilePhone", "aa-a"),
    ("officeLocation", "aa-a"),
    ("onPremisesImmutableId", "d---"),
    ("onPremisesSamAccountName", "aa--"),
    ("onPremisesSecurityIdentifier", "d--a"),
    ("onPremisesSyncEnabled", "d--a"),
    ("onPremisesUserPrincipalName", "dd--"),
    ("preferredLanguage", "aa-a"),
    ("proxyAddresses", "dd--"),
    ("surname", "dd-a"),
    ("usageLocation", "dd-a"),
    ("userPrincipalName", "dd--"),
    ("userType", "d--a"),
];

pub(super) const GROUP: &[Row] = &[
    ("id", "d---"),
    ("classification", "dd--"),
    ("createdDateTime", "a-a-"),
    ("description", "aa--"),
    ("displayName", "dd-a"),
    ("expirationDateTime", "a-a-"),
    ("groupTypes", "d---"),
    ("isAssignableToRole", "d---"),
    ("mail", "dd-a"),
    ("mailEnabled", "d---"),
    ("mailNickname", "dd-a"),
    ("membershipRule", "dd--"),
    ("onPremisesLastSyncDateTime", "d-d-"),
    ("onPremisesSamAccountName", "aa--"),
    ("onPremisesSecurityIdentifier", "d--a"),
    ("onPremisesSyncEnabled", "d--a"),
    ("proxyAddresses", "dd--"),
    ("renewedDateTime", "d-d-"),
    ("securityEnabled", "d---"),
];

fn cell(rows: &[Row], property: &str, column: usize) -> Support {
    let row = rows.iter().find(|(name, _)| *name == property);
    match row.and_then(|(_, cells)| cells.as_bytes().get(column)) {
        Some(b'd') => Support::Default,
        Some(b'a') => Support::Advanced,
        _ => Support::No,
    }
}

/// Returns what a filter needs, over all its terms.
pub(super) fn of(rows: &[Row], filter: &Filter) -> Support {
    let mut worst = Support::Default;
    filter.terms(&mut |term| {
        let property = term.property().unwrap_or_default();
        let own = match term {
            Filter::Compare(_, Compare::Eq, Value::Null) => cell(rows, property, 3),
            Filter::Compare(_, Compare::Eq, _) | Filter::In(..) | Filter::Any(..) => cell(rows, property, 0),
            Filter::Compare(_, Compare::Ge | Compare::Le | Compare::Gt | Compare::Lt, _) => cell(rows, property, 2),
            Filter::Text(Text::Starts, ..) | Filter::AnyStarts(..) => cell(rows, property, 1),
            // `ne`, `not` and `endsWith` are always advanced, where `eq` works at all.
            Filter::Compare(_, Compare::Ne, _) | Filter::Text(Text::Ends, ..) => match cell(rows, property, 0) {
                Support::No => Support::No,
                _ => Support::Advanced,
            },
            Filter::Not(_) => Support::Advanced,
            Filter::Text(Text::Contains, ..) => Support::No,
            Filter::And(..) | Filter::Or(..) => Support::Default,
        };
        worst = match (worst, own) {
            (Support::No, _) | (_, Support::No) => Support::No,
            (Support::Advanced, _) | (_, Support::Advanced) => Support::Advanced,
            _ => Support::Default,
        };
    });
    worst
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Catches filters that the lab answers and the directory refuses.
    #[test]
    fn needs() {
        let need = |filter: &str| of(DEVICE, &Filter::parse(filter).expect("a filter"));
        assert_eq!(need("deviceId eq 'x' and startswith(displayName,'a')"), Support::Default);
        assert_eq!(need("displayName ne 'x'"), Support::Advanced);
        assert_eq!(need("not(displayName eq 'x')"), Support::Advanced);
        assert_eq!(need("displayName eq null"), Support::Advanced);
        assert_eq!(need("contains(displayName,'x')"), Support::No);
        assert_eq!(need("trustType eq 'ServerAd'"), Support::No);
    }

    /// Catches a table that drifts from Microsoft's, where that is at hand.
    #[test]
    fn agrees_with_the_published_table() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/reference/graph/filter-support.json");
        let Ok(text) = std::fs::read_to_string(path) else {
            println!("skipped: the published table isn't here");
            return;
        };
        let published: Value = serde_json::from_str(&text).expect("JSON");
        for (name, rows) in [("device", DEVICE), ("user", USER), ("group", GROUP)] {
            for (property, cells) in rows {
                let table = &published["support"][name];
                let found = [(*property).to_owned(), format!("{property}/any(p:p)")];
                let Some(own) = found.iter().map(|key| &table[key]).find(|own| own.is_object()) else { continue };
                for (column, key) in ["eq", "startsWith", "ge", "null"].into_iter().enumerate() {
                    let expected = match own[key].as_str() {
                        Some("default") => 'd',
                        Some("advanced") => 'a',
                        _ => '-',
                    };
                    assert_eq!(cells.chars().nth(column), Some(expected), "{name}.{property} {key}");
                }
            }
        }
    }
}
