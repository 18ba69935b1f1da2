//! Reads one secret: bounded in time and size, from a file that nobody else may read.

use std::fs::{File, Metadata};
use std::io::Read as _;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use secrecy::SecretString;
use tokio::io::{AsyncRead, AsyncReadExt as _};
use zeroize::Zeroizing;

use super::keyring::Keyring;
use crate::model::Problem;
use crate::plan::SecretRef;

/// Longest file or output that a secret is read from, in bytes. Secrets are a line; certificates a few KiB.
const BYTES_MAX: usize = 64 * 1024;
/// How long a command may take: a vault that has to be asked over the network answers in seconds, and a command that
/// waits for somebody to type never does.
const COMMAND_TIME: Duration = Duration::from_secs(30);

/// Reads the secret that a reference names.
///
/// # Errors
/// `secret.*`, naming the place and never the secret.
pub async fn read(what: &str, reference: &SecretRef, folder: &Path) -> Result<SecretString, Problem> {
    match reference {
        SecretRef::Lab => Err(Problem::new("secret.lab", format!("{what}: only a tenant in the lab has one there"))),
        SecretRef::Env(name) => match std::env::var(name) {
            Ok(value) if !value.is_empty() => Ok(SecretString::from(value)),
            _ => Err(Problem::new("secret.env", format!("{what}: the environment variable {name} isn't set"))
                .next(format!("set {name} for this command"))),
        },
        SecretRef::File(path) => {
            let path = folder.join(path);
            first_line(what, &path.display().to_string(), &from_file(what, &path)?)
        }
        SecretRef::Command(words) => from_command(what, words, folder, COMMAND_TIME).await,
        SecretRef::Keyring { service, account } => Keyring::system()?.get(what, service, account),
    }
}

fn file_problem(what: &str, path: &Path, why: &str) -> Problem {
    Problem::new("secret.file", format!("{what}: can't read {}", path.display()))
        .detail(why)
        .next("put the secret there, readable by you alone, or name the right file in the plan")
}

/// Refuses what isn't a file: a pipe would keep the program waiting, and a folder holds nothing.
///
/// # Errors
/// `secret.file`.
pub fn is_file(what: &str, path: &Path) -> Result<Metadata, Problem> {
    // Links are followed: what counts is the file that is read.
    let about = std::fs::metadata(path).map_err(|e| file_problem(what, path, &e.to_string()))?;
    if !about.is_file() {
        return Err(file_problem(what, path, "it isn't a file"));
    }
    Ok(about)
}

/// Refuses a file that others than its owner may read. Where the system has no such rights (Windows), the folder's
/// access list is the owner's to see to.
///
/// # Errors
/// `secret.file`, `secret.rights`.
pub fn rights(what: &str, path: &Path) -> Result<(), Problem> {
    private(what, path, &is_file(what, path)?)
}

#[cfg(unix)]
fn private(what: &str, path: &Path, about: &Metadata) -> Result<(), Problem> {
    use std::os::unix::fs::PermissionsExt as _;
    if about.permissions().mode() & 0o077 == 0 {
        return Ok(());
    }
    let message = format!("{what}: others than its owner may read {}", path.display());
    Err(Problem::new("secret.rights", message).next(format!(
        "take their rights away (`chmod 600 {}`); where somebody may have read it, replace the secret",
        path.display()
    )))
}

#[cfg(not(unix))]
fn private(_: &str, _: &Path, _: &Metadata) -> Result<(), Problem> {
    Ok(())
}

fn from_file(what: &str, path: &Path) -> Result<Zeroizing<Vec<u8>>, Problem> {
    is_file(what, path)?;
    let failed = |e: std::io::Error| file_problem(what, path, &e.to_string());
    let file = File::open(path).map_err(failed)?;
    // Of the open file: the name may mean another one by now.
    let about = file.metadata().map_err(failed)?;
    private(what, path, &about)?;
    // All of it at once: a buffer that grows leaves copies behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(BYTES_MAX + 1));
    file.take(BYTES_MAX as u64 + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() > BYTES_MAX {
        return Err(file_problem(what, path, "it has more than 64 KiB, so it is no secret"));
    }
    Ok(bytes)
}

/// Runs a command and takes the first line of its output. What it says on standard error is dropped: it may hold
/// the secret, and logs are kept.
async fn from_command(what: &str, words: &[String], folder: &Path, time: Duration) -> Result<SecretString, Problem> {
    let [program, args @ ..] = words else {
        return Err(Problem::new("secret.command", format!("{what}: the command is empty"))
            .next("name a program and its arguments in the plan"));
    };
    let failed = |why: String| {
        Problem::new("secret.command", format!("{what}: `{program}` gave no secret"))
            .detail(why)
            .next("run the command by hand in the plan's folder and look at what it prints")
    };
    let mut child = tokio::process::Command::new(program)
        .args(args)
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .map_err(|e| failed(e.to_string()))?;
    let output = child.stdout.take().ok_or_else(|| failed("it has no output".to_owned()))?;
    let run = async {
        let bytes = bounded(output).await?;
        if bytes.len() > BYTES_MAX {
            return Ok((None, bytes));
        }
        Ok::<_, std::io::Error>((Some(child.wait().await?), bytes))
    };
    let ended = tokio::time::timeout(time, run).await;
    let (status, bytes) = match ended {
        Ok(ended) => ended.map_err(|e| failed(e.to_string()))?,
        Err(_) => {
            drop(child.kill().await);
            let why =
                format!("it didn't end within {} s, and was ended; it may have asked for something", time.as_secs());
            return Err(failed(why));
        }
    };
    match status {
        None => {
            drop(child.kill().await);
            Err(failed("it printed more than 64 KiB, so that is no secret".to_owned()))
        }
        Some(status) if !status.success() => Err(failed(status.to_string())),
        Some(_) => first_line(what, program, &bytes),
    }
}

async fn bounded(output: impl AsyncRead + Unpin) -> std::io::Result<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(BYTES_MAX + 1));
    output.take(BYTES_MAX as u64 + 1).read_to_end(&mut bytes).await?;
    Ok(bytes)
}

