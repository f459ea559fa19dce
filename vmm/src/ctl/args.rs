//! The command line of `dvsctl`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

/// Controls a VMM (dvs-vmm) and a node (dvs-node) through their REST interfaces.
#[derive(Clone, Debug, Parser)]
#[command(name = "dvsctl", version)]
pub struct Cli {
    /// REST socket of the VMM, for vm and vmm
    #[arg(long, global = true, value_name = "PATH", env = "DVS_API_SOCKET")]
    pub api_socket: Option<PathBuf>,
    /// REST socket of the node, for all other commands; several for trace
    #[arg(
        long,
        global = true,
        value_name = "PATH",
        env = "DVS_NODE",
        value_delimiter = ','
    )]
    pub node: Vec<PathBuf>,
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
    /// Move a VM of this host to another node while it runs
    Migrate(Migrate),
    /// Detach a VM from the node
    Detach {
        /// Number of the VM
        #[arg(long)]
        vm: u32,
    },
    /// VMs attached to the node: their state, limits and sockets
    #[command(visible_alias = "ports")]
    Vms,
    /// Endpoints bound by the node's VMs, what they do, and who waits for whom
    Endpoints,
    /// A step of the move of an endpoint, whose process is moved by its own means, to another VM
    #[command(subcommand)]
    Endpoint(EndpointCommand),
    /// Counters of the node's ports
    Counters,
    /// Other nodes of the cluster; none without a cluster
    Nodes,
    /// Links of the node to other nodes; none without a cluster
    Links,
    /// Rates of VMs, endpoints and links, again and again
    Top(Top),
    /// Follow the calls of an endpoint through one or several nodes
    Trace(Trace),
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
    /// Write the manual pages, of dvsctl and of each command, into a directory
    Man {
        /// The directory
        directory: PathBuf,
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

/// What is shown again and again.
///
/// Rates are differences of the node's counters between two looks, divided by the time between them. Frames and bytes
/// are those that the node has taken from a VM (in) and given to it (out); calls within a VM do not pass the node and
/// are not seen here. "waited" is how long every look has found the endpoint in the same state, waiting for the same
/// one, and with the same number of messages sent: between two looks it may have gone on and waited again, so that
/// it is neither a minimum nor a maximum. Each look asks all guests for the states of their endpoints, which they have
/// a second for. "loop" is how long the node's event loop, which carries all frames, took to answer.
///
/// Keys: v, f, b, k, i, d sort VMs by number, frames, bytes, kicks, interrupts and drops; q leaves.
#[derive(Args, Clone, Debug)]
pub struct Top {
    /// Time between two looks in seconds, 0.1 to 3600
    #[arg(long, value_name = "SECONDS", default_value = "1", value_parser = seconds)]
    pub interval: Duration,
    /// What VMs are sorted by
    #[arg(long, value_enum, default_value_t)]
    pub sort: Sort,
    /// Look twice, print what there is, and end
    #[arg(long)]
    pub once: bool,
}

/// What VMs are sorted by; except for the number, the largest comes first.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, ValueEnum)]
pub enum Sort {
    /// Number of the VM.
    Vm,
    /// Frames per second.
    #[default]
    Frames,
    /// Bytes per second.
    Bytes,
    /// Kicks per second.
    Kicks,
    /// Interrupts per second.
    Interrupts,
    /// Frames dropped per second.
    Drops,
}

/// A VM to be moved.
///
/// Asks the VM's VMM to send it to a dvs-vmm that takes machines at the other host (dvs-vmm --serve-migrations, or the
/// systemd unit dvs-migration.socket), shows how far it is, and says how it went. Ctrl-C has the VM stay where it is.
/// The VMM of a VM that is a service of this host, or has come to it, is found by itself; otherwise give --api-socket.
#[derive(Args, Clone, Debug)]
pub struct Migrate {
    /// Number of the VM
    pub vm: u32,
    /// Number of the node that it moves to
    #[arg(long, value_name = "NODE")]
    pub to: u32,
    /// Where machines are taken there, as tcp:HOST:PORT; otherwise at the node's address and this port
    #[arg(long, value_name = "URL")]
    pub url: Option<String>,
    /// Port at which machines are taken there
    #[arg(long, value_name = "PORT", default_value_t = 7501)]
    pub port: u16,
    /// For how long the guest may stand still, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 300)]
    pub downtime_ms: u64,
    /// Time until --timeout-strategy, in seconds
    #[arg(long, value_name = "S", default_value_t = 3600)]
    pub timeout_s: u64,
    /// What happens then to a guest that writes faster than its pages can be sent
    #[arg(long, value_enum, default_value_t)]
    pub timeout_strategy: TimeoutStrategy,
    /// Data streams
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub connections: u16,
    /// Most bytes per second while the guest runs
    #[arg(long, value_name = "BYTES")]
    pub bandwidth: Option<u64>,
    /// Pack pages with LZ4
    #[arg(long)]
    pub lz4: bool,
    /// Do not slow down a guest that writes too fast
    #[arg(long)]
    pub no_auto_converge: bool,
    /// Directory of the node's certificate, its key and the CA, as dvsctl pki names them
    #[arg(
        long,
        value_name = "DIR",
        env = "DVS_TLS_DIR",
        conflicts_with = "plaintext"
    )]
    pub tls_dir: Option<PathBuf>,
    /// Send guest memory without encryption
    #[arg(long)]
    pub plaintext: bool,
}

