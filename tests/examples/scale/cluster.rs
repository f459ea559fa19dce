//! Switches and a directory that answers at once, joined by links that are never full.

use std::collections::BTreeMap;

use virtio_dvs::directory::{
    Answer, BoundRecord, Lease, Lives, Location, News, NodeId, Place, Request, Seen, Start,
    VmRecord,
};
use virtio_dvs::frame::{CTL_BIND, Class, ControlRequest, Frame, kind};
use virtio_dvs::switch::{Action, Switch, Verdict};
use virtio_dvs::vm::{DcAttributes, VmAttributes};

/// What happened.
#[derive(Debug, Default, Clone, Copy)]
pub struct Count {
    /// VMs located for a node.
    pub locates: u64,
    /// Writes to the directory.
    pub writes: u64,
    /// Sessions made.
    pub sessions: u64,
    /// What nodes told each other.
    pub notices: u64,
    /// Frames of nodes to their guests.
    pub said: u64,
    /// Frames over links.
    pub forwarded: u64,
    /// Frames that reached their VM.
    pub delivered: u64,
    /// Frames that were dropped.
    pub dropped: u64,
}

/// A cluster.
#[derive(Debug, Default)]
pub struct Cluster {
    nodes: Vec<Switch>,
    places: BTreeMap<u32, Location>,
    bound: BTreeMap<u32, Vec<BoundRecord>>,
    generation: u32,
    /// What happened.
    pub count: Count,
}

impl Cluster {
    /// So many nodes without VMs.
    pub fn new(nodes: u32) -> Cluster {
        let mut cluster = Cluster::default();
        for _ in 0..nodes {
            cluster.nodes.push(Switch::new(0));
        }
        for node in 0..cluster.nodes.len() {
            cluster.start(node);
        }
        cluster
    }

    fn start(&mut self, node: usize) {
        let id = id_of(node);
        self.nodes[node] = Switch::new(16_384).with_nodeid(id.0).with_cluster();
        self.nodes[node].news(News::Lease(Lease::Held));
        self.settle(node);
    }

    /// A VM boots on a node.
    pub fn boot(&mut self, node: usize, vm: u32) {
        // Numbers in the range of all VMs: it is attached as it is told to be.
        if self.nodes[node].attach(VmAttributes::new(vm, 0)).is_ok() {
            self.settle(node);
            self.connect(node, vm);
        }
    }

    fn connect(&mut self, node: usize, vm: u32) {
        if let Some(port) = self.nodes[node].port_of(vm) {
            self.nodes[node].connected(port);
            self.settle(node);
            self.nodes[node].started(port);
            self.settle(node);
        }
    }

    /// A VM binds an endpoint.
    pub fn bind(&mut self, node: usize, vm: u32, number: i32) {
        let request = ControlRequest {
            op: CTL_BIND.into(),
            nonce: u64::from(number.unsigned_abs()).into(),
            ep: number.into(),
            ..ControlRequest::default()
        };
        if let Some(port) = self.nodes[node].port_of(vm) {
            let _ = self.nodes[node].control(port, &request);
            self.settle(node);
        }
    }

    /// Sends a frame from VM to VM until it arrives.
    pub fn send(&mut self, from: u32, to: u32) -> bool {
        (0..8).any(|_| self.try_send(from, to))
    }

    fn try_send(&mut self, from: u32, to: u32) -> bool {
        let (source, destination) = (self.places[&from], self.places[&to]);
        let frame = Frame {
            kind: kind::RPL,
            src_vm: from.into(),
            src_inc: source.incarnation.into(),
            dst_vm: to.into(),
            dst_inc: destination.incarnation.into(),
            ..Frame::default()
        };
        let node = index_of(source.node);
        let Some(port) = self.nodes[node].port_of(from) else {
            return false;
        };
        let verdict = self.nodes[node].frame(port, &frame, Class::Message, 0);
        self.settle(node);
        let verdict = match verdict {
            Verdict::Forward(to, stamp) => {
                self.count.forwarded += 1;
                let to = index_of(to);
                let verdict =
                    self.nodes[to].remote_frame(source.node, stamp, &frame, Class::Message, 0);
                self.settle(to);
                verdict
            }
            verdict => verdict,
        };
        let arrived = matches!(verdict, Verdict::Deliver(_));
        self.count.delivered += u64::from(arrived);
        self.count.dropped += u64::from(!arrived);
        arrived
    }

