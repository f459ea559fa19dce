//! To and from other nodes: frames and notices over links, and where the directory says the nodes
//! are.

use super::*;
use crate::directory::{News, NodeId};
use crate::link::{Readiness, SendError, SessionView, Sink, Watch as LinkWatch};
use crate::switch::peer::{Notice, Stamp};
use std::collections::BTreeSet;
use std::os::fd::BorrowedFd;

/// What is counted of frames that came over links.
#[derive(Debug, Default)]
pub(super) struct Arrivals {
    /// Those that were not carried, by reason.
    drops: [u64; Drop::ALL.len()],
    /// What other switches said of VMs that are not theirs.
    refused_notices: u64,
}

/// Links to other nodes, and where those are.
#[derive(Debug)]
pub(super) struct Cluster {
    links: Links,
    addresses: BTreeMap<NodeId, String>,
    /// Nodes that something is to be sent to.
    wanted: BTreeSet<NodeId>,
    arrivals: Arrivals,
}

impl Cluster {
    pub(super) fn new(links: Links) -> Cluster {
        Cluster {
            links,
            addresses: BTreeMap::new(),
            wanted: BTreeSet::new(),
            arrivals: Arrivals::default(),
        }
    }
}

impl Fabric {
    /// A descriptor of a link is ready.
    pub fn link_ready(&mut self, token: u32, ready: Readiness) {
        self.with_links(|links, now, sink| links.ready(token, ready, now, sink));
        self.settle();
    }

    /// The time has come that [`Fabric::link_deadline`] named.
    pub fn link_tick(&mut self) {
        self.with_links(Links::tick);
        self.settle();
    }

    /// When links have to be looked at next, as time since the fabric was made.
    pub fn link_deadline(&self) -> Option<Duration> {
        self.cluster.as_ref()?.links.next_deadline()
    }

    /// The time of [`Fabric::link_deadline`].
    pub fn now(&self) -> Duration {
        self.epoch.elapsed()
    }

    /// What the event loop has to listen to for links from now on, in this order.
    pub fn take_link_watches(&mut self) -> Vec<LinkWatch> {
        let cluster = self.cluster.as_mut();
        cluster.map_or_else(Vec::new, |it| it.links.take_watches())
    }

