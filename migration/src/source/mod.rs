//! The side that the VM leaves.
//!
//! ```text
//!  Checking ─▶ Offered ─▶ Logging ─▶ Sending ⇄ Collecting                 the guest runs
//!                                       │
//!                                       ▼
//!  Pausing ─▶ Dropping ─▶ Draining ─▶ Saving                              the guest stands still
//!                                       │   any failure so far: all is undone, and it runs here
//!  ═════════════════════════════════════╪══ HandOver is sent ════════════════════════════════
//!                                       ▼   any failure from here: the directory is asked
//!                                  HandedOver ──▶ (Taking) ──▶ won: it runs here again
//!                                                          └─▶ lost: this copy is destroyed
//! ```
//!
//! Once the state is handed over this side neither resumes nor destroys anything on anybody's word:
//! whether the destination says that it runs, falls silent or gives up, the source asks for the VM by
//! a transaction of its own. It has lost exactly if somebody else has the VM.

mod ending;
mod steps;
mod view;

use crate::bitmap::PageBitmap;
use crate::message::{Offer, OfferError, Piece, ToDestination, ToSource};
use crate::pages::Compression;
use crate::place::Place;
use crate::precopy::{self, Next, Precopy, Sent};
use crate::progress::Downtime;
use crate::take::{Answer, Taking};
use crate::text::Text;
use std::time::Duration;

/// How long to wait for others.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Waits {
    /// For an answer before the first page.
    pub setup: Duration,
    /// For any sign that pages get through while the guest runs.
    pub silence: Duration,
    /// For any step while the guest stands still.
    pub standing: Duration,
}

impl Default for Waits {
    fn default() -> Waits {
        Waits {
            setup: Duration::from_secs(30),
            silence: Duration::from_secs(10),
            standing: Duration::from_secs(5),
        }
    }
}

/// How a machine leaves.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Config {
    /// How its memory is copied.
    pub precopy: precopy::Config,
    /// How long to wait for others.
    pub waits: Waits,
}

/// What happened. Results are those of the actions; an error is a sentence that says what failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// To [`Action::CheckNode`].
    NodeChecked(Result<Place, String>),
    /// To [`Action::StartLog`]: the pages that are populated.
    LogStarted(Result<PageBitmap, String>),
    /// To [`Action::Collect`]: the pages that were written since the last time.
    Collected(Result<PageBitmap, String>),
    /// A stream has written the end of the last round, as [`Next::RoundEnd`] told it.
    LastRoundSent,
    /// To [`Action::PauseVcpus`].
    VcpusPaused(Result<(), String>),
    /// To [`Action::DropFrames`]: where the VM lives now.
    FramesDropped(Result<Place, String>),
    /// To [`Action::DrainRings`].
    RingsDrained(Result<(), String>),
    /// To [`Action::SaveState`].
    StateSaved(Result<Vec<Piece>, String>),
    /// To [`Action::Take`].
    Taken(Answer),
    /// A message from the destination.
    Peer(ToSource),
    /// The control connection is over.
    PeerLost(String),
    /// A data stream is over, or something else failed.
    Failed(String),
    /// The node was started again: its part of the log may have missed something.
    NodeLost(String),
    /// The guest was shut down or has crashed.
    GuestStopped,
    /// Somebody wishes that the VM stays.
    Cancel,
    /// The time of [`Source::deadline`] has come.
    Tick,
}

/// What to do. Actions that concern the same party are carried out in the order in which they are
/// given; a party that does not answer must not hold up the others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Ask the node where the VM lives, whether its lease is good and the directory answers.
    CheckNode,
    /// Send a message on the control connection.
    Send(ToDestination),
    /// Open the data streams: each begins with [`Data::Join`](crate::pages::Data::Join), then does
    /// what [`Source::next`] says.
    OpenStreams {
        /// How many.
        count: u16,
        /// How pages are packed.
        compression: Compression,
        /// Port of the destination.
        port: u16,
    },
    /// Log writes of CPUs, devices and the node from now on, and only then look which pages are populated.
    StartLog,
    /// Read all logs. `last`: nobody writes any more.
    Collect {
        /// Whether it is the last time.
        last: bool,
    },
    /// A round has begun: [`Source::next`] has something for the streams.
    SendPages,
    /// From now on the CPUs lose so many percent of their time.
    Throttle(u8),
    /// Stop the CPUs.
    PauseVcpus,
    /// Have the node drop frames for this VM, with RETRY owed to their senders.
    DropFrames,
    /// Stop the rings of all devices and have every buffer back.
    DrainRings,
    /// Save the state of all but memory, in a way that does it no harm.
    SaveState,
    /// Have the node take the VM from this place: see [`place`](crate::place).
    Take {
        /// From where.
        from: Place,
    },
    /// Have the node carry frames again.
    AcceptFrames,
    /// Start the rings.
    StartRings,
    /// Start the CPUs.
    ResumeVcpus,
    /// Log no more.
    StopLog,
    /// Give up this copy of the VM. Its port must not touch the record: the VM lives elsewhere.
    Destroy,
    /// It is over: close the connections. Nothing follows.
    Ended(Outcome),
}

/// How it ended.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The VM is not here any more. Where it is, as far as the directory knows.
    Left(Option<Place>),
    /// The VM is here.
    Stayed {
        /// Why.
        reason: Text,
        /// Whether that was wished.
        cancelled: bool,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Phase {
    Checking,
    Offered,
    Logging,
    Sending,
    Collecting,
    Pausing,
    Dropping,
    Draining,
    Saving,
    HandedOver,
    Ended,
}

/// What has been asked for, and is to be undone if the VM stays.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
struct Done {
    log: bool,
    paused: bool,
    frames: bool,
    rings: bool,
}

/// What the destination has said of its fate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Word {
    None,
    Runs,
    Returned,
}

