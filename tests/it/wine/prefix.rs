//! A Wine of its own for one test: a copy of the prefix that `ci/windows/setup` made, and opsole.exe in it.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use opsole::windows::machine::{Key, Root, Value};

use crate::support::Ran;

/// Where Debian has Wine.
const WINE: &str = "/usr/lib/wine/wine64";
const SERVER: &str = "/usr/lib/wine/wineserver";

/// One emulated Windows, from the moment it boots to the moment it is dropped.
pub struct Prefix {
    folder: tempfile::TempDir,
}

/// Returns opsole.exe, or why there is no test under Wine here.
pub fn program() -> Result<PathBuf, String> {
    let exe = std::env::var_os("OPSOLE_EXE").ok_or("OPSOLE_EXE names no program; `ci/windows/test` builds one")?;
    if !Path::new(WINE).exists() || !base().join(".done").exists() {
        return Err("there is no Wine; `ci/windows/setup` makes one".to_owned());
    }
    Ok(exe.into())
}

/// Returns the package that installs it, or why there is none.
pub fn package() -> Result<PathBuf, String> {
    let msi = std::env::var_os("OPSOLE_MSI").ok_or("OPSOLE_MSI names no package; `ci/windows/package` makes one")?;
    Ok(msi.into())
}

fn base() -> PathBuf {
    let cache =
        std::env::var_os("OPSOLE_WINDOWS_CACHE").map_or_else(|| "/var/cache/opsole-windows".into(), PathBuf::from);
    cache.join("prefix")
}

