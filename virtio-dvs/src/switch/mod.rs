//! Where a frame goes: ports, lives of VMs, admission, and who is owed a RETRY.
//!
//! A pure state machine: events in, [`Action`]s out; no I/O, no clock, no thread, and the same
//! events always give the same actions. It sees the headers of frames only. Whoever drives it (the
//! device adapter, the simulator) moves the bytes, and says what became of them.
//!
//! ```text
//!              attach        connected            started
//!   (nothing) ───────▶ Over ───────────▶ Alive ─────────────▶ Alive, running
//!                       ▲    (directory:   │ ▲                   │
//!                       │     Begin)       │ └─── stopped ───────┘
//!                       └──────────────────┘
//!                  disconnected, reset (then Begin again)
//! ```
//!
//! In a cluster there are other nodes beside the ports. A VM that is not here is looked for in the
//! directory when the first frame is for it; what comes from a link is carried only if the directory
//! says that its source lives at that node. Frames go by epochs: see [`peer::Stamp`].

mod awaiting;
mod cluster;
mod control;
mod hands;
mod life;
mod moves;
mod orders;
pub mod peer;
mod port;
mod remote;
mod route;
mod routes;
mod standing;
mod survey;
mod usage;
mod verdict;

use crate::directory::{Answer, DirectoryError, Interest, NodeId, Request, RequestId, Seen};
use crate::frame::{Frame, kind};
use crate::spec::{DC_NAME_SIZE, DeviceConfig};
use crate::vm::{AttributeError, DcAttributes, VmAttributes};
use cluster::Cluster;
use peer::Notice;
use port::{Life, Port, Stage};
use std::collections::{BTreeMap, VecDeque};
use survey::Survey;
use thiserror::Error;

pub use moves::{MoveError, MoveRequest, Settled, Ticket};
pub use orders::{Order, OrderError, OrderKind, Ordered};
pub use port::EndpointView;
pub use survey::Told;
pub use usage::Usage;
pub use verdict::{Drop, Verdict};

/// A place where a VM is attached. Numbers of ports that were detached are used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PortId(pub(crate) usize);

impl PortId {
    /// Position in an array with one element for each port.
    pub const fn index(self) -> usize {
        self.0
    }
}

/// What the switch asks of whoever drives it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Ask the directory; its answer goes to [`Switch::answer`].
    Ask(RequestId, Request),
    /// Put a frame of the node into the message receive ring; if there is no room, say so with
    /// [`Switch::node_frame_lost`].
    Say(PortId, Frame),
    /// The VM has its port.
    Attached(u32, PortId),
    /// The VM cannot be attached.
    NotAttached(u32, DirectoryError),
    /// A new life of the port's VM has begun, as asked by [`Switch::connected`] or
    /// [`Switch::reset`].
    Begun(PortId),
    /// The directory gives no new life to the port's VM.
    NotBegun(PortId, DirectoryError),
    /// Tell the switch of another node.
    Notify(NodeId, Notice),
    /// Keep a session with this node from now on.
    Dial(NodeId),
    /// That node has left: end the session with it.
    HangUp(NodeId),
    /// The directory need not tell of this any more.
    Unwatch(Interest),
    /// What a request for a VM that moves has come to.
    Settled(Ticket, Settled),
    /// What an order has come to, by its id.
    Ordered(u64, Ordered),
    /// From now on the rings of the port may be used: see [`Switch::may_run`].
    Carries(PortId),
    /// No VMM sees to a port whose VM is on its way: after a while it goes to [`Switch::abandon`].
    Orphaned(PortId),
    /// The port's VMM is not wanted any more.
    CutOff(PortId),
    /// The port is gone, and its number free.
    Removed(PortId),
}

/// Why a VM is not attached.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum AttachError {
    /// The attributes are wrong.
    #[error(transparent)]
    Attributes(#[from] AttributeError),
    /// The directory refuses.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    /// This node serves no more VMs.
    #[error("this node serves at most {0} VMs; detach one, or raise max_vms in its configuration")]
    TooMany(usize),
    /// It was asked for before.
    #[error("VM {0} is being attached already, and the directory has not answered yet")]
    UnderWay(u32),
}

