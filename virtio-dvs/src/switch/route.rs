//! Frames: admission, routes, and who is owed a RETRY.

use crate::frame::{
    Class, Frame, VM_NODE, class_of, is_for_node, is_request, kind, vm_and_incarnation,
};
use crate::privileges::Denied;
use crate::switch::peer::Notice;
use crate::switch::port::Port;
use crate::switch::{Drop, PortId, Switch, Verdict};
use std::collections::BTreeMap;

impl Switch {
    /// A frame came from the guest of port `from`, on the queue of `class`, with `payload` bytes
    /// behind its header.
    pub fn frame(&mut self, from: PortId, header: &Frame, class: Class, payload: usize) -> Verdict {
        match self.route(from, header, class, payload) {
            Ok(verdict) => verdict,
            Err(drop) => {
                self.dropped(from, header, class, drop);
                Verdict::Drop(drop)
            }
        }
    }

    /// A frame to be delivered from `from` to `to` found no room: RETRY is owed.
    pub fn no_room(&mut self, from: PortId, to: PortId, class: Class) {
        if let Some(port) = self.port_mut(to) {
            port.owed[class.index()].insert(from);
        }
    }

    /// A frame of the node found no room, or no ring in use. The end of a life is told later;
    /// RETRY(all) stands for everything else.
    pub fn node_frame_lost(&mut self, to: PortId, frame: &Frame) {
        let orders = &self.orders;
        if let Some(port) = self.ports.get_mut(to.0).and_then(Option::as_mut) {
            port.owed_orders
                .retain(|it| orders.contains_key(&it.op.get()));
            port.lost(frame);
        }
    }

    /// The receive ring of `class` of this port has room again.
    pub fn room(&mut self, id: PortId, class: Class) {
        let Some(port) = self.port_mut(id).filter(|port| port.running) else {
            return;
        };
        let vm = port.attributes.vm;
        let owed = std::mem::take(&mut port.owed[class.index()]);
        let nodes = std::mem::take(&mut port.owed_nodes[class.index()]);
        let (mut owed_all, mut owed_gone, mut owed_ask) = (false, BTreeMap::new(), None);
        let mut owed_orders = Vec::new();
        let mut owed_renewed = None;
        if class == Class::Message {
            owed_renewed = port.owed_renewed.take();
            owed_all = std::mem::take(&mut port.owed_all);
            owed_gone = std::mem::take(&mut port.owed_gone);
            owed_ask = port.owed_ask.take();
            owed_orders = std::mem::take(&mut port.owed_orders);
        }
        if let Some(over) = owed_renewed {
            self.say_renewed(id, over);
        }
        for (gone, incarnation) in owed_gone {
            self.say(id, kind::GONE, vm_and_incarnation(gone, incarnation));
        }
        if owed_all {
            self.say_retry(id, VM_NODE);
        }
        if let Some(ask) = owed_ask {
            self.ask_again(id, ask);
        }
        for order in owed_orders {
            self.order_again(id, order);
        }
        for sender in owed {
            self.say_retry(sender, vm);
        }
        for node in nodes {
            self.notify(node, Notice::Retry { vm });
        }
    }

    /// Whether anybody waits for room in this receive ring.
    pub fn wants_room(&self, id: PortId, class: Class) -> bool {
        self.port(id).is_some_and(|port| {
            let said = port.owed_all
                || !port.owed_gone.is_empty()
                || port.owed_ask.is_some()
                || !port.owed_orders.is_empty()
                || port.owed_renewed.is_some();
            let senders = &port.owed[class.index()];
            let nodes = &port.owed_nodes[class.index()];
            (class == Class::Message && said) || !senders.is_empty() || !nodes.is_empty()
        })
    }

    /// The frames of this port that were there have been handled.
    pub fn batch_end(&mut self, id: PortId) {
        let Some(port) = self.port_mut(id) else {
            return;
        };
        port.said_gone = None;
        let life = port.refused_life.take();
        let refused = std::mem::take(&mut port.refused_source) || life.is_some();
        if !refused || !port.may_retry_source {
            return;
        }
        port.may_retry_source = false;
        match life {
            // A node that was started again does not know whether the last one has said it.
            Some(over) => self.say_renewed(id, over),
            None => self.say_retry(id, VM_NODE),
        }
    }

    fn route(
        &mut self,
        from: PortId,
        header: &Frame,
        class: Class,
        payload: usize,
    ) -> Result<Verdict, Drop> {
        check_form(header, class, payload)?;
        let source = self.port(from).ok_or(Drop::ForgedSource)?;
        check_source(source, header)?;
        if is_for_node(header.kind) {
            let to_node = header.dst_vm.get() == VM_NODE;
            return to_node.then_some(Verdict::Tell).ok_or(Drop::NotAsked);
        }
        let Some(to) = self.destination(source, header)? else {
            return self.route_away(from, header);
        };
        self.admit(from, header)?;
        let destination = self.port(to).ok_or(Drop::NoSuchVm)?;
        let inc = header.dst_inc.get();
        if destination.is_over(inc) {
            return Err(Drop::DestinationOver);
        }
        if destination.incarnation() != Some(inc) {
            return Err(Drop::DestinationNew);
        }
        if !destination.running {
            return Err(Drop::NotRunning);
        }
        Ok(Verdict::Deliver(to))
    }

