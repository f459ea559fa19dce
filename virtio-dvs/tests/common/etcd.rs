//! A cluster: nodes around an etcd.

use super::Host;
use super::follow::free_address;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;
use virtio_dvs::directory::etcd::EtcdConfig;
use virtio_dvs::node::ClusterConfig;

/// An etcd of its own.
pub struct Etcd {
    process: Child,
    url: String,
    _data: TempDir,
}

impl Etcd {
    pub fn start() -> Etcd {
        let data = TempDir::new().unwrap();
        let url = format!("http://{}", free_address());
        let mut process = Command::new("etcd")
            .arg("--data-dir")
            .arg(data.path().join("data"))
            .args([
                "--listen-client-urls",
                &url,
                "--advertise-client-urls",
                &url,
            ])
            .args(["--listen-peer-urls", "http://127.0.0.1:0"])
            .args(["--initial-advertise-peer-urls", "http://127.0.0.1:1"])
            .args(["--initial-cluster", "default=http://127.0.0.1:1"])
            .args(["--unsafe-no-fsync"])
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("Debian's package etcd-server must be installed");
        let mut log = BufReader::new(process.stderr.take().unwrap());
        let mut line = String::new();
        while !line.contains("ready to serve client requests") {
            line.clear();
            assert_ne!(log.read_line(&mut line).unwrap(), 0, "etcd has ended");
        }
        // It goes on talking.
        std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
        Etcd {
            process,
            url,
            _data: data,
        }
    }

    /// A node that is a member of the cluster.
    pub fn host(&self, nodeid: u32) -> Host {
        let etcd = EtcdConfig {
            endpoints: vec![self.url.clone()],
            timeout_ms: 30_000,
            ..EtcdConfig::default()
        };
        let cluster = ClusterConfig {
            plaintext: true,
            ..ClusterConfig::new(free_address(), etcd)
        };
        Host::with(|config| {
            config.nodeid = nodeid;
            config.cluster = Some(cluster);
        })
    }
}

impl Drop for Etcd {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}
