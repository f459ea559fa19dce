//! Programs of the guests: what they call next, and what they do with what they get.

use std::collections::{BTreeMap, VecDeque};

use dvs_core::{ANY, Addr, CallId, Kind, Outcome};

use super::agenda::{MS, US};
use super::ledger::{Number, Serial};
use super::plan::{Program, Role};
use super::world::World;

/// A call to be made.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted {
    pub(super) act: Act,
    pub(super) nowait: bool,
    /// Leave after this time.
    pub(super) deadline: Option<u64>,
}

/// What is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Act {
    Bind,
    Receive {
        from: i32,
    },
    /// `re`: the request that it answers, 0 for none.
    Send {
        to: Addr,
        re: Serial,
    },
    Sendrec {
        to: Addr,
    },
    Notify {
        to: Addr,
    },
    Reply {
        to: Addr,
        token: u64,
        re: Serial,
    },
}

/// A call under way.
#[derive(Debug, Clone, Copy)]
pub(super) struct Doing {
    pub(super) id: Option<CallId>,
    pub(super) wanted: Wanted,
    /// The message, if it is one.
    pub(super) serial: Serial,
    pub(super) started: u64,
    /// Why it was to be left.
    pub(super) left: i32,
    pub(super) gave_up: bool,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum State {
    /// It does not run, or is not bound.
    Down,
    /// It thinks.
    Thinking,
    Calling(Doing),
    /// It has nothing to do any more.
    Resting,
}

/// A request that a server has taken.
#[derive(Debug, Clone, Copy)]
struct Open {
    from: Addr,
    token: u64,
    serial: Serial,
    /// Another server was asked about it.
    relayed: bool,
}

/// A program while a history is played.
#[derive(Debug)]
pub(super) struct Process {
    pub(super) number: Number,
    pub(super) role: Role,
    pub(super) vm: u32,
    /// Counts its starts.
    pub(super) life: u64,
    /// Counts what it does, so that events for an earlier call are known.
    pub(super) turn: u64,
    pub(super) state: State,
    pub(super) generation: u32,
    /// Its calls end since it exits, or since the device goes.
    pub(super) exiting: bool,
    /// It was bound in another machine before.
    pub(super) moved: bool,
    /// It exited there before its bind was answered: the answer may come at any time, until it is given back.
    pub(super) left_binding: bool,
    calls_left: u32,
    open: VecDeque<Open>,
    /// Generations that it saw of others.
    seen: BTreeMap<i32, u32>,
}

impl Process {
    pub(super) fn new(program: &Program, dcid: u32) -> Process {
        Process {
            number: (dcid, program.number),
            role: program.role,
            vm: program.vm,
            life: 0,
            turn: 0,
            state: State::Down,
            generation: 0,
            exiting: false,
            moved: false,
            left_binding: false,
            calls_left: match program.role {
                Role::Client { calls } => calls,
                _ => 0,
            },
            open: VecDeque::new(),
            seen: BTreeMap::new(),
        }
    }

    /// It starts anew: what it knew is gone.
    pub(super) fn restart(&mut self) {
        self.life += 1;
        self.turn += 1;
        self.state = State::Down;
        self.exiting = false;
        self.open.clear();
        self.seen.clear();
    }

    /// A client that has made all its calls.
    pub(super) fn is_exhausted(&self) -> bool {
        self.calls_left == 0
    }

    pub(super) fn addr(&self) -> Addr {
        Addr::number(self.number.1)
    }
}

fn call(act: Act) -> Wanted {
    Wanted {
        act,
        nowait: false,
        deadline: None,
    }
}

impl World {
    /// What a program does next; `None`: it has nothing to do.
    pub(super) fn next_call(&mut self, program: usize) -> Option<Wanted> {
        match self.processes[program].role {
            Role::Client { .. } => self.client(program),
            Role::Server {
                hold,
                by_send,
                relay,
            } => Some(self.server(program, hold, by_send, relay)),
            Role::Picky => Some(self.picky(program)),
        }
    }

    fn some_deadline(&mut self) -> Option<u64> {
        Some(match self.dice.below(8) {
            0..=1 => self.dice.between(20 * US, 200 * US),
            2..=5 => self.dice.between(200 * US, 5 * MS),
            6 => self.dice.between(5 * MS, 50 * MS),
            _ => self.dice.between(50 * MS, 300 * MS),
        })
    }

