//! What a node is told when it cannot start.

use super::super::*;
use super::support::*;
use etcd_client::{Client, PermissionType};
use std::path::Path;

fn refusal(config: &EtcdConfig) -> String {
    Node::open(config, me(1)).err().unwrap().to_string()
}

#[test]
fn nobody_there_is_said_in_time() {
    let config = EtcdConfig {
        endpoints: vec!["http://127.0.0.1:1".to_owned()],
        timeout_ms: 300,
        ..EtcdConfig::default()
    };
    let error = refusal(&config);
    assert!(
        error.starts_with("etcd at http://127.0.0.1:1 did not answer within 300 ms: "),
        "{error}"
    );
    assert!(error.contains("refused"), "{error}");
}

#[test]
fn a_file_that_is_missing_is_named() {
    let config = EtcdConfig {
        endpoints: vec!["https://127.0.0.1:1".to_owned()],
        ca: Some("/nowhere/ca.pem".into()),
        ..EtcdConfig::default()
    };
    assert!(refusal(&config).starts_with("cannot read /nowhere/ca.pem: "));
}

#[test]
fn a_password_opens_the_door() {
    let server = Server::start();
    server.administer(async |client: Client| {
        let mut auth = client.auth_client();
        for (name, password) in [("root", "r"), ("node", "secret"), ("guest", "g")] {
            auth.user_add(name, password, None).await?;
            auth.role_add(name).await?;
            auth.user_grant_role(name, name).await?;
        }
        let all = etcd_client::Permission::new(PermissionType::Readwrite, "/dvs/").with_prefix();
        auth.role_grant_permission("node", all).await?;
        auth.auth_enable().await
    });
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("password");
    let with = |user: &str, password: &str| {
        std::fs::write(&file, format!("{password}\n")).unwrap();
        EtcdConfig {
            user: Some(user.to_owned()),
            password_file: Some(file.clone()),
            ..server.config()
        }
    };
    let mut node = Node::open(&with("node", "secret"), me(1)).unwrap();
    let owner = node.boot(1);
    assert_eq!(node.bind(owner, 5), Ok(1));
    assert!(node.locate(1).current.is_some());
    node.begin(1);
    node.until(|news| matches!(news, News::Vm { vm: 1, .. }));
    let wrong = refusal(&with("node", "wrong"));
    assert!(wrong.contains("authentication failed"), "{wrong}");
    let guest = refusal(&with("guest", "g"));
    assert!(guest.contains("permission denied"), "{guest}");
    let nobody = refusal(&server.config());
    assert!(nobody.starts_with("etcd refuses: "), "{nobody}");
}

#[test]
fn a_full_etcd_is_said_so() {
    let server = Server::with(&["--quota-backend-bytes", "100000"], "http");
    server.administer(async |client| {
        // Until it is full.
        while client
            .kv_client()
            .put("x", vec![0; 50_000], None)
            .await
            .is_ok()
        {}
        Ok(())
    });
    let error = refusal(&server.config());
    assert!(error.contains("space exceeded"), "{error}");
}

/// A CA, and what it has signed, in files.
struct Pki {
    directory: tempfile::TempDir,
}

impl Pki {
    fn new() -> Pki {
        let pki = Pki {
            directory: tempfile::tempdir().unwrap(),
        };
        let mut parameters = rcgen::CertificateParams::default();
        parameters.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let key = rcgen::KeyPair::generate().unwrap();
        pki.write("ca.pem", &parameters.self_signed(&key).unwrap().pem());
        let ca = rcgen::Issuer::new(parameters, key);
        for name in ["server", "client"] {
            let key = rcgen::KeyPair::generate().unwrap();
            let names = ["127.0.0.1".to_owned(), "localhost".to_owned()];
            let parameters = rcgen::CertificateParams::new(names).unwrap();
            let cert = parameters.signed_by(&key, &ca).unwrap();
            pki.write(&format!("{name}.pem"), &cert.pem());
            pki.write(&format!("{name}.key"), &key.serialize_pem());
        }
        pki
    }

    fn write(&self, name: &str, content: &str) {
        std::fs::write(self.directory.path().join(name), content).unwrap();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn with_tls_both_sides_are_checked() {
    let pki = Pki::new();
    let (ca, cert, key) = (
        pki.path("ca.pem"),
        pki.path("server.pem"),
        pki.path("server.key"),
    );
    let arguments = [
        "--client-cert-auth",
        "--trusted-ca-file",
        text(&ca),
        "--cert-file",
        text(&cert),
        "--key-file",
        text(&key),
    ];
    let server = Server::with(&arguments, "https");
    let config = EtcdConfig {
        ca: Some(ca.clone()),
        cert: Some(pki.path("client.pem")),
        key: Some(pki.path("client.key")),
        ..server.config()
    };
    let mut node = Node::open(&config, me(1)).unwrap();
    let owner = node.boot(1);
    assert_eq!(node.bind(owner, 5), Ok(1));
    let stranger = EtcdConfig {
        cert: None,
        key: None,
        timeout_ms: 500,
        ..config.clone()
    };
    assert!(refusal(&stranger).contains("did not answer within 500 ms"));
    let strange = Pki::new();
    let doubting = EtcdConfig {
        ca: Some(strange.path("ca.pem")),
        timeout_ms: 500,
        ..config
    };
    let error = refusal(&doubting);
    assert!(error.contains("certificate"), "{error}");
}
