//! The change record of a run, as people and programs get it.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::support::TestEnv;

fn outcomes(devices: &Value) -> BTreeMap<String, Value> {
    let rows = devices.as_array().expect("devices").iter();
    rows.map(|row| (row["device"].as_str().expect("a name").to_owned(), row["outcome"].clone())).collect()
}

/// Catches a record that says otherwise than `status`, that doesn't fit its schema, or that lacks who, what, or when.
#[test]
fn the_record_of_a_sealed_run() {
    let env = TestEnv::example("hybrid-to-entra");
    let none = env.opsole("report last").expect(1);
    assert!(none.err.contains("cli.unknown-run"), "{}", none.err);
    drop(env.opsole("keys new k.key").expect(0));
    drop(env.opsole("plan --wave pilot --out p.opsole").expect(0));
    drop(env.opsole("approve p.opsole --as change-management --key k.key --ticket CHG-2001").expect(0));
    drop(env.opsole("apply p.opsole --yes").expect(0));
    let record = env.opsole("report last -o json").expect(0).json();
    let schema: Value = env.opsole("schema report").expect(0).json();
    let validator = jsonschema::validator_for(&schema).expect("a schema");
    let wrong: Vec<String> =
        validator.iter_errors(&record).map(|e| format!("{}: {e}", e.instance_path())).take(5).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert_eq!((&record["format"], &record["standing"]), (&"opsole.report/1".into(), &"ended".into()));
    assert_eq!((&record["planned"], &record["unplanned"]), (&record["done"], &Value::Array(Vec::new())));
    assert_eq!(record["sealed"]["statements"][1]["ticket"], "CHG-2001");
    assert!(record["by"].as_str().is_some_and(|by| by.contains('@')) && record["tool"].is_string());
    assert!(record["devices"][0]["evidence"].is_string(), "{:#}", record["devices"][0]);
    let status = env.opsole("status -o json").expect(0).json();
    assert_eq!(outcomes(&record["devices"]), outcomes(&status["run"]["devices"]));

    let run = record["run"].as_str().expect("an id");
    let page = env.opsole(&format!("report {}", &run[..13])).expect(0).out;
    assert!(page.contains("CHG-2001") && page.contains("Nothing was done that wasn't planned"), "{page}");
    assert!(page.contains(record["audit_head"]["hash"].as_str().expect("a hash")), "{page}");
    let one = env.opsole("report last --device lon-it-001").expect(0).out;
    assert!(one.contains("device.swap-profile") && !one.contains("LON-IT-002"), "{one}");
    let table = env.opsole("report last --format csv").expect(0).out;
    assert_eq!(table.lines().count() as u64, 1 + record["planned"].as_u64().expect("a number"));
    for (form, sign) in [("markdown", "# Run "), ("html", "<!doctype html>"), ("json", "{")] {
        drop(env.opsole(&format!("report last --format {form} --out r.{form}")).expect(0));
        assert!(env.read(&format!("r.{form}")).starts_with(sign), "{form}");
    }
    let page = env.read("r.html");
    assert!(!page.contains("<script") && !page.contains("src=") && page.contains("@media print"));
    drop(env.opsole("report last -o json --format csv").expect(1));
    assert_eq!(env.opsole("report last -o json").expect(0).json(), record, "the same twice");
    let head = record["audit_head"]["hash"].as_str().expect("a hash");
    drop(env.opsole(&format!("audit verify --head {head}")).expect(0));
}

/// Catches a run that failed and whose record doesn't say on which device, why, and what to do next.
#[test]
fn the_record_of_a_failure() {
    let env = TestEnv::example("hybrid-to-entra");
    let fault = "\nfaults:\n  - {at: device.arm, kind: {fail: \"0x80004005\"}}\n";
    env.write("world.yaml", &(env.read("world.yaml") + fault));
    drop(env.opsole("apply --wave pilot --yes").expect(4));
    let record = env.opsole("report last -o json").expect(0).json();
    let status = env.opsole("status -o json").expect(0).json();
    for (device, outcome) in outcomes(&status["run"]["devices"]) {
        let word = outcome.as_str().or_else(|| Some(outcome.as_object()?.keys().next()?));
        assert_eq!(outcomes(&record["devices"])[&device].as_str(), word, "{device}");
    }
    assert_eq!(record["sealed"], Value::Null);
    let text = env.opsole("report last").expect(0).out;
    assert!(text.contains("without a sealed plan"), "{text}");
    for problem in record["problems"].as_array().expect("problems") {
        assert!(problem["code"].is_string() && text.contains(problem["code"].as_str().expect("a code")), "{text}");
    }
    assert!(!record["problems"].as_array().expect("problems").is_empty(), "{record:#}");
}

/// Catches an open run that is told as if it had ended.
#[test]
fn the_record_of_an_open_run() {
    let env = TestEnv::example("hybrid-to-entra");
    assert_eq!(env.opsole("apply --wave pilot --yes --kill-after-entry 30").code, None);
    let record = env.opsole("report last -o json").expect(0).json();
    assert_eq!((&record["standing"], &record["entries"]), (&"open".into(), &30.into()));
    let text = env.opsole("report last").expect(0).out;
    assert!(text.contains("open: this goes as far as its journal does"), "{text}");
}
