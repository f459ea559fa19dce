//! What the directory of a cluster holds, and what a request makes of it. Every request is carried
//! out at one moment; there is no time in it.

mod moves;

use std::collections::BTreeMap;

use virtio_dvs::directory::{
    Answer, BoundRecord, DirectoryError, Endpoint, Found, Location, NodeId, Owner, Place, Request,
    Seen, Start, VmRecord,
};
use virtio_dvs::vm::{DcAttributes, VmAttributes};

/// The time for which a node's key is there; its lives are of that time.
pub(super) type Tenure = u64;

/// A VM as its record tells of it. Whether the life goes on depends on its tenure too.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sight {
    /// The number of the last life.
    pub(super) last: u32,
    pub(super) life: Option<(Location, Tenure)>,
}

/// What a request comes to.
#[derive(Debug, Clone)]
pub(super) enum Reply {
    /// As it stands.
    Plain(Answer),
    /// A VM was located.
    Located(u32, Sight),
    /// An endpoint was looked for.
    Found(Endpoint, Option<(Found, Tenure)>),
    /// The record of a VM was looked at, perhaps after it was changed.
    Seen(u32, Option<(Box<Seen>, Tenure)>),
}

/// What is different now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    Vm(u32),
    Bound(Endpoint),
}

#[derive(Debug)]
struct Life {
    tenure: Tenure,
    driving: bool,
    start: Start,
}

#[derive(Debug)]
struct Vm {
    node: NodeId,
    dcid: u32,
    /// Given out last.
    epoch: u32,
    incarnation: u32,
    /// While a node has it.
    member: Option<VmAttributes>,
    life: Option<Life>,
}

#[derive(Debug)]
struct Binding {
    owner: Owner,
    generation: u32,
    nonce: u64,
}

/// The records.
#[derive(Debug, Default)]
pub(super) struct Truth {
    vms: BTreeMap<u32, Vm>,
    endpoints: BTreeMap<Endpoint, Binding>,
    /// Nodes whose lease lives.
    nodes: BTreeMap<NodeId, Tenure>,
    tenures: Tenure,
    generation: u32,
}

impl Truth {
    /// A node has a lease again, or for the first time.
    pub(super) fn join(&mut self, node: NodeId) -> Tenure {
        self.tenures += 1;
        self.nodes.insert(node, self.tenures);
        self.tenures
    }

    /// The lease of a node ran out.
    pub(super) fn lapse(&mut self, node: NodeId) -> Option<Tenure> {
        self.nodes.remove(&node)
    }

    pub(super) fn tenure(&self, node: NodeId) -> Option<Tenure> {
        self.nodes.get(&node).copied()
    }

    /// Nodes whose lease lives, and the last tenure of all.
    pub(super) fn nodes(&self) -> (Vec<(NodeId, Tenure)>, Tenure) {
        let nodes = self.nodes.iter().map(|it| (*it.0, *it.1));
        (nodes.collect(), self.tenures)
    }

    /// Lives of a node that its lease has or had.
    pub(super) fn lives_at(&self, node: NodeId) -> Vec<Owner> {
        let at = self.vms.iter().filter(|it| it.1.node == node);
        let alive = at.filter(|it| it.1.life.is_some());
        let owner = |(&vm, it): (&u32, &Vm)| Owner {
            vm,
            incarnation: it.incarnation,
        };
        alive.map(owner).collect()
    }

    pub(super) fn sight(&self, vm: u32) -> Sight {
        let vm = self.vms.get(&vm);
        Sight {
            last: vm.map_or(0, |it| it.incarnation),
            life: vm.and_then(|it| Some((it.location(), it.life.as_ref()?.tenure))),
        }
    }

    /// The same, of a life that goes on now.
    fn sight_now(&self, vm: u32) -> Sight {
        let mut sight = self.sight(vm);
        let lives = |&(at, tenure): &(Location, Tenure)| self.tenure(at.node) == Some(tenure);
        sight.life = sight.life.filter(lives);
        sight
    }

    /// Who has bound an endpoint in a life that goes on.
    pub(super) fn lookup(&self, endpoint: Endpoint) -> Option<(Found, Tenure)> {
        let binding = self.endpoints.get(&endpoint)?;
        let (location, tenure) = self.sight_now(binding.owner.vm).life?;
        let found = Found {
            vm: binding.owner.vm,
            generation: binding.generation,
            location,
        };
        (found.owner() == binding.owner).then_some((found, tenure))
    }

