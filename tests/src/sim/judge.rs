//! What every history must have in common: each result has a reason, and in the end every message
//! has had its fate and nothing is left over.

use std::collections::BTreeSet;

use dvs_core::errors::*;
use dvs_core::{ANY, Addr};

use super::agenda::MS;
use super::ledger::{Message, Way};
use super::program::{Act, Doing, State};
use super::world::World;

/// A core gives a peer up at a deadline when it has been silent for so long.
const OUT_OF_REACH: u64 = 100 * MS;
/// What was out of reach for longer may have let a backstop fire.
const BACKSTOP: u64 = 900 * MS;

impl World {
    /// Whether a result is what happened.
    pub(super) fn explained(&self, program: usize, doing: &Doing, result: i32) -> bool {
        let process = &self.processes[program];
        let (act, dcid) = (doing.wanted.act, process.number.0);
        match result {
            0 => true,
            EAGAIN => doing.wanted.nowait,
            ETIMEDOUT | EINTR => doing.left == result || process.exiting,
            ENOTBIND | ENOTCONN => process.exiting,
            ESLOTUSED => act == Act::Bind && process.moved,
            EDSTDIED => self.has_target_died(dcid, doing, false),
            ESRCDIED => self.has_target_died(dcid, doing, true),
            EENDPOINT => target(act).is_some_and(|to| {
                to.gen_ != 0 && !self.ledger.is_newest((dcid, to.nr), to.gen_)
                    || self.has_target_died(dcid, doing, false)
            }),
            EPROCSTS => self.does_nobody_wait(program, doing),
            _ => false,
        }
    }

    fn has_target_died(&self, dcid: u32, doing: &Doing, source: bool) -> bool {
        let number = match doing.wanted.act {
            Act::Receive { from } if source && from != ANY => from,
            Act::Sendrec { to } => to.nr,
            Act::Send { to, .. } | Act::Notify { to } | Act::Reply { to, .. } if !source => to.nr,
            _ => return false,
        };
        self.ledger
            .was_unbound((dcid, number), doing.started, self.now)
    }

    /// A reply comes too late: its request is over, or its sender leaves, or a send has answered it.
    fn does_nobody_wait(&self, program: usize, doing: &Doing) -> bool {
        let Act::Reply { to, re, .. } = doing.wanted.act else {
            return false;
        };
        let over = self.ledger.message(re).is_some_and(|it| it.ended.is_some());
        let of_request = |it: &State| match it {
            State::Calling(other) => other.serial == re && other.left != 0,
            _ => false,
        };
        let leaves = self.processes.iter().any(|it| of_request(&it.state));
        let own = self.place(program);
        let to = (own.number.0, to.nr);
        let answered = self.ledger.messages.iter().any(|it| {
            it.way == Way::Send && it.from == own && it.to == to && matches!(it.ended, Some((_, 0)))
        });
        over || leaves || answered || self.ledger.was_unbound(to, doing.started, self.now)
    }

    /// The history is over.
    pub(super) fn judge(&mut self) {
        self.judge_programs();
        for index in 0..self.ledger.messages.len() {
            let message = self.ledger.messages[index].clone();
            if let Some(what) = self.judge_message(&message) {
                self.ledger
                    .wrong(format!("#{} {what}: {message:?}", index + 1));
            }
        }
        self.judge_notes();
        self.judge_counts();
        self.judge_quiet();
        for vm in 1..=self.plan.settings.vms {
            self.judge_core(vm);
            self.judge_switch(vm);
            self.count_core(vm);
        }
        let fired = self.count.backstops;
        let excused = self.count.lost_retries > 0 || self.outage_max > BACKSTOP;
        if fired > 0 && !excused {
            self.ledger.wrong(format!(
                "the backstop fired {fired} times, and no signal was lost"
            ));
        }
    }

    fn judge_programs(&mut self) {
        for process in &self.processes {
            let fine = match process.state {
                State::Resting => true,
                State::Calling(doing) => doing.wanted.act == Act::Receive { from: ANY },
                State::Down | State::Thinking => false,
            };
            if !fine {
                self.ledger
                    .violations
                    .push(format!("it hangs: {process:?}"));
            }
        }
    }