    /// Not all say which life of the other they mean.
    fn address(&mut self, program: usize, target: usize) -> Addr {
        let mut addr = self.processes[target].addr();
        if self.dice.chance(20) {
            let seen = self.processes[program].seen.get(&addr.nr);
            addr.gen_ = seen.copied().unwrap_or(0);
        }
        addr
    }

    /// Any program of the same DC.
    fn neighbour(&mut self, program: usize) -> usize {
        let dcid = self.processes[program].number.0;
        let of_dc = self.processes.iter().filter(|it| it.number.0 == dcid);
        let index = self.dice.index(of_dc.count());
        self.first_of_dc(program) + index
    }

    /// Programs of a DC are together in the plan.
    fn first_of_dc(&self, program: usize) -> usize {
        let dcid = self.processes[program].number.0;
        let first = self.processes.iter().position(|it| it.number.0 == dcid);
        first.unwrap_or(program)
    }

    fn client(&mut self, program: usize) -> Option<Wanted> {
        if self.processes[program].calls_left == 0 || self.draining {
            let mut look = call(Act::Receive { from: ANY });
            look.nowait = true;
            return Some(look);
        }
        self.processes[program].calls_left -= 1;
        let mut target = self.neighbour(program);
        if target == program {
            target = self.first_of_dc(program);
        }
        if target == program {
            return None;
        }
        let to = self.address(program, target);
        let mut wanted = call(match self.dice.below(20) {
            0..=9 => Act::Sendrec { to },
            10..=14 => Act::Send { to, re: 0 },
            15..=17 => Act::Notify { to },
            18 => Act::Receive { from: ANY },
            _ => Act::Receive { from: to.nr },
        });
        let settings = &self.plan.settings;
        let (deadlines, nowait) = (settings.deadlines, settings.nowait);
        wanted.nowait = nowait && self.dice.chance(20);
        // Only of a server it is known that it will receive and answer.
        let sure = matches!(self.processes[target].role, Role::Server { .. });
        let receives = matches!(wanted.act, Act::Receive { .. });
        if !sure || receives || (deadlines && self.dice.chance(40)) {
            wanted.deadline = self.some_deadline();
        }
        Some(wanted)
    }

    fn server(
        &mut self,
        program: usize,
        hold: usize,
        by_send: bool,
        relay: Option<usize>,
    ) -> Wanted {
        let held = self.processes[program].open.len();
        let must = held > hold || (held > 0 && (self.draining || self.dice.chance(30)));
        if !must {
            let mut wanted = call(Act::Receive { from: ANY });
            // Whom it holds gets an answer some time, whether others call or not.
            wanted.deadline = (held > 0).then(|| self.dice.between(100 * US, 3 * MS));
            return wanted;
        }
        let which = self.dice.index(held);
        let open = self.processes[program].open[which];
        let answers = |asked: &usize| matches!(self.processes[*asked].role, Role::Server { .. });
        if let Some(asked) = relay.filter(|_| !open.relayed).filter(answers) {
            self.processes[program].open[which].relayed = true;
            let to = self.processes[asked].addr();
            return call(Act::Sendrec { to });
        }
        self.processes[program].open.remove(which);
        self.answer(open, by_send)
    }

    fn answer(&mut self, open: Open, by_send: bool) -> Wanted {
        let Open {
            from: to,
            token,
            serial: re,
            ..
        } = open;
        if by_send && self.dice.chance(30) {
            let mut wanted = call(Act::Send { to, re });
            // Nobody may wait for it any more.
            wanted.deadline = Some(self.dice.between(MS, 10 * MS));
            return wanted;
        }
        call(Act::Reply { to, token, re })
    }

    fn picky(&mut self, program: usize) -> Wanted {
        if let Some(open) = self.processes[program].open.pop_front() {
            return self.answer(open, false);
        }
        if self.draining {
            return call(Act::Receive { from: ANY });
        }
        let source = self.neighbour(program);
        let from = match self.processes[source].number.1 {
            own if source == program => own - 1,
            other => other,
        };
        let mut wanted = call(Act::Receive { from });
        wanted.deadline = self.some_deadline();
        wanted
    }

    /// A call has ended well: what it brought.
    pub(super) fn got(&mut self, program: usize, serial: Serial, outcome: &Outcome) {
        let process = &mut self.processes[program];
        process.seen.insert(outcome.from.nr, outcome.from.gen_);
        self.progress = true;
        if outcome.kind == Kind::Request {
            process.open.push_back(Open {
                from: outcome.from,
                token: outcome.token,
                serial,
                relayed: false,
            });
        }
    }
}
