//! Scheduled tasks that run a program once and leave what it says in a file.

use super::{Inner, Result};
use crate::model::Sid;
use crate::winformat::decode;

/// What stands at the end of a whole answer.
const DONE: &str = "opsole-done";

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

fn xml(principal: &str, command: &str, file: &str) -> String {
    let arguments = escape(&format!("/d /c ({command} & echo {DONE}) > \"{file}\""));
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-16\"?>\r\n\
         <Task version=\"1.2\" xmlns=\"http://schemas.microsoft.com/windows/2004/02/mit/task\">\
         <Principals><Principal id=\"Author\">{principal}</Principal></Principals>\
         <Settings><MultipleInstancesPolicy>IgnoreNew</MultipleInstancesPolicy>\
         <DisallowStartIfOnBatteries>false</DisallowStartIfOnBatteries>\
         <StopIfGoingOnBatteries>false</StopIfGoingOnBatteries>\
         <Hidden>true</Hidden><ExecutionTimeLimit>PT2M</ExecutionTimeLimit></Settings>\
         <Actions Context=\"Author\"><Exec><Command>%SystemRoot%\\System32\\cmd.exe</Command>\
         <Arguments>{arguments}</Arguments></Exec></Actions></Task>"
    )
}

/// Returns a task that runs as a person who is signed in, with limited rights and without a saved password.
pub(super) fn as_person(sid: &Sid, command: &str, file: &str) -> String {
    let principal =
        format!("<UserId>{sid}</UserId><LogonType>InteractiveToken</LogonType><RunLevel>LeastPrivilege</RunLevel>");
    xml(&principal, command, file)
}

/// Returns a task that runs as SYSTEM.
pub(super) fn as_system(command: &str, file: &str) -> String {
    xml("<UserId>S-1-5-18</UserId><RunLevel>HighestAvailable</RunLevel>", command, file)
}

impl Inner {
    /// Returns a whole answer without the mark at its end; none while it isn't whole.
    pub(super) fn task_answer(&self, file: &str, limit: u64) -> Result<Option<String>> {
        let text = self.machine.read(file, limit)?.map(|bytes| decode(&bytes)).unwrap_or_default();
        Ok(text.trim_end().strip_suffix(DONE).map(str::to_owned))
    }
}
