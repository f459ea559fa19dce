//! Frames to and from other nodes.

use crate::directory::{Location, NodeId, Request};
use crate::frame::{Class, Frame, is_for_node};
use crate::switch::peer::{Notice, Stamp};
use crate::switch::route::check_form;
use crate::switch::routes::Found;
use crate::switch::{Drop, Pending, PortId, Switch, Verdict};

impl Switch {
    /// A frame came over the link from `from`, with `payload` bytes behind its header.
    pub fn remote_frame(
        &mut self,
        from: NodeId,
        stamp: Stamp,
        header: &Frame,
        class: Class,
        payload: usize,
    ) -> Verdict {
        match self.route_in(from, stamp, header, class, payload) {
            Ok(to) => Verdict::Deliver(to),
            Err(drop) => Verdict::Drop(drop),
        }
    }

    /// A frame of the guest of `from` to a VM that is not here.
    pub(super) fn route_away(&mut self, from: PortId, header: &Frame) -> Result<Verdict, Drop> {
        // Before anything else, so that whatever makes the way free knows of this one.
        self.admit(from, header)?;
        let port = self.port(from).ok_or(Drop::ForgedSource)?;
        let (dcid, src_epoch) = (port.attributes.dcid, port.epoch);
        if !self
            .cluster
            .as_ref()
            .is_some_and(|it| it.standing.is_good())
        {
            return Err(Drop::NoLease);
        }
        let location = self.find(from, header)?;
        if location.dcid != dcid {
            return Err(Drop::OtherDc);
        }
        if location.node == self.me {
            // It has left, or its port is not there yet; there will be news.
            return Err(Drop::Looking);
        }
        let cluster = self.cluster.as_mut().ok_or(Drop::NoSuchVm)?;
        if let Err(dial) = cluster.is_linked(location.node) {
            self.actions.extend(dial);
            return Err(Drop::LinkDown);
        }
        let stamp = Stamp {
            src_epoch,
            dst_epoch: location.epoch,
        };
        Ok(Verdict::Forward(location.node, stamp))
    }

    fn find(&mut self, from: PortId, header: &Frame) -> Result<Location, Drop> {
        let vm = header.dst_vm.get();
        let route = self.route_to(vm).ok_or(Drop::NoSuchVm)?;
        match route.find(from, header.dst_inc.get()) {
            Found::At(location) => Ok(location),
            Found::Over => Err(Drop::DestinationOver),
            Found::Unknown { ask } => {
                self.locate(vm, ask);
                Err(Drop::Looking)
            }
        }
    }

    fn locate(&mut self, vm: u32, ask: bool) {
        if ask {
            self.ask(Request::Locate { vm }, Pending::Locate(vm));
        }
    }

    fn route_in(
        &mut self,
        from: NodeId,
        stamp: Stamp,
        header: &Frame,
        class: Class,
        payload: usize,
    ) -> Result<PortId, Drop> {
        check_form(header, class, payload)?;
        if is_for_node(header.kind) {
            return Err(Drop::NotAsked);
        }
        if !self
            .cluster
            .as_ref()
            .is_some_and(|it| it.standing.is_good())
        {
            return Err(Drop::NoLease);
        }
        let to = self.arrives_at(from, stamp, header)?;
        let source = self.check_claim(from, stamp, header)?;
        let port = self.port(to).ok_or(Drop::NotHere)?;
        if port.attributes.dcid != source.dcid {
            return Err(Drop::OtherDc);
        }
        if port.incarnation() != Some(header.dst_inc.get()) {
            self.remote_no_room(from, to, class);
            return Err(Drop::DestinationNew);
        }
        if !port.running {
            self.remote_no_room(from, to, class);
            return Err(Drop::NotRunning);
        }
        Ok(to)
    }

    /// The port that the frame is for, if the sending node knows where that is.
    fn arrives_at(&mut self, from: NodeId, stamp: Stamp, header: &Frame) -> Result<PortId, Drop> {
        let (vm, incarnation) = (header.dst_vm.get(), header.dst_inc.get());
        let to = self.port_of(vm);
        let Some((to, port)) = to.and_then(|to| Some((to, self.port(to)?))) else {
            let epoch = stamp.dst_epoch;
            let cluster = self.cluster.as_mut();
            if cluster.is_some_and(|it| it.moves.turn_away(from, vm, epoch)) {
                return Err(Drop::Looking);
            }
            self.notify(from, Notice::Moved { vm, epoch });
            return Err(Drop::NotHere);
        };
        if port.is_over(incarnation) {
            self.notify(from, Notice::Gone { vm, incarnation });
            return Err(Drop::DestinationOver);
        }
        // The directory's answer tells in which epoch the next life is.
        if port.epoch != stamp.dst_epoch && !port.is_beginning() {
            let (known, epoch) = (port.epoch, stamp.dst_epoch);
            let cluster = self.cluster.as_mut();
            // The node may know before us that the VM was taken back.
            if known < epoch && cluster.is_some_and(|it| it.moves.turn_away(from, vm, epoch)) {
                return Err(Drop::Looking);
            }
            self.notify(from, Notice::Moved { vm, epoch });
            return Err(Drop::NotHere);
        }
        Ok(to)
    }

    /// Where the directory says that the source lives, if that is where the frame comes from.
    fn check_claim(
        &mut self,
        from: NodeId,
        stamp: Stamp,
        header: &Frame,
    ) -> Result<Location, Drop> {
        let vm = header.src_vm.get();
        let (incarnation, epoch) = (header.src_inc.get(), stamp.src_epoch);
        let port = self.port_of(vm).and_then(|id| self.port(id));
        // A VM that was here may be there now; what it is here is older than that.
        if vm == header.dst_vm.get() || port.is_some_and(|it| it.epoch >= epoch) {
            return Err(Drop::Contradicts);
        }
        let route = self.route_to(vm).ok_or(Drop::Contradicts)?;
        match route.check(from, incarnation, epoch, header.dst_vm.get()) {
            Ok(location) => Ok(location),
            Err(Found::Over) => Err(Drop::SourceOver),
            Err(Found::At(_)) => Err(Drop::Contradicts),
            Err(Found::Unknown { ask }) => {
                self.locate(vm, ask);
                Err(Drop::Looking)
            }
        }
    }
}