    /// The VMs of a node, as it finds them when it starts. Of the lives of an earlier boot of its
    /// host none goes on, nor do those of an earlier tenure, once there is a new one; all others do, as far as
    /// their guests know.
    pub(super) fn records(&self, node: NodeId, rebooted: bool) -> Vec<Seen> {
        let mine = self.vms.iter().filter(|it| it.1.node == node);
        mine.filter_map(|(&vm, it)| {
            let now = self.tenure(node);
            let goes_on = |life: &&Life| now.is_none_or(|now| life.tenure == now);
            let life = it.life.as_ref().filter(|_| !rebooted).filter(goes_on);
            let record = VmRecord {
                attributes: it.member.clone()?,
                dc: DcAttributes::default(),
                life: life.map(|_| it.location()),
                driving: life.is_some_and(|life| life.driving),
                start: life.map_or(Start::Made, |life| life.start),
                endpoints: self.bound_by(it.owner(vm)),
            };
            let place = self.place(vm)?;
            Some(Seen { place, record })
        })
        .collect()
    }

    fn bound_by(&self, owner: Owner) -> Vec<BoundRecord> {
        let bound = self.endpoints.iter().filter(|it| it.1.owner == owner);
        let record = |(endpoint, it): (&Endpoint, &Binding)| BoundRecord {
            number: endpoint.number,
            generation: it.generation,
            nonce: it.nonce,
            privileges: None,
            offered: false,
        };
        bound.map(record).collect()
    }

    /// Carries out a request of a node that has its lease.
    pub(super) fn apply(&mut self, me: NodeId, request: &Request) -> (Reply, Vec<Change>) {
        let mut changes = Vec::new();
        let answer = match request {
            Request::Join(attributes) => Answer::Joined(self.join_vm(me, attributes)),
            Request::Leave { vm } => {
                changes.push(Change::Vm(*vm));
                Answer::Done(self.leave(me, *vm))
            }
            Request::Begin { vm } => {
                changes.push(Change::Vm(*vm));
                Answer::Begun(self.begin(me, *vm))
            }
            Request::Driving(owner) => Answer::Done(self.mine(me, *owner).map(|it| {
                if let Some(life) = &mut it.life {
                    life.driving = true;
                }
            })),
            Request::End(owner) => {
                changes.push(Change::Vm(owner.vm));
                Answer::Done(self.end(me, *owner))
            }
            Request::Bind {
                endpoint,
                owner,
                nonce,
            } => {
                changes.push(Change::Bound(*endpoint));
                Answer::Bound(self.bind(me, *endpoint, *owner, *nonce))
            }
            Request::Unbind {
                endpoint,
                owner,
                generation,
            } => Answer::Unbound(self.unbind(me, *endpoint, *owner, *generation)),
            Request::Privilege { endpoint, .. } => {
                Answer::Privileged(Err(DirectoryError::NotBound(*endpoint)))
            }
            // Nobody does in the simulator.
            Request::Offer { endpoint, .. } => {
                Answer::Offered(Err(DirectoryError::NotBound(*endpoint)))
            }
            Request::Adopt { endpoint, .. } => {
                Answer::Adopted(Err(DirectoryError::NotBound(*endpoint)))
            }
            Request::Lookup { endpoint } | Request::Await { endpoint } => {
                return (Reply::Found(*endpoint, self.lookup(*endpoint)), changes);
            }
            Request::Take { vm, from } => {
                changes.push(Change::Vm(*vm));
                self.take(me, *vm, *from);
                return (Reply::Seen(*vm, self.seen(me, *vm)), changes);
            }
            Request::Started { vm, epoch, start } => {
                self.started(me, *vm, *epoch, *start);
                Answer::Done(Ok(()))
            }
            Request::Look { vm } => return (Reply::Seen(*vm, self.seen(me, *vm)), changes),
            Request::Locate { vm } => return (Reply::Located(*vm, self.sight_now(*vm)), changes),
        };
        (Reply::Plain(answer), changes)
    }

    /// What a read says now that was asked before.
    pub(super) fn read_again(&self, me: NodeId, reply: &Reply) -> Reply {
        match reply {
            Reply::Seen(vm, _) => Reply::Seen(*vm, self.seen(me, *vm)),
            Reply::Located(vm, _) => Reply::Located(*vm, self.sight_now(*vm)),
            Reply::Found(endpoint, _) => Reply::Found(*endpoint, self.lookup(*endpoint)),
            Reply::Plain(answer) => Reply::Plain(answer.clone()),
        }
    }

