//! An etcd of a test's own, and the configuration of nodes that use it.

use crate::directory::etcd::EtcdConfig;
use crate::node::ClusterConfig;
use rustix::process::{Pid, Signal, kill_process};
use std::io::{self, BufRead, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

/// An etcd with nothing in it (Debian's package etcd-server). It ends when this is dropped.
#[derive(Debug)]
pub struct EtcdServer {
    process: Child,
    url: String,
    _data: TempDir,
}

/// An address that nobody listens at.
///
/// # Errors
/// Whatever the system says.
pub fn free_address() -> io::Result<SocketAddr> {
    TcpListener::bind("127.0.0.1:0")?.local_addr()
}

impl EtcdServer {
    /// Starts it and waits until it serves.
    ///
    /// # Errors
    /// If it is not installed or ends at once.
    pub fn start() -> io::Result<EtcdServer> {
        let data = TempDir::new()?;
        let url = format!("http://{}", free_address()?);
        let mut process = Command::new("etcd")
            .arg("--data-dir")
            .arg(data.path().join("data"))
            .args(["--listen-client-urls", &url])
            .args(["--advertise-client-urls", &url])
            .args(["--listen-peer-urls", "http://127.0.0.1:0"])
            .args(["--initial-advertise-peer-urls", "http://127.0.0.1:1"])
            .args(["--initial-cluster", "default=http://127.0.0.1:1"])
            .args(["--unsafe-no-fsync"])
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()?;
        let log = process.stderr.take();
        let server = EtcdServer {
            process,
            url,
            _data: data,
        };
        let mut log = BufReader::new(log.ok_or(io::ErrorKind::BrokenPipe)?);
        let mut line = String::new();
        while !line.contains("ready to serve client requests") {
            line.clear();
            if log.read_line(&mut line)? == 0 {
                return Err(io::Error::other("etcd has ended"));
            }
        }
        // It goes on talking.
        std::thread::spawn(move || io::copy(&mut log, &mut io::sink()));
        Ok(server)
    }

    /// A node of its own in this cluster, without certificates.
    ///
    /// # Errors
    /// If there is no free address.
    pub fn cluster(&self) -> io::Result<ClusterConfig> {
        let etcd = EtcdConfig {
            endpoints: vec![self.url.clone()],
            timeout_ms: 30_000,
            ..EtcdConfig::default()
        };
        Ok(ClusterConfig {
            plaintext: true,
            ..ClusterConfig::new(free_address()?, etcd)
        })
    }
}

impl EtcdServer {
    /// It answers nobody any more.
    ///
    /// # Errors
    /// If it has ended.
    pub fn pause(&self) -> io::Result<()> {
        Ok(kill_process(self.pid(), Signal::STOP)?)
    }

    /// It answers what it was asked meanwhile.
    ///
    /// # Errors
    /// If it has ended.
    pub fn go_on(&self) -> io::Result<()> {
        Ok(kill_process(self.pid(), Signal::CONT)?)
    }

    fn pid(&self) -> Pid {
        Pid::from_child(&self.process)
    }
}

impl Drop for EtcdServer {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