    /// A node is killed and started again within the life of its lease.
    pub fn restart(&mut self, node: usize) {
        for other in (0..self.nodes.len()).filter(|it| *it != node) {
            self.nodes[other].link_down(id_of(node));
        }
        self.start(node);
        let at = self.places.iter().filter(|it| it.1.node == id_of(node));
        let vms: Vec<(u32, Location)> = at.map(|it| (*it.0, *it.1)).collect();
        for (vm, life) in vms {
            let record = VmRecord {
                attributes: VmAttributes::new(vm, 0),
                dc: DcAttributes::default(),
                life: Some(life),
                driving: true,
                start: Start::Made,
                endpoints: self.bound.get(&vm).cloned().unwrap_or_default(),
            };
            let place = Place {
                node: life.node,
                epoch: life.epoch,
                incarnation: life.incarnation,
            };
            let seen = Seen { place, record };
            if self.nodes[node].restore(seen).is_ok() {
                self.connect(node, vm);
            }
        }
    }

    /// How much a node keeps.
    pub fn usage(&self, node: usize) -> virtio_dvs::switch::Usage {
        self.nodes[node].usage()
    }

    /// Two nodes have a session.
    pub fn join(&mut self, one: usize, other: usize) {
        self.count.sessions += 1;
        self.nodes[one].link_up(id_of(other));
        self.nodes[other].link_up(id_of(one));
        self.settle(one);
        self.settle(other);
    }

    fn settle(&mut self, node: usize) {
        while let Some(action) = self.nodes[node].next_action() {
            match action {
                Action::Ask(id, request) => {
                    let answer = self.answer(node, request);
                    self.nodes[node].answer(id, answer);
                }
                Action::Dial(other) => self.join(node, index_of(other)),
                Action::Notify(to, notice) => {
                    self.count.notices += 1;
                    let to = index_of(to);
                    self.nodes[to].notice(id_of(node), notice);
                    self.settle(to);
                }
                Action::Say(..) => self.count.said += 1,
                _ => {}
            }
        }
    }

    fn answer(&mut self, node: usize, request: Request) -> Answer {
        match request {
            Request::Locate { vm } => {
                self.count.locates += 1;
                let current = self.places.get(&vm).copied();
                let last = current.map_or(0, |it| it.incarnation);
                return Answer::Located(Lives { last, current });
            }
            Request::Lookup { .. } | Request::Await { .. } => return Answer::Found(None),
            _ => self.count.writes += 1,
        }
        match request {
            Request::Join(_) => Answer::Joined(Ok(DcAttributes::default())),
            Request::Begin { vm } => {
                let life = Location {
                    incarnation: 1,
                    node: id_of(node),
                    epoch: 1,
                    dcid: 0,
                };
                self.places.insert(vm, life);
                Answer::Begun(Ok(life))
            }
            Request::Bind {
                endpoint,
                owner,
                nonce,
            } => {
                self.generation += 1;
                self.bound.entry(owner.vm).or_default().push(BoundRecord {
                    number: endpoint.number,
                    generation: self.generation,
                    nonce,
                    privileges: None,
                    offered: false,
                });
                Answer::Bound(Ok(self.generation))
            }
            _ => Answer::Done(Ok(())),
        }
    }
}

fn id_of(node: usize) -> NodeId {
    NodeId(u32::try_from(node + 1).unwrap_or(u32::MAX))
}

fn index_of(node: NodeId) -> usize {
    node.0 as usize - 1
}
