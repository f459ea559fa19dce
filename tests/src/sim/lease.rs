//! Leases: how a node's begins to be doubtful, runs out, and is had again.

use virtio_dvs::directory::{Lease, News, NodeId, Owner};

use super::agenda::Event;
use super::world::World;

impl World {
    fn reaches_directory(&self, host: usize) -> bool {
        self.directory.outages == 0 && self.directory.desks[host].cuts == 0
    }

    /// Whether a node has to wait with its start; it is started when it has not.
    pub(super) fn waits_for_directory(&mut self, host: usize) -> bool {
        self.hosts[host].starting = !self.reaches_directory(host);
        self.hosts[host].starting
    }

    /// Something has changed between a host and the directory.
    pub(super) fn touch(&mut self, host: usize) {
        if !self.is_cluster() {
            return;
        }
        let reaches = self.reaches_directory(host) && self.hosts[host].up;
        let before = std::mem::replace(&mut self.desk(host).in_touch, reaches);
        if before && !reaches {
            self.watches_end(host);
            self.doubt_later(host);
        }
        if reaches {
            self.desk(host).lapses += 1;
        } else {
            self.lapse_later(host, before);
        }
        if !before && reaches {
            self.desk(host).in_touch_since = self.now;
            self.in_touch_again(host);
        }
        if self.hosts[host].starting {
            self.agenda.add(self.now, Event::NodeStart { host });
        }
    }

    fn doubt_later(&mut self, host: usize) {
        let ttl = self.plan.settings.ttl_ns;
        let desk = self.desk(host);
        desk.doubts += 1;
        let number = desk.doubts;
        let times = [(Lease::Unanswered, 1, 2), (Lease::Doubtful, 3, 6)];
        for (lease, from, to) in times {
            let at = self.now + self.dice.between(ttl * from / 10, ttl * to / 10);
            let event = Event::Doubt {
                host,
                number,
                lease,
            };
            self.agenda.add(at, event);
        }
    }

    /// Time runs while the directory is there; it is given anew when the directory comes back.
    fn lapse_later(&mut self, host: usize, was_in_touch: bool) {
        let ttl = self.plan.settings.ttl_ns;
        let desk = self.desk(host);
        let number = desk.lapses;
        if self.directory.outages > 0 {
            self.desk(host).lapses += 1;
        } else if was_in_touch {
            let at = self.now + self.dice.between(ttl * 7 / 10, ttl);
            self.agenda.add(at, Event::Lapse { host, number });
        }
    }

    /// The directory is there again, and those that cannot reach it have their time from now on.
    pub(super) fn directory_up(&mut self) {
        self.directory.outages -= 1;
        if self.directory.outages > 0 {
            return;
        }
        for host in 0..self.hosts.len() {
            self.touch(host);
            if !self.directory.desks[host].in_touch {
                self.lapse_later(host, true);
            }
        }
    }

    /// Whether all is well with a node, and has been for some time.
    pub(super) fn is_well(&self, host: usize) -> bool {
        let desk = &self.directory.desks[host];
        desk.in_touch && self.now - desk.in_touch_since > self.plan.settings.ttl_ns
    }

    fn in_touch_again(&mut self, host: usize) {
        let node = self.hosts[host].node;
        let desk = self.desk(host);
        desk.doubts += 1;
        let lapsed = self.directory.truth.tenure(node).is_none();
        if lapsed {
            let tenure = self.directory.truth.join(node);
            self.tell_lease(host, Lease::Lapsed);
            self.spread_node(node, tenure, true);
        }
        self.tell_lease(host, Lease::Held);
        self.watches_begin(host);
    }

    /// A node has not heard of its lease for too long.
    pub(super) fn doubt(&mut self, host: usize, number: u64, lease: Lease) {
        if self.directory.desks[host].doubts == number && self.hosts[host].up {
            self.trace(|| format!("the lease of node {} is {lease:?}", host + 1));
            self.news(host, News::Lease(lease));
            self.settle(host);
        }
    }

    /// The lease of a node runs out: for all others its VMs are over.
    pub(super) fn lapse(&mut self, host: usize, number: u64) {
        if self.directory.desks[host].lapses != number {
            return;
        }
        let node = self.hosts[host].node;
        if self.directory.truth.tenure(node).is_none() {
            return;
        }
        self.trace(|| format!("the lease of {node} runs out"));
        self.count.lapses += 1;
        let others = (0..self.hosts.len()).filter(|it| *it != host);
        let are_well = others.into_iter().any(|it| self.is_well(it));
        if self.hosts[host].up && are_well && self.hosts[host].switch.serves_others() {
            self.ledger
                .wrong(format!("{node} goes on without its lease"));
        }
        self.tenure_ends(node);
    }

    /// A node gives up what it had: its host has booted again, or its lease has run out.
    pub(super) fn tenure_ends(&mut self, node: NodeId) {
        let Some(tenure) = self.directory.truth.lapse(node) else {
            return;
        };
        for owner in self.directory.truth.lives_at(node) {
            self.others_give_up(owner);
        }
        self.spread_node(node, tenure, false);
    }

    /// A life is over for the others, though its guest may know nothing of that.
    fn others_give_up(&mut self, owner: Owner) {
        self.ledger.lapsed(owner.vm, owner.incarnation);
        for index in 0..self.processes.len() {
            if self.processes[index].vm == owner.vm {
                let number = self.processes[index].number;
                self.ledger.down(number, self.now);
            }
        }
    }

    /// A node has ended a life: where no VMM has come to a VM that may have left, it may be alive.
    pub(super) fn given_up(&mut self, owner: Owner) {
        let guest = self.guest(owner.vm);
        if guest.core.is_some() && guest.incarnation == owner.incarnation {
            self.trace(|| format!("{owner:?} is given up"));
            self.others_give_up(owner);
        }
    }
}
