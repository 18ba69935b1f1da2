use super::*;
use crate::model::Known;

const HYBRID: &str = include_str!("../../../tests/samples/dsregcmd-sections-hybrid.txt");
const DISCOVERY: &str = include_str!("../../../tests/samples/dsregcmd-prejoin-discovery-failure.txt");
const DIRECTORY: &str = include_str!("../../../tests/samples/dsregcmd-prejoin-directory-error.txt");
const OLD: &str = include_str!("../../../tests/samples/dsregcmd-old-compact-hybrid.txt");
const NO_TITLE: &str = include_str!("../../../tests/samples/dsregcmd-previous-registration-no-title.txt");
const PRT: &str = include_str!("../../../tests/samples/dsregcmd-sso-prt-yes.txt");

fn view(text: &str) -> JoinView {
    Status::parse(text).expect("the output of dsregcmd").view()
}

/// One section with these lines.
fn boxed(title: &str, lines: &str) -> String {
    let rule = format!("+{}+", "-".repeat(70));
    format!("{rule}\n| {title:<69}|\n{rule}\n\n{lines}\n")
}

/// Catches a view that takes a key from the wrong section, or loses one of a healthy hybrid device.
#[test]
fn hybrid_of_the_documentation() {
    let status = Status::parse(HYBRID).expect("a status");
    let view = status.view();
    assert_eq!((&view.entra_joined, &view.domain_joined), (&Known::Known(true), &Known::Known(true)));
    assert_eq!(view.enterprise_joined, Known::Known(false));
    assert_eq!(view.domain, Known::Known("HYBRIDADFS".to_owned()));
    assert_eq!(view.tenant.known().map(ToString::to_string).as_deref(), Some("aaaabbbb-0000-cccc-1111-dddd2222eeee"));
    assert_eq!(
        view.device_id.known().map(ToString::to_string).as_deref(),
        Some("00aa00aa-bb11-cc22-dd33-44ee44ee44ee")
    );
    assert_eq!(view.device_auth, Known::Known(DeviceAuth::Works));
    assert_eq!((view.prt, view.prt_status), (Known::Known(false), Known::Known(0xc000_006d)));
    assert_eq!(view.prt_updated, Known::Absent);
    let details = status.section("device details", 0).expect("a section");
    let (from, until) = details.certificate_validity().expect("a validity");
    assert_eq!((from.to_string(), until.to_string()), ("2019-01-11T21:02:50Z".into(), "2029-01-11T21:32:50Z".into()));
}

/// C1.1: catches a title cell that is one character too wide, as Microsoft printed it.
#[test]
fn a_title_of_any_width() {
    let found = &view(DISCOVERY).diagnoses[0];
    assert_eq!(found.checks[2], ("DRS Discovery Test".to_owned(), Check::Failed(vec![0x801c_0021, 0x801c_000c])));
    assert_eq!(found.checks[3].1, Check::Skipped);
    assert_eq!((found.phase.as_deref(), found.client_code), (Some("discover"), Some(0x801c_0021)));
    assert!(found.is_error());
}

/// C1.2: catches a split at a later colon; values have colons and brackets.
#[test]
fn the_first_colon_splits() {
    let status = Status::parse(HYBRID).expect("a status");
    let sso = status.section("SSO State", 0).expect("a section");
    assert_eq!(sso.get("EnterprisePrtAuthority"), Some("https://fs.hybridadfs.nttest.microsoft.com:443/adfs"));
    assert!(sso.get("Server Error Description").is_some_and(|text| text.starts_with("AADSTS50126: Error")));
    let tenant = status.section("Tenant Details", 0).expect("a section");
    assert_eq!(tenant.get("JoinSrvId"), Some("urn:ms-drs:enterpriseregistration.windows.net"));
}

