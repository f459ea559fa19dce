//! What is to be seen from outside.

use super::{Destination, Phase};
use crate::layout::PAGE_SIZE;
use crate::progress::{Progress, Side, State};
use crate::text::Text;
use std::time::Duration;

impl Destination {
    /// How far it is.
    pub fn progress(&self, now: Duration) -> Progress {
        let vm = self.offer.as_ref().map_or(0, |offer| offer.vm);
        let mut progress = Progress::new(Side::Destination, vm);
        progress.state = self.state();
        progress.place = self.settled;
        if let Some(offer) = &self.offer {
            progress.peer_node = Some(offer.place.node);
            progress.total_bytes = offer.layout.bytes();
        }
        if let Some(accept) = &self.accept {
            progress.streams = accept.streams;
            progress.compression = accept.compression;
        }
        let pages = self.received.pages();
        progress.transferred_bytes = pages.bytes;
        progress.data_pages = pages.data_pages;
        progress.zero_pages = pages.zero_pages;
        progress.round = self.received.round();
        if let Some(figures) = &self.figures {
            progress.round = progress.round.max(figures.round);
            progress.remaining_bytes = figures.remaining_pages.saturating_mul(PAGE_SIZE);
            progress.dirty_pages_per_s = figures.dirty_pages_per_s;
            progress.throttle_percent = figures.throttle_percent;
            progress.expected_downtime = figures.expected_downtime;
        }
        self.times(&mut progress, now);
        progress.blocked_by = self.blocked_by().map(Text::from);
        progress.error = self.failure.as_ref().map(|(reason, _)| reason.clone());
        progress
    }

    fn times(&self, progress: &mut Progress, now: Duration) {
        let until = self.marks.ended.unwrap_or(now);
        let first = self.marks.first_page.unwrap_or(until);
        progress.setup = Some(first.saturating_sub(self.marks.began));
        progress.total = Some(until.saturating_sub(self.marks.began));
        progress.downtime_parts = self.parts;
        // What this side knows from the hand-over on, and what the source has told of the time before.
        progress.downtime = self.marks.handed_over.map(|handed_over| {
            let told = [self.parts.pause, self.parts.drain, self.parts.last_pass];
            let told = told
                .into_iter()
                .flatten()
                .fold(Duration::ZERO, Duration::saturating_add);
            told.saturating_add(until.saturating_sub(handed_over))
        });
    }

    /// How far it is.
    pub fn state(&self) -> State {
        match self.phase {
            Phase::Waiting | Phase::Preparing => State::Setup,
            Phase::Receiving if self.received.count() == 0 => State::Precopy,
            Phase::Receiving | Phase::Loading => State::SwitchOver,
            Phase::Taking => State::Commit,
            Phase::Resuming => State::Resume,
            Phase::Ended => match &self.failure {
                None => State::Completed,
                Some((_, true)) => State::Cancelled,
                Some((_, false)) => State::Failed,
            },
        }
    }

    fn blocked_by(&self) -> Option<&'static str> {
        match self.phase {
            Phase::Waiting => Some("the source makes its offer"),
            Phase::Preparing => Some("the machine is built, and the node looks at the directory"),
            Phase::Loading => Some("the state is loaded"),
            Phase::Taking => Some("the directory says who has the VM"),
            Phase::Resuming => Some("clock, devices and CPUs are started"),
            Phase::Receiving | Phase::Ended => None,
        }
    }
}
