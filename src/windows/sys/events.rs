//! Windows' logs, over wevtapi, which is looked up when it is needed.

#![expect(unsafe_code, reason = "calls of wevtapi")]

use std::ffi::c_void;

use jiff::Timestamp;
use roxmltree::{Document, Node};
use windows_sys::Win32::Foundation::{ERROR_INSUFFICIENT_BUFFER, ERROR_NO_MORE_ITEMS};
use windows_sys::Win32::System::EventLog::{
    EVT_HANDLE, EvtQueryChannelPath, EvtQueryReverseDirection, EvtRenderEventXml,
};
use windows_sys::core::{BOOL, PCWSTR};

use super::wide::{until_zero, wide};
use super::{code, library};
use crate::windows::machine::{LogEvent, Sys, SysError};

const CALL: &str = "EvtQuery";
/// How long one part of the answer may take, in ms.
const PART_MILLIS: u32 = 10_000;
/// How many numbers one query names: Windows refuses an expression of more than about twenty [K].
const IDS_MAX: usize = 20;

/// `EvtQuery` of winevt.h.
type EvtQuery = unsafe extern "system" fn(EVT_HANDLE, PCWSTR, PCWSTR, u32) -> EVT_HANDLE;
/// `EvtNext` of winevt.h.
type EvtNext = unsafe extern "system" fn(EVT_HANDLE, u32, *mut EVT_HANDLE, u32, u32, *mut u32) -> BOOL;
/// `EvtRender` of winevt.h.
type EvtRender = unsafe extern "system" fn(EVT_HANDLE, EVT_HANDLE, u32, u32, *mut c_void, *mut u32, *mut u32) -> BOOL;
/// `EvtClose` of winevt.h.
type EvtClose = unsafe extern "system" fn(EVT_HANDLE) -> BOOL;

/// Returns the newest events of a log with one of the numbers, newest first.
///
/// # Errors
/// Where the log can't be read.
pub(super) fn newest(log: &str, ids: &[u32], max: usize) -> Sys<Vec<LogEvent>> {
    let library = library::open("wevtapi.dll", CALL)?;
    // SAFETY: the types are those of winevt.h, and the library lives to the end of this function.
    let api = unsafe {
        Api {
            query: library.function(CALL, c"EvtQuery")?,
            next: library.function("EvtNext", c"EvtNext")?,
            render: library.function("EvtRender", c"EvtRender")?,
            close: library.function("EvtClose", c"EvtClose")?,
        }
    };
    let mut found = Vec::new();
    for part in ids.chunks(IDS_MAX) {
        api.part(log, part, max, &mut found)?;
    }
    found.sort_by_key(|event: &LogEvent| std::cmp::Reverse(event.at));
    found.truncate(max);
    Ok(found)
}

struct Api {
    query: EvtQuery,
    next: EvtNext,
    render: EvtRender,
    close: EvtClose,
}

impl Api {
    fn part(&self, log: &str, ids: &[u32], max: usize, found: &mut Vec<LogEvent>) -> Sys<()> {
        let wanted: Vec<String> = ids.iter().map(|id| format!("EventID={id}")).collect();
        let (name, query) = (wide(CALL, log)?, wide(CALL, &format!("*[System[({})]]", wanted.join(" or ")))?);
        // SAFETY: no session means this device, and both texts end with a zero.
        let results =
            unsafe { (self.query)(0, name.as_ptr(), query.as_ptr(), EvtQueryChannelPath | EvtQueryReverseDirection) };
        let results = self.own(results);
        if results.handle == 0 {
            return Err(match code::last_code() {
                // Wine gives no handle and no reason.
                code::OK => SysError::not_there(CALL, log),
                got => code::failed(CALL, log, got),
            });
        }
        let before = found.len();
        while found.len() - before < max {
            let (mut event, mut count) = (0, 0);
            // SAFETY: the results are open, and one handle has its place.
            if unsafe { (self.next)(results.handle, 1, &raw mut event, PART_MILLIS, 0, &raw mut count) } == 0 {
                match code::last_code() {
                    ERROR_NO_MORE_ITEMS => return Ok(()),
                    got => return Err(code::failed("EvtNext", log, got)),
                }
            }
            let event = self.own(event);
            let xml = self.xml(log, &event)?;
            found.push(parse(&xml).ok_or_else(|| code::unreadable("EvtRender", log, "an event isn't as documented"))?);
        }
        Ok(())
    }

    fn own(&self, handle: EVT_HANDLE) -> Handle {
        Handle { handle, close: self.close }
    }

    fn xml(&self, log: &str, event: &Handle) -> Sys<String> {
        const CALL: &str = "EvtRender";
        let mut buffer = vec![0_u16; 4096];
        for _ in 0..4 {
            let (mut used, mut properties) = (0, 0);
            // SAFETY: the event is open, and the buffer has the length in bytes that is said.
            let done = unsafe {
                (self.render)(
                    0,
                    event.handle,
                    EvtRenderEventXml,
                    (buffer.len() * 2) as u32,
                    buffer.as_mut_ptr().cast(),
                    &raw mut used,
                    &raw mut properties,
                )
            };
            if done != 0 {
                return Ok(until_zero(&buffer));
            }
            match code::last_code() {
                ERROR_INSUFFICIENT_BUFFER => buffer.resize((used as usize).div_ceil(2).max(buffer.len() * 2), 0),
                got => return Err(code::failed(CALL, log, got)),
            }
        }
        Err(code::failed(CALL, log, ERROR_INSUFFICIENT_BUFFER))
    }
}

/// A handle of wevtapi.
struct Handle {
    handle: EVT_HANDLE,
    close: EvtClose,
}

impl Drop for Handle {
    fn drop(&mut self) {
        if self.handle != 0 {
            // SAFETY: opened once, closed once here, while the library is still loaded.
            unsafe { (self.close)(self.handle) };
        }
    }
}

/// Reads an event ("Event Schema", winevt). Its data are the `Data` of `EventData`, or the leaves of `UserData`.
pub(super) fn parse(xml: &str) -> Option<LogEvent> {
    let document = Document::parse(xml).ok()?;
    let root = document.root_element();
    let system = child(root, "System")?;
    let id = child(system, "EventID")?.text()?.trim().parse().ok()?;
    let at: Timestamp = child(system, "TimeCreated")?.attribute("SystemTime")?.parse().ok()?;
    let text = |node: Node<'_, '_>| node.text().unwrap_or_default().to_owned();
    let data = match (child(root, "EventData"), child(root, "UserData")) {
        (Some(data), _) => data.children().filter(Node::is_element).map(text).collect(),
        (None, Some(data)) => {
            let leaves = data.descendants().filter(|node| node.is_element());
            leaves.filter(|node| !node.children().any(|child| child.is_element())).map(text).collect()
        }
        (None, None) => Vec::new(),
    };
    Some(LogEvent { at, id, data })
}

/// Returns the first element of this name right below a node, in whatever namespace.
fn child<'a, 'input>(node: Node<'a, 'input>, name: &str) -> Option<Node<'a, 'input>> {
    node.children().find(|child| child.is_element() && child.tag_name().name() == name)
}
