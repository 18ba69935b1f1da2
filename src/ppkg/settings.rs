//! `customizations.xml`: what a package calls itself, and what it sets (domain.md B11; Microsoft's provisioning CSPs).
//!
//! Values are kept only where they are no secret and a person has to see them: names of users and groups, the computer
//! name, the authority. Of everything else only the path is kept. Definitions of types and entities are refused.

use std::collections::BTreeSet;

use roxmltree::{Document, Node, ParsingOptions};
use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

use super::{Broken, token};
use crate::state::{LocalUser, PackageFacts};

/// Elements, attributes and texts of the largest document that is read.
const MAX_NODES: u32 = 200_000;
/// Elements in elements.
const MAX_DEPTH: usize = 128;
/// Attributes of one element.
const MAX_ATTRIBUTES: usize = 1024;
/// Declarations of namespaces.
const MAX_NAMESPACES: usize = 500;
/// Characters of an element's name that are kept.
const MAX_NAME: usize = 64;
/// Characters of a value that is kept.
const MAX_VALUE: usize = 256;
/// Other settings that are kept; a package that joins has none.
const MAX_OTHER: usize = 200;
/// Local users that are kept.
const MAX_USERS: usize = 100;

/// What a package calls itself and sets.
#[derive(Default)]
pub(super) struct Settings {
    id: Option<String>,
    name: Option<String>,
    version: Option<String>,
    owner_type: Option<String>,
    rank: Option<String>,
    authority: Option<String>,
    pub(super) token: Option<SecretString>,
    users: Vec<LocalUser>,
    computer_name: Option<String>,
    other: BTreeSet<String>,
}

impl Settings {
    /// Tells what may be known, and lets the secrets go.
    pub(super) fn tell(self, facts: &mut PackageFacts) {
        if let Some(own) = &self.token {
            let claims = token::claims(own.expose_secret());
            facts.bulk_token = true;
            facts.tenant = claims.tenant;
            facts.account = claims.account;
            facts.expires = claims.expires;
        }
        facts.id = self.id;
        facts.name = self.name;
        facts.version = self.version;
        facts.owner_type = self.owner_type;
        facts.rank = self.rank;
        facts.authority = self.authority;
        facts.local_users = self.users;
        facts.computer_name = self.computer_name;
        facts.other_settings = self.other.into_iter().collect();
    }
}

/// Reads a `customizations.xml`.
pub(super) fn read(bytes: &[u8]) -> Result<Settings, Broken> {
    let text = decode(bytes)?;
    proportions(&text)?;
    let options = ParsingOptions { allow_dtd: false, nodes_limit: MAX_NODES, ..ParsingOptions::default() };
    // The parser's own words name what it found, which could be a piece of a secret.
    let document = Document::parse_with_options(&text, options).map_err(|e| {
        let at = e.pos();
        let why = match e {
            roxmltree::Error::DtdDetected => "it defines types or entities",
            roxmltree::Error::NodesLimitReached => "it is too large",
            _ => "it isn't well-formed XML",
        };
        Broken::new(format!("{}: {why}, at line {}, column {}", super::CUSTOMIZATIONS, at.row, at.col))
    })?;
    let root = document.root_element();
    if root.tag_name().name() != "WindowsCustomizations" {
        return Err(Broken::new(format!("{} isn't about a package", super::CUSTOMIZATIONS)));
    }
    let mut settings = Settings::default();
    for child in root.children().filter(Node::is_element) {
        match child.tag_name().name() {
            "PackageConfig" => config(child, &mut settings),
            "Settings" => {
                for customizations in child.children().filter(|node| node.tag_name().name() == "Customizations") {
                    walk(customizations, &mut Vec::new(), &mut settings)?;
                }
            }
            _ => {}
        }
    }
    Ok(settings)
}