/// What an answer of the directory is for.
#[derive(Debug)]
enum Pending {
    Join(VmAttributes),
    Begin(PortId, u32),
    Control(control::Asked),
    Locate(u32),
    Look(moves::Wish),
    Take(u32),
    Abandon(PortId, u32),
    /// Whatever the answer is, nothing waits for it.
    Nothing(&'static str),
}

/// The switch of one node.
#[derive(Debug)]
pub struct Switch {
    max_ports: usize,
    me: NodeId,
    ports: Vec<Option<Port>>,
    by_vm: BTreeMap<u32, PortId>,
    joining: BTreeMap<u32, RequestId>,
    pending: BTreeMap<RequestId, Pending>,
    next_request: u64,
    /// What guests are being asked about their endpoints.
    survey: Option<Survey>,
    /// Tells one survey from the next.
    next_survey: u64,
    /// What guests were ordered and have not answered, by id.
    orders: BTreeMap<u64, PortId>,
    actions: VecDeque<Action>,
    /// Other nodes, if there are any.
    cluster: Option<Cluster>,
}

impl Switch {
    /// A switch with at most `max_ports` ports.
    pub fn new(max_ports: usize) -> Switch {
        Switch {
            max_ports,
            me: NodeId::default(),
            ports: Vec::new(),
            by_vm: BTreeMap::new(),
            joining: BTreeMap::new(),
            pending: BTreeMap::new(),
            next_request: 0,
            survey: None,
            next_survey: 1,
            orders: BTreeMap::new(),
            actions: VecDeque::new(),
            cluster: None,
        }
    }

    /// The same with a number of the node that programs see.
    pub fn with_nodeid(mut self, nodeid: u32) -> Switch {
        self.me = NodeId(nodeid);
        self
    }

    /// The same in a cluster: VMs may live at other nodes. Nothing goes there before the directory
    /// says that the lease is held.
    pub fn with_cluster(mut self) -> Switch {
        self.cluster = Some(Cluster::default());
        self
    }

    /// The next thing to do. Every event may leave some; carry them out in this order.
    pub fn next_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// Attaches a VM; [`Action::Attached`] or [`Action::NotAttached`] follows.
    pub fn attach(&mut self, attributes: VmAttributes) -> Result<(), AttachError> {
        attributes.validate()?;
        let vm = attributes.vm;
        if self.any_port_of(vm).is_some() {
            return Err(DirectoryError::VmInUse(vm).into());
        }
        if self.joining.contains_key(&vm) {
            return Err(AttachError::UnderWay(vm));
        }
        self.has_room()?;
        let id = self.ask(Request::Join(attributes.clone()), Pending::Join(attributes));
        self.joining.insert(vm, id);
        Ok(())
    }

    /// Attaches a VM as the directory knew it when the node started: its life goes on.
    pub fn restore(&mut self, seen: Seen) -> Result<PortId, AttachError> {
        let Seen { place, record } = seen;
        record.attributes.validate()?;
        let vm = record.attributes.vm;
        if self.by_vm.contains_key(&vm) {
            return Err(DirectoryError::VmInUse(vm).into());
        }
        self.has_room()?;
        let mut port = Port::new(record.attributes, record.dc);
        port.life = Life::Over(place.incarnation);
        port.epoch = place.epoch;
        if let Some(life) = record.life {
            port.restore(life, record.driving, &record.endpoints);
            port.expects(record.start);
        }
        let id = self.insert(port);
        if self.cluster.is_some() {
            // It may have been about to move when this node was started, and may go on elsewhere in its next life.
            self.watch(vm);
        }
        Ok(id)
    }

    /// Whether there may be one more port.
    fn has_room(&self) -> Result<(), AttachError> {
        let ports = self.by_vm.len() + self.joining.len() + self.ports_elsewhere().count();
        let room = ports < self.max_ports;
        room.then_some(())
            .ok_or(AttachError::TooMany(self.max_ports))
    }

    /// The VM leaves this host: its life is over, its port is free.
    pub fn detach(&mut self, id: PortId) {
        if self.port(id).is_some_and(|it| it.stage != Stage::Here) {
            return self.detach_moving(id);
        }
        self.end_life(id);
        let Some(port) = self.ports.get_mut(id.0).and_then(Option::take) else {
            return;
        };
        let vm = port.attributes.vm;
        self.by_vm.remove(&vm);
        self.forget_port(id);
        self.unwatch_port(&port);
        self.ask(Request::Leave { vm }, Pending::Nothing("leave"));
    }

    /// The directory has answered.
    pub fn answer(&mut self, id: RequestId, answer: Answer) {
        let Some(pending) = self.pending.remove(&id) else {
            return;
        };
        match (pending, answer) {
            (Pending::Join(attributes), Answer::Joined(joined)) => self.joined(attributes, joined),
            (Pending::Begin(port, vm), Answer::Begun(begun)) => self.begun(port, vm, begun),
            (Pending::Locate(vm), Answer::Located(lives)) => self.located(vm, lives),
            (Pending::Look(wish), Answer::Seen(seen)) => self.saw(wish, seen),
            (Pending::Take(vm), Answer::Seen(seen)) => self.took(vm, seen),
            (Pending::Abandon(port, vm), Answer::Done(ended)) => self.abandoned(port, vm, ended),
            (Pending::Control(asked), answer) => self.control_answered(asked, answer),
            (Pending::Nothing(what), Answer::Done(Err(error))) => {
                tracing::warn!("the directory refuses \"{what}\": {error}");
            }
            (Pending::Nothing(_), Answer::Done(Ok(()))) => {}
            (pending, answer) => {
                tracing::error!("the directory answers {answer:?} to {pending:?}");
            }
        }
    }

