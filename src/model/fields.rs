//! A value written out as members by name: what comparing is made from.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

/// Returns every member of a value by its path, such as `window.from`, as text. What is null or an empty list isn't there.
/// Members of a list that have an operation or a name are told by it.
#[must_use]
pub fn fields(value: &impl Serialize) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    put(&mut all, "", &serde_json::to_value(value).unwrap_or_default());
    all
}

fn put(all: &mut BTreeMap<String, String>, path: &str, value: &Value) {
    let below = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
    let text = match value {
        Value::Null => return,
        Value::Object(members) => {
            members.iter().for_each(|(key, value)| put(all, &below(key), value));
            return;
        }
        Value::Array(list) if list.iter().any(Value::is_object) => {
            for (at, value) in list.iter().enumerate() {
                let key = ["op", "name", "permission"].iter().find_map(|key| value.get(key)?.as_str());
                let key = key.map_or_else(|| (at + 1).to_string(), str::to_owned);
                let head = format!("{}.", below(&key));
                let taken = all.range(head.clone()..).next().is_some_and(|(own, _)| own.starts_with(&head));
                let key = if taken { format!("{key} ({})", at + 1) } else { key };
                put(all, &below(&key), value);
            }
            return;
        }
        Value::Array(list) if list.is_empty() => return,
        Value::Array(list) => {
            // Words that hold a comma would be taken for several.
            let words: Vec<&str> = list.iter().filter_map(Value::as_str).filter(|word| !word.contains(',')).collect();
            if words.len() == list.len() { words.join(", ") } else { value.to_string() }
        }
        Value::String(text) => text.clone(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
    };
    all.insert(path.to_owned(), text);
}