    /// Becomes readable when the directory has something to say.
    pub fn directory_signal(&self) -> Option<BorrowedFd<'_>> {
        self.directory.signal()
    }

    /// The directory may have something to say.
    pub fn directory_ready(&mut self) {
        self.settle();
    }

    /// Reads the certificates of links again.
    pub fn reload_links(&mut self) {
        if let Some(cluster) = &mut self.cluster {
            // It has told what is wrong, and goes on with the old ones.
            cluster.links.reload().ok();
        }
    }

    /// The links, for operators.
    pub fn sessions(&self) -> Vec<SessionView> {
        let cluster = self.cluster.as_ref();
        cluster.map_or_else(Vec::new, |it| it.links.sessions().collect())
    }

    /// Other nodes that the directory knows, and where they listen.
    pub fn nodes(&self) -> BTreeMap<NodeId, String> {
        let cluster = self.cluster.as_ref();
        cluster.map_or_else(BTreeMap::new, |it| it.addresses.clone())
    }

    /// Frames that came over links and were not carried, by reason, and notices that were refused.
    pub fn refused_arrivals(&self) -> BTreeMap<&'static str, u64> {
        let Some(cluster) = &self.cluster else {
            return BTreeMap::new();
        };
        let drops = Drop::ALL.iter().zip(cluster.arrivals.drops);
        drops
            .map(|(drop, count)| (drop.name(), count))
            .chain([("notice", cluster.arrivals.refused_notices)])
            .filter(|it| it.1 > 0)
            .collect()
    }

    /// Sends a frame of a guest to another node.
    pub(super) fn forward(
        &mut self,
        from: PortId,
        node: NodeId,
        class: Class,
        stamp: Stamp,
        header: &Frame,
        pieces: &Pieces<'_>,
    ) -> Result<(), Drop> {
        let cluster = self.cluster.as_mut().ok_or(Drop::LinkDown)?;
        let payload = pieces.len() - FRAME_HEADER;
        let copy = |to: &mut [u8]| pieces.read_behind(FRAME_HEADER, to).is_ok();
        let sent = cluster
            .links
            .send_frame(node, class, stamp, header, payload, copy);
        match sent {
            Ok(()) => {
                self.sight(from, Place::ToLink, header);
                Ok(())
            }
            Err(SendError::Down) => Err(Drop::LinkDown),
            Err(SendError::Payload) => Err(Drop::Length),
            Err(SendError::Full) => {
                let vm = header.dst_vm.get();
                self.switch.no_link_room(from, vm, node, class);
                Err(Drop::LinkFull)
            }
        }
    }

    pub(super) fn notify(&mut self, node: NodeId, notice: &Notice) {
        if let Some(cluster) = &mut self.cluster {
            cluster.links.send_notice(node, notice);
        }
    }

    pub(super) fn dial(&mut self, node: NodeId) {
        let now = self.epoch.elapsed();
        let Some(cluster) = &mut self.cluster else {
            return;
        };
        cluster.wanted.insert(node);
        if let Some(address) = cluster.addresses.get(&node) {
            cluster.links.want(node, address, now);
        }
    }

    pub(super) fn hang_up(&mut self, node: NodeId) {
        if let Some(cluster) = &mut self.cluster {
            cluster.wanted.remove(&node);
            cluster.addresses.remove(&node);
            cluster.links.unwanted(node);
        }
    }

    /// The directory has something to say; of addresses the switch knows nothing.
    pub(super) fn hear(&mut self, news: News) {
        if let News::Node { node, address } = &news
            && let Some(cluster) = &mut self.cluster
        {
            cluster.addresses.insert(*node, address.clone());
            cluster.links.started(*node, self.epoch.elapsed());
            if cluster.wanted.contains(node) {
                self.dial(*node);
            }
        }
        self.switch.news(news);
    }

    pub(super) fn links_have_backlog(&self) -> bool {
        let cluster = self.cluster.as_ref();
        cluster.is_some_and(|it| it.links.has_backlog())
    }

    pub(super) fn flush_links(&mut self) {
        if let Some(cluster) = &mut self.cluster {
            cluster.links.flush();
        }
    }

    /// Has the links do something, with the fabric to give to what comes from them.
    pub(super) fn with_links(&mut self, work: impl FnOnce(&mut Links, Duration, &mut dyn Sink)) {
        let now = self.epoch.elapsed();
        let Some(mut cluster) = self.cluster.take() else {
            return;
        };
        let Cluster {
            links, arrivals, ..
        } = cluster.as_mut();
        let mut sink = FromLinks {
            fabric: self,
            arrivals,
        };
        work(links, now, &mut sink);
        self.cluster = Some(cluster);
    }
}

/// Where what comes from links goes. What the switch asks in answer is done when the links are free
/// again.
struct FromLinks<'f> {
    fabric: &'f mut Fabric,
    arrivals: &'f mut Arrivals,
}

impl Sink for FromLinks<'_> {
    fn up(&mut self, node: NodeId) {
        tracing::info!("the link to {node} is there");
        self.fabric.switch.link_up(node);
    }

    fn down(&mut self, node: NodeId, reason: &str) {
        tracing::warn!("the link to {node} is broken: {reason}");
        self.fabric.switch.link_down(node);
    }

    fn frame(&mut self, node: NodeId, class: Class, stamp: Stamp, header: &Frame, payload: &[u8]) {
        let switch = &mut self.fabric.switch;
        let dropped = match switch.remote_frame(node, stamp, header, class, payload.len()) {
            Verdict::Deliver(to) => {
                let payload = Payload::Bytes(payload);
                let fabric = &mut *self.fabric;
                fabric.sight(to, Place::FromLink, header);
                let tell = |switch: &mut Switch| switch.remote_no_room(node, to, class);
                let dropped = fabric
                    .deliver_or_tell(to, class, header, &payload, tell)
                    .err();
                if let Some(drop) = dropped {
                    fabric.sight(to, Place::Dropped(drop), header);
                }
                dropped
            }
            Verdict::Drop(drop) => Some(drop),
            Verdict::Forward(..) | Verdict::Tell => None,
        };
        let count = dropped.and_then(|it| self.arrivals.drops.get_mut(it.index()));
        if let Some(count) = count {
            *count += 1;
        }
    }

    fn notice(&mut self, node: NodeId, notice: Notice) {
        if !self.fabric.switch.notice(node, notice) {
            self.arrivals.refused_notices += 1;
        }
    }

    fn room(&mut self, node: NodeId, class: Class) {
        self.fabric.switch.link_room(node, class);
    }
}
