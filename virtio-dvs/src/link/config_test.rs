use super::*;

fn parse(text: &str) -> Result<LinkConfig, String> {
    let config: LinkConfig = serde_json::from_str(text).map_err(|error| error.to_string())?;
    config.validate().map_err(|error| error.to_string())?;
    Ok(config)
}

#[test]
fn little_need_be_given() {
    let config = parse(
        r#"{"me": 3, "cluster": "blue", "listen": "0.0.0.0:7000",
            "tls": {"cert": "/c", "key": "/k", "ca": "/a"}}"#,
    );
    let config = config.unwrap();
    assert_eq!((config.me, config.keepalive_ms), (NodeId(3), 3000));
    assert_eq!(
        (config.lz4, config.limits.bulk_output),
        (Lz4::Auto, 2 << 20)
    );
    let again = serde_json::to_string(&config).unwrap();
    assert_eq!(parse(&again).unwrap(), config);
}

#[test]
fn neither_or_both_of_tls_and_plaintext_is_refused() {
    let config = LinkConfig::plaintext(NodeId(1), "blue", "[::]:7000".parse().unwrap());
    config.validate().unwrap();
    let neither = LinkConfig {
        plaintext: false,
        ..config.clone()
    };
    assert_eq!(neither.validate(), Err(LinkConfigError::NoTls));
    let both = LinkConfig {
        tls: Some(TlsFiles {
            cert: "/c".into(),
            key: "/k".into(),
            ca: "/a".into(),
        }),
        ..config
    };
    assert_eq!(both.validate(), Err(LinkConfigError::Both));
}

#[test]
fn every_number_has_its_range() {
    let base = r#"{"me": 3, "cluster": "blue", "listen": "0.0.0.0:7000", "plaintext": true"#;
    for wrong in [
        r#""keepalive_ms": 499"#,
        r#""keepalive_ms": 60001"#,
        r#""limits": {"message_output": 4095}"#,
        r#""limits": {"bulk_output": 131071}"#,
        r#""limits": {"bulk_output": 67108865}"#,
        r#""limits": {"peers": 0}"#,
        r#""limits": {"handshakes": 0}"#,
        r#""limits": {"handshake_ms": 99}"#,
        r#""limits": {"colour": 1}"#,
        r#""colour": 1"#,
        r#""lz4": "always""#,
    ] {
        let name = wrong.rsplit('"').nth(1).unwrap().to_owned();
        let error = parse(&format!("{base}, {wrong}}}")).unwrap_err();
        assert!(error.contains(&name), "{wrong}: {error}");
    }
}

#[test]
fn a_cluster_has_a_name_that_fits() {
    let listen = "127.0.0.1:0".parse().unwrap();
    for (name, good) in [("", false), ("a\0b", false), (&*"x".repeat(32), true)] {
        let config = LinkConfig::plaintext(NodeId(1), name, listen);
        assert_eq!(config.validate().is_ok(), good, "{name:?}");
    }
    let config = LinkConfig::plaintext(NodeId(1), &"x".repeat(33), listen);
    assert!(config.validate().is_err());
}
