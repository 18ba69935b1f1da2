//! Programs: started without a window, read while they run, and ended at the limit with all that they started.

#![expect(unsafe_code, reason = "job objects, and the code page of consoles")]

use std::io::Read;
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};
use std::os::windows::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::Duration;
use std::{ptr, thread};

use windows_sys::Win32::Foundation::{ERROR_FILE_NOT_FOUND, ERROR_PATH_NOT_FOUND, WAIT_OBJECT_0, WAIT_TIMEOUT};
use windows_sys::Win32::Globalization::{CP_OEMCP, MultiByteToWideChar};
use windows_sys::Win32::System::JobObjects::{
    AssignProcessToJobObject, CreateJobObjectW, JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE,
    JOBOBJECT_EXTENDED_LIMIT_INFORMATION, JobObjectExtendedLimitInformation, SetInformationJobObject,
    TerminateJobObject,
};
use windows_sys::Win32::System::Threading::{CREATE_NO_WINDOW, WaitForSingleObject};

use super::{Windows, code};
use crate::windows::machine::{Cause, Host, Program, Programs, Ran, Sys, SysError};

/// How much of each output is kept; the rest is read and thrown away, so that the program doesn't stand still.
const OUTPUT_MAX: usize = 256 << 10;
/// How long outputs may stay open after the program's end: what it started may hold them.
const OUTPUT_WAIT: Duration = Duration::from_secs(5);
/// Exit code of what was ended at the limit.
const ENDED_BY_US: u32 = 1460;

impl Programs for Windows {
    fn run(&self, program: Program, arguments: &[&str], limit_secs: u32) -> Sys<Ran> {
        let root = self.folder("SystemRoot")?;
        // By its whole path: one of the same name elsewhere in PATH would run as SYSTEM.
        let path = PathBuf::from(format!("{root}\\{}", program.path()));
        run_at(&path, Path::new(&root), arguments, limit_secs)
    }
}

/// Runs the program of a path in a folder.
///
/// # Errors
/// As [`Programs::run`].
pub(super) fn run_at(path: &Path, folder: &Path, arguments: &[&str], limit_secs: u32) -> Sys<Ran> {
    const CALL: &str = "CreateProcessW";
    let object = path.display().to_string();
    let job = Job::new(&object)?;
    let mut command = Command::new(path);
    command.args(arguments).current_dir(folder).creation_flags(CREATE_NO_WINDOW);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|error| match error.raw_os_error().map(i32::cast_unsigned) {
        Some(got @ (ERROR_FILE_NOT_FOUND | ERROR_PATH_NOT_FOUND)) => {
            SysError { cause: Cause::NotThere, ..code::failed(CALL, &object, got) }
        }
        _ => code::io(CALL, &object, &error),
    })?;
    // Right after its start and not before it, which the standard library doesn't offer: what the program starts in
    // its first microseconds outlives the limit.
    if let Err(error) = job.take(&child, &object) {
        drop(child.kill());
        return Err(error);
    }
    let outputs = [Output::of(child.stdout.take()), Output::of(child.stderr.take())];
    wait(&child, &job, &object, limit_secs)?;
    let status = child.wait().map_err(|error| code::io("GetExitCodeProcess", &object, &error))?;
    // What it left running goes on: some of these programs hand their work to another and end.
    job.let_go();
    let [output, error] = outputs.map(Output::take);
    let exit = status.code().ok_or_else(|| code::unreadable("GetExitCodeProcess", &object, "it has no exit code"))?;
    Ok(Ran { code: exit.cast_unsigned(), output: decode(&output), error: decode(&error) })
}

fn wait(child: &Child, job: &Job, object: &str, limit_secs: u32) -> Sys<()> {
    const CALL: &str = "WaitForSingleObject";
    let millis = limit_secs.saturating_mul(1000).min(u32::MAX - 1);
    // SAFETY: the handle of the child is open as long as the child lives here.
    match unsafe { WaitForSingleObject(child.as_raw_handle(), millis) } {
        WAIT_OBJECT_0 => Ok(()),
        WAIT_TIMEOUT => {
            job.end();
            let why = format!("it ran longer than {limit_secs} s and was ended");
            Err(SysError::new(CALL, object, Cause::TimedOut, WAIT_TIMEOUT, why))
        }
        _ => {
            let error = code::last(CALL, object);
            job.end();
            Err(error)
        }
    }
}

/// A job object: what is in it ends when it is closed, also when this process is killed.
struct Job(OwnedHandle);

