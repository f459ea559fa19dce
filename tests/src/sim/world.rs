//! The world of a history: hosts, machines, programs, and the one clock that they share.

use std::collections::VecDeque;

use virtio_dvs::spec::DeviceConfig;

use super::agenda::{Agenda, Event, MS};
use super::dice::Dice;
use super::guest::{Guest, Power};
use super::host::Host;
use super::ledger::Ledger;
use super::plan::{Plan, Trouble};
use super::program::Process;
use super::{Counts, History};

/// Frames that an interrupt handler takes at once.
const BATCH: usize = 64;
/// More events than any history needs that comes to an end.
const EVENTS_MAX: u64 = 300_000;
/// Times that clients look for messages that came last.
const ROUNDS_MAX: u32 = 200;
/// Lines of the trace that are kept.
const TRACE_MAX: usize = 4_000;

/// Everything there is in a history.
#[derive(Debug)]
pub(super) struct World {
    pub(super) plan: Plan,
    pub(super) now: u64,
    pub(super) agenda: Agenda,
    pub(super) dice: Dice,
    pub(super) hosts: Vec<Host>,
    pub(super) guests: Vec<Guest>,
    pub(super) processes: Vec<Process>,
    pub(super) ledger: Ledger,
    pub(super) count: Counts,
    /// Nobody begins anything new.
    pub(super) draining: bool,
    /// Somebody got something since clients looked for messages last.
    pub(super) progress: bool,
    pub(super) retries_to_lose: u32,
    /// Longest time that a node was down.
    pub(super) node_down_max: u64,
    tracing: bool,
    lines: VecDeque<String>,
}

impl World {
    pub(super) fn new(plan: Plan, tracing: bool) -> World {
        let guests = (1..=plan.settings.vms).map(|vm| Guest::new(vm, 0));
        World {
            now: 0,
            agenda: Agenda::default(),
            // Apart from the choices that made the plan.
            dice: Dice::new(plan.seed ^ 0x5eed_0000_0000_0000),
            hosts: vec![Host::new()],
            guests: guests.collect(),
            processes: plan.programs.iter().map(Process::new).collect(),
            ledger: Ledger::new(plan.settings.lag()),
            count: Counts::default(),
            draining: false,
            progress: true,
            retries_to_lose: 0,
            node_down_max: 0,
            tracing,
            lines: VecDeque::new(),
            plan,
        }
    }

    /// Plays the history to its end.
    pub(super) fn play(mut self) -> History {
        self.prepare();
        let mut events = 0;
        while self.ledger.violations.is_empty() {
            let Some((at, event)) = self.agenda.next() else {
                if self.look_again() {
                    continue;
                }
                self.judge();
                break;
            };
            self.now = self.now.max(at);
            self.happen(event);
            events += 1;
            if events > EVENTS_MAX {
                self.ledger.wrong("it never comes to rest".to_owned());
            }
        }
        History {
            violations: self.ledger.violations,
            count: self.count,
            trace: self.lines.into(),
        }
    }

    fn prepare(&mut self) {
        for program in &self.plan.programs {
            self.ledger.down(program.number, 0);
        }
        for vm in 1..=self.plan.settings.vms {
            self.attach(0, vm);
        }
        for (index, fault) in self.plan.faults.iter().enumerate() {
            self.agenda.add(fault.at, Event::Fault(index));
        }
        self.agenda.add(self.plan.settings.busy_ns, Event::Drain);
    }

    /// Nothing is left to happen: clients look once more, as long as anything comes.
    fn look_again(&mut self) -> bool {
        if self.count.rounds >= ROUNDS_MAX || !std::mem::take(&mut self.progress) {
            return false;
        }
        self.count.rounds += 1;
        self.wake_clients();
        true
    }

    pub(super) fn guest(&self, vm: u32) -> &Guest {
        &self.guests[vm as usize - 1]
    }

    pub(super) fn guest_mut(&mut self, vm: u32) -> &mut Guest {
        &mut self.guests[vm as usize - 1]
    }

    /// Notes what happens, if somebody wants to read it.
    pub(super) fn trace(&mut self, line: impl FnOnce() -> String) {
        if self.tracing {
            if self.lines.len() >= TRACE_MAX {
                self.lines.pop_front();
            }
            let (ms, ns) = (self.now / MS, self.now % MS);
            self.lines.push_back(format!("{ms:6}.{ns:06} {}", line()));
        }
    }

    fn happen(&mut self, event: Event) {
        if self.postponed(event) {
            return;
        }
        match event {
            Event::Kick { vm } => self.kick(vm),
            Event::RoomKick { vm } => self.room_kick(vm),
            Event::Interrupt { vm } => self.interrupt(vm),
            Event::Timer { vm, life } => self.timer(vm, life),
            Event::Answer { host, run } => self.directory_answers(host, run),
            Event::Connect { vm, boot } if self.guest(vm).runs(boot) => self.connect(vm),
            Event::ResetDevice { vm, boot } if self.guest(vm).loads_driver(boot) => {
                self.reset_device(vm);
            }
            // A new VMM is not started while the old one's connection is open.
            Event::HangUp { vm, boot } if self.guest(vm).boot == boot => self.hang_up(vm),
            Event::Connect { .. } | Event::ResetDevice { .. } | Event::HangUp { .. } => {}
            Event::SwitchOn { vm } => self.switch_on(vm),
            Event::NodeStart { host } => self.node_start(host),
            Event::Adoption { host, run } => self.adoption_over(host, run),
            Event::Exec { program, life } => self.exec(program, life),
            Event::Step { program, turn } => self.step(program, turn),
            Event::Leave { program, turn, why } => self.leave(program, turn, why),
            Event::GraceOver { program, turn } => self.grace_over(program, turn),
            Event::Fault(index) => self.fault(self.plan.faults[index].what),
            Event::Drain => self.draining = true,
        }
    }

