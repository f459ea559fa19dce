//! What a history is made of: machines, programs, faults. All of it comes from the seed, and any
//! part can be left out to find out whether a failure needs it.

use super::agenda::{MS, US};
use super::dice::Dice;
use super::migration::Side;

/// A history to be played.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Choices made while it is played come from this.
    pub seed: u64,
    /// Sizes and speeds.
    pub settings: Settings,
    /// On which host each machine is at first, by its id from 1.
    pub homes: Vec<usize>,
    /// What runs in the machines.
    pub programs: Vec<Program>,
    /// What goes wrong.
    pub faults: Vec<Fault>,
}

/// Sizes and speeds of a history.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Number of hosts; 1: a single one, without a cluster.
    pub nodes: u32,
    /// Number of DCs.
    pub dcs: u32,
    /// Number of machines, with ids from 1.
    pub vms: u32,
    /// Entries of a transmit ring.
    pub transmit_ring: usize,
    /// Entries of a receive ring.
    pub receive_ring: usize,
    /// Requests that one peer may have at a core.
    pub credits: u32,
    /// Unacknowledged frames per peer.
    pub window: u32,
    /// Usual delay of a kick or an interrupt, in ns.
    pub signal_ns: u64,
    /// Usual delay of an answer of the directory, in ns; 0: it is there at once.
    pub directory_ns: u64,
    /// Usual delay of a link, in ns.
    pub network_ns: u64,
    /// Life of a lease that is not renewed, in ns.
    pub ttl_ns: u64,
    /// After this silence a link is given up, in ns.
    pub keepalive_ns: u64,
    /// Frames that one class of a link takes before it has no room.
    pub link_room: usize,
    /// Usual time that a program thinks, in ns.
    pub think_ns: u64,
    /// Frames that the node takes from one ring before others have their turn.
    pub share: usize,
    /// Faults come before this time, in ns.
    pub busy_ns: u64,
    /// Calls have deadlines.
    pub deadlines: bool,
    /// Callers get signals.
    pub signals: bool,
    /// Some calls must not wait.
    pub nowait: bool,
}

/// A program with one endpoint.
#[derive(Debug, Clone)]
pub struct Program {
    /// Its endpoint number.
    pub number: i32,
    /// Where it runs first.
    pub vm: u32,
    /// What it does.
    pub role: Role,
}

/// What a program does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Receives from anybody and answers.
    Server {
        /// Requests that it holds before it answers one.
        hold: usize,
        /// Answers some requests by send.
        by_send: bool,
        /// Asks that program before it answers.
        relay: Option<usize>,
    },
    /// Receives from one source at a time, and answers.
    Picky,
    /// Calls others, and now and then looks for messages.
    Client {
        /// So many calls.
        calls: u32,
    },
}

/// Something that goes wrong.
#[derive(Debug, Clone)]
pub struct Fault {
    /// When, in ns.
    pub at: u64,
    /// What.
    pub what: Trouble,
}

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// A program exits and is started again.
    Exit {
        /// Which one.
        program: usize,
        /// In which machine it runs from then on.
        vm: u32,
        /// After this time.
        down: u64,
    },
    /// A machine dies with its VMM and boots again.
    Crash {
        /// Which one.
        vm: u32,
        /// After this time.
        down: u64,
    },
    /// The guest resets its device and drives it again.
    Reset {
        /// Which guest.
        vm: u32,
    },
    /// A guest gets no processor for some time.
    Stall {
        /// Which guest.
        vm: u32,
        /// For how long.
        down: u64,
    },
    /// The node process is killed and started again.
    NodeCrash {
        /// Which one.
        host: usize,
        /// After this time.
        down: u64,
        /// It dies in the middle of this VM's ring: the frame is carried and not given back.
        midway: u32,
    },
    /// The next RETRY for one VM that the node says is lost without a trace.
    LostRetry,
    /// The next RETRY that one node tells another is lost without a trace.
    LostNotice,
    /// A host dies with its machines, and boots again.
    HostLoss {
        /// Which one.
        host: usize,
        /// After this time.
        down: u64,
        /// Its machines are started on this one, as soon as the directory lets them.
        to: Option<usize>,
    },
    /// A host cannot reach the directory.
    CutDirectory {
        /// Which one.
        host: usize,
        /// For how long.
        down: u64,
    },
    /// The directory is down.
    DirectoryDown {
        /// For how long.
        down: u64,
    },
    /// The link between two hosts is cut.
    CutLink {
        /// The one.
        one: usize,
        /// The other.
        other: usize,
        /// For how long.
        down: u64,
        /// Their nodes notice only by the keep-alive.
        silent: bool,
    },
    /// All links of a host are cut.
    Isolate {
        /// Which one.
        host: usize,
        /// For how long.
        down: u64,
        /// As with one link.
        silent: bool,
        /// The directory is out of its reach too.
        directory: bool,
    },
    /// A machine moves to another host while it runs.
    Migrate {
        /// Which one.
        vm: u32,
        /// To which host.
        to: usize,
        /// What goes wrong in the middle.
        upset: Option<Upset>,
    },
    /// A machine is switched off, detached, attached to another host, and boots there.
    Move {
        /// Which one.
        vm: u32,
        /// To which host.
        to: usize,
    },
}

/// What goes wrong in the middle of a migration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Upset {
    /// Before the VMMs have done so many things.
    pub step: u32,
    /// What.
    pub what: UpsetKind,
    /// For how long, where it passes.
    pub down: u64,
}

