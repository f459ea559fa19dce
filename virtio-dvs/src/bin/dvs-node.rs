//! dvs-node: carries frames between the VMs of a host.

use anyhow::anyhow;
use clap::{Args, CommandFactory, Parser};
use sd_notify::NotifyState;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;
use virtio_dvs::directory::NodeId;
use virtio_dvs::directory::etcd::EtcdConfig;
use virtio_dvs::link::TlsFiles;
use virtio_dvs::node::{ClusterConfig, Node, NodeConfig};
use virtio_dvs::program::ProgramFlags;

/// Carries frames between the VMs of a host: a vhost-user back-end with a port for each VM.
///
/// What is given here goes before what the configuration file says. Logs go to standard error;
/// the environment variable DVS_LOG filters them (for example DVS_LOG=debug).
#[derive(Debug, Parser)]
#[command(name = "dvs-node", version)]
struct Arguments {
    /// Configuration file: TOML if its name ends in .toml, otherwise JSON. The one that comes with
    /// dvs-node says what can be set.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where the control API listens (HTTP on a Unix socket).
    #[arg(long, value_name = "PATH")]
    api_socket: Option<PathBuf>,
    /// Directory of the vhost-user sockets, one for each VM: vm-<ID>.sock.
    #[arg(long, value_name = "DIR")]
    run_dir: Option<PathBuf>,
    /// File that a node started again finds its VMs in.
    #[arg(long, value_name = "FILE")]
    state_file: Option<PathBuf>,
    /// Number of this node that programs of the DVS see.
    #[arg(long, value_name = "N")]
    nodeid: Option<u32>,
    /// VMs attached at once.
    #[arg(long, value_name = "N")]
    max_vms: Option<usize>,
    /// After a start: how long VMMs of driving VMs have to come back, in milliseconds.
    #[arg(long, value_name = "MS")]
    grace_ms: Option<u64>,
    /// Accept guest memory that a VMM can shorten while it is in use (which would end the node).
    #[arg(long)]
    allow_unsealed_memory: bool,
    /// Offer the figures for Prometheus at this TCP address too, as /metrics; whoever reaches it can
    /// read them.
    #[arg(long, value_name = "ADDR:PORT")]
    metrics_listen: Option<SocketAddr>,
    #[command(flatten)]
    program: ProgramFlags,
    #[command(flatten)]
    cluster: ClusterFlags,
}

/// How the node takes part in a cluster. More can be said in the configuration file.
#[derive(Debug, Args)]
struct ClusterFlags {
    /// Where etcd listens, which is the directory of the cluster; may be given several times.
    #[arg(long, value_name = "URL", requires = "listen")]
    etcd: Vec<String>,
    /// Where other nodes connect.
    #[arg(long, value_name = "ADDR:PORT", requires = "etcd")]
    listen: Option<SocketAddr>,
    /// Where other nodes find this one, if that is not where it listens.
    #[arg(long, value_name = "ADDR:PORT", requires = "listen")]
    address: Option<SocketAddr>,
    /// Directory with this node's certificate as `dvsctl pki` makes it: node-<N>.pem, node-<N>.key
    /// and ca.pem, N being the node's number.
    #[arg(
        long,
        value_name = "DIR",
        requires = "listen",
        conflicts_with = "plaintext"
    )]
    tls_dir: Option<PathBuf>,
    /// Talk to other nodes without TLS: whoever reaches this one may speak as any node.
    #[arg(long, requires = "listen")]
    plaintext: bool,
}

impl ClusterFlags {
    /// What the flags say, over what the file says.
    fn over(self, file: Option<ClusterConfig>, nodeid: u32) -> Option<ClusterConfig> {
        let Some(listen) = self.listen else {
            return file;
        };
        let etcd = EtcdConfig {
            endpoints: self.etcd,
            ..file.as_ref().map(|it| it.etcd.clone()).unwrap_or_default()
        };
        let fresh = ClusterConfig::new(listen, etcd.clone());
        let mut cluster = ClusterConfig {
            listen,
            etcd,
            ..file.unwrap_or(fresh)
        };
        cluster.address = self.address.or(cluster.address);
        if self.plaintext {
            (cluster.plaintext, cluster.tls) = (true, None);
        }
        if let Some(directory) = self.tls_dir {
            cluster.plaintext = false;
            cluster.tls = Some(TlsFiles::in_directory(&directory, NodeId(nodeid)));
        }
        Some(cluster)
    }
}

impl Arguments {
    fn config(self) -> anyhow::Result<NodeConfig> {
        let mut config = match &self.config {
            Some(path) => NodeConfig::load(path)?,
            None => NodeConfig::default(),
        };
        config.api_socket = self.api_socket.or(config.api_socket);
        config.run_dir = self.run_dir.or(config.run_dir);
        config.state_file = self.state_file.or(config.state_file);
        config.nodeid = self.nodeid.unwrap_or(config.nodeid);
        config.max_vms = self.max_vms.unwrap_or(config.max_vms);
        config.grace_ms = self.grace_ms.unwrap_or(config.grace_ms);
        config.allow_unsealed_memory |= self.allow_unsealed_memory;
        config.cluster = self.cluster.over(config.cluster, config.nodeid);
        config.metrics_listen = self.metrics_listen.or(config.metrics_listen);
        Ok(config)
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let filter = EnvFilter::try_from_env("DVS_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    arguments.program.start_logs(filter);
    match run(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Each error says its cause in its own words.
            eprintln!("dvs-node: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments) -> anyhow::Result<()> {
    if let Some(document) = arguments.program.print {
        document.print(&mut Arguments::command(), &mut std::io::stdout())?;
        return Ok(());
    }
    let config = arguments.config()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()
        .map_err(|error| anyhow!("cannot create a runtime: {error}"))?;
    runtime.block_on(async {
        // Before anything can be asked of the node, so that no signal leaves things behind.
        let listen = |kind: SignalKind| {
            signal(kind).map_err(|error| anyhow!("cannot handle signals: {error}"))
        };
        let mut terminate = listen(SignalKind::terminate())?;
        let mut interrupt = listen(SignalKind::interrupt())?;
        let mut hangup = listen(SignalKind::hangup())?;
        let api = config.api_socket.clone().unwrap_or_default();
        let node = Node::start(config)?;
        tracing::info!(api = %api.display(), "the node is ready");
        tell_system(NotifyState::Ready);
        loop {
            tokio::select! {
                _ = terminate.recv() => break,
                _ = interrupt.recv() => break,
                _ = hangup.recv() => node.reload()?,
            }
        }
        tracing::info!("the node ends");
        tell_system(NotifyState::Stopping);
        drop(node);
        Ok(())
    })
}

/// Tells whoever supervises the node, if systemd does.
fn tell_system(state: NotifyState<'_>) {
    if let Err(error) = sd_notify::notify(&[state]) {
        tracing::warn!("cannot tell systemd about the node: {error}");
    }
}
