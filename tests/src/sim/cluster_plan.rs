//! Histories of clusters: nodes, DCs, and what goes wrong between them.

use super::agenda::{MS, US};
use super::dice::Dice;
use super::migration::Side;
use super::plan::{Fault, Plan, Program, Settings, Trouble, Upset, UpsetKind, programs, settings};

/// Things that the two VMMs of a migration do in all, about.
const STEPS: u64 = 32;
/// Nodes of a cluster, at most.
const NODES_MAX: u64 = 12;

impl Plan {
    /// The history of a seed in a cluster of so many nodes; `None`: 2 to 12, as the seed says.
    pub fn cluster(seed: u64, nodes: Option<u32>) -> Plan {
        // Other choices than those of the history of a single host.
        let mut dice = Dice::new(seed ^ 0xc105_7e40_0000_0000);
        let any = if dice.chance(60) {
            dice.between(2, 4)
        } else {
            dice.between(2, NODES_MAX)
        };
        let any = u32::try_from(any).unwrap_or(2);
        let settings = of_cluster(&mut dice, nodes.unwrap_or(any));
        let homes = homes(&mut dice, &settings);
        let mut all = Vec::new();
        for dcid in 0..settings.dcs {
            let vms: Vec<u32> = settings.vms_of(dcid).collect();
            programs(&mut dice, &vms, &mut all);
        }
        let faults = faults(&mut dice, &settings, &all);
        Plan {
            seed,
            settings,
            homes,
            programs: all,
            faults,
        }
    }
}

impl Plan {
    /// The same, with machines that move while they run: several at once, in all directions.
    pub fn moving(seed: u64, nodes: Option<u32>) -> Plan {
        let mut plan = Plan::cluster(seed, nodes);
        let mut dice = Dice::new(seed ^ 0x0b3d_f00d_0000_0000);
        let count = dice.pick(&[1, 2, 3, 5, 8]);
        // Sometimes all at one time.
        let spread = if dice.chance(30) {
            MS
        } else {
            plan.settings.busy_ns
        };
        let migration = |_| Fault {
            at: dice.below(spread),
            what: migration(&mut dice, &plan.settings),
        };
        plan.faults.extend((0..count).map(migration));
        plan.faults.sort_by_key(|fault| fault.at);
        plan
    }
}

fn migration(dice: &mut Dice, settings: &Settings) -> Trouble {
    let side = dice.pick(&[Side::Source, Side::Destination]);
    let what = dice.pick(&[
        UpsetKind::VmmKilled(side),
        UpsetKind::NodeKilled(side),
        UpsetKind::NodeKilled(side),
        UpsetKind::DirectoryCut(side),
        UpsetKind::DirectoryDown,
        UpsetKind::LinkCut,
        UpsetKind::Fails,
        UpsetKind::Cancelled(side),
    ]);
    let upset = Upset {
        step: u32::try_from(dice.below(STEPS)).unwrap_or(0),
        what,
        down: long(dice, settings),
    };
    Trouble::Migrate {
        vm: 1 + u32::try_from(dice.below(settings.vms.into())).unwrap_or(0),
        to: dice.index(settings.nodes as usize),
        upset: dice.chance(60).then_some(upset),
    }
}

fn of_cluster(dice: &mut Dice, nodes: u32) -> Settings {
    let dcs = dice.pick(&[1, 1, 1, 2]);
    Settings {
        nodes,
        dcs,
        vms: dice.pick(&[2, 2, 3, 3, 4, 4, 5, 6, 8]).max(2 * dcs),
        network_ns: dice.pick(&[10 * US, 50 * US, 200 * US]),
        directory_ns: dice.pick(&[20 * US, 50 * US, 200 * US]),
        ttl_ns: dice.pick(&[60 * MS, 100 * MS, 300 * MS]),
        keepalive_ns: dice.pick(&[3 * MS, 20 * MS, 100 * MS]),
        link_room: dice.pick(&[2, 8, 64, 256]),
        ..settings(dice)
    }
}

/// Where the VMs are at first: seldom all at one node.
fn homes(dice: &mut Dice, settings: &Settings) -> Vec<usize> {
    let nodes = settings.nodes as usize;
    let spread = dice.chance(50);
    let home = |vm: usize| match spread {
        true => vm % nodes,
        false => dice.index(nodes),
    };
    (0..settings.vms as usize).map(home).collect()
}

fn faults(dice: &mut Dice, settings: &Settings, programs: &[Program]) -> Vec<Fault> {
    let count = dice.pick(&[0, 1, 2, 3, 5, 8]);
    let fault = |_| Fault {
        at: dice.below(settings.busy_ns),
        what: trouble(dice, settings, programs),
    };
    let mut faults: Vec<Fault> = (0..count).map(fault).collect();
    faults.sort_by_key(|fault| fault.at);
    faults
}

/// Some time, seldom longer than a backstop waits. Where a link has room for two frames, what is for a machine
/// that stands still meanwhile is sent anew each time that one of them has gone: that would be too many events.
fn long(dice: &mut Dice, settings: &Settings) -> u64 {
    match dice.below(20) {
        0 if settings.link_room > 2 => dice.between(1_500 * MS, 4_000 * MS),
        1..=6 => dice.between(settings.ttl_ns / 2, 2 * settings.ttl_ns),
        _ => dice.delay(5 * MS),
    }
}

fn trouble(dice: &mut Dice, settings: &Settings, programs: &[Program]) -> Trouble {
    let vm = 1 + u32::try_from(dice.below(settings.vms.into())).unwrap_or(0);
    let nodes = settings.nodes as usize;
    let host = dice.index(nodes);
    let peer = (host + 1 + dice.index(nodes - 1)) % nodes;
    match dice.below(24) {
        0..=2 => {
            let program = dice.index(programs.len());
            let dcid = settings.dc_of(programs[program].vm);
            let vms: Vec<u32> = settings.vms_of(dcid).collect();
            Trouble::Exit {
                program,
                vm: dice.pick(&vms),
                down: dice.delay(2 * MS),
            }
        }
        3 => Trouble::Crash {
            vm,
            down: 3 * MS + dice.delay(5 * MS),
        },
        4 => Trouble::Reset { vm },
        5 => Trouble::Stall {
            vm,
            down: dice.delay(10 * MS),
        },
        6..=9 => Trouble::NodeCrash {
            host,
            down: long(dice, settings),
            midway: vm,
        },
        10..=11 => Trouble::HostLoss {
            host,
            down: long(dice, settings),
            to: dice.chance(50).then_some(peer),
        },
        12..=13 => Trouble::CutDirectory {
            host,
            down: long(dice, settings),
        },
        14 => Trouble::DirectoryDown {
            down: long(dice, settings),
        },
        15..=18 => Trouble::CutLink {
            one: host,
            other: peer,
            down: long(dice, settings),
            silent: dice.chance(50),
        },
        19 => Trouble::Isolate {
            host,
            down: long(dice, settings),
            silent: dice.chance(50),
            directory: dice.chance(50),
        },
        20..=21 => Trouble::Move { vm, to: host },
        22 => Trouble::LostRetry,
        _ => Trouble::LostNotice,
    }
}
