//! What follows when all goes well.

use super::{Action, Event, Phase, Source};
use crate::bitmap::PageBitmap;
use crate::message::{
    Accept, Figures, HandOver, MAX_PIECE_BYTES, MAX_PIECES, MAX_STATE, Piece, ToDestination,
    ToSource,
};
use crate::precopy::{Precopy, Verdict};
use crate::text::Text;
use std::time::Duration;

impl Source {
    /// An action has its result. One that is not waited for any more changes nothing.
    pub(super) fn step(&mut self, now: Duration, event: Event) -> Vec<Action> {
        match (self.phase, event) {
            (Phase::Checking, Event::NodeChecked(Ok(place))) => {
                self.place = place;
                self.offer.place = place;
                self.enter(now, Phase::Offered);
                vec![Action::Send(ToDestination::Offer(Box::new(
                    self.offer.clone(),
                )))]
            }
            (Phase::Logging, Event::LogStarted(Ok(populated))) => self.first_round(now, &populated),
            (Phase::Collecting, Event::Collected(Ok(dirty))) => self.collected(now, &dirty),
            (Phase::Pausing, Event::VcpusPaused(Ok(()))) => {
                self.parts.pause = Some(self.lap(now));
                // Not before: a guest that still runs could reset its device, which the node must hear.
                self.enter(now, Phase::Dropping);
                self.done.frames = true;
                vec![Action::DropFrames]
            }
            (Phase::Dropping, Event::FramesDropped(Ok(place))) => {
                self.place = place;
                self.enter(now, Phase::Draining);
                self.done.rings = true;
                vec![Action::DrainRings]
            }
            (Phase::Draining, Event::RingsDrained(Ok(()))) => {
                self.parts.drain = Some(self.lap(now));
                self.enter(now, Phase::Saving);
                vec![Action::Collect { last: true }, Action::SaveState]
            }
            (Phase::Saving, Event::Collected(Ok(dirty))) => self.last_round(now, &dirty),
            (Phase::Saving, Event::StateSaved(Ok(pieces))) => self.saved(now, pieces),
            (Phase::Saving, Event::LastRoundSent) => {
                self.streams_done = self.streams_done.saturating_add(1);
                self.since = now;
                self.hand_over(now)
            }
            (phase, event) => match failed(event) {
                Some(why) if phase != Phase::HandedOver => self.fail(now, why),
                _ => Vec::new(),
            },
        }
    }

    /// The destination said something.
    pub(super) fn told(&mut self, now: Duration, message: ToSource) -> Vec<Action> {
        match (self.phase, message) {
            (Phase::Offered, ToSource::Accept(accept)) => self.accepted(now, accept),
            (Phase::Offered, ToSource::Refuse(reasons)) => {
                let reasons: Vec<_> = reasons.iter().map(Text::as_str).collect();
                self.fail(
                    now,
                    format!("the destination refuses: {}", reasons.join("; ")),
                )
            }
            (Phase::HandedOver, message) => self.told_of_its_fate(now, message),
            (_, ToSource::Aborted(why)) => {
                self.fail(now, format!("the destination has given up: {why}"))
            }
            (_, ToSource::RoundApplied(round)) => self.round_applied(now, round),
            _ => self.fail(now, out_of_turn()),
        }
    }

    fn accepted(&mut self, now: Duration, accept: Accept) -> Vec<Action> {
        if !self.offer.allows(&accept) {
            return self.fail(now, out_of_turn());
        }
        self.streams = accept.streams;
        self.compression = accept.compression;
        self.peer_node = Some(accept.node);
        self.enter(now, Phase::Logging);
        self.done.log = true;
        let open = Action::OpenStreams {
            count: accept.streams,
            compression: accept.compression,
            port: accept.port,
        };
        vec![open, Action::StartLog]
    }

    fn first_round(&mut self, now: Duration, populated: &PageBitmap) -> Vec<Action> {
        let (layout, config) = (self.offer.layout.clone(), self.config.precopy.clone());
        self.precopy = Some(Precopy::new(layout, self.streams, config, now));
        self.marks.first_page = Some(now);
        self.collected(now, populated)
    }

    fn collected(&mut self, now: Duration, pages: &PageBitmap) -> Vec<Action> {
        let Some(precopy) = &mut self.precopy else {
            return Vec::new();
        };
        match precopy.collected(now, pages) {
            Verdict::Round { throttle } => {
                precopy.begin_round(now, false);
                self.enter(now, Phase::Sending);
                let throttle = throttle.map(Action::Throttle);
                throttle.into_iter().chain(self.sending()).collect()
            }
            Verdict::SwitchOver => self.switch_over(now),
            Verdict::TimedOut => self.timed_out(now),
        }
    }

