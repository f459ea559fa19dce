//! How migrations end: well, with a VMM that is killed, or with a machine that is lost.

use virtio_dvs::switch::MoveRequest;

use super::super::network::host_of;
use super::*;

/// After this time, whoever runs the cluster looks what has become of a machine.
const PATIENCE: u64 = 20 * MS;

impl World {
    /// A VMM gives its copy up: its process ends.
    pub(super) fn destroy(&mut self, number: usize, side: Side) {
        let vm = self.migrations[number].vm;
        let runs = self.guest(vm).paused.is_none();
        let here = self.guest(vm).host == self.migrations[number].host(side);
        if runs && here && side == Side::Source {
            self.ledger.wrong(format!("VM {vm} runs and is destroyed"));
        }
        self.ask_node(number, side, MoveRequest::Forget { vm });
        self.vmm_disconnects(number, side);
    }

    /// The node sees that a VMM is gone.
    pub(in crate::sim) fn vmm_disconnects(&mut self, number: usize, side: Side) {
        let migration = &self.migrations[number];
        let (vm, host) = (migration.vm, migration.host(side));
        let guest = self.guest(vm);
        let another =
            guest.host == host && guest.migration != Some(number) && guest.power == Power::On;
        let Some(port) = self.hosts[host].switch.any_port_of(vm).filter(|_| !another) else {
            return;
        };
        let up = self.hosts[host].up;
        let state = self.hosts[host].ports.entry(port).or_default();
        if up && std::mem::take(&mut state.connected) {
            self.hosts[host].switch.disconnected(port);
            self.settle(host);
        }
    }

    /// The VMM of a machine that moves dies, with what it runs; false: its VMM knows of no move.
    pub(in crate::sim) fn vmm_crashes(&mut self, vm: u32, down: u64) -> bool {
        let Some(number) = self.guest(vm).migration.filter(|_| !self.has_left(vm)) else {
            return false;
        };
        let side = self.migrations[number].runs_at();
        self.kill_vmm(number, side, down);
        true
    }

    /// The machine does not move, or it died with its VMM and was started again by another one, while the
    /// other side still asks for the one that was.
    pub(in crate::sim) fn has_left(&self, vm: u32) -> bool {
        let guest = self.guest(vm);
        guest.migration.is_none_or(|number| {
            let migration = &self.migrations[number];
            let lives = migration.vmms[migration.runs_at() as usize].lives;
            !lives && guest.power == Power::On && guest.paused.is_none()
        })
    }

    /// All VMMs of a host die.
    pub(in crate::sim) fn vmms_lost(&mut self, host: usize, down: u64) {
        for number in 0..self.migrations.len() {
            let on_its_way = self.guest(self.migrations[number].vm).migration == Some(number);
            for side in [Side::Source, Side::Destination] {
                if on_its_way && self.migrations[number].host(side) == host {
                    self.kill_vmm(number, side, down);
                }
            }
        }
    }

    pub(super) fn kill_vmm(&mut self, number: usize, side: Side, down: u64) {
        let stands = self.guest(self.migrations[number].vm).paused.is_some();
        let migration = &mut self.migrations[number];
        let (vm, arrived, handed_over) = (migration.vm, migration.arrived, migration.handed_over);
        let vmm = migration.vmm(side);
        if !std::mem::take(&mut vmm.lives) {
            return;
        }
        vmm.jobs.clear();
        vmm.mail.clear();
        // It runs there, or nobody else can run it.
        let takes_along = match side {
            Side::Source => {
                migration.source = None;
                migration.holding = false;
                !(arrived || handed_over && stands)
            }
            Side::Destination => {
                migration.destination = None;
                arrived
            }
        };
        self.mail(number, side.other(), Mail::Closed);
        self.out_of_order(down);
        if takes_along && self.guest(vm).power == Power::On {
            self.crash_now(vm, down);
        } else {
            let event = Event::VmmGone {
                migration: number,
                side,
            };
            let at = self.now + self.dice.below(MS);
            self.agenda.add(at, event);
        }
        self.migration_over(number);
    }

    /// If both VMMs have ended with it, the migration is over.
    pub(super) fn migration_over(&mut self, number: usize) {
        let migration = &mut self.migrations[number];
        let over = migration.source.is_none() && migration.destination.is_none();
        let idle = migration.vmms.iter().all(|it| it.jobs.is_empty());
        let vm = migration.vm;
        if !over || !idle || self.guest(vm).migration != Some(number) {
            return;
        }
        self.migrations[number].holding = false;
        self.guest_mut(vm).migration = None;
        if self.guest(vm).power == Power::On && self.guest(vm).paused.is_some() {
            self.trace(|| format!("VM {vm} is lost with its VMMs"));
            self.count.lost += 1;
            self.die(vm);
            self.guest_mut(vm).lost = true;
            self.out_of_order(PATIENCE);
            self.agenda.add(self.now + PATIENCE, Event::Recover { vm });
        }
    }

    /// A machine that was lost is started again, where its record is.
    pub(in crate::sim) fn recover(&mut self, vm: u32) {
        self.out_of_order(PATIENCE);
        let wanted = self.directory.desks.iter().any(|desk| desk.wants(vm));
        let place = self.directory.truth.place(vm);
        let host = place.map_or(self.guest(vm).host, |it| host_of(it.node));
        let port = self.hosts[host].switch.port_of(vm);
        // A port that was given back is there until its node has given it up.
        let barred = port.is_some_and(|it| !self.hosts[host].switch.may_run(it));
        if wanted || barred || !self.hosts[host].up || (place.is_some() && port.is_none()) {
            return self.agenda.add(self.now + PATIENCE, Event::Recover { vm });
        }
        let guest = self.guest_mut(vm);
        (guest.host, guest.lost) = (host, false);
        if place.is_none() {
            guest.attaching = true;
            return self.attach(vm);
        }
        self.agenda.add(self.now, Event::SwitchOn { vm });
    }

    /// A machine that stood still goes on: it was out of reach.
    pub(super) fn out_of_order_since(&mut self, since: u64) {
        self.outage_max = self
            .outage_max
            .max(self.now - since + self.plan.settings.lag());
    }
}