/// Why the VM is to stay.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Failure {
    reason: Text,
    cancelled: bool,
}

/// The moments that figures are made of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
struct Marks {
    began: Duration,
    first_page: Option<Duration>,
    paused: Option<Duration>,
    runs: Option<Duration>,
    ended: Option<Duration>,
    /// The end of the last part of the downtime.
    lap: Duration,
}

/// The migration of one VM away from here.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Source {
    offer: Offer,
    config: Config,
    phase: Phase,
    /// When this phase began, or something last went on.
    since: Duration,
    done: Done,
    connected: bool,
    precopy: Option<Precopy>,
    streams: u16,
    /// Streams that have sent their last page.
    streams_done: u16,
    /// Whether the last round has begun.
    last_begun: bool,
    /// Pieces of state that were sent.
    pieces: Option<u32>,
    place: Place,
    peer_node: Option<u32>,
    /// Whether the destination was told that the source has given up.
    aborted: bool,
    /// What the destination says of the VM, which is believed only as far as it does no harm.
    word: Word,
    taking: Option<Taking>,
    /// Where the directory has it, if another has won.
    lost_to: Option<Option<Place>>,
    failure: Option<Failure>,
    marks: Marks,
    parts: Downtime,
    settled: Option<Place>,
    compression: Compression,
}

impl Source {
    /// The VM is to be sent as this offer says; `offer.place.node` is the node here. What is to
    /// be done first comes with it.
    ///
    /// # Errors
    /// [`OfferError`] if no such machine can be offered.
    pub fn new(
        offer: Offer,
        config: Config,
        now: Duration,
    ) -> Result<(Source, Vec<Action>), OfferError> {
        offer.check()?;
        let source = Source {
            phase: Phase::Checking,
            since: now,
            done: Done::default(),
            connected: true,
            precopy: None,
            streams: 0,
            streams_done: 0,
            last_begun: false,
            pieces: None,
            place: offer.place,
            peer_node: None,
            aborted: false,
            word: Word::None,
            taking: None,
            lost_to: None,
            failure: None,
            marks: Marks {
                began: now,
                ..Marks::default()
            },
            parts: Downtime::default(),
            settled: None,
            compression: Compression::None,
            offer,
            config,
        };
        Ok((source, vec![Action::CheckNode]))
    }

    /// Something happened at `now`; gives what is to be done.
    pub fn handle(&mut self, now: Duration, event: Event) -> Vec<Action> {
        if self.phase == Phase::Ended {
            return Vec::new();
        }
        match event {
            Event::Taken(answer) => self.taken(now, &answer),
            Event::Peer(message) => self.told(now, message),
            Event::PeerLost(why) => {
                self.connected = false;
                self.fail(
                    now,
                    format!("the connection to the destination broke off: {why}"),
                )
            }
            Event::Failed(why) => self.fail(now, why),
            Event::NodeLost(why) if self.phase != Phase::HandedOver => self.fail(
                now,
                format!("the node of this host was started again: {why}"),
            ),
            // Whoever has the VM is not its business any more.
            Event::NodeLost(_) => Vec::new(),
            Event::GuestStopped => self.fail(now, "the VM has stopped".to_owned()),
            Event::Cancel => self.cancel(now),
            Event::Tick => self.tick(now),
            result => self.step(now, result),
        }
    }

    /// What data stream number `stream` does next.
    pub fn next(&mut self, now: Duration, stream: u16) -> Next {
        let precopy = self.precopy.as_mut().filter(|_| self.phase != Phase::Ended);
        precopy.map_or(Next::Idle, |precopy| precopy.next(stream, now))
    }

    /// A data stream has sent a batch.
    pub fn sent(&mut self, now: Duration, sent: Sent) {
        if let Some(precopy) = &mut self.precopy {
            precopy.sent(now, sent);
            self.since = now;
        }
    }

    /// When to come with [`Event::Tick`] at the latest; `None`: there is nothing to wait for.
    pub fn deadline(&self) -> Option<Duration> {
        let waits = &self.config.waits;
        let wait = |limit: Duration| Some(self.since.saturating_add(limit));
        match self.phase {
            Phase::Checking | Phase::Offered | Phase::Logging => wait(waits.setup),
            Phase::Sending => {
                let precopy = self.precopy.as_ref().map(Precopy::deadline);
                wait(waits.silence).min(precopy.or(wait(waits.silence)))
            }
            Phase::Collecting => wait(waits.silence),
            Phase::Pausing | Phase::Dropping | Phase::Draining | Phase::Saving => {
                wait(waits.standing)
            }
            Phase::HandedOver => match &self.taking {
                Some(taking) => Some(taking.again_at()),
                None => wait(waits.standing),
            },
            Phase::Ended => None,
        }
    }

    /// Whether the state is handed over, so that only the directory decides.
    pub fn handed_over(&self) -> bool {
        self.phase == Phase::HandedOver
    }

    fn enter(&mut self, now: Duration, phase: Phase) {
        self.phase = phase;
        self.since = now;
    }
}

#[cfg(test)]
#[path = "property_test.rs"]
mod properties;
#[cfg(test)]
#[path = "source_test.rs"]
mod tests;
