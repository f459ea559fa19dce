//! Whether all counters add up, and nothing grows.

use virtio_dvs::directory::NodeId;
use virtio_dvs::frame::Frame;

use super::network::host_of;
use super::world::World;

/// Most frames, routes and debts that the switch of such a small cluster may have.
const FEW: usize = 4_096;

impl World {
    /// Every frame has one fate.
    pub(super) fn judge_counts(&mut self) {
        let count = &self.count;
        let dropped: u64 = count.drops.values().sum();
        let under_way = count.forwarded - count.lost_in_breaks.min(count.forwarded);
        let pairs = [
            ("frames that came over links", count.arrived, under_way),
            (
                "fates of frames",
                count.delivered + count.full + dropped + count.tells,
                count.frames - count.forwarded - count.link_full + count.arrived,
            ),
        ];
        for (what, is, should) in pairs {
            if is != should {
                self.ledger.wrong(format!("{what}: {is}, not {should}"));
            }
        }
    }

    /// When all is quiet, nobody waits for anything.
    pub(super) fn judge_quiet(&mut self) {
        for host in 0..self.hosts.len() {
            if !self.directory.desks[host].is_quiet() {
                self.ledger
                    .wrong(format!("node {} waits for the directory", host + 1));
            }
            let switch = &self.hosts[host].switch;
            let moving = switch.ports().chain(switch.ports_elsewhere());
            let moving: Vec<_> = moving.filter_map(|id| switch.moving(id)).collect();
            if !moving.is_empty() {
                self.ledger
                    .wrong(format!("node {} is left with VMs {moving:?}", host + 1));
            }
            let usage = self.hosts[host].switch.usage();
            let left = [usage.asked, usage.waiting, usage.claims, usage.owed];
            if left != [0; 4] {
                self.ledger
                    .wrong(format!("node {} is left with {usage:?}", host + 1));
            }
        }
        let noisy = self.links.iter().filter(|it| !it.1.is_quiet());
        if let Some((pair, _)) = noisy.into_iter().next() {
            self.ledger
                .wrong(format!("{pair:?}: something is on the link"));
        }
    }

    /// Nothing that others cause grows without limit.
    pub(super) fn judge_memory(&mut self, host: usize) {
        let usage = self.hosts[host].switch.usage();
        let all = [
            usage.asked,
            usage.waiting,
            usage.claims,
            usage.owed,
            usage.actions,
        ];
        if all.iter().any(|&it| it > FEW) {
            self.ledger.wrong(format!("node {}: {usage:?}", host + 1));
        }
    }

    /// A life that the others gave up does not speak to them, and none of them speaks to it, while
    /// one of the two nodes has nothing to doubt.
    pub(super) fn judge_leases(&mut self, from: NodeId, to: usize, header: &Frame) {
        let lives = [
            (header.src_vm.get(), header.src_inc.get()),
            (header.dst_vm.get(), header.dst_inc.get()),
        ];
        let lapsed = lives.iter().any(|it| self.ledger.is_lapsed(*it));
        if lapsed && (self.is_well(to) || self.is_well(host_of(from))) {
            self.ledger
                .wrong(format!("a frame of a lease that ran out: {lives:?}"));
        }
    }

    /// A life goes on at one node only.
    pub(super) fn judge_owners(&mut self, host: usize, vm: u32) {
        let owns = |host: &usize| {
            let switch = &self.hosts[*host].switch;
            let port = switch.port_of(vm)?;
            switch.incarnation(port)?;
            switch.epoch(port)
        };
        let Some(epoch) = owns(&host) else {
            return;
        };
        let others = (0..self.hosts.len()).filter(|it| *it != host);
        let same: Vec<usize> = others.filter(|it| owns(it) == Some(epoch)).collect();
        if !same.is_empty() {
            self.ledger.wrong(format!(
                "VM {vm} lives in epoch {epoch} at host {host}, and at {same:?}"
            ));
        }
    }
}