    /// What is wrong with the fate of a message.
    fn judge_message(&self, message: &Message) -> Option<&'static str> {
        let received = message.received;
        let Some((end, result)) = message.ended else {
            return (!self.ledger.is_over(message.from)).then_some("its call never ended");
        };
        if result == 0 {
            let lost = received.is_none() && !self.may_be_lost(message);
            return lost.then_some("was sent and never came");
        }
        if message.killed {
            return None;
        }
        let (at, by) = received?;
        let died = matches!(result, EDSTDIED | ESRCDIED);
        if died && self.ledger.is_over(by) {
            return None; // A life that is over for all others may not know it yet.
        }
        let asked = message.way == Way::Sendrec;
        let took = match result {
            // It was taken and not answered, or the news of it was lost with the machine.
            ETIMEDOUT | EINTR | EAGAIN if asked => true,
            ESRCDIED => asked,
            EDSTDIED => !asked && self.ledger.is_over(by),
            _ => false,
        };
        if message.gave_up && !died {
            let since = end.saturating_sub(OUT_OF_REACH);
            let reach = !self.ledger.had_trouble(since, end);
            return (reach && (at > end || !took)).then_some("was given up though in reach");
        }
        (at > end || !took).then_some("failed and came")
    }

    /// An answer whose client did not wait for it any more, or could not be reached.
    fn may_be_lost(&self, message: &Message) -> bool {
        match message.way {
            Way::Sendrec => false,
            Way::Reply => {
                let request = self.ledger.message(message.re);
                request.is_some_and(|it| self.is_unanswered(it, message))
            }
            // It was the answer to any request that was open then.
            Way::Send => self.ledger.messages.iter().any(|it| {
                it.way == Way::Sendrec
                    && it.from.number == message.to
                    && it.received.is_some_and(|(_, by)| by == message.from)
                    && self.is_unanswered(it, message)
            }),
        }
    }

    /// A request whose client has not got the answer that was given.
    fn is_unanswered(&self, request: &Message, answer: &Message) -> bool {
        let server_lost = self.ledger.is_over(answer.from);
        let by_send = answer.way == Way::Send;
        request.ended.is_none_or(|(_, result)| {
            result != 0 && (request.gave_up || request.killed || server_lost || by_send)
        })
    }

    /// One bit per source: the last one that was accepted is followed by a receipt.
    fn judge_notes(&mut self) {
        let mut lost = Vec::new();
        for (&(from, generation, to), notes) in &self.ledger.notes {
            let sure = |number| !self.ledger.was_unbound(number, notes.last_sent, self.now);
            let lives = sure(from) && sure(to) && self.ledger.is_newest(from, generation);
            if lives && notes.last_received < notes.last_sent {
                lost.push(format!(
                    "a notification from {from:?} to {to:?} is lost: {notes:?}"
                ));
            }
        }
        self.ledger.violations.extend(lost);
    }

    fn judge_core(&mut self, vm: u32) {
        let Some(stats) = self.guest(vm).stats() else {
            return self
                .ledger
                .wrong(format!("VM {vm} has no driver in the end"));
        };
        let guest = self.guest(vm);
        let posted = stats.frames_sent + stats.frames_sent_again + stats.acks_sent;
        let bound = self.processes.iter().filter(|it| it.vm == vm).count();
        let pairs = [
            ("operations", u64::from(stats.operations), 0),
            ("requests", u64::from(stats.requests), 0),
            ("unacknowledged", u64::from(stats.unacknowledged), 0),
            ("malformed", stats.malformed_dropped, 0),
            ("frames taken", guest.taken, posted),
            ("frames given", guest.given, stats.frames_received),
            ("endpoints", u64::from(stats.endpoints), bound as u64),
            ("frames in the ring", guest.received.len() as u64, 0),
        ];
        for (what, is, should) in pairs {
            if is != should {
                self.ledger
                    .wrong(format!("VM {vm}: {what}: {is}, not {should}: {stats:?}"));
            }
        }
    }

    /// The switch knows of the VM what its programs know.
    fn judge_switch(&mut self, vm: u32) {
        let guest = self.guest(vm);
        let switch = &self.hosts[guest.host].switch;
        let Some(port) = switch.port_of(vm) else {
            return self.ledger.wrong(format!("VM {vm} has no port in the end"));
        };
        let there = switch.endpoints(port).map(|it| (it.number, it.generation));
        let there: BTreeSet<(i32, u32)> = there.collect();
        let here = self.processes.iter().filter(|it| it.vm == vm);
        let here: BTreeSet<(i32, u32)> = here.map(|it| (it.number.1, it.generation)).collect();
        let incarnation = switch.incarnation(port);
        if there != here || incarnation != Some(guest.incarnation) {
            self.ledger.wrong(format!(
                "VM {vm}: the switch has {there:?} in life {incarnation:?}, not {here:?}"
            ));
        }
    }
}

fn target(act: Act) -> Option<Addr> {
    match act {
        Act::Send { to, .. } | Act::Sendrec { to } | Act::Notify { to } | Act::Reply { to, .. } => {
            Some(to)
        }
        Act::Bind | Act::Receive { .. } => None,
    }
}
