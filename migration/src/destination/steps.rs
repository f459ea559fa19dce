//! What follows from what happens.

use super::{Action, Destination, Event, Outcome, Phase};
use crate::compat::obstacles;
use crate::message::{Accept, HandOver, Offer, ToDestination, ToSource};
use crate::pages::Compression;
use crate::place::Claim;
use crate::precopy::Sent;
use crate::take::{Answer, Taking};
use crate::text::Text;
use std::time::Duration;

impl Destination {
    /// An action has its result, or a round is over. What is not waited for changes nothing.
    pub(super) fn step(&mut self, now: Duration, event: Event) -> Vec<Action> {
        match (self.phase, event) {
            (Phase::Preparing, Event::Prepared(Ok(()))) => self.prepared(now),
            (Phase::Preparing, Event::Prepared(Err(why))) => {
                self.refuse(now, vec![Text::from(why)])
            }
            (
                Phase::Receiving,
                Event::RoundEnded {
                    stream,
                    round,
                    last,
                },
            ) => self.round_ended(now, stream, round, last),
            (Phase::Loading, Event::Loaded(Ok(()))) => self.loaded(now),
            (Phase::Loading, Event::Loaded(Err(why))) => {
                self.fail(now, format!("the state cannot be loaded: {why}"))
            }
            (Phase::Resuming, Event::Resumed(Ok(()))) => self.resumed(now),
            (Phase::Resuming, Event::Resumed(Err(why))) => self.give_back(now, Text::from(why)),
            _ => Vec::new(),
        }
    }

    /// The source said something.
    pub(super) fn told(&mut self, now: Duration, message: ToDestination) -> Vec<Action> {
        match (self.phase, message) {
            (Phase::Waiting, ToDestination::Offer(offer)) => self.offered(now, offer),
            (Phase::Receiving, ToDestination::Figures(figures)) => {
                self.since = now;
                self.figures = Some(figures);
                Vec::new()
            }
            (Phase::Receiving, ToDestination::Piece(piece)) => {
                self.since = now;
                if self.received.keep(piece) {
                    return Vec::new();
                }
                self.fail(
                    now,
                    "the source sends more state than a machine has".to_owned(),
                )
            }
            (Phase::Receiving, ToDestination::HandOver(hand_over))
                if self.is_in_order(&hand_over) =>
            {
                self.handed_over(now, hand_over)
            }
            (_, ToDestination::Abort(why)) => {
                self.fail(now, format!("the source has given up: {why}"))
            }
            _ => self.fail(now, out_of_turn()),
        }
    }

    /// Whether this is the first hand-over, and of the VM that was offered: no node gives away what
    /// lives at another.
    fn is_in_order(&self, hand_over: &HandOver) -> bool {
        let node = self.offer.as_ref().map(|offer| offer.place.node);
        self.hand_over.is_none() && node == Some(hand_over.place.node)
    }

    fn handed_over(&mut self, now: Duration, hand_over: HandOver) -> Vec<Action> {
        self.since = now;
        self.hand_over = Some(hand_over);
        self.marks.handed_over = Some(now);
        self.marks.lap = now;
        self.parts.pause = Some(hand_over.pause);
        self.parts.drain = Some(hand_over.drain);
        self.parts.last_pass = Some(hand_over.last_pass);
        self.load(now)
    }

    fn offered(&mut self, now: Duration, offer: Box<Offer>) -> Vec<Action> {
        let obstacles = obstacles(&offer, &self.host);
        self.offer = Some(offer.clone());
        if !obstacles.is_empty() {
            return self.refuse(now, obstacles);
        }
        self.enter(now, Phase::Preparing);
        vec![Action::Prepare(offer)]
    }

    fn prepared(&mut self, now: Duration) -> Vec<Action> {
        let Some(offer) = &self.offer else {
            return Vec::new();
        };
        let packs = self.host.compression.contains(&offer.compression);
        let accept = Accept {
            node: self.host.node,
            streams: offer.streams.min(self.host.streams).max(1),
            compression: if packs {
                offer.compression
            } else {
                Compression::None
            },
            port: self.host.port,
        };
        self.accept = Some(accept);
        self.received.expect(accept.streams);
        self.enter(now, Phase::Receiving);
        let streams = Action::TakeStreams(accept);
        vec![streams, Action::Send(ToSource::Accept(accept))]
    }

    fn refuse(&mut self, now: Duration, reasons: Vec<Text>) -> Vec<Action> {
        let all: Vec<_> = reasons.iter().map(Text::as_str).collect();
        self.failure = Some((Text::from(all.join("; ")), false));
        let refuse = Action::Send(ToSource::Refuse(reasons));
        self.leave(now, Some(refuse))
    }

