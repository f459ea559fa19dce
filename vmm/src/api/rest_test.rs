use std::path::Path;

use super::*;
use crate::control::Vmm;
use crate::ctl::client::{Client, ClientError};

/// A VMM with its API, in this process.
fn with_vmm(test: impl FnOnce(&Client, &Path) + Send) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("api.sock");
    let vmm = Vmm::new().unwrap();
    let server = Server::start(Listener::bind(&path).unwrap(), vmm.mailbox()).unwrap();
    let mailbox = vmm.mailbox();
    std::thread::scope(|scope| {
        // The test body runs beside the main loop, and ends it.
        let body = scope.spawn(|| {
            let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                test(&Client::new(&path), &path)
            }));
            mailbox.send(Message::Signal);
            result
        });
        vmm.run().unwrap();
        drop(server);
        if let Err(panic) = body.join().unwrap() {
            std::panic::resume_unwind(panic);
        }
    });
}

fn refused(result: Result<Option<serde_json::Value>, ClientError>) -> (u16, String) {
    match result.unwrap_err() {
        ClientError::Refused { status, error } => (status, error),
        other => panic!("{other}"),
    }
}

#[test]
fn a_machine_is_created_described_and_deleted() {
    with_vmm(|client, _| {
        let ping = client.get("vmm.ping").unwrap();
        assert_eq!(ping["pid"], std::process::id());
        let config = json!({"payload": {"kernel": "/k"}, "serial": {"mode": "Null"}});
        assert_eq!(client.put("vm.create", Some(&config)).unwrap(), None);
        let info = client.get("vm.info").unwrap();
        assert_eq!(
            (&info["state"], &info["config"]["payload"]["kernel"]),
            (&json!("Created"), &json!("/k"))
        );
        assert!(info["config"]["payload"].get("initramfs").is_none());
        assert_eq!(refused(client.put("vm.create", Some(&config))).0, 409);
        assert_eq!(client.put("vm.delete", None).unwrap(), None);
        assert_eq!(refused(client.put("vm.boot", None)).0, 404);
    });
}

#[test]
fn without_a_machine_everything_about_it_is_not_found() {
    with_vmm(|client, _| {
        for name in [
            "vm.boot",
            "vm.pause",
            "vm.resume",
            "vm.shutdown",
            "vm.reboot",
            "vm.power-button",
            "vm.delete",
        ] {
            let (status, error) = refused(client.put(name, None));
            assert_eq!(
                (status, error.contains("create one")),
                (404, true),
                "{name}: {error}"
            );
        }
        assert_eq!(refused(client.get("vm.info").map(Some)).0, 404);
        assert_eq!(refused(client.get("vm.counters").map(Some)).0, 404);
    });
}

#[test]
fn a_machine_that_is_not_booted_conflicts_with_what_needs_one() {
    with_vmm(|client, _| {
        client
            .put(
                "vm.create",
                Some(&json!({"payload": {"kernel": "/nowhere/k"}, "serial": {"mode": "Off"}})),
            )
            .unwrap();
        for name in [
            "vm.pause",
            "vm.resume",
            "vm.shutdown",
            "vm.reboot",
            "vm.power-button",
        ] {
            assert_eq!(refused(client.put(name, None)).0, 409, "{name}");
        }
        let (status, error) = refused(client.put("vm.boot", None));
        assert_eq!(
            (status, error.contains("/nowhere/k")),
            (500, true),
            "{error}"
        );
        assert_eq!(client.get("vm.info").unwrap()["state"], "Created");
    });
}

#[test]
fn bad_bodies_name_the_field() {
    with_vmm(|client, _| {
        for (body, field) in [
            (json!(7), "configuration"),
            (
                json!({"payload": {"kernel": "/k"}, "memory": {"size": "much"}}),
                "memory.size",
            ),
            (
                json!({"payload": {"kernel": "/k"}, "cpus": {"boot_vcpus": 0}}),
                "cpus.boot_vcpus",
            ),
            (json!({"payload": {"kernel": "/k"}, "flux": 1}), "flux"),
        ] {
            let (status, error) = refused(client.put("vm.create", Some(&body)));
            assert_eq!(status, 400, "{error}");
            assert!(error.starts_with(field), "{error}");
        }
        assert_eq!(refused(client.get("vm.info").map(Some)).0, 404);
    });
}

#[test]
fn wrong_paths_methods_and_sizes_are_refused_with_a_sentence() {
    with_vmm(|client, _| {
        let (status, error) = refused(client.get("vm.explode").map(Some));
        assert_eq!((status, error.contains("vm.explode")), (404, true));
        let (status, error) = refused(client.get("vm.boot").map(Some));
        assert_eq!((status, error.contains("GET")), (405, true));
        assert_eq!(refused(client.put("vm.info", None)).0, 405);
        let huge = json!({"payload": {"kernel": "x".repeat(2 << 20)}});
        match client.put("vm.create", Some(&huge)) {
            Err(ClientError::Refused { status, error }) => {
                assert_eq!((status, error.contains("at most")), (413, true), "{error}");
            }
            // The server need not read to the end what it will not take.
            Err(ClientError::Broken { .. }) => {}
            other => panic!("{other:?}"),
        }
        assert_eq!(refused(client.get("vm.info").map(Some)).0, 404);
    });
}

