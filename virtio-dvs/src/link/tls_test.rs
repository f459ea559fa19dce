use super::*;
use crate::link::pki::{make_ca, make_node};
use std::time::SystemTime;

fn files(dir: &Path) -> TlsFiles {
    TlsFiles {
        cert: dir.join("node-1.pem"),
        key: dir.join("node-1.key"),
        ca: dir.join("ca.pem"),
    }
}

#[test]
fn each_file_that_is_no_use_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let now = SystemTime::now();
    make_ca(dir.path(), now).unwrap();
    make_node(dir.path(), NodeId(1), &[], now).unwrap();
    let files = files(dir.path());
    Tls::load(&files, NodeId(1)).unwrap();
    for path in [&files.cert, &files.key, &files.ca] {
        let good = std::fs::read(path).unwrap();
        let name = path.file_name().unwrap().to_str().unwrap();
        for bad in [&b""[..], b"-----BEGIN CERTIFICATE-----\nAAAA", &[0xff; 100]] {
            std::fs::write(path, bad).unwrap();
            let error = Tls::load(&files, NodeId(1)).unwrap_err().to_string();
            assert!(error.contains(name), "{error}");
        }
        std::fs::remove_file(path).unwrap();
        let error = Tls::load(&files, NodeId(1)).unwrap_err().to_string();
        assert!(
            error.contains(name) && error.contains("cannot read"),
            "{error}"
        );
        std::fs::write(path, good).unwrap();
    }
}

#[test]
fn a_certificate_names_one_node_only() {
    let dir = tempfile::tempdir().unwrap();
    let now = SystemTime::now();
    make_ca(dir.path(), now).unwrap();
    make_node(dir.path(), NodeId(1), &["node.example".to_owned()], now).unwrap();
    let chain = certificates(&files(dir.path()).cert).unwrap();
    assert!(names(Some(&chain), NodeId(1)));
    assert!(!names(Some(&chain), NodeId(11)));
    assert!(!names(None, NodeId(1)));
    let nonsense = [CertificateDer::from(vec![1, 2, 3])];
    assert!(!names(Some(&nonsense), NodeId(1)));
}
