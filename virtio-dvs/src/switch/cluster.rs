//! Other nodes: links to them, what their switches say, and the directory's news of them.

use crate::directory::{Interest, Lives, Location, News, NodeId};
use crate::frame::{Class, VM_NODE, kind, vm_and_incarnation};
use crate::switch::moves::Moves;
use crate::switch::peer::Notice;
use crate::switch::port::Port;
use crate::switch::routes::{Heard, Route, Routes};
use crate::switch::standing::Standing;
use crate::switch::{Action, Pending, PortId, Request, Switch};
use std::collections::{BTreeMap, BTreeSet};

/// What the switch knows of another node.
#[derive(Debug, Default)]
pub(super) struct Link {
    /// A session is there.
    pub(super) up: bool,
    /// A session was asked for.
    wanted: bool,
    /// The node says that the directory does not answer it.
    pub(super) unanswered: bool,
    /// Ports whose frames found no room, and to which VMs they were, by class.
    owed: [BTreeSet<(PortId, u32)>; Class::ALL.len()],
}

/// What a switch in a cluster knows beside its ports.
#[derive(Debug, Default)]
pub(super) struct Cluster {
    /// Whether frames may go to other nodes and come from them.
    pub(super) standing: Standing,
    pub(super) links: BTreeMap<NodeId, Link>,
    pub(super) routes: Routes,
    pub(super) moves: Moves,
}

impl Cluster {
    /// Whether a frame can go to that node now. If not, a session is made.
    pub(super) fn is_linked(&mut self, node: NodeId) -> Result<(), Option<Action>> {
        let link = self.links.entry(node).or_default();
        if link.up {
            return Ok(());
        }
        let wanted = std::mem::replace(&mut link.wanted, true);
        Err((!wanted).then_some(Action::Dial(node)))
    }

    /// How many RETRYs are owed where links had no room.
    pub(super) fn owed_len(&self) -> usize {
        let owed = self.links.values().flat_map(|it| &it.owed);
        owed.map(BTreeSet::len).sum()
    }

    fn forget_port(&mut self, id: PortId) {
        self.routes.forget_port(id);
        for owed in self.links.values_mut().flat_map(|it| &mut it.owed) {
            owed.retain(|it| it.0 != id);
        }
    }
}

impl Switch {
    /// A session with another node is there: what was lost with the last one is sent again, and
    /// what the node said then does not count any more.
    pub fn link_up(&mut self, node: NodeId) {
        let Some(cluster) = &mut self.cluster else {
            return;
        };
        let link = cluster.links.entry(node).or_default();
        link.up = true;
        for vm in cluster.routes.at(node) {
            if let Some(route) = cluster.routes.get_mut(vm) {
                route.believe_again();
            }
        }
        self.greet(node);
        self.retry_all_at(node);
    }

    /// The session with another node is over. Whoever dialled it makes it anew; but that node may have been
    /// started again, and know nobody to dial: so does this one if its VMs talk to VMs there.
    pub fn link_down(&mut self, node: NodeId) {
        let Some(cluster) = &mut self.cluster else {
            return;
        };
        if let Some(link) = cluster.links.get_mut(&node) {
            link.up = false;
            link.unanswered = false;
            link.owed = Default::default();
        }
        if cluster.routes.is_sent_to(node) {
            self.dial(node);
        }
        self.judge_standing();
    }

    /// A frame from `from` to VM `vm`, to be sent to `node`, found no room: RETRY is owed.
    pub fn no_link_room(&mut self, from: PortId, vm: u32, node: NodeId, class: Class) {
        if let Some(link) = self.link_mut(node)
            && let Some(owed) = link.owed.get_mut(class.index())
        {
            owed.insert((from, vm));
        }
    }

    /// The link takes frames of this class again.
    pub fn link_room(&mut self, node: NodeId, class: Class) {
        let owed = self
            .link_mut(node)
            .and_then(|link| link.owed.get_mut(class.index()))
            .map(std::mem::take);
        for (port, vm) in owed.unwrap_or_default() {
            self.say_retry(port, vm);
        }
    }

