//! From what programs want to calls of their core, and from results back to programs.

use dvs_core::errors::{EAGAIN, EINTR, ENOTBIND, ENOTCONN, ETIMEDOUT};
use dvs_core::{ANY, Addr, CallId, Core, NOWAIT, Outcome};

use super::agenda::{Event, MS, US};
use super::ledger::{Place, Serial, Way, content};
use super::plan::Role;
use super::program::{Act, Doing, State, Wanted};
use super::world::World;

/// What the driver gives a receiver to decide, and how long it waits where it must not wait.
const GRACE: u64 = 100 * MS;

impl World {
    pub(super) fn place(&self, program: usize) -> Place {
        let process = &self.processes[program];
        Place {
            number: process.number,
            generation: process.generation,
            vm: process.vm,
            incarnation: self.guest(process.vm).incarnation,
        }
    }

    /// All programs of a machine start, now that it has its driver.
    pub(super) fn exec_all(&mut self, vm: u32) {
        for program in 0..self.processes.len() {
            if self.processes[program].vm == vm {
                self.exec_later(program, 20 * US);
            }
        }
    }

    fn exec_later(&mut self, program: usize, after: u64) {
        let life = self.processes[program].life;
        let at = self.now + self.dice.below(after + 1);
        self.agenda.add(at, Event::Exec { program, life });
    }

    pub(super) fn exec(&mut self, program: usize, life: u64) {
        let process = &self.processes[program];
        let down = matches!(process.state, State::Down) && process.life == life;
        // A machine that has no driver yet starts its programs when it has.
        if down && self.guest(process.vm).core.is_some() {
            let (act, nowait, deadline) = (Act::Bind, false, None);
            self.begin(
                program,
                Wanted {
                    act,
                    nowait,
                    deadline,
                },
            );
        }
    }

    pub(super) fn wake_clients(&mut self) {
        for program in 0..self.processes.len() {
            if matches!(self.processes[program].state, State::Resting) {
                self.think(program);
            }
        }
    }

    fn think(&mut self, program: usize) {
        let process = &mut self.processes[program];
        process.state = State::Thinking;
        process.turn += 1;
        let turn = process.turn;
        let delay = self.dice.delay(self.plan.settings.think_ns);
        self.agenda
            .add(self.now + delay, Event::Step { program, turn });
    }

    pub(super) fn step(&mut self, program: usize, turn: u64) {
        if self.processes[program].turn != turn {
            return;
        }
        match self.next_call(program) {
            Some(wanted) => self.begin(program, wanted),
            None => self.processes[program].state = State::Resting,
        }
    }

    fn message(&mut self, program: usize, act: Act) -> (Serial, Vec<u8>) {
        let (way, to, re) = match act {
            Act::Send { to, re } => (Way::Send, to, re),
            Act::Sendrec { to } => (Way::Sendrec, to, 0),
            Act::Reply { to, re, .. } => (Way::Reply, to, re),
            Act::Bind | Act::Receive { .. } | Act::Notify { .. } => return (0, Vec::new()),
        };
        let from = self.place(program);
        let serial = self.ledger.send(way, from, (from.number.0, to.nr), re);
        (serial, content(serial, re))
    }

    fn begin(&mut self, program: usize, wanted: Wanted) {
        let (serial, data) = self.message(program, wanted.act);
        let (now, vm) = (self.now, self.processes[program].vm);
        self.trace(|| format!("{program} @{vm} calls #{serial} {wanted:?}"));
        self.count.calls += 1;
        if let Act::Notify { to } = wanted.act {
            let from = self.place(program);
            self.ledger.notifies(from, (from.number.0, to.nr));
        }
        let process = &mut self.processes[program];
        process.turn += 1;
        let (own, turn) = (process.number.1, process.turn);
        process.state = State::Calling(Doing {
            id: None,
            wanted,
            serial,
            started: now,
            left: 0,
            gave_up: false,
        });
        let guest = self.guest_mut(vm);
        let Some(core) = guest.core.as_mut() else {
            return self
                .ledger
                .wrong(format!("{program} runs where no driver is"));
        };
        let id = start(core, own, wanted, &data, now);
        guest.callers.insert(id, program);
        if let State::Calling(doing) = &mut self.processes[program].state {
            doing.id = Some(id);
        }
        self.will_leave(program, turn, wanted);
        self.after(vm);
    }

