//! What operators look at: metrics, traces, other nodes, and the logs of dvs-node.

#![allow(clippy::unwrap_used, reason = "a test")]

mod common;

use common::Host;
use common::follow::{call, follow, free_address, request};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};
use tempfile::TempDir;
use virtio_dvs::link::LinkState;
use virtio_dvs::node::client::{Client, ClientError};
use virtio_dvs::node::control::{LinkInfo, NodeInfo, TraceRequest};

/// Head and body of the answer to a question.
fn http(mut stream: impl Read + Write, question: &str) -> (String, String) {
    let head = "HTTP/1.1\r\nHost: node\r\nConnection: close\r\n\r\n";
    write!(stream, "{question} {head}").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.to_lowercase(), body.to_owned())
}

#[test]
fn figures_are_at_the_socket_and_where_asked_for_over_tcp() {
    let address = free_address();
    let host = Host::with(|config| config.metrics_listen = Some(address));
    let mut a = host.vm(1);
    a.bind(10);
    let api = UnixStream::connect(host.directory.path().join("api.sock")).unwrap();
    let (head, body) = http(api, "GET /metrics");
    assert!(head.starts_with("http/1.1 200"), "{head}");
    assert!(head.contains("content-type: application/openmetrics-text"));
    for line in [
        "dvs_node_vms{state=\"running\"} 1.0",
        "dvs_port_endpoints{vm=\"1\"} 1.0",
        "dvs_port_control_requests_total{vm=\"1\"} 1",
        "# EOF",
    ] {
        assert!(body.lines().any(|it| it == line), "{line} in\n{body}");
    }
    let over_tcp = |question| http(TcpStream::connect(address).unwrap(), question);
    let (head, body) = over_tcp("GET /metrics");
    assert!(head.contains("content-type: application/openmetrics-text"));
    assert!(body.contains("dvs_port_endpoints{vm=\"1\"} 1.0"));
    // Nothing else can be had there.
    assert!(
        over_tcp("GET /api/v1/node.info")
            .0
            .starts_with("http/1.1 404")
    );
    assert!(over_tcp("PUT /metrics").0.starts_with("http/1.1 405"));
    let idle: Vec<_> = (0..4).map(|_| TcpStream::connect(address)).collect();
    assert!(over_tcp("GET /metrics").0.starts_with("http/1.1 200"));
    drop(idle);
}

#[test]
fn an_address_in_use_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let directory = TempDir::new().unwrap();
    let mut config = common::config(directory.path());
    config.metrics_listen = Some(address);
    let error = virtio_dvs::node::Node::start(config)
        .unwrap_err()
        .to_string();
    assert!(error.contains(&address.to_string()), "{error}");
}

#[test]
fn a_call_is_followed_and_its_frames_are_told() {
    let host = Host::new();
    let (mut a, mut b) = (host.vm(1), host.vm(2));
    let generation = a.bind(10);
    let asked = follow(host.client(), request(20, 2));
    let mut op = 0;
    while !asked.is_finished() {
        op += 1;
        call(&mut a, &b, generation, op);
        b.wait_for(1);
    }
    let trace = asked.join().unwrap().unwrap();
    assert!(trace.full);
    let shown: Vec<_> = trace
        .records
        .iter()
        .map(|it| (it.at.as_str(), it.vm, it.peer, it.kind.as_str()))
        .collect();
    let expected = [("from_guest", 1, 2, "REQ"), ("to_guest", 2, 1, "REQ")];
    assert_eq!(shown, expected);
    let first = &trace.records[0];
    assert_eq!((first.caller, &first.op), (1, &trace.records[1].op));
    assert!(first.op.starts_with("0x"));
    assert_eq!((first.src_ep, first.dst_ep), (10, 20));
}

#[test]
fn traces_end_and_wrong_ones_are_refused() {
    let host = Host::new();
    let client = host.client();
    let short = TraceRequest {
        timeout_ms: 1,
        ..request(20, 5)
    };
    let trace = client.trace(&short).unwrap();
    assert!(!trace.full && trace.records.is_empty());
    let refused = |request: TraceRequest| client.trace(&request).unwrap_err().to_string();
    assert!(refused(request(20, 0)).contains("count is 0; it must be from 1 to 1000"));
    assert!(refused(request(20, 1001)).contains("count is 1001"));
    let long = TraceRequest {
        timeout_ms: 20_001,
        ..request(20, 5)
    };
    assert!(refused(long).contains("timeout_ms is 20001"));
}

#[test]
fn a_trace_ends_with_its_client() {
    let host = Host::new();
    let body = r#"{"endpoint":20,"count":5,"timeout_ms":20000}"#;
    let head = format!("Host: node\r\nContent-Length: {}", body.len());
    let ask = || {
        let mut stream = UnixStream::connect(host.directory.path().join("api.sock")).unwrap();
        write!(stream, "PUT /api/v1/trace HTTP/1.1\r\n{head}\r\n\r\n{body}").unwrap();
        stream
    };
    let busy = || {
        let short = TraceRequest {
            timeout_ms: 1,
            ..request(20, 5)
        };
        let asked = host.client().trace(&short);
        matches!(asked, Err(ClientError::Refused { status: 409, .. }))
    };
    let mut stream = ask();
    while !busy() {
        // It may have come while this test looked whether it had: then it was refused.
        stream = ask();
    }
    drop(stream);
    while busy() {}
}

