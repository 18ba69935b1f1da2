//! Views of a plan as people ask for them: forms, files, one device, before and after sealing.

use crate::support::TestEnv;

fn sealed() -> TestEnv {
    let env = TestEnv::example("hybrid-to-entra");
    drop(env.opsole("plan --wave pilot --out pilot.opsole").expect(0));
    env
}

/// Catches a form that the file alone doesn't give, one that tells another number of devices than the others, and a view
/// that changes from one look to the next.
#[test]
fn every_form_tells_the_same() {
    let env = sealed();
    // Nothing but the file is needed.
    let alone = TestEnv::empty();
    std::fs::copy(env.path("pilot.opsole"), alone.path("pilot.opsole")).expect("a copy");
    let json = alone.opsole("show pilot.opsole --format json").expect(0).json();
    assert_eq!(json, alone.opsole("show pilot.opsole --output json").expect(0).json());
    let digest = json["digest"].as_str().expect("a digest");
    let text = alone.opsole("show pilot.opsole --format text").expect(0).out;
    assert!(text.contains("2 devices: 2 migrate") && text.contains(&digest[..12]), "{text}");
    let markdown = alone.opsole("show pilot.opsole --format markdown").expect(0).out;
    assert!(markdown.starts_with("# Plan `contoso-hybrid-to-cloud`, wave `pilot`"), "{markdown}");
    assert!(markdown.contains("2 devices: 2 to migrate") && markdown.contains(digest), "{markdown}");
    let html = alone.opsole("show pilot.opsole --format html").expect(0).out;
    assert!(html.starts_with("<!doctype html>") && html.contains(digest), "{html}");
    assert_eq!(html, alone.opsole("show pilot.opsole --format html").expect(0).out);
    for form in ["text", "json", "markdown", "html"] {
        let ran = alone.opsole(&format!("show pilot.opsole --format {form} --out view")).expect(0);
        assert!(ran.out.is_empty() && ran.err.contains("Wrote view."), "{}{}", ran.out, ran.err);
        assert_eq!(alone.read("view"), alone.opsole(&format!("show pilot.opsole --format {form}")).expect(0).out);
    }
}

/// Catches a device that a form doesn't unfold, and a mistyped one that looks like an empty answer.
#[test]
fn one_device_is_unfolded_in_every_form() {
    let env = sealed();
    let show = |form: &str| env.opsole(&format!("show pilot.opsole --device lon-it-002 --format {form}")).expect(0);
    for form in ["text", "markdown"] {
        let out = show(form).out;
        assert!(
            out.contains("LON-IT-002") && !out.contains("LON-IT-001") && out.contains("device.swap-profile"),
            "{out}"
        );
    }
    let json = show("json").json();
    assert_eq!((&json["format"], &json["device"]), (&"opsole.sealed-device/1".into(), &"LON-IT-002".into()));
    assert!(json["operations"].as_array().is_some_and(|all| all.iter().any(|one| one["effect"]["after"].is_string())));
    assert!(show("html").out.contains("\"open\":\"LON-IT-002\""));
    let ran = env.opsole("show pilot.opsole --device LON-IT-020 --format html").expect(1);
    assert!(ran.err.contains("cli.unknown-device") && ran.err.contains("did you mean `LON-IT-00"), "{}", ran.err);
}

/// Catches a view of what isn't sealed that could be taken for a sealed plan, and one that seals by looking.
#[test]
fn a_wave_can_be_looked_at_before_it_is_sealed() {
    let env = TestEnv::example("hybrid-to-entra");
    let markdown = env.opsole("plan --wave pilot --format markdown").expect(0).out;
    assert!(markdown.contains("**Not sealed.**") && !markdown.contains("digest"), "{markdown}");
    let ran = env.opsole("plan --wave pilot --format html --view pilot.html --detailed-exitcode").expect(2);
    assert!(ran.out.is_empty() && ran.err.contains("Wrote pilot.html."), "{}", ran.err);
    assert!(env.read("pilot.html").contains("Not sealed"));
    let later = env.opsole("plan --wave london --format markdown").expect(0);
    assert!(later.err.contains("The wave isn't open now"), "{}", later.err);
    // Both at once: the view is of the sealed file.
    let written =
        env.opsole("plan --wave pilot --out p.opsole --format html --view p.html --output json").expect(0).json();
    assert!(env.read("p.html").contains(written["digest"].as_str().expect("a digest")), "{written}");
    assert_eq!(env.opsole("show p.opsole --format html").expect(0).out, env.read("p.html"));
    let both = env.opsole("plan --wave pilot --out p.opsole --format markdown").expect(0);
    assert!(both.out.starts_with("# Plan") && both.err.contains("Wrote p.opsole."), "{}{}", both.out, both.err);
    // What can't be meant is refused.
    assert_eq!(env.opsole("plan --format html").code, Some(64));
    assert_eq!(env.opsole("plan --wave pilot --view x").code, Some(64));
    let two = env.opsole("plan --wave pilot --format html --output json").expect(1);
    assert!(two.err.contains("cli.two-forms"), "{}", two.err);
}
