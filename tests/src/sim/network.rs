//! Links between nodes: sessions that come up on one side before the other, carry messages and bulk
//! independent of each other and in order, and lose what is under way when they break.

use std::collections::VecDeque;

use virtio_dvs::directory::NodeId;
use virtio_dvs::frame::{Class, Frame};
use virtio_dvs::switch::PortId;
use virtio_dvs::switch::peer::{Notice, Stamp};
use zerocopy::FromBytes;

use super::agenda::{Event, MS};
use super::world::World;

/// Notices that may wait on a link; more would be a switch that talks too much.
const NOTICES_MAX: usize = 4_096;

/// Two hosts, the one with the smaller index first.
pub(super) type Pair = (usize, usize);

/// What goes from node to node.
#[derive(Debug)]
enum Item {
    Frame(Stamp, Vec<u8>),
    Notice(Notice),
}

/// One direction of one class.
#[derive(Debug, Default)]
struct Lane {
    queue: VecDeque<Item>,
    frames: usize,
    /// When the last of it comes.
    due: u64,
    /// The sender waits for room.
    blocked: bool,
}

/// The link between two nodes.
#[derive(Debug, Default)]
pub(super) struct Link {
    /// Counts sessions, so that events of an earlier one are known.
    session: u64,
    /// The session goes on.
    alive: bool,
    /// Its sides believe so.
    up: [bool; 2],
    /// They want one.
    wanted: [bool; 2],
    dialing: bool,
    /// It was cut so many times more than it was healed.
    pub(super) cuts: u32,
    /// By the side that sends, and by class.
    lanes: [[Lane; Class::ALL.len()]; 2],
}

impl Link {
    /// What one side has under way is lost; gives the number of frames.
    fn clear(&mut self, side: usize) -> u64 {
        let lanes = std::mem::take(&mut self.lanes[side]);
        lanes.iter().map(|it| it.frames as u64).sum()
    }

    pub(super) fn is_quiet(&self) -> bool {
        let mut lanes = self.lanes.iter().flatten();
        lanes.all(|it| it.queue.is_empty())
    }
}

pub(super) fn pair(one: usize, other: usize) -> Pair {
    (one.min(other), one.max(other))
}

fn side(host: usize, peer: usize) -> usize {
    usize::from(host > peer)
}

/// The host of a node.
pub(super) fn host_of(node: NodeId) -> usize {
    (node.0 as usize).saturating_sub(1)
}

impl World {
    pub(super) fn link(&mut self, host: usize, peer: usize) -> &mut Link {
        self.links.entry(pair(host, peer)).or_default()
    }

    fn network_delay(&mut self) -> u64 {
        self.dice.delay(self.plan.settings.network_ns)
    }

    /// A node wants a session from now on.
    pub(super) fn dial(&mut self, host: usize, node: NodeId) {
        let peer = host_of(node);
        self.link(host, peer).wanted[side(host, peer)] = true;
        self.dial_later(host, peer);
    }

    /// If one of the two wants a session, they try.
    pub(super) fn dial_later(&mut self, host: usize, peer: usize) {
        let link = self.link(host, peer);
        let wanted = link.wanted.contains(&true) && !link.alive;
        if wanted && !std::mem::replace(&mut link.dialing, true) {
            let at = self.now + 2 * self.network_delay();
            let (one, other) = pair(host, peer);
            self.agenda.add(at, Event::Dialed { one, other });
        }
    }

    /// They have tried. If it was in vain, what stands between them says when it is away.
    pub(super) fn dialed(&mut self, one: usize, other: usize) {
        let both = self.hosts[one].up && self.hosts[other].up;
        let link = self.link(one, other);
        link.dialing = false;
        if !both || link.cuts > 0 || link.alive {
            return;
        }
        for (host, peer) in [(one, other), (other, one)] {
            self.session_over(host, peer);
        }
        let link = self.link(one, other);
        link.session += 1;
        link.alive = true;
        link.wanted = [true; 2];
        let session = link.session;
        for (host, peer) in [(one, other), (other, one)] {
            let at = self.now + self.network_delay();
            // Nothing comes to a side before it is there.
            for lane in &mut self.link(host, peer).lanes[side(peer, host)] {
                lane.due = at;
            }
            let event = Event::LinkUp {
                host,
                peer,
                session,
            };
            self.agenda.add(at, event);
        }
    }

    pub(super) fn link_up(&mut self, host: usize, peer: usize, session: u64) {
        let link = self.link(host, peer);
        if link.session == session && link.alive {
            link.up[side(host, peer)] = true;
            let node = self.hosts[peer].node;
            self.trace(|| format!("node {} has a session with {node}", host + 1));
            self.hosts[host].switch.link_up(node);
            self.settle(host);
        }
    }

    /// A side notices that its session is over.
    pub(super) fn link_down(&mut self, host: usize, peer: usize, session: u64) {
        if self.link(host, peer).session == session {
            self.session_over(host, peer);
            self.dial_later(host, peer);
        }
    }

    fn session_over(&mut self, host: usize, peer: usize) {
        let this = side(host, peer);
        let link = self.link(host, peer);
        let lost = link.clear(this);
        self.count.lost_in_breaks += lost;
        if std::mem::take(&mut self.link(host, peer).up[this]) {
            let node = self.hosts[peer].node;
            self.trace(|| format!("node {} has no session with {node}", host + 1));
            self.hosts[host].switch.link_down(node);
            self.settle(host);
        }
    }