    /// The port of the destination; `None`: at another node, perhaps.
    fn destination(&self, source: &Port, header: &Frame) -> Result<Option<PortId>, Drop> {
        let vm = header.dst_vm.get();
        if vm == VM_NODE {
            return Err(Drop::ToNode);
        }
        if vm == source.attributes.vm {
            return Err(Drop::ToSelf);
        }
        let Some(to) = self.port_of(vm) else {
            return self.cluster.is_some().then_some(None).ok_or(Drop::NoSuchVm);
        };
        let destination = self.port(to).ok_or(Drop::NoSuchVm)?;
        if destination.attributes.dcid != source.attributes.dcid {
            return Err(Drop::OtherDc);
        }
        Ok(Some(to))
    }

    /// Counts the destination among the source's peers. Unnumbered frames do not make a peer: one
    /// of them tells a VM that there is no room for it.
    pub(super) fn admit(&mut self, from: PortId, header: &Frame) -> Result<(), Drop> {
        let vm = header.dst_vm.get();
        let numbered = header.kind > kind::UNNUMBERED_LAST;
        let source = self.port_mut(from).ok_or(Drop::ForgedSource)?;
        source.may_retry_source = true;
        if numbered {
            if !source.may_talk_to(vm) {
                return Err(Drop::PeerLimit);
            }
            source.peers.insert(vm);
        }
        Ok(())
    }

    /// What a dropped frame leaves behind.
    fn dropped(&mut self, from: PortId, header: &Frame, class: Class, drop: Drop) {
        let (vm, incarnation) = (header.dst_vm.get(), header.dst_inc.get());
        match drop {
            // A VM of another DC does not exist for this one.
            Drop::NoSuchVm | Drop::OtherDc | Drop::DestinationOver => {
                let first = |port: &mut Port| port.first_gone(vm, incarnation);
                if self.port_mut(from).is_some_and(first) {
                    self.say(from, kind::GONE, vm_and_incarnation(vm, incarnation));
                }
            }
            Drop::DestinationNew | Drop::NotRunning => {
                if let Some(to) = self.port_of(vm) {
                    self.no_room(from, to, class);
                }
            }
            // What was right when it was sent first may be refused when it is sent again, after its
            // sender was unbound or lost a privilege. Its number must arrive all the same, or
            // nothing behind it would: the driver is told to send again, now in another form. An
            // honest driver refuses the call before it sends, so that this is all it hears of it.
            Drop::UnboundSource | Drop::DeniedCall | Drop::DeniedDestination => {
                if let Some(port) = self.port_mut(from) {
                    port.refused_source = true;
                }
            }
            Drop::SourceOver => {
                let life = header.src_inc.get();
                let alive = |port: &&mut Port| port.incarnation().is_some() && port.is_over(life);
                if let Some(port) = self.port_mut(from).filter(alive) {
                    port.refused_life = Some(life);
                }
            }
            _ => {}
        }
    }
}

/// What can be seen from the header alone.
pub(super) fn check_form(header: &Frame, class: Class, payload: usize) -> Result<(), Drop> {
    let stated = usize::try_from(header.len.get()).map_err(|_| Drop::Length)?;
    if stated != payload || stated > class.payload_max() {
        return Err(Drop::Length);
    }
    if header.reserved.get() != 0 {
        return Err(Drop::Reserved);
    }
    if header.kind <= kind::NODE_LAST {
        return Err(Drop::NodeKind);
    }
    match class_of(header.kind) {
        None => Err(Drop::UnknownKind),
        Some(right) if right != class => Err(Drop::WrongQueue),
        Some(_) => Ok(()),
    }
}

/// Whether the source is what the frame says.
fn check_source(port: &Port, header: &Frame) -> Result<(), Drop> {
    if header.src_vm.get() != port.attributes.vm {
        return Err(Drop::ForgedSource);
    }
    if !port.stage.carries() {
        return Err(Drop::Held);
    }
    if port.incarnation() != Some(header.src_inc.get()) {
        return Err(Drop::SourceOver);
    }
    if !is_request(header.kind) {
        return Ok(());
    }
    let bound = port.bound(header.src_ep.get(), header.src_gen.get());
    let bound = bound.filter(|bound| !bound.offered);
    let privileges = bound.ok_or(Drop::UnboundSource)?.privileges;
    let checked = privileges.check(&port.dc, header.kind, header.dst_ep.get());
    checked.map_err(|denied| match denied {
        Denied::Call => Drop::DeniedCall,
        Denied::Destination => Drop::DeniedDestination,
    })
}
