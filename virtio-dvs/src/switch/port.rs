//! What the switch knows of one port.

use crate::directory::{BoundRecord, Location, NodeId, Start};
use crate::frame::{Class, Frame, kind, vm_and_incarnation};
use crate::privileges::Privileges;
use crate::spec::{CONFIG_ADMIN, DeviceConfig};
use crate::switch::awaiting::Awaiting;
use crate::switch::control::ASKED_MAX;
use crate::switch::{PortId, dc_name};
use crate::vm::{DcAttributes, VmAttributes};
use std::collections::{BTreeMap, BTreeSet};

/// Ends of lives that are kept for one port until there is room to tell them.
const OWED_GONE_MAX: usize = 128;

/// The lower half.
#[allow(clippy::cast_possible_truncation, reason = "that is what it is for")]
const fn low(number: u64) -> u32 {
    number as u32
}

/// Which life of its VM a port is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Life {
    /// The last one is over (0: there was none).
    Over(u32),
    /// The directory was asked for a new one; the last one is over.
    Asked(u32),
    /// This one.
    Alive(u32),
}

/// Whether a port's VM is here, and on its way: see [`crate::switch::moves`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// It lives here.
    Here,
    /// It does, but may be taken from here at any moment.
    Held,
    /// It was taken and has not run since, as far as this node knows.
    Taken,
    /// It lives at another node.
    Elsewhere,
}

impl Stage {
    /// Whether frames are carried to the VM and from it.
    pub(super) const fn carries(self) -> bool {
        matches!(self, Stage::Here | Stage::Taken)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Bound {
    pub(super) generation: u32,
    pub(super) nonce: u64,
    pub(super) privileges: Privileges,
    /// Another VM may take it, or has taken it.
    pub(super) offered: bool,
}

/// An endpoint that a VM has bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EndpointView {
    /// Its number.
    pub number: i32,
    /// Its generation.
    pub generation: u32,
    /// What it may do.
    pub privileges: Privileges,
}

#[derive(Debug)]
pub(super) struct Port {
    pub(super) attributes: VmAttributes,
    pub(super) dc: DcAttributes,
    pub(super) life: Life,
    pub(super) stage: Stage,
    /// While the VM was held the others have given its life up.
    pub(super) given_up: bool,
    /// Whoever had the port wants it no more; it waits only for what the record will say.
    pub(super) forgotten: bool,
    /// It was prepared here for the VM, and no guest has run at it since.
    pub(super) fresh: bool,
    /// A VMM was connected to it and has gone.
    pub(super) left: bool,
    /// The record says that the VM's start here is awaited.
    pub(super) awaited: bool,
    /// Changes of the VM's record are news.
    pub(super) watched: bool,
    /// Where the directory has put that life: grows with each life and each move.
    pub(super) epoch: u32,
    /// A new life was asked for, while the guest runs on in this one.
    pub(super) renewed: Option<u32>,
    /// A VMM holds the connection, so that a life is wanted.
    pub(super) connected: bool,
    /// The rings are in use.
    pub(super) running: bool,
    /// They have been in use in this life.
    pub(super) driven: bool,
    pub(super) bound: BTreeMap<i32, Bound>,
    /// Binds and other requests that the directory has not answered.
    pub(super) binding: usize,
    pub(super) asked: usize,
    /// Endpoints, and their generations, that the directory was asked to free.
    pub(super) unbinding: Vec<(i32, u32)>,
    /// AWAIT requests whose endpoints are not bound.
    pub(super) awaiting: Awaiting,
    /// A request was turned away for too many of them.
    pub(super) owed_busy: bool,
    /// VMs of the same DC that frames were sent to.
    pub(super) peers: BTreeSet<u32>,
    /// Ports whose frames were dropped here, by class: RETRY when there is room.
    pub(super) owed: [BTreeSet<PortId>; Class::ALL.len()],
    /// Nodes whose frames were dropped here, by class.
    pub(super) owed_nodes: [BTreeSet<NodeId>; Class::ALL.len()],
    /// The guest does not know yet that this life of its is over, and another has begun.
    pub(super) owed_renewed: Option<u32>,
    /// Something that the node had to say was lost: RETRY(all) when there is room.
    pub(super) owed_all: bool,
    /// Lives whose end could not be told, by VM.
    pub(super) owed_gone: BTreeMap<u32, u32>,
    /// ASK found no room.
    pub(super) owed_ask: Option<Frame>,
    /// ORDERs that found no room: those that a guest may have under way, and for each the word that it took
    /// too long.
    pub(super) owed_orders: Vec<Frame>,
    /// A frame of this batch was of a life that is over: the guest does not know.
    pub(super) refused_life: Option<u32>,
    /// A frame was refused in this batch for what its source endpoint is not, or may not.
    pub(super) refused_source: bool,
    /// RETRY may answer that; regained by frames that are carried and by control requests, so that
    /// a guest that repeats itself is not answered for ever.
    pub(super) may_retry_source: bool,
    /// The last GONE said in this batch; the next frame to the same life needs none.
    pub(super) said_gone: Option<u64>,
}

impl Port {
    pub(super) fn new(attributes: VmAttributes, dc: DcAttributes) -> Port {
        Port {
            attributes,
            dc,
            life: Life::Over(0),
            stage: Stage::Here,
            given_up: false,
            forgotten: false,
            fresh: false,
            left: false,
            awaited: false,
            watched: false,
            epoch: 0,
            connected: false,
            running: false,
            driven: false,
            bound: BTreeMap::new(),
            binding: 0,
            asked: 0,
            unbinding: Vec::new(),
            awaiting: Awaiting::default(),
            owed_busy: false,
            peers: BTreeSet::new(),
            owed: Default::default(),
            owed_nodes: Default::default(),
            owed_renewed: None,
            renewed: None,
            owed_all: false,
            owed_gone: BTreeMap::new(),
            owed_ask: None,
            owed_orders: Vec::new(),
            refused_life: None,
            refused_source: false,
            may_retry_source: true,
            said_gone: None,
        }
    }

