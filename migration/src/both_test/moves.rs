//! What can happen next, and what must hold.

use super::fault::{At, Fault, Step};
use super::world::{DESTINATION, EPOCH, Fate, Item, Job, Request, SOURCE, World};
use crate::destination;
use crate::place::{Place, Start};
use crate::source;
use crate::take::Answer;
use std::time::Duration;

/// After this time the destination's node waits for nobody any more.
const GRACE: Duration = Duration::from_secs(60);

/// Something that can happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Move {
    /// The destination gets a message.
    ToDestination,
    /// The source gets a message.
    ToSource,
    /// The destination gets the end of a round.
    Data,
    /// Somebody does what he was asked for.
    Job(At),
    /// The directory carries out a transaction.
    Execute(usize),
    /// Somebody gets an answer of the directory.
    Answer(usize),
    /// What the destination's node says of the VM's start comes into the record.
    Mark,
    /// The destination's node is not back yet when it is needed.
    NodeAway,
    /// Nobody has come for the VM at the destination's node, which does not know whether it has run.
    LifeEnds,
    /// All is quiet until time has passed.
    Tick(At),
    /// Something goes wrong; the number says which transaction it concerns.
    Fault(Fault, usize),
}

impl Move {
    pub fn is_progress(&self) -> bool {
        !matches!(self, Move::Fault(..))
    }
}

impl World {
    /// All that can happen now.
    pub fn moves(&self) -> Vec<Move> {
        let mut moves = self.progress();
        if moves.is_empty() {
            moves = self.ticks();
        }
        if self.faults > 0 && !self.is_over() {
            moves.extend(
                self.possible_faults()
                    .into_iter()
                    .map(|(f, n)| Move::Fault(f, n)),
            );
        }
        moves
    }

    fn progress(&self) -> Vec<Move> {
        let mut moves = Vec::new();
        let mut offer = |is: bool, step| moves.extend(is.then_some(step));
        offer(!self.to_destination.is_empty(), Move::ToDestination);
        offer(!self.to_source.is_empty(), Move::ToSource);
        offer(!self.data.is_empty(), Move::Data);
        offer(!self.source_jobs.is_empty(), Move::Job(At::Source));
        offer(
            !self.destination_jobs.is_empty(),
            Move::Job(At::Destination),
        );
        moves.extend((0..self.requests.len()).map(Move::Execute));
        moves.extend((0..self.answers.len()).map(Move::Answer));
        moves.extend((!self.node.marks.is_empty()).then_some(Move::Mark));
        let runs = matches!(self.destination_jobs.front(), Some(Job::Run(_)));
        moves.extend((runs && self.node.forgetful).then_some(Move::NodeAway));
        moves
    }

    /// Whether the VM waits at the destination's node, and nobody there can start it or knows that it may
    /// be given back.
    fn is_abandoned(&self) -> bool {
        let gone = self.destination.is_none() || self.destination_over;
        gone && !self.destination_runs && self.node.forgetful && self.start == Start::Awaited
    }

    /// Whose time comes first, if nothing else happens.
    fn ticks(&self) -> Vec<Move> {
        let both = [At::Source, At::Destination];
        let times = both.map(|at| self.deadline(at));
        let first = times.iter().flatten().min();
        let due = both.into_iter().zip(&times);
        let ticks = due.filter(|(_, time)| time.is_some() && time.as_ref() == first);
        let ends = self.is_abandoned();
        ticks
            .map(|(at, _)| Move::Tick(at))
            .filter(|_| !ends || self.now < GRACE)
            .chain(ends.then_some(Move::LifeEnds))
            .collect()
    }

    fn possible_faults(&self) -> Vec<(Fault, usize)> {
        let mut faults = Vec::new();
        let mut offer = |is: bool, fault| faults.extend(is.then_some((fault, 0)));
        let (source, destination) = (self.source.is_some(), self.destination.is_some());
        offer(self.connected && source && destination, Fault::LinkLost);
        for (at, there, job) in [
            (At::Source, source, !self.source_jobs.is_empty()),
            (
                At::Destination,
                destination,
                !self.destination_jobs.is_empty(),
            ),
        ] {
            offer(there, Fault::Killed(at));
            offer(there, Fault::NodeRestarted(at));
            offer(there && job, Fault::ActionFailed(at));
            offer(there && self.deadline(at).is_some(), Fault::Slow(at));
            offer(there, Fault::Cancelled(at));
        }
        for (n, request) in self.requests.iter().enumerate().filter(|(_, r)| r.awaited) {
            faults.push((Fault::AnswerLostBefore(request.by), n));
            faults.push((Fault::AnswerLostAfter(request.by), n));
            faults.push((Fault::AnswerEarly(request.by), n));
        }
        faults
    }

