//! What goes wrong, and how it is put right again.

use super::agenda::{Event, MS};
use super::guest::Power;
use super::plan::Trouble;
use super::world::World;

impl World {
    pub(super) fn fault(&mut self, what: Trouble) {
        self.trace(|| format!("FAULT {what:?}"));
        self.count.faults += 1;
        match what {
            Trouble::Exit { program, vm, down } => self.exit(program, vm, down),
            Trouble::Crash { vm, down } => self.crash(vm, down),
            Trouble::Reset { vm } => self.unload(vm),
            Trouble::Stall { vm, down } => {
                self.guest_mut(vm).stalled_until = self.now + down;
                self.ledger.trouble(self.now, self.now + down);
            }
            Trouble::NodeCrash { host, down, midway } if self.hosts[host].up => {
                self.node_killed(host, down, Some(midway));
            }
            Trouble::HostLoss { host, down, to } if self.hosts[host].up => {
                self.host_lost(host, down, to);
            }
            Trouble::NodeCrash { .. } | Trouble::HostLoss { .. } => {}
            Trouble::LostRetry => self.retries_to_lose += 1,
            Trouble::LostNotice => self.notices_to_lose += 1,
            Trouble::CutDirectory { host, down } => self.cut_directory(host, down),
            Trouble::DirectoryDown { down } => self.directory_down(down),
            Trouble::CutLink {
                one,
                other,
                down,
                silent,
            } => self.cut_link(one, other, down, silent),
            Trouble::Isolate {
                host,
                down,
                silent,
                directory,
            } => {
                for peer in (0..self.hosts.len()).filter(|&peer| peer != host) {
                    self.cut_link(host, peer, down, silent);
                }
                if directory {
                    self.cut_directory(host, down);
                }
            }
            Trouble::Move { vm, to } => self.move_machine(vm, to),
            Trouble::Migrate { vm, to, upset } => self.migrate(vm, to, upset),
        }
    }

    /// For that time, and what it takes to notice and to recover, something is out of reach.
    pub(super) fn out_of_order(&mut self, down: u64) {
        let settings = &self.plan.settings;
        let mut takes = down;
        if self.is_cluster() {
            takes += settings.lag() + settings.keepalive_ns;
            if down > settings.ttl_ns * 3 / 10 {
                takes += settings.ttl_ns;
            }
        }
        self.outage_max = self.outage_max.max(takes);
        self.ledger.trouble(self.now, self.now + takes);
    }

    pub(super) fn node_killed(&mut self, host: usize, down: u64, midway: Option<u32>) {
        self.out_of_order(down);
        self.node_crash(host, midway);
        self.links_lost(host, false);
        self.agenda.add(self.now + down, Event::NodeStart { host });
    }

    pub(super) fn directory_down(&mut self, down: u64) {
        self.out_of_order(down);
        self.directory.outages += 1;
        for host in 0..self.hosts.len() {
            self.touch(host);
        }
        self.agenda.add(self.now + down, Event::DirectoryUp);
    }

    fn host_lost(&mut self, host: usize, down: u64, to: Option<usize>) {
        let ttl = self.plan.settings.ttl_ns;
        self.out_of_order(down.max(ttl) + MS);
        let vms = 1..=self.plan.settings.vms;
        let others: Vec<u32> = vms.filter(|&vm| self.has_left(vm)).collect();
        self.vmms_lost(host, down);
        for vm in others {
            let guest = self.guest(vm);
            if guest.host != host || guest.attaching || guest.lost {
                continue;
            }
            let to = to.filter(|_| guest.migration.is_none());
            if self.guest(vm).power == Power::On {
                self.die(vm);
            }
            if let Some(to) = to {
                self.guest_mut(vm).host = to;
                self.guest_mut(vm).attaching = true;
                self.agenda.add(self.now + ttl / 2, Event::Attach { vm });
            } else {
                self.agenda
                    .add(self.now + down + MS, Event::SwitchOn { vm });
            }
        }
        self.node_crash(host, None);
        self.hosts[host].half_done = None;
        self.desk(host).rebooted = true;
        self.links_lost(host, true);
        self.agenda.add(self.now + down, Event::NodeStart { host });
    }

    pub(super) fn cut_directory(&mut self, host: usize, down: u64) {
        self.out_of_order(down);
        self.desk(host).cuts += 1;
        self.touch(host);
        self.agenda
            .add(self.now + down, Event::HealDirectory { host });
    }

    pub(super) fn heal_directory(&mut self, host: usize) {
        self.desk(host).cuts -= 1;
        self.touch(host);
    }

    pub(super) fn cut_link(&mut self, one: usize, other: usize, down: u64, silent: bool) {
        self.out_of_order(down);
        self.vmms_parted(one, other, silent);
        self.link(one, other).cuts += 1;
        self.break_link(one, other, silent);
        let event = Event::HealLink { one, other };
        self.agenda.add(self.now + down, event);
    }

    pub(super) fn heal_link(&mut self, one: usize, other: usize) {
        let link = self.link(one, other);
        link.cuts -= 1;
        if link.cuts == 0 {
            self.dial_later(one, other);
        }
    }
}