    /// Takes up a life that began before this node was started, or elsewhere.
    pub(super) fn restore(&mut self, life: Location, driven: bool, endpoints: &[BoundRecord]) {
        self.life = Life::Alive(life.incarnation);
        self.epoch = life.epoch;
        self.driven = driven;
        self.bound = endpoints
            .iter()
            .map(|record| {
                let default = || Privileges::of_number(&self.dc, record.number);
                let bound = Bound {
                    generation: record.generation,
                    nonce: record.nonce,
                    privileges: record.privileges.unwrap_or_else(default),
                    offered: record.offered,
                };
                (record.number, bound)
            })
            .collect();
    }

    /// The VM has come here, as its record says: whether its start is awaited, or given up.
    pub(super) fn expects(&mut self, start: Start) {
        self.awaited = start == Start::Awaited;
        self.forgotten |= start == Start::Declined;
        if start != Start::Made {
            self.stage = Stage::Taken;
        }
    }

    /// Whether the VM was taken and certainly has not run here.
    pub(super) fn has_not_run(&self) -> bool {
        self.stage == Stage::Taken && self.fresh
    }

    pub(super) fn incarnation(&self) -> Option<u32> {
        match self.life {
            Life::Alive(incarnation) => Some(incarnation),
            Life::Over(_) | Life::Asked(_) => None,
        }
    }

    /// Whether the directory was asked for its next life, and has not answered.
    pub(super) fn is_beginning(&self) -> bool {
        matches!(self.life, Life::Asked(_))
    }

    /// The life for which the directory may be asked now.
    pub(super) fn asking_life(&self) -> Option<u32> {
        let may_ask = self.asked < ASKED_MAX && self.stage.carries();
        self.incarnation().filter(|_| may_ask)
    }

    pub(super) fn last_incarnation(&self) -> u32 {
        match self.life {
            Life::Alive(incarnation) | Life::Over(incarnation) | Life::Asked(incarnation) => {
                incarnation
            }
        }
    }

    /// Whether that life of the VM is over for good. Before one was asked for here nobody can know of it:
    /// whoever names one means an earlier one, which this node may never have heard of.
    pub(super) fn is_over(&self, incarnation: u32) -> bool {
        match self.life {
            Life::Alive(now) => incarnation < now,
            Life::Over(0) => true,
            // Others may hear of the next one first, be it here or elsewhere.
            Life::Over(last) | Life::Asked(last) => incarnation <= last,
        }
    }