impl Migrate {
    /// Where the REST API of the VM's VMM is looked for, unless --api-socket names it: where it is if the VM was
    /// started on this host as a service, and if it has come from another.
    pub fn sockets(&self) -> [PathBuf; 2] {
        let vm = self.vm;
        [
            format!("/run/dvs-vm-{vm}/api.sock"),
            format!("/run/dvs-vmm/vm-{vm}.sock"),
        ]
        .map(PathBuf::from)
    }
}

/// What happens when the time of a migration is up.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, ValueEnum)]
pub enum TimeoutStrategy {
    /// The VM stays where it is.
    #[default]
    Cancel,
    /// The guest stops for as long as it takes.
    Force,
}

/// Steps of the move of an endpoint, in the VM that has it, which must be one of the node.
#[derive(Clone, Debug, Subcommand)]
pub enum EndpointCommand {
    /// Begin: calls wait from now on. Prints the token by which a process of another VM adopts it
    Start(Step),
    /// Let it go to its adopter; done when that has it
    Commit {
        /// Which, and how long it may take
        #[command(flatten)]
        step: Step,
        /// The VM that may adopt it; 0: any
        #[arg(long, default_value_t = 0)]
        vm: u32,
    },
    /// Take the move back: everything goes on as before
    Rollback(Step),
}

/// Which endpoint, and how long it may take.
#[derive(Args, Clone, Debug)]
pub struct Step {
    /// The endpoint
    #[arg(allow_negative_numbers = true)]
    pub endpoint: i32,
    /// Its distributed container
    #[arg(long, default_value_t = 0)]
    pub dcid: u32,
    /// After which it is given up, in seconds, 0.1 to 600
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = step_time)]
    pub timeout: Duration,
}

fn step_time(text: &str) -> Result<Duration, String> {
    let time = seconds(text).ok();
    let time = time.filter(|time| *time <= Duration::from_secs(600));
    time.ok_or_else(|| "write a number of seconds from 0.1 to 600".to_owned())
}

/// Calls to be followed.
///
/// Shows each frame of the endpoint's calls with other VMs: when a node took it from a guest or a link, gave it to
/// one, or dropped it. Times are differences within one node; nodes have clocks of their own, which are not compared:
/// with several nodes the order follows the frames on their way. Calls within a VM do not pass the node and are not seen.
#[derive(Args, Clone, Debug)]
pub struct Trace {
    /// The endpoint, as the one that calls or that is called
    #[arg(allow_negative_numbers = true)]
    pub endpoint: i32,
    /// Its distributed container
    #[arg(long, default_value_t = 0)]
    pub dcid: u32,
    /// Sightings of frames at a node after which its trace ends, 1 to 1000
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub count: usize,
    /// When it ends all the same, in seconds, 0.1 to 20
    #[arg(long, value_name = "SECONDS", default_value = "5", value_parser = seconds)]
    pub time: Duration,
}

/// A time of 0.1 to 3600 seconds.
fn seconds(text: &str) -> Result<Duration, String> {
    let wrong = || "write a number of seconds from 0.1 to 3600".to_owned();
    let seconds: f64 = text.parse().map_err(|_| wrong())?;
    if !(0.1..=3600.0).contains(&seconds) {
        return Err(wrong());
    }
    Ok(Duration::from_secs_f64(seconds))
}