    /// A guest that gets no processor does nothing before it has one again.
    fn postponed(&mut self, event: Event) -> bool {
        let vm = match event {
            Event::Interrupt { vm } | Event::Timer { vm, .. } => vm,
            Event::Step { program, .. }
            | Event::Leave { program, .. }
            | Event::GraceOver { program, .. } => self.processes[program].vm,
            _ => return false,
        };
        let until = self.guest(vm).stalled_until;
        let postponed = until > self.now;
        if postponed {
            self.agenda.add(until, event);
        }
        postponed
    }

    fn fault(&mut self, what: Trouble) {
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
            Trouble::NodeCrash { down, midway } if self.hosts[0].up => {
                self.node_down_max = self.node_down_max.max(down);
                self.ledger.trouble(self.now, self.now + down);
                self.node_crash(0, midway);
                let event = Event::NodeStart { host: 0 };
                self.agenda.add(self.now + down, event);
            }
            Trouble::NodeCrash { .. } => {}
            Trouble::LostRetry => self.retries_to_lose += 1,
        }
    }

    fn switch_on(&mut self, vm: u32) {
        let now = self.now + self.dice.delay(self.plan.settings.signal_ns);
        let guest = self.guest_mut(vm);
        guest.power = Power::On;
        guest.boot += 1;
        let boot = guest.boot;
        self.agenda.add(now, Event::Connect { vm, boot });
    }

    /// The machine and its VMM die.
    fn crash(&mut self, vm: u32, down: u64) {
        if self.guest(vm).power == Power::Off {
            return;
        }
        self.programs_lost(vm);
        self.count_core(vm);
        let guest = self.guest_mut(vm);
        guest.power = Power::Off;
        guest.forget();
        let (boot, incarnation) = (guest.boot, guest.incarnation);
        self.ledger.life_over(vm, incarnation);
        self.ledger.trouble(self.now, self.now + down);
        let noticed = self.now + self.dice.below(MS);
        self.agenda.add(noticed, Event::HangUp { vm, boot });
        self.agenda.add(self.now + down, Event::SwitchOn { vm });
    }

    /// The guest takes its driver away and loads it again: the device is reset.
    fn unload(&mut self, vm: u32) {
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

    fn interrupt(&mut self, vm: u32) {
        let (now, batch) = (self.now, 1 + self.dice.index(BATCH));
        let guest = self.guest_mut(vm);
        guest.interrupted = false;
        let Some(core) = guest.core.as_mut() else {
            return;
        };
        for (nonce, status) in std::mem::take(&mut guest.answered) {
            if status != 0 {
                core.refused(nonce, status, now);
            }
        }
        let mut gave_back = false;
        for _ in 0..batch {
            let Some(frame) = guest.received.pop_front() else {
                break;
            };
            core.frame(&frame, now);
            guest.given += 1;
            gave_back = true;
        }
        core.batch_end(now);
        let more = !guest.received.is_empty();
        let room = gave_back && std::mem::take(&mut guest.wants_room_kick);
        if more {
            self.interrupt_later(vm);
        }
        if room {
            self.room_kick_later(vm);
        }
        self.after(vm);
    }

    fn timer(&mut self, vm: u32, life: u64) {
        let now = self.now;
        let guest = self.guest_mut(vm);
        if guest.life != life {
            return;
        }
        guest.timer_at = u64::MAX;
        if let Some(core) = guest.core.as_mut().filter(|it| it.timer_at() <= now) {
            core.timer(now);
        }
        self.after(vm);
    }

    /// After anything that a core did: calls that have ended, a kick, the timer.
    pub(super) fn after(&mut self, vm: u32) {
        self.collect(vm);
        self.arm_timer(vm);
        self.kick_later(vm);
    }

    pub(super) fn arm_timer(&mut self, vm: u32) {
        let now = self.now;
        let guest = self.guest_mut(vm);
        let Some(at) = guest.core.as_ref().map(dvs_core::Core::timer_at) else {
            return;
        };
        let life = guest.life;
        if at < guest.timer_at {
            guest.timer_at = at;
            self.agenda.add(at.max(now), Event::Timer { vm, life });
        }
    }

    pub(super) fn kick_later(&mut self, vm: u32) {
        if !std::mem::replace(&mut self.guest_mut(vm).kicked, true) {
            self.soon(Event::Kick { vm });
        }
    }

    pub(super) fn room_kick_later(&mut self, vm: u32) {
        self.soon(Event::RoomKick { vm });
    }

    pub(super) fn interrupt_later(&mut self, vm: u32) {
        if !std::mem::replace(&mut self.guest_mut(vm).interrupted, true) {
            self.soon(Event::Interrupt { vm });
        }
    }

    fn soon(&mut self, event: Event) {
        let delay = self.dice.delay(self.plan.settings.signal_ns);
        self.agenda.add(self.now + delay, event);
    }
}
