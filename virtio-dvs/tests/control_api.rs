//! The control API, its client, and dvs-node itself.

#![allow(clippy::unwrap_used, reason = "a test")]

mod common;

use common::{Host, Vmm, config};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;
use virtio_dvs::node::Node;
use virtio_dvs::node::client::{Client, ClientError};
use virtio_dvs::vm::VmAttributes;

/// Status and body of a request.
fn http(socket: &Path, method: &str, path: &str, body: &str) -> (u16, serde_json::Value) {
    let mut stream = UnixStream::connect(socket).unwrap();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: node\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
    let body = answer.split_once("\r\n\r\n").unwrap().1;
    (status, serde_json::from_str(body).unwrap_or_default())
}

#[test]
fn attach_and_detach() {
    let host = Host::new();
    let client = host.client();
    assert_eq!(client.ping().unwrap().pid, std::process::id());
    let mut attributes = VmAttributes::new(7, 2);
    attributes.limits.max_endpoints = 3;
    let attached = client.attach(&attributes).unwrap();
    assert_eq!(attached.socket, host.socket(7));
    let mode = attached.socket.metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let port = &client.ports().unwrap()[0];
    assert_eq!((port.vm, port.dcid, port.limits.max_endpoints), (7, 2, 3));
    assert!(!port.connected && port.incarnation.is_none());
    let info = client.info().unwrap();
    assert_eq!((info.vms, info.max_vms), (1, 256));
    client.detach(7).unwrap();
    assert!(client.ports().unwrap().is_empty());
    assert!(!attached.socket.exists());
}

