//! Reads a plan: the file, what it includes, its inventory and its mapping. The texts come from the caller.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use secrecy::{ExposeSecret, SecretString};

use super::decode::Decoder;
use super::file::{CloudFile, DevicesFile, PlanFile, PlanPart, UsersFile};
use super::tables::{self, InventoryRow};
use super::words::quoted;
use super::{DirectorySpec, secret, sections, yaml};
use crate::diag::{Code, Diagnostic, Diagnostics, SourceId, Sources, Span, Spanned};

/// Bytes of all texts of one plan together.
pub const MAX_TOTAL_BYTES: usize = 32 * 1024 * 1024;

/// Included files of one plan.
const MAX_INCLUDES: usize = 64;

/// What reading a plan gave: what could be understood, and everything that couldn't.
#[derive(Debug)]
pub struct Parsed {
    /// The plan as it is written, with holes where it was wrong; `None` where it isn't even a mapping.
    pub file: Option<PlanFile>,
    /// All texts: the plan, its includes, the inventory, the mapping. Literal secrets are struck out.
    pub sources: Sources,
    /// Every mistake of the text.
    pub diagnostics: Diagnostics,
    pub(super) inventory: Vec<InventoryRow>,
    pub(super) mapping: BTreeMap<String, String>,
    /// Names of the sources relative to the plan's folder, in the same order.
    pub(super) names: Vec<String>,
    pub(super) secrets: Vec<SecretString>,
    /// An included file couldn't be read: names that it would define can't be told from unknown ones.
    pub(super) incomplete: bool,
    /// Keys of the main file, also those whose value is wrong.
    pub(super) keys: BTreeSet<String>,
}

impl Parsed {
    /// Returns the directory that the text names, whatever the day is: what is swept was moved when dates of the plan
    /// were still to come. None where it names none, or its section has a mistake.
    #[must_use]
    pub fn directory(&self) -> Option<DirectorySpec> {
        self.file.as_ref()?.directory.as_ref().and_then(super::build::directory)
    }
    /// Returns the world files that tenants of the plan name: their paths as written, relative to the plan.
    #[must_use]
    pub fn lab_worlds(&self) -> Vec<&str> {
        let tenants = self.file.iter().flat_map(|file| &file.tenants);
        let mut worlds: Vec<&str> = tenants
            .filter_map(|tenant| match &tenant.item.cloud {
                Some(CloudFile::Lab(world)) => Some(world.value.as_str()),
                _ => None,
            })
            .collect();
        worlds.sort_unstable();
        worlds.dedup();
        worlds
    }
}

struct Reader<'l> {
    cx: Decoder,
    sources: Sources,
    names: Vec<String>,
    folder: String,
    load: &'l mut dyn FnMut(&str) -> Result<String, String>,
    total: usize,
    incomplete: bool,
    keys: BTreeSet<String>,
}

/// Reads a plan. `name` is the path shown to people; `load` gives the text of a file by its path as written
/// in the plan, relative to the plan's folder, or says why it can't. It is called at most once a file, and
/// never with a path that leaves the folder.
pub fn parse(name: &str, text: &str, load: &mut dyn FnMut(&str) -> Result<String, String>) -> Parsed {
    let (folder, own) = name.rsplit_once(['/', '\\']).map_or(("", name), |(folder, _)| {
        let folder = &name[..=folder.len()];
        (folder, &name[folder.len()..])
    });
    let mut reader = Reader {
        cx: Decoder::default(),
        sources: Sources::default(),
        names: Vec::new(),
        folder: folder.to_owned(),
        load,
        total: 0,
        incomplete: false,
        keys: BTreeSet::new(),
    };
    let node = reader.yaml(own, Cow::Borrowed(text));
    if let Some(yaml::Kind::Map(entries)) = node.as_ref().map(|node| &node.kind) {
        reader.keys = entries.iter().map(|entry| entry.key.clone()).collect();
    }
    let mut file = node.and_then(|node| sections::plan(&mut reader.cx, &node));
    let mut inventory = Vec::new();
    let mut mapping = BTreeMap::new();
    if let Some(file) = &mut file {
        let mut stack = vec![own.to_owned()];
        let include = file.include.clone();
        reader.include_all(file, &include, &mut stack);
        if let Some(DevicesFile::Inventory(from)) = &file.devices
            && let Some(text) = reader.fetch(&from.inventory, Code::INVENTORY)
        {
            inventory = reader.table(&from.inventory.value, text, tables::inventory);
        }
        if let Some(UsersFile::Mapping(from)) = &file.users
            && let Some(text) = reader.fetch(from, Code::MAPPING)
        {
            mapping = reader.table(&from.value, text, tables::mapping);
        }
    }
    reader.finish(file, inventory, mapping)
}