    fn will_leave(&mut self, program: usize, turn: u64, wanted: Wanted) {
        let mut leave = |after: u64, why: i32| {
            let event = Event::Leave { program, turn, why };
            self.agenda.add(self.now + after, event);
        };
        if wanted.nowait {
            leave(GRACE, ETIMEDOUT);
        }
        if let Some(after) = wanted.deadline {
            leave(after, ETIMEDOUT);
        }
        if self.plan.settings.signals && wanted.act != Act::Bind && self.dice.chance(5) {
            // A server's receive is interrupted as well; it receives again.
            let after = self.dice.delay(500 * US);
            let event = Event::Leave {
                program,
                turn,
                why: EINTR,
            };
            self.agenda.add(self.now + after, event);
        }
    }

    fn doing(&mut self, program: usize, turn: u64) -> Option<&mut Doing> {
        let process = &mut self.processes[program];
        match &mut process.state {
            State::Calling(doing) if process.turn == turn => Some(doing),
            _ => None,
        }
    }

    /// A deadline, or a signal.
    pub(super) fn leave(&mut self, program: usize, turn: u64, why: i32) {
        let (now, vm) = (self.now, self.processes[program].vm);
        let Some(doing) = self.doing(program, turn).filter(|it| it.left == 0) else {
            return;
        };
        doing.left = why;
        // If it ends within this, nobody was asked.
        doing.gave_up = true;
        let Some(id) = doing.id else { return };
        self.trace(|| format!("{program} @{vm} leaves for {why}"));
        if let Some(core) = self.guest_mut(vm).core.as_mut() {
            core.cancel(id, why, now);
        }
        self.after(vm);
        if let Some(doing) = self.doing(program, turn) {
            doing.gave_up = false;
            let event = Event::GraceOver { program, turn };
            self.agenda.add(now + GRACE, event);
        }
    }

    pub(super) fn grace_over(&mut self, program: usize, turn: u64) {
        let (now, vm) = (self.now, self.processes[program].vm);
        let Some(doing) = self.doing(program, turn) else {
            return;
        };
        doing.gave_up = true;
        let Some(id) = doing.id else { return };
        self.count.abandoned += 1;
        if !self.ledger.had_trouble(now.saturating_sub(GRACE), now) {
            let process = &self.processes[program];
            self.ledger
                .wrong(format!("nobody decided in time: {process:?}"));
        }
        if let Some(core) = self.guest_mut(vm).core.as_mut() {
            core.abandon(id, now);
        }
        self.after(vm);
    }

    /// The program exits, or is killed in the middle of a call; later it runs again.
    pub(super) fn exit(&mut self, program: usize, vm: u32, down: u64) {
        let (now, old) = (self.now, self.processes[program].vm);
        let number = self.processes[program].number;
        if matches!(self.processes[program].state, State::Down) {
            return;
        }
        self.ledger.down(number, now);
        self.processes[program].exiting = true;
        let killed = self.dice.chance(50);
        let calling = match self.processes[program].state {
            State::Calling(doing) => Some(doing),
            _ => None,
        };
        let binds = calling.is_some_and(|it| it.wanted.act == Act::Bind);
        let call = calling.filter(|_| killed || binds).and_then(|it| it.id);
        if let Some(core) = self.guest_mut(old).core.as_mut() {
            if let Some(id) = call {
                core.cancel(id, EINTR, now);
                core.abandon(id, now);
            }
            core.unbind(number.1, now);
        }
        self.after(old);
        let process = &mut self.processes[program];
        process.restart();
        process.moved |= vm != old;
        process.left_binding |= vm != old && binds;
        process.vm = vm;
        self.exec_later(program, down);
    }

    /// A machine is gone with all that ran in it.
    pub(super) fn programs_lost(&mut self, vm: u32) {
        for program in 0..self.processes.len() {
            let process = &mut self.processes[program];
            if process.vm == vm {
                process.restart();
                self.ledger.down(process.number, self.now);
            }
        }
    }

    /// The device is gone: calls have been ended, programs exit.
    pub(super) fn programs_stopped(&mut self, vm: u32) {
        for process in self.processes.iter_mut().filter(|it| it.vm == vm) {
            process.exiting = true;
        }
        self.collect(vm);
        self.programs_lost(vm);
    }

