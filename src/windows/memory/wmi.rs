//! WMI in memory: instances by class, and the queries that name a class and compare properties.

use std::sync::Arc;

use super::{Memory, State, bitlocker, lower};
use crate::windows::machine::{Cause, Cell, Row, Sys, SysError, Wmi};

/// WBEM_E_INVALID_QUERY.
const INVALID_QUERY: u32 = 0x8004_1017;
/// WBEM_E_METHOD_NOT_IMPLEMENTED.
const NO_METHOD: u32 = 0x8004_1055;

/// Reads `SELECT … FROM Class [WHERE a = 'b' [AND …]]`.
fn parse(query: &str) -> Option<(String, Vec<(String, String)>)> {
    let words: Vec<&str> = query.split_whitespace().collect();
    let from = words.iter().position(|word| word.eq_ignore_ascii_case("from"))?;
    let class = lower(words.get(from + 1)?);
    let rest = words.get(from + 2..).unwrap_or_default().join(" ");
    if rest.is_empty() {
        return Some((class, Vec::new()));
    }
    let conditions = rest.strip_prefix("WHERE ").or_else(|| rest.strip_prefix("where "))?;
    let pairs = conditions.split(" AND ").map(|pair| {
        let (name, value) = pair.split_once('=')?;
        let value = value.trim().trim_matches(['\'', '"']);
        Some((name.trim().to_owned(), value.replace("\\\\", "\\")))
    });
    Some((class, pairs.collect::<Option<Vec<_>>>()?))
}

fn matches(row: &Row, (name, wanted): &(String, String)) -> bool {
    row.iter().find(|(other, _)| other.eq_ignore_ascii_case(name)).is_some_and(|(_, cell)| match cell {
        Cell::Text(text) => text.eq_ignore_ascii_case(wanted),
        Cell::Number(number) => number.to_string() == *wanted,
        Cell::Bool(bool) => bool.to_string().eq_ignore_ascii_case(wanted),
        Cell::Null | Cell::Texts(_) => false,
    })
}

fn rows(state: &State, namespace: &str, class: &str) -> Option<Vec<Row>> {
    if let Some(rows) = bitlocker::rows(state, namespace, class) {
        return Some(rows);
    }
    state.instances.get(&(lower(namespace), class.to_owned())).cloned()
}

impl Wmi for Memory {
    fn query(&self, namespace: &str, query: &str) -> Sys<Option<Vec<Row>>> {
        let state = self.read("IWbemServices::ExecQuery", &format!("{namespace} {query}"))?;
        let Some((class, conditions)) = parse(query) else {
            let text = "WBEM_E_INVALID_QUERY";
            return Err(SysError::new("IWbemServices::ExecQuery", query, Cause::Other, INVALID_QUERY, text));
        };
        let found = rows(&state, namespace, &class);
        Ok(found.map(|rows| rows.into_iter().filter(|row| conditions.iter().all(|c| matches(row, c))).collect()))
    }
    fn call(&self, namespace: &str, object: &str, method: &'static str, arguments: &Row) -> Sys<Row> {
        let mut state = self.write("IWbemServices::ExecMethod", &format!("{object} {method}"))?;
        if let Some(row) = bitlocker::call(&mut state, namespace, object, method, arguments) {
            return Ok(row);
        }
        // An object's path is `\\COMPUTER\namespace:Class.Key="…"`, or `Class=@` where there is only one; a class is named alone.
        let class = object.rsplit_once(':').map_or(object, |(_, tail)| tail);
        let class = lower(class.split(['.', '=']).next().unwrap_or_default());
        match state.on_method.get(&(lower(namespace), class, lower(method))).map(Arc::clone) {
            Some(does) => does(&mut state, object, arguments),
            None => {
                let (call, text) = ("IWbemServices::ExecMethod", "WBEM_E_METHOD_NOT_IMPLEMENTED");
                Err(SysError::new(call, format!("{object} {method}"), Cause::Other, NO_METHOD, text))
            }
        }
    }
}
