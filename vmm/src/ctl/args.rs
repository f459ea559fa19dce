//! The command line of `dvsctl`.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;

/// Controls a VMM (dvs-vmm) and a node (dvs-node) through their REST interfaces.
#[derive(Clone, Debug, Parser)]
#[command(name = "dvsctl", version)]
pub struct Cli {
    /// REST socket of the VMM, for vm and vmm
    #[arg(long, global = true, value_name = "PATH", env = "DVS_API_SOCKET")]
    pub api_socket: Option<PathBuf>,
    /// REST socket of the node, for all other commands
    #[arg(long, global = true, value_name = "PATH", env = "DVS_NODE")]
    pub node: Option<PathBuf>,
    /// Print the answer as JSON
    #[arg(long, global = true)]
    pub json: bool,
    /// What to do
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// The virtual machine of a VMM
    #[command(subcommand)]
    Vm(VmCommand),
    /// The VMM itself
    #[command(subcommand)]
    Vmm(VmmCommand),
    /// Attach a VM to the node; prints the socket for its VMM
    Attach(Attach),
    /// Detach a VM from the node
    Detach {
        /// Number of the VM
        #[arg(long)]
        vm: u32,
    },
    /// Ports of the node
    Ports,
    /// Endpoints bound by the node's VMs, what they do, and who waits for whom
    Endpoints,
    /// Counters of the node's ports
    Counters,
    /// About the node
    Info,
    /// Whether the node answers
    Ping,
    /// Certificates for the links between nodes, by a small CA for trying
    #[command(subcommand)]
    Pki(PkiCommand),
    /// Print a completion script for a shell
    Completion {
        /// The shell
        shell: Shell,
    },
}

/// Orders and questions about the virtual machine.
#[derive(Clone, Debug, Subcommand)]
pub enum VmCommand {
    /// Create it from a configuration file (JSON; - is standard input)
    Create {
        /// The configuration
        config: PathBuf,
    },
    /// Boot it
    Boot,
    /// Its configuration and state
    Info,
    /// Counters of its processors and devices
    Counters,
    /// Stop it where it is
    Pause,
    /// Let it go on
    Resume,
    /// End it without asking the guest
    Shutdown,
    /// End it and boot it again
    Reboot,
    /// Press its power button
    PowerButton,
    /// Forget it
    Delete,
}

/// Orders and questions about the VMM.
#[derive(Clone, Debug, Subcommand)]
pub enum VmmCommand {
    /// Whether it answers, and its version
    Ping,
    /// End it and its machine
    Shutdown,
}

/// What to make. Nothing is ever overwritten.
#[derive(Clone, Debug, Subcommand)]
pub enum PkiCommand {
    /// Make the CA: ca.pem for every host, ca.key for nobody else
    Ca {
        /// Where to put it
        #[arg(long)]
        dir: PathBuf,
    },
    /// Make the certificate and the key of a node, for the host that it runs on
    Node {
        /// Where the CA is, and where to put them
        #[arg(long)]
        dir: PathBuf,
        /// Number of the node
        #[arg(long)]
        id: u32,
        /// Further names and addresses of the host
        #[arg(long, value_name = "NAME|ADDRESS")]
        host: Vec<String>,
    },
}

/// A VM to attach.
#[derive(Args, Clone, Debug)]
pub struct Attach {
    /// Number of the VM, 1 to 4294967294
    #[arg(long)]
    pub vm: u32,
    /// Its distributed container
    #[arg(long, default_value_t = 0)]
    pub dcid: u32,
    /// It may administer its distributed container
    #[arg(long)]
    pub admin: bool,
    /// Endpoints that it may have bound at once
    #[arg(long, value_name = "N")]
    pub max_endpoints: Option<u32>,
    /// VMs that it may talk to at once
    #[arg(long, value_name = "N")]
    pub max_peers: Option<u32>,
    /// Frames per second that it may send
    #[arg(long, value_name = "N")]
    pub rate: Option<u32>,
}