impl Prefix {
    /// Copies the prefix, puts the program into it and boots.
    pub fn boot(exe: &Path) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let copied = Command::new("cp").args(["-a", "--reflink=auto"]).arg(base()).arg(folder.path()).status();
        assert!(copied.expect("cp runs").success(), "the prefix can't be copied");
        let prefix = Self { folder };
        prefix.copy(exe, r"C:\opsole.exe");
        prefix.start();
        prefix
    }
    /// The file behind a path of the emulated Windows.
    pub fn disk(&self, path: &str) -> PathBuf {
        let below = path.strip_prefix("C:\\").expect("a path on drive C").replace('\\', "/");
        self.folder.path().join("prefix/drive_c").join(below)
    }
    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command
            // Not where a plan lies: a device has none.
            .current_dir(self.disk("C:\\"))
            .env_remove("DISPLAY")
            .env("WINEPREFIX", self.folder.path().join("prefix"))
            .env("WINEDEBUG", "-all")
            .env("WINEDLLOVERRIDES", "winedbg.exe=d;mscoree=d;mshtml=d")
            .stdin(Stdio::null());
        command
    }
    /// Switches the machine on. Services that start by themselves do.
    pub fn start(&self) {
        let status = self.command(SERVER).arg("-p").stderr(Stdio::null()).status();
        assert!(status.expect("wineserver runs").success(), "Wine's server doesn't start");
        let booted = self.command(WINE).arg("wineboot").stdout(Stdio::null()).stderr(Stdio::null()).status();
        assert!(booted.expect("wineboot runs").success(), "the machine doesn't boot");
    }
    /// Takes the power away: every process ends at once, volatile keys are gone.
    pub fn cut_power(&self) {
        // Exit code 1: nothing ran.
        drop(self.command(SERVER).arg("-k").status());
        drop(self.command(SERVER).arg("-w").status());
    }
    /// Runs opsole.exe to its end.
    pub fn opsole(&self, args: &[&str]) -> Ran {
        self.run(&[&["C:\\opsole.exe"], args].concat())
    }
    /// Runs any program to its end.
    pub fn run(&self, line: &[&str]) -> Ran {
        let output = self.command(WINE).args(line).output().expect("Wine runs");
        Ran {
            code: output.status.code(),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
    /// Puts a file of this machine onto the emulated Windows.
    pub fn copy(&self, file: &Path, path: &str) {
        std::fs::copy(file, self.disk(path)).expect("a copy");
    }
    /// Kills the agent's process; says whether there was one.
    pub fn kill_agent(&self) -> bool {
        let own = format!("WINEPREFIX={}", self.folder.path().join("prefix").display());
        let mut killed = false;
        for entry in std::fs::read_dir("/proc").expect("processes").flatten() {
            let read = |name: &str| std::fs::read(entry.path().join(name)).unwrap_or_default();
            let line = String::from_utf8_lossy(&read("cmdline")).replace('\0', " ");
            if !line.contains("opsole.exe") || !line.contains("agent run") {
                continue;
            }
            if read("environ").split(|byte| *byte == 0).any(|variable| variable == own.as_bytes()) {
                let pid = entry.file_name();
                killed |= Command::new("kill").arg("-9").arg(&pid).status().expect("kill runs").success();
                while entry.path().exists() && !read("cmdline").is_empty() {
                    std::thread::sleep(std::time::Duration::from_millis(5));
                }
            }
        }
        killed
    }
    /// Starts the agent's service again, as Windows does after a service died.
    pub fn start_agent(&self) {
        let mut last = None;
        for _ in 0..20 {
            let ran = self.run(&["sc", "start", "Opsole"]);
            if ran.code == Some(0) {
                return;
            }
            // Wine notices only after a moment that a service died.
            last = Some(ran);
            std::thread::sleep(std::time::Duration::from_millis(200));
        }
        panic!("the service doesn't start: {last:?}");
    }
    /// Says whether anything of an installed agent is there.
    pub fn has_agent(&self) -> bool {
        let service = self.run(&["reg", "query", r"HKLM\SYSTEM\CurrentControlSet\Services\Opsole"]);
        service.code == Some(0) || self.disk(r"C:\ProgramData\Opsole").exists()
    }
    /// Writes a file of the emulated Windows.
    pub fn write(&self, path: &str, bytes: &[u8]) {
        let file = self.disk(path);
        std::fs::create_dir_all(file.parent().expect("a folder")).expect("folders");
        std::fs::write(file, bytes).expect("a file");
    }
    /// Sets values of the registry as Windows itself would have done.
    pub fn import(&self, values: &[(Key, Vec<(String, Value)>)]) {
        let mut text = "Windows Registry Editor Version 5.00\r\n".to_owned();
        for (key, values) in values {
            let root = match key.root {
                Root::Machine => "HKEY_LOCAL_MACHINE",
                Root::Users => "HKEY_USERS",
            };
            write!(text, "\r\n[{root}\\{}]\r\n", key.path).expect("text");
            for (name, value) in values {
                let (kind, bytes) = bytes(value);
                let hex: Vec<_> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
                let name = if name.is_empty() { "@".to_owned() } else { format!("\"{}\"", name.replace('\\', "\\\\")) };
                write!(text, "{name}=hex({kind:x}):{}\r\n", hex.join(",")).expect("text");
            }
        }
        let text: Vec<u8> = std::iter::once(0xfeff).chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect();
        self.write(r"C:\import.reg", &text);
        let ran = self.run(&["reg", "import", r"C:\import.reg"]);
        assert_eq!(ran.code, Some(0), "{ran:?}");
    }
    /// Returns a value of the registry in the words of `reg query`, and nothing where it isn't there.
    pub fn value(&self, key: &str, name: &str) -> Option<String> {
        let ran = self.run(&["reg", "query", key, "/v", name]);
        let line = ran.out.lines().find(|line| line.trim_start().starts_with(name))?.to_owned();
        Some(line.trim().split("    ").nth(2).unwrap_or_default().trim().to_owned())
    }
}

impl Drop for Prefix {
    fn drop(&mut self) {
        self.cut_power();
    }
}

fn bytes(value: &Value) -> (u32, Vec<u8>) {
    let wide = |text: &str| -> Vec<u8> { text.encode_utf16().chain([0]).flat_map(u16::to_le_bytes).collect() };
    match value {
        Value::Sz(text) => (1, wide(text)),
        Value::ExpandSz(text) => (2, wide(text)),
        Value::Binary(bytes) => (3, bytes.clone()),
        Value::Dword(number) => (4, number.to_le_bytes().to_vec()),
        Value::MultiSz(texts) => (7, texts.iter().flat_map(|text| wide(text)).chain([0, 0]).collect()),
        Value::Qword(number) => (11, number.to_le_bytes().to_vec()),
        Value::Other(kind, bytes) => (*kind, bytes.clone()),
    }
}