/// C1.3: catches the layouts without a blank before the colon, and the double colon of 1803.
#[test]
fn old_layouts() {
    let old = view(OLD);
    assert_eq!((&old.entra_joined, &old.prt), (&Known::Known(true), &Known::Known(true)));
    assert!(old.tenant.known().is_some() && old.device_id.known().is_some());
    let status = Status::parse(OLD).expect("a status");
    let device = status.section("Device State", 0).expect("a section");
    assert_eq!(device.get("KeySignTest"), Some("MUST Run elevated to test."));
    assert_eq!(device.get("MdmTouUrl"), Some("https://portal.manage-beta.microsoft.com/TermsOfUse.aspx"));
    let status = Status::parse(HYBRID).expect("a status");
    assert_eq!(status.section("Diagnostic Data", 0).and_then(|s| s.get("AadRecoveryEnabled")), Some("NO"));
    let text = boxed("Device State", " Name: https://x/?a : b\n KeySignTest: : PASSED");
    let status = Status::parse(&text).expect("a status");
    assert_eq!(status.sections[0].get("Name"), Some("https://x/?a : b"));
    assert_eq!(status.sections[0].get("KeySignTest"), Some("PASSED"));
}

/// C1.4: catches a key without a value that is lost or takes the next line's.
#[test]
fn empty_values_and_blanks() {
    let text = boxed("Tenant Details", "  MdmUrl :\n  MdmTouUrl :     \n        \n   Idp : login.windows.net        ");
    let status = Status::parse(&text.replace('\n', "\r\n")).expect("a status");
    let section = &status.sections[0];
    assert_eq!((section.get("MdmUrl"), section.get("MdmTouUrl")), (Some(""), Some("")));
    assert_eq!((section.get("Idp"), section.entries.len()), (Some("login.windows.net"), 3));
}

/// C1.5: catches a second section of a title, or of a work account, that replaces the first.
#[test]
fn sections_are_counted() {
    let text = [
        boxed("Diagnostic Data", "  Error Phase : discover"),
        boxed("Work Account 1", "  NgcSet : NO"),
        boxed("User State", "  NgcSet : YES"),
        boxed("Work Account 2", "  NgcSet : NO"),
        boxed("Diagnostic Data", "  KeySignTest : PASSED"),
    ];
    let status = Status::parse(&text.concat()).expect("a status");
    assert_eq!(status.section("Diagnostic Data", 1).and_then(|s| s.get("KeySignTest")), Some("PASSED"));
    assert_eq!(status.section("User State", 0).and_then(|s| s.get("NgcSet")), Some("YES"));
    assert_eq!(status.work_accounts().count(), 2);
    assert_eq!(status.view().diagnoses.len(), 2);
}

/// C1.6: catches keys that are lost for want of a title or of the third line of the box, and a prompt taken for a key.
#[test]
fn boxes_that_are_not_whole() {
    let found = &view(NO_TITLE).diagnoses[0];
    assert_eq!((found.client_code, found.http_status), (Some(0x801c_03f2), Some(400)));
    assert_eq!(found.server_code.as_deref(), Some("DirectoryError"));
    assert_eq!(found.tried.map(|t| t.to_string()).as_deref(), Some("2019-01-31T09:16:43Z"));
    let text = "Name : before\n| Device State |\n AzureAdJoined : YES\n";
    let status = Status::parse(text).expect("a status");
    assert_eq!((status.sections.len(), status.sections[0].entries.len()), (1, 1));
    assert!(Status::parse("Name : Value\n").is_err() && Status::parse("").is_err());
}

/// C1.7: catches the address in the last line taken for a key.
#[test]
fn a_sentence_is_no_key() {
    let last = "For more information, please visit https://www.microsoft.com/aadjerrors";
    let text = boxed("Diagnostic Data", &format!(" KeySignTest : PASSED\n\n{last}\nVisit https://a.b/c\n"));
    assert_eq!(Status::parse(&text).expect("a status").sections[0].entries.len(), 1);
}

