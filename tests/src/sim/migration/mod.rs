//! Machines that move while they run: the real state machines of both VMMs, with the real switches
//! and the model of the directory between them. There is one core for each machine: where it is, is
//! where its CPUs may run, and that two run at once is seen where one begins to.

mod act;
mod end;
mod hear;

use std::collections::VecDeque;
use std::time::Duration;

use dvs_migration::compat;
use dvs_migration::destination::{self, Destination};
use dvs_migration::layout::{Layout, PAGE_SIZE, Slot};
use dvs_migration::message::{Cpu, Offer, ToDestination, ToSource};
use dvs_migration::pages::{Attempt, Compression};
use dvs_migration::place::{Place, Residence, Start};
use dvs_migration::source::{self, Source};
use virtio_dvs::directory::{self, NodeId};

use super::agenda::{Event, MS};
use super::guest::Power;
use super::plan::Upset;
use super::world::World;

/// Which of the two VMMs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// From where the machine comes.
    Source,
    /// Where it goes.
    Destination,
}

impl Side {
    const fn other(self) -> Side {
        match self {
            Side::Source => Side::Destination,
            Side::Destination => Side::Source,
        }
    }
}

/// What a VMM has asked its node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Asked {
    migration: usize,
    side: Side,
    what: What,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    Place,
    Prepare,
    Hold,
    Take,
    Release,
    Forget,
}

/// Something from the other VMM.
#[derive(Debug)]
enum Mail {
    ToSource(ToSource),
    ToDestination(ToDestination),
    /// The stream of pages begins.
    Join,
    /// It was not taken, or broke off.
    StreamLost,
    /// The end of a round, on the stream of pages.
    Round(u32, bool),
    Closed,
}

/// Something that a VMM does.
#[derive(Debug)]
enum Job {
    Source(source::Action),
    Destination(destination::Action),
}

/// One of the two VMMs.
#[derive(Debug)]
struct Vmm {
    host: usize,
    /// Its process is there.
    lives: bool,
    jobs: VecDeque<Job>,
    mail: VecDeque<Mail>,
    /// When the last of its mail comes.
    due: u64,
    /// When it looks at its clock.
    tick: Option<u64>,
}

/// A machine on its way.
#[derive(Debug)]
pub(super) struct Migration {
    vm: u32,
    vmms: [Vmm; 2],
    source: Option<Source>,
    destination: Option<Destination>,
    /// The VMMs can talk.
    connected: bool,
    /// The source's VMM keeps off its node.
    holding: bool,
    /// All that the machine is has been sent.
    handed_over: bool,
    /// Its CPUs were started at the destination.
    arrived: bool,
    /// What the two VMMs have done.
    steps: u32,
    upset: Option<Upset>,
}

impl Migration {
    fn vmm(&mut self, side: Side) -> &mut Vmm {
        &mut self.vmms[side as usize]
    }

    /// Whose VMM has the machine.
    const fn runs_at(&self) -> Side {
        match self.arrived {
            true => Side::Destination,
            false => Side::Source,
        }
    }

    fn host(&self, side: Side) -> usize {
        self.vmms[side as usize].host
    }

    fn deadline(&self, side: Side) -> Option<u64> {
        let deadline = match side {
            Side::Source => self.source.as_ref()?.deadline(),
            Side::Destination => self.destination.as_ref()?.deadline(),
        };
        deadline.map(nanoseconds)
    }
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

fn layout() -> Option<Layout> {
    let slot = Slot {
        start: 0,
        size: 2 * PAGE_SIZE,
    };
    Layout::new(vec![slot]).ok()
}

fn attempt(number: usize) -> Attempt {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&(number as u64 + 1).to_le_bytes());
    Attempt(bytes)
}

fn offer(number: usize, vm: u32, place: Place) -> Option<Offer> {
    Some(Offer {
        attempt: attempt(number),
        vm,
        place,
        cluster: "simulated".into(),
        machine: 1,
        vcpus: 1,
        layout: layout()?,
        cpu: Cpu::default(),
        devices: Vec::new(),
        config: Vec::new(),
        streams: 1,
        compression: Compression::None,
    })
}

fn able(node: NodeId) -> compat::Host {
    compat::Host {
        port: 7500,
        node: node.0,
        cluster: "simulated".into(),
        machine: 1,
        vcpus: 1,
        memory: 1 << 20,
        cpu: Cpu::default(),
        tsc_scaling: false,
        devices: Vec::new(),
        compression: Vec::new(),
        streams: 1,
    }
}

fn to_vmm(place: directory::Place) -> Place {
    Place {
        node: place.node.0,
        epoch: place.epoch,
        life: place.incarnation,
    }
}

fn found_by_vmm(found: directory::Residence) -> Residence {
    let start = match found.start {
        directory::Start::Made => Start::Made,
        directory::Start::Awaited => Start::Awaited,
        directory::Start::Declined => Start::Declined,
    };
    Residence {
        place: to_vmm(found.place),
        start,
    }
}

fn to_node(place: Place) -> directory::Place {
    directory::Place {
        node: NodeId(place.node),
        epoch: place.epoch,
        incarnation: place.life,
    }
}

