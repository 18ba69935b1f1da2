//! All of one machine, as plain maps. Names are compared without case and kept as they were given.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use zeroize::Zeroizing;

use super::bitlocker::Encryption;
use super::security::common_descriptor;
use super::{OnMethod, OnTask, ProgramTable, lower};
use crate::model::{ProbeOutcome, RecoveryPassword, Sid};
use crate::port::at_rest::KEY_BYTES;
use crate::windows::machine::{
    AadJoin, Adapter, Certificate, Key, LocalUser, LogEvent, Root, Row, ScheduledTask, Service, Session, Value, Volume,
};

/// A key of the registry.
#[derive(Debug, Clone)]
pub struct KeyNode {
    /// Path as it was given first.
    pub path: String,
    /// Values by name in lower case, each with its name.
    pub values: BTreeMap<String, (String, Value)>,
    /// Gone after a restart.
    pub volatile: bool,
    /// Its security descriptor.
    pub security: Vec<u8>,
}

/// What a path is.
#[derive(Debug, Clone)]
pub enum Content {
    /// A file.
    File(Vec<u8>),
    /// A file whose bytes nobody reads, of this length.
    Bulk(u64),
    /// A folder.
    Folder,
    /// A junction or link.
    Reparse,
}

/// A file or folder.
#[derive(Debug, Clone)]
pub struct FileNode {
    /// Path as it was given first.
    pub path: String,
    /// What it is.
    pub content: Content,
    /// Its security descriptor.
    pub security: Vec<u8>,
}

/// A local account with its password.
pub struct Account {
    /// What callers see.
    pub user: LocalUser,
    /// Its comment.
    pub comment: String,
    /// Its password, where one was set.
    pub password: Option<RecoveryPassword>,
}

/// All of one machine. Tests change it through [`super::Memory::with`]; callers of Windows can't.
pub struct State {
    /// Keys by root and path in lower case.
    pub keys: BTreeMap<(Root, String), KeyNode>,
    /// Files by path in lower case.
    pub files: BTreeMap<String, FileNode>,
    /// Space on each volume, by letter in lower case with a colon.
    pub volumes: BTreeMap<String, Volume>,
    /// Local accounts by name in lower case.
    pub accounts: BTreeMap<String, Account>,
    /// Local groups.
    pub groups: BTreeMap<Sid, BTreeSet<Sid>>,
    /// Who has which user right.
    pub rights: BTreeMap<String, Vec<Sid>>,
    /// Who is signed in.
    pub sessions: Vec<Session>,
    /// The machine's own SID.
    pub machine_sid: Sid,
    /// Services by name in lower case.
    pub services: BTreeMap<String, Service>,
    /// Tasks by path in lower case.
    pub tasks: BTreeMap<String, ScheduledTask>,
    /// What tasks do, by beginning of their path in lower case.
    pub on_task: Vec<(String, OnTask)>,
    /// Instances by namespace and class in lower case.
    pub instances: BTreeMap<(String, String), Vec<Row>>,
    /// Methods by namespace, class and name in lower case.
    pub on_method: BTreeMap<(String, String, String), OnMethod>,
    /// The system volume's encryption, where this Windows has it.
    pub encryption: Option<Encryption>,
    /// What programs do. One without a row isn't there.
    pub programs: ProgramTable,
    /// The domain; an unjoin takes it at once, the machine stays a member until the restart.
    pub domain: Option<String>,
    /// The join to Entra.
    pub entra: Option<AadJoin>,
    /// Certificates of the machine.
    pub certificates: Vec<Certificate>,
    /// The clock.
    pub now: Timestamp,
    /// The computer's name.
    pub name: String,
    /// The process is SYSTEM.
    pub is_system: bool,
    /// Version of Windows.
    pub version: (u32, u32, u32),
    /// On mains power.
    pub on_ac: bool,
    /// Adapters.
    pub adapters: Vec<Adapter>,
    /// Folders by name of their variable in lower case.
    pub folders: BTreeMap<String, String>,
    /// Events by log, newest first.
    pub events: Vec<(String, LogEvent)>,
    /// What becomes of a connection, where it isn't reached.
    pub network: BTreeMap<String, ProbeOutcome>,
    /// A restart was asked for.
    pub restarting: bool,
    /// Restarts so far.
    pub boots: u64,
    /// What bytes are protected with.
    pub(super) key: Zeroizing<[u8; KEY_BYTES]>,
    /// Number of the next account.
    pub(super) next_rid: u32,
}