    fn round_ended(&mut self, now: Duration, stream: u16, round: u32, last: bool) -> Vec<Action> {
        self.since = now;
        let Some(applied) = self.received.round_ended(stream, round, last) else {
            return self.fail(now, out_of_turn());
        };
        let tell = applied.map(|round| Action::Send(ToSource::RoundApplied(round)));
        let load = self.load(now);
        tell.into_iter().chain(load).collect()
    }

    /// Pages of a data stream are in memory.
    pub fn applied(&mut self, now: Duration, pages: Sent) {
        self.since = now;
        self.marks.first_page.get_or_insert(now);
        self.received.add(pages);
    }

    /// Loads the state once it and all pages are here.
    fn load(&mut self, now: Duration) -> Vec<Action> {
        let (Some(hand_over), Some(round)) = (self.hand_over, self.received.complete()) else {
            return Vec::new();
        };
        if hand_over.round != round || hand_over.pieces != self.received.count() {
            return self.fail(now, out_of_turn());
        }
        self.enter(now, Phase::Loading);
        vec![Action::Load(self.received.pieces())]
    }

    fn loaded(&mut self, now: Duration) -> Vec<Action> {
        let Some(hand_over) = self.hand_over else {
            return Vec::new();
        };
        self.parts.state = Some(self.lap(now));
        self.enter(now, Phase::Taking);
        let from = hand_over.place;
        self.taking = Some(Taking::new(from, self.host.node, now));
        self.tell(ToSource::Ready)
            .into_iter()
            .chain([Action::Take { from }])
            .collect()
    }

    /// The directory has said who has the VM, or that this is open.
    pub(super) fn taken(&mut self, now: Duration, answer: &Answer) -> Vec<Action> {
        let Some(taking) = self.taking.as_ref().filter(|_| self.phase == Phase::Taking) else {
            return Vec::new();
        };
        match taking.answered(answer) {
            Claim::Open => Vec::new(),
            Claim::Won(place) => {
                self.parts.commit = Some(self.lap(now));
                self.settled = Some(place);
                self.enter(now, Phase::Resuming);
                let tell = self.tell(ToSource::Committed(place));
                tell.into_iter().chain([Action::Resume(place)]).collect()
            }
            Claim::Lost(_) => {
                let reason = "the source has taken the VM back, or nobody has it any more";
                self.failure = Some((Text::from(reason), false));
                self.leave(now, None)
            }
        }
    }

    fn resumed(&mut self, now: Duration) -> Vec<Action> {
        self.parts.resume = Some(self.lap(now));
        let mut actions: Vec<_> = self.tell(ToSource::Resumed).into_iter().collect();
        let runs = self
            .settled
            .map(|place| Action::Ended(Outcome::Runs(place)));
        actions.extend(runs);
        self.end(now);
        actions
    }

    fn give_back(&mut self, now: Duration, why: Text) -> Vec<Action> {
        self.failure = Some((why.clone(), false));
        self.settled = None;
        let tell = self.tell(ToSource::Returned(why));
        self.leave(now, tell)
    }

    pub(super) fn fail(&mut self, now: Duration, reason: String) -> Vec<Action> {
        self.give_up(now, Text::from(reason), false)
    }

    /// Gives up, unless the directory has been asked.
    pub(super) fn give_up(&mut self, now: Duration, why: Text, cancelled: bool) -> Vec<Action> {
        if self.asked() {
            return Vec::new();
        }
        self.failure = Some((why.clone(), cancelled));
        let tell = self.tell(ToSource::Aborted(why));
        self.leave(now, tell)
    }

    fn leave(&mut self, now: Duration, tell: Option<Action>) -> Vec<Action> {
        let (reason, cancelled) = self.failure.clone().unwrap_or_default();
        self.end(now);
        let rest = [
            Action::Destroy,
            Action::Ended(Outcome::NotHere { reason, cancelled }),
        ];
        tell.into_iter().chain(rest).collect()
    }

    fn end(&mut self, now: Duration) {
        self.marks.ended = Some(now);
        self.enter(now, Phase::Ended);
    }

    fn tell(&self, message: ToSource) -> Option<Action> {
        self.connected.then_some(Action::Send(message))
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
        self.fail(now, "the source says nothing any more".to_owned())
    }

    fn lap(&mut self, now: Duration) -> Duration {
        let since = now.saturating_sub(self.marks.lap);
        self.marks.lap = now;
        since
    }
}

fn out_of_turn() -> String {
    "the source does not keep to the protocol".to_owned()
}