    fn deadline(&self, at: At) -> Option<Duration> {
        match at {
            At::Source => self.source.as_ref()?.deadline(),
            At::Destination => self.destination.as_ref()?.deadline(),
        }
    }

    /// The world after something has happened.
    pub fn after(&self, step: Move) -> World {
        let mut next = self.clone();
        match step {
            Move::ToDestination => {
                let event = next.to_destination.pop_front().map(|item| match item {
                    Item::Message(message) => destination::Event::Peer(message),
                    Item::Closed => destination::Event::PeerLost("closed".to_owned()),
                });
                event
                    .into_iter()
                    .for_each(|event| next.destination_event(event));
            }
            Move::ToSource => {
                let event = next.to_source.pop_front().map(|item| match item {
                    Item::Message(message) => source::Event::Peer(message),
                    Item::Closed => source::Event::PeerLost("closed".to_owned()),
                });
                event.into_iter().for_each(|event| next.source_event(event));
            }
            Move::Data => {
                let end = next.data.pop_front();
                end.into_iter().for_each(|(round, last)| {
                    next.destination_event(destination::Event::RoundEnded {
                        stream: 0,
                        round,
                        last,
                    });
                });
            }
            Move::Job(At::Source) => next.source_job(true),
            Move::Job(At::Destination) => next.destination_job(true),
            Move::Execute(n) => next.execute(n),
            Move::Answer(n) => {
                let (at, answer) = next.answers.remove(n);
                next.answer(at, answer);
            }
            Move::Mark => next.mark(),
            Move::NodeAway => {
                next.node.away = true;
                next.destination_job(false);
            }
            Move::LifeEnds => next.start = Start::Made,
            Move::Tick(at) => next.tick(at),
            Move::Fault(fault, n) => next.fault(fault, n),
        }
        next
    }

    fn execute(&mut self, n: usize) {
        let request = self.requests.remove(n);
        self.carry_out(request);
        if request.awaited {
            self.answers.push((request.by, Ok(self.residence())));
        }
    }

    /// The directory's transaction.
    fn carry_out(&mut self, request: Request) {
        let Request { by, from, .. } = request;
        let me = match by {
            At::Source => SOURCE,
            At::Destination => DESTINATION,
        };
        if self
            .record
            .is_some_and(|p| p.node == from.node && p.epoch == from.epoch)
        {
            self.record = Some(Place {
                node: me,
                epoch: from.epoch + 1,
                life: from.life,
            });
            self.start = Start::Awaited;
            if by == At::Destination {
                self.node.arrived();
            }
        }
    }

    /// The directory's transaction for what the destination's node says.
    fn mark(&mut self) {
        let start = self.node.marks.remove(0);
        if self.is_at_destination() && self.start == Start::Awaited {
            self.start = start;
        }
    }

    fn is_at_destination(&self) -> bool {
        self.record.is_some_and(|place| place.node == DESTINATION)
    }

    fn answer(&mut self, at: At, answer: Answer) {
        match at {
            At::Source => self.source_event(source::Event::Taken(answer)),
            At::Destination => self.destination_event(destination::Event::Taken(answer)),
        }
    }

    fn tick(&mut self, at: At) {
        let before = self.clone();
        if let Some(deadline) = self.deadline(at) {
            self.now = self.now.max(deadline);
        }
        match at {
            At::Source => self.source_event(source::Event::Tick),
            At::Destination => self.destination_event(destination::Event::Tick),
        }
        assert_ne!(*self, before, "time passes and nothing happens");
        assert!(
            self.now < Duration::from_secs(600),
            "it never ends: {self:?}"
        );
    }