#[test]
fn a_node_alone_knows_no_others() {
    let host = Host::new();
    assert!(host.client().nodes().unwrap().is_empty());
    assert!(host.client().links().unwrap().is_empty());
}

#[test]
fn every_field_of_nodes_links_and_traces_is_described() {
    let text = include_str!("../../resources/openapi/dvs-node.yaml");
    let described = |value: serde_json::Value| {
        for name in value.as_object().unwrap().keys() {
            assert!(text.contains(&format!("        {name}: ")), "{name}");
        }
    };
    let node = NodeInfo {
        nodeid: 1,
        address: "[::1]:9462".to_owned(),
        alive: true,
        vms: Some(1),
    };
    described(serde_json::to_value(node).unwrap());
    let link = LinkInfo {
        node: 2,
        address: Some("[::1]:9462".to_owned()),
        state: LinkState::Up,
        since_ms: Some(1),
        dialled_by_us: Some(true),
        tls: true,
        version: Some(1),
        frames_in: 0,
        frames_out: 0,
        bytes_in: 0,
        bytes_out: 0,
        dropped: 0,
        rtt_us: Some(1),
        last_error: Some(String::new()),
    };
    described(serde_json::to_value(link).unwrap());
    described(serde_json::to_value(request(1, 1)).unwrap());
    let host = Host::new();
    let (mut a, mut b) = (host.vm(1), host.vm(2));
    let generation = a.bind(10);
    let asked = follow(host.client(), request(20, 1));
    while !asked.is_finished() {
        call(&mut a, &b, generation, 1);
        b.wait_for(1);
    }
    let trace = asked.join().unwrap().unwrap();
    let mut record = trace.records[0].clone();
    record.reason = Some("no_room".to_owned());
    described(serde_json::to_value(record).unwrap());
    described(serde_json::to_value(trace).unwrap());
}

#[test]
fn logs_are_objects_where_asked_for() {
    let directory = TempDir::new().unwrap();
    let path = |name: &str| directory.path().join(name).display().to_string();
    let mut child = Command::new(env!("CARGO_BIN_EXE_dvs-node"))
        .args(["--log-format", "json", "--run-dir", &path("run")])
        .args(["--api-socket", &path("api.sock")])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut log = BufReader::new(child.stderr.take().unwrap()).lines();
    let ready = loop {
        let line = log.next().unwrap().unwrap();
        let object: serde_json::Value = serde_json::from_str(&line).unwrap();
        if object["message"] == "the node is ready" {
            break object;
        }
    };
    assert_eq!(ready["api"], path("api.sock"));
    assert_eq!(ready["level"], "INFO");
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn what_is_no_terminal_gets_no_colours() {
    let directory = TempDir::new().unwrap();
    let path = |name: &str| directory.path().join(name).display().to_string();
    let mut child = Command::new(env!("CARGO_BIN_EXE_dvs-node"))
        .args(["--run-dir", &path("run"), "--api-socket", &path("api.sock")])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut log = BufReader::new(child.stderr.take().unwrap()).lines();
    let ready = log.find(|line| line.as_ref().unwrap().contains("the node is ready"));
    assert!(!ready.unwrap().unwrap().contains('\x1b'));
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn what_is_wrong_is_said_once() {
    let output = Command::new(env!("CARGO_BIN_EXE_dvs-node"))
        .args(["--run-dir", "run", "--api-socket", "api.sock"])
        .args(["--listen", "127.0.0.1:7400", "--plaintext"])
        .args(["--etcd", "host"])
        .output()
        .unwrap();
    assert!(!output.status.success());
    assert_eq!(
        String::from_utf8(output.stderr).unwrap(),
        "dvs-node: cluster.etcd: the etcd endpoint \"host\" must begin with http:// or https://\n"
    );
}

#[test]
fn the_program_tells_systemd_that_it_is_ready() {
    let directory = TempDir::new().unwrap();
    let path = |name: &str| directory.path().join(name);
    let socket = std::os::unix::net::UnixDatagram::bind(path("notify")).unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_dvs-node"))
        .arg("--run-dir")
        .arg(path("run"))
        .arg("--api-socket")
        .arg(path("api.sock"))
        .env("NOTIFY_SOCKET", path("notify"))
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut told = [0; 64];
    let length = socket.recv(&mut told).unwrap();
    assert_eq!(&told[..length], b"READY=1\n");
    assert_eq!(
        Client::new(path("api.sock")).ping().unwrap().pid,
        child.id()
    );
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn the_program_prints_its_manual_page_and_completion() {
    let print = |what: &str| {
        let output = Command::new(env!("CARGO_BIN_EXE_dvs-node"))
            .args(["--print", what])
            .output()
            .unwrap();
        assert!(output.status.success());
        String::from_utf8(output.stdout).unwrap()
    };
    assert!(print("man").contains(".TH dvs-node 8"));
    for shell in ["bash", "fish", "zsh"] {
        assert!(print(shell).contains("metrics-listen"), "{shell}");
    }
}