impl World {
    /// A machine begins to move, if it runs and the two hosts can talk.
    pub(super) fn migrate(&mut self, vm: u32, to: usize, upset: Option<Upset>) {
        let guest = self.guest(vm);
        let from = guest.host;
        let runs = guest.power == Power::On && !guest.attaching && guest.migration.is_none();
        if !runs || from == to || self.link(from, to).cuts > 0 {
            return;
        }
        let number = self.migrations.len();
        let node = self.hosts[from].node;
        let place = Place {
            node: node.0,
            epoch: 1,
            life: 1,
        };
        let now = Duration::from_nanos(self.now);
        let Some(offer) = offer(number, vm, place) else {
            return;
        };
        let Ok((source, first)) = Source::new(offer, self.config(), now) else {
            return self
                .ledger
                .wrong("no such machine can be offered".to_owned());
        };
        let waits = destination::Waits {
            setup: Duration::from_millis(50),
            silence: Duration::from_millis(50),
        };
        let destination = Destination::new(able(self.hosts[to].node), waits, now);
        let vmm = |host| Vmm {
            host,
            lives: true,
            jobs: VecDeque::new(),
            mail: VecDeque::new(),
            due: 0,
            tick: None,
        };
        self.migrations.push(Migration {
            vm,
            vmms: [vmm(from), vmm(to)],
            source: Some(source),
            destination: Some(destination),
            connected: true,
            holding: false,
            handed_over: false,
            arrived: false,
            steps: 0,
            upset,
        });
        self.guest_mut(vm).migration = Some(number);
        self.count.migrations += 1;
        self.source_does(number, first);
        self.look_at_clock_later(number, Side::Destination);
    }

    fn config(&mut self) -> source::Config {
        let standing = self.dice.between(2 * MS, 50 * MS);
        source::Config {
            waits: source::Waits {
                setup: Duration::from_millis(50),
                silence: Duration::from_millis(50),
                standing: Duration::from_nanos(standing),
            },
            ..source::Config::default()
        }
    }

    /// The VMM of a machine that is about to leave keeps off its node, or is not there any more.
    pub(super) fn is_holding(&self, vm: u32) -> bool {
        let guest = self.guest(vm);
        let migration = guest.migration.and_then(|it| self.migrations.get(it));
        migration.is_some_and(|it| {
            let gone = guest.paused.is_some() && !it.vmms[Side::Source as usize].lives;
            (it.holding || gone) && !it.arrived
        })
    }

    /// Something happened to the source.
    fn source_event(&mut self, number: usize, event: source::Event) {
        let now = Duration::from_nanos(self.now);
        let Some(source) = self.migrations[number].source.as_mut() else {
            return;
        };
        let actions = source.handle(now, event);
        self.source_does(number, actions);
    }

    /// Something happened to the destination.
    fn destination_event(&mut self, number: usize, event: destination::Event) {
        let now = Duration::from_nanos(self.now);
        let Some(destination) = self.migrations[number].destination.as_mut() else {
            return;
        };
        let actions = destination.handle(now, event);
        let jobs = actions.into_iter().map(Job::Destination);
        self.will_do(number, Side::Destination, jobs.collect());
    }

    fn source_does(&mut self, number: usize, actions: Vec<source::Action>) {
        let jobs = actions.into_iter().map(Job::Source).collect();
        self.will_do(number, Side::Source, jobs);
    }

    fn will_do(&mut self, number: usize, side: Side, jobs: Vec<Job>) {
        let vmm = self.migrations[number].vmm(side);
        let idle = vmm.jobs.is_empty();
        vmm.jobs.extend(jobs);
        if idle && !vmm.jobs.is_empty() {
            self.act_later(number, side);
        }
        self.look_at_clock_later(number, side);
    }

    fn act_later(&mut self, number: usize, side: Side) {
        let at = self.now + self.dice.delay(self.plan.settings.signal_ns);
        let event = Event::Vmm {
            migration: number,
            side,
        };
        self.agenda.add(at, event);
    }

    fn look_at_clock_later(&mut self, number: usize, side: Side) {
        let migration = &mut self.migrations[number];
        let deadline = migration.deadline(side);
        let vmm = migration.vmm(side);
        let earlier = deadline.filter(|it| vmm.tick.is_none_or(|tick| *it < tick));
        if let Some(at) = earlier {
            vmm.tick = Some(at);
            let event = Event::Tick {
                migration: number,
                side,
            };
            self.agenda.add(at.max(self.now), event);
        }
    }

    /// A VMM looks at its clock.
    pub(super) fn vmm_looks_at_clock(&mut self, number: usize, side: Side) {
        let migration = &mut self.migrations[number];
        let due = migration.deadline(side).is_some_and(|it| it <= self.now);
        migration.vmm(side).tick = None;
        match side {
            _ if !due => self.look_at_clock_later(number, side),
            Side::Source => self.source_event(number, source::Event::Tick),
            Side::Destination => self.destination_event(number, destination::Event::Tick),
        }
    }
}
