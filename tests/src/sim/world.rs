//! The world of a history: hosts, machines, programs, and the one clock that they share.

use std::collections::{BTreeMap, VecDeque};

use virtio_dvs::directory::NodeId;
use virtio_dvs::frame::{Frame, kind};
use zerocopy::FromBytes;

use super::agenda::{Agenda, Event, MS};
use super::dice::Dice;
use super::directory::Directory;
use super::guest::Guest;
use super::host::Host;
use super::ledger::Ledger;
use super::migration::Migration;
use super::network::{Link, Pair};
use super::plan::{Plan, Program, Trouble};
use super::program::Process;
use super::{Counts, History};

/// Frames that an interrupt handler takes at once.
const BATCH: usize = 64;
/// More events than any history needs that comes to an end.
const EVENTS_MAX: u64 = 300_000;
/// Times that clients look for messages that came last.
const ROUNDS_MAX: u32 = 200;
/// Lines of the trace that are kept, and how many of them are of its beginning.
const TRACE_MAX: usize = 4_000;
const TRACE_BEGINNING: usize = 1_000;

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
    pub(super) notices_to_lose: u32,
    /// Longest time that something was out of reach.
    pub(super) outage_max: u64,
    /// Of a cluster.
    pub(super) directory: Directory,
    pub(super) links: BTreeMap<Pair, Link>,
    pub(super) migrations: Vec<Migration>,
    tracing: bool,
    lines: VecDeque<String>,
}

impl World {
    pub(super) fn new(plan: Plan, tracing: bool) -> World {
        let settings = &plan.settings;
        let guests = (1..)
            .zip(&plan.homes)
            .map(|(vm, &host)| Guest::new(vm, host));
        let process = |it: &Program| Process::new(it, settings.dc_of(it.vm));
        let hosts = match settings.nodes {
            1 => vec![Host::new(NodeId::default())],
            nodes => (1..=nodes).map(|node| Host::new(NodeId(node))).collect(),
        };
        World {
            now: 0,
            agenda: Agenda::default(),
            // Apart from the choices that made the plan.
            dice: Dice::new(plan.seed ^ 0x5eed_0000_0000_0000),
            directory: Directory::new(hosts.len()),
            hosts,
            guests: guests.collect(),
            processes: plan.programs.iter().map(process).collect(),
            ledger: Ledger::new(plan.settings.lag()),
            count: Counts::default(),
            draining: false,
            progress: true,
            retries_to_lose: 0,
            notices_to_lose: 0,
            outage_max: 0,
            links: BTreeMap::new(),
            migrations: Vec::new(),
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
        for process in &self.processes {
            self.ledger.down(process.number, 0);
        }
        for host in &self.hosts {
            self.directory.truth.join(host.node);
        }
        for host in 0..self.hosts.len() {
            self.touch(host);
        }
        for vm in 1..=self.plan.settings.vms {
            self.attach(vm);
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

    /// Whether there are other nodes.
    pub(super) fn is_cluster(&self) -> bool {
        self.hosts.len() > 1
    }

    /// Notes what happens, if somebody wants to read it.
    pub(super) fn trace(&mut self, line: impl FnOnce() -> String) {
        if self.tracing {
            if self.lines.len() >= TRACE_MAX {
                self.lines.remove(TRACE_BEGINNING);
                self.lines[TRACE_BEGINNING] = "...".to_owned();
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
            Event::HangUp { vm, boot } if self.guest(vm).boot == boot => self.hang_up(vm),
            Event::Connect { .. } | Event::ResetDevice { .. } | Event::HangUp { .. } => {}
            Event::SwitchOn { vm } => self.switch_on(vm),
            Event::NodeStart { host } => self.node_start(host),
            Event::Adoption { host, run } => self.adoption_over(host, run),
            Event::Exec { program, life } => self.exec(program, life),
            Event::Step { program, turn } => self.step(program, turn),
            Event::Leave { program, turn, why } => self.leave(program, turn, why),
            Event::GraceOver { program, turn } => self.grace_over(program, turn),
            Event::Attach { vm } => self.attach(vm),
            Event::Detach { vm, from } => self.detach(vm, from),
            Event::Asked { host, run } => self.asked(host, run),
            Event::Told { host, run, stream } => self.told(host, run, stream),
            Event::Doubt {
                host,
                number,
                lease,
            } => self.doubt(host, number, lease),
            Event::Lapse { host, number } => self.lapse(host, number),
            Event::HealDirectory { host } => self.heal_directory(host),
            Event::DirectoryUp => self.directory_up(),
            Event::Dialed { one, other } => self.dialed(one, other),
            Event::LinkUp {
                host,
                peer,
                session,
            } => self.link_up(host, peer, session),
            Event::LinkDown {
                host,
                peer,
                session,
            } => self.link_down(host, peer, session),
            Event::HealLink { one, other } => self.heal_link(one, other),
            Event::Arrive {
                from,
                to,
                class,
                session,
            } => self.arrive(from, to, class, session),
            Event::LinkRoom {
                host,
                peer,
                class,
                session,
            } => self.link_room(host, peer, class, session),
            Event::Vmm { migration, side } => self.vmm_acts(migration, side),
            Event::Mail { migration, side } => self.vmm_hears(migration, side),
            Event::Tick { migration, side } => self.vmm_looks_at_clock(migration, side),
            Event::NodeGone { migration, side } => self.vmm_lost_node(migration, side),
            Event::VmmGone { migration, side } => self.vmm_disconnects(migration, side),
            Event::Recover { vm } => self.recover(vm),
            Event::Orphan { host, run, port } => self.orphan_over(host, run, port),
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
            _ => return self.frozen(event),
        };
        if self.freeze(vm, event) {
            return true;
        }
        let until = self.guest(vm).stalled_until;
        let postponed = until > self.now;
        if postponed {
            self.agenda.add(until, event);
        }
        postponed
    }

    /// What else a guest does only while its CPUs run.
    fn frozen(&mut self, event: Event) -> bool {
        let vm = match event {
            Event::ResetDevice { vm, .. } => vm,
            Event::Exec { program, .. } => self.processes[program].vm,
            Event::Fault(index) => match self.plan.faults[index].what {
                Trouble::Exit { program, .. } => self.processes[program].vm,
                Trouble::Reset { vm } => vm,
                _ => return false,
            },
            _ => return false,
        };
        self.freeze(vm, event)
    }

    /// A guest whose CPUs are stopped does it when they run again.
    fn freeze(&mut self, vm: u32, event: Event) -> bool {
        let guest = self.guest_mut(vm);
        let paused = guest.paused.is_some();
        if paused {
            guest.frozen.push(event);
        }
        paused
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
        let mut renewed = false;
        for _ in 0..batch {
            let Some(frame) = guest.received.pop_front() else {
                break;
            };
            if frame.first() == Some(&kind::RENEWED) {
                renewed = renewal(&frame).is_some_and(|it| it > guest.incarnation);
                if renewed {
                    break;
                }
                continue; // Its driver has read of that life already.
            }
            core.frame(&frame, now);
            guest.given += 1;
            gave_back = true;
        }
        core.batch_end(now);
        if renewed {
            // Nothing of the life that is over counts any more: the device is reset.
            self.count.renewed += 1;
            self.after(vm);
            return self.unload(vm);
        }
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

/// The life that a guest is told it lives on in.
fn renewal(frame: &[u8]) -> Option<u32> {
    let (header, _) = Frame::read_from_prefix(frame).ok()?;
    u32::try_from(header.arg.get()).ok()
}