impl Job {
    fn new(object: &str) -> Sys<Self> {
        // SAFETY: neither rights nor a name are given; the handle that comes back is owned.
        let handle = unsafe { CreateJobObjectW(ptr::null(), ptr::null()) };
        if handle.is_null() {
            return Err(code::last("CreateJobObjectW", object));
        }
        // SAFETY: a new handle that nobody else has.
        let job = Self(unsafe { OwnedHandle::from_raw_handle(handle) });
        if job.limit(JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE) {
            Ok(job)
        } else {
            Err(code::last("SetInformationJobObject", object))
        }
    }
    fn limit(&self, flags: u32) -> bool {
        let mut limits = JOBOBJECT_EXTENDED_LIMIT_INFORMATION::default();
        limits.BasicLimitInformation.LimitFlags = flags;
        // SAFETY: the job is open, and the structure is that of the class and as long as is said.
        let done = unsafe {
            SetInformationJobObject(
                self.0.as_raw_handle(),
                JobObjectExtendedLimitInformation,
                ptr::from_ref(&limits).cast(),
                size_of_val(&limits) as u32,
            )
        };
        done != 0
    }
    fn take(&self, child: &Child, object: &str) -> Sys<()> {
        // SAFETY: both handles are open.
        let done = unsafe { AssignProcessToJobObject(self.0.as_raw_handle(), child.as_raw_handle()) };
        if done == 0 { Err(code::last("AssignProcessToJobObject", object)) } else { Ok(()) }
    }
    fn let_go(&self) {
        // Where this fails, what was left running ends now instead of later.
        let _ = self.limit(0);
    }
    fn end(&self) {
        // Where this fails, closing the job does the same.
        // SAFETY: the job is open.
        unsafe { TerminateJobObject(self.0.as_raw_handle(), ENDED_BY_US) };
    }
}

/// An output that a thread of its own reads.
struct Output {
    kept: Arc<Mutex<Vec<u8>>>,
    closed: mpsc::Receiver<()>,
}

impl Output {
    fn of(pipe: Option<impl Read + Send + 'static>) -> Self {
        let kept = Arc::new(Mutex::new(Vec::new()));
        let (tell, closed) = mpsc::channel();
        if let Some(mut pipe) = pipe {
            let kept = Arc::clone(&kept);
            thread::spawn(move || {
                let mut part = [0; 8192];
                while let Ok(read @ 1..) = pipe.read(&mut part) {
                    let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
                    let room = OUTPUT_MAX.saturating_sub(kept.len()).min(read);
                    kept.extend_from_slice(part.get(..room).unwrap_or_default());
                }
                // Nobody listens any more where it took too long.
                let _ = tell.send(());
            });
        }
        Self { kept, closed }
    }
    /// Returns what came until the output was closed, or until now where somebody holds it open.
    fn take(self) -> Vec<u8> {
        // Either way what is there is what is taken.
        let _ = self.closed.recv_timeout(OUTPUT_WAIT);
        std::mem::take(&mut self.kept.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Decodes what a program wrote: UTF-16 with a mark, UTF-8, else the code page of consoles.
fn decode(bytes: &[u8]) -> String {
    if let Some(rest) = bytes.strip_prefix(&[0xFF, 0xFE]) {
        let units: Vec<u16> = rest.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect();
        return String::from_utf16_lossy(&units);
    }
    let plain = bytes.strip_prefix(&[0xEF, 0xBB, 0xBF]).unwrap_or(bytes);
    match std::str::from_utf8(plain) {
        Ok(text) => text.to_owned(),
        // Cut at the limit in the middle of a character.
        Err(error) if error.error_len().is_none() && bytes.len() >= OUTPUT_MAX => {
            String::from_utf8_lossy(plain).into_owned()
        }
        Err(_) => from_console(plain),
    }
}

fn from_console(bytes: &[u8]) -> String {
    // At most one unit a byte, in every code page that consoles have.
    let mut units = vec![0_u16; bytes.len()];
    let length = i32::try_from(bytes.len()).unwrap_or(i32::MAX);
    // SAFETY: both buffers have the lengths that are said.
    let made = unsafe { MultiByteToWideChar(CP_OEMCP, 0, bytes.as_ptr(), length, units.as_mut_ptr(), length) };
    match usize::try_from(made) {
        Ok(made @ 1..) => String::from_utf16_lossy(units.get(..made).unwrap_or_default()),
        _ => String::from_utf8_lossy(bytes).into_owned(),
    }
}
