//! The list of what was decided and done, as people see it: what it tells, and that a touch is found where it is.

use rusqlite::Connection;
use serde_json::Value;

use crate::support::TestEnv;

fn kinds(list: &Value) -> Vec<String> {
    let entries = list["entries"].as_array().expect("entries");
    entries.iter().map(|entry| entry["kind"].as_str().expect("a kind").to_owned()).collect()
}

/// Somebody with the database in hand and nothing else.
fn tamper(env: &TestEnv, sql: &str) {
    let connection = Connection::open(env.path(".opsole/state.db")).expect("a database");
    let sql = format!("DROP TRIGGER IF EXISTS audit_kept; DROP TRIGGER IF EXISTS audit_whole; {sql}");
    connection.execute_batch(&sql).expect("a change");
}

/// The head that `apply` printed.
fn head(err: &str) -> String {
    let line = err.lines().find_map(|line| line.strip_prefix("Audit head: ")).expect("a head");
    line.split(' ').next_back().expect("a digest").to_owned()
}

/// Catches a decision or a deed that leaves no entry, a secret in one, and a list that isn't whole after an ordinary day.
#[test]
fn a_day_is_told() {
    let env = TestEnv::example("hybrid-to-entra");
    assert!(env.opsole("audit list").expect(0).out.contains("Nothing was told yet"));
    drop(env.opsole("audit verify").expect(0));
    drop(env.opsole("keys new k.key").expect(0));
    drop(env.opsole("plan --wave pilot --out p.opsole").expect(0));
    drop(env.opsole("approve p.opsole --as change-management --key k.key --ticket CHG-1").expect(0));
    let applied = env.opsole("apply p.opsole --yes").expect(0);
    drop(env.opsole("apply p.opsole --yes").expect(11));
    let list = env.opsole("audit list -o json").expect(0).json();
    let kinds = kinds(&list);
    assert_eq!(kinds[..3], ["plan-sealed", "plan-approved", "run-begun"], "{kinds:?}");
    assert_eq!(kinds.last().map(String::as_str), Some("apply-refused"));
    assert!(kinds.contains(&"run-ended".to_owned()) && kinds.contains(&"device-ended".to_owned()), "{kinds:?}");
    let entries = list["entries"].as_array().expect("entries");
    let begun = &entries[2]["body"];
    assert_eq!((&begun["sealed"], &begun["approvals"]), (&entries[0]["body"]["digest"], &0.into()), "no key is listed");
    assert_eq!(entries.last().expect("one")["body"]["codes"][0], "sealed.used");
    let told = list.to_string();
    assert!(!told.contains("PRIVATE") && !told.contains("lab-secret"), "{told}");
    let text = env.opsole("audit list --run last").expect(0).out;
    assert!(text.contains("LON-IT-001 complete") && !text.contains("plan-sealed"), "{text}");

    let whole = env.opsole("audit verify").expect(0).out;
    assert!(whole.contains("The audit list is whole") && whole.contains("audit.head: agrees"), "{whole}");
    let noted = head(&applied.err);
    let since = env.opsole(&format!("audit verify --head {noted}")).expect(0).out;
    assert!(since.contains("it is in the list; 1 were added since"), "{since}");
    let other = "0".repeat(64);
    let none = env.opsole(&format!("audit verify --head {other}")).expect(13).out;
    assert!(none.contains("the list has no such entry"), "{none}");
    drop(env.opsole("audit verify --head 12").expect(64));
}

/// Catches an approval from another machine that nobody here remembers.
#[test]
fn what_was_signed_elsewhere_is_learnt() {
    let env = TestEnv::example("hybrid-to-entra");
    let far = TestEnv::empty();
    drop(env.opsole("plan --wave pilot --out p.opsole").expect(0));
    std::fs::copy(env.path("p.opsole"), far.path("p.opsole")).expect("a copy");
    drop(far.opsole("keys new k.key").expect(0));
    drop(far.opsole("approve p.opsole --as change-management --key k.key").expect(0));
    assert!(!far.path(".opsole").exists(), "whoever approves keeps no state");
    std::fs::copy(far.path("p.opsole"), env.path("p.opsole")).expect("a copy");
    drop(env.opsole("apply p.opsole").expect(3));
    let list = env.opsole("audit list -o json").expect(0).json();
    assert_eq!(kinds(&list), ["plan-sealed", "plan-approved"]);
    assert_eq!(list["entries"][1]["body"]["learnt"], true);
    drop(env.opsole("apply p.opsole").expect(3));
    assert_eq!(kinds(&env.opsole("audit list -o json").expect(0).json()).len(), 2, "it is learnt once");
}