    fn sending(&self) -> Vec<Action> {
        let figures = self.precopy.as_ref().map(|precopy| Figures {
            round: precopy.round(),
            remaining_pages: precopy.remaining(),
            dirty_pages_per_s: precopy.dirty_rate(),
            expected_downtime: precopy.expected_downtime(),
            throttle_percent: precopy.throttle_percent(),
        });
        let figures = figures.map(|figures| Action::Send(ToDestination::Figures(figures)));
        figures.into_iter().chain([Action::SendPages]).collect()
    }

    fn round_applied(&mut self, now: Duration, round: u32) -> Vec<Action> {
        let Some(precopy) = &mut self.precopy else {
            return self.fail(now, out_of_turn());
        };
        if round < precopy.round() {
            // A round that was cut short by the switch-over.
            return Vec::new();
        }
        if round > precopy.round() || !precopy.all_sent() {
            return self.fail(now, out_of_turn());
        }
        precopy.end_round(now);
        if self.phase == Phase::Sending {
            self.enter(now, Phase::Collecting);
            return vec![Action::Collect { last: false }];
        }
        if self.last_begun && self.parts.last_pass.is_none() {
            self.parts.last_pass = Some(self.lap(now));
        }
        Vec::new()
    }

    /// The guest stops. What is pending goes on being sent meanwhile.
    pub(super) fn switch_over(&mut self, now: Duration) -> Vec<Action> {
        if let Some(precopy) = &mut self.precopy {
            precopy.begin_round(now, false);
        }
        self.marks.paused = Some(now);
        self.marks.lap = now;
        self.done.paused = true;
        self.enter(now, Phase::Pausing);
        let pause = std::iter::once(Action::PauseVcpus);
        pause.chain(self.sending()).collect()
    }

    fn last_round(&mut self, now: Duration, dirty: &PageBitmap) -> Vec<Action> {
        if self.last_begun {
            return Vec::new();
        }
        if let Some(precopy) = &mut self.precopy {
            precopy.collected_last(now, dirty);
            precopy.begin_round(now, true);
        }
        self.last_begun = true;
        self.since = now;
        vec![Action::SendPages]
    }

    fn saved(&mut self, now: Duration, pieces: Vec<Piece>) -> Vec<Action> {
        let size: usize = pieces.iter().map(Piece::size).sum();
        let too_long = pieces.iter().any(|p| p.bytes.len() > MAX_PIECE_BYTES);
        let count = u32::try_from(pieces.len()).unwrap_or(u32::MAX);
        if size > MAX_STATE || too_long || count > MAX_PIECES {
            return self.fail(
                now,
                format!(
                    "the state of the VM has {size} bytes in {count} pieces, more than can be sent"
                ),
            );
        }
        if self.pieces.is_some() {
            return Vec::new();
        }
        self.pieces = Some(count);
        let pieces = pieces.into_iter().map(ToDestination::Piece);
        let mut actions: Vec<_> = pieces.map(Action::Send).collect();
        actions.extend(self.hand_over(now));
        actions
    }

    /// Hands the VM over once its state and all its pages are sent.
    fn hand_over(&mut self, now: Duration) -> Vec<Action> {
        let (Some(pieces), Some(precopy)) = (self.pieces, &self.precopy) else {
            return Vec::new();
        };
        if !self.last_begun || self.streams_done < self.streams {
            return Vec::new();
        }
        let hand_over = HandOver {
            place: self.place,
            round: precopy.round(),
            pieces,
            pause: self.parts.pause.unwrap_or_default(),
            drain: self.parts.drain.unwrap_or_default(),
            last_pass: now.saturating_sub(self.marks.lap),
        };
        self.enter(now, Phase::HandedOver);
        vec![Action::Send(ToDestination::HandOver(hand_over))]
    }

    /// Time since the last part of the downtime ended.
    pub(super) fn lap(&mut self, now: Duration) -> Duration {
        let since = now.saturating_sub(self.marks.lap);
        self.marks.lap = now;
        since
    }
}

pub(super) fn out_of_turn() -> String {
    "the destination does not keep to the protocol".to_owned()
}

/// What an action failed of, if it did.
fn failed(event: Event) -> Option<String> {
    let (what, why) = match event {
        Event::NodeChecked(Err(why)) => ("the node of this host is not ready", why),
        Event::LogStarted(Err(why)) | Event::Collected(Err(why)) => {
            ("the log of written pages cannot be had", why)
        }
        Event::VcpusPaused(Err(why)) => ("the CPUs cannot be stopped", why),
        Event::FramesDropped(Err(why)) => ("the node cannot let the VM go", why),
        Event::RingsDrained(Err(why)) => ("the devices cannot be stopped", why),
        Event::StateSaved(Err(why)) => ("the state cannot be saved", why),
        _ => return None,
    };
    Some(format!("{what}: {why}"))
}
