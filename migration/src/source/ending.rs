//! What follows when something fails, and who has the VM in the end.

use super::steps::out_of_turn;
use super::{Action, Failure, Outcome, Phase, Source, Word};
use crate::message::{ToDestination, ToSource};
use crate::place::{Claim, Place, Residence, Start};
use crate::precopy::{AtTimeout, Precopy};
use crate::take::{Answer, Taking};
use crate::text::Text;
use std::time::Duration;

impl Source {
    /// Something went wrong.
    pub(super) fn fail(&mut self, now: Duration, reason: String) -> Vec<Action> {
        self.give_up(now, reason, false)
    }

    pub(super) fn cancel(&mut self, now: Duration) -> Vec<Action> {
        if self.lost_to.is_some() {
            // Too late: the VM is elsewhere.
            return Vec::new();
        }
        self.give_up(now, "cancelled".to_owned(), true)
    }

    pub(super) fn timed_out(&mut self, now: Duration) -> Vec<Action> {
        let limit = self.config.precopy.timeout;
        self.fail(
            now,
            format!(
                "the guest writes faster than its pages can be sent, and the time of {} s is up; give it more time or a longer downtime, or have it forced",
                limit.as_secs()
            ),
        )
    }

    fn give_up(&mut self, now: Duration, reason: String, cancelled: bool) -> Vec<Action> {
        let failure = Failure {
            reason: Text::from(reason),
            cancelled,
        };
        let failure = self.failure.get_or_insert(failure).clone();
        if self.phase != Phase::HandedOver {
            return self.stay(now, failure);
        }
        if self.lost_to.is_some() {
            // Its node will say whether it runs there, or the other has won and nobody hears of it any more.
            return match self.taking {
                Some(_) => Vec::new(),
                None => self.leave(now),
            };
        }
        let abort = self.abort(&failure.reason);
        let take = self.take(now, self.place);
        abort.into_iter().chain(take).collect()
    }

    /// Undoes all that was done, the last first, and is as before.
    fn stay(&mut self, now: Duration, failure: Failure) -> Vec<Action> {
        let mut actions = Vec::new();
        if self.done.frames {
            actions.push(Action::AcceptFrames);
        }
        if self.done.rings {
            actions.push(Action::StartRings);
        }
        if self.done.paused {
            actions.push(Action::ResumeVcpus);
            self.marks.runs = Some(now);
        }
        if self
            .precopy
            .as_ref()
            .is_some_and(|p| p.throttle_percent() > 0)
        {
            actions.push(Action::Throttle(0));
        }
        if self.done.log {
            actions.push(Action::StopLog);
        }
        actions.extend(self.abort(&failure.reason));
        let Failure { reason, cancelled } = failure;
        actions.push(Action::Ended(Outcome::Stayed { reason, cancelled }));
        self.end(now);
        actions
    }

    fn leave(&mut self, now: Duration) -> Vec<Action> {
        self.settled = self.lost_to.flatten();
        self.end(now);
        vec![Action::Destroy, Action::Ended(Outcome::Left(self.settled))]
    }

    fn end(&mut self, now: Duration) {
        self.marks.ended = Some(now);
        self.enter(now, Phase::Ended);
    }

    /// Tells the destination, if it can hear.
    fn abort(&mut self, reason: &Text) -> Option<Action> {
        let tell = self.connected && !self.aborted;
        self.aborted = true;
        tell.then(|| Action::Send(ToDestination::Abort(reason.clone())))
    }

    /// Asks for the VM, unless it does so already.
    fn take(&mut self, now: Duration, from: Place) -> Option<Action> {
        if self.taking.is_some() {
            return None;
        }
        self.lost_to = None;
        // Whatever was given up meanwhile, this is the life that its guest knows.
        let from = Place {
            life: self.place.life,
            ..from
        };
        self.taking = Some(Taking::new(from, self.place.node, now));
        Some(Action::Take { from })
    }

    /// The directory has said who has the VM, or that this is open.
    pub(super) fn taken(&mut self, now: Duration, answer: &Answer) -> Vec<Action> {
        let Some(taking) = &self.taking else {
            return Vec::new();
        };
        match taking.answered(answer) {
            Claim::Open => Vec::new(),
            Claim::Won(place) => {
                self.settled = Some(place);
                let failure = self.failure.clone().unwrap_or_else(|| Failure {
                    reason: Text::from(out_of_turn()),
                    cancelled: false,
                });
                self.failure = Some(failure.clone());
                self.stay(now, failure)
            }
            Claim::Lost(found) => {
                let first = taking.from() == self.place;
                self.lost(now, found, first)
            }
        }
    }

