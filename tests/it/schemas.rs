//! The committed schemas are the code's, and every plan of the repository fits them and resolves.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use opsole::diag::{Severity, SourceId};
use opsole::lab::world::World;
use opsole::plan;
use opsole::render::diagnostics::{Style, text};
use serde_json::Value;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Catches a schema file that editors use and that the program has left behind.
/// `OPSOLE_UPDATE=1` writes the files anew.
#[test]
fn committed_schemas_are_the_codes() {
    let world = schemars::generate::SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<World>();
    for (name, schema) in [
        ("plan.schema.json", plan::schema()),
        ("plan-part.schema.json", plan::part_schema()),
        ("plan-output.schema.json", opsole::render::plan_schema::schema()),
        ("sealed.schema.json", opsole::sealed::schema()),
        ("world.schema.json", world.to_value()),
        ("report.schema.json", schemars::schema_for!(opsole::record::Report).to_value()),
        ("directory.schema.json", schemars::schema_for!(opsole::render::directory::DirectoryView).to_value()),
        ("agent-settings.schema.json", schemars::schema_for!(opsole::windows::install::AgentSettings).to_value()),
    ] {
        let path = root().join("schemas").join(name);
        let mut wanted = serde_json::to_string_pretty(&schema).expect("a schema is JSON");
        wanted.push('\n');
        if std::env::var_os("OPSOLE_UPDATE").is_some() {
            fs::create_dir_all(root().join("schemas")).expect("the folder can be made");
            fs::write(&path, &wanted).expect("the schema can be written");
        }
        let found = fs::read_to_string(&path).unwrap_or_default();
        assert!(found == wanted, "schemas/{name} is stale: run the tests with OPSOLE_UPDATE=1");
    }
}

/// Every plan of the repository, with its folder.
fn plans() -> Vec<PathBuf> {
    let mut all = Vec::new();
    for folder in ["plans", "examples"] {
        let Ok(entries) = fs::read_dir(root().join(folder)) else { continue };
        all.extend(entries.flatten().map(|entry| entry.path().join("plan.yaml")).filter(|path| path.exists()));
    }
    all.sort();
    all
}

fn yaml(path: &Path) -> Value {
    let text = fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    plan::from_yaml(&text, SourceId(0)).unwrap_or_else(|e| panic!("{}: {e:?}", path.display()))
}

fn fits(schema: &Value, path: &Path) {
    let validator = jsonschema::validator_for(schema).expect("the schema is one");
    let document = yaml(path);
    let wrong: Vec<String> = validator.iter_errors(&document).map(|e| format!("{}: {e}", e.instance_path())).collect();
    assert!(wrong.is_empty(), "{}: {wrong:#?}", path.display());
}

/// Catches plans, included files and worlds that an editor would mark as wrong.
#[test]
fn plans_fit_the_schema() {
    let plans = plans();
    assert!(plans.len() >= 4, "the plans are found: {plans:?}");
    for path in plans {
        let folder = path.parent().expect("a plan lies in a folder");
        fits(&plan::schema(), &path);
        for include in yaml(&path)["include"].as_array().into_iter().flatten() {
            fits(&plan::part_schema(), &folder.join(include.as_str().expect("a name")));
        }
        let world = folder.join("world.yaml");
        if world.exists() {
            let schema = schemars::generate::SchemaSettings::draft2020_12().into_generator();
            fits(&schema.into_root_schema_for::<World>().to_value(), &world);
        }
    }
}

/// Catches a plan of the repository that people copy and that doesn't work.
#[test]
fn plans_resolve_at_the_start_of_their_world() {
    for path in plans() {
        let folder = path.parent().expect("a plan lies in a folder").to_owned();
        let source = fs::read_to_string(&path).expect("the plan is there");
        let shown = path.strip_prefix(root()).expect("below the root").display().to_string();
        let parsed =
            plan::parse(&shown, &source, &mut |name| fs::read_to_string(folder.join(name)).map_err(|e| e.to_string()));
        let worlds: BTreeMap<&str, World> = parsed
            .lab_worlds()
            .into_iter()
            .map(|name| {
                let text = fs::read_to_string(folder.join(name)).unwrap_or_else(|e| panic!("{name}: {e}"));
                let world = plan::from_yaml(&text, SourceId(0)).unwrap_or_else(|e| panic!("{shown}: {name}: {e:?}"));
                (name, world)
            })
            .collect();
        assert_eq!(worlds.len(), 1, "{shown}: one world for a plan");
        let start: Timestamp = worlds.values().map(|world| world.starts).max().expect("a world");
        let (resolved, found) = plan::resolve(&parsed, start);
        let report = text(&found, &parsed.sources, Style { width: 100, colour: false, unicode: true });
        assert!(found.0.iter().all(|found| found.severity != Severity::Error), "{report}");
        assert!(found.0.is_empty(), "a plan that people copy has no warnings either:\n{report}");
        assert!(resolved.is_some(), "{shown}");
        let again = plan::resolve(&parsed, start).0;
        assert_eq!(resolved, again, "{shown}: the same plan twice");
    }
}

/// Forbids members that a schema doesn't name.
fn strict(schema: &mut Value) {
    match schema {
        Value::Object(members) => {
            if members.contains_key("properties") && !members.contains_key("additionalProperties") {
                members.insert("additionalProperties".to_owned(), false.into());
            }
            members.values_mut().for_each(strict);
        }
        Value::Array(items) => items.iter_mut().for_each(strict),
        _ => {}
    }
}

/// Catches an answer that has a member which the schema doesn't tell of, or lacks one: somebody's policy would read
/// what isn't there.
#[test]
fn answers_fit_their_schemas() {
    let mut validators = BTreeMap::new();
    for (name, mut schema) in [("plan", opsole::render::plan_schema::schema()), ("sealed", opsole::sealed::schema())] {
        strict(&mut schema);
        validators.insert(name, jsonschema::validator_for(&schema).expect("the schema is one"));
    }
    let held = |name: &str, what: &str, document: &Value| {
        let wrong: Vec<String> =
            validators[name].iter_errors(document).map(|e| format!("{}: {e}", e.instance_path())).collect();
        assert!(wrong.is_empty(), "{what}: {wrong:#?}");
    };
    for example in ["ad-to-entra", "hybrid-to-entra", "tenant-to-tenant"] {
        let env = crate::support::TestEnv::example(example);
        let plan = env.opsole("plan --output json").expect(0).json();
        held("plan", example, &plan);
        let device = plan["devices"][0]["name"].as_str().expect("a name").to_owned();
        held("plan", &device, &env.opsole(&format!("plan --output json --device {device}")).expect(0).json());
        drop(env.opsole("plan --wave pilot --out pilot.opsole").expect(0));
        held("sealed", example, &env.opsole("show pilot.opsole --output json").expect(0).json());
    }
    // A world with devices that are blocked, excluded, waiting and in no wave.
    let env = crate::support::TestEnv::empty();
    drop(env.opsole("lab generate --devices 200 --seed 3 --scenario hybrid-to-entra .").expect(0));
    held("plan", "generated", &env.opsole("plan --output json").expect(0).json());
}
