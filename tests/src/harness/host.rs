//! A host: a node that carries frames between its guests.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use virtio_dvs::node::client::Client;
use virtio_dvs::node::control::PortCounts;
use virtio_dvs::vm::VmAttributes;

use super::network::Namespace;
use super::process::Process;
use super::socket::connect;
use super::{COMMAND_LIMIT, Lab};

/// How a node is started, each time.
#[derive(Debug)]
struct Launch {
    name: String,
    /// The host's network; none: one of the node's own, with nothing in it, if we are root.
    namespace: Option<Namespace>,
    /// Flags beside those that say where its files are.
    flags: Vec<String>,
    control: PathBuf,
    sockets: PathBuf,
}

impl Launch {
    fn launch(&self, lab: &Lab) -> Result<Process> {
        fs::create_dir_all(&self.sockets)?;
        let program = lab.settings().program("dvs-node");
        let mut command = match &self.namespace {
            Some(namespace) => namespace.command(&program),
            None => lab.isolated(&program),
        };
        command
            .arg("--api-socket")
            .arg(&self.control)
            .arg("--run-dir")
            .arg(&self.sockets)
            .args(&self.flags);
        let mut node = Process::start(&self.name, command, &lab.log(&self.name))?;
        connect(&self.control, COMMAND_LIMIT).with_context(|| match node.ended() {
            Ok(Some(end)) => format!("{end}; its log says why"),
            _ => format!("{} does not answer", self.name),
        })?;
        Ok(node)
    }
}

/// A `dvs-node` process.
#[derive(Debug)]
pub struct Host {
    launch: Launch,
    node: Process,
}

/// What the node counted at one VM's port, over all its queues.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PortCounters {
    /// Notifications by the guest.
    pub kicks: u64,
    /// Interrupts raised in the guest.
    pub interrupts: u64,
}

impl Host {
    /// Starts the node of a host that knows no other.
    ///
    /// # Errors
    /// Fails if it does not answer in time.
    pub fn start(lab: &Lab, name: &str) -> Result<Self> {
        let state = lab.run_path(name).join("state");
        let flags = vec![format!("--state-file={}", state.display())];
        Self::start_in(lab, name, None, flags)
    }

    /// Starts the node of a host on this network, with flags that say whom it shall know.
    ///
    /// # Errors
    /// Fails if it does not answer in time.
    pub fn start_in(
        lab: &Lab,
        name: &str,
        namespace: Option<Namespace>,
        flags: Vec<String>,
    ) -> Result<Self> {
        let launch = Launch {
            name: name.to_owned(),
            namespace,
            flags,
            control: lab.run_path(&format!("{name}.sock")),
            sockets: lab.run_path(name),
        };
        if launch.sockets.exists() {
            // A new host knows nothing of an earlier one of its name.
            fs::remove_dir_all(&launch.sockets)?;
        }
        let node = launch.launch(lab)?;
        Ok(Self { launch, node })
    }

    /// Lets a VM take part; gives the vhost-user socket for its VMM.
    ///
    /// # Errors
    /// Fails if the node refuses.
    pub fn attach(&self, vm: u32, dcid: u32) -> Result<PathBuf> {
        self.attach_with(&VmAttributes::new(vm, dcid))
    }

    /// The same with attributes of one's own.
    ///
    /// # Errors
    /// Fails if the node refuses.
    pub fn attach_with(&self, attributes: &VmAttributes) -> Result<PathBuf> {
        Ok(self.client().attach(attributes)?.socket)
    }

    /// What the port of a VM counted so far.
    ///
    /// # Errors
    /// Fails if the node has gone or knows no such VM.
    pub fn port_counters(&self, vm: u32) -> Result<PortCounters> {
        let ports = self.client().counters()?;
        let port = ports
            .iter()
            .find(|port| port.vm == vm)
            .with_context(|| format!("VM {vm} has no port"))?;
        let PortCounts { counters, .. } = port;
        Ok(PortCounters {
            kicks: counters.kicks.values().sum(),
            interrupts: counters.calls.values().sum(),
        })
    }

    /// The node's control interface.
    #[must_use]
    pub fn client(&self) -> Client {
        Client::new(&self.launch.control)
    }

    /// The socket of that interface.
    #[must_use]
    pub fn control(&self) -> &Path {
        &self.launch.control
    }

    /// Its network, if it has one that others can use.
    #[must_use]
    pub fn network(&self) -> Option<&Namespace> {
        self.launch.namespace.as_ref()
    }

    /// Kills the node at once, as a crash would.
    pub fn kill_node(&mut self) {
        self.node.kill();
    }

    /// Kills the node at once and starts it again, as after a crash.
    ///
    /// # Errors
    /// Fails if it does not come back.
    pub fn crash_and_restart(&mut self, lab: &Lab) -> Result<()> {
        self.node.kill();
        self.node = self.launch.launch(lab)?;
        Ok(())
    }
}