impl Reader<'_> {
    fn add(&mut self, name: &str, text: String) -> SourceId {
        self.total = self.total.saturating_add(text.len());
        self.names.push(name.to_owned());
        self.sources.add(format!("{}{name}", self.folder), text)
    }

    /// Parses a text and keeps it as a source. Of a text that is too large only the beginning is kept.
    fn yaml(&mut self, name: &str, text: Cow<'_, str>) -> Option<yaml::Node> {
        let id = SourceId(u32::try_from(self.sources.0.len()).unwrap_or(u32::MAX));
        let node = yaml::parse(&text, id);
        match &node {
            Ok(node) => secret::find(node, &mut self.cx),
            Err(_) => secret::find_in_text(start_of(&text), id, &mut self.cx),
        }
        let kept = if text.len() > yaml::MAX_YAML_BYTES { start_of(&text).to_owned() } else { text.into_owned() };
        self.add(name, kept);
        node.map_err(|found| self.cx.report(found)).ok()
    }

    /// Reads included files and adds what they hold, in the order in which they are named.
    fn include_all(&mut self, file: &mut PlanFile, include: &[Spanned<String>], stack: &mut Vec<String>) {
        for from in include {
            let name = from.value.as_str();
            if stack.iter().any(|open| open == name) {
                let chain: Vec<String> = stack.iter().chain([&from.value]).map(|name| quoted(name)).collect();
                let message = format!("includes go in a circle: {}", chain.join(" → "));
                self.refuse(Code::INCLUDE, from.span, message, "closes the circle", "remove this include");
                continue;
            }
            if self.names.iter().any(|seen| seen == name) {
                let message = format!("{} is included twice", quoted(name));
                self.refuse(Code::INCLUDE, from.span, message, "again here", "remove this include");
                continue;
            }
            if self.names.len() > MAX_INCLUDES {
                let message = format!("the plan includes more than {MAX_INCLUDES} files");
                self.refuse(Code::LIMIT, from.span, message, "one too many", "put several waves into one file");
                return;
            }
            if name.contains('/') {
                let message = format!("{} is in another folder", quoted(name));
                self.refuse(Code::INCLUDE, from.span, message, "here", "included files lie beside the plan");
                continue;
            }
            let part = self
                .fetch(from, Code::INCLUDE)
                .and_then(|text| self.yaml(name, Cow::Owned(text)))
                .and_then(|node| sections::included(&mut self.cx, &node));
            let Some(part) = part else {
                self.incomplete = true;
                continue;
            };
            let include = part.include.clone();
            self.merge(file, part);
            stack.push(name.to_owned());
            self.include_all(file, &include, stack);
            stack.pop();
        }
    }

    fn merge(&mut self, file: &mut PlanFile, part: PlanPart) {
        for (role, owner) in part.owners {
            if let Some(before) = file.owners.get(&role) {
                let message = "an owner role is given twice".to_owned();
                let found = Diagnostic::error(Code::DUPLICATE_NAME, message)
                    .at(owner.role, "again here")
                    .at(before.role, "first here")
                    .help("keep one of them");
                self.cx.report(found);
            } else {
                file.owners.insert(role, owner);
            }
        }
        file.packages.extend(part.packages);
        file.waves.extend(part.waves);
        file.exclusions.extend(part.exclusions);
        file.attestations.extend(part.attestations);
    }

    /// Asks the caller for a file, if its path stays in the plan's folder.
    fn fetch(&mut self, from: &Spanned<String>, code: &'static Code) -> Option<String> {
        let path = from.value.as_str();
        let leaves = path.starts_with('/')
            || path.contains(['\\', ':', '\0'])
            || path.split('/').any(|part| matches!(part, "" | "." | ".."));
        if leaves {
            let message = format!("{} isn't a path inside the plan's folder", quoted(path));
            let help = "name a file beside the plan; `..`, absolute paths and `\\` aren't followed";
            self.refuse(code, from.span, message, "here", help);
            return None;
        }
        let text = match (self.load)(path) {
            Ok(text) => text,
            Err(why) => {
                let message = format!("{} can't be read: {why}", quoted(path));
                self.refuse(code, from.span, message, "named here", "check the name, and that the file may be read");
                return None;
            }
        };
        if self.total.saturating_add(text.len()) > MAX_TOTAL_BYTES {
            let message = format!("the plan's files have more than {MAX_TOTAL_BYTES} bytes together");
            self.refuse(Code::LIMIT, from.span, message, "passed with this file", "split the fleet into several plans");
            return None;
        }
        Some(text)
    }

    fn refuse(&mut self, code: &'static Code, span: Span, message: String, label: &str, help: &str) {
        self.cx.report(Diagnostic::error(code, message).at(span, label).help(help));
    }

    fn table<T>(&mut self, name: &str, text: String, read: fn(&str, SourceId, &mut dyn FnMut(Diagnostic)) -> T) -> T {
        let id = self.add(name, text);
        let cx = &mut self.cx;
        let text = self.sources.get(id).map_or("", |source| source.text.as_str());
        read(text, id, &mut |found| cx.report(found))
    }

    fn finish(
        mut self,
        file: Option<PlanFile>,
        inventory: Vec<InventoryRow>,
        mapping: BTreeMap<String, String>,
    ) -> Parsed {
        self.cx.secret_texts.sort_unstable();
        self.cx.secret_texts.dedup();
        let texts = &self.cx.secret_texts;
        secret::strike_out(&mut self.sources, &self.cx.secret_spans, texts);
        secret::strike_messages(&mut self.cx.diagnostics, texts.iter().map(String::as_str));
        let secrets = self.cx.secret_texts.into_iter().map(SecretString::from).collect();
        Parsed {
            file,
            sources: self.sources,
            diagnostics: self.cx.diagnostics,
            inventory,
            mapping,
            names: self.names,
            secrets,
            incomplete: self.incomplete,
            keys: self.keys,
        }
    }
}

/// Returns the beginning of a text: all of it, unless it is too large to be read.
fn start_of(text: &str) -> &str {
    if text.len() <= yaml::MAX_YAML_BYTES {
        return text;
    }
    let end = (0..=4096).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    &text[..end]
}

/// Strikes the literal secrets of a plan out of diagnostics about it.
pub(super) fn scrub(parsed: &Parsed, diagnostics: &mut Diagnostics) {
    secret::strike_messages(diagnostics, parsed.secrets.iter().map(ExposeSecret::expose_secret));
}
