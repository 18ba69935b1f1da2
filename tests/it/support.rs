//! A folder of its own with an example in it, and the program run there as a user would run it.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

/// How fast the lab's clock runs in tests: an hour passes in less than half a second.
pub const SPEED: &str = "9000";

/// A folder with a plan.
pub struct TestEnv {
    folder: tempfile::TempDir,
}

/// What a run of the program gave.
#[must_use = "look at the code or at the output"]
#[derive(Debug)]
pub struct Ran {
    /// Exit code; none where a signal ended it.
    pub code: Option<i32>,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl Ran {
    /// Asserts the exit code and gives the run on.
    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "\n--- out\n{}\n--- err\n{}", self.out, self.err);
        self
    }
    /// Parses the answer.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|e| panic!("{e}\n{}\n{}", self.out, self.err))
    }
}

impl TestEnv {
    /// Copies `examples/NAME`.
    pub fn example(name: &str) -> Self {
        Self::copy(&format!("examples/{name}"))
    }
    /// Copies the files of a folder of the project.
    pub fn copy(folder: &str) -> Self {
        let env = Self::empty();
        for entry in fs::read_dir(root().join(folder)).expect("a folder of the project") {
            let path = entry.expect("an entry").path();
            if path.is_file() {
                fs::copy(&path, env.path(path.file_name().expect("a name"))).expect("a copy");
            }
        }
        env
    }
    /// Runs the program on a terminal, where somebody types these lines. None where this machine has no `script`.
    #[cfg(unix)]
    #[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
    pub fn on_terminal(&self, args: &str, typed: &str) -> Option<Ran> {
        if Command::new("script").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_err() {
            eprintln!("skipped: `script` of util-linux isn't here, so there is no terminal to ask on");
            return None;
        }
        let line = format!("{} {args}", env!("CARGO_BIN_EXE_opsole"));
        let plain = self.command(["x"]);
        let mut command = Command::new("script");
        command.args(["-qec", &line, "/dev/null"]).current_dir(self.path(".")).env_clear().stdin(Stdio::piped());
        command.envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?)))).env("TERM", "xterm");
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("script");
        let mut input = child.stdin.take().expect("piped");
        std::io::Write::write_all(&mut input, typed.as_bytes()).expect("an answer");
        let output = child.wait_with_output().expect("an end");
        drop(input);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Some(Ran { code: output.status.code(), out: text(&output.stdout), err: text(&output.stderr) })
    }
    /// Returns an empty folder.
    pub fn empty() -> Self {
        Self { folder: tempfile::tempdir().expect("a folder") }
    }
    /// A path in the folder.
    pub fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.folder.path().join(name)
    }
    /// Reads a file.
    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).expect("a file")
    }
    /// Writes a file.
    pub fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).expect("a file");
    }
    /// Writes a file that only its owner can read.
    pub fn write_private(&self, name: &str, text: &str) {
        self.write(name, text);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            fs::set_permissions(self.path(name), fs::Permissions::from_mode(0o600)).expect("rights");
        }
    }
    /// Replaces text in a file; it has to be there.
    #[track_caller]
    pub fn edit(&self, name: &str, from: &str, to: &str) {
        let text = self.read(name);
        assert!(text.contains(from), "{name} doesn't hold {from:?}");
        self.write(name, &text.replacen(from, to, 1));
    }
    /// The program, with an environment that holds nothing else.
    pub fn command<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_opsole"));
        command
            .args(args)
            .current_dir(self.folder.path())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.folder.path())
            .env("COLUMNS", "100")
            .env("NO_COLOR", "1")
            .env("OPSOLE_LAB_SPEED", SPEED)
            .stdin(Stdio::null());
        command
    }
    /// Runs the program to its end.
    pub fn run<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Ran {
        let output = self.command(args).output().expect("the program starts");
        Ran {
            code: output.status.code(),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
    /// Runs a command line that is split at blanks.
    pub fn opsole(&self, line: &str) -> Ran {
        self.run(line.split_whitespace())
    }
    /// The world as it is now.
    pub fn world(&self) -> Value {
        self.opsole("lab show --output json").expect(0).json()
    }
}

/// The project's folder.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
