//! Writing a world file: one line an object, without what is the default anyway.

use std::fmt::Write as _;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::world::{World, WorldDevice, WorldGroup, WorldUser};

/// Returns an object without what its minimal form says by itself.
fn slim<T: Serialize + DeserializeOwned>(value: &Value, minimal: &Value) -> Value {
    let defaults = serde_json::from_value::<T>(minimal.clone()).ok().and_then(|own| serde_json::to_value(own).ok());
    strip(value, defaults.as_ref(), minimal)
}
fn strip(value: &Value, defaults: Option<&Value>, minimal: &Value) -> Value {
    let (Value::Object(map), Some(defaults)) = (value, defaults) else { return value.clone() };
    let kept = map.iter().filter(|(name, own)| minimal.get(name).is_some() || defaults.get(name) != Some(own));
    Value::Object(kept.map(|(name, own)| (name.clone(), own.clone())).collect())
}

impl World {
    /// Returns the world as YAML that parses to the same world.
    #[must_use]
    pub fn to_yaml(&self) -> String {
        // A world is plain data with text keys: it can always be a JSON value.
        let Ok(Value::Object(mut world)) = serde_json::to_value(self) else { return String::new() };
        let mut text = String::from("# A world of the lab. Lines are JSON, which is YAML too.\n");
        for name in ["lab", "name", "starts", "speed"] {
            if let Some(value) = world.remove(name) {
                line(&mut text, 0, name, &value);
            }
        }
        if let Some(Value::Object(tenants)) = world.remove("tenants") {
            text.push_str("tenants:\n");
            for (name, tenant) in &tenants {
                let _ = writeln!(text, "  {}:", Value::from(name.as_str()));
                write_tenant(&mut text, tenant);
            }
        }
        if let Some(directory) = world.remove("directory") {
            line(&mut text, 0, "directory", &directory);
        }
        let minimal = json!({"name": "", "serial": "", "join": "ad", "user": ""});
        let defaults = serde_json::from_value::<WorldDevice>(minimal.clone()).ok();
        let defaults = defaults.and_then(|own| serde_json::to_value(own).ok());
        list(&mut text, 0, "devices", world.get("devices"), |own| strip(own, defaults.as_ref(), &minimal));
        list(&mut text, 0, "faults", world.get("faults"), Value::clone);
        text
    }
}

fn line(text: &mut String, indent: usize, name: &str, value: &Value) {
    // Writing to a string can't fail.
    let _ = writeln!(text, "{:indent$}{name}: {value}", "");
}

fn list(text: &mut String, indent: usize, name: &str, value: Option<&Value>, slim: impl Fn(&Value) -> Value) {
    let values = value.and_then(Value::as_array).filter(|values| !values.is_empty());
    let Some(values) = values else { return };
    let _ = writeln!(text, "{:indent$}{name}:", "");
    for value in values {
        let _ = writeln!(text, "{:indent$}  - {}", "", slim(value));
    }
}

fn write_tenant(text: &mut String, tenant: &Value) {
    let empty = Map::new();
    let own = tenant.as_object().unwrap_or(&empty);
    let user = json!({"upn": ""});
    let defaults =
        serde_json::from_value::<WorldUser>(user.clone()).ok().and_then(|own| serde_json::to_value(own).ok());
    for (name, value) in own {
        match (name.as_str(), value) {
            (_, Value::Null) => {}
            ("users", value) => list(text, 4, name, Some(value), |own| strip(own, defaults.as_ref(), &user)),
            ("groups", value) => list(text, 4, name, Some(value), |own| slim::<WorldGroup>(own, &json!({"name": ""}))),
            (_, Value::Array(_)) => list(text, 4, name, Some(value), Value::clone),
            (_, value) => line(text, 4, name, value),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Catches a written world that comes back as another one: a default that is not the reader's.
    #[test]
    fn reads_back() {
        let mut world = World::parse("w", include_str!("../../examples/hybrid-to-entra/world.yaml")).expect("a world");
        world.devices[1].sign_in_secs = None;
        world.devices[2].intune = false;
        world.tenants.get_mut("contoso").expect("there").users[1].enabled = false;
        let text = world.to_yaml();
        assert_eq!(World::parse("again", &text).expect(&text), world);
    }
}