/// Catches a changed, removed or cut entry of the list or of a run's journal that isn't found, or is named elsewhere.
#[test]
fn a_touch_is_found_where_it_is() {
    let applied = TestEnv::example("hybrid-to-entra");
    let noted = head(&applied.opsole("apply --wave pilot --yes").expect(0).err);
    let list = applied.opsole("audit list -o json").expect(0).json();
    let last = list["entries"].as_array().expect("entries").len();
    // A copy for each: the database, the companions that SQLite keeps beside it, and the file with the head.
    let touched = |sql: &str, code: i32| {
        let env = TestEnv::example("hybrid-to-entra");
        std::fs::create_dir_all(env.path(".opsole")).expect("a folder");
        for file in std::fs::read_dir(applied.path(".opsole")).expect("a folder").flatten() {
            if file.path().is_file() {
                std::fs::copy(file.path(), env.path(".opsole").join(file.file_name())).expect("a copy");
            }
        }
        tamper(&env, sql);
        let text = env.opsole(&format!("audit verify --head {noted}")).expect(code).out;
        let json = env.opsole("audit verify -o json").expect(code).json();
        assert_eq!(json["whole"], code == 0, "{json:#}");
        (text, json)
    };
    let (_, json) = touched("", 0);
    assert_eq!((&json["format"], &json["file"]["state"]), (&"opsole.audit-verify/1".into(), &"agrees".into()));
    let (text, json) = touched("UPDATE audit SET actor = 'nobody@nowhere' WHERE seq = 2", 13);
    assert_eq!((&json["list"]["faults"][0]["seq"], &json["list"]["sound"]), (&2.into(), &1.into()));
    assert!(text.contains("row 2, entry 2: its content isn't what its hash was made over"), "{text}");
    let (text, _) = touched("DELETE FROM audit WHERE seq = 2", 13);
    assert!(text.contains("row 2: entry 3 stands where 2 should: some before it are gone"), "{text}");
    let (text, json) = touched(&format!("DELETE FROM audit WHERE seq = {last}"), 13);
    assert!(text.contains("at least 1 were cut off") && text.contains("the list has no such entry"), "{text}");
    assert_eq!(json["file"]["state"], "shorter");
    let (text, json) = touched("UPDATE entries SET body = replace(body, 'LON-IT-001', 'LON-IT-009')", 13);
    assert_eq!(json["runs"][0]["faults"][0]["what"], "changed", "{json:#}");
    assert!(text.contains("journal entries 1 to"), "{text}");
    let (_, json) = touched("DELETE FROM entries WHERE seq = (SELECT max(seq) FROM entries)", 13);
    assert_eq!(json["runs"][0]["faults"][0]["what"], "cut", "{json:#}");
    let (_, json) = touched("DELETE FROM entries WHERE seq = 3", 13);
    assert_eq!(json["runs"][0]["faults"][0]["what"], "unreadable", "{json:#}");
    let (_, json) = touched("UPDATE runs SET origin = '{}'", 13);
    assert_eq!(json["runs"][0]["faults"][0]["what"], "origin", "{json:#}");
    let (_, json) = touched("DELETE FROM entries; DELETE FROM runs", 13);
    assert_eq!(json["runs"][0]["faults"][0]["what"], "gone", "{json:#}");
}

/// Catches a sign-off that leaves no entry, and a run whose end a crash keeps from the list for good.
#[test]
fn killed_and_resumed_is_told() {
    let env = TestEnv::example("hybrid-to-entra");
    let killed = env.opsole("apply --wave pilot --yes --kill-after-entry 40");
    assert_eq!(killed.code, None, "{}", killed.err);
    let text = env.opsole("audit verify").expect(0).out;
    assert!(text.contains("journal entries came after that"), "{text}");
    let resumed = env.opsole("apply --resume --yes");
    assert!(resumed.err.contains("Audit head: "), "{}", resumed.err);
    let kinds = kinds(&env.opsole("audit list --run last -o json").expect(0).json());
    let of = |kind: &str| kinds.iter().filter(|one| *one == kind).count();
    assert_eq!((of("run-begun"), of("run-resumed"), of("run-ended")), (1, 1, 1), "{kinds:?}");
    let text = env.opsole("audit verify").expect(0).out;
    assert!(!text.contains("came after that"), "{text}");
}
