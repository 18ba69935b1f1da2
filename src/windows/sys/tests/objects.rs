//! What is spoken to over COM: scheduled tasks and WMI.

use std::thread;

use super::{cause, lacks, unique, windows};
use crate::windows::machine::{Cause, Cell, Row, Tasks, Wmi};

const XML: &str = r#"<?xml version="1.0" encoding="UTF-16"?>
<Task version="1.2" xmlns="http://schemas.microsoft.com/windows/2004/02/mit/task">
  <Triggers><BootTrigger><Enabled>true</Enabled></BootTrigger></Triggers>
  <Principals><Principal id="Author"><UserId>S-1-5-18</UserId><RunLevel>HighestAvailable</RunLevel></Principal></Principals>
  <Settings><Enabled>true</Enabled></Settings>
  <Actions Context="Author"><Exec><Command>C:\windows\system32\cmd.exe</Command><Arguments>/c exit</Arguments></Exec></Actions>
</Task>"#;

/// Catches a task whose folders aren't made, that can't be made twice, that isn't found again, or that stays.
#[test]
fn a_task_is_made_read_and_removed() {
    let windows = windows();
    let name = unique();
    let (folder, path) = (format!("\\{name}"), format!("\\{name}\\below\\task"));
    assert_eq!(windows.task(&path).expect("read"), None);
    assert!(!windows.enable_task(&path, true).expect("known"));
    assert_eq!(cause(windows.run_task(&path)), Cause::Other);
    windows.register_task(&path, XML).expect("made");
    windows.register_task(&path, XML).expect("made again");
    let task = windows.task(&path).expect("read").expect("there");
    // Wine keeps no more of the XML than its frame.
    assert!(task.xml.contains("<Task"), "{}", task.xml);
    for enabled in [false, true] {
        match windows.enable_task(&path, enabled) {
            Ok(there) => assert!(there),
            Err(error) => {
                assert_eq!(error.cause, Cause::NotThere, "{error}");
                lacks(error.call, "by hand on Windows: the join task is switched off and on");
            }
        }
    }
    match windows.tasks(&folder) {
        Ok(tasks) => assert_eq!(tasks.len(), 1),
        Err(error) => {
            assert_eq!(error.cause, Cause::NotThere, "{error}");
            lacks(error.call, "by hand on Windows: tasks of an enrolment are listed and removed");
        }
    }
    if let Err(error) = windows.run_task(&path) {
        assert_eq!(error.cause, Cause::NotThere, "{error}");
        lacks(error.call, "by hand on Windows: the task runs");
    }
    windows.remove_tasks(&path).expect("removed");
    windows.remove_tasks(&path).expect("removed again");
    assert_eq!(windows.task(&path).expect("read"), None);
    if let Err(error) = windows.remove_tasks(&folder) {
        assert_eq!(error.cause, Cause::NotThere, "{error}");
    }
    for bad in ["", "x", "\\"] {
        assert!(windows.register_task(bad, XML).is_err() && windows.remove_tasks(bad).is_err(), "{bad:?}");
    }
    assert!(windows.register_task(&path, "<Task").is_err(), "no XML");
}

/// Catches COM that works on the first thread only, or that is gone after the first call.
#[test]
fn com_works_on_every_thread_and_again() {
    let ask = || {
        for _ in 0..2 {
            let rows = windows().query("ROOT\\CIMV2", "SELECT * FROM Win32_ComputerSystem");
            assert_eq!(rows.expect("asked").expect("there").len(), 1);
            assert_eq!(windows().task("\\opsole-no-such-task").expect("read"), None);
        }
    };
    ask();
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(ask);
        }
    });
}

/// Catches rows without their values, kinds that are mixed up, and a namespace or class that isn't there as an error.
#[test]
fn wmi_answers() {
    let windows = windows();
    let rows = windows.query("ROOT\\CIMV2", "SELECT * FROM Win32_OperatingSystem").expect("asked").expect("there");
    let row = rows.first().expect("one row");
    assert!(row.get("Version").and_then(Cell::text).is_some_and(|version| version.contains('.')), "{row:?}");
    assert!(row.get("BuildNumber").and_then(Cell::text).is_some(), "{row:?}");
    assert!(row.get("OSLanguage").and_then(Cell::number).is_some_and(|number| number > 0), "{row:?}");
    assert!(row.get("Primary").and_then(Cell::bool).is_some(), "{row:?}");
    let system = windows.query("ROOT\\CIMV2", "SELECT Domain FROM Win32_ComputerSystem");
    let system = system.expect("asked").expect("there");
    assert!(system.first().and_then(|row| row.get("Domain")).and_then(Cell::text).is_some(), "{system:?}");
    let absent = windows.query("ROOT\\CIMV2\\Security\\MicrosoftTpm", "SELECT * FROM Win32_Tpm");
    assert_eq!(absent.expect("asked"), None, "no such namespace");
    let absent = windows.query("ROOT\\CIMV2", "SELECT * FROM Opsole_NoSuchClass");
    // Wine gives an empty list where Windows gives WBEM_E_INVALID_CLASS.
    assert!(absent.expect("asked").is_none_or(|rows| rows.is_empty()), "no such class");
    assert!(windows.query("ROOT\\CIMV2", "this is no query").is_err());
}

/// Catches a method whose answer doesn't come, and one of what isn't there that comes as success.
#[test]
fn methods_are_called() {
    let windows = windows();
    let mut arguments = Row::new();
    arguments.insert("hDefKey".to_owned(), Cell::Number(0x8000_0002));
    arguments.insert("sSubKeyName".to_owned(), Cell::Text(r"SOFTWARE\Microsoft\Windows NT\CurrentVersion".to_owned()));
    arguments.insert("sValueName".to_owned(), Cell::Text("CurrentVersion".to_owned()));
    match windows.call("ROOT\\DEFAULT", "StdRegProv", "GetStringValue", &arguments) {
        Ok(row) => {
            assert_eq!(row.get("ReturnValue").and_then(Cell::number), Some(0), "{row:?}");
            assert!(row.get("sValue").and_then(Cell::text).is_some(), "{row:?}");
        }
        Err(error) => {
            assert_eq!(error.cause, Cause::NotThere, "{error}");
            lacks("IWbemServices::ExecMethod", "by hand on Windows: a BitLocker key is made");
        }
    }
    assert!(windows.call("ROOT\\CIMV2", "Opsole_NoSuchClass", "Method", &Row::new()).is_err());
}
