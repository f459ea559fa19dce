use super::*;
use crate::link::tls::Tls;
use crate::link::{TlsError, TlsFiles};
use std::os::unix::fs::PermissionsExt;

fn files(dir: &Path, node: u32) -> TlsFiles {
    TlsFiles {
        cert: dir.join(format!("node-{node}.pem")),
        key: dir.join(format!("node-{node}.key")),
        ca: dir.join(CA_CERT),
    }
}

#[test]
fn what_it_makes_can_be_used_and_keys_are_private() {
    let dir = tempfile::tempdir().unwrap();
    let now = SystemTime::now();
    let ca = make_ca(dir.path(), now).unwrap();
    let hosts = ["host.example".to_owned(), "192.0.2.1".to_owned()];
    let node = make_node(dir.path(), NodeId(7), &hosts, now).unwrap();
    for key in [ca.key, node.key] {
        let mode = key.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    Tls::load(&files(dir.path(), 7), NodeId(7)).unwrap();
    let other = Tls::load(&files(dir.path(), 7), NodeId(8)).unwrap_err();
    assert!(matches!(other, TlsError::Name { .. }), "{other}");
    assert!(other.to_string().contains("node-8.dvs"), "{other}");
}

#[test]
fn nothing_is_overwritten() {
    let dir = tempfile::tempdir().unwrap();
    let now = SystemTime::now();
    let ca = make_ca(dir.path(), now).unwrap();
    let before = std::fs::read(&ca.key).unwrap();
    assert!(matches!(make_ca(dir.path(), now), Err(PkiError::Exists(_))));
    std::fs::remove_file(&ca.cert).unwrap();
    assert!(matches!(make_ca(dir.path(), now), Err(PkiError::Exists(_))));
    assert_eq!(std::fs::read(&ca.key).unwrap(), before);
    make_node(dir.path(), NodeId(1), &[], now).unwrap();
    let again = make_node(dir.path(), NodeId(1), &[], now);
    assert!(matches!(again, Err(PkiError::Exists(_))));
}

#[test]
fn what_is_missing_or_wrong_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let now = SystemTime::now();
    let error = make_node(dir.path(), NodeId(1), &[], now).unwrap_err();
    assert!(error.to_string().contains("dvsctl pki ca"), "{error}");
    std::fs::write(dir.path().join(CA_KEY), "no key").unwrap();
    let error = make_node(dir.path(), NodeId(1), &[], now).unwrap_err();
    assert!(error.to_string().contains(CA_KEY), "{error}");
}