    /// The session breaks; the two sides notice that at their times, or, of a silent break, after
    /// the time of the keep-alive.
    pub(super) fn break_link(&mut self, one: usize, other: usize, silent: bool) {
        let link = self.link(one, other);
        if !std::mem::take(&mut link.alive) {
            return;
        }
        let session = link.session;
        for (host, peer) in [(one, other), (other, one)] {
            // What was sent before is lost; what is sent from now on waits in vain.
            let lost = self.link(host, peer).clear(side(host, peer));
            self.count.lost_in_breaks += lost;
            let keepalive = self.plan.settings.keepalive_ns;
            let after = match silent {
                true => self.dice.between(keepalive / 2, keepalive),
                false => self.network_delay(),
            };
            let event = Event::LinkDown {
                host,
                peer,
                session,
            };
            self.agenda.add(self.now + after, event);
        }
    }

    /// A node ends its session with another.
    pub(super) fn hang_up_link(&mut self, host: usize, node: NodeId) {
        let peer = host_of(node);
        let this = side(host, peer);
        let link = self.link(host, peer);
        link.wanted[this] = false;
        link.up[this] = false;
        self.break_link(host, peer, false);
        let lost = self.link(host, peer).clear(this);
        self.count.lost_in_breaks += lost;
    }

    /// A node is gone with all its sessions; the others notice.
    pub(super) fn links_lost(&mut self, host: usize, silent: bool) {
        for peer in 0..self.hosts.len() {
            if peer != host && self.links.contains_key(&pair(host, peer)) {
                let this = side(host, peer);
                let link = self.link(host, peer);
                link.wanted[this] = false;
                link.up[this] = false;
                self.break_link(host, peer, silent);
                let lost = self.link(host, peer).clear(this);
                self.count.lost_in_breaks += lost;
            }
        }
    }

    /// A node is there again: those that want a session with it get one.
    pub(super) fn links_again(&mut self, host: usize) {
        for peer in 0..self.hosts.len() {
            if peer != host && self.links.contains_key(&pair(host, peer)) {
                self.dial_later(host, peer);
            }
        }
    }

    /// A frame of the guest at `from` goes to another node.
    pub(super) fn forward(
        &mut self,
        host: usize,
        from: PortId,
        node: NodeId,
        stamp: Stamp,
        frame: &[u8],
    ) {
        let Ok((header, _)) = Frame::read_from_prefix(frame) else {
            return;
        };
        let (peer, class) = (host_of(node), Class::Message);
        let (this, room) = (side(host, peer), self.plan.settings.link_room);
        let link = self.link(host, peer);
        if !link.up[this] {
            return self.ledger.wrong(format!(
                "a frame for {node}, with which there is no session"
            ));
        }
        let lane = &mut link.lanes[this][class.index()];
        if lane.frames >= room {
            lane.blocked = true;
            self.count.link_full += 1;
            let vm = header.dst_vm.get();
            return self.hosts[host].switch.no_link_room(from, vm, node, class);
        }
        lane.frames += 1;
        self.count.forwarded += 1;
        self.send(host, peer, class, Item::Frame(stamp, frame.to_vec()));
    }

    /// A switch tells another something.
    pub(super) fn notify(&mut self, host: usize, node: NodeId, notice: Notice) {
        let peer = host_of(node);
        self.trace(|| format!("node {} tells {node} {notice:?}", host + 1));
        if !self.link(host, peer).up[side(host, peer)] {
            return; // The session ended in the same moment.
        }
        if matches!(notice, Notice::Retry { .. }) && self.notices_to_lose > 0 {
            self.notices_to_lose -= 1;
            self.count.lost_retries += 1;
            return self.ledger.trouble(self.now, self.now + 1_500 * MS);
        }
        self.send(host, peer, Class::Message, Item::Notice(notice));
    }

    fn send(&mut self, host: usize, peer: usize, class: Class, item: Item) {
        let at = self.now + self.network_delay();
        let link = self.link(host, peer);
        let (session, alive) = (link.session, link.alive);
        let lane = &mut link.lanes[side(host, peer)][class.index()];
        lane.queue.push_back(item);
        lane.due = lane.due.max(at);
        let (at, waiting) = (lane.due, lane.queue.len());
        if alive {
            let event = Event::Arrive {
                from: host,
                to: peer,
                class,
                session,
            };
            self.agenda.add(at, event);
        }
        if waiting > NOTICES_MAX + self.plan.settings.link_room {
            self.ledger.wrong(format!("{waiting} wait on a link"));
        }
    }

    /// The next of a lane comes to its node.
    pub(super) fn arrive(&mut self, from: usize, to: usize, class: Class, session: u64) {
        let room = self.plan.settings.link_room;
        let link = self.link(from, to);
        if link.session != session || !link.alive {
            return;
        }
        let lane = &mut link.lanes[side(from, to)][class.index()];
        let Some(item) = lane.queue.pop_front() else {
            return;
        };
        lane.frames -= usize::from(matches!(item, Item::Frame(..)));
        if lane.frames <= room / 2 && std::mem::take(&mut lane.blocked) {
            let event = Event::LinkRoom {
                host: from,
                peer: to,
                class,
                session,
            };
            self.agenda.add(self.now, event);
        }
        let node = self.hosts[from].node;
        match item {
            Item::Frame(stamp, frame) => self.arrived(node, to, stamp, &frame),
            Item::Notice(notice) => {
                if !self.hosts[to].switch.notice(node, notice) {
                    self.count.disbelieved += 1;
                }
            }
        }
        self.settle(to);
    }

    pub(super) fn link_room(&mut self, host: usize, peer: usize, class: Class, session: u64) {
        let link = self.link(host, peer);
        if link.session == session && link.up[side(host, peer)] {
            let node = self.hosts[peer].node;
            self.hosts[host].switch.link_room(node, class);
            self.settle(host);
        }
    }
}