/// C1.8: catches a value that Windows couldn't find out taken for no, or for absent.
#[test]
fn unknown_is_not_no() {
    for (value, expected) in [("YES", Some(true)), ("NO", Some(false)), ("ERROR", None), ("ERROR (0xd0020017)", None)] {
        let text = boxed("Device State", &format!("AzureAdJoined : {value}\nDomainJoined : NO"));
        assert_eq!(view(&text).entra_joined.known().copied(), expected, "{value}");
    }
    for value in ["UNKNOWN", "INVALID", ""] {
        let text = boxed("SSO State", &format!("AzureAdPrt : {value}"));
        assert!(view(&text).prt.unknown().is_some(), "{value}");
    }
    let not_set = view(&boxed("Device State", "DomainName : NOT SET"));
    assert_eq!(not_set.domain, Known::Absent);
    // The section isn't there at all, or the line is cut off.
    assert!(not_set.prt.unknown().is_some() && not_set.domain_joined.unknown().is_some());
    let joined = view(&boxed("Device State", "AzureAdJoined : YES"));
    assert!(joined.tenant.unknown().is_some() && joined.device_id.unknown().is_some());
    let apart = view(&boxed("Device State", "AzureAdJoined : NO"));
    assert_eq!((apart.tenant, apart.device_id), (Known::Absent, Known::Absent));
    let failed = view(&boxed("Device Details", "DeviceAuthStatus : FAILED. Device is either disabled or deleted"));
    assert_eq!(failed.device_auth, Known::Known(DeviceAuth::Fails("Device is either disabled or deleted".to_owned())));
}

/// C1.9: catches times without milliseconds, and keys at the beginning of the line.
#[test]
fn times() {
    assert_eq!(view(PRT).prt_updated.known().map(|t| t.to_string()).as_deref(), Some("2020-07-12T22:57:53Z"));
    let text = boxed("SSO State", "AzureAdPrt : YES\nAzureAdPrtUpdateTime : 2020-07-12 22:57:53 UTC");
    assert_eq!(view(&text).prt_updated, view(PRT).prt_updated);
    let text = boxed("SSO State", "AzureAdPrt : YES\nAzureAdPrtUpdateTime : yesterday");
    assert!(view(&text).prt_updated.unknown().is_some());
}

/// C1.10: catches a comparison with case.
#[test]
fn keys_differ_in_case_by_version() {
    let text = boxed("Diagnostic Data", " Request ID : 1\n HTTP status : 400\n Client ErrorCode : 0x801C03F2");
    let found = &view(&text).diagnoses[0];
    assert_eq!((found.request_id.as_deref(), found.http_status), (Some("1"), Some(400)));
    assert_eq!(found.client_code, Some(0x801c_03f2));
    let status = Status::parse(&boxed("SSO State", "OnPremTGT : YES")).expect("a status");
    assert_eq!(status.sections[0].get("OnPremTgt"), Some("YES"));
}

/// C1.11: catches a device that isn't joined taken for joined because a registration is printed.
#[test]
fn a_registration_is_no_join() {
    let id = "5820fbe9-60c8-43b0-bb11-44aee233e4e7";
    let found = view(&boxed("Device State", &format!("AzureAdJoined : NO\nDomainJoined : YES\nDeviceId : {id}")));
    assert_eq!(found.entra_joined, Known::Known(false));
    assert_eq!(found.device_id.known().map(ToString::to_string).as_deref(), Some(id));
}

/// C1.12: catches a prompt before the first box, and UTF-16.
#[test]
fn prompts_and_encodings() {
    let text = format!("PS C:\\Users\\anna> dsregcmd /status\n\n{DIRECTORY}");
    let utf16: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let text = crate::winformat::decode(&utf16);
    assert_eq!(view(&text), view(DIRECTORY));
}

/// C1.13: catches two names read as one.
#[test]
fn account_names() {
    let text = boxed("Device State", r"Executing Account Name : CORP\user1, user1@contoso.com");
    assert_eq!(view(&text).run_as, [r"CORP\user1", "user1@contoso.com"]);
}

proptest::proptest! {
    /// Catches a panic at a boundary of characters, and a parser that isn't linear in practice.
    #[test]
    fn any_text_is_read(text in "[+|:\\- \nA-Za-zé0-9./(\\[]{0,400}") {
        if let Ok(status) = Status::parse(&text) {
            let _ = status.view();
        }
    }
}