    /// Calls of this machine that have ended.
    pub(super) fn collect(&mut self, vm: u32) {
        loop {
            let guest = self.guest_mut(vm);
            let Some((id, outcome)) = guest.core.as_mut().and_then(Core::finished) else {
                return;
            };
            if let Some(program) = guest.callers.remove(&id) {
                self.ended(program, id, &outcome);
            }
        }
    }

    fn ended(&mut self, program: usize, id: CallId, outcome: &Outcome) {
        let process = &self.processes[program];
        let State::Calling(mut doing) = process.state else {
            return self
                .ledger
                .wrong(format!("{program}: a call ended twice: {id:?}"));
        };
        let (vm, result) = (process.vm, outcome.result);
        self.trace(|| {
            format!(
                "{program} @{vm} got {result} #{} {:?}",
                doing.serial, doing.wanted
            )
        });
        doing.id = Some(id);
        let result = result_told(&doing, result);
        *self.count.results.entry(result).or_default() += 1;
        self.record(program, &doing, result, outcome);
        if !self.explained(program, &doing, result) {
            let from = self.place(program);
            self.ledger
                .wrong(format!("{result} is not explained: {from:?} {doing:?}"));
        }
        match doing.wanted.act {
            _ if matches!(result, ENOTBIND | ENOTCONN) || self.processes[program].exiting => {}
            Act::Bind => self.bound(program, result, outcome),
            Act::Receive { from: ANY } if result == EAGAIN && self.is_done(program) => {
                self.processes[program].state = State::Resting;
            }
            _ => self.think(program),
        }
    }

    fn is_done(&self, program: usize) -> bool {
        let process = &self.processes[program];
        matches!(process.role, Role::Client { .. }) && (self.draining || process.is_exhausted())
    }

    fn bound(&mut self, program: usize, result: i32, outcome: &Outcome) {
        if result == 0 {
            let process = &mut self.processes[program];
            process.generation = outcome.from.gen_;
            process.moved = process.left_binding;
            let place = self.place(program);
            self.ledger.up(place, self.now);
            self.think(program);
        } else {
            // The machine that it came from has not given the number back yet.
            self.processes[program].state = State::Down;
            self.exec_later(program, 2 * MS);
        }
    }

    /// Writes down what came of a call.
    fn record(&mut self, program: usize, doing: &Doing, result: i32, outcome: &Outcome) {
        let (now, place) = (self.now, self.place(program));
        let killed = self.processes[program].exiting;
        if let Some(message) = self.ledger.message_mut(doing.serial) {
            message.ended = Some((now, result));
            message.gave_up = doing.gave_up;
            message.killed = killed;
        }
        if result != 0 {
            return;
        }
        match doing.wanted.act {
            Act::Receive { .. } => {
                let serial = self.ledger.received(place, outcome, now);
                self.count.received += 1;
                self.got(program, serial, outcome);
            }
            Act::Sendrec { .. } => {
                self.ledger.answered(place, doing.serial, outcome, now);
                self.count.answered += 1;
                self.got(program, doing.serial, outcome);
            }
            Act::Notify { to } => {
                let to = (place.number.0, to.nr);
                self.ledger.notified(place, to, doing.started);
            }
            Act::Bind | Act::Send { .. } | Act::Reply { .. } => {}
        }
    }

    /// What is counted in a core that is about to go.
    pub(super) fn count_core(&mut self, vm: u32) {
        if let Some(stats) = self.guest(vm).stats() {
            self.count.add(&stats);
        }
    }
}

/// The result as the driver tells it: a call that must not wait has no time-out.
fn result_told(doing: &Doing, result: i32) -> i32 {
    match result {
        ETIMEDOUT if doing.wanted.nowait => EAGAIN,
        result => result,
    }
}

fn start(core: &mut Core, own: i32, wanted: Wanted, data: &[u8], now: u64) -> CallId {
    let flags = if wanted.nowait { NOWAIT } else { 0 };
    match wanted.act {
        Act::Bind => core.bind(own, now),
        Act::Receive { from } => core.receive(own, Addr::number(from), flags, now),
        Act::Send { to, .. } => core.send(own, to, data, flags, now),
        Act::Sendrec { to } => core.sendrec(own, to, data, flags, now),
        Act::Notify { to } => core.notify(own, to, now),
        Act::Reply { to, token, .. } => core.reply(own, to, token, data, now),
    }
}