    /// Forgets all that belonged to the life that ended.
    pub(super) fn clear(&mut self) {
        self.driven = false;
        self.bound.clear();
        self.binding = 0;
        self.asked = 0;
        self.unbinding.clear();
        self.awaiting = Awaiting::default();
        self.owed_busy = false;
        self.peers.clear();
        self.owed = Default::default();
        self.owed_nodes = Default::default();
        self.owed_renewed = None;
        self.owed_all = false;
        self.owed_gone.clear();
        self.owed_ask = None;
        self.owed_orders.clear();
        self.refused_life = None;
        self.refused_source = false;
        self.may_retry_source = true;
        self.said_gone = None;
    }

    /// How much is owed, to this VM and for it.
    pub(super) fn owed_len(&self) -> usize {
        let ports: usize = self.owed.iter().map(BTreeSet::len).sum();
        let nodes: usize = self.owed_nodes.iter().map(BTreeSet::len).sum();
        ports + nodes + self.owed_gone.len()
    }

    pub(super) fn forget_port(&mut self, id: PortId) {
        for owed in &mut self.owed {
            owed.remove(&id);
        }
    }

    /// Something that the node had to say found no room. An end is kept as long as there is place
    /// for it: nobody else would tell it. So is the question that the node asks last.
    pub(super) fn lost(&mut self, frame: &Frame) {
        if frame.kind == kind::ASK {
            self.owed_ask = Some(*frame);
            return;
        }
        if frame.kind == kind::ORDER {
            self.owed_orders.push(*frame);
            return;
        }
        if frame.kind == kind::RENEWED {
            self.owed_renewed = Some(frame.dst_inc.get());
            return;
        }
        let gone = frame.arg.get();
        let (vm, incarnation) = (low(gone), low(gone >> u32::BITS));
        if frame.kind == kind::GONE
            && (self.owed_gone.len() < OWED_GONE_MAX || self.owed_gone.contains_key(&vm))
        {
            let owed = self.owed_gone.entry(vm).or_default();
            *owed = incarnation.max(*owed);
        } else {
            self.owed_all = true;
        }
    }

    /// What is bound under this number, if it is of this generation.
    pub(super) fn bound(&self, number: i32, generation: u32) -> Option<&Bound> {
        let bound = self.bound.get(&number);
        bound.filter(|bound| bound.generation == generation)
    }

    /// Whether the directory was asked to free it after whatever it answers now.
    pub(super) fn is_unbinding(&self, number: i32, generation: u32) -> bool {
        let meant = |it: &(i32, u32)| it.0 == number && [0, generation].contains(&it.1);
        self.unbinding.iter().any(meant)
    }

    pub(super) fn may_talk_to(&self, vm: u32) -> bool {
        self.peers.contains(&vm) || self.peers.len() < self.attributes.limits.max_peers as usize
    }

    /// Whether GONE for this life was not said in this batch yet.
    pub(super) fn first_gone(&mut self, vm: u32, incarnation: u32) -> bool {
        let gone = vm_and_incarnation(vm, incarnation);
        self.said_gone.replace(gone) != Some(gone)
    }

    pub(super) fn endpoints(&self) -> impl Iterator<Item = EndpointView> + '_ {
        self.bound.iter().map(|(&number, bound)| EndpointView {
            number,
            generation: bound.generation,
            privileges: bound.privileges,
        })
    }

    pub(super) fn config(&self, nodeid: u32) -> DeviceConfig {
        let admin = if self.attributes.admin {
            CONFIG_ADMIN
        } else {
            0
        };
        let limit = |class: Class| u32::try_from(class.payload_max()).unwrap_or(u32::MAX);
        DeviceConfig {
            vm: self.attributes.vm.into(),
            incarnation: self.last_incarnation().into(),
            dcid: self.attributes.dcid.into(),
            max_message: limit(Class::Message).into(),
            max_bulk: limit(Class::Bulk).into(),
            max_endpoints: self.attributes.limits.max_endpoints.into(),
            max_peers: self.attributes.limits.max_peers.into(),
            nr_tasks: self.dc.nr_tasks.into(),
            nr_procs: self.dc.nr_procs.into(),
            nr_sysprocs: self.dc.nr_sysprocs.into(),
            flags: admin.into(),
            nodeid: nodeid.into(),
            dc_name: dc_name(&self.dc.name),
        }
    }
}