    fn join_vm(
        &mut self,
        me: NodeId,
        attributes: &VmAttributes,
    ) -> Result<DcAttributes, DirectoryError> {
        let (vm, dcid) = (attributes.vm, attributes.dcid);
        if let Some(record) = self.vms.get(&vm).filter(|it| it.member.is_some()) {
            let node = record.node;
            if node == me {
                return Err(DirectoryError::VmInUse(vm));
            }
            if self.tenure(node).is_some() {
                return Err(DirectoryError::Elsewhere { vm, node });
            }
        }
        let record = self.vms.entry(vm).or_insert(Vm {
            node: me,
            dcid,
            epoch: 0,
            incarnation: 0,
            member: None,
            life: None,
        });
        record.node = me;
        record.member = Some(attributes.clone());
        let over = record.owner(vm);
        record.life = None;
        self.free(over);
        Ok(DcAttributes::default())
    }

    fn leave(&mut self, me: NodeId, vm: u32) -> Result<(), DirectoryError> {
        let record = self.member(me, vm)?;
        record.member = None;
        record.life = None;
        let over = record.owner(vm);
        self.free(over);
        Ok(())
    }

    fn begin(&mut self, me: NodeId, vm: u32) -> Result<Location, DirectoryError> {
        let tenure = self.tenure(me).ok_or(DirectoryError::NoVm(vm))?;
        let record = self.member(me, vm)?;
        let over = record.owner(vm);
        record.incarnation += 1;
        record.epoch += 1;
        record.life = Some(Life {
            start: Start::Made,
            tenure,
            driving: false,
        });
        let location = record.location();
        self.free(over);
        Ok(location)
    }

    fn end(&mut self, me: NodeId, owner: Owner) -> Result<(), DirectoryError> {
        self.mine(me, owner)?.life = None;
        self.free(owner);
        Ok(())
    }

    fn bind(
        &mut self,
        me: NodeId,
        endpoint: Endpoint,
        owner: Owner,
        nonce: u64,
    ) -> Result<u32, DirectoryError> {
        let tenure = self.tenure(me);
        let life = self.mine(me, owner)?.life.as_ref();
        if life.map(|it| it.tenure) != tenure {
            return Err(DirectoryError::LifeOver(owner));
        }
        if let Some((found, _)) = self.lookup(endpoint) {
            let same = self.endpoints.get(&endpoint);
            if same.is_some_and(|it| it.owner == owner && it.nonce == nonce) {
                return Ok(found.generation);
            }
            let vm = found.vm;
            return Err(DirectoryError::Taken { endpoint, vm });
        }
        self.generation += 1;
        let generation = self.generation;
        let binding = Binding {
            owner,
            generation,
            nonce,
        };
        self.endpoints.insert(endpoint, binding);
        Ok(generation)
    }

    fn unbind(
        &mut self,
        me: NodeId,
        endpoint: Endpoint,
        owner: Owner,
        generation: u32,
    ) -> Result<(), DirectoryError> {
        let not_bound = DirectoryError::NotBound(endpoint);
        self.mine(me, owner).map_err(|_| not_bound)?;
        let bound = self.endpoints.get(&endpoint);
        let fits = |it: &Binding| it.owner == owner && [0, it.generation].contains(&generation);
        if !bound.is_some_and(fits) {
            return Err(DirectoryError::NotBound(endpoint));
        }
        self.endpoints.remove(&endpoint);
        Ok(())
    }

    fn free(&mut self, owner: Owner) {
        self.endpoints.retain(|_, it| it.owner != owner);
    }

    /// A VM that this node has.
    fn member(&mut self, me: NodeId, vm: u32) -> Result<&mut Vm, DirectoryError> {
        let record = self.vms.get_mut(&vm).filter(|it| it.member.is_some());
        let record = record.ok_or(DirectoryError::NoVm(vm))?;
        let node = record.node;
        if node != me {
            return Err(DirectoryError::Elsewhere { vm, node });
        }
        Ok(record)
    }

    /// A life that this node has.
    fn mine(&mut self, me: NodeId, owner: Owner) -> Result<&mut Vm, DirectoryError> {
        let record = self.member(me, owner.vm)?;
        let lives = record.incarnation == owner.incarnation && record.life.is_some();
        lives
            .then_some(record)
            .ok_or(DirectoryError::LifeOver(owner))
    }
}

impl Vm {
    fn owner(&self, vm: u32) -> Owner {
        Owner {
            vm,
            incarnation: self.incarnation,
        }
    }

    fn location(&self) -> Location {
        Location {
            incarnation: self.incarnation,
            node: self.node,
            epoch: self.epoch,
            dcid: self.dcid,
        }
    }
}
