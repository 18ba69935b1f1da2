//! WMI, over the crate `wmi`.

use wmi::{AuthLevel, IWbemClassWrapper, Variant, WMIConnection, WMIError};

use super::com::Com;
use super::{Windows, code};
use crate::windows::machine::{Cause, Cell, Row, Sys, SysError, Wmi};

/// WBEM_E_INVALID_NAMESPACE, WBEM_E_INVALID_CLASS and WBEM_E_NOT_FOUND: this Windows doesn't have it.
const ABSENT: [u32; 3] = [0x8004_100E, 0x8004_1010, 0x8004_1002];
/// The property that WMI itself gives every instance.
const PATH: &str = "__PATH";

impl Wmi for Windows {
    fn query(&self, namespace: &str, query: &str) -> Sys<Option<Vec<Row>>> {
        const CALL: &str = "IWbemServices::ExecQuery";
        // Dropped last, after everything of COM below.
        let _com = Com::new()?;
        let object = || format!("{namespace}: {query}");
        let Some(connection) = absent_is_none(CALL, object(), connect(namespace))? else { return Ok(None) };
        let Some(instances) = absent_is_none(CALL, object(), connection.exec_query(query))? else { return Ok(None) };
        let mut rows = Vec::new();
        for instance in instances {
            // The query returns at once: that the class isn't there comes with the first instance.
            let Some(instance) = absent_is_none(CALL, object(), instance)? else { return Ok(None) };
            rows.push(row(&instance).map_err(|error| failed(CALL, object(), &error))?);
        }
        Ok(Some(rows))
    }

    fn call(&self, namespace: &str, object: &str, method: &'static str, arguments: &Row) -> Sys<Row> {
        // Dropped last, after everything of COM below.
        let _com = Com::new()?;
        let call = || -> Result<Row, WMIError> {
            let connection = connect(namespace)?;
            let signature = connection.get_object(class_of(object))?.get_method(method)?;
            let input = match signature {
                Some(signature) => {
                    let input = signature.spawn_instance()?;
                    for (name, cell) in arguments {
                        // What isn't given stays as the class has it.
                        if let Some(value) = variant(cell) {
                            input.put_property(name, value)?;
                        }
                    }
                    Some(input)
                }
                None => None,
            };
            let output = connection.exec_method(object, method, input.as_ref())?;
            output.map_or_else(|| Ok(Row::new()), |output| row(&output))
        };
        // Arguments may be secrets: only the object is named.
        call().map_err(|error| failed(method, format!("{namespace}: {object}"), &error))
    }
}

fn connect(namespace: &str) -> Result<WMIConnection, WMIError> {
    let connection = WMIConnection::with_namespace_path(namespace)?;
    // BitLocker's namespace answers encrypted calls only.
    connection.set_proxy_blanket(AuthLevel::PktPrivacy)?;
    Ok(connection)
}

/// Returns the class of an instance's path: `\\HOST\ROOT\CIMV2:Win32_Volume.DeviceID="..."` and `Win32_Volume` are both
/// of `Win32_Volume`.
fn class_of(object: &str) -> &str {
    let rest =
        if object.starts_with("\\\\") { object.split_once(':').map_or(object, |(_, rest)| rest) } else { object };
    rest.split(['.', '=']).next().unwrap_or(rest)
}

fn row(instance: &IWbemClassWrapper) -> Result<Row, WMIError> {
    let mut row = Row::new();
    for name in instance.list_properties()? {
        let cell = match instance.get_property(&name) {
            Ok(value) => cell(value),
            Err(error @ WMIError::HResultError { .. }) => return Err(error),
            // A kind that the crate can't read: an object in an object. Nothing here asks for one.
            Err(_) => Cell::Null,
        };
        row.insert(name, cell);
    }
    // What comes out of a method, and rows without a key, have none.
    if let Ok(Variant::String(path)) = instance.get_property(PATH) {
        row.insert(PATH.to_owned(), Cell::Text(path));
    }
    Ok(row)
}

fn cell(value: Variant) -> Cell {
    match value {
        Variant::String(text) => Cell::Text(text),
        Variant::Bool(truth) => Cell::Bool(truth),
        Variant::I1(number) => Cell::Number(number.into()),
        Variant::I2(number) => Cell::Number(number.into()),
        Variant::I4(number) => Cell::Number(number.into()),
        Variant::I8(number) => Cell::Number(number),
        Variant::UI1(number) => Cell::Number(number.into()),
        Variant::UI2(number) => Cell::Number(number.into()),
        Variant::UI4(number) => Cell::Number(number.into()),
        // Sizes; none of them reaches 2^63.
        Variant::UI8(number) => i64::try_from(number).map_or(Cell::Null, Cell::Number),
        Variant::Array(items) => {
            let texts: Option<Vec<String>> = items
                .into_iter()
                .map(|item| if let Variant::String(text) = item { Some(text) } else { None })
                .collect();
            texts.map_or(Cell::Null, Cell::Texts)
        }
        _ => Cell::Null,
    }
}

/// Returns what a parameter is set to. WMI takes integers up to 32 bits as VT_I4, whatever their sign, and longer ones as
/// text ("Numbers", WMI SDK).
fn variant(cell: &Cell) -> Option<Variant> {
    Some(match cell {
        Cell::Null => return None,
        Cell::Bool(truth) => Variant::Bool(*truth),
        Cell::Number(number) => match (i32::try_from(*number), u32::try_from(*number)) {
            (Ok(small), _) => Variant::I4(small),
            (_, Ok(small)) => Variant::I4(small.cast_signed()),
            _ => Variant::String(number.to_string()),
        },
        Cell::Text(text) => Variant::String(text.clone()),
        Cell::Texts(texts) => Variant::Array(texts.iter().cloned().map(Variant::String).collect()),
    })
}

fn failed(call: &'static str, object: String, error: &WMIError) -> SysError {
    match error {
        WMIError::HResultError { hres } => code::failed(call, object, hres.cast_unsigned()),
        other => SysError::new(call, object, Cause::Unreadable, code::INVALID_DATA, other.to_string()),
    }
}

fn absent_is_none<T>(call: &'static str, object: String, outcome: Result<T, WMIError>) -> Sys<Option<T>> {
    match outcome {
        Ok(value) => Ok(Some(value)),
        Err(WMIError::HResultError { hres }) if ABSENT.contains(&hres.cast_unsigned()) => Ok(None),
        Err(error) => Err(failed(call, object, &error)),
    }
}