impl State {
    /// Returns a bare machine.
    pub(super) fn new(now: Timestamp) -> Self {
        let mut key = Zeroizing::new([0; KEY_BYTES]);
        // Without random numbers every machine has the same key: tests then say so.
        let _ = getrandom::fill(key.as_mut());
        let sid = |text: &str| text.parse::<Sid>().unwrap_or_else(|_| unreachable!("{text} is a SID"));
        let mut state = Self {
            keys: BTreeMap::new(),
            files: BTreeMap::new(),
            volumes: [("c:".to_owned(), Volume { free_mib: 120_000, size_mib: 487_425 })].into(),
            accounts: BTreeMap::new(),
            groups: ["S-1-5-32-544", "S-1-5-32-545", "S-1-5-32-555"].map(|g| (sid(g), BTreeSet::new())).into(),
            rights: BTreeMap::new(),
            sessions: Vec::new(),
            machine_sid: sid("S-1-5-21-1111111111-2222222222-3333333333"),
            services: BTreeMap::new(),
            tasks: BTreeMap::new(),
            on_task: Vec::new(),
            instances: BTreeMap::new(),
            on_method: BTreeMap::new(),
            encryption: None,
            programs: BTreeMap::new(),
            domain: None,
            entra: None,
            certificates: Vec::new(),
            now,
            name: "DESKTOP-0001".to_owned(),
            is_system: true,
            version: (10, 0, 22_631),
            on_ac: true,
            adapters: Vec::new(),
            folders: BTreeMap::new(),
            events: Vec::new(),
            network: BTreeMap::new(),
            restarting: false,
            boots: 1,
            key,
            next_rid: 1001,
        };
        for (variable, path) in [
            ("SystemRoot", r"C:\Windows"),
            ("ProgramData", r"C:\ProgramData"),
            ("SystemDrive", "C:"),
            ("ProgramFiles", r"C:\Program Files"),
        ] {
            state.folders.insert(lower(variable), path.to_owned());
            state.put_folder(path);
        }
        for root in ["SOFTWARE", "SYSTEM"] {
            state.put_key(&Key::machine(root), false);
        }
        state
    }
    /// Makes a key with those above it.
    pub fn put_key(&mut self, key: &Key, volatile: bool) -> &mut KeyNode {
        let mut end = 0;
        while let Some(next) = key.path[end..].find('\\').map(|at| end + at) {
            self.node(key.root, &key.path[..next], false);
            end = next + 1;
        }
        self.node(key.root, &key.path, volatile)
    }
    fn node(&mut self, root: Root, path: &str, volatile: bool) -> &mut KeyNode {
        self.keys.entry((root, lower(path))).or_insert_with(|| KeyNode {
            path: path.to_owned(),
            values: BTreeMap::new(),
            volatile,
            security: common_descriptor(),
        })
    }
    /// Sets a value.
    pub fn put_value(&mut self, key: &Key, name: &str, value: Value) {
        let node = self.put_key(key, false);
        let kept = node.values.get(&lower(name)).map_or_else(|| name.to_owned(), |(kept, _)| kept.clone());
        node.values.insert(lower(name), (kept, value));
    }
    /// Removes a key with all below it.
    pub fn drop_key(&mut self, key: &Key) {
        let path = lower(&key.path);
        let below = format!("{path}\\");
        let gone = |(root, other): &(Root, String)| *root == key.root && (*other == path || other.starts_with(&below));
        self.keys.retain(|at, _| !gone(at));
    }
    /// Makes a folder with those above it.
    pub fn put_folder(&mut self, path: &str) {
        self.put_file_node(path, Content::Folder);
    }
    /// Makes a file with the folders above it.
    pub fn put_file(&mut self, path: &str, bytes: &[u8]) {
        self.put_file_node(path, Content::File(bytes.to_vec()));
    }
    /// Puts something at a path. A new node has the rights of its folder, as inheritance gives them.
    pub fn put_file_node(&mut self, path: &str, content: Content) {
        let parent = path.rsplit_once('\\').map(|(parent, _)| parent.to_owned());
        if let Some(parent) = &parent
            && !self.files.contains_key(&lower(parent))
        {
            self.put_folder(parent);
        }
        let inherited = parent.and_then(|parent| self.files.get(&lower(&parent))).map(|node| node.security.clone());
        let node = self.files.entry(lower(path)).or_insert_with(|| FileNode {
            path: path.to_owned(),
            content: Content::Folder,
            security: inherited.unwrap_or_else(common_descriptor),
        });
        node.content = content;
    }
    /// Removes a path with all below it.
    pub fn drop_file(&mut self, path: &str) {
        let path = lower(path);
        let below = format!("{path}\\");
        self.files.retain(|other, _| *other != path && !other.starts_with(&below));
    }
    /// Restarts.
    pub(super) fn reboot(&mut self) {
        self.restarting = false;
        self.boots += 1;
        self.sessions.clear();
        self.keys.retain(|_, node| !node.volatile);
        // Hives of people come with their sessions and go with them.
        self.keys.retain(|(root, path), _| *root != Root::Users || !path.starts_with("s-1-"));
        if let Some(encryption) = &mut self.encryption {
            encryption.restarted();
        }
    }
    /// Returns what lies on the machine, by name.
    pub(super) fn dump(&self) -> BTreeMap<String, String> {
        let mut all = BTreeMap::new();
        for ((root, path), node) in &self.keys {
            all.insert(format!("key {root:?} {path}"), format!("{} {:?}", node.volatile, node.security));
            for (name, value) in node.values.values() {
                all.insert(format!("value {root:?} {path} {}", lower(name)), format!("{value:?}"));
            }
        }
        for (path, node) in &self.files {
            let what = match &node.content {
                Content::File(bytes) => format!("file {}", String::from_utf8_lossy(bytes)),
                other => format!("{other:?}"),
            };
            all.insert(format!("file {path}"), format!("{what} {:?}", node.security));
        }
        for (name, account) in &self.accounts {
            // A new account has another number each time, which says nothing.
            all.insert(format!("account {name}"), format!("{} {}", account.user.enabled, account.comment));
        }
        for (group, members) in &self.groups {
            let name = |sid: &Sid| {
                let own = self.accounts.values().find(|account| account.user.sid == *sid);
                own.map_or_else(|| sid.to_string(), |account| account.user.name.clone())
            };
            all.insert(format!("group {group}"), format!("{:?}", members.iter().map(name).collect::<BTreeSet<_>>()));
        }
        for (name, service) in &self.services {
            all.insert(format!("service {name}"), format!("{service:?}"));
        }
        for (path, task) in &self.tasks {
            all.insert(format!("task {path}"), format!("{task:?}"));
        }
        for certificate in &self.certificates {
            all.insert(format!("certificate {}", certificate.thumbprint), certificate.subject.clone());
        }
        if let Some(encryption) = &self.encryption {
            all.insert("encryption".to_owned(), format!("{encryption:?}"));
        }
        all.insert("joins".to_owned(), format!("{:?} {:?}", self.domain, self.entra));
        all.insert("restarting".to_owned(), self.restarting.to_string());
        all
    }
}