    /// A frame from `from` for port `to` found no room: RETRY is owed.
    pub fn remote_no_room(&mut self, from: NodeId, to: PortId, class: Class) {
        if let Some(port) = self.port_mut(to) {
            port.owed_nodes[class.index()].insert(from);
        }
    }

    /// Another switch says something; false: it says it of a VM that is not its own.
    pub fn notice(&mut self, from: NodeId, notice: Notice) -> bool {
        let Some(cluster) = &mut self.cluster else {
            return false;
        };
        let vm = match notice {
            Notice::Directory { answers } => {
                self.peer_is_answered(from, answers);
                return true;
            }
            Notice::Retry { vm: VM_NODE } => {
                self.retry_all_at(from);
                return true;
            }
            Notice::Retry { vm } | Notice::Gone { vm, .. } | Notice::Moved { vm, .. } => vm,
        };
        let Some(route) = cluster.routes.get_mut(vm) else {
            // Whatever it was, nobody here needs it.
            return true;
        };
        let location = route.location();
        if location.is_none_or(|it| it.node != from) {
            return false;
        }
        match notice {
            Notice::Retry { .. } => self.retry_peers(vm),
            Notice::Gone { incarnation, .. } => {
                let known = location.is_some_and(|it| it.incarnation <= incarnation);
                if known {
                    let heard = route.lost();
                    self.tell_heard(vm, heard);
                }
            }
            Notice::Moved { epoch, .. } => {
                if route.deny(epoch) {
                    self.ask(Request::Locate { vm }, Pending::Locate(vm));
                }
            }
            Notice::Directory { .. } => {}
        }
        true
    }

    /// The directory has something to say.
    pub fn news(&mut self, news: News) {
        match news {
            News::Vm { vm, lives } => {
                self.own_record(vm, lives);
                if let Some(route) = self.route_mut(vm) {
                    let heard = route.learn(lives);
                    self.tell_heard(vm, heard);
                }
            }
            News::Bound { endpoint, found } => {
                self.end_awaiting(endpoint.dcid, endpoint.number, &found);
            }
            News::Node { node, .. } => self.node_joined(node),
            News::NodeLost(node) => self.node_lost(node),
            News::Lease(lease) => self.lease(lease),
        }
    }

    /// The directory has told where a VM lives.
    pub(super) fn located(&mut self, vm: u32, lives: Lives) {
        self.own_record(vm, lives);
        let Some(route) = self.route_mut(vm) else {
            return;
        };
        let mut heard = route.answered(lives);
        if std::mem::take(&mut heard.ask) {
            self.ask(Request::Locate { vm }, Pending::Locate(vm));
        }
        self.tell_heard(vm, heard);
    }

    /// The route of a VM that does not live here; a new one if there is none.
    pub(super) fn route_to(&mut self, vm: u32) -> Option<&mut Route> {
        let cluster = self.cluster.as_mut()?;
        if cluster.routes.get(vm).is_none() {
            let ports = &self.ports;
            let is_needed = |vm| {
                ports
                    .iter()
                    .flatten()
                    .any(|it: &Port| it.peers.contains(&vm))
            };
            if let Some(superfluous) = cluster.routes.superfluous(is_needed) {
                cluster.routes.remove(superfluous);
                let unwatch = Action::Unwatch(Interest::Vm(superfluous));
                self.actions.push_back(unwatch);
            }
        }
        Some(cluster.routes.entry(vm))
    }

    /// A VM is attached here: where it was before does not count any more.
    pub(super) fn forget_route(&mut self, vm: u32) {
        let route = self.cluster.as_mut().and_then(|it| it.routes.remove(vm));
        if let Some(route) = route {
            self.actions.push_back(Action::Unwatch(Interest::Vm(vm)));
            self.tell_heard(vm, route.comes_here());
        }
    }

    /// Nothing is owed to that port any more, here or at a link.
    pub(super) fn forget_port(&mut self, id: PortId) {
        for port in self.ports.iter_mut().flatten() {
            port.forget_port(id);
        }
        if let Some(cluster) = &mut self.cluster {
            cluster.forget_port(id);
        }
    }

