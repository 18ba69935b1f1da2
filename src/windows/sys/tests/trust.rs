//! Certificates, logs and the probe of the network.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::thread;

use rcgen::{CertifiedKey, generate_simple_self_signed};
use sha1::{Digest, Sha1};
use windows_sys::Win32::Security::Cryptography::{
    CERT_STORE_ADD_REPLACE_EXISTING, CertAddEncodedCertificateToStore, X509_ASN_ENCODING,
};

use super::super::certificates::Store;
use super::super::probe::probe_at;
use super::super::{code, events};
use super::{cause, lacks, windows};
use crate::model::ProbeOutcome;
use crate::windows::machine::{Cause, Certificates, Host};

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[expect(unsafe_code, reason = "puts a certificate into the store")]
fn add(der: &[u8]) {
    let store = Store::open("My").expect("open");
    // SAFETY: the store is open, and the bytes are as many as is said.
    let done = unsafe {
        CertAddEncodedCertificateToStore(
            store.0,
            X509_ASN_ENCODING,
            der.as_ptr(),
            der.len() as u32,
            CERT_STORE_ADD_REPLACE_EXISTING,
            std::ptr::null_mut(),
        )
    };
    assert!(done != 0, "{}", code::last("CertAddEncodedCertificateToStore", "a test"));
}

/// Catches a thumbprint that names another certificate, times that are shifted, and a removal that hits more than one.
#[test]
fn certificates_are_listed_and_removed() {
    let windows = windows();
    let made: Vec<Vec<u8>> = ["one.opsole.test", "two.opsole.test"]
        .map(|name| generate_simple_self_signed([name.to_owned()]).expect("made").cert.der().to_vec())
        .to_vec();
    made.iter().for_each(|der| add(der));
    let prints: Vec<String> = made.iter().map(|der| hex(&Sha1::digest(der))).collect();
    let all = windows.certificates().expect("read");
    let one = all.iter().find(|certificate| certificate.thumbprint == prints[0]).expect("listed");
    assert!(one.subject.contains("CN=rcgen self signed cert") && one.issuer == one.subject, "{one:?}");
    assert_eq!(one.from.to_string(), "1975-01-01T00:00:00Z");
    assert_eq!(one.until.to_string(), "4096-01-01T00:00:00Z");
    if let Err(error) = windows.remove_certificate(&prints[0].to_uppercase()) {
        assert!(error.text.contains("still there"), "{error}");
        return lacks("CertDeleteCertificateFromStore", "by hand on Windows: the certificate of an enrolment goes");
    }
    windows.remove_certificate(&prints[0]).expect("removed again");
    let left = windows.certificates().expect("read");
    assert!(left.iter().all(|certificate| certificate.thumbprint != prints[0]));
    assert!(left.iter().any(|certificate| certificate.thumbprint == prints[1]), "the other one stays");
    windows.remove_certificate(&prints[1]).expect("removed");
    for bad in ["", "00", &"+f".repeat(20), &"é".repeat(20)] {
        assert!(windows.remove_certificate(bad).is_err(), "{bad:?}");
    }
}

/// Catches a log that can't be read and comes as one without events.
#[test]
fn events_are_read_or_refused() {
    match windows().events("System", &[1074, 6005], 5) {
        Ok(events) => assert!(events.len() <= 5),
        Err(error) => {
            assert_eq!(error.cause, Cause::NotThere, "{error}");
            lacks("EvtQuery", "the XML of events below; by hand on Windows, against Event Viewer");
        }
    }
    assert!(windows().events("Opsole-No-Such-Log", &[1], 5).is_err());
}

/// Catches data of an event that come in another order or from elsewhere, and a panic at XML that isn't an event's.
#[test]
fn an_event_is_parsed() {
    let xml = r#"<Event xmlns="http://schemas.microsoft.com/win/2004/08/events/event"><System><Provider Name="X"/>
      <EventID Qualifiers="32768">1074</EventID><TimeCreated SystemTime="2026-03-04T05:06:07.1234567Z"/></System>
      <EventData><Data Name="a">one</Data><Data>two</Data><Data/></EventData></Event>"#;
    let event = events::parse(xml).expect("an event");
    assert_eq!((event.id, event.data), (1074, vec!["one".to_owned(), "two".to_owned(), String::new()]));
    assert_eq!(event.at.to_string(), "2026-03-04T05:06:07.1234567Z");
    let user = xml.replace("EventData", "UserData").replace("<Data Name=\"a\">one</Data>", "<X><Y>1</Y></X>");
    assert_eq!(events::parse(&user).expect("an event").data, ["1", "two", ""]);
    for bad in ["", "<Event/>", "<Event><System><EventID>x</EventID></System></Event>", "<!DOCTYPE x []><x/>"] {
        assert!(events::parse(bad).is_none(), "{bad}");
    }
}

/// Answers one TLS connection after the other with a certificate that nobody trusts.
fn untrusted() -> u16 {
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["localhost".to_owned()]).expect("made");
    let key = rustls_pki_types::PrivateKeyDer::try_from(signing_key.serialize_der()).expect("a key");
    let config = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)
        .expect("a certificate");
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("bound").port();
    let config = Arc::new(config);
    thread::spawn(move || {
        for tcp in listener.incoming().flatten() {
            let Ok(connection) = rustls::ServerConnection::new(Arc::clone(&config)) else { return };
            let mut stream = rustls::StreamOwned::new(connection, tcp);
            let mut request = [0; 4096];
            if stream.read(&mut request).is_ok_and(|read| read > 0) {
                drop(stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"));
            }
        }
    });
    port
}

/// Catches a certificate that nobody trusts and is taken for the service's, and a closed port for an open one.
#[test]
fn the_network_is_probed() {
    let closed = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("bound").port();
    assert_eq!(probe_at("127.0.0.1", closed, 30).expect("tried"), ProbeOutcome::NoAnswer);
    let outcome = probe_at("localhost", untrusted(), 30).expect("tried");
    if outcome == ProbeOutcome::NoAnswer {
        return lacks("TLS of winhttp (schannel without GnuTLS)", "by hand on Windows, behind a proxy that opens TLS");
    }
    assert!(matches!(&outcome, ProbeOutcome::Intercepted(issuer) if issuer.contains("rcgen")), "{outcome:?}");
    assert_eq!(cause(probe_at("local\0host", closed, 1)), Cause::Other);
}