    /// Another has it, or nobody. `first`: whoever took it from here, not from where it came to.
    fn lost(&mut self, now: Duration, found: Option<Residence>, first: bool) -> Vec<Action> {
        self.lost_to = Some(found.map(|it| it.place));
        let there = found.filter(|it| first && Some(it.place.node) == self.peer_node);
        match there.map(|it| (it.place, self.start_of(it))) {
            Some((place, start)) if self.word == Word::Returned || start == Start::Declined => {
                self.cannot_run_there("its VMM is gone");
                self.taking = None;
                self.take(now, place).into_iter().collect()
            }
            // The question goes on being asked: it may never run there.
            Some((_, Start::Awaited)) if self.word == Word::None => Vec::new(),
            there => {
                self.taking = None;
                self.since = now;
                // It may still find that it cannot run the VM.
                let waits = there.is_some() && self.word == Word::None && self.connected;
                if waits { Vec::new() } else { self.leave(now) }
            }
        }
    }

    /// Whether what was taken from here has run: if it has moved since, it has.
    fn start_of(&self, found: Residence) -> Start {
        let next = self.place.epoch.checked_add(1) == Some(found.place.epoch);
        if next { found.start } else { Start::Made }
    }

    /// Why the VM stays, unless that is known.
    fn cannot_run_there(&mut self, why: &str) {
        self.failure.get_or_insert_with(|| Failure {
            reason: Text::from(format!("the destination could not run the VM: {why}")),
            cancelled: false,
        });
    }

    /// The destination said something after the hand-over.
    pub(super) fn told_of_its_fate(&mut self, now: Duration, message: ToSource) -> Vec<Action> {
        match message {
            ToSource::RoundApplied(_) => {
                self.since = now;
                if self.parts.last_pass.is_none() {
                    self.parts.last_pass = Some(self.lap(now));
                }
                Vec::new()
            }
            ToSource::Ready => {
                self.since = now;
                self.parts.state = Some(self.lap(now));
                Vec::new()
            }
            ToSource::Committed(_) => {
                self.since = now;
                self.parts.commit = Some(self.lap(now));
                Vec::new()
            }
            ToSource::Resumed => {
                self.word = Word::Runs;
                self.marks.runs = Some(now);
                self.parts.resume = Some(self.lap(now));
                match self.lost_to {
                    Some(_) => self.leave(now),
                    None => self.take(now, self.place).into_iter().collect(),
                }
            }
            ToSource::Returned(why) => self.returned(now, &why),
            ToSource::Aborted(why) => {
                self.fail(now, format!("the destination has given up: {why}"))
            }
            ToSource::Accept(_) | ToSource::Refuse(_) => self.fail(now, out_of_turn()),
        }
    }

    /// The destination has won, but gives the VM back.
    fn returned(&mut self, now: Duration, why: &Text) -> Vec<Action> {
        self.word = Word::Returned;
        self.failure = None;
        self.cannot_run_there(why.as_str());
        if self.lost_to.is_some() {
            // What the record says is known, and not waited for any more.
            self.taking = None;
        }
        let from = self.lost_to.flatten().unwrap_or(self.place);
        self.take(now, from).into_iter().collect()
    }

    /// Time has passed.
    pub(super) fn tick(&mut self, now: Duration) -> Vec<Action> {
        if self.deadline().is_none_or(|deadline| now < deadline) {
            return Vec::new();
        }
        if let Some(taking) = &mut self.taking {
            let from = taking.ask_again(now);
            return from.map(|from| Action::Take { from }).into_iter().collect();
        }
        let late = self.precopy.as_ref().is_some_and(|p: &Precopy| p.late(now));
        if self.phase == Phase::Sending && late {
            return match self.config.precopy.at_timeout {
                AtTimeout::Cancel => self.timed_out(now),
                AtTimeout::Force => self.switch_over(now),
            };
        }
        let whom = match self.phase {
            Phase::Checking | Phase::Dropping | Phase::Draining => "the node of this host does",
            Phase::Logging | Phase::Collecting | Phase::Pausing => "this host does",
            _ => "the destination does",
        };
        self.fail(now, format!("{whom} not answer in time"))
    }
}