    /// The nodes of the VMs that this one talks to hear of its end at once; the others from the
    /// directory.
    pub(super) fn tell_peers_nodes(&mut self, peers: &BTreeSet<u32>, notice: Notice) {
        let Some(cluster) = &self.cluster else {
            return;
        };
        let location = |vm: &u32| cluster.routes.get(*vm)?.location();
        let nodes: BTreeSet<NodeId> = peers
            .iter()
            .filter_map(location)
            .map(|it| it.node)
            .collect();
        for node in nodes {
            self.notify(node, notice);
        }
    }

    pub(super) fn notify(&mut self, node: NodeId, notice: Notice) {
        if self.link_mut(node).is_some_and(|link| link.up) {
            self.actions.push_back(Action::Notify(node, notice));
        }
    }

    pub(super) fn link_mut(&mut self, node: NodeId) -> Option<&mut Link> {
        self.cluster.as_mut()?.links.get_mut(&node)
    }

    pub(super) fn route_mut(&mut self, vm: u32) -> Option<&mut Route> {
        self.cluster.as_mut()?.routes.get_mut(vm)
    }

    pub(super) fn tell_heard(&mut self, vm: u32, heard: Heard) {
        if let Some(ended) = heard.ended {
            self.say_gone(vm, &ended);
        }
        for (port, incarnation) in heard.gone {
            let told = heard.ended.is_some_and(|it| it.incarnation == incarnation);
            if !told {
                self.say(port, kind::GONE, vm_and_incarnation(vm, incarnation));
            }
        }
        if heard.moved {
            self.retry_peers(vm);
        } else {
            for port in heard.retry {
                self.say_retry(port, vm);
            }
        }
        for (node, vm) in heard.claims {
            self.notify(node, Notice::Retry { vm });
        }
    }

    /// A life elsewhere is over: whoever runs in its DC is told, for the reason that is given at
    /// [`Switch::end_life`].
    fn say_gone(&mut self, vm: u32, ended: &Location) {
        for id in self.ports().collect::<Vec<_>>() {
            let Some(port) = self.port_mut(id) else {
                continue;
            };
            port.peers.remove(&vm);
            if port.running && port.attributes.dcid == ended.dcid {
                self.say(id, kind::GONE, vm_and_incarnation(vm, ended.incarnation));
            }
        }
    }

    fn node_lost(&mut self, node: NodeId) {
        let Some(cluster) = &mut self.cluster else {
            return;
        };
        cluster.links.remove(&node);
        let lost = cluster.routes.at(node);
        self.node_left(node);
        self.actions.push_back(Action::HangUp(node));
        // What lived there is over, but for what has moved away before. Only the records tell.
        for vm in lost {
            if self.route_mut(vm).is_some_and(Route::ask) {
                self.watch(vm);
            }
        }
    }

    /// Sending to a VM works again: the ports that have sent to it do so again.
    fn retry_peers(&mut self, vm: u32) {
        for id in self.senders_to(vm) {
            self.say_retry(id, vm);
        }
    }

    /// The ports that run and have sent to a VM.
    pub(super) fn senders_to(&self, vm: u32) -> Vec<PortId> {
        let route = self.cluster.as_ref().and_then(|it| it.routes.get(vm));
        let has_sent = |id: &PortId| {
            let peers = self.port(*id).filter(|it| it.running).map(|it| &it.peers);
            let sends = || route.is_some_and(|it| it.is_sent_to_by(*id));
            peers.is_some_and(|it| it.contains(&vm) || sends())
        };
        self.ports().filter(has_sent).collect()
    }

    /// The same for all VMs of a node.
    fn retry_all_at(&mut self, node: NodeId) {
        let routes = self.cluster.as_ref().map(|it| it.routes.at(node));
        for vm in routes.unwrap_or_default() {
            self.retry_peers(vm);
        }
    }
}

#[cfg(test)]
#[path = "cluster_test.rs"]
mod tests;