#[test]
fn the_socket_is_private_and_goes_with_the_server() {
    use std::os::unix::fs::PermissionsExt;
    let mut seen = None;
    with_vmm(|_, path| {
        let mode = std::fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert!(Listener::bind(path).is_err());
        seen = Some(path.to_owned());
    });
    assert!(!seen.unwrap().exists());
}

#[test]
fn shutdown_is_answered_before_the_vmm_ends() {
    with_vmm(|client, _| {
        assert_eq!(client.put("vmm.shutdown", None).unwrap(), None);
    });
}

#[test]
fn figures_are_there_with_and_without_a_machine() {
    use std::io::{Read, Write};
    let figures = |path: &Path| {
        let mut stream = std::os::unix::net::UnixStream::connect(path).unwrap();
        write!(
            stream,
            "GET /metrics HTTP/1.1\r\nHost: vmm\r\nConnection: close\r\n\r\n"
        )
        .unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        text
    };
    with_vmm(|client, path| {
        let text = figures(path);
        assert!(text.contains("application/openmetrics-text"), "{text}");
        assert!(text.contains("dvs_vmm_build_info{") && !text.contains("dvs_vmm_state{"));
        let config = json!({"payload": {"kernel": "/k"}, "serial": {"mode": "Off"}});
        client.put("vm.create", Some(&config)).unwrap();
        assert!(figures(path).contains("dvs_vmm_state{state=\"Created\"} 1.0"));
    });
}

/// Paths of the OpenAPI document with their methods.
fn documented() -> Vec<(String, &'static str)> {
    let text = include_str!("../../../resources/openapi/dvs-vmm.yaml");
    let mut found = Vec::new();
    let mut path = String::new();
    for line in text.lines() {
        match line {
            _ if line.starts_with("  /") => {
                path = line
                    .trim()
                    .trim_end_matches(':')
                    .trim_start_matches('/')
                    .to_owned()
            }
            // Not below /api/v1, and tested by itself.
            "    get:" if path == "metrics" => {}
            "    get:" => found.push((path.clone(), "get")),
            "    put:" => found.push((path.clone(), "put")),
            _ => {}
        }
    }
    found
}

#[test]
fn every_documented_path_is_served_by_its_method_alone() {
    let documented = documented();
    assert_eq!(documented.len(), 16);
    with_vmm(|client, _| {
        for (path, method) in &documented {
            let other = match *method {
                "get" => client.put(path, None),
                _ => client.get(path).map(Some),
            };
            assert_eq!(refused(other).0, 405, "{path}");
            let answer = match *method {
                "get" => client.get(path).map(Some),
                _ if path == "vmm.shutdown" => continue,
                _ => client.put(path, None),
            };
            if let Err(error) = answer {
                assert!(
                    !error.to_string().contains("in this API"),
                    "{path}: {error}"
                );
            }
        }
    });
}

#[test]
fn what_cannot_move_is_told_so() {
    with_vmm(|client, folder| {
        let to = |url: &str| json!({"destination_url": url, "plaintext": true});
        let send = |body: &serde_json::Value| client.put("vm.send-migration", Some(body));
        assert_eq!(refused(send(&to("tcp:127.0.0.1:1"))).0, 404);
        let (status, why) = refused(send(&to("127.0.0.1:1")));
        assert_eq!(status, 400);
        assert!(why.starts_with("destination_url:"), "{why}");
        let error = client.get("vm.migration-progress").unwrap_err();
        assert!(
            error.to_string().contains("there is no migration"),
            "{error}"
        );
        assert_eq!(refused(client.put("vm.migration-cancel", None)).0, 404);

        let config = json!({"payload": {"kernel": "/k"}, "serial": {"mode": "Null"}});
        client.put("vm.create", Some(&config)).unwrap();
        assert_eq!(refused(send(&to("tcp:127.0.0.1:1"))).0, 409);
        let node = folder.with_file_name("no-node.sock");
        let here = json!({"receiver_url": "tcp:127.0.0.1:0", "node": node, "plaintext": true});
        let receive = || client.put("vm.receive-migration", Some(&here));
        assert_eq!(refused(receive()).0, 409);
        client.put("vm.delete", None).unwrap();
        let (status, why) = refused(receive());
        assert_eq!(status, 500);
        assert!(why.contains("is dvs-node running there?"), "{why}");
    });
}