fn first_line(what: &str, place: &str, bytes: &[u8]) -> Result<SecretString, Problem> {
    let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let text = std::str::from_utf8(line).map_err(|_| {
        Problem::new("secret.empty", format!("{what}: the first line of {place} isn't text"))
            .next("the secret has to stand on the first line, as UTF-8")
    })?;
    // Windows PowerShell begins files with a mark that nobody sees.
    let secret = text.trim_start_matches('\u{feff}').trim();
    if secret.is_empty() {
        return Err(Problem::new("secret.empty", format!("{what}: {place} gave an empty first line"))
            .next("the secret has to stand on the first line"));
    }
    Ok(SecretString::from(secret))
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use secrecy::ExposeSecret as _;

    use super::*;

    async fn command(script: &str, millis: u64) -> Result<SecretString, Problem> {
        let words = ["sh", "-c", script].map(str::to_owned);
        from_command("secret", &words, Path::new("."), Duration::from_millis(millis)).await
    }

    /// Catches a command that holds the program up, fills its memory, or whose failure tells the secret.
    #[tokio::test]
    async fn commands_are_bounded_and_tell_nothing() {
        assert_eq!(command("echo one; echo two", 20_000).await.expect("a secret").expose_secret(), "one");
        for script in ["echo hunter2hunter2; echo hunter2hunter2 >&2; exit 3", "yes hunter2hunter2", "echo"] {
            let problem = command(script, 20_000).await.expect_err("no secret");
            assert!(problem.code.starts_with("secret.") && problem.next.is_some(), "{problem:?}");
            assert!(!format!("{problem:?}").contains("hunter2"), "{problem:?}");
        }
        let began = std::time::Instant::now();
        let problem = command("sleep 60", 50).await.expect_err("no secret");
        assert!(problem.detail.is_some_and(|why| why.contains("didn't end")));
        assert!(began.elapsed() < Duration::from_secs(20), "it was waited for");
    }

    /// Catches a secret that others may read also through a link, a pipe that is waited on, and a file without an end.
    #[tokio::test]
    async fn files_are_private_and_bounded() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("secret");
        let mode = |mode| std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).expect("rights");
        std::fs::write(&path, "\u{feff}hunter2hunter2\r\nmore\n").expect("a file");
        let read = |name: &str| {
            let reference = SecretRef::File(name.into());
            let folder = folder.path();
            async move { read("secret", &reference, folder).await }
        };
        for (bits, code) in [(0o644, "secret.rights"), (0o640, "secret.rights"), (0o604, "secret.rights")] {
            mode(bits);
            assert_eq!(from_file("secret", &path).expect_err("others may").code, code, "{bits:o}");
        }
        symlink(&path, folder.path().join("link")).expect("a link");
        assert_eq!(rights("secret", &folder.path().join("link")).expect_err("others may").code, "secret.rights");
        mode(0o400);
        assert_eq!(read("link").await.expect("a secret").expose_secret(), "hunter2hunter2");
        let others = from_file("secret", folder.path()).expect_err("a folder");
        assert_eq!(others.code, "secret.file");
        assert_eq!(from_file("secret", Path::new("/dev/zero")).expect_err("a device").code, "secret.file");
        mode(0o600);
        std::fs::write(&path, vec![b'x'; BYTES_MAX + 1]).expect("a file");
        assert_eq!(from_file("secret", &path).expect_err("too long").code, "secret.file");
        std::fs::write(&path, "\n\n").expect("a file");
        let empty = first_line("secret", "the file", &from_file("secret", &path).expect("bytes"));
        assert_eq!(empty.err().map(|problem| problem.code), Some("secret.empty".to_owned()));
    }
}
