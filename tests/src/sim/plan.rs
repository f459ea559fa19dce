//! What a history is made of: machines, programs, faults. All of it comes from the seed, and any
//! part can be left out to find out whether a failure needs it.

use super::agenda::{MS, US};
use super::dice::Dice;

/// A history to be played.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Choices made while it is played come from this.
    pub seed: u64,
    /// Sizes and speeds.
    pub settings: Settings,
    /// What runs in the machines.
    pub programs: Vec<Program>,
    /// What goes wrong.
    pub faults: Vec<Fault>,
}

/// Sizes and speeds of a history.
#[derive(Debug, Clone)]
pub struct Settings {
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
        /// After this time.
        down: u64,
        /// It dies in the middle of this VM's ring: the frame is carried and not given back.
        midway: u32,
    },
    /// The next RETRY for one VM that the node says is lost without a trace.
    LostRetry,
}

impl Plan {
    /// The history of a seed.
    pub fn new(seed: u64) -> Plan {
        let mut dice = Dice::new(seed);
        let settings = settings(&mut dice);
        let programs = programs(&mut dice, settings.vms);
        let faults = faults(&mut dice, &settings, &programs);
        Plan {
            seed,
            settings,
            programs,
            faults,
        }
    }
}

impl Settings {
    /// Longest time that news are on their way, while nothing is out of order.
    pub(super) fn lag(&self) -> u64 {
        // A seldom delay is twenty times the usual one: see `Dice::delay`.
        MS + 20 * (3 * self.signal_ns + 2 * self.directory_ns)
    }
}

fn settings(dice: &mut Dice) -> Settings {
    Settings {
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

fn programs(dice: &mut Dice, vms: u32) -> Vec<Program> {
    let vms: Vec<u32> = (1..=vms).collect();
    let (servers, clients) = (dice.between(1, 4), dice.between(1, 6));
    let mut programs = Vec::new();
    for i in 0..servers + clients {
        let role = if i >= servers {
            let calls = dice.pick(&[5, 20, 60]);
            Role::Client { calls }
        } else if i > 0 && dice.chance(15) {
            Role::Picky
        } else {
            server(dice, &programs)
        };
        programs.push(Program {
            number: number(programs.len()),
            vm: dice.pick(&vms),
            role,
        });
    }
    programs
}

/// A server asks only those before it, so that no two wait for each other.
fn server(dice: &mut Dice, before: &[Program]) -> Role {
    let asked = dice.index(before.len());
    let answers = |it: &Program| matches!(it.role, Role::Server { .. });
    let relay = before.get(asked).is_some_and(answers) && dice.chance(25);
    Role::Server {
        hold: if dice.chance(30) { 3 } else { 0 },
        by_send: dice.chance(30),
        relay: relay.then_some(asked),
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