/// Turns bytes into text: UTF-8, or UTF-16 with its mark or with a declaration that shows which it is.
fn decode(bytes: &[u8]) -> Result<Zeroizing<String>, Broken> {
    let wrong = |kind: &str| Broken::new(format!("{} isn't {kind}, as it begins", super::CUSTOMIZATIONS));
    let wide = |rest: &[u8], unit: fn([u8; 2]) -> u16| {
        if !rest.len().is_multiple_of(2) {
            return Err(wrong("UTF-16"));
        }
        let units: Zeroizing<Vec<u16>> =
            Zeroizing::new(rest.chunks_exact(2).map(|two| unit([two[0], two[1]])).collect());
        String::from_utf16(&units).map(Zeroizing::new).map_err(|_| wrong("UTF-16"))
    };
    match bytes {
        [0xff, 0xfe, rest @ ..] => wide(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => wide(rest, u16::from_be_bytes),
        [b'<', 0, ..] => wide(bytes, u16::from_le_bytes),
        [0, b'<', ..] => wide(bytes, u16::from_be_bytes),
        _ => {
            let rest = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
            let text = std::str::from_utf8(rest).map_err(|_| wrong("UTF-8"))?;
            let encoding = declared(text).map(str::to_ascii_lowercase);
            match encoding.as_deref() {
                None | Some("utf-8" | "us-ascii") => Ok(Zeroizing::new(text.to_owned())),
                Some(_) => {
                    Err(Broken::new(format!("{} declares another encoding than its own", super::CUSTOMIZATIONS)))
                }
            }
        }
    }
}

/// Returns the encoding that a declaration names.
fn declared(text: &str) -> Option<&str> {
    let declaration = text.strip_prefix("<?xml")?.split_once("?>")?.0;
    let value = declaration.split_once("encoding")?.1.trim_start().strip_prefix('=')?.trim_start();
    let quote = value.chars().next().filter(|sign| matches!(sign, '"' | '\''))?;
    value[1..].split_once(quote).map(|(name, _)| name)
}

/// Refuses what would cost a parser more than its length: attributes and namespaces are held against each other.
/// A value of an attribute can't hold `<`.
fn proportions(text: &str) -> Result<(), Broken> {
    let too_many = |what: &str| Broken::new(format!("{} has too many {what}", super::CUSTOMIZATIONS));
    if text.matches("xmlns").nth(MAX_NAMESPACES).is_some() {
        return Err(too_many("namespaces"));
    }
    if text.split('<').any(|element| element.matches('=').nth(MAX_ATTRIBUTES).is_some()) {
        return Err(too_many("attributes in one element"));
    }
    Ok(())
}

/// Returns the text of an element that may be shown: short, in one line.
fn shown(node: Node<'_, '_>) -> Option<String> {
    tidy(node.text()?)
}
fn tidy(text: &str) -> Option<String> {
    let text: String = text.trim().chars().take(MAX_VALUE).map(|c| if c.is_control() { '?' } else { c }).collect();
    (!text.is_empty()).then_some(text)
}
fn child<'a, 'i>(node: Node<'a, 'i>, name: &str) -> Option<Node<'a, 'i>> {
    node.children().find(|child| child.tag_name().name() == name)
}
fn has_text(node: Option<Node<'_, '_>>) -> bool {
    node.and_then(|node| node.text()).is_some_and(|text| !text.trim().is_empty())
}

fn config(node: Node<'_, '_>, settings: &mut Settings) {
    for child in node.children().filter(Node::is_element) {
        let value = shown(child);
        match child.tag_name().name() {
            "ID" => settings.id = value,
            "Name" => settings.name = value,
            "Version" => settings.version = value,
            "OwnerType" => settings.owner_type = value,
            "Rank" => settings.rank = value,
            _ => {}
        }
    }
}

/// Walks the settings. Conditions for single devices wrap the same settings once more, so that only the end of a
/// path says what one is.
fn walk<'a>(node: Node<'a, '_>, path: &mut Vec<&'a str>, settings: &mut Settings) -> Result<(), Broken> {
    if path.len() >= MAX_DEPTH {
        return Err(Broken::new(format!("{} has elements deeper than {MAX_DEPTH}", super::CUSTOMIZATIONS)));
    }
    for child in node.children().filter(Node::is_element) {
        let name = child.tag_name().name();
        path.push(name.char_indices().nth(MAX_NAME).map_or(name, |(end, _)| &name[..end]));
        setting(child, path, settings)?;
        path.pop();
    }
    Ok(())
}

