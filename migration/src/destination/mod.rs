//! The side that the VM comes to.
//!
//! ```text
//!  Waiting ─▶ Preparing ─▶ Receiving ─▶ Loading          any failure: nothing was ever here
//!                                          │
//!  ════════════════════════════════════════╪═ its node is asked to take the VM ═══════════════
//!                                          ▼
//!                                       Taking ──▶ lost: nothing was ever here
//!                                          │won
//!                                          ▼
//!                                       Resuming ──▶ it runs here
//!                                                └─▶ it cannot: the VM is given back, not having run
//! ```
//!
//! From the moment at which its node is asked, only the directory's word counts: the loss of the source, of
//! the node or of patience changes nothing, and the question is asked again until it is answered.

mod receive;
mod steps;
mod view;

use crate::compat::Host;
use crate::message::{Accept, Figures, HandOver, Offer, Piece, ToDestination, ToSource};
use crate::pages::Attempt;
use crate::place::Place;
use crate::progress::Downtime;
use crate::take::{Answer, Taking};
use crate::text::Text;
use receive::Received;
use std::time::Duration;

pub use receive::JoinError;

/// What happened. Results are those of the actions; an error is a sentence that says what failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A message from the source.
    Peer(ToDestination),
    /// The control connection is over.
    PeerLost(String),
    /// To [`Action::Prepare`].
    Prepared(Result<(), String>),
    /// A data stream has said that a round is over, and all its pages are in memory. After the last
    /// round nobody reads from it any more.
    RoundEnded {
        /// Number of the stream.
        stream: u16,
        /// Number of the round.
        round: u32,
        /// Whether it was the last.
        last: bool,
    },
    /// To [`Action::Load`].
    Loaded(Result<(), String>),
    /// To [`Action::Take`].
    Taken(Answer),
    /// To [`Action::Resume`]; an error only if no CPU has executed an instruction.
    Resumed(Result<(), String>),
    /// A data stream broke off or brought what cannot be, or something else failed.
    Failed(String),
    /// The node was started again.
    NodeLost(String),
    /// Somebody wishes that the VM does not come.
    Cancel,
    /// The time of [`Destination::deadline`] has come.
    Tick,
}

/// What to do. Actions that concern the same party are carried out in the order in which they are
/// given; a party that does not answer must not hold up the others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Build the machine with empty memory, and have the node prepare a port for the VM: it sees that
    /// the record says the same as the offer, that its lease is good and that the directory answers.
    Prepare(Box<Offer>),
    /// Take data streams: see [`Destination::join`].
    TakeStreams(Accept),
    /// Send a message on the control connection.
    Send(ToSource),
    /// Load the state of all but memory, in this order.
    Load(Vec<Piece>),
    /// Have the node take the VM from this place: see [`place`](crate::place).
    Take {
        /// From where.
        from: Place,
    },
    /// Start clock, devices, CPUs, in this order; the port belongs to this place.
    Resume(Place),
    /// Give up what is here. Its port must not touch the record: the VM is not here, or is
    /// given back.
    Destroy,
    /// It is over: close the connections. Nothing follows.
    Ended(Outcome),
}

/// How it ended.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The VM runs here.
    Runs(Place),
    /// It does not.
    NotHere {
        /// Why.
        reason: Text,
        /// Whether that was wished.
        cancelled: bool,
    },
}

/// How long to wait for the source.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Waits {
    /// For the offer.
    pub setup: Duration,
    /// For any sign of the source after that.
    pub silence: Duration,
}

impl Default for Waits {
    fn default() -> Waits {
        Waits {
            setup: Duration::from_secs(30),
            silence: Duration::from_secs(30),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Phase {
    Waiting,
    Preparing,
    Receiving,
    Loading,
    Taking,
    Resuming,
    Ended,
}

/// The moments that figures are made of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
struct Marks {
    began: Duration,
    first_page: Option<Duration>,
    handed_over: Option<Duration>,
    ended: Option<Duration>,
    /// The end of the last part of the downtime.
    lap: Duration,
}

/// The migration of one VM to here.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Destination {
    host: Host,
    waits: Waits,
    phase: Phase,
    /// When this phase began, or something was last heard.
    since: Duration,
    connected: bool,
    offer: Option<Box<Offer>>,
    accept: Option<Accept>,
    received: Received,
    figures: Option<Figures>,
    hand_over: Option<HandOver>,
    taking: Option<Taking>,
    settled: Option<Place>,
    failure: Option<(Text, bool)>,
    marks: Marks,
    parts: Downtime,
}

impl Destination {
    /// A source has connected to this host.
    pub fn new(host: Host, waits: Waits, now: Duration) -> Destination {
        Destination {
            host,
            waits,
            phase: Phase::Waiting,
            since: now,
            connected: true,
            offer: None,
            accept: None,
            received: Received::default(),
            figures: None,
            hand_over: None,
            taking: None,
            settled: None,
            failure: None,
            marks: Marks {
                began: now,
                lap: now,
                ..Marks::default()
            },
            parts: Downtime::default(),
        }
    }

    /// Something happened at `now`; gives what is to be done.
    pub fn handle(&mut self, now: Duration, event: Event) -> Vec<Action> {
        if self.phase == Phase::Ended {
            return Vec::new();
        }
        match event {
            Event::Peer(message) => self.told(now, message),
            Event::PeerLost(why) => {
                self.connected = false;
                if self.phase == Phase::Loading {
                    // All is here, and the directory decides.
                    return Vec::new();
                }
                self.fail(
                    now,
                    format!("the connection to the source broke off: {why}"),
                )
            }
            Event::Taken(answer) => self.taken(now, &answer),
            Event::Failed(why) => self.fail(now, why),
            Event::NodeLost(why) => self.fail(
                now,
                format!("the node of this host was started again: {why}"),
            ),
            Event::Cancel => self.give_up(now, Text::from("cancelled"), true),
            Event::Tick => self.tick(now),
            result => self.step(now, result),
        }
    }

    /// A data stream has come, with what its [`Data::Join`](crate::pages::Data::Join) says.
    ///
    /// # Errors
    /// [`JoinError`] if it does not belong here: close it; the migration goes on.
    pub fn join(&mut self, now: Duration, attempt: Attempt, stream: u16) -> Result<(), JoinError> {
        let ours = self.offer.as_ref().map(|offer| offer.attempt);
        if self.phase != Phase::Receiving || ours != Some(attempt) {
            return Err(JoinError::Stranger);
        }
        self.since = now;
        self.received.join(stream)
    }

    /// When to come with [`Event::Tick`] at the latest; `None`: there is nothing to wait for.
    pub fn deadline(&self) -> Option<Duration> {
        match self.phase {
            Phase::Waiting => Some(self.since.saturating_add(self.waits.setup)),
            Phase::Receiving => Some(self.since.saturating_add(self.waits.silence)),
            Phase::Taking => self.taking.as_ref().map(Taking::again_at),
            Phase::Preparing | Phase::Loading | Phase::Resuming | Phase::Ended => None,
        }
    }

    /// Whether its node has been asked to take the VM, so that only the directory decides.
    pub fn asked(&self) -> bool {
        matches!(self.phase, Phase::Taking | Phase::Resuming)
    }

    fn enter(&mut self, now: Duration, phase: Phase) {
        self.phase = phase;
        self.since = now;
    }
}

#[cfg(test)]
#[path = "destination_test.rs"]
mod tests;
