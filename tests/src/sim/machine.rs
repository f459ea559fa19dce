//! Machines: attached to a host, switched on, dying, moved to another host; and their drivers.

use virtio_dvs::directory::DirectoryError;
use virtio_dvs::spec::DeviceConfig;
use virtio_dvs::switch::AttachError;
use virtio_dvs::vm::VmAttributes;

use super::agenda::{Event, MS};
use super::guest::Power;
use super::world::World;

/// After this time, whoever runs the cluster tries again what was refused.
const PATIENCE: u64 = 20 * MS;

impl World {
    /// A machine gets its port on its host.
    pub(super) fn attach(&mut self, vm: u32) {
        let host = self.guest(vm).host;
        if !self.guest(vm).attaching || !self.hosts[host].up {
            return; // It is already; or once the node is up.
        }
        if let Some(port) = self.hosts[host].switch.port_of(vm) {
            if self.hosts[host].switch.may_run(port) {
                return self.attached(host, vm, port);
            }
            return self.attach_later(vm);
        }
        let dcid = self.plan.settings.dc_of(vm);
        let asked = self.hosts[host].switch.attach(VmAttributes::new(vm, dcid));
        match asked {
            Err(AttachError::Directory(DirectoryError::VmInUse(_))) => self.attach_later(vm),
            // It was asked before, and the directory has not answered.
            Ok(()) | Err(AttachError::UnderWay(_)) => {}
            Err(error) => self.ledger.wrong(format!("VM {vm}: {error}")),
        }
        self.settle(host);
        // Whoever attaches VMs waits for that; histories of one host begin afterwards.
        let run = self.hosts[host].run;
        self.directory_answers(host, run);
    }

    /// It has left that node, was about to come, or was given back: its port goes after a while.
    pub(super) fn attach_later(&mut self, vm: u32) {
        self.out_of_order(PATIENCE);
        self.agenda.add(self.now + PATIENCE, Event::Attach { vm });
    }

    /// Another node has the machine: it lost its host, or has not given the machine up yet.
    pub(super) fn attach_again(&mut self, vm: u32, other: usize) {
        if self.hosts[other].up {
            self.detach_port(vm, other);
        }
        self.agenda.add(self.now + PATIENCE, Event::Attach { vm });
    }

    /// A machine that is off leaves its host for another.
    pub(super) fn detach(&mut self, vm: u32, from: usize) {
        if self.hosts[from].up {
            self.detach_port(vm, from);
            return self.attach(vm);
        }
        let event = Event::Detach { vm, from };
        self.agenda.add(self.now + PATIENCE, event);
    }

    fn detach_port(&mut self, vm: u32, host: usize) {
        if let Some(port) = self.hosts[host].switch.port_of(vm)
            && self.guest(vm).host != host
        {
            self.port_lost(host, port);
            self.hosts[host].switch.detach(port);
            self.settle(host);
        }
    }

    pub(super) fn move_machine(&mut self, vm: u32, to: usize) {
        let from = self.guest(vm).host;
        let guest = self.guest(vm);
        if guest.power == Power::Off || from == to || guest.migration.is_some() {
            return;
        }
        self.die(vm);
        let guest = self.guest_mut(vm);
        (guest.host, guest.attaching) = (to, true);
        let noticed = self.now + self.dice.below(MS);
        self.agenda.add(noticed, Event::Detach { vm, from });
        self.out_of_order(4 * PATIENCE);
    }

    /// The machine and its VMM die.
    pub(super) fn crash(&mut self, vm: u32, down: u64) {
        if self.guest(vm).power == Power::Off || self.vmm_crashes(vm, down) {
            return;
        }
        self.crash_now(vm, down);
    }

    pub(super) fn crash_now(&mut self, vm: u32, down: u64) {
        self.die(vm);
        // A new VMM is not started while the old one's connection is open.
        let down = down.max(MS);
        self.ledger.trouble(self.now, self.now + down);
        let boot = self.guest(vm).boot;
        let noticed = self.now + self.dice.below(MS);
        self.agenda.add(noticed, Event::HangUp { vm, boot });
        self.agenda.add(self.now + down, Event::SwitchOn { vm });
    }

    /// All that was in the machine is gone.
    pub(super) fn die(&mut self, vm: u32) {
        self.programs_lost(vm);
        self.count_core(vm);
        let guest = self.guest_mut(vm);
        guest.power = Power::Off;
        guest.forget();
        self.cpus_run(vm);
        let guest = self.guest_mut(vm);
        let incarnation = guest.incarnation;
        self.ledger.life_over(vm, incarnation);
    }

    pub(super) fn switch_on(&mut self, vm: u32) {
        let now = self.now + self.dice.delay(self.plan.settings.signal_ns);
        let guest = self.guest_mut(vm);
        if guest.attaching || guest.power == Power::On {
            return; // Once it is attached; and once is enough.
        }
        guest.power = Power::On;
        guest.boot += 1;
        let boot = guest.boot;
        self.agenda.add(now, Event::Connect { vm, boot });
    }

    /// The guest takes its driver away and loads it again: the device is reset.
    pub(super) fn unload(&mut self, vm: u32) {
        let now = self.now;
        let guest = self.guest_mut(vm);
        let Some(core) = guest.core.as_mut() else {
            return;
        };
        core.stop();
        if guest.stalled_until > now {
            guest.stalled_until = now;
        }
        self.count_core(vm);
        self.programs_stopped(vm);
        let guest = self.guest_mut(vm);
        guest.forget();
        let incarnation = guest.incarnation;
        self.ledger.life_over(vm, incarnation);
        self.ledger.trouble(now, now);
        self.reset_device(vm);
    }

    /// A driver is loaded; false: what the device says makes no sense.
    pub(super) fn load_driver(&mut self, vm: u32, config: &DeviceConfig) -> bool {
        let settings = self.plan.settings.clone();
        self.trace(|| format!("VM {vm} begins life {}", config.incarnation.get()));
        self.guest_mut(vm).make_core(&settings, config).is_some()
    }
}