fn setting<'a>(node: Node<'a, '_>, path: &mut Vec<&'a str>, settings: &mut Settings) -> Result<(), Broken> {
    match path.as_slice() {
        [.., "Accounts", "Azure", "BPRT"] => {
            // The last one that says something counts.
            if let Some(text) = node.text().map(str::trim).filter(|text| !text.is_empty()) {
                settings.token = Some(SecretString::from(text));
            }
        }
        [.., "Accounts", "Azure", "Authority"] => settings.authority = shown(node).or(settings.authority.take()),
        [.., "Accounts", "Users", "User"] if settings.users.len() < MAX_USERS => {
            let name = node.attributes().find(|own| matches!(own.name(), "UserName" | "Name"));
            let name = name.and_then(|own| tidy(own.value())).or_else(|| shown(child(node, "UserName")?));
            settings.users.push(LocalUser {
                name: name.unwrap_or_else(|| "(without a name)".to_owned()),
                group: child(node, "UserGroup").and_then(shown),
                clear_password: has_text(child(node, "Password")),
            });
        }
        [.., "DevDetail", "DNSComputerName"] | [.., "ComputerAccount", "ComputerName"] => {
            settings.computer_name = shown(node).or(settings.computer_name.take());
        }
        _ if node.children().any(|child| child.is_element()) => walk(node, path, settings)?,
        _ if settings.other.len() < MAX_OTHER => {
            settings.other.insert(path.join("/").chars().take(MAX_VALUE).collect());
        }
        _ => {}
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Digest;

    const ALL: &str = include_str!("../../tests/it/package_files/customizations.xml");

    fn facts(bytes: &[u8]) -> PackageFacts {
        let mut facts = PackageFacts::of(Digest::of(bytes), 0);
        read(bytes).expect("readable").tell(&mut facts);
        facts
    }
    fn refused(text: &str) -> String {
        read(text.as_bytes()).err().expect("broken").to_string()
    }

    /// Catches a setting that isn't seen: each would happen on every device.
    #[test]
    fn all_that_counts() {
        let found = facts(ALL.as_bytes());
        assert_eq!(found.name.as_deref(), Some("Everything"));
        assert_eq!(found.version.as_deref(), Some("1.2"));
        assert_eq!(found.owner_type.as_deref(), Some("ITAdmin"));
        assert_eq!(found.authority.as_deref(), Some("https://login.microsoftonline.com/common"));
        assert!(found.bulk_token);
        assert_eq!(found.computer_name.as_deref(), Some("PC-%SERIAL%"));
        let users: Vec<_> =
            found.local_users.iter().map(|u| (u.name.as_str(), u.group.as_deref(), u.clear_password)).collect();
        assert_eq!(users, [("helper", Some("Administrators"), true), ("guest", None, false)]);
        assert_eq!(
            found.other_settings,
            [
                "Common/Accounts/ComputerAccount/Password",
                "Common/Policies/Experience/AllowCortana",
                "Common/ProvisioningCommands/PrimaryContext/Command/CommandConfig/CommandLine",
                "Variant/Common/OOBE/Desktop/HideOobe",
            ]
        );
    }

    /// Catches a secret among what is kept of a package: tokens, passwords, values of settings.
    #[test]
    fn no_secret_is_kept() {
        let kept = serde_json::to_string(&facts(ALL.as_bytes())).expect("facts");
        for secret in ["0.AXQAopaque", "Clear-Pass-1", "Join-Pass-2", "setup.cmd"] {
            assert!(ALL.contains(secret) && !kept.contains(secret), "{secret} in {kept}");
        }
    }

    /// Catches a file of Windows that is called damaged because it isn't UTF-8.
    #[test]
    fn encodings() {
        let plain = facts(ALL.as_bytes());
        let wide = |mark: bool, unit: fn(u16) -> [u8; 2]| -> Vec<u8> {
            let units = mark
                .then_some(0xfeff)
                .into_iter()
                .chain(ALL.replace("utf-8", "utf-16").encode_utf16().collect::<Vec<_>>());
            units.flat_map(unit).collect()
        };
        let texts = [
            [b"\xef\xbb\xbf", ALL.as_bytes()].concat(),
            wide(true, u16::to_le_bytes),
            wide(true, u16::to_be_bytes),
            wide(false, u16::to_le_bytes),
            wide(false, u16::to_be_bytes),
        ];
        for text in texts {
            assert_eq!(PackageFacts { sha256: plain.sha256, ..facts(&text) }, plain);
        }
        assert!(refused("<?xml version='1.0' encoding='iso-8859-1'?><a/>").contains("another encoding"));
        assert!(read(b"\xff\xfe<\0a").is_err() && read(b"\xff\xfe<").is_err() && read(b"<\xff>").is_err());
    }

    /// Catches entities that are unfolded, a document that overflows the stack, and an error that quotes the document.
    #[test]
    fn hostile_documents() {
        let bomb =
            r#"<!DOCTYPE a [<!ENTITY b "cc"><!ENTITY d "&b;&b;">]><WindowsCustomizations>&d;</WindowsCustomizations>"#;
        assert!(refused(bomb).contains("defines types"), "{}", refused(bomb));
        let inside = |text: &str| {
            let head = "<WindowsCustomizations><Settings><Customizations>";
            format!("{head}{text}</Customizations></Settings></WindowsCustomizations>")
        };
        let deep = |times: usize| inside(&["<a>".repeat(times), "</a>".repeat(times)].concat());
        assert!(refused(&deep(100_000)).contains("deeper than 128"));
        assert!(read(deep(100).as_bytes()).is_ok());
        assert!(refused(&"<a>".repeat(1_000_000)).contains("large"));
        assert!(refused(&inside(&"<b/>".repeat(300_000))).contains("too large"));
        let wide = |what: &str, times: usize| -> String { (0..times).map(|n| format!(" {what}{n}='x'")).collect() };
        assert!(refused(&inside(&format!("<a{}/>", wide("b", 100_000)))).contains("attributes"));
        assert!(refused(&inside(&format!("<a{}/>", wide("xmlns:b", 1000)))).contains("namespaces"));
        assert!(read(inside(&format!("<a{}/>", wide("b", 500))).as_bytes()).is_ok());
        for text in
            ["", "<", "<a", "<a>Top-Secret</b>", "<a>&Top-Secret;</a>", "<a Top-Secret></a>", "Top-Secret", "<a/>"]
        {
            assert!(!refused(text).contains("Top-Secret"), "{}", refused(text));
        }
    }
}
