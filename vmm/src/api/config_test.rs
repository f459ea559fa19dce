use super::*;

fn error(json: &str) -> ConfigError {
    VmConfig::from_json(json.as_bytes()).unwrap_err()
}

#[test]
fn the_smallest_configuration_has_sensible_defaults() {
    let config = VmConfig::from_json(br#"{"payload":{"kernel":"/k"}}"#).unwrap();
    assert_eq!((config.cpus.boot_vcpus, config.memory.size), (1, 256 << 20));
    assert_eq!(
        (config.serial.mode, config.console.mode),
        (ConsoleMode::Tty, ConsoleMode::Off)
    );
    assert_eq!(config.dvs, None);
}

#[test]
fn what_is_written_is_read_again() {
    let text = br#"{"cpus":{"boot_vcpus":2,"max_vcpus":2},"memory":{"size":536870912,"shared":true},
        "payload":{"kernel":"/k","initramfs":"/i","cmdline":"console=ttyS0"},
        "serial":{"mode":"File","file":"/s"},"console":{"mode":"Socket","socket":"/c"},"dvs":{"vm":1,"dcid":0}}"#;
    let config = VmConfig::from_json(text).unwrap();
    assert_eq!(
        VmConfig::from_json(&serde_json::to_vec(&config).unwrap()).unwrap(),
        config
    );
}

#[test]
fn every_wrong_field_is_named() {
    let cases = [
        ("", "configuration"),
        ("{}", "configuration"),
        ("[1]", "configuration"),
        (r#"{"payload":{}}"#, "payload"),
        (r#"{"payload":{"kernel":"/k"}} x"#, "configuration"),
        (r#"{"payload":{"kernel":""}}"#, "payload.kernel"),
        (r#"{"payload":{"kernel":7}}"#, "payload.kernel"),
        (
            r#"{"payload":{"kernel":"/k","cmdline":"a\nb"}}"#,
            "payload.cmdline",
        ),
        (
            r#"{"payload":{"kernel":"/k","colour":1}}"#,
            "payload.colour",
        ),
        (
            r#"{"payload":{"kernel":"/k"},"cpus":{"boot_vcpus":0}}"#,
            "cpus.boot_vcpus",
        ),
        (
            r#"{"payload":{"kernel":"/k"},"cpus":{"boot_vcpus":-1}}"#,
            "cpus.boot_vcpus",
        ),
        (
            r#"{"payload":{"kernel":"/k"},"cpus":{"boot_vcpus":65}}"#,
            "cpus.boot_vcpus",
        ),
        (
            r#"{"payload":{"kernel":"/k"},"cpus":{"boot_vcpus":999}}"#,
            "cpus.boot_vcpus",
        ),
        (
            r#"{"payload":{"kernel":"/k"},"cpus":{"boot_vcpus":1,"max_vcpus":2}}"#,
            "cpus.max_vcpus",
        ),
        (
            r#"{"payload":{"kernel":"/k"},"memory":{"size":1}}"#,
            "memory.size",
        ),
        (
            r#"{"payload":{"kernel":"/k"},"memory":{"size":18446744073709551615}}"#,
            "memory.size",
        ),
        (
            r#"{"payload":{"kernel":"/k"},"memory":{"size":1e30}}"#,
            "memory.size",
        ),
        (
            r#"{"payload":{"kernel":"/k"},"memory":{"size":268435456,"shared":false}}"#,
            "memory.shared",
        ),
        (
            r#"{"payload":{"kernel":"/k"},"serial":{"mode":"Loud"}}"#,
            "serial.mode",
        ),
        (
            r#"{"payload":{"kernel":"/k"},"serial":{"mode":"File"}}"#,
            "serial.file",
        ),
        (
            r#"{"payload":{"kernel":"/k"},"serial":{"mode":"Off","socket":"/s"}}"#,
            "serial.socket",
        ),
        (
            r#"{"payload":{"kernel":"/k"},"console":{"mode":"Tty"}}"#,
            "console.mode",
        ),
        (r#"{"payload":{"kernel":"/k"},"dvs":{}}"#, "dvs"),
        (
            r#"{"payload":{"kernel":"/k"},"dvs":{"vm":0,"dcid":1}}"#,
            "dvs.vm",
        ),
        (
            r#"{"payload":{"kernel":"/k"},"dvs":{"vm":4294967295,"dcid":1}}"#,
            "dvs.vm",
        ),
        (r#"{"payload":{"kernel":"/k"},"dvs":{"vm":1}}"#, "dvs"),
        (
            r#"{"payload":{"kernel":"/k"},"dvs":{"vm":1,"socket":"/s"}}"#,
            "dvs",
        ),
        (
            r#"{"payload":{"kernel":"/k"},"dvs":{"socket":""}}"#,
            "dvs.socket",
        ),
    ];
    for (json, field) in cases {
        let error = error(json);
        assert_eq!(error.field, field, "{json}: {error}");
        assert!(error.reason.len() > 10, "{json}: {error}");
    }
}

#[test]
fn a_socket_path_must_fit() {
    let path = "x".repeat(108);
    let json = format!(r#"{{"payload":{{"kernel":"/k"}},"dvs":{{"socket":"{path}"}}}}"#);
    assert_eq!(error(&json).field, "dvs.socket");
}