    /// The port of a VM.
    pub fn port_of(&self, vm: u32) -> Option<PortId> {
        self.by_vm.get(&vm).copied()
    }

    /// All ports, in order of the VMs' ids.
    pub fn ports(&self) -> impl Iterator<Item = PortId> + '_ {
        self.by_vm.values().copied()
    }

    /// Attributes of the port's VM.
    pub fn attributes(&self, id: PortId) -> Option<&VmAttributes> {
        self.port(id).map(|port| &port.attributes)
    }

    /// Attributes of the DC of the port's VM.
    pub fn dc(&self, id: PortId) -> Option<&DcAttributes> {
        self.port(id).map(|port| &port.dc)
    }

    /// The life that the port's VM lives; `None` between two lives.
    pub fn incarnation(&self, id: PortId) -> Option<u32> {
        self.port(id).and_then(Port::incarnation)
    }

    /// Whether the port's VM has driven its device in this life.
    pub fn has_driven(&self, id: PortId) -> bool {
        self.port(id).is_some_and(|port| port.driven)
    }

    /// Endpoints that the port's VM has bound, by number.
    pub fn endpoints(&self, id: PortId) -> impl Iterator<Item = EndpointView> + '_ {
        self.port(id).into_iter().flat_map(Port::endpoints)
    }

    /// What the port's VM reads from its device's configuration space.
    pub fn config(&self, id: PortId) -> Option<DeviceConfig> {
        self.port(id).map(|port| port.config(self.me.0))
    }

    fn port(&self, id: PortId) -> Option<&Port> {
        self.ports.get(id.0).and_then(Option::as_ref)
    }

    fn port_mut(&mut self, id: PortId) -> Option<&mut Port> {
        self.ports.get_mut(id.0).and_then(Option::as_mut)
    }

    fn ask(&mut self, request: Request, pending: Pending) -> RequestId {
        let id = RequestId(self.next_request);
        self.next_request += 1;
        self.pending.insert(id, pending);
        self.actions.push_back(Action::Ask(id, request));
        id
    }

    fn say(&mut self, to: PortId, kind: u8, arg: u64) {
        if let Some(mut frame) = self.frame_to(to, kind) {
            frame.arg = arg.into();
            self.actions.push_back(Action::Say(to, frame));
        }
    }

    /// A frame of the node to the guest of a port.
    fn frame_to(&self, to: PortId, kind: u8) -> Option<Frame> {
        let port = self.port(to)?;
        let (vm, incarnation) = (port.attributes.vm, port.last_incarnation());
        Some(Frame::from_node(kind, vm, incarnation))
    }

    fn say_retry(&mut self, to: PortId, vm: u32) {
        self.say(to, kind::RETRY, vm.into());
    }

    /// The guest lives on in another life.
    fn say_renewed(&mut self, to: PortId, over: u32) {
        let Some(port) = self.port(to) else {
            return;
        };
        let mut frame = Frame::from_node(kind::RENEWED, port.attributes.vm, over);
        frame.arg = u64::from(port.last_incarnation()).into();
        self.actions.push_back(Action::Say(to, frame));
    }

    fn insert(&mut self, port: Port) -> PortId {
        let vm = port.attributes.vm;
        self.forget_route(vm);
        let id = self.add(port);
        self.by_vm.insert(vm, id);
        id
    }

    fn add(&mut self, port: Port) -> PortId {
        let free = self.ports.iter().position(Option::is_none);
        let id = PortId(free.unwrap_or(self.ports.len()));
        match self.ports.get_mut(id.0) {
            Some(slot) => *slot = Some(port),
            None => self.ports.push(Some(port)),
        }
        id
    }

    fn joined(&mut self, attributes: VmAttributes, joined: Result<DcAttributes, DirectoryError>) {
        let vm = attributes.vm;
        self.joining.remove(&vm);
        let action = match joined {
            Ok(dc) => Action::Attached(vm, self.insert(Port::new(attributes, dc))),
            Err(error) => Action::NotAttached(vm, error),
        };
        self.actions.push_back(action);
    }
}

/// The name of a DC as the configuration space has it. A name that was validated fits.
fn dc_name(name: &str) -> [u8; DC_NAME_SIZE] {
    let mut bytes = [0; DC_NAME_SIZE];
    for (to, from) in bytes.iter_mut().zip(name.bytes()) {
        *to = from;
    }
    bytes
}

#[cfg(test)]
#[path = "switch_test.rs"]
mod tests;

#[cfg(test)]
#[path = "property_test.rs"]
mod property_tests;

#[cfg(test)]
#[path = "rights_property_test.rs"]
mod rights_property_tests;