/// What goes wrong in the middle of a migration, at its source or at its destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UpsetKind {
    /// The VMM is killed.
    VmmKilled(Side),
    /// The node is killed and started again.
    NodeKilled(Side),
    /// The host cannot reach the directory.
    DirectoryCut(Side),
    /// Neither can reach the directory.
    DirectoryDown,
    /// The two hosts cannot reach each other.
    LinkCut,
    /// The VMM cannot do what it is about to do.
    Fails,
    /// Somebody wishes that it stays, or does not come.
    Cancelled(Side),
}

impl Plan {
    /// The history of a seed on a single host.
    pub fn new(seed: u64) -> Plan {
        let mut dice = Dice::new(seed);
        let settings = settings(&mut dice);
        let vms: Vec<u32> = (1..=settings.vms).collect();
        let mut all = Vec::new();
        programs(&mut dice, &vms, &mut all);
        let faults = faults(&mut dice, &settings, &all);
        Plan {
            seed,
            homes: vec![0; vms.len()],
            settings,
            programs: all,
            faults,
        }
    }
}

impl Settings {
    /// Longest time that news are on their way, while nothing is out of order.
    pub(super) fn lag(&self) -> u64 {
        // A seldom delay is twenty times the usual one: see `Dice::delay`.
        // In a cluster a path is looked up by both of its nodes before it is a path.
        let cluster = 20 * (4 * self.directory_ns + 6 * self.network_ns);
        let cluster = if self.nodes > 1 { cluster } else { 0 };
        MS + 20 * (3 * self.signal_ns + 2 * self.directory_ns) + cluster
    }

    /// The DC of a machine.
    pub(super) fn dc_of(&self, vm: u32) -> u32 {
        vm % self.dcs
    }

    /// The machines of a DC.
    pub(super) fn vms_of(&self, dcid: u32) -> impl Iterator<Item = u32> + '_ {
        (1..=self.vms).filter(move |&vm| self.dc_of(vm) == dcid)
    }
}

pub(super) fn settings(dice: &mut Dice) -> Settings {
    Settings {
        nodes: 1,
        dcs: 1,
        network_ns: 0,
        ttl_ns: 0,
        keepalive_ns: 0,
        link_room: 0,
        vms: dice.pick(&[1, 2, 2, 3, 3, 4]),
        transmit_ring: dice.pick(&[2, 4, 16, 64]),
        receive_ring: dice.pick(&[2, 3, 8, 32, 64]),
        credits: dice.pick(&[8, 16, 64]),
        window: dice.pick(&[32, 64]),
        signal_ns: dice.pick(&[3 * US, 30 * US, 300 * US]),
        directory_ns: dice.pick(&[0, 50 * US, MS]),
        think_ns: dice.pick(&[20 * US, 200 * US, MS]),
        share: dice.pick(&[1, 4, 128]),
        busy_ns: dice.pick(&[5 * MS, 20 * MS, 60 * MS]),
        deadlines: dice.chance(60),
        signals: dice.chance(40),
        nowait: dice.chance(50),
    }
}

/// Adds the programs of the DC that has these machines.
pub(super) fn programs(dice: &mut Dice, vms: &[u32], all: &mut Vec<Program>) {
    let first = all.len();
    let (servers, clients) = (dice.between(1, 4), dice.between(1, 6));
    for i in 0..servers + clients {
        let role = if i >= servers {
            let calls = dice.pick(&[5, 20, 60]);
            Role::Client { calls }
        } else if i > 0 && dice.chance(15) {
            Role::Picky
        } else {
            server(dice, first, &all[first..])
        };
        all.push(Program {
            number: number(all.len() - first),
            vm: dice.pick(vms),
            role,
        });
    }
}

/// A server asks only those before it, so that no two wait for each other.
fn server(dice: &mut Dice, first: usize, before: &[Program]) -> Role {
    let asked = dice.index(before.len());
    let answers = |it: &Program| matches!(it.role, Role::Server { .. });
    let relay = before.get(asked).is_some_and(answers) && dice.chance(25);
    Role::Server {
        hold: if dice.chance(30) { 3 } else { 0 },
        by_send: dice.chance(30),
        relay: relay.then_some(first + asked),
    }
}

/// Endpoint numbers of programs, below and above zero.
fn number(program: usize) -> i32 {
    i32::try_from(program).unwrap_or(0) * 3 - 8
}

fn faults(dice: &mut Dice, settings: &Settings, programs: &[Program]) -> Vec<Fault> {
    let count = dice.pick(&[0, 1, 2, 4, 8]);
    let fault = |_| Fault {
        at: dice.below(settings.busy_ns),
        what: trouble(dice, settings.vms, programs.len()),
    };
    let mut faults: Vec<Fault> = (0..count).map(fault).collect();
    faults.sort_by_key(|fault| fault.at);
    faults
}

fn trouble(dice: &mut Dice, vms: u32, programs: usize) -> Trouble {
    let vms: Vec<u32> = (1..=vms).collect();
    let vm = dice.pick(&vms);
    match dice.below(13) {
        0..=4 => Trouble::Exit {
            program: dice.index(programs),
            vm,
            down: dice.delay(2 * MS),
        },
        5..=6 => Trouble::Crash {
            vm,
            down: 3 * MS + dice.delay(5 * MS),
        },
        7 => Trouble::Reset { vm },
        8 => Trouble::Stall {
            vm,
            down: dice.delay(10 * MS),
        },
        9..=11 => Trouble::NodeCrash {
            host: 0,
            down: if dice.chance(10) {
                dice.between(1_500 * MS, 4_000 * MS)
            } else {
                dice.delay(5 * MS)
            },
            midway: vm,
        },
        _ => Trouble::LostRetry,
    }
}
