//! A whole host in one process, without a clock or a thread: the guests' real core, the real
//! switch and the real directory, joined by rings and interrupts in virtual time. A seed decides
//! what runs, what goes wrong and how long everything takes, so that any history can be played
//! again. Every history is judged by the same rules: see `docs/simulator.md`.

mod agenda;
mod calls;
mod census;
mod cluster_plan;
mod dice;
mod directory;
mod fabric;
mod faults;
mod guest;
mod host;
mod judge;
mod lease;
mod ledger;
mod machine;
mod many;
mod migration;
mod network;
mod plan;
mod program;
mod shrink;
mod truth;
mod world;

use std::collections::BTreeMap;

use dvs_core::Stats;

pub use many::Many;
pub use migration::Side;
pub use plan::{Fault, Plan, Program, Role, Settings, Trouble, Upset, UpsetKind};
pub use shrink::shrink;

/// What a history came to.
#[derive(Debug)]
pub struct History {
    /// What was wrong; empty: nothing.
    pub violations: Vec<String>,
    /// What happened how often.
    pub count: Counts,
    /// The last events, if they were asked for.
    pub trace: Vec<String>,
}

/// What happened how often in a history, or in many.
#[derive(Debug, Clone, Default)]
pub struct Counts {
    /// Calls begun.
    pub calls: u64,
    /// Calls ended, by result.
    pub results: BTreeMap<i32, u64>,
    /// Receives that got something.
    pub received: u64,
    /// Requests that were answered.
    pub answered: u64,
    /// Calls left without the decision of the receiver's core.
    pub abandoned: u64,
    /// Frames that the node looked at.
    pub frames: u64,
    /// Frames that were put into a receive buffer.
    pub delivered: u64,
    /// Frames that went to other nodes.
    pub forwarded: u64,
    /// Frames that came from other nodes.
    pub arrived: u64,
    /// Frames that were under way when a session broke.
    pub lost_in_breaks: u64,
    /// Frames for which a link had no room.
    pub link_full: u64,
    /// What one node said of a VM that was not its own, as far as the other knew.
    pub disbelieved: u64,
    /// Leases that ran out.
    pub lapses: u64,
    /// Lives that guests were given in the middle of another.
    pub renewed: u64,
    /// Frames for which there was no receive buffer.
    pub full: u64,
    /// Frames for a life that is over or does not run.
    pub dropped: u64,
    /// Frames that were dropped, by reason.
    pub drops: BTreeMap<&'static str, u64>,
    /// What guests told the node.
    pub tells: u64,
    /// Control requests that were not accepted.
    pub refused_controls: u64,
    /// RETRYs lost without a trace.
    pub lost_retries: u64,
    /// Migrations that were begun.
    pub migrations: u64,
    /// Requests of VMMs for machines that move.
    pub tickets: u64,
    /// Machines that went on at another host.
    pub moved: u64,
    /// Machines that stayed.
    pub stayed: u64,
    /// Machines that a migration has lost.
    pub lost: u64,
    /// Faults that were played.
    pub faults: u64,
    /// Frames sent again by cores.
    pub sent_again: u64,
    /// Frames that came to a core twice.
    pub duplicates: u64,
    /// Firings of backstop timers.
    pub backstops: u64,
    /// Times that clients looked for what came last.
    pub rounds: u32,
}

impl Counts {
    fn add(&mut self, stats: &Stats) {
        self.sent_again += stats.frames_sent_again;
        self.duplicates += stats.duplicates_dropped;
        self.backstops += stats.backstop_fired;
    }

    /// Adds what happened in another history.
    pub fn merge(&mut self, other: &Counts) {
        self.calls += other.calls;
        self.received += other.received;
        self.answered += other.answered;
        self.abandoned += other.abandoned;
        self.frames += other.frames;
        self.full += other.full;
        self.delivered += other.delivered;
        self.forwarded += other.forwarded;
        self.arrived += other.arrived;
        self.lost_in_breaks += other.lost_in_breaks;
        self.link_full += other.link_full;
        self.disbelieved += other.disbelieved;
        self.lapses += other.lapses;
        self.renewed += other.renewed;
        self.tells += other.tells;
        for (reason, count) in &other.drops {
            *self.drops.entry(reason).or_default() += count;
        }
        self.dropped += other.dropped;
        self.refused_controls += other.refused_controls;
        self.lost_retries += other.lost_retries;
        self.migrations += other.migrations;
        self.tickets += other.tickets;
        self.moved += other.moved;
        self.stayed += other.stayed;
        self.lost += other.lost;
        self.faults += other.faults;
        self.sent_again += other.sent_again;
        self.duplicates += other.duplicates;
        self.backstops += other.backstops;
        self.rounds += other.rounds;
        for (result, count) in &other.results {
            *self.results.entry(*result).or_default() += count;
        }
    }
}

/// Plays a history.
pub fn play(plan: &Plan) -> History {
    world::World::new(plan.clone(), false).play()
}

/// Plays a history and keeps what happened.
pub fn play_traced(plan: &Plan) -> History {
    world::World::new(plan.clone(), true).play()
}
