//! A running node and what can be done with it.

use crate::device::event_loop::{Loop, StartError};
use crate::device::fabric::{Done, Fabric, TraceBusy};
use crate::device::remote::{Remote, Stopped, reply};
use crate::device::worker::{Worker, spawn_session};
use crate::directory::Directory;
use crate::directory::etcd::EtcdError;
use crate::directory::local::{Local, StateFileError};
use crate::link::LinkError;
use crate::node::api::{Api, Offer};
use crate::node::config::{ConfigError, NodeConfig};
use crate::node::control::{Attached, EndpointInfo, Info, Ping, PortCounts, PortInfo};
use crate::node::endpoints;
use crate::node::join::join;
use crate::socket::{Listener, SocketError};
use crate::switch::{AttachError, MoveError, OrderError, PortId, Told};
use crate::vm::VmAttributes;
use std::collections::BTreeMap;
use std::fs::DirBuilder;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use thiserror::Error;

/// Where the system names its current boot.
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// How long guests have to tell of their endpoints.
const TELL_TIME: Duration = Duration::from_secs(1);

/// How long the directory has to answer. A VM that waits stands still for as long.
const ANSWER_TIME: Duration = Duration::from_secs(5);

/// Why a node cannot be started, or does not do what it is asked.
#[derive(Debug, Error)]
pub enum NodeError {
    /// The configuration is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A path is missing.
    #[error("{0} is not given; name it by a flag or in the configuration file")]
    Missing(&'static str),
    /// The directory of the sockets cannot be made.
    #[error("cannot create the directory {path}: {error}")]
    RunDir {
        /// The directory.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// The boot cannot be told.
    #[error("cannot read {BOOT_ID}: {0}")]
    BootId(io::Error),
    /// The state file cannot be used.
    #[error(transparent)]
    StateFile(#[from] StateFileError),
    /// The directory of the cluster cannot be used.
    #[error(transparent)]
    Etcd(#[from] EtcdError),
    /// Links cannot be opened.
    #[error(transparent)]
    Links(#[from] LinkError),
    /// The system gives no random numbers.
    #[error("the system gives no random numbers: {0}")]
    Random(io::Error),
    /// A socket cannot be listened on.
    #[error(transparent)]
    Socket(#[from] SocketError),
    /// A connection within the process cannot be made.
    #[error("cannot create a socket pair: {0}")]
    SocketPair(io::Error),
    /// The event loop or the API cannot be started.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The API cannot be started.
    #[error("cannot start the control API: {0}")]
    Api(io::Error),
    /// The figures cannot be offered over TCP.
    #[error("cannot listen for Prometheus on {address}: {error}")]
    Metrics {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        error: io::Error,
    },
    /// A trace is not asked for rightly.
    #[error(transparent)]
    Trace(ConfigError),
    /// A trace is under way.
    #[error(transparent)]
    TraceBusy(#[from] TraceBusy),
    /// The VM cannot be attached.
    #[error(transparent)]
    Attach(#[from] AttachError),
    /// An endpoint is not moved.
    #[error(transparent)]
    Order(#[from] OrderError),
    /// The guest of an endpoint says nothing.
    #[error(
        "the guest has not answered in time; what was asked may be carried out yet; or its driver is too old to understand it"
    )]
    Silent,
    /// The body of a step names what it cannot have.
    #[error("{0}")]
    Step(&'static str),
    /// A request for a VM that moves is refused.
    #[error(transparent)]
    Move(#[from] MoveError),
    /// The directory does not answer in time.
    #[error("the directory does not answer; what was asked may be carried out yet")]
    Unanswered,
    /// Nor does it when a VM is attached.
    #[error(
        "the directory does not answer, so VM {0} is not attached; attach it again when etcd is back"
    )]
    NotAttached(u32),
    /// There is no such VM.
    #[error("VM {0} is not attached to this node")]
    NoVm(u32),
    /// The node has stopped.
    #[error(transparent)]
    Stopped(#[from] Stopped),
}

/// What can be done with a running node. Cheap to copy.
#[derive(Debug, Clone)]
pub struct Control {
    pub(super) remote: Remote,
    pub(super) config: Arc<NodeConfig>,
    pub(super) started: Instant,
    /// Held while guests are asked about their endpoints.
    survey: Arc<Mutex<()>>,
}

impl Control {
    /// Version and process.
    pub fn ping(&self) -> Ping {
        Ping {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
        }
    }

    /// About the node.
    pub fn info(&self) -> Result<Info, NodeError> {
        let asked = Instant::now();
        let look = |worker: &mut Worker| {
            let fabric = worker.fabric();
            (fabric.switch().ports().count(), fabric.backlog())
        };
        let (vms, backlog) = self.remote.ask(move |worker, done| done(look(worker)))?;
        let loop_us = u64::try_from(asked.elapsed().as_micros()).unwrap_or(u64::MAX);
        let Ping { version, pid } = self.ping();
        Ok(Info {
            version,
            pid,
            vms,
            max_vms: self.config.max_vms,
            nodeid: self.config.nodeid,
            uptime_s: self.started.elapsed().as_secs(),
            loop_us,
            backlog: backlog.messages + backlog.bulk,
            run_dir: self.config.run_dir.clone(),
            state_file: self.config.state_file.clone(),
            cluster: self.config.cluster.as_ref().map(|it| it.name.clone()),
        })
    }

    /// Attaches a VM and listens for its VMM.
    pub fn attach(&self, attributes: VmAttributes) -> Result<Attached, NodeError> {
        let vm = attributes.vm;
        let port = self.add_port(attributes)?;
        let listened = self.listen(port, vm);
        if listened.is_err() {
            self.remote.run(move |worker| worker.detach(port))?;
        }
        Ok(Attached {
            vm,
            socket: listened?,
        })
    }

    /// Detaches a VM: its VMM is cut off, its life is over, its endpoints are free.
    pub fn detach(&self, vm: u32) -> Result<(), NodeError> {
        let detach = move |worker: &mut Worker| {
            let port = worker.fabric().switch().any_port_of(vm)?;
            worker.detach(port);
            Some(())
        };
        let found = self.remote.ask(move |worker, done| done(detach(worker)))?;
        found.ok_or(NodeError::NoVm(vm))
    }

    /// All ports, in order of the VMs' ids.
    pub fn ports(&self) -> Result<Vec<PortInfo>, NodeError> {
        let ports = |worker: &mut Worker| {
            let switch = worker.fabric().switch();
            let ids: Vec<_> = switch.ports().chain(switch.ports_elsewhere()).collect();
            let infos = ids.into_iter().filter_map(|id| port_info(worker, id));
            infos.collect()
        };
        Ok(self.remote.ask(move |worker, done| done(ports(worker)))?)
    }

    /// All endpoints, by VM and number, with what their guests tell of them. A guest that does not
    /// answer soon is not waited for.
    pub fn endpoints(&self) -> Result<Vec<EndpointInfo>, NodeError> {
        // One survey at a time; nothing is left half done by one that was broken off.
        let _turn = self.survey.lock().unwrap_or_else(PoisonError::into_inner);
        let (done, receiver) = reply::<BTreeMap<u32, Told>>();
        self.remote.run(|worker| worker.fabric().survey(done))?;
        let mut told = receiver.recv_timeout(TELL_TIME);
        if told.is_err() {
            self.remote.run(|worker| worker.fabric().end_survey())?;
            told = receiver.recv().map_err(|_| RecvTimeoutError::Disconnected);
        }
        let told = told.map_err(|_| Stopped)?;
        let all = move |worker: &mut Worker| endpoints::all(worker.fabric().switch(), &told);
        Ok(self.remote.ask(move |worker, done| done(all(worker)))?)
    }

    /// What was counted, by VM.
    pub fn counters(&self) -> Result<Vec<PortCounts>, NodeError> {
        let counters = |worker: &mut Worker| {
            let fabric = worker.fabric();
            let of_port = |id| {
                let vm = fabric.switch().attributes(id)?.vm;
                let counters = fabric.counters(id)?;
                Some(PortCounts { vm, counters })
            };
            fabric.switch().ports().filter_map(of_port).collect()
        };
        Ok(self
            .remote
            .ask(move |worker, done| done(counters(worker)))?)
    }

    /// Attaches a VM without a socket.
    pub(super) fn add_port(&self, attributes: VmAttributes) -> Result<PortId, NodeError> {
        let vm = attributes.vm;
        let (tell, receiver) = reply();
        let given_up = Arc::new(AtomicBool::new(false));
        let (remote, nobody_waits) = (self.remote.clone(), given_up.clone());
        let done: Done<_> = Box::new(move |attached| match attached {
            Ok(port) if nobody_waits.load(Ordering::Relaxed) => {
                // With a loop that has ended its ports are gone.
                let _ = remote.run(move |worker| worker.detach(port));
            }
            attached => tell(attached),
        });
        self.remote
            .run(move |worker| worker.fabric().attach(attributes, done))?;
        match answered(&receiver) {
            Err(NodeError::Unanswered) => {}
            attached => return Ok(attached??),
        }
        // By the loop, so that the answer has come before or finds that nobody waits.
        self.remote.ask(move |_, done| {
            given_up.store(true, Ordering::Relaxed);
            done(());
        })?;
        let attached = receiver.try_recv();
        Ok(attached.map_err(|_| NodeError::NotAttached(vm))??)
    }

    /// Connects a VMM of the same process to a port.
    pub(super) fn connect(&self, port: PortId, vm: u32) -> Result<UnixStream, NodeError> {
        let (ours, theirs) = UnixStream::pair().map_err(NodeError::SocketPair)?;
        spawn_session(ours, self.remote.clone(), port, vm)?;
        Ok(theirs)
    }

    pub(super) fn listen(&self, port: PortId, vm: u32) -> Result<PathBuf, NodeError> {
        let directory = self
            .config
            .run_dir
            .as_deref()
            .ok_or(NodeError::Missing("the directory of the sockets (run_dir)"))?;
        let path = directory.join(format!("vm-{vm}.sock"));
        let listener = Listener::bind(&path)?;
        self.remote
            .run(move |worker| worker.listen(port, vm, listener))?;
        Ok(path)
    }
}

/// Waits for what the directory has to say first, but not for ever.
pub(super) fn answered<T>(receiver: &Receiver<T>) -> Result<T, NodeError> {
    receiver
        .recv_timeout(ANSWER_TIME)
        .map_err(|error| match error {
            RecvTimeoutError::Timeout => NodeError::Unanswered,
            RecvTimeoutError::Disconnected => Stopped.into(),
        })
}

fn port_info(worker: &mut Worker, id: PortId) -> Option<PortInfo> {
    let socket = worker.socket_path(id).map(Path::to_path_buf);
    let fabric = worker.fabric();
    let (connected, running) = (fabric.is_connected(id), fabric.is_running(id));
    let switch = fabric.switch();
    let attributes = switch.attributes(id)?;
    Some(PortInfo {
        vm: attributes.vm,
        dcid: attributes.dcid,
        dc: switch.dc(id)?.clone(),
        admin: attributes.admin,
        limits: attributes.limits.clone(),
        incarnation: switch.incarnation(id),
        connected,
        running,
        moving: switch.moving(id).map(str::to_owned),
        endpoints: switch.endpoints(id).count(),
        socket,
    })
}

/// A running node. It ends when this is dropped; VMs keep their lives if there is a state file.
#[derive(Debug)]
pub struct Node {
    control: Control,
    // In this order: no request may come in for a loop that has ended.
    _api: Option<Api>,
    _loop: Loop,
}

impl Node {
    /// Starts a node with a control API and sockets.
    pub fn start(config: NodeConfig) -> Result<Node, NodeError> {
        let run_dir = config
            .run_dir
            .as_deref()
            .ok_or(NodeError::Missing("the directory of the sockets (run_dir)"))?;
        create_run_dir(run_dir)?;
        let path = config.api_socket.clone().ok_or(NodeError::Missing(
            "the socket of the control API (api_socket)",
        ))?;
        let mut node = Node::start_loop(config)?;
        for port in node.control.ports()? {
            node.control.listen_again(&port)?;
        }
        let offer = Offer {
            socket: Listener::bind(&path)?,
            metrics_socket: node.control.metrics_listener()?,
            metrics: node.control.metrics(),
        };
        node._api = Some(Api::start(offer, node.control.clone()).map_err(NodeError::Api)?);
        Ok(node)
    }

    /// Starts a node without a control API and without sockets.
    pub(super) fn start_loop(config: NodeConfig) -> Result<Node, NodeError> {
        config.validate()?;
        let fabric = match &config.cluster {
            Some(cluster) => join(&config, cluster)?,
            None => Fabric::new(local_directory(&config)?, config.max_vms, config.nodeid)?,
        };
        let grace = Duration::from_millis(config.grace_ms);
        let event_loop = Loop::start(fabric, grace, config.allow_unsealed_memory)?;
        let control = Control {
            remote: event_loop.remote().clone(),
            config: Arc::new(config),
            started: Instant::now(),
            survey: Arc::default(),
        };
        Ok(Node {
            control,
            _api: None,
            _loop: event_loop,
        })
    }

    /// Reads the certificates of links again, for sessions from now on.
    pub fn reload(&self) -> Result<(), NodeError> {
        let reload = |worker: &mut Worker| worker.fabric().reload_links();
        Ok(self.control.remote.run(reload)?)
    }

    /// What can be done with the node.
    pub fn control(&self) -> &Control {
        &self.control
    }
}

impl Control {
    /// Listens for the VMM of a VM that an earlier node served.
    fn listen_again(&self, port: &PortInfo) -> Result<(), NodeError> {
        let vm = port.vm;
        let found = self
            .remote
            .ask(move |worker, done| done(worker.fabric().switch().port_of(vm)))?;
        let id = found.ok_or(NodeError::NoVm(vm))?;
        self.listen(id, vm).map(drop)
    }
}

/// The directory of a host that is alone.
fn local_directory(config: &NodeConfig) -> Result<Box<dyn Directory>, NodeError> {
    let Some(path) = &config.state_file else {
        return Ok(Box::new(Local::in_memory()));
    };
    Ok(Box::new(Local::with_state_file(path, &boot_id()?)?))
}

/// Names the host's current boot.
pub(super) fn boot_id() -> Result<String, NodeError> {
    let boot = std::fs::read_to_string(BOOT_ID).map_err(NodeError::BootId)?;
    Ok(boot.trim().to_owned())
}

/// Makes the directory of the sockets, for this user only.
fn create_run_dir(path: &Path) -> Result<(), NodeError> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(|error| NodeError::RunDir {
            path: path.to_path_buf(),
            error,
        })
}
