//! A mini guest moves between two hosts of a cluster, on the real /dev/kvm and with a real etcd
//! (Debian's package etcd-server).

#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends")]

mod common;

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use common::{Running, Step, kernel};
use dvs_migration::progress::{Progress, State};
use dvs_vmm::api::config::from_json;
use dvs_vmm::api::{Request, Response, VmState};
use dvs_vmm::ctl::client::Client as CtlClient;
use serde_json::{Value, json};
use tempfile::TempDir;
use virtio_dvs::node::client::Client;
use virtio_dvs::node::{Node, NodeConfig};
use virtio_dvs::testing::EtcdServer;
use virtio_dvs::vm::VmAttributes;

const VM: u32 = 7;

/// A host: a node, and a folder for what is its.
struct Host {
    folder: TempDir,
    _node: Node,
}

impl Host {
    fn new(etcd: &EtcdServer, nodeid: u32) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = NodeConfig {
            nodeid,
            api_socket: Some(folder.path().join("node.sock")),
            run_dir: Some(folder.path().join("run")),
            cluster: Some(etcd.cluster().unwrap()),
            ..NodeConfig::default()
        };
        let node = Node::start(config).unwrap();
        Self {
            folder,
            _node: node,
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn client(&self) -> Client {
        Client::new(self.path("node.sock"))
    }

    fn serial(&self) -> Value {
        json!({"mode": "File", "file": self.path("serial")})
    }

    fn printed(&self) -> usize {
        std::fs::read(self.path("serial")).map_or(0, |text| text.len())
    }

    /// Boots a machine that prints for ever.
    fn boot(&self, folder: &Path) -> Running {
        let attached = self.client().attach(&VmAttributes::new(VM, 0)).unwrap();
        let vmm = Running::boot(json!({
            "payload": {"kernel": kernel(folder, &[Step::PrintForEver(b'a')])},
            "memory": {"size": 16 << 20},
            "serial": self.serial(),
            "dvs": {"socket": attached.socket, "node": self.path("node.sock")},
        }));
        prints_on(self);
        vmm
    }

    /// A VMM that waits for a machine; gives where.
    fn receive(&self) -> (Running, String) {
        let vmm = Running::empty();
        let request = json!({
            "receiver_url": "tcp:127.0.0.1:0",
            "node": self.path("node.sock"),
            "serial": self.serial(),
            "plaintext": true,
        });
        let request = from_json(request.to_string().as_bytes()).unwrap();
        let answer = vmm
            .ask(Request::ReceiveMigration(Box::new(request)))
            .unwrap();
        let Response::Receiving(receiving) = answer else {
            panic!("{answer:?}");
        };
        (vmm, receiving.url)
    }

    fn place_of_vm(&self) -> (u32, u32) {
        let place = self.client().place(VM).unwrap();
        (place.node, place.epoch)
    }
}

/// Waits until the guest prints more.
fn prints_on(host: &Host) {
    let before = host.printed();
    while host.printed() <= before {
        std::thread::yield_now();
    }
}

fn send(vmm: &Running, url: &str) {
    let request = json!({"destination_url": url, "plaintext": true});
    let request = from_json(request.to_string().as_bytes()).unwrap();
    vmm.ask(Request::SendMigration(Box::new(request))).unwrap();
}

fn progress(vmm: &Running) -> Progress {
    match vmm.ask(Request::MigrationProgress).unwrap() {
        Response::Progress(progress) => *progress,
        other => panic!("{other:?}"),
    }
}

/// Waits for the end of a migration.
fn ended(vmm: &Running) -> Progress {
    loop {
        let progress = progress(vmm);
        if progress.is_over() {
            return progress;
        }
        std::thread::yield_now();
    }
}

fn state(vmm: &Running) -> VmState {
    match vmm.ask(Request::Info).unwrap() {
        Response::Info(info) => info.state,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_guest_moves_there_and_back() {
    let etcd = EtcdServer::start().unwrap();
    let (one, two) = (Host::new(&etcd, 1), Host::new(&etcd, 2));
    let first = one.boot(one.folder.path());
    let before = one.place_of_vm();
    let (second, url) = two.receive();
    send(&first, &url);
    let left = ended(&first);
    assert_eq!(left.state, State::Completed, "{left:?}");
    first.end().unwrap();
    prints_on(&two);
    let came = ended(&second);
    assert_eq!(
        (came.state, state(&second)),
        (State::Completed, VmState::Running)
    );
    assert_eq!(two.place_of_vm(), (2, before.1 + 1));
    let (third, url) = one.receive();
    send(&second, &url);
    assert_eq!(ended(&second).state, State::Completed);
    second.end().unwrap();
    prints_on(&one);
    assert_eq!(one.place_of_vm(), (1, before.1 + 2));
    third.stop();
}

/// A program of ours; it ends with the test.
struct Program(Child);

impl Program {
    fn start(program: &str, arguments: &[&str]) -> Self {
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::null());
        Self(command.stdout(Stdio::piped()).spawn().unwrap())
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        let mut out = BufReader::new(self.0.stdout.as_mut().unwrap());
        out.read_line(&mut line).unwrap();
        line.trim().to_owned()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Waits until somebody listens at a socket and says that the machine runs.
fn runs_at(socket: &Path) -> CtlClient {
    let client = CtlClient::new(socket);
    loop {
        match client.get("vm.info") {
            Ok(info) if info["state"] == "Running" => return client,
            _ => std::thread::yield_now(),
        }
    }
}

/// What was told to whoever watches: events, and of migrations their stages.
fn events(file: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(file).unwrap();
    let name = |line: &str| {
        let event: Value = serde_json::from_str(line).unwrap();
        let stage = &event["properties"]["state"];
        let name = stage.as_str().or(event["event"].as_str());
        name.unwrap().to_owned()
    };
    text.lines().map(name).collect()
}

#[test]
fn dvsctl_moves_a_machine_to_a_host_that_takes_them() {
    const VMM: &str = env!("CARGO_BIN_EXE_dvs-vmm");
    let etcd = EtcdServer::start().unwrap();
    let (one, two) = (Host::new(&etcd, 1), Host::new(&etcd, 2));
    let text = |path: PathBuf| path.to_str().unwrap().to_owned();
    let file = |host: &Host| format!("file={}", text(host.path("serial")));
    let (nodes, api) = (
        [&one, &two].map(|host| text(host.path("node.sock"))),
        text(one.path("vmm.sock")),
    );
    let mut taking = Program::start(
        VMM,
        &[
            "--serve-migrations",
            "tcp:127.0.0.1:0",
            "--node",
            &nodes[1],
            "--plaintext",
            "--serial",
            &file(&two),
            "--api-dir",
            two.folder.path().to_str().unwrap(),
        ],
    );
    let port = taking.line().rsplit_once(':').unwrap().1.to_owned();

    let attached = one.client().attach(&VmAttributes::new(VM, 0)).unwrap();
    let kernel = kernel(one.folder.path(), &[Step::PrintForEver(b'a')]);
    let dvs = format!("socket={},node={}", text(attached.socket), nodes[0]);
    let mut machine = Program::start(
        VMM,
        &[
            "--kernel",
            &text(kernel),
            "--memory",
            "size=16M",
            "--serial",
            &file(&one),
            "--dvs",
            &dvs,
            "--api-socket",
            &api,
            "--event-monitor",
            &format!("path={}", text(one.path("events"))),
        ],
    );
    prints_on(&one);
    let moved = Command::new(env!("CARGO_BIN_EXE_dvsctl"))
        .args(["--api-socket", &api, "--node", &nodes[0]])
        .args(["migrate", "7", "--to", "2", "--port", &port, "--plaintext"])
        .output()
        .unwrap();
    let said = String::from_utf8(moved.stdout).unwrap();
    let complaints = String::from_utf8(moved.stderr).unwrap();
    assert!(moved.status.success(), "{complaints}");
    assert!(said.contains("VM 7 runs at node 2"), "{said}");
    assert!(machine.0.wait().unwrap().success());
    let events = events(&one.path("events"));
    assert_eq!(events.first().unwrap(), "starting");
    assert!(events.contains(&"precopy".to_owned()), "{events:?}");
    assert_eq!(events[events.len() - 2..], ["completed", "shutdown"]);

    let there = runs_at(&two.path("vm-7.sock"));
    prints_on(&two);
    // Whoever has started it may end.
    drop(taking);
    prints_on(&two);
    there.put("vmm.shutdown", None).unwrap();
}