#[test]
fn refusals_say_what_is_wrong() {
    let host = Host::with(|config| config.max_vms = 2);
    let api = host.directory.path().join("api.sock");
    host.client().attach(&VmAttributes::new(1, 0)).unwrap();
    let cases = [
        (
            "PUT",
            "vm.attach",
            r#"{"vm":1}"#,
            409,
            "VM 1 is attached already",
        ),
        (
            "PUT",
            "vm.attach",
            r#"{"vm":0}"#,
            400,
            "VM id 0 is reserved",
        ),
        ("PUT", "vm.attach", r#"{"vm":4294967295}"#, 400, "reserved"),
        (
            "PUT",
            "vm.attach",
            r#"{"vm":4294967296}"#,
            400,
            "not understood",
        ),
        ("PUT", "vm.attach", r#"{"vm":"x"}"#, 400, "invalid type"),
        (
            "PUT",
            "vm.attach",
            r#"{"vm":2,"colour":1}"#,
            400,
            "unknown field `colour`",
        ),
        (
            "PUT",
            "vm.attach",
            r#"{"dcid":2}"#,
            400,
            "missing field `vm`",
        ),
        ("PUT", "vm.attach", "{", 400, "EOF while parsing"),
        ("PUT", "vm.attach", "", 400, "EOF while parsing"),
        (
            "PUT",
            "vm.attach",
            r#"{"vm":2,"limits":{"max_peers":65}}"#,
            400,
            "limits.max_peers is 65; it must be from 1 to 64",
        ),
        (
            "PUT",
            "vm.attach",
            r#"{"vm":2,"dc":{"nr_procs":0}}"#,
            400,
            "dc.nr_procs is 0",
        ),
        (
            "PUT",
            "vm.attach",
            r#"{"vm":2,"dc":{"name":"a name that is too long"}}"#,
            400,
            "at most 15 bytes",
        ),
        (
            "PUT",
            "vm.attach",
            r#"{"vm":2,"dc":{"nr_procs":300}}"#,
            409,
            "DC 0 exists with other attributes",
        ),
        (
            "PUT",
            "vm.detach",
            r#"{"vm":9}"#,
            404,
            "VM 9 is not attached",
        ),
        ("PUT", "vm.detach", r#"{}"#, 400, "missing field `vm`"),
        (
            "GET",
            "vm.detach",
            "",
            405,
            "/api/v1/vm.detach does not take GET",
        ),
        ("PUT", "ports", "", 405, "does not take PUT"),
        ("GET", "nothing", "", 404, "there is no GET /api/v1/nothing"),
    ];
    for (method, name, body, status, sentence) in cases {
        let (got, answer) = http(&api, method, &format!("/api/v1/{name}"), body);
        let error = answer["error"].as_str().unwrap_or_default();
        assert_eq!(got, status, "{name} {body}: {error}");
        assert!(error.contains(sentence), "{name} {body}: {error}");
    }
    let large = "x".repeat(100_000);
    assert_eq!(http(&api, "PUT", "/api/v1/vm.attach", &large).0, 413);
    host.client().attach(&VmAttributes::new(2, 0)).unwrap();
    let full = host.client().attach(&VmAttributes::new(3, 0)).unwrap_err();
    assert!(matches!(full, ClientError::Refused { status: 409, .. }));
    assert!(full.to_string().contains("at most 2 VMs"));
    // Whoever sends no HTTP at all is cut off.
    let mut stream = UnixStream::connect(&api).unwrap();
    stream.write_all(b"\0\0\0nonsense\r\n\r\n").unwrap();
    stream.read_to_end(&mut Vec::new()).unwrap();
    assert!(host.client().ping().is_ok());
}

#[test]
fn a_socket_that_cannot_be_made_leaves_no_port() {
    let host = Host::new();
    std::fs::write(host.socket(4), "").unwrap();
    let error = host.client().attach(&VmAttributes::new(4, 0)).unwrap_err();
    assert!(error.to_string().contains("exists and is not a socket"));
    assert!(host.client().ports().unwrap().is_empty());
    std::fs::remove_file(host.socket(4)).unwrap();
    host.client().attach(&VmAttributes::new(4, 0)).unwrap();
}

#[test]
fn nobody_listens() {
    let error = Client::new("/nonexistent/api.sock").ping().unwrap_err();
    assert!(error.to_string().contains("is dvs-node running there?"));
}

#[test]
fn nodes_that_cannot_start() {
    let host = Host::new();
    let refuse = |change: &dyn Fn(&mut virtio_dvs::node::NodeConfig)| {
        let mut config = config(host.directory.path());
        config.run_dir = Some(host.directory.path().join("other"));
        change(&mut config);
        Node::start(config).unwrap_err().to_string()
    };
    assert!(refuse(&|_| {}).contains("another process listens on"));
    assert!(refuse(&|it| it.api_socket = None).contains("api_socket"));
    assert!(refuse(&|it| it.run_dir = None).contains("run_dir"));
    assert!(refuse(&|it| it.run_dir = Some("/proc/no".into())).contains("cannot create"));
    assert!(refuse(&|it| it.max_vms = 0).contains("max_vms is 0; it must be from 1 to 4096"));
    assert!(refuse(&|it| it.grace_ms = u64::MAX).contains("grace_ms"));
    let long = "x".repeat(120);
    assert!(refuse(&|it| it.api_socket = Some(long.clone().into())).contains("longer than 107"));
    let state = host.directory.path().join("state");
    std::fs::write(&state, "nonsense\n").unwrap();
    let error = refuse(&|it| it.state_file = Some(state.clone()));
    assert!(error.contains("line 1 of the state file"), "{error}");
}

/// dvs-node with these arguments.
fn dvs_node(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dvs-node"));
    command.args(arguments).stderr(Stdio::piped());
    command
}

fn start(directory: &TempDir) -> Child {
    let path = |name: &str| directory.path().join(name).display().to_string();
    let (api, run) = (path("api.sock"), path("run"));
    let mut child = dvs_node(&["--api-socket", &api, "--run-dir", &run])
        .spawn()
        .unwrap();
    let log = BufReader::new(child.stderr.take().unwrap());
    let ready = |line: &str| line.contains("the node is ready");
    assert!(log.lines().any(|line| ready(&line.unwrap())));
    child
}

#[test]
fn the_program_ends_cleanly_at_sigterm_and_sigint() {
    for signal in [rustix::process::Signal::TERM, rustix::process::Signal::INT] {
        let directory = TempDir::new().unwrap();
        let mut child = start(&directory);
        let client = Client::new(directory.path().join("api.sock"));
        assert_eq!(client.ping().unwrap().pid, child.id());
        let attached = client.attach(&VmAttributes::new(1, 0)).unwrap();
        let vmm = Vmm::start(&attached.socket, 1);
        let pid = rustix::process::Pid::from_child(&child);
        rustix::process::kill_process(pid, signal).unwrap();
        assert!(child.wait().unwrap().success());
        assert!(!directory.path().join("api.sock").exists());
        assert!(!attached.socket.exists());
        drop(vmm);
    }
}

#[test]
fn the_program_takes_the_place_of_one_that_was_killed() {
    let directory = TempDir::new().unwrap();
    let mut child = start(&directory);
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(directory.path().join("api.sock").exists());
    let mut child = start(&directory);
    let client = Client::new(directory.path().join("api.sock"));
    assert_eq!(client.ping().unwrap().pid, child.id());
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_connection_that_is_kept_is_made_again_when_it_is_over() {
    let directory = TempDir::new().unwrap();
    let mut child = start(&directory);
    let client = Client::new(directory.path().join("api.sock")).kept_open();
    let other = client.clone();
    for client in [&client, &other, &client] {
        assert_eq!(client.ping().unwrap().pid, child.id());
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(client.ping().is_err());
    let mut child = start(&directory);
    assert_eq!(client.ping().unwrap().pid, child.id());
    // It is over before anything is asked again.
    child.kill().unwrap();
    child.wait().unwrap();
    let mut child = start(&directory);
    assert_eq!(other.ping().unwrap().pid, child.id());
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn the_program_says_what_is_wrong() {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("node.json");
    let file = file.to_str().unwrap();
    let refuse = |text: &str| {
        std::fs::write(file, text).unwrap();
        let output = dvs_node(&["--config", file]).output().unwrap();
        assert!(!output.status.success());
        String::from_utf8(output.stderr).unwrap()
    };
    assert!(refuse("{").contains("is not understood: EOF"));
    assert!(refuse(r#"{"max_vm":1}"#).contains("unknown field `max_vm`"));
    assert!(refuse("{}").contains("dvs-node: the directory of the sockets (run_dir) is not given"));
    assert!(refuse(&" ".repeat(2 << 20)).contains("larger than"));
    let output = dvs_node(&["--config", "/nonexistent"]).output().unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains("cannot read the configuration file /nonexistent"));
}

#[test]
fn the_description_of_the_api_is_complete() {
    let host = Host::new();
    host.client().attach(&VmAttributes::new(1, 0)).unwrap();
    let api = host.directory.path().join("api.sock");
    let text = include_str!("../../resources/openapi/dvs-node.yaml");
    let mut lines = text.lines().peekable();
    let mut paths = 0;
    while let Some(line) = lines.next() {
        let Some(path) = line.strip_prefix("  /").and_then(|it| it.strip_suffix(':')) else {
            continue;
        };
        paths += 1;
        let method = lines.peek().unwrap().trim().trim_end_matches(':');
        let base = if path == "metrics" { "" } else { "/api/v1" };
        let (status, _) = http(&api, &method.to_uppercase(), &format!("{base}/{path}"), "");
        assert!(matches!(status, 200 | 400), "{method} {path}: {status}");
    }
    assert_eq!(paths, 18);
    // Every field of every answer is described.
    let described = |value: &serde_json::Value| {
        for name in value.as_object().unwrap().keys() {
            assert!(text.contains(&format!("        {name}: ")), "{name}");
        }
    };
    for path in ["node.ping", "node.info"] {
        described(&http(&api, "GET", &format!("/api/v1/{path}"), "").1);
    }
    for path in ["ports", "counters"] {
        described(&http(&api, "GET", &format!("/api/v1/{path}"), "").1[0]);
    }
}

#[test]
fn a_rate_slows_a_vm_down_and_loses_nothing() {
    use virtio_dvs::frame::kind;
    use virtio_dvs::spec::QUEUE_MSG_TX;
    let host = Host::new();
    let mut slow = VmAttributes::new(1, 0);
    slow.limits.rate = Some(1000);
    let socket = host.client().attach(&slow).unwrap().socket;
    let (mut a, mut b) = (Vmm::start(&socket, 1), host.vm(2));
    let started = std::time::Instant::now();
    let frame = a.guest.frame_to(kind::RPL, 2, b.guest.incarnation);
    for _ in 0..200 {
        a.guest.send(&frame, &[]).unwrap();
    }
    a.kick(QUEUE_MSG_TX);
    assert_eq!(b.wait_for(200).len(), 200);
    // A hundred at once and a hundred in a tenth of a second.
    assert!(started.elapsed() >= std::time::Duration::from_millis(95));
    let counters = host.client().counters().unwrap();
    assert_eq!(counters[0].counters.frames_in, 200);
}
