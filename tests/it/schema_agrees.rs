//! The schema and the decoder say the same about plans that are made from the schema and then broken.

use opsole::plan;
use serde_json::{Map, Value, json};

/// A schema with its definitions.
struct Source {
    defs: Value,
}

impl Source {
    /// Returns values that fit a schema: the first has every key, each other one takes one other branch.
    fn values(&self, schema: &Value, key: &str, depth: usize) -> Vec<Value> {
        if let Some(name) = schema["$ref"].as_str().and_then(|at| at.strip_prefix("#/$defs/")) {
            return self.values(&self.defs[name], key, depth);
        }
        if !schema["const"].is_null() {
            return vec![schema["const"].clone()];
        }
        if let Some(words) = schema["enum"].as_array() {
            return words.clone();
        }
        if let Some(branches) = schema["oneOf"].as_array().or(schema["anyOf"].as_array()) {
            // Selectors hold selectors: deep down only the first leaf is taken.
            let deep = depth > 8;
            let fits = |branch: &&Value| !deep || !branch.to_string().contains("SelectorShape");
            return branches.iter().filter(fits).flat_map(|branch| self.values(branch, key, depth + 1)).collect();
        }
        match schema["type"].as_str() {
            Some("object") => self.objects(schema, depth),
            Some("array") => {
                self.values(&schema["items"], key, depth + 1).into_iter().map(|item| json!([item])).collect()
            }
            Some("string") => vec![json!(text(schema, key))],
            Some("integer") => vec![json!(1)],
            Some("boolean") => vec![json!(true), json!(false)],
            other => panic!("a schema of another type: {other:?} {schema}"),
        }
    }

    fn objects(&self, schema: &Value, depth: usize) -> Vec<Value> {
        let Some(properties) = schema["properties"].as_object() else {
            return match &schema["additionalProperties"] {
                Value::Object(_) => self
                    .values(&schema["additionalProperties"], "", depth + 1)
                    .into_iter()
                    .map(|item| json!({ "x": item }))
                    .collect(),
                _ => vec![json!({})],
            };
        };
        let choices: Vec<(&String, Vec<Value>)> =
            properties.iter().map(|(key, schema)| (key, self.values(schema, key, depth + 1))).collect();
        let whole: Map<String, Value> = choices.iter().map(|(key, all)| ((*key).clone(), all[0].clone())).collect();
        let mut objects = vec![Value::Object(whole.clone())];
        for (key, all) in &choices {
            for other in &all[1..] {
                let mut object = whole.clone();
                object.insert((*key).clone(), other.clone());
                objects.push(Value::Object(object));
            }
        }
        objects
    }
}

/// Returns a text that is allowed for a key.
fn text(schema: &Value, key: &str) -> &'static str {
    if schema["format"] == "date" {
        return "2026-12-01";
    }
    let pattern = schema["pattern"].as_str().unwrap_or_default();
    match (key, pattern) {
        ("sha256", _) => "0000000000000000000000000000000000000000000000000000000000000000",
        ("id" | "client_id", p) if !p.is_empty() => "0f7c6f3e-5d0a-4f6e-9a57-1f0c2f5b8b11",
        ("soak" | "plan_max_age", _) => "7d",
        ("hours", _) => "18:00-06:00",
        ("from" | "to", _) => "2026-12-01T18:00",
        ("authority" | "graph", _) => "https://login.example.com",
        ("server" | "fallback", _) => "ldaps://dc1.example.com",
        ("zone", _) => "Europe/London",
        ("check", _) => "ppl.mode",
        ("ou", _) => "OU=A,DC=example",
        ("key", _) => "ed25519:11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=",
        ("permissions", _) => "Policy.ReadWrite.ConditionalAccess",
        (_, "") => "text",
        other => panic!("no example for {other:?}"),
    }
}

/// Returns the codes that the decoder finds in a document.
fn decoded(document: &Value, part: bool) -> Vec<&'static str> {
    // JSON is YAML.
    let own = document.to_string();
    let main = if part { r#"{"include": ["part"]}"#.to_owned() } else { own.clone() };
    let mut load = |name: &str| match name {
        "part" => Ok(own.clone()),
        _ => Err("none".to_owned()),
    };
    let parsed = plan::parse("plan.yaml", &main, &mut load);
    let inside = usize::from(part);
    // The files that the example names aren't there, and examples hold dates that can't be together.
    let aside = ["OPS0107", "OPS0215", "OPS0216", "OPS0205"];
    let found = parsed.diagnostics.0.iter().filter(|d| d.labels[0].span.source.0 as usize == inside);
    found.map(|d| d.code.id).filter(|id| !aside.contains(id)).collect()
}

/// Returns every document that differs from this one by one broken place.
fn broken(document: &Value) -> Vec<Value> {
    let mut all = Vec::new();
    let wrong =
        [Value::Null, json!(true), json!(7), json!("zzz"), json!([]), json!({}), json!({"zzz": 1}), json!(["zzz"])];
    let mut paths = vec![String::new()];
    while let Some(path) = paths.pop() {
        let here = document.pointer(&path).expect("a path of the document");
        let mut put = |value: Value| {
            let mut copy = document.clone();
            *copy.pointer_mut(&path).expect("a path of the document") = value;
            all.push(copy);
        };
        wrong.iter().cloned().for_each(&mut put);
        match here {
            Value::Object(members) => {
                let mut more = members.clone();
                more.insert("zzz".to_owned(), json!("zzz"));
                put(Value::Object(more));
                for key in members.keys() {
                    let mut less = members.clone();
                    less.remove(key);
                    put(Value::Object(less));
                    paths.push(format!("{path}/{key}"));
                }
            }
            Value::Array(items) => paths.extend((0..items.len()).map(|at| format!("{path}/{at}"))),
            _ => {}
        }
    }
    all
}

fn agree(schema: &Value, part: bool) {
    let validator = jsonschema::validator_for(schema).expect("the schema is one");
    let source = Source { defs: schema["$defs"].clone() };
    let documents = source.values(schema, "", 0);
    assert!(documents.len() > 30, "the schema has many branches: {}", documents.len());
    for document in &documents {
        assert!(validator.is_valid(document), "made from the schema: {document:#}");
        assert_eq!(decoded(document, part), Vec::<&str>::new(), "the decoder refuses {document:#}");
    }
    let structural = ["OPS0102", "OPS0103", "OPS0104"];
    for document in broken(&documents[0]) {
        let found = decoded(&document, part);
        if validator.is_valid(&document) {
            let strict = found.iter().any(|id| structural.contains(id));
            assert!(!strict, "only the decoder refuses the shape of {document:#}: {found:?}");
        } else {
            assert!(!found.is_empty(), "only the schema refuses {document:#}");
        }
    }
}

/// Catches a key, word or type that one of the two knows and the other doesn't.
#[test]
fn schema_and_decoder_agree() {
    agree(&plan::schema(), false);
    agree(&plan::part_schema(), true);
}