    fn fault(&mut self, fault: Fault, n: usize) {
        let at = Step::of(self).map(|step| (step, fault));
        self.faults -= 1;
        self.cause = at.filter(|_| self.cause.is_none());
        let unknown = || Err("nobody knows".to_owned());
        match fault {
            Fault::LinkLost => self.lose_link(),
            Fault::Killed(at) => self.kill(at),
            Fault::NodeRestarted(At::Source) => {
                self.source_event(source::Event::NodeLost("restarted".to_owned()));
            }
            Fault::NodeRestarted(At::Destination) => {
                self.node.restarted(self.destination_runs);
                self.destination_event(destination::Event::NodeLost("restarted".to_owned()));
            }
            Fault::ActionFailed(At::Source) => self.source_job(false),
            Fault::ActionFailed(At::Destination) => self.destination_job(false),
            Fault::AnswerLostBefore(at) => {
                self.requests.remove(n);
                self.answer(at, unknown());
            }
            Fault::AnswerLostAfter(at) => {
                let request = self.requests.remove(n);
                self.carry_out(request);
                self.answer(at, unknown());
            }
            Fault::AnswerEarly(at) => {
                self.requests
                    .iter_mut()
                    .skip(n)
                    .take(1)
                    .for_each(|r| r.awaited = false);
                self.answer(at, unknown());
            }
            Fault::Slow(at) => self.tick(at),
            Fault::Cancelled(At::Source) => self.source_event(source::Event::Cancel),
            Fault::Cancelled(At::Destination) => {
                self.destination_event(destination::Event::Cancel);
            }
        }
    }

    /// What was under way is lost; both sides notice, each in its time.
    fn lose_link(&mut self) {
        self.connected = false;
        self.data.clear();
        self.to_destination.clear();
        self.to_source.clear();
        self.to_destination.push_back(Item::Closed);
        self.to_source.push_back(Item::Closed);
    }

    /// What it had sent may arrive; what it was asked for is not done, but for its transactions.
    fn kill(&mut self, at: At) {
        match at {
            At::Source => {
                self.source = None;
                self.source_runs = false;
                self.source_jobs.clear();
                self.to_source.clear();
                self.to_destination.push_back(Item::Closed);
            }
            At::Destination => {
                self.destination = None;
                self.destination_runs = false;
                self.node.is_left();
                self.destination_jobs.clear();
                self.to_destination.clear();
                self.data.clear();
                self.to_source.push_back(Item::Closed);
            }
        }
        self.connected = false;
    }

    /// Nothing happens any more by itself.
    pub fn is_over(&self) -> bool {
        self.progress().is_empty() && self.ticks().is_empty()
    }

    /// Who has the VM.
    pub fn fate(&self) -> Fate {
        match (self.source_runs, self.destination_runs) {
            (true, _) => Fate::Source,
            (_, true) => Fate::Destination,
            _ => Fate::Lost,
        }
    }

    /// What holds at any time.
    pub fn check(&self) {
        assert!(
            !(self.source_runs && self.destination_runs),
            "both run: {self:?}"
        );
        assert!(
            !(self.source_runs && self.destination_ran),
            "it runs on from before: {self:?}"
        );
        let Some(record) = self.record else {
            panic!("nobody removes the record");
        };
        if self.source_runs {
            assert_eq!(
                (record.node, record.epoch),
                (SOURCE, self.source_epoch),
                "{self:?}"
            );
        }
        if self.destination_runs {
            assert_eq!(
                (record.node, record.epoch),
                (DESTINATION, EPOCH + 1),
                "{self:?}"
            );
        }
        if self.source_destroyed {
            assert_eq!(record.node, DESTINATION, "{self:?}");
        }
    }

    /// What holds in the end.
    pub fn check_end(&self) {
        assert!(self.source.is_none() || self.source_over, "{self:?}");
        assert!(
            self.destination.is_none() || self.destination_over,
            "{self:?}"
        );
        if self.fate() != Fate::Lost {
            return;
        }
        // Whoever had the VM has run it, or nobody is left who could; or a node that was started again
        // could not know whether it has run.
        let owner_died = match self.is_at_destination() {
            false => self.source.is_none(),
            true => self.destination_ran || self.source.is_none() || self.node.forgetful,
        };
        assert!(owner_died, "neither runs: {self:?}");
    }
}
