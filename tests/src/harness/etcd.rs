//! The directory that hosts share.

use std::net::Ipv4Addr;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::{fs, io};

use anyhow::{Context, Result, ensure};

use super::network::Namespace;
use super::process::Process;
use super::{COMMAND_LIMIT, Lab, Late};

/// Debian's etcd-server.
const PROGRAM: &str = "/usr/bin/etcd";
/// Port for its clients.
const PORT: u16 = 2379;

/// An etcd of one member, on a network of its own.
#[derive(Debug)]
pub struct Etcd {
    name: String,
    namespace: Namespace,
    url: String,
    process: Process,
}

impl Etcd {
    /// Starts it with an empty store, at this address of its namespace.
    ///
    /// # Errors
    /// Fails if it does not serve in time.
    pub fn start(lab: &Lab, name: &str, namespace: Namespace, address: Ipv4Addr) -> Result<Self> {
        let data = lab.run_path(name);
        if data.exists() {
            fs::remove_dir_all(data)?;
        }
        let url = format!("http://{address}:{PORT}");
        let process = launch(lab, name, &namespace, &url)?;
        Ok(Self {
            name: name.to_owned(),
            namespace,
            url,
            process,
        })
    }

    /// Where it serves.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Ends it at once, as a crash would; what it has stored stays.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Starts it again with what it has stored.
    ///
    /// # Errors
    /// Fails if it does not serve in time.
    pub fn restart(&mut self, lab: &Lab) -> Result<()> {
        self.process.kill();
        self.process = launch(lab, &self.name, &self.namespace, &self.url)?;
        Ok(())
    }
}

fn launch(lab: &Lab, name: &str, namespace: &Namespace, url: &str) -> Result<Process> {
    const PEER: &str = "http://127.0.0.1:2380";
    let notify = lab.run_path(&format!("{name}.notify"));
    let ready = Ready::listen(&notify)?;
    let mut etcd = namespace.command(Path::new(PROGRAM));
    etcd.env("NOTIFY_SOCKET", &notify);
    etcd.arg("--data-dir").arg(lab.run_path(name));
    etcd.args(["--listen-client-urls", url, "--advertise-client-urls", url]);
    etcd.args(["--listen-peer-urls", PEER])
        .args(["--initial-advertise-peer-urls", PEER])
        .args(["--initial-cluster", &format!("default={PEER}")]);
    let mut process = Process::start(name, etcd, &lab.log(name))?;
    ready.wait().with_context(|| match process.ended() {
        Ok(Some(end)) => format!("{end}; its log says why"),
        _ => "etcd does not serve".into(),
    })?;
    Ok(process)
}

/// Where a service tells that it is ready, as sd_notify does.
struct Ready(UnixDatagram);

impl Ready {
    fn listen(path: &Path) -> Result<Self> {
        if path.exists() {
            fs::remove_file(path)?;
        }
        let socket = UnixDatagram::bind(path)?;
        socket.set_read_timeout(Some(COMMAND_LIMIT))?;
        Ok(Self(socket))
    }

    fn wait(self) -> Result<()> {
        let mut said = [0; 256];
        let length = match self.0.recv(&mut said) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                return Err(Late("it has not told that it is ready".into()).into());
            }
            received => received?,
        };
        let said = String::from_utf8_lossy(said.get(..length).unwrap_or_default());
        ensure!(said.contains("READY=1"), "it tells: {said}");
        Ok(())
    }
}
